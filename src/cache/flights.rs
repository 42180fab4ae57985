//! Is the same being asked right now?
//!
//! The first request of its kind leads; those that come while it is under way follow it, and get what it gets, piece by piece.
//!
//! # Invariants
//! - A flight ends exactly once: with the whole answer, or in vain. A leader that is dropped untold has flown in vain.
//! - Followers of a flight that ended in vain try for themselves, unless they have told their clients a part of it: then they break off as their leader did.
//! - What followers get is what the leader's client got, byte for byte.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use tokio::sync::watch;

use super::entry::Manner;
use super::scope::Key;

/// Flights at once, at most; beyond it the oldest are forgotten, and who asks for the same leads again.
const MOST: u64 = 65_536;

/// Pieces of one flight that are kept for those who come late, at most: then it takes no more followers.
const MOST_PIECES: usize = 65_536;

/// Bytes of one flight that are kept, at most: it is in vain for its followers then.
const MOST_BYTES: usize = 64 << 20;

/// A flight that lasts longer is not followed any more.
const LONGEST: Duration = Duration::from_secs(600);

/// What can be said of a flight.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// What the answer is said to be, once it has begun.
    pub head: Option<Arc<str>>,
    /// What has come so far.
    pub pieces: Vec<Bytes>,
    /// Bytes of them.
    pub bytes: usize,
    /// How it ended, if it has.
    pub over: Option<Over>,
}

/// How a flight ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The answer is whole.
    Whole,
    /// It is not.
    InVain,
}

/// Everything that is under way.
#[derive(Debug)]
pub struct Flights {
    all: Cache<(Key, Manner), Arc<watch::Sender<Log>>>,
}

impl Default for Flights {
    fn default() -> Self {
        Self {
            all: Cache::builder()
                .max_capacity(MOST)
                .time_to_live(LONGEST)
                .build(),
        }
    }
}

/// What a request is to a flight.
#[derive(Debug)]
pub enum Part {
    /// It leads.
    Leader(Leader),
    /// It follows.
    Follower(Follower),
}

/// The request that is under way for all.
#[derive(Debug)]
pub struct Leader {
    flights: Cache<(Key, Manner), Arc<watch::Sender<Log>>>,
    of: (Key, Manner),
    log: Arc<watch::Sender<Log>>,
}

/// A request that waits for another.
#[derive(Clone, Debug)]
pub struct Follower {
    log: watch::Receiver<Log>,
    /// Pieces that were taken already.
    taken: usize,
}

/// What comes next for a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This piece.
    Piece(Bytes),
    /// Nothing more: the answer is whole.
    End,
    /// Nothing more: the flight was in vain.
    Broken,
}

impl Flights {
    /// Joins the flight of what is asked, or begins it.
    #[must_use]
    pub fn join(&self, key: Key, manner: Manner) -> Part {
        let of = (key, manner);
        let begin = || Arc::new(watch::Sender::new(Log::default()));
        let entry = self.all.entry(of).or_insert_with(begin);
        let is_fresh = entry.is_fresh();
        let log = entry.into_value();
        if is_fresh || log.borrow().over.is_some() || log.borrow().pieces.len() >= MOST_PIECES {
            if !is_fresh {
                let log = begin();
                self.all.insert(of, Arc::clone(&log));
                return self.leader(of, log);
            }
            return self.leader(of, log);
        }
        Part::Follower(Follower {
            log: log.subscribe(),
            taken: 0,
        })
    }

    fn leader(&self, of: (Key, Manner), log: Arc<watch::Sender<Log>>) -> Part {
        Part::Leader(Leader {
            flights: self.all.clone(),
            of,
            log,
        })
    }
}

impl Leader {
    /// Says that the answer begins.
    pub fn begins(&self, content_type: &str) {
        self.log
            .send_modify(|log| log.head = Some(Arc::from(content_type)));
    }

    /// Hands a piece on.
    pub fn passes(&self, piece: &Bytes) {
        self.log.send_modify(|log| {
            log.bytes += piece.len();
            if log.bytes > MOST_BYTES {
                log.pieces.clear();
                log.over.get_or_insert(Over::InVain);
            }
            if log.over.is_none() {
                log.pieces.push(piece.clone());
            }
        });
    }

    /// Whether anybody follows.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.log.receiver_count() > 0
    }

    /// Ends the flight; only the first call counts.
    pub fn ends(&self, how: Over) {
        let ended = self.log.send_if_modified(|log| {
            let first = log.over.is_none();
            log.over.get_or_insert(how);
            first
        });
        let is_mine = |log: &Arc<watch::Sender<Log>>| Arc::ptr_eq(log, &self.log);
        if ended && self.flights.get(&self.of).as_ref().is_some_and(is_mine) {
            self.flights.invalidate(&self.of);
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.ends(Over::InVain);
    }
}

impl Follower {
    /// Waits until the answer begins: what it is said to be; none if the flight is over in vain before that.
    pub async fn begins(&mut self) -> Option<Arc<str>> {
        let known = |log: &Log| log.head.is_some() || log.over.is_some();
        let log = self.log.wait_for(known).await.ok()?;
        if log.over == Some(Over::InVain) {
            return None;
        }
        log.head.clone()
    }

    /// Waits for the next piece.
    pub async fn next(&mut self) -> Next {
        let taken = self.taken;
        let come = |log: &Log| log.pieces.len() > taken || log.over.is_some();
        let Ok(log) = self.log.wait_for(come).await else {
            return Next::Broken;
        };
        if let Some(piece) = log.pieces.get(taken) {
            self.taken += 1;
            return Next::Piece(piece.clone());
        }
        match log.over {
            Some(Over::Whole) => Next::End,
            _ => Next::Broken,
        }
    }

    /// Waits for the whole answer; none if the flight was in vain.
    pub async fn whole(&mut self) -> Option<(Arc<str>, Bytes)> {
        let log = self.log.wait_for(|log| log.over.is_some()).await.ok()?;
        if log.over != Some(Over::Whole) {
            return None;
        }
        let bytes = match &log.pieces[..] {
            [one] => one.clone(),
            many => many.concat().into(),
        };
        Some((log.head.clone()?, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::scope::{Scope, Secret};
    use super::*;
    use crate::config::Sharing;

    const STREAM: Manner = Manner {
        endpoint: 0,
        streamed: true,
        variety: 0,
    };

    fn key(what: &[u8]) -> Key {
        let secret = Secret::new(&[1; 32]);
        Key::new(&secret, Scope::new(&secret, Sharing::Key, b"a"), &[what])
    }

    fn leader(part: Part) -> Leader {
        match part {
            Part::Leader(leader) => leader,
            Part::Follower(_) => panic!("follows"),
        }
    }

    fn follower(part: Part) -> Follower {
        match part {
            Part::Follower(follower) => follower,
            Part::Leader(_) => panic!("leads"),
        }
    }

    #[tokio::test]
    async fn followers_get_what_the_leader_gets() {
        let flights = Flights::default();
        let first = leader(flights.join(key(b"x"), STREAM));
        let mut early = follower(flights.join(key(b"x"), STREAM));
        let _other = leader(flights.join(key(b"y"), STREAM));
        assert!(first.is_followed());
        first.begins("text/event-stream");
        first.passes(&Bytes::from_static(b"a"));
        let mut late = follower(flights.join(key(b"x"), STREAM));
        first.passes(&Bytes::from_static(b"b"));
        first.ends(Over::Whole);
        for it in [&mut early, &mut late] {
            assert_eq!(it.begins().await.as_deref(), Some("text/event-stream"));
            assert_eq!(it.next().await, Next::Piece(Bytes::from_static(b"a")));
            assert_eq!(it.next().await, Next::Piece(Bytes::from_static(b"b")));
            assert_eq!(it.next().await, Next::End);
            let (_, whole) = it.whole().await.unwrap();
            assert_eq!(whole, Bytes::from_static(b"ab"));
        }
        // What comes after the end leads anew.
        drop(leader(flights.join(key(b"x"), STREAM)));
    }

    #[tokio::test]
    async fn a_flight_in_vain_wakes_its_followers() {
        let flights = Flights::default();
        let first = leader(flights.join(key(b"x"), STREAM));
        let mut waiting = follower(flights.join(key(b"x"), STREAM));
        let mut reading = waiting.clone();
        first.begins("text/event-stream");
        assert!(reading.begins().await.is_some());
        drop(first);
        assert_eq!(reading.next().await, Next::Broken);
        assert!(waiting.begins().await.is_none());
        assert!(waiting.whole().await.is_none());
        drop(leader(flights.join(key(b"x"), STREAM)));
    }

    #[test]
    fn a_late_end_does_not_end_the_next_flight() {
        let flights = Flights::default();
        let first = leader(flights.join(key(b"x"), STREAM));
        first.ends(Over::Whole);
        let second = leader(flights.join(key(b"x"), STREAM));
        drop(first);
        let _follows = follower(flights.join(key(b"x"), STREAM));
        assert!(second.is_followed());
    }
}
