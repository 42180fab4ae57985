//! Every mistake is told as one, and changes nothing.

use serde_json::{Value, json};

use super::{Folder, refused, with_plane};
use crate::support::{Bench, Call, Client, Pace, Spec, bench, paused};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases is long and plain")]
fn mistakes_are_told_with_the_key_that_is_meant() {
    let folder = Folder::new("admin");
    with_plane(&folder, async |plane| {
        plane.post("/api/keys", &json!({"name": "app"})).await;
        let before = plane.get("/api/audit").await.json();
        for (method, path, body, status, code, param) in [
            (
                "POST",
                "/api/keys",
                json!({"name": "app"}),
                409,
                "already_exists",
                None,
            ),
            (
                "POST",
                "/api/keys",
                json!({"name": "ci"}),
                409,
                "declared_in_file",
                None,
            ),
            (
                "POST",
                "/api/keys",
                json!({}),
                400,
                "invalid_value",
                Some("name"),
            ),
            (
                "POST",
                "/api/keys",
                json!({"name": 7}),
                400,
                "invalid_value",
                Some("name"),
            ),
            (
                "POST",
                "/api/keys",
                json!({"name": "a b"}),
                400,
                "invalid_value",
                Some("name"),
            ),
            (
                "POST",
                "/api/keys",
                json!({"name": ""}),
                400,
                "invalid_value",
                Some("name"),
            ),
            (
                "POST",
                "/api/keys",
                json!({"name": "x", "secret": "0123456789abcdef"}),
                400,
                "invalid_value",
                Some("secret"),
            ),
            (
                "POST",
                "/api/keys",
                json!({"name": "x", "team": "sarch"}),
                400,
                "invalid_value",
                Some("team"),
            ),
            (
                "POST",
                "/api/keys",
                json!({"name": "x", "budgets": [{"limit": 1, "period": "1x"}]}),
                400,
                "invalid_value",
                Some("budgets[0].period"),
            ),
            (
                "POST",
                "/api/keys",
                json!({"name": "x", "providers": {"p": {"budgets": [{"limit": 1}]}}}),
                400,
                "invalid_value",
                Some("providers.p.budgets[0].period"),
            ),
            (
                "POST",
                "/api/keys",
                json!({"name": "x.y", "expires": 5}),
                400,
                "invalid_value",
                Some("expires"),
            ),
            (
                "POST",
                "/api/teams",
                json!({"name": "x", "team": "search"}),
                400,
                "invalid_value",
                Some("team"),
            ),
            (
                "POST",
                "/api/customers",
                json!({"name": "x", "customer": "acme"}),
                400,
                "invalid_value",
                Some("customer"),
            ),
            (
                "PUT",
                "/api/keys/app",
                json!({"name": "other"}),
                400,
                "invalid_value",
                Some("name"),
            ),
            ("PUT", "/api/keys/nobody", json!({}), 404, "not_found", None),
            (
                "PUT",
                "/api/keys/ci",
                json!({}),
                409,
                "declared_in_file",
                None,
            ),
            (
                "PATCH",
                "/api/teams/search",
                json!({}),
                409,
                "declared_in_file",
                None,
            ),
            (
                "DELETE",
                "/api/customers/acme",
                json!(null),
                409,
                "declared_in_file",
                None,
            ),
            (
                "DELETE",
                "/api/keys/nobody",
                json!(null),
                404,
                "not_found",
                None,
            ),
            (
                "DELETE",
                "/api/keys/app?cascade=maybe",
                json!(null),
                400,
                "invalid_value",
                Some("cascade"),
            ),
            (
                "DELETE",
                "/api/keys/app?cascade=true&hidden=true",
                json!(null),
                400,
                "invalid_value",
                Some("cascade"),
            ),
            (
                "POST",
                "/api/keys/ci/rotate",
                json!({}),
                409,
                "declared_in_file",
                None,
            ),
            (
                "POST",
                "/api/keys/app/rotate",
                json!({"grace_seconds": -1}),
                400,
                "invalid_value",
                Some("grace_seconds"),
            ),
            (
                "POST",
                "/api/keys/app/rotate",
                json!({"grace_seconds": 1.5}),
                400,
                "invalid_value",
                Some("grace_seconds"),
            ),
            (
                "POST",
                "/api/keys/app/rotate",
                json!({"grace": 1}),
                400,
                "invalid_value",
                Some("grace"),
            ),
            (
                "POST",
                "/api/keys/app/revoke",
                json!({"really": true}),
                400,
                "invalid_value",
                Some("really"),
            ),
            (
                "POST",
                "/api/ledger/xyz/adjust",
                json!({"amount": 1}),
                400,
                "invalid_value",
                Some("id"),
            ),
            (
                "POST",
                "/api/ledger/+0000000000000000000000000000001/adjust",
                json!({"amount": 1}),
                400,
                "invalid_value",
                Some("id"),
            ),
            (
                "POST",
                "/api/ledger/00000000000000000000000000000001/adjust",
                json!({"amount": -1}),
                400,
                "invalid_value",
                Some("amount"),
            ),
            (
                "POST",
                "/api/ledger/00000000000000000000000000000001/adjust",
                json!({"amount": "1"}),
                400,
                "invalid_value",
                Some("amount"),
            ),
            (
                "POST",
                "/api/ledger/00000000000000000000000000000001/adjust",
                json!({}),
                400,
                "invalid_value",
                Some("amount"),
            ),
            (
                "GET",
                "/api/keys?limit=0",
                json!(null),
                400,
                "invalid_value",
                Some("limit"),
            ),
            (
                "GET",
                "/api/keys?limit=1001",
                json!(null),
                400,
                "invalid_value",
                Some("limit"),
            ),
            (
                "GET",
                "/api/keys?lmit=1",
                json!(null),
                400,
                "invalid_value",
                Some("lmit"),
            ),
            (
                "GET",
                "/api/ledger?state=lost",
                json!(null),
                400,
                "invalid_value",
                Some("state"),
            ),
            (
                "GET",
                "/api/audit?after=-1",
                json!(null),
                400,
                "invalid_value",
                Some("after"),
            ),
            (
                "GET",
                "/api/keys/%ff",
                json!(null),
                400,
                "invalid_value",
                Some("path"),
            ),
            (
                "GET",
                "/api/keys/nobody",
                json!(null),
                404,
                "not_found",
                None,
            ),
            ("GET", "/api/nothing", json!(null), 404, "not_found", None),
            ("GET", "/api/keys/", json!(null), 404, "not_found", None),
            (
                "DELETE",
                "/api/keys",
                json!(null),
                405,
                "method_not_allowed",
                None,
            ),
            (
                "PUT",
                "/api/audit",
                json!({}),
                405,
                "method_not_allowed",
                None,
            ),
        ] {
            let call = match &body {
                Value::Null => Call::get(path).method(method),
                body => Call::post(path, body.to_string()).method(method),
            };
            let answer = plane.call(&call).await;
            assert_eq!(
                refused(&answer),
                (status, code.to_owned(), param.map(str::to_owned)),
                "{method} {path} {body}"
            );
        }
        let not_allowed = plane.call(&Call::get("/api/keys").method("DELETE")).await;
        assert_eq!(not_allowed.header("allow"), Some("GET, POST"));
        assert_eq!(
            plane.get("/api/audit").await.json(),
            before,
            "nothing was changed"
        );
    });
}

#[test]
fn words_are_those_of_the_file_and_all_are_told() {
    let folder = Folder::new("admin");
    with_plane(&folder, async |plane| {
        let body = json!({"name": "x", "team": "serch", "budgets": [{"limit": 0, "period": "1d"}], "tag": {}});
        let answer = plane.post("/api/keys", &body).await;
        let error = answer.json()["error"].clone();
        let problems = error["problems"].as_array().unwrap();
        let told: Vec<(&str, &str)> = problems
            .iter()
            .map(|it| {
                (
                    it["param"].as_str().unwrap(),
                    it["message"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("budgets[0].limit", "limit is out of range: 0"),
                ("tag", "unknown key \"tag\", did you mean \"tags\"?"),
                (
                    "team",
                    "no team is named \"serch\", did you mean \"search\"?"
                ),
            ]
        );
        assert!(
            error["message"].as_str().unwrap().ends_with("(and 2 more)"),
            "{error}"
        );
        let declared = plane.send("PUT", "/api/keys/ci", &json!({})).await.json();
        let words =
            "key \"ci\" is declared in the configuration file, as [keys.ci]: change it there";
        assert_eq!(declared["error"]["message"], words);
    });
}

#[test]
fn bodies_that_are_none() {
    let folder = Folder::new("admin");
    with_plane(&folder, async |plane| {
        for body in [
            "",
            "{",
            "[]",
            "null",
            "7",
            "{\"name\":\"x\"} x",
            "\u{feff}{}",
        ] {
            let answer = plane.call(&Call::post("/api/keys", body)).await;
            assert_eq!(refused(&answer).0, 400, "{body:?}");
        }
        let deep = format!(
            "{{\"name\":\"x\",\"models\":{}{}}}",
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        assert_eq!(plane.call(&Call::post("/api/keys", deep)).await.status, 400);
        let large = "x".repeat((1 << 20) + 1);
        assert_eq!(
            plane
                .call(&Call::post("/api/keys", large.as_str()))
                .await
                .status,
            413
        );
        let chunked = format!(
            "POST /api/keys HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
            large.len()
        );
        let mut client = Client::open(plane.bench.gateway.admin).await;
        client.send(chunked.as_bytes()).await;
        assert_eq!(client.answer().await.status, 413);
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
        ] {
            let call = Call::form("/api/keys", kind, b"{\"name\":\"x\"}".to_vec());
            assert_eq!(refused(&plane.call(&call).await).0, 415, "{kind}");
        }
        let call = Call::form(
            "/api/keys",
            "Application/JSON; charset=utf-8",
            b"{\"name\":\"x\"}".to_vec(),
        );
        assert_eq!(plane.call(&call).await.status, 201);
    });
}

#[test]
fn a_body_that_does_not_arrive_is_not_waited_for_long() {
    let folder = Folder::new("admin");
    with_plane(&folder, async |plane| {
        let mut client = Client::open(plane.bench.gateway.admin).await;
        let head = b"POST /api/keys HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
        let pace = Pace {
            bytes: head.len(),
            every: std::time::Duration::ZERO,
        };
        client.drip(head, pace).await;
        let answer = client.answer().await;
        assert_eq!(refused(&answer).0, 408);
    });
}

#[test]
fn without_a_ledger_the_way_to_one_is_told() {
    let spec = Spec::new()
        .stand_in("p", "")
        .with("[models.main]\nroutes = [{ provider = \"p\" }]");
    bench(&spec, async |bench| {
        let mut client = Client::open(bench.gateway.admin).await;
        for path in [
            "/api/keys",
            "/api/budgets",
            "/api/usage",
            "/api/ledger",
            "/api/audit",
            "/api/config/diff",
        ] {
            let answer = client.call(&Call::get(path)).await;
            assert_eq!(refused(&answer).0, 503, "{path}");
            assert!(answer.text().contains("add [governance]"), "{answer:?}");
        }
        let answer = client.call(&Call::get("/api/openapi.json")).await;
        assert_eq!(answer.status, 200);
        let answer = client.call(&Call::get("/api/routes")).await;
        assert!(answer.json()["routes"].is_array());
    });
}

#[test]
fn a_ledger_is_kept_as_soon_as_somebody_is_declared() {
    let folder = Folder::new("admin");
    let text = super::governed(&folder).text();
    paused(|| async move {
        let bench = Bench::start(&text, None).await;
        assert!(bench.gateway.office.is_some());
    });
    assert!(folder.0.join("data").join("pepper").exists());
}
