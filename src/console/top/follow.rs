//! Follows the gateway's stream, and begins again where it breaks off.
//!
//! # Invariants
//! - What is told has no control characters in it, whoever made it up.
//! - A stream of which nothing comes for [`SILENCE`] is given up.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::super::ConsoleError;
use super::super::remote::Plane;
use crate::stream::sse::{Splitter, events};
use crate::terminal::clean;

/// What is asked for.
const PATH: &str = "/api/live";

/// Time between two attempts.
const AGAIN: Duration = Duration::from_secs(1);

/// A stream that says nothing for so long is none: it tells each second.
const SILENCE: Duration = Duration::from_secs(10);

/// What is told.
#[derive(Debug)]
pub(super) enum News {
    /// The gateway is there.
    Hello(Value),
    /// What is seen in a second.
    Tick(Value),
    /// The gateway is gone, for this reason; it is asked again.
    Gone(String),
    /// Nothing more will come.
    Over(ConsoleError),
}

/// Follows until nobody wants to know any more, or the gateway refuses.
pub(super) async fn run(plane: Plane, to: mpsc::Sender<News>) {
    let mut was_there = false;
    loop {
        let why = match once(&plane, &to, &mut was_there).await {
            Ok(why) => why,
            // Why: too many streams, or a gateway that begins or ends, is over in a moment.
            Err(error @ ConsoleError::Unreachable { .. }) if was_there => error.to_string(),
            Err(ConsoleError::Refused {
                status: 503,
                message,
            }) if was_there => message,
            Err(error) => {
                let _ = to.send(News::Over(error)).await;
                return;
            }
        };
        let why = why.lines().next().unwrap_or_default().to_owned();
        if to.send(News::Gone(why)).await.is_err() {
            return;
        }
        sleep(AGAIN).await;
    }
}

/// Follows one stream to its end; why it ended.
async fn once(
    plane: &Plane,
    to: &mpsc::Sender<News>,
    was_there: &mut bool,
) -> Result<String, ConsoleError> {
    let mut body = plane.follow(PATH).await?;
    let mut splitter = Splitter::default();
    loop {
        let piece = match timeout(SILENCE, body.data()).await {
            Err(_) => return Ok(format!("nothing came for {} s", SILENCE.as_secs())),
            Ok(None) => return Ok("the gateway ended the stream".to_owned()),
            Ok(Some(Err(fault))) => return Ok(clean(&fault.to_string())),
            Ok(Some(Ok(piece))) => piece,
        };
        let Ok(whole) = splitter.push(piece) else {
            return Ok("an event is too long".to_owned());
        };
        for news in read(&whole) {
            *was_there = true;
            if to.send(news).await.is_err() {
                return Ok(String::new());
            }
        }
    }
}

/// The news in a run of whole events.
pub(super) fn read(whole: &Bytes) -> Vec<News> {
    let news = events(whole).filter_map(|event| {
        let value: Value = serde_json::from_slice(event.data?).ok()?;
        let value = cleaned(value);
        match event.name() {
            Some(b"hello") => Some(News::Hello(value)),
            Some(b"tick") => Some(News::Tick(value)),
            _ => None,
        }
    });
    news.collect()
}

/// JSON of which no text has control characters.
pub(super) fn cleaned(value: Value) -> Value {
    match value {
        Value::String(text) => clean(&text).into(),
        Value::Array(items) => items.into_iter().map(cleaned).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields.map(|(key, it)| (clean(&key), cleaned(it))).collect()
        }
        other => other,
    }
}
