//! Which requests are looked for?
//!
//! # Invariants
//! - A row passes if all that is asked for is true of it.

use super::block::Block;
use super::columns::*;
use super::pack::Column;

/// What a row may be asked by its text for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The virtual key.
    Key,
    /// Its team.
    Team,
    /// Its customer.
    Customer,
    /// The model, or what was asked for instead of one.
    Model,
    /// What was asked for instead of a model.
    Asked,
    /// The workflow.
    Workflow,
    /// The route of an attempt.
    Route,
    /// The provider of an attempt.
    Provider,
    /// How it ended.
    Ending,
    /// Whose fault it was.
    Fault,
    /// What the cache was to it.
    Cache,
}

impl Field {
    /// Every field, in the order of its index.
    pub(super) const ALL: [Self; 11] = [
        Self::Key,
        Self::Team,
        Self::Customer,
        Self::Model,
        Self::Asked,
        Self::Workflow,
        Self::Route,
        Self::Provider,
        Self::Ending,
        Self::Fault,
        Self::Cache,
    ];

    /// The lexicon of its texts, or the routes' part behind those.
    pub(super) const fn lexicon(self) -> usize {
        match self {
            Self::Key => KEY,
            Self::Team => TEAM,
            Self::Customer => CUSTOMER,
            Self::Model => MODEL,
            Self::Asked => ASKED,
            Self::Workflow => WORKFLOW,
            Self::Route => ROUTES,
            Self::Provider => LEXICONS,
            Self::Ending => ENDING,
            Self::Fault => FAULT,
            Self::Cache => CACHE,
        }
    }

    /// The field that may hold the text as well.
    pub(super) const fn or(self) -> Option<Self> {
        match self {
            Self::Model => Some(Self::Asked),
            _ => None,
        }
    }
}

/// What is looked for; what is none is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only what arrived from then on.
    pub from_us: Option<u64>,
    /// Only what arrived before.
    pub to_us: Option<u64>,
    /// Only what has these texts.
    pub texts: Vec<(Field, String)>,
    /// Only what was answered so.
    pub status: Option<u16>,
    /// Only what took at least as long.
    pub min_us: Option<u64>,
    /// Only streams, or none.
    pub stream: Option<bool>,
    /// Only what is of this session.
    pub session: Option<u64>,
    /// Only what is part of this trace.
    pub trace: Option<u128>,
    /// Only what is called so.
    pub id: Option<Id>,
}

/// What a request is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// Its id begins so.
    Prefix(String),
    /// Its id or its number is this.
    Exact(String),
}

/// What the gateway's own ids begin with.
const OWN: &str = "req-";

/// Digits of a number.
const DIGITS: usize = 16;

impl Id {
    /// The number that an id or 16 digits stand for.
    pub(super) fn number(text: &str) -> Option<u64> {
        let digits = text.strip_prefix(OWN).unwrap_or(text);
        let (least, most) = Self::digits(digits)?;
        (least == most).then_some(least)
    }

    /// The numbers of requests whose own ids begin so.
    pub(super) fn range(text: &str) -> Option<(u64, u64)> {
        match text.strip_prefix(OWN) {
            Some(digits) => Self::digits(digits),
            None => OWN.starts_with(text).then_some((0, u64::MAX)),
        }
    }

    fn digits(digits: &str) -> Option<(u64, u64)> {
        let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() > DIGITS || !digits.bytes().all(is_digit) {
            return None;
        }
        let free = u32::try_from(4 * (DIGITS - digits.len())).ok()?;
        let open = u64::MAX.checked_shr(64 - free).unwrap_or(0);
        let value = match digits {
            "" => 0,
            digits => u64::from_str_radix(digits, 16).ok()?,
        };
        let least = value.checked_shl(free).unwrap_or(0);
        Some((least, least | open))
    }
}

/// Rows of a block that are still wanted, a bit each.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    bits: [u64; MOST_ROWS / 64],
    count: usize,
}

impl Wanted {
    fn all(count: usize) -> Self {
        let mut bits = [0; MOST_ROWS / 64];
        for (index, word) in bits.iter_mut().enumerate() {
            let left = count.saturating_sub(64 * index).min(64);
            *word = u64::MAX.checked_shr(64 - left as u32).unwrap_or(0);
        }
        Self { bits, count }
    }

    fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    /// Their places, the last one first.
    pub(super) fn last_first(&self) -> impl Iterator<Item = usize> {
        let words = self.bits.iter().enumerate().rev();
        words.flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = 63_u32.checked_sub(left.leading_zeros())?;
                left ^= 1 << bit;
                Some(64 * index + bit as usize)
            })
        })
    }

    /// Leaves those whose number in a column passes; `may` tells whether any in a range does.
    fn keep(
        &mut self,
        column: Option<&Column<'_>>,
        may: impl Fn(u64, u64) -> bool,
        test: impl Fn(u64) -> bool,
    ) {
        let mut passed = [0; MOST_ROWS / 64];
        if let Some(column) = column {
            column.each(self.count, may, |at, number| {
                passed[at / 64] |= u64::from(test(number)) << (at % 64);
            });
        }
        self.both(&passed);
    }

    fn both(&mut self, other: &[u64; MOST_ROWS / 64]) {
        for (word, other) in self.bits.iter_mut().zip(other) {
            *word &= other;
        }
    }

    /// Leaves those that pass.
    fn keep_each(&mut self, mut test: impl FnMut(usize) -> bool) {
        let places: Vec<usize> = self.last_first().collect();
        for at in places {
            if !test(at) {
                self.bits[at / 64] &= !(1 << (at % 64));
            }
        }
    }
}

impl Filter {
    /// Whether something is asked that a block's sieve and numbers tell of.
    pub(super) fn has_marks(&self) -> bool {
        self.id.is_some() || self.session.is_some() || self.trace.is_some()
    }

    /// The rows of a block that pass, of those before a place.
    pub(super) fn select(&self, block: &Block, before: usize) -> Wanted {
        let mut wanted = Wanted::all(block.len().min(before));
        wanted.count = block.len();
        for (field, text) in &self.texts {
            self.select_text(block, &mut wanted, (*field, text));
            if wanted.is_empty() {
                return wanted;
            }
        }
        if self.from_us.is_some() || self.to_us.is_some() {
            let (from, to) = (self.from_us.unwrap_or(0), self.to_us.unwrap_or(u64::MAX));
            let is_before = |it: u64| it < to || self.to_us.is_none();
            wanted.keep(
                block.column(AT).as_ref(),
                |least, most| most >= from && is_before(least),
                |it| it >= from && is_before(it),
            );
        }
        if let Some(least) = self.min_us {
            wanted.keep(
                block.column(TOOK).as_ref(),
                |_, most| most >= least,
                |it| it >= least,
            );
        }
        let mut same = |column: usize, wanted_number: Option<u64>| {
            if let Some(number) = wanted_number {
                wanted.keep(
                    block.column(column).as_ref(),
                    |least, most| (least..=most).contains(&number),
                    |it| it == number,
                );
            }
        };
        same(STATUS, self.status.map(u64::from));
        same(SESSION, self.session);
        same(TRACE_HIGH, self.trace.map(|it| (it >> 64) as u64));
        same(TRACE_LOW, self.trace.map(|it| it as u64));
        let flags = [
            (self.stream, IS_STREAM),
            (self.session.map(|_| true), HAS_SESSION),
            (self.trace.map(|_| true), HAS_TRACE),
        ];
        for (is, bit) in flags {
            if let Some(is) = is {
                wanted.keep(
                    block.column(FLAGS).as_ref(),
                    |_, _| true,
                    |it| (it & bit != 0) == is,
                );
            }
        }
        if let Some(id) = &self.id
            && !wanted.is_empty()
        {
            select_id(block, &mut wanted, id);
        }
        wanted
    }

    fn select_text(&self, block: &Block, wanted: &mut Wanted, (field, text): (Field, &str)) {
        let numbers = block.numbers(field.lexicon(), text);
        if matches!(field, Field::Route | Field::Provider) {
            return select_legs(block, wanted, &numbers);
        }
        let mut both = wanted.clone();
        both.bits = [0; MOST_ROWS / 64];
        for one in [Some(field), field.or()].into_iter().flatten() {
            let numbers = block.numbers(one.lexicon(), text);
            let Some(number) = numbers.first().copied() else {
                continue;
            };
            let mut passed = wanted.clone();
            passed.keep(
                block.column(one.lexicon()).as_ref(),
                |least, most| (least..=most).contains(&number),
                |it| it == number,
            );
            for (word, other) in both.bits.iter_mut().zip(passed.bits) {
                *word |= other;
            }
        }
        *wanted = both;
    }
}

/// Leaves rows with an attempt on one of these routes.
fn select_legs(block: &Block, wanted: &mut Wanted, routes: &[u64]) {
    let columns = (block.column(LEGS_END), block.leg_column(LEG_VIA));
    let (Some(ends), Some(vias), false) = (columns.0, columns.1, routes.is_empty()) else {
        wanted.bits = [0; MOST_ROWS / 64];
        return;
    };
    wanted.keep_each(|at| {
        let begin = at.checked_sub(1).map_or(0, |before| ends.get(before));
        (begin..ends.get(at).min(begin + MOST_ROWS as u64))
            .any(|leg| routes.contains(&vias.get(leg as usize)))
    });
}

fn select_id(block: &Block, wanted: &mut Wanted, id: &Id) {
    let columns = (block.column(FLAGS), block.column(ID_END));
    let numbers = (block.column(HIGH), block.column(LOW));
    let ((Some(flags), Some(ends)), (Some(highs), Some(lows))) = (columns, numbers) else {
        wanted.bits = [0; MOST_ROWS / 64];
        return;
    };
    let own = match id {
        Id::Exact(text) => Id::number(text).map(|it| (it, it)),
        Id::Prefix(text) => Id::range(text),
    };
    wanted.keep_each(|at| {
        let is_named = flags.get(at) & IS_NAMED != 0;
        let counts = !is_named || matches!(id, Id::Exact(_));
        if let (Some((least, most)), true) = (own, counts) {
            let high = usize::try_from(highs.get(at)).ok();
            let high = high.and_then(|at| block.highs.get(at)).copied();
            let number = high.unwrap_or(0) << 32 | lows.get(at);
            if (least..=most).contains(&number) {
                return true;
            }
        }
        if !is_named {
            return false;
        }
        let begin = at.checked_sub(1).map_or(0, |before| ends.get(before));
        let length = (ends.get(at) - begin.min(ends.get(at))) as usize;
        match id {
            Id::Exact(text) => length == text.len() && block.id(begin, ends.get(at)) == text,
            Id::Prefix(text) => {
                length >= text.len() && block.id(begin, ends.get(at)).starts_with(&**text)
            }
        }
    });
}
