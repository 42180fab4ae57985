//! To which session does a request belong?
//!
//! Agents name their sessions, each in its own way; the first name found counts, and only its hash is kept.
//!
//! # Invariants
//! - Nothing is taken away: what names a session reaches the provider as it always did.
//! - A request that names none is decided as if there were no sessions.

use http::{HeaderMap, HeaderName};
use scoring::affinity::{Affinity, cached_tokens};
use scoring::route::Ask;
use scoring::time::Time;

use super::Asked;
use super::life::Life;
use crate::dialects::openai::peek::Peek;
use crate::routing::{Choice, Session, Sessions};

/// Headers that name a session, the first that is there: the one made for this, then opencode's, Claude Code's and Codex's.
static NAMES: [HeaderName; 4] = [
    HeaderName::from_static("x-session-affinity"),
    HeaderName::from_static("x-session-id"),
    HeaderName::from_static("x-claude-code-session-id"),
    HeaderName::from_static("session-id"),
];

/// A turn of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) session: Session,
    /// Input tokens, estimated as at every turn.
    pub(super) tokens: u32,
}

impl Turn {
    /// The turn that a request is, if it says so and providers keep such prompts.
    pub(super) fn of(life: &Life, asked: &Asked, peek: &Peek<'_>) -> Option<Self> {
        let endpoint = asked.endpoint;
        if !endpoint.is_conversation() || endpoint.is_count() {
            return None;
        }
        let name = named(&asked.headers).or_else(|| peek.session.map(str::as_bytes))?;
        let sessions = &life.worker.shared.lasting.sessions;
        // Who has no key is told apart from nobody.
        let tenant = life.payer.as_ref().map_or(0, |payer| payer.number.into());
        Some(Self {
            session: sessions.session(tenant, &peek.model, name),
            tokens: peek.input_tokens,
        })
    }

    /// What is asked of these candidates, one of which may have served the session last.
    pub(super) fn ask(self, ask: &Ask, sessions: &Sessions, choice: &Choice, now: Time) -> Ask {
        let candidate = || {
            let last = sessions.recall(self.session, now)?;
            let cached_tokens = cached_tokens(last.tokens, self.tokens, now.since(last.at));
            let candidate = choice.homes.iter().position(|home| *home == last.home)?;
            (cached_tokens > 0).then_some(Affinity {
                candidate,
                cached_tokens,
            })
        };
        Ask {
            affinity: candidate(),
            ..*ask
        }
    }
}

/// The name in the headers.
fn named(headers: &HeaderMap) -> Option<&[u8]> {
    let values = NAMES.iter().filter_map(|name| headers.get(name));
    values.map(|it| it.as_bytes()).find(|it| !it.is_empty())
}
