//! Does every stream keep the rules whose breach clients do not forgive, whoever answers?
//!
//! What an SDK throws on, or silently cuts an answer short for, is a rule here and not only a line in a golden file.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::case::Case;
use crate::streams::told;

/// The events of a stream: the name of each, if it has one, and its data.
type Events<'a> = Vec<(Option<&'a str>, Value)>;

#[test]
fn streams_keep_the_rules_of_their_clients() {
    for case in Case::all() {
        for (provider, stream) in &case.streams {
            for client in case.clients() {
                let text = told(&case, client, provider, std::slice::from_ref(stream));
                let at = format!("{}: {provider} to {client}", case.name);
                let broken = case.name == "broken";
                // Google ends lines as HTTP does.
                let text = text.replace("\r\n", "\n");
                let (events, done) = read(&text);
                assert_eq!(done, is_openai(client) && !broken, "{at}: [DONE]");
                match client {
                    "chat" => chat(&events, broken, &at),
                    "completions" => completions(&events, broken, &at),
                    "messages" => messages(&events, broken, &at),
                    "responses" => responses(&events, broken, &at),
                    _ => generate(&events, broken, &at),
                }
            }
        }
    }
}

fn is_openai(client: &str) -> bool {
    matches!(client, "chat" | "completions")
}

fn read(text: &str) -> (Events<'_>, bool) {
    let mut done = false;
    let mut events = Vec::new();
    for event in text.split("\n\n").filter(|event| !event.is_empty()) {
        let name = event.lines().find_map(|line| line.strip_prefix("event: "));
        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
        assert!(!done, "nothing comes after [DONE]");
        match data.unwrap() {
            "[DONE]" => done = true,
            data => events.push((name, serde_json::from_str(data).unwrap())),
        }
    }
    (events, done)
}

/// The events but for the error that ends a broken stream.
fn before_error<'e>(events: &'e Events<'_>, broken: bool, at: &str) -> Vec<&'e Value> {
    let mut all: Vec<_> = events.iter().map(|(_, data)| data).collect();
    if broken {
        let error = &all.pop().unwrap()["error"];
        assert!(error["message"].is_string(), "{at}: {error}");
    }
    assert!(all.iter().all(|data| data.get("error").is_none()), "{at}");
    all
}

/// A whole envelope in every chunk, the role in the first, a call's id and name once, one finish, usage in the last alone.
fn chat(events: &Events<'_>, broken: bool, at: &str) {
    assert!(events.iter().all(|(name, _)| name.is_none()), "{at}");
    let chunks = before_error(events, broken, at);
    let mut named = BTreeMap::<u64, u32>::new();
    let mut finishes = 0;
    for (place, chunk) in chunks.iter().enumerate() {
        for field in ["id", "object", "created", "model", "choices"] {
            assert!(chunk.get(field).is_some(), "{at}: no {field} in {chunk}");
        }
        let last = place + 1 == chunks.len() && !broken;
        assert_eq!(chunk["usage"].is_object(), last, "{at}: {chunk}");
        let choice = &chunk["choices"][0];
        let role = choice["delta"]["role"] == "assistant";
        assert_eq!(role, place == 0, "{at}: {chunk}");
        finishes += u32::from(choice["finish_reason"].is_string());
        for call in choice["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let index = call["index"].as_u64().unwrap();
            let first = !named.contains_key(&index);
            assert_eq!(call["id"].is_string(), first, "{at}: {call}");
            assert_eq!(call["function"]["name"].is_string(), first, "{at}: {call}");
            *named.entry(index).or_default() += 1;
        }
    }
    let indices: Vec<_> = named.keys().copied().collect();
    assert_eq!(
        indices,
        (0..indices.len() as u64).collect::<Vec<_>>(),
        "{at}"
    );
    assert_eq!(finishes, u32::from(!broken), "{at}: finishes");
}

fn completions(events: &Events<'_>, broken: bool, at: &str) {
    let chunks = before_error(events, broken, at);
    let reasons = chunks.iter().map(|it| &it["choices"][0]["finish_reason"]);
    let finishes = reasons.filter(|reason| reason.is_string()).count();
    assert_eq!(finishes, usize::from(!broken), "{at}: finishes");
    let told = chunks.last().is_some_and(|last| last["usage"].is_object());
    assert_eq!(told, !broken, "{at}: usage");
}

/// Named events; blocks one after the other, each within its start and its stop; one delta of the message, then its stop.
fn messages(events: &Events<'_>, broken: bool, at: &str) {
    let (mut open, mut next) = (None, 0);
    let mut kinds = Vec::new();
    for (name, data) in events {
        let kind = data["type"].as_str().unwrap();
        assert_eq!(*name, Some(kind), "{at}");
        match kind {
            "content_block_start" => {
                assert_eq!((open, data["index"].as_u64()), (None, Some(next)), "{at}");
                let block = &data["content_block"];
                let empty = serde_json::json!({});
                assert!(
                    block["type"] != "tool_use" || block["input"] == empty,
                    "{at}"
                );
                (open, next) = (Some(next), next + 1);
            }
            "content_block_delta" => assert_eq!(open, data["index"].as_u64(), "{at}"),
            "content_block_stop" => assert_eq!(open.take(), data["index"].as_u64(), "{at}"),
            _ => kinds.push(kind),
        }
        if let Some(usage) = data.get("usage").or(data["message"].get("usage")) {
            let counts = ["input_tokens", "output_tokens", "cache_read_input_tokens"];
            assert!(
                counts.iter().all(|name| usage[*name].is_u64()),
                "{at}: {usage}"
            );
        }
    }
    let end = match broken {
        true => vec!["message_start", "error"],
        false => vec!["message_start", "message_delta", "message_stop"],
    };
    assert_eq!(kinds, end, "{at}");
    assert!(broken || open.is_none(), "{at}: a block is left open");
}

/// Numbers without a gap; items that keep their ids, each told of, then done; one end, which repeats them.
fn responses(events: &Events<'_>, broken: bool, at: &str) {
    let mut ids = BTreeMap::new();
    let mut done = Vec::new();
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!(*name, data["type"].as_str(), "{at}");
        assert_eq!(data["sequence_number"], number, "{at}");
        let Some(index) = data["output_index"].as_u64() else {
            continue;
        };
        let id = data.get("item_id").unwrap_or(&data["item"]["id"]);
        if data["type"] == "response.output_item.added" {
            assert!(ids.insert(index, id).is_none(), "{at}: {data}");
        }
        assert_eq!(ids.get(&index), Some(&id), "{at}: {data}");
        if data["type"] == "response.output_item.done" {
            done.push((index, &data["item"]));
        }
    }
    let response = &events.last().unwrap().1["response"];
    let failed = response["status"] == "failed";
    assert_eq!(failed, broken, "{at}");
    if broken {
        assert!(response["error"]["message"].is_string(), "{at}");
        return;
    }
    done.sort_by_key(|(index, _)| *index);
    let items: Vec<_> = done.into_iter().map(|(_, item)| item.clone()).collect();
    assert_eq!(response["output"], Value::Array(items), "{at}");
    assert!(response["usage"]["total_tokens"].is_u64(), "{at}");
}

fn generate(events: &Events<'_>, broken: bool, at: &str) {
    let chunks = before_error(events, broken, at);
    let reasons = chunks.iter().map(|it| &it["candidates"][0]["finishReason"]);
    let finishes = reasons.filter(|reason| reason.is_string()).count();
    assert_eq!(finishes, usize::from(!broken), "{at}: finishes");
    let told = chunks
        .last()
        .is_some_and(|it| it["usageMetadata"].is_object());
    assert_eq!(told, !broken, "{at}: usage");
}
