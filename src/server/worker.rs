//! Worker threads' main loop, and how connections are dealt out to them.
//!
//! One acceptor hands each connection to the worker that has the fewest; a hand-over happens once a connection, never once a request.
//!
//! # Invariants
//! - A connection beyond the limit is closed at once: what is admitted is served.
//! - [`run`] returns when the worker was told to drain, nobody is connected any more and leave is taken of every provider, or when the drain time is over.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use scoring::time::Time;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::connection;
use super::roster::Roster;
use crate::clock;
use crate::proxy::{self, Shared, Worker};

/// How often a worker looks for idle connections on both sides.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How long the acceptor rests after an error such as too many open files: long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Connections on their way to one worker; beyond it the acceptor turns to the next.
const BACKLOG: usize = 1_024;

/// A connection on its way to a worker.
pub type Handoff = std::net::TcpStream;

/// Where the acceptor hands connections over.
#[derive(Debug)]
pub struct Hub {
    workers: Vec<(mpsc::Sender<Handoff>, Arc<AtomicUsize>)>,
    limit: usize,
}

/// One worker's end.
#[derive(Debug)]
pub struct Front {
    arrivals: mpsc::Receiver<Handoff>,
    /// Connections that this worker has. Read by the acceptor; guards nothing.
    load: Arc<AtomicUsize>,
}

impl Hub {
    /// A hub for `workers` workers that admits `limit` connections in all.
    #[must_use]
    pub fn new(workers: usize, limit: usize) -> (Self, Vec<Front>) {
        let mut hub = Self {
            workers: Vec::with_capacity(workers),
            limit,
        };
        let mut fronts = Vec::with_capacity(workers);
        for _ in 0..workers {
            let (sender, arrivals) = mpsc::channel(BACKLOG);
            let load = Arc::new(AtomicUsize::new(0));
            hub.workers.push((sender, Arc::clone(&load)));
            fronts.push(Front { arrivals, load });
        }
        (hub, fronts)
    }

    /// Accepts connections until told to drain.
    pub async fn accept(
        self,
        listener: TcpListener,
        shared: Arc<Shared>,
        mut drain: watch::Receiver<bool>,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = drain.wait_for(|draining| *draining) => return,
            };
            match accepted.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => {
                    shared.metrics().connections.inc();
                    self.hand_over(stream);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn hand_over(&self, stream: Handoff) {
        let loads = self
            .workers
            .iter()
            .map(|(_, load)| load.load(Ordering::Relaxed));
        if loads.sum::<usize>() >= self.limit {
            return;
        }
        let freest = self
            .workers
            .iter()
            .min_by_key(|(_, load)| load.load(Ordering::Relaxed));
        if let Some((sender, load)) = freest {
            load.fetch_add(1, Ordering::Relaxed);
            if sender.try_send(stream).is_err() {
                load.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// Serves connections as they are handed over; must run inside a `LocalSet`.
pub async fn run(shared: Arc<Shared>, mut front: Front, mut drain: watch::Receiver<bool>) {
    let worker = Rc::new(Worker::new(shared));
    let roster = Rc::new(Roster::default());
    tokio::task::spawn_local(proxy::check_answers(Rc::clone(&worker)));
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            arrival = front.arrivals.recv() => match arrival {
                Some(stream) => admit(&worker, &roster, &front, stream),
                None => break,
            },
            _ = sweep.tick() => tidy(&worker, &roster),
            _ = drain.wait_for(|draining| *draining) => break,
        }
    }
    roster.drain();
    let config = Arc::clone(&worker.shared.serving.load().config);
    let until = clock::now().plus(config.server.drain.into());
    empty(&roster, &worker, until).await;
}

fn admit(worker: &Rc<Worker>, roster: &Rc<Roster>, front: &Front, stream: Handoff) {
    let load = Arc::clone(&front.load);
    match into_tokio(stream) {
        Ok(stream) => {
            let open = worker.shared.metrics().open.clone();
            open.inc();
            let serving = connection::serve(Rc::clone(worker), Rc::clone(roster), stream);
            tokio::task::spawn_local(async move {
                serving.await;
                open.dec();
                load.fetch_sub(1, Ordering::Relaxed);
            });
        }
        Err(error) => {
            load.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%error, "a connection could not be taken over");
        }
    }
}

fn into_tokio(stream: Handoff) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

fn tidy(worker: &Worker, roster: &Roster) {
    worker.pools.sweep();
    worker.pay_debts();
    let serving = worker.shared.serving.load();
    let server = &serving.config.server;
    roster.sweep(server.header_timeout.into(), server.keep_alive.into());
}

/// Waits until nobody is connected and leave is taken of every provider, or until `until`.
async fn empty(roster: &Roster, worker: &Worker, until: Time) {
    while (!roster.is_empty() || worker.is_taking_leave()) && clock::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
