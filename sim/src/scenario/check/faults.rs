//! What goes wrong, and when.
//!
//! # Invariants
//! - A ramp and a period have an end.

use std::collections::BTreeMap;

use scoring::time::Span;

use super::Checker;
use crate::scenario::raw::RawFault;
use crate::scenario::{Fault, FaultKind, Route};

impl Checker {
    pub(super) fn fault(&mut self, place: &str, raw: &RawFault, routes: &[Route]) -> Fault {
        let mut on = Vec::new();
        for name in &raw.on {
            let fits = |route: &Route| {
                route.name == *name
                    || route.parent.split('@').next() == Some(name.as_str())
                    || route.parent == *name
            };
            let before = on.len();
            on.extend((0..routes.len()).filter(|&index| fits(&routes[index])));
            if on.len() == before {
                self.wrong(
                    &format!("{place}.on"),
                    format!("{name:?} is no route, provider or provider@region"),
                );
            }
        }
        on.sort_unstable();
        on.dedup();
        let kind = raw.kind.as_deref().and_then(|name| match kind(name) {
            Ok(kind) => Some(kind),
            Err(words) => {
                self.wrong(&format!("{place}.kind"), words);
                None
            }
        });
        let until = raw.until.map(|it| it.0);
        if until.is_some_and(|until| until <= raw.from.0) {
            self.wrong(&format!("{place}.until"), "is not after `from`");
        }
        let ramps = raw.probability_to.is_some() || raw.latency_factor_to.is_some();
        if until.is_none() && (ramps || raw.every.is_some()) {
            self.wrong(
                &format!("{place}.until"),
                "is missing: a ramp or a period needs an end",
            );
        }
        if let (Some(every), Some(until)) = (raw.every, until)
            && every.0 < until
        {
            self.wrong(&format!("{place}.every"), "is shorter than `until`");
        }
        let probability_to = raw.probability_to.unwrap_or(raw.probability);
        let latency_to = raw.latency_factor_to.unwrap_or(raw.latency_factor);
        self.within(&format!("{place}.probability"), raw.probability, 0.0, 1.0);
        self.within(&format!("{place}.probability_to"), probability_to, 0.0, 1.0);
        self.within(
            &format!("{place}.latency_factor"),
            raw.latency_factor,
            1e-3,
            1e4,
        );
        self.within(&format!("{place}.latency_factor_to"), latency_to, 1e-3, 1e4);
        Fault {
            on,
            from: raw.from.0,
            until,
            every: raw.every.map(|it| it.0),
            kind,
            probability: raw.probability,
            probability_to,
            latency: raw.latency_factor,
            latency_to,
            delay: raw.delay.0,
        }
    }
}

/// From the first fault's beginning to the last one's end.
pub(super) fn incident(faults: &[Fault], duration: Span) -> Option<(Span, Span)> {
    let from = faults.iter().map(|it| it.from).min()?;
    let end = |it: &Fault| match (it.every, it.until) {
        (None, Some(until)) => until.min(duration),
        _ => duration,
    };
    Some((from, faults.iter().map(end).max()?))
}

/// The kind of fault that a name stands for.
pub(super) fn kind(name: &str) -> Result<FaultKind, String> {
    let (word, number) = match name.rsplit_once('-') {
        Some((word, number))
            if number.bytes().all(|it| it.is_ascii_digit()) && !number.is_empty() =>
        {
            (word, number.parse::<u32>().ok())
        }
        _ => (name, None),
    };
    let known: BTreeMap<&str, FaultKind> = BTreeMap::from([
        ("500", FaultKind::Error),
        ("502", FaultKind::Error),
        ("504", FaultKind::Error),
        ("html", FaultKind::Error),
        ("503", FaultKind::Overloaded),
        ("529", FaultKind::Overloaded),
        ("429-busy", FaultKind::Overloaded),
        ("429", FaultKind::Limited(None)),
        ("401", FaultKind::KeyRejected),
        ("403", FaultKind::KeyRejected),
        ("429-quota", FaultKind::KeyRejected),
        ("404", FaultKind::Unsupported),
        ("reset", FaultKind::Reset),
        ("unreachable", FaultKind::Unreachable),
        ("silence", FaultKind::Silence),
    ]);
    if let Some(kind) = known.get(name) {
        return Ok(*kind);
    }
    match (word, number) {
        ("429-after", number) => Ok(FaultKind::Limited(Some(Span::from_secs(
            number.unwrap_or(2).into(),
        )))),
        ("429-ms", number) => Ok(FaultKind::Limited(Some(Span::from_millis(
            number.unwrap_or(1_500).into(),
        )))),
        ("late", number) => Ok(FaultKind::Late(number.unwrap_or(20))),
        ("cut", number) => Ok(FaultKind::Cut(number.unwrap_or(40))),
        _ => {
            let names: Vec<_> = known.keys().copied().collect();
            Err(format!(
                "{name:?} is none of {}, 429-after-N, 429-ms-N, late-N, cut-N",
                names.join(", ")
            ))
        }
    }
}
