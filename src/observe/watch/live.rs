//! Who follows what is seen, second by second?
//!
//! A tick is written once and shared by all who follow; where nobody does it is not written at all.
//!
//! # Invariants
//! - At most [`MOST`] follow at once, and [`WAITING`] events wait for each: who does not read is dropped, and told to be cut off.
//! - Publishing never waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

/// Followers at once, at most: dashboards of a team, and a bound on what they cost.
pub const MOST: usize = 64;

/// Events that wait for a follower: as many seconds of a stalled network.
const WAITING: usize = 16;

/// Ticks between two comments that keep middlemen from closing what seems idle.
const ALIVE_EVERY: u64 = 15;

/// All who follow.
#[derive(Debug, Default)]
pub(super) struct Hub {
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    open: Vec<Line>,
    /// Whether the gateway is ending.
    closed: bool,
    published: u64,
}

#[derive(Debug)]
struct Line {
    to: mpsc::Sender<Bytes>,
    cut: Arc<Notify>,
}

/// What one follower gets.
#[derive(Debug)]
pub struct Feed {
    from: mpsc::Receiver<Bytes>,
}

/// Why nobody more can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFeed {
    /// There are too many.
    #[error("{MOST} live streams are open, which is the most; close one and ask again")]
    Full,
    /// The gateway is ending.
    #[error("the gateway is shutting down")]
    Ending,
}

impl Feed {
    /// The next event as it is written; none at the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.from.poll_recv(cx)
    }
}

impl Hub {
    /// Whether anybody follows.
    pub(super) fn is_followed(&self) -> bool {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.open.retain(|line| !line.to.is_closed());
        !lines.open.is_empty()
    }

    /// Lets one more follow, who begins with `first`; `cut` is told when it has not read for too long.
    pub(super) fn open(&self, first: Vec<Bytes>, cut: Arc<Notify>) -> Result<Feed, NoFeed> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.closed {
            return Err(NoFeed::Ending);
        }
        lines.open.retain(|line| !line.to.is_closed());
        if lines.open.len() >= MOST {
            return Err(NoFeed::Full);
        }
        let (to, from) = mpsc::channel(WAITING);
        for event in first {
            // There is room: what comes first is less than may wait.
            let _ = to.try_send(event);
        }
        lines.open.push(Line { to, cut });
        Ok(Feed { from })
    }

    /// Gives an event to all who follow.
    pub(super) fn publish(&self, name: &str, json: &[u8]) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.published += 1;
        let mut event = Vec::new();
        if lines.published.is_multiple_of(ALIVE_EVERY) {
            event.extend_from_slice(b": alive\n\n");
        }
        event.extend_from_slice(&written(name, json));
        let event = Bytes::from(event);
        lines
            .open
            .retain(|line| match line.to.try_send(event.clone()) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    line.cut.notify_one();
                    false
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            });
    }

    /// Ends all streams; no other begins.
    pub(super) fn close(&self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.closed = true;
        lines.open.clear();
    }
}

/// An event of a stream; JSON has no line breaks in it.
pub(super) fn written(name: &str, json: &[u8]) -> Bytes {
    [b"event: ", name.as_bytes(), b"\ndata: ", json, b"\n\n"]
        .concat()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(feed: &mut Feed) -> Option<Option<Bytes>> {
        match feed.poll_next(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(event) => Some(event),
            Poll::Pending => None,
        }
    }

    #[test]
    fn who_does_not_read_is_dropped_and_told_of() {
        let hub = Hub::default();
        assert!(!hub.is_followed());
        let (slow, quick) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut stalled = hub
            .open(vec![written("hello", b"{}")], Arc::clone(&slow))
            .unwrap();
        let mut reading = hub.open(Vec::new(), Arc::clone(&quick)).unwrap();
        for _ in 0..WAITING {
            hub.publish("tick", b"{}");
            assert!(next(&mut reading).unwrap().is_some());
        }
        let is_told = |notify: &Notify| {
            let told = std::pin::pin!(notify.notified());
            told.poll(&mut Context::from_waker(std::task::Waker::noop()))
                .is_ready()
        };
        assert!(is_told(&slow) && !is_told(&quick));
        for _ in 0..WAITING {
            assert!(next(&mut stalled).unwrap().is_some());
        }
        assert_eq!(
            next(&mut stalled),
            Some(None),
            "what had waited, and then the end"
        );
        assert_eq!(next(&mut reading), None, "it goes on");
        hub.close();
        assert_eq!(next(&mut reading), Some(None));
        let refused = hub.open(Vec::new(), quick).map(|_| ());
        assert_eq!(refused, Err(NoFeed::Ending));
    }

    #[test]
    fn there_are_not_more_than_fit_and_who_leaves_makes_room() {
        let hub = Hub::default();
        let open = || hub.open(Vec::new(), Arc::default());
        let mut feeds: Vec<Feed> = (0..MOST).map(|_| open().unwrap()).collect();
        assert_eq!(open().map(|_| ()), Err(NoFeed::Full));
        feeds.pop();
        assert!(open().is_ok());
    }

    #[test]
    fn a_comment_keeps_the_stream_alive() {
        let hub = Hub::default();
        let mut feed = hub.open(Vec::new(), Arc::default()).unwrap();
        let mut text = Vec::new();
        for _ in 0..ALIVE_EVERY {
            hub.publish("tick", b"1");
            text.extend_from_slice(&next(&mut feed).unwrap().unwrap());
        }
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("event: tick\ndata: 1\n\n"));
        assert!(
            text.ends_with(": alive\n\nevent: tick\ndata: 1\n\n"),
            "{text}"
        );
    }
}
