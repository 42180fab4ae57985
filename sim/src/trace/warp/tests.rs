//! Is a warped trace what the factors say?

use super::*;
use crate::trace::Seen;

/// 1 000 requests, 10 ms apart, in 10 bursts of 100 each s; 9 s + 990 ms in all.
fn bursts() -> Trace {
    let requests = (0..1_000_u64).map(|index| {
        let at = Span::from_millis(index / 100 * 1_000 + index % 100);
        Request {
            block: index as u32,
            blocks: 1,
            ..Request::chat(at, index as u32 + 1, 1)
        }
    });
    Trace {
        requests: requests.collect(),
        blocks: (0..1_000).collect(),
        seen: vec![Seen::default(); 1_000],
        routes: vec!["one".to_owned()],
        ..Trace::default()
    }
}

/// Requests in the busiest of the trace's stretches of `millis`, over the mean.
fn peak(trace: &Trace, millis: u64) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for request in &trace.requests {
        *counts
            .entry(request.at.as_micros() / (millis * 1_000))
            .or_insert(0_u32) += 1;
    }
    let stretches = trace.length().as_micros() as f64 / (millis * 1_000) as f64;
    let mean = trace.requests.len() as f64 / stretches;
    f64::from(*counts.values().max().unwrap()) / mean
}

#[test]
fn speed_divides_times_and_keeps_bursts() {
    let trace = bursts();
    let fast = warp(
        &trace,
        &Warp {
            speed: 10.0,
            scale: 1.0,
        },
        1,
    );
    assert_eq!(fast.requests.len(), 1_000);
    assert_eq!(fast.seen.len(), 1_000);
    assert_eq!(fast.requests[999].at, Span::from_micros(909_900));
    // The same bursts on a clock ten times as fast.
    assert!((peak(&fast, 10) / peak(&trace, 100) - 1.0).abs() < 0.05);
}

#[test]
fn scale_superposes_and_smooths() {
    let trace = bursts();
    let full = warp(
        &trace,
        &Warp {
            speed: 1.0,
            scale: 10.0,
        },
        1,
    );
    assert_eq!(full.requests.len(), 10_000);
    assert!(full.seen.is_empty());
    assert!(full.requests.is_sorted_by_key(|it| it.at));
    assert!(full.requests.last().unwrap().at < trace.length());
    let (before, after) = (peak(&trace, 100), peak(&full, 100));
    assert!(
        after < before / 2.0,
        "peak {before:.1} became {after:.1}, seed 1"
    );
    // Every copy has blocks of its own.
    let ids: std::collections::BTreeSet<u64> = full.blocks.iter().copied().collect();
    assert_eq!(ids.len(), 10_000);
}

#[test]
fn a_fraction_is_a_random_share() {
    let trace = bursts();
    for (scale, expected) in [(0.25, 250.0), (1.5, 1_500.0)] {
        let thin = warp(&trace, &Warp { speed: 1.0, scale }, 3);
        let count = thin.requests.len() as f64;
        assert!((count - expected).abs() < 60.0, "{scale}: {count}, seed 3");
        assert_eq!(thin.blocks.len(), thin.requests.len());
        for request in &thin.requests {
            assert_eq!(thin.blocks_of(request).len(), 1);
        }
    }
    let again = Warp {
        speed: 1.0,
        scale: 0.25,
    };
    assert_eq!(warp(&trace, &again, 3), warp(&trace, &again, 3));
    assert_ne!(warp(&trace, &again, 3), warp(&trace, &again, 4));
}

#[test]
fn no_change_changes_nothing_and_too_much_is_told() {
    let trace = bursts();
    assert_eq!(warp(&trace, &Warp::default(), 1), trace);
    assert_eq!(
        Warp {
            speed: 5.0,
            scale: 2.0
        }
        .check(&trace),
        Ok(())
    );
    let reason = Warp {
        speed: 1.0,
        scale: 50_001.0,
    }
    .check(&trace)
    .unwrap_err();
    assert!(reason.contains("50000000"), "{reason}");
    for text in ["0", "-1", "NaN", "inf", "x", "10001"] {
        assert!(factor(text).is_err(), "{text}");
    }
}

#[test]
fn halves_are_disjoint_and_each_begins_at_zero() {
    let trace = bursts();
    let (first, second) = (half(&trace, Half::First), half(&trace, Half::Second));
    assert_eq!(first.requests.len() + second.requests.len(), 1_000);
    assert_eq!(first.seen.len() + second.seen.len(), 1_000);
    // The length is 9.099 s and one mean gap: the middle lies in the fifth second's lull.
    assert_eq!(first.requests.len(), 500);
    assert_eq!(second.requests[0].input, 501);
    assert_eq!(second.blocks_of(&second.requests[0]), [500]);
    let offset = 5_000_000 - trace.length().as_micros() / 2;
    assert_eq!(second.requests[0].at.as_micros(), offset);
}

#[test]
fn a_cut_ends_before_its_length() {
    let trace = bursts();
    let cut = cut(&trace, Span::from_secs(2));
    assert_eq!(cut.requests.len(), 200);
    assert_eq!((cut.seen.len(), cut.blocks.len()), (200, 200));
    assert!(super::cut(&trace, Span::ZERO).requests.is_empty());
    assert_eq!(super::cut(&trace, Span::from_secs(99)), trace);
    assert!(half(&Trace::default(), Half::Second).requests.is_empty());
}

#[test]
fn the_command_line_reads_a_warp_and_says_how_they_differ() {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        warp: Warp,
    }
    use clap::{CommandFactory, Parser};
    let line = Line::try_parse_from(["x", "--speed", "2.5"]).unwrap();
    let expected = Warp {
        speed: 2.5,
        scale: 1.0,
    };
    assert_eq!(line.warp, expected);
    assert!(Line::try_parse_from(["x", "--scale", "0"]).is_err());
    let help = Line::command().render_long_help().to_string();
    assert!(help.contains("bursts stay bursts") && help.contains("which smooths"));
}
