//! The demo as lines of text, one a second, for pipes and for terminals that cannot do more.
//!
//! # Invariants
//! - One line a second and one for each event; no control characters.

use std::io::{self, Write};

use scoring::health::State;

use super::client;
use super::scene::{Scene, clock_face, latency, percent};
use super::script::{CAST, Phase, SICK};
use super::tally::Side;

/// What stands in a line.
const LEGEND: &str = "\
Each second: what the sick route goes through; share of traffic and score of each route; then, of the last seconds,
success at the first attempt and p95 latency both ways. Routes: ~ degraded, x open, ? probing, ^ recovering.";

/// Writes lines.
#[derive(Debug)]
pub(super) struct Plain<W> {
    out: W,
    /// The last second that got its line.
    second: Option<u64>,
    /// Entries of the diary that have been written.
    entries: usize,
}

impl<W: Write> Plain<W> {
    pub(super) const fn new(out: W) -> Self {
        Self {
            out,
            second: None,
            entries: 0,
        }
    }

    /// Writes what is to be known before anything happens.
    pub(super) fn open(&mut self, scene: &Scene<'_>) -> io::Result<()> {
        let weights: Vec<String> = CAST
            .iter()
            .map(|actor| format!("{} {:.0} %", actor.name, 100.0 * actor.weight))
            .collect();
        let Scene { rate, seed, .. } = scene;
        writeln!(
            self.out,
            "Trimtab at http://{}/v1 over three stand-in providers: {}",
            scene.gateway,
            weights.join(", ")
        )?;
        writeln!(
            self.out,
            "Beside it the same {rate} requests/s go to a second set of them by static weights; seed {seed}"
        )?;
        writeln!(self.out, "Dashboard at http://{}/", scene.admin)?;
        writeln!(self.out, "  {}\n", client::by_hand(scene.gateway))?;
        writeln!(self.out, "{LEGEND}\n")
    }

    /// Writes what is new.
    pub(super) fn show(&mut self, scene: &Scene<'_>) -> io::Result<()> {
        let (written, fresh) = scene.diary.since(self.entries);
        for (at, text) in fresh {
            writeln!(self.out, "{:>5} * {text}", clock_face(*at))?;
        }
        self.entries = written;
        let second = scene.at.as_micros() / 1_000_000;
        if self.second.replace(second) != Some(second) && second > 0 {
            writeln!(self.out, "{}", line(scene))?;
        }
        self.out.flush()
    }
}

/// One second.
fn line(scene: &Scene<'_>) -> String {
    let shares = scene.side(Side::Adaptive).shares;
    let routes: Vec<String> = CAST
        .iter()
        .zip(scene.routes)
        .zip(shares)
        .map(|((actor, route), share)| {
            let (share, mark) = (tight(share, 0), mark(route.state));
            format!("{} {share:>4} {:.2}{mark}", actor.name, route.score)
        })
        .collect();
    let side = |side| {
        let live = scene.side(side).live;
        format!("{:>6} {:>6}", tight(live.first, 1), latency(live.p95))
    };
    format!(
        "{:>5} {:<17} {} | Trimtab {} | static {}",
        clock_face(scene.at),
        trouble(scene),
        routes.join(" "),
        side(Side::Adaptive),
        side(Side::Static),
    )
}

/// A share in percent without the gap before the sign.
fn tight(share: Option<f64>, places: usize) -> String {
    percent(share, places).replace(' ', "")
}

/// One character for a state.
const fn mark(state: State) -> char {
    match state {
        State::Healthy => ' ',
        State::Degraded => '~',
        State::Open | State::KeyHeld | State::Unsupported | State::Drained => 'x',
        State::Probing => '?',
        State::Recovering => '^',
    }
}

/// What the sick route is going through, in a few words.
pub(super) fn trouble(scene: &Scene<'_>) -> String {
    let (phase, severity) = (scene.story.phase(scene.at), scene.story.severity(scene.at));
    if scene.ending {
        return "last answers".to_owned();
    }
    match phase {
        Phase::Healthy | Phase::Recovered => phase.name().to_owned(),
        Phase::Degrading | Phase::Bad => format!(
            "{} x{:.1} {:.0}% err",
            CAST[SICK].name,
            severity.latency,
            100.0 * severity.errors
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_but_health_has_a_mark_of_its_own() {
        let marks = [
            State::Healthy,
            State::Degraded,
            State::Open,
            State::Probing,
            State::Recovering,
        ]
        .map(mark);
        assert_eq!(marks, [' ', '~', 'x', '?', '^']);
        for mark in &marks[1..] {
            assert!(
                LEGEND.contains(&format!("{mark} ")),
                "`{mark}` is not explained"
            );
        }
    }
}
