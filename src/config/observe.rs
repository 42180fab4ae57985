//! What is kept and sent of requests, for people to look at?
//!
//! # Invariants
//! - As of [`settings`](mod@super::settings): each default is a constant here, with its reason.
//! - No content is kept unless it is asked for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::period::{Length, Unit};
use super::routes::BaseUrl;

/// Who pays for a request: the names of a virtual key and of what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The key's name.
    pub key: Arc<str>,
    /// Its team's.
    pub team: Option<Arc<str>>,
    /// Its customer's, or its team's customer's.
    pub customer: Option<Arc<str>>,
}

/// What is kept of requests, for the dashboard and `/api/requests`.
#[derive(Clone, Debug, PartialEq)]
pub struct Requests {
    /// Where.
    pub keep: Keep,
    /// Bytes of requests in memory.
    pub memory: usize,
    /// Folder of `requests.db`.
    pub data: PathBuf,
    /// How long they are kept on disk.
    pub days: Length,
    /// Bytes that they may take on disk.
    pub size: usize,
    /// Finished requests that may wait to be taken; for everything that keeps or sends them.
    pub queue: usize,
    /// Share of requests whose decision is kept whole; 0..=1.
    pub explain: f64,
    /// Whether what is said is kept, of keys that allow it.
    pub content: bool,
    /// Bytes of each body that are kept, at most.
    pub content_size: usize,
    /// Whether credentials, mail addresses and numbers of cards are made out and left out.
    pub redact: bool,
}

/// Where requests are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Nowhere.
    Off,
    /// In memory, until the process ends.
    #[default]
    Memory,
    /// On disk.
    Disk,
}

/// The log of requests: a JSON object a line.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestLog {
    /// The file.
    pub path: PathBuf,
    /// Bytes after which another file is begun.
    pub rotate: usize,
    /// How long closed files are kept.
    pub days: Length,
    /// Bytes that closed files may take.
    pub size: usize,
}

/// Where traces are sent, after OpenTelemetry's protocol over HTTP.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// The collector; `/v1/traces` is added to its path.
    pub endpoint: BaseUrl,
    /// Headers of every request to it.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Share of traces that are begun here and recorded; 0..=1.
    pub sample: f64,
    /// Whether what failed or fell back is recorded in any case.
    pub failures: bool,
    /// Whether providers are told of the trace.
    pub propagate: bool,
    /// `service.name`.
    pub service: String,
    /// How long the collector may take.
    pub timeout: Duration,
    /// Spans that may wait to be sent.
    pub queue: usize,
}

impl Requests {
    /// 8 MiB: some 130,000 requests; a gateway under load stays below 40 MiB with it.
    pub const MEMORY: usize = 8 << 20;
    /// 30 days: a month's bill can be looked into.
    pub const DAYS: Length = Length {
        count: 30,
        unit: Unit::Day,
    };
    /// 2 GiB: tens of millions of requests without content.
    pub const SIZE: usize = 2 << 30;
    /// 8,192: more than a second and a half of writing stalled at 5,000 requests/s.
    pub const QUEUE: usize = 8_192;
    /// 1 in 100: enough to see how choices come about, at a hundredth of what writing them out costs.
    pub const EXPLAIN: f64 = 0.01;
    /// 16 KiB: most conversations whole, and no book.
    pub const CONTENT_SIZE: usize = 16 << 10;
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            keep: Keep::default(),
            memory: Self::MEMORY,
            data: super::governance::Governance::DATA.into(),
            days: Self::DAYS,
            size: Self::SIZE,
            queue: Self::QUEUE,
            explain: Self::EXPLAIN,
            content: false,
            content_size: Self::CONTENT_SIZE,
            redact: true,
        }
    }
}

impl RequestLog {
    /// 64 MiB: some 100,000 lines; editors still open it.
    pub const ROTATE: usize = 64 << 20;
    /// 14 days: two weeks to look into what happened.
    pub const DAYS: Length = Length {
        count: 14,
        unit: Unit::Day,
    };
    /// 1 GiB: a disk that holds the gateway holds it.
    pub const SIZE: usize = 1 << 30;
}

impl Otlp {
    /// 1 in 10: a collector's usual share, and enough for percentiles.
    pub const SAMPLE: f64 = 0.1;
    /// `trimtab`.
    pub const SERVICE: &'static str = "trimtab";
    /// 10 s: OpenTelemetry's own default.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    /// 16,384: three seconds of a stalled collector at 5,000 spans/s.
    pub const QUEUE: usize = 16_384;
}
