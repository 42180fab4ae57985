//! What a recording tells of each request: which route was chosen first, with which chance, and what it cost.
//!
//! A recording of several models is one of that with the most requests: routes of another model are no alternatives.
//!
//! # Invariants
//! - A row is judged only if the first route, its chance and the request's whole cost are known; what is left out is counted by reason.
//! - Costs are the simulator's, as [`toll_ms`] sums them.

use scoring::Outcome;
use scoring::shadow::toll_ms;
use scoring::time::Span;
use serde::Serialize;

use crate::trace::{Request, Seen, Trace};

/// One attempt, as far as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Leg {
    /// Index into [`Log::routes`].
    pub(super) route: usize,
    /// When it began, since the trace's beginning; unknown after a back-off or a third attempt.
    pub(super) began: Option<Span>,
    /// From its beginning to its first token.
    pub(super) ttft: Option<Span>,
    /// When it ended.
    pub(super) ended: Span,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// Output tokens handed over.
    pub(super) output: u32,
}

/// Why a request is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unjudged {
    /// Refused by the gateway itself: no route was chosen.
    Refused,
    /// The client's own fault: every route would have said so.
    Rejected,
    /// The client left: what the answer would have cost is not known.
    Canceled,
    /// Its first route is not recorded.
    NoFirst,
    /// Its chance is not recorded.
    NoChance,
    /// Its end is not recorded.
    NoEnd,
}

/// One request as it was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) first: Option<Leg>,
    /// The last attempt, if it was not the first.
    pub(super) last: Option<Leg>,
    /// The chance with which the first route was chosen.
    pub(super) chance: Option<f64>,
    /// What it cost in ms, if it is judged.
    pub(super) cost: Result<f64, Unjudged>,
}

impl Row {
    /// The attempts that are known.
    pub(super) fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.first.iter().chain(&self.last)
    }

    /// First route, chance and cost, if the row is judged.
    pub(super) fn judged(&self) -> Option<(usize, f64, f64)> {
        let cost = self.cost.ok()?;
        Some((self.first?.route, self.chance?, cost))
    }
}

/// Requests that are not judged, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Refused by the gateway itself.
    pub refused: u64,
    /// The client's own faults.
    pub rejected: u64,
    /// The client left.
    pub canceled: u64,
    /// Tried more than once, and the first route is not recorded.
    pub no_first: u64,
    /// Without the chance with which the route was chosen.
    pub no_chance: u64,
    /// Without an end.
    pub no_end: u64,
    /// Of other models.
    pub other_models: u64,
}

impl LeftOut {
    fn count(&mut self, reason: Unjudged) {
        *match reason {
            Unjudged::Refused => &mut self.refused,
            Unjudged::Rejected => &mut self.rejected,
            Unjudged::Canceled => &mut self.canceled,
            Unjudged::NoFirst => &mut self.no_first,
            Unjudged::NoChance => &mut self.no_chance,
            Unjudged::NoEnd => &mut self.no_end,
        } += 1;
    }

    /// Reasons and counts, those of 0 left away.
    pub(super) fn told(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [
            ("refused by the gateway", self.refused),
            ("the client's fault", self.rejected),
            ("the client left", self.canceled),
            ("first route not recorded", self.no_first),
            ("chance not recorded", self.no_chance),
            ("end not recorded", self.no_end),
            ("of other models", self.other_models),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }

    /// Requests whose cost could bear on the mean: all but clients' own faults and other models'.
    pub(super) fn bearing(&self) -> u64 {
        self.refused + self.canceled + self.no_first + self.no_chance + self.no_end
    }
}

/// A recording of one model.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// The model's requests, with a plausible length for answers that never came.
    pub(super) trace: Trace,
    /// One for each of `trace`'s requests.
    pub(super) rows: Vec<Row>,
    /// Names of the routes.
    pub(super) routes: Vec<String>,
    pub(super) left_out: LeftOut,
}

impl Log {
    /// What `trace` tells of the model with the most requests.
    pub(super) fn new(trace: &Trace) -> Self {
        let model = busiest(trace);
        let mut log = Self {
            trace: Trace {
                blocks: trace.blocks.clone(),
                sessions: trace.sessions,
                models: trace.models.clone(),
                tenants: trace.tenants.clone(),
                ..Trace::default()
            },
            rows: Vec::new(),
            routes: Vec::new(),
            left_out: LeftOut::default(),
        };
        let mut places = vec![None; trace.routes.len()];
        let pairs = trace.requests.iter().zip(&trace.seen);
        for (request, seen) in pairs {
            if request.model == model {
                log.push(request, seen, (&trace.routes, &mut places));
            } else {
                log.left_out.other_models += 1;
            }
        }
        log.lengthen();
        log
    }

    fn push(
        &mut self,
        request: &Request,
        seen: &Seen,
        (names, places): (&[String], &mut [Option<usize>]),
    ) {
        let mut place = |route: Option<u16>| {
            let route = usize::from(route?);
            let slot = places.get_mut(route)?;
            if slot.is_none() {
                *slot = Some(self.routes.len());
                self.routes.push(names.get(route)?.clone());
            }
            *slot
        };
        let (first, last) = (place(seen.first), place(seen.route));
        let row = row(request, seen, first, last);
        if let Err(reason) = row.cost {
            self.left_out.count(reason);
        }
        self.trace.requests.push(*request);
        self.rows.push(row);
    }

    /// Gives requests without a whole answer the length of the last whole one of their class.
    fn lengthen(&mut self) {
        let mut lengths = [None; scoring::Class::COUNT];
        for (request, row) in self.trace.requests.iter_mut().zip(&self.rows) {
            let length = &mut lengths[request.class.index()];
            let whole = row.legs().any(|leg| leg.outcome == Outcome::Success);
            match (whole, *length) {
                (true, _) => *length = Some(request.output),
                (false, Some(length)) => request.output = request.output.max(length),
                (false, None) => {}
            }
        }
    }

    /// First route and chance of each request that has both, judged or not.
    pub(super) fn chosen(&self) -> impl Iterator<Item = (usize, f64)> {
        let rows = self.rows.iter();
        rows.filter_map(|row| Some((row.first?.route, row.chance?)))
    }
}

/// The model with the most requests; the first of equals.
fn busiest(trace: &Trace) -> u16 {
    let mut counts = vec![0_u64; trace.models.len().max(1)];
    for request in &trace.requests {
        if let Some(count) = counts.get_mut(usize::from(request.model)) {
            *count += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    counts.iter().position(|it| *it == most).unwrap_or(0) as u16
}

fn row(request: &Request, seen: &Seen, first: Option<usize>, last: Option<usize>) -> Row {
    // A source that does not count attempts but names a route made one.
    let attempts = match last {
        Some(_) => seen.attempts.max(1),
        None => seen.attempts,
    };
    let mut row = Row {
        first: None,
        last: None,
        chance: seen.p_select.map(f64::from),
        cost: Err(Unjudged::NoEnd),
    };
    if attempts == 0 {
        row.cost = Err(Unjudged::Refused);
        return row;
    }
    let (Some(route), Some(total), Some(outcome)) = (last, seen.total, outcome(seen)) else {
        return row;
    };
    let ended = request.at.plus(total);
    let leg = Leg {
        route,
        began: Some(request.at),
        ttft: seen.ttft,
        ended,
        outcome,
        output: request.output,
    };
    if attempts == 1 {
        row.first = Some(leg);
    } else {
        row.first = first_leg(request, seen, first);
        let followed = row.first.filter(|it| attempts == 2 && it.route != route);
        row.last = Some(Leg {
            began: followed.map(|it| it.ended),
            ..leg
        });
    }
    row.cost = match outcome {
        Outcome::Rejected => Err(Unjudged::Rejected),
        Outcome::Canceled => Err(Unjudged::Canceled),
        _ if row.first.is_none() => Err(Unjudged::NoFirst),
        _ if row.chance.is_none() => Err(Unjudged::NoChance),
        _ => Ok(toll_ms(total, attempts, outcome == Outcome::Success)),
    };
    row
}

fn first_leg(request: &Request, seen: &Seen, route: Option<usize>) -> Option<Leg> {
    Some(Leg {
        route: route?,
        began: Some(request.at),
        ttft: None,
        ended: request.at.plus(seen.first_took?),
        outcome: seen.first_outcome?,
        output: 0,
    })
}

/// How the last attempt ended; by its status where nothing more is told.
fn outcome(seen: &Seen) -> Option<Outcome> {
    seen.outcome.or(match seen.status {
        200..300 => Some(Outcome::Success),
        429 => Some(Outcome::RateLimited),
        400..500 => Some(Outcome::Rejected),
        503 | 529 => Some(Outcome::Overloaded),
        500.. => Some(Outcome::ServerError),
        _ => None,
    })
}
