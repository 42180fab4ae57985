//! A client that asks for a stream is told how far its pictures are.

use std::time::Duration;

use serde_json::{Value, json};

use super::{PACE, draw, model, submitted_and_cancelled, vendor};
use crate::support::{Answer, Ended, Spec, bench};

/// The comments and the events of a stream of pictures.
fn read(answer: &Answer) -> (Vec<String>, Vec<(String, Value)>) {
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let (mut comments, mut events) = (Vec::new(), Vec::new());
    for block in answer.text().split_terminator("\n\n") {
        if let Some(comment) = block.strip_prefix(": ") {
            comments.push(comment.to_owned());
            continue;
        }
        let (name, data) = match block.split_once('\n') {
            Some((name, data)) => (name.strip_prefix("event: ").unwrap(), data),
            None => ("", block),
        };
        let data = data.strip_prefix("data: ").unwrap();
        events.push((name.to_owned(), serde_json::from_str(data).unwrap()));
    }
    (comments, events)
}

#[test]
fn progress_comes_before_the_picture() {
    for (dialect, name) in [
        ("fal", "fal-ai/flux/dev"),
        ("replicate", "black-forest-labs/flux-dev"),
        ("bfl", "flux-dev"),
    ] {
        let script = "ttft = \"6s\"\ntpot = \"200ms\"";
        let spec = model(vendor(Spec::new(), dialect, script), &[(dialect, name)]);
        bench(&spec, async |bench| {
            let answer = bench.call(&draw(json!({"stream": true}))).await;
            assert_eq!((answer.status, answer.ended), (200, Ended::Whole));
            let (comments, events) = read(&answer);
            assert!(comments.len() >= 3, "{dialect}: {comments:?}");
            let early = answer.arrivals[0].1;
            assert!(early < Duration::from_secs(6), "{dialect}: {early:?}");
            let [(name, event)] = events.as_slice() else {
                panic!("{dialect}: {events:?}");
            };
            assert_eq!(name, "image_generation.completed");
            assert_eq!(event["type"], "image_generation.completed");
            assert!(event["b64_json"].as_str().unwrap().starts_with("iVBOR"));
            assert_eq!(submitted_and_cancelled(&bench, dialect), (1, 0));
            assert_eq!(bench.in_flight(), 0);
        });
    }
}

#[test]
fn a_vendor_without_jobs_is_waited_for_aloud() {
    let script = "ttft = \"40s\"\ntpot = \"1ms\"";
    let spec = vendor(Spec::new(), "stability", script);
    let spec = model(spec, &[("stability", "sd3.5-large")]);
    bench(&spec, async |bench| {
        let answer = bench.call(&draw(json!({"stream": true}))).await;
        let (comments, events) = read(&answer);
        assert_eq!(comments, ["waiting", "waiting"]);
        assert_eq!(events.len(), 1);
    });
}

/// A failure before anything was said is an answer of its own, and another vendor may follow.
#[test]
fn before_the_beginning_all_is_as_ever() {
    let down = format!("{PACE}\nfaults = [{{ from = \"0s\", kind = \"down\" }}]");
    let spec = vendor(Spec::new(), "bfl", &down);
    let alone = model(spec.clone(), &[("bfl", "flux-dev")]);
    bench(&alone, async |bench| {
        let answer = bench.call(&draw(json!({"stream": true}))).await;
        assert_eq!(answer.status, 502, "{answer:?}");
    });
    let spec = vendor(spec, "fal", PACE);
    let spec = model(spec, &[("bfl", "flux-dev"), ("fal", "fal-ai/flux/dev")]);
    bench(&spec, async |bench| {
        let answer = bench.call(&draw(json!({"stream": true}))).await;
        assert_eq!(answer.header("x-trimtab-attempts"), Some("2"));
        assert_eq!(read(&answer).1.len(), 1);
    });
}

/// A failure after that is an event, and the transfer does not end cleanly.
#[test]
fn after_the_beginning_a_failure_is_an_event() {
    let fault = format!("{PACE}\nfaults = [{{ from = \"0s\", kind = \"content-policy\" }}]");
    let spec = vendor(Spec::new(), "bfl", &fault);
    let spec = model(spec, &[("bfl", "flux-dev")]);
    bench(&spec, async |bench| {
        let answer = bench.call(&draw(json!({"stream": true}))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_ne!(answer.ended, Ended::Whole);
        let (comments, events) = read(&answer);
        assert!(!comments.is_empty());
        let [(name, event)] = events.as_slice() else {
            panic!("{events:?}");
        };
        assert_eq!(name, "");
        assert_eq!(event["error"]["code"], "moderation_blocked");
        let metrics = bench.metrics().await;
        let count = metrics.sum("router_requests_total", &["client_error"]);
        assert!((count - 1.0).abs() < 0.1, "{}", metrics.0);
    });
}

/// OpenAI's own stream follows where a vendor's attempt came to nothing, with comments before it or without.
#[test]
fn a_provider_of_openais_words_may_follow() {
    let slow = format!("{PACE}\nfaults = [{{ from = \"0s\", kind = \"503\" }}]");
    let spec = vendor(Spec::new(), "bfl", &slow).stand_in("plain", "ttft = \"1s\"");
    let spec = model(spec, &[("bfl", "flux-dev"), ("plain", "gpt-image-1")]);
    bench(&spec, async |bench| {
        let answer = bench.call(&draw(json!({"stream": true}))).await;
        assert_eq!((answer.status, answer.ended), (200, Ended::Whole));
        assert!(
            answer
                .header("x-trimtab-route")
                .unwrap()
                .starts_with("plain/")
        );
        assert!(answer.text().contains("image_generation.completed"));
    });
}
