//! What does an event of an image's or a sound's stream mean?
//!
//! Their events are few and their names tell: `image_generation.completed`, `transcript.text.done`, `speech.audio.done`.
//!
//! # Invariants
//! - Nothing is dropped but what is not JSON.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::seen::Seen;
use super::super::tap::Look;
use super::response;

/// Watches streams of images, speech and transcripts.
#[derive(Clone, Copy, Debug)]
pub struct Watch;

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

impl Watch {
    /// Understands one event.
    #[must_use]
    pub fn look(self, data: &[u8]) -> Look {
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
        let usage = finished
            .then(|| response::read_whole(data).ok()?.usage)
            .flatten();
        Look::Keep(Seen {
            content: true,
            finished,
            usage,
            error: event.error.is_some() || kind == "error",
            ..Seen::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_end() {
        let check = |json: &str, finished: bool, error: bool| {
            let Look::Keep(seen) = Watch.look(json.as_bytes()) else {
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
        assert!(matches!(Watch.look(b"{"), Look::Bad));
    }
}
