//! What became of spans, counted.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Why a span did not reach the collector: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Too many waited already.
    QueueFull,
    /// The collector could not be reached, or did not take them in all the tries there are.
    Unreachable,
    /// The collector will not have them.
    Refused,
    /// The collector took others of the same request.
    Rejected,
    /// The process ended first.
    Shutdown,
}

impl Lost {
    /// Every reason and its label, in the order of its index.
    const ALL: [(Self, &'static str); 5] = [
        (Self::QueueFull, "queue_full"),
        (Self::Unreachable, "unreachable"),
        (Self::Refused, "refused"),
        (Self::Rejected, "rejected"),
        (Self::Shutdown, "shutdown"),
    ];
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

/// Counters of spans.
#[derive(Clone, Debug)]
pub struct Spans {
    /// Spans that a collector has taken.
    pub sent: Counter,
    lost: [Counter; Lost::ALL.len()],
}

impl Spans {
    /// Counters that a scrape shows.
    pub fn register(to: &mut Registry) -> Self {
        let sent = Counter::default();
        let lost = Family::<ByReason, Counter>::default();
        let counts = Self {
            sent: sent.clone(),
            lost: Lost::ALL.map(|(_, reason)| lost.get_or_create(&ByReason { reason }).clone()),
        };
        to.register(
            "otlp_spans_sent",
            "Spans that the collector has taken",
            sent,
        );
        to.register(
            "otlp_spans_dropped",
            "Spans that did not reach the collector, by why",
            lost,
        );
        counts
    }

    /// Counts spans that are lost.
    pub fn lost(&self, why: Lost, count: u64) {
        self.lost[why as usize].inc_by(count);
    }

    /// Spans that were lost, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lost.iter().map(Counter::get).sum()
    }
}
