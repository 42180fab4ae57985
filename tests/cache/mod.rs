//! Answers that no provider is asked for: who gets them, told how, and who never does.
//!
//! # Invariants
//! - That a provider was not asked is what the stand-ins say, not the gateway.

mod audit;
mod disk;
mod evict;
mod exact;
mod flights;
mod poison;
mod probes;
mod reload;
mod scopes;
mod semantic;
mod shop;

use crate::support::{Answer, Bench, Call, Mode, Spec, chat};

/// What the cache was to a request, as its client is told.
pub(crate) fn status(answer: &Answer) -> &str {
    answer.header("x-cache-status").unwrap_or("")
}

/// A gateway with one stand-in whose model `main` keeps answers; `lines` go into its table `cache`.
pub(crate) fn keeping(lines: &str) -> Spec {
    Spec::new()
        .stand_in("alpha", "ttft = \"300ms\"\ntpot = \"15ms\"\nanswer = 60")
        .with(&format!(
            "[models.main]\nroutes = [{{ provider = \"alpha\" }}]\n[models.main.cache]\nlayers = \"exact\"\n{lines}"
        ))
}

/// Attempts that the stand-ins have seen.
pub(crate) fn attempts(bench: &Bench) -> usize {
    bench.mock.attempts().len()
}

/// A chat request of these words.
pub(crate) fn asking(words: &str, mode: Mode) -> Call {
    let mut body = chat("main", mode);
    body["messages"][0]["content"] = words.into();
    Call::chat(&body)
}
