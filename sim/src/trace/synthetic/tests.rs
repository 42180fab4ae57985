//! Is what is made what was asked for?

use std::collections::BTreeSet;

use scoring::Class;

use super::*;
use crate::scenario::{Arrivals, Lengths, Surge};

fn traffic(rate: f64) -> Traffic {
    Traffic {
        class: Class::ChatStream,
        rate,
        arrivals: Arrivals::Poisson,
        lengths: Lengths::AzureConv,
        max_tokens: None,
        deadline: None,
        surges: Vec::new(),
        clients: 0,
        think: Span::ZERO,
        conversations: 0,
    }
}

/// Mean, p50, p95, p99 and maximum.
fn figures(mut values: Vec<u32>) -> [f64; 5] {
    values.sort_unstable();
    let at = |share: f64| f64::from(values[(share * values.len() as f64) as usize]);
    let mean = values.iter().map(|&it| f64::from(it)).sum::<f64>() / values.len() as f64;
    let largest = f64::from(values[values.len() - 1]);
    [mean, at(0.5), at(0.95), at(0.99), largest]
}

/// Share of all blocks that a cache finds that forgets nothing, as far as each prompt's beginning goes.
fn hits(trace: &Trace) -> f64 {
    let (mut seen, mut hit, mut all) = (BTreeSet::<u64>::new(), 0, 0);
    for request in &trace.requests {
        let blocks = trace.blocks_of(request);
        hit += blocks.iter().take_while(|it| seen.contains(*it)).count();
        all += blocks.len();
        seen.extend(blocks);
    }
    hit as f64 / all as f64
}

/// The table of the reference page; the maximum is a bound.
#[test]
fn lengths_are_those_of_the_services() {
    let services = [
        (
            Lengths::AzureConv,
            [1_155.0, 1_020.0, 4_083.0, 4_142.0, 14_050.0],
            [211.0, 129.0, 451.0, 601.0, 1_000.0],
        ),
        (
            Lengths::AzureCode,
            [2_048.0, 1_469.0, 7_303.0, 7_436.0, 7_437.0],
            [28.0, 13.0, 90.0, 252.0, 1_899.0],
        ),
        (
            Lengths::Mooncake,
            [12_035.0, 6_909.0, 39_551.0, 85_400.0, 126_195.0],
            [343.0, 350.0, 698.0, 1_119.0, 2_000.0],
        ),
    ];
    for (lengths, input, output) in services {
        let stream = Traffic {
            lengths,
            ..traffic(1_000.0)
        };
        let trace = synthetic(&[stream], Span::from_secs(200), 7);
        let inputs = figures(trace.requests.iter().map(|it| it.input).collect());
        let outputs = figures(trace.requests.iter().map(|it| it.output).collect());
        for (what, found, wanted) in [("input", inputs, input), ("output", outputs, output)] {
            for (place, tolerance) in [(0, 0.05), (1, 0.05), (2, 0.05), (3, 0.10)] {
                let off = found[place] / wanted[place] - 1.0;
                assert!(
                    off.abs() <= tolerance,
                    "{lengths:?} {what}: {found:?}, not {wanted:?}, seed 7"
                );
            }
            assert!(
                found[4] <= wanted[4] + 0.5,
                "{lengths:?} {what}: {found:?}, seed 7"
            );
        }
    }
}

#[test]
fn chat_prompts_cluster_where_azures_do() {
    let trace = synthetic(&[traffic(1_000.0)], Span::from_secs(100), 7);
    let share = |from, until| {
        let inside = trace
            .requests
            .iter()
            .filter(|it| (from..until).contains(&it.input));
        inside.count() as f64 / trace.requests.len() as f64
    };
    // In the trace 30.9 % and 7.6 %.
    let (middle, high) = (share(980, 1_200), share(4_050, 4_200));
    assert!((middle - 0.309).abs() < 0.015, "{middle}, seed 7");
    assert!((high - 0.076).abs() < 0.008, "{high}, seed 7");
}

#[test]
fn drawn_lengths_are_log_normal_about_their_medians() {
    let lengths = Lengths::Drawn {
        input: 400.0,
        input_sigma: 1.0,
        output: 50.0,
        output_sigma: 0.0,
    };
    let trace = synthetic(
        &[Traffic {
            lengths,
            ..traffic(1_000.0)
        }],
        Span::from_secs(100),
        5,
    );
    let [mean, median, ..] = figures(trace.requests.iter().map(|it| it.input).collect());
    assert!((median / 400.0 - 1.0).abs() < 0.03, "{median}, seed 5");
    // e^(σ²/2) = 1.649.
    assert!((mean / 659.5 - 1.0).abs() < 0.05, "{mean}, seed 5");
    assert!(trace.requests.iter().all(|it| it.output == 50));
    let absurd = Lengths::Drawn {
        input: 1e9,
        input_sigma: 1e9,
        output: f64::NAN,
        output_sigma: 1.0,
    };
    let trace = synthetic(
        &[Traffic {
            lengths: absurd,
            ..traffic(100.0)
        }],
        Span::from_secs(1),
        5,
    );
    assert!(
        trace
            .requests
            .iter()
            .all(|it| it.input >= 1 && it.output == 1)
    );
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_another() {
    let streams = [
        Traffic {
            conversations: 10,
            ..traffic(50.0)
        },
        Traffic {
            arrivals: Arrivals::Gamma(3.0),
            ..traffic(20.0)
        },
    ];
    let make = |seed| synthetic(&streams, Span::from_secs(60), seed);
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
    assert!(make(1).requests.is_sorted_by_key(|it| it.at));
    // The second stream is the same with and without the first one's conversations.
    let plain = [traffic(50.0), streams[1].clone()];
    let times = |trace: &Trace| {
        trace
            .requests
            .iter()
            .map(|it| (it.at, it.input))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        times(&make(1)),
        times(&synthetic(&plain, Span::from_secs(60), 1))
    );
}

#[test]
fn counts_follow_the_rate_and_surges_multiply_it() {
    for arrivals in [
        Arrivals::Poisson,
        Arrivals::Even,
        Arrivals::Gamma(2.0),
        Arrivals::Weibull(2.0),
    ] {
        let surge = |from, until, factor| Surge {
            from: Span::from_secs(from),
            until: Span::from_secs(until),
            factor,
        };
        let surges = vec![
            surge(100, 200, 5.0),
            surge(150, 250, 0.0),
            surge(990, 2_000, 2.0),
        ];
        let stream = Traffic {
            arrivals,
            surges,
            ..traffic(100.0)
        };
        let trace = synthetic(&[stream], Span::from_secs(1_000), 9);
        let count = |from: u64, until: u64| {
            let within = trace
                .requests
                .iter()
                .filter(|it| (from..until).contains(&(it.at.as_micros() / 1_000_000)));
            within.count() as f64
        };
        for (from, until, expected) in [
            (0, 100, 1e4),
            (100, 150, 25e3),
            (150, 250, 0.0),
            (250, 990, 74e3),
            (990, 1_000, 2e3),
        ] {
            let found = count(from, until);
            // Four deviations of a count whose gaps vary by at most 2.
            let band = 4.0 * 2.0 * f64::sqrt(expected) + 1.0;
            assert!(
                (found - expected).abs() < band,
                "{arrivals:?} {from}–{until} s: {found}, not {expected}, seed 9"
            );
        }
    }
}

#[test]
fn a_surge_keeps_the_arrivals_as_irregular_as_they_are() {
    let surges = vec![Surge {
        from: Span::ZERO,
        until: Span::from_secs(500),
        factor: 20.0,
    }];
    let stream = Traffic {
        arrivals: Arrivals::Gamma(3.0),
        surges,
        ..traffic(10.0)
    };
    let trace = synthetic(&[stream], Span::from_secs(500), 4);
    let gaps: Vec<f64> = trace
        .requests
        .windows(2)
        .map(|it| (it[1].at.as_micros() - it[0].at.as_micros()) as f64)
        .collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    let cv = variance.sqrt() / mean;
    assert!((cv - 3.0).abs() < 0.2, "cv {cv}, seed 4");
}

#[test]
fn an_answer_fits_its_limit_and_its_class() {
    let mut rng = stream_rng(1, 0);
    let stream = Traffic {
        max_tokens: Some(60),
        deadline: Some(Span::from_secs(5)),
        ..traffic(0.0)
    };
    let drawn: Vec<Request> = (0..1_000).map(|_| draw(&stream, &mut rng)).collect();
    assert!(
        drawn
            .iter()
            .all(|it| it.output <= 60 && it.max_tokens == Some(60))
    );
    assert!(drawn.iter().any(|it| it.output < 60));
    assert!(
        drawn
            .iter()
            .all(|it| it.at == Span::ZERO && it.deadline == Some(Span::from_secs(5)))
    );
    let stream = Traffic {
        class: Class::Embedding,
        ..traffic(0.0)
    };
    assert_eq!(draw(&stream, &mut rng).output, 1);
}

#[test]
fn closed_loops_and_silence_are_left_out() {
    let closed = Traffic {
        clients: 5,
        ..traffic(100.0)
    };
    assert!(
        synthetic(&[closed, traffic(0.0)], Span::from_secs(100), 1)
            .requests
            .is_empty()
    );
    assert!(
        synthetic(&[traffic(10.0)], Span::ZERO, 1)
            .requests
            .is_empty()
    );
}

#[test]
fn conversations_hit_a_cache_as_mooncakes_do() {
    for conversations in [50, 500, 5_000] {
        let stream = Traffic {
            lengths: Lengths::Mooncake,
            conversations,
            ..traffic(20.0)
        };
        let trace = synthetic(&[stream], Span::from_secs(2_000), 3);
        let share = hits(&trace);
        assert!(
            (share - 0.37).abs() < 0.015,
            "{conversations} conversations: {share:.3}, seed 3"
        );
        let filled = |it: &Request| usize::from(it.blocks) == (it.input as usize).div_ceil(512);
        assert!(trace.requests.iter().all(filled));
    }
    let alone = synthetic(&[traffic(20.0)], Span::from_secs(100), 3);
    assert!(alone.blocks.is_empty());
}

#[test]
fn turns_of_a_conversation_grow_and_share_what_they_filled() {
    let stream = Traffic {
        lengths: Lengths::Mooncake,
        conversations: 1,
        ..traffic(10.0)
    };
    let trace = synthetic(&[stream], Span::from_secs(100), 3);
    let mut shared = 0;
    for pair in trace.requests.windows(2) {
        let (earlier, later) = (trace.blocks_of(&pair[0]), trace.blocks_of(&pair[1]));
        let alike = earlier
            .iter()
            .zip(later)
            .take_while(|(one, other)| one == other)
            .count();
        if alike > 0 {
            shared += 1;
            assert_eq!(alike, (pair[0].input / 512) as usize);
            assert!(pair[1].input > pair[0].input + pair[0].output);
        }
    }
    assert!(
        shared > 50,
        "{shared} of {} turns, seed 3",
        trace.requests.len()
    );
}
