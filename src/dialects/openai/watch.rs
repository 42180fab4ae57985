//! What does an event of a chat completion's stream mean, and may the client see it?
//!
//! # Invariants
//! - `ping` events are dropped, since they break the official Node client, and so is the usage chunk that only the gateway asked for.

use super::super::seen::Seen;
use super::super::tap::Look;
use super::response;
use super::splice::UsageChunk;
use super::template::Template;
use crate::stream::sse::Event;

/// The end marker.
const DONE: &[u8] = b"[DONE]";

/// Watches chat completions and completions.
#[derive(Debug)]
pub struct Watch {
    usage_chunk: UsageChunk,
    template: Template,
}

impl Watch {
    /// The end marker's event, as the gateway writes it when a provider has forgotten it.
    pub const CLOSING: &'static [u8] = b"data: [DONE]\n\n";

    /// A watch on a stream that has not begun.
    #[must_use]
    pub fn new(usage_chunk: UsageChunk) -> Self {
        Self {
            usage_chunk,
            template: Template::default(),
        }
    }

    /// Understands one event.
    pub fn look(&mut self, event: &Event<'_>, data: &[u8]) -> Look {
        if data.trim_ascii() == DONE {
            return Look::Keep(Seen {
                done: true,
                ..Seen::default()
            });
        }
        if event.name() == Some(b"ping") {
            return Look::Drop(Seen::default());
        }
        let seen = match self.template.recognise(data) {
            Some(seen) => seen,
            None => match response::read(data) {
                Ok(seen) => {
                    self.template.remember(data, seen);
                    seen
                }
                Err(_) => return Look::Bad,
            },
        };
        let unasked = self.usage_chunk == UsageChunk::Injected;
        if unasked && seen.usage.is_some() && seen.choices == 0 && !seen.error {
            return Look::Drop(seen);
        }
        Look::Keep(seen)
    }
}
