//! What became of requests, and why did one go where it went?
//!
//! # Invariants
//! - What is said of a choice stands in the decision that was made; nothing is worked out anew here.

use std::fmt::Write as _;

use serde_json::Value;

use crate::clock;

use super::options::{Requests, Why};
use super::remote::{Plane, encoded};
use super::table::{Side, clean, dollars, table};
use super::{ConsoleError, Said, printed};

/// What stands for nothing.
const NONE: &str = "-";

/// Candidates of a decision that are shown, at most.
const MOST_SHOWN: usize = 16;

/// Lists requests.
pub(super) async fn list(plane: &Plane, options: &Requests) -> Result<Said, ConsoleError> {
    let path = format!("/api/requests?{}", query(options)?);
    let told = plane.get(&path).await?;
    if options.remote.json {
        return Ok(printed(&told).into());
    }
    let remarks = match (&told["complete"], told["next"].as_str()) {
        (Value::Bool(false), Some(next)) => format!(
            "looked through {} requests in the time there is; go on with --before {next}\n",
            told["scanned"]
        ),
        (_, Some(next)) => format!("there are more; go on with --before {next}\n"),
        _ => String::new(),
    };
    Ok(Said {
        text: rows(&told),
        remarks: clean_lines(&remarks),
    })
}

/// The query that the options are.
fn query(options: &Requests) -> Result<String, ConsoleError> {
    let since = options.since.as_deref().map(since).transpose()?;
    let number = |number: Option<u64>| number.map(|it| it.to_string());
    let asked = [
        ("key", options.key.clone()),
        ("team", options.team.clone()),
        ("customer", options.customer.clone()),
        ("model", options.model.clone()),
        ("route", options.route.clone()),
        ("provider", options.provider.clone()),
        ("workflow", options.workflow.clone()),
        ("ending", options.ending.clone()),
        ("error", options.error.clone()),
        ("session", options.session.clone()),
        ("q", options.id.clone()),
        ("status", options.status.map(|it| it.to_string())),
        ("min_ms", number(options.min_ms)),
        ("stream", options.stream.then(|| "true".to_owned())),
        ("before", options.before.clone()),
        ("from", since),
        ("limit", Some(options.limit.to_string())),
    ];
    let given = asked.into_iter().filter_map(|(name, value)| {
        let value = value?;
        Some(format!("{name}={}", encoded(&value)))
    });
    Ok(given.collect::<Vec<_>>().join("&"))
}

/// The instant that a while ago was, or one that is written out.
fn since(text: &str) -> Result<String, ConsoleError> {
    let (digits, unit) =
        text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        // An instant or a day, which the gateway reads.
        _ => return Ok(text.to_owned()),
    };
    let count: i64 = digits.parse().map_err(|_| {
        ConsoleError::Senseless(format!(
            "--since {text:?} is no while such as 30s, 15m, 1h or 7d"
        ))
    })?;
    let ago = count.saturating_mul(seconds);
    Ok(instant(
        clock::unix_seconds()
            .saturating_sub(ago)
            .saturating_mul(1_000_000),
    ))
}

/// An instant as people read it, to the second.
fn instant(micros: i64) -> String {
    let at = jiff::Timestamp::from_second(micros.div_euclid(1_000_000));
    at.map_or_else(|_| NONE.to_owned(), |at| at.to_string())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| NONE.to_owned(), clean)
}

fn ms(value: &Value) -> String {
    match value.as_f64() {
        None => NONE.to_owned(),
        Some(ms) if ms >= 10_000.0 => format!("{:.1} s", ms / 1e3),
        Some(ms) if ms >= 10.0 => format!("{ms:.0} ms"),
        Some(ms) => format!("{ms:.2} ms"),
    }
}

fn count(value: &Value) -> String {
    value.as_u64().unwrap_or(0).to_string()
}

fn cost(value: &Value) -> String {
    match value.as_f64() {
        Some(amount) if amount > 0.0 && amount < 0.01 => format!("${amount:.6}"),
        Some(amount) => dollars(amount),
        None => NONE.to_owned(),
    }
}

fn rows(told: &Value) -> String {
    let all = told["requests"].as_array().map_or(&[][..], Vec::as_slice);
    if all.is_empty() {
        return "no such requests\n".to_owned();
    }
    let heads = [
        ("ENDED", Side::Left),
        ("ID", Side::Left),
        ("KEY", Side::Left),
        ("MODEL", Side::Left),
        ("ROUTE", Side::Left),
        ("TRIES", Side::Right),
        ("STATUS", Side::Right),
        ("TOOK", Side::Right),
        ("IN", Side::Right),
        ("OUT", Side::Right),
        ("COST", Side::Right),
        ("WHAT", Side::Left),
    ];
    let row = |row: &Value| {
        let took = row["took_ms"].as_f64().unwrap_or(0.0) * 1e3;
        let ended = row["at_us"].as_f64().unwrap_or(0.0) + took;
        let what = match (row["error"].as_str(), row["cache"].as_str()) {
            (Some(error), _) => error.to_owned(),
            (None, Some(cache)) => format!("ok, {cache}"),
            (None, None) => text(&row["ending"]),
        };
        let model = row["model"].as_str().or(row["asked"].as_str());
        vec![
            instant(ended as i64),
            text(&row["id"]),
            text(&row["key"]),
            model.unwrap_or(NONE).to_owned(),
            text(&row["route"]),
            count(&row["attempts"]),
            count(&row["status"]),
            ms(&row["took_ms"]),
            count(&row["tokens_in"]),
            count(&row["tokens_out"]),
            cost(&row["cost"]),
            what,
        ]
    };
    table(&heads, &all.iter().map(row).collect::<Vec<_>>())
}

/// Explains one request.
pub(super) async fn why(plane: &Plane, options: &Why) -> Result<Said, ConsoleError> {
    let told = plane
        .get(&format!("/api/requests/{}", encoded(&options.id)))
        .await?;
    if options.remote.json {
        return Ok(printed(&told).into());
    }
    Ok(explained(&told).into())
}

/// A request in sentences.
fn explained(told: &Value) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{}", asked(told));
    let legs = told["legs"].as_array().map_or(&[][..], Vec::as_slice);
    let decisions = told["decisions"].as_array().map_or(&[][..], Vec::as_slice);
    if legs.is_empty() {
        let _ = writeln!(out, "No provider was asked.");
    }
    for (index, leg) in legs.iter().enumerate() {
        let _ = writeln!(out, "\n{}. {}", index + 1, text(&leg["route"]));
        let _ = writeln!(out, "   {}", chosen(leg));
        if let Some(decision) = decision_of(decisions, leg) {
            stood_out(&mut out, decision);
        }
        let _ = writeln!(out, "   {}", outcome(leg));
    }
    for shed in decisions
        .iter()
        .filter(|it| it["picked"]["route"].is_null())
    {
        let _ = writeln!(out, "\nNo route was left to choose from.");
        stood_out(&mut out, shed);
    }
    if decisions.is_empty() && !legs.is_empty() {
        let _ = writeln!(
            out,
            "\nThe other candidates were not kept: `explain` in [requests] says of how many requests they are, and `x-trimtab-explain: 1` asks for them."
        );
    }
    let _ = writeln!(out, "\n{}", ended(told));
    out
}

fn asked(told: &Value) -> String {
    let who = match told["key"].as_str() {
        Some(key) => format!("key {}", clean(key)),
        None => "a client".to_owned(),
    };
    let what = match (told["model"].as_str(), told["asked"].as_str()) {
        (Some(model), _) => format!("the model {}", clean(model)),
        (None, Some(asked)) => format!("the model {}, which does not exist", clean(asked)),
        (None, None) => "something that names no model".to_owned(),
    };
    let stream = match told["stream"].as_bool() {
        Some(true) => " as a stream",
        _ => "",
    };
    format!(
        "{}: at {} {who} asked for {what} ({}{stream}).",
        text(&told["id"]),
        instant(told["at_us"].as_i64().unwrap_or(0)),
        text(&told["endpoint"]),
    )
}

/// Why an attempt went there.
fn chosen(leg: &Value) -> String {
    let how = match leg["mode"].as_str().unwrap_or_default() {
        "followed" => "its session was there before",
        "explored" => "to learn how it does",
        "probe" => "to find out whether it has recovered",
        "hot" => "it is nearly full, but no other was better",
        "panic" => "every candidate was set aside, and it fails least",
        _ => "drawn from the best",
    };
    let terms: Vec<String> = terms(&leg["terms_ms"]);
    format!(
        "Chosen: {how}, with a chance of {:.1} %; score {:.2}. Expected cost: {}.",
        leg["propensity"].as_f64().unwrap_or(0.0) * 100.0,
        leg["score"].as_f64().unwrap_or(0.0),
        if terms.is_empty() {
            "nothing known yet".to_owned()
        } else {
            terms.join(", ")
        },
    )
}

/// The terms that count, each in ms.
fn terms(terms: &Value) -> Vec<String> {
    let all = [
        "latency",
        "drift",
        "utilisation",
        "failure",
        "price",
        "affinity",
    ];
    let shown = all.iter().filter_map(|name| {
        let value = terms[*name].as_f64().filter(|it| it.abs() >= 0.005)?;
        Some(format!("{name} {value:.2} ms"))
    });
    shown.collect()
}

/// The decision that an attempt came of.
fn decision_of<'a>(decisions: &'a [Value], leg: &Value) -> Option<&'a Value> {
    let of = |decision: &&Value| decision["picked"]["route"] == leg["route"];
    decisions.iter().find(of)
}

/// The candidates of a decision, and what stood out of them.
fn stood_out(out: &mut String, decision: &Value) {
    let candidates = decision["candidates"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    for candidate in candidates.iter().take(MOST_SHOWN) {
        let _ = writeln!(out, "   - {}", stands(candidate));
    }
    if let Some(more) = candidates
        .len()
        .checked_sub(MOST_SHOWN)
        .filter(|it| *it > 0)
    {
        let _ = writeln!(out, "   - and {more} more");
    }
}

/// How a candidate stood.
fn stands(candidate: &Value) -> String {
    let route = text(&candidate["route"]);
    let why = match candidate["gate"].as_str().unwrap_or_default() {
        "full" => "was left out: a ceiling leaves no room for this request",
        "blocked" => "was left out: its provider asked to wait",
        "open" => "was left out: its circuit is open",
        "held" => "was left out: its key was rejected",
        "incapable" => "was left out: it cannot serve this request",
        "tried" => "was left out: this request was sent there already",
        gate => {
            let cost = candidate["cost_ms"].as_f64().unwrap_or(0.0);
            let mut line = format!(
                "{route}: chance {:.1} %, score {:.2}, expected cost {cost:.1} ms",
                candidate["p"].as_f64().unwrap_or(0.0) * 100.0,
                candidate["score"].as_f64().unwrap_or(0.0),
            );
            let terms = terms(&candidate["terms_ms"]);
            if !terms.is_empty() {
                let _ = write!(line, " ({})", terms.join(", "));
            }
            match gate {
                "recovering" => line.push_str("; recovering, so it gets a part of its weight"),
                "hot" => line.push_str("; nearly full, so it is used last"),
                _ if candidate["in_band"] == false => line.push_str("; too dear to be drawn"),
                _ => {}
            }
            return line;
        }
    };
    format!("{route} {why}")
}

/// What became of an attempt.
fn outcome(leg: &Value) -> String {
    let status = match leg["status"].as_u64() {
        Some(status) => format!(" with status {status}"),
        None => String::new(),
    };
    let first = match leg["ttft_ms"].as_f64() {
        Some(_) => format!(", first token after {}", ms(&leg["ttft_ms"])),
        None => String::new(),
    };
    format!(
        "Began after {}, took {}{first}; {}{status}; {} tokens in, {} out; {}.",
        ms(&leg["began_ms"]),
        ms(&leg["took_ms"]),
        text(&leg["outcome"]).replace('_', " "),
        count(&leg["tokens_in"]),
        count(&leg["tokens_out"]),
        cost(&leg["cost"]),
    )
}

/// How it ended.
fn ended(told: &Value) -> String {
    let why = match told["error"].as_str() {
        Some(error) => format!(": {}", clean(error)),
        None => String::new(),
    };
    let cache = match told["cache"].as_str() {
        Some(cache) => format!(", cache {}", clean(cache)),
        None => String::new(),
    };
    let saved = match told["saved"].as_f64() {
        Some(saved) if saved > 0.0 => format!(", saved {}", cost(&told["saved"])),
        _ => String::new(),
    };
    format!(
        "It ended with status {} ({}{why}{cache}) after {}, of which {} µs were the gateway's; it did cost {}{saved}.",
        count(&told["status"]),
        text(&told["ending"]),
        ms(&told["took_ms"]),
        count(&told["overhead_us"]),
        cost(&told["cost"]),
    )
}

/// Lines without other control characters.
fn clean_lines(text: &str) -> String {
    text.lines().map(|line| clean(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_while_ago_is_an_instant() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("1h", 3_600), ("7d", 604_800)] {
            let told: jiff::Timestamp = since(text).unwrap().parse().unwrap();
            let expected = clock::unix_seconds() - seconds;
            assert!((told.as_second() - expected).abs() <= 1, "{text}");
        }
        assert_eq!(since("2026-01-31").unwrap(), "2026-01-31");
        assert!(since("xh").is_err());
        assert_eq!(since("").unwrap(), "");
        assert_eq!(since("ü").unwrap(), "ü");
    }

    #[test]
    fn a_request_is_explained_in_sentences() {
        let told = json!({
            "id": "abc\u{1b}[31m", "at_us": 1_700_000_000_000_000_i64, "key": "ci", "model": "main", "endpoint": "chat",
            "stream": true, "status": 200, "ending": "ok", "took_ms": 812.5, "overhead_us": 40, "cost": 0.0012, "saved": 0.0,
            "legs": [
                {"route": "alpha/m/k", "mode": "normal", "propensity": 0.5, "score": 1.0, "terms_ms": {"latency": 300.0, "failure": 0.0},
                 "began_ms": 0.02, "took_ms": 12.0, "outcome": "server_error", "status": 503, "cost": 0.0},
                {"route": "gamma/m/k", "mode": "normal", "propensity": 1.0, "score": 1.0, "terms_ms": {}, "began_ms": 12.5,
                 "took_ms": 800.0, "ttft_ms": 100.0, "outcome": "success", "status": 200, "tokens_in": 5, "tokens_out": 7, "cost": 0.0012},
            ],
            "decisions": [{
                "picked": {"route": "alpha/m/k"},
                "candidates": [
                    {"route": "alpha/m/k", "gate": "cold", "p": 0.5, "score": 1.0, "cost_ms": 300.0, "in_band": true, "terms_ms": {"latency": 300.0}},
                    {"route": "beta/m/k", "gate": "open", "p": 0.0},
                ],
            }],
        });
        let text = explained(&told);
        for expected in [
            "abc[31m: at 2023-11-14T22:13:20Z key ci asked for the model main (chat as a stream).",
            "1. alpha/m/k",
            "with a chance of 50.0 %; score 1.00. Expected cost: latency 300.00 ms.",
            "beta/m/k was left out: its circuit is open",
            "server error with status 503",
            "2. gamma/m/k",
            "nothing known yet",
            "first token after 100 ms",
            "It ended with status 200 (ok) after 812 ms, of which 40 µs were the gateway's; it did cost $0.001200.",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
}
