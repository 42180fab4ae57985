//! What has changed, and what was learned? The last events, and who is told of new ones.
//!
//! # Invariants
//! - At most [`KEPT`] events are in memory; the oldest go first, and ids go up by one.
//! - Never used by a request: housekeeping and operators note events, the admin plane reads them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

/// Events in memory, at most: a day of a busy gateway, some 2 MiB.
pub const KEPT: usize = 4_096;

/// What kind of thing happened: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A route changed its state.
    State,
    /// A ceiling became known, or another one.
    Ceiling,
    /// A route is set aside until an instant, or no longer.
    Hold,
    /// The traffic does not follow the operator's weights, or does again.
    Weights,
    /// The configuration was read anew.
    Config,
    /// An operator did something.
    Operator,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::State,
        Self::Ceiling,
        Self::Hold,
        Self::Weights,
        Self::Config,
        Self::Operator,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Ceiling => "ceiling",
            Self::Hold => "hold",
            Self::Weights => "weights",
            Self::Config => "config",
            Self::Operator => "operator",
        }
    }
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number, from 1 on; given by [`Events::note`].
    pub id: u64,
    /// When, µs since 1970.
    pub at_us: u64,
    /// Of what kind.
    pub kind: Kind,
    /// The route that it is about, if it is about one.
    pub route: Option<Box<str>>,
    /// One sentence for people.
    pub what: Box<str>,
    /// What it rests on, by name: numbers and words.
    pub evidence: Map<String, Value>,
}

/// The last events.
#[derive(Debug, Default)]
pub struct Events {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Event>,
    last: u64,
}

impl Events {
    /// Takes an event and gives it its number.
    pub fn note(&self, event: Event) -> u64 {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        let id = kept.last;
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Event { id, ..event });
        id
    }

    /// The events after this number, oldest first, at most `most`.
    #[must_use]
    pub fn after(&self, id: u64, most: usize) -> Vec<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = kept.events.partition_point(|event| event.id <= id);
        kept.events.iter().skip(begin).take(most).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: &str) -> Event {
        Event {
            id: 0,
            at_us: 1,
            kind: Kind::Operator,
            route: None,
            what: what.into(),
            evidence: Map::new(),
        }
    }

    #[test]
    fn the_oldest_go_first_and_numbers_go_on() {
        let events = Events::default();
        for number in 1..=KEPT as u64 + 3 {
            assert_eq!(events.note(event("x")), number);
        }
        let all = events.after(0, usize::MAX);
        assert_eq!((all.len(), all[0].id), (KEPT, 4));
        let last = events.after(KEPT as u64 + 1, 1);
        assert_eq!((last.len(), last[0].id), (1, KEPT as u64 + 2));
    }
}
