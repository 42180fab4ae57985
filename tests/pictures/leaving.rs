//! A client that leaves takes its job with it.

use serde_json::json;

use super::{PACE, draw, model, submitted_and_cancelled, vendor};
use crate::support::{Client, Spec, bench, pass_ms};
use scoring::health::State;
use scoring::outcome::Outcome;

#[test]
fn a_client_that_leaves_has_its_job_cancelled() {
    for (dialect, name) in [
        ("fal", "fal-ai/flux/dev"),
        ("replicate", "black-forest-labs/flux-dev"),
    ] {
        let script = "ttft = \"20s\"\ntpot = \"1s\"";
        let spec = model(vendor(Spec::new(), dialect, script), &[(dialect, name)]);
        for streamed in [false, true] {
            bench(&spec, async |bench| {
                let mut client = Client::open(bench.address).await;
                let call = draw(json!({"stream": streamed}));
                client.send(&call.bytes()).await;
                pass_ms(8_000).await;
                assert_eq!(submitted_and_cancelled(&bench, dialect), (1, 0));
                drop(client);
                pass_ms(100).await;
                assert_eq!(
                    submitted_and_cancelled(&bench, dialect),
                    (1, 1),
                    "{dialect}"
                );
                assert_eq!(bench.in_flight(), 0);
                let view = bench.route(&format!("{dialect}/"));
                assert_eq!((view.inflight, view.state), (0, State::Healthy));
                assert_eq!(view.outcomes[Outcome::Canceled.index()], 1);
                pass_ms(60_000).await;
                assert_eq!(
                    submitted_and_cancelled(&bench, dialect),
                    (1, 1),
                    "{dialect}"
                );
            });
        }
    }
}

/// Replicate may take five seconds to name the job: it is heard to its end, then cancelled.
#[test]
fn a_submission_under_way_is_heard_and_cancelled() {
    let script = "ttft = \"20s\"\ntpot = \"1s\"";
    let spec = vendor(Spec::new(), "replicate", script);
    let spec = model(spec, &[("replicate", "black-forest-labs/flux-dev")]);
    bench(&spec, async |bench| {
        let mut client = Client::open(bench.address).await;
        client.send(&draw(json!({})).bytes()).await;
        pass_ms(1_000).await;
        drop(client);
        pass_ms(100).await;
        assert_eq!(bench.in_flight(), 0);
        assert_eq!(submitted_and_cancelled(&bench, "replicate"), (1, 0));
        pass_ms(6_000).await;
        assert_eq!(submitted_and_cancelled(&bench, "replicate"), (1, 1));
    });
}

/// A vendor without a way to cancel, and one whose picture is the answer, are told nothing.
#[test]
fn where_nothing_can_be_cancelled_nothing_is_said() {
    for (dialect, name) in [("bfl", "flux-dev"), ("stability", "sd3.5-large")] {
        let spec = model(vendor(Spec::new(), dialect, PACE), &[(dialect, name)]);
        bench(&spec, async |bench| {
            let mut client = Client::open(bench.address).await;
            client.send(&draw(json!({})).bytes()).await;
            pass_ms(1_000).await;
            let before = bench.seen(dialect).len();
            drop(client);
            pass_ms(30_000).await;
            assert_eq!(bench.in_flight(), 0);
            assert_eq!(bench.seen(dialect).len(), before, "{dialect}");
        });
    }
}

/// A drain waits until the vendor has been told.
#[test]
fn a_drain_waits_for_the_farewell() {
    let spec = vendor(Spec::new(), "replicate", "ttft = \"20s\"\ntpot = \"1s\"");
    let spec = model(spec, &[("replicate", "black-forest-labs/flux-dev")]);
    bench(&spec, async |bench| {
        let mut client = Client::open(bench.address).await;
        client.send(&draw(json!({})).bytes()).await;
        pass_ms(1_000).await;
        drop(client);
        bench.gateway.control.drain();
        pass_ms(10_000).await;
        assert_eq!(submitted_and_cancelled(&bench, "replicate"), (1, 1));
    });
}

/// A process that ends while a job runs ends, even though nobody can be told any more.
#[test]
fn the_end_of_everything_is_no_panic() {
    let spec = vendor(Spec::new(), "fal", "ttft = \"20s\"\ntpot = \"1s\"");
    let spec = model(spec, &[("fal", "fal-ai/flux/dev")]);
    for streamed in [false, true] {
        bench(&spec, async |bench| {
            let mut client = Client::open(bench.address).await;
            let call = draw(json!({"stream": streamed}));
            client.send(&call.bytes()).await;
            pass_ms(3_000).await;
            assert_eq!(submitted_and_cancelled(&bench, "fal"), (1, 0));
        });
    }
}
