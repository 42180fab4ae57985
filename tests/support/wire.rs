//! A request as it is written, and a response as it arrives.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde_json::Value;

use super::sse::{self, Event};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    /// A request without a body.
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A request with this body, as bytes.
    pub(crate) fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.into(),
            ..Self::get(path)
        }
    }

    /// A form of several parts, in this `Content-Type`.
    pub(crate) fn form(path: &str, kind: &str, body: Vec<u8>) -> Self {
        Self {
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            ..Self::post(path, body)
        }
    }

    /// A chat completion.
    pub(crate) fn chat(body: &Value) -> Self {
        Self::post("/v1/chat/completions", body.to_string())
    }

    /// A message of Anthropic's.
    pub(crate) fn message(body: &Value) -> Self {
        Self::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
    }

    /// With another method.
    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The bytes of it in HTTP/1.1.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self {
            method,
            path,
            headers,
            body,
        } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        [head.as_bytes(), body].concat()
    }
}

/// How a transfer ended, as seen from the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As its framing announced.
    Whole,
    /// The connection was closed before that.
    Closed,
    /// The connection was reset before that.
    Reset,
    /// It had not when patience was over.
    Hung,
}

/// A response.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Up to where the body had arrived, and when, counted from the request.
    pub(crate) arrivals: Vec<(usize, Duration)>,
    pub(crate) ended: Ended,
    /// When it ended, counted from the request.
    pub(crate) took: Duration,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {:?} after {:?}", self.status, self.ended, self.took)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        writeln!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

impl Answer {
    /// The only value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} occurs twice: {self:?}");
        first
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The events of a stream, with their times.
    pub(crate) fn events(&self) -> Vec<Event> {
        sse::events(&self.body, &self.arrivals)
    }

    /// The words of the answer, streamed or not, in whichever dialect.
    pub(crate) fn content(&self) -> String {
        if self.is_stream() {
            let events = self.events();
            return events.iter().filter_map(Event::words).collect();
        }
        let json = self.json();
        let texts = json["content"].as_array().into_iter().flatten();
        let texts = texts.filter_map(|block| block["text"].as_str());
        match json["choices"][0]["message"]["content"].as_str() {
            Some(content) => content.to_owned(),
            None => texts.collect(),
        }
    }

    /// The model that says it answered.
    pub(crate) fn model(&self) -> String {
        let named = |value: &Value| value["model"].as_str().unwrap_or_default().to_owned();
        if !self.is_stream() {
            return named(&self.json());
        }
        let events: Vec<_> = self.events().iter().filter_map(Event::json).collect();
        if let Some(first) = events.first().filter(|it| it["type"] == "message_start") {
            return named(&first["message"]);
        }
        let models: Vec<_> = events.iter().map(named).collect();
        assert!(models.windows(2).all(|two| two[0] == two[1]), "{models:?}");
        models.first().cloned().unwrap_or_default()
    }

    /// The usage that was reported last.
    pub(crate) fn usage(&self) -> Option<Value> {
        let of = |value: Value| Some(value["usage"].clone()).filter(Value::is_object);
        if !self.is_stream() {
            return of(self.json());
        }
        let events = self.events();
        events.iter().rev().find_map(|event| of(event.json()?))
    }

    /// Output tokens, as the usage tells them.
    pub(crate) fn output_tokens(&self) -> Option<u64> {
        let usage = self.usage()?;
        let openai = usage["completion_tokens"].as_u64();
        openai.or_else(|| usage["output_tokens"].as_u64())
    }

    /// The error object: of an error response, or of the last event of a stream.
    pub(crate) fn error(&self) -> Option<Value> {
        let of = |value: &Value| Some(value["error"].clone()).filter(Value::is_object);
        if !self.is_stream() {
            return of(&self.json());
        }
        of(&self.events().last()?.json()?)
    }

    /// Whether the stream has its end marker, as its last event.
    pub(crate) fn is_done(&self) -> bool {
        let events = self.events();
        let marks = events.iter().filter(|event| event.is_end()).count();
        assert!(marks <= 1, "end marks: {marks}");
        marks == 1 && events.last().is_some_and(Event::is_end)
    }

    /// Comments of the stream: what keeps it alive.
    pub(crate) fn comments(&self) -> usize {
        let text = self.text();
        text.split("\n\n").filter(|it| it.starts_with(':')).count()
    }

    /// Checks that the stream is one of its dialect as far as it goes: one beginning, one id, blocks in order.
    pub(crate) fn assert_one_answer(&self) {
        if !self.is_stream() {
            return;
        }
        let events = self.events();
        let all: Vec<Value> = events.iter().filter_map(Event::json).collect();
        if events.iter().all(|event| event.name.is_none()) {
            let chunks: Vec<_> = all.iter().filter(|it| it["error"].is_null()).collect();
            assert!(chunks.windows(2).all(|two| two[0]["id"] == two[1]["id"]));
            let roles = chunks
                .iter()
                .filter(|it| it["choices"][0]["delta"]["role"].is_string());
            assert_eq!(roles.count(), 1, "{self:?}");
            return;
        }
        let (mut open, mut next, mut starts) = (false, 0, 0);
        for event in &all {
            match event["type"].as_str().unwrap() {
                "message_start" => starts += 1,
                "content_block_start" => {
                    assert!(!open && event["index"] == next, "{self:?}");
                    open = true;
                }
                "content_block_delta" => assert!(open && event["index"] == next, "{self:?}"),
                "content_block_stop" => {
                    assert!(open && event["index"] == next, "{self:?}");
                    (open, next) = (false, next + 1);
                }
                "message_delta" | "message_stop" => assert!(!open, "{self:?}"),
                _ => {}
            }
        }
        assert_eq!(starts, 1, "{self:?}");
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"))
    }
}

/// A response of which some bytes may be missing.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Bytes of the whole message, once it is whole.
    pub(super) length: Option<usize>,
}

/// Reads what has arrived of a response; `None` before its head is whole.
pub(super) fn parse(raw: &[u8]) -> Option<Parsed> {
    let end = find(raw, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&raw[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut parsed = Parsed {
        status: status.parse().unwrap(),
        headers: lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: Vec::new(),
        length: None,
    };
    let header = |name: &str| parsed.headers.iter().find(|(known, _)| known == name);
    let rest = &raw[end + 4..];
    if header("transfer-encoding").is_some_and(|(_, coding)| coding == "chunked") {
        assert!(header("content-length").is_none(), "both framings: {head}");
        let (body, used) = unchunk(rest);
        parsed.body = body;
        parsed.length = used.map(|used| end + 4 + used);
    } else {
        let length = header("content-length").map_or("0", |(_, length)| length);
        let length: usize = length.parse().unwrap();
        parsed.body = rest[..length.min(rest.len())].to_vec();
        parsed.length = (rest.len() >= length).then_some(end + 4 + length);
    }
    Some(parsed)
}

/// The data of a chunked body, and how many bytes it took if it is whole.
fn unchunk(raw: &[u8]) -> (Vec<u8>, Option<usize>) {
    let (mut body, mut at) = (Vec::new(), 0);
    while let Some(line) = find(&raw[at..], b"\r\n") {
        let size = std::str::from_utf8(&raw[at..at + line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let data = at + line + 2;
        if raw.len() < data + size + 2 {
            body.extend_from_slice(&raw[data.min(raw.len())..(data + size).min(raw.len())]);
            return (body, None);
        }
        assert_eq!(&raw[data + size..data + size + 2], b"\r\n");
        if size == 0 {
            return (body, Some(data + 2));
        }
        body.extend_from_slice(&raw[data..data + size]);
        at = data + size + 2;
    }
    (body, None)
}

pub(super) fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}
