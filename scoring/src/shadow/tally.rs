//! What is counted of the requests that a shadow was asked about, and what is told of it.
//!
//! Every thread adds to the same words; they are read at any time.
//! Why not one tally a thread: one request in some thirty comes here, and a word is rarely fought over.
//!
//! # Invariants
//! - A request is counted once when it is decided and at most once when it has ended.
//! - Weights are clipped at [`CLIP`], and what that takes away is known.

use crate::cell::Word;
use crate::select::Compared;

use super::estimate::{CLIPPED_MOST, Estimate, Kind, Refusal, UNSUPPORTED_MOST, estimate};
use super::moments::{Moments, Shared, Sum};

/// Largest weight of a request: one that was twenty times less likely than the shadow would have it.
///
/// Larger lets a few requests decide an estimate; smaller biases those of routes that are explored at one request in ten.
const CLIP: f64 = 20.0;

/// What a request's end counts for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    /// The shadow's probability of the live choice over the live one's, not clipped.
    raw: f64,
}

impl Weight {
    /// The weight of what was compared; none for a request that was refused, since no route tells of it.
    #[must_use]
    pub fn of(compared: &Compared) -> Option<Self> {
        let judged = !compared.live_refuses && compared.live > 0.0;
        judged.then(|| Self {
            raw: f64::from(compared.shadow) / f64::from(compared.live),
        })
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End {
    /// Whether its first attempt succeeded.
    pub first_succeeded: bool,
    /// What it cost, in ms.
    pub cost_ms: f64,
    /// Time to the first token, if it was a stream that its first attempt answered, in ms.
    pub ttft_ms: Option<f64>,
}

/// Sums over the requests of one model.
#[derive(Debug)]
pub struct Tally {
    sampled: Word,
    live_refused: Word,
    shadow_refused: Word,
    clipped: Word,
    left_out: Word,
    /// Sums given up because others were faster; anything above 0 is a defect.
    dropped: Word,
    overlap: Sum,
    unsupported: Sum,
    /// Weights as they were, and what clipping took away.
    weights: Sum,
    cut: Sum,
    success: Shared,
    cost: Shared,
    ttft: Shared,
    /// Of each route the live probabilities and the shadow's.
    routes: Box<[[Sum; 2]]>,
}

/// The part of the sampled requests that a route gets; 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// By the live constants.
    pub live: f64,
    /// By the shadow's.
    pub shadow: f64,
}

/// What a tally tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Requests that the shadow was asked about.
    pub sampled: u64,
    /// Those that the live constants refused.
    pub live_refused: u64,
    /// Those that the shadow would have refused.
    pub shadow_refused: u64,
    /// Requests that ended and tell nothing: the client's fault or gone, or never sent.
    pub left_out: u64,
    /// Weights that were clipped.
    pub clipped: u64,
    /// The part of the sum of weights that this took away; 0..=1.
    pub clipped_share: f64,
    /// Sums given up because others were faster; anything above 0 is a defect.
    pub dropped: u64,
    /// How much of both constants' choices is the same; 0..=1.
    pub agreement: f64,
    /// The shadow's mass on choices that the live constants leave no chance; 0..=1.
    pub unsupported: f64,
    /// Effective sample size of the judged requests.
    pub effective: f64,
    /// The part of first attempts that succeeds.
    pub success_rate: Result<Estimate, Refusal>,
    /// The mean cost of a request, in ms.
    pub cost_ms: Result<Estimate, Refusal>,
    /// The mean time to the first token of streams that the first attempt answered, in ms.
    pub ttft_ms: Result<Estimate, Refusal>,
    /// Each route, in the order of its places.
    pub routes: Vec<Share>,
}

impl Tally {
    /// A tally of so many routes with nothing counted.
    #[must_use]
    pub fn new(routes: usize) -> Self {
        Self {
            sampled: Word::new(0),
            live_refused: Word::new(0),
            shadow_refused: Word::new(0),
            clipped: Word::new(0),
            left_out: Word::new(0),
            dropped: Word::new(0),
            overlap: Sum::default(),
            unsupported: Sum::default(),
            weights: Sum::default(),
            cut: Sum::default(),
            success: Shared::default(),
            cost: Shared::default(),
            ttft: Shared::default(),
            routes: (0..routes).map(|_| Default::default()).collect(),
        }
    }

    /// Counts a decision.
    pub fn decided(&self, compared: &Compared) {
        count(&self.sampled, 1);
        count(&self.live_refused, compared.live_refuses.into());
        count(&self.shadow_refused, compared.shadow_refuses.into());
        self.add(&self.overlap, compared.overlap.into());
        self.add(&self.unsupported, compared.unsupported.into());
    }

    /// Counts with which probabilities a decision might have fallen on the route of this place.
    pub fn considered(&self, place: usize, live: f32, shadow: f32) {
        if let Some([of_live, of_shadow]) = self.routes.get(place) {
            self.add(of_live, live.into());
            self.add(of_shadow, shadow.into());
        }
    }

    /// Counts a request that has ended and tells nothing of its route.
    pub fn left_out(&self) {
        count(&self.left_out, 1);
    }

    /// Counts a request that has ended.
    pub fn ended(&self, weight: Weight, end: &End) {
        let clipped = weight.raw.min(CLIP);
        count(&self.clipped, (weight.raw > CLIP).into());
        self.add(&self.weights, weight.raw);
        self.add(&self.cut, weight.raw - clipped);
        let excess = clipped - 1.0;
        let success = f64::from(u8::from(end.first_succeeded));
        let mut dropped = self.success.add(Moments::of(success, excess));
        dropped += self.cost.add(Moments::of(end.cost_ms, excess));
        if let Some(ttft_ms) = end.ttft_ms {
            dropped += self.ttft.add(Moments::of(ttft_ms, excess));
        }
        count(&self.dropped, dropped);
    }

    fn add(&self, sum: &Sum, amount: f64) {
        count(&self.dropped, (!sum.add(amount)).into());
    }

    /// What follows from what was counted up to now.
    #[must_use]
    pub fn report(&self) -> Report {
        let read = |it: &Word| it.load();
        let sampled = read(&self.sampled);
        let part = |sum: &Sum| sum.read() / (sampled as f64).max(1.0);
        let cost = self.cost.read();
        let unsupported = part(&self.unsupported);
        let clipped_share = self.cut.read() / self.weights.read().max(f64::MIN_POSITIVE);
        let told = |moments: &Moments, kind| {
            if moments.n < 1.0 {
                return Err(Refusal::Nothing);
            }
            if unsupported > UNSUPPORTED_MOST {
                return Err(Refusal::Unsupported { mass: unsupported });
            }
            if clipped_share > CLIPPED_MOST {
                return Err(Refusal::Clipped {
                    share: clipped_share,
                });
            }
            estimate(moments, kind)
        };
        Report {
            sampled,
            live_refused: read(&self.live_refused),
            shadow_refused: read(&self.shadow_refused),
            left_out: read(&self.left_out),
            clipped: read(&self.clipped),
            clipped_share,
            dropped: read(&self.dropped),
            agreement: part(&self.overlap),
            unsupported,
            effective: super::effective(cost.weights(), cost.squares()),
            success_rate: told(&self.success.read(), Kind::Rate),
            cost_ms: told(&cost, Kind::Mean),
            ttft_ms: told(&self.ttft.read(), Kind::Mean),
            routes: self
                .routes
                .iter()
                .map(|[live, shadow]| Share {
                    live: part(live),
                    shadow: part(shadow),
                })
                .collect(),
        }
    }
}

fn count(counter: &Word, amount: u64) {
    if amount > 0 {
        counter.fetch_add(amount);
    }
}
