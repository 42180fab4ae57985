//! Is what is written what was agreed?
//!
//! `asked-<client>.txt` is what each provider is asked for that client's request, and what is lost on the way;
//! `told-<client>.txt` what that client is told of each provider's answer, whole and streamed;
//! `refused-<client>.txt` what it is told of each provider's refusal, and what the route is taken to have done.

use std::fmt::Write as _;
use std::path::Path;

use scoring::outcome::Outcome;
use serde_json::Value;
use trimtab::dialects::{classify, convert, words};

use crate::case::{CLIENTS, Case, TALKERS, format, frame, meant, target};
use crate::streams;

#[test]
fn providers_are_asked_what_was_agreed() {
    let mut wrong = Vec::new();
    for case in Case::all() {
        for client in case.asks.keys() {
            let meant = meant(client, case.ask(client).as_bytes());
            let mut text = String::new();
            for provider in providers(&case) {
                let (body, losses) = convert::write(format(provider), &meant, &target(provider));
                let lost: Vec<_> = losses.names().collect();
                let grave = losses.of_meaning();
                let _ = write!(text, "=== {provider}");
                if !lost.is_empty() {
                    let _ = write!(text, ", without {}", lost.join(", "));
                }
                if let Some(grave) = grave {
                    let _ = write!(text, "; not asked at all for want of {grave}");
                }
                let _ = writeln!(text, "\n{}", pretty(&body));
            }
            let file = case.folder.join(format!("asked-{client}.txt"));
            wrong.extend(differs(&file, &text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn clients_are_told_what_was_agreed() {
    let mut wrong = Vec::new();
    for case in Case::all() {
        if case.answers.is_empty() && case.streams.is_empty() {
            continue;
        }
        for client in case.clients() {
            let asked = case.ask(client).as_bytes();
            let meant = meant(client, asked);
            let mut text = String::new();
            for (provider, answer) in &case.answers {
                let formats = (format(provider), format(client));
                let told = convert::carry(formats, answer.as_bytes(), &meant, &frame(), asked);
                let (body, usage) =
                    told.unwrap_or_else(|why| panic!("{}: {provider}: {why}", case.name));
                let _ = writeln!(text, "=== {provider}\n{}", pretty(&body));
                let _ = writeln!(
                    text,
                    "--- {} in, {} out",
                    known(usage.input),
                    known(usage.output)
                );
            }
            for (provider, stream) in &case.streams {
                let told = streams::told(&case, client, provider, std::slice::from_ref(stream));
                let _ = writeln!(text, "=== {provider} stream\n{told}");
            }
            let file = case.folder.join(format!("told-{client}.txt"));
            wrong.extend(differs(&file, &text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn clients_are_refused_as_was_agreed() {
    let mut wrong = Vec::new();
    for case in Case::all().iter().filter(|case| !case.refusals.is_empty()) {
        for client in CLIENTS {
            let mut text = String::new();
            for (title, body) in &case.refusals {
                let told = refused(client, title, body.trim_end());
                let _ = writeln!(text, "=== {title}\n{}\n--- {told}", body.trim_end());
            }
            let file = case.folder.join(format!("refused-{client}.txt"));
            wrong.extend(differs(&file, &text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a client is told where a provider refuses, by its status and the kind of its error.
fn refused(client: &str, title: &str, body: &str) -> String {
    let mut words = title.split(' ');
    let provider = format(words.next().unwrap());
    let status: u16 = words.next().unwrap().parse().unwrap();
    let response = http::Response::builder().status(status);
    let response = match words.next() {
        Some(kind) => response.header("x-amzn-errortype", kind),
        None => response,
    };
    let (head, body) = response.body(body.to_owned()).unwrap().into_parts();
    let (bytes, verdict) = if status == 200 {
        let bytes = words::error_in_stream(provider, body.as_bytes());
        let verdict = classify::error_in_success(&bytes);
        (bytes, verdict)
    } else {
        let bytes = words::refusal(provider, &head, body.into());
        let verdict = classify::refusal(head.status, &bytes);
        (bytes, verdict)
    };
    let surface = format(client).surface().unwrap();
    let own = provider.surface() == Some(surface) && surface.is_error(&bytes);
    let theirs = !verdict.failure.is_of_account() && verdict.outcome != Outcome::KeyRejected;
    let (status, retry) = verdict.failure.status();
    let outcome = verdict.outcome;
    if own && theirs {
        return format!("{outcome:?}, in the provider's own words");
    }
    let told = surface.error(verdict.failure, &words::said(verdict, &bytes), "req_1");
    let told = String::from_utf8(told.to_vec()).unwrap();
    format!("{outcome:?}: {}, {retry:?}\n{told}", status.as_u16())
}

fn known(count: Option<u32>) -> String {
    count.map_or("?".to_owned(), |count| count.to_string())
}

/// The providers that a case is about.
fn providers(case: &Case) -> Vec<&'static str> {
    match case.name.as_str() {
        "embed" => vec!["embeddings", "gemini_embeds", "cohere_embed"],
        "rerank" => vec!["cohere_rerank"],
        _ => TALKERS.to_vec(),
    }
}

/// Longest line of JSON that is not split, bytes.
const LINE: usize = 110;

fn pretty(json: &[u8]) -> String {
    let value: Value = serde_json::from_slice(json)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(json)));
    let mut out = String::new();
    lay_out(&value, 0, &mut out);
    out
}

/// Writes a value on one line where it fits, else its members each on a line of its own.
fn lay_out(value: &Value, indent: usize, out: &mut String) {
    let line = value.to_string();
    if indent + line.len() <= LINE || !(value.is_object() || value.is_array()) {
        out.push_str(&line);
        return;
    }
    let members: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (format!("{name:?}: "), value))
            .collect(),
        _ => value
            .as_array()
            .into_iter()
            .flatten()
            .map(|value| (String::new(), value))
            .collect(),
    };
    let (open, close) = if value.is_object() {
        ('{', '}')
    } else {
        ('[', ']')
    };
    out.push(open);
    let last = members.len() - 1;
    for (place, (name, value)) in members.into_iter().enumerate() {
        let _ = write!(out, "\n{:indent$}  {name}", "");
        lay_out(value, indent + 2, out);
        if place < last {
            out.push(',');
        }
    }
    let _ = write!(out, "\n{:indent$}{close}", "");
}

/// The first line in which a file differs from what it should be; with `UPDATE=1` it is written instead.
fn differs(file: &Path, text: &str) -> Option<String> {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, text).unwrap();
        return None;
    }
    let agreed = std::fs::read_to_string(file).unwrap_or_default();
    if agreed == text {
        return None;
    }
    let lines = agreed.lines().chain(std::iter::repeat("(end)"));
    let mut pairs = lines.zip(text.lines().chain(["(end)"])).enumerate();
    let (at, (agreed, found)) = pairs.find(|(_, (agreed, found))| agreed != found)?;
    let file = file.display();
    Some(format!(
        "{file}:{}\n  agreed: {agreed}\n  found:  {found}",
        at + 1
    ))
}
