//! How is a block read?
//!
//! # Invariants
//! - Whatever the bytes are, reading gives rows and never panics.

use std::ops::Range;

use super::columns::*;
use super::pack::{Column, take};
use super::row::{Leg, Row, Tokens, Via};

/// A block, ready to be read.
#[derive(Debug)]
pub(super) struct Block {
    bytes: Box<[u8]>,
    count: usize,
    legs: usize,
    pub(super) highs: Vec<u64>,
    /// The lexicons' texts and the routes' parts, as places in the bytes.
    texts: Vec<Vec<Range<usize>>>,
    ids: Range<usize>,
    /// Where each column begins, rows' first.
    columns: Vec<usize>,
}

impl Block {
    /// Reads where what is; none if the bytes are no block of this version.
    pub(super) fn new(bytes: Box<[u8]>) -> Option<Self> {
        let mut rest: &[u8] = &bytes;
        if take(&mut rest)? != u64::from(VERSION) {
            return None;
        }
        let mut number = || usize::try_from(take(&mut rest)?).ok();
        let (count, legs, highs) = (number()?, number()?, number()?);
        if count > MOST_ROWS || highs > count.max(MOST_ROWS) {
            return None;
        }
        let highs: Option<Vec<u64>> = (0..highs).map(|_| take(&mut rest)).collect();
        let mut at = bytes.len() - rest.len();
        let mut texts = Vec::with_capacity(LEXICONS + PARTS);
        for _ in 0..LEXICONS + PARTS {
            let mut rest = bytes.get(at..)?;
            let many = usize::try_from(take(&mut rest)?).ok()?;
            at = bytes.len() - rest.len();
            let mut all = Vec::with_capacity(many.min(bytes.len()));
            for _ in 0..many {
                let text = text(&bytes, at)?;
                at = text.end;
                all.push(text);
            }
            texts.push(all);
        }
        let ids = text(&bytes, at)?;
        at = ids.end;
        let mut columns = Vec::with_capacity(ROW + LEG);
        for _ in 0..ROW + LEG {
            let length: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            columns.push(at + 4);
            at = at.checked_add(4 + u32::from_le_bytes(length) as usize)?;
        }
        let highs = highs?;
        Some(Self {
            bytes,
            count,
            legs,
            highs,
            texts,
            ids,
            columns,
        })
    }

    /// Rows that it has.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn size(&self) -> usize {
        let texts: usize = self.texts.iter().map(Vec::len).sum();
        self.bytes.len() + 16 * texts + 8 * self.columns.len()
    }

    /// The bytes that it is.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A column of rows.
    pub(super) fn column(&self, index: usize) -> Option<Column<'_>> {
        Column::new(&self.bytes, *self.columns.get(index)?, self.count)
    }

    /// A column of attempts.
    pub(super) fn leg_column(&self, index: usize) -> Option<Column<'_>> {
        Column::new(&self.bytes, *self.columns.get(ROW + index)?, self.legs)
    }

    fn text(&self, range: Range<usize>) -> &str {
        let bytes = self.bytes.get(range).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }

    /// The text of a number in a lexicon, or of a route's part behind those.
    pub(super) fn word(&self, lexicon: usize, number: u64) -> Option<&str> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        let range = self.texts.get(lexicon)?.get(at)?;
        Some(self.text(range.clone()))
    }

    /// The numbers of a text in a lexicon, or in the routes' parts behind those.
    pub(super) fn numbers(&self, lexicon: usize, text: &str) -> Vec<u64> {
        let all = self.texts.get(lexicon).map_or(&[][..], Vec::as_slice);
        let numbered = (1..).zip(all);
        let found = numbered.filter(|(_, range)| self.text((*range).clone()) == text);
        found.map(|(number, _)| number).collect()
    }

    /// A client's own id, by where it begins and ends among them.
    pub(super) fn id(&self, begin: u64, end: u64) -> &str {
        let place = |at: u64| {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            self.ids.start.saturating_add(at).min(self.ids.end)
        };
        self.text(place(begin)..place(end).max(place(begin)))
    }

    /// What reads whole rows.
    pub(super) fn reader(&self) -> Option<Reader<'_>> {
        let rows: Option<Vec<_>> = (0..ROW).map(|index| self.column(index)).collect();
        let legs: Option<Vec<_>> = (0..LEG).map(|index| self.leg_column(index)).collect();
        Some(Reader {
            block: self,
            rows: rows?,
            legs: legs?,
        })
    }
}

/// The place of a text with its length before it.
fn text(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let mut rest = bytes.get(at..)?;
    let length = usize::try_from(take(&mut rest)?).ok()?;
    let begin = bytes.len() - rest.len();
    (length <= rest.len()).then(|| begin..begin + length)
}

/// Reads whole rows of a block.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    block: &'a Block,
    rows: Vec<Column<'a>>,
    legs: Vec<Column<'a>>,
}

impl<'a> Reader<'a> {
    /// A row.
    pub(super) fn row(&self, at: usize) -> Row<'a> {
        let get = |column: usize| self.rows[column].get(at);
        let word = |column: usize| self.block.word(column, get(column));
        let flags = get(FLAGS);
        let has = |bit: u64| flags & bit != 0;
        let high = usize::try_from(get(HIGH)).ok();
        let high = high.and_then(|at| self.block.highs.get(at)).copied();
        let trace = u128::from(get(TRACE_HIGH)) << 64 | u128::from(get(TRACE_LOW));
        Row {
            number: high.unwrap_or(0) << 32 | get(LOW),
            id: has(IS_NAMED).then(|| self.block.id(self.before(ID_END, at), get(ID_END))),
            at_us: get(AT),
            took_us: get(TOOK),
            overhead_us: get(OVERHEAD),
            first_us: get(FIRST).checked_sub(1),
            endpoint: word(ENDPOINT).unwrap_or_default(),
            surface: word(SURFACE).unwrap_or_default(),
            model: word(MODEL),
            asked: word(ASKED),
            workflow: word(WORKFLOW),
            key: word(KEY),
            team: word(TEAM),
            customer: word(CUSTOMER),
            ending: word(ENDING).unwrap_or_default(),
            fault: word(FAULT),
            cache: word(CACHE),
            stream: has(IS_STREAM),
            explained: has(IS_EXPLAINED),
            content: has(HAS_CONTENT),
            status: get(STATUS) as u16,
            max_tokens: get(MAX_TOKENS).checked_sub(1).map(|it| it as u32),
            session: has(HAS_SESSION).then(|| get(SESSION)),
            trace: has(HAS_TRACE).then_some(trace),
            tokens: tokens(&self.rows[TOKENS..], at),
            cost: get(COST),
            saved: get(SAVED),
        }
    }

    /// The attempts of a row, in order.
    pub(super) fn legs(&self, at: usize) -> Vec<Leg<'a>> {
        let (begin, end) = (self.before(LEGS_END, at), self.rows[LEGS_END].get(at));
        let most = self.block.legs as u64;
        let places = begin.min(most)..end.min(most);
        places.map(|at| self.leg(at as usize)).collect()
    }

    fn before(&self, column: usize, at: usize) -> u64 {
        match at.checked_sub(1) {
            Some(before) => self.rows[column].get(before),
            None => 0,
        }
    }

    fn leg(&self, at: usize) -> Leg<'a> {
        let get = |column: usize| self.legs[column].get(at);
        let word = |lexicon, column| self.block.word(lexicon, get(column)).unwrap_or_default();
        let part = |index: usize| word(LEXICONS + index, LEG_VIA);
        let mut terms_us = [0; 6];
        for (index, term) in terms_us.iter_mut().enumerate() {
            let folded = get(LEG_TERMS + index);
            *term = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
        }
        Leg {
            via: Via {
                route: word(ROUTES, LEG_VIA),
                provider: part(0),
                model: part(1),
                key: part(2),
                region: part(3),
            },
            mode: word(MODES, LEG_MODE),
            outcome: word(OUTCOMES, LEG_OUTCOME),
            propensity: get(LEG_PROPENSITY) as u32,
            score: get(LEG_SCORE) as u32,
            terms_us,
            began_us: get(LEG_BEGAN),
            sent_us: get(LEG_SENT).checked_sub(1),
            first_us: get(LEG_FIRST).checked_sub(1),
            took_us: get(LEG_TOOK),
            status: get(LEG_STATUS) as u16,
            tokens: tokens(&self.legs[LEG_TOKENS..], at),
            cost: get(LEG_COST),
        }
    }
}

fn tokens(columns: &[Column<'_>], at: usize) -> Tokens {
    let count = |index: usize| columns[index].get(at) as u32;
    Tokens {
        input: count(0),
        cached: count(1),
        cache_write: count(2),
        output: count(3),
        reasoning: count(4),
    }
}
