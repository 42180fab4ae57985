//! What is told of a route's changes, how fast, and in which words.

use scoring::ceiling::CeilingView;

use super::super::tests::{at, marks, view};
use super::*;

/// A route that is looked at four times a second.
struct Looked {
    changes: Changes,
    past: Past,
    name: Arc<str>,
    now: f64,
}

impl Looked {
    /// A route of which so many attempts had been sent, and so many had failed, ten seconds ago.
    fn new(sent: u64, failed: u64) -> Self {
        let mut past = Past::default();
        past.push(marks(at(0.0), &[("a/m/k", sent, failed)]));
        Self {
            changes: Changes::default(),
            past,
            name: Arc::from("a/m/k"),
            now: 8.0,
        }
    }

    fn look(&mut self, view: &RouteView) -> Vec<Draft> {
        self.now += 0.25;
        let glance = Glance {
            now: at(self.now),
            epoch_us: 1_000_000_000,
            threshold: 5.0,
            past: &self.past,
        };
        self.changes.look(&self.name, view, &glance)
    }

    /// Looks for so long, and gives what was told.
    fn go_on(&mut self, view: &RouteView, seconds: f64) -> Vec<Draft> {
        let until = self.now + seconds;
        let mut told = Vec::new();
        while self.now < until {
            told.extend(self.look(view));
        }
        told
    }
}

fn in_state(state: State, successes: u64, failures: u64) -> RouteView {
    let mut view = RouteView { state, ..view() };
    view.outcomes[scoring::Outcome::Success.index()] = successes;
    view.outcomes[scoring::Outcome::ServerError.index()] = failures;
    view
}

#[test]
fn a_change_of_state_is_told_with_what_it_rests_on() {
    let mut looked = Looked::new(100, 1);
    assert!(looked.look(&in_state(State::Healthy, 99, 1)).is_empty());
    let mut open = in_state(State::Open, 102, 13);
    open.trips = 1;
    open.wait = Some(Span::from_secs(5));
    open.parent_tripped = true;
    let told = looked.look(&open);
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].what,
        "a/m/k: healthy -> open: 12 of 15 attempts failed with server_error in the last 8.5 s; \
         other routes of the provider and region failed at the same time; next try in 5 s"
    );
    let evidence = &told[0].evidence;
    for (key, value) in [
        ("from", json!("healthy")),
        ("to", json!("open")),
        ("attempts", json!(15)),
        ("failures", json!(12)),
        ("outcomes", json!({"success": 3, "server_error": 12})),
        ("parent_tripped", json!(true)),
        ("threshold", json!(5.0)),
        ("trips", json!(1)),
        ("wait_s", json!(5.0)),
        ("suppressed", json!(0)),
        ("since_us", json!(1_000_000_000_u64 + 9_250_000)),
    ] {
        assert_eq!(evidence[key], value, "{key}");
    }
    assert!(looked.go_on(&open, 10.0).is_empty(), "it is told once");
}

#[test]
fn every_state_has_its_words() {
    for (from, to, words) in [
        (
            State::Open,
            State::Probing,
            "one request at a time tries it",
        ),
        (
            State::Probing,
            State::Recovering,
            "a try succeeded; it gets 25 % of its weight",
        ),
        (
            State::Recovering,
            State::Healthy,
            "9 of 9 attempts succeeded in the last 8.5 s",
        ),
        (State::Degraded, State::Healthy, "as fast as it used to be"),
        (
            State::Healthy,
            State::KeyHeld,
            "its key was rejected; next try in 30 s",
        ),
        (
            State::Healthy,
            State::Unsupported,
            "it says that it cannot serve this model; next try in 30 s",
        ),
        (
            State::Healthy,
            State::Degraded,
            "answers take 2.5 times as long as they used to (chat_stream)",
        ),
    ] {
        let mut looked = Looked::new(0, 0);
        looked.look(&in_state(from, 0, 0));
        let mut view = in_state(to, 9, 0);
        view.share = 0.25;
        view.wait = Some(Span::from_secs(30));
        view.classes[0].degraded = true;
        view.classes[0].against_baseline = 2.5;
        let told = looked.look(&view);
        let expected = format!("a/m/k: {} -> {}: {words}", from.name(), to.name());
        assert_eq!(told[0].what, expected);
    }
}

#[test]
fn what_comes_too_fast_is_put_off_and_counted() {
    let mut looked = Looked::new(0, 0);
    looked.look(&in_state(State::Healthy, 0, 0));
    assert_eq!(looked.look(&in_state(State::Open, 0, 5)).len(), 1);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.extend(looked.look(&in_state(State::Probing, 0, 5)));
        told.extend(looked.look(&in_state(State::Open, 0, 6)));
    }
    told.extend(looked.go_on(&in_state(State::Recovering, 1, 6), 4.0));
    assert_eq!(told.len(), 1, "{told:?}");
    let what = &told[0].what;
    assert!(what.starts_with("a/m/k: open -> recovering"), "{what}");
    assert!(
        what.ends_with("; 8 changes in between are not told"),
        "{what}"
    );
    assert_eq!(told[0].evidence["suppressed"], 8);
}

#[test]
fn a_flap_between_two_looks_shows_in_the_trips() {
    let mut looked = Looked::new(0, 0);
    looked.look(&in_state(State::Healthy, 0, 0));
    let mut view = in_state(State::Healthy, 10, 4);
    view.trips = 2;
    let told = looked.look(&view);
    assert_eq!(told.len(), 1);
    let expected = "a/m/k: still healthy, but set aside 2 times between two looks: 10 of 14 attempts succeeded in the last 8.5 s";
    assert_eq!(told[0].what, expected);
    assert!(looked.go_on(&view, 5.0).is_empty());
}

fn limited(source: Source, limit: f64) -> RouteView {
    let mut view = view();
    view.ceilings.ceilings[0] = Some(CeilingView {
        dimension: Dimension::Requests,
        source,
        limit,
        headroom: limit,
        utilisation: 0.0,
        depth: Span::from_secs(60),
    });
    view
}

#[test]
fn ceilings_are_told_when_they_are_learned_and_when_they_change_much() {
    let mut looked = Looked::new(0, 0);
    looked.look(&view());
    let told = looked.look(&limited(Source::Header, 12_000.0));
    let expected = "a/m/k: ceiling of 12,000 requests/min, as the provider's headers say";
    assert_eq!(told[0].what, expected);
    assert_eq!(
        told[0].evidence["ceilings"],
        json!({"requests": {"from": null, "to": {"limit": 12000.0, "source": "header"}}})
    );
    // Small steps are told once they add up.
    let mut all = Vec::new();
    for step in 0..10 {
        let limit = 12_000.0 - 200.0 * f64::from(step);
        all.extend(looked.go_on(&limited(Source::Learned, limit), 4.0));
    }
    let limits: Vec<&str> = all.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(
        limits,
        [
            "a/m/k: ceiling of requests/min 12,000 -> 11,200, learned from refusals",
            "a/m/k: ceiling of requests/min 11,200 -> 10,600, learned from refusals",
        ]
    );
    let told = looked.go_on(&view(), 4.0);
    let expected = "a/m/k: ceiling of 10,600 requests/min is no longer assumed";
    assert_eq!(told[0].what, expected);
    let mut other = Looked::new(0, 0);
    other.look(&view());
    assert!(
        other.go_on(&limited(Source::Told, 9.0), 4.0).is_empty(),
        "it is no news"
    );
}

#[test]
fn holds_are_told_when_they_begin_and_end() {
    let mut looked = Looked::new(0, 0);
    looked.look(&view());
    let mut held = view();
    held.ceilings.hold = Some((at(20.25), HoldReason::RetryAfter));
    let told = looked.look(&held);
    let expected =
        "a/m/k: held for 12 s: the provider said how long to wait; it is asked again then";
    assert_eq!(told[0].what, expected);
    assert_eq!(told[0].evidence["reason"], "retry_after");
    assert!(looked.go_on(&held, 5.0).is_empty());
    let told = looked.look(&view());
    assert_eq!(told[0].what, "a/m/k: no longer held (retry_after)");
    // A route that is held and let go in turn is told of a few times, not at each turn.
    let mut all = Vec::new();
    for _ in 0..20 {
        held.ceilings.hold = Some((at(looked.now + 0.3), HoldReason::Pause));
        all.extend(looked.look(&held));
        all.extend(looked.look(&view()));
    }
    assert!((1..=4).contains(&all.len()), "{all:?}");
    let left_out: u64 = all
        .iter()
        .filter_map(|it| it.evidence["suppressed"].as_u64())
        .sum();
    assert!(left_out > 10, "{all:?}");
}
