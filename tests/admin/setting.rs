//! What holds, what would hold, and reading it anew.

use serde_json::Value;

use super::governed;
use crate::support::{Bench, Call, Client, Folder, pass_ms, paused};

/// Looks until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        pass_ms(50).await;
    }
    panic!("{what}: not within ten seconds");
}

async fn ask(bench: &Bench, method: &str, path: &str) -> (u16, Value) {
    let mut client = Client::open(bench.gateway.admin).await;
    let call = match method {
        "POST" => Call::post(path, "{}".to_owned()),
        _ => Call::get(path),
    };
    let answer = client.call(&call).await;
    (answer.status, answer.json())
}

#[test]
fn the_file_is_shown_compared_and_read_anew() {
    let folder = Folder::new("setting");
    let file = folder.0.join("config.toml");
    let text = governed(&folder).text();
    std::fs::write(&file, &text).unwrap();
    let place = file.clone();
    paused(|| async move {
        let bench = Bench::start(&text, Some(place.clone())).await;
        let (status, shown) = ask(&bench, "GET", "/api/config").await;
        assert_eq!(status, 200);
        let settings = shown["settings"].as_array().unwrap().clone();
        let at = |path: &str| {
            let found = settings.iter().find(|it| it["path"] == path);
            found
                .unwrap_or_else(|| panic!("{path} is not told"))
                .clone()
        };
        assert_eq!(at("keys.ci.secret")["value"], "***");
        assert_eq!(at("keys.ci.secret")["source"], "file");
        assert_eq!(at("retry.max_attempts")["source"], "default");
        assert!(!shown.to_string().contains("0123456789abcdef"));

        let (_, same) = ask(&bench, "GET", "/api/config/pending").await;
        assert_eq!(same["changed"], Value::Array(Vec::new()), "{same}");

        std::fs::write(&place, format!("{text}\n[retry]\nmax_attempts = 2\n")).unwrap();
        let (_, other) = ask(&bench, "GET", "/api/config/pending").await;
        assert_eq!(other["changed"][0]["path"], "retry.max_attempts");
        assert_eq!(other["changed"][0]["file"], 2);

        let (status, told) = ask(&bench, "POST", "/api/config/reload").await;
        assert_eq!((status, &told["asked"]), (202, &Value::Bool(true)));
        until("the file is taken over", async || {
            let (_, shown) = ask(&bench, "GET", "/api/config").await;
            shown["reloads"]["ok"].as_u64() >= Some(1)
        })
        .await;
        let (_, same) = ask(&bench, "GET", "/api/config/pending").await;
        assert_eq!(same["changed"], Value::Array(Vec::new()), "{same}");

        std::fs::write(&place, "[retry]\nmax_attempts = 200\n").unwrap();
        let (_, wrong) = ask(&bench, "GET", "/api/config/pending").await;
        let problems = wrong["problems"].as_array().unwrap();
        assert!(!problems.is_empty(), "{wrong}");
        ask(&bench, "POST", "/api/config/reload").await;
        until("the file is refused", async || {
            let (_, shown) = ask(&bench, "GET", "/api/config").await;
            shown["reloads"]["refused"].as_u64() > Some(0)
                && shown["reloads"]["last_error"].is_string()
        })
        .await;
    });
}
