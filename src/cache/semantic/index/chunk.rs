//! How do a few hundred entries lie in memory?
//!
//! Sign bits lie in groups of eight entries, word by word, so that one step of the sweep compares the same word of eight entries.
//! Numbers lie entry by entry: few entries are scored.
//! A published chunk never changes; a writer copies it, which is why it is small.
//!
//! # Invariants
//! - All columns have the same number of rows; rows of the last group beyond it are zero and are never looked at.
//! - A row's scale makes its product with the vector it was made from exactly one, so rounding cannot favour or harm an entry that is asked for by its own text.

use std::sync::Arc;

/// Entries in a full chunk: a copy for one insert is 115 KB at 384 numbers, and a hundred thousand entries are some 400 chunks to count references of.
pub(super) const CHUNK: usize = 256;

/// Entries whose bits lie together: eight words of 64 bits are one step of the widest registers.
pub(super) const LANES: usize = 8;

/// The largest code: eight bits without the one value that has no opposite.
const LARGEST: f32 = 127.0;

/// Up to [`CHUNK`] entries.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Numbers of a turned vector, a multiple of 64.
    width: usize,
    ids: Vec<u64>,
    /// What a product of codes is multiplied by.
    scales: Vec<f32>,
    /// `width` a row.
    codes: Vec<i8>,
    /// For each group of eight rows: the first word of each, the second word of each, and so on.
    bits: Vec<[u64; LANES]>,
}

impl Chunk {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            ids: Vec::new(),
            scales: Vec::new(),
            codes: Vec::new(),
            bits: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.ids.capacity() * size_of::<u64>()
            + self.scales.capacity() * size_of::<f32>()
            + self.codes.capacity()
            + self.bits.capacity() * size_of::<[u64; LANES]>()
    }

    #[inline(always)]
    pub(super) fn id(&self, row: usize) -> u64 {
        self.ids[row]
    }

    #[inline(always)]
    pub(super) fn scale(&self, row: usize) -> f32 {
        self.scales[row]
    }

    #[inline(always)]
    pub(super) fn codes(&self, row: usize) -> &[i8] {
        &self.codes[row * self.width..][..self.width]
    }

    /// The groups of rows, each a slice of one step a word.
    #[inline(always)]
    pub(super) fn groups(&self) -> impl Iterator<Item = &[[u64; LANES]]> {
        self.bits.chunks_exact(self.words())
    }

    fn words(&self) -> usize {
        self.width / 64
    }

    /// The same rows, with room for `more`.
    fn copy(&self, more: usize) -> Self {
        let rows = (self.len() + more).min(CHUNK);
        let mut copy = Self {
            width: self.width,
            ids: Vec::with_capacity(rows),
            scales: Vec::with_capacity(rows),
            codes: Vec::with_capacity(rows * self.width),
            bits: Vec::with_capacity(rows.div_ceil(LANES) * self.words()),
        };
        copy.ids.extend_from_slice(&self.ids);
        copy.scales.extend_from_slice(&self.scales);
        copy.codes.extend_from_slice(&self.codes);
        copy.bits.extend_from_slice(&self.bits);
        copy
    }

    /// Appends a turned vector of unit length.
    pub(super) fn push(&mut self, id: u64, turned: &[f32]) {
        let row = self.len();
        self.grow();
        self.set(row, id, turned);
    }

    /// Appends an empty row.
    fn grow(&mut self) {
        if self.len().is_multiple_of(LANES) {
            let words = self.bits.len() + self.words();
            self.bits.resize(words, [0; LANES]);
        }
        self.ids.push(0);
        self.scales.push(0.0);
        self.codes.resize(self.codes.len() + self.width, 0);
    }

    /// Overwrites a row by a turned vector of unit length.
    pub(super) fn set(&mut self, row: usize, id: u64, turned: &[f32]) {
        let largest = turned
            .iter()
            .fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
        let step = LARGEST / largest;
        let codes = &mut self.codes[row * self.width..][..self.width];
        let mut product = 0.0_f32;
        for (code, number) in codes.iter_mut().zip(turned) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "between -127 and 127 by the choice of the step"
            )]
            let rounded = (number * step).round() as i8;
            *code = rounded;
            product += f32::from(rounded) * number;
        }
        self.ids[row] = id;
        self.scales[row] = product.recip();
        for (word, signs) in turned.as_chunks::<64>().0.iter().enumerate() {
            self.set_word(row, word, pack(signs));
        }
    }

    /// Overwrites `row` by the row `from` of this chunk.
    pub(super) fn copy_within(&mut self, from: usize, row: usize) {
        self.ids[row] = self.ids[from];
        self.scales[row] = self.scales[from];
        let codes = from * self.width..(from + 1) * self.width;
        self.codes.copy_within(codes, row * self.width);
        for word in 0..self.words() {
            let bits = self.word(from, word);
            self.set_word(row, word, bits);
        }
    }

    /// Overwrites `row` by the row `from` of another chunk.
    pub(super) fn copy_from(&mut self, row: usize, other: &Self, from: usize) {
        self.ids[row] = other.ids[from];
        self.scales[row] = other.scales[from];
        self.codes[row * self.width..][..self.width].copy_from_slice(other.codes(from));
        for word in 0..self.words() {
            self.set_word(row, word, other.word(from, word));
        }
    }

    /// Drops the last row.
    pub(super) fn pop(&mut self) {
        let rows = self.len().saturating_sub(1);
        for word in 0..self.words() {
            self.set_word(rows, word, 0);
        }
        self.ids.truncate(rows);
        self.scales.truncate(rows);
        self.codes.truncate(rows * self.width);
        self.bits.truncate(rows.div_ceil(LANES) * self.words());
    }

    fn word(&self, row: usize, word: usize) -> u64 {
        self.bits[row / LANES * self.words() + word][row % LANES]
    }

    fn set_word(&mut self, row: usize, word: usize, bits: u64) {
        let words = self.words();
        self.bits[row / LANES * words + word][row % LANES] = bits;
    }
}

/// A bit for every number below zero.
pub(super) fn pack(signs: &[f32; 64]) -> u64 {
    signs.iter().enumerate().fold(0, |bits, (place, number)| {
        bits | u64::from(number.is_sign_negative()) << place
    })
}

/// The chunk to write to: itself if nobody else holds it, which is so once a batch has copied it, or a copy with room for `more` rows.
pub(super) fn own(chunk: &mut Arc<Chunk>, more: usize) -> &mut Chunk {
    if Arc::get_mut(chunk).is_none() {
        *chunk = Arc::new(chunk.copy(more));
    }
    let chunk = Arc::make_mut(chunk);
    chunk.reserve(more);
    chunk
}

impl Chunk {
    fn reserve(&mut self, more: usize) {
        let more = more.min(CHUNK - self.len());
        let groups = (self.len() + more).div_ceil(LANES) * self.words();
        self.ids.reserve_exact(more);
        self.scales.reserve_exact(more);
        self.codes.reserve_exact(more * self.width);
        self.bits.reserve_exact(groups - self.bits.len());
    }
}

impl Clone for Chunk {
    fn clone(&self) -> Self {
        self.copy(0)
    }
}
