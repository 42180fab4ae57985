//! What do operators do with a route: drain it, pin it, release it, set a limit of its own?
//!
//! The instants are off the hot line; two bits of the gate's word say that there may be one, and the selector looks further only where a bit is set.
//! Requests never wait: the lock is between operators and the sweep, so that bits and instants belong to each other.
//!
//! # Invariants
//! - An instant counts where its bit is set: whoever sees no bit need not look.
//! - An instant ends by itself; the sweep only clears its bit.
//! - Nothing here touches what was learned of the route, but for what [`Route::release`] says.

use std::sync::{Mutex, PoisonError};

use crate::ceiling::{self, DRAINED, Dimension, PINNED};
use crate::cell::Word;
use crate::health::Circuit;
use crate::time::Time;

use super::Route;

/// An instant that never comes.
const NEVER: u64 = u64::MAX;

/// When something that an operator did ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it is undone.
    Undone,
    /// At this instant.
    At(Time),
}

impl Until {
    /// The instant; `None` where there is none.
    #[must_use]
    pub const fn instant(self) -> Option<Time> {
        match self {
            Self::Undone => None,
            Self::At(at) => Some(at),
        }
    }
}

/// What operators have done with a route, at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// Until when no attempt is sent there; `None` = not drained.
    pub drained: Option<Until>,
    /// Until when every request is sent there; `None` = not pinned.
    pub pinned_until: Option<Time>,
    /// Limits that go before all others, in the order of [`Dimension::ALL`].
    pub overrides: [Option<u32>; Dimension::ALL.len()],
}

/// The operator's instants.
#[derive(Debug)]
pub(super) struct Steer {
    /// Until when it is drained, in µs; 0 = not.
    drained_until: Word,
    /// Until when it is pinned, in µs; 0 = not.
    pinned_until: Word,
    /// Held by one operator, or the sweep, at a time.
    turn: Mutex<()>,
}

impl Steer {
    pub(super) fn new() -> Self {
        Self {
            drained_until: Word::new(0),
            pinned_until: Word::new(0),
            turn: Mutex::new(()),
        }
    }
}

impl Route {
    /// Sends no new attempt there, not even as a probe or where nothing else is left; attempts in flight go on.
    pub fn drain(&self, until: Until) {
        let micros = until.instant().map_or(NEVER, Time::as_micros);
        self.steer(|steer| steer.drained_until.store(micros));
    }

    /// Ends a drain.
    pub fn undrain(&self) {
        self.steer(|steer| steer.drained_until.store(0));
    }

    /// Sends every request there of whatever pool it is in, as long as it is closed and has room.
    pub fn pin(&self, until: Time) {
        self.steer(|steer| steer.pinned_until.store(until.as_micros()));
    }

    /// Ends a pin.
    pub fn unpin(&self) {
        self.steer(|steer| steer.pinned_until.store(0));
    }

    /// Ends whatever holds the route now, but for a drain.
    ///
    /// The hold of the ceilings ends, and the buckets that were not told are full; a circuit that is not closed is due a probe at once, and a rejected key or an unsupported model is forgotten.
    pub fn release(&self, now: Time) {
        ceiling::release(&self.hot.gate, &self.cold().limits);
        let (tick, circuit) = (now.tick(), &self.cold().rules.tuning.circuit);
        let released = |word| Circuit::unpack(word).released(tick, circuit).pack();
        let swap = self.hot.circuit.update(released);
        self.dropped(u64::from(swap.is_none()));
    }

    /// Puts a limit before everything told, read or learned of a dimension: units per minute, or requests in flight; `None` takes it away.
    pub fn overrule(&self, dimension: Dimension, limit: Option<u32>, now: Time) {
        ceiling::overrule(
            &self.hot.gate,
            &self.cold().limits,
            dimension,
            limit.filter(|limit| *limit > 0),
            now,
        );
    }

    /// Steers the route as `elder` is steered, whose place it takes.
    pub fn inherit(&self, elder: &Self) {
        let elder = elder.cold();
        self.steer(|steer| {
            steer.drained_until.store(elder.steer.drained_until.load());
            steer.pinned_until.store(elder.steer.pinned_until.load());
        });
        ceiling::inherit(&self.hot.gate, &self.cold().limits, &elder.limits);
    }

    /// What operators have done with it, as of `now`.
    #[must_use]
    pub fn steering(&self, now: Time) -> Steering {
        let (drained, pinned) = self.instants();
        let ahead = |micros: u64| micros > now.as_micros();
        Steering {
            drained: ahead(drained).then_some(match drained {
                NEVER => Until::Undone,
                micros => Until::At(Time::from_micros(micros)),
            }),
            pinned_until: ahead(pinned).then_some(Time::from_micros(pinned)),
            overrides: ceiling::overrules(&self.cold().limits),
        }
    }

    /// Whether an operator may have drained or pinned it.
    pub(crate) fn may_be_steered(&self) -> bool {
        self.hot.gate.steered() != 0
    }

    /// Whether the ceilings hold it.
    pub(crate) fn is_held(&self, now: Time) -> bool {
        self.hot.gate.is_held(now)
    }

    /// Which of the gate's bits count at `now`.
    pub(crate) fn steered(&self, now: Time) -> u64 {
        let (drained, pinned) = self.instants();
        let bit = |bit: u64, micros: u64| if micros > now.as_micros() { bit } else { 0 };
        bit(DRAINED, drained) | bit(PINNED, pinned)
    }

    /// Clears what has ended.
    pub(super) fn sweep_steering(&self, now: Time) {
        if !self.may_be_steered() {
            return;
        }
        self.steer(|steer| {
            for word in [&steer.drained_until, &steer.pinned_until] {
                if word.load() <= now.as_micros() {
                    word.store(0);
                }
            }
        });
    }

    fn instants(&self) -> (u64, u64) {
        let steer = &self.cold().steer;
        (steer.drained_until.load(), steer.pinned_until.load())
    }

    /// Changes the instants, and the gate's bits with them.
    fn steer(&self, change: impl FnOnce(&Steer)) {
        let steer = &self.cold().steer;
        // Why: it guards nothing that could be left half-way.
        let _turn = steer.turn.lock().unwrap_or_else(PoisonError::into_inner);
        change(steer);
        let (drained, pinned) = self.instants();
        let bit = |bit: u64, micros: u64| if micros > 0 { bit } else { 0 };
        // Why until it is done: given up, an operator's word would be lost.
        while !self
            .hot
            .gate
            .steer(bit(DRAINED, drained) | bit(PINNED, pinned))
        {
            std::hint::spin_loop();
        }
    }
}
