//! Answers in the words of OpenAI's Responses: whole, and streamed with the whole life of each item.
//!
//! # Invariants
//! - Sequence numbers count from 0 without a gap, also over events that a fault spoils.
//! - The last event carries the response that a whole answer of the same plan would be.

use bytes::Bytes;
use scoring::time::Time;
use serde_json::{Value, json};

use super::ask::{Ask, Choice, Extra, Measured, clamp};
use super::endpoint::Endpoint;
use super::ledger::Received;
use super::narration::Narration;
use super::plan::{Plan, THOUGHTS, quoted};
use super::refusals::Reply;
use super::shelf::Kept;
use super::state::Provider;

/// What the content that only its maker can read begins with; the maker's name follows.
const ENCRYPTED: &str = "gAAAAABmock.";

/// Stands where OpenAI pads a delta so that its length does not give its text away.
const PADDING: &str = "mOcK";

/// The stream of a response.
#[derive(Debug)]
pub(super) struct Telling {
    plan: Plan,
    /// Number of the next event.
    number: u32,
}

/// Reads a request for a response, or for the count of its input.
pub(super) fn ask(endpoint: Endpoint, body: Value) -> Ask {
    let parts = [
        Measured::of(&body["input"]),
        Measured::of(&body["instructions"]),
    ];
    let empty = Vec::new();
    let items = body["input"].as_array().unwrap_or(&empty);
    let last = items.last().filter(|it| it["role"] == "assistant");
    Ask {
        endpoint,
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"].as_bool().unwrap_or(false),
        max_tokens: body["max_output_tokens"].as_u64().map(clamp),
        input_tokens: Measured::sum(parts).tokens(),
        user: body["user"].as_str().map(ToOwned::to_owned),
        prefill: last.map(|it| Measured::of(&it["content"]).prefix()),
        tool: tool(&body, items),
        thinks: body["reasoning"].is_object() && body["reasoning"]["effort"] != "none",
        extra: Extra::Body(body),
        ..Ask::default()
    }
}

/// The count of a response's input.
pub(super) fn count(plan: &Plan) -> String {
    let tokens = plan.ask.input_tokens;
    json!({"object": "response.input_tokens", "input_tokens": tokens}).to_string()
}

fn tool(body: &Value, items: &[Value]) -> Option<String> {
    let tools = body["tools"].as_array()?;
    let first = tools.iter().find(|it| it["type"] == "function")?["name"].as_str()?;
    let choice = match &body["tool_choice"] {
        Value::String(choice) if choice == "required" => Choice::Any,
        Value::String(choice) if choice == "none" => Choice::None,
        Value::Object(forced) => match forced.get("name").and_then(Value::as_str) {
            Some(name) => Choice::Named(name.to_owned()),
            None => Choice::Any,
        },
        _ => Choice::Auto,
    };
    let last = items.iter().rfind(|it| it["role"] == "user");
    let asked = last.map_or(&body["input"], |it| &it["content"]);
    let says_tool = (last.is_some() || asked.is_string()) && Measured::of(asked).says_tool;
    choice.tool(first.to_owned(), says_tool)
}

/// The first rule that a request breaks.
pub(super) fn objection(provider: &Provider, body: &Value) -> Option<Reply> {
    let shelf = provider.shelf.borrow();
    let previous = body["previous_response_id"].as_str();
    if let Some(id) = previous.filter(|id| shelf.get(id).is_none()) {
        return Some(Reply {
            param: "previous_response_id",
            code: "previous_response_not_found",
            ..Reply::invalid(format!("Previous response with id '{id}' not found."))
        });
    }
    let empty = Vec::new();
    let items = body["input"].as_array().unwrap_or(&empty);
    let own = format!("{ENCRYPTED}{}.", provider.name);
    for item in items.iter().filter(|it| it["type"] == "reasoning") {
        match item["encrypted_content"].as_str() {
            Some(content) if !content.starts_with(&own) => {
                let message = "The encrypted content gAAA... could not be verified. \
                               Reason: Encrypted content could not be decrypted or parsed.";
                return Some(Reply {
                    code: "invalid_encrypted_content",
                    ..Reply::invalid(message)
                });
            }
            Some(_) => {}
            None => {
                let id = item["id"].as_str().unwrap_or_default();
                if shelf.get(&id.replacen("rs_", "resp_", 1)).is_none() {
                    return Some(not_persisted(id));
                }
            }
        }
    }
    let calls = |id: &Value| {
        items
            .iter()
            .any(|it| it["type"] == "function_call" && it["call_id"] == *id)
    };
    let outputs = items
        .iter()
        .filter(|it| it["type"] == "function_call_output");
    let orphan = outputs.map(|it| &it["call_id"]).find(|id| !calls(id));
    orphan.filter(|_| previous.is_none()).map(|id| {
        let id = id.as_str().unwrap_or_default();
        Reply {
            param: "input",
            ..Reply::invalid(format!(
                "No tool call found for function call output with call_id {id}."
            ))
        }
    })
}

fn not_persisted(id: &str) -> Reply {
    Reply::new(
        404,
        "invalid_request_error",
        "",
        format!(
            "Item with id '{id}' not found. Items are not persisted when `store` is set to false. \
             Try again with `store` set to true, or remove this item from your input."
        ),
    )
}

/// Whether the answer is made after the reply.
pub(super) fn is_background(plan: &Plan) -> bool {
    plan.ask.endpoint == Endpoint::Responses && request(plan)["background"] == true
}

/// Has the provider remember the response that it is about to give, unless it is asked not to.
pub(super) fn remember(provider: &Provider, plan: &Plan, request: &Received, ready: Time) {
    let asked = self::request(plan);
    if plan.ask.endpoint != Endpoint::Responses || asked["store"] == false {
        return;
    }
    let text = finished(plan);
    let weight = text.len() + request.body.len();
    provider.shelf.borrow_mut().put(Kept {
        id: id(plan, "resp"),
        object: serde_json::from_str(&text).unwrap_or_default(),
        source: asked["input"].clone(),
        ready,
        background: is_background(plan),
        cancelled: false,
        weight,
    });
}

/// A response as a whole.
pub(super) fn whole(plan: &Plan) -> String {
    if is_background(plan) {
        return response(plan, "queued", "", None);
    }
    finished(plan)
}

/// The response as it is in the end.
fn finished(plan: &Plan) -> String {
    let mut items = Vec::new();
    if plan.thinks() {
        items.push(reasoning(plan, true));
    }
    items.push(answer(plan, "completed", Some(&plan.text())));
    let usage = plan
        .counts()
        .map(|(input, output)| usage(plan, input, output));
    response(plan, status(plan), &items.join(","), usage)
}

fn status(plan: &Plan) -> &'static str {
    if plan.cut_short && plan.ask.tool.is_none() {
        "incomplete"
    } else {
        "completed"
    }
}

fn usage(plan: &Plan, input: i64, output: i64) -> String {
    let thoughts = plan.thought_tokens();
    let output = output + thoughts;
    format!(
        "{{\"input_tokens\":{input},\"input_tokens_details\":{{\"cached_tokens\":0}},\"output_tokens\":{output},\
         \"output_tokens_details\":{{\"reasoning_tokens\":{thoughts}}},\"total_tokens\":{}}}",
        input + output
    )
}

/// The request that a plan answers.
fn request(plan: &Plan) -> &Value {
    match &plan.ask.extra {
        Extra::Body(body) => body,
        _ => &Value::Null,
    }
}

fn id(plan: &Plan, prefix: &str) -> String {
    format!("{prefix}_mock{:016x}", plan.id)
}

/// A response of that status with those items.
fn response(plan: &Plan, status: &str, items: &str, usage: Option<String>) -> String {
    let asked = request(plan);
    let or = |field: &str, default: Value| match &asked[field] {
        Value::Null => default.to_string(),
        value => value.to_string(),
    };
    let null = |field: &str| or(field, Value::Null);
    let incomplete = match status {
        "incomplete" => "{\"reason\":\"max_output_tokens\"}",
        _ => "null",
    };
    let error = match status {
        "failed" => {
            "{\"code\":\"server_error\",\"message\":\"The server had an error while processing your request.\"}"
        }
        _ => "null",
    };
    [
        format!("{{\"id\":\"{}\",\"object\":\"response\"", id(plan, "resp")),
        format!("\"created_at\":{},\"status\":\"{status}\"", plan.created),
        format!("\"background\":{}", or("background", json!(false))),
        format!("\"error\":{error},\"incomplete_details\":{incomplete}"),
        format!("\"instructions\":{}", null("instructions")),
        format!("\"max_output_tokens\":{}", null("max_output_tokens")),
        format!("\"model\":{},\"output\":[{items}]", quoted(&plan.ask.model)),
        format!(
            "\"parallel_tool_calls\":{}",
            or("parallel_tool_calls", json!(true))
        ),
        format!("\"previous_response_id\":{}", null("previous_response_id")),
        format!(
            "\"reasoning\":{}",
            or("reasoning", json!({"effort": null, "summary": null}))
        ),
        format!(
            "\"service_tier\":\"default\",\"store\":{}",
            or("store", json!(true))
        ),
        format!("\"temperature\":{}", or("temperature", json!(1.0))),
        format!(
            "\"text\":{}",
            or("text", json!({"format": {"type": "text"}}))
        ),
        format!("\"tool_choice\":{}", or("tool_choice", json!("auto"))),
        format!("\"tools\":{}", or("tools", json!([]))),
        format!(
            "\"top_p\":{},\"truncation\":\"disabled\"",
            or("top_p", json!(1.0))
        ),
        format!("\"usage\":{}", usage.unwrap_or_else(|| "null".to_owned())),
        format!(
            "\"user\":{},\"metadata\":{}}}",
            null("user"),
            or("metadata", json!({}))
        ),
    ]
    .join(",")
}

/// The item of the thoughts; before it is done it is empty.
fn reasoning(plan: &Plan, done: bool) -> String {
    let asked = request(plan);
    let has_summary = done && !asked["reasoning"]["summary"].is_null();
    let summary = if has_summary {
        format!(
            "[{{\"type\":\"summary_text\",\"text\":\"{}\"}}]",
            THOUGHTS.concat()
        )
    } else {
        "[]".to_owned()
    };
    let wanted = asked["include"]
        .as_array()
        .is_some_and(|it| it.iter().any(|it| it == "reasoning.encrypted_content"));
    let encrypted = if wanted {
        let content = format!("{ENCRYPTED}{}.{:016x}", plan.provider, plan.id);
        format!(",\"encrypted_content\":\"{content}\"")
    } else {
        String::new()
    };
    format!(
        "{{\"id\":\"{}\",\"type\":\"reasoning\"{encrypted},\"summary\":{summary}}}",
        id(plan, "rs")
    )
}

/// The item of the answer itself, with so much of its text; nothing is no part at all.
fn answer(plan: &Plan, status: &str, text: Option<&str>) -> String {
    if let Some(tool) = &plan.ask.tool {
        return format!(
            "{{\"id\":\"{}\",\"type\":\"function_call\",\"status\":\"{status}\",\"arguments\":{},\"call_id\":\"{}\",\
             \"name\":{}}}",
            id(plan, "fc"),
            quoted(text.unwrap_or_default()),
            id(plan, "call"),
            quoted(tool)
        );
    }
    let status = match (status, plan.cut_short) {
        ("completed", true) => "incomplete",
        _ => status,
    };
    let content = text.map_or(String::new(), part);
    format!(
        "{{\"id\":\"{}\",\"type\":\"message\",\"status\":\"{status}\",\"content\":[{content}],\"role\":\"assistant\"}}",
        id(plan, "msg")
    )
}

fn part(text: &str) -> String {
    format!(
        "{{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":{}}}",
        quoted(text)
    )
}

impl Telling {
    /// The stream of `plan`.
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, number: 0 }
    }

    fn event(&mut self, name: &str, fields: &str) -> Bytes {
        let number = self.number;
        self.number += 1;
        format!(
            "event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},{fields}}}\n\n"
        )
        .into()
    }

    /// An event with the response of that status.
    fn state(&mut self, name: &str, status: &str) -> Bytes {
        let response = response(&self.plan, status, "", None);
        self.event(name, &format!("\"response\":{response}"))
    }

    fn item(&mut self, name: &str, index: u32, item: &str) -> Bytes {
        self.event(name, &format!("\"output_index\":{index},\"item\":{item}"))
    }

    /// Number of the item that the answer itself is.
    fn index(&self) -> u32 {
        u32::from(self.plan.thinks())
    }

    /// Where the answer's text or arguments are.
    fn place(&self) -> String {
        let index = self.index();
        if self.plan.ask.tool.is_some() {
            format!(
                "\"item_id\":\"{}\",\"output_index\":{index}",
                id(&self.plan, "fc")
            )
        } else {
            let id = id(&self.plan, "msg");
            format!("\"item_id\":\"{id}\",\"output_index\":{index},\"content_index\":0")
        }
    }

    fn thought(&mut self) -> Vec<Bytes> {
        let (begun, done) = (reasoning(&self.plan, false), reasoning(&self.plan, true));
        let mut events = vec![self.item("response.output_item.added", 0, &begun)];
        if !request(&self.plan)["reasoning"]["summary"].is_null() {
            let place = format!(
                "\"item_id\":\"{}\",\"output_index\":0,\"summary_index\":0",
                id(&self.plan, "rs")
            );
            let part = |text: &str| {
                format!("{place},\"part\":{{\"type\":\"summary_text\",\"text\":\"{text}\"}}")
            };
            events.push(self.event("response.reasoning_summary_part.added", &part("")));
            for thought in THOUGHTS {
                let fields =
                    format!("{place},\"delta\":\"{thought}\",\"obfuscation\":\"{PADDING}\"");
                events.push(self.event("response.reasoning_summary_text.delta", &fields));
            }
            let text = THOUGHTS.concat();
            let fields = format!("{place},\"text\":\"{text}\"");
            events.push(self.event("response.reasoning_summary_text.done", &fields));
            events.push(self.event("response.reasoning_summary_part.done", &part(&text)));
        }
        events.push(self.item("response.output_item.done", 0, &done));
        events
    }
}

impl Narration for Telling {
    fn opening(&mut self) -> Vec<Bytes> {
        let mut events = vec![
            self.state("response.created", "in_progress"),
            self.state("response.in_progress", "in_progress"),
        ];
        if self.plan.thinks() {
            events.extend(self.thought());
        }
        let begun = answer(&self.plan, "in_progress", None);
        events.push(self.item("response.output_item.added", self.index(), &begun));
        if self.plan.ask.tool.is_none() {
            let fields = format!("{},\"part\":{}", self.place(), part(""));
            events.push(self.event("response.content_part.added", &fields));
        }
        events
    }

    fn token(&mut self, number: u32) -> Bytes {
        let piece = self.plan.escaped_piece(number);
        let fields = format!("{},\"delta\":\"{piece}\"", self.place());
        if self.plan.ask.tool.is_some() {
            let fields = format!("{fields},\"obfuscation\":\"{PADDING}\"");
            self.event("response.function_call_arguments.delta", &fields)
        } else {
            let fields = format!("{fields},\"logprobs\":[],\"obfuscation\":\"{PADDING}\"");
            self.event("response.output_text.delta", &fields)
        }
    }

    fn closing(&mut self) -> Vec<Bytes> {
        let (text, place) = (self.plan.text(), self.place());
        let mut events = Vec::new();
        if self.plan.ask.tool.is_some() {
            let fields = format!("{place},\"arguments\":{}", quoted(&text));
            events.push(self.event("response.function_call_arguments.done", &fields));
        } else {
            let fields = format!("{place},\"text\":{},\"logprobs\":[]", quoted(&text));
            events.push(self.event("response.output_text.done", &fields));
            let fields = format!("{place},\"part\":{}", part(&text));
            events.push(self.event("response.content_part.done", &fields));
        }
        let done = answer(&self.plan, "completed", Some(&text));
        events.push(self.item("response.output_item.done", self.index(), &done));
        events
    }

    fn last(&mut self) -> Option<Bytes> {
        let name = format!("response.{}", status(&self.plan));
        let response = finished(&self.plan);
        Some(self.event(&name, &format!("\"response\":{response}")))
    }

    fn garbled(&mut self) -> Bytes {
        Bytes::from_static(
            b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"del\n\n",
        )
    }

    fn error(&mut self) -> Bytes {
        self.state("response.failed", "failed")
    }
}
