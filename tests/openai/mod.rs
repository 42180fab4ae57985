//! The contract with clients of OpenAI's dialect: what is passed on untouched, what is added, and how errors look.

mod access;
mod answers;
mod errors;
mod headers;
mod requests;

use std::net::SocketAddr;

use crate::support::{Bench, Raw, Reply, Spec, paused};

/// The model's name at the provider.
const UPSTREAM: &str = "vendor/model-1";

/// A gateway whose model `main` is served by the provider at `at`.
fn before(at: SocketAddr) -> Spec {
    Spec::new()
        .with(&format!(
            "[providers.raw]\nbase_url = \"http://{at}/base/v1\"\nkeys = [{{ name = \"key\", secret = \"sk-provider-0123\" }}]\n\
             [models.main]\nroutes = [{{ provider = \"raw\", model = \"{UPSTREAM}\" }}]"
        ))
        .stand_in("idle", "answer = 3")
}

/// Runs a test against a gateway before a provider that answers alike whatever it is asked.
fn with_raw<F: Future>(reply: Reply, test: impl FnOnce(Bench, Raw) -> F) -> F::Output {
    paused(|| async move {
        let raw = Raw::start(reply).await;
        let bench = Bench::start(&before(raw.address).text(), None).await;
        test(bench, raw).await
    })
}

/// A gateway before a stand-in, whose model `main` has this name upstream.
fn with_stand_in(upstream: &str) -> Spec {
    Spec::new()
        .with("[retry]\nmax_attempts = 2\nbase = \"50ms\"")
        .with(&format!(
            "[models.main]\nroutes = [{{ provider = \"alpha\", model = \"{upstream}\" }}]\n\
             [models.\"org/name\"]\nroutes = [{{ provider = \"alpha\" }}]"
        ))
        .stand_in("alpha", "ttft = \"20ms\"\ntpot = \"5ms\"\nanswer = 12")
}
