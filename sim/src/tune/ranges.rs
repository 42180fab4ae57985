//! Which constants are searched, and between which values?
//!
//! A range here is where a sensible value may lie; what the formulae can bear at all is `scoring`'s table.
//! Left out are constants that say what an operator wants (`δ`, `λ`), that belong to a trade-off outside of the scenarios (holds, daily quotas), or that only keep numbers finite.
//!
//! # Invariants
//! - Every range lies within what `scoring` allows, holds the default, and has its reason.

/// How a range is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// Evenly in factors, for what spans orders of magnitude.
    Log,
}

/// One constant that is searched.
#[derive(Clone, Copy, Debug)]
pub struct Searched {
    /// Its name, as `group.field`.
    pub name: &'static str,
    /// The smallest value tried; spans in seconds.
    pub low: f64,
    /// The largest value tried.
    pub high: f64,
    /// How the range is covered.
    pub scale: Scale,
    /// Why no further.
    pub reason: &'static str,
}

const fn searched(
    name: &'static str,
    (low, high): (f64, f64),
    scale: Scale,
    reason: &'static str,
) -> Searched {
    Searched {
        name,
        low,
        high,
        scale,
        reason,
    }
}

use Scale::{Linear, Log};

/// Every constant that is searched, in the order of `scoring`'s table.
pub const SEARCHED: &[Searched] = &[
    searched(
        "error.tau_fast",
        (1.0, 12.0),
        Log,
        "shorter than the gap between samples it forgets each; longer than 10 s is what ejection by intervals has",
    ),
    searched(
        "error.tau_slow",
        (20.0, 300.0),
        Log,
        "it must outlive several fast constants and still forget an incident within minutes",
    ),
    searched(
        "error.fast_prior",
        (2.0, 40.0),
        Log,
        "below 2 one failure is a verdict; above 40 a dead route is not seen within 2 s at 25 requests/s",
    ),
    searched(
        "error.slow_prior",
        (4.0, 100.0),
        Log,
        "as the fast one, over a longer memory",
    ),
    searched(
        "error.benefit",
        (0.0, 2.0),
        Linear,
        "at 0 chance is priced; at 2 a real 10 % is excused for a minute",
    ),
    searched(
        "latency.tau_drift",
        (2.0, 20.0),
        Log,
        "twice as slow must show within 3 s, and one slow answer must not",
    ),
    searched(
        "latency.tau_fit",
        (60.0, 1_800.0),
        Log,
        "shorter follows the drift that is measured against it; longer keeps a model that the provider changed",
    ),
    searched(
        "latency.weight_min",
        (0.01, 0.1),
        Log,
        "the two weights bound how many samples a judgement takes: 10 to 100 here",
    ),
    searched("latency.weight_max", (0.1, 0.6), Log, "and two to ten here"),
    searched(
        "latency.risk",
        (0.0, 1.0),
        Linear,
        "an aversion to spread; beyond 1 it shuns routes that are merely irregular",
    ),
    searched(
        "latency.dead_zone",
        (0.0, 1.0),
        Linear,
        "beyond one scale half of a doubling goes unseen",
    ),
    searched(
        "latency.overdue",
        (2.0, 6.0),
        Log,
        "below 2 usual noise is overdue; above 6 a hanging route is seen too late",
    ),
    searched(
        "circuit.threshold",
        (5.0, 14.0),
        Linear,
        "at 5 a healthy 1 % trips every few thousand attempts; 15 is the most that is kept",
    ),
    searched(
        "circuit.good_rate",
        (0.005, 0.05),
        Log,
        "providers' usual error rates",
    ),
    searched(
        "circuit.bad_rate",
        (0.1, 0.5),
        Log,
        "a rate that nobody would keep a route for, and one that must trip",
    ),
    searched(
        "circuit.doubt_step",
        (16.0, 100.0),
        Log,
        "likelihood ratios of rates between 1 % and 10 % against health",
    ),
    searched(
        "circuit.doubt_most",
        (80.0, 255.0),
        Log,
        "it must reach the doubt that halves a weight; 255 is the most that is kept",
    ),
    searched(
        "circuit.doubt_rest",
        (5.0, 120.0),
        Log,
        "sooner than a provider mends nothing is forgiven; later than minutes a route is missed",
    ),
    searched(
        "circuit.open_base",
        (0.25, 5.0),
        Log,
        "probing sooner meets the same fault, later keeps a mended route away",
    ),
    searched(
        "circuit.open_cap",
        (2.0, 30.0),
        Log,
        "half of the share must be back within 15 s",
    ),
    searched(
        "circuit.open_requests",
        (0.0, 40.0),
        Linear,
        "a pool's requests between probes: at 40 one in a thousand is a probe at the most",
    ),
    searched(
        "circuit.open_longest",
        (8.0, 1_800.0),
        Log,
        "the same at low traffic, where every probe is a request that may fail",
    ),
    searched(
        "circuit.probes",
        (1.0, 8.0),
        Linear,
        "one success may be chance at 40 %; eight in a row are chance at 40 % one time out of sixty",
    ),
    searched(
        "circuit.ramp_successes",
        (1.0, 12.0),
        Linear,
        "how fast the share comes back: four doublings from a tenth",
    ),
    searched(
        "circuit.ramp_start",
        (0.03, 0.5),
        Log,
        "a share that shows something and yet does no harm",
    ),
    searched(
        "circuit.forget",
        (0.0, 0.5),
        Linear,
        "what is kept of the counts that opened the circuit",
    ),
    searched(
        "cost.busy_from",
        (0.4, 0.9),
        Linear,
        "load is spread before a ceiling is hot, and not while it is idle",
    ),
    searched(
        "cost.busy_weight",
        (0.1, 2.0),
        Log,
        "a detour of a tenth to twice the latency",
    ),
    searched(
        "cost.hot_from",
        (0.9, 0.98),
        Linear,
        "headroom for bursts against capacity that goes unused",
    ),
    searched(
        "cost.full_from",
        (0.95, 1.0),
        Linear,
        "the room in which counts differ from the provider's",
    ),
    searched(
        "draw.band",
        (0.03, 0.4),
        Log,
        "a twentieth puts performance first; beyond 0.4 weights rule",
    ),
    searched(
        "draw.taper_from",
        (0.003, 0.03),
        Log,
        "between usual error rates and those that a first attempt would show",
    ),
    searched(
        "draw.taper_power",
        (1.0, 8.0),
        Log,
        "at 1 a tenth of the weight is left at 10 %; 8 is a switch",
    ),
    searched(
        "draw.doubt_half",
        (40.0, 200.0),
        Log,
        "one failure to four of them in a row",
    ),
    searched(
        "draw.doubt_width",
        (5.0, 60.0),
        Log,
        "a switch, and a slope as wide as a failure",
    ),
    searched(
        "draw.explore",
        (0.002, 0.03),
        Log,
        "at most half a percent of picks may be spent, and a cold route must be found",
    ),
    searched(
        "ceiling.drained_cut",
        (0.9, 0.99),
        Linear,
        "what is left below the ceiling found: utilisation against refusals",
    ),
    searched(
        "ceiling.unknown_cut",
        (0.6, 0.95),
        Linear,
        "a first refusal says little about the rate",
    ),
    searched(
        "ceiling.measure_window",
        (5.0, 60.0),
        Log,
        "shorter than a slice it measures bursts",
    ),
    searched(
        "ceiling.probe_speed",
        (0.000_5, 0.01),
        Log,
        "a tenth in 200 s and in 10 s",
    ),
    searched(
        "ceiling.probe_interval",
        (15.0, 180.0),
        Log,
        "every probe may end in a refusal; a doubled limit must be found within 10 minutes",
    ),
    searched(
        "ceiling.probe_interval_max",
        (60.0, 480.0),
        Log,
        "the same, once nothing was found",
    ),
];

#[cfg(test)]
mod tests {
    use scoring::tuning::{self, Tuning, constants};

    use super::*;

    #[test]
    fn every_range_is_allowed_holds_the_default_and_has_its_reason() {
        let base = Tuning::default();
        let mut places = Vec::new();
        for it in SEARCHED {
            let constant =
                tuning::constant(it.name).unwrap_or_else(|| panic!("{} is no constant", it.name));
            let default = (constant.get)(&base);
            assert!(
                it.low <= default && default <= it.high,
                "{}: {default}",
                it.name
            );
            assert!(it.low < it.high && it.high <= constant.most, "{}", it.name);
            assert!(it.scale == Linear || it.low > 0.0, "{}", it.name);
            assert!(it.reason.len() > 10, "{}", it.name);
            places.push(constants().iter().position(|other| other.name == it.name));
        }
        assert!(places.is_sorted(), "in the order of the table, once each");
    }
}
