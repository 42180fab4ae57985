//! Does every documented route exist and answer as documented?

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::schema::misfits;
use super::{Folder, fill, with_plane};
use crate::support::{Answer, Call, Mode, chat};

/// What is wrong with an answer, by the documentation.
fn undocumented(document: &Value, method: &str, path: &str, answer: &Answer) -> Vec<String> {
    let operation = &document["paths"][path][method.to_lowercase()];
    assert!(operation.is_object(), "{method} {path} is not documented");
    let response = &operation["responses"][answer.status.to_string()];
    if !response.is_object() {
        return vec![format!("{} is not documented: {answer:?}", answer.status)];
    }
    let Some(content) = response.get("content") else {
        return match answer.body.len() {
            0 => Vec::new(),
            _ => vec!["a body is not documented".to_owned()],
        };
    };
    let kind = answer
        .header("content-type")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let Some(content) = content.get(kind) else {
        return vec![format!("{kind} is not documented")];
    };
    match kind {
        "application/json" => misfits(document, &content["schema"], &answer.json(), ""),
        _ => Vec::new(),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases is long and plain")]
fn every_route_answers_as_documented() {
    let folder = Folder::new("admin");
    fill(&folder, 3);
    with_plane(&folder, async |plane| {
        let document = plane.get("/api/openapi.json").await.json();
        assert_eq!(document["openapi"], "3.1.0");
        let named = Call::chat(&chat("main", Mode::Whole)).header("x-request-id", "one");
        let asked = named.header("authorization", "Bearer 0123456789abcdef");
        assert_eq!(plane.bench.call(&asked).await.status, 200);
        crate::requests::kept(&plane.bench, "one").await;
        let entry = format!("{:032x}", 4);
        let everything = json!({
            "name": "one", "models": ["main"], "rate_limits": {"concurrency": 1},
            "budgets": [{"limit": 1.5, "period": "1d", "style": "rolling", "hard": false}],
        });
        let mut key = everything.clone();
        key["team"] = "search".into();
        key["expires"] = "2027-01-01T00:00:00Z".into();
        key["tags"] = json!({"a": "b"});
        key["providers"] = json!({"p": {"budgets": [{"limit": 1, "period": "1h"}], "models": []}});
        let mut team = everything.clone();
        team["customer"] = "acme".into();
        let mut done = BTreeSet::new();
        let mut steps: Vec<(&str, String, String, Value)> = Vec::new();
        for (table, body) in [("customers", everything), ("teams", team), ("keys", key)] {
            let (all, one) = (format!("/api/{table}"), format!("/api/{table}/{{name}}"));
            let mut step = |method, path: &str, at: &str, body: Value| {
                steps.push((method, path.to_owned(), at.to_owned(), body))
            };
            step("POST", &all, &all, body.clone());
            step("POST", &all, &all, body.clone());
            step("POST", &all, &all, json!({"name": "x", "nonsense": 1}));
            step("GET", &all, &all, Value::Null);
            let at = format!("{all}/one");
            step("GET", &one, &at, Value::Null);
            step("GET", &one, &format!("{all}/nobody"), Value::Null);
            step("PUT", &one, &at, body);
            step("PATCH", &one, &at, json!({"rate_limits": null}));
            step("PATCH", &one, &format!("{all}/nobody"), json!({}));
            if table == "keys" {
                step(
                    "POST",
                    "/api/keys/{name}/rotate",
                    "/api/keys/one/rotate",
                    json!({"grace_seconds": 5}),
                );
                step("GET", &one, &at, Value::Null);
                step(
                    "POST",
                    "/api/keys/{name}/revoke",
                    "/api/keys/one/revoke",
                    json!({}),
                );
                step(
                    "POST",
                    "/api/keys/{name}/revoke",
                    "/api/keys/one/revoke",
                    json!({}),
                );
                step("GET", &one, &at, Value::Null);
            }
            step("DELETE", &one, &at, Value::Null);
            step("DELETE", &one, &at, Value::Null);
        }
        for path in [
            "/api/budgets",
            "/api/usage",
            "/api/ledger",
            "/api/ledger/doubt",
            "/api/audit",
            "/api/audit/verify",
            "/api/config",
            "/api/config/diff",
            "/api/config/pending",
            "/api/routes",
            "/api/history",
            "/api/history/routes",
            "/api/events",
            "/api/models",
            "/api/cache",
            "/api/cache/audit",
            "/api/requests",
            "/api/shadow",
            "/api/openapi.json",
        ] {
            steps.push(("GET", path.to_owned(), path.to_owned(), Value::Null));
            steps.push((
                "GET",
                path.to_owned(),
                format!("{path}?nonsense=1"),
                Value::Null,
            ));
        }
        for query in [
            "/api/live?ticks=1",
            "/api/live?ticks=x",
            "/api/history?of=nobody",
            "/api/ledger?format=csv",
            "/api/usage?group=key,day&from=2023-01-01",
        ] {
            let path = query.split('?').next().unwrap();
            steps.push(("GET", path.to_owned(), query.to_owned(), Value::Null));
        }
        let reload = "/api/config/reload";
        steps.push(("POST", reload.to_owned(), reload.to_owned(), json!({})));
        for path in ["/api/requests/{id}", "/api/explain/{id}"] {
            for id in ["one", "nobody"] {
                let at = path.replace("{id}", id);
                steps.push(("GET", path.to_owned(), at, Value::Null));
            }
        }
        let (some, one) = ("/api/cache/entries", "/api/cache/entries/{id}");
        for (path, at) in [
            (some, format!("{some}?all=true")),
            (some, format!("{some}?key=ci")),
            (some, some.to_owned()),
            (one, format!("{some}/0000000000000001")),
            (one, format!("{some}/1")),
        ] {
            steps.push(("DELETE", path.to_owned(), at, Value::Null));
        }
        for (method, verb, body) in [
            ("POST", "drain", json!({"seconds": 5, "reason": "x"})),
            ("POST", "drain", json!({"seconds": 0})),
            ("DELETE", "drain", Value::Null),
            ("POST", "pin", json!({"seconds": 5})),
            ("POST", "pin", json!({})),
            ("DELETE", "pin", Value::Null),
            ("POST", "release", json!({})),
            ("PUT", "ceilings/{dimension}", json!({"limit": 5})),
            ("PUT", "ceilings/{dimension}", json!({"limit": -5})),
            ("DELETE", "ceilings/{dimension}", Value::Null),
        ] {
            for route in ["p%2Fmain%2Fkey", "nobody"] {
                let verb_at = verb.replace("{dimension}", "requests");
                let (path, at) = (
                    format!("/api/routes/{{route}}/{verb}"),
                    format!("/api/routes/{route}/{verb_at}"),
                );
                steps.push((method, path, at, body.clone()));
            }
        }
        let adjust = "/api/ledger/{id}/adjust";
        steps.push((
            "POST",
            adjust.to_owned(),
            format!("/api/ledger/{entry}/adjust"),
            json!({"amount": 0.25}),
        ));
        steps.push((
            "POST",
            adjust.to_owned(),
            format!("/api/ledger/{}/adjust", "f".repeat(32)),
            json!({"amount": 0.25}),
        ));
        for (method, path, at, body) in &steps {
            let call = match body {
                Value::Null => Call::get(at).method(method),
                body => Call::post(at, body.to_string()).method(method),
            };
            let answer = plane.call(&call).await;
            let wrong = undocumented(&document, method, path, &answer);
            assert!(wrong.is_empty(), "{method} {at}: {wrong:#?}\n{answer:?}");
            if answer.status < 300 {
                done.insert(format!("{} {path}", method.to_lowercase()));
            }
        }
        let documented: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(move |method| format!("{method} {path}"))
            })
            .collect();
        assert_eq!(
            done, documented,
            "each was done once with success, and no other"
        );
    });
}

#[test]
fn documents_of_the_file_are_those_of_the_api() {
    let folder = Folder::new("admin");
    with_plane(&folder, async |plane| {
        let document = plane.get("/api/openapi.json").await.json();
        let schemas = &document["components"]["schemas"];
        for (table, schema) in [
            ("customers", "Customer"),
            ("teams", "Team"),
            ("keys", "Key"),
        ] {
            let list = plane.get(&format!("/api/{table}")).await.json();
            for row in list["data"].as_array().unwrap() {
                assert_eq!(misfits(&document, &schemas[schema], row, ""), [""; 0]);
            }
            let properties = schemas[format!("{schema}Document")]["properties"]
                .as_object()
                .unwrap();
            assert!(properties.contains_key("budgets") && !properties.contains_key("secret"));
        }
    });
}
