//! Clients that take their time: the clocks on their side of the gateway.

use std::time::Duration;

use tokio::time::Instant;

use super::{assert_well, spec};
use crate::support::{
    Bench, Call, Client, Ended, Mode, Pace, Raw, Reply, bench, chat, pass_ms, paused, words,
};

fn slowly(bytes: usize, millis: u64) -> Pace {
    let every = Duration::from_millis(millis);
    Pace { bytes, every }
}

/// A head that comes byte by byte is given the time that a head has, and no more.
#[test]
fn a_head_byte_by_byte_is_given_up() {
    bench(&spec(), async |bench| {
        let mut client = Client::open(bench.address).await;
        let began = Instant::now();
        let head = format!(
            "GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
            "y".repeat(500)
        );
        let written = client.drip(head.as_bytes(), slowly(1, 1_000)).await;
        let took = began.elapsed();
        assert!(
            took >= Duration::from_secs(10) && took <= Duration::from_secs(13),
            "{took:?}"
        );
        assert!(written < 15, "{written}");
        assert_well(&bench).await;
    });
}

/// The same for a client that says nothing at all, and for one that stays after its answer.
#[test]
fn silent_connections_are_closed() {
    bench(&spec(), async |bench| {
        let began = Instant::now();
        let mut silent = Client::open(bench.address).await;
        let mut idle = Client::open(bench.address).await;
        assert_eq!(idle.call(&Call::get("/health")).await.status, 200);
        assert!(silent.is_closed_within(Duration::from_secs(60)).await);
        let took = began.elapsed();
        assert!(
            took >= Duration::from_secs(10) && took <= Duration::from_secs(13),
            "{took:?}"
        );
        assert!(idle.is_closed_within(Duration::from_secs(60)).await);
        let took = began.elapsed();
        assert!(
            took >= Duration::from_secs(30) && took <= Duration::from_secs(33),
            "{took:?}"
        );
        assert_well(&bench).await;
    });
}

/// A second head on a kept connection has no more time than an idle connection has.
#[test]
fn a_later_head_is_given_up_too() {
    bench(&spec(), async |bench| {
        let mut client = Client::open(bench.address).await;
        assert_eq!(client.call(&Call::get("/health")).await.status, 200);
        let began = Instant::now();
        let head = format!(
            "GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
            "y".repeat(500)
        );
        client.drip(head.as_bytes(), slowly(1, 1_000)).await;
        assert!(
            began.elapsed() <= Duration::from_secs(33),
            "{:?}",
            began.elapsed()
        );
        assert_well(&bench).await;
    });
}

/// A body that comes byte by byte is answered with 408 when its time is over.
#[test]
fn a_body_byte_by_byte_is_given_up() {
    bench(&spec(), async |bench| {
        let mut client = Client::open(bench.address).await;
        let bytes = Call::chat(&chat("main", Mode::Whole)).bytes();
        let body = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap()
            + 4;
        client.send(&bytes[..body]).await;
        let began = Instant::now();
        client.drip(&bytes[body..], slowly(1, 2_000)).await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.ended),
            (408, Ended::Whole),
            "{answer:?}"
        );
        assert_eq!(answer.json()["error"]["code"], "request_timeout");
        let took = began.elapsed();
        assert!(
            took >= Duration::from_secs(19) && took <= Duration::from_secs(23),
            "{took:?}"
        );
        assert!(client.is_closed_within(Duration::from_secs(5)).await);
        assert_eq!(bench.mock.attempts().len(), 0);
        assert_well(&bench).await;
    });
}

/// Slow is not too slow.
#[test]
fn a_slow_request_in_time_is_served() {
    bench(&spec(), async |bench| {
        let mut client = Client::open(bench.address).await;
        let bytes = Call::chat(&chat("main", Mode::Stream)).bytes();
        let written = client.drip(&bytes, slowly(20, 500)).await;
        assert_eq!(written, bytes.len());
        assert_eq!(client.answer().await.content(), words(5));
        assert_well(&bench).await;
    });
}

/// A client that reads nothing holds its stream for a bounded time.
#[test]
fn a_client_that_does_not_read_is_given_up() {
    let event = |text: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let piece = event(&"x".repeat(60_000)).into_bytes();
    let pieces = vec![piece.as_slice(); 300];
    let reply = Reply::stream(&pieces, Duration::ZERO);
    paused(|| async move {
        let raw = Raw::start(reply).await;
        let spec = spec().with(&format!(
            "[providers.raw]\nbase_url = \"http://{}/v1\"\n[models.flood]\nroutes = [{{ provider = \"raw\" }}]",
            raw.address
        ));
        let bench = Bench::start(&spec.text(), None).await;
        let mut client = Client::open(bench.address).await;
        client
            .send(&Call::chat(&chat("flood", Mode::Stream)).bytes())
            .await;
        pass_ms(30_000).await;
        assert_eq!(bench.in_flight(), 1, "a tunnel is no reason");
        pass_ms(60_000).await;
        assert_eq!(bench.in_flight(), 0);
        let metrics = bench.metrics().await;
        let gone = metrics.sum("router_requests_total", &["flood", "client_gone"]);
        assert!((gone - 1.0).abs() < 0.1, "{gone}");
        drop(client);
        assert_well(&bench).await;
    });
}

/// Connections beyond the limit are closed, and those within it are not disturbed.
#[test]
fn connections_are_limited() {
    let spec = spec().server("max_connections = 3");
    bench(&spec, async |bench| {
        let mut within = Vec::new();
        for _ in 0..3 {
            let mut client = Client::open(bench.address).await;
            assert_eq!(client.call(&Call::get("/health")).await.status, 200);
            within.push(client);
        }
        let mut beyond = Client::open(bench.address).await;
        assert!(beyond.is_closed_within(Duration::from_secs(1)).await);
        for client in &mut within {
            assert_eq!(client.call(&Call::get("/health")).await.status, 200);
        }
        drop(within);
        pass_ms(10).await;
        assert_well(&bench).await;
    });
}
