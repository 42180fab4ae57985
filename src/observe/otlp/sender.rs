//! Who takes batches to the collector?
//!
//! A thread of its own, with connections of its own: it posts one batch after the other, and waits and tries again where that helps.
//!
//! # Invariants
//! - Whoever hands a batch over never waits; what finds too many spans waiting is counted and dropped.
//! - Every span that was handed over is counted in the end, as sent or as lost.
//! - When the end is near, what waits has [`LAST`] to be sent.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Uri};
use http_body_util::Full;
use rand::RngExt as _;
use rand::rngs::SmallRng;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::super::seldom::Seldom;
use super::batch::Sealed;
use super::counts::{Lost, Spans};
use super::retry::{self, Told};
use crate::clock;
use crate::config::{BaseUrl, Otlp, Scheme};
use crate::upstream::{self, Fault, Origin, Origins, Pools, Protocol, TlsError, Transport};

/// Time that is left to spans when the process ends.
const LAST: Duration = Duration::from_secs(2);

/// Longest answer that is read, bytes: a few words on what was rejected. The rest of a longer one is left unread.
const MOST_ANSWER: usize = 64 << 10;

/// Time to open a connection, at most.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection may be idle: below what collectors close after.
const IDLE: Duration = Duration::from_secs(30);

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// TLS towards the collector cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its address makes no request.
    #[error("its address makes no request: {0}")]
    Address(#[from] http::Error),
    /// No thread can be had.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// How the collector is asked.
#[derive(Debug)]
struct Target {
    origin: Arc<Origin>,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

impl Target {
    fn new(settings: &Otlp, origins: &Origins) -> Result<Self, SenderError> {
        let BaseUrl {
            scheme, host, port, ..
        } = &settings.endpoint;
        let scheme = match scheme {
            Scheme::Http => upstream::Scheme::Http,
            Scheme::Https => upstream::Scheme::Https,
        };
        let transport = Transport {
            protocol: Protocol::Http1,
            connect: CONNECT.min(settings.timeout),
            idle: IDLE,
            extra_roots: Vec::new(),
        };
        let origin = origins.get(scheme, host, *port, transport)?;
        let path = format!("{}/v1/traces", settings.endpoint.path);
        let uri = Uri::try_from(path).map_err(http::Error::from)?;
        let authority = settings.endpoint.authority();
        let authority = HeaderValue::try_from(authority).map_err(http::Error::from)?;
        let mut headers = HeaderMap::with_capacity(4 + settings.headers.len());
        for (name, value) in &settings.headers {
            headers.insert(name, value.clone());
        }
        headers.insert(HOST, authority);
        let kind = HeaderValue::from_static("application/x-protobuf");
        headers.insert(CONTENT_TYPE, kind);
        let agent = concat!("trimtab/", env!("CARGO_PKG_VERSION"));
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(agent));
        Ok(Self {
            origin,
            uri,
            headers,
            timeout: settings.timeout,
        })
    }

    fn request(&self, batch: &Sealed) -> upstream::Request {
        let mut request = upstream::Request::new(Full::new(batch.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// The queue's end that batches are handed to; dropping it sends what waits, as far as that is possible in time.
#[derive(Debug)]
pub(super) struct Sender {
    queue: Option<mpsc::Sender<Sealed>>,
    /// Spans that may wait.
    most: u64,
    /// Spans that wait; a statistic that bounds the queue.
    waiting: Arc<AtomicU64>,
    counts: Spans,
    /// Dropped to say that the end is near.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    /// Starts the thread.
    pub(super) fn start(
        settings: &Otlp,
        origins: &Origins,
        counts: Spans,
    ) -> Result<Self, SenderError> {
        let target = Target::new(settings, origins)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (queue, batches) = mpsc::channel(settings.queue.max(1));
        let (stop, stopped) = oneshot::channel();
        let waiting = Arc::new(AtomicU64::new(0));
        let carrier = Carrier {
            target,
            waiting: Arc::clone(&waiting),
            counts: counts.clone(),
            troubles: Seldom::default(),
            rng: clock::rng(),
        };
        let thread = std::thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(move || work(&runtime, carrier, (batches, stopped)))?;
        Ok(Self {
            queue: Some(queue),
            most: settings.queue as u64,
            waiting,
            counts,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Hands a batch over, or counts it as lost.
    pub(super) fn send(&self, batch: Sealed) {
        let spans = u64::from(batch.spans);
        let waits = self.waiting.fetch_add(spans, Ordering::Relaxed) + spans;
        let taken = match &self.queue {
            Some(queue) if waits <= self.most => queue.try_send(batch).is_ok(),
            _ => false,
        };
        if !taken {
            self.waiting.fetch_sub(spans, Ordering::Relaxed);
            self.counts.lost(Lost::QueueFull, spans);
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.queue = None;
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(
    runtime: &Runtime,
    mut carrier: Carrier,
    (batches, stopped): (mpsc::Receiver<Sealed>, oneshot::Receiver<()>),
) {
    let waiting = Arc::clone(&carrier.waiting);
    let counts = carrier.counts.clone();
    LocalSet::new().block_on(runtime, async {
        let last = async {
            // It is never sent: that the other end is gone is the message.
            let _ = stopped.await;
            tokio::time::sleep(LAST).await;
        };
        tokio::select! {
            () = carrier.carry(batches) => {}
            () = last => {}
        }
    });
    counts.lost(Lost::Shutdown, waiting.swap(0, Ordering::Relaxed));
}

/// What the thread does.
struct Carrier {
    target: Target,
    waiting: Arc<AtomicU64>,
    counts: Spans,
    troubles: Seldom,
    rng: SmallRng,
}

impl Carrier {
    async fn carry(&mut self, mut batches: mpsc::Receiver<Sealed>) {
        let pools = Pools::default();
        while let Some(batch) = batches.recv().await {
            self.deliver(&pools, &batch).await;
            let spans = u64::from(batch.spans);
            self.waiting.fetch_sub(spans, Ordering::Relaxed);
            pools.sweep();
        }
    }

    /// Sends one batch, as often as it takes and makes sense.
    async fn deliver(&mut self, pools: &Pools, batch: &Sealed) {
        let spans = u64::from(batch.spans);
        let mut tries = 0;
        loop {
            tries += 1;
            let posting = post(pools, &self.target, batch);
            let posted = tokio::time::timeout(self.target.timeout, posting).await;
            let (asked, why) = match posted {
                Ok(Ok((_, Told::Taken { rejected, message }))) => {
                    let rejected = rejected.min(spans);
                    self.counts.sent.inc_by(spans - rejected);
                    self.counts.lost(Lost::Rejected, rejected);
                    if rejected > 0 || !message.is_empty() {
                        self.warn(&format!(
                            "it rejects {rejected} of {spans} spans: {message}"
                        ));
                    }
                    return;
                }
                Ok(Ok((status, Told::Refused))) => {
                    self.counts.lost(Lost::Refused, spans);
                    self.warn(&format!("it answers {status}"));
                    return;
                }
                Ok(Ok((status, Told::Later(asked)))) => (asked, format!("it answers {status}")),
                Ok(Err(fault)) => (None, fault.to_string()),
                Err(_) => (None, "it does not answer in time".to_owned()),
            };
            self.warn(&why);
            let Some(pause) = retry::pause(tries, asked, self.rng.random()) else {
                self.counts.lost(Lost::Unreachable, spans);
                return;
            };
            tokio::time::sleep(pause).await;
        }
    }

    fn warn(&mut self, why: &str) {
        let now_us = u64::try_from(clock::unix().as_micros()).unwrap_or(u64::MAX);
        if self.troubles.may(now_us) {
            let dropped = self.counts.dropped();
            tracing::warn!(
                why,
                dropped,
                "the collector of traces does not take everything"
            );
        }
    }
}

/// Posts one batch, and reads what is answered.
async fn post(pools: &Pools, target: &Target, batch: &Sealed) -> Result<(u16, Told), Fault> {
    let request = target.request(batch);
    let sent = upstream::send(pools, &target.origin, request, clock::now(), |_| {}).await;
    let upstream::Response { head, mut body, .. } = sent?;
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        bytes.extend_from_slice(&piece?);
        if bytes.len() > MOST_ANSWER {
            break;
        }
    }
    let status = head.status.as_u16();
    let after = head.headers.get(RETRY_AFTER);
    let after = after.and_then(|value| value.to_str().ok());
    Ok((status, retry::told(status, after, &bytes, clock::unix())))
}
