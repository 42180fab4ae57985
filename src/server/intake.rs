//! Takes a request's body in, up to a limit and within a time.
//!
//! # Invariants
//! - No more than the limit and one frame is ever held.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::dialects::failure::Failure;

/// What bounds a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes.
    pub(super) size: usize,
    /// Time for the whole body.
    pub(super) time: Duration,
}

/// Reads the whole body.
pub(super) async fn whole(body: Incoming, bounds: Bounds) -> Result<Bytes, (Failure, String)> {
    if body.size_hint().lower() > bounds.size as u64 {
        return Err(too_large(bounds));
    }
    match tokio::time::timeout(bounds.time, collect(body, bounds)).await {
        Ok(result) => result,
        Err(_) => Err((
            Failure::SlowClient,
            format!("the request's body did not arrive within {:?}", bounds.time),
        )),
    }
}

async fn collect(mut body: Incoming, bounds: Bounds) -> Result<Bytes, (Failure, String)> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| {
            let message = format!("the request's body could not be read: {error}");
            (Failure::BadRequest, message)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len().max(joined.len()) + data.len() > bounds.size {
            return Err(too_large(bounds));
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}

fn too_large(bounds: Bounds) -> (Failure, String) {
    let message = format!("the request's body is larger than {} bytes", bounds.size);
    (Failure::TooLarge, message)
}
