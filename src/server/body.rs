//! The response body as the connection sends it: the proxy's, and the fact that a request is in flight until it ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::roster::Working;
use crate::proxy;

/// A response body that keeps its connection marked as busy.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) inner: proxy::Body,
    pub(super) working: Working,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = <proxy::Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.working.presence().asked_for_more();
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(_))) = polled {
            self.working.presence().handed_over();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
