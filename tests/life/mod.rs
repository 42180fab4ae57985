//! The life of a gateway beyond one answer: clients that leave, routes that die, reloads, drains, accounts.

mod accounts;
mod cold;
mod drain;
mod http2;
mod kill;
mod leave;
mod reload;

use crate::support::Spec;

/// A stand-in that sends its first token after 300 ms and one each 15 ms.
const PACED: &str = "ttft = \"300ms\"\ntpot = \"15ms\"\nanswer = 60";

/// A gateway whose model `main` has one route to a paced stand-in.
fn paced() -> Spec {
    Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"alpha\" }]")
        .stand_in("alpha", PACED)
}
