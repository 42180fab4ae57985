//! What is there to see at one instant?
//!
//! A scene is plain data: the screen and the plain lines are two ways of writing it out.
//! The diary remembers what changed, such as a route's state, with the time.
//!
//! # Invariants
//! - Nothing is measured here; every figure comes from the tally or from the gateway's own routes.

use std::collections::VecDeque;
use std::net::SocketAddr;

use scoring::health::State;
use scoring::time::Span;

use super::routes::Standing;
use super::script::{CAST, Phase, ROUTES, SICK, Story};
use super::tally::{Count, Lines, Live, Side, Tally};

/// Entries that the diary keeps: more than a screen shows.
const ENTRIES: usize = 64;

/// What both sides of the measurement show.
#[derive(Clone, Debug)]
pub(super) struct SideScene {
    /// The last seconds.
    pub(super) live: Live,
    /// The whole run so far.
    pub(super) total: Count,
    /// The lines of the charts so far.
    pub(super) lines: Lines,
    /// Shares of the last seconds' attempts by route.
    pub(super) shares: [Option<f64>; ROUTES],
    /// Attempts on the sick route since it began to degrade.
    pub(super) sick_attempts: u64,
}

/// Everything there is to see.
#[derive(Clone, Debug)]
pub(super) struct Scene<'a> {
    pub(super) story: Story,
    pub(super) at: Span,
    pub(super) rate: f64,
    pub(super) seed: u64,
    pub(super) gateway: SocketAddr,
    /// Where the dashboard is.
    pub(super) admin: SocketAddr,
    pub(super) routes: [Standing; ROUTES],
    /// The gateway, then the twin.
    pub(super) sides: [SideScene; 2],
    pub(super) diary: &'a Diary,
    /// Whether no more orders are sent and only answers are awaited.
    pub(super) ending: bool,
}

/// What has happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Diary {
    entries: VecDeque<(Span, String)>,
    written: usize,
    phase: Option<Phase>,
    states: Option<[State; ROUTES]>,
    away: bool,
    back: bool,
}

impl SideScene {
    pub(super) fn of(tally: &Tally, side: Side, at: Span) -> Self {
        let of_side = tally.side(side);
        Self {
            live: tally.live(side, at),
            total: of_side.total(),
            lines: of_side.lines.clone(),
            shares: std::array::from_fn(|route| of_side.share(route)),
            sick_attempts: of_side.sick_attempts(),
        }
    }
}

impl Scene<'_> {
    pub(super) fn side(&self, side: Side) -> &SideScene {
        &self.sides[side as usize]
    }
}

impl Diary {
    /// Notes what has changed by `at`.
    pub(super) fn turn(
        &mut self,
        story: Story,
        at: Span,
        routes: &[Standing; ROUTES],
        tally: &Tally,
    ) {
        let phase = story.phase(at);
        if self.phase.replace(phase) != Some(phase) {
            self.write(at, chapter(phase));
        }
        let states = routes.map(|route| route.state);
        let before = self.states.replace(states).unwrap_or(states);
        for ((actor, was), route) in CAST.iter().zip(before).zip(routes) {
            if was != route.state {
                let (state, score) = (route.state.name(), route.score);
                self.write(at, format!("{} {state}, score {score:.2}", actor.name));
            }
        }
        let (shift, sick) = (tally.side(Side::Adaptive).shift, CAST[SICK].name);
        if shift.away.is_some() && !std::mem::replace(&mut self.away, true) {
            let severity = story.severity(at);
            let (slow, errors) = (severity.latency, 100.0 * severity.errors);
            self.write(
                at,
                format!("{sick} at half share (x{slow:.1}, {errors:.0} %)"),
            );
        }
        if shift.back.is_some() && !std::mem::replace(&mut self.back, true) {
            self.write(at, format!("{sick} has half of its share again"));
        }
    }

    fn write(&mut self, at: Span, text: String) {
        if self.entries.len() >= ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back((at, text));
        self.written += 1;
    }

    /// The entries kept, oldest first.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = &(Span, String)> {
        self.entries.iter()
    }

    /// The entries written since `seen` had been, and how many have been now.
    pub(super) fn since(&self, seen: usize) -> (usize, impl Iterator<Item = &(Span, String)>) {
        let fresh = self.written.saturating_sub(seen).min(self.entries.len());
        (
            self.written,
            self.entries.iter().skip(self.entries.len() - fresh),
        )
    }
}

fn chapter(phase: Phase) -> String {
    let sick = CAST[SICK].name;
    match phase {
        Phase::Healthy => "all three providers are well".to_owned(),
        Phase::Degrading => format!("{sick} begins to slow and to fail"),
        Phase::Bad => format!("{sick} stays at its worst"),
        Phase::Recovered => format!("{sick} is well again"),
    }
}

/// A time of the story as minutes and seconds, or seconds with a decimal where the whole is short.
pub(super) fn clock_face(at: Span) -> String {
    let seconds = at.as_micros() / 1_000_000;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// A latency in the unit that suits it.
pub(super) fn latency(span: Option<Span>) -> String {
    match span.map(Span::as_millis_f64) {
        None => "–".to_owned(),
        Some(millis) if millis < 1_000.0 => format!("{millis:.0} ms"),
        Some(millis) => format!("{:.2} s", millis / 1_000.0),
    }
}

/// A share in percent with `places`; 100 only when nothing is missing.
pub(super) fn percent(share: Option<f64>, places: usize) -> String {
    let Some(share) = share else {
        return "–".to_owned();
    };
    let scale = 10_f64.powi(places as i32 + 2);
    let shown = if share < 1.0 {
        (share * scale).round().min(scale - 1.0)
    } else {
        scale
    };
    format!("{:.places$} %", shown / scale * 100.0)
}

/// A count with its thousands apart.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(clock_face(Span::from_secs(125)), "2:05");
        assert_eq!(latency(Some(Span::from_millis(423))), "423 ms");
        assert_eq!(latency(Some(Span::from_millis(1_234))), "1.23 s");
        assert_eq!(
            (latency(None), percent(None, 1)),
            ("–".to_owned(), "–".to_owned())
        );
        assert_eq!(percent(Some(0.5), 1), "50.0 %");
        assert_eq!(percent(Some(1.0), 2), "100.00 %");
        assert_eq!(
            (grouped(7), grouped(1_234), grouped(1_234_567)),
            ("7".into(), "1,234".into(), "1,234,567".into())
        );
    }

    #[test]
    fn almost_all_is_not_all() {
        assert_eq!(percent(Some(0.999_999), 2), "99.99 %");
    }

    #[test]
    fn the_diary_notes_each_change_once() {
        let (story, tally) = (
            Story::new(1.0),
            Tally::new(Story::new(1.0), Span::from_secs(5)),
        );
        let mut diary = Diary::default();
        let well = [Standing::default(); ROUTES];
        let mut sick = well;
        sick[SICK].state = State::Degraded;
        for (at, routes) in [(1, well), (2, well), (61, well), (70, sick), (71, sick)] {
            diary.turn(story, Span::from_secs(at), &routes, &tally);
        }
        let texts: Vec<&str> = diary.entries().map(|entry| entry.1.as_str()).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[2].contains("degraded, score"));
        assert_eq!(diary.since(2).1.count(), 1);
        assert_eq!(diary.since(3).1.count(), 0);
    }
}
