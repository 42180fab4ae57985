//! What is asked, and when: requests in the order in which they arrive.
//!
//! A trace is read from a file ([`read()`]) or made by the synthetic generator ([`synthetic()`]); the engine sees no difference.
//! The text of a prompt is never part of it: lengths, prefix blocks and what was observed are.
//!
//! # Invariants
//! - Requests are sorted by arrival; arrivals count from the trace's own beginning.
//! - `seen` is empty or as long as `requests`.
//! - `input` and `output` are at least 1.

mod read;
mod synthetic;
mod warp;

use scoring::Class;
use scoring::Outcome;
use scoring::time::Span;

pub use read::{
    Format, Malformed, Note, Part, Read, TOKENS_PER_IMAGE, TraceError, read, read_part, write,
    write_line,
};
pub use synthetic::{draw, synthetic};
pub use warp::{Half, Warp, cut, half, part, warp};

/// Most requests of one trace: 2.8 GB of them; more is refused.
pub const MOST_REQUESTS: usize = 50_000_000;

/// Most prefix blocks of one trace: 1 GiB of them; more is refused by readers and left away by the generator.
pub const MOST_BLOCKS: usize = 1 << 27;

/// Tokens in one prefix block, as in the Mooncake traces.
pub const BLOCK_TOKENS: u32 = 512;

/// Requests in the order in which they arrive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The requests, sorted by [`Request::at`].
    pub requests: Vec<Request>,
    /// Identities of prefix blocks; each request names a range of them.
    pub blocks: Vec<u64>,
    /// Whether a request's first block names its session, of which every prompt begins as the one before.
    pub sessions: bool,
    /// What was observed of each request, where the source tells; else empty.
    pub seen: Vec<Seen>,
    /// Names of the routes that [`Seen::route`] counts.
    pub routes: Vec<String>,
    /// Names of the models that [`Request::model`] counts.
    pub models: Vec<String>,
    /// Names of the tenants that [`Request::tenant`] counts.
    pub tenants: Vec<String>,
}

impl Trace {
    /// How long it lasts: to its last arrival and a mean gap beyond, so that one copy may follow another; 1 s with one request.
    #[must_use]
    pub fn length(&self) -> Span {
        let last = self.requests.last().map_or(0, |it| it.at.as_micros());
        let gaps = self.requests.len().saturating_sub(1) as u64;
        match (self.requests.len(), last.checked_div(gaps)) {
            (0, _) => Span::ZERO,
            (_, Some(gap)) => Span::from_micros(last.saturating_add(gap.max(1))),
            (_, None) => Span::from_micros(last.saturating_add(1_000_000)),
        }
    }

    /// The prefix blocks of one of its requests.
    #[must_use]
    pub fn blocks_of(&self, request: &Request) -> &[u64] {
        let from = request.block as usize;
        let range = from..from + usize::from(request.blocks);
        self.blocks.get(range).unwrap_or_default()
    }

    /// The session that one of its requests is a turn of, if the source tells.
    #[must_use]
    pub fn session_of(&self, request: &Request) -> Option<u64> {
        let first = self.blocks_of(request).first();
        first.copied().filter(|_| self.sessions)
    }
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// When it arrives, since the trace's beginning.
    pub at: Span,
    /// The kind of work.
    pub class: Class,
    /// Input tokens (chat, embedding), characters / 4 (speech); ≥ 1.
    pub input: u32,
    /// Output tokens that a complete answer has; ≥ 1.
    pub output: u32,
    /// The most output tokens asked for.
    pub max_tokens: Option<u32>,
    /// How long the client waits; `None` for as long as the scenario's clock.
    pub deadline: Option<Span>,
    /// First of its prefix blocks in [`Trace::blocks`].
    pub block: u32,
    /// How many prefix blocks it has.
    pub blocks: u16,
    /// Index into [`Trace::models`]; 0 where there is only one.
    pub model: u16,
    /// Index into [`Trace::tenants`]; 0 where there is only one.
    pub tenant: u16,
}

impl Request {
    /// A streamed chat request without prefix, limit or deadline.
    #[must_use]
    pub const fn chat(at: Span, input: u32, output: u32) -> Self {
        Self {
            at,
            class: Class::ChatStream,
            input,
            output,
            max_tokens: None,
            deadline: None,
            block: 0,
            blocks: 0,
            model: 0,
            tenant: 0,
        }
    }
}

/// What was observed of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// The route that answered or was tried last: index into [`Trace::routes`].
    pub route: Option<u16>,
    /// The status that the client got; 0 if it left before.
    pub status: u16,
    /// How the last attempt ended.
    pub outcome: Option<Outcome>,
    /// From the last attempt's start to its first token.
    pub ttft: Option<Span>,
    /// From arrival to the end.
    pub total: Option<Span>,
    /// The probability with which the first attempt's route was chosen; 0..=1.
    pub p_select: Option<f32>,
    /// Attempts made; 0 if the source does not tell.
    pub attempts: u32,
    /// The route of the first attempt: index into [`Trace::routes`].
    pub first: Option<u16>,
    /// From arrival to the first attempt's end.
    pub first_took: Option<Span>,
    /// How the first attempt ended.
    pub first_outcome: Option<Outcome>,
}
