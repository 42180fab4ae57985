//! Whether a route may be used: healthy, degraded, open, probing, recovering, held.
//!
//! A CUSUM over outcomes trips the circuit: it needs about as few samples as any test can at the same rate of false alarms, and no window.
//! An open route waits out a time *and* a number of requests, lets one probe through at a time, and comes back on a ramp that successes drive, not the clock.
//! A second, milder CUSUM is the doubt: it opens nothing, but takes weight from a route that fails too rarely to trip and too often to be trusted.
//! The whole state is one word, so that each transition is one pure function of it.
//!
//! # Invariants
//! - At most one unexpired probe of a route is in flight.
//! - Only a probe's (or, in panic, a last resort's) outcome, or an operator, moves an open circuit; what was sent before it opened does not.
//! - A neutral outcome never opens, closes or counts; nor does it forgive.
//! - A recovering or doubted route is judged by the least base rate: what it was set aside for excuses nothing.

mod parent;
mod state;
#[cfg(test)]
mod tests;

pub use parent::Parent;
pub use state::State;

use crate::ewma::dither;
use crate::rules::ticks;
use crate::time::{Span, Tick};
use crate::tuning::CircuitTuning;

/// The circuit's position, as packed in its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Closed = 0,
    Recovering = 1,
    Open = 2,
    KeyHeld = 3,
    Unsupported = 4,
}

impl Position {
    /// The position in a circuit's word.
    #[inline]
    pub(crate) const fn of(word: u64) -> Self {
        match word >> Circuit::POSITION_SHIFT {
            0 => Self::Closed,
            1 => Self::Recovering,
            2 => Self::Open,
            3 => Self::KeyHeld,
            _ => Self::Unsupported,
        }
    }
}

/// In what role an attempt was sent, as far as the circuit cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Drawn while the route was closed or recovering.
    Regular,
    /// The claimed probe of an open route.
    Probe,
    /// Sent to an open route because there was no other.
    LastResort,
}

/// One failure, as the circuit sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blow {
    /// Its weight; 1..=2.
    pub(crate) weight: f32,
    /// Whether the route has little recent traffic.
    pub(crate) quiet: bool,
    /// The slow error rate before it; 0..=1.
    pub(crate) base_rate: f32,
    /// From the caller's RNG; 0..1.
    pub(crate) jitter: f32,
}

/// When and in what role an attempt was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) role: Role,
    pub(crate) started: Tick,
    /// Part of the doubt that the time since the last sample has left; 0..=1.
    pub(crate) rested: f32,
}

/// The circuit, unpacked.
///
/// `[position:3 | mult:4 | cusum:11 Q4.7 | streak:4 | ramp:3 | fails:3 | claimed:1 | ready:1 | doubt:8 | since:26]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Circuit {
    pub(crate) position: Position,
    /// Doublings of the open duration; 0..=15.
    pub(crate) mult: u32,
    /// The CUSUM in 1/128; 0..=2047.
    cusum: u32,
    /// Successes in a row: of probes when open, on this step of the ramp when recovering; 0..=15.
    streak: u32,
    /// Doublings of the ramp so far; 0..=7.
    ramp: u32,
    /// Failures in a row; saturates at 7.
    fails: u32,
    /// Whether a probe is in flight.
    claimed: bool,
    /// Whether the waiting is over and only a probe is awaited.
    ready: bool,
    /// Successes that would undo the recent failures; 0..=255. See [`Circuit::doubt_of`].
    doubt: u32,
    /// Closed, recovering: tick when that began (0 = never opened). Open, held: tick when it ends; claimed: tick of the claim.
    since: u32,
}

/// Bits of `since`: wraps after 12.7 days, kept unambiguous by the sweep.
const SINCE_BITS: u32 = 26;
/// Bits of `doubt`.
const DOUBT_BITS: u32 = 8;
/// Mask of [`DOUBT_BITS`].
const DOUBT_MASK: u32 = (1 << DOUBT_BITS) - 1;
/// Mask of [`SINCE_BITS`].
const SINCE_MASK: u32 = (1 << SINCE_BITS) - 1;
/// One unit of the CUSUM in Q4.7.
const CUSUM_ONE: f32 = 128.0;
/// Largest CUSUM that 11 bits hold.
const CUSUM_MAX: u32 = (1 << 11) - 1;
/// Doublings of the number of requests that a probe waits for: 16 times, so that probes stay below 2 % of scarce traffic and a route is not forgotten.
const REQUEST_DOUBLINGS: u32 = 4;
/// Salt of the dither that rounds the doubt.
const REST_SALT: u64 = 2 << 20;
/// Part of the threshold with which recovery starts, so that two failures in a row undo it.
const RECOVERY_START: f32 = 0.5;
/// Bounds of the rates compared: beyond them a success would prove nothing, or too much.
const GOOD_RATE_MAX: f32 = 0.1;
/// See [`GOOD_RATE_MAX`].
const BAD_RATE_MAX: f32 = 0.5;

fn low(tick: Tick) -> u32 {
    (tick.index() as u32) & SINCE_MASK
}

/// Ticks from `then` to `now`, both of [`SINCE_BITS`]; `None` if `then` is later.
fn elapsed(then: u32, now: u32) -> Option<u32> {
    let ahead = now.wrapping_sub(then) & SINCE_MASK;
    (ahead < 1 << (SINCE_BITS - 1)).then_some(ahead)
}

/// The CUSUM's steps at a base error rate: up at a failure, down at a success.
pub(crate) fn steps(base_rate: f32, tuning: &CircuitTuning) -> (f32, f32) {
    let good = (2.0 * base_rate).clamp(tuning.good_rate, GOOD_RATE_MAX.max(tuning.good_rate));
    let bad = (5.0 * good).clamp(tuning.bad_rate, BAD_RATE_MAX.max(tuning.bad_rate));
    let bad = bad.max((good * 1.5).min(0.95));
    ((bad / good).ln(), ((1.0 - good) / (1.0 - bad)).ln())
}

impl Circuit {
    /// Where the position stands in a word.
    pub(crate) const POSITION_SHIFT: u32 = 61;
    /// Where the doubt stands in a word.
    const DOUBT_SHIFT: u32 = SINCE_BITS;

    /// A route never used.
    pub(crate) const CLOSED: Self = Self {
        position: Position::Closed,
        mult: 0,
        cusum: 0,
        streak: 0,
        ramp: 0,
        fails: 0,
        claimed: false,
        ready: false,
        doubt: 0,
        since: 0,
    };

    /// Reads the word.
    pub(crate) fn unpack(word: u64) -> Self {
        let field = |shift: u32, bits: u32| (word >> shift) as u32 & ((1 << bits) - 1);
        Self {
            position: Position::of(word),
            mult: field(57, 4),
            cusum: field(46, 11),
            streak: field(42, 4),
            ramp: field(39, 3),
            fails: field(36, 3),
            claimed: field(35, 1) == 1,
            ready: field(34, 1) == 1,
            doubt: field(Self::DOUBT_SHIFT, DOUBT_BITS),
            since: field(0, SINCE_BITS),
        }
    }

    /// Writes the word.
    pub(crate) fn pack(self) -> u64 {
        (self.position as u64) << Self::POSITION_SHIFT
            | u64::from(self.mult.min(15)) << 57
            | u64::from(self.cusum.min(CUSUM_MAX)) << 46
            | u64::from(self.streak.min(15)) << 42
            | u64::from(self.ramp.min(7)) << 39
            | u64::from(self.fails.min(7)) << 36
            | u64::from(self.claimed) << 35
            | u64::from(self.ready) << 34
            | u64::from(self.doubt.min(DOUBT_MASK)) << Self::DOUBT_SHIFT
            | u64::from(self.since & SINCE_MASK)
    }

    /// Whether regular traffic may use it.
    pub(crate) fn admits(self) -> bool {
        matches!(self.position, Position::Closed | Position::Recovering)
    }

    /// Whether it is closed without any evidence of failure.
    pub(crate) fn is_calm(self) -> bool {
        self.position == Position::Closed && self.cusum == 0 && self.fails == 0 && self.doubt == 0
    }

    /// The doubt in a circuit's word: how many successes would undo the recent failures; 0..=255.
    ///
    /// A failure adds `doubt_step`, a success takes one away: the log-likelihood ratio of a bad route against a good one in units of one success.
    /// Unlike counts it is not forgotten because a tapered route sees little traffic: only successes, and idle time, take it away.
    #[inline(always)]
    pub(crate) const fn doubt_of(word: u64) -> u32 {
        (word >> Self::DOUBT_SHIFT) as u32 & DOUBT_MASK
    }

    /// The circuit at `now`, of whose doubt the time since the last sample has left `left` (0..=1).
    ///
    /// Dithered: rounded down, ten samples a second would forgive twice as fast as their successes do.
    pub(crate) fn rested(self, left: f32, now: Tick) -> Self {
        if self.doubt == 0 || left >= 1.0 {
            return self;
        }
        Self {
            doubt: (self.doubt as f32 * left + dither(now.index(), REST_SALT)) as u32,
            ..self
        }
    }

    /// The error rate that its steps go by: `measured`, or the least while recovering or doubted by two failures.
    ///
    /// Why: what the route was set aside for must not excuse what it does now, and one that doubt has left no weight comes back sooner by probes than by what exploration spares.
    fn base_rate(self, measured: f32, tuning: &CircuitTuning) -> f32 {
        if self.position == Position::Recovering || self.doubt >= 2 * tuning.doubt_step {
            return 0.0;
        }
        measured
    }

    /// The doubt now, of which `left` (0..=1) is left.
    pub(crate) fn doubt(self, left: f32) -> f32 {
        self.doubt as f32 * left
    }

    /// The part of its weight that a route gets; 0..=1.
    pub(crate) fn share(self, tuning: &CircuitTuning) -> f32 {
        match self.position {
            Position::Recovering => (tuning.ramp_start * (1u32 << self.ramp) as f32).min(1.0),
            _ => 1.0,
        }
    }

    /// The CUSUM; 0..16.
    pub(crate) fn cusum(self) -> f32 {
        self.cusum as f32 / CUSUM_ONE
    }

    /// Ticks by which a probe is due at `now`, after `skipped` requests went elsewhere; `None` if it is not.
    pub(crate) fn due(self, now: Tick, skipped: u64, tuning: &CircuitTuning) -> Option<u32> {
        if self.admits() {
            return None;
        }
        let past = elapsed(self.since, low(now));
        if self.claimed {
            let expiry = ticks(tuning.probe_expiry);
            return past
                .filter(|&past| past >= expiry)
                .map(|past| past - expiry);
        }
        if self.ready {
            return Some(past.unwrap_or(0));
        }
        let past = past?;
        let requests = u64::from(tuning.open_requests) << self.mult.min(REQUEST_DOUBLINGS);
        if self.position != Position::Open || skipped >= requests {
            return Some(past);
        }
        let rest = ticks(tuning.open_longest).saturating_sub(ticks(open_span(self.mult, tuning)));
        past.checked_sub(rest)
    }

    /// The circuit with its probe claimed at `now`; `None` if it is not due.
    pub(crate) fn claim(self, now: Tick, skipped: u64, tuning: &CircuitTuning) -> Option<Self> {
        self.due(now, skipped, tuning)?;
        Some(Self {
            claimed: true,
            ready: true,
            since: low(now),
            ..self
        })
    }

    /// The circuit after an attempt that says nothing about health.
    pub(crate) fn neutral(self, sender: Sender, now: Tick) -> Self {
        if sender.role == Role::Probe {
            self.unclaimed(now)
        } else {
            self
        }
    }

    /// The circuit with its probe given back: due again at once.
    pub(crate) fn unclaimed(self, now: Tick) -> Self {
        if self.admits() || !self.claimed {
            self
        } else {
            Self {
                claimed: false,
                since: low(now),
                ..self
            }
        }
    }

    /// The circuit after an operator has released it: set aside, it is due a probe at once, whoever asks.
    ///
    /// A rejected key and an unsupported model are forgotten.
    /// Why a probe and not closed: where the operator is wrong it costs one request, which has other routes left, and not all that come before the next rejection.
    pub(crate) fn released(self, now: Tick, tuning: &CircuitTuning) -> Self {
        if self.admits() {
            return self;
        }
        let forgets = self.position != Position::Open;
        let waited = low(now).wrapping_sub(ticks(tuning.probe_patience)) & SINCE_MASK;
        Self {
            position: Position::Open,
            mult: if forgets { 0 } else { self.mult },
            ready: true,
            since: if self.claimed { self.since } else { waited },
            ..self
        }
    }

    /// The circuit after a failure turned out to be none: its step is taken back.
    pub(crate) fn refunded(self, base_rate: f32, tuning: &CircuitTuning) -> Self {
        if !self.admits() {
            return self;
        }
        let (up, _) = steps(self.base_rate(base_rate, tuning), tuning);
        Self {
            cusum: self.cusum.saturating_sub((up * CUSUM_ONE).round() as u32),
            doubt: self.doubt.saturating_sub(tuning.doubt_step),
            fails: 0,
            ..self
        }
    }

    /// The circuit after a success.
    pub(crate) fn success(
        self,
        sender: Sender,
        now: Tick,
        base_rate: f32,
        tuning: &CircuitTuning,
    ) -> Self {
        match self.position {
            Position::Closed if self.is_calm() => self,
            Position::Closed => self.relieved(base_rate, tuning),
            Position::Recovering if self.predates(sender) => self,
            Position::Recovering => self.relieved(base_rate, tuning).climbed(now, tuning),
            _ if sender.role == Role::Regular => self,
            _ => {
                let streak = self.streak + 1;
                if streak >= tuning.probes {
                    return self.recovering(now, tuning);
                }
                let released = sender.role == Role::Probe;
                let since = if released { low(now) } else { self.since };
                Self {
                    streak,
                    claimed: self.claimed && !released,
                    ready: self.ready || released,
                    since,
                    ..self
                }
            }
        }
    }

    /// The circuit after a failure.
    pub(crate) fn failure(
        self,
        sender: Sender,
        now: Tick,
        blow: Blow,
        tuning: &CircuitTuning,
    ) -> Self {
        match self.position {
            Position::Recovering if self.predates(sender) => self,
            Position::Closed | Position::Recovering => {
                let (up, _) = steps(self.base_rate(blow.base_rate, tuning), tuning);
                let doubt = (tuning.doubt_step as f32 * blow.weight).round() as u32;
                let cusum =
                    (self.cusum + (up * blow.weight * CUSUM_ONE).round() as u32).min(CUSUM_MAX);
                let fails = (self.fails + 1).min(7);
                let hit = Self {
                    cusum,
                    fails,
                    doubt: (self.doubt + doubt).min(tuning.doubt_most),
                    ramp: self.ramp.saturating_sub(1),
                    streak: 0,
                    ..self
                };
                let quiet = blow.quiet && fails >= tuning.quiet_failures;
                if quiet || hit.cusum() >= tuning.threshold {
                    hit.tripped(now, blow.jitter, tuning)
                } else {
                    hit
                }
            }
            _ if sender.role == Role::Probe && self.claimed => {
                let mult = (self.mult + 1).min(tuning.doublings);
                match self.position {
                    Position::Open => self.opened(mult, now, blow.jitter, tuning),
                    _ => self.held(self.position, mult, now, tuning),
                }
            }
            _ if sender.role == Role::LastResort => Self { streak: 0, ..self },
            _ => self,
        }
    }

    /// The circuit after the key was rejected or the model was unsupported.
    pub(crate) fn hold(
        self,
        position: Position,
        sender: Sender,
        now: Tick,
        tuning: &CircuitTuning,
    ) -> Self {
        if self.admits() {
            let mult = if self.position == Position::Recovering {
                self.mult + 1
            } else {
                self.next_mult(now, tuning)
            };
            return self.held(position, mult.min(15), now, tuning);
        }
        if sender.role == Role::Regular || (sender.role == Role::Probe && !self.claimed) {
            return self;
        }
        let mult = if self.position == position {
            (self.mult + 1).min(15)
        } else {
            0
        };
        self.held(position, mult, now, tuning)
    }

    /// Whether `after` begins a new waiting time.
    pub(crate) fn opens_as(self, after: Self) -> bool {
        !after.admits() && !after.claimed && !after.ready && (self.admits() || self.claimed)
    }

    /// The circuit with a tick that cannot become ambiguous.
    pub(crate) fn refreshed(self, now: Tick) -> Self {
        let stale = elapsed(self.since, low(now)).is_none_or(|past| past > 1 << (SINCE_BITS - 2));
        if self.position == Position::Closed && self.since != 0 && stale {
            return Self {
                since: 0,
                mult: 0,
                ..self
            };
        }
        self
    }

    /// The state as seen from outside; `slow` is whether the latency stands out against its own baseline.
    pub(crate) fn state(self, slow: bool) -> State {
        match self.position {
            Position::Closed if slow => State::Degraded,
            Position::Closed => State::Healthy,
            Position::Recovering => State::Recovering,
            Position::Open if self.claimed || self.ready => State::Probing,
            Position::Open => State::Open,
            Position::KeyHeld => State::KeyHeld,
            Position::Unsupported => State::Unsupported,
        }
    }

    /// Ticks until the waiting time is over; `None` if nothing is waited for.
    pub(crate) fn wait(self, now: Tick) -> Option<u32> {
        (!self.admits() && !self.claimed).then(|| elapsed(low(now), self.since).unwrap_or(0))
    }

    fn predates(self, sender: Sender) -> bool {
        elapsed(self.since, low(sender.started)).is_none()
    }

    fn relieved(self, base_rate: f32, tuning: &CircuitTuning) -> Self {
        let (_, down) = steps(self.base_rate(base_rate, tuning), tuning);
        Self {
            cusum: self.cusum.saturating_sub((down * CUSUM_ONE).round() as u32),
            doubt: self.doubt.saturating_sub(1),
            fails: 0,
            ..self
        }
    }

    fn climbed(self, now: Tick, tuning: &CircuitTuning) -> Self {
        let streak = self.streak + 1;
        if streak < tuning.ramp_successes {
            return Self { streak, ..self };
        }
        let next = Self {
            streak: 0,
            ramp: self.ramp + 1,
            ..self
        };
        if next.ramp < 7 && next.share(tuning) < 1.0 {
            return next;
        }
        Self {
            position: Position::Closed,
            ramp: 0,
            since: low(now).max(1),
            ..next
        }
    }

    fn recovering(self, now: Tick, tuning: &CircuitTuning) -> Self {
        Self {
            position: Position::Recovering,
            cusum: (tuning.threshold * RECOVERY_START * CUSUM_ONE) as u32,
            streak: 0,
            ramp: 0,
            fails: 0,
            claimed: false,
            ready: false,
            doubt: 0,
            since: low(now).max(1),
            ..self
        }
    }

    fn next_mult(self, now: Tick, tuning: &CircuitTuning) -> u32 {
        if self.since == 0 {
            return 0;
        }
        match elapsed(self.since, low(now)) {
            Some(calm) if calm >= ticks(tuning.calm_window) => 0,
            Some(calm) if calm >= ticks(tuning.flap_window) => self.mult,
            _ => self.mult + 1,
        }
    }

    fn tripped(self, now: Tick, jitter: f32, tuning: &CircuitTuning) -> Self {
        let mult = if self.position == Position::Recovering {
            self.mult + 1
        } else {
            self.next_mult(now, tuning)
        };
        self.opened(mult.min(tuning.doublings), now, jitter, tuning)
    }

    fn opened(self, mult: u32, now: Tick, jitter: f32, tuning: &CircuitTuning) -> Self {
        let span = open_span(mult, tuning);
        let swing = 1.0 + tuning.open_jitter * (2.0 * jitter.clamp(0.0, 1.0) - 1.0);
        let since = low(now).wrapping_add(ticks(span.mul_f64(f64::from(swing)))) & SINCE_MASK;
        Self {
            position: Position::Open,
            mult,
            since,
            ..Self::CLOSED
        }
    }

    fn held(self, position: Position, mult: u32, now: Tick, tuning: &CircuitTuning) -> Self {
        let span = doubled(tuning.hold_base, mult, tuning.hold_cap);
        let since = low(now).wrapping_add(ticks(span)) & SINCE_MASK;
        Self {
            position,
            mult,
            since,
            ..Self::CLOSED
        }
    }
}

/// The open duration after `mult` doublings, without jitter.
fn open_span(mult: u32, tuning: &CircuitTuning) -> Span {
    doubled(tuning.open_base, mult, tuning.open_cap)
}

fn doubled(base: Span, mult: u32, cap: Span) -> Span {
    Span::from_micros(base.as_micros().saturating_mul(1 << mult.min(15))).min(cap)
}
