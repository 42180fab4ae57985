//! Every kind of request appears with what became of it, and is found by it.

use serde_json::{Value, json};

use super::{TRIES, admin, ids, kept};
use crate::support::{Bench, Call, Client, Mode, Spec, bench, chat, pass_ms};

/// Two routes of which the first fails, a cache, and keys.
fn spec() -> Spec {
    Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"good\" }]\n[models.main.cache]\nlayers = \"exact\"")
        .with("[models.shaky]\nroutes = [{ provider = \"bad\" }]\nfallbacks = [\"main\"]")
        .stand_in("good", "ttft = \"20ms\"\ntpot = \"1ms\"\nanswer = 7")
        .stand_in("bad", "faults = [{ kind = \"503\" }]")
}

fn named(id: &str, body: &Value) -> Call {
    Call::chat(body).header("x-request-id", id)
}

fn said(model: &str, text: &str, mode: Mode) -> Value {
    let mut body = chat(model, mode);
    body["messages"] = json!([{"role": "user", "content": text}]);
    body
}

/// Asks for one of each kind.
async fn ask(bench: &Bench) {
    let whole = said("main", "hello", Mode::Whole);
    assert_eq!(bench.call(&named("whole", &whole)).await.status, 200);
    assert_eq!(bench.call(&named("hit", &whole)).await.status, 200);
    let stream = said("main", "stream", Mode::Stream);
    let explained = named("stream", &stream).header("x-trimtab-explain", "1");
    assert_eq!(bench.call(&explained).await.status, 200);
    let fallback = said("shaky", "fall back", Mode::Whole);
    let explained = named("fallback", &fallback).header("x-trimtab-explain", "1");
    assert_eq!(bench.call(&explained).await.status, 200);
    let unknown = said("nobody", "x", Mode::Whole);
    assert_eq!(bench.call(&named("unknown", &unknown)).await.status, 404);
    let mut client = Client::open(bench.address).await;
    client
        .send(&named("gone", &said("main", "leaves", Mode::Stream)).bytes())
        .await;
    pass_ms(5).await;
    drop(client);
    pass_ms(5).await;
    kept(bench, "gone").await;
}

#[test]
fn each_kind_has_its_fields() {
    let spec = spec().with("[requests]\nexplain = 0.0");
    bench(&spec, async |bench| {
        ask(&bench).await;
        let whole = kept(&bench, "whole").await;
        assert_eq!(
            (&whole["status"], &whole["ending"], &whole["error"]),
            (&json!(200), &json!("ok"), &Value::Null)
        );
        assert_eq!(
            (&whole["model"], &whole["endpoint"]),
            (&json!("main"), &json!("chat"))
        );
        assert_eq!(
            (&whole["stream"], &whole["cache"]),
            (&json!(false), &json!("MISS"))
        );
        assert_eq!(whole["tokens_out"], 7);
        let took = whole["took_ms"].as_f64().unwrap();
        assert!((26.0..30.0).contains(&took), "{took}");
        let legs = whole["legs"].as_array().unwrap();
        assert_eq!(legs.len(), 1);
        assert_eq!(
            (&legs[0]["provider"], &legs[0]["outcome"]),
            (&json!("good"), &json!("success"))
        );
        assert_eq!(
            (&legs[0]["status"], &legs[0]["propensity"]),
            (&json!(200), &json!(1.0))
        );
        assert_eq!(whole["explained"], false);
        let by_number = kept(&bench, whole["number"].as_str().unwrap()).await;
        assert_eq!(by_number, whole);

        let hit = kept(&bench, "hit").await;
        assert_eq!(
            (&hit["cache"], &hit["attempts"]),
            (&json!("HIT"), &json!(0))
        );
        assert_eq!(
            (&hit["route"], &hit["tokens_out"]),
            (&Value::Null, &json!(7))
        );

        let stream = kept(&bench, "stream").await;
        assert_eq!(
            (&stream["stream"], &stream["explained"]),
            (&json!(true), &json!(true))
        );
        let first = stream["ttft_ms"].as_f64().unwrap();
        assert!((20.0..24.0).contains(&first), "{first}");

        let fallback = kept(&bench, "fallback").await;
        let legs = fallback["legs"].as_array().unwrap();
        assert_eq!(fallback["attempts"], legs.len());
        assert!(legs.len() >= 2, "{fallback}");
        assert_eq!(
            (&legs[0]["provider"], &legs[0]["status"]),
            (&json!("bad"), &json!(503))
        );
        assert_eq!(legs[legs.len() - 1]["provider"], "good");
        assert!(fallback["route"].as_str().unwrap().starts_with("good/"));
    });
}

#[test]
fn those_that_are_not_answered_have_theirs() {
    bench(&spec(), async |bench| {
        ask(&bench).await;
        let unknown = kept(&bench, "unknown").await;
        assert_eq!(
            (&unknown["model"], &unknown["asked"], &unknown["error"]),
            (&Value::Null, &json!("nobody"), &json!("no_model"))
        );
        let gone = kept(&bench, "gone").await;
        assert_eq!(
            (&gone["status"], &gone["ending"], &gone["error"]),
            (&json!(0), &json!("client_gone"), &json!("client_gone"))
        );
    });
}

#[test]
fn requests_are_found_by_what_they_were() {
    bench(&spec(), async |bench| {
        ask(&bench).await;
        for (query, expected) in [
            (
                "",
                &["gone", "unknown", "fallback", "stream", "hit", "whole"][..],
            ),
            ("model=nobody", &["unknown"]),
            ("model=main&stream=true", &["gone", "stream"]),
            ("error=no_model", &["unknown"]),
            ("ending=client_gone", &["gone"]),
            ("cache=HIT", &["hit"]),
            ("provider=bad", &["fallback"]),
            ("status=404", &["unknown"]),
            ("q=wh", &["whole"]),
            ("q=nothing", &[]),
            ("min_ms=1000000", &[]),
            ("key=nobody", &[]),
            ("from=2200-01-01", &[]),
            ("to=2000-01-01", &[]),
        ] {
            assert_eq!(ids(&bench, query).await, expected, "{query}");
        }
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let (_, page) = admin(&bench, &format!("/api/requests?limit=2{cursor}")).await;
            let rows = page["requests"].as_array().unwrap();
            assert!(rows.len() <= 2);
            found.extend(rows.iter().map(|it| it["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else {
                break;
            };
            cursor = format!("&before={next}");
        }
        assert_eq!(found, ids(&bench, "").await);
        for wrong in [
            "before=x",
            "session=1",
            "trace=zz",
            "error=odd",
            "status=1000",
            "limit=0",
        ] {
            let (status, told) = admin(&bench, &format!("/api/requests?{wrong}")).await;
            let param = wrong.split('=').next().unwrap();
            assert_eq!(
                (status, &told["error"]["param"]),
                (400, &json!(param)),
                "{wrong}"
            );
        }
        let (status, told) = admin(&bench, "/api/requests/nobody").await;
        assert_eq!((status, &told["error"]["code"]), (404, &json!("not_found")));
    });
}

#[test]
fn a_decision_that_was_asked_for_or_drawn_is_kept() {
    for (share, all) in [("0.0", false), ("1.0", true)] {
        let spec = spec().with(&format!("[requests]\nexplain = {share}"));
        bench(&spec, async |bench| {
            ask(&bench).await;
            for (id, asked) in [("fallback", true), ("whole", false)] {
                let (status, told) = admin(&bench, &format!("/api/explain/{id}")).await;
                assert_eq!(status, 200, "{told}");
                assert_eq!(told["kept"], asked || all, "{id}");
                let legs = told["legs"].as_array().unwrap();
                assert!(legs[0]["terms_ms"]["latency"].is_number(), "{told}");
                let decisions = told["decisions"].as_array().unwrap();
                if asked || all {
                    assert_eq!(decisions.len(), legs.len(), "{told}");
                    assert_eq!(decisions[0]["picked"]["route"], legs[0]["route"]);
                    assert!(decisions[0]["candidates"][0]["gate"].is_string());
                }
            }
            let (status, _) = admin(&bench, "/api/explain/nobody").await;
            assert_eq!(status, 404);
        });
    }
}

#[test]
fn a_key_that_is_refused_and_one_that_asks() {
    let spec =
        spec().with("[teams.search]\n[keys.ci]\nteam = \"search\"\nsecret = \"0123456789abcdef\"");
    let folder = crate::support::Folder::new("requests");
    let spec = spec.with(&format!("[governance]\ndata = {:?}", folder.0));
    bench(&spec, async |bench| {
        let body = said("main", "hello", Mode::Whole);
        let refused = named("refused", &body).header("authorization", "Bearer wrong");
        assert_eq!(bench.call(&refused).await.status, 401);
        let good = named("good", &body).header("authorization", "Bearer 0123456789abcdef");
        assert_eq!(bench.call(&good).await.status, 200);
        let good = kept(&bench, "good").await;
        assert_eq!(
            (&good["key"], &good["team"]),
            (&json!("ci"), &json!("search"))
        );
        let refused = kept(&bench, "refused").await;
        assert_eq!(
            (&refused["status"], &refused["error"], &refused["key"]),
            (&json!(401), &json!("unauthorized"), &Value::Null)
        );
        assert_eq!(ids(&bench, "key=ci").await, ["good"]);
        assert_eq!(ids(&bench, "team=search&error=unauthorized").await, [""; 0]);
    });
}

#[test]
fn nothing_is_kept_where_nothing_is_to_be() {
    bench(&spec().with("[requests]\nkeep = \"off\""), async |bench| {
        let body = said("main", "hello", Mode::Whole);
        assert_eq!(bench.call(&named("whole", &body)).await.status, 200);
        let (status, told) = admin(&bench, "/api/requests").await;
        assert_eq!(status, 503, "{told}");
    });
}

/// Texts that break whoever takes them for more than texts.
fn hostile() -> Vec<String> {
    let bare = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'; DROP TABLE blocks; --",
        "\\\"\\u0000",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "../../etc/passwd",
        "%00",
        "%0d%0aset-cookie:x",
        "\u{202e}txt",
        "\u{0}",
        "\u{1b}[2J",
        "\r\nx: y",
        "😀\u{200d}😀",
        "ﷺ",
        "null",
        "NaN",
        "-1",
        "a\u{301}",
        "]]>",
        "]}",
        "data: [DONE]\n\n",
        "\u{feff}",
        "\u{2028}",
        "'''",
        "\t",
    ];
    let all = bare.iter().flat_map(|text| {
        let many = (0..8).map(move |times| format!("{times}{}", text.repeat(times + 1)));
        many.collect::<Vec<_>>()
    });
    all.collect()
}

#[test]
fn hostile_texts_come_back_as_texts() {
    let spec = spec().with("[requests]\ncontent = true\nredact = false");
    bench(&spec, async |bench| {
        let texts = hostile();
        assert!(texts.len() >= 200);
        for (number, text) in texts.iter().enumerate() {
            // What a header can carry of it is the id as well.
            let id: String = text
                .chars()
                .filter(char::is_ascii_graphic)
                .take(100)
                .collect();
            let id = format!("{number}-{id}");
            let body = said(text, text, Mode::Whole);
            assert_eq!(bench.call(&named(&id, &body)).await.status, 404, "{text:?}");
        }
        let last = format!("q={}-", texts.len() - 1);
        for _ in 0..TRIES {
            if !ids(&bench, &last).await.is_empty() {
                break;
            }
        }
        let (_, page) = admin(&bench, "/api/requests?limit=1000").await;
        let rows = page["requests"].as_array().unwrap();
        assert_eq!(rows.len(), texts.len());
        for (row, text) in rows.iter().rev().zip(&texts) {
            let asked = row["asked"].as_str().unwrap();
            assert!(
                text.starts_with(asked) && asked.len() >= 125.min(text.len()),
                "{row}"
            );
            let number = row["number"].as_str().unwrap();
            let whole = kept(&bench, number).await;
            let request: Value =
                serde_json::from_str(whole["content"]["request"].as_str().unwrap()).unwrap();
            assert_eq!(request["messages"][0]["content"], text.as_str());
        }
    });
}
