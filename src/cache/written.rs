//! How is an answer written down?
//!
//! A line of JSON that says what it is, then its bytes and its question's vector.
//!
//! # Invariants
//! - What was written is read as it was, or not at all.
//! - What can be made again is not written: the features of a question are read from its words.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Manner, Question};
use super::scope::{Key, Scope};
use super::semantic::guards::Features;
use crate::config::Nano;

/// The version of what is written here; any other is not read.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    version: u32,
    manner: (u8, bool, u8),
    #[serde(borrow)]
    content_type: std::borrow::Cow<'a, str>,
    stored_ms: i64,
    expires_ms: i64,
    #[serde(borrow)]
    request: std::borrow::Cow<'a, str>,
    author: u32,
    #[serde(borrow)]
    model: std::borrow::Cow<'a, str>,
    tags: Vec<Box<str>>,
    cost: u64,
    tokens: (u32, u32),
    length: usize,
    question: Option<Asked>,
}

#[derive(Serialize, Deserialize)]
struct Asked {
    partition: [u8; 32],
    text: Box<str>,
    width: usize,
}

/// Writes an entry down.
#[must_use]
pub(super) fn write(entry: &Entry) -> Vec<u8> {
    let question = entry.question.as_ref();
    let head = Head {
        version: VERSION,
        manner: (
            entry.manner.endpoint,
            entry.manner.streamed,
            entry.manner.variety,
        ),
        content_type: (&*entry.content_type).into(),
        stored_ms: entry.stored_ms,
        expires_ms: entry.expires_ms,
        request: (&*entry.request).into(),
        author: entry.author,
        model: (&*entry.model).into(),
        tags: entry.tags.to_vec(),
        cost: entry.cost.get(),
        tokens: entry.tokens,
        length: entry.bytes.len(),
        question: question.map(|it| Asked {
            partition: *it.partition.digest(),
            text: it.text.clone(),
            width: it.vector.len(),
        }),
    };
    // Numbers and texts can always be written.
    let mut written = serde_json::to_vec(&head).unwrap_or_default();
    written.push(b'\n');
    written.extend_from_slice(&entry.bytes);
    for number in question.iter().flat_map(|it| it.vector.iter()) {
        written.extend_from_slice(&number.to_le_bytes());
    }
    written
}

/// Reads an entry that was written down under this id and key.
#[must_use]
pub(super) fn read(id: u64, key: Key, written: Vec<u8>) -> Option<Entry> {
    let line = memchr::memchr(b'\n', &written)?;
    let head: Head<'_> = serde_json::from_slice(&written[..line]).ok()?;
    if head.version != VERSION {
        return None;
    }
    let body = line + 1..line.checked_add(1)?.checked_add(head.length)?;
    let rest = written.get(body.end..)?;
    let question = match &head.question {
        None if rest.is_empty() => None,
        Some(asked) if rest.len() == asked.width.checked_mul(4)? => {
            let numbers = rest.as_chunks::<4>().0.iter();
            let vector: Arc<[f32]> = numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Some(Question {
                partition: Key::kept(key.scope(), asked.partition),
                features: Features::of(&asked.text),
                text: asked.text.clone(),
                vector,
            })
        }
        _ => return None,
    };
    let (endpoint, streamed, variety) = head.manner;
    let entry = Entry {
        id,
        key,
        manner: Manner {
            endpoint,
            streamed,
            variety,
        },
        content_type: head.content_type.into(),
        bytes: Bytes::new(),
        stored_ms: head.stored_ms,
        expires_ms: head.expires_ms,
        request: head.request.into(),
        author: head.author,
        model: (&*head.model).into(),
        tags: head.tags.into(),
        cost: Nano::new(head.cost),
        tokens: head.tokens,
        question,
    };
    Some(Entry {
        bytes: Bytes::copy_from_slice(&written[body]),
        ..entry
    })
}

/// The key that a row was kept under.
#[must_use]
pub(super) const fn key(tenant: [u8; 16], digest: [u8; 32]) -> Key {
    Key::kept(Scope::kept(tenant), digest)
}

#[cfg(test)]
mod tests {
    use super::super::scope::Secret;
    use super::*;
    use crate::config::Sharing;

    fn entry(question: bool) -> Entry {
        let secret = Secret::new(&[1; 32]);
        let scope = Scope::new(&secret, Sharing::Key, b"a");
        let vector: Arc<[f32]> = vec![0.6, -0.8].into();
        Entry {
            id: 7,
            key: Key::new(&secret, scope, &[b"k"]),
            manner: Manner {
                endpoint: 2,
                streamed: true,
                variety: 1,
            },
            content_type: "text/event-stream".into(),
            bytes: Bytes::from_static(b"data: {\n}\n\n\xff"),
            stored_ms: 5,
            expires_ms: 9,
            request: "r\u{e9}".into(),
            author: 3,
            model: "m".into(),
            tags: vec!["a".into(), "b".into()].into(),
            cost: Nano::new(11),
            tokens: (1, 2),
            question: question.then(|| Question {
                partition: Key::new(&secret, scope, &[b"p"]),
                text: "What\nis it?".into(),
                features: Features::of("What\nis it?"),
                vector,
            }),
        }
    }

    #[test]
    fn what_was_written_is_read_as_it_was() {
        for question in [false, true] {
            let entry = entry(question);
            let read = read(entry.id, entry.key, write(&entry)).unwrap();
            assert_eq!(format!("{read:?}"), format!("{entry:?}"));
        }
    }

    #[test]
    fn what_is_cut_or_longer_is_not_read() {
        for question in [false, true] {
            let entry = entry(question);
            let written = write(&entry);
            for length in 0..written.len() {
                assert!(
                    read(7, entry.key, written[..length].to_vec()).is_none(),
                    "{length}"
                );
            }
            assert!(read(7, entry.key, [&*written, b"x"].concat()).is_none());
        }
    }
}
