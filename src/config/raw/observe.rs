//! What may be written about what is kept and sent of requests?
//!
//! # Invariants
//! - As of [`raw`](super).

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::observe::{Otlp, RequestLog, Requests};
use super::super::units::{written_duration, written_size};
use super::super::written::{At, Named, Period, Place, SecretText, Size, Stretch};

/// What is kept of requests, for the dashboard and `/api/requests`: who asked what, where it went, how long it took and what it did cost.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Requests")]
pub(in crate::config) struct RawRequests {
    /// Where they are kept: `off`, in `memory` until the process ends, or on `disk` in `requests.db`.
    #[schemars(extend("default" = "memory"))]
    pub(in crate::config) keep: Option<At<RawKeep>>,
    /// Size of what is kept in memory, about 60 bytes a request; at least 64KiB.
    #[schemars(extend("default" = written_size(Requests::MEMORY)))]
    pub(in crate::config) memory: Option<At<Size>>,
    /// Folder of `requests.db`, relative to the directory of this file. The default is that of `[governance]`.
    #[schemars(length(min = 1))]
    pub(in crate::config) data: Option<At<String>>,
    /// How long requests are kept on disk.
    #[schemars(extend("default" = "30d"))]
    pub(in crate::config) days: Option<At<Stretch>>,
    /// Size that requests may take on disk; at least 1MiB. The oldest go first.
    #[schemars(extend("default" = written_size(Requests::SIZE)))]
    pub(in crate::config) size: Option<At<Size>>,
    /// Finished requests that may wait to be kept and sent; more are dropped and counted, and requests never wait.
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = Requests::QUEUE))]
    pub(in crate::config) queue: Option<At<u32>>,
    /// Share of requests whose decision is kept whole, 0 to 1: every candidate with its gate, the terms of its cost and its chance. Those that ask with `x-trimtab-explain: 1` are kept in any case.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = Requests::EXPLAIN))]
    pub(in crate::config) explain: Option<At<f64>>,
    /// Whether prompts and answers are kept as well, of keys whose `log_content` allows it.
    #[schemars(extend("default" = false))]
    pub(in crate::config) content: Option<At<bool>>,
    /// Size of each prompt and answer that is kept; longer ones are cut.
    #[schemars(extend("default" = written_size(Requests::CONTENT_SIZE)))]
    pub(in crate::config) content_size: Option<At<Size>>,
    /// Whether credentials, mail addresses and numbers of cards in them are replaced by their kind.
    #[schemars(extend("default" = true))]
    pub(in crate::config) redact: Option<At<bool>>,
}

/// Where requests are kept.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawKeep {
    /// Nowhere.
    Off,
    /// In memory, until the process ends.
    Memory,
    /// On disk.
    Disk,
}

/// The log of requests: a JSON object a line, without any content. Nothing is logged unless this table is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RequestLog")]
pub(in crate::config) struct RawRequestLog {
    /// File that lines are appended to; a relative path is relative to the directory the gateway is started in.
    #[schemars(required, length(min = 1))]
    pub(in crate::config) path: Option<At<String>>,
    /// Size at which the file is closed, with the time added to its name, and another one begun; at least 64KiB.
    #[schemars(extend("default" = written_size(RequestLog::ROTATE)))]
    pub(in crate::config) rotate: Option<At<Size>>,
    /// How long closed files are kept.
    #[schemars(extend("default" = "14d"))]
    pub(in crate::config) days: Option<At<Stretch>>,
    /// Size that closed files may take; at least 64KiB. The oldest go first.
    #[schemars(extend("default" = written_size(RequestLog::SIZE)))]
    pub(in crate::config) size: Option<At<Size>>,
}

/// Where traces are sent, after OpenTelemetry's protocol over HTTP. None are made unless this table is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Otlp")]
pub(in crate::config) struct RawOtlp {
    /// Address of the collector, such as `http://127.0.0.1:4318`; `/v1/traces` is added.
    #[schemars(required)]
    pub(in crate::config) endpoint: Option<At<Place>>,
    /// Headers of every request to it, such as a credential.
    #[serde(default)]
    pub(in crate::config) headers: Named<At<SecretText>>,
    /// Share of traces that are recorded, 0 to 1. A client that tells of a trace of its own has decided already.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = Otlp::SAMPLE))]
    pub(in crate::config) sample: Option<At<f64>>,
    /// Whether requests that failed or fell back are recorded in any case.
    #[schemars(extend("default" = true))]
    pub(in crate::config) failures: Option<At<bool>>,
    /// Whether providers are told of the trace in `traceparent`: for models that you host yourself.
    #[schemars(extend("default" = false))]
    pub(in crate::config) propagate: Option<At<bool>>,
    /// `service.name` of the traces.
    #[schemars(length(min = 1), extend("default" = Otlp::SERVICE))]
    pub(in crate::config) service: Option<At<String>>,
    /// How long the collector may take.
    #[schemars(extend("default" = written_duration(Otlp::TIMEOUT)))]
    pub(in crate::config) timeout: Option<At<Period>>,
    /// Spans that may wait to be sent; more are dropped and counted.
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = Otlp::QUEUE))]
    pub(in crate::config) queue: Option<At<u32>>,
}
