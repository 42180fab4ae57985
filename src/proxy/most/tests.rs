//! Is anything that a request can use missed?

use serde_json::json;

use super::*;
use crate::governance::prices::{Book, Catalogue, Cost};

const SERVED: Served<'static> = Served {
    model: "m",
    tariff: None,
    max_output: None,
    assumed_output: 4_096,
};

fn of(endpoint: Endpoint, body: &str, max_tokens: Option<u32>) -> Used {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Most::of(endpoint, &body, "application/json", max_tokens).used(&SERVED)
}

/// Input tokens beside the text's bytes and what is added: of text, sound and pictures.
fn beside(endpoint: Endpoint, body: &str) -> (i64, u64, u64) {
    let used = of(endpoint, body, None);
    let text = used.tokens.input as i64 - body.len() as i64 - ADDED as i64;
    (text, used.audio_input, used.image_input)
}

/// Base64 of some length, and that length.
fn data() -> (String, i64) {
    let data = "A".repeat(100_000);
    let len = data.len() as i64;
    (data, len)
}

/// A conversation with this part.
fn with(part: serde_json::Value) -> String {
    json!({"messages": [{"role": "user", "content": [part]}]}).to_string()
}

/// A conversation in which a tool was called.
fn calling(input: serde_json::Value) -> String {
    with(json!({"type": "tool_use", "input": input}))
}

fn check(name: &str, body: &str, expected: (i64, u64, u64)) {
    assert_eq!(beside(Endpoint::Chat, body), expected, "{name}");
}

#[test]
fn media_are_not_counted_by_their_bytes() {
    let (data, len) = data();
    let png = format!("data:image/png;base64,{data}");
    let pdf = format!("data:application/pdf;base64,{data}");
    let base64 = json!({"type": "base64", "media_type": "image/webp", "data": data});
    let inline = json!({"data": data, "mimeType": "image/png"});
    let sound = json!({"data": data, "format": "wav"});
    // The comma of a data URL is passed over as well.
    let drawn = (-len - 1, 0, PICTURE);
    for (name, part, expected) in [
        ("OpenAI's", json!({"image_url": {"url": png}}), drawn),
        ("a flat one", json!({"image_url": png}), drawn),
        ("Anthropic's", json!({"source": base64}), (-len, 0, PICTURE)),
        (
            "Gemini's",
            json!({"inlineData": inline}),
            (-len, 0, PICTURE),
        ),
        (
            "a PDF",
            json!({"file": {"file_data": pdf}}),
            (12_499 - len, 0, 0),
        ),
        ("a sound", json!({"input_audio": sound}), (-len, 2_439, 0)),
    ] {
        check(name, &with(part), expected);
    }
    let slash = with(json!({"image_url": png})).replace("image/png", "image\\/png");
    check("an escaped slash", &slash, drawn);
}

#[test]
fn what_only_looks_like_media_is_text() {
    let (data, _) = data();
    let png = format!("data:image/png;base64,{data}");
    let text = format!("data:text/plain;base64,{data}");
    let inline = json!({"inlineData": {"data": data, "mimeType": "image/png"}});
    let source = json!({"source": {"media_type": "image/png", "data": data}});
    let plain = json!({"source": {"media_type": "text/plain", "data": data}});
    let twice = r#"{"source":{"media_type":"image/png","data":"AAAA","media_type":"text/plain"}}"#;
    let escaped = calling(source.clone()).replace("\"input\"", "\"inp\\u0075t\"");
    assert!(escaped.contains("u0075"));
    for (name, body) in [
        ("text", with(json!({"type": "text", "text": data}))),
        ("text in its place", with(plain)),
        ("text in a URL", with(json!({"image_url": {"url": text}}))),
        ("no type", with(json!({"inlineData": {"data": data}}))),
        (
            "no place",
            with(json!({"data": data, "mimeType": "image/png"})),
        ),
        ("a tool's input", calling(source)),
        ("a tool's URL", calling(json!({"image_url": {"url": png}}))),
        ("a tool's input, escaped", escaped),
        ("a tool's result", with(json!({"response": inline}))),
        ("two types", twice.to_owned()),
    ] {
        check(name, &body, (0, 0, 0));
    }
}

#[test]
fn what_is_elsewhere_is_assumed() {
    let picture = json!({"image_url": {"url": "https://x"}});
    let escaped = with(picture.clone()).replace("image_url", "image_ur\\u006c");
    assert!(escaped.contains("u006c"));
    let search = json!({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]});
    let before = json!({"input": [{"type": "web_search_call"}]});
    let stored = json!({"previous_response_id": "r", "input": "x"});
    let typed = r#"{"type":"image","source":{"type":"url","url":"https://x"}}"#;
    for (name, body, expected) in [
        ("a picture", with(picture), (0, 0, PICTURE)),
        ("its key escaped", escaped, (0, 0, PICTURE)),
        ("Anthropic's", typed.to_owned(), (0, 0, PICTURE)),
        (
            "of any kind",
            with(json!({"source": {"url": "u"}})),
            (32_768, 0, 0),
        ),
        (
            "a document",
            with(json!({"file": {"file_id": "f"}})),
            (32_768, 0, 0),
        ),
        (
            "Gemini's",
            with(json!({"fileData": {"fileUri": "u"}})),
            (32_768, 0, 0),
        ),
        (
            "a sound",
            with(json!({"audio": {"id": "a"}})),
            (0, 32_768, 0),
        ),
        ("a conversation", stored.to_string(), (131_072, 0, 0)),
        ("a search", search.to_string(), (32_768, 0, 0)),
        ("a search that was", before.to_string(), (0, 0, 0)),
    ] {
        check(name, &body, expected);
    }
}

#[test]
fn output_is_what_is_said_or_known_or_assumed() {
    let ask = |endpoint, body: &str, said, known| {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let served = Served {
            max_output: known,
            ..SERVED
        };
        let used = Most::of(endpoint, &body, "application/json", said).used(&served);
        used.tokens.output
    };
    use Endpoint::{Chat, Completions, Embeddings, Generate};
    let gemini = r#"{"generationConfig":{"candidateCount":3}}"#;
    for (endpoint, body, said, known, output) in [
        (Chat, "{}", Some(7), Some(5), 7),
        (Chat, "{}", None, Some(5), 5),
        (Chat, "{}", None, Some(100_000), 4_096),
        (Chat, "{}", None, None, 4_096),
        (Chat, r#"{"n":3}"#, None, None, 12_288),
        (Chat, r#"{"n":3,"messages":[{"n":9}]}"#, None, None, 12_288),
        (Chat, r#"{"n": "3"}"#, None, None, 12_288),
        (Chat, r#"{"n":2,"n":3}"#, None, None, 12_288),
        (Chat, r#"{"n":3}"#, Some(30), None, 30),
        (Chat, r#"{"prediction":{"content":"x"}}"#, Some(7), None, 37),
        (Completions, r#"{"n":2,"best_of":5}"#, Some(20), None, 60),
        (Completions, r#"{"best_of":5}"#, None, None, 20_480),
        (Completions, r#"{"prompt":["a","b"]}"#, Some(10), None, 20),
        (Completions, r#"{"prompt":[[1,2],[3]]}"#, Some(10), None, 20),
        (Completions, r#"{"prompt":[1,2,3]}"#, Some(10), None, 10),
        (Generate, gemini, Some(10), None, 30),
        (Generate, gemini, None, None, 12_288),
        (Embeddings, r#"{"input":"x"}"#, None, Some(5), 0),
    ] {
        assert_eq!(ask(endpoint, body, said, known), output, "{body}");
    }
}

#[test]
fn other_work_has_other_measures() {
    let documents = json!({"query": "q", "documents": vec!["d"; 101]}).to_string();
    let used = of(Endpoint::Rerank, &documents, None);
    assert_eq!((used.queries, used.tokens.output), (2, 0));
    let objects = json!({"documents": vec![json!({"text": "d"}); 3]}).to_string();
    assert_eq!(of(Endpoint::Rerank, &objects, None).queries, 1);
    let long = json!({"documents": vec!["d".repeat(25_000); 2]}).to_string();
    assert_eq!(of(Endpoint::Rerank, &long, None).queries, 3);

    let used = of(Endpoint::Speech, r#"{"input":"grün\n","voice":"v"}"#, None);
    // An escape's two bytes are two.
    assert_eq!((used.characters, used.millis), (6, 900));

    let counted = of(Endpoint::CountTokens, r#"{"messages":[]}"#, None);
    assert_eq!(counted, Used::default());
    let free = of(Endpoint::Moderations, r#"{"input":"x"}"#, None);
    assert_eq!((free.tokens.input, free.tokens.output), (13 + ADDED, 0));

    for (body, images, pixels, tokens) in [
        (r#"{"prompt":"p"}"#, 1, PIXELS, 6_540),
        (r#"{"n":2,"size":"1024x1024"}"#, 2, 2 << 20, 13_080),
        (r#"{"size":"2048x2048"}"#, 1, 4 << 20, 16_945),
        (r#"{"width":512,"height":256}"#, 1, 1 << 17, 6_540),
        (r#"{"size":"auto"}"#, 1, PIXELS, 6_540),
    ] {
        let used = of(Endpoint::ImageGenerations, body, None);
        let expected = (images, pixels, tokens);
        assert_eq!(
            (used.images, used.pixels, used.image_output),
            expected,
            "{body}"
        );
    }
    let tier = of(Endpoint::Chat, r#"{"service_tier":"priority"}"#, None).tier;
    assert_eq!(tier, Tier::Priority);
}

#[test]
fn forms_are_files_and_words() {
    let form = |fields: &str| {
        let body = format!("{fields}--b--\r\n")
            .replace('\n', "\r\n")
            .replace("\r\r", "\r");
        Bytes::from(body)
    };
    let file = |name: &str, data: &str| {
        format!("--b\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\n\n{data}\n")
    };
    let word = |name: &str, value: &str| {
        format!("--b\nContent-Disposition: form-data; name=\"{name}\"\n\n{value}\n")
    };
    let kind = "multipart/form-data; boundary=b";
    let data = "x".repeat(60_000);
    let heard = form(&format!(
        "{}{}",
        file("file", &data),
        word("model", "whisper-1")
    ));
    let used = Most::of(Endpoint::Transcriptions, &heard, kind, None).used(&SERVED);
    assert_eq!((used.millis, used.audio_input), (60_000, 1_920));
    assert_eq!(used.tokens.input, heard.len() as u64 - 60_000 + ADDED);
    assert_eq!(used.tokens.output, 4_096);
    let broken = Most::of(Endpoint::Translations, &heard, "text/plain", None).used(&SERVED);
    assert_eq!(broken.millis, heard.len() as u64);
    let huge = form(&file("file", &"x".repeat(26 << 20)));
    let used = Most::of(Endpoint::Transcriptions, &huge, kind, None).used(&SERVED);
    assert_eq!(used.millis, 25 << 20);

    let fields = [
        file("image[]", &data),
        file("mask", &data),
        word("n", "3"),
        word("size", "1024x1536"),
        word("quality", "high"),
    ];
    let edit = form(&fields.concat());
    let book = Book::new(Catalogue::embedded(), &[]);
    let tariff = book
        .tariff(Some("openai"), "p", "gpt-image-1", None)
        .unwrap();
    let served = Served {
        tariff: Some(&tariff),
        ..SERVED
    };
    let used = Most::of(Endpoint::ImageEdits, &edit, kind, None).used(&served);
    assert_eq!((used.images, used.image_input), (3, 2 * PICTURE));
    assert_eq!(used.picture, Some(250_000_441_344));
    assert_eq!(used.pixels, 3 * 1024 * 1536);
}

/// A vendor's model, what is asked of it, and what that costs at least and at most, dollars.
type Known = (
    &'static str,
    &'static str,
    Endpoint,
    serde_json::Value,
    [f64; 2],
);

#[test]
fn well_known_requests_have_a_most() {
    let book = Book::new(Catalogue::embedded(), &[]);
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x".repeat(900)}]});
    let picture = json!({"model": "m", "prompt": "a cat", "quality": "hd", "size": "1024x1024"});
    let (input, spoken) = (json!({"input": "x"}), json!({"input": "x".repeat(1_000)}));
    let ranked = json!({"documents": ["a"]});
    use Endpoint::{Chat, Embeddings, ImageGenerations, Messages, Rerank, Speech};
    let known: [Known; 6] = [
        (
            "openai",
            "gpt-4o-mini",
            Chat,
            chat.clone(),
            [0.002_4, 0.003],
        ),
        (
            "anthropic",
            "claude-sonnet-4-5",
            Messages,
            chat,
            [0.06, 0.08],
        ),
        (
            "openai",
            "text-embedding-3-small",
            Embeddings,
            input,
            [1e-6, 1e-4],
        ),
        ("openai", "tts-1", Speech, spoken, [0.015, 0.015]),
        (
            "azure",
            "dall-e-3",
            ImageGenerations,
            picture,
            [0.087, 0.089],
        ),
        ("cohere", "rerank-v3.5", Rerank, ranked, [0.002, 0.002]),
    ];
    for (vendor, model, endpoint, body, [least, most]) in known {
        let tariff = book.tariff(Some(vendor), "p", model, None).unwrap();
        let served = Served {
            model,
            tariff: Some(&tariff),
            max_output: tariff.max_output,
            assumed_output: 4_096,
        };
        let body = Bytes::from(body.to_string());
        let used = Most::of(endpoint, &body, "application/json", None).used(&served);
        let Cost::Known(cost) = tariff.at_most(&used) else {
            panic!("{vendor}/{model} has no price");
        };
        let dollars = cost.dollars();
        assert!(
            (least..=most).contains(&dollars),
            "{vendor}/{model}: {cost}"
        );
    }
}

#[test]
fn a_model_may_count_more_for_a_picture() {
    let mini = Served {
        model: "gpt-4o-mini-2024-07-18",
        ..SERVED
    };
    let body = Bytes::from_static(br#"{"messages":[{"content":[{"image_url":{"url":"u"}}]}]}"#);
    let used = Most::of(Endpoint::Chat, &body, "", None).used(&mini);
    assert_eq!(used.image_input, 48_169);
}
