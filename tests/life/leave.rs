//! A client that leaves takes its attempt with it, and nobody is blamed.

use std::time::Duration;

use scoring::health::State;
use scoring::outcome::Outcome;
use trimtab::mock::End;

use super::{PACED, paced};
use crate::support::{Bench, Call, Client, Mode, Spec, bench, chat, pass_ms, words};

/// The only attempt ended when its client left, and the route is as it was.
async fn assert_left(bench: &Bench, after_ms: u64) {
    pass_ms(1).await;
    let attempts = bench.mock.attempts();
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_eq!(attempts[0].end, End::ClientLeft, "{attempts:?}");
    let lasted = Duration::from_micros(attempts[0].ended_us - attempts[0].at_us);
    let left = Duration::from_millis(after_ms);
    assert!(
        lasted >= left && lasted <= left + Duration::from_millis(2),
        "{lasted:?}, not {left:?}"
    );
    assert_eq!(bench.in_flight(), 0);
    let view = bench.route("alpha/");
    assert_eq!(view.inflight, 0);
    assert_eq!(view.state, State::Healthy);
    assert_eq!(view.outcomes[Outcome::Canceled.index()], 1);
    assert_eq!(view.outcomes.iter().sum::<u64>(), 1, "{view:?}");
    assert!(view.error_fast <= 0.0 && view.cusum <= 0.0, "{view:?}");
    let metrics = bench.metrics().await;
    let gone = metrics.sum("router_requests_total", &["client_gone"]);
    assert!((gone - 1.0).abs() < 0.1, "{gone}");
    let answer = bench.chat(&chat("main", Mode::Stream)).await;
    assert_eq!(answer.content(), words(60));
}

#[test]
fn before_the_first_byte() {
    for mode in Mode::BOTH {
        bench(&paced(), async |bench| {
            let mut client = Client::open(bench.address).await;
            client.send(&Call::chat(&chat("main", mode)).bytes()).await;
            pass_ms(100).await;
            assert_eq!(bench.in_flight(), 1);
            drop(client);
            assert_left(&bench, 100).await;
        });
    }
}

#[test]
fn in_the_middle_of_a_stream() {
    bench(&paced(), async |bench| {
        let mut client = Client::open(bench.address).await;
        client
            .send(&Call::chat(&chat("main", Mode::Stream)).bytes())
            .await;
        client.words(11).await;
        drop(client);
        assert_left(&bench, 300 + 10 * 15).await;
        let first = &bench.mock.attempts()[0];
        assert!((11..=12).contains(&first.output_tokens), "{first:?}");
    });
}

/// On a connection that has served before, too.
#[test]
fn on_a_connection_in_use() {
    bench(&paced(), async |bench| {
        let mut client = Client::open(bench.address).await;
        client.call(&Call::chat(&chat("main", Mode::Whole))).await;
        client
            .send(&Call::chat(&chat("main", Mode::Stream)).bytes())
            .await;
        client.words(3).await;
        drop(client);
        pass_ms(1).await;
        let ends: Vec<_> = bench
            .mock
            .attempts()
            .iter()
            .map(|attempt| attempt.end)
            .collect();
        assert_eq!(ends, [End::Completed, End::ClientLeft]);
        assert_eq!(bench.in_flight(), 0);
    });
}

/// While the gateway waits to try again: it does not.
#[test]
fn during_a_back_off() {
    let spec = Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"alpha\", model = \"s01\" }]")
        .stand_in("alpha", PACED);
    for mode in Mode::BOTH {
        bench(&spec, async |bench| {
            let mut client = Client::open(bench.address).await;
            client.send(&Call::chat(&chat("main", mode)).bytes()).await;
            pass_ms(1_000).await;
            assert_eq!((bench.mock.attempts().len(), bench.in_flight()), (1, 1));
            drop(client);
            pass_ms(1).await;
            assert_eq!(bench.in_flight(), 0);
            pass_ms(5_000).await;
            assert_eq!(bench.mock.attempts().len(), 1);
        });
    }
}

/// A crowd that leaves does not make a route look bad, nor leak.
#[test]
fn a_crowd_that_leaves() {
    bench(&paced(), async |bench| {
        for round in 0..20 {
            let mut crowd = Vec::new();
            for number in 0..10 {
                let mode = Mode::BOTH[number % 2];
                let mut client = Client::open(bench.address).await;
                client.send(&Call::chat(&chat("main", mode)).bytes()).await;
                crowd.push(client);
            }
            pass_ms(5 + 50 * round).await;
            drop(crowd);
            pass_ms(1).await;
            assert_eq!(bench.in_flight(), 0);
        }
        let view = bench.route("alpha/");
        assert_eq!((view.inflight, view.state), (0, State::Healthy), "{view:?}");
        let ended: u64 = view.outcomes.iter().sum();
        assert_eq!((ended, view.dispatched), (200, 200));
        let hurt =
            [Outcome::Success, Outcome::Canceled].map(|outcome| view.outcomes[outcome.index()]);
        assert_eq!(hurt.iter().sum::<u64>(), 200, "{view:?}");
        assert!(
            bench
                .mock
                .attempts()
                .iter()
                .all(|attempt| attempt.end != End::Open)
        );
    });
}
