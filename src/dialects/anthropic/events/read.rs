//! What does a provider's stream of a message say?
//!
//! # Invariants
//! - Events and blocks that are not known say nothing, whatever they hold.
//! - A call's arguments are told once, though some servers send them with the block's beginning, or there and in pieces too.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::super::meeting::{Malformed, Mark};
use super::super::super::seen;
use super::super::answer::Sent;
use super::super::stop;
use super::super::usage::Told;
use crate::chat::{Event, Maker, Signature};

/// Reads the stream of a message.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    started: bool,
    told: Told,
    /// The calls that are open, by their block's index.
    open: BTreeMap<u64, Call>,
    /// How many calls there were.
    calls: u32,
}

#[derive(Clone, Debug)]
struct Call {
    /// The call's place among the calls.
    place: u32,
    /// The arguments that came with its beginning, until pieces take their place.
    whole: String,
}

#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: u64,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Opening<'a> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    model: String,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

/// A piece of a block.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    text: String,
    thinking: String,
    signature: String,
    partial_json: String,
}

#[derive(Default, Deserialize)]
struct Ending {
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    stop_sequence: Option<String>,
}

/// Reads what an event of this kind must have.
fn inner<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<T, Malformed> {
    let raw = raw.ok_or_else(|| Malformed::new("an event without what its type promises"))?;
    Ok(serde_json::from_str(raw.get())?)
}

impl Reader {
    /// Reads one event.
    ///
    /// # Errors
    /// [`Malformed`]; nothing of the event is in `out` then.
    pub fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<Mark, Malformed> {
        let event: Incoming<'_> = serde_json::from_slice(data)?;
        match &*event.kind {
            "message_start" => {
                let message: Opening<'_> = inner(event.message)?;
                self.told = message.usage.map(Told::beginning).unwrap_or_default();
                self.start(message.id, message.model, out);
            }
            "content_block_start" => {
                let raw = event.content_block;
                let raw = raw.ok_or_else(|| Malformed::new("a block's beginning without it"))?;
                self.start(String::new(), String::new(), out);
                self.open(event.index, Sent::read(raw), out);
            }
            "content_block_delta" => {
                let raw = event.delta.map(RawValue::get).unwrap_or_default();
                let piece: Piece<'_> = serde_json::from_str(raw).unwrap_or_default();
                self.start(String::new(), String::new(), out);
                self.piece(event.index, piece, out);
            }
            "content_block_stop" => self.close(event.index, out),
            "message_delta" => self.end(&event, out)?,
            "message_stop" => return Ok(Mark::Done),
            "error" => return Ok(Mark::Error),
            "" if event.error.is_some() || name == Some(b"error") => return Ok(Mark::Error),
            // `ping`, and what is new.
            _ => {}
        }
        Ok(Mark::More)
    }

    fn tell(&mut self, usage: Option<&RawValue>) {
        if let Some(usage) = usage {
            self.told = Told::read(usage).after(self.told);
        }
    }

    fn start(&mut self, id: String, model: String, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start { id, model });
        }
    }

    fn open(&mut self, index: u64, block: Sent<'_>, out: &mut Vec<Event>) {
        match block.kind.as_str() {
            "text" if !block.text.is_empty() => out.push(Event::Text(block.text)),
            "thinking" => {
                let signed = block.signature().map(Event::Signed);
                if !block.thinking.is_empty() {
                    out.push(Event::Thinking(block.thinking));
                }
                out.extend(signed);
            }
            "redacted_thinking" => {
                let signature = Signature::read(&block.data, Maker::Anthropic);
                out.push(Event::Redacted(signature));
            }
            "tool_use" => {
                let place = self.calls;
                self.calls = self.calls.saturating_add(1);
                let whole = block.arguments().to_owned();
                self.open.insert(index, Call { place, whole });
                out.push(Event::ToolStart {
                    index: place,
                    id: block.id,
                    name: block.name,
                    signature: None,
                });
            }
            _ => {}
        }
    }

    fn piece(&mut self, index: u64, piece: Piece<'_>, out: &mut Vec<Event>) {
        match &*piece.kind {
            "text_delta" if !piece.text.is_empty() => out.push(Event::Text(piece.text)),
            "thinking_delta" if !piece.thinking.is_empty() => {
                out.push(Event::Thinking(piece.thinking));
            }
            "signature_delta" if !piece.signature.is_empty() => {
                let signature = Signature::read(&piece.signature, Maker::Anthropic);
                out.push(Event::Signed(signature));
            }
            "input_json_delta" if !piece.partial_json.is_empty() => {
                // The pieces of a hosted tool's input belong to no call.
                if let Some(call) = self.open.get_mut(&index) {
                    call.whole.clear();
                    out.push(Event::ToolArguments {
                        index: call.place,
                        json: piece.partial_json,
                    });
                }
            }
            _ => {}
        }
    }

    /// What was used so far besides what events tell.
    #[must_use]
    pub fn beside(&self) -> seen::Usage {
        self.told.sums().beside_text()
    }

    fn close(&mut self, index: u64, out: &mut Vec<Event>) {
        let call = self.open.remove(&index);
        if let Some(call) = call.filter(|call| !call.whole.is_empty()) {
            out.push(Event::ToolArguments {
                index: call.place,
                json: call.whole,
            });
        }
    }

    fn end(&mut self, event: &Incoming<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let ending: Ending = inner(event.delta)?;
        let stop = ending.stop_reason.as_deref().map(stop::read).transpose()?;
        self.tell(event.usage);
        self.start(String::new(), String::new(), out);
        // A server may forget to close its blocks.
        while let Some((&index, _)) = self.open.first_key_value() {
            self.close(index, out);
        }
        out.extend(self.told.buckets().map(Event::Usage));
        out.extend(stop.map(|stop| Event::Finish {
            stop,
            stop_text: ending.stop_sequence,
        }));
        Ok(())
    }
}
