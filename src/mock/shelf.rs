//! What a provider remembers under an id: responses, files, batches.
//!
//! # Invariants
//! - At most [`KEPT`] objects of some [`KEPT_BYTES`] are remembered; the oldest go first.
//! - An id is known to the provider that made it and to no other.

use std::collections::VecDeque;

use scoring::time::Time;
use serde_json::Value;

/// Objects remembered per provider: more than a test makes, and few enough to be searched one by one.
pub(super) const KEPT: usize = 256;

/// Bytes of objects remembered per provider; the last one is kept in any case.
pub(super) const KEPT_BYTES: usize = 16 << 20;

/// Something that is remembered.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) id: String,
    /// The object, as it is when it is ready.
    pub(super) object: Value,
    /// What it was made from.
    pub(super) source: Value,
    /// When it is ready.
    pub(super) ready: Time,
    /// Whether it was made in the background, so that it may be cancelled until it is ready.
    pub(super) background: bool,
    /// Whether it was cancelled.
    pub(super) cancelled: bool,
    /// What it weighs, in bytes.
    pub(super) weight: usize,
}

/// The objects that a provider remembers.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    kept: VecDeque<Kept>,
    bytes: usize,
}

impl Shelf {
    /// Remembers an object.
    pub(super) fn put(&mut self, object: Kept) {
        self.bytes += object.weight;
        self.kept.push_back(object);
        while self.kept.len() > 1 && (self.kept.len() > KEPT || self.bytes > KEPT_BYTES) {
            if let Some(oldest) = self.kept.pop_front() {
                self.bytes -= oldest.weight;
            }
        }
    }

    /// The object of that id.
    pub(super) fn get(&self, id: &str) -> Option<&Kept> {
        self.kept.iter().find(|it| it.id == id)
    }

    /// The object of that id, to be changed.
    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Kept> {
        self.kept.iter_mut().find(|it| it.id == id)
    }

    /// Forgets the object of that id.
    pub(super) fn remove(&mut self, id: &str) {
        if let Some(at) = self.kept.iter().position(|it| it.id == id)
            && let Some(object) = self.kept.remove(at)
        {
            self.bytes -= object.weight;
        }
    }

    /// The objects whose ids begin so, the newest first.
    pub(super) fn list(&self, prefix: &str) -> Vec<&Kept> {
        let kept = self.kept.iter().rev();
        kept.filter(|it| it.id.starts_with(prefix)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(id: usize, weight: usize) -> Kept {
        Kept {
            id: format!("x_{id}"),
            object: Value::Null,
            source: Value::Null,
            ready: Time::from_micros(0),
            background: false,
            cancelled: false,
            weight,
        }
    }

    #[test]
    fn the_oldest_are_forgotten_by_number_and_by_weight() {
        let mut shelf = Shelf::default();
        (0..KEPT + 3).for_each(|id| shelf.put(object(id, 1)));
        assert!(shelf.get("x_2").is_none() && shelf.get("x_3").is_some());
        shelf.put(object(1_000, KEPT_BYTES - 1));
        assert_eq!(shelf.kept.len(), 2);
        shelf.put(object(1_001, KEPT_BYTES + 1));
        assert_eq!(shelf.kept.len(), 1);
        shelf.remove("x_1001");
        assert_eq!((shelf.kept.len(), shelf.bytes), (0, 0));
    }
}
