//! A stream that never falls silent and never gets anywhere: the floor under its pace.

use trimtab::mock::End;

use super::{Cast, assert_broken_off, assert_complete, assert_usage, every, kind, ms, secs, told};
use crate::support::{Mode, bench, pass_ms};

const CLOCKS: &str = "head = \"30s\"\nbetween_tokens = \"30s\"";

/// Found when the grace of ten seconds is over, and told like a stall.
#[test]
fn a_drip_is_stalled() {
    let clocks = format!("{CLOCKS}\nmin_tokens_per_second = 2");
    for cast in Cast::ALL {
        bench(&cast.with_clocks("fault-drip", &clocks), async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "drip").await;
            let error = assert_broken_off(&answer);
            assert_eq!(kind(cast.client, &error), told(cast.client).1);
            let first = answer.events().iter().find(|it| it.is_word()).unwrap().at;
            let after = answer.took - first;
            assert!(after >= secs(10) && after < ms(10_500), "{after:?}");
            pass_ms(1).await;
            assert_eq!(bench.seen("primary")[0].end, End::ClientLeft);
            assert_eq!(bench.in_flight(), 0);
        });
    }
}

/// Where the model recovers its streams, a drip is left for a route that is faster.
#[test]
fn a_drip_is_taken_up_elsewhere() {
    let clocks = format!("{CLOCKS}\nmin_tokens_per_second = 2");
    for how in ["restart", "continue"] {
        for cast in Cast::ALL {
            let lines = format!("stream_recovery = \"{how}\"");
            let spec = cast.with_model("fault-drip", &clocks, &lines);
            bench(&spec, async |bench| {
                let answer = cast.ask(&bench, Mode::Stream, "drip").await;
                assert_complete(&answer, "fault-drip");
                assert_usage(&answer);
                assert!(answer.took < secs(15), "{:?}", answer.took);
            });
        }
    }
}

/// The floor of a model goes before that of all; a stream that keeps it is left alone, and none is asked for by default.
#[test]
fn the_floor_is_the_models() {
    let clocks = format!("{CLOCKS}\ntotal = \"30s\"\nmin_tokens_per_second = 2");
    for cast in Cast::SAME {
        let lines = "[models.main.timeouts]\nmin_tokens_per_second = 1";
        bench(
            &cast.with_model("fault-drip", &clocks, lines),
            async |bench| {
                let answer = cast.ask(&bench, Mode::Stream, "drip").await;
                assert!(answer.took >= secs(30), "{:?}", answer.took);
            },
        );
    }
}

/// A stream of the usual pace never meets it, whole answers do not know it.
#[test]
fn an_honest_stream_is_left_alone() {
    let clocks = format!("{CLOCKS}\nmin_tokens_per_second = 50");
    for (cast, mode) in every() {
        bench(&cast.with_clocks("fine", &clocks), async |bench| {
            let answer = cast.ask(&bench, mode, "fine").await;
            assert_complete(&answer, "fine");
        });
    }
}
