//! A provider at the level of bytes: it keeps every request as it came and answers what it is told to.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use super::wire::find;

/// A provider at the level of bytes.
#[derive(Debug)]
pub(crate) struct Raw {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    heard: Rc<RefCell<Vec<Heard>>>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// What is answered to every request, piece by piece.
#[derive(Clone, Debug)]
pub(crate) struct Reply(Vec<(Duration, Vec<u8>)>);

impl Reply {
    /// A response with this body and these further header lines.
    pub(crate) fn new(status: &str, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
        Self(vec![(Duration::ZERO, [head.as_bytes(), body].concat())])
    }

    /// A stream of these pieces, so far apart, properly ended.
    pub(crate) fn stream(pieces: &[&[u8]], apart: Duration) -> Self {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut all = vec![(Duration::ZERO, head.to_vec())];
        for piece in pieces {
            let size = format!("{:x}\r\n", piece.len());
            all.push((apart, [size.as_bytes(), piece, b"\r\n"].concat()));
        }
        all.push((Duration::ZERO, b"0\r\n\r\n".to_vec()));
        Self(all)
    }
}

impl Raw {
    /// Starts one that answers every request alike.
    pub(crate) async fn start(reply: Reply) -> Self {
        Self::answering(move |_| reply.clone()).await
    }

    /// Starts one that answers what `reply` makes of each request.
    pub(crate) async fn answering(reply: impl Fn(&Heard) -> Reply + 'static) -> Self {
        let reply: Rc<dyn Fn(&Heard) -> Reply> = Rc::new(reply);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Rc::new(RefCell::new(Vec::new()));
        let keep = Rc::clone(&heard);
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn_local(serve(stream, Rc::clone(&reply), Rc::clone(&keep)));
            }
        });
        Self { address, heard }
    }

    /// The requests so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.borrow().clone()
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Heard {
        let heard = self.heard();
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard[0].clone()
    }
}

impl Heard {
    /// The values of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.split("\r\n").filter_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        });
        let first = values.next();
        assert!(
            values.next().is_none(),
            "{name} occurs twice: {}",
            self.head
        );
        first
    }
}

async fn serve(
    mut stream: TcpStream,
    reply: Rc<dyn Fn(&Heard) -> Reply>,
    keep: Rc<RefCell<Vec<Heard>>>,
) {
    // A piece that the system holds back until another is acknowledged comes too late for a paused clock.
    stream.set_nodelay(true).unwrap();
    let mut raw = Vec::new();
    loop {
        while let Some((heard, length)) = request(&raw) {
            raw.drain(..length);
            let told = reply(&heard);
            keep.borrow_mut().push(heard);
            for (wait, bytes) in &told.0 {
                if !wait.is_zero() {
                    tokio::time::sleep(*wait).await;
                }
                if stream.write_all(bytes).await.is_err() {
                    return;
                }
            }
        }
        if !matches!(stream.read_buf(&mut raw).await, Ok(count) if count > 0) {
            return;
        }
    }
}

/// The first request in `raw`, if it is whole, and its length.
fn request(raw: &[u8]) -> Option<(Heard, usize)> {
    let end = find(raw, b"\r\n\r\n")?;
    let mut heard = Heard {
        head: String::from_utf8(raw[..end].to_vec()).unwrap(),
        body: Vec::new(),
    };
    let length: usize = heard
        .header("content-length")
        .map_or(0, |it| it.parse().unwrap());
    heard.body = raw.get(end + 4..end + 4 + length)?.to_vec();
    Some((heard, end + 4 + length))
}
