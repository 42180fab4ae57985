//! Finished requests are kept as they were, found again, and explained; what was said is kept where that is allowed.
//!
//! Requests are kept by a thread of its own, so a test asks until what it waits for is there.

mod content;
mod fields;
mod restart;

use serde_json::Value;

use crate::support::{Bench, Call, Client};

/// How often is asked for what a thread of the gateway has yet to take: about a minute.
const TRIES: usize = 20_000;

/// What the admin plane says.
async fn admin(bench: &Bench, path: &str) -> (u16, Value) {
    let mut client = Client::open(bench.gateway.admin).await;
    let answer = client.call(&Call::get(path)).await;
    (answer.status, answer.json())
}

/// A request by its id, once it is there.
pub(crate) async fn kept(bench: &Bench, id: &str) -> Value {
    for _ in 0..TRIES {
        let (status, request) = admin(bench, &format!("/api/requests/{id}")).await;
        if status == 200 {
            return request;
        }
        assert_eq!(status, 404, "{request}");
    }
    panic!("{id} is not kept");
}

/// The ids that a query finds, the newest first.
async fn ids(bench: &Bench, query: &str) -> Vec<String> {
    let (status, page) = admin(bench, &format!("/api/requests?{query}")).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["complete"], true);
    let all = page["requests"].as_array().unwrap().iter();
    all.map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}
