//! Which stored texts are nearest to this one?
//!
//! Every entry is looked at, by its sign bits: among unit vectors turned at random, the share of signs in which two differ is their angle over pi, whatever the embedder's vectors look like.
//! Only entries whose bits are close enough for the similarity asked for are scored by their numbers.
//! A graph such as HNSW answers faster from some 250,000 entries on; below, it is slower to ask, a hundred times slower to fill, and it misses more.
//!
//! One index holds one hard partition: nothing in here knows about scopes.
//!
//! # Invariants
//! - A reader never waits: it takes the list of chunks that was last published, and keeps it.
//! - An answer is that of one published state: what a writer does becomes visible whole, or not at all.
//! - Entries lie without holes: a removal fills its place with the last entry, so that cost and memory follow the number of entries down as well as up.
//! - An entry at or above the similarity asked for is missed with a probability below 1 in 10,000 (see [`probe`]); what is returned is within [`TOLERANCE`] of the cosine.

mod chunk;
mod near;
mod probe;
mod sweep;
mod turn;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use fearless_simd::{Level, dispatch};

use chunk::{CHUNK, Chunk};
pub use near::{MOST, Near, Nearest};
use probe::Probe;
use turn::{Scratch, padded};

/// The widest vector that fits: no text embedder in use goes beyond, and a query is prepared on the stack.
pub const WIDEST: usize = 4096;

/// How far a returned similarity may be from the cosine: ten deviations of the rounding to eight bits at 384 numbers and a cosine of 0.85.
pub const TOLERANCE: f32 = 0.002;

/// Vectors by id; many read while one writes.
#[derive(Debug)]
pub struct Index {
    /// Numbers in a vector.
    width: usize,
    /// What this processor can do.
    level: Level,
    /// The published state.
    chunks: ArcSwap<Vec<Arc<Chunk>>>,
    /// Where each id lies; taken by writers only, for as long as they write.
    places: Mutex<HashMap<u64, u32>>,
}

/// Why a vector is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It has another number of numbers than the index was made for.
    #[error("the vector has {got} numbers; the index takes {want}")]
    Width {
        /// What the vector has.
        got: usize,
        /// What the index takes.
        want: usize,
    },
    /// The index was made for more numbers than [`WIDEST`], or for none.
    #[error("vectors of {0} numbers cannot be indexed; 1 to {WIDEST} can")]
    Unsupported(usize),
    /// It has no direction: all zero, or a number that is not finite.
    #[error("the vector has no direction: it is zero or not finite")]
    Directionless,
}

impl Index {
    /// An empty index of vectors of `width` numbers, 1 to [`WIDEST`]; with another width it refuses every vector.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            level: Level::new(),
            chunks: ArcSwap::from_pointee(Vec::new()),
            places: Mutex::new(HashMap::new()),
        }
    }

    /// Keeps the vector under `id`, in place of what was there; it need not have unit length.
    ///
    /// Costs a copy of one chunk, some 10 µs at 384 numbers.
    ///
    /// # Errors
    /// [`Unfit`], and nothing changes.
    pub fn insert(&self, id: u64, vector: &[f32]) -> Result<(), Unfit> {
        self.insert_all(&[(id, vector)])
    }

    /// Keeps all of these at once, which is what a restart wants; of one id given twice the last is kept.
    ///
    /// # Errors
    /// [`Unfit`] if any is, and nothing changes.
    pub fn insert_all(&self, entries: &[(u64, &[f32])]) -> Result<(), Unfit> {
        for (_, vector) in entries {
            self.check(vector)?;
        }
        let mut places = self.write();
        let mut chunks = Vec::clone(&self.chunks.load());
        let mut scratch = Scratch::new();
        for (done, (id, vector)) in entries.iter().enumerate() {
            let turned = scratch.turn(vector);
            let known = places.get(id).copied();
            if let Some(place) = known {
                let (chunk, row) = split(place);
                chunk::own(&mut chunks[chunk], 0).set(row, *id, turned);
                continue;
            }
            if chunks.last().is_none_or(|last| last.len() == CHUNK) {
                chunks.push(Arc::new(Chunk::new(padded(self.width))));
            }
            let chunk = chunks.len() - 1;
            let row = chunks[chunk].len();
            chunk::own(&mut chunks[chunk], entries.len() - done).push(*id, turned);
            places.insert(*id, join(chunk, row));
        }
        self.chunks.store(Arc::new(chunks));
        Ok(())
    }

    /// Forgets an entry; false if there was none.
    pub fn remove(&self, id: u64) -> bool {
        let mut places = self.write();
        let Some(place) = places.remove(&id) else {
            return false;
        };
        let mut chunks = Vec::clone(&self.chunks.load());
        let Some(mut last) = chunks.pop() else {
            return false;
        };
        let (chunk, row) = split(place);
        let end = last.len() - 1;
        let moved = last.id(end);
        if chunk == chunks.len() {
            chunk::own(&mut last, 0).copy_within(end, row);
        } else {
            chunk::own(&mut chunks[chunk], 0).copy_from(row, &last, end);
        }
        if moved != id {
            places.insert(moved, place);
        }
        if end > 0 {
            chunk::own(&mut last, 0).pop();
            chunks.push(last);
        }
        self.chunks.store(Arc::new(chunks));
        true
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut places = self.write();
        places.clear();
        self.chunks.store(Arc::new(Vec::new()));
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        let chunks = self.chunks.load();
        chunks
            .last()
            .map_or(0, |last| (chunks.len() - 1) * CHUNK + last.len())
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.chunks.load().is_empty()
    }

    /// Numbers in a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Bytes held by the entries, without the writer's map (some 20 an entry).
    pub fn bytes(&self) -> usize {
        self.chunks.load().iter().map(|chunk| chunk.bytes()).sum()
    }

    /// The nearest entries that are at least `least` similar, the most similar first, at most [`MOST`]; equal ones in the order of their ids.
    ///
    /// Nothing for a vector that [`Index::insert`] would refuse.
    /// Neither waits nor allocates.
    pub fn nearest(&self, vector: &[f32], least: f32) -> Nearest {
        let mut nearest = Nearest::new(least);
        if self.check(vector).is_err() || !least.is_finite() {
            return nearest;
        }
        let chunks = self.chunks.load();
        if chunks.is_empty() {
            return nearest;
        }
        let probe = Probe::new(Scratch::new().turn(vector));
        dispatch!(self.level, simd => sweep::sweep(simd, &chunks, &probe, &mut nearest));
        nearest
    }

    fn check(&self, vector: &[f32]) -> Result<(), Unfit> {
        let want = self.width;
        if !(1..=WIDEST).contains(&want) {
            return Err(Unfit::Unsupported(want));
        }
        if vector.len() != want {
            let got = vector.len();
            return Err(Unfit::Width { got, want });
        }
        let square: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
        if square.is_finite() && square > 0.0 {
            Ok(())
        } else {
            Err(Unfit::Directionless)
        }
    }

    /// A writer that panicked had published nothing: what is under the lock may name places that do not exist yet, so it is made anew.
    fn write(&self) -> MutexGuard<'_, HashMap<u64, u32>> {
        self.places.lock().unwrap_or_else(|poisoned| {
            let mut places = PoisonError::into_inner(poisoned);
            places.clear();
            for (chunk, held) in self.chunks.load().iter().enumerate() {
                places.extend((0..held.len()).map(|row| (held.id(row), join(chunk, row))));
            }
            self.places.clear_poison();
            places
        })
    }
}

/// A place as one number: chunks are full but for the last.
fn join(chunk: usize, row: usize) -> u32 {
    u32::try_from(chunk * CHUNK + row).unwrap_or(u32::MAX)
}

fn split(place: u32) -> (usize, usize) {
    let place = place as usize;
    (place / CHUNK, place % CHUNK)
}
