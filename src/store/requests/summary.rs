//! Which blocks need not be read?
//!
//! # Invariants
//! - What a summary says cannot be in a block is not in it; what it says may be in it may be missing.

use super::columns::*;
use super::filter::{Field, Filter, Id};
use super::lexicon::{Lexicon, mark, mixed};
use super::pack::{put, take};

/// Different texts of a column that are told apart; where there are more, any may be there.
const MOST_TEXTS: usize = 512;

/// Ranges of numbers that are told apart: one a worker and process.
const MOST_RANGES: usize = 64;

/// Bits of the sieve for each id, session and trace: with [`PROBES`], 1 in 100 blocks is read in vain.
const BITS_PER_MARK: usize = 10;

/// Bits of the sieve that are looked at for each.
const PROBES: u64 = 6;

/// What is known of a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Summary {
    pub(super) rows: u64,
    pub(super) from_us: u64,
    pub(super) to_us: u64,
    pub(super) longest_us: u64,
    /// The flags that a row has, and those that all have.
    pub(super) flags: u64,
    pub(super) all_flags: u64,
    /// For each field the fingerprints of its texts, sorted; none if there are too many.
    pub(super) texts: Vec<Option<Vec<u32>>>,
    /// The upper halves of the numbers, with the range of the lower; none if there are too many.
    pub(super) numbers: Option<Vec<(u64, u64, u64)>>,
    /// The statuses that occur; none if there are too many.
    pub(super) statuses: Option<Vec<u16>>,
    /// Fingerprints of ids, sessions and traces that wait to be put into the sieve.
    pub(super) marks: Vec<u64>,
    /// What fingerprints leave behind; empty if there are none.
    pub(super) sieve: Vec<u64>,
}

/// Salts, so that an id and a session never look the same.
const SESSION_SALT: u64 = 0x5e55;
const TRACE_SALT: u64 = 0x7ace;

fn short(text: &str) -> u32 {
    (mark(text.as_bytes()) >> 32) as u32
}

impl Summary {
    pub(super) fn texts(&mut self, lexicons: &[Lexicon], providers: &[Box<str>]) {
        let of = |field: Field| match field {
            Field::Provider => providers,
            field => lexicons[field.lexicon()].texts(),
        };
        self.texts = Field::ALL
            .iter()
            .map(|field| {
                let texts = of(*field);
                (texts.len() <= MOST_TEXTS).then(|| {
                    let mut marks: Vec<u32> = texts.iter().map(|it| short(it)).collect();
                    marks.sort_unstable();
                    marks.dedup();
                    marks
                })
            })
            .collect();
    }

    pub(super) fn numbers(&mut self, highs: &[(u64, u64, u64)]) {
        self.numbers = (highs.len() <= MOST_RANGES).then(|| highs.to_vec());
    }

    pub(super) fn statuses(&mut self, column: &[u64]) {
        let mut found: Vec<u16> = Vec::new();
        for status in column.iter().map(|it| *it as u16) {
            if !found.contains(&status) {
                if found.len() == MOST_RANGES {
                    self.statuses = None;
                    return;
                }
                found.push(status);
            }
        }
        self.statuses = Some(found);
    }

    pub(super) fn names(&mut self, id: &str) {
        self.marks.push(mark(id.as_bytes()));
    }

    pub(super) fn sessions(&mut self, session: u64) {
        self.marks.push(mixed(session ^ SESSION_SALT));
    }

    pub(super) fn traces(&mut self, high: u64, low: u64) {
        self.marks.push(mixed(high ^ mixed(low ^ TRACE_SALT)));
    }

    /// Puts what waits into the sieve.
    pub(super) fn sift(&mut self) {
        let marks = std::mem::take(&mut self.marks);
        self.sieve = vec![0; (marks.len() * BITS_PER_MARK).div_ceil(64)];
        let bits = self.sieve.len() as u64 * 64;
        for mark in marks {
            for bit in places(mark, bits) {
                self.sieve[(bit / 64) as usize] |= 1 << (bit % 64);
            }
        }
    }

    fn may_hold(&self, mark: u64) -> bool {
        let bits = self.sieve.len() as u64 * 64;
        bits > 0
            && places(mark, bits).all(|bit| self.sieve[(bit / 64) as usize] >> (bit % 64) & 1 == 1)
    }

    fn may_say(&self, field: Field, text: &str) -> bool {
        match self.texts.get(field as usize) {
            Some(Some(marks)) => marks.binary_search(&short(text)).is_ok(),
            _ => true,
        }
    }

    /// Whether a row that the filter lets pass may be in the block.
    pub(super) fn may_pass(&self, filter: &Filter) -> bool {
        let flag = |wanted: Option<bool>, bit: u64| match wanted {
            None => true,
            Some(true) => self.flags & bit != 0,
            Some(false) => self.all_flags & bit == 0,
        };
        let texts = filter.texts.iter().all(|(field, text)| {
            let others = field.or().is_some_and(|or| self.may_say(or, text));
            others || self.may_say(*field, text)
        });
        let known = |status| self.statuses.as_ref().is_none_or(|it| it.contains(&status));
        filter.from_us.is_none_or(|from| self.to_us >= from)
            && filter.to_us.is_none_or(|to| self.from_us < to)
            && filter.min_us.is_none_or(|least| self.longest_us >= least)
            && flag(filter.stream, IS_STREAM)
            && filter.status.is_none_or(known)
            && texts
    }

    /// Whether it may be in the block as far as the sieve and the numbers tell.
    pub(super) fn may_hold_marks(&self, filter: &Filter) -> bool {
        let session = |it: u64| self.may_hold(mixed(it ^ SESSION_SALT));
        let trace = |it: u128| {
            let (high, low) = ((it >> 64) as u64, it as u64);
            self.may_hold(mixed(high ^ mixed(low ^ TRACE_SALT)))
        };
        let id = match &filter.id {
            None => true,
            Some(Id::Exact(text)) => {
                let own = Id::number(text).is_some_and(|it| self.may_count(it, it));
                own || self.may_hold(mark(text.as_bytes()))
            }
            Some(Id::Prefix(text)) => {
                let own = Id::range(text).is_some_and(|(least, most)| self.may_count(least, most));
                own || self.flags & IS_NAMED != 0
            }
        };
        filter.session.is_none_or(session) && filter.trace.is_none_or(trace) && id
    }

    fn may_count(&self, least: u64, most: u64) -> bool {
        self.numbers.as_ref().is_none_or(|all| {
            all.iter()
                .any(|(high, first, last)| high << 32 | first <= most && high << 32 | last >= least)
        })
    }

    /// Its bytes, without the sieve.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let plain = [
            u64::from(VERSION),
            self.rows,
            self.from_us,
            self.to_us,
            self.longest_us,
            self.flags,
            self.all_flags,
        ];
        plain.into_iter().for_each(|it| put(&mut out, it));
        for marks in &self.texts {
            put_list(
                &mut out,
                marks.as_ref().map(|it| it.iter().map(|it| u64::from(*it))),
            );
        }
        let flat = |all: &Vec<(u64, u64, u64)>| {
            let each = all.iter().flat_map(|it| [it.0, it.1, it.2]);
            each.collect::<Vec<u64>>()
        };
        put_list(&mut out, self.numbers.as_ref().map(flat));
        put_list(
            &mut out,
            self.statuses
                .as_ref()
                .map(|it| it.iter().map(|it| u64::from(*it))),
        );
        out
    }

    /// What such bytes say; none if they are no summary of this version.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let from = &mut bytes;
        let mut plain = [0; 7];
        for slot in &mut plain {
            *slot = take(from)?;
        }
        let [version, rows, from_us, to_us, longest_us, flags, all_flags] = plain;
        if version != u64::from(VERSION) {
            return None;
        }
        let mut texts = Vec::with_capacity(Field::ALL.len());
        for _ in Field::ALL {
            let list = take_list(from)?;
            texts.push(list.map(|it| it.into_iter().map(|it| it as u32).collect()));
        }
        let numbers = take_list(from)?.map(|flat| {
            let (all, _) = flat.as_chunks::<3>();
            all.iter().map(|it| (it[0], it[1], it[2])).collect()
        });
        let statuses = take_list(from)?;
        Some(Self {
            rows,
            from_us,
            to_us,
            longest_us,
            flags,
            all_flags,
            texts,
            numbers,
            statuses: statuses.map(|it| it.into_iter().map(|it| it as u16).collect()),
            marks: Vec::new(),
            sieve: Vec::new(),
        })
    }

    /// The sieve's bytes.
    pub(super) fn sieve_bytes(&self) -> Vec<u8> {
        self.sieve.iter().flat_map(|it| it.to_le_bytes()).collect()
    }

    /// Takes the sieve's bytes.
    pub(super) fn set_sieve(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<8>();
        self.sieve = words.iter().map(|it| u64::from_le_bytes(*it)).collect();
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn size(&self) -> usize {
        let texts = self.texts.iter().flatten().map(Vec::len).sum::<usize>();
        256 + 8 * self.sieve.len() + 4 * texts
    }
}

/// The bits that stand for a fingerprint.
fn places(mark: u64, bits: u64) -> impl Iterator<Item = u64> {
    let step = mark >> 32 | 1;
    (0..PROBES).map(move |probe| mark.wrapping_add(step.wrapping_mul(probe)) % bits.max(1))
}

/// A list with its length before it, plus one; 0 where there is none.
fn put_list(out: &mut Vec<u8>, list: Option<impl IntoIterator<Item = u64>>) {
    let Some(list) = list else {
        put(out, 0);
        return;
    };
    let all: Vec<u64> = list.into_iter().collect();
    put(out, all.len() as u64 + 1);
    all.into_iter().for_each(|it| put(out, it));
}

fn take_list(bytes: &mut &[u8]) -> Option<Option<Vec<u64>>> {
    let Some(count) = take(bytes)?.checked_sub(1) else {
        return Some(None);
    };
    if count > bytes.len() as u64 {
        return None;
    }
    let all: Option<Vec<u64>> = (0..count).map(|_| take(bytes)).collect();
    all.map(Some)
}
