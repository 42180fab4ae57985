//! A collector of traces that reads what it is sent with the official types.
//!
//! It lives on threads of its own, since the gateway's exporter does: it sees real time, and goes on while a test waits for the gateway to end.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::wire::find;

/// A collector.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// What the next requests are answered; all others are answered with 200.
    script: VecDeque<Option<Vec<u8>>>,
    heads: Vec<String>,
    requests: Vec<ExportTraceServiceRequest>,
}

impl Collector {
    /// Starts one that answers the first requests so, and all others with 200; none is no answer at all.
    pub(crate) fn start(script: Vec<Option<Vec<u8>>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let kept = Arc::new(Mutex::new(Kept {
            script: script.into(),
            ..Kept::default()
        }));
        let address = listener.local_addr().unwrap();
        let keep = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let keep = Arc::clone(&keep);
                std::thread::spawn(move || serve(stream.unwrap(), &keep));
            }
        });
        Self { address, kept }
    }

    /// The table that sends traces here, with further lines.
    pub(crate) fn table(&self, lines: &str) -> String {
        format!(
            "[otlp]\nendpoint = \"http://{}/below\"\n{lines}",
            self.address
        )
    }

    /// The head of each request.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.kept.lock().unwrap().heads.clone()
    }

    /// The requests, as they were read.
    pub(crate) fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.kept.lock().unwrap().requests.clone()
    }

    /// All spans, in the order in which they came.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.requests().into_iter();
        let resources = requests.flat_map(|it| it.resource_spans);
        let scopes = resources.flat_map(|it| it.scope_spans);
        scopes.flat_map(|it| it.spans).collect()
    }
}

/// An answer with these header lines and this body.
pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Option<Vec<u8>> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    Some([head.as_bytes(), body].concat())
}

/// An attribute of a span, as text; empty if there is none.
pub(crate) fn attribute(span: &Span, key: &str) -> String {
    let mut found = span.attributes.iter().filter(|it| it.key == key);
    let value = found.next().and_then(|it| it.value.clone()?.value);
    assert!(found.next().is_none(), "{key} occurs twice: {span:?}");
    match value {
        None => String::new(),
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(count)) => count.to_string(),
        Some(Value::DoubleValue(measure)) => measure.to_string(),
        Some(other) => panic!("{other:?}"),
    }
}

fn serve(mut stream: TcpStream, keep: &Mutex<Kept>) {
    let (mut raw, mut piece) = (Vec::new(), [0; 65_536]);
    loop {
        while let Some((head, body, length)) = request(&raw) {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            raw.drain(..length);
            let told = {
                let mut kept = keep.lock().unwrap();
                kept.heads.push(head);
                kept.requests.push(request);
                let next = kept.script.pop_front();
                next.unwrap_or_else(|| answer("200 OK", "", b""))
            };
            if told.is_some_and(|told| stream.write_all(&told).is_err()) {
                return;
            }
        }
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => raw.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
}

/// The first request in `raw`, if it is whole: its head, its body, and its length.
fn request(raw: &[u8]) -> Option<(String, &[u8], usize)> {
    let end = find(raw, b"\r\n\r\n")?;
    let head = String::from_utf8(raw[..end].to_vec()).unwrap();
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1).unwrap();
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    let body = raw.get(end + 4..end + 4 + length)?;
    Some((head, body, end + 4 + length))
}
