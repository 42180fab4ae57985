//! What does the response cache run on?
//!
//! # Invariants
//! - An embedder that is named and cannot be used is told at the start, and not when the first question comes.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rand::Rng as _;

use super::StartError;
use crate::cache::embed::{Local, Memo, Pool};
use crate::cache::{Forgotten, Library, OnDisk, Scope};
use crate::clock;
use crate::config::{Config, Embedder, Layers, Sharing};
use crate::governance::Roster;
use crate::proxy::Shared;

/// Vectors that are remembered, bytes: ten thousand of 384 numbers.
const MEMO: u64 = 16 << 20;

/// Threads that make vectors: a second one would take the time of a worker.
const THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// How often what was left for later is looked for: an answer is found by its meaning as soon after it was given.
const EVERY: Duration = Duration::from_millis(20);

/// The same as long as nothing was ever left and no model keeps answers: a gateway that keeps none is not to be woken fifty times a second.
const IDLE: Duration = Duration::from_millis(500);

/// What turns texts into vectors, if that is done here, and what remembers them.
pub(super) fn embedder(config: &Config) -> Result<(Option<Pool>, Arc<Memo>), StartError> {
    let mut key = [0; 32];
    clock::secrets().fill_bytes(&mut key);
    let memo = Arc::new(Memo::new(&key, MEMO));
    let Some(Embedder::Folder(folder)) = &config.cache.embedder else {
        return Ok((None, memo));
    };
    let local = Local::load(folder)?;
    tracing::info!(embedder = %folder.display(), "the response cache embeds questions in this process");
    let pool = Pool::new(Arc::new(local), Arc::clone(&memo), THREADS)?;
    Ok((Some(pool), memo))
}

/// Forgets what those have left who were in the roster before and are not any more: keys that were deleted, revoked or switched off, and teams and customers without a key.
///
/// A name may be given out again, and whoever has it then must not find what the one before was answered.
pub(super) fn forget_the_gone(library: &Library, before: &Roster, now: &Roster) {
    let living = scopes(library, now);
    let gone: Vec<Scope> = scopes(library, before)
        .difference(&living)
        .copied()
        .collect();
    if !gone.is_empty() {
        tell(library.forget_scopes(&gone, clock::unix_seconds()));
    }
}

/// Forgets what those have left who ended while nothing ran.
pub(super) fn forget_strangers(library: &Library, now: &Roster) {
    tell(library.forget_strangers(&scopes(library, now), clock::unix_seconds()));
}

fn tell(forgotten: Forgotten) {
    let Forgotten { count, on_disk } = forgotten;
    if on_disk == OnDisk::Waits {
        tracing::error!(
            "answers of keys that ended are still on disk, which cannot be written to; it is tried again"
        );
    }
    if count > 0 {
        tracing::info!(count, "answers of keys that ended were forgotten");
    }
}

/// Everybody whose answers may be asked for.
fn scopes(library: &Library, roster: &Roster) -> HashSet<Scope> {
    let mut scopes: HashSet<Scope> = Sharing::EACH
        .iter()
        .map(|sharing| library.scope(*sharing, Scope::NOBODY))
        .collect();
    scopes.insert(library.scope(Sharing::All, b""));
    for member in roster.members().filter(|member| !member.disabled) {
        scopes.insert(library.scope(Sharing::Key, &member.number.to_be_bytes()));
        let groups = [
            (Sharing::Team, &member.team),
            (Sharing::Customer, &member.customer),
        ];
        for (sharing, group) in groups {
            let group = group.as_deref();
            scopes.extend(group.map(|group| library.scope(sharing, group.name.as_bytes())));
        }
    }
    scopes
}

/// Does what requests leave for later, until it is told to end; then everything that is left.
#[derive(Debug)]
pub(super) struct Keeper {
    thread: Option<JoinHandle<()>>,
    over: Arc<std::sync::atomic::AtomicBool>,
}

impl Keeper {
    /// Starts the thread.
    pub(super) fn start(shared: &Arc<Shared>) -> std::io::Result<Self> {
        let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (library, ended) = (Arc::clone(&shared.lasting.library), Arc::clone(&over));
        let models = &shared.serving.load().config.models;
        let keeps = models.iter().any(|it| it.cache.layers != Layers::Off);
        let pause = if keeps { EVERY } else { IDLE };
        let thread = thread::Builder::new()
            .name("cache".to_owned())
            .spawn(move || keep(&library, &ended, pause))?;
        Ok(Self {
            thread: Some(thread),
            over,
        })
    }
}

fn keep(library: &Library, over: &std::sync::atomic::AtomicBool, mut pause: Duration) {
    // Why: it guards nothing; a round more does no harm.
    while !over.load(std::sync::atomic::Ordering::Relaxed) {
        if library.work(clock::unix_seconds()) == 0 {
            thread::park_timeout(pause);
        } else {
            pause = EVERY;
        }
    }
    library.close(clock::unix_seconds());
}

/// The same on the caller's thread, for tests that own the clock.
pub(super) async fn keep_here(shared: Arc<Shared>) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        shared.lasting.library.work(clock::unix_seconds());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.over.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It ends by itself; one that has panicked has nothing left to do.
            let _ = thread.join();
        }
    }
}
