//! What do the measurements add up to?
//!
//! Samples and readings of counters go in; rates, percentiles and shares come out, for the last seconds and for each phase of the story.
//! Pure: it is told the time.
//!
//! # Invariants
//! - Memory is bounded: histograms for the phases, rings for the last seconds and for the charts.
//! - A sample belongs to the phase in which it was due, and to the second in which it ended.
//! - Every sample is counted as exactly one of complete, refused and lost.

use std::collections::VecDeque;

use scoring::time::Span;

use super::latencies::{Latencies, percentile};
use super::script::{Phase, ROUTES, SICK, Story, between};
use super::shares::{Shares, Shift};

/// Samples kept for the last seconds; more per window only thins the percentiles.
const RECENT: usize = 16_384;

/// Points of a chart: more than a terminal has columns.
pub(super) const POINTS: usize = 240;

/// How a request was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// By the gateway.
    Adaptive,
    /// By static weights.
    Static,
}

/// How a request ended, as its client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Every word came.
    Complete,
    /// A status other than 200 came.
    Refused,
    /// Less than a whole answer came.
    Lost,
}

/// One request's measurement; times are since the beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) side: Side,
    pub(super) due: Span,
    pub(super) ended: Span,
    pub(super) ending: Ending,
    /// Attempts made for it.
    pub(super) attempts: u32,
    /// The route that answered last.
    pub(super) route: Option<usize>,
}

/// Counts over a stretch of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) requests: u64,
    pub(super) complete: u64,
    /// Complete with a single attempt.
    pub(super) first: u64,
    pub(super) refused: u64,
    pub(super) lost: u64,
    /// Attempts beyond each request's first.
    pub(super) extra: u64,
    /// Latency of the complete ones.
    pub(super) latency: Latencies,
}

/// The last seconds of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Live {
    /// Requests ended per second.
    pub(super) rate: f64,
    /// Share that was complete; `None` without requests.
    pub(super) success: Option<f64>,
    /// Share that was complete at the first attempt.
    pub(super) first: Option<f64>,
    pub(super) p50: Option<Span>,
    pub(super) p95: Option<Span>,
    /// Median and 95th percentile by the route that answered.
    pub(super) routes: [(Option<Span>, Option<Span>); ROUTES],
}

/// One side's lines of the charts; times in seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    /// 95th percentile of latency, in seconds.
    pub(super) p95: Vec<(f64, f64)>,
    /// Share of traffic on the sick route, in percent.
    pub(super) sick: Vec<(f64, f64)>,
}

/// Everything known of one side.
#[derive(Clone, Debug)]
pub(super) struct SideTally {
    phases: [Count; Phase::ALL.len()],
    recent: VecDeque<Sample>,
    shares: Shares,
    /// When traffic left the sick route and came back.
    pub(super) shift: Shift,
    pub(super) lines: Lines,
    /// Attempts begun by route when each phase began, and at the end.
    marks: Vec<[u64; ROUTES]>,
}

/// All measurements.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    story: Story,
    window: Span,
    next_point: Span,
    sides: [SideTally; 2],
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Adaptive, Self::Static];
}

impl Sample {
    fn latency(&self) -> Span {
        between(self.due, self.ended)
    }

    fn is_complete(&self) -> bool {
        self.ending == Ending::Complete
    }

    fn is_first(&self) -> bool {
        self.is_complete() && self.attempts == 1
    }
}

impl Count {
    fn add(&mut self, sample: &Sample) {
        self.requests += 1;
        match sample.ending {
            Ending::Complete => {
                self.complete += 1;
                self.latency.add(sample.latency());
            }
            Ending::Refused => self.refused += 1,
            Ending::Lost => self.lost += 1,
        }
        self.first += u64::from(sample.is_first());
        self.extra += u64::from(sample.attempts.saturating_sub(1));
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.complete += other.complete;
        self.first += other.first;
        self.refused += other.refused;
        self.lost += other.lost;
        self.extra += other.extra;
        self.latency.merge(&other.latency);
    }

    /// Share that was complete.
    pub(super) fn success(&self) -> Option<f64> {
        share(self.complete, self.requests)
    }

    /// Share that was complete at the first attempt.
    pub(super) fn first_success(&self) -> Option<f64> {
        share(self.first, self.requests)
    }
}

impl SideTally {
    fn new(window: Span) -> Self {
        Self {
            phases: std::array::from_fn(|_| Count::default()),
            recent: VecDeque::new(),
            shares: Shares::new(window),
            shift: Shift::default(),
            lines: Lines::default(),
            marks: Vec::with_capacity(Phase::ALL.len() + 1),
        }
    }

    fn add(&mut self, sample: Sample, phase: Phase) {
        self.phases[phase as usize].add(&sample);
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(sample);
    }

    fn turn(&mut self, at: Span, begun: [u64; ROUTES], story: Story, window: Span) {
        let outdated = between(window, at);
        while self
            .recent
            .front()
            .is_some_and(|sample| sample.ended < outdated)
        {
            self.recent.pop_front();
        }
        self.shares.push(at, begun);
        self.shift.turn(at, story, &self.shares);
        let phase = story.phase(at);
        while self.marks.len() <= phase as usize {
            self.marks.push(begun);
        }
    }

    fn live(&self, at: Span, window: Span) -> Live {
        let past = at.min(window).as_secs_f64().max(0.25);
        let count = |which: fn(&Sample) -> bool| {
            self.recent.iter().filter(|sample| which(sample)).count() as u64
        };
        let all = self.recent.len() as u64;
        let mut total = self.latencies(|_| true);
        Live {
            rate: all as f64 / past,
            success: share(count(Sample::is_complete), all),
            first: share(count(Sample::is_first), all),
            p50: percentile(&mut total, 0.5),
            p95: percentile(&mut total, 0.95),
            routes: std::array::from_fn(|route| {
                let mut own = self.latencies(|sample| sample.route == Some(route));
                (percentile(&mut own, 0.5), percentile(&mut own, 0.95))
            }),
        }
    }

    fn latencies(&self, which: impl Fn(&Sample) -> bool) -> Vec<Span> {
        let chosen = self
            .recent
            .iter()
            .filter(|sample| sample.is_complete() && which(sample));
        chosen.map(Sample::latency).collect()
    }

    /// Share of the attempts begun in the last seconds; `None` without any.
    pub(super) fn share(&self, route: usize) -> Option<f64> {
        self.shares.of(route)
    }

    /// Counts of the whole run.
    pub(super) fn total(&self) -> Count {
        self.over(&Phase::ALL)
    }

    /// Counts of the incident: what was due while the sick route was slow and failing.
    pub(super) fn incident(&self) -> Count {
        self.over(&[Phase::Degrading, Phase::Bad])
    }

    fn over(&self, phases: &[Phase]) -> Count {
        let mut sum = Count::default();
        for phase in phases {
            sum.merge(&self.phases[*phase as usize]);
        }
        sum
    }

    /// Attempts begun on the sick route since the incident began, up to its end.
    pub(super) fn sick_attempts(&self) -> u64 {
        let at = |phase: Phase| self.marks.get(phase as usize).map(|begun| begun[SICK]);
        let now = self.shares.latest().map_or(0, |begun| begun[SICK]);
        at(Phase::Degrading).map_or(0, |from| at(Phase::Recovered).unwrap_or(now) - from)
    }
}

impl Tally {
    /// An empty tally of `story`; figures of "the last seconds" look back for `window`.
    pub(super) fn new(story: Story, window: Span) -> Self {
        Self {
            story,
            window,
            next_point: Span::ZERO,
            sides: [SideTally::new(window), SideTally::new(window)],
        }
    }

    /// Counts a sample.
    pub(super) fn add(&mut self, sample: Sample) {
        let phase = self.story.phase(sample.due);
        self.sides[sample.side as usize].add(sample, phase);
    }

    /// Moves the time on to `at`, when so many attempts were begun on each route by each side.
    pub(super) fn turn(&mut self, at: Span, begun: [[u64; ROUTES]; 2]) {
        for (side, begun) in self.sides.iter_mut().zip(begun) {
            side.turn(at, begun, self.story, self.window);
        }
        if at < self.next_point {
            return;
        }
        self.next_point = at.plus(Span::from_micros(
            self.story.length().as_micros() / POINTS as u64,
        ));
        for side in &mut self.sides {
            let (p95, sick) = (side.live(at, self.window).p95, side.share(SICK));
            if let Some(p95) = p95 {
                push(&mut side.lines.p95, at, p95.as_secs_f64());
            }
            if let Some(sick) = sick {
                push(&mut side.lines.sick, at, 100.0 * sick);
            }
        }
    }

    /// One side.
    pub(super) fn side(&self, side: Side) -> &SideTally {
        &self.sides[side as usize]
    }

    /// The last seconds of one side.
    pub(super) fn live(&self, side: Side, at: Span) -> Live {
        self.side(side).live(at, self.window)
    }
}

/// Adds a point to a line; a run that outlasts its story gets no further points.
fn push(line: &mut Vec<(f64, f64)>, at: Span, value: f64) {
    if line.len() < POINTS + POINTS / 4 {
        line.push((at.as_secs_f64(), value));
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the shares compared are exact")]

    use super::*;

    const WINDOW: Span = Span::from_secs(5);

    fn sample(due_s: u64, took_ms: u64, ending: Ending, attempts: u32) -> Sample {
        let due = Span::from_secs(due_s);
        Sample {
            side: Side::Adaptive,
            due,
            ended: due.plus(Span::from_millis(took_ms)),
            ending,
            attempts,
            route: Some(1),
        }
    }

    fn tally() -> Tally {
        Tally::new(Story::new(1.0), WINDOW)
    }

    #[test]
    fn a_sample_counts_in_the_phase_in_which_it_was_due() {
        let mut tally = tally();
        tally.add(sample(59, 2_000, Ending::Complete, 1));
        tally.add(sample(60, 100, Ending::Complete, 2));
        tally.add(sample(134, 100, Ending::Refused, 3));
        tally.add(sample(135, 100, Ending::Lost, 1));
        let side = tally.side(Side::Adaptive);
        let (total, incident) = (side.total(), side.incident());
        assert_eq!(
            (total.requests, total.complete, total.refused, total.lost),
            (4, 2, 1, 1)
        );
        assert_eq!(
            (
                incident.requests,
                incident.complete,
                incident.first,
                incident.extra
            ),
            (2, 1, 0, 3)
        );
        assert_eq!(total.success(), Some(0.5));
        assert_eq!(total.first_success(), Some(0.25));
        assert_eq!(tally.side(Side::Static).total().success(), None);
    }

    #[test]
    fn the_last_seconds_forget() {
        let mut tally = tally();
        for second in 0..20 {
            tally.add(sample(second, 400, Ending::Complete, 1));
        }
        let at = Span::from_secs(20);
        tally.turn(at, [[0; ROUTES]; 2]);
        let live = tally.live(Side::Adaptive, at);
        assert_eq!(
            (live.rate, live.success, live.first),
            (1.0, Some(1.0), Some(1.0))
        );
        let took = Some(Span::from_millis(400));
        assert_eq!((live.p50, live.p95), (took, took));
        assert_eq!(live.routes[1], (took, took));
        assert_eq!(live.routes[0], (None, None));
    }

    #[test]
    fn attempts_on_the_sick_route_count_from_the_incident_to_its_end() {
        let mut tally = tally();
        for second in 0..180 {
            let begun = 10 * second;
            tally.turn(Span::from_secs(second), [[begun, 0, 0], [0; ROUTES]]);
            if second == 90 {
                assert_eq!(tally.side(Side::Adaptive).sick_attempts(), 300);
            }
        }
        assert_eq!(tally.side(Side::Adaptive).sick_attempts(), 750);
        assert_eq!(tally.side(Side::Static).sick_attempts(), 0);
    }

    #[test]
    fn lines_are_bounded() {
        let mut tally = tally();
        for tick in 0..40_000 {
            tally.add(sample(tick / 10, 1, Ending::Complete, 1));
            tally.turn(Span::from_millis(100 * tick), [[tick, 0, 0]; 2]);
        }
        let lines = &tally.side(Side::Adaptive).lines;
        assert!(lines.p95.len() <= POINTS + POINTS / 4);
        assert!(lines.sick.len() > POINTS / 2);
        assert!(tally.side(Side::Adaptive).recent.len() <= RECENT);
    }
}
