//! Who asks?
//!
//! One open-loop client on a thread of its own sends every order twice at its due instant: once to the gateway, once past it by static weights.
//! It reads and checks both answers and reports each as one [`Sample`].
//!
//! # Invariants
//! - An order is sent when it is due, however many are still unanswered; latency counts from the due instant.
//! - Every order sent becomes exactly one sample a side, unless the run is cut short.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Uri};
use http_body_util::Full;
use scoring::time::{Span, Time};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};

use super::DemoError;
use super::answer::Reading;
use super::orders::{Order, Orders};
use super::script::{CAST, MODEL};
use super::tally::{Ending, Sample, Side};
use super::twin::{Begun, Twin};
use crate::clock;
use crate::upstream::{self, Fault, Origin, Origins, Pools, Protocol, Scheme, Transport};

/// How long a client waits for a whole answer: far beyond the slowest, so that only what never comes is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long answers under way are awaited when the run is cut short.
const PARTING: Duration = Duration::from_secs(3);

/// Time to open a connection on loopback.
const CONNECT: Duration = Duration::from_secs(5);

/// Idle connections are closed after so long, well before the gateway closes them.
const IDLE: Duration = Duration::from_secs(15);

/// Orders between two sweeps of idle connections.
const SWEEP_EVERY: u64 = 256;

/// What the client does.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) gateway: Address,
    /// Where the twin's stand-ins listen.
    pub(super) twin: Address,
    /// Counts the twin's attempts.
    pub(super) by_twin: Arc<Begun>,
    /// Seed of the twin's draws.
    pub(super) seed: u64,
    pub(super) orders: Orders,
    /// No order is due later.
    pub(super) length: Span,
    /// The instant that due times count from.
    pub(super) begun: Time,
    pub(super) samples: mpsc::Sender<Sample>,
    /// Turns true when the run is cut short.
    pub(super) cut: watch::Receiver<bool>,
}

/// An address that can be called.
#[derive(Clone, Debug)]
pub(super) struct Address {
    origin: Arc<Origin>,
    host: HeaderValue,
}

/// Connections to one address.
#[derive(Debug)]
pub(super) struct Caller {
    pools: Pools,
    address: Address,
}

/// An answer, as far as it came.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) ending: Ending,
    /// The response's headers; empty when there was none.
    pub(super) headers: HeaderMap,
}

/// What became of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) ending: Ending,
    /// Attempts made for it.
    pub(super) attempts: u32,
    /// The route that answered last.
    pub(super) route: Option<usize>,
}

/// The gateway as a client sees it.
#[derive(Debug)]
struct Gateway {
    caller: Caller,
    uri: Uri,
}

/// Starts the client's thread; it ends after the last order's answer, or when the run is cut short.
pub(super) fn start(task: Task) -> Result<JoinHandle<()>, DemoError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let run = move || LocalSet::new().block_on(&runtime, task.run());
    Ok(std::thread::Builder::new()
        .name("client".to_owned())
        .spawn(run)?)
}

impl Task {
    async fn run(self) {
        let Self {
            orders,
            length,
            begun,
            samples,
            mut cut,
            ..
        } = self;
        let gateway = Rc::new(Gateway {
            caller: Caller::new(self.gateway),
            uri: Uri::from_static("/v1/chat/completions"),
        });
        let twin = Rc::new(Twin::new(self.twin, self.seed, self.by_twin));
        let mut under_way = JoinSet::new();
        for (order, number) in orders
            .zip(1_u64..)
            .take_while(|(order, _)| order.due < length)
        {
            let due = begun.plus(order.due);
            tokio::select! {
                biased;
                _ = cut.wait_for(|cut| *cut) => break,
                () = tokio::time::sleep_until(clock::instant_at(due)) => {}
            }
            let body = order.body();
            let (by_gateway, by_twin) = (Rc::clone(&gateway), Rc::clone(&twin));
            let (asked, report) = (
                body.clone(),
                Report {
                    order,
                    begun,
                    samples: samples.clone(),
                },
            );
            under_way.spawn_local(async move {
                let fate = by_gateway.ask(&order, asked).await;
                report.send(Side::Adaptive, fate).await;
            });
            let report = Report {
                order,
                begun,
                samples: samples.clone(),
            };
            under_way.spawn_local(async move {
                let fate = by_twin.ask(&order, body).await;
                report.send(Side::Static, fate).await;
            });
            while under_way.try_join_next().is_some() {}
            if number % SWEEP_EVERY == 0 {
                gateway.caller.sweep();
                twin.sweep();
            }
        }
        drop(samples);
        tokio::select! {
            () = async { while under_way.join_next().await.is_some() {} } => {}
            () = parting(&mut cut) => {}
        }
    }
}

/// Resolves some time after the run was cut short.
async fn parting(cut: &mut watch::Receiver<bool>) {
    if cut.wait_for(|cut| *cut).await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(PARTING).await;
}

/// Where the fate of an order goes.
struct Report {
    order: Order,
    begun: Time,
    samples: mpsc::Sender<Sample>,
}

impl Report {
    async fn send(self, side: Side, fate: Fate) {
        let Fate {
            ending,
            attempts,
            route,
        } = fate;
        let sample = Sample {
            side,
            due: self.order.due,
            ended: clock::now().since(self.begun),
            ending,
            attempts,
            route,
        };
        // Nobody listens any more when the run was cut short.
        let _ = self.samples.send(sample).await;
    }
}

impl Gateway {
    /// Has the gateway answer `order`; routes and retries are its own business, and told in headers.
    async fn ask(&self, order: &Order, body: Bytes) -> Fate {
        let called = self.caller.call(&self.uri, order, body).await;
        let text = |name| {
            called
                .headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let provider = text("x-trimtab-route").and_then(|route| route.split('/').next());
        Fate {
            ending: called.ending,
            attempts: text("x-trimtab-attempts")
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
            route: provider.and_then(|name| CAST.iter().position(|actor| actor.name == name)),
        }
    }
}

impl Address {
    pub(super) fn new(to: SocketAddr) -> Result<Self, DemoError> {
        let transport = Transport {
            protocol: Protocol::Http1,
            connect: CONNECT,
            idle: IDLE,
            extra_roots: Vec::new(),
        };
        let host = HeaderValue::from_str(&to.to_string()).map_err(DemoError::unusable)?;
        let origins = Origins::default();
        let origin = origins.get(Scheme::Http, &to.ip().to_string(), to.port(), transport);
        Ok(Self {
            origin: origin.map_err(DemoError::unusable)?,
            host,
        })
    }
}

impl Caller {
    pub(super) fn new(address: Address) -> Self {
        Self {
            pools: Pools::default(),
            address,
        }
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self) {
        self.pools.sweep();
    }

    /// Sends one request and reads its answer to the end.
    pub(super) async fn call(&self, uri: &Uri, order: &Order, body: Bytes) -> Called {
        let mut headers = HeaderMap::new();
        let reading = tokio::time::timeout(PATIENCE, self.read(uri, order, body, &mut headers));
        let ending = match reading.await {
            Ok(Ok(ending)) => ending,
            Ok(Err(_)) | Err(_) => Ending::Lost,
        };
        Called { ending, headers }
    }

    async fn read(
        &self,
        uri: &Uri,
        order: &Order,
        body: Bytes,
        headers: &mut HeaderMap,
    ) -> Result<Ending, Fault> {
        let mut request = upstream::Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = uri.clone();
        let of_request = request.headers_mut();
        of_request.insert(HOST, self.address.host.clone());
        of_request.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut response = self.send(request).await?;
        *headers = std::mem::take(&mut response.head.headers);
        let mut reading = Reading::new(order.delivery);
        while let Some(bytes) = response.body.data().await {
            reading.push(bytes?);
        }
        if response.head.status != http::StatusCode::OK {
            return Ok(Ending::Refused);
        }
        let complete = reading.amounts_to(order.output);
        Ok(if complete {
            Ending::Complete
        } else {
            Ending::Lost
        })
    }

    async fn send(&self, request: upstream::Request) -> Result<upstream::Response, Fault> {
        let now = clock::now();
        upstream::send(&self.pools, &self.address.origin, request, now, |_| {}).await
    }
}

/// A command that asks the gateway the same way by hand.
pub(super) fn by_hand(gateway: SocketAddr) -> String {
    format!(
        "curl http://{gateway}/v1/chat/completions -d '{{\"model\":\"{MODEL}\",\"max_tokens\":9,\
         \"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'"
    )
}
