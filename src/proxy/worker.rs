//! What a request finds on its worker thread, and what all workers share.
//!
//! # Invariants
//! - A [`Worker`] never leaves its thread; what is in [`Shared`] is immutable, atomic, or used off the path only.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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

/// How long a task that takes leave of a provider may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// Tasks that take leave of providers, at most; beyond it leave is taken without a word.
const MOST_FAREWELLS: u32 = 1_024;

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
    /// Tasks that take leave of providers.
    farewells: Rc<Cell<u32>>,
}

/// One such task.
struct Farewell(Rc<Cell<u32>>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
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
            farewells: Rc::default(),
        }
    }

    /// Runs a task that takes leave of a provider whose client has gone, apart from any request.
    ///
    /// The one task that the request path spawns, and only where something is left to be cancelled; the drain waits for it.
    pub(super) fn farewell(&self, task: impl Future<Output = ()> + 'static) {
        let count = self.farewells.get();
        if count >= MOST_FAREWELLS {
            return;
        }
        self.farewells.set(count + 1);
        let farewell = Farewell(Rc::clone(&self.farewells));
        tokio::task::spawn_local(async move {
            // What was not said in time is not worth more.
            let _ = tokio::time::timeout(FAREWELL, task).await;
            drop(farewell);
        });
    }

    /// Whether a task takes leave of a provider.
    #[must_use]
    pub fn is_taking_leave(&self) -> bool {
        self.farewells.get() > 0
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
