//! The doctor against a real gateway with a stand-in provider, and against what is no gateway.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::num::NonZeroUsize;
use std::path::Path;

use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};

use super::facts::Facts;
use super::*;
use crate::app::Local;
use crate::clock;
use crate::config::{self, Paint, Secret, Surroundings};
use crate::mock::Mock;

const GATEWAY: &str = "
[server]
listen = \"127.0.0.1:0\"
workers = 1
token = \"t0ken\"
[admin]
listen = \"127.0.0.1:0\"
[providers.p]
base_url = \"mock\"
[models.m]
routes = [{ provider = \"p\" }]
[mock.providers.p]
ttft = \"40ms\"
answer = 5
";

/// Runs a test on a runtime whose clock is paused.
fn paused<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    // Before the runtime, so that no test begins before the clock's base.
    let _ = clock::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async { test().await })
}

async fn gateway() -> Local {
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(io::ErrorKind::NotFound.into()),
        cores: NonZeroUsize::MIN,
    };
    let config = config::parse(Path::new("c"), GATEWAY, &around)
        .unwrap_or_else(|report| panic!("{}", report.render(Paint::Plain)));
    let mock = Mock::new(config.mock.clone().unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mock_at = listener.local_addr().unwrap();
    spawn_local(mock.serve(listener, std::future::pending::<()>()));
    Local::start(config, None, Some(mock_at)).unwrap()
}

/// What the doctor says of curl, with this token and model.
async fn checkup(token: Option<&str>, model: Option<&str>) -> live::Checkup {
    let gateway = gateway().await;
    let mut facts = Facts {
        base: format!("http://{}", gateway.address),
        token: token.map(Secret::new),
        model: model.map(str::to_owned),
        ..Facts::example()
    };
    live::check(Client::Curl, &mut facts).await.unwrap()
}

#[test]
fn a_call_that_works_is_told_with_model_tokens_time_and_route() {
    let said = paused(|| checkup(Some("t0ken"), None));
    assert!(said.holds, "{}", said.text);
    for part in [
        "GET  /v1/models  200  1 model, ",
        "POST /v1/chat/completions  200  model m, ",
        " + 5 tokens",
        "first content after 4",
        "x-trimtab-route: p/",
        "x-trimtab-attempts: 1",
        "curl can use this gateway",
    ] {
        assert!(said.text.contains(part), "{part}\n{}", said.text);
    }
}

#[test]
fn a_token_that_is_missing_or_wrong_is_told() {
    for (token, says) in [
        (None, "set TRIMTAB_TOKEN"),
        (Some("wrong"), "is not the `token`"),
    ] {
        let said = paused(|| checkup(token, None));
        assert!(!said.holds && said.text.contains("401"), "{}", said.text);
        assert!(said.text.contains(says), "{}", said.text);
        assert!(!said.text.contains("wrong"), "{}", said.text);
    }
}

#[test]
fn a_model_that_is_not_there_is_told_with_those_that_are() {
    let said = paused(|| checkup(Some("t0ken"), Some("other")));
    assert!(
        !said.holds && said.text.contains("among m"),
        "{}",
        said.text
    );
}

#[test]
fn a_gateway_that_does_not_run_is_told_with_how_to_start_it() {
    let said = paused(|| async {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut facts = Facts {
            base: format!("http://{address}"),
            ..Facts::example()
        };
        live::check(Client::ClaudeCode, &mut facts).await.unwrap()
    });
    assert!(
        !said.holds && said.text.contains("trimtab serve"),
        "{}",
        said.text
    );
}

#[test]
fn tls_is_refused_and_all_clients_are_listed() {
    let options = Options {
        client: None,
        config: PathBuf::from("does-not-exist.toml"),
        url: Some("https://a.example".to_owned()),
        model: None,
        live: false,
        no_live: false,
    };
    let listed = run(&options).unwrap();
    assert!(Client::ALL.iter().all(|it| listed.text.contains(it.name())));
    let options = Options {
        client: Some(Client::Codex),
        ..options
    };
    assert!(matches!(run(&options), Err(DoctorError::Https)));
    let options = Options {
        no_live: true,
        ..options
    };
    let printed = run(&options).unwrap();
    assert!(printed.holds && printed.text.contains("base_url = \"https://a.example/v1\""));
}
