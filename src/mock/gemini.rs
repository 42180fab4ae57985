//! Answers in Gemini's words: content whole and streamed, counts of tokens, vectors, models.
//!
//! A stream is a row of whole bodies, as server-sent events whose lines end in CR LF, or as the elements of an array.
//!
//! # Invariants
//! - A function call comes in one piece and bears a signature that [`is_own_signature`] knows again.
//! - The counts in each event are those so far.

use bytes::Bytes;
use serde_json::{Value, json};

use super::ask::{Ask, Choice, Extra, Measured, clamp};
use super::door::Door;
use super::embedding;
use super::ledger::Received;
use super::narration::Narration;
use super::plan::{Plan, THOUGHTS};

/// What every signature begins with; base64, as all of it.
const SIGNATURE: &str = "bW9ja2dlbWluaUFB";

/// Signatures that stand for none, as Google documents them.
const PLACEHOLDERS: [&str; 3] = [
    "skip_thought_signature_validator",
    "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
    "context_engineering_is_the_way_to_go",
];

/// The stream of an answer.
#[derive(Debug)]
pub(super) struct Telling {
    plan: Plan,
    /// Events handed out.
    told: u32,
}

/// Reads a request for content, a count or vectors.
pub(super) fn ask(door: &Door<'_>, request: &Received, body: Value) -> Ask {
    let config = field(&body, "generationConfig", "generation_config");
    let thinking = field(config, "thinkingConfig", "thinking_config");
    let asked = match body["generateContentRequest"].as_object() {
        Some(_) => &body["generateContentRequest"],
        None => &body,
    };
    let system = field(asked, "systemInstruction", "system_instruction");
    let empty = Vec::new();
    let contents = asked["contents"].as_array().unwrap_or(&empty);
    let requests = body["requests"].as_array().unwrap_or(&empty);
    let texts = [&asked["contents"], system, &body["content"]];
    let texts = texts
        .into_iter()
        .chain(requests.iter().map(|it| &it["content"]));
    let last = contents.last().filter(|it| it["role"] == "model");
    Ask {
        endpoint: door.endpoint,
        model: door.named.as_deref().unwrap_or_default().to_owned(),
        stream: door.stream,
        array: door.stream && !request.target.contains("alt=sse"),
        max_tokens: field(config, "maxOutputTokens", "max_output_tokens")
            .as_u64()
            .map(clamp),
        input_tokens: Measured::sum(texts.map(Measured::of)).tokens(),
        prefill: last.map(|it| Measured::of(&it["parts"]).prefix()),
        tool: tool(&body, contents),
        thinks: field(thinking, "includeThoughts", "include_thoughts") == &Value::Bool(true),
        extra: Extra::Body(body),
        ..Ask::default()
    }
}

fn tool(body: &Value, contents: &[Value]) -> Option<String> {
    let tools = body["tools"].as_array()?;
    let names = |tool: &Value| {
        field(tool, "functionDeclarations", "function_declarations")[0]["name"]
            .as_str()
            .map(ToOwned::to_owned)
    };
    let first = tools.iter().find_map(names)?;
    let config = field(body, "toolConfig", "tool_config");
    let config = field(config, "functionCallingConfig", "function_calling_config");
    let allowed = field(config, "allowedFunctionNames", "allowed_function_names")[0].as_str();
    let choice = match config["mode"].as_str() {
        Some("ANY") => allowed.map_or(Choice::Any, |name| Choice::Named(name.to_owned())),
        Some("NONE") => Choice::None,
        _ => Choice::Auto,
    };
    let last = contents.iter().rfind(|it| it["role"] != "model");
    let says_tool = last.is_some_and(|it| Measured::of(&it["parts"]).says_tool);
    choice.tool(first, says_tool)
}

/// A field by either of the names that Google's parser knows.
pub(super) fn field<'a>(of: &'a Value, camel: &str, snake: &str) -> &'a Value {
    match &of[camel] {
        Value::Null => &of[snake],
        value => value,
    }
}

/// Whether a signature is one that a stand-in made, or stands for none.
pub(super) fn is_own_signature(signature: &str) -> bool {
    signature.starts_with(SIGNATURE) || PLACEHOLDERS.contains(&signature)
}

/// Content as a whole.
pub(super) fn whole(plan: &Plan) -> String {
    let mut parts = thoughts(plan);
    parts.push(if plan.ask.tool.is_some() {
        call(plan)
    } else {
        json!({"text": plan.text()})
    });
    pretty(&chunk(plan, parts, Some(finish_reason(plan)), plan.output))
}

/// The count of a request's tokens.
pub(super) fn count(plan: &Plan) -> String {
    let tokens = plan.ask.input_tokens;
    pretty(&json!({
        "totalTokens": tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
    }))
}

/// The vectors of a request, `dimensions` long where it does not say.
pub(super) fn vectors(plan: &Plan, dimensions: u32) -> String {
    let Extra::Body(body) = &plan.ask.extra else {
        return "{}".to_owned();
    };
    let embedding = |request: &Value| {
        let texts = request["content"]["parts"].as_array();
        let texts = texts.map_or(String::new(), |parts| {
            let texts = parts.iter().filter_map(|it| it["text"].as_str());
            texts.collect::<Vec<_>>().join(" ")
        });
        let asked = field(request, "outputDimensionality", "output_dimensionality").as_u64();
        let length = asked.map_or(dimensions, clamp);
        json!({"values": embedding::of_text(&texts, length)})
    };
    pretty(&match body["requests"].as_array() {
        Some(requests) => {
            json!({"embeddings": requests.iter().map(embedding).collect::<Vec<_>>()})
        }
        None => json!({"embedding": embedding(body)}),
    })
}

/// The list of models.
pub(super) fn model_list(models: &[String]) -> String {
    let models: Vec<Value> = models.iter().map(|it| model_json(it)).collect();
    pretty(&json!({"models": models}))
}

/// One model.
pub(super) fn model_json(model: &str) -> Value {
    json!({
        "name": format!("models/{model}"),
        "version": "001",
        "displayName": model,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
    })
}

fn thoughts(plan: &Plan) -> Vec<Value> {
    let thought = json!({"text": THOUGHTS.concat(), "thought": true});
    plan.thinks().then_some(thought).into_iter().collect()
}

fn call(plan: &Plan) -> Value {
    let args: Value = serde_json::from_str(&plan.text()).unwrap_or_default();
    json!({
        "functionCall": {"name": plan.ask.tool, "args": args},
        "thoughtSignature": format!("{SIGNATURE}{:016x}", plan.id),
    })
}

fn finish_reason(plan: &Plan) -> &'static str {
    if plan.cut_short && plan.ask.tool.is_none() {
        "MAX_TOKENS"
    } else {
        "STOP"
    }
}

/// A body with those parts, after so many output tokens.
fn chunk(plan: &Plan, parts: Vec<Value>, reason: Option<&str>, so_far: u32) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if let Some(reason) = reason {
        candidate["finishReason"] = reason.into();
    }
    let mut chunk = json!({
        "candidates": [candidate],
        "modelVersion": plan.ask.model,
        "responseId": format!("mock{:016x}", plan.id),
    });
    if let Some((input, output)) = plan.counts() {
        let is_done = so_far == plan.output;
        let output = if is_done { output } else { i64::from(so_far) };
        let thoughts = plan.thought_tokens();
        let mut usage = json!({
            "promptTokenCount": input,
            "candidatesTokenCount": output,
            "totalTokenCount": input + output + thoughts,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": input}],
        });
        if thoughts > 0 {
            usage["thoughtsTokenCount"] = thoughts.into();
        }
        chunk["usageMetadata"] = usage;
    }
    chunk
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

impl Telling {
    /// The stream of `plan`.
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, told: 0 }
    }

    fn event(&mut self, value: &Value) -> Bytes {
        self.frame(&value.to_string())
    }

    fn frame(&mut self, text: &str) -> Bytes {
        self.told += 1;
        let framed = match (self.plan.ask.array, self.told) {
            (false, _) => format!("data: {text}\r\n\r\n"),
            (true, 1) => format!("[{text}"),
            (true, _) => format!("\r\n,\r\n{text}"),
        };
        framed.into()
    }
}

impl Narration for Telling {
    fn opening(&mut self) -> Vec<Bytes> {
        let thoughts = thoughts(&self.plan);
        if thoughts.is_empty() {
            return Vec::new();
        }
        let chunk = chunk(&self.plan, thoughts, None, 0);
        vec![self.event(&chunk)]
    }

    fn token(&mut self, number: u32) -> Bytes {
        let part = if self.plan.ask.tool.is_some() {
            call(&self.plan)
        } else {
            let mut text = String::new();
            self.plan.append_piece(number, &mut text);
            json!({"text": text})
        };
        let chunk = chunk(&self.plan, vec![part], None, number);
        self.event(&chunk)
    }

    fn closing(&mut self) -> Vec<Bytes> {
        let reason = finish_reason(&self.plan);
        let chunk = chunk(
            &self.plan,
            vec![json!({"text": ""})],
            Some(reason),
            self.plan.output,
        );
        vec![self.event(&chunk)]
    }

    fn last(&mut self) -> Option<Bytes> {
        self.plan.ask.array.then_some(Bytes::from_static(b"]"))
    }

    fn garbled(&mut self) -> Bytes {
        self.frame("{\"candidates\":[{\"content\":{\"par")
    }

    fn error(&mut self) -> Bytes {
        self.event(&json!({"error": {
            "code": 503,
            "message": "The model is overloaded. Please try again later.",
            "status": "UNAVAILABLE",
        }}))
    }

    fn ping(&mut self) -> Bytes {
        if self.plan.ask.array {
            return Bytes::from_static(b"\r\n");
        }
        Bytes::from_static(b": ping\r\n\r\n")
    }
}
