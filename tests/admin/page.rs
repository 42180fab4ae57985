//! Who gets the dashboard's files? Everybody who means this listener; its data only with the token.

use super::{Folder, governed};
use crate::support::{Bench, Client, paused};

const TOKEN: &str = "admin-token-0123456789";

#[test]
fn files_need_no_token_and_data_does() {
    let folder = Folder::new("admin");
    let text = governed(&folder)
        .text()
        .replace("[admin]", &format!("[admin]\ntoken = \"{TOKEN}\""));
    paused(|| async move {
        let bench = Bench::start(&text, None).await;
        let ask = async |start: &str, headers: &str| {
            let mut client = Client::open(bench.gateway.admin).await;
            let raw = format!("{start} HTTP/1.1\r\n{headers}\r\n");
            client.send(raw.as_bytes()).await;
            client.answer().await
        };
        let own = "host: 127.0.0.1\r\n";
        let reader = "host: 127.0.0.1\r\naccept: text/html\r\n";

        let page = ask("GET /", reader).await;
        assert_eq!(page.status, 200);
        assert!(page.text().starts_with("<!doctype html>"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        let tag = page.header("etag").unwrap().to_owned();
        let kept = format!("{reader}if-none-match: {tag}\r\n");
        assert_eq!(ask("GET /", &kept).await.status, 304);

        assert_eq!(ask("GET /ui/app.js", own).await.status, 200);
        assert_eq!(ask("GET /ui/none.js", own).await.status, 404);
        assert_eq!(ask("GET /ui/..%2f..%2fmod.rs", own).await.status, 404);
        assert_eq!(ask("POST /ui/app.js", own).await.status, 401);

        assert_eq!(ask("GET /", own).await.status, 401);
        assert_eq!(ask("GET /api/routes", reader).await.status, 401);
        assert_eq!(ask("GET /metrics", reader).await.status, 401);
        let known = format!("{own}authorization: Bearer {TOKEN}\r\n");
        assert_eq!(ask("GET /api/routes", &known).await.status, 200);

        let rebound = "host: evil.example\r\naccept: text/html\r\n";
        assert_eq!(ask("GET /", rebound).await.status, 403);
        let foreign = format!("{reader}origin: http://evil.example\r\n");
        assert_eq!(ask("GET /ui/app.js", &foreign).await.status, 403);
    });
}
