//! When is a configuration taken over while the gateway runs, and what cannot be?
//!
//! # Invariants
//! - A configuration that cannot be served never replaces one that can.
//! - Requests in flight keep the snapshot that they began with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{books, seeing, telling};
use crate::clock;
use crate::config::{self, Config, Report};
use crate::governance::journal::NamesError;
use crate::governance::office::Office;
use crate::observe::reloads::Reading;
use crate::proxy::{BuildError, Serving, Shared};

/// Takes over what the file says, whenever that changes or somebody asks for it.
pub(super) async fn watch_config(
    (shared, office): (Arc<Shared>, Option<Arc<Office>>),
    file: PathBuf,
    mock: Option<SocketAddr>,
    mut reloads: mpsc::Receiver<()>,
) {
    shared.lasting.reloads.follow(&file);
    let mut watch = config::Watch::new(&file).await;
    loop {
        let read = tokio::select! {
            read = watch.changed() => read,
            told = reloads.recv() => match told {
                Some(()) => config::load(&file),
                None => return,
            },
            () = shared.lasting.reloads.wanted() => config::load(&file),
        };
        let taken = read
            .map_err(ReloadError::Invalid)
            .and_then(|config| take_over((&shared, office.as_deref()), config, mock));
        shared.lasting.reloads.note(Reading {
            at_us: super::unix_us(),
            problem: taken.as_ref().err().map(ToString::to_string),
        });
        seeing::reloaded(&shared, &file, &taken);
    }
}

/// Why a reload was refused.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file is not a valid configuration.
    #[error("{0}")]
    Invalid(Report),
    /// The configuration cannot be served.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The books cannot name what is served.
    #[error("cannot keep books: {0}")]
    Names(#[from] NamesError),
    /// Somebody is to have a key or a budget, and no books are kept.
    #[error(
        "keys and budgets need books, which are opened at a start: restart the gateway with this file"
    )]
    NoBooks,
}

/// Takes a configuration over: all of it, or nothing.
fn take_over(
    (shared, office): (&Shared, Option<&Office>),
    config: Config,
    mock: Option<SocketAddr>,
) -> Result<(), ReloadError> {
    let old = shared.serving.load_full();
    let (was, is) = (&old.config, &config);
    for (what, changed) in [
        ("server.listen", was.server.listen != is.server.listen),
        ("server.workers", was.server.workers != is.server.workers),
        ("admin.listen", was.admin.listen != is.admin.listen),
        ("[mock]", was.mock != is.mock),
        ("[trace]", was.trace != is.trace),
        ("[requests]", telling::differs(&was.requests, &is.requests)),
        ("[request_log]", was.request_log != is.request_log),
        (
            "[otlp]",
            telling::otlp_differs(was.otlp.as_ref(), is.otlp.as_ref()),
        ),
        (
            "governance.data",
            was.governance.data != is.governance.data || was.is_governed() != is.is_governed(),
        ),
        ("[cache]", differs(&was.cache, &is.cache)),
        ("[log]", was.log != is.log),
        ("[retry] budget", was.tuning.retry != is.tuning.retry),
    ] {
        if changed {
            tracing::warn!("{what} has changed; it takes effect at the next start");
        }
    }
    let config = Arc::new(config);
    let book = books::prices(&config);
    let serving = Serving::build(Arc::clone(&config), &shared.lasting, (mock, &book))?;
    match (&shared.lasting.ledger, office) {
        (Some(ledger), Some(office)) => {
            books::publish(shared, (ledger, office), serving, &book)?;
        }
        _ if config.is_governed() => return Err(ReloadError::NoBooks),
        _ => shared.serving.store(Arc::new(serving)),
    }
    drop(old);
    shared.lasting.registry.prune();
    shared.metrics().prune(clock::now());
    Ok(())
}

/// Whether what is set up once differs; the rest is taken over with the next request.
fn differs(was: &config::Cache, is: &config::Cache) -> bool {
    let fixed = |it: &config::Cache| {
        let embedder = match &it.embedder {
            Some(config::Embedder::Folder(folder)) => Some(folder.clone()),
            // Who answers for a model is taken over with it.
            Some(config::Embedder::Model(_)) | None => None,
        };
        let audit = (it.audit.share.to_bits(), it.audit.budget);
        (
            it.memory,
            it.disk,
            it.data.clone(),
            (it.writes_per_minute, it.scope_share.to_bits()),
            embedder,
            audit,
        )
    };
    fixed(was) != fixed(is)
}
