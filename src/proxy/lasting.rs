//! What outlives a snapshot of the configuration?
//!
//! # Invariants
//! - Nothing here is made anew by a reload.

use std::sync::Arc;

use super::recollection::Recollections;
use super::tokens::Tokens;
use crate::cache::Library;
use crate::cache::embed::{Memo, Pool};
use crate::governance::{Ledger, Sources};
use crate::observe::events::Events;
use crate::observe::metrics::Metrics;
use crate::observe::reloads::Reloads;
use crate::observe::watch::Watch;
use crate::routing::{Makers, Registry, Sessions};
use crate::store::requests::Records;
use crate::upstream::Origins;

/// What a snapshot is built with, besides the configuration; lives as long as the process.
#[derive(Debug)]
pub struct Lasting {
    /// Statistics by identity.
    pub registry: Arc<Registry>,
    /// Origins by address.
    pub origins: Origins,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// How the readings of the configuration went.
    pub reloads: Arc<Reloads>,
    /// What has changed and what was learned.
    pub events: Arc<Events>,
    /// What is seen of all this, second by second.
    pub watch: Arc<Watch>,
    /// Who made which response.
    pub makers: Makers,
    /// Which route served which session last.
    pub sessions: Sessions,
    /// What was told to clients and may be meant by its id.
    pub recollections: Recollections,
    /// Google's tokens.
    pub tokens: Tokens,
    /// The requests that are kept, if any are.
    pub records: Option<Arc<Records>>,
    /// Who has presented bad credentials.
    pub sources: Sources,
    /// What is kept of answers.
    pub library: Arc<Library>,
    /// What turns texts into vectors inside the process, where that is done here.
    pub embedder: Option<Pool>,
    /// Vectors of texts.
    pub memo: Arc<Memo>,
    /// Who may spend what, where books are kept.
    pub ledger: Option<Arc<Ledger>>,
}
