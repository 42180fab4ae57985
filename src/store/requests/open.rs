//! How do rows become a block?
//!
//! Each is spread over the columns when it comes; the columns are packed when the block is full, or is asked for.
//!
//! # Invariants
//! - A block has at most [`MOST_ROWS`] rows.

use super::columns::*;
use super::lexicon::Lexicon;
use super::pack::{PAD, pack, put};
use super::row::{Leg, Row, Tokens};
use super::summary::Summary;

/// Bytes that a row's columns take while the block is open, about, for those who count memory.
pub(super) const OPEN_ROW: usize = 8 * (ROW + LEG);

/// A block that rows come to.
#[derive(Debug)]
pub(super) struct Open {
    rows: [Vec<u64>; ROW],
    legs: [Vec<u64>; LEG],
    lexicons: [Lexicon; LEXICONS],
    /// What each route's name stands for.
    parts: [Vec<Box<str>>; PARTS],
    /// Clients' own ids, one after the other.
    ids: String,
    /// The numbers' upper halves, each with the least and the largest lower half.
    highs: Vec<(u64, u64, u64)>,
}

impl Default for Open {
    fn default() -> Self {
        Self {
            rows: std::array::from_fn(|_| Vec::new()),
            legs: std::array::from_fn(|_| Vec::new()),
            lexicons: std::array::from_fn(|_| Lexicon::default()),
            parts: std::array::from_fn(|_| Vec::new()),
            ids: String::new(),
            highs: Vec::new(),
        }
    }
}

impl Open {
    /// Rows that it has.
    pub(super) fn len(&self) -> usize {
        self.rows[AT].len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= MOST_ROWS
    }

    /// Empties it, and keeps its room.
    pub(super) fn clear(&mut self) {
        self.rows.iter_mut().for_each(Vec::clear);
        self.legs.iter_mut().for_each(Vec::clear);
        self.lexicons.iter_mut().for_each(Lexicon::clear);
        self.parts.iter_mut().for_each(Vec::clear);
        self.ids.clear();
        self.highs.clear();
    }

    /// Takes a row with its attempts.
    pub(super) fn push<'l>(&mut self, row: &Row<'_>, legs: impl Iterator<Item = Leg<'l>>) {
        legs.for_each(|leg| self.push_leg(&leg));
        let high = self.high(row.number);
        let mut one = [0; ROW];
        let mut say =
            |column: usize, text: Option<&str>| one[column] = self.lexicons[column].maybe(text);
        say(ENDPOINT, Some(row.endpoint));
        say(SURFACE, Some(row.surface));
        say(MODEL, row.model);
        say(ASKED, row.asked);
        say(WORKFLOW, row.workflow);
        say(KEY, row.key);
        say(TEAM, row.team);
        say(CUSTOMER, row.customer);
        say(ENDING, Some(row.ending));
        say(FAULT, row.fault);
        say(CACHE, row.cache);
        self.ids.push_str(row.id.unwrap_or_default());
        let trace = row.trace.unwrap_or(0);
        one[HIGH] = high;
        one[LOW] = row.number & u64::from(u32::MAX);
        one[AT] = row.at_us;
        one[TOOK] = row.took_us;
        one[OVERHEAD] = row.overhead_us;
        one[FIRST] = maybe(row.first_us);
        one[FLAGS] = flags(row);
        one[STATUS] = row.status.into();
        one[MAX_TOKENS] = maybe(row.max_tokens.map(u64::from));
        one[SESSION] = row.session.unwrap_or(0);
        one[TRACE_HIGH] = (trace >> 64) as u64;
        one[TRACE_LOW] = trace as u64;
        one[TOKENS..][..5].copy_from_slice(&counts(&row.tokens));
        one[COST] = row.cost;
        one[SAVED] = row.saved;
        one[LEGS_END] = self.legs[LEG_VIA].len() as u64;
        one[ID_END] = self.ids.len() as u64;
        for (column, value) in self.rows.iter_mut().zip(one) {
            column.push(value);
        }
    }

    fn push_leg(&mut self, leg: &Leg<'_>) {
        let via = &leg.via;
        let (route, is_new) = self.lexicons[ROUTES].number(via.route);
        if is_new {
            let parts = [via.provider, via.model, via.key, via.region];
            for (all, part) in self.parts.iter_mut().zip(parts) {
                all.push(part.into());
            }
        }
        let mut one = [0; LEG];
        one[LEG_VIA] = route;
        one[LEG_MODE] = self.lexicons[MODES].number(leg.mode).0;
        one[LEG_OUTCOME] = self.lexicons[OUTCOMES].number(leg.outcome).0;
        one[LEG_PROPENSITY] = leg.propensity.into();
        one[LEG_SCORE] = leg.score.into();
        for (slot, term) in one[LEG_TERMS..].iter_mut().zip(leg.terms_us) {
            *slot = (term << 1 ^ term >> 63).cast_unsigned();
        }
        one[LEG_BEGAN] = leg.began_us;
        one[LEG_SENT] = maybe(leg.sent_us);
        one[LEG_FIRST] = maybe(leg.first_us);
        one[LEG_TOOK] = leg.took_us;
        one[LEG_STATUS] = leg.status.into();
        one[LEG_TOKENS..][..5].copy_from_slice(&counts(&leg.tokens));
        one[LEG_COST] = leg.cost;
        for (column, value) in self.legs.iter_mut().zip(one) {
            column.push(value);
        }
    }

    /// The place of a number's upper half.
    fn high(&mut self, number: u64) -> u64 {
        let (high, low) = (number >> 32, number & u64::from(u32::MAX));
        if let Some(at) = self.highs.iter().position(|it| it.0 == high) {
            let range = &mut self.highs[at];
            *range = (high, range.1.min(low), range.2.max(low));
            return at as u64;
        }
        self.highs.push((high, low, low));
        self.highs.len() as u64 - 1
    }

    /// Its bytes from a row on.
    pub(super) fn encode(&self, from: usize) -> Vec<u8> {
        let count = self.len().saturating_sub(from);
        let before = |column: usize| match from {
            0 => 0,
            from => self.rows[column][from - 1],
        };
        let (legs_before, ids_before) = (before(LEGS_END), before(ID_END));
        let legs = &self.legs.each_ref().map(|it| &it[legs_before as usize..]);
        let mut out = Vec::with_capacity(1_024 + 64 * count);
        out.push(VERSION);
        put(&mut out, count as u64);
        put(&mut out, legs[0].len() as u64);
        put(&mut out, self.highs.len() as u64);
        self.highs.iter().for_each(|high| put(&mut out, high.0));
        let lexicons = self.lexicons.iter().map(Lexicon::texts);
        for texts in lexicons.chain(self.parts.iter().map(Vec::as_slice)) {
            put(&mut out, texts.len() as u64);
            texts.iter().for_each(|text| put_text(&mut out, text));
        }
        put_text(&mut out, &self.ids[ids_before as usize..]);
        for (index, column) in self.rows.iter().enumerate() {
            let less = match index {
                LEGS_END => legs_before,
                ID_END => ids_before,
                _ => 0,
            };
            sized(&mut out, column[from..].iter().map(|it| it - less));
        }
        for column in legs {
            sized(&mut out, column.iter().copied());
        }
        out.resize(out.len() + PAD, 0);
        out
    }

    /// What can be said of it without reading it.
    pub(super) fn summary(&self) -> Summary {
        let least = |column: usize| self.rows[column].iter().copied().min().unwrap_or(0);
        let most = |column: usize| self.rows[column].iter().copied().max().unwrap_or(0);
        let mut summary = Summary {
            rows: self.len() as u64,
            from_us: least(AT),
            to_us: most(AT),
            longest_us: most(TOOK),
            flags: self.rows[FLAGS].iter().fold(0, |all, it| all | it),
            all_flags: self.rows[FLAGS].iter().fold(u64::MAX, |all, it| all & it),
            ..Summary::default()
        };
        summary.texts(&self.lexicons, &self.parts[0]);
        summary.numbers(&self.highs);
        summary.statuses(&self.rows[STATUS]);
        let mut begin = 0;
        for at in 0..self.len() {
            let (flags, end) = (self.rows[FLAGS][at], self.rows[ID_END][at] as usize);
            if flags & IS_NAMED != 0 {
                summary.names(&self.ids[begin..end]);
            }
            if flags & HAS_SESSION != 0 {
                summary.sessions(self.rows[SESSION][at]);
            }
            if flags & HAS_TRACE != 0 {
                summary.traces(self.rows[TRACE_HIGH][at], self.rows[TRACE_LOW][at]);
            }
            begin = end;
        }
        summary.sift();
        summary
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A column with its length before it.
fn sized(out: &mut Vec<u8>, numbers: impl ExactSizeIterator<Item = u64> + Clone) {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    pack(out, numbers);
    let length = u32::try_from(out.len() - begin - 4).unwrap_or(u32::MAX);
    out[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
}

fn maybe(number: Option<u64>) -> u64 {
    number.map_or(0, |number| number.saturating_add(1))
}

fn counts(tokens: &Tokens) -> [u64; 5] {
    let Tokens {
        input,
        cached,
        cache_write,
        output,
        reasoning,
    } = *tokens;
    [input, cached, cache_write, output, reasoning].map(u64::from)
}

fn flags(row: &Row<'_>) -> u64 {
    let flag = |is: bool, bit: u64| if is { bit } else { 0 };
    flag(row.stream, IS_STREAM)
        | flag(row.explained, IS_EXPLAINED)
        | flag(row.content, HAS_CONTENT)
        | flag(row.id.is_some(), IS_NAMED)
        | flag(row.session.is_some(), HAS_SESSION)
        | flag(row.trace.is_some(), HAS_TRACE)
}
