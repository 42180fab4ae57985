//! Who watches a gateway while it is measured: a collector of traces, a Prometheus, and somebody with the dashboard open.
//!
//! They run in the harness's own process, so that what they use is not the gateway's.
//!
//! # Invariants
//! - They end with the process; none is ever waited for.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How often the metrics are asked for: fifteen times as often as Prometheus does by default.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);

/// What they have got so far.
#[derive(Debug, Default)]
pub struct Got {
    /// Batches of spans that the collector took.
    pub batches: AtomicU64,
    /// Bytes of metrics.
    pub metrics: AtomicU64,
    /// Bytes of the live view.
    pub live: AtomicU64,
}

/// A collector that takes everything, and its address.
///
/// # Errors
/// If there is no port for it.
pub fn collector(got: &Arc<Got>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let got = Arc::clone(got);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let got = Arc::clone(&got);
            thread::spawn(move || take_batches(stream, &got));
        }
    });
    Ok(address)
}

/// A collector that takes every connection and answers nothing, and its address.
///
/// # Errors
/// If there is no port for it.
pub fn dead_collector() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        let held: Vec<TcpStream> = listener.incoming().flatten().collect();
        drop(held);
    });
    Ok(address)
}

/// Opens the live view of a gateway and never reads it.
///
/// # Errors
/// If it cannot be asked.
pub fn stare(admin: SocketAddr) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(admin)?;
    write!(stream, "GET /api/live HTTP/1.1\r\nhost: {admin}\r\n\r\n")?;
    Ok(stream)
}

/// Answers each request of one connection with 200 once it is whole; none where that ends.
fn take_batches(mut stream: TcpStream, got: &Got) -> Option<()> {
    let mut held = Vec::new();
    let mut piece = [0; 64 << 10];
    loop {
        while let Some(end) = find(&held, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&held[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            let whole = end + 4 + length;
            if held.len() < whole {
                break;
            }
            held.drain(..whole);
            got.batches.fetch_add(1, Ordering::Relaxed);
            let answer =
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).ok()?;
        }
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        held.extend_from_slice(&piece[..read]);
    }
}

fn find(held: &[u8], what: &[u8]) -> Option<usize> {
    held.windows(what.len()).position(|window| window == what)
}

/// Watches a gateway's admin plane from now on.
pub fn watch(admin: SocketAddr, got: &Arc<Got>) {
    let (scraped, lived) = (Arc::clone(got), Arc::clone(got));
    thread::spawn(move || {
        loop {
            let bytes = get(admin, "/metrics", |_| {}).unwrap_or(0);
            scraped.metrics.fetch_add(bytes, Ordering::Relaxed);
            thread::sleep(SCRAPE_EVERY);
        }
    });
    thread::spawn(move || {
        loop {
            let note = |bytes| {
                lived.live.fetch_add(bytes, Ordering::Relaxed);
            };
            let _ = get(admin, "/api/live", note);
            thread::sleep(SCRAPE_EVERY);
        }
    });
}

/// Asks for a path and reads until the connection ends; the bytes that came.
fn get(to: SocketAddr, path: &str, mut note: impl FnMut(u64)) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect(to)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\r\n"
    )?;
    let mut piece = [0; 64 << 10];
    let mut bytes = 0;
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes += read as u64;
        note(read as u64);
    }
}
