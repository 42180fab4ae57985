//! A key from its making to its end, and over a restart.

use serde_json::{Value, json};

use super::{Folder, fill, governed, refused, with_plane};
use crate::support::{Bench, Call, Client, paused};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases is long and plain")]
fn the_life_of_a_key() {
    let folder = Folder::new("admin");
    with_plane(&folder, async |plane| {
        let customer = json!({"name": "umbrella", "budgets": [{"limit": 12.5, "period": "1M"}]});
        assert_eq!(plane.post("/api/customers", &customer).await.status, 201);
        let team =
            json!({"name": "lab", "customer": "umbrella", "rate_limits": {"concurrency": 3}});
        assert_eq!(plane.post("/api/teams", &team).await.status, 201);
        let key = json!({"name": "app", "team": "lab", "tags": {"project": "x"}});
        let made = plane.post("/api/keys", &key).await;
        assert_eq!(
            (made.status, made.header("cache-control")),
            (201, Some("no-store"))
        );
        let made = made.json();
        let secret = made["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("sk-tt-") && secret.len() == 45);
        assert_eq!(
            (made["declared_at"].as_str(), &made["team"]),
            (Some("api"), &json!("lab"))
        );

        let shown = plane.get("/api/keys/app").await.json();
        assert_eq!(
            (&shown["tags"], shown.get("secret")),
            (&json!({"project": "x"}), None)
        );
        let mut edited = shown.clone();
        edited["rate_limits"] = json!({"requests_per_minute": 60});
        edited["expires"] = "2027-01-01T00:00:00Z".into();
        let put = plane.send("PUT", "/api/keys/app", &edited).await;
        assert_eq!(
            (put.status, &put.json()["rate_limits"]),
            (200, &edited["rate_limits"])
        );
        let put = plane
            .send("PUT", "/api/keys/app", &json!({"team": "lab"}))
            .await
            .json();
        assert_eq!(
            (put.get("tags"), put.get("expires")),
            (None, None),
            "what is left out is gone"
        );
        let off = plane
            .send("PATCH", "/api/keys/app", &json!({"disabled": true}))
            .await
            .json();
        assert_eq!(
            (&off["disabled"], &off["team"]),
            (&json!(true), &json!("lab"))
        );
        plane
            .send("PATCH", "/api/keys/app", &json!({"disabled": null}))
            .await;

        let rotated = plane
            .post("/api/keys/app/rotate", &json!({"grace_seconds": 3600}))
            .await
            .json();
        assert_ne!(rotated["secret"].as_str().unwrap(), secret);
        assert!(rotated["former_until"].as_str().unwrap().ends_with('Z'));
        let bare = Call::post("/api/keys/app/rotate", "");
        let again = plane.call(&bare).await.json();
        assert!(again["secret"].is_string() && again.get("former_until").is_none());

        let in_use = plane
            .call(&Call::get("/api/teams/lab").method("DELETE"))
            .await;
        assert_eq!(refused(&in_use).1, "in_use");
        let revoked = plane.post("/api/keys/app/revoke", &json!({})).await;
        assert!(revoked.json()["revoked_at"].is_string());
        assert_eq!(
            refused(&plane.post("/api/keys/app/revoke", &json!({})).await).1,
            "revoked"
        );
        let gone = plane
            .call(&Call::get("/api/customers/umbrella?cascade=true").method("DELETE"))
            .await;
        assert_eq!((gone.status, gone.body.len()), (204, 0));
        for path in ["/api/keys/app", "/api/teams/lab", "/api/customers/umbrella"] {
            assert_eq!(plane.get(path).await.status, 404, "{path}");
        }

        let audit = plane.get("/api/audit").await.json();
        let rows = audit["data"].as_array().unwrap();
        let what: Vec<&str> = rows
            .iter()
            .map(|row| row["what"].as_str().unwrap())
            .collect();
        assert_eq!(
            what,
            [
                "customer umbrella created",
                "team lab created",
                "key app created",
                "key app changed",
                "key app changed",
                "key app changed",
                "key app changed",
                "key app rotated",
                "key app rotated",
                "key app revoked",
                "key app deleted",
                "team lab deleted",
                "customer umbrella deleted",
            ]
        );
        assert!(rows.iter().all(|row| row["who"] == "loopback"));
        assert_eq!(rows[5]["after"], json!({"team": "lab", "disabled": true}));
        let verified = plane.get("/api/audit/verify").await.json();
        assert_eq!(
            (&verified["whole"], &verified["rows"]),
            (&json!(true), &json!(13))
        );
    });
}

#[test]
fn a_restart_keeps_everything() {
    let folder = Folder::new("admin");
    let mut before = Vec::new();
    for round in 0..2 {
        let text = governed(&folder).text();
        let all = paused(|| async move {
            let bench = Bench::start(&text, None).await;
            let mut client = Client::open(bench.gateway.admin).await;
            if round == 0 {
                for (path, body) in [
                    (
                        "/api/teams",
                        json!({"name": "lab", "budgets": [{"limit": 1, "period": "1w"}]}),
                    ),
                    ("/api/keys", json!({"name": "app", "team": "lab"})),
                    ("/api/keys/app/rotate", json!({"grace_seconds": 60})),
                ] {
                    let answer = client.call(&Call::post(path, body.to_string())).await;
                    assert!(answer.status < 300, "{answer:?}");
                }
            }
            let mut all = Vec::new();
            for path in [
                "/api/customers",
                "/api/teams",
                "/api/keys",
                "/api/audit",
                "/api/config/diff",
            ] {
                all.push(client.call(&Call::get(path)).await.json());
            }
            all
        });
        if round == 0 {
            before = all;
        } else {
            assert_eq!(all, before);
        }
    }
    let names = |list: &Value| -> Vec<String> {
        let data = list["data"].as_array().unwrap().iter();
        data.map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (names(&before[1]), names(&before[2])),
        (
            vec!["lab".into(), "search".into()],
            vec!["app".into(), "ci".into()]
        )
    );
}

#[test]
fn of_two_who_make_the_same_one_wins() {
    let folder = Folder::new("admin");
    with_plane(&folder, async |plane| {
        let body = json!({"name": "same"});
        let (one, other) = tokio::join!(
            plane.post("/api/keys", &body),
            plane.post("/api/keys", &body)
        );
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
        let loser = if one.status == 409 { &one } else { &other };
        assert_eq!(refused(loser).1, "already_exists");
    });
}

#[test]
fn an_operator_says_what_an_attempt_in_doubt_did_cost() {
    let folder = Folder::new("admin");
    fill(&folder, 2);
    with_plane(&folder, async |plane| {
        let doubt = plane.get("/api/ledger/doubt").await.json();
        let [entry] = doubt["data"].as_array().unwrap().as_slice() else {
            panic!("{doubt}");
        };
        let path = format!("/api/ledger/{}/adjust", entry["id"].as_str().unwrap());
        let done = plane.post(&path, &json!({"amount": 0.5})).await;
        assert_eq!(done.status, 202);
        assert_eq!(done.json()["charged_nano_dollars"], 500_000_000);
        assert_eq!(done.json()["before_nano_dollars"], 1_000_000);
    });
    // What was said is in the ledger, and read before anything is answered.
    with_plane(&folder, async |plane| {
        let doubt = plane.get("/api/ledger/doubt").await.json();
        assert_eq!(doubt["data"], json!([]));
        let said = plane
            .get("/api/ledger?state=adjusted&from=2023-11-14")
            .await
            .json();
        assert_eq!(
            said["data"][0]["charged_nano_dollars"], 500_000_000,
            "{said}"
        );
    });
}
