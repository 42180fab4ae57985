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

use super::cached::Checks;
use super::lasting::Lasting;
use super::serving::Serving;
use crate::clock;
use crate::governance::Pen;
use crate::observe::metrics::Metrics;
use crate::observe::recorder::Recorder;
use crate::observe::scribe::Scribe;
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
    /// Who is told of finished requests, if anybody keeps or sends them.
    pub scribe: Option<Scribe>,
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
    /// What pays for attempts; none where nobody does.
    pen: RefCell<Option<Pen>>,
    rng: RefCell<SmallRng>,
    /// Random, so that ids of different workers and processes differ.
    id_prefix: u32,
    next_id: Cell<u32>,
    /// What is to be found out of the cache's answers.
    pub(super) checks: Checks,
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
        let ledger = shared.lasting.ledger.as_ref();
        Self {
            pen: RefCell::new(ledger.and_then(|ledger| ledger.take_pen())),
            shared,
            pools: Pools::default(),
            rng: RefCell::new(rng),
            id_prefix,
            next_id: Cell::new(0),
            checks: Checks::default(),
            farewells: Rc::default(),
        }
    }

    /// Runs a task that takes leave of a provider whose client has gone, apart from any request.
    ///
    /// Only where something is left to be cancelled; the drain waits for it.
    pub(super) fn farewell(&self, task: impl Future<Output = ()> + 'static) {
        self.set_apart(async move {
            // What was not said in time is not worth more.
            let _ = tokio::time::timeout(FAREWELL, task).await;
        });
    }

    /// Runs a task that brings an answer to its end whose client has left and that others wait for.
    ///
    /// The stream has clocks of its own; the drain waits for it.
    pub(super) fn carry_on(&self, task: impl Future<Output = ()> + 'static) {
        self.set_apart(task);
    }

    /// Runs a task that belongs to no request any more, if there are not too many.
    fn set_apart(&self, task: impl Future<Output = ()> + 'static) {
        let count = self.farewells.get();
        if count >= MOST_FAREWELLS {
            return;
        }
        self.farewells.set(count + 1);
        let farewell = Farewell(Rc::clone(&self.farewells));
        tokio::task::spawn_local(async move {
            task.await;
            drop(farewell);
        });
    }

    /// Whether a task takes leave of a provider.
    #[must_use]
    pub fn is_taking_leave(&self) -> bool {
        self.farewells.get() > 0
    }

    /// A number that no other request of this process has, and likely none of another.
    pub(super) fn new_number(&self) -> u64 {
        let number = self.next_id.get();
        self.next_id.set(number.wrapping_add(1));
        u64::from(self.id_prefix) << 32 | u64::from(number)
    }

    /// Does something with this worker's pen, if it has one.
    pub(super) fn with_pen<T>(&self, act: impl FnOnce(&mut Pen) -> T) -> Option<T> {
        self.pen.borrow_mut().as_mut().map(act)
    }

    /// Writes what is still owed to the ledger, if the disk takes it again.
    pub fn pay_debts(&self) {
        self.with_pen(Pen::pay_debts);
    }

    /// Runs `draw` with this worker's generator.
    pub(super) fn with_rng<T>(&self, draw: impl FnOnce(&mut SmallRng) -> T) -> T {
        draw(&mut self.rng.borrow_mut())
    }

    /// Whether a chance comes true; 0..=1.
    pub(super) fn draws(&self, chance: f64) -> bool {
        chance > 0.0 && self.with_rng(|rng| rng.random::<f64>()) < chance
    }

    /// A number in 0..1.
    pub(super) fn jitter(&self) -> f32 {
        self.with_rng(|rng| rng.random())
    }
}
