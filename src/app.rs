//! The composition root: builds the rooms, starts their threads and tasks, takes reloads over, drains.
//!
//! One control thread accepts connections, serves the admin plane and does the housekeeping; workers serve requests.
//! [`Gateway::start`] runs all of it on threads of its own; [`Local::start`] runs the same on the caller's, for tests that own the clock.
//!
//! # Invariants
//! - Every task is named here and ends with the drain.
//! - A configuration that cannot be served never replaces one that can.

mod answers;
mod books;
mod reload;
mod seeing;
mod signals;
mod telling;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use scoring::retry::RetryBudget;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::admin;
use crate::cache;
use crate::clock;
use crate::config::Config;
use crate::governance::journal::NamesError;
use crate::governance::office::Office;
use crate::governance::{OpenError, Sources};
use crate::mock;
use crate::observe::archive::Archive;
use crate::observe::metrics::Metrics;
use crate::observe::recorder::{self, Writer};
use crate::observe::scribe::Running;
use crate::proxy::{BuildError, Lasting, Recollections, Serving, Shared, Tokens};
use crate::routing::{Makers, Registry, Sessions};
use crate::server;
use crate::upstream::{Origins, Pools};
use answers::Keeper;
use books::Books;

pub use reload::ReloadError;
pub use signals::obey_signals;
pub use telling::TellingError;

/// How often the latency models are fitted anew: four times a second follows a drift within the time that a few requests take.
const FIT_EVERY: Duration = Duration::from_millis(250);

/// How often it is looked whether a token is due.
const TOKENS_EVERY: Duration = Duration::from_secs(1);

/// Fits to one sweep of idle statistics: once a second.
const FITS_PER_SWEEP: u32 = 4;

/// Why the gateway cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The configuration cannot be served.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The stand-in providers cannot run.
    #[error("the stand-in providers cannot run: {0}")]
    Mock(#[from] mock::MockError),
    /// The trace file cannot be opened.
    #[error("cannot record to {path}: {source}")]
    Trace {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is told of requests can go nowhere.
    #[error(transparent)]
    Telling(#[from] TellingError),
    /// The books cannot be opened.
    #[error("cannot keep books in {folder}: {source}")]
    Books {
        /// Their folder.
        folder: PathBuf,
        /// What is wrong.
        source: OpenError,
    },
    /// The books cannot name what is served.
    #[error("cannot keep books: {0}")]
    Names(#[from] NamesError),
    /// What is kept of answers cannot be opened.
    #[error("the response cache cannot be kept on disk: {0}")]
    Cache(#[from] cache::OpenError),
    /// The embedder of the response cache cannot be used.
    #[error("the embedder of the response cache cannot be used: {0}")]
    Embedder(#[from] cache::embed::LoadError),
    /// A thread or a runtime cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Everything that a configuration became, before anything runs.
struct Assembly {
    shared: Arc<Shared>,
    writer: Option<Writer>,
    telling: Option<Running>,
    books: Option<Books>,
}

fn assemble(config: Config, mock: Option<SocketAddr>) -> Result<Assembly, StartError> {
    let config = Arc::new(config);
    let books = books::open(&config)?;
    let registry = Arc::new(Registry::default());
    let metrics = Arc::new(Metrics::default());
    metrics.began(unix_us());
    let library = cache::open(&config.cache, clock::unix_seconds(), &mut clock::secrets())?;
    let roster = books.as_ref().map(|books| books.ledger.roster.load_full());
    answers::forget_strangers(&library, &roster.unwrap_or_default());
    let (embedder, memo) = answers::embedder(&config)?;
    let kept = telling::keep(&config, &metrics)?;
    let lasting = Lasting {
        records: kept.as_ref().map(Archive::records),
        library: Arc::new(library),
        embedder,
        memo,
        sessions: Sessions::default(),
        reloads: Arc::default(),
        events: Arc::default(),
        watch: Arc::default(),
        makers: Makers::default(),
        recollections: Recollections::default(),
        tokens: Tokens::default(),
        registry,
        origins: Origins::default(),
        metrics,
        sources: Sources::default(),
        ledger: books.as_ref().map(|books| Arc::clone(&books.ledger)),
    };
    let (recorder, writer) = match &config.trace {
        None => (None, None),
        Some(trace) => {
            let dropped = lasting.metrics.trace_dropped.clone();
            let started = recorder::start(&trace.path, trace.queue, dropped);
            let (recorder, writer) = started.map_err(|source| StartError::Trace {
                path: trace.path.clone(),
                source,
            })?;
            (Some(recorder), Some(writer))
        }
    };
    let (scribe, telling) = telling::begin(&config, &lasting, kept)?;
    let budget = RetryBudget::new(&config.tuning);
    let book = books::prices(&config);
    let serving = Serving::build(Arc::clone(&config), &lasting, (mock, &book))?;
    let serving = match &lasting.ledger {
        Some(ledger) => books::governed(serving, (ledger, &ledger.roster.load()), &book)?,
        None => serving,
    };
    let shared = Arc::new(Shared {
        serving: ArcSwap::from_pointee(serving),
        lasting,
        budget,
        recorder,
        scribe,
    });
    if let Some(books) = &books {
        books.attach(&shared);
    }
    Ok(Assembly {
        shared,
        writer,
        telling,
        books,
    })
}

fn bind(address: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| StartError::Listen { address, source })
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A gateway on threads of its own.
#[derive(Debug)]
pub struct Gateway {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where the admin plane listens.
    pub admin: SocketAddr,
    /// What all workers share.
    pub shared: Arc<Shared>,
    control: Control,
    threads: Vec<JoinHandle<()>>,
    mock: Option<mock::Running>,
    writer: Option<Writer>,
    telling: Option<Running>,
    books: Option<Books>,
    keeper: Keeper,
}

/// How a running gateway is told things.
#[derive(Clone, Debug)]
pub struct Control {
    drain: watch::Sender<bool>,
    reload: mpsc::Sender<()>,
}

impl Control {
    /// Takes no new connections, finishes the requests in flight, then ends.
    pub fn drain(&self) {
        self.drain.send_replace(true);
    }

    /// Reads the configuration file again.
    pub fn reload(&self) {
        // A reload that is already waiting will see the newest file.
        let _ = self.reload.try_send(());
    }
}

impl Gateway {
    /// Starts a gateway; `file` is watched for changes.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub fn start(config: Config, file: Option<PathBuf>) -> Result<Self, StartError> {
        let mock = config.mock.clone().map(mock::Mock::start).transpose()?;
        let mock_at = mock.as_ref().map(|mock| mock.addr);
        let data = bind(config.server.listen)?;
        let admin = bind(config.admin.listen)?;
        let address = data.local_addr()?;
        let admin_at = admin.local_addr()?;
        let (workers, limit) = (config.server.workers.get(), config.server.max_connections);
        let Assembly {
            shared,
            writer,
            telling,
            books,
        } = assemble(config, mock_at)?;
        let office = books.as_ref().map(|books| Arc::clone(&books.office));
        let (drain, draining) = watch::channel(false);
        let (reload, reloads) = mpsc::channel(1);
        let (hub, fronts) = server::Hub::new(workers, limit);
        let mut threads = Vec::with_capacity(1 + workers);
        for (number, front) in fronts.into_iter().enumerate() {
            let (shared, draining) = (Arc::clone(&shared), draining.clone());
            let worker = move || server::run(shared, front, draining);
            threads.push(spawn(&format!("worker-{number}"), worker)?);
        }
        let keeper = Keeper::start(&shared)?;
        let tasks = Tasks {
            shared: Arc::clone(&shared),
            office,
            draining,
            file,
            mock: mock_at,
        };
        threads.push(spawn("control", move || async move {
            let opened = (TcpListener::from_std(data), TcpListener::from_std(admin));
            match opened {
                (Ok(data), Ok(admin)) => tasks.run(hub, data, admin, reloads).await,
                (Err(error), _) | (_, Err(error)) => {
                    tracing::error!(%error, "the listeners cannot be used");
                }
            }
        })?);
        Ok(Self {
            address,
            admin: admin_at,
            shared,
            control: Control { drain, reload },
            threads,
            mock,
            writer,
            telling,
            books,
            keeper,
        })
    }

    /// How to tell it things.
    #[must_use]
    pub const fn control(&self) -> &Control {
        &self.control
    }

    /// The stand-in providers, if they run.
    #[must_use]
    pub const fn mock(&self) -> Option<&mock::Running> {
        self.mock.as_ref()
    }

    /// Waits until it has ended.
    pub fn wait(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
        drop(self.writer);
        drop(self.telling);
        drop(self.keeper);
        // After the workers, whose last records are read.
        drop(self.books);
        if let Some(mock) = self.mock {
            mock.stop();
        }
    }
}

/// Runs the future that `begin` makes on a thread of its own.
fn spawn<F>(name: &str, begin: impl FnOnce() -> F + Send + 'static) -> io::Result<JoinHandle<()>>
where
    F: Future<Output = ()> + 'static,
{
    let runtime = runtime()?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            LocalSet::new().block_on(&runtime, async { begin().await });
        })
}

/// What the control thread does.
struct Tasks {
    shared: Arc<Shared>,
    office: Option<Arc<Office>>,
    draining: watch::Receiver<bool>,
    file: Option<PathBuf>,
    mock: Option<SocketAddr>,
}

impl Tasks {
    async fn run(
        self,
        hub: server::Hub,
        data: TcpListener,
        admin: TcpListener,
        reloads: mpsc::Receiver<()>,
    ) {
        let Self {
            shared,
            office,
            mut draining,
            file,
            mock,
        } = self;
        tokio::task::spawn_local(hub.accept(data, Arc::clone(&shared), draining.clone()));
        tokio::task::spawn_local(admin::run(
            admin,
            Arc::clone(&shared),
            office.clone(),
            draining.clone(),
        ));
        tokio::task::spawn_local(housekeep(Arc::clone(&shared), office.clone()));
        tokio::task::spawn_local(refresh_tokens(Arc::clone(&shared)));
        if let Some(file) = file {
            tokio::task::spawn_local(reload::watch_config((shared, office), file, mock, reloads));
        }
        let _ = draining.wait_for(|draining| *draining).await;
    }
}

/// Keeps the tokens of Google's service accounts fresh.
async fn refresh_tokens(shared: Arc<Shared>) {
    let pools = Pools::default();
    let mut every = tokio::time::interval(TOKENS_EVERY);
    loop {
        every.tick().await;
        let lasting = &shared.lasting;
        lasting.tokens.refresh(&lasting.origins, &pools).await;
        pools.sweep();
    }
}

/// Fits latency models, sweeps idle statistics, and lets in whoever could not be let in when it was asked for.
async fn housekeep(shared: Arc<Shared>, office: Option<Arc<Office>>) {
    let mut every = tokio::time::interval(FIT_EVERY);
    let mut fits = 0_u32;
    loop {
        every.tick().await;
        let now = clock::now();
        fits = fits.wrapping_add(1);
        let serving = shared.serving.load_full();
        for model in &serving.routing.models {
            model.pool.fit(now);
        }
        seeing::look(&shared, &serving, now);
        if fits.is_multiple_of(FITS_PER_SWEEP) {
            for (_, route) in shared.lasting.registry.all() {
                route.sweep(now);
            }
            let ledger = shared.lasting.ledger.as_ref();
            if let Some(office) = office
                .as_ref()
                .filter(|_| ledger.is_some_and(|it| it.is_stale()))
            {
                books::enroll(&shared, office);
            }
        }
    }
}

/// Now, µs since 1970.
fn unix_us() -> u64 {
    u64::try_from(clock::unix_micros()).unwrap_or(0)
}

/// A gateway on the caller's thread, for tests that own the clock.
#[derive(Debug)]
pub struct Local {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where the admin plane listens.
    pub admin: SocketAddr,
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Who was made beside the file; none where no ledger is kept.
    pub office: Option<Arc<Office>>,
    /// How to tell it things.
    pub control: Control,
    _writer: Option<Writer>,
    _telling: Option<Running>,
    _books: Option<Books>,
}

impl Local {
    /// Starts a gateway with one worker on the current `LocalSet`; stand-ins, if any, listen at `mock`.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        config: Config,
        file: Option<PathBuf>,
        mock: Option<SocketAddr>,
    ) -> Result<Self, StartError> {
        let data = bind(config.server.listen)?;
        let admin = bind(config.admin.listen)?;
        let address = data.local_addr()?;
        let admin_at = admin.local_addr()?;
        let limit = config.server.max_connections;
        let Assembly {
            shared,
            writer,
            telling,
            books,
        } = assemble(config, mock)?;
        let office = books.as_ref().map(|books| Arc::clone(&books.office));
        let (drain, draining) = watch::channel(false);
        let (reload, reloads) = mpsc::channel(1);
        let (hub, fronts) = server::Hub::new(1, limit);
        for front in fronts {
            let worker = server::run(Arc::clone(&shared), front, draining.clone());
            tokio::task::spawn_local(worker);
        }
        let tasks = Tasks {
            shared: Arc::clone(&shared),
            office: office.clone(),
            draining,
            file,
            mock,
        };
        tokio::task::spawn_local(answers::keep_here(Arc::clone(&shared)));
        let (data, admin) = (TcpListener::from_std(data)?, TcpListener::from_std(admin)?);
        tokio::task::spawn_local(tasks.run(hub, data, admin, reloads));
        Ok(Self {
            address,
            admin: admin_at,
            shared,
            office,
            control: Control { drain, reload },
            _writer: writer,
            _telling: telling,
            _books: books,
        })
    }
}
