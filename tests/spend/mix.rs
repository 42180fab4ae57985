//! What do the clients ask for?
//!
//! # Invariants
//! - The same seed and number make the same request, whichever client sends it.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// Keys, both of one team.
pub(crate) const KEYS: [(&str, &str); 2] = [
    ("one", "the-secret-of-key-one"),
    ("two", "the-secret-of-key-two"),
];

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Chat,
    ChatStream,
    Messages,
    MessagesStream,
    Embeddings,
    Images,
    /// Its first route fails half the time.
    Fallback,
    /// Its client leaves before the end.
    Leaving,
    Passthrough,
}

/// Kinds, each as often as it occurs.
const WHEEL: [Kind; 20] = [
    Kind::Chat,
    Kind::Chat,
    Kind::Chat,
    Kind::Chat,
    Kind::ChatStream,
    Kind::ChatStream,
    Kind::ChatStream,
    Kind::Messages,
    Kind::Messages,
    Kind::MessagesStream,
    Kind::MessagesStream,
    Kind::Embeddings,
    Kind::Embeddings,
    Kind::Images,
    Kind::Fallback,
    Kind::Fallback,
    Kind::Fallback,
    Kind::Leaving,
    Kind::Leaving,
    Kind::Passthrough,
];

/// A request as it is written.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
    /// Bytes of the answer after which its client leaves.
    pub(crate) leave_after: Option<usize>,
}

/// The request of this number.
pub(crate) fn request(seed: u64, number: u64) -> Request {
    let mut rng = SmallRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let kind = WHEEL[rng.random_range(0..WHEEL.len())];
    let (_, secret) = KEYS[rng.random_range(0..KEYS.len())];
    let words = vec!["word"; rng.random_range(1..40)].join(" ");
    let (path, body) = body(kind, &words, rng.random_range(1..120));
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {secret}\r\nanthropic-version: 2023-06-01\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    Request {
        kind,
        bytes: [head.as_bytes(), body.as_bytes()].concat(),
        leave_after: (kind == Kind::Leaving).then(|| rng.random_range(0..20_000)),
    }
}

fn body(kind: Kind, words: &str, most: u32) -> (&'static str, Value) {
    let messages = json!([{"role": "user", "content": words}]);
    let chat = |model: &str, stream: bool| json!({"model": model, "messages": messages, "max_tokens": most, "stream": stream});
    match kind {
        Kind::Chat => ("/v1/chat/completions", chat("chat", false)),
        Kind::ChatStream => ("/v1/chat/completions", chat("chat", true)),
        Kind::Fallback => (
            "/v1/chat/completions",
            chat("shaky", most.is_multiple_of(2)),
        ),
        Kind::Leaving => ("/v1/chat/completions", chat("left", true)),
        Kind::Messages => ("/v1/messages", chat("message", false)),
        Kind::MessagesStream => ("/v1/messages", chat("message", true)),
        Kind::Embeddings => (
            "/v1/embeddings",
            json!({"model": "embedding", "input": words, "dimensions": 8}),
        ),
        Kind::Images => (
            "/v1/images/generations",
            json!({"model": "image", "prompt": words, "n": 1}),
        ),
        Kind::Passthrough => ("/passthrough/alpha/chat/completions", chat("m", false)),
    }
}
