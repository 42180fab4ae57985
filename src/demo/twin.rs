//! What would a static gateway have done with the same requests?
//!
//! The twin is measured, not modelled: a second set of stand-ins plays the same script from the same seed, and each order is sent there by the operator's weights alone.
//! It is a fair twin: a failed attempt is tried again at once on another provider, up to twice, as static gateways with fallbacks do.
//!
//! # Invariants
//! - The draw knows weights and what this request has tried, and nothing else.
//! - Routes of one order are distinct.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Uri;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use super::client::{Address, Caller, Fate};
use super::orders::Order;
use super::script::{CAST, ROUTES};
use super::tally::Ending;

/// Extra attempts that a failed one may be followed by, as gateways with static weights commonly default to.
pub(super) const RETRIES: usize = 2;

/// Attempts begun on each route; statistics, read by the screen.
#[derive(Debug, Default)]
pub(super) struct Begun([AtomicU64; ROUTES]);

/// The static gateway's stand-in.
#[derive(Debug)]
pub(super) struct Twin {
    caller: Caller,
    uris: [Uri; ROUTES],
    rng: RefCell<SmallRng>,
    begun: Arc<Begun>,
}

impl Begun {
    /// Attempts begun so far.
    pub(super) fn counts(&self) -> [u64; ROUTES] {
        std::array::from_fn(|route| self.0[route].load(Ordering::Relaxed))
    }
}

impl Twin {
    /// A twin that calls the stand-ins at `mock`.
    pub(super) fn new(mock: Address, seed: u64, begun: Arc<Begun>) -> Self {
        Self {
            caller: Caller::new(mock),
            uris: CAST.map(|actor| Uri::from_static(actor.path)),
            rng: RefCell::new(SmallRng::seed_from_u64(seed)),
            begun,
        }
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self) {
        self.caller.sweep();
    }

    /// Serves `order` as static weights would.
    pub(super) async fn ask(&self, order: &Order, body: Bytes) -> Fate {
        let mut tried = [false; ROUTES];
        let mut fate = Fate {
            ending: Ending::Lost,
            attempts: 0,
            route: None,
        };
        for _ in 0..=RETRIES {
            let Some(route) = draw(tried, &mut *self.rng.borrow_mut()) else {
                break;
            };
            tried[route] = true;
            self.begun.0[route].fetch_add(1, Ordering::Relaxed);
            let called = self
                .caller
                .call(&self.uris[route], order, body.clone())
                .await;
            fate = Fate {
                ending: called.ending,
                attempts: fate.attempts + 1,
                route: Some(route),
            };
            if called.ending != Ending::Refused {
                break;
            }
        }
        fate
    }
}

/// Draws a route that was not tried, by weight.
pub(super) fn draw(tried: [bool; ROUTES], rng: &mut impl Rng) -> Option<usize> {
    let left = || (0..ROUTES).filter(|route| !tried[*route]);
    let sum: f32 = left().map(|route| CAST[route].weight).sum();
    let mut at = rng.random::<f32>() * sum;
    let drawn = left().find(|route| {
        at -= CAST[*route].weight;
        at < 0.0
    });
    drawn.or_else(|| left().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draw_follows_the_weights_and_leaves_out_what_was_tried() {
        let rng = &mut SmallRng::seed_from_u64(7);
        let mut counts = [0_u32; ROUTES];
        for _ in 0..10_000 {
            if let Some(route) = draw([false; ROUTES], rng) {
                counts[route] += 1;
            }
        }
        for (count, actor) in counts.iter().zip(CAST) {
            let off = (*count as f32 / 10_000.0 - actor.weight).abs();
            assert!(off < 0.02, "seed 7: {counts:?}");
        }
        assert_eq!(draw([true, true, false], rng), Some(2));
        assert_eq!(draw([true; ROUTES], rng), None);
    }
}
