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

#[test]
fn text_is_counted_by_its_bytes_and_media_are_not() {
    let data = "A".repeat(100_000);
    let len = data.len() as i64;
    let png = format!("data:image/png;base64,{data}");
    let pdf = format!("data:application/pdf;base64,{data}");
    let chat = |part: serde_json::Value| {
        json!({"messages": [{"role": "user", "content": [part]}]}).to_string()
    };
    let call = |input: serde_json::Value| {
        json!({"messages": [{"role": "assistant", "content": [
            {"type": "tool_use", "input": input}]}]})
        .to_string()
    };
    let base64 = |kind: &str| json!({"type": "base64", "media_type": kind, "data": data});
    let (one, whole) = (PICTURE, (0, 0, 0));
    for (name, body, expected) in [
        ("text", chat(json!({"type": "text", "text": data})), whole),
        (
            "a picture",
            chat(json!({"image_url": {"url": png, "detail": "high"}})),
            (-len - 1, 0, one),
        ),
        (
            "a flat picture",
            chat(json!({"type": "input_image", "image_url": png})),
            (-len - 1, 0, one),
        ),
        (
            "a picture elsewhere",
            chat(json!({"image_url": {"url": "https://x"}})),
            (0, 0, one),
        ),
        (
            "a document",
            chat(json!({"file": {"file_data": pdf}})),
            (12_500 - len - 1, 0, 0),
        ),
        (
            "a document elsewhere",
            chat(json!({"file": {"file_id": "f"}})),
            (32_768, 0, 0),
        ),
        (
            "a sound",
            chat(json!({"input_audio": {"data": data, "format": "wav"}})),
            (-len, 2_439, 0),
        ),
        (
            "a sound before",
            chat(json!({"audio": {"id": "a"}})),
            (0, 32_768, 0),
        ),
        (
            "Anthropic's",
            chat(json!({"type": "image", "source": base64("image/webp")})),
            (-len, 0, one),
        ),
        (
            "Anthropic's URL",
            chat(json!({"source": {"url": "https://x"}, "type": "image"})),
            (32_768, 0, 0),
        ),
        (
            "text in base64's place",
            chat(json!({"source": base64("text/plain")})),
            whole,
        ),
        (
            "Gemini's",
            chat(json!({"inlineData": {"data": data, "mimeType": "image/png"}})),
            (-len, 0, one),
        ),
        (
            "Gemini's file",
            chat(json!({"fileData": {"fileUri": "gs://x"}})),
            (32_768, 0, 0),
        ),
        (
            "no type",
            chat(json!({"inlineData": {"data": data}})),
            whole,
        ),
        (
            "an unknown place",
            chat(json!({"data": data, "mimeType": "image/png"})),
            whole,
        ),
        (
            "a tool's input",
            call(json!({"source": base64("image/png")})),
            whole,
        ),
        (
            "a tool's URL",
            call(json!({"image_url": {"url": png}})),
            whole,
        ),
        (
            "a tool's input, escaped",
            call(json!({"source": base64("image/png")})).replace("\"input\"", "\"inp\\u0075t\""),
            whole,
        ),
        (
            "a tool's result",
            chat(
                json!({"functionResponse": {"response": {"inlineData": {"data": data, "mimeType": "image/png"}}}}),
            ),
            whole,
        ),
        (
            "a data URL of text",
            chat(json!({"image_url": {"url": format!("data:text/plain;base64,{data}")}})),
            whole,
        ),
        (
            "a slash that is escaped",
            chat(json!({"image_url": {"url": png}})).replace("image/png", "image\\/png"),
            (-len - 1, 0, one),
        ),
        (
            "a key that is escaped",
            chat(json!({"image_url": {"url": "https://x"}}))
                .replace("image_url", "image_ur\\u006c"),
            (0, 0, one),
        ),
        (
            "a conversation elsewhere",
            json!({"previous_response_id": "r", "input": "x"}).to_string(),
            (131_072, 0, 0),
        ),
        (
            "a search",
            json!({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}).to_string(),
            (32_768, 0, 0),
        ),
        (
            "a search before",
            json!({"input": [{"type": "web_search_call"}]}).to_string(),
            whole,
        ),
    ] {
        // The comma of a data URL is passed over as well.
        assert_eq!(beside(Endpoint::Chat, &body), expected, "{name}");
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

#[test]
fn well_known_requests_have_a_most() {
    let book = Book::new(Catalogue::embedded(), &[]);
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x".repeat(900)}]});
    let picture = json!({"model": "m", "prompt": "a cat", "quality": "hd", "size": "1024x1024"});
    for (vendor, model, endpoint, body, least, most) in [
        (
            "openai",
            "gpt-4o-mini",
            Endpoint::Chat,
            chat.clone(),
            0.002_4,
            0.003,
        ),
        (
            "anthropic",
            "claude-sonnet-4-5",
            Endpoint::Messages,
            chat,
            0.06,
            0.08,
        ),
        (
            "openai",
            "text-embedding-3-small",
            Endpoint::Embeddings,
            json!({"input": "x"}),
            0.000_001,
            0.000_1,
        ),
        (
            "openai",
            "tts-1",
            Endpoint::Speech,
            json!({"input": "x".repeat(1_000)}),
            0.015,
            0.015,
        ),
        (
            "azure",
            "dall-e-3",
            Endpoint::ImageGenerations,
            picture,
            0.087,
            0.089,
        ),
        (
            "cohere",
            "rerank-v3.5",
            Endpoint::Rerank,
            json!({"documents": ["a"]}),
            0.002,
            0.002,
        ),
    ] {
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
    let mini = Served {
        model: "gpt-4o-mini-2024-07-18",
        ..SERVED
    };
    let body = Bytes::from_static(br#"{"messages":[{"content":[{"image_url":{"url":"u"}}]}]}"#);
    let used = Most::of(Endpoint::Chat, &body, "", None).used(&mini);
    assert_eq!(used.image_input, 48_169);
}
