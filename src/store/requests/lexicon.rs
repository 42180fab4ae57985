//! Which texts occur in a block, and what is the number of each?
//!
//! # Invariants
//! - A text has one number, from 1 on; 0 stands for none.

/// A fingerprint of a text, for tables and filters; the same in every process.
pub(super) fn mark(bytes: &[u8]) -> u64 {
    const FOLD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = FOLD ^ bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = mixed(state ^ u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mixed(state ^ u64::from_le_bytes(last))
}

/// A number, spread over all bits.
pub(super) fn mixed(number: u64) -> u64 {
    const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;
    let number = (number ^ number >> 32).wrapping_mul(FACTOR);
    let number = (number ^ number >> 32).wrapping_mul(FACTOR);
    number ^ number >> 32
}

/// The texts of one column.
#[derive(Clone, Debug, Default)]
pub(super) struct Lexicon {
    texts: Vec<Box<str>>,
    /// Numbers by fingerprint, at their place or behind it; 0 where there is none. A power of two, at most half full.
    slots: Vec<u32>,
    /// The number that was asked for last: most texts are the same as the one before.
    last: u32,
}

impl Lexicon {
    /// The number of a text, and whether it is new.
    pub(super) fn number(&mut self, text: &str) -> (u64, bool) {
        if let Some(last) = self.last.checked_sub(1)
            && *self.texts[last as usize] == *text
        {
            return (self.last.into(), false);
        }
        if self.slots.len() < 2 * (self.texts.len() + 1) {
            self.grow();
        }
        let place = self.place(text);
        let is_new = self.slots[place] == 0;
        if is_new {
            self.texts.push(text.into());
            self.slots[place] = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        }
        self.last = self.slots[place];
        (self.last.into(), is_new)
    }

    /// The number of a text that may be missing.
    pub(super) fn maybe(&mut self, text: Option<&str>) -> u64 {
        text.map_or(0, |text| self.number(text).0)
    }

    /// The texts, in the order of their numbers.
    pub(super) fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.slots.fill(0);
        self.last = 0;
    }

    /// Where a text stands, or would.
    fn place(&self, text: &str) -> usize {
        let most = self.slots.len() - 1;
        let mut place = mark(text.as_bytes()) as usize & most;
        loop {
            match self.slots[place].checked_sub(1) {
                Some(at) if *self.texts[at as usize] != *text => place = (place + 1) & most,
                _ => return place,
            }
        }
    }

    fn grow(&mut self) {
        let size = (4 * self.texts.len()).next_power_of_two().max(16);
        self.slots = vec![0; size];
        for number in 1..=self.texts.len() {
            let place = self.place(&self.texts[number - 1]);
            self.slots[place] = u32::try_from(number).unwrap_or(u32::MAX);
        }
    }
}
