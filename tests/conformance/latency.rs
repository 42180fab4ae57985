//! How long answers take where nothing is drawn: `a + b·input + c·output`, times the load and what is wrong.

use scoring::time::Span;

use crate::play::agree;
use crate::scene::{Asked, Scene};

#[test]
fn answers_take_as_long() {
    let lengths = [(1, 1), (7, 2), (1_000, 11), (40_000, 59), (123, 60)];
    let asked: Vec<_> = lengths
        .iter()
        .zip(0..)
        .flat_map(|((input, output), number)| {
            let at = number * 20_000;
            [
                Asked::stream(at, *input).most(*output),
                Asked::whole(at + 5_000, *input).most(*output),
                Asked::embedding(at + 10_000, *input),
            ]
        })
        .collect();
    let fates = agree(&Scene::calm(), &asked);
    // 300 ms + 1000 tokens of 50 µs, then ten tokens of 15 ms.
    assert_eq!(fates[6].first, Some(Span::from_millis(350)));
    assert_eq!(
        (fates[6].end, fates[7].end),
        (Span::from_millis(500), Span::from_millis(500))
    );
    assert_eq!(fates[8].end, Span::from_millis(350));
}

#[test]
fn load_slows_both_alike() {
    let scene = Scene::calm().with("slowdown = { from = 4, slope = 1.5 }");
    // Three bursts that overlap, and stragglers that meet what is left of them.
    let burst = |at: u64| (0..12).map(move |number| Asked::stream(at + 10 * number, 100));
    let mut asked: Vec<_> = burst(0).chain(burst(1_005)).chain(burst(2_502)).collect();
    asked.extend((0..10).map(|number| Asked::whole(3_111 + 997 * number, 100)));
    asked.push(Asked::whole(60_000, 100));
    let fates = agree(&scene, &asked);
    // Alone: 305 ms, then 59 tokens of 15 ms.
    let alone = Span::from_millis(305 + 59 * 15);
    assert_eq!(fates[3].end, alone);
    assert_eq!(fates[11].end, alone.mul_f64(1.0 + 1.5 * 8.0 / 4.0));
    assert_eq!(fates.last().unwrap().end, alone);
}

#[test]
fn slow_downs_ramp_and_repeat() {
    let scene = Scene::calm()
        .fault("from = '10s'\nuntil = '50s'\nlatency_factor = 1.0\nlatency_factor_to = 5.0")
        .fault("from = '5s'\nuntil = '10s'\nevery = '15s'\nlatency_factor = 2.0");
    let asked: Vec<_> = (0..40)
        .map(|number| Asked::stream(1_700 * number, 40))
        .collect();
    let fates = agree(&scene, &asked);
    let slowest = fates.iter().map(|fate| fate.end).max().unwrap();
    // The flapping factor of two on a ramp that has come to about four.
    assert!(slowest > Span::from_millis(1_187 * 7), "{slowest:?}");
}

/// The clocks of the gateway end what is slower than they are.
#[test]
fn clocks_run_out_alike() {
    use scoring::Outcome::{Success, TimedOut, Truncated};
    for (factor, clocks, streamed, whole) in [
        (50.0, "", Success, Success),
        (55.0, "", Success, TimedOut),
        (210.0, "", TimedOut, TimedOut),
        (50.0, "between_tokens = '700ms'", Truncated, Success),
        (50.0, "head = '12s'", TimedOut, TimedOut),
    ] {
        let scene = Scene::calm()
            .clocks(clocks)
            .fault(&format!("latency_factor = {factor:?}"));
        let fates = agree(&scene, &[Asked::stream(0, 1), Asked::whole(200_000, 1)]);
        let outcomes = (fates[0].outcome, fates[1].outcome);
        assert_eq!(outcomes, (streamed, whole), "{factor} {clocks}");
    }
}
