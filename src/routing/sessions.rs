//! Which route served a session last, and how much of its prompt may that route still keep?
//!
//! A fixed table of slots remembers the latest turn of each session; its place is chosen by a hash of the session, the model and the tenant under a random key.
//! A slot is two words, and the second is kept under the first's XOR: what two writers tore apart fits no session and is forgotten.
//! What a memory is worth is [`scoring::affinity`]'s to say.
//!
//! # Invariants
//! - Remembering and recalling neither lock nor allocate, and forget rather than wait.
//! - No tenant can name another's session; what a client calls its session is not kept, only its hash.
//! - A route is known by its identity, so a memory survives reloads.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use scoring::time::Time;

use super::registry::Identity;

/// Slots: at 50 turns a second of different sessions each is remembered for ten minutes, twice as long as it is worth anything; half a mebibyte.
const SLOTS: usize = 1 << 15;

/// Slots that a session may be in.
const WAYS: usize = 4;

/// Bits of a route in a word: a false route, at one memory in 2²⁴, costs a request its draw and nothing else.
const HOME_BITS: u32 = 24;

/// Bits of a prompt's tokens in a word; longer prompts count as the longest.
const TOKEN_BITS: u32 = 20;

/// log2 of the µs in a unit of a memory's time: 1.05 s. Its 20 bits wrap after 12 days, when a memory looks fresh again for five minutes.
const TIME_SHIFT: u32 = 20;

/// Bits of a memory's time in a word.
const TIME_BITS: u32 = 20;

/// A session of one tenant with one model, as the table knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session(u64);

impl Session {
    /// Its hash, which differs from process to process.
    #[must_use]
    pub const fn hash(self) -> u64 {
        self.0
    }
}

/// A route, as the table knows it: a hash of its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home(u32);

impl Home {
    /// The home that a route is.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        // Why without a random key: the same route must be the same home in every snapshot, and no client names routes.
        let mut hasher = DefaultHasher::new();
        identity.hash(&mut hasher);
        Self((hasher.finish() >> (u64::BITS - HOME_BITS)) as u32)
    }
}

/// The last turn of a session that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The route that answered.
    pub home: Home,
    /// Input tokens, estimated; below 2²⁰.
    pub tokens: u32,
    /// When, in whole units of about a second.
    pub at: Time,
}

#[derive(Debug, Default)]
struct Slot {
    /// The session's hash XOR `turn`. A statistic, as `turn` is: the two need not agree, and are not used where they do not.
    guard: AtomicU64,
    /// Time, tokens and home; 0 = empty.
    turn: AtomicU64,
}

impl Slot {
    /// The session in it and the word of its turn.
    fn load(&self) -> (u64, u64) {
        let turn = self.turn.load(Ordering::Relaxed);
        (self.guard.load(Ordering::Relaxed) ^ turn, turn)
    }

    fn store(&self, session: u64, turn: u64) {
        self.turn.store(turn, Ordering::Relaxed);
        self.guard.store(session ^ turn, Ordering::Relaxed);
    }
}

/// The table.
pub struct Sessions {
    slots: Box<[Slot]>,
    hasher: RandomState,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Sessions {
    /// The session that a tenant calls `name`, with the model that it asks for.
    #[must_use]
    pub fn session(&self, tenant: u64, model: &str, name: &[u8]) -> Session {
        Session(self.hasher.hash_one((tenant, model, name)))
    }

    /// Remembers that `home` has answered a turn of `tokens` input tokens.
    pub fn remember(&self, session: Session, home: Home, tokens: u32, now: Time) {
        let stamp = stamp(now);
        let turn = stamp << (HOME_BITS + TOKEN_BITS)
            | u64::from(tokens.min((1 << TOKEN_BITS) - 1)) << HOME_BITS
            | u64::from(home.0);
        let age = |slot: &&Slot| {
            let (known, turn) = slot.load();
            match (turn, known == session.0) {
                (_, true) => u64::MAX,
                (0, _) => u64::MAX - 1,
                _ => stamp.wrapping_sub(turn >> (HOME_BITS + TOKEN_BITS)) & ((1 << TIME_BITS) - 1),
            }
        };
        if let Some(slot) = self.ways(session).max_by_key(age) {
            slot.store(session.0, turn);
        }
    }

    /// The last turn of a session, if it is remembered.
    #[must_use]
    pub fn recall(&self, session: Session, now: Time) -> Option<Turn> {
        let mut known = self.ways(session).map(Slot::load);
        let (_, turn) = known.find(|(known, turn)| *known == session.0 && *turn != 0)?;
        let age = stamp(now).wrapping_sub(turn >> (HOME_BITS + TOKEN_BITS));
        let age = age & ((1 << TIME_BITS) - 1);
        let micros = (now.as_micros() >> TIME_SHIFT).saturating_sub(age) << TIME_SHIFT;
        Some(Turn {
            home: Home((turn & ((1 << HOME_BITS) - 1)) as u32),
            tokens: (turn >> HOME_BITS & ((1 << TOKEN_BITS) - 1)) as u32,
            at: Time::from_micros(micros),
        })
    }

    fn ways(&self, session: Session) -> impl Iterator<Item = &Slot> {
        let first = session.0 as usize;
        (0..WAYS).map(move |way| &self.slots[first.wrapping_add(way) % SLOTS])
    }
}

/// A time as a word holds it.
fn stamp(now: Time) -> u64 {
    now.as_micros() >> TIME_SHIFT & ((1 << TIME_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds << TIME_SHIFT)
    }

    fn home(key: &str) -> Home {
        Home::of(&Identity {
            provider: "p".to_owned(),
            model: "m".to_owned(),
            key: key.to_owned(),
            region: String::new(),
        })
    }

    #[test]
    fn a_session_has_the_home_that_answered_last() {
        let sessions = Sessions::default();
        let session = sessions.session(1, "gpt", b"abc");
        assert_eq!(sessions.recall(session, at(9)), None);
        let turn = |key: &str, tokens: u32, seconds: u64| Turn {
            home: home(key),
            tokens,
            at: at(seconds),
        };
        sessions.remember(session, home("a"), 5_000, at(10));
        assert_eq!(sessions.recall(session, at(20)), Some(turn("a", 5_000, 10)));
        sessions.remember(session, home("b"), 3_000_000, at(30));
        let longest = turn("b", (1 << TOKEN_BITS) - 1, 30);
        assert_eq!(sessions.recall(session, at(30)), Some(longest));
        // Over the end of a stamp's bits.
        let late = (1 << TIME_BITS) - 1;
        sessions.remember(session, home("a"), 7, at(late));
        assert_eq!(
            sessions.recall(session, at(late + 3)),
            Some(turn("a", 7, late))
        );
    }

    #[test]
    fn nobody_shares_a_session() {
        let sessions = Sessions::default();
        let mine = sessions.session(1, "gpt", b"abc");
        sessions.remember(mine, home("a"), 5_000, at(10));
        for (tenant, model, name) in [(2, "gpt", "abc"), (1, "claude", "abc"), (1, "gpt", "abd")] {
            let other = sessions.session(tenant, model, name.as_bytes());
            assert_eq!(
                sessions.recall(other, at(10)),
                None,
                "{tenant} {model} {name}"
            );
        }
        assert_ne!(Sessions::default().session(1, "gpt", b"abc"), mine);
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let sessions = Sessions::default();
        // All of one place.
        let crowd: Vec<Session> = (0..=WAYS as u64)
            .map(|number| Session(number << 40 | 77))
            .collect();
        for (number, session) in crowd.iter().enumerate() {
            sessions.remember(*session, home("a"), 2_000, at(10 + number as u64));
        }
        let known = crowd
            .iter()
            .map(|it| sessions.recall(*it, at(20)).is_some());
        assert_eq!(known.collect::<Vec<_>>(), [false, true, true, true, true]);
    }

    #[test]
    fn what_was_torn_apart_is_no_memory() {
        let sessions = Sessions::default();
        let (one, other) = (Session(1 << 40 | 5), Session(2 << 40 | 5));
        sessions.remember(one, home("a"), 2_000, at(10));
        let slot = sessions.ways(one).find(|slot| slot.load().0 == one.0);
        let (slot, whole) = (slot.unwrap(), slot.unwrap().load());
        sessions.remember(other, home("b"), 9_000, at(11));
        // The turn of one writer under the guard of another.
        slot.turn.store(whole.1 + 1, Ordering::Relaxed);
        assert_eq!(sessions.recall(one, at(12)), None);
        assert!(sessions.recall(other, at(12)).is_some());
    }

    #[test]
    fn threads_never_recall_a_turn_that_nobody_had() {
        let sessions = Sessions::default();
        let homes = [home("a"), home("b"), home("c")];
        std::thread::scope(|scope| {
            for (number, home) in homes.into_iter().enumerate() {
                let sessions = &sessions;
                scope.spawn(move || {
                    for round in 0..20_000_u64 {
                        let session = Session((round % 7) << 40 | 3);
                        let tokens = 1_000 * (number as u32 + 1);
                        sessions.remember(session, home, tokens, at(10));
                        if let Some(turn) = sessions.recall(session, at(10)) {
                            let writer = homes.iter().position(|it| *it == turn.home);
                            let tokens = writer.map(|it| 1_000 * (it as u32 + 1));
                            assert_eq!(tokens, Some(turn.tokens));
                        }
                    }
                });
            }
        });
    }
}
