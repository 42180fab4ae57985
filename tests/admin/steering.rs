//! What operators do with routes, as the providers and the clients see it.

use std::time::Duration;

use serde_json::{Value, json};
use trimtab::observe::events::Kind;

use super::{Folder, Plane, refused, with_plane};
use crate::support::{Bench, Mode, Spec, bench, chat};

/// Two providers of one model, of which the first behaves as `script` says.
fn two(script: &str) -> Spec {
    Spec::new()
        .stand_in("a", script)
        .stand_in("b", "")
        .with("[models.main]\nroutes = [{ provider = \"a\" }, { provider = \"b\" }]")
}

fn steered(spec: &Spec, test: impl AsyncFnOnce(Plane)) {
    bench(spec, |bench: Bench| test(Plane { bench }));
}

impl Plane {
    /// Asks so often; tells how many attempts each provider saw, and how many answers were good.
    async fn served(&self, times: usize) -> (usize, usize, usize) {
        let seen = |name: &str| self.bench.seen(name).len();
        let (a, b) = (seen("a"), seen("b"));
        let mut good = 0;
        for _ in 0..times {
            let answer = self.bench.chat(&chat("main", Mode::Whole)).await;
            good += usize::from(answer.status == 200);
        }
        (seen("a") - a, seen("b") - b, good)
    }

    /// Drains the second provider's route.
    async fn spare_the_other(&self) {
        let path = "/api/routes/b%2Fmain%2Fkey/drain";
        assert_eq!(self.post(path, &json!({})).await.status, 200);
    }

    async fn steer(&self, method: &str, verb: &str, body: &Value) -> Value {
        let answer = self
            .send(method, &format!("/api/routes/a%2Fmain%2Fkey/{verb}"), body)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let told = answer.json();
        assert_eq!(told["route"], "a/main/key");
        told["now"].clone()
    }
}

#[test]
fn a_drained_route_gets_no_attempt_until_that_is_undone() {
    steered(&two(""), async |plane| {
        let now = plane.steer("POST", "drain", &json!({})).await;
        assert_eq!(now["state"], "drained");
        assert_eq!(now["steering"]["drained"], json!({ "left_ms": null }));
        assert_eq!(plane.served(20).await, (0, 20, 20));
        let answer = plane
            .send(
                "POST",
                "/api/routes/b%2Fmain%2Fkey/drain",
                &json!({"seconds": 60}),
            )
            .await;
        assert_eq!(
            answer.json()["now"]["steering"]["drained"]["left_ms"],
            60_000.0
        );
        let (a, b, good) = plane.served(3).await;
        assert_eq!((a, b, good), (0, 0, 0), "nobody is left");
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(plane.served(5).await, (0, 5, 5), "it ends by itself");
        let now = plane.steer("DELETE", "drain", &Value::Null).await;
        assert_eq!(
            (&now["state"], &now["steering"]["drained"]),
            (&"healthy".into(), &Value::Null)
        );
        plane.spare_the_other().await;
        assert_eq!(plane.served(5).await, (5, 0, 5));
    });
}

#[test]
fn a_pinned_route_gets_everything_until_it_fails() {
    steered(
        &two("faults = [{ kind = \"503\", from = \"100s\" }]"),
        async |plane| {
            plane.steer("POST", "pin", &json!({"seconds": 3_600})).await;
            assert_eq!(plane.served(20).await, (20, 0, 20));
            tokio::time::sleep(Duration::from_secs(101)).await;
            let (_, b, good) = plane.served(20).await;
            assert_eq!((b, good), (20, 20), "all fall back");
            let now = plane.steer("DELETE", "pin", &Value::Null).await;
            assert_eq!(now["steering"]["pinned"], Value::Null);
        },
    );
}

#[test]
fn a_released_key_is_served_again() {
    steered(
        &two("faults = [{ kind = \"401\", until = \"50s\" }]"),
        async |plane| {
            plane.steer("POST", "pin", &json!({"seconds": 1})).await;
            assert_eq!(plane.served(1).await, (1, 1, 1));
            tokio::time::sleep(Duration::from_secs(51)).await;
            assert_eq!(plane.served(20).await, (0, 20, 20), "it is held");
            let now = plane.steer("POST", "release", &json!({})).await;
            assert_eq!(now["state"], "probing");
            let (a, _, good) = plane.served(40).await;
            assert!(a >= 5 && good == 40, "{a} {good}");
        },
    );
}

#[test]
fn an_operators_limit_shifts_requests_and_is_taken_away() {
    steered(&two(""), async |plane| {
        let limit = json!({"limit": 10});
        let now = plane.steer("PUT", "ceilings/requests", &limit).await;
        assert_eq!(now["ceilings"][0]["source"], "operator");
        assert_eq!(now["steering"]["limits"], json!({ "requests": 10 }));
        let (a, b, good) = plane.served(60).await;
        assert!(
            (1..=12).contains(&a) && b >= 48 && good == 60,
            "{a} {b} {good}"
        );
        let now = plane
            .steer("DELETE", "ceilings/requests", &Value::Null)
            .await;
        assert_eq!(
            (&now["ceilings"], &now["steering"]["limits"]),
            (&json!([]), &json!({}))
        );
        plane.spare_the_other().await;
        assert_eq!(plane.served(60).await, (60, 0, 60));
        plane.steer("PUT", "ceilings/requests", &limit).await;
        let now = plane
            .steer("PUT", "ceilings/requests", &json!({"limit": null}))
            .await;
        assert_eq!(now["steering"]["limits"], json!({}));
    });
}

#[test]
fn what_is_done_is_written_down_and_noted() {
    let folder = Folder::new("steering");
    with_plane(&folder, async |plane| {
        let path = "/api/routes/p%2Fmain%2Fkey/drain";
        let body = json!({"seconds": 60, "reason": "it lies"});
        assert_eq!(plane.post(path, &body).await.status, 200);
        assert_eq!(plane.post(path, &json!({"seconds": 0})).await.status, 400);
        let undone = plane.send("DELETE", path, &Value::Null).await;
        assert_eq!(undone.status, 200, "{undone:?}");
        let audit = plane.get("/api/audit").await.json();
        let rows = audit["data"].as_array().unwrap();
        let what: Vec<&str> = rows.iter().map(|it| it["what"].as_str().unwrap()).collect();
        assert_eq!(
            what,
            ["route p/main/key drained", "route p/main/key undrained"]
        );
        assert_eq!(rows[0]["who"], "loopback");
        assert!(rows[0].to_string().contains("it lies"), "{}", rows[0]);
        assert_eq!(plane.get("/api/audit/verify").await.status, 200);
        let events = plane.bench.gateway.shared.lasting.events.after(0, 100);
        let noted: Vec<_> = events
            .iter()
            .filter(|it| it.kind == Kind::Operator)
            .collect();
        assert_eq!(noted.len(), 2);
        assert_eq!(noted[0].route.as_deref(), Some("p/main/key"));
        assert_eq!(noted[0].evidence["reason"], "it lies");
        assert_eq!(noted[0].evidence["seconds"], 60);
    });
}

#[test]
fn what_makes_no_sense_is_refused_by_name_and_nothing_is_noted() {
    steered(&two(""), async |plane| {
        let long = "x".repeat(501);
        for (method, verb, body, param) in [
            ("POST", "drain", json!({"seconds": 0}), "seconds"),
            ("POST", "drain", json!({"seconds": 1.5}), "seconds"),
            ("POST", "drain", json!({"secs": 1}), "secs"),
            ("POST", "drain", json!({"reason": 1}), "reason"),
            ("POST", "drain", json!({"reason": long}), "reason"),
            ("POST", "pin", json!({}), "seconds"),
            ("POST", "pin", json!({"seconds": 86_401}), "seconds"),
            ("POST", "release", json!({"seconds": 1}), "seconds"),
            ("PUT", "ceilings/requests", json!({}), "limit"),
            ("PUT", "ceilings/requests", json!({"limit": 0}), "limit"),
            (
                "PUT",
                "ceilings/requests",
                json!({"limit": 5_000_000_000_u64}),
                "limit",
            ),
            ("PUT", "ceilings/rpm", json!({"limit": 1}), "dimension"),
        ] {
            let path = format!("/api/routes/a%2Fmain%2Fkey/{verb}");
            let answer = plane.send(method, &path, &body).await;
            let (status, code, named) = refused(&answer);
            assert_eq!(
                (status, code.as_str()),
                (400, "invalid_value"),
                "{verb} {body}"
            );
            assert_eq!(named.as_deref(), Some(param), "{verb} {body}");
        }
        for (name, help) in [
            ("a%2Fmain%2Fkeys", "a/main/key"),
            ("zzz", "GET /api/routes"),
        ] {
            let path = format!("/api/routes/{name}/drain");
            let answer = plane.post(&path, &json!({})).await;
            assert_eq!(
                refused(&answer),
                (404, "not_found".to_owned(), Some("route".to_owned()))
            );
            assert!(answer.text().contains(help), "{answer:?}");
        }
        assert!(
            plane
                .bench
                .gateway
                .shared
                .lasting
                .events
                .after(0, 9)
                .is_empty()
        );
    });
}
