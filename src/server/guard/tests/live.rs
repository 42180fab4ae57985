//! hyper behind the guard: what a client gets, and how often the service is called.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{Guarded, HEADS, MAX_HEAD, Verdict, Violation};

/// One call of the service: the path or the violation, and the body's length or its failure.
pub(super) type Call = (Result<String, Violation>, Result<usize, ()>);

/// A server of one connection that answers 200 with the path or a violation's status, and notes its calls.
async fn serve(io: DuplexStream, calls: Rc<RefCell<Vec<Call>>>) -> hyper::Result<()> {
    let verdict = Verdict::default();
    let guarded = Guarded::new(io, verdict.clone(), MAX_HEAD);
    let service = service_fn(move |request: Request<Incoming>| {
        let violation = verdict.next();
        let calls = calls.clone();
        async move {
            if let Some(violation) = violation {
                calls.borrow_mut().push((Err(violation), Ok(0)));
                let mut response = Response::new(Full::from(violation.message()));
                *response.status_mut() = violation.status();
                let close = header::HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
                return Ok::<_, Infallible>(response);
            }
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await;
            let length = body.map(|body| body.to_bytes().len()).map_err(drop);
            calls.borrow_mut().push((Ok(path.clone()), length));
            Ok(Response::new(Full::new(Bytes::from(path))))
        }
    });
    http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(guarded), service)
        .await
}

/// What the client received, the service's calls and the connection's end.
pub(super) type Exchange = (String, Vec<Call>, hyper::Result<()>);

/// Sends pieces in separate writes, keeps the sending side open and reads until the server closes or waits for more.
pub(super) async fn exchange(pieces: &[&[u8]]) -> Exchange {
    let (mut client, server) = duplex(1 << 20);
    let calls = Rc::new(RefCell::new(Vec::new()));
    let talk = async {
        for piece in pieces {
            // A server that has closed takes no more; what it said before is still to be read.
            let _ = client.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let mut received = Vec::new();
        let idle = std::time::Duration::from_secs(5);
        let _ = tokio::time::timeout(idle, client.read_to_end(&mut received)).await;
        drop(client);
        String::from_utf8_lossy(&received).into_owned()
    };
    let (received, served) = tokio::join!(talk, serve(server, calls.clone()));
    (received, calls.take(), served)
}

/// Runs a test on paused time.
pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

#[test]
fn every_offending_head_is_answered_400_and_closed() {
    run(async {
        let good = b"POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
        let after = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        for (bad, expected) in HEADS {
            let Some(violation) = *expected else { continue };
            for pieces in [
                &[&[&good[..], bad.as_bytes(), after].concat()[..]][..],
                &[good, bad.as_bytes(), after],
                &[
                    &good[..9],
                    &good[9..],
                    &bad.as_bytes()[..5],
                    &bad.as_bytes()[5..],
                    after,
                ],
            ] {
                let (received, calls, _) = exchange(pieces).await;
                assert_eq!(calls[0], (Ok("/first".to_owned()), Ok(2)), "{bad:?}");
                assert_eq!(received.matches("HTTP/1.1 200").count(), 1, "{bad:?}");
                assert_eq!(
                    received.matches(" 400 Bad Request").count(),
                    1,
                    "{bad:?}\n{received}"
                );
                assert!(!received.contains("smuggled"), "{bad:?}");
                // hyper may have refused the head by itself; if not, the service was told.
                for call in &calls[1..] {
                    assert_eq!(call.0, Err(violation), "{bad:?}");
                }
                assert!(calls.len() <= 2, "{bad:?}");
            }
        }
    });
}

#[test]
fn what_hyper_hides_reaches_the_service() {
    run(async {
        for head in [
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/admin?x#\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
            "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
            "GET /v1/../admin%2f..%2fx HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            let (received, calls, ended) = exchange(&[head.as_bytes(), b"0\r\n\r\nGET /x"]).await;
            assert!(received.starts_with("HTTP/1.1 400"), "{head:?}\n{received}");
            assert!(received.contains("connection: close"), "{head:?}");
            assert!(matches!(calls[..], [(Err(_), _)]), "{head:?}");
            assert!(ended.is_ok(), "{head:?}");
        }
    });
}

#[test]
fn every_plain_head_is_served() {
    run(async {
        for (head, expected) in HEADS {
            if expected.is_some() {
                continue;
            }
            let (received, calls, ended) = exchange(&[head.as_bytes()]).await;
            assert!(received.contains(" 200 OK"), "{head:?}\n{received}");
            assert!(matches!(calls[..], [(Ok(_), Ok(0))]), "{head:?}");
            // A connection kept alive ends when the client leaves.
            assert!(ended.is_ok(), "{head:?}");
        }
    });
}

#[test]
fn a_body_behind_an_offending_head_does_not_cost_the_answer() {
    run(async {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
        let body = vec![b'x'; 100_000];
        let (received, calls, ended) = exchange(&[head, &body]).await;
        assert!(received.starts_with("HTTP/1.1 400"));
        assert_eq!(calls, [(Err(Violation::RepeatedHost), Ok(0))]);
        assert!(ended.is_ok());
    });
}

#[test]
fn a_malformed_chunk_ends_the_body_and_the_connection() {
    run(async {
        let text = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
            2\r\nhi\r\n0\r\nX: y\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n";
        let (received, calls, _) = exchange(&[text]).await;
        assert_eq!(calls, [(Ok("/a".to_owned()), Err(()))]);
        assert!(!received.contains("smuggled"));
    });
}

#[test]
fn a_client_that_ends_its_side_still_hears_why() {
    run(async {
        let (mut client, server) = duplex(1 << 16);
        let calls = Rc::new(RefCell::new(Vec::new()));
        let talk = async {
            let head = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nmore";
            client.write_all(head).await.unwrap();
            client.shutdown().await.unwrap();
            let mut received = String::new();
            client.read_to_string(&mut received).await.unwrap();
            received
        };
        let (received, ended) = tokio::join!(talk, serve(server, calls));
        assert!(received.starts_with("HTTP/1.1 400"), "{received}");
        assert!(ended.is_ok());
    });
}
