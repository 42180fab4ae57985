//! How is a change told to an operator? One plain sentence each.
//!
//! # Invariants
//! - Every sentence begins with what it is about, says what has changed, and then why.

use scoring::Class;
use scoring::ceiling::{CeilingView, Dimension, HoldReason, Source};
use scoring::health::State;
use scoring::route::RouteView;
use scoring::time::{Span, Time};

use super::sample::Recent;

/// Kinds of failures that are named, at most.
const NAMED: usize = 2;

/// A change of state: what was told, trips of the circuit since, and what is.
pub(super) fn state(
    name: &str,
    (from, trips): (State, u64),
    (view, recent): (&RouteView, &Recent),
    left_out: u32,
) -> String {
    let to = view.state;
    let mut text = if from == to {
        let times = times(trips);
        format!(
            "{name}: still {}, but set aside {times} between two looks",
            to.name()
        )
    } else {
        format!("{name}: {} -> {}", from.name(), to.name())
    };
    if let Some(why) = why(from, view, recent) {
        text.push_str(": ");
        text.push_str(&why);
    }
    if left_out > 0 {
        text.push_str(&format!("; {left_out} changes in between are not told"));
    }
    text
}

fn why(from: State, view: &RouteView, recent: &Recent) -> Option<String> {
    match view.state {
        State::Open | State::Probing => {
            let next = match view.state {
                State::Probing => Some("one request at a time tries it".to_owned()),
                _ => view.wait.map(|wait| format!("next try in {}", span(wait))),
            };
            let parts = [failures(recent), parent(view), next];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            (!parts.is_empty()).then(|| parts.join("; "))
        }
        State::Degraded => slow(view),
        State::Recovering => Some(format!(
            "a try succeeded; it gets {} of its weight",
            percent(f64::from(view.share))
        )),
        State::Healthy if from == State::Degraded => Some("as fast as it used to be".to_owned()),
        State::Healthy => {
            let (all, failed) = recent.failures();
            let window = span(Span::from_secs_f64(recent.seconds));
            let good = all - failed;
            (all > 0).then(|| format!("{good} of {all} attempts succeeded in the last {window}"))
        }
        State::Drained => Some("an operator wants no traffic there".to_owned()),
        State::KeyHeld => Some(next("its key was rejected", view)),
        State::Unsupported => Some(next("it says that it cannot serve this model", view)),
    }
}

fn next(why: &str, view: &RouteView) -> String {
    match view.wait {
        Some(wait) => format!("{why}; next try in {}", span(wait)),
        None => why.to_owned(),
    }
}

/// How many attempts failed, and how.
fn failures(recent: &Recent) -> Option<String> {
    let (all, failed) = recent.failures();
    if failed == 0 {
        return None;
    }
    let kinds = recent.kinds();
    let named: Vec<String> = match kinds.as_slice() {
        [(only, _)] => vec![only.name().to_owned()],
        several => several
            .iter()
            .take(NAMED)
            .map(|(outcome, count)| format!("{} ({count})", outcome.name()))
            .collect(),
    };
    let window = span(Span::from_secs_f64(recent.seconds));
    let named = named.join(" and ");
    Some(format!(
        "{failed} of {all} attempts failed with {named} in the last {window}"
    ))
}

fn parent(view: &RouteView) -> Option<String> {
    let told = "other routes of the provider and region failed at the same time";
    view.parent_tripped.then(|| told.to_owned())
}

/// How much slower than usual, in the class that is slowest.
fn slow(view: &RouteView) -> Option<String> {
    let classes = Class::ALL.iter().zip(&view.classes);
    let slow = classes.filter(|(_, class)| class.degraded);
    let worst =
        slow.max_by(|(_, one), (_, other)| one.against_baseline.total_cmp(&other.against_baseline));
    let (class, view) = worst?;
    Some(format!(
        "answers take {:.1} times as long as they used to ({})",
        view.against_baseline,
        class.name()
    ))
}

/// What has changed of a ceiling.
pub(super) fn ceiling(
    dimension: Dimension,
    was: Option<&CeilingView>,
    is: Option<&CeilingView>,
) -> String {
    let unit = match dimension {
        Dimension::Requests => "requests/min",
        Dimension::Tokens => "tokens/min",
        Dimension::InputTokens => "input tokens/min",
        Dimension::OutputTokens => "output tokens/min",
        Dimension::Concurrency => "requests at once",
    };
    let limit = |ceiling: &CeilingView| count(ceiling.limit);
    match (was, is) {
        (None, Some(is)) => format!("ceiling of {} {unit}, {}", limit(is), source(is.source)),
        (Some(was), Some(is)) => format!(
            "ceiling of {unit} {} -> {}, {}",
            limit(was),
            limit(is),
            source(is.source)
        ),
        (Some(was), None) => format!("ceiling of {} {unit} is no longer assumed", limit(was)),
        (None, None) => String::new(),
    }
}

const fn source(source: Source) -> &'static str {
    match source {
        Source::Told => "as configured",
        Source::Header => "as the provider's headers say",
        Source::Body => "as a refusal says",
        Source::Learned => "learned from refusals",
        Source::Operator => "as an operator says",
    }
}

/// A hold that begins, changes or ends.
pub(super) fn hold(
    name: &str,
    was: Option<(Time, HoldReason)>,
    is: Option<(Time, HoldReason)>,
    now: Time,
) -> String {
    match (was, is) {
        (_, Some((until, reason))) => {
            let (left, why) = (span(until.since(now)), because(reason));
            format!("{name}: held for {left}: {why}; it is asked again then")
        }
        (Some((_, reason)), None) => {
            format!("{name}: no longer held ({})", reason.name())
        }
        (None, None) => format!("{name}: was held for a moment"),
    }
}

const fn because(reason: HoldReason) -> &'static str {
    match reason {
        HoldReason::RetryAfter => "the provider said how long to wait",
        HoldReason::Quota => "a quota of an hour or longer is used up",
        HoldReason::Window => "what a window allows is used up",
        HoldReason::Pause => "it refused for its limits without saying how long",
    }
}

/// A length of time as people say it.
pub(super) fn span(span: Span) -> String {
    let seconds = span.as_secs_f64();
    match seconds {
        0.0..9.95 => format!("{seconds:.1} s").replace(".0 s", " s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7_200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

/// A part as people say it.
pub(super) fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent > 0.0 && percent < 10.0 {
        return format!("{percent:.1} %").replace(".0 %", " %");
    }
    format!("{percent:.0} %")
}

/// A whole number with its thousands apart.
fn count(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        for (seconds, said) in [
            (0.25, "0.2 s"),
            (8.0, "8 s"),
            (59.6, "60 s"),
            (600.0, "10 min"),
            (9_000.0, "2.5 h"),
        ] {
            assert_eq!(span(Span::from_secs_f64(seconds)), said);
        }
        for (part, said) in [
            (0.0, "0 %"),
            (0.034, "3.4 %"),
            (0.5, "50 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(part), said);
        }
        for (value, said) in [(0.4, "0"), (500.0, "500"), (12_345.6, "12,346")] {
            assert_eq!(count(value), said);
        }
    }
}
