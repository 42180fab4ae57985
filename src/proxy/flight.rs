//! One attempt in flight: scoring's guard, joined to the clock and the metrics.
//!
//! # Invariants
//! - The guard is told exactly one outcome; a flight dropped untold was canceled by the client.

use std::rc::Rc;
use std::sync::Arc;

use scoring::affinity;
use scoring::outcome::Outcome;
use scoring::route::{Attempt, End, Route};
use scoring::time::{Span, Time};

use super::chain::Chosen;
use super::life::Life;
use super::payment::Payment;
use super::respond::Failed;
use super::serving::Serving;
use super::session::Turn;
use super::story::Note;
use super::worker::Worker;
use crate::clock;
use crate::config::Nano;
use crate::dialects::seen::Usage;
use crate::observe::metrics::{RouteHandles, TokenKind};
use crate::routing::Home;

/// An attempt in flight.
pub(super) struct Flight {
    attempt: Option<Attempt<Arc<Route>>>,
    worker: Rc<Worker>,
    serving: Arc<Serving>,
    place: (usize, usize),
    /// The turn of a session that moves to this route if it answers.
    turn: Option<Turn>,
    /// What pays for it, where books are kept.
    payment: Option<Payment>,
    /// What is told of it, if anybody listens.
    note: Option<Note>,
    pub(super) started: Time,
    /// Whether the overdue timer has gone off, or there is none.
    overdue_at: Option<Time>,
}

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// How an attempt ended, with what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Landing {
    pub(super) outcome: Outcome,
    pub(super) usage: Usage,
    pub(super) retry_after: Option<Span>,
}

impl From<Outcome> for Landing {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            usage: Usage::default(),
            retry_after: None,
        }
    }
}

impl Flight {
    /// Begins an attempt that scoring has picked.
    pub(super) fn begin(
        life: &Life,
        (chosen, payment): (&Chosen, Option<Payment>),
        attempt: Attempt<Arc<Route>>,
    ) -> Self {
        let (model, target) = chosen.place;
        let wire = &life.serving.wires[model][target];
        wire.sent.inc();
        if life.last.is_some_and(|last| last != chosen.place) {
            wire.handles.arrivals.inc();
        }
        Self {
            note: Note::begin(life, &wire.via, &chosen.pick, attempt.started()),
            payment,
            started: attempt.started(),
            overdue_at: Some(attempt.overdue_at()),
            attempt: Some(attempt),
            worker: Rc::clone(&life.worker),
            serving: Arc::clone(&life.serving),
            place: chosen.place,
            turn: life
                .turn
                .filter(|_| affinity::moves(&chosen.ask, &chosen.pick)),
        }
    }

    /// When scoring wants to hear that no byte has come yet.
    pub(super) fn overdue_at(&self) -> Option<Time> {
        self.overdue_at
    }

    /// Tells scoring that no byte has come yet.
    pub(super) fn overdue(&mut self, now: Time) {
        self.overdue_at = None;
        if let Some(attempt) = &mut self.attempt {
            attempt.overdue(now);
        }
    }

    /// Tells scoring when a live connection took the request.
    pub(super) fn sent(&mut self, at: Time) {
        if let Some(attempt) = &mut self.attempt {
            attempt.sent(at);
        }
        if let Some(note) = &mut self.note {
            note.sent = Some(at.since(self.started));
        }
    }

    /// The provider has answered with this status.
    pub(super) fn answered(&mut self, status: u16) {
        if let Some(note) = &mut self.note {
            note.status = status;
        }
    }

    /// Tells scoring of the first content token.
    pub(super) fn first_token(&mut self, now: Time) {
        self.overdue_at = None;
        if let Some(attempt) = &mut self.attempt {
            attempt.first_byte(now);
        }
        let first = now.since(self.started);
        if let Some(note) = &mut self.note {
            note.first = Some(first);
        }
        let (model, target) = self.place;
        self.serving.wires[model][target]
            .handles
            .ttft
            .observe(first);
    }

    /// What counts of its route.
    pub(super) fn handles(&self) -> &RouteHandles {
        let (model, target) = self.place;
        &self.serving.wires[model][target].handles
    }

    /// The guard, to tell it of limits.
    pub(super) fn attempt(&mut self) -> Option<&mut Attempt<Arc<Route>>> {
        self.attempt.as_mut()
    }

    /// Sees to it that so many output tokens are paid for.
    ///
    /// # Errors
    /// What the client is told; the stream must end.
    pub(super) fn reach(&mut self, output: u32) -> Result<(), Box<Failed>> {
        match &mut self.payment {
            Some(payment) => payment.reach(&self.worker, output.into()),
            None => Ok(()),
        }
    }

    /// Ends the attempt. Only the first call counts.
    ///
    /// What it did cost is told, as far as it is known.
    pub(super) fn land(&mut self, landing: impl Into<Landing>, now: Time) -> Nano {
        let mut cost = Nano::ZERO;
        let Some(attempt) = self.attempt.take() else {
            return cost;
        };
        let landing = landing.into();
        let (model, target) = self.place;
        if let (Some(turn), Outcome::Success) = (self.turn, landing.outcome) {
            let home = Home::of(&self.serving.routing.models[model].targets[target].identity);
            let sessions = &self.worker.shared.lasting.sessions;
            sessions.remember(turn.session, home, turn.tokens, now);
        }
        let handles = &self.serving.wires[model][target].handles;
        if let Some(payment) = self.payment.take() {
            cost = payment.settle(&self.worker, landing.outcome, &landing.usage);
            handles.spend.inc_by(cost.dollars());
        }
        handles.attempt(landing.outcome);
        count_tokens(handles, &landing.usage);
        if let Some(note) = self.note.take() {
            note.end(&landing, now.since(self.started), cost);
        }
        attempt.finish(
            &End {
                outcome: landing.outcome,
                input_tokens: landing.usage.input,
                output_tokens: landing.usage.output,
                retry_after: landing.retry_after,
                jitter: self.worker.jitter(),
            },
            now,
        );
        cost
    }
}

/// Counts what an attempt used, by kind.
fn count_tokens(handles: &RouteHandles, usage: &Usage) {
    let told = |count: Option<u32>| count.unwrap_or(0);
    let read = told(usage.cached);
    let written = told(usage.cache_write).saturating_add(told(usage.cache_write_1h));
    let plain = told(usage.input).saturating_sub(read.saturating_add(written));
    let reasoning = told(usage.reasoning);
    handles.tokens(TokenKind::Uncached, plain);
    handles.tokens(TokenKind::CacheRead, read);
    handles.tokens(TokenKind::CacheWrite, written);
    handles.tokens(
        TokenKind::Answer,
        told(usage.output).saturating_sub(reasoning),
    );
    handles.tokens(TokenKind::Reasoning, reasoning);
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.attempt.is_some() {
            self.land(Outcome::Canceled, clock::now());
        }
    }
}
