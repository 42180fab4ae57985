//! How are 4,096 numbers kept in few bytes, so that each can be read without the others?
//!
//! In chunks of [`CHUNK`], each as its least number and the differences to it, in as many bits as the largest needs.
//! Varints would be as small and would have to be read from the beginning.
//!
//! # Invariants
//! - Whatever the bytes are, reading gives numbers and never panics.

/// Numbers in a chunk: an outlier widens no more than these.
const CHUNK: usize = 128;

/// Bytes that must follow the last column, so that a number can be read with one load.
pub(super) const PAD: usize = 16;

/// The mark of a column whose numbers are all the same.
const SAME: u8 = 0;

/// The mark of a column in chunks.
const CHUNKED: u8 = 1;

/// Appends a number in groups of seven bits.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes such a number from the front.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Appends a column; `numbers` may be asked for several times.
pub(super) fn pack(out: &mut Vec<u8>, numbers: impl ExactSizeIterator<Item = u64> + Clone) {
    let mut all = numbers.clone();
    let first = all.next().unwrap_or(0);
    if all.all(|number| number == first) {
        out.push(SAME);
        put(out, first);
        return;
    }
    out.push(CHUNKED);
    let mut chunk = [0; CHUNK];
    let mut left = numbers;
    while left.len() > 0 {
        let mut count = 0;
        let (mut least, mut most) = (u64::MAX, 0);
        for (slot, number) in chunk.iter_mut().zip(left.by_ref().take(CHUNK)) {
            *slot = number;
            least = least.min(number);
            most = most.max(number);
            count += 1;
        }
        let width = 64 - (most - least).leading_zeros();
        out.push(width as u8);
        put(out, least);
        differences(out, &chunk[..count], (least, width));
    }
}

fn differences(out: &mut Vec<u8>, numbers: &[u64], (least, width): (u64, u32)) {
    if width == 0 {
        return;
    }
    let (mut held, mut bits) = (0_u128, 0);
    for number in numbers {
        held |= u128::from(number - least) << bits;
        bits += width;
        if bits >= 64 {
            out.extend_from_slice(&(held as u64).to_le_bytes());
            held >>= 64;
            bits -= 64;
        }
    }
    let rest = (held as u64).to_le_bytes();
    out.extend_from_slice(&rest[..bits.div_ceil(8) as usize]);
}

/// A column, ready to be read at any place.
#[derive(Clone, Debug)]
pub(super) struct Column<'a> {
    bytes: &'a [u8],
    same: u64,
    /// Empty where all are the same.
    chunks: Vec<Chunk>,
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    least: u64,
    offset: usize,
    width: u32,
}

impl<'a> Column<'a> {
    /// The column of so many numbers that begins at an offset; none if there is no such.
    pub(super) fn new(bytes: &'a [u8], offset: usize, count: usize) -> Option<Self> {
        let mut rest = bytes.get(offset..)?;
        let (&kind, after) = rest.split_first()?;
        rest = after;
        let mut column = Self {
            bytes,
            same: 0,
            chunks: Vec::new(),
        };
        if kind == SAME {
            column.same = take(&mut rest)?;
            return Some(column);
        }
        let mut left = count;
        column.chunks.reserve(count.div_ceil(CHUNK));
        while left > 0 {
            let (&width, after) = rest.split_first()?;
            rest = after;
            let least = take(&mut rest)?;
            let here = left.min(CHUNK);
            let length = (here * usize::from(width)).div_ceil(8);
            column.chunks.push(Chunk {
                least,
                offset: bytes.len() - rest.len(),
                width: u32::from(width.min(64)),
            });
            rest = rest.get(length..)?;
            left -= here;
        }
        Some(column)
    }

    /// The number at a place.
    pub(super) fn get(&self, at: usize) -> u64 {
        match self.chunks.get(at / CHUNK) {
            None => self.same,
            Some(chunk) => self.in_chunk(chunk, at % CHUNK),
        }
    }

    fn in_chunk(&self, chunk: &Chunk, at: usize) -> u64 {
        if chunk.width == 0 {
            return chunk.least;
        }
        let bit = at * chunk.width as usize;
        let begin = chunk.offset + bit / 8;
        let Some(bytes) = self.bytes.get(begin..begin + PAD) else {
            return chunk.least;
        };
        let mut held = [0; PAD];
        held.copy_from_slice(bytes);
        let held = (u128::from_le_bytes(held) >> (bit % 8)) as u64;
        let mask = u64::MAX >> (64 - chunk.width);
        chunk.least.wrapping_add(held & mask)
    }

    /// Calls for each of the first so many numbers that may be wanted; chunks that hold none are left out.
    pub(super) fn each(
        &self,
        count: usize,
        may_hold: impl Fn(u64, u64) -> bool,
        mut act: impl FnMut(usize, u64),
    ) {
        if self.chunks.is_empty() {
            if may_hold(self.same, self.same) {
                (0..count).for_each(|at| act(at, self.same));
            }
            return;
        }
        for (index, chunk) in self.chunks.iter().enumerate() {
            let begin = index * CHUNK;
            let most = match chunk.width {
                0 => 0,
                width => u64::MAX >> (64 - width),
            };
            if may_hold(chunk.least, chunk.least.saturating_add(most)) {
                for at in begin..count.min(begin + CHUNK) {
                    act(at, self.in_chunk(chunk, at - begin));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_whatever_they_are() {
        let mut state = 7_u64;
        let mut next = |bits: u32| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            if bits == 0 {
                0
            } else {
                (state ^ state >> 33) >> (64 - bits)
            }
        };
        for count in [0, 1, 2, 127, 128, 129, 1_000] {
            for bits in [0, 1, 7, 8, 33, 57, 58, 63, 64] {
                let numbers: Vec<u64> = (0..count).map(|_| next(bits)).collect();
                let mut out = vec![9, 9, 9];
                pack(&mut out, numbers.iter().copied());
                out.extend([0xff; PAD]);
                let column = Column::new(&out, 3, count).unwrap();
                for (at, number) in numbers.iter().enumerate() {
                    assert_eq!(column.get(at), *number, "{count} {bits} {at}");
                }
                let mut seen = Vec::new();
                column.each(count, |_, _| true, |at, number| seen.push((at, number)));
                let expected: Vec<_> = numbers.iter().copied().enumerate().collect();
                assert_eq!(seen, expected);
            }
        }
    }

    #[test]
    fn broken_bytes_do_no_harm() {
        for length in 0..40 {
            for filler in [0, 1, 0x7f, 0xff] {
                let bytes = vec![filler; length];
                if let Some(column) = Column::new(&bytes, 0, 300) {
                    let sum = (0..400).fold(0, |sum: u64, at| sum ^ column.get(at));
                    std::hint::black_box(sum);
                }
            }
        }
    }
}
