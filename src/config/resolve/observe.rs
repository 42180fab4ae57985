//! What is kept and sent of requests?
//!
//! # Invariants
//! - As of [`resolve`](super).

use super::super::observe::{Keep, Otlp, RequestLog, Requests};
use super::super::raw::{RawKeep, RawOtlp, RawRequestLog, RawRequests};
use super::super::report::Problem;
use super::super::routes::Endpoint;
use super::Resolver;

/// Smallest sizes in memory and of log files, bytes: less does not hold a block of requests.
const LEAST: usize = 64 << 10;

/// Smallest size on disk, bytes: less does not hold the tables of an empty database.
const LEAST_DISK: usize = 1 << 20;

impl Resolver<'_, '_> {
    pub(super) fn requests(&mut self, raw: &RawRequests, governance: &std::path::Path) -> Requests {
        let default = Requests::default();
        let folder = self.source.file().parent();
        let beside = |text: &str| folder.map_or_else(|| text.into(), |folder| folder.join(text));
        let data = raw.data.as_ref();
        let data = data.map_or_else(|| governance.to_owned(), |at| beside(&at.value));
        let memory = self.at_least(
            raw.memory.as_ref(),
            "requests.memory",
            (LEAST, default.memory),
        );
        let size = self.at_least(
            raw.size.as_ref(),
            "requests.size",
            (LEAST_DISK, default.size),
        );
        let flag = |raw: Option<&super::At<bool>>, default| raw.map_or(default, |at| at.value);
        Requests {
            keep: raw.keep.as_ref().map_or(default.keep, |at| match at.value {
                RawKeep::Off => Keep::Off,
                RawKeep::Memory => Keep::Memory,
                RawKeep::Disk => Keep::Disk,
            }),
            memory,
            data,
            days: raw.days.as_ref().map_or(default.days, |at| at.value.0),
            size,
            queue: super::number(raw.queue.as_ref(), default.queue),
            explain: raw.explain.as_ref().map_or(default.explain, |at| at.value),
            content: flag(raw.content.as_ref(), default.content),
            content_size: raw
                .content_size
                .as_ref()
                .map_or(default.content_size, |at| at.value.0),
            redact: flag(raw.redact.as_ref(), default.redact),
        }
    }

    pub(super) fn request_log(&mut self, raw: &RawRequestLog) -> Option<RequestLog> {
        let path = raw.path.as_ref()?.value.clone().into();
        let mut size = |raw, key: &str, default| {
            self.at_least(raw, &format!("request_log.{key}"), (LEAST, default))
        };
        Some(RequestLog {
            path,
            rotate: size(raw.rotate.as_ref(), "rotate", RequestLog::ROTATE),
            days: raw.days.as_ref().map_or(RequestLog::DAYS, |at| at.value.0),
            size: size(raw.size.as_ref(), "size", RequestLog::SIZE),
        })
    }

    pub(super) fn otlp(&mut self, raw: &RawOtlp) -> Option<Otlp> {
        let headers = self.headers(&raw.headers, ("otlp", Some("authorization")));
        let timeout = self.positive(raw.timeout.as_ref(), "otlp.timeout", Otlp::TIMEOUT);
        let at = raw.endpoint.as_ref()?;
        let Endpoint::Url(endpoint) = at.value.0.clone() else {
            self.source.report(
                Problem::new("otlp.endpoint", at.span.clone(), "traces go to no stand-in")
                    .expected("expected a URL such as \"http://127.0.0.1:4318\""),
            );
            return None;
        };
        Some(Otlp {
            endpoint,
            headers,
            sample: raw.sample.as_ref().map_or(Otlp::SAMPLE, |at| at.value),
            failures: raw.failures.as_ref().is_none_or(|at| at.value),
            propagate: raw.propagate.as_ref().is_some_and(|at| at.value),
            service: raw
                .service
                .as_ref()
                .map_or_else(|| Otlp::SERVICE.to_owned(), |at| at.value.clone()),
            timeout,
            queue: super::number(raw.queue.as_ref(), Otlp::QUEUE),
        })
    }
}
