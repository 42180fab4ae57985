//! What is told of requests beyond the gateway: traces to a collector, and the log.
//!
//! # Invariants
//! - What a collector is sent is read with OpenTelemetry's own types, and what a provider is sent is what the stand-in saw.

mod log;
mod spans;
mod trouble;

use std::sync::Arc;

use trimtab::observe;

use crate::support::{Bench, Metrics, Spec, pass_ms};

/// A trace as a client tells of it.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A gateway whose model `main` falls back from a route that is down to one that is not, and whose model `sole` has the former alone.
fn spec(table: &str) -> Spec {
    Spec::new()
        .with("[retry]\nsame_route = 0\n[models.main]\nroutes = [{ provider = \"a\" }]\nfallbacks = [\"other\"]")
        .with("[models.other]\nroutes = [{ provider = \"b\" }]")
        .with("[models.sole]\nroutes = [{ provider = \"a\" }]")
        .with("[models.kept]\nroutes = [{ provider = \"b\" }]\n[models.kept.cache]\nlayers = \"exact\"")
        .stand_in("a", "faults = [{ from = \"0s\", kind = \"503\" }]")
        .stand_in("b", "ttft = \"300ms\"\ntpot = \"15ms\"\nanswer = 60")
        .with(table)
}

/// Ends the gateway, so that everything is told; its metrics.
async fn end(bench: Bench) -> Metrics {
    // Whatever follows an answer's last byte happens at the same instant.
    pass_ms(1).await;
    let metrics: Arc<observe::metrics::Metrics> = Arc::clone(bench.gateway.shared.metrics());
    drop(bench);
    Metrics(metrics.text())
}
