//! Requests that are alike at one time: one is sent, the others get what it gets.

use std::rc::Rc;

use tokio::task::spawn_local;
use trimtab::mock::End;

use super::{asking, attempts, keeping, status};
use crate::support::{Client, Ended, Mode, bench, pass_ms, words};

#[test]
fn a_hundred_at_once_are_one_attempt() {
    for mode in Mode::BOTH {
        bench(&keeping(""), async |bench| {
            let bench = Rc::new(bench);
            let mut tasks = Vec::new();
            for number in 0..100 {
                let bench = Rc::clone(&bench);
                tasks.push(spawn_local(async move {
                    // They come while the first is under way, and some in the middle of its stream.
                    pass_ms(number * 5).await;
                    bench.call(&asking("x", mode)).await
                }));
            }
            let mut kinds = std::collections::BTreeMap::new();
            let mut bodies = std::collections::BTreeSet::new();
            for task in tasks {
                let answer = task.await.unwrap();
                assert_eq!((answer.status, answer.content()), (200, words(60)));
                *kinds.entry(status(&answer).to_owned()).or_insert(0) += 1;
                bodies.insert(answer.body);
            }
            assert_eq!(attempts(&bench), 1);
            assert_eq!(bodies.len(), 1);
            assert_eq!(kinds.get("MISS"), Some(&1), "{kinds:?}");
            assert_eq!(kinds.get("COALESCED"), Some(&99), "{kinds:?}");
            assert_eq!(bench.in_flight(), 0);
        });
    }
}

#[test]
fn a_failure_wakes_those_who_wait() {
    bench(&keeping(""), async |bench| {
        let bench = Rc::new(bench);
        bench
            .mock
            .set_fault("alpha", Some("503".parse().unwrap()))
            .unwrap();
        let mut tasks = Vec::new();
        for _ in 0..5 {
            let bench = Rc::clone(&bench);
            tasks.push(spawn_local(async move {
                bench.call(&asking("x", Mode::Whole)).await
            }));
        }
        for task in tasks {
            assert_ne!(task.await.unwrap().status, 200);
        }
        assert_eq!(bench.in_flight(), 0);
        bench.mock.set_fault("alpha", None).unwrap();
        pass_ms(60_000).await;
        assert_eq!(bench.call(&asking("x", Mode::Whole)).await.status, 200);
    });
}

#[test]
fn a_whole_answer_whose_client_leaves_is_asked_for_again() {
    bench(&keeping(""), async |bench| {
        let call = asking("x", Mode::Whole);
        let mut leader = Client::open(bench.address).await;
        leader.send(&call.bytes()).await;
        pass_ms(50).await;
        let mut follower = Client::open(bench.address).await;
        follower.send(&call.bytes()).await;
        pass_ms(50).await;
        drop(leader);
        let answer = follower.answer().await;
        assert_eq!((answer.status, answer.content()), (200, words(60)));
        assert_eq!(status(&answer), "MISS");
        let ends: Vec<_> = bench.mock.attempts().iter().map(|it| it.end).collect();
        assert_eq!(ends, [End::ClientLeft, End::Completed]);
    });
}

#[test]
fn a_stream_whose_client_leaves_goes_on_for_those_who_follow() {
    bench(&keeping(""), async |bench| {
        let call = asking("x", Mode::Stream);
        let mut leader = Client::open(bench.address).await;
        leader.send(&call.bytes()).await;
        leader.words(5).await;
        let mut follower = Client::open(bench.address).await;
        follower.send(&call.bytes()).await;
        follower.words(5).await;
        drop(leader);
        let answer = follower.answer().await;
        assert_eq!((answer.status, answer.content()), (200, words(60)));
        assert_eq!((status(&answer), answer.ended), ("COALESCED", Ended::Whole));
        assert!(answer.is_done());
        assert_eq!(attempts(&bench), 1);
        assert_eq!(bench.in_flight(), 0);
        assert_eq!(status(&bench.call(&call).await), "HIT");
    });
}

#[test]
fn a_stream_that_nobody_follows_ends_with_its_clients() {
    bench(&keeping(""), async |bench| {
        let call = asking("x", Mode::Stream);
        let mut leader = Client::open(bench.address).await;
        leader.send(&call.bytes()).await;
        leader.words(5).await;
        let mut follower = Client::open(bench.address).await;
        follower.send(&call.bytes()).await;
        follower.words(5).await;
        drop(leader);
        pass_ms(100).await;
        assert_eq!(bench.mock.attempts()[0].end, End::Open);
        drop(follower);
        pass_ms(100).await;
        assert_eq!(bench.mock.attempts()[0].end, End::ClientLeft);
        assert_eq!(bench.in_flight(), 0);
        assert_eq!(status(&bench.call(&call).await), "MISS");
    });
}

#[test]
fn nobody_waits_longer_than_it_is_told_to() {
    let spec = keeping("[cache]\nwait = \"200ms\"");
    bench(&spec, async |bench| {
        let call = asking("x", Mode::Whole);
        let mut leader = Client::open(bench.address).await;
        leader.send(&call.bytes()).await;
        pass_ms(10).await;
        let answer = bench.call(&call).await;
        assert_eq!((answer.status, status(&answer)), (200, "MISS"));
        assert_eq!(attempts(&bench), 2);
    });
}

#[test]
fn single_flight_can_be_switched_off() {
    let spec = keeping("[cache]\nsingle_flight = false");
    bench(&spec, async |bench| {
        let call = asking("x", Mode::Whole);
        let mut first = Client::open(bench.address).await;
        first.send(&call.bytes()).await;
        pass_ms(10).await;
        assert_eq!(status(&bench.call(&call).await), "MISS");
        assert_eq!(attempts(&bench), 2);
    });
}
