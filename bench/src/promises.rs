//! What has the gateway promised that the overhead harness can check?
//!
//! # Invariants
//! - A promise that was not measured is not kept.

use crate::report::{Bar, Bound, Figures};

/// The promises that a run can check whose fastest open loop was at `fastest` requests per second.
#[must_use]
pub fn promises(figures: &Figures, fastest: u32) -> Vec<Bar> {
    let ratio = |case| {
        figures.compare([case, "cpu"], ["gateway", "nginx"], |left, right| {
            left / right
        })
    };
    let over = |case, figure| figures.added(case, "gateway", figure);
    let own = |case, figure| figures.median(case, "gateway", figure);
    let worst_loss = own("open5000", "rate") / f64::from(fastest);
    let mut bars = vec![
        at_most(
            "CPU per request, against nginx",
            ratio("closed32"),
            1.6,
            "×",
        ),
        at_most(
            "CPU per stream of 50, against nginx",
            ratio("streams"),
            1.3,
            "×",
        ),
        at_most("added p50 at 2,000/s", over("open2000", "p50"), 100.0, "µs"),
        at_most("added p99 at 2,000/s", over("open2000", "p99"), 310.0, "µs"),
        at_most(
            "added p99 at 5,000/s",
            over("open5000", "p99"),
            1_000.0,
            "µs",
        ),
        at_least("share of 5,000/s kept up", worst_loss, 0.99, ""),
        at_least(
            "closed loop, 32 connections",
            own("closed32", "rate"),
            30_000.0,
            "/s",
        ),
        at_most(
            "gap p99 of a stream paced at 10 ms",
            own("paced", "gap p99"),
            12_000.0,
            "µs",
        ),
        at_most("memory idle", own("memory", "idle"), 20.0, "MiB"),
        at_most("memory after load", own("memory", "loaded"), 40.0, "MiB"),
        at_most(
            "memory per open stream",
            own("memory", "per stream KiB"),
            16.0,
            "KiB",
        ),
        at_most(
            "start to first 200 on /health",
            own("start", "ms"),
            50.0,
            "ms",
        ),
    ];
    bars.extend(of_the_cache(figures));
    bars.extend(of_the_watchers(figures));
    bars
}

/// What the response cache has promised.
fn of_the_cache(figures: &Figures) -> [Bar; 3] {
    [
        at_most(
            "CPU per exact hit",
            figures.median("closed32", "cached", "cpu"),
            30.0,
            "µs",
        ),
        at_least(
            "exact hits, 32 connections",
            figures.median("closed32", "cached", "rate"),
            10_000.0,
            "/s",
        ),
        at_most(
            "CPU that a miss adds with the exact cache",
            figures.compare(
                ["closed32", "cpu"],
                ["cached-miss", "gateway"],
                |left, right| left - right,
            ),
            25.0,
            "µs",
        ),
    ]
}

/// What it may cost to be watched.
fn of_the_watchers(figures: &Figures) -> [Bar; 2] {
    let more = |case, of| figures.compare(case, of, |left, right| left - right);
    [
        at_most(
            "CPU that all that watches adds at 5,000/s",
            more(["open5000", "cpu"], ["watched", "unwatched"]),
            5.0,
            "µs",
        ),
        at_most(
            "p99 that a full disk, a dead collector and a stuck reader add at 2,000/s",
            more(["open2000", "p99"], ["starved", "watched"]),
            100.0,
            "µs",
        ),
    ]
}

fn at_most(name: &'static str, value: f64, bound: f64, unit: &'static str) -> Bar {
    Bar {
        name,
        value,
        bound: Bound::AtMost(bound),
        unit,
    }
}

fn at_least(name: &'static str, value: f64, bound: f64, unit: &'static str) -> Bar {
    Bar {
        name,
        value,
        bound: Bound::AtLeast(bound),
        unit,
    }
}
