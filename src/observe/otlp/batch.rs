//! Spans on their way to a collector: gathered, and then framed as one request.
//!
//! What stands before the spans is the same for every batch but for its lengths, so it is written once.
//!
//! # Invariants
//! - A batch that was framed is a whole `ExportTraceServiceRequest`.

use bytes::Bytes;

use super::wire::{Pen, width};

/// Spans of a request to a collector, at most: what OpenTelemetry's own exporters send.
pub(super) const MOST: u32 = 512;

/// Bytes of a length and its tag, at most.
const LENGTH: usize = 1 + 5;

/// Who tells: the process and the library, as OpenTelemetry calls them.
#[derive(Debug)]
pub struct Teller {
    /// The resource and the scope, each with its tag.
    resource: Vec<u8>,
    scope: Vec<u8>,
}

/// Finished spans, ready to be sent.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The request's body.
    pub body: Bytes,
    /// How many there are.
    pub spans: u32,
}

/// Spans that are gathered, in a buffer that is used again.
#[derive(Debug, Default)]
pub struct Batch {
    pen: Pen,
    spans: u32,
}

impl Teller {
    /// A process of a service.
    #[must_use]
    pub fn new(service: &str, instance: &str) -> Self {
        const VERSION: &str = env!("CARGO_PKG_VERSION");
        let mut pen = Pen::default();
        let resource = pen.begin(1);
        for (key, value) in [
            ("service.name", service),
            ("service.version", VERSION),
            ("service.instance.id", instance),
            ("telemetry.sdk.name", "trimtab"),
            ("telemetry.sdk.language", "rust"),
            ("telemetry.sdk.version", VERSION),
        ] {
            pen.pair(1, key, value);
        }
        pen.end(resource);
        let resource = pen.bytes();
        let mut pen = Pen::default();
        let scope = pen.begin(1);
        pen.text(1, b"trimtab");
        pen.text(2, VERSION.as_bytes());
        pen.end(scope);
        Self {
            resource,
            scope: pen.bytes(),
        }
    }

    /// Frames the spans of a batch, which is empty then.
    #[must_use]
    pub fn seal(&self, batch: &mut Batch) -> Sealed {
        let of_scope = self.scope.len() + batch.pen.len();
        let of_resource = self.resource.len() + 1 + width(of_scope as u64) + of_scope;
        // Why exact: what waits for a collector must not hold more than it says.
        let mut body = Pen::after(Vec::with_capacity(LENGTH + of_resource));
        body.length(1, of_resource);
        body.copy(&self.resource);
        body.length(2, of_scope);
        body.copy(&self.scope);
        body.copy(batch.pen.written());
        batch.pen.clear();
        Sealed {
            body: Bytes::from(body.bytes()),
            spans: std::mem::take(&mut batch.spans),
        }
    }
}

impl Batch {
    /// Adds what `write` writes, so many spans as it says.
    pub fn add(&mut self, write: impl FnOnce(&mut Pen) -> u32) {
        self.spans += write(&mut self.pen);
    }

    /// How many there are.
    #[must_use]
    pub const fn spans(&self) -> u32 {
        self.spans
    }
}
