//! S15: an outage of a minute and the way back.
//!
//! None hangs; all are served in the outage; back on the primary at most 30 s after it ends; at most 5 attempts on the primary in it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{assert_complete, at, every, ms, secs};
use crate::support::bench;

/// How long the outage lasts.
const OUTAGE: Duration = secs(60);

/// Time between requests.
const APART: Duration = secs(4);

/// Requests: the catalogue's 20, and as many more as the way back may take.
const REQUESTS: u32 = 24;

#[test]
fn s15_serves_through_an_outage_and_comes_back() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s15"), async |bench| {
            let began = Instant::now();
            let mut back = None;
            for number in 0..REQUESTS {
                sleep_until(began + APART * number).await;
                let sent = began.elapsed();
                let answer = cast.ask(&bench, mode, "fifteen").await;
                let model = answer.model();
                assert_complete(&answer, &model);
                assert!(answer.took < secs(4), "request {number}: {:?}", answer.took);
                match (model.as_str(), back) {
                    ("s15", None) => back = Some(sent),
                    ("spare", Some(since)) => {
                        panic!("{mode:?}: back since {since:?}, lost at {sent:?}")
                    }
                    _ => {}
                }
            }
            let primary = bench.seen("primary");
            let times: Vec<_> = primary.iter().map(at).collect();
            let over = times[0] + OUTAGE;
            let during = times.iter().filter(|time| **time < over).count();
            assert!(during <= 5, "{mode:?}: attempts in the outage: {times:?}");
            let back = back.unwrap_or(Duration::MAX);
            assert!(
                back <= OUTAGE + secs(30) + ms(1),
                "{mode:?}: back at {back:?}; attempts {times:?}"
            );
        });
    }
}
