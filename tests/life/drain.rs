//! An orderly end: nobody new, everybody served who is there.

use std::time::Duration;

use super::paced;
use crate::support::{Call, Client, Ended, Mode, bench, chat, pass_ms, words};

const SOON: Duration = Duration::from_millis(100);

#[test]
fn a_drain_finishes_what_is_in_flight() {
    bench(&paced(), async |bench| {
        let mut streaming = Client::open(bench.address).await;
        streaming
            .send(&Call::chat(&chat("main", Mode::Stream)).bytes())
            .await;
        streaming.words(5).await;
        let mut waiting = Client::open(bench.address).await;
        waiting
            .send(&Call::chat(&chat("main", Mode::Whole)).bytes())
            .await;
        let mut idle = Client::open(bench.address).await;
        assert_eq!(idle.call(&Call::get("/ready")).await.status, 200);
        pass_ms(10).await;

        bench.gateway.control.drain();
        pass_ms(1).await;
        assert!(
            Client::try_open(bench.address).await.is_err(),
            "nobody listens any more"
        );
        assert!(idle.is_closed_within(SOON).await);

        let answer = streaming.answer().await;
        assert_eq!((answer.ended, answer.content()), (Ended::Whole, words(60)));
        assert!(answer.is_done());
        let answer = waiting.answer().await;
        assert_eq!((answer.ended, answer.content()), (Ended::Whole, words(60)));
        assert!(streaming.is_closed_within(SOON).await && waiting.is_closed_within(SOON).await);
        assert_eq!(bench.in_flight(), 0);
    });
}

/// A request on its way when the drain begins is answered, and readiness says what is going on.
#[test]
fn readiness_ends_with_the_drain() {
    bench(&paced(), async |bench| {
        let ask = Call::get("/ready").bytes();
        let mut early = Client::open(bench.address).await;
        early.send(&ask[..10]).await;
        let mut late = Client::open(bench.address).await;
        let chat = Call::chat(&chat("main", Mode::Whole)).bytes();
        late.send(&chat[..chat.len() - 5]).await;
        pass_ms(10).await;
        bench.gateway.control.drain();
        pass_ms(1).await;
        early.send(&ask[10..]).await;
        let answer = early.answer().await;
        assert_eq!(
            (answer.status, answer.json()["status"].as_str()),
            (503, Some("draining"))
        );
        late.send(&chat[chat.len() - 5..]).await;
        assert_eq!(late.answer().await.content(), words(60));
        assert!(early.is_closed_within(SOON).await && late.is_closed_within(SOON).await);
    });
}
