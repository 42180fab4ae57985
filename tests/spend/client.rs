//! A client of HTTP/1.1 that costs little: one connection, one request at a time, nothing parsed but the length.

use std::io;
use std::net::SocketAddr;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is opened when it is needed.
#[derive(Debug)]
pub(crate) struct Client {
    to: SocketAddr,
    stream: Option<TcpStream>,
    raw: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Head and body as they came.
    pub(crate) raw: Vec<u8>,
}

/// How a body ends.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Client {
    pub(crate) fn new(to: SocketAddr) -> Self {
        Self {
            to,
            stream: None,
            raw: Vec::new(),
        }
    }

    /// Makes a request and reads its answer to the end.
    pub(crate) async fn call(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.ask(request).await?;
        let (status, body, framing) = self.head().await?;
        loop {
            let is_whole = match framing {
                Framing::Length(length) => self.raw.len() >= body + length,
                Framing::Chunked => self.raw.ends_with(b"\r\n0\r\n\r\n"),
            };
            if is_whole {
                let raw = std::mem::take(&mut self.raw);
                return Ok(Answer { status, raw });
            }
            self.read().await?;
        }
    }

    /// Makes a request, and leaves when at least so many bytes of its answer have come.
    pub(crate) async fn leave(&mut self, request: &[u8], after: usize) -> io::Result<u16> {
        self.ask(request).await?;
        let (status, _, framing) = self.head().await?;
        while matches!(framing, Framing::Chunked)
            && self.raw.len() < after
            && !self.raw.ends_with(b"\r\n0\r\n\r\n")
        {
            self.read().await?;
        }
        self.stream = None;
        self.raw.clear();
        Ok(status)
    }

    async fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.raw.clear();
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.to).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        self.stream.insert(stream).write_all(request).await
    }

    async fn head(&mut self) -> io::Result<(u16, usize, Framing)> {
        loop {
            if let Some(end) = memmem::find(&self.raw, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.raw[..end]).to_ascii_lowercase();
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                let length = head.split("content-length: ").nth(1);
                let length = length.map(|rest| rest.split("\r\n").next().unwrap().parse().unwrap());
                let framing = length.map_or(Framing::Chunked, Framing::Length);
                return Ok((status, end + 4, framing));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        match stream.read_buf(&mut self.raw).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl Answer {
    pub(crate) fn body(&self) -> &[u8] {
        let end = memmem::find(&self.raw, b"\r\n\r\n").unwrap();
        &self.raw[end + 4..]
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body()).into_owned()
    }
}
