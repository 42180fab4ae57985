//! The gateway's own recordings, and their writing.
//!
//! One JSON object per line, as the gateway's recorder writes it: `t_us`, `class`, `model`, `tenant`, `in`, `out`, `max_tokens`, `stream`, `deadline_ms`, `prefix`, and as observed `route`, `status`, `ttft_us`, `total_us`, `p_select`, `attempts`, `outcome`, `first`, `first_us`, `first_outcome`.
//! Lines are written as requests finish, so arrivals out of order are the rule.
//!
//! # Invariants
//! - `t_us`, `in` and `out` are needed; whatever else is missing or null is not known.
//! - What [`write_line`] writes reads back as the same request, but that prefix blocks which name no session are lost unless there is only one, and a deadline is cut to whole ms.

use std::io::{self, Write};

use scoring::time::Span;
use scoring::{Class, Outcome};
use serde::{Deserialize, Serialize};

use super::gather::{Entry, Flaw, Gather};
use super::when::LATEST_US;
use super::{TraceError, json};
use crate::trace::{Request, Seen, Trace};

#[derive(Debug, Deserialize, Serialize)]
struct Line<'a> {
    t_us: u64,
    #[serde(default, borrow)]
    class: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow)]
    model: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow)]
    tenant: Option<std::borrow::Cow<'a, str>>,
    #[serde(rename = "in")]
    input: u32,
    #[serde(rename = "out")]
    output: u32,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    deadline_ms: Option<u64>,
    #[serde(default)]
    prefix: Option<u64>,
    #[serde(default, borrow)]
    route: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    ttft_us: Option<u64>,
    #[serde(default)]
    total_us: Option<u64>,
    #[serde(default)]
    p_select: Option<f32>,
    #[serde(default)]
    attempts: Option<u32>,
    #[serde(default, borrow)]
    outcome: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow)]
    first: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    first_us: Option<u64>,
    #[serde(default, borrow)]
    first_outcome: Option<std::borrow::Cow<'a, str>>,
}

/// Reads it.
///
/// # Errors
/// See [`TraceError`].
pub(super) fn read(source: impl io::Read, gather: &mut Gather) -> Result<(), TraceError> {
    let mut lines = json::Lines::new(source);
    while let Some((number, bytes)) = lines.next(gather)? {
        let parsed = serde_json::from_slice::<Line<'_>>(bytes);
        let entry = match &parsed {
            Ok(line) => entry(line, bytes),
            Err(error) => Err(json::flaw(error)),
        };
        gather.take(number, entry)?;
    }
    Ok(())
}

fn entry<'a>(line: &'a Line<'_>, bytes: &[u8]) -> Result<Entry<'a>, Flaw> {
    if line.t_us > LATEST_US {
        return Err(json::flaw_of(bytes, "t_us", "is beyond the year 9999"));
    }
    let class = match line.class.as_deref() {
        Some(name) => named(Class::ALL, Class::name, name)
            .ok_or_else(|| json::flaw_of(bytes, "class", "is no class of requests"))?,
        None if line.stream == Some(false) => Class::Chat,
        None => Class::ChatStream,
    };
    let outcome = |key: &str, name: Option<&str>| {
        let known = name.map(|name| {
            named(Outcome::ALL, Outcome::name, name)
                .ok_or_else(|| json::flaw_of(bytes, key, "is no outcome of an attempt"))
        });
        known.transpose()
    };
    let chance = line.p_select.filter(|it| !(0.0..=1.0).contains(it));
    if chance.is_some() {
        return Err(json::flaw_of(bytes, "p_select", "is outside 0 to 1"));
    }
    let seen = Seen {
        route: None,
        status: line.status.unwrap_or_default(),
        outcome: outcome("outcome", line.outcome.as_deref())?,
        ttft: line.ttft_us.map(Span::from_micros),
        total: line.total_us.map(Span::from_micros),
        p_select: line.p_select,
        attempts: line.attempts.unwrap_or_default(),
        first: None,
        first_took: line.first_us.map(Span::from_micros),
        first_outcome: outcome("first_outcome", line.first_outcome.as_deref())?,
    };
    Ok(Entry {
        class,
        max_tokens: line.max_tokens,
        deadline: line.deadline_ms.map(Span::from_millis),
        session: line.prefix,
        model: line.model.as_deref(),
        tenant: line.tenant.as_deref(),
        route: line.route.as_deref(),
        first: line.first.as_deref(),
        seen: Some(seen),
        ..Entry::chat(line.t_us, line.input, line.output)
    })
}

/// The one of `all` that is called `name`.
fn named<T: Copy, const N: usize>(
    all: [T; N],
    name_of: fn(T) -> &'static str,
    name: &str,
) -> Option<T> {
    all.into_iter().find(|&it| name_of(it) == name)
}

/// Writes one request of `trace`, with what was seen of it, as a line of a recording.
///
/// # Errors
/// Those of `out`.
pub fn write_line(out: &mut impl Write, trace: &Trace, index: usize) -> io::Result<()> {
    let Some(request) = trace.requests.get(index) else {
        return Ok(());
    };
    let line = line_of(trace, request, trace.seen.get(index));
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    out.write_all(&text)
}

/// Writes every request of `trace` as a recording.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    (0..trace.requests.len()).try_for_each(|index| write_line(out, trace, index))
}

fn line_of<'a>(trace: &'a Trace, request: &Request, seen: Option<&Seen>) -> Line<'a> {
    let name = |names: &'a [String], index: u16| {
        let name = names.get(usize::from(index));
        name.map(|it| std::borrow::Cow::Borrowed(it.as_str()))
    };
    let prefix = match trace.blocks_of(request) {
        [one] => Some(*one),
        _ => trace.session_of(request),
    };
    let route = |route: Option<u16>| route.and_then(|it| name(&trace.routes, it));
    Line {
        t_us: request.at.as_micros(),
        class: Some(request.class.name().into()),
        model: name(&trace.models, request.model),
        tenant: name(&trace.tenants, request.tenant),
        input: request.input,
        output: request.output,
        max_tokens: request.max_tokens,
        stream: Some(request.class.streams()),
        deadline_ms: request.deadline.map(|it| it.as_micros() / 1_000),
        prefix,
        route: route(seen.and_then(|it| it.route)),
        status: seen.map(|it| it.status),
        ttft_us: seen.and_then(|it| it.ttft).map(Span::as_micros),
        total_us: seen.and_then(|it| it.total).map(Span::as_micros),
        p_select: seen.and_then(|it| it.p_select),
        attempts: seen.map(|it| it.attempts),
        outcome: seen.and_then(|it| it.outcome).map(|it| it.name().into()),
        first: route(seen.and_then(|it| it.first)),
        first_us: seen.and_then(|it| it.first_took).map(Span::as_micros),
        first_outcome: seen
            .and_then(|it| it.first_outcome)
            .map(|it| it.name().into()),
    }
}
