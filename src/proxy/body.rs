//! The body of an answer to a client: nothing, whole, or a stream as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::cached::{Carried, Follow, Paced};
use super::errand::Raw;
use super::picture::stream::Reel;
use super::relay::Broken;
use crate::images::answer;

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// All of it; `None` once it was taken.
    Whole(Option<Bytes>),
    /// As it comes from a provider.
    Stream(Carried),
    /// As another request gets it.
    Follow(Box<Follow>),
    /// From what is kept, event by event.
    Paced(Box<Paced>),
    /// Pictures, written as they are taken.
    Pictures(answer::Body),
    /// Pictures that are still being made.
    Reel(Box<Reel>),
    /// As it comes from a provider, unread.
    Raw(Box<Raw>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(relay) => relay
                .poll_next(cx)
                .map(|next| next.map(|bytes| bytes.map(Frame::data))),
            Self::Follow(follow) => follow
                .poll_next(cx)
                .map(|next| next.map(|bytes| bytes.map(Frame::data))),
            Self::Paced(paced) => paced
                .poll_next(cx)
                .map(|next| next.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pictures(pieces) => {
                Poll::Ready(pieces.next().map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Reel(reel) => reel
                .poll_next(cx)
                .map(|next| next.map(|bytes| bytes.map(Frame::data))),
            Self::Raw(raw) => raw.poll_next(cx).map(|next| {
                let framed = |bytes: Result<Bytes, _>| bytes.map(Frame::data).map_err(|_| Broken);
                next.map(framed)
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Pictures(pieces) => pieces.length() == 0,
            Self::Stream(_) | Self::Follow(_) | Self::Paced(_) | Self::Reel(_) | Self::Raw(_) => {
                false
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Pictures(pieces) => SizeHint::with_exact(pieces.length() as u64),
            Self::Stream(_) | Self::Follow(_) | Self::Paced(_) | Self::Reel(_) | Self::Raw(_) => {
                SizeHint::default()
            }
        }
    }
}
