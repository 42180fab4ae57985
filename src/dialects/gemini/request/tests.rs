//! Requests read and written, as claims.
//!
//! # Invariants
//! - Bodies are those that the named clients send, or that Google documents.

use serde_json::{Value, json};

use super::super::super::meeting::Target;
use super::super::signature::SKIPPED;
use super::{read, write};
use crate::chat::{
    Effort, Losses, Maker, Media, Message, OutputFormat, Part, Reasoning, Request, Role, Sampling,
    Signature, Source, Tool, ToolChoice,
};

const PRO: Target<'static> = Target {
    model: "gemini-2.5-pro",
    default_max_tokens: 4096,
    most_max_tokens: Some(8192),
};

const PRO_3: Target<'static> = Target {
    model: "gemini-3-pro-preview",
    ..PRO
};

fn read_value(value: &Value) -> Request {
    read(value.to_string().as_bytes()).unwrap()
}

fn write_value(request: &Request, target: &Target<'_>) -> (Value, Losses) {
    let (body, losses) = write(request, target);
    (serde_json::from_slice(&body).unwrap(), losses)
}

fn asking(messages: Vec<Message>) -> Request {
    Request {
        messages,
        ..Request::default()
    }
}

fn turn(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

fn user(text: &str) -> Message {
    turn(Role::User, vec![Part::text(text)])
}

fn call(id: &str, name: &str, signature: Option<Signature>) -> Part {
    Part::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: "{\"z\":1,\"a\":2}".to_owned(),
        signature,
    }
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult {
        id: id.to_owned(),
        name: String::new(),
        content: vec![Part::text(text)],
        is_error: false,
        cache: false,
    }
}

fn names(losses: &Losses) -> Vec<&'static str> {
    losses.names().collect()
}

#[test]
fn both_spellings_mean_the_same() {
    let camel = json!({
        "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"topP": 0.5, "topK": 40, "maxOutputTokens": 7, "stopSequences": ["x"],
            "candidateCount": 2, "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"thinkingBudget": 5, "includeThoughts": true}, "responseLogprobs": true}});
    let snake = json!({
        "contents": {"parts": {"inline_data": {"mime_type": "image/png", "data": "AA=="}}},
        "system_instruction": {"parts": {"text": "s"}},
        "tools": {"function_declarations": {"name": "f", "parameters": {"type": "OBJECT"}}},
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f"]}},
        "generation_config": {"top_p": 0.5, "top_k": 40.0, "max_output_tokens": "7", "stop_sequences": ["x"],
            "candidate_count": 2, "response_mime_type": "application/json", "response_schema": {"type": "OBJECT"},
            "thinking_config": {"thinking_budget": 5, "include_thoughts": true}, "response_logprobs": true}});
    let request = read_value(&camel);
    assert_eq!(request, read_value(&snake));
    assert_eq!(request.messages.len(), 2);
    assert_eq!(request.messages[0].role, Role::System);
    assert_eq!(request.tools[0].schema, json!({"type": "object"}));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".to_owned())));
    assert_eq!(request.max_tokens, Some(7));
    assert_eq!(
        request.sampling,
        Sampling {
            top_p: Some(0.5),
            top_k: Some(40),
            choices: Some(2),
            logprobs: Some(0),
            ..Sampling::default()
        }
    );
    let reasoning = Reasoning {
        effort: None,
        budget: Some(5),
        shown: Some(true),
    };
    assert_eq!(request.reasoning, Some(reasoning));
    assert!(
        matches!(request.format, Some(OutputFormat::Schema { ref name, .. }) if name == "answer")
    );
    assert!(request.unknown.is_empty() && !request.stream);
}

#[test]
fn what_cannot_be_carried_is_named() {
    let request = read_value(&json!({
        "contents": [{"parts": [{"text": "x", "video_metadata": {"fps": 1}}]}],
        "safetySettings": [{"category": "C"}], "cached_content": "cachedContents/x", "labels": {"a": "b"},
        "tools": [{"google_search": {}}, {"codeExecution": {}}],
        "toolConfig": {"retrievalConfig": {"languageCode": "en"}},
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "speech_config": {"a": 1},
            "responseMimeType": "text/x.enum", "audioTimestamp": false}}));
    let expected = [
        "safetySettings",
        "cachedContent",
        "labels",
        "videoMetadata",
        "hosted tools",
        "retrievalConfig",
        "speechConfig",
        "responseModalities",
        "responseMimeType",
    ];
    assert_eq!(request.unknown, expected);
    let (_, losses) = write(&request, &PRO);
    assert_eq!(names(&losses), expected);
    assert_eq!(losses.of_meaning(), Some("cachedContent"));
}

#[test]
fn pieces_of_a_models_turn_are_one() {
    let request = read_value(&json!({"contents": [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [{"text": "h", "thought": true}]},
        {"role": "model", "parts": [{"text": "m", "thought": true, "thoughtSignature": "c2ln"}]},
        {"role": "model", "parts": [{"text": "a"}]},
        {"role": "model", "parts": [{"text": "b"}]},
        {"role": "model", "parts": []},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"output": "o"}}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "p"}}}]}]}));
    let model = &request.messages[1];
    assert_eq!(
        model.parts[..2],
        [
            Part::Thinking {
                text: "hm".to_owned(),
                signature: Some(Signature::new(Maker::Google, "c2ln")),
            },
            Part::text("ab"),
        ]
    );
    let ids: Vec<_> = request
        .messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match part {
            Part::ToolCall { id, .. } | Part::ToolResult { id, .. } => Some(id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["call_0", "call_0", "call_1", "call_1"]);
}

#[test]
fn nonsense_is_refused_and_does_not_panic() {
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"contents":[]}"#,
        r#"{"contents":"hi"}"#,
        r#"{"contents":[{"role":"wizard","parts":[]}]}"#,
        r#"{"contents":[{"parts":[{"text":7}]}]}"#,
        r#"{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"topK":"many"}}"#,
        r#"{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{}]}]}"#,
    ] {
        assert!(read(bad.as_bytes()).is_err(), "{bad}");
    }
    let deep = format!(
        r#"{{"contents":[{{"parts":[{{"functionCall":{{"name":"f","args":{}}}}}]}}]}}"#,
        "[".repeat(100_000)
    );
    assert!(read(deep.as_bytes()).is_err());
    let nested = r#"{"functionResponse":{"parts":["#.repeat(5_000);
    let nested = format!(r#"{{"contents":[{{"parts":[{nested}"#);
    assert!(read(nested.as_bytes()).is_err());
}

#[test]
fn turns_are_gathered_and_merged() {
    let request = asking(vec![
        turn(Role::System, vec![Part::text("s1")]),
        user("a"),
        user("b"),
        turn(Role::Developer, vec![Part::text("s2")]),
        turn(Role::Assistant, vec![Part::text("c"), Part::text("")]),
    ]);
    let (value, losses) = write_value(&request, &PRO);
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "s1"}, {"text": "s2"}]},
        "contents": [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [{"text": "c"}]}]});
    assert_eq!(value, expected);
    assert_eq!(names(&losses), ["system message's place"]);
    assert_eq!(losses.of_meaning(), None);
}

#[test]
fn instructions_alone_are_asked_as_contents() {
    let request = asking(vec![turn(Role::System, vec![Part::text("s")])]);
    let (value, losses) = write_value(&request, &PRO);
    assert_eq!(
        value,
        json!({"contents": [{"role": "user", "parts": [{"text": "s"}]}]})
    );
    assert!(losses.is_empty());
}

#[test]
fn answers_of_tools_stand_in_the_order_of_their_calls() {
    let failed = Part::ToolResult {
        id: "c1".to_owned(),
        name: String::new(),
        content: vec![Part::text("boom")],
        is_error: true,
        cache: false,
    };
    let request = asking(vec![
        user("q"),
        turn(
            Role::Assistant,
            vec![call("c1", "f", None), call("c2", "g", None)],
        ),
        turn(Role::User, vec![result("c2", "{\"k\":1}")]),
        turn(Role::User, vec![failed, Part::text("and?")]),
    ]);
    let (body, losses) = write(&request, &PRO);
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains(r#""args":{"z":1,"a":2}"#), "{text}");
    assert!(
        !text.contains("\"id\"") && !text.contains("thoughtSignature"),
        "{text}"
    );
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        value["contents"][2],
        json!({"role": "user", "parts": [
            {"functionResponse": {"name": "f", "response": {"error": "boom"}}},
            {"functionResponse": {"name": "g", "response": {"k": 1}}}]})
    );
    assert_eq!(
        value["contents"][3],
        json!({"role": "user", "parts": [{"text": "and?"}]})
    );
    assert!(losses.is_empty());
}

#[test]
fn only_googles_signatures_are_sent() {
    let own = || Some(Signature::new(Maker::Google, "c2ln"));
    let foreign = || Some(Signature::new(Maker::Anthropic, "sig"));
    let thinking = |text: &str, signature| Part::Thinking {
        text: text.to_owned(),
        signature,
    };
    let request = asking(vec![
        user("q"),
        turn(
            Role::Assistant,
            vec![
                thinking("mine", own()),
                thinking("other", foreign()),
                Part::Redacted(Signature::new(Maker::Anthropic, "secret")),
                thinking("bare", None),
                thinking("", own()),
                call("c1", "f", own()),
                call("c2", "f", foreign()),
            ],
        ),
        turn(Role::User, vec![result("c1", "1"), result("c2", "2")]),
        turn(
            Role::Assistant,
            vec![call("c3", "f", foreign()), call("c4", "f", None)],
        ),
    ]);
    let signatures = |target: &Target<'_>| {
        let (value, losses) = write_value(&request, target);
        assert_eq!(names(&losses), ["thinking"]);
        let parts = |at: usize| value["contents"][at]["parts"].as_array().unwrap().clone();
        let told = |part: &Value| part["thoughtSignature"].as_str().unwrap_or("-").to_owned();
        let all: Vec<_> = parts(1).iter().chain(&parts(3)).map(told).collect();
        assert_eq!(parts(1)[0]["thought"], true);
        assert_eq!(parts(1)[1], json!({"text": "", "thoughtSignature": "c2ln"}));
        all
    };
    assert_eq!(signatures(&PRO), ["c2ln", "c2ln", "c2ln", "-", "-", "-"]);
    assert_eq!(
        signatures(&PRO_3),
        ["c2ln", "c2ln", "c2ln", "-", SKIPPED, "-"]
    );
}

#[test]
fn media_are_written_or_lost_by_name() {
    let media = |source, mime: &str| Media {
        source,
        mime: mime.to_owned(),
        name: String::new(),
        detail: String::new(),
        cache: false,
    };
    let base64 = || Source::Base64("AA==".to_owned());
    let url = |url: &str| Source::Url(url.to_owned());
    let request = asking(vec![turn(
        Role::User,
        vec![
            Part::Image(media(base64(), "image/png")),
            Part::Audio(media(base64(), "audio/wav")),
            Part::Document(media(url("https://h/x.pdf"), "")),
            Part::Document(media(Source::Text("plain".to_owned()), "text/plain")),
            Part::Image(media(url("https://h/x"), "")),
        ],
    )]);
    let (value, losses) = write_value(&request, &PRO);
    assert_eq!(
        value["contents"][0]["parts"],
        json!([
            {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "https://h/x.pdf"}},
            {"text": "plain"}])
    );
    assert_eq!(losses.of_meaning(), Some("image_url"));
}

#[test]
fn settings_are_written_in_their_places() {
    let mut request = asking(vec![user("q")]);
    request.tools = vec![Tool {
        name: "f".to_owned(),
        description: Some("d".to_owned()),
        schema: json!({"type": "object", "additionalProperties": false}),
        strict: None,
        cache: false,
    }];
    request.tool_choice = Some(ToolChoice::Among {
        names: vec!["f".to_owned()],
        required: false,
    });
    request.max_tokens = Some(128_000);
    request.stop = vec!["x".to_owned()];
    request.sampling.temperature = Some(0.2);
    request.sampling.seed = Some(7);
    request.format = Some(OutputFormat::Schema {
        name: "n".to_owned(),
        description: None,
        schema: json!({"type": "object"}),
        strict: Some(true),
    });
    request.reasoning = Some(Reasoning {
        effort: Some(Effort::High),
        ..Reasoning::default()
    });
    request.service_tier = Some("fast".to_owned());
    let (value, losses) = write_value(&request, &PRO);
    let expected = json!({
        "contents": [{"role": "user", "parts": [{"text": "q"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "description": "d",
            "parametersJsonSchema": {"type": "object", "additionalProperties": false}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"temperature": 0.2, "maxOutputTokens": 8192, "stopSequences": ["x"], "seed": 7,
            "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"thinkingBudget": 4096}},
        "serviceTier": "priority"});
    assert_eq!(value, expected);
    assert!(losses.is_empty());
    // What is written is also what is read, but for names that the dialect does not have.
    let mut back = read_value(&value);
    assert_eq!(back.tools, request.tools);
    assert_eq!(back.tool_choice, request.tool_choice);
    assert_eq!(back.messages, request.messages);
    back.max_tokens = request.max_tokens;
    assert_eq!((back.sampling, back.stop), (request.sampling, request.stop));
}

#[test]
fn what_one_choice_cannot_show_changes_the_meaning() {
    let meaning = |change: fn(&mut Request)| {
        let mut request = asking(vec![user("q")]);
        change(&mut request);
        let (_, losses) = write(&request, &PRO);
        (losses.of_meaning(), names(&losses).len())
    };
    assert_eq!(meaning(|it| it.sampling.choices = Some(2)), (Some("n"), 1));
    assert_eq!(meaning(|it| it.sampling.choices = Some(1)), (None, 0));
    assert_eq!(
        meaning(|it| it.sampling.logprobs = Some(0)),
        (Some("logprobs"), 1)
    );
    assert_eq!(
        meaning(|it| it.stop = vec!["x".to_owned(); 6]),
        (Some("stop"), 1)
    );
    assert_eq!(meaning(|it| it.sampling.seed = Some(1 << 40)), (None, 1));
    assert_eq!(meaning(|it| it.parallel_tools = Some(false)), (None, 1));
    assert_eq!(meaning(|it| it.user = Some("u".to_owned())), (None, 1));
    assert_eq!(meaning(|it| it.cache_key = Some("k".to_owned())), (None, 1));
    assert_eq!(
        meaning(|it| it.tool_choice = Some(ToolChoice::Required)),
        (None, 0)
    );
}

#[test]
fn a_body_cut_or_changed_anywhere_does_no_harm() {
    let body = json!({
        "contents": [{"role": "model", "parts": [{"text": "a", "thought": true, "thoughtSignature": "dHJpbXRhYjo="},
            {"functionCall": {"name": "f", "args": {"a": [1, "é"]}}}]},
            {"parts": {"function_response": {"name": "f", "response": {"error": "x"}, "parts": [{"inlineData": {}}]}}}],
        "generationConfig": {"responseSchema": {"type": "ARRAY", "items": {"nullable": true}}, "seed": -1.5e300,
            "topK": -3, "thinkingConfig": {"thinkingBudget": 1e99}}})
    .to_string()
    .into_bytes();
    let mut understood = 0;
    for at in 0..body.len() {
        for with in [b'"', b'{', b']', b'0', b'n', 0xff] {
            let mut changed = body.clone();
            changed[at] = with;
            if let Ok(request) = read(&changed) {
                let (written, _) = write(&request, &PRO_3);
                assert!(serde_json::from_slice::<Value>(&written).is_ok());
                understood += 1;
            }
        }
        assert!(read(&body[..at]).is_err());
    }
    assert!(understood > 100, "{understood}");
}
