//! Answers in Cohere's words: chat whole and streamed, vectors, and documents in order of relevance.
//!
//! # Invariants
//! - A document is the more relevant the more words it shares with the query.

use bytes::Bytes;
use serde_json::{Value, json};

use super::ask::{Ask, Choice, Extra, Measured, clamp};
use super::embedding;
use super::endpoint::Endpoint;
use super::narration::Narration;
use super::plan::{Plan, THOUGHTS, quoted};
use super::refusals::Reply;

/// Length of the vectors by which documents are compared with a query.
const COMPARED: u32 = 256;

/// What an answer says that it is about to do before it calls a tool.
const TOOL_PLAN: &str = "I will use a tool.";

/// The stream of an answer.
#[derive(Debug)]
pub(super) struct Telling {
    plan: Plan,
}

/// Reads a request for a chat, for vectors or for an order.
pub(super) fn ask(endpoint: Endpoint, body: Value) -> Ask {
    let empty = Vec::new();
    let messages = body["messages"].as_array().unwrap_or(&empty);
    let parts = [
        &body["messages"],
        &body["texts"],
        &body["inputs"],
        &body["query"],
        &body["documents"],
    ];
    let last = messages.last().filter(|it| it["role"] == "assistant");
    Ask {
        endpoint,
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: endpoint == Endpoint::CohereChat && body["stream"] == true,
        max_tokens: body["max_tokens"].as_u64().map(clamp),
        input_tokens: Measured::sum(parts.map(Measured::of)).tokens(),
        prefill: last.map(|it| Measured::of(&it["content"]).prefix()),
        tool: tool(&body, messages),
        thinks: body["thinking"]["type"] == "enabled",
        extra: Extra::Body(body),
        ..Ask::default()
    }
}

fn tool(body: &Value, messages: &[Value]) -> Option<String> {
    let first = body["tools"][0]["function"]["name"].as_str()?.to_owned();
    let choice = match body["tool_choice"].as_str() {
        Some("REQUIRED") => Choice::Any,
        Some("NONE") => Choice::None,
        _ => Choice::Auto,
    };
    let last = messages.iter().rfind(|it| it["role"] == "user");
    let says_tool = last.is_some_and(|it| Measured::of(&it["content"]).says_tool);
    choice.tool(first, says_tool)
}

/// The first rule that a request breaks.
pub(super) fn objection(endpoint: Endpoint, body: &Value) -> Option<Reply> {
    let empty = |field: &str| body[field].as_array().is_none_or(Vec::is_empty);
    let problem = match endpoint {
        Endpoint::CohereChat if empty("messages") => "messages must be provided",
        Endpoint::CohereChat if body["tool_choice"].is_object() => {
            "tool_choice must be REQUIRED or NONE"
        }
        Endpoint::CohereEmbed if !body["input_type"].is_string() => {
            "input_type parameter is required"
        }
        Endpoint::CohereEmbed if empty("texts") && empty("inputs") => "texts must be provided",
        Endpoint::Rerank if empty("documents") => "documents must be provided",
        Endpoint::Rerank if !body["query"].is_string() => "query must be provided",
        _ => return None,
    };
    Some(Reply::invalid(format!("invalid request: {problem}")))
}

/// The whole answer of a chat.
pub(super) fn whole(plan: &Plan) -> String {
    let mut content = Vec::new();
    if plan.thinks() {
        content.push(json!({"type": "thinking", "thinking": THOUGHTS.concat()}));
    }
    let text = plan.text();
    let message = if let Some(tool) = &plan.ask.tool {
        json!({"role": "assistant", "tool_plan": TOOL_PLAN, "tool_calls": [{
            "id": tool_id(plan),
            "type": "function",
            "function": {"name": tool, "arguments": text},
        }]})
    } else {
        content.push(json!({"type": "text", "text": text}));
        json!({"role": "assistant", "content": content})
    };
    let mut body = json!({
        "id": id(plan),
        "finish_reason": finish_reason(plan),
        "message": message,
    });
    if let Some(usage) = usage(plan) {
        body["usage"] = usage;
    }
    body.to_string()
}

/// The vectors of a request, `dimensions` long where it does not say.
pub(super) fn vectors(plan: &Plan, dimensions: u32) -> String {
    let Extra::Body(body) = &plan.ask.extra else {
        return "{}".to_owned();
    };
    let mut texts = strings(&body["texts"]);
    for input in body["inputs"].as_array().into_iter().flatten() {
        let parts = input["content"].as_array().into_iter().flatten();
        let parts = parts.filter_map(|it| it["text"].as_str());
        texts.push(parts.collect::<Vec<_>>().join(" "));
    }
    let length = body["output_dimension"].as_u64().map_or(dimensions, clamp);
    let vectors: Vec<_> = texts
        .iter()
        .map(|it| embedding::of_text(it, length))
        .collect();
    let mut kinds = strings(&body["embedding_types"]);
    if kinds.is_empty() {
        kinds.push("float".to_owned());
    }
    let mut embeddings = json!({});
    for kind in kinds {
        embeddings[&kind] = match kind.as_str() {
            "float" => json!(vectors),
            "base64" => vectors.iter().map(|it| embedding::base64(it)).collect(),
            _ => json!([]),
        };
    }
    json!({
        "id": id(plan),
        "embeddings": embeddings,
        "texts": texts,
        "response_type": "embeddings_by_type",
        "meta": {
            "api_version": {"version": "2"},
            "billed_units": {"input_tokens": plan.ask.input_tokens},
        },
    })
    .to_string()
}

/// The documents of a request in order of relevance.
pub(super) fn order(plan: &Plan) -> String {
    let Extra::Body(body) = &plan.ask.extra else {
        return "{}".to_owned();
    };
    let vector = |text: &str| embedding::of_text(text, COMPARED);
    let query = vector(body["query"].as_str().unwrap_or_default());
    let documents = body["documents"].as_array().into_iter().flatten();
    let mut results: Vec<(usize, f32)> = documents
        .map(|it| it.as_str().or(it["text"].as_str()).unwrap_or_default())
        .map(|text| query.iter().zip(vector(text)).map(|(a, b)| a * b).sum())
        .map(|cosine: f32| cosine.max(0.0))
        .enumerate()
        .collect();
    results.sort_by(|a, b| b.1.total_cmp(&a.1));
    let wanted = body["top_n"]
        .as_u64()
        .map_or(usize::MAX, |it| clamp(it) as usize);
    let results: Vec<Value> = results
        .into_iter()
        .take(wanted)
        .map(|(index, score)| json!({"index": index, "relevance_score": score}))
        .collect();
    json!({
        "id": id(plan),
        "results": results,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    })
    .to_string()
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|it| Some(it.as_str()?.to_owned()))
        .collect()
}

fn id(plan: &Plan) -> String {
    format!("6d6f636b-0000-4000-8000-{:012x}", plan.id)
}

fn tool_id(plan: &Plan) -> String {
    let name = plan.ask.tool.as_deref().unwrap_or_default();
    format!("{name}_mock{:016x}", plan.id)
}

fn finish_reason(plan: &Plan) -> &'static str {
    match (&plan.ask.tool, plan.cut_short) {
        (Some(_), _) => "TOOL_CALL",
        (None, true) => "MAX_TOKENS",
        (None, false) => "COMPLETE",
    }
}

fn usage(plan: &Plan) -> Option<Value> {
    let (input, output) = plan.counts()?;
    let counts = json!({"input_tokens": input, "output_tokens": output + plan.thought_tokens()});
    Some(json!({"billed_units": counts, "tokens": counts}))
}

impl Telling {
    /// The stream of `plan`.
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan }
    }

    /// Number of the block that the answer itself is in.
    fn index(&self) -> u32 {
        u32::from(self.plan.thinks() && self.plan.ask.tool.is_none())
    }
}

fn event(name: &str, fields: &str) -> Bytes {
    format!("event: {name}\ndata: {{\"type\":\"{name}\"{fields}}}\n\n").into()
}

fn content(name: &str, index: u32, content: &str) -> Bytes {
    let delta = format!("\"delta\":{{\"message\":{{\"content\":{{{content}}}}}}}");
    event(name, &format!(",\"index\":{index},{delta}"))
}

fn end(name: &str, index: u32) -> Bytes {
    event(name, &format!(",\"index\":{index}"))
}

impl Narration for Telling {
    fn opening(&mut self) -> Vec<Bytes> {
        let start = format!(
            ",\"id\":\"{}\",\"delta\":{{\"message\":{{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\
             \"tool_calls\":[],\"citations\":[]}}}}",
            id(&self.plan)
        );
        let mut events = vec![event("message-start", &start)];
        if let Some(tool) = &self.plan.ask.tool {
            let plan = format!(",\"delta\":{{\"message\":{{\"tool_plan\":\"{TOOL_PLAN}\"}}}}");
            events.push(event("tool-plan-delta", &plan));
            let call = format!(
                ",\"index\":0,\"delta\":{{\"message\":{{\"tool_calls\":{{\"id\":{},\"type\":\"function\",\
                 \"function\":{{\"name\":{},\"arguments\":\"\"}}}}}}}}",
                quoted(&tool_id(&self.plan)),
                quoted(tool)
            );
            events.push(event("tool-call-start", &call));
            return events;
        }
        if self.plan.thinks() {
            let begun = "\"type\":\"thinking\",\"thinking\":\"\"";
            events.push(content("content-start", 0, begun));
            events.extend(THOUGHTS.iter().map(|thought| {
                content("content-delta", 0, &format!("\"thinking\":\"{thought}\""))
            }));
            events.push(end("content-end", 0));
        }
        let begun = "\"type\":\"text\",\"text\":\"\"";
        events.push(content("content-start", self.index(), begun));
        events
    }

    fn token(&mut self, number: u32) -> Bytes {
        let piece = self.plan.escaped_piece(number);
        if self.plan.ask.tool.is_some() {
            let function = format!("\"function\":{{\"arguments\":\"{piece}\"}}");
            let delta = format!("\"delta\":{{\"message\":{{\"tool_calls\":{{{function}}}}}}}");
            return event("tool-call-delta", &format!(",\"index\":0,{delta}"));
        }
        content(
            "content-delta",
            self.index(),
            &format!("\"text\":\"{piece}\""),
        )
    }

    fn closing(&mut self) -> Vec<Bytes> {
        let name = if self.plan.ask.tool.is_some() {
            "tool-call-end"
        } else {
            "content-end"
        };
        let usage = usage(&self.plan).map_or(String::new(), |it| format!(",\"usage\":{it}"));
        let reason = finish_reason(&self.plan);
        let delta = format!(",\"delta\":{{\"finish_reason\":\"{reason}\"{usage}}}");
        vec![end(name, self.index()), event("message-end", &delta)]
    }

    fn last(&mut self) -> Option<Bytes> {
        Some(Bytes::from_static(b"data: [DONE]\n\n"))
    }

    fn garbled(&mut self) -> Bytes {
        Bytes::from_static(
            b"event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"del\n\n",
        )
    }

    fn error(&mut self) -> Bytes {
        let error = "\"error\":\"internal server error\",\"finish_reason\":\"ERROR\"";
        event("message-end", &format!(",\"delta\":{{{error}}}"))
    }
}
