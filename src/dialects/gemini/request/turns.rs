//! Into which turns do messages go?
//!
//! System turns are gathered into one instruction, turns in a row of one side are merged, and the answers of tools stand in a turn of their own in the order of their calls,
//! because Gemini matches them by order and Vertex refuses ids.
//!
//! # Invariants
//! - Only what Google has signed is sent as signed; foreign thoughts stay out.

use std::collections::HashMap;

use serde::Serialize;

use super::super::media;
use super::super::written::{WrittenPart, is_object};
use super::thinking::Model;
use crate::chat::{Loss, Losses, Maker, Media, Message, Part, Role, SYSTEM_PLACE, Signature};

/// The model's side, the user's, and the user's with answers of tools.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Model,
    User,
    Tools,
}

/// A turn as it is written.
#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    parts: Vec<WrittenPart<'a>>,
}

/// The instruction as it is written.
#[derive(Serialize)]
pub(super) struct System<'a> {
    parts: Vec<WrittenPart<'a>>,
}

/// Parts of one side in a row; the number is a tool answer's place among the calls.
struct Draft<'a> {
    side: Side,
    parts: Vec<(usize, WrittenPart<'a>)>,
}

/// Puts turns together.
pub(super) struct Composer<'a> {
    model: Model,
    system: Vec<WrittenPart<'a>>,
    drafts: Vec<Draft<'a>>,
    /// Each call's place and name, by its id.
    calls: HashMap<&'a str, (usize, &'a str)>,
    /// What was left out.
    pub(super) losses: Losses,
}

impl<'a> Composer<'a> {
    /// Nothing yet, for a model of this generation.
    pub(super) fn new(model: Model) -> Self {
        Self {
            model,
            system: Vec::new(),
            drafts: Vec::new(),
            calls: HashMap::new(),
            losses: Losses::default(),
        }
    }

    /// Adds a message.
    pub(super) fn message(&mut self, message: &'a Message) {
        match message.role {
            Role::System | Role::Developer => self.instruct(&message.parts),
            Role::User | Role::Assistant => {
                let side = if message.role == Role::User {
                    Side::User
                } else {
                    Side::Model
                };
                for part in &message.parts {
                    self.part(side, part);
                }
            }
        }
    }

    fn instruct(&mut self, parts: &'a [Part]) {
        let late = !self.drafts.is_empty();
        self.losses.add_if(late, SYSTEM_PLACE, Loss::Hint);
        for part in parts {
            match part {
                Part::Text { text, cache } => {
                    self.note_cache(*cache);
                    if !text.is_empty() {
                        self.system.push(WrittenPart::text(text));
                    }
                }
                _ => self.losses.add("media in system messages", Loss::Meaning),
            }
        }
    }

    fn part(&mut self, side: Side, part: &'a Part) {
        match part {
            Part::Text { text, cache } => {
                self.note_cache(*cache);
                if !text.is_empty() {
                    self.push(side, WrittenPart::text(text));
                }
            }
            Part::Refusal(text) => self.push(side, WrittenPart::text(text)),
            Part::Image(media) => self.medium(side, media, "image_url"),
            Part::Document(media) => self.medium(side, media, "file"),
            Part::Audio(media) => self.medium(side, media, "input_audio"),
            Part::Thinking { text, signature } => match signature {
                Some(signed) if signed.maker == Maker::Google && text.is_empty() => {
                    self.push(side, WrittenPart::signed(signed));
                }
                Some(signed) if signed.maker == Maker::Google => {
                    self.push(side, WrittenPart::thought(text, Some(signed)));
                }
                _ => self.losses.add("thinking", Loss::Hint),
            },
            Part::Redacted(_) => self.losses.add("thinking", Loss::Hint),
            Part::ToolCall {
                id,
                name,
                arguments,
                signature,
            } => {
                let odd = !is_object(arguments);
                self.losses.add_if(odd, "tool call arguments", Loss::Hint);
                self.calls.insert(id, (self.calls.len(), name));
                let own = signature.as_ref().filter(|it| it.maker == Maker::Google);
                self.call(name, arguments, own);
            }
            Part::ToolResult {
                id,
                name,
                content,
                is_error,
                cache,
            } => {
                self.note_cache(*cache);
                self.result((id, name), content, *is_error);
            }
        }
    }

    fn call(&mut self, name: &'a str, arguments: &str, own: Option<&'a Signature>) {
        let call = WrittenPart::call(None, name, arguments);
        self.push(Side::Model, call.with_signature(own));
    }

    /// A tool's answer; images stand beside it, where every generation sees them.
    fn result(&mut self, (id, name): (&'a str, &'a str), content: &'a [Part], is_error: bool) {
        let (place, called) = self.calls.get(id).copied().unwrap_or((usize::MAX, ""));
        let name = if called.is_empty() { name } else { called };
        self.losses
            .add_if(name.is_empty(), "tool_call_id", Loss::Hint);
        let name = if name.is_empty() { "tool" } else { name };
        let mut texts: Vec<&str> = Vec::new();
        let mut beside = Vec::new();
        for part in content {
            match part {
                Part::Text { text, .. } | Part::Refusal(text) => texts.push(text),
                Part::Image(media) | Part::Document(media) | Part::Audio(media) => {
                    let written = media::write(media, "tool result media", &mut self.losses);
                    beside.extend(written.map(WrittenPart::media));
                }
                _ => self.losses.add("tool result content", Loss::Hint),
            }
        }
        let response = WrittenPart::response(name, &texts.join("\n"), is_error);
        let all = std::iter::once(response).chain(beside);
        let all = all.map(|part| (place, part));
        self.draft(Side::Tools).parts.extend(all);
    }

    fn medium(&mut self, side: Side, media: &'a Media, what: &'static str) {
        self.note_cache(media.cache);
        let told = matches!(media.detail.as_str(), "" | "auto");
        self.losses.add_if(!told, "detail", Loss::Hint);
        if let Some(written) = media::write(media, what, &mut self.losses) {
            self.push(side, WrittenPart::media(written));
        }
    }

    fn note_cache(&mut self, cache: bool) {
        self.losses.add_if(cache, "cache_control", Loss::Hint);
    }

    fn push(&mut self, side: Side, part: WrittenPart<'a>) {
        self.draft(side).parts.push((0, part));
    }

    /// The last draft if it is of this side, else a new one.
    fn draft(&mut self, side: Side) -> &mut Draft<'a> {
        let at = match self.drafts.last() {
            Some(last) if last.side == side => self.drafts.len() - 1,
            _ => {
                self.drafts.push(Draft {
                    side,
                    parts: Vec::new(),
                });
                self.drafts.len() - 1
            }
        };
        &mut self.drafts[at]
    }

    /// The instruction and the turns; a request of instructions alone is the user's, since contents must not be empty.
    pub(super) fn finish(self) -> (Option<System<'a>>, Vec<Turn<'a>>) {
        let model = self.model;
        let mut turns: Vec<Turn<'a>> = self
            .drafts
            .into_iter()
            .map(|draft| draft.turn(model))
            .collect();
        let mut system = self.system;
        if turns.is_empty() {
            if system.is_empty() {
                system.push(WrittenPart::text(""));
            }
            turns.push(Turn {
                role: "user",
                parts: std::mem::take(&mut system),
            });
        }
        let system = (!system.is_empty()).then_some(System { parts: system });
        (system, turns)
    }
}

impl<'a> Draft<'a> {
    fn turn(mut self, model: Model) -> Turn<'a> {
        if self.side == Side::Tools {
            self.parts.sort_by_key(|(place, _)| *place);
        }
        let mut parts: Vec<_> = self.parts.into_iter().map(|(_, part)| part).collect();
        if model.demands_signatures() {
            // Of calls side by side only the first carries a signature.
            let first = parts.iter_mut().find(|part| part.is_call());
            if let Some(call) = first.filter(|call| call.is_unsigned_call()) {
                call.skip_signature();
            }
        }
        Turn {
            role: match self.side {
                Side::Model => "model",
                Side::User | Side::Tools => "user",
            },
            parts,
        }
    }
}
