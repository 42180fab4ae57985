//! Where are the answers?
//!
//! Three maps, each bounded: what was asked, as its bytes are, to what it means; what it means to the answers; and the answers, by what they are called.
//! A map whose entry leads nowhere is a miss; nothing has to be kept in step.
//!
//! # Invariants
//! - What is found was kept under the key that was looked for: the whole key is compared, its scope included.
//! - Nothing is served after its time, whatever the maps still hold.
//! - Room is bounded in bytes: answers by their own, everything else by its number; and so is what one scope may have of it beside others.

use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::entry::{Entry, Manner};
use super::scope::{Key, Scope};
use super::shares::Shares;

/// Answers to one question that are kept, at most: every dialect, whole and streamed.
const MOST_TELLINGS: usize = 8;

/// Less room than any answer has, bytes: questions go with their answers, and this bounds those that have not gone yet.
const LEAST_ROOM: u64 = 256;

/// Longest that anything is kept; every answer has a shorter time of its own.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// The answers.
#[derive(Debug)]
pub struct Shelf {
    letters: Cache<Key, Key>,
    questions: Cache<Key, Arc<[u64]>>,
    answers: Cache<u64, Arc<Entry>>,
    shares: Arc<Shares>,
}

impl Shelf {
    /// Room for so many bytes of answers, of which one scope may have this share beside others, 0 to 1; who is told what is pushed out or taken away.
    #[must_use]
    pub fn new(
        (bytes, share): (usize, f64),
        gone: impl Fn(Arc<Entry>) + Send + Sync + 'static,
    ) -> Self {
        let bytes = bytes as u64;
        let shares = Arc::new(Shares::new(bytes, share));
        let given = Arc::clone(&shares);
        let most = (bytes / LEAST_ROOM).max(1);
        let questions: Cache<Key, Arc<[u64]>> = Cache::builder()
            .max_capacity(most)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(LONGEST)
            .build();
        let asked = questions.clone();
        let gone = move |entry: Arc<Entry>| {
            given.gives(entry.key.scope(), entry.weight().into());
            // One that stayed would push out another, which may be of another scope.
            asked.entry(entry.key).and_compute_with(|ids| match ids {
                Some(ids) => without(ids.value(), entry.id),
                None => Op::Nop,
            });
            gone(entry);
        };
        Self {
            letters: Cache::builder()
                .max_capacity(most)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            questions,
            answers: Cache::builder()
                .max_capacity(bytes)
                .weigher(|_, entry: &Arc<Entry>| entry.weight())
                .eviction_listener(move |_, entry, _| gone(entry))
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(LONGEST)
                .build(),
            shares,
        }
    }

    /// Whether the scope of an answer may hold that as well.
    #[must_use]
    pub fn has_room(&self, entry: &Entry) -> bool {
        self.shares
            .has_room(entry.key.scope(), entry.weight().into())
    }

    /// Has a scope that holds more than its share give up its oldest answers; how many. Off the path of requests.
    pub fn trim(&self, scope: Scope) -> usize {
        self.answers.run_pending_tasks();
        let mut surplus = self.shares.surplus(scope);
        if surplus == 0 {
            return 0;
        }
        let mut own = self.of(scope);
        own.sort_by_key(|entry| (entry.stored_ms, entry.id));
        let mut given = 0;
        for entry in own {
            if surplus == 0 {
                break;
            }
            surplus = surplus.saturating_sub(entry.weight().into());
            given += usize::from(self.remove(entry.id));
        }
        given
    }

    /// What a request means that was asked in these bytes before.
    #[must_use]
    pub fn meaning(&self, letter: &Key) -> Option<Key> {
        self.letters.get(letter)
    }

    /// Remembers what a request means.
    pub fn learn(&self, letter: Key, meaning: Key) {
        self.letters.insert(letter, meaning);
    }

    /// The freshest answer to a question, one told in this manner before all others.
    #[must_use]
    pub fn find(
        &self,
        key: &Key,
        manner: Manner,
        (now_ms, max_age_s): (i64, Option<u64>),
    ) -> Option<Arc<Entry>> {
        let ids = self.questions.get(key)?;
        let entries = ids.iter().filter_map(|&id| self.entry(id));
        let fits = |entry: &Arc<Entry>| entry.key == *key && entry.is_fresh(now_ms, max_age_s);
        entries
            .filter(fits)
            .max_by_key(|entry| (entry.manner == manner, entry.stored_ms))
    }

    /// The answer of this id.
    #[must_use]
    pub fn entry(&self, id: u64) -> Option<Arc<Entry>> {
        self.answers.get(&id)
    }

    /// Keeps an answer, in place of one to the same question that was told in the same manner; what is pushed out is returned.
    pub fn put(&self, entry: Arc<Entry>) -> Vec<u64> {
        let before = self.questions.get(&entry.key);
        let mut pushed = Vec::new();
        let mut ids = vec![entry.id];
        for &id in before.iter().flat_map(|ids| ids.iter()) {
            let keep = self.entry(id).is_some_and(|it| it.manner != entry.manner);
            if keep && ids.len() < MOST_TELLINGS {
                ids.push(id);
            } else if id != entry.id {
                pushed.push(id);
            }
        }
        for id in &pushed {
            self.answers.invalidate(id);
        }
        self.questions.insert(entry.key, ids.into());
        self.shares.takes(entry.key.scope(), entry.weight().into());
        self.answers.insert(entry.id, entry);
        pushed
    }

    /// Takes an answer away; whether it was there.
    pub fn remove(&self, id: u64) -> bool {
        self.answers.remove(&id).is_some()
    }

    /// The answers of which this holds; off the path of requests.
    #[must_use]
    pub fn those(&self, holds: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let all = self.answers.iter().map(|(_, entry)| entry);
        all.filter(|entry| holds(entry)).collect()
    }

    /// The answers of a scope.
    #[must_use]
    pub fn of(&self, scope: Scope) -> Vec<Arc<Entry>> {
        self.those(|entry| entry.key.scope() == scope)
    }

    /// How many answers there are, and their bytes, about.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        self.answers.run_pending_tasks();
        (self.answers.entry_count(), self.answers.weighted_size())
    }
}

/// The answers to a question but this one.
fn without(ids: &[u64], id: u64) -> Op<Arc<[u64]>> {
    let left: Vec<u64> = ids.iter().copied().filter(|it| *it != id).collect();
    match left.len() {
        0 => Op::Remove,
        few if few == ids.len() => Op::Nop,
        _ => Op::Put(left.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bytes::Bytes;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::super::scope::Secret;
    use super::*;
    use crate::config::{Nano, Sharing};

    fn key(who: u32, what: u32) -> Key {
        let secret = Secret::new(&[7; 32]);
        let scope = Scope::new(&secret, Sharing::Key, &who.to_be_bytes());
        Key::new(&secret, scope, &[&what.to_be_bytes()])
    }

    const fn manner(streamed: bool) -> Manner {
        Manner {
            endpoint: 0,
            streamed,
            variety: 0,
        }
    }

    fn entry(id: u64, key: Key, (stored_s, ttl_s): (i64, i64), bytes: String) -> Arc<Entry> {
        Arc::new(Entry {
            id,
            key,
            manner: manner(false),
            content_type: "application/json".into(),
            bytes: Bytes::from(bytes),
            stored_ms: stored_s * 1_000,
            expires_ms: (stored_s + ttl_s) * 1_000,
            request: "r".into(),
            author: 1,
            model: "m".into(),
            tags: Box::default(),
            cost: Nano::ZERO,
            tokens: (1, 1),
            question: None,
        })
    }

    #[test]
    fn answers_age_and_end() {
        let shelf = Shelf::new((1 << 20, 1.0), drop);
        let key = key(1, 1);
        shelf.put(entry(1, key, (100, 60), "a".into()));
        let find = |now_s: i64, max_age| {
            shelf
                .find(&key, manner(false), (now_s * 1_000, max_age))
                .is_some()
        };
        assert!(find(100, None) && find(159, None));
        assert!(!find(160, None), "its time is over");
        assert!(find(110, Some(10)) && !find(111, Some(10)));
        assert!(!find(80, None), "it comes from the future");
    }

    #[test]
    fn each_manner_is_kept_and_the_asking_one_comes_first() {
        let shelf = Shelf::new((1 << 20, 1.0), drop);
        let key = key(1, 1);
        let told = |id, streamed| {
            let entry = Arc::into_inner(entry(id, key, (0, 60), id.to_string())).unwrap();
            Arc::new(Entry {
                manner: manner(streamed),
                ..entry
            })
        };
        assert!(shelf.put(told(1, false)).is_empty());
        assert!(shelf.put(told(2, true)).is_empty());
        assert_eq!(shelf.put(told(3, false)), [1]);
        let find = |streamed| shelf.find(&key, manner(streamed), (0, None)).unwrap().id;
        assert_eq!((find(false), find(true)), (3, 2));
        assert!(shelf.remove(3) && !shelf.remove(3));
        assert_eq!(find(false), 2, "another manner can be told again");
    }

    #[test]
    fn room_is_bounded() {
        let shelf = Shelf::new((64 << 10, 1.0), drop);
        for id in 1..2_000 {
            shelf.put(entry(id, key(1, id as u32), (0, 60), "x".repeat(1_000)));
        }
        let (count, bytes) = shelf.size();
        assert!(
            (1..=65).contains(&count) && bytes <= 64 << 10,
            "{count} {bytes}"
        );
    }

    /// One scope asks for as much as there is room, many times over: of what others have nothing goes but what its own share needs.
    #[test]
    fn one_scope_does_not_push_out_the_others() {
        let shelf = Shelf::new((64 << 10, 0.5), drop);
        let add = |id: u64, who: u32| {
            let entry = entry(id, key(who, id as u32), (id as i64, 60), "x".repeat(512));
            if shelf.has_room(&entry) {
                shelf.put(entry);
            } else {
                assert!(shelf.trim(key(who, 0).scope()) > 0, "{id}");
            }
        };
        let theirs = 15;
        for id in 0..theirs {
            add(id, 2);
        }
        for id in theirs..10_000 {
            add(id, 1);
            shelf.answers.run_pending_tasks();
        }
        let is_found = |id: &u64| {
            let key = key(2, *id as u32);
            shelf.find(&key, manner(false), (40_000, None)).is_some()
        };
        let left = (0..theirs).filter(is_found).count();
        assert_eq!(
            left, theirs as usize,
            "they need less than half of the room"
        );
        let own = shelf.of(key(1, 0).scope()).len();
        assert!((13..=18).contains(&own), "{own}");
    }

    /// Against a plain map: what is found is what this tenant was answered last, and nothing of anybody else.
    #[test]
    fn nobody_finds_anothers_answer() {
        let seed = 20_261_126;
        let mut rng = StdRng::seed_from_u64(seed);
        let shelf = Shelf::new((1 << 30, 1.0), drop);
        let mut plain: HashMap<(u32, u32), (i64, String)> = HashMap::new();
        let (mut now, mut hits) = (0, 0);
        for id in 1..=1_000_000_u64 {
            let (who, what) = (rng.random_range(0..200_u32), rng.random_range(0..50_u32));
            now += i64::from(rng.random_bool(0.01));
            let key = key(who, what);
            let found = shelf.find(&key, manner(false), (now * 1_000, None));
            let expected = plain.get(&(who, what)).filter(|(until, _)| now < *until);
            let told = found.map(|it| String::from_utf8(it.bytes.to_vec()).unwrap());
            assert_eq!(
                told.as_ref(),
                expected.map(|it| &it.1),
                "seed {seed}, step {id}"
            );
            hits += u32::from(told.is_some());
            if told.is_none() {
                let ttl = rng.random_range(1..500);
                let text = format!("{who} {what} {id}");
                plain.insert((who, what), (now + ttl, text.clone()));
                shelf.put(entry(id, key, (now, ttl), text));
            }
        }
        assert!(hits > 500_000, "{hits}");
    }
}
