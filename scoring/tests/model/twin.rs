//! The plain twin of a route: exact decayed sums, and the circuit as an ordinary enum.

use scoring::Outcome;
use scoring::health::State;
use scoring::select::Mode;

/// Exact decayed counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums {
    pub(crate) tau: f64,
    pub(crate) at: f64,
    pub(crate) attempts: f64,
    pub(crate) failures: f64,
}

impl Sums {
    pub(crate) const fn new(tau: f64) -> Self {
        Self {
            tau,
            at: 0.0,
            attempts: 0.0,
            failures: 0.0,
        }
    }

    pub(crate) fn at(self, now: f64) -> Self {
        let keep = (-(now - self.at).max(0.0) / self.tau).exp();
        Self {
            at: now.max(self.at),
            attempts: self.attempts * keep,
            failures: self.failures * keep,
            ..self
        }
    }

    pub(crate) fn add(&mut self, now: f64, attempts: f64, failures: f64) {
        *self = self.at(now);
        self.attempts += attempts;
        self.failures = (self.failures + failures).max(0.0);
    }

    pub(crate) fn rate(self, now: f64, weight: f64, prior: f64) -> f64 {
        let here = self.at(now);
        ((here.failures + weight * prior) / (here.attempts + weight)).clamp(0.0, 1.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    Closed {
        since: f64,
    },
    Recovering {
        since: f64,
        ramp: u32,
        streak: u32,
    },
    Open {
        opened: f64,
        until: f64,
        held: bool,
        claimed: Option<f64>,
        ready: bool,
        streak: u32,
        skipped: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    Regular,
    Probe,
    LastResort,
}

/// The route's twin.
#[derive(Debug)]
pub(crate) struct Twin {
    pub(crate) fast: Sums,
    pub(crate) slow: Sums,
    pub(crate) parent: Sums,
    pub(crate) parent_rate: f64,
    pub(crate) place: Place,
    pub(crate) mult: u32,
    pub(crate) cusum: f64,
    pub(crate) fails: u32,
    /// Set where rounding may rightly decide.
    pub(crate) unsure: bool,
    /// Successes that would undo the recent failures, exactly.
    pub(crate) doubt: f64,
    /// Until when an operator has drained it; 0 = not.
    pub(crate) drained: f64,
    /// Until when an operator has pinned it; 0 = not.
    pub(crate) pinned: f64,
}

/// The twin of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TwinAttempt {
    pub(crate) role: Role,
    pub(crate) started: f64,
    pub(crate) first: Option<f64>,
    pub(crate) late: bool,
    pub(crate) credited: bool,
}

/// One tick and a bit, in s: what coarse time may hide.
const TICKS: f64 = 0.05;

impl Twin {
    pub(crate) fn new() -> Self {
        Self {
            fast: Sums::new(3.0),
            slow: Sums::new(60.0),
            parent: Sums::new(60.0),
            parent_rate: 0.001,
            place: Place::Closed { since: 0.0 },
            mult: 0,
            cusum: 0.0,
            fails: 0,
            unsure: false,
            doubt: 0.0,
            drained: 0.0,
            pinned: 0.0,
        }
    }

    pub(crate) fn base(&self, now: f64) -> f64 {
        self.slow.rate(now, 20.0, self.parent_rate)
    }

    pub(crate) fn steps(base: f64) -> (f64, f64) {
        let good = (2.0 * base).clamp(0.02, 0.1);
        let bad = (5.0 * good).clamp(0.25, 0.5);
        ((bad / good).ln(), ((1.0 - good) / (1.0 - bad)).ln())
    }

    /// Steps of a circuit in this place: on the ramp and in doubt, the past excuses nothing.
    pub(crate) fn own_steps(&mut self, base: f64) -> (f64, f64) {
        self.unsure |= (self.doubt - 88.0).abs() < 5.0;
        match self.place {
            Place::Recovering { .. } => Self::steps(0.0),
            _ if self.doubt >= 88.0 => Self::steps(0.0),
            _ => Self::steps(base),
        }
    }

    /// The doubt at `now`, with what time has forgiven since the last counted attempt.
    pub(crate) fn doubt_at(&self, now: f64) -> f64 {
        self.doubt * (-(now - self.fast.at).max(0.0) / 30.0).exp()
    }

    pub(crate) fn count(&mut self, now: f64, attempts: f64, failures: f64, parent_failures: f64) {
        self.fast.add(now, attempts, failures);
        self.slow.add(now, attempts, failures);
        self.parent.add(now, attempts, parent_failures);
        self.parent_rate = self.parent.rate(now, 50.0, 0.001);
    }

    pub(crate) fn open(&mut self, now: f64, mult: u32) {
        let span = f64::from(1u32 << mult).min(8.0);
        self.mult = mult;
        self.cusum = 0.0;
        self.fails = 0;
        self.doubt = 0.0;
        self.place = Place::Open {
            opened: now,
            until: now + span,
            held: false,
            claimed: None,
            ready: false,
            streak: 0,
            skipped: 0,
        };
    }

    pub(crate) fn hold(&mut self, now: f64, mult: u32) {
        self.mult = mult;
        self.cusum = 0.0;
        self.fails = 0;
        self.doubt = 0.0;
        let until = now + (300.0 * f64::from(1u32 << mult.min(15))).min(3_600.0);
        self.place = Place::Open {
            opened: now,
            until,
            held: true,
            claimed: None,
            ready: false,
            streak: 0,
            skipped: 0,
        };
    }

    pub(crate) fn next_mult(&mut self, now: f64) -> u32 {
        match self.place {
            Place::Closed { since } if since <= 0.0 => 0,
            Place::Closed { since } => {
                let calm = now - since;
                self.unsure |= (calm - 300.0).abs() < TICKS || (calm - 60.0).abs() < TICKS;
                if calm >= 300.0 {
                    0
                } else {
                    self.mult + u32::from(calm < 60.0)
                }
            }
            _ => self.mult + 1,
        }
    }

    pub(crate) fn recover(&mut self, now: f64) {
        self.place = Place::Recovering {
            since: now,
            ramp: 0,
            streak: 0,
        };
        self.cusum = 4.5;
        self.fails = 0;
        self.doubt = 0.0;
        for sums in [&mut self.fast, &mut self.slow, &mut self.parent] {
            sums.attempts *= 0.05;
            sums.failures *= 0.05;
        }
    }

    pub(crate) fn relieve(&mut self, base: f64) {
        self.cusum = (self.cusum - self.own_steps(base).1).max(0.0);
        self.doubt = (self.doubt - 1.0).max(0.0);
        self.fails = 0;
    }

    pub(crate) fn predates(&mut self, attempt: &TwinAttempt) -> bool {
        let Place::Recovering { since, .. } = self.place else {
            return false;
        };
        self.unsure |= (attempt.started - since).abs() < TICKS && attempt.started < since;
        attempt.started < since
    }

    pub(crate) fn success(&mut self, now: f64, base: f64, attempt: &TwinAttempt) {
        if self.predates(attempt) {
            return;
        }
        match self.place {
            Place::Closed { .. } => self.relieve(base),
            Place::Recovering {
                since,
                ramp,
                streak,
            } => {
                self.relieve(base);
                self.place = match (streak + 1 >= 5, ramp) {
                    (false, _) => Place::Recovering {
                        since,
                        ramp,
                        streak: streak + 1,
                    },
                    (true, 2) => Place::Closed { since: now },
                    (true, _) => Place::Recovering {
                        since,
                        ramp: ramp + 1,
                        streak: 0,
                    },
                };
                if matches!(self.place, Place::Closed { .. }) {
                    self.fast.failures *= 0.05;
                    self.slow.failures *= 0.05;
                }
            }
            Place::Open { .. } if attempt.role == Role::Regular => {}
            Place::Open {
                ref mut claimed,
                ref mut ready,
                ref mut streak,
                ref mut until,
                ..
            } => {
                *streak += 1;
                if *streak >= 5 {
                    return self.recover(now);
                }
                if attempt.role == Role::Probe {
                    *claimed = None;
                    *ready = true;
                    *until = now;
                }
            }
        }
    }

    pub(crate) fn failure(&mut self, now: f64, base: f64, weight: f64, attempt: &TwinAttempt) {
        if self.predates(attempt) {
            return;
        }
        match self.place {
            Place::Open {
                held,
                claimed: Some(_),
                ..
            } if attempt.role == Role::Probe => {
                let mult = (self.mult + 1).min(5);
                if held {
                    self.hold(now, mult)
                } else {
                    self.open(now, mult)
                }
            }
            Place::Open { ref mut streak, .. } if attempt.role == Role::LastResort => *streak = 0,
            Place::Open { .. } => {}
            Place::Closed { .. } | Place::Recovering { .. } => {
                self.cusum += self.own_steps(base).0 * weight;
                self.doubt = (self.doubt + 44.0 * weight).min(160.0);
                self.fails += 1;
                let fast = self.fast.at(now).attempts;
                self.unsure |=
                    (self.cusum - 9.0).abs() < 0.3 || (self.fails == 3 && (fast - 6.0).abs() < 0.4);
                if self.cusum >= 9.0 || (self.fails >= 3 && fast < 6.0) {
                    let mult = self.next_mult(now).min(5);
                    self.open(now, mult);
                } else if let Place::Recovering {
                    ref mut ramp,
                    ref mut streak,
                    ..
                } = self.place
                {
                    *ramp = ramp.saturating_sub(1);
                    *streak = 0;
                }
            }
        }
    }

    pub(crate) fn reject_key(&mut self, now: f64, attempt: &TwinAttempt) {
        match self.place {
            Place::Closed { .. } | Place::Recovering { .. } => {
                let mult = self.next_mult(now).min(15);
                self.hold(now, mult);
            }
            Place::Open { held, claimed, .. } => {
                if attempt.role == Role::Regular
                    || (attempt.role == Role::Probe && claimed.is_none())
                {
                    return;
                }
                let mult = if held { (self.mult + 1).min(15) } else { 0 };
                self.hold(now, mult);
            }
        }
    }

    pub(crate) fn unclaim(&mut self, now: f64) {
        if let Place::Open {
            ref mut claimed,
            ref mut until,
            ..
        } = self.place
            && claimed.is_some()
        {
            *claimed = None;
            *until = now;
        }
    }

    /// An operator's release: whatever the circuit waits for is over, and a rejected key is forgotten.
    pub(crate) fn release(&mut self, now: f64) {
        if let Place::Open {
            ref mut held,
            ref mut ready,
            ref mut until,
            claimed,
            ..
        } = self.place
        {
            if std::mem::take(held) {
                self.mult = 0;
            }
            *ready = true;
            if claimed.is_none() {
                *until = now;
            }
        }
    }

    /// The mode in which the only route of a pool is picked, if it is; claims the probe.
    pub(crate) fn pick(&mut self, now: f64) -> Option<Mode> {
        if self.drained > now {
            return None;
        }
        let mult = self.mult;
        let Place::Open {
            opened,
            until,
            held,
            ref mut claimed,
            ref mut ready,
            ref mut skipped,
            ..
        } = self.place
        else {
            return Some(match self.pinned > now {
                true => Mode::Pinned,
                false => Mode::Normal,
            });
        };
        if !held {
            *skipped += 1;
        }
        let (due, edge) = match *claimed {
            Some(at) => (now - at >= 30.0, (now - at - 30.0).abs()),
            None if *ready => (true, 1.0),
            None if held || *skipped >= 5 << mult.min(4) => (now >= until, (now - until).abs()),
            None => (
                now >= (opened + 900.0).max(until),
                (now - (opened + 900.0).max(until)).abs(),
            ),
        };
        self.unsure |= edge < TICKS;
        if due {
            *claimed = Some(now);
            *ready = true;
            Some(Mode::Probe)
        } else {
            Some(Mode::Panic)
        }
    }

    pub(crate) fn first_byte(&mut self, now: f64, attempt: &mut TwinAttempt) {
        if attempt.first.is_some() {
            return;
        }
        attempt.first = Some(now);
        let calm = matches!(self.place, Place::Closed { .. })
            && self.cusum <= 0.0
            && self.fails == 0
            && self.doubt <= 0.0;
        // Why: a CUSUM that rounded to zero here and not there credits the success at the first byte or at the end.
        self.unsure |= (self.cusum > 0.0 && self.cusum < 0.02)
            || (self.cusum <= 0.0 && self.fails == 0 && self.doubt > 0.0 && self.doubt < 4.0);
        if !attempt.late && (attempt.role != Role::Regular || !calm) {
            let base = self.base(now);
            self.doubt = self.doubt_at(now);
            self.success(now, base, attempt);
            attempt.credited = true;
            attempt.role = Role::Regular;
        }
    }

    pub(crate) fn overdue(&mut self, now: f64, attempt: &mut TwinAttempt) {
        if attempt.late || attempt.first.is_some() {
            return;
        }
        attempt.late = true;
        let base = self.base(now);
        self.doubt = self.doubt_at(now);
        self.count(now, 1.0, 1.0, 1.0);
        self.failure(now, base, 1.0, attempt);
        attempt.role = Role::Regular;
    }

    pub(crate) fn end(&mut self, now: f64, outcome: Outcome, attempt: &TwinAttempt, refund: f64) {
        let (base, rested) = (self.base(now), self.doubt_at(now));
        // Why: counts that rounded to nothing have no tick from which time could forgive.
        self.unsure |= attempt.late && now - self.fast.at > 12.0;
        let effect = outcome.effect();
        let counted = f64::from(u8::from(attempt.late));
        match outcome {
            Outcome::Success if attempt.late => {
                let took = attempt.first.unwrap_or(now) - attempt.started;
                self.unsure |= (took - refund).abs() < 0.01;
                if took < refund {
                    self.count(now, 0.0, -1.0, -1.0);
                    self.doubt = rested;
                    if !matches!(self.place, Place::Open { .. }) {
                        self.cusum = (self.cusum - self.own_steps(base).0).max(0.0);
                        self.doubt = (self.doubt - 44.0).max(0.0);
                        self.fails = 0;
                    }
                }
            }
            Outcome::Success => {
                self.count(now, 1.0, 0.0, 0.0);
                if !attempt.credited {
                    self.doubt = rested;
                    self.success(now, base, attempt);
                }
            }
            Outcome::KeyRejected => self.reject_key(now, attempt),
            _ if effect.error_weight > 0.0 => {
                let weight = f64::from(effect.error_weight);
                let more = (weight - counted).max(0.0);
                let blame = if effect.blames_parent {
                    2.0 * weight - counted
                } else {
                    more
                };
                self.count(now, 1.0 - counted, more, blame);
                let step = f64::from(effect.cusum_weight) - counted;
                if step > 0.0 {
                    self.doubt = rested;
                    self.failure(now, base, step, attempt);
                }
            }
            _ if attempt.role == Role::Probe => self.unclaim(now),
            _ => {}
        }
    }

    pub(crate) fn agrees(&self, state: State) -> bool {
        match self.place {
            Place::Closed { .. } => matches!(state, State::Healthy | State::Degraded),
            Place::Recovering { .. } => state == State::Recovering,
            Place::Open { held: true, .. } => state == State::KeyHeld,
            Place::Open { claimed, ready, .. } => {
                state
                    == if claimed.is_some() || ready {
                        State::Probing
                    } else {
                        State::Open
                    }
            }
        }
    }
}
