//! What the mock remembers: its providers as they stand, the ledger, and each attempt under way.
//!
//! Everything lives in one thread and is borrowed for a few instructions at a time.
//!
//! # Invariants
//! - No borrow is held across an await.
//! - Every [`Witness`] releases its in-flight slot and writes exactly one end; dropped untold, the client left.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use scoring::time::{Span, Time};

use super::bill::Bill;
use super::catalogue::{Fault, Kind};
use super::error::MockError;
use super::faults::Faults;
use super::images::Jobs;
use super::ledger::{Attempt, End, Ledger, Total};
use super::limits::{Charge, Quota, Refusal, Standings};
use super::plan::Words;
use super::script::{ProviderScript, Script};
use super::shelf::Shelf;
use crate::clock;

/// Keys whose limits are kept apart per provider; any further keys share one.
const KEYS: usize = 4_096;

/// Everything behind one mock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) started: Time,
    /// In the order of their names.
    pub(super) providers: Vec<Provider>,
    pub(super) ledger: RefCell<Ledger>,
    pub(super) words: RefCell<Words>,
    /// Images under way and done.
    pub(super) jobs: RefCell<Jobs>,
}

/// One stand-in provider as it stands.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) name: Rc<str>,
    pub(super) script: ProviderScript,
    pub(super) faults: RefCell<Faults>,
    pub(super) rng: RefCell<SmallRng>,
    pub(super) in_flight: Cell<u32>,
    /// What it remembers under an id.
    pub(super) shelf: RefCell<Shelf>,
    quotas: RefCell<HashMap<Box<str>, Quota>>,
}

/// Follows one attempt to its end.
#[derive(Debug)]
pub(super) struct Witness {
    pub(super) state: Rc<State>,
    pub(super) provider: usize,
    pub(super) seq: u64,
    /// Key and output tokens reserved, where what is unused is given back.
    reserved: Option<(Box<str>, u32)>,
    path: &'static str,
    input: u32,
    sent: u32,
    /// How it is billed, once there is an answer.
    bill: Bill,
    ended: bool,
}

impl State {
    /// The state of a mock that begins now.
    ///
    /// # Errors
    /// Fails where the script's check does.
    pub(super) fn new(script: Script) -> Result<Self, MockError> {
        script.check()?;
        let seed = script.seed;
        let providers = script
            .providers
            .into_iter()
            .zip(0_u64..)
            .map(|((name, script), index)| Provider {
                name: name.into(),
                script,
                faults: RefCell::default(),
                rng: RefCell::new(SmallRng::seed_from_u64(seed.wrapping_add(index << 32))),
                in_flight: Cell::new(0),
                shelf: RefCell::default(),
                quotas: RefCell::default(),
            });
        Ok(Self {
            started: clock::now(),
            providers: providers.collect(),
            ledger: RefCell::default(),
            words: RefCell::default(),
            jobs: RefCell::default(),
        })
    }

    /// Index of the provider of that name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.providers
            .iter()
            .position(|provider| &*provider.name == name)
    }

    /// Whether the operator has taken every provider down.
    pub(super) fn is_down(&self) -> bool {
        let operator = |provider: &Provider| provider.faults.borrow().operator();
        let down = Some(Kind::Down.fault());
        self.providers
            .iter()
            .all(|provider| operator(provider) == down)
    }

    /// Time since the mock was made.
    pub(super) fn age(&self) -> Span {
        clock::now().since(self.started)
    }

    /// Forgets every attempt and how often counted faults struck.
    pub(super) fn forget(&self) {
        self.ledger.borrow_mut().clear();
        for provider in &self.providers {
            provider.faults.borrow_mut().forget();
        }
    }
}

impl Provider {
    /// Charges a key's limits; nothing where there are none.
    pub(super) fn admit(
        &self,
        key: &str,
        charge: Charge,
        now: Time,
    ) -> Option<(Result<(), Refusal>, Standings)> {
        let mut quotas = self.quotas.borrow_mut();
        if !quotas.contains_key(key) {
            let quota = Quota::new(&self.script.limits, now)?;
            let key = if quotas.len() < KEYS { key } else { "" };
            quotas.entry(key.into()).or_insert(quota);
        }
        let key = if quotas.contains_key(key) { key } else { "" };
        let quota = quotas.get_mut(key)?;
        let verdict = quota.admit(charge, now);
        Some((verdict, quota.standings()))
    }

    /// Gives back output tokens that a key reserved and did not use.
    fn settle(&self, key: &str, unused: u32) {
        if let Some(quota) = self.quotas.borrow_mut().get_mut(key) {
            quota.settle(unused);
        }
    }
}

impl Witness {
    /// Writes a new attempt into the ledger and takes an in-flight slot.
    pub(super) fn open(state: Rc<State>, provider: usize, attempt: Attempt) -> Self {
        let (path, input) = (attempt.path, attempt.input_tokens);
        let seq = state.ledger.borrow_mut().open(attempt);
        let in_flight = &state.providers[provider].in_flight;
        in_flight.set(in_flight.get() + 1);
        Self {
            state,
            provider,
            seq,
            reserved: None,
            path,
            input,
            sent: 0,
            bill: Bill::default(),
            ended: false,
        }
    }

    /// The provider that is being asked.
    pub(super) fn provider(&self) -> &Provider {
        &self.state.providers[self.provider]
    }

    /// Notes which fault struck.
    pub(super) fn struck(&self, fault: Fault) {
        self.amend(|attempt| attempt.fault = Some(fault));
    }

    /// Notes the status that is sent.
    pub(super) fn status(&self, status: u16) {
        self.amend(|attempt| attempt.status = status);
    }

    /// Notes output tokens handed to the connection.
    pub(super) fn sent(&mut self, tokens: u32) {
        self.sent = self.sent.saturating_add(tokens);
        let (sent, each) = (self.sent, self.bill.each);
        self.amend(|attempt| {
            attempt.output_tokens = sent;
            attempt.billed = attempt.billed.plus_times(each, tokens);
        });
    }

    /// Bills an answer from here on.
    pub(super) fn bill(&mut self, bill: Bill) {
        self.bill = bill;
        self.amend(|attempt| attempt.billed = bill.start);
    }

    /// Has what stays unused of `output` tokens given back to `key` at the end.
    pub(super) fn reserve(&mut self, key: &str, output: u32) {
        self.reserved = Some((key.into(), output));
    }

    /// Ends the attempt.
    pub(super) fn end(mut self, end: End) {
        self.close(end);
    }

    fn close(&mut self, end: End) {
        self.ended = true;
        let age = self.state.age().as_micros();
        let last = self.bill.end;
        self.amend(|attempt| {
            (attempt.end, attempt.ended_us) = (end, age);
            if end == End::Completed {
                attempt.billed = attempt.billed.plus(last);
            }
        });
        let provider = self.provider();
        self.state.ledger.borrow_mut().count(&Total {
            provider: Rc::clone(&provider.name),
            path: self.path,
            end,
            attempts: 1,
            input_tokens: self.input.into(),
            output_tokens: self.sent.into(),
        });
        provider
            .in_flight
            .set(provider.in_flight.get().saturating_sub(1));
        if let Some((key, output)) = &self.reserved {
            provider.settle(key, output.saturating_sub(self.sent));
        }
    }

    fn amend(&self, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.state.ledger.borrow_mut().get_mut(self.seq) {
            change(attempt);
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if !self.ended {
            self.close(End::ClientLeft);
        }
    }
}
