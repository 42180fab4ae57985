//! Since when was it so? Time cut where a route's latency or its errors change, and nowhere else.
//!
//! Bins are joined until each has enough to say something, then neighbours that do not differ by more than chance.
//!
//! # Invariants
//! - Stretches follow each other without a gap; the first begins at zero, the last has no end.

use scoring::time::Span;

/// Shortest bin: a change within one is blurred over it.
const BIN: Span = Span::from_secs(15);
/// Most bins of a recording, reached after an hour: bounds the faults that each request is held against.
const MOST_BINS: u64 = 240;
/// Samples below which a bin is joined to the next.
const ENOUGH: f64 = 20.0;
/// Standard errors by which neighbours must differ to stay apart.
const APART: f64 = 4.0;
/// Least difference of logarithms of latency that counts: 5 %.
const LEVEL_LEAST: f64 = 0.05;
/// Least difference of failing shares that counts.
const SHARE_LEAST: f64 = 0.005;

/// Something that held from an instant on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stretch<T> {
    pub(super) from: Span,
    pub(super) held: T,
}

/// What can be added up over time.
pub(super) trait Held: Default {
    /// How many samples it has.
    fn samples(&self) -> f64;

    /// Adds what came after it.
    fn join(&mut self, later: &Self);

    /// Whether it differs from `later` by no more than chance.
    fn is_like(&self, later: &Self) -> bool;
}

/// Logarithms of latency over prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Level {
    pub(super) count: f64,
    sum: f64,
    squares: f64,
}

impl Level {
    pub(super) fn add(&mut self, off: f64) {
        self.count += 1.0;
        self.sum += off;
        self.squares += off * off;
    }

    /// The mean logarithm.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }

    /// The same with every logarithm moved by `by`.
    pub(super) fn shifted(&self, by: f64) -> Self {
        Self {
            sum: self.sum + by * self.count,
            squares: self.squares + by * (2.0 * self.sum + by * self.count),
            ..*self
        }
    }

    /// Variance of the mean.
    fn variance(&self) -> f64 {
        let count = self.count.max(1.0);
        (self.squares / count - self.mean().powi(2)).max(1e-6) / count
    }
}

impl Held for Level {
    fn samples(&self) -> f64 {
        self.count
    }

    fn join(&mut self, later: &Self) {
        self.count += later.count;
        self.sum += later.sum;
        self.squares += later.squares;
    }

    fn is_like(&self, later: &Self) -> bool {
        let difference = (self.mean() - later.mean()).abs();
        let error = (self.variance() + later.variance()).sqrt();
        difference <= LEVEL_LEAST.max(APART * error)
    }
}

/// Kinds of failure that are told apart.
pub(super) const KINDS: usize = 9;

/// Attempts and their failures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Failures {
    pub(super) attempts: f64,
    /// How many failed, by kind.
    pub(super) failed: [f64; KINDS],
    /// How long they took together, by kind, in ms.
    pub(super) took_ms: [f64; KINDS],
}

impl Failures {
    fn share(&self) -> f64 {
        self.failed.iter().sum::<f64>() / self.attempts.max(1.0)
    }
}

impl Held for Failures {
    fn samples(&self) -> f64 {
        self.attempts
    }

    fn join(&mut self, later: &Self) {
        self.attempts += later.attempts;
        for kind in 0..KINDS {
            self.failed[kind] += later.failed[kind];
            self.took_ms[kind] += later.took_ms[kind];
        }
    }

    fn is_like(&self, later: &Self) -> bool {
        let mut both = *self;
        both.join(later);
        // One success and one failure more: shares of 0 and 1 have an error too.
        let all = (both.share() * both.attempts + 1.0) / (both.attempts + 2.0);
        let error = (all * (1.0 - all) * (1.0 / self.attempts + 1.0 / later.attempts)).sqrt();
        (self.share() - later.share()).abs() <= SHARE_LEAST.max(APART * error)
    }
}

/// The length of a bin in a recording of that length.
pub(super) fn bin(length: Span) -> Span {
    BIN.max(Span::from_micros(length.as_micros() / MOST_BINS))
}

/// The stretches of what `points` hold, added to bins of length `bin`; empty if there are no points.
pub(super) fn stretches<T: Held, P>(
    points: impl Iterator<Item = (Span, P)>,
    bin: Span,
    add: impl Fn(&mut T, P),
) -> Vec<Stretch<T>> {
    let mut bins: Vec<T> = Vec::new();
    for (at, point) in points {
        let place = (at.as_micros() / bin.as_micros().max(1)) as usize;
        if place >= bins.len() {
            bins.resize_with(place + 1, T::default);
        }
        add(&mut bins[place], point);
    }
    let starts = (0..).map(|it| Span::from_micros(bin.as_micros() * it));
    let mut full: Vec<Stretch<T>> = Vec::new();
    for (from, held) in starts.zip(bins) {
        match full.last_mut() {
            Some(last) if last.held.samples() < ENOUGH => last.held.join(&held),
            _ => full.push(Stretch { from, held }),
        }
    }
    let short = full.last().is_some_and(|it| it.held.samples() < ENOUGH);
    if short
        && full.len() > 1
        && let Some(rest) = full.pop()
        && let Some(last) = full.last_mut()
    {
        last.held.join(&rest.held);
    }
    let mut found: Vec<Stretch<T>> = Vec::new();
    for next in full {
        match found.last_mut() {
            Some(last) if last.held.is_like(&next.held) => last.held.join(&next.held),
            _ => found.push(next),
        }
    }
    found
}

/// The stretch that holds at `at`.
pub(super) fn at<T>(stretches: &[Stretch<T>], at: Span) -> Option<&Stretch<T>> {
    let after = stretches.partition_point(|it| it.from <= at);
    stretches.get(after.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_cut_where_it_changes() {
        // Twenty samples a second; half as slow again from 300 s to 420 s.
        let points = (0..12_000_u64).map(|it| {
            let at = Span::from_millis(it * 50);
            let high = (Span::from_secs(300)..Span::from_secs(420)).contains(&at);
            let swing = [0.2, -0.2][(it % 2) as usize];
            (at, swing + if high { 0.4 } else { 0.0 })
        });
        let found = stretches(points, Span::from_secs(60), |level: &mut Level, off| {
            level.add(off)
        });
        let told: Vec<_> = found
            .iter()
            .map(|it| {
                (
                    it.from.as_micros() / 1_000_000,
                    (it.held.mean() * 100.0).round(),
                )
            })
            .collect();
        assert_eq!(told, [(0, 0.0), (300, 40.0), (420, 0.0)]);
        let within = at(&found, Span::from_secs(299)).unwrap();
        assert_eq!(within.from, Span::ZERO);
    }

    #[test]
    fn quiet_bins_are_joined_and_chance_is_no_change() {
        // One attempt every 10 s; each tenth fails.
        let points = (0..300_u64).map(|it| (Span::from_secs(10 * it), it % 10 == 0));
        let found = stretches(points, Span::from_secs(60), |held: &mut Failures, fails| {
            held.attempts += 1.0;
            held.failed[2] += f64::from(u8::from(fails));
        });
        assert_eq!(found.len(), 1);
        assert!((found[0].held.share() - 0.1).abs() < 1e-9);
    }
}
