//! A tool turn that begins on one provider and goes on at another, with what each of them has signed.
//!
//! The stand-ins refuse signatures that they have not made, and the newest models miss one that is not there.

use serde_json::{Value, json};

use crate::support::accumulate::{add, blocks};
use crate::support::{Answer, Bench, Call, Mode, Spec, bench, words};

use super::asked::{Client, payloads};
use super::{PROVIDERS, Provider, WORDS};

/// What makes a stand-in call a tool.
const TEXT: &str = "use the tool";

/// A model of each provider, called by its name.
fn all() -> Spec {
    let spec = Spec::new().with("[retry]\nmax_attempts = 1");
    PROVIDERS.iter().fold(spec, |spec, provider| {
        let name = provider.name;
        let model = thinker(provider);
        spec.with(&provider.tables()).with(&format!(
            "[models.{name}]\nroutes = [{{ provider = \"{name}\", model = \"{model}\" }}]"
        ))
    })
}

/// A model that thinks, where the provider has one whose thoughts are signed.
fn thinker(provider: &Provider) -> &'static str {
    match provider.name {
        "gemini" => "gemini-3-pro",
        "bedrock" => "anthropic.claude-3-7-sonnet-20250219-v1:0",
        _ => provider.model,
    }
}

#[test]
fn a_turn_goes_on_at_every_other_provider() {
    bench(&all(), async |bench| {
        for first in &PROVIDERS {
            for client in Client::ALL {
                for mode in Mode::BOTH {
                    let ask = question(client, mode);
                    let told = call(&bench, client, first.name, (&ask, mode)).await;
                    let case = format!("{client:?} {mode:?} on {}: {told:?}", first.name);
                    assert_eq!(told.status, 200, "{case}");
                    let next = after(client, &ask, &told);
                    for second in &PROVIDERS {
                        let answer = call(&bench, client, second.name, (&next, mode)).await;
                        let case = format!("{case}\nthen {next} on {}: {answer:?}", second.name);
                        assert_eq!(answer.status, 200, "{case}");
                        assert_eq!(said(client, &answer), words(WORDS), "{case}");
                    }
                }
            }
        }
    });
}

/// Asks for a model; the stand-ins call a tool where the user speaks of one.
async fn call(bench: &Bench, client: Client, model: &str, (body, mode): (&Value, Mode)) -> Answer {
    let mut body = body.clone();
    let path = match client {
        Client::Chat => "/v1/chat/completions".to_owned(),
        Client::Responses => "/v1/responses".to_owned(),
        Client::Messages => "/anthropic/v1/messages".to_owned(),
        Client::Generate => match mode {
            Mode::Stream => {
                format!("/genai/v1beta/models/{model}:streamGenerateContent?alt=sse")
            }
            Mode::Whole => format!("/genai/v1beta/models/{model}:generateContent"),
        },
    };
    if client != Client::Generate {
        body["model"] = model.into();
    }
    bench.call(&Call::post(&path, body.to_string())).await
}

/// A request that makes a stand-in think and call a tool.
fn question(client: Client, mode: Mode) -> Value {
    let stream = mode == Mode::Stream;
    let schema = json!({"type": "object", "properties": {"q": {"type": "string"}}});
    match client {
        Client::Chat => json!({
            "stream": stream, "reasoning_effort": "low",
            "messages": [{"role": "user", "content": TEXT}],
            "tools": [{"type": "function", "function": {"name": "look", "parameters": schema}}],
        }),
        Client::Responses => json!({
            "stream": stream, "store": false, "reasoning": {"effort": "low", "summary": "auto"},
            "input": [{"role": "user", "content": TEXT}],
            "tools": [{"type": "function", "name": "look", "parameters": schema, "strict": false}],
        }),
        Client::Messages => json!({
            "stream": stream, "max_tokens": 4_000,
            "thinking": {"type": "enabled", "budget_tokens": 1_024},
            "messages": [{"role": "user", "content": TEXT}],
            "tools": [{"name": "look", "input_schema": schema}],
        }),
        Client::Generate => json!({
            "contents": [{"role": "user", "parts": [{"text": TEXT}]}],
            "tools": [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": schema}]}],
            "generationConfig": {"thinkingConfig": {"includeThoughts": true}},
        }),
    }
}

/// The next request: the answer as the client's SDK keeps it, and the tool's result.
fn after(client: Client, ask: &Value, told: &Answer) -> Value {
    // The stand-ins would call the tool again if the user's words still asked for it.
    let mut next: Value = serde_json::from_str(&ask.to_string().replace(TEXT, "go on")).unwrap();
    let events = payloads(told);
    let (field, turns) = match client {
        Client::Chat => {
            let message = if told.is_stream() {
                let mut sum = json!({});
                for event in &events {
                    add(&mut sum, &event["choices"][0]["delta"]);
                }
                sum
            } else {
                events[0]["choices"][0]["message"].clone()
            };
            let id = message["tool_calls"][0]["id"].clone();
            assert!(id.is_string(), "{told:?}");
            let result = json!({"role": "tool", "tool_call_id": id, "content": "found"});
            ("messages", vec![message, result])
        }
        Client::Responses => {
            let last = events.last().unwrap();
            let response = last.get("response").unwrap_or(last);
            let mut items = response["output"].as_array().unwrap().clone();
            let call = items.iter().find(|item| item["type"] == "function_call");
            let id = call.unwrap_or_else(|| panic!("{told:?}"))["call_id"].clone();
            items.push(json!({"type": "function_call_output", "call_id": id, "output": "found"}));
            ("input", items)
        }
        Client::Messages => {
            let blocks = match told.is_stream() {
                true => blocks(&events),
                false => events[0]["content"].clone(),
            };
            let call = blocks.as_array().unwrap().last().unwrap();
            assert_eq!(call["type"], "tool_use", "{told:?}");
            let result =
                json!({"type": "tool_result", "tool_use_id": call["id"], "content": "found"});
            let turns = vec![
                json!({"role": "assistant", "content": blocks}),
                json!({"role": "user", "content": [result]}),
            ];
            ("messages", turns)
        }
        Client::Generate => {
            let parts = events.iter();
            let parts = parts.filter_map(|it| it["candidates"][0]["content"]["parts"].as_array());
            let parts: Vec<_> = parts.flatten().cloned().collect();
            let call = parts.iter().find_map(|part| part.get("functionCall"));
            let call = call.unwrap_or_else(|| panic!("{told:?}"));
            let mut result = json!({"name": call["name"], "response": {"result": "found"}});
            if call["id"].is_string() {
                result["id"] = call["id"].clone();
            }
            let turns = vec![
                json!({"role": "model", "parts": parts}),
                json!({"role": "user", "parts": [{"functionResponse": result}]}),
            ];
            ("contents", turns)
        }
    };
    next[field].as_array_mut().unwrap().extend(turns);
    next
}

/// The words of an answer that may come with thoughts.
fn said(client: Client, answer: &Answer) -> String {
    let mut text = String::new();
    for event in payloads(answer) {
        match client {
            Client::Chat => {
                let choice = &event["choices"][0];
                let delta = choice["delta"]["content"].as_str();
                text.extend(delta.or(choice["message"]["content"].as_str()));
            }
            Client::Responses if answer.is_stream() => {
                if event["type"] == "response.output_text.delta" {
                    text.extend(event["delta"].as_str());
                }
            }
            Client::Responses => {
                let items = event["output"].as_array().unwrap().iter();
                text.extend(items.filter_map(|item| item["content"][0]["text"].as_str()));
            }
            Client::Messages => {
                text.extend(event["delta"]["text"].as_str());
                let blocks = event["content"].as_array();
                let blocks = blocks.into_iter().flatten();
                text.extend(blocks.filter_map(|block| block["text"].as_str()));
            }
            Client::Generate => {
                let parts = event["candidates"][0]["content"]["parts"].as_array();
                let parts = parts.into_iter().flatten();
                let said = parts.filter(|part| part["thought"] != true);
                text.extend(said.filter_map(|part| part["text"].as_str()));
            }
        }
    }
    text
}
