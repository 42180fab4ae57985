//! Which items may a later request mean by their ids alone?
//!
//! Vercel's AI SDK, unless told `store: false`, refers to a model's words and reasoning by `item_reference` in its next turn.
//! Only whoever made the response knows them; if the gateway translated it, that is the gateway:
//! it remembers what is found here, and gives it to [`read_recalling`](super::request::read_recalling).
//!
//! # Invariants
//! - An item is given as it was told to the client.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// An item of a response, with its id.
#[derive(Clone, Debug)]
pub struct Remembered<'a> {
    /// Its id.
    pub id: Cow<'a, str>,
    /// All of it, JSON text.
    pub json: &'a str,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow, default)]
    output: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// The items of a response, or of the data of the event that ends its stream; none if it is neither.
#[must_use]
pub fn items(json: &[u8]) -> Vec<Remembered<'_>> {
    let told = |text| serde_json::from_str::<Told<'_>>(text).ok();
    let whole = std::str::from_utf8(json).ok().and_then(told);
    let output = whole.and_then(|whole| match whole.response {
        Some(response) => told(response.get())?.output,
        None => whole.output,
    });
    let items = output.into_iter().flatten().filter_map(|raw| {
        let item: Item<'_> = serde_json::from_str(raw.get()).ok()?;
        Some(Remembered {
            id: item.id,
            json: raw.get(),
        })
    });
    items.filter(|item| !item.id.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::request::{read, read_recalling};
    use super::*;
    use crate::chat::{Message, Part, Role};

    const RESPONSE: &str = r#"{"id":"resp_1","output":[
        {"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"Hi"}]},
        {"type":"function_call","call_id":"call_1","name":"f","arguments":"{}"},
        {"type":"item_reference","id":"loop"},7]}"#;

    fn recall(id: &str) -> Option<Bytes> {
        let found = items(RESPONSE.as_bytes());
        let item = found.iter().find(|item| item.id == id)?;
        Some(Bytes::copy_from_slice(item.json.as_bytes()))
    }

    #[test]
    fn items_are_found_in_responses_and_last_events() {
        let event = format!("{{\"type\":\"response.completed\",\"response\":{RESPONSE}}}");
        for json in [RESPONSE, &event] {
            let found = items(json.as_bytes());
            let ids: Vec<&str> = found.iter().map(|item| item.id.as_ref()).collect();
            assert_eq!(ids, ["msg_1", "loop"]);
            assert!(found[0].json.contains("\"Hi\""));
        }
        for odd in [
            "",
            "<html>",
            "{}",
            "[]",
            r#"{"output":3}"#,
            r#"{"response":7}"#,
        ] {
            assert!(items(odd.as_bytes()).is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_remembered_item_takes_its_references_place() {
        let body = br#"{"input":[{"type":"item_reference","id":"msg_1"},{"role":"user","content":"go on"}]}"#;
        let request = read_recalling(body, &recall).unwrap();
        let message = |role, text: &str| Message {
            role,
            parts: vec![Part::text(text)],
        };
        assert_eq!(
            request.messages,
            [message(Role::Assistant, "Hi"), message(Role::User, "go on")]
        );
        assert!(request.unknown.is_empty());
        assert_eq!(read(body).unwrap().unknown, ["item_reference"]);
        for id in ["msg_2", "loop"] {
            let body = format!("{{\"input\":[{{\"id\":\"{id}\"}}]}}");
            let request = read_recalling(body.as_bytes(), &recall).unwrap();
            assert_eq!(request.unknown, ["item_reference"], "{id}");
        }
    }
    #[test]
    fn many_references_bring_in_a_bounded_amount() {
        let long = Bytes::from(RESPONSE_OF_A_MEGABYTE.replace('$', &"x".repeat(1 << 20)));
        let reference = r#"{"type":"item_reference","id":"msg_1"}"#;
        let body = format!("{{\"input\":[{}]}}", vec![reference; 100].join(","));
        let request = read_recalling(body.as_bytes(), &|_| Some(long.clone())).unwrap();
        let parts: usize = request.messages.iter().map(|turn| turn.parts.len()).sum();
        assert_eq!(parts, 7);
        assert_eq!(request.unknown, ["item_reference"]);
    }

    const RESPONSE_OF_A_MEGABYTE: &str = r#"{"type":"message","role":"assistant","content":"$"}"#;
}
