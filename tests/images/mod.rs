//! Do jobs and stand-in makers of images understand each other?
//!
//! A driver that only carries bytes runs each vendor's job against its stand-in, as the gateway will.
//!
//! # Invariants
//! - The ledger is the witness: one submission, however often a poll fails.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use trimtab::images::{
    Base, Call, Content, Delivery, Format, Heard, ImageRequest, Kind, Start, Step, Vendor,
};
use trimtab::mock::{Mock, ProviderScript, Script};

use crate::support::paused;

/// A vendor, the base of its stand-in below the provider's path, and a model.
const VENDORS: &[(Vendor, &str, &str)] = &[
    (Vendor::OpenAi, "/v1", "gpt-image-1"),
    (Vendor::Together, "/v1", "flux"),
    (Vendor::Stability, "/v2beta", "sd3.5-large"),
    (Vendor::Fal, "/queue.fal.run", "fal-ai/flux/dev"),
    (Vendor::Fal, "/fal.run", "fal-ai/flux/dev"),
    (Vendor::Replicate, "/v1", "black-forest-labs/flux-dev"),
    (Vendor::Replicate, "/v1", "stability-ai/sdxl:abc"),
    (Vendor::Bfl, "/v1", "flux-dev"),
];

/// A stand-in that is being served.
struct Maker {
    mock: Mock,
    address: SocketAddr,
}

impl Maker {
    async fn start(provider: Value) -> Self {
        let provider: ProviderScript = serde_json::from_value(provider).unwrap();
        let mut script = Script::single("maker");
        script.providers.insert("maker".to_owned(), provider);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mock = Mock::new(script).unwrap();
        spawn_local(mock.serve(listener, std::future::pending::<()>()));
        Self { mock, address }
    }

    fn begin(&self, (vendor, path, model): (Vendor, &str, &str), delivery: Delivery) -> Start {
        let base = format!("http://{}/maker{path}", self.address);
        let mut request = ImageRequest::from_json(br#"{"prompt":"a cat","seed":42}"#).unwrap();
        request.delivery = delivery;
        let base = Base::parse(&base).unwrap();
        vendor.submit(&request, model, &base).unwrap()
    }

    /// Carries a call there and its answer back.
    async fn carry(&self, call: &Call) -> (StatusCode, HeaderMap, Bytes) {
        assert_eq!(call.url.port(), self.address.port());
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            call.method,
            call.url.path_and_query(),
            self.address,
            call.body.len()
        );
        let kind = call.content_type.clone();
        let kind = kind.map(|kind| (HeaderName::from_static("content-type"), kind));
        let headers = call.headers.iter().cloned();
        for (name, value) in headers.chain(kind).chain(call.auth.header("sk-secret")) {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
        stream.write_all(&call.body).await.unwrap();
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).await.unwrap();
        let end = raw.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(raw[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let pairs = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        let headers = pairs.map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::try_from(name).unwrap(), value)
        });
        let body = Bytes::copy_from_slice(&raw[end + 4..]);
        (status, headers.collect(), body)
    }

    /// Drives a job to its end.
    async fn drive(&self, start: Start) -> Step {
        let Start {
            mut job, mut call, ..
        } = start;
        loop {
            let (status, headers, body) = self.carry(&call).await;
            let step = job.answered(&Heard {
                status,
                headers: &headers,
                body: &body,
                unix: Duration::ZERO,
                jitter: 0.5,
            });
            let (wait, next) = match step {
                Step::Poll { wait, call, .. } | Step::Fetch { wait, call } => (wait, call),
                Step::Done(_) | Step::Failed(_) => return step,
            };
            tokio::time::sleep(wait.into()).await;
            call = next;
        }
    }

    fn count(&self, what: &str) -> usize {
        let attempts = self.mock.attempts();
        let path = format!("images/{what}");
        let plain = "images/generations";
        let is_it = |it: &str| it == path || (what == "submit" && it.ends_with(plain));
        attempts.iter().filter(|it| is_it(it.path)).count()
    }
}

#[test]
fn every_vendor_makes_a_picture_with_one_submission() {
    for vendor in VENDORS {
        paused(|| async move {
            let maker =
                Maker::start(json!({"ttft": "2s", "tpot": "300ms", "keys": ["sk-secret"]})).await;
            let step = maker.drive(maker.begin(*vendor, Delivery::Base64)).await;
            let Step::Done(finished) = step else {
                panic!("{vendor:?}: {step:?}");
            };
            let [image] = finished.images.as_slice() else {
                panic!("{vendor:?}: {finished:?}");
            };
            match &image.content {
                Content::Bytes(_) => assert_eq!(image.format, Some(Format::Png)),
                Content::Base64(text) => assert!(text.starts_with(b"iVBORw0KGgo")),
                Content::Url(url) => panic!("{vendor:?}: {url}"),
            }
            assert_eq!(maker.count("submit"), 1, "{vendor:?}");
        });
    }
}

#[test]
fn what_moderation_refuses_is_a_refusal_with_every_vendor() {
    for vendor in VENDORS {
        paused(|| async move {
            let fault = json!({"from": "0s", "kind": "content-policy"});
            let maker = Maker::start(json!({"faults": [fault]})).await;
            let step = maker.drive(maker.begin(*vendor, Delivery::Base64)).await;
            let Step::Failed(failed) = step else {
                panic!("{vendor:?}: {step:?}");
            };
            assert_eq!(failed.kind, Kind::Moderated, "{vendor:?}");
        });
    }
}

#[test]
fn a_client_that_leaves_has_its_job_cancelled_where_that_is_possible() {
    for (vendor, cancelled) in VENDORS.iter().zip([0, 0, 0, 1, 0, 1, 1, 0]) {
        paused(|| async move {
            let maker = Maker::start(json!({"ttft": "20s"})).await;
            let Start { mut job, call, .. } = maker.begin(*vendor, Delivery::Base64);
            let (status, headers, body) = maker.carry(&call).await;
            job.answered(&Heard {
                status,
                headers: &headers,
                body: &body,
                unix: Duration::ZERO,
                jitter: 0.5,
            });
            if let Some(call) = job.cancel() {
                let (status, ..) = maker.carry(&call).await;
                assert!(status.is_success(), "{vendor:?}");
            }
            assert_eq!(maker.count("cancel"), cancelled, "{vendor:?}");
            assert_eq!(maker.count("submit"), 1, "{vendor:?}");
        });
    }
}

#[test]
fn a_vendor_that_fails_between_polls_is_polled_again() {
    paused(|| async {
        let maker = Maker::start(json!({"ttft": "2s"})).await;
        let Start { mut job, call, .. } = maker.begin(VENDORS[7], Delivery::Url);
        let (status, headers, body) = maker.carry(&call).await;
        let hear = |status, headers: &HeaderMap, body: &Bytes, job: &mut trimtab::images::Job| {
            job.answered(&Heard {
                status,
                headers,
                body,
                unix: Duration::ZERO,
                jitter: 0.5,
            })
        };
        let mut step = hear(status, &headers, &body, &mut job);
        maker
            .mock
            .set_fault("maker", Some("503".parse().unwrap()))
            .unwrap();
        for _ in 0..3 {
            let Step::Poll { wait, call, .. } = step else {
                panic!("{step:?}");
            };
            tokio::time::sleep(wait.into()).await;
            let (status, headers, body) = maker.carry(&call).await;
            assert_eq!(status, 503);
            step = hear(status, &headers, &body, &mut job);
        }
        maker.mock.set_fault("maker", None).unwrap();
        let Step::Poll { call, .. } = step else {
            panic!("{step:?}");
        };
        let (status, headers, body) = maker.carry(&call).await;
        let step = hear(status, &headers, &body, &mut job);
        assert!(matches!(step, Step::Done(_)), "{step:?}");
        assert_eq!((maker.count("submit"), maker.count("poll")), (1, 4));
    });
}
