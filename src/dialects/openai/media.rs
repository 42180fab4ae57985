//! What does an event of an image's or a sound's stream mean?
//!
//! Their events are few and their names tell: `image_generation.completed`, `transcript.text.done`, `speech.audio.done`.
//!
//! # Invariants
//! - Nothing is dropped but what is not JSON.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::seen::{Seen, Usage};
use super::super::tap::Look;
use super::response;

/// Watches streams of images, speech and transcripts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// Pictures that are complete so far.
    pictures: u32,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

impl Watch {
    /// A watch on a stream that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Understands one event.
    pub fn look(&mut self, data: &[u8]) -> Look {
        if data.trim_ascii() == b"[DONE]" {
            return Look::Keep(Seen {
                done: true,
                ..Seen::default()
            });
        }
        let Ok(event) = serde_json::from_slice::<Kind<'_>>(data) else {
            return Look::Bad;
        };
        let kind = event.kind.as_deref().unwrap_or_default();
        let finished = kind.ends_with(".completed") || kind.ends_with(".done");
        Look::Keep(Seen {
            content: true,
            finished,
            usage: finished.then(|| self.usage(kind, data)).flatten(),
            error: event.error.is_some() || kind == "error",
            ..Seen::default()
        })
    }

    /// What the last event of a picture or a sound says was used.
    fn usage(&mut self, kind: &str, data: &[u8]) -> Option<Usage> {
        let told = response::read_whole(data).ok()?.usage;
        if kind.starts_with("image_") {
            self.pictures = self.pictures.saturating_add(1);
            return Some(told.unwrap_or_default().drawn(self.pictures));
        }
        let mut usage = told?;
        if kind.starts_with("speech.") {
            usage.audio_output = usage.audio_output.or(usage.output);
        }
        Some(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_end() {
        let check = |json: &str, finished: bool, error: bool| {
            let Look::Keep(seen) = Watch::new().look(json.as_bytes()) else {
                panic!("{json}");
            };
            assert_eq!((seen.finished, seen.error), (finished, error), "{json}");
        };
        check(
            r#"{"type":"image_generation.partial_image","b64_json":"x"}"#,
            false,
            false,
        );
        check(
            r#"{"type":"image_generation.completed","b64_json":"x"}"#,
            true,
            false,
        );
        check(r#"{"type":"transcript.text.done","text":"x"}"#, true, false);
        check(r#"{"type":"error","error":{"message":"x"}}"#, false, true);
        assert!(matches!(Watch::new().look(b"{"), Look::Bad));
    }
    #[test]
    fn the_end_tells_what_was_used() {
        let mut watch = Watch::new();
        let mut usage = |json: &str| match watch.look(json.as_bytes()) {
            Look::Keep(seen) => seen.usage,
            other => panic!("{other:?} for {json}"),
        };
        let none = Usage::default();
        let part = r#"{"type":"image_generation.partial_image","b64_json":"x"}"#;
        assert_eq!(usage(part), None);
        let first = r#"{"type":"image_generation.completed","b64_json":"x","usage":{"input_tokens":4,"output_tokens":9,"total_tokens":13}}"#;
        let drawn = Usage {
            input: Some(4),
            output: Some(9),
            image_output: Some(9),
            images: Some(1),
            ..none
        };
        assert_eq!(usage(first), Some(drawn));
        let second = r#"{"type":"image_edit.completed","b64_json":"x"}"#;
        let two = Usage {
            images: Some(2),
            ..none
        };
        assert_eq!(usage(second), Some(two), "pictures add up");
        let spoken = r#"{"type":"speech.audio.done","usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}"#;
        let sound = Usage {
            input: Some(5),
            output: Some(7),
            audio_output: Some(7),
            ..none
        };
        assert_eq!(usage(spoken), Some(sound));
        let heard =
            r#"{"type":"transcript.text.done","text":"w","usage":{"type":"duration","seconds":2}}"#;
        let length = Usage {
            millis: Some(2_000),
            ..none
        };
        assert_eq!(usage(heard), Some(length));
        assert_eq!(usage(r#"{"type":"transcript.text.done","text":"w"}"#), None);
    }
}
