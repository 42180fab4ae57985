//! What a request finds on its worker thread, and what all workers share.
//!
//! # Invariants
//! - A [`Worker`] never leaves its thread; what is in [`Shared`] is immutable, atomic, or used off the path only.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::retry::RetryBudget;

use super::life::RequestId;
use super::serving::{Lasting, Serving};
use crate::clock;
use crate::observe::metrics::Metrics;
use crate::observe::recorder::Recorder;
use crate::upstream::Pools;

/// What all workers share.
pub struct Shared {
    /// What is served now; the one thing that a reload swaps.
    pub serving: ArcSwap<Serving>,
    /// What outlives a reload.
    pub lasting: Lasting,
    /// The budget of extra attempts, over all requests.
    pub budget: RetryBudget,
    /// Where finished requests are recorded, if anywhere.
    pub recorder: Option<Recorder>,
}

impl Shared {
    /// All metrics.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.lasting.metrics
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// One worker thread's own state.
#[derive(Debug)]
pub struct Worker {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Connections to providers.
    pub pools: Pools,
    rng: RefCell<SmallRng>,
    /// Random, so that ids of different workers and processes differ.
    id_prefix: u32,
    next_id: Cell<u32>,
}

impl Worker {
    /// A worker with no connections yet.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        let mut rng = clock::rng();
        let id_prefix = rng.random();
        Self {
            shared,
            pools: Pools::default(),
            rng: RefCell::new(rng),
            id_prefix,
            next_id: Cell::new(0),
        }
    }

    /// A request id that no other request of this process has.
    pub(super) fn new_id(&self) -> RequestId {
        let number = self.next_id.get();
        self.next_id.set(number.wrapping_add(1));
        RequestId::new(self.id_prefix, number)
    }

    /// Runs `draw` with this worker's generator.
    pub(super) fn with_rng<T>(&self, draw: impl FnOnce(&mut SmallRng) -> T) -> T {
        draw(&mut self.rng.borrow_mut())
    }

    /// A number in 0..1.
    pub(super) fn jitter(&self) -> f32 {
        self.with_rng(|rng| rng.random())
    }
}
