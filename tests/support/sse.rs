//! Server-sent events with the times at which they arrived.

use std::time::Duration;

use serde_json::Value;

/// An event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// When its last byte arrived, counted from the request.
    pub(crate) at: Duration,
    /// Its name, in dialects that give one.
    pub(crate) name: Option<String>,
    /// What follows `data: `.
    pub(crate) data: String,
}

impl Event {
    /// The data, unless it is the end marker.
    pub(crate) fn json(&self) -> Option<Value> {
        if self.data == "[DONE]" {
            return None;
        }
        let value = serde_json::from_str(&self.data);
        Some(value.unwrap_or_else(|error| panic!("{error}: {}", self.data)))
    }

    /// The words that it carries, in whichever dialect.
    pub(crate) fn words(&self) -> Option<String> {
        let value = self.json()?;
        let words = value["choices"][0]["delta"]["content"]
            .as_str()
            .or_else(|| value["delta"]["text"].as_str())?;
        Some(words.to_owned())
    }

    /// Whether it carries a word.
    pub(crate) fn is_word(&self) -> bool {
        self.words().is_some_and(|words| !words.is_empty())
    }

    /// Whether it is the end marker of its dialect.
    pub(crate) fn is_end(&self) -> bool {
        self.data == "[DONE]" || self.name.as_deref() == Some("message_stop")
    }
}

/// The whole events of a body; what follows the last blank line must be nothing.
pub(super) fn events(body: &[u8], arrivals: &[(usize, Duration)]) -> Vec<Event> {
    let text = std::str::from_utf8(body).unwrap();
    let mut at = 0;
    let mut events = Vec::new();
    while let Some(length) = text[at..].find("\n\n") {
        let event = &text[at..at + length];
        at += length + 2;
        let arrived = arrivals.iter().find(|(upto, _)| *upto >= at).unwrap().1;
        let (name, rest) = match event.strip_prefix("event: ") {
            Some(named) => named.split_once('\n').unwrap(),
            None => ("", event),
        };
        // Comments carry nothing.
        if let Some(data) = rest.strip_prefix("data: ") {
            assert!(!data.contains('\n'), "an event of several lines: {event}");
            events.push(Event {
                at: arrived,
                name: (!name.is_empty()).then(|| name.to_owned()),
                data: data.to_owned(),
            });
        } else {
            assert!(event.starts_with(':'), "neither data nor comment: {event}");
        }
    }
    assert_eq!(&text[at..], "", "half an event");
    events
}
