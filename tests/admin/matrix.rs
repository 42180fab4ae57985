//! Who may ask what: every documented route, by every way of asking.

use serde_json::Value;

use super::{Folder, governed};
use crate::support::{Bench, Call, Client, paused};

const TOKEN: &str = "admin-token-0123456789";

/// Every method and path that is documented, with a value for each parameter.
fn routes(document: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{name}", "nobody")
            .replace("{route}", "nobody")
            .replace("{dimension}", "requests")
            .replace("{id}", &"0".repeat(32));
        // What never ends is asked for a little of it.
        let path = path.replace("/api/live", "/api/live?ticks=1");
        for method in methods.as_object().unwrap().keys() {
            found.push((method.to_uppercase(), path.clone()));
        }
    }
    found
}

/// A request as bytes, with its own `Host`.
fn raw(method: &str, path: &str, headers: &str) -> Vec<u8> {
    let body = if method == "GET" || method == "DELETE" {
        ""
    } else {
        "{}"
    };
    format!(
        "{method} {path} HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[test]
fn every_route_by_every_way_of_asking() {
    let folder = Folder::new("admin");
    let text = governed(&folder)
        .text()
        .replace("[admin]", &format!("[admin]\ntoken = \"{TOKEN}\""));
    paused(|| async move {
        let bench = Bench::start(&text, None).await;
        let admin = bench.gateway.admin;
        let good = format!("authorization: Bearer {TOKEN}\r\n");
        let document =
            Call::get("/api/openapi.json").header("authorization", &format!("Bearer {TOKEN}"));
        let document = Client::open(admin).await.call(&document).await.json();
        let routes = routes(&document);
        assert!(routes.len() >= 30, "{}", routes.len());
        let json = "content-type: application/json\r\n";
        for (method, path) in &routes {
            let ask = async |headers: &str| {
                let mut client = Client::open(admin).await;
                client.send(&raw(method, path, headers)).await;
                client.answer().await.status
            };
            let what = format!("{method} {path}");
            let host = "host: localhost\r\n";
            assert_eq!(ask(&format!("{host}{json}")).await, 401, "{what}: no token");
            for bad in [
                "Bearer x",
                "Bearer",
                "",
                &format!("Basic {TOKEN}"),
                &format!("Bearer {TOKEN}x"),
                TOKEN,
            ] {
                let headers = format!("{host}{json}authorization: {bad}\r\n");
                assert_eq!(ask(&headers).await, 401, "{what}: {bad}");
            }
            let foreign = format!("host: evil.example\r\n{json}{good}");
            assert_eq!(ask(&foreign).await, 403, "{what}: foreign host");
            for origin in ["http://evil.example", "null", "http://localhost:1"] {
                let headers = format!("{host}{json}{good}origin: {origin}\r\n");
                assert_eq!(ask(&headers).await, 403, "{what}: {origin}");
            }
            for site in ["cross-site", "same-site"] {
                let headers = format!("{host}{json}{good}sec-fetch-site: {site}\r\n");
                assert_eq!(ask(&headers).await, 403, "{what}: {site}");
            }
            let changes = ["POST", "PUT", "PATCH"].contains(&method.as_str());
            let form = format!("{host}{good}content-type: text/plain\r\n");
            let status = ask(&form).await;
            assert_eq!(status == 415, changes, "{what}: a form got {status}");
            let status = ask(&format!("{host}{json}{good}origin: http://localhost\r\n")).await;
            assert!(![401, 403, 405, 415].contains(&status), "{what}: {status}");
        }
        let audit = Call::get("/api/audit").header("authorization", &format!("Bearer {TOKEN}"));
        let audit = Client::open(admin).await.call(&audit).await.json();
        assert_eq!(
            audit["data"].as_array().unwrap().len(),
            0,
            "nothing was changed"
        );
        let key = Call::post("/api/keys", "{\"name\":\"x\"}")
            .header("authorization", &format!("Bearer {TOKEN}"));
        assert_eq!(Client::open(admin).await.call(&key).await.status, 201);
        let audit = Call::get("/api/audit").header("authorization", &format!("Bearer {TOKEN}"));
        let audit = Client::open(admin).await.call(&audit).await.json();
        assert_eq!(audit["data"][0]["who"], "admin.token");
    });
}
