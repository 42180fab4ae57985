//! What no honest client sends: refused, bounded, and forgotten by the next request.

mod bodies;
mod framing;
mod slow;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::support::{Bench, Mode, Spec, chat, words};

/// Largest body that the gateway under test takes, bytes.
const MAX_BODY: usize = 64 * 1024;

/// Largest head that it takes, bytes.
const MAX_HEAD: usize = 8 * 1024;

/// A gateway with narrow limits before a quick stand-in.
fn spec() -> Spec {
    Spec::new()
        .server("max_body = \"64KiB\"\nmax_head = \"8KiB\"\nheader_timeout = \"10s\"\nbody_timeout = \"20s\"\nkeep_alive = \"30s\"")
        .with("[models.main]\nroutes = [{ provider = \"alpha\" }]")
        .stand_in("alpha", "ttft = \"20ms\"\ntpot = \"5ms\"\nanswer = 5")
}

/// The gateway is as good as new.
async fn assert_well(bench: &Bench) {
    for mode in Mode::BOTH {
        let answer = bench.chat(&chat("main", mode)).await;
        assert_eq!(
            (answer.status, answer.content()),
            (200, words(5)),
            "{answer:?}"
        );
    }
    assert_eq!(bench.in_flight(), 0);
    let view = bench.route("alpha/");
    assert!(
        view.inflight == 0 && view.state == scoring::health::State::Healthy,
        "{view:?}"
    );
}

/// Random bytes; the seed is printed if the test fails.
fn garbage(seed: u64, length: usize) -> Vec<u8> {
    eprintln!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..length).map(|_| rng.random()).collect()
}
