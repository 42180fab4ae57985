//! What does a provider's stream of chunks say?
//!
//! Vendors differ most in tool calls: some repeat id and name on every delta, some number every parallel call 0, some give
//! no index, and an old vLLM gives every delta another id. A call is new where its index is, or where another id comes with a name.
//!
//! # Invariants
//! - The start comes first, and nothing but usage after the finish: content there makes the stream malformed.
//! - A call begins once, when its name is known; arguments that came before wait for it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::super::lenient::Tier;
use super::super::super::meeting::{Malformed, Mark};
use super::super::super::seen::Usage;
use super::super::answer::{stop, with_calls};
use super::super::message::{Content, Extra, RawCall, RawFunction, lenient, mint_call_id, object};
use super::super::thoughts::{self, Kind};
use super::super::tokens::RawUsage;
use crate::chat::{Event, Part, Signature};

/// Most tool calls of one answer; each is looked for among those before it.
const MOST_CALLS: usize = 1_024;

/// Reads a stream, event by event.
#[derive(Debug, Default)]
pub struct Reader {
    id: String,
    started: bool,
    finished: bool,
    calls: Vec<Call>,
    /// What was used so far besides what events tell.
    beside: Usage,
}

/// A tool call that has been seen.
#[derive(Debug)]
struct Call {
    /// The provider's number of it.
    number: u32,
    /// The provider's id of it, or the one minted.
    id: String,
    /// Arguments that came before its name.
    waiting: String,
    signature: Option<Signature>,
    named: bool,
}

impl Reader {
    /// Reads an event: its name, if it has one, and its data.
    ///
    /// # Errors
    /// [`Malformed`] when it is no chunk of a chat completion, or none that can come here.
    pub fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<Mark, Malformed> {
        if data.trim_ascii() == b"[DONE]" {
            return Ok(Mark::Done);
        }
        if name == Some(b"ping") {
            return Ok(Mark::More);
        }
        let chunk: RawChunk<'_> = object(data)?;
        if chunk.is_error() || name == Some(b"error") {
            return Ok(Mark::Error);
        }
        let choices = chunk.choices.unwrap_or_default();
        if let Some(usage) = &chunk.usage {
            self.beside = usage.beside().after(self.beside);
        }
        self.beside.service = chunk.service_tier.0.or(self.beside.service);
        let usage = chunk.usage.and_then(|usage| usage.read());
        if !self.started && (!choices.is_empty() || usage.is_some()) {
            self.started = true;
            self.id = text(chunk.id);
            out.push(Event::Start {
                id: self.id.clone(),
                model: text(chunk.model),
            });
        }
        let mut reason = None;
        for choice in choices {
            if choice.index.unwrap_or_default() == 0 {
                self.delta(choice.delta.unwrap_or_default(), out)?;
                reason = choice.finish_reason.filter(|reason| !reason.is_empty());
            }
        }
        out.extend(usage.map(Event::Usage));
        if let Some(reason) = reason {
            self.finish(&reason, out)?;
        }
        Ok(Mark::More)
    }

    /// What was used so far besides what events tell.
    #[must_use]
    pub const fn beside(&self) -> Usage {
        self.beside
    }

    fn delta(&mut self, delta: RawDelta, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let before = out.len();
        let thought = delta.reasoning_content.or(delta.reasoning);
        out.extend(thought.filter(|text| !text.is_empty()).map(Event::Thinking));
        if let Some(carried) = delta.extra_content.carried() {
            out.extend(signatures(carried));
        }
        out.extend(delta.content.spoken().into_iter().filter_map(spoken));
        let refusal = delta.refusal.filter(|words| !words.is_empty());
        out.extend(refusal.map(Event::Refusal));
        let legacy = delta.function_call.map(|function| RawCall {
            index: Some(0),
            function: Some(function),
            ..RawCall::default()
        });
        let calls = delta.tool_calls.unwrap_or_default();
        for call in calls.into_iter().chain(legacy) {
            self.call(call, out)?;
        }
        if self.finished && out.len() > before {
            return Err(Malformed::new("content came after the finish reason"));
        }
        Ok(())
    }

    fn call(&mut self, raw: RawCall, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let function = raw.function.unwrap_or_default();
        let id = raw.id.filter(|id| !id.is_empty());
        let name = function.name.filter(|name| !name.is_empty());
        let signature = raw.extra_content.of_call();
        let at = match self.place(raw.index, id.as_deref(), name.is_some()) {
            Some(at) => at,
            None => self.begin(raw.index, id)?,
        };
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(());
        };
        call.signature = signature.or(call.signature.take());
        let mut json = function.arguments.0;
        if !call.named {
            call.waiting.push_str(&json);
            let Some(name) = name else { return Ok(()) };
            json = std::mem::take(&mut call.waiting);
            call.named = true;
            out.push(Event::ToolStart {
                index,
                id: call.id.clone(),
                name,
                signature: call.signature.take(),
            });
        }
        if !json.is_empty() {
            out.push(Event::ToolArguments { index, json });
        }
        Ok(())
    }

    /// Which of the calls so far a delta belongs to.
    fn place(&self, number: Option<u32>, id: Option<&str>, named: bool) -> Option<usize> {
        let known = |of: &dyn Fn(&Call) -> bool| self.calls.iter().rposition(of);
        match (number, id) {
            (Some(number), id) => {
                let at = known(&|call| call.number == number)?;
                let call = self.calls.get(at)?;
                let another = id.is_some_and(|id| id != call.id) && named && call.named;
                (!another).then_some(at)
            }
            (None, Some(id)) => known(&|call| call.id == id)
                .or_else(|| self.calls.len().checked_sub(1).filter(|_| !named)),
            (None, None) => self.calls.len().checked_sub(1).filter(|_| !named),
        }
    }

    fn begin(&mut self, number: Option<u32>, id: Option<String>) -> Result<usize, Malformed> {
        let at = self.calls.len();
        if at == MOST_CALLS {
            return Err(Malformed::new("the answer calls too many tools"));
        }
        self.calls.push(Call {
            number: number.unwrap_or(u32::try_from(at).unwrap_or(u32::MAX)),
            id: id.unwrap_or_else(|| mint_call_id(&self.id, at)),
            waiting: String::new(),
            signature: None,
            named: false,
        });
        Ok(at)
    }

    fn finish(&mut self, reason: &str, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.finished {
            return Ok(());
        }
        if self.calls.iter().any(|call| !call.named) {
            return Err(Malformed::new("a tool call has no name"));
        }
        self.finished = true;
        out.push(Event::Finish {
            stop: with_calls(stop(reason)?, !self.calls.is_empty()),
            stop_text: None,
        });
        Ok(())
    }
}

/// The event of a part of what is said.
fn spoken(part: Part) -> Option<Event> {
    match part {
        Part::Text { text, .. } => Some(Event::Text(text)),
        Part::Thinking { text, .. } if text.is_empty() => None,
        Part::Thinking { text, .. } => Some(Event::Thinking(text)),
        Part::Refusal(words) => Some(Event::Refusal(words)),
        _ => None,
    }
}

/// What this gateway carries beside thoughts; in a stream their place tells how far they reach.
fn signatures(carried: &str) -> Vec<Event> {
    let Some(lines) = thoughts::lines(carried) else {
        return vec![Event::Signed(thoughts::read(carried))];
    };
    let events = lines.into_iter().map(|(_, kind, signature)| match kind {
        Kind::Signed => Event::Signed(signature),
        Kind::Redacted => Event::Redacted(signature),
    });
    events.collect()
}

/// The text that a value is, if it is one. Most chunks repeat theirs in vain, so it is read where it is needed.
fn text(raw: Option<&RawValue>) -> String {
    let text = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    text.unwrap_or_default()
}

#[derive(Deserialize)]
struct RawChunk<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(default)]
    choices: Option<Vec<RawChoice>>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<RawUsage>,
    #[serde(default)]
    service_tier: Tier,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl RawChunk<'_> {
    fn is_error(&self) -> bool {
        let error = self.error.map_or("null", RawValue::get);
        let filled = !["null", "false", "{}", "\"\""].contains(&error);
        filled || self.object.map(RawValue::get) == Some("\"error\"")
    }
}

#[derive(Deserialize)]
struct RawChoice {
    #[serde(default, deserialize_with = "lenient")]
    index: Option<u32>,
    #[serde(default)]
    delta: Option<RawDelta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct RawDelta {
    #[serde(default)]
    content: Content,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    reasoning_content: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    reasoning: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<RawCall>>,
    #[serde(default)]
    function_call: Option<RawFunction>,
    #[serde(default, deserialize_with = "lenient")]
    extra_content: Extra,
}
