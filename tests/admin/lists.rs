//! What is listed, summed and exported, page by page.

use serde_json::{Value, json};

use super::{Folder, fill, governed, refused, with_plane};
use crate::support::{Bench, Call, Client, Spec, paused};

/// The names on every page.
async fn pages(plane: &super::Plane, path: &str, field: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = plane.get(path).await.json();
    loop {
        let data = next["data"].as_array().unwrap().iter();
        let text = |it: &Value| {
            it[field]
                .as_str()
                .map_or_else(|| it[field].to_string(), str::to_owned)
        };
        pages.push(data.map(text).collect());
        let Some(after) = next["next"].as_str() else {
            return pages;
        };
        next = plane.get(&format!("{path}&after={after}")).await.json();
    }
}

#[test]
fn lists_are_paged_and_know_where_each_is_declared() {
    let folder = Folder::new("admin");
    with_plane(&folder, async |plane| {
        for name in ["a", "d", "b"] {
            plane.post("/api/keys", &json!({ "name": name })).await;
        }
        assert_eq!(
            pages(&plane, "/api/keys?limit=2", "name").await,
            [vec!["a", "b"], vec!["ci", "d"]]
        );
        assert_eq!(
            pages(&plane, "/api/keys?limit=3", "declared_at").await,
            [vec!["api", "api", "file"], vec!["api"]]
        );
        let declared = plane.get("/api/keys/ci").await.json();
        assert_eq!(
            declared,
            json!({"name": "ci", "declared_at": "file", "team": "search", "tags": {"project": "nightly"}})
        );
        let customer = plane.get("/api/customers/acme").await.json();
        assert_eq!(
            customer["budgets"],
            json!([{"limit": 5000.0, "period": "1M", "zone": "Europe/Berlin"}])
        );
        assert_eq!(
            pages(&plane, "/api/config/diff?limit=4", "name").await,
            [vec!["acme", "search", "ci", "a"], vec!["b", "d"]]
        );
        assert_eq!(pages(&plane, "/api/audit?limit=2", "what").await.len(), 2);
    });
}

#[test]
fn budgets_are_shown_as_they_stand() {
    let folder = Folder::new("admin");
    with_plane(&folder, async |plane| {
        let made = json!({"name": "made", "budgets": [{"limit": 1.5, "period": "1d", "style": "rolling", "hard": false}]});
        assert_eq!(plane.post("/api/keys", &made).await.status, 201);
        assert_eq!(
            pages(&plane, "/api/budgets?limit=1", "tier").await,
            [vec!["customer"], vec!["key"]]
        );
        let of_key = plane.get("/api/budgets?tier=key&name=made").await.json();
        let mut told = of_key["data"][0].clone();
        for at in ["window_start", "window_end"] {
            assert!(told[at].take().as_str().unwrap().ends_with('Z'));
        }
        let expected = json!({
            "tier": "key", "name": "made", "provider": null, "limit": 1.5, "spent": 0.0, "reserved": 0.0, "left": 1.5,
            "period": "1d", "style": "rolling", "zone": null, "hard": false,
            "window_start": null, "window_end": null, "opens_at": null,
        });
        assert_eq!(told, expected);
        assert_eq!(of_key["next"], json!(null));
    });
}

#[test]
fn usage_is_summed_by_what_is_asked_for() {
    let folder = Folder::new("admin");
    fill(&folder, 4);
    with_plane(&folder, async |plane| {
        let stretch = "from=2023-11-14&to=2023-11-16";
        for (group, expected) in [
            ("", json!([])),
            ("key", json!(["gone"])),
            ("customer,day", json!(["acme", "2023-11-14"])),
            ("tag:project,team", json!(["nightly", null])),
        ] {
            let told = plane
                .get(&format!("/api/usage?group={group}&{stretch}"))
                .await
                .json();
            let row = &told["data"][0];
            assert_eq!(row["group"], expected, "{told}");
            assert_eq!(
                (&row["attempts"], &row["charged_nano_dollars"]),
                (&json!(5), &json!(5_000_000))
            );
            assert_eq!(told["from"], "2023-11-14T00:00:00Z");
        }
        let none = plane.get("/api/usage?group=key").await.json();
        assert_eq!(none["data"], json!([]), "the last thirty days");
        for (query, param) in [
            ("group=colour", "group"),
            ("group=tag:", "group"),
            ("group=key,key,key,key,key", "group"),
            ("from=2024-01-02&to=2024-01-01", "from"),
            ("from=soon", "from"),
        ] {
            let answer = plane.get(&format!("/api/usage?{query}")).await;
            assert_eq!(
                refused(&answer),
                (400, "invalid_value".to_owned(), Some(param.to_owned())),
                "{query}"
            );
        }
    });
}

#[test]
fn the_ledger_is_exported_whole_and_begins_no_formula() {
    let folder = Folder::new("admin");
    fill(&folder, 4_500);
    with_plane(&folder, async |plane| {
        let csv = plane.get("/api/ledger?format=csv").await;
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        let text = csv.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4_502);
        assert!(lines[0].starts_with("number,id,state,"));
        let heads = lines.iter().filter(|line| line.starts_with("number,"));
        assert_eq!(heads.count(), 1);
        assert!(lines[1].contains(",\"'=cmd()\","), "{}", lines[1]);
        let mut numbers: Vec<&str> = lines[1..]
            .iter()
            .map(|line| line.split(',').next().unwrap())
            .collect();
        numbers.dedup();
        assert_eq!(numbers.len(), 4_501);
        let some = plane
            .get("/api/ledger?format=csv&limit=10&after=5&state=settled")
            .await
            .text();
        assert_eq!(some.lines().count(), 11);

        let count = async |query: &str| {
            let json = plane.get(&format!("/api/ledger?{query}")).await.json();
            json["data"].as_array().unwrap().len()
        };
        assert_eq!(count("limit=1000").await, 1_000);
        assert_eq!(count("state=in_doubt").await, 1);
        assert_eq!(count("key=gone&limit=3").await, 3);
        assert_eq!(count("key=nobody").await, 0);
        assert_eq!(count("to=2023-11-14").await, 0);
        assert_eq!(count("from=2023-11-15").await, 0);
        assert_eq!(
            pages(&plane, "/api/ledger?limit=1000", "id")
                .await
                .concat()
                .len(),
            4_501
        );
    });
}

#[test]
fn what_the_file_hides_is_told_and_comes_back() {
    let folder = Folder::new("admin");
    let hiding = governed(&folder).with("[keys.app]\nsecret = \"fedcba9876543210\"\nmodels = []");
    let run = async |spec: Spec, make: bool| {
        let bench = Bench::start(&spec.text(), None).await;
        let mut client = Client::open(bench.gateway.admin).await;
        if make {
            let body = json!({"name": "app", "tags": {"a": "b"}}).to_string();
            client.call(&Call::post("/api/keys", body)).await;
        }
        let diff = client.call(&Call::get("/api/config/diff")).await.json();
        let of_app = |row: &&Value| row["name"] == "app";
        let rows: Vec<Value> = diff["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(of_app)
            .cloned()
            .collect();
        let remove = Call::get("/api/keys/app").method("DELETE");
        let removed = client.call(&remove).await;
        let hidden = Call::get("/api/keys/app?hidden=true").method("DELETE");
        let both = (removed.status, client.call(&hidden).await.status);
        (rows, both)
    };
    let first = governed(&folder);
    let made = paused(|| async {
        let bench = Bench::start(&first.text(), None).await;
        let body = json!({"name": "app", "tags": {"a": "b"}}).to_string();
        Client::open(bench.gateway.admin)
            .await
            .call(&Call::post("/api/keys", body))
            .await
            .status
    });
    assert_eq!(made, 201);
    let (rows, statuses) = paused(|| run(hiding, false));
    assert_eq!(rows[0]["state"], "live");
    assert_eq!(
        (
            &rows[1]["state"],
            &rows[1]["declared_at"],
            &rows[1]["differs_in"]
        ),
        (&json!("hidden"), &json!("api"), &json!(["models", "tags"]))
    );
    assert_eq!(statuses, (409, 204));
    let (rows, _) = paused(|| run(governed(&folder), true));
    assert_eq!((rows.len(), &rows[0]["state"]), (1, &json!("live")));
}
