//! What has changed of a route since it was told of last: its state, its ceilings, its holds.
//!
//! A function of what was told, what is seen now, and when.
//! What comes too fast is put off, not lost: the next event goes from what was told last to what is then, and says how much was left out.
//!
//! # Invariants
//! - A route and a kind have at most one event in [`QUIET`].
//! - What a route is when it is first seen is no event.
//! - Whatever holds for longer than [`QUIET`] is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use scoring::Class;
use scoring::ceiling::{CeilingView, Dimension, HoldReason, Source};
use scoring::health::State;
use scoring::route::RouteView;
use scoring::time::{Span, Time};
use serde_json::{Map, Value, json};

use super::sample::{Past, Recent};
use super::sentences;
use crate::observe::events::Kind;

/// Least time between two events of one kind about one route: what changes faster is read by nobody.
pub(super) const QUIET: Span = Span::from_secs(3);

/// Part by which a ceiling must have changed to be told anew: learned ones are never still.
const MUCH: f64 = 0.05;

/// How long a route that is gone is remembered: over a reload that takes it away and one that brings it back.
const REMEMBERED: Span = Span::from_secs(600);

/// An event before it has a number.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    pub(super) route: Option<Arc<str>>,
    pub(super) what: String,
    pub(super) evidence: Map<String, Value>,
}

/// What was told of every route.
#[derive(Debug, Default)]
pub(super) struct Changes {
    faces: BTreeMap<Arc<str>, Face>,
}

/// What the routes are looked at with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance<'a> {
    pub(super) now: Time,
    /// µs since 1970 at [`Time`] zero.
    pub(super) epoch_us: u64,
    /// The evidence at which a circuit opens.
    pub(super) threshold: f32,
    pub(super) past: &'a Past,
}

/// When something was told last, and what was left out since.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    told: Option<Time>,
    left_out: u32,
}

impl Pace {
    /// Whether something may be told; if not, it is counted where it is new.
    fn may_tell(&mut self, now: Time, is_new: bool) -> bool {
        let is_quiet = self.told.is_none_or(|told| now.since(told) >= QUIET);
        self.left_out += u32::from(!is_quiet && is_new);
        is_quiet
    }

    /// Notes that it was told, and gives what was left out before.
    fn tell(&mut self, now: Time) -> u32 {
        self.told = Some(now);
        std::mem::take(&mut self.left_out)
    }
}

/// What was told of one route.
#[derive(Clone, Debug)]
struct Face {
    /// The state that was told, and since when it holds.
    state: State,
    since: Time,
    /// The state at the last look.
    last: State,
    trips: u64,
    /// The circuit's evidence at the last look, which opening clears.
    cusum: f32,
    states: Pace,
    /// The ceilings that were told.
    ceilings: [Option<CeilingView>; Dimension::ALL.len()],
    limits: Pace,
    hold: Option<(Time, HoldReason)>,
    was_held: bool,
    holds: Pace,
    seen: Time,
}

impl Face {
    fn new(view: &RouteView, now: Time) -> Self {
        Self {
            state: view.state,
            since: now,
            last: view.state,
            trips: view.trips,
            cusum: view.cusum,
            states: Pace::default(),
            ceilings: view.ceilings.ceilings,
            limits: Pace::default(),
            hold: view.ceilings.hold,
            was_held: view.ceilings.hold.is_some(),
            holds: Pace::default(),
            seen: now,
        }
    }
}

impl Changes {
    /// Looks at a route, and says what has changed of it.
    pub(super) fn look(
        &mut self,
        name: &Arc<str>,
        view: &RouteView,
        glance: &Glance<'_>,
    ) -> Vec<Draft> {
        let now = glance.now;
        let Some(face) = self.faces.get_mut(name) else {
            self.faces.insert(Arc::clone(name), Face::new(view, now));
            return Vec::new();
        };
        face.seen = now;
        let recent = Recent::of(view, name, now, glance.past.oldest());
        let state = state(face, (name, view), &recent, glance);
        let ceiling = ceilings(face, (name, view), now);
        let hold = hold(face, (name, view), glance);
        face.last = view.state;
        face.cusum = view.cusum;
        state.into_iter().chain(ceiling).chain(hold).collect()
    }

    /// Forgets the routes that are gone.
    pub(super) fn forget(&mut self, now: Time) {
        self.faces
            .retain(|_, face| now.since(face.seen) < REMEMBERED);
    }
}

/// A change of state, or trips of the circuit between two looks that show none.
fn state(
    face: &mut Face,
    (name, view): (&Arc<str>, &RouteView),
    recent: &Recent,
    glance: &Glance<'_>,
) -> Option<Draft> {
    let now = glance.now;
    let trips = view.trips.saturating_sub(face.trips);
    let is_new = view.state != face.last;
    let may_tell = face.states.may_tell(now, is_new);
    let is_same = view.state == face.state && trips == 0;
    if is_same || !may_tell {
        return None;
    }
    let from = face.state;
    let mut evidence = Map::new();
    let mut put = |key: &str, value: Value| evidence.insert(key.to_owned(), value);
    let (attempts, failures) = recent.failures();
    put("from", from.name().into());
    put("to", view.state.name().into());
    put(
        "since_us",
        (glance.epoch_us + face.since.as_micros()).into(),
    );
    put("lasted_s", short(now.since(face.since).as_secs_f64()));
    put("attempts", attempts.into());
    put("failures", failures.into());
    put("window_s", short(recent.seconds));
    let outcomes = recent.each().filter(|(_, count)| *count > 0);
    let outcomes: Map<String, Value> = outcomes
        .map(|(outcome, count)| (outcome.name().to_owned(), count.into()))
        .collect();
    put("outcomes", outcomes.into());
    put("error_fast", short(f64::from(view.error_fast)));
    put("error_slow", short(f64::from(view.error_slow)));
    put("against_baseline", drifts(view));
    put("parent_tripped", view.parent_tripped.into());
    put("parent_rate", short(f64::from(view.parent_rate)));
    put("cusum", short(f64::from(view.cusum)));
    put("cusum_before", short(f64::from(face.cusum)));
    put("threshold", short(f64::from(glance.threshold)));
    put("trips", trips.into());
    put("wait_s", view.wait.map(Span::as_secs_f64).map(short).into());
    // Why: a change that is put off was counted when it came.
    let put_off = u32::from(!is_new);
    let left_out = face.states.tell(now).saturating_sub(put_off);
    put("suppressed", left_out.into());
    let what = sentences::state(name, (from, trips), (view, recent), left_out);
    face.state = view.state;
    face.since = now;
    face.trips = view.trips;
    Some(Draft {
        kind: Kind::State,
        route: Some(Arc::clone(name)),
        what,
        evidence,
    })
}

/// Observed over usual latency, of each class that was measured.
fn drifts(view: &RouteView) -> Value {
    let classes = Class::ALL.iter().zip(&view.classes);
    let measured = classes.filter(|(_, class)| class.measured);
    let drifts: Map<String, Value> = measured
        .map(|(class, view)| {
            let drift = short(f64::from(view.against_baseline));
            (class.name().to_owned(), drift)
        })
        .collect();
    drifts.into()
}

/// What was learned of ceilings.
fn ceilings(face: &mut Face, (name, view): (&Arc<str>, &RouteView), now: Time) -> Option<Draft> {
    let seen = &view.ceilings.ceilings;
    let changed = |at: &usize| differs(face.ceilings[*at].as_ref(), seen[*at].as_ref());
    let changed: Vec<usize> = (0..seen.len()).filter(changed).collect();
    if changed.is_empty() || !face.limits.may_tell(now, true) {
        return None;
    }
    let told = |ceiling: Option<&CeilingView>| {
        let parts = ceiling.map(|it| json!({"limit": short(it.limit), "source": it.source.name()}));
        parts.unwrap_or(Value::Null)
    };
    let mut dimensions = Map::new();
    let mut words = Vec::new();
    for at in changed {
        let (was, is) = (face.ceilings[at].as_ref(), seen[at].as_ref());
        let dimension = Dimension::ALL[at];
        let change = json!({"from": told(was), "to": told(is)});
        dimensions.insert(dimension.name().to_owned(), change);
        words.push(sentences::ceiling(dimension, was, is));
        face.ceilings[at] = seen[at];
    }
    let mut evidence = Map::new();
    evidence.insert("ceilings".to_owned(), dimensions.into());
    evidence.insert("suppressed".to_owned(), face.limits.tell(now).into());
    Some(Draft {
        kind: Kind::Ceiling,
        route: Some(Arc::clone(name)),
        what: format!("{name}: {}", words.join("; ")),
        evidence,
    })
}

/// Whether a ceiling is another one than was told.
fn differs(was: Option<&CeilingView>, is: Option<&CeilingView>) -> bool {
    match (was, is) {
        (None, None) => false,
        // What the operator wrote is no news.
        (None, Some(is)) => is.source != Source::Told,
        (Some(was), None) => was.source != Source::Told,
        (Some(was), Some(is)) => (is.limit - was.limit).abs() > MUCH * was.limit,
    }
}

/// A hold that begins or ends.
fn hold(
    face: &mut Face,
    (name, view): (&Arc<str>, &RouteView),
    glance: &Glance<'_>,
) -> Option<Draft> {
    let (now, is) = (glance.now, view.ceilings.hold);
    let is_new = is.is_some() != face.was_held;
    face.was_held = is.is_some();
    let reason = |hold: Option<(Time, HoldReason)>| hold.map(|(_, reason)| reason);
    // Why: the end of a hold may be put off again and again; that is told once.
    if reason(is) == reason(face.hold) || !face.holds.may_tell(now, is_new) {
        return None;
    }
    let mut evidence = Map::new();
    let mut put = |key: &str, value: Value| evidence.insert(key.to_owned(), value);
    if let Some((until, reason)) = is {
        put("held", true.into());
        put("reason", reason.name().into());
        put("until_us", (glance.epoch_us + until.as_micros()).into());
        put("seconds_left", short(until.since(now).as_secs_f64()));
    } else {
        put("held", false.into());
        let reason = reason(face.hold).map(HoldReason::name);
        put("reason", reason.into());
    }
    put("suppressed", face.holds.tell(now).into());
    let what = sentences::hold(name, face.hold, is, now);
    face.hold = is;
    Some(Draft {
        kind: Kind::Hold,
        route: Some(Arc::clone(name)),
        what,
        evidence,
    })
}

/// A number as evidence shows it.
pub(super) fn short(value: f64) -> Value {
    super::tick::rounded(value).into()
}

#[cfg(test)]
mod tests;
