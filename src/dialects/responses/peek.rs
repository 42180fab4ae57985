//! What of a response's request ties it to a route or sizes it? A borrowed scan, beside [`openai::peek`](super::super::openai::peek).
//!
//! # Invariants
//! - A field that occurs twice is refused.
//! - Nothing is copied but strings with escapes.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::meeting::Malformed;
use crate::chat::{Maker, Signature};

/// What ties a request to what was answered before, and what it may cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stickiness<'a> {
    /// The most output tokens asked for, reasoning included.
    pub max_output_tokens: Option<u32>,
    /// The response that this one goes on from; only the account that made it knows it.
    pub previous_response_id: Option<Cow<'a, str>>,
    /// The stored conversation that it belongs to; only one account knows it.
    pub conversation: Option<Cow<'a, str>>,
    /// What the provider's prompt cache is to be keyed by.
    pub prompt_cache_key: Option<Cow<'a, str>>,
    /// The first item that is meant by its id alone; only the account that made it knows it.
    pub item_reference: Option<Cow<'a, str>>,
    /// The first reasoning item's id (`rs_…`).
    pub reasoning_id: Option<Cow<'a, str>>,
    /// Whether reasoning comes along that only OpenAI can read, and of that only the organisation that got it.
    pub encrypted: bool,
    /// Whether thoughts come along that another maker's model has signed, or that this gateway has marked: no route that speaks this dialect can take them as they are.
    pub foreign: bool,
    /// Whether the response is to be made in the background, and fetched later where it was asked for.
    pub background: bool,
}

#[derive(Deserialize)]
struct Governed<'a> {
    #[serde(borrow, default)]
    max_output_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    previous_response_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    conversation: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prompt_cache_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    background: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input: Items<'a>,
}

/// Scans a request body.
///
/// # Errors
/// [`Malformed`] when it is not a JSON object, or holds a governed field twice.
pub fn peek(body: &[u8]) -> Result<Stickiness<'_>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::new("the body is not UTF-8"))?;
    // A list would be taken for the fields in their order.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Malformed::new("a JSON object is expected"));
    }
    let governed: Governed<'_> = serde_json::from_str(text)?;
    Ok(Stickiness {
        max_output_tokens: governed
            .max_output_tokens
            .and_then(|raw| raw.get().parse().ok()),
        previous_response_id: string(governed.previous_response_id),
        conversation: named(governed.conversation),
        prompt_cache_key: string(governed.prompt_cache_key),
        item_reference: governed.input.reference,
        reasoning_id: governed.input.reasoning,
        encrypted: governed.input.encrypted,
        foreign: governed.input.foreign,
        background: governed.background.is_some_and(|raw| raw.get() == "true"),
    })
}

/// A string that is not empty.
fn string<'a>(raw: Option<&'a RawValue>) -> Option<Cow<'a, str>> {
    let text = raw?.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let string = if inner.contains('\\') {
        Cow::Owned(serde_json::from_str(text).ok()?)
    } else {
        Cow::Borrowed(inner)
    };
    (!string.is_empty()).then_some(string)
}

/// An id, or an object with one.
fn named<'a>(raw: Option<&'a RawValue>) -> Option<Cow<'a, str>> {
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
    }
    string(raw).or_else(|| {
        let object: Object<'a> = serde_json::from_str(raw?.get()).ok()?;
        string(object.id)
    })
}

/// What the items of `input` tell, folded together.
#[derive(Default)]
struct Items<'a> {
    reference: Option<Cow<'a, str>>,
    reasoning: Option<Cow<'a, str>>,
    encrypted: bool,
    foreign: bool,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    encrypted_content: Option<&'a RawValue>,
}

impl<'a> Items<'a> {
    fn note(&mut self, item: &'a RawValue) {
        let Ok(item) = serde_json::from_str::<Item<'a>>(item.get()) else {
            return;
        };
        match item.kind.map(RawValue::get) {
            Some("\"item_reference\"") if self.reference.is_none() => {
                self.reference = string(item.id);
            }
            Some("\"reasoning\"") if self.reasoning.is_none() => {
                self.reasoning = string(item.id);
            }
            _ => {}
        }
        if let Some(text) = string(item.encrypted_content) {
            // What is marked is OpenAI's own if it came under another id; it cannot go on as it is either.
            let read = Signature::read(&text, Maker::OpenAi);
            let foreign = read.text != text;
            self.foreign |= foreign;
            self.encrypted |= !foreign;
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemsVisitor)
    }
}

/// Takes a list apart; a text, or anything else, holds no items.
struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of items")
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<Items<'de>, E> {
        Ok(Items::default())
    }
    fn visit_unit<E: Error>(self) -> Result<Items<'de>, E> {
        Ok(Items::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Items<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Items::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items<'de>, A::Error> {
        let mut items = Items::default();
        while let Some(item) = seq.next_element::<&'de RawValue>()? {
            items.note(item);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ties_a_request_is_found() {
        let body = br#"{"model":"m","max_output_tokens":64,"previous_response_id":"resp_1","conversation":{"id":"conv_1"},
            "prompt_cache_key":"k\u0031","background":true,"input":[
            {"role":"user","content":"hi"},"odd",
            {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"enc"},
            {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"trimtab:anthropic::s"},
            {"type":"item_reference","id":"msg_1"}]}"#;
        assert_eq!(
            peek(body).unwrap(),
            Stickiness {
                max_output_tokens: Some(64),
                previous_response_id: Some("resp_1".into()),
                conversation: Some("conv_1".into()),
                prompt_cache_key: Some("k1".into()),
                item_reference: Some("msg_1".into()),
                reasoning_id: Some("rs_1".into()),
                encrypted: true,
                foreign: true,
                background: true,
            }
        );
    }

    #[test]
    fn most_requests_are_free() {
        for body in [
            r#"{"model":"m","input":"hi"}"#,
            r#"{"model":"m","input":null,"previous_response_id":null,"conversation":null,"background":false}"#,
            r#"{"model":"m","input":[{"role":"user","content":"hi"},{"type":"function_call","id":"fc_1","encrypted_content":null}]}"#,
            r#"{"model":"m","input":{"odd":1},"max_output_tokens":"many","prompt_cache_key":""}"#,
        ] {
            assert_eq!(peek(body.as_bytes()), Ok(Stickiness::default()), "{body}");
        }
    }

    #[test]
    fn a_second_field_is_refused() {
        let twice = br#"{"previous_response_id":"a","previous_response_id":"b"}"#;
        assert!(peek(twice).unwrap_err().0.contains("duplicate field"));
        assert!(peek(br#"{"input":"a","input":[]}"#).is_err());
        assert!(peek(b"\xff").is_err());
        assert!(peek(br#"[5,"resp_1"]"#).is_err());
    }
}
