//! HTTP/2 on either side: with prior knowledge from clients, and towards providers.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use trimtab::mock::End;

use super::{PACED, paced};
use crate::support::{Bench, Call, Client, Mode, Spec, bench, chat, pass_ms, words};

/// Runs hyper's tasks on the test's thread.
#[derive(Clone)]
struct Here;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}

type Sender = SendRequest<Full<Bytes>>;

async fn connect(bench: &Bench) -> Sender {
    let stream = TcpStream::connect(bench.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, driver) = Builder::new(Here)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    spawn_local(async move {
        let _ = driver.await;
    });
    sender
}

async fn post(sender: &Sender, body: &Value) -> Response<Incoming> {
    let request = Request::post("http://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    sender.clone().send_request(request).await.unwrap()
}

/// The words in a body, and whether it ended properly.
async fn read(response: Response<Incoming>) -> (String, bool) {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    let proper = loop {
        match body.frame().await {
            None => break true,
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(_)) => break false,
        }
    };
    (String::from_utf8(bytes).unwrap(), proper)
}

/// The words of a streamed or whole answer's text.
fn content(text: &str) -> String {
    if let Ok(json) = serde_json::from_str::<Value>(text) {
        return json["choices"][0]["message"]["content"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
    }
    let data = text
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "));
    let json = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    json.filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect()
}

#[test]
fn clients_may_speak_it_with_prior_knowledge() {
    bench(&paced(), async |bench| {
        let sender = connect(&bench).await;
        let asks = (0..20).map(|number| chat("main", Mode::BOTH[number % 2]));
        let bodies: Vec<_> = asks.collect();
        let requests = bodies.iter().map(|body| post(&sender, body));
        for response in futures_util::future::join_all(requests).await {
            assert_eq!(response.status(), StatusCode::OK);
            let headers = response.headers();
            assert_eq!(headers["x-request-id"], headers["request-id"]);
            assert!(headers.contains_key("server-timing"));
            let (text, proper) = read(response).await;
            assert!(proper);
            assert_eq!(content(&text), words(60));
        }
        let refused = post(&sender, &chat("nobody", Mode::Whole)).await;
        assert_eq!(refused.status(), StatusCode::NOT_FOUND);
        assert!(read(refused).await.0.contains("model_not_found"));
        let metrics = bench.metrics().await;
        assert!((metrics.sum("router_connections_total", &[]) - 1.0).abs() < 0.1);
        assert_eq!(bench.in_flight(), 0);
    });
}

/// A stream that is cancelled ends its attempt and leaves its neighbours alone.
#[test]
fn a_client_may_cancel_one_of_many() {
    bench(&paced(), async |bench| {
        let sender = connect(&bench).await;
        let (first, second) = (chat("main", Mode::Stream), chat("main", Mode::Stream));
        let (mut leaving, staying) = tokio::join!(post(&sender, &first), post(&sender, &second));
        for _ in 0..5 {
            leaving.body_mut().frame().await.unwrap().unwrap();
        }
        drop(leaving);
        pass_ms(1).await;
        assert_eq!(bench.in_flight(), 1);
        let (text, proper) = read(staying).await;
        assert!(proper);
        assert_eq!(content(&text), words(60));

        // Before any byte of the answer.
        let waiting = chat("main", Mode::Whole);
        let given_up = tokio::time::timeout(Duration::from_millis(100), post(&sender, &waiting));
        assert!(given_up.await.is_err());
        pass_ms(1).await;
        let mut ends: Vec<_> = bench
            .mock
            .attempts()
            .iter()
            .map(|attempt| attempt.end)
            .collect();
        ends.sort_by_key(|end| *end == End::ClientLeft);
        assert_eq!(ends, [End::Completed, End::ClientLeft, End::ClientLeft]);
        assert_eq!(bench.in_flight(), 0);
        assert_eq!(bench.route("alpha/").inflight, 0);
    });
}

/// A broken stream is broken here too: an error event, then a reset.
#[test]
fn a_broken_stream_is_reset() {
    let spec = Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"alpha\", model = \"s08\" }]")
        .stand_in("alpha", PACED);
    bench(&spec, async |bench| {
        let sender = connect(&bench).await;
        let (text, proper) = read(post(&sender, &chat("main", Mode::Stream)).await).await;
        assert!(!proper, "{text}");
        assert!(!text.contains("[DONE]"));
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        assert!(last.contains("\"error\""), "{last}");
        let again = post(&sender, &chat("nobody", Mode::Whole)).await;
        assert_eq!(
            again.status(),
            StatusCode::NOT_FOUND,
            "the connection lives on"
        );
    });
}

/// A gateway that speaks HTTP/2 to its provider.
fn upstream(model: &str) -> Spec {
    Spec::new()
        .with(&format!(
            "[providers.alpha]\nbase_url = \"mock\"\nhttp = \"2\"\n[mock.providers.alpha]\n{PACED}\n\
             [models.main]\nroutes = [{{ provider = \"alpha\", model = \"{model}\" }}]\nfallbacks = [\"spare\"]\n\
             [models.spare]\nroutes = [{{ provider = \"spare\" }}]"
        ))
        .stand_in("spare", PACED)
}

#[test]
fn providers_may_speak_it() {
    bench(&upstream("m"), async |bench| {
        let mut clients = Vec::new();
        // More than one connection carries.
        for number in 0..200 {
            let mut client = Client::open(bench.address).await;
            client
                .send(&Call::chat(&chat("main", Mode::BOTH[number % 2])).bytes())
                .await;
            clients.push(client);
        }
        for mut client in clients {
            let answer = client.answer().await;
            assert_eq!(
                (answer.content(), answer.model()),
                (words(60), "m".to_owned())
            );
            assert!(
                answer.took < Duration::from_millis(1_300),
                "nobody queues: {:?}",
                answer.took
            );
        }
        assert!(bench.seen("spare").is_empty());
        assert_eq!(bench.route("alpha/").inflight, 0);
    });
}

/// The rules of conduct are the same.
#[test]
fn faults_are_the_same_over_it() {
    for fault in ["s03", "s04", "s05", "s11"] {
        for mode in Mode::BOTH {
            bench(&upstream(fault), async |bench| {
                let answer = bench.chat(&chat("main", mode)).await;
                assert_eq!(
                    (answer.status, answer.content()),
                    (200, words(60)),
                    "{fault}: {answer:?}"
                );
            });
        }
    }
    bench(&upstream("s08"), async |bench| {
        let answer = bench.chat(&chat("main", Mode::Stream)).await;
        assert!(answer.error().is_some() && !answer.is_done());
        assert_ne!(answer.ended, crate::support::Ended::Whole);
    });
}

/// Leaving ends the stream, not the connection.
#[test]
fn leaving_ends_the_stream_upstream() {
    bench(&upstream("m"), async |bench| {
        for mode in Mode::BOTH {
            let mut client = Client::open(bench.address).await;
            client.send(&Call::chat(&chat("main", mode)).bytes()).await;
            pass_ms(400).await;
            drop(client);
            pass_ms(1).await;
            assert_eq!(
                bench.mock.attempts().last().unwrap().end,
                End::ClientLeft,
                "{mode:?}"
            );
            assert_eq!((bench.in_flight(), bench.route("alpha/").inflight), (0, 0));
            assert_eq!(bench.chat(&chat("main", mode)).await.content(), words(60));
        }
    });
}
