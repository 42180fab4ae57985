//! Every policy by name, and how to make one.
//!
//! The engine is generic over the policy, so that each decision is a direct call; a [`Visitor`] takes it from a [`Kind`] to a type.
//!
//! # Invariants
//! - Names are unique, in kebab case, and read back.

use std::sync::Arc;

use scoring::route::{Ask, Parent};
use scoring::tuning::Tuning;

use super::{
    Adaptive, Agentgateway, Bifrost, Candidate, DUcb, EpsilonGreedy, GrpcWrr, LeastOutstanding,
    LinkerdBiaser, LitellmLatency, LitellmShuffle, LitellmUsage, Oracle, OracleWeighted,
    P2cPeakEwma, Policy, Prequal, RoundRobin, StaticWeighted,
};

/// What a policy is made from: one model's pool in one replica.
#[derive(Clone, Copy)]
pub struct Seat<'a> {
    /// The model's candidates.
    pub candidates: &'a [Candidate],
    /// The gateway replica, from 0.
    pub replica: usize,
    /// The product's settings; others ignore them.
    pub tuning: &'a Tuning,
    /// What is asked when nobody asks: for plots.
    pub sample: Ask,
    /// The parent of each provider and region, shared by the models of a replica.
    pub parents: &'a dyn Fn(&str) -> Arc<Parent>,
}

impl Seat<'_> {
    /// The operator's weights.
    pub(super) fn weights(&self) -> impl Iterator<Item = f64> {
        self.candidates.iter().map(|it| f64::from(it.weight))
    }
}

impl std::fmt::Debug for Seat<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat")
            .field("candidates", &self.candidates)
            .field("replica", &self.replica)
            .finish_non_exhaustive()
    }
}

/// Does something with a policy whose type it learns.
pub trait Visitor {
    /// What comes of it.
    type Out;

    /// Does it; `make` makes the policy for one seat, as often as needed.
    fn visit<P: Policy, F: Fn(&Seat<'_>) -> P>(self, make: F) -> Self::Out;
}

/// A policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// [`Adaptive`].
    Adaptive,
    /// [`StaticWeighted`].
    Static,
    /// [`RoundRobin`].
    RoundRobin,
    /// [`LeastOutstanding`].
    LeastOutstanding,
    /// [`P2cPeakEwma`].
    P2cPeakEwma,
    /// [`LinkerdBiaser`].
    LinkerdBiaser,
    /// [`Agentgateway`].
    Agentgateway,
    /// [`LitellmShuffle`].
    LitellmShuffle,
    /// [`LitellmLatency`].
    LitellmLatency,
    /// [`LitellmLatency`] with a buffer.
    LitellmLatencyBuffered,
    /// [`LitellmUsage`].
    LitellmUsage,
    /// [`GrpcWrr`].
    GrpcWrr,
    /// [`GrpcWrr`] with thresholds for small pools.
    GrpcWrrSmall,
    /// [`Bifrost`].
    Bifrost,
    /// [`Prequal`].
    Prequal,
    /// [`EpsilonGreedy`].
    EpsilonGreedy,
    /// [`DUcb`].
    DUcb,
    /// [`Oracle`].
    Oracle,
    /// [`OracleWeighted`].
    OracleWeighted,
}

impl Kind {
    /// Every policy: ours, its rivals, the oracles.
    pub const ALL: [Self; 19] = [
        Self::Adaptive,
        Self::Static,
        Self::RoundRobin,
        Self::LeastOutstanding,
        Self::P2cPeakEwma,
        Self::LinkerdBiaser,
        Self::Agentgateway,
        Self::LitellmShuffle,
        Self::LitellmLatency,
        Self::LitellmLatencyBuffered,
        Self::LitellmUsage,
        Self::GrpcWrr,
        Self::GrpcWrrSmall,
        Self::Bifrost,
        Self::Prequal,
        Self::EpsilonGreedy,
        Self::DUcb,
        Self::Oracle,
        Self::OracleWeighted,
    ];

    /// The name used on the command line, in reports and in plots.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Static => "static",
            Self::RoundRobin => "round-robin",
            Self::LeastOutstanding => "least-outstanding",
            Self::P2cPeakEwma => "p2c-peak-ewma",
            Self::LinkerdBiaser => "linkerd-biaser",
            Self::Agentgateway => "agentgateway",
            Self::LitellmShuffle => "litellm-shuffle",
            Self::LitellmLatency => "litellm-latency",
            Self::LitellmLatencyBuffered => "litellm-latency-buffered",
            Self::LitellmUsage => "litellm-usage",
            Self::GrpcWrr => "grpc-wrr",
            Self::GrpcWrrSmall => "grpc-wrr-small",
            Self::Bifrost => "bifrost",
            Self::Prequal => "prequal",
            Self::EpsilonGreedy => "epsilon-greedy",
            Self::DUcb => "d-ucb",
            Self::Oracle => "oracle",
            Self::OracleWeighted => "oracle-weighted",
        }
    }

    /// What it stands for, and the source of the rule.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Adaptive => "Trimtab's own selection (crate `scoring`)",
            Self::Static => "Bifrost OSS, Portkey: random by weight (their documentation)",
            Self::RoundRobin => "nginx: smooth weighted round robin (its source)",
            Self::LeastOutstanding => {
                "nginx least_conn, AWS least outstanding requests (nginx's source)"
            }
            Self::P2cPeakEwma => "tower, Finagle, Helicone: P2C over Peak EWMA (tower's source)",
            Self::LinkerdBiaser => "linkerd2-proxy load-biaser: Peak EWMA with penalties (source)",
            Self::Agentgateway => "agentgateway: P2C over health and latency, eviction (source)",
            Self::LitellmShuffle => "LiteLLM simple-shuffle with its cooldown (source)",
            Self::LitellmLatency => "LiteLLM latency-based-routing, mended window (source)",
            Self::LitellmLatencyBuffered => "LiteLLM latency-based-routing, buffer 0.1 (source)",
            Self::LitellmUsage => "LiteLLM usage-based-routing-v2 (source)",
            Self::GrpcWrr => "gRPC: outlier detection and client-side WRR (gRFC A50, A58)",
            Self::GrpcWrrSmall => "the same with thresholds that a small pool can reach",
            Self::Bifrost => "Bifrost Enterprise adaptive load balancing (documentation, 2025-12)",
            Self::Prequal => "Google Prequal's hot-cold rule without probes (NSDI 2024)",
            Self::EpsilonGreedy => "epsilon-greedy, 10 % (textbook)",
            Self::DUcb => "discounted UCB (Garivier and Moulines, 2008)",
            Self::Oracle => "clairvoyant that ignores weights: least true cost",
            Self::OracleWeighted => "clairvoyant that honours weights among the truly good",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Whether it reads the truth.
    #[must_use]
    pub const fn is_oracle(self) -> bool {
        matches!(self, Self::Oracle | Self::OracleWeighted)
    }

    /// Whether it is the product's own.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Adaptive)
    }

    /// Takes `visitor` to the policy's type.
    pub fn visit<V: Visitor>(self, visitor: V) -> V::Out {
        match self {
            Self::Adaptive => visitor.visit(Adaptive::new),
            Self::Static => visitor.visit(StaticWeighted::new),
            Self::RoundRobin => visitor.visit(RoundRobin::new),
            Self::LeastOutstanding => visitor.visit(LeastOutstanding::new),
            Self::P2cPeakEwma => visitor.visit(P2cPeakEwma::new),
            Self::LinkerdBiaser => visitor.visit(LinkerdBiaser::new),
            Self::Agentgateway => visitor.visit(Agentgateway::new),
            Self::LitellmShuffle => visitor.visit(LitellmShuffle::new),
            Self::LitellmLatency => visitor.visit(LitellmLatency::new),
            Self::LitellmLatencyBuffered => visitor.visit(LitellmLatency::buffered),
            Self::LitellmUsage => visitor.visit(LitellmUsage::new),
            Self::GrpcWrr => visitor.visit(GrpcWrr::new),
            Self::GrpcWrrSmall => visitor.visit(GrpcWrr::small),
            Self::Bifrost => visitor.visit(Bifrost::new),
            Self::Prequal => visitor.visit(Prequal::new),
            Self::EpsilonGreedy => visitor.visit(EpsilonGreedy::new),
            Self::DUcb => visitor.visit(DUcb::new),
            Self::Oracle => visitor.visit(Oracle::new),
            Self::OracleWeighted => visitor.visit(OracleWeighted::new),
        }
    }
}
