//! A vendor's own API through the gateway: bytes unchanged in both directions, but for the key.

use std::time::Duration;

use super::{PACE, as_told, vendor};
use crate::support::{Bench, Call, Raw, Reply, Spec, bench, paused};

/// Every byte there is, and what ends lines and forms.
fn odd() -> Vec<u8> {
    let all = (0..=255).cycle().take(70_000);
    all.chain(*b"\r\n--edge--\r\n").collect()
}

#[test]
fn bytes_pass_unchanged_with_the_vendors_own_key() {
    for (dialect, header, value) in [
        ("stability", "authorization", "Bearer sk-1"),
        ("fal", "authorization", "Key sk-1"),
        ("replicate", "authorization", "Bearer sk-1"),
        ("bfl", "x-key", "sk-1"),
        ("together", "authorization", "Bearer sk-1"),
        ("fireworks", "authorization", "Bearer sk-1"),
        ("cohere", "authorization", "Bearer sk-1"),
        ("anthropic", "x-api-key", "sk-1"),
        ("gemini", "x-goog-api-key", "sk-1"),
        ("openai", "authorization", "Bearer sk-1"),
    ] {
        paused(|| async move {
            let kind = "content-type: image/webp\r\nfinish-reason: SUCCESS\r\nseed: 7\r\n";
            let raw = Raw::start(Reply::new("200 OK", kind, &odd())).await;
            let spec = Spec::new().with(&format!(
                "[providers.own]\n{}\nbase_url = \"http://{}/base\"\nkeys = [{{ name = \"key\", secret = \"sk-1\" }}]\n\
                 [models.m]\nroutes = [{{ provider = \"own\" }}]",
                as_told(dialect),
                raw.address
            ));
            let bench = Bench::start(&spec.stand_in("idle", "").text(), None).await;
            let form = "multipart/form-data; boundary=edge";
            let path = "/passthrough/own/deep/er?a=1&b=%20";
            let call = Call::form(path, form, odd())
                .header("x-key", "client")
                .header("accept", "image/*");
            let answer = bench.call(&call).await;
            assert_eq!(
                (answer.status, answer.body == odd()),
                (200, true),
                "{dialect}"
            );
            assert_eq!(answer.header("content-type"), Some("image/webp"));
            assert_eq!(answer.header("finish-reason"), Some("SUCCESS"));
            let heard = raw.only();
            assert!(
                heard.head.starts_with("POST /base/deep/er?a=1&b=%20 "),
                "{}",
                heard.head
            );
            assert!(heard.body == odd(), "{dialect}");
            assert_eq!(heard.header(header), Some(value), "{dialect}");
            assert_eq!(heard.header("content-type"), Some(form));
            assert_eq!(heard.header("accept"), Some("image/*"));
        });
    }
}

#[test]
fn answers_stream_as_they_come() {
    paused(|| async {
        let pieces: [&[u8]; 3] = [b"data: 1\n\n", b"\0\xff", b"data: 3\n\n"];
        let raw = Raw::start(Reply::stream(&pieces, Duration::from_secs(2))).await;
        let spec = Spec::new().with(&format!(
            "[providers.own]\ndialect = \"fal\"\nbase_url = \"http://{}\"\n[models.m]\nroutes = [{{ provider = \"own\" }}]",
            raw.address
        ));
        let bench = Bench::start(&spec.stand_in("idle", "").text(), None).await;
        let answer = bench.call(&Call::get("/passthrough/own/stream")).await;
        assert_eq!(answer.body, pieces.concat());
        let times: Vec<u64> = answer.arrivals.iter().map(|(_, at)| at.as_secs()).collect();
        assert!(
            times.contains(&2) && times.contains(&4) && times.contains(&6),
            "{times:?}"
        );
    });
}

/// A whole job of a vendor's own, by its own API.
#[test]
fn a_job_can_be_driven_by_hand() {
    let spec =
        vendor(Spec::new(), "fal", PACE).with("[models.m]\nroutes = [{ provider = \"fal\" }]");
    bench(&spec, async |bench| {
        let submit = Call::post("/passthrough/fal/fal-ai/flux/dev", "{\"prompt\":\"a cat\"}");
        let job = bench.call(&submit).await.json();
        let id = job["request_id"].as_str().unwrap();
        let at = format!("/passthrough/fal/fal-ai/flux/requests/{id}");
        let status = bench.get(&format!("{at}/status")).await;
        assert_eq!(
            (status.status, &status.json()["status"]),
            (202, &"IN_QUEUE".into())
        );
        let cancel = Call::get(&format!("{at}/cancel")).method("PUT");
        assert_eq!(bench.call(&cancel).await.status, 202);
    });
}
