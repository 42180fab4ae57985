//! Does a turn that began on one provider go on there, and on any other?
//!
//! A client keeps what it was told, as its SDK adds a stream up, and sends it back with the tool's result.
//! What a provider signed must then reach that provider unchanged, and nobody else.

use serde_json::{Value, json};
use trimtab::chat::{Answer, Part, fold};
use trimtab::dialects::convert;

use crate::accumulate::{add, blocks};
use crate::case::{Case, TALKERS, format, frame, meant, target};
use crate::streams::{events, told};

/// Clients that keep a conversation.
const KEEPERS: [&str; 4] = ["chat", "responses", "messages", "generate"];

/// Providers that sign, and what of it must come back to them.
const SIGNERS: &[(&str, &[&str])] = &[
    (
        "messages",
        &[
            r#"{"type":"thinking","thinking":"Hm, let me see.","signature":"c2lnLWFudA=="}"#,
            r#"{"type":"redacted_thinking","data":"cmVkYWN0ZWQ="}"#,
        ],
    ),
    (
        "converse",
        &[
            r#"{"reasoningContent":{"reasoningText":{"text":"Hm, let me see.","signature":"c2lnLWFudA=="}}}"#,
            r#"{"reasoningContent":{"redactedContent":"cmVkYWN0ZWQ="}}"#,
        ],
    ),
    (
        "generate",
        &[
            r#"{"functionCall":{"name":"weather","args":{"city":"Paris","unit":"C"}},"thoughtSignature":"c2lnLWdvb2c="}"#,
        ],
    ),
    (
        "responses",
        &[
            r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm, let me see."}],"encrypted_content":"ZW5jLW9wZW5haQ=="}"#,
        ],
    ),
];

/// Words that only their signer may see, and how they travel with others.
const SIGNED: [&str; 6] = [
    "c2lnLWFudA==",
    "cmVkYWN0ZWQ=",
    "c2lnLWdvb2c=",
    "ZW5jLW9wZW5haQ==",
    "trimtab",
    "dHJpbXRhYj",
];

#[test]
fn a_turn_goes_on_where_it_began_and_anywhere_else() {
    let case = Case::named("thinking");
    let mut wrong = Vec::new();
    for (signer, kept) in SIGNERS {
        for client in KEEPERS {
            for (mode, next) in [
                ("whole", after_whole(&case, client, signer)),
                ("stream", after_stream(&case, client, signer)),
            ] {
                let meant = meant(client, next.to_string().as_bytes());
                for provider in TALKERS {
                    let (body, _) = convert::write(format(provider), &meant, &target(provider));
                    let text = String::from_utf8(body).unwrap();
                    let at = format!("{signer} to {client}, {mode}, on to {provider}");
                    if provider == *signer {
                        let body: Value = serde_json::from_str(&text).unwrap();
                        let lost = kept.iter().filter(|part| !holds(&body, &parsed(part)));
                        wrong.extend(lost.map(|part| format!("{at}: no {part} in {text}")));
                    } else if maker(provider) != maker(signer) {
                        let seen = SIGNED.iter().filter(|word| text.contains(**word));
                        wrong.extend(seen.map(|word| format!("{at}: {word} in {text}")));
                    }
                    for word in ["Paris", "I look.", "21 C"] {
                        if !text.contains(word) {
                            wrong.push(format!("{at}: no {word} in {text}"));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a client is told in a stream is what it would have been told at once.
#[test]
fn a_clients_stream_adds_up_to_its_whole_answer() {
    for case in Case::all() {
        for client in KEEPERS {
            let asked = case.ask(client).as_bytes();
            let Ok(meant) = convert::read(format(client), asked, &|_| None) else {
                continue;
            };
            for (provider, stream) in &case.streams {
                let Some(answer) = case.answers.get(provider) else {
                    continue;
                };
                let formats = (format(provider), format(client));
                let (whole, _) =
                    convert::carry(formats, answer.as_bytes(), &meant, &frame(), asked).unwrap();
                let streamed = told(&case, client, provider, std::slice::from_ref(stream));
                let streamed = fold(&events(client, &streamed.into()));
                let whole = convert::read_answer(format(client), &whole).unwrap();
                let at = format!("{}: {provider} to {client}", case.name);
                assert_eq!(comparable(streamed), comparable(whole), "{at}");
            }
        }
    }
}

/// An answer without what a stream does not tell, and with no arguments written as one empty object.
fn comparable(mut answer: Answer) -> Answer {
    for part in &mut answer.parts {
        if let Part::ToolCall { arguments, .. } = part
            && arguments.is_empty()
        {
            arguments.push_str("{}");
        }
    }
    Answer {
        created: 0,
        service_tier: None,
        ..answer
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn maker(provider: &str) -> &str {
    match provider {
        "converse" => "messages",
        other => other,
    }
}

/// Whether `part` stands somewhere in `value`.
fn holds(value: &Value, part: &Value) -> bool {
    value == part
        || match value {
            Value::Array(items) => items.iter().any(|item| holds(item, part)),
            Value::Object(fields) => fields.values().any(|field| holds(field, part)),
            _ => false,
        }
}

/// The next request of a client that got its answer at once.
fn after_whole(case: &Case, client: &str, provider: &str) -> Value {
    let asked = case.ask(client).as_bytes();
    let meant = meant(client, asked);
    let formats = (format(provider), format(client));
    let answer = case.answers[provider].as_bytes();
    let (body, _) = convert::carry(formats, answer, &meant, &frame(), asked).unwrap();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    next(
        case,
        client,
        match client {
            "chat" => answer["choices"][0]["message"].clone(),
            "responses" => answer["output"].clone(),
            "messages" => answer["content"].clone(),
            _ => answer["candidates"][0]["content"]["parts"].clone(),
        },
    )
}

/// The next request of a client that got its answer as a stream.
fn after_stream(case: &Case, client: &str, provider: &str) -> Value {
    let text = told(case, client, provider, &[case.streams[provider].clone()]);
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = data.filter(|data| *data != "[DONE]").map(parsed).collect();
    next(
        case,
        client,
        match client {
            "chat" => {
                let mut message = json!({});
                for event in &events {
                    add(&mut message, &event["choices"][0]["delta"]);
                }
                message
            }
            "responses" => events.last().unwrap()["response"]["output"].clone(),
            "messages" => blocks(&events),
            _ => events
                .iter()
                .flat_map(|event| {
                    event["candidates"][0]["content"]["parts"]
                        .as_array()
                        .cloned()
                })
                .flatten()
                .collect(),
        },
    )
}

/// What a client asks next: what it was told, and what the tool said.
fn next(case: &Case, client: &str, told: Value) -> Value {
    let mut ask: Value = serde_json::from_str(case.ask(client)).unwrap();
    let question = |list: &Value| list[0].clone();
    match client {
        "chat" => {
            let id = &told["tool_calls"][0]["id"];
            let result = json!({"role": "tool", "tool_call_id": id, "content": "21 C"});
            ask["messages"] = json!([question(&ask["messages"]), told, result]);
        }
        "responses" => {
            let mut input = vec![question(&ask["input"])];
            let items = told.as_array().unwrap();
            input.extend(items.iter().cloned());
            let call = items.iter().find(|item| item["type"] == "function_call");
            let id = &call.unwrap()["call_id"];
            input.push(json!({"type": "function_call_output", "call_id": id, "output": "21 C"}));
            ask["input"] = json!(input);
        }
        "messages" => {
            let call = told.as_array().unwrap().iter();
            let id = &call.last().unwrap()["id"];
            let result = json!([{"type": "tool_result", "tool_use_id": id, "content": "21 C"}]);
            ask["messages"] = json!([
                question(&ask["messages"]),
                {"role": "assistant", "content": told},
                {"role": "user", "content": result},
            ]);
        }
        _ => {
            let mut parts = told.as_array().unwrap().iter();
            let call = parts.find_map(|part| part.get("functionCall")).unwrap();
            let mut result = json!({"name": call["name"], "response": {"result": "21 C"}});
            result["id"] = call["id"].clone();
            ask["contents"] = json!([
                question(&ask["contents"]),
                {"role": "model", "parts": told},
                {"role": "user", "parts": [{"functionResponse": result}]},
            ]);
        }
    }
    ask
}
