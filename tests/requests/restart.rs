//! On disk requests outlive the gateway, with their decisions and what was said.

use serde_json::Value;

use super::{ids, kept};
use crate::support::{Bench, Call, Folder, Mode, Spec, chat, paused};

fn on_disk(folder: &Folder) -> String {
    Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"p\" }]")
        .with(&format!(
            "[requests]\nkeep = \"disk\"\ndata = {:?}\ncontent = true\nexplain = 1.0",
            folder.0
        ))
        .stand_in("p", "answer = 5")
        .text()
}

#[test]
fn requests_are_there_after_a_restart() {
    let folder = Folder::new("requests");
    let text = on_disk(&folder);
    let mut before: Vec<(String, Value)> = Vec::new();
    for life in 0..3 {
        paused(async || {
            let bench = Bench::start(&text, None).await;
            for (id, request) in &before {
                assert_eq!(kept(&bench, id).await, *request);
            }
            for number in 0..5 {
                let id = format!("{life}-{number}");
                let call = Call::chat(&chat("main", Mode::Whole)).header("x-request-id", &id);
                assert_eq!(bench.call(&call).await.status, 200);
                let request = kept(&bench, &id).await;
                assert!(request["content"]["response"].is_string(), "{request}");
                assert_eq!(request["explained"], true);
                before.push((id, request));
            }
            let all: Vec<&str> = before.iter().rev().map(|(id, _)| &**id).collect();
            assert_eq!(ids(&bench, "").await, all);
        });
    }
}

#[test]
fn a_damaged_file_is_set_aside_and_the_gateway_serves() {
    let folder = Folder::new("requests");
    std::fs::write(folder.file("requests.db"), vec![7; 9_000]).unwrap();
    let text = on_disk(&folder);
    paused(async || {
        let bench = Bench::start(&text, None).await;
        let call = Call::chat(&chat("main", Mode::Whole)).header("x-request-id", "one");
        assert_eq!(bench.call(&call).await.status, 200);
        kept_at_last(&bench, "one").await;
    });
    assert!(folder.file("requests.db.broken-1").exists());
}

/// A request, though the file may be unreadable until it is set aside.
async fn kept_at_last(bench: &Bench, id: &str) {
    for _ in 0..super::TRIES {
        let (status, _) = super::admin(bench, &format!("/api/requests/{id}")).await;
        if status == 200 {
            return;
        }
    }
    panic!("{id} is not kept");
}
