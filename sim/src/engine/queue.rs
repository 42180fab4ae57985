//! What happens next: events in the order of time, and of their creation where times are equal.
//!
//! # Invariants
//! - Two events never compare equal, so the order is the same on every machine.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use scoring::time::Time;

/// What is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The attempt in this slot shows its first token.
    FirstByte(u32),
    /// The attempt in this slot is overdue.
    Overdue(u32, u32),
    /// The attempt in this slot ends.
    Finish(u32),
    /// The request in this slot tries its route again.
    Resume(u32),
    /// A client of a closed loop asks again.
    Client(u32),
    /// A quarter of a second has passed.
    Tick,
}

/// The events to come.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(u64, u64, Event)>>,
    made: u64,
}

impl Queue {
    /// Adds an event.
    pub(super) fn push(&mut self, at: Time, event: Event) {
        self.made += 1;
        self.heap.push(Reverse((at.as_micros(), self.made, event)));
    }

    /// When the next event is due.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|it| Time::from_micros(it.0.0))
    }

    /// Takes the next event.
    pub(super) fn pop(&mut self) -> Option<(Time, Event)> {
        self.heap
            .pop()
            .map(|Reverse((at, _, event))| (Time::from_micros(at), event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_keep_their_order() {
        let mut queue = Queue::default();
        let at = Time::from_micros(5);
        queue.push(at, Event::Finish(2));
        queue.push(at, Event::FirstByte(1));
        queue.push(Time::from_micros(4), Event::Tick);
        assert_eq!(queue.next_at(), Some(Time::from_micros(4)));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|it| it.1).collect();
        assert_eq!(order, [Event::Tick, Event::Finish(2), Event::FirstByte(1)]);
    }
}
