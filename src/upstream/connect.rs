//! Opens a connection: look up, TCP, TLS, HTTP handshake, all within one clock.
//!
//! # Invariants
//! - The whole of it ends within the origin's `connect` time, however many addresses are dead.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::exchange::Fault;
use super::h1::H1;
use super::h2::H2;
use super::origin::{Origin, Protocol};
use super::resolve::Names;
use super::socket::Socket;

/// A fresh connection, ready for its first request.
pub(super) enum Fresh {
    H1(H1),
    H2(H2),
}

/// Opens a connection to `origin`.
pub(super) async fn open(origin: &Origin, names: &Names) -> Result<Fresh, Fault> {
    match tokio::time::timeout(origin.transport.connect, open_untimed(origin, names)).await {
        Ok(result) => result,
        Err(_) => Err(Fault::Unreachable("connect timed out".to_owned())),
    }
}

async fn open_untimed(origin: &Origin, names: &Names) -> Result<Fresh, Fault> {
    let addresses = names
        .resolve(&origin.host, origin.port)
        .await
        .map_err(|error| unreachable("name look-up failed", &error))?;
    let stream = dial(&addresses, origin.transport.connect)
        .await
        .map_err(|error| unreachable("connect failed", &error))?;
    let socket = match &origin.tls {
        None => Socket::Plain(stream),
        Some((config, name)) => {
            let tls = TlsConnector::from(config.clone())
                .connect(name.clone(), stream)
                .await
                .map_err(|error| unreachable("TLS failed", &error))?;
            Socket::Tls(Box::new(tls))
        }
    };
    let h2 = match origin.transport.protocol {
        Protocol::Http1 => false,
        Protocol::Http2 => true,
        Protocol::Auto => socket.agreed_h2(),
    };
    if h2 {
        H2::handshake(socket).await.map(Fresh::H2)
    } else {
        H1::handshake(socket).await.map(Fresh::H1)
    }
}

/// Tries each address in turn, each with its share of the time that is left; the socket sends small writes at once.
async fn dial(addresses: &[SocketAddr], within: Duration) -> io::Result<TcpStream> {
    let share = within / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address to connect to");
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return stream.set_nodelay(true).map(|()| stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "connect timed out"),
        }
    }
    Err(last)
}

fn unreachable(what: &str, error: &io::Error) -> Fault {
    Fault::Unreachable(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_socket_sends_small_writes_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [listener.local_addr().unwrap()];
        let stream = dial(&addresses, Duration::from_secs(1)).await.unwrap();
        assert!(stream.nodelay().unwrap());
    }
}
