//! `/metrics`: what is read at a scrape, and in which format it is told.
//!
//! # Invariants
//! - Reading takes no lock that a request waits for.
//! - Whoever says nothing of formats, as `curl` does, gets Prometheus' text.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Response};
use scoring::latency::Class;
use scoring::route::{Ask, RouteView};
use scoring::select::{self, Tried};
use scoring::time::Time;

use super::api::Outgoing;
use crate::clock;
use crate::governance::office::Office;
use crate::observe::Sheet;
use crate::observe::metrics::{self as names, Format};
use crate::observe::process;
use crate::proxy::Shared;
use crate::routing::Model;

/// Input tokens of the request that routes are scored for: that of an ordinary turn of a chat.
const TYPICAL_INPUT: u32 = 512;

/// Routes up to which those with nothing in flight are shown as well.
const FEW_ROUTES: usize = 1_024;

/// Answers a scrape in the format that it prefers.
pub(super) fn answer(
    shared: &Shared,
    office: Option<&Arc<Office>>,
    headers: &HeaderMap,
) -> Response<Outgoing> {
    let format = preferred(headers);
    let now = clock::now();
    shared.metrics().prune(now);
    let body = shared.metrics().expose(format, read(shared, office, now));
    let mut response = Response::new(Outgoing::whole(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind(format)));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// The content type of a format.
const fn kind(format: Format) -> &'static str {
    match format {
        Format::Text => "text/plain; version=0.0.4; charset=utf-8",
        Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        Format::Protobuf => {
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        }
    }
}

/// The format that the `Accept` headers like best; of those that they like alike the first.
fn preferred(headers: &HeaderMap) -> Format {
    let mut best = (Format::Text, 0.0);
    let lines = headers.get_all(ACCEPT).into_iter();
    let ranges = lines.filter_map(|line| line.to_str().ok());
    for range in ranges.flat_map(|line| line.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut delimited, mut version) = (1.0, false, "");
        for part in parts {
            match part.split_once('=') {
                Some(("q", q)) => quality = q.parse().unwrap_or(0.0),
                Some(("encoding", encoding)) => delimited = encoding == "delimited",
                Some(("version", told)) => version = told,
                _ => {}
            }
        }
        let format = match kind.as_str() {
            "application/vnd.google.protobuf" if delimited => Format::Protobuf,
            "application/openmetrics-text" if version.is_empty() || version == "1.0.0" => {
                Format::OpenMetrics
            }
            "text/plain" | "text/*" | "*/*" => Format::Text,
            _ => continue,
        };
        if quality > best.1 {
            best = (format, quality);
        }
    }
    best.0
}

/// Everything that nobody counts.
fn read(shared: &Shared, office: Option<&Arc<Office>>, now: Time) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.set(names::RETRY_BUDGET, shared.budget.left(now));
    routes(shared, now, &mut sheet);
    models(shared, now, &mut sheet);
    if let Some(live) = office.and_then(|office| office.live().ok()) {
        for view in live.budgets() {
            let provider = view.provider.as_deref().unwrap_or_default();
            let period = view.budget.schedule.length.to_string();
            let labels = [view.payer.word(), view.name.as_str(), provider, &period];
            let limit = view.budget.limit.dollars();
            let taken = view.spent.plus(view.reserved).dollars();
            let share = if limit > 0.0 { taken / limit } else { 1.0 };
            sheet.add(names::BUDGET_RATIO, &labels, share);
            sheet.add(names::BUDGET_LIMIT, &labels, limit);
        }
    }
    cache(shared, &mut sheet);
    process::read(&mut sheet);
    sheet
}

/// A share with as many places as mean anything.
fn short(share: f32) -> f64 {
    (f64::from(share) * 1e4).round() / 1e4
}

/// What every route is and does.
fn routes(shared: &Shared, now: Time, sheet: &mut Sheet) {
    let mut dropped = 0;
    let all = shared.lasting.registry.all();
    let are_few = all.len() <= FEW_ROUTES;
    for (identity, route) in all {
        let name = identity.to_string();
        let view = route.view(now);
        dropped += view.dropped;
        if are_few || view.inflight > 0 {
            sheet.add(names::INFLIGHT_ATTEMPTS, &[&name], view.inflight.into());
        }
        let state = f64::from(view.state as u8);
        sheet.add(names::CIRCUIT, &[&name], state);
        limits(&name, &view, now, sheet);
    }
    sheet.set(names::UPDATES_DROPPED, dropped as f64);
}

fn limits(name: &str, view: &RouteView, now: Time, sheet: &mut Sheet) {
    if view.ceilings.ceilings.iter().any(Option::is_some) {
        let utilisation = short(view.ceilings.utilisation);
        sheet.add(names::UTILISATION, &[name], utilisation);
    }
    for ceiling in view.ceilings.ceilings.iter().flatten() {
        let dimension = ceiling.dimension.name();
        sheet.add(names::REMAINING, &[name, dimension], ceiling.headroom);
        let labels = [name, dimension, ceiling.source.name()];
        sheet.add(names::LIMIT, &labels, ceiling.limit);
    }
    if let Some((until, reason)) = view.ceilings.hold {
        let left = until.since(now).as_secs_f64();
        sheet.add(names::HOLD, &[name, reason.name()], left);
    }
}

/// The score of every route on its largest model, and what the operator's weights give it on each.
fn models(shared: &Shared, now: Time, sheet: &mut Sheet) {
    let serving = shared.serving.load();
    let mut models: Vec<&Model> = serving.routing.models.iter().collect();
    models.sort_by_key(|model| std::cmp::Reverse(model.targets.len()));
    let mut scored = std::collections::HashSet::new();
    for model in models {
        let candidates = model.pool.candidates();
        let all: f32 = candidates.iter().map(|it| it.weight).sum();
        let named = model.targets.iter().map(|it| it.identity.to_string());
        let named: Vec<String> = named.collect();
        for (name, candidate) in named.iter().zip(candidates) {
            let share = f64::from(candidate.weight / all.max(f32::MIN_POSITIVE));
            sheet.add(names::WEIGHT, &[&model.name, name], share);
        }
        if named.iter().all(|name| scored.contains(name)) {
            continue;
        }
        let explained = select::explain(&model.pool, &typical(model, now), &Tried::default(), now);
        for candidate in &explained.candidates {
            if let Some(name) = named.get(candidate.index)
                && scored.insert(name.clone())
            {
                sheet.add(names::SCORE, &[name], short(candidate.score));
            }
        }
    }
}

/// A request as the model mostly serves them.
fn typical(model: &Model, now: Time) -> Ask {
    let mut counts = [0; Class::COUNT];
    for target in &model.targets {
        let view = target.route.view(now);
        for (count, class) in counts.iter_mut().zip(&view.classes) {
            *count += usize::from(class.measured);
        }
    }
    let most = Class::ALL
        .iter()
        .zip(counts)
        .max_by_key(|(_, count)| *count);
    Ask {
        class: match most {
            Some((class, count)) if count > 0 => *class,
            _ => Class::ChatStream,
        },
        input_tokens: TYPICAL_INPUT,
        max_tokens: None,
        deadline: None,
        probe_ok: false,
        affinity: None,
    }
}

fn cache(shared: &Shared, sheet: &mut Sheet) {
    let library = &shared.lasting.library;
    let (entries, bytes) = library.shelf().size();
    sheet.set(names::CACHE_ENTRIES, entries as f64);
    sheet.set(names::CACHE_BYTES, bytes as f64);
    sheet.set(names::CACHE_JOBS_DROPPED, library.jobs().dropped() as f64);
    sheet.set(names::CACHE_NOT_WRITTEN, library.lost() as f64);
    for standing in library.audit().standings(None) {
        let workflow = standing.workflow.as_str();
        let verdicts = [
            ("same", standing.same),
            ("different", standing.different),
            ("unsure", standing.unsure),
        ];
        for (verdict, count) in verdicts {
            sheet.add(names::CACHE_AUDITS, &[workflow, verdict], count as f64);
        }
        if let Some(share) = standing.estimate.share {
            sheet.add(names::CACHE_DRIFT, &[workflow], share);
        }
        let dollars = |nano: u64| nano as f64 / 1e9;
        let saved = dollars(standing.saved_nano);
        sheet.add(names::CACHE_AUDIT_SAVED, &[workflow], saved);
        let spent = dollars(standing.spent_nano);
        sheet.add(names::CACHE_AUDIT_SPENT, &[workflow], spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_gets_what_it_prefers() {
        let check = |accept: &str, expected: Format| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            assert_eq!(preferred(&headers), expected, "{accept}");
        };
        assert_eq!(preferred(&HeaderMap::new()), Format::Text);
        check("*/*", Format::Text);
        check("text/html, */*;q=0.1", Format::Text);
        // What Prometheus 2 and 3 send, without and with native histograms.
        let plain = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        check(plain, Format::OpenMetrics);
        let native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5";
        check(native, Format::Protobuf);
        check(
            "application/vnd.google.protobuf;encoding=text",
            Format::Text,
        );
        check("text/plain;version=0.0.4", Format::Text);
        check("application/openmetrics-text;q=0", Format::Text);
    }
}
