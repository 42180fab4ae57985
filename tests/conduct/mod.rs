//! What the gateway does when providers fail: the failover catalogue, and what lies beyond it.
//!
//! Every fault is judged twice: by what the caller got, and by what the providers saw.

mod beyond;
mod catalogue;
mod outage;
mod retry_after;

use std::time::Duration;

use serde_json::Value;
use trimtab::mock::Attempt;

use crate::support::{Answer, Bench, Ended, Mode, Spec, chat, words};

/// Words of an answer.
const WORDS: u32 = 60;

/// A stand-in that sends its first token after 300 ms and one each 15 ms.
const PACED: &str = "ttft = \"300ms\"\ntpot = \"15ms\"\nanswer = 60";

/// The catalogue's settings: a route whose upstream model selects the fault, one fallback model, two retries.
fn catalogue(fault: &str) -> Spec {
    with_clocks(fault, "head = \"30s\"\nbetween_tokens = \"30s\"")
}

/// The same with other clocks.
fn with_clocks(fault: &str, clocks: &str) -> Spec {
    Spec::new()
        .with(&format!("[timeouts]\n{clocks}\n[retry]\nmax_attempts = 3"))
        .with(&format!(
            "[models.main]\nroutes = [{{ provider = \"primary\", model = \"{fault}\" }}]\nfallbacks = [\"spare\"]\n\
             [models.spare]\nroutes = [{{ provider = \"spare\" }}]"
        ))
        .stand_in("primary", PACED)
        .stand_in("spare", PACED)
}

/// Asks for the model whose provider fails; counted faults strike once per `user`.
async fn ask(bench: &Bench, mode: Mode, user: &str) -> Answer {
    let mut body = chat("main", mode);
    body["user"] = user.into();
    bench.chat(&body).await
}

/// The caller has the whole answer, said to be by `model`.
fn assert_complete(answer: &Answer, model: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.ended, Ended::Whole, "{answer:?}");
    assert_eq!(answer.content(), words(WORDS), "{answer:?}");
    assert_eq!(answer.model(), model);
    assert_eq!(answer.error(), None);
    if answer.is_stream() {
        assert!(answer.is_done());
    }
}

/// The answer says what it cost.
fn assert_usage(answer: &Answer) {
    let usage = answer.usage().unwrap_or_default();
    assert_eq!(usage["completion_tokens"], WORDS, "{answer:?}");
}

/// The caller can tell that the stream is not complete: an error as the last event, no end marker, a broken transfer.
fn assert_broken_off(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(
        answer.ended,
        Ended::Whole,
        "a broken stream must not end properly"
    );
    assert_ne!(answer.ended, Ended::Hung);
    assert!(!answer.is_done());
    let content = answer.content();
    assert!(words(WORDS).starts_with(&content), "{content}");
    answer.error().expect("an error event at the end")
}

/// When an attempt came, since the mock was made.
fn at(attempt: &Attempt) -> Duration {
    Duration::from_micros(attempt.at_us)
}

/// The times between attempts.
fn gaps(attempts: &[Attempt]) -> Vec<Duration> {
    attempts
        .windows(2)
        .map(|two| at(&two[1]) - at(&two[0]))
        .collect()
}

/// How many attempts came within `time` of the first.
fn within(attempts: &[Attempt], time: Duration) -> usize {
    let from = attempts.first().map_or(Duration::ZERO, at);
    attempts
        .iter()
        .filter(|attempt| at(attempt) - from <= time)
        .count()
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
