//! What the gateway does when providers fail: the failover catalogue, and what lies beyond it.
//!
//! Every fault is judged twice: by what the caller got, and by what the providers saw.
//! Everything is asked in OpenAI's and in Anthropic's words, of providers of the same dialect and of others.

mod alive;
mod beyond;
mod catalogue;
mod outage;
mod pace;
mod recovery;
mod retry_after;
mod unpaid;

use std::time::Duration;

use serde_json::Value;
use trimtab::mock::Attempt;

use crate::support::Tongue::{Anthropic, OpenAi};
use crate::support::{Answer, Bench, Ended, Mode, Spec, Tongue, words};

/// Words of an answer.
const WORDS: u32 = 60;

/// A stand-in that sends its first token after 300 ms and one each 15 ms.
const PACED: &str = "ttft = \"300ms\"\ntpot = \"15ms\"\nanswer = 60";

/// Who speaks which dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cast {
    client: Tongue,
    primary: Tongue,
    spare: Tongue,
}

impl Cast {
    const fn new(client: Tongue, primary: Tongue, spare: Tongue) -> Self {
        Self {
            client,
            primary,
            spare,
        }
    }

    /// All of one dialect.
    const SAME: [Self; 2] = [
        Self::new(OpenAi, OpenAi, OpenAi),
        Self::new(Anthropic, Anthropic, Anthropic),
    ];

    /// These, with a fallback of another vendor, and with no provider of the client's dialect.
    const ALL: [Self; 6] = [
        Self::SAME[0],
        Self::SAME[1],
        Self::new(OpenAi, OpenAi, Anthropic),
        Self::new(Anthropic, Anthropic, OpenAi),
        Self::new(OpenAi, Anthropic, OpenAi),
        Self::new(Anthropic, OpenAi, OpenAi),
    ];

    /// The catalogue's settings: a route whose upstream model selects the fault, one fallback model, two retries.
    fn catalogue(self, fault: &str) -> Spec {
        self.with_clocks(fault, "head = \"30s\"\nbetween_tokens = \"30s\"")
    }

    /// The same with other clocks.
    fn with_clocks(self, fault: &str, clocks: &str) -> Spec {
        self.with_model(fault, clocks, "")
    }

    /// The same with further lines of the model.
    fn with_model(self, fault: &str, clocks: &str, lines: &str) -> Spec {
        Spec::new()
            .with(&format!("[timeouts]\n{clocks}\n[retry]\nmax_attempts = 3"))
            .with(&format!(
                "[models.main]\nroutes = [{{ provider = \"primary\", model = \"{fault}\" }}]\nfallbacks = [\"spare\"]\n{lines}\n\
                 [models.spare]\nroutes = [{{ provider = \"spare\" }}]"
            ))
            .stand_in_of(self.primary, "primary", PACED)
            .stand_in_of(self.spare, "spare", PACED)
    }

    /// Asks for the model whose provider fails; counted faults strike once per `user`.
    async fn ask(self, bench: &Bench, mode: Mode, user: &str) -> Answer {
        self.ask_for(bench, "main", mode, user).await
    }

    /// Asks for a model.
    async fn ask_for(self, bench: &Bench, model: &str, mode: Mode, user: &str) -> Answer {
        bench.call(&self.client.ask(model, mode, user)).await
    }
}

/// Every cast, asked in every way.
fn every() -> impl Iterator<Item = (Cast, Mode)> {
    let both = |cast| Mode::BOTH.map(|mode| (cast, mode));
    Cast::ALL.into_iter().flat_map(both)
}

/// What a client of this dialect reads as the kind of an error: OpenAI's code, Anthropic's type.
fn kind(client: Tongue, error: &Value) -> String {
    let field = match client {
        OpenAi => "code",
        Anthropic => "type",
    };
    error[field].as_str().unwrap_or_default().to_owned()
}

/// How each dialect says that a provider failed, and that it was too slow.
fn told(client: Tongue) -> (&'static str, &'static str) {
    match client {
        OpenAi => ("upstream_error", "upstream_timeout"),
        Anthropic => ("api_error", "timeout_error"),
    }
}

/// The caller has the whole answer, said to be by `model`.
fn assert_complete(answer: &Answer, model: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.ended, Ended::Whole, "{answer:?}");
    assert_eq!(answer.content(), words(WORDS), "{answer:?}");
    assert_eq!(answer.model(), model);
    assert_eq!(answer.error(), None);
    answer.assert_one_answer();
    if answer.is_stream() {
        assert!(answer.is_done());
    }
}

/// The answer says what it cost.
fn assert_usage(answer: &Answer) {
    assert_eq!(answer.output_tokens(), Some(u64::from(WORDS)), "{answer:?}");
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
    answer.assert_one_answer();
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
