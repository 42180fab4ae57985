//! What is seen live and over time: from a provider that begins to fail until it is well again, and who may follow.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::refused;
use crate::support::{Bench, Call, Client, Folder, Mode, PATIENCE, Spec, chat, pass_ms, paused};

/// Two stand-ins of equal weight.
fn two() -> String {
    Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"a\" }, { provider = \"b\" }]")
        .stand_in("a", "ttft = \"20ms\"\ntpot = \"1ms\"\nanswer = 5")
        .stand_in("b", "ttft = \"20ms\"\ntpot = \"1ms\"\nanswer = 5")
        .text()
}

/// A stream that is read event by event.
struct Follower {
    stream: TcpStream,
    text: String,
}

impl Follower {
    async fn open(bench: &Bench) -> Self {
        let mut stream = TcpStream::connect(bench.gateway.admin).await.unwrap();
        let call = Call::get("/api/live").bytes();
        stream.write_all(&call).await.unwrap();
        Self {
            stream,
            text: String::new(),
        }
    }

    /// Reads what has come; false at the end.
    async fn read(&mut self) -> bool {
        let mut bytes = [0; 16_384];
        let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await;
        let read = read.expect("something comes").unwrap_or(0);
        self.text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }

    /// The ticks so far, of those that are whole.
    fn ticks(&self) -> Vec<Value> {
        let lines = self.text.lines();
        let ticks = lines.filter_map(|line| line.strip_prefix("data: {\"at_us\""));
        ticks
            .filter_map(|rest| serde_json::from_str(&format!("{{\"at_us\"{rest}")).ok())
            .collect()
    }
}

async fn admin(bench: &Bench, path: &str) -> Value {
    let answer = Client::open(bench.gateway.admin)
        .await
        .call(&Call::get(path))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Sends requests for so many seconds, ten a second; what ticks told meanwhile.
async fn go_on(bench: &Bench, follower: &mut Follower, seconds: u32) {
    let mut client = Client::open(bench.address).await;
    for _ in 0..seconds * 10 {
        client.call(&Call::chat(&chat("main", Mode::Stream))).await;
        pass_ms(75).await;
    }
    while let Ok(true) = timeout(Duration::from_millis(1), follower.read()).await {}
}

fn route<'a>(tick: &'a Value, name: &str) -> &'a Value {
    let routes = tick["routes"].as_array().unwrap();
    routes.iter().find(|it| it["provider"] == name).unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, step by step")]
fn a_provider_that_fails_is_seen_everywhere_and_so_is_its_recovery() {
    paused(|| async {
        let bench = Bench::start(&two(), None).await;
        let mut follower = Follower::open(&bench).await;
        go_on(&bench, &mut follower, 100).await;
        let models = admin(&bench, "/api/models").await;
        let main = &models["models"][0];
        assert_eq!(
            (&main["model"], &main["honoured"]),
            (&json!("main"), &json!(true)),
            "{main}"
        );
        assert!(follower.text.contains("event: hello\ndata: {"));
        let well = follower.ticks();
        assert!(well.len() >= 80, "{}", well.len());
        let last = well.last().unwrap();
        let rate = last["gateway"]["rps"].as_f64().unwrap();
        assert!((5.0..15.0).contains(&rate), "{last}");
        assert_eq!(last["gateway"]["success"], 1.0);
        let share = route(last, "a")["share"].as_f64().unwrap();
        assert!((0.3..0.7).contains(&share), "{last}");
        assert_eq!(route(last, "a")["weight_share"], 0.5);
        assert_eq!(route(last, "a")["state"], "healthy");
        assert!(route(last, "a")["terms_ms"]["latency"].as_f64().unwrap() > 1.0);

        bench
            .mock
            .set_fault("a", Some("500".parse().unwrap()))
            .unwrap();
        go_on(&bench, &mut follower, 40).await;
        let events = admin(&bench, "/api/events?kind=state").await;
        let fell = events["events"].as_array().unwrap();
        let fell: Vec<_> = fell
            .iter()
            .filter(|it| it["evidence"]["to"] == "open")
            .collect();
        let what = fell[0]["what"].as_str().unwrap();
        assert!(
            what.contains("healthy -> open: ")
                && what.contains("attempts failed with server_error"),
            "{what}"
        );
        assert!(
            fell[0]["evidence"]["outcomes"]["server_error"]
                .as_u64()
                .unwrap()
                > 0
        );
        let ticks = follower.ticks();
        let first = ticks
            .iter()
            .position(|it| route(it, "a")["state"] != "healthy");
        let told = ticks.iter().position(|it| {
            it["events"]
                .as_array()
                .unwrap()
                .iter()
                .any(|it| it["kind"] == "state")
        });
        let (first, told) = (first.unwrap(), told.unwrap());
        assert!(
            (well.len()..well.len() + 5).contains(&first),
            "{first} {}",
            well.len()
        );
        assert!(told.abs_diff(first) <= 1, "{told} {first}");
        let sick = ticks.last().unwrap();
        let share = route(sick, "a")["share"].as_f64().unwrap();
        assert!(share < 0.1, "{sick}");
        let state = route(sick, "a")["state"].as_str().unwrap();
        assert!(["open", "probing"].contains(&state), "{sick}");
        let models = admin(&bench, "/api/models").await;
        let main = &models["models"][0];
        assert_eq!(main["honoured"], false, "{main}");
        let why = main["why"].as_str().unwrap();
        assert!(
            why.starts_with("a/main/key got ") && why.contains("open"),
            "{why}"
        );

        bench.mock.set_fault("a", None).unwrap();
        go_on(&bench, &mut follower, 200).await;
        let models = admin(&bench, "/api/models").await;
        assert_eq!(models["models"][0]["honoured"], true, "{models}");
        let events = admin(&bench, "/api/events?order=desc&limit=1000").await;
        let events = events["events"].as_array().unwrap();
        let of = |kind: &str| events.iter().find(|it| it["kind"] == kind).unwrap();
        assert_eq!(of("state")["evidence"]["to"], "healthy", "{events:?}");
        let again = of("weights")["what"].as_str().unwrap();
        assert_eq!(again, "main: the traffic follows the weights again");
        let history = admin(&bench, "/api/history?of=a/main/key&window=15m").await;
        let states = history["series"]["state"].as_array().unwrap();
        assert_eq!(states.len(), history["at_us"].as_array().unwrap().len());
        assert!(
            states.contains(&json!(2)) && states.last() == Some(&json!(0)),
            "{history}"
        );
        let all = admin(&bench, "/api/history/routes?window=2h").await;
        assert_eq!(all["step_s"], 10);
        assert_eq!(
            all["routes"]["b/main/key"]["share"]
                .as_array()
                .unwrap()
                .len(),
            all["at_us"].as_array().unwrap().len()
        );
        let gateway = admin(&bench, "/api/history?window=24h").await;
        assert_eq!(
            (&gateway["of"], &gateway["step_s"]),
            (&json!("gateway"), &json!(60))
        );
        assert!(
            gateway["series"]["rps"][0].as_f64().unwrap() > 5.0,
            "{gateway}"
        );
    });
}

#[test]
fn parameters_are_checked_and_pages_go_on() {
    paused(|| async {
        let bench = Bench::start(&two(), None).await;
        let events = bench.gateway.shared.lasting.events.clone();
        for number in 0..5_u64 {
            events.note(trimtab::observe::events::Event {
                id: 0,
                at_us: number,
                kind: trimtab::observe::events::Kind::Operator,
                route: (number % 2 == 0).then(|| "a/main/key".into()),
                what: "something".into(),
                evidence: serde_json::Map::new(),
            });
        }
        let ids = async |query: &str| {
            let page = admin(&bench, &format!("/api/events?{query}")).await;
            let ids = page["events"].as_array().unwrap().iter();
            let ids: Vec<u64> = ids.map(|it| it["id"].as_u64().unwrap()).collect();
            (ids, page["next"].clone())
        };
        assert_eq!(ids("limit=2").await, (vec![1, 2], json!("2")));
        assert_eq!(ids("limit=2&after=3").await, (vec![4, 5], json!(null)));
        assert_eq!(ids("limit=2&order=desc").await, (vec![5, 4], json!("4")));
        assert_eq!(
            ids("limit=9&order=desc&before=4").await,
            (vec![3, 2, 1], json!(null))
        );
        assert_eq!(ids("route=a%2Fmain%2Fkey").await.0, [1, 3, 5]);
        assert_eq!(ids("kind=state").await.0, [0_u64; 0]);
        let mut client = Client::open(bench.gateway.admin).await;
        for (path, status, param) in [
            ("/api/events?kind=colour", 400, "kind"),
            ("/api/events?limit=0", 400, "limit"),
            ("/api/events?order=up", 400, "order"),
            ("/api/history?window=1h", 400, "window"),
            ("/api/history?of=nobody", 404, "of"),
            ("/api/history/routes?of=a", 400, "of"),
            ("/api/live?ticks=0", 400, "ticks"),
            ("/api/models?x=1", 400, "x"),
        ] {
            let answer = client.call(&Call::get(path)).await;
            let (got, _, what) = refused(&answer);
            assert_eq!((got, what.as_deref()), (status, Some(param)), "{path}");
        }
        let answer = client.call(&Call::get("/api/live?ticks=3")).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let names: Vec<_> = answer
            .events()
            .into_iter()
            .filter_map(|it| it.name)
            .collect();
        assert_eq!(names, ["hello", "tick", "tick", "tick"]);
    });
}

#[test]
fn no_more_follow_than_may_and_a_drain_ends_all() {
    paused(|| async {
        let bench = Bench::start(&two(), None).await;
        pass_ms(1_500).await;
        let mut followers = Vec::new();
        for _ in 0..trimtab::observe::watch::MOST_FEEDS {
            let mut follower = Follower::open(&bench).await;
            assert!(follower.read().await);
            followers.push(follower);
        }
        let mut client = Client::open(bench.gateway.admin).await;
        let answer = client.call(&Call::get("/api/live")).await;
        let (status, code, _) = refused(&answer);
        assert_eq!((status, &*code), (503, "too_many_streams"));
        followers.pop();
        pass_ms(2_500).await;
        let mut late = Follower::open(&bench).await;
        while late.ticks().is_empty() {
            assert!(late.read().await);
        }
        bench.gateway.control.drain();
        for follower in followers.iter_mut().chain([&mut late]) {
            while follower.read().await {}
            assert!(
                follower.text.ends_with("0\r\n\r\n"),
                "it ends as a whole answer"
            );
        }
    });
}

#[test]
fn who_does_not_read_is_cut_off() {
    // Many routes, so that what waits does not fit into the system's buffers.
    let mut spec = Spec::new();
    let mut routes = Vec::new();
    for number in 0..60 {
        routes.push(format!("{{ provider = \"p{number}\" }}"));
        spec = spec.stand_in(&format!("p{number}"), "");
    }
    let spec = spec.with(&format!("[models.main]\nroutes = [{}]", routes.join(", ")));
    paused(|| async move {
        let bench = Bench::start(&spec.text(), None).await;
        let mut client = Client::open(bench.gateway.admin).await;
        client.send(&Call::get("/api/live").bytes()).await;
        // Nobody reads for ten minutes of the gateway's clock: some 10 MB of ticks.
        for _ in 0..600 {
            pass_ms(1_000).await;
        }
        assert!(client.is_closed_within(Duration::from_secs(5)).await);
        let last = String::from_utf8_lossy(client.unread()).into_owned();
        assert!(!last.ends_with("0\r\n\r\n"), "it was cut off");
    });
}

#[test]
fn reloads_are_events() {
    let folder = Folder::new("live");
    let file = folder.file("config.toml");
    let text = two();
    std::fs::write(&file, &text).unwrap();
    paused(|| async move {
        let bench = Bench::start(&text, Some(file.clone())).await;
        pass_ms(10).await;
        std::fs::write(
            &file,
            text.replace("provider = \"b\" }", "provider = \"b\", weight = 3.0 }"),
        )
        .unwrap();
        bench.gateway.control.reload();
        pass_ms(50).await;
        std::fs::write(&file, "nonsense = true").unwrap();
        bench.gateway.control.reload();
        pass_ms(50).await;
        let events = admin(&bench, "/api/events?kind=config").await;
        let results: Vec<&Value> = events["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["evidence"]["result"])
            .collect();
        assert_eq!(results, ["ok", "refused"]);
        assert!(
            events["events"][1]["what"]
                .as_str()
                .unwrap()
                .contains("refused, the old one stays")
        );
        pass_ms(2_000).await;
        let models = admin(&bench, "/api/models").await;
        assert_eq!(
            models["models"][0]["routes"][1]["weight_share"], 0.75,
            "{models}"
        );
    });
}
