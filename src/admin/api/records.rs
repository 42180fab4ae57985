//! What became of requests, and why did each go where it went?
//!
//! # Invariants
//! - A search ends within [`SEARCH_TIME`], however much there is, and tells where to go on.
//! - Texts of clients are shown as texts of JSON, and what was said only where it was kept.

use http::StatusCode;
use scoring::time::Span;
use serde_json::{Value, json};

use crate::clock;
use crate::observe::{Ending, Fault};
use crate::store::requests::{Field, Filter, Hit, Id, Leg, Records, Row, Tokens, Wish};

use super::ask::{Ask, Form, Param};
use super::call::Reply;
use super::refusal::Refusal;
use super::routes::{FROM, Gives, LIMIT, Route, Run, TO, asked};

/// Time for a page of a search: a reader does not notice it, and a million requests are looked through in it.
const SEARCH_TIME: Span = Span::from_millis(300);

/// Time to find one request: by its id that takes some ms, and nobody goes on from there.
const FIND_TIME: Span = Span::from_secs(5);

/// The names of all faults.
const FAULTS: [&str; Fault::ALL.len()] = {
    let mut names = [""; Fault::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Fault::ALL[at].name();
        at += 1;
    }
    names
};

/// The names of all endings.
const ENDINGS: [&str; Ending::ALL.len()] = {
    let mut names = [""; Ending::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Ending::ALL[at].name();
        at += 1;
    }
    names
};

const fn text(name: &'static str, about: &'static str) -> Param {
    Param {
        name,
        about,
        form: Form::Text,
    }
}

/// What a search may be asked, beside time and page.
pub(super) const PARAMS: [Param; 17] = [
    text("key", "Only those of this virtual key."),
    text("team", "Only those of this team."),
    text("customer", "Only those of this customer."),
    text(
        "model",
        "Only those that asked for this model, whether there is one or not.",
    ),
    text("route", "Only those with an attempt on this route."),
    text("provider", "Only those with an attempt at this provider."),
    text("workflow", "Only those that entered this workflow."),
    Param {
        name: "ending",
        about: "Only those that ended so.",
        form: Form::Choice(&ENDINGS),
    },
    Param {
        name: "error",
        about: "Only those that failed for this.",
        form: Form::Choice(&FAULTS),
    },
    text(
        "cache",
        "Only those to which the cache was this, as `x-cache-status` says it.",
    ),
    text(
        "session",
        "Only those of this session: 16 digits, as a request shows it.",
    ),
    text(
        "trace",
        "Only those that are part of this trace: 32 hexadecimal digits.",
    ),
    Param {
        name: "status",
        about: "Only those that were answered with this status; 0 where the client left before.",
        form: Form::Number(0, 999),
    },
    Param {
        name: "min_ms",
        about: "Only those that took so many ms or more.",
        form: Form::Number(0, i64::MAX / 1_000),
    },
    Param {
        name: "stream",
        about: "Only streams, or none.",
        form: Form::Flag,
    },
    text("q", "Only those whose id begins so."),
    text("before", "The `next` of the page before."),
];

/// The parameters that ask for a text of a row.
const FIELDS: [(&str, Field); 10] = [
    ("key", Field::Key),
    ("team", Field::Team),
    ("customer", Field::Customer),
    ("model", Field::Model),
    ("route", Field::Route),
    ("provider", Field::Provider),
    ("workflow", Field::Workflow),
    ("ending", Field::Ending),
    ("error", Field::Fault),
    ("cache", Field::Cache),
];

/// Finds requests.
pub(super) fn list(records: &Records, ask: &Ask) -> Result<Reply, Refusal> {
    let filter = filter(ask)?;
    let before = match ask.text("before") {
        Some(cursor) => Some(hexadecimal("before", cursor, 16)? as u64),
        None => None,
    };
    let wish = Wish {
        before,
        limit: ask.limit() as usize,
    };
    let end = clock::now().plus(SEARCH_TIME);
    let page = records.search(&filter, wish, &mut || clock::now() < end)?;
    let requests = page.hits.iter().map(|hit| hit.with(shown));
    Ok(Reply::Json(json!({
        "requests": requests.collect::<Vec<Value>>(),
        "next": page.next.map(|place| format!("{place:016x}")),
        "scanned": page.scanned,
        "complete": page.complete,
    })))
}

/// Shows one request.
pub(super) fn show(records: &Records, ask: &Ask) -> Result<Reply, Refusal> {
    let hit = find(records, ask.name())?;
    let texts = records.texts(hit.place)?.unwrap_or_default();
    let mut shown = hit.with(|row, legs| {
        let mut shown = shown(row, legs);
        shown["legs"] = legs.iter().map(leg).collect();
        shown
    });
    shown["decisions"] = decisions(&texts.decisions);
    shown["content"] = texts.said.map_or(
        Value::Null,
        |said| json!({"request": said.request, "response": said.response, "cut": said.cut}),
    );
    Ok(Reply::Json(shown))
}

/// Says why a request went where it went.
pub(super) fn explain(records: &Records, ask: &Ask) -> Result<Reply, Refusal> {
    let hit = find(records, ask.name())?;
    let texts = records.texts(hit.place)?.unwrap_or_default();
    let decisions = decisions(&texts.decisions);
    let kept = decisions.as_array().is_some_and(|all| !all.is_empty());
    Ok(Reply::Json(hit.with(|row, legs| {
        json!({
            "id": id(row),
            "kept": kept,
            "decisions": decisions,
            "legs": legs.iter().map(leg).collect::<Vec<Value>>(),
        })
    })))
}

fn find(records: &Records, name: &str) -> Result<Hit, Refusal> {
    let filter = Filter {
        id: Some(Id::Exact(name.to_owned())),
        ..Filter::default()
    };
    let end = clock::now().plus(FIND_TIME);
    let wish = Wish {
        before: None,
        limit: 1,
    };
    let page = records.search(&filter, wish, &mut || clock::now() < end)?;
    let complete = page.complete;
    page.hits.into_iter().next().ok_or_else(|| match complete {
        true => {
            let message =
                "no such request is kept; those that have just ended are there within a second";
            Refusal::new(StatusCode::NOT_FOUND, "not_found", message)
        }
        false => Refusal::unavailable("the request was not found in time"),
    })
}

fn filter(ask: &Ask) -> Result<Filter, Refusal> {
    let micros = |name: &str| ask.when(name).map(|it| u64::try_from(it).unwrap_or(0));
    let texts = FIELDS
        .iter()
        .filter_map(|(name, field)| Some((*field, ask.text(name)?.to_owned())));
    let session = ask.text("session");
    let trace = ask.text("trace");
    Ok(Filter {
        from_us: micros("from"),
        to_us: micros("to"),
        texts: texts.collect(),
        status: ask.number("status").and_then(|it| u16::try_from(it).ok()),
        min_us: ask
            .number("min_ms")
            .map(|it| it.unsigned_abs().saturating_mul(1_000)),
        stream: ask.text("stream").map(|it| it == "true"),
        session: session
            .map(|it| hexadecimal("session", it, 16))
            .transpose()?
            .map(|it| it as u64),
        trace: trace.map(|it| hexadecimal("trace", it, 32)).transpose()?,
        id: ask.text("q").map(|it| Id::Prefix(it.to_owned())),
    })
}

/// A number of so many digits.
fn hexadecimal(name: &str, text: &str, digits: usize) -> Result<u128, Refusal> {
    let is_whole = text.len() == digits && text.bytes().all(|it| it.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| is_whole);
    number.ok_or_else(|| {
        let message =
            format!("{text:?} is not a valid {name}; expected {digits} hexadecimal digits");
        Refusal::invalid(name, message)
    })
}

fn decisions(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!([]))
}

fn id(row: &Row<'_>) -> String {
    let own = || format!("req-{:016x}", row.number);
    row.id.map_or_else(own, str::to_owned)
}

fn ms(micros: u64) -> f64 {
    micros as f64 / 1e3
}

fn dollars(nano: u64) -> f64 {
    nano as f64 / 1e9
}

fn share(millionths: u32) -> f64 {
    f64::from(millionths) / 1e6
}

/// A request as a list shows it.
fn shown(row: &Row<'_>, legs: &[Leg<'_>]) -> Value {
    json!({
        "number": format!("{:016x}", row.number),
        "id": id(row),
        "at_us": row.at_us,
        "took_ms": ms(row.took_us),
        "overhead_us": row.overhead_us,
        "ttft_ms": row.first_us.map(ms),
        "endpoint": row.endpoint,
        "surface": row.surface,
        "model": row.model,
        "asked": row.asked,
        "workflow": row.workflow,
        "stream": row.stream,
        "max_tokens": row.max_tokens,
        "key": row.key,
        "team": row.team,
        "customer": row.customer,
        "session": row.session.map(|it| format!("{it:016x}")),
        "status": row.status,
        "ending": row.ending,
        "error": row.fault,
        "route": legs.last().map(|leg| leg.via.route),
        "attempts": legs.len(),
        "tokens_in": row.tokens.input,
        "tokens_out": row.tokens.output,
        "tokens_cached": row.tokens.cached,
        "cost": dollars(row.cost),
        "saved": dollars(row.saved),
        "cache": row.cache,
        "trace_id": row.trace.map(|it| format!("{it:032x}")),
        "explained": row.explained,
        "content": row.content,
    })
}

/// An attempt.
fn leg(leg: &Leg<'_>) -> Value {
    let Tokens {
        input,
        cached,
        cache_write,
        output,
        reasoning,
    } = leg.tokens;
    let [latency, drift, utilisation, failure, price, affinity] =
        leg.terms_us.map(|it| it as f64 / 1e3);
    json!({
        "route": leg.via.route,
        "provider": leg.via.provider,
        "upstream_model": leg.via.model,
        "key": leg.via.key,
        "region": Some(leg.via.region).filter(|it| !it.is_empty()),
        "mode": leg.mode,
        "propensity": share(leg.propensity),
        "score": share(leg.score),
        "terms_ms": {
            "latency": latency,
            "drift": drift,
            "utilisation": utilisation,
            "failure": failure,
            "price": price,
            "affinity": affinity,
        },
        "began_ms": ms(leg.began_us),
        "sent_ms": leg.sent_us.map(ms),
        "ttft_ms": leg.first_us.map(ms),
        "took_ms": ms(leg.took_us),
        "outcome": leg.outcome,
        "status": Some(leg.status).filter(|it| *it != 0),
        "tokens_in": input,
        "tokens_cached": cached,
        "tokens_cache_write": cache_write,
        "tokens_out": output,
        "tokens_reasoning": reasoning,
        "cost": dollars(leg.cost),
    })
}

/// What is documented of it.
pub(super) fn routes() -> Vec<Route> {
    let one = |path: &str, operation: &str, about: &str, run| Route {
        about: about.to_owned(),
        refuses: &[404],
        ..asked(path, operation, Gives::Object, run)
    };
    vec![
        Route {
            about: "Lists finished requests, the last to end first. A search that finds little stops after 0.3 s with `complete` false; `next` goes on from there.".to_owned(),
            query: [&[FROM, TO, LIMIT][..], &PARAMS[..]].concat(),
            ..asked("/api/requests", "list_requests", Gives::Object, Run::Records(list))
        },
        one(
            "/api/requests/{id}",
            "get_request",
            "Shows a request, by its id (the newest of that id) or its number: its attempts, its decisions where they are kept, and what was said where that is.",
            Run::Records(show),
        ),
        one(
            "/api/explain/{id}",
            "explain_request",
            "Says why a request went where it went: every candidate where the decision was kept, else the terms of the routes that were tried.",
            Run::Records(explain),
        ),
    ]
}
