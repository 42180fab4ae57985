//! What is sent back, whole or page by page?
//!
//! A long export is made while it is sent: the next page is read when the client has taken the last one, so neither memory nor a thread is held for a slow one.
//!
//! # Invariants
//! - An export that breaks off ends the connection; it never looks complete.
//! - What is sent as it happens waits in a bounded queue, and for nobody.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::observe::watch::Feed;
use crate::store::StoreError;

/// A page's bytes and where the next one begins, if there is one.
pub(super) type Piece = Result<(Bytes, Option<i64>), StoreError>;

/// Reads the page after a cursor.
pub(super) type Reader = Arc<dyn Fn(i64) -> Piece + Send + Sync>;

/// The body of an answer.
#[derive(Debug)]
pub(in crate::admin) enum Outgoing {
    /// All of it.
    Whole(Full<Bytes>),
    /// Page by page.
    Pages(Pages),
    /// As it happens.
    Live(Live),
}

/// What is seen as it happens, so many ticks of it if that was asked for.
#[derive(Debug)]
pub(in crate::admin) struct Live {
    feed: Feed,
    /// Events that are still to be sent; the first one is no tick.
    left: Option<u64>,
}

/// An export in progress.
pub(in crate::admin) struct Pages {
    read: Reader,
    /// Where the next page begins; none at the end.
    next: Option<i64>,
    /// The page that is being read.
    page: Option<JoinHandle<Piece>>,
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub(in crate::admin) enum Broken {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the export was given up")]
    GivenUp,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Outgoing {
    pub(in crate::admin) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }

    /// What a feed brings, up to so many ticks.
    pub(super) fn live(feed: Feed, ticks: Option<u64>) -> Self {
        let left = ticks.map(|ticks| ticks.saturating_add(1));
        Self::Live(Live { feed, left })
    }

    /// Everything after a cursor.
    pub(super) fn pages(read: Reader, after: i64) -> Self {
        Self::Pages(Pages {
            read,
            next: Some(after),
            page: None,
        })
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Pages(pages) => pages.poll_page(cx),
            Self::Live(live) => live.poll_event(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Pages(pages) => pages.next.is_none() && pages.page.is_none(),
            Self::Live(live) => live.left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Pages(_) | Self::Live(_) => SizeHint::default(),
        }
    }
}

impl Live {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.left == Some(0) {
            return Poll::Ready(None);
        }
        let event = ready!(self.feed.poll_next(cx));
        self.left = self.left.map(|left| left.saturating_sub(1));
        Poll::Ready(event.map(|event| Ok(Frame::data(event))))
    }
}

impl Pages {
    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let page = match (&mut self.page, self.next) {
            (Some(page), _) => page,
            (None, None) => return Poll::Ready(None),
            (empty @ None, Some(after)) => {
                let read = Arc::clone(&self.read);
                empty.insert(tokio::task::spawn_blocking(move || read(after)))
            }
        };
        let read = ready!(Pin::new(page).poll(cx));
        self.page = None;
        self.next = None;
        match read {
            Ok(Ok((bytes, next))) => {
                self.next = next;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "an export of the ledger broke off");
                Poll::Ready(Some(Err(error.into())))
            }
            Err(_) => Poll::Ready(Some(Err(Broken::GivenUp))),
        }
    }
}

/// An answer of this type; nobody keeps a copy of it.
pub(in crate::admin) fn response(
    status: StatusCode,
    kind: &'static str,
    body: Outgoing,
) -> Response<Outgoing> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// An answer in JSON.
pub(in crate::admin) fn json_response(status: StatusCode, value: &Value) -> Response<Outgoing> {
    let body = Outgoing::whole(value.to_string());
    response(status, "application/json", body)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn pages_follow_each_other_and_a_failure_is_an_error() {
        let read = |fails: bool| -> Reader {
            Arc::new(move |after| match after {
                0 => Ok((Bytes::from_static(b"a"), Some(7))),
                7 if fails => Err(StoreError::Full),
                _ => Ok((Bytes::from_static(b"b"), None)),
            })
        };
        let whole = Outgoing::pages(read(false), 0).collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "ab");
        let broken = Outgoing::pages(read(true), 0).collect().await;
        assert!(matches!(broken, Err(Broken::Store(StoreError::Full))));
    }
}
