//! What is seen of a running gateway, live and over time: ticks, histories, and events with what they rest on.
//!
//! Housekeeping looks four times a second at the routes' states, and once a second at everything.
//! A tick, a row of the histories and events are formed of this reading and those before, by functions that are given `now`.
//!
//! A change of state that is undone within 250 ms may be missed; the circuit's count of trips shows that it was there.
//!
//! # Invariants
//! - Nothing is counted here on the path of a request, and no request waits for a look.
//! - Memory is bounded: see [`history`] and [`live`].

mod changes;
mod columns;
mod history;
mod live;
mod reader;
mod sample;
mod sentences;
mod tick;
mod told;
mod weights;

pub use history::Window;
pub use live::{Feed, MOST as MOST_FEEDS, NoFeed};
pub use reader::Scene;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use scoring::time::{Span, Time};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::events::{Event, Events};
use changes::{Changes, Draft, Glance};
use history::History;
use live::Hub;
use reader::{Listed, Reader};
use sample::{Past, Reading};
use tick::Tick;
use weights::Weights;

/// Seconds between two ticks.
const STEP_S: u64 = 1;

/// Least time between two ticks: a second, less half of the time between two looks.
const TICK_AFTER: Span = Span::from_millis(875);

/// Difference between the machine's clock and what was assumed of it from which on it is believed: it was set.
const CLOCK_SET: u64 = 500_000;

/// Events that a tick carries, at most; the next one has the rest.
const EVENTS: usize = 100;

/// What is seen; shared by housekeeping, which looks, and the admin plane, which shows.
#[derive(Default)]
pub struct Watch {
    seen: Mutex<Seen>,
    hub: Hub,
}

#[derive(Default)]
struct Seen {
    reader: Reader,
    past: Past,
    changes: Changes,
    weights: Weights,
    history: History,
    /// When it was looked first, and µs since 1970 then.
    began: Option<(Time, u64)>,
    /// µs since 1970 at [`Time`] zero.
    epoch_us: u64,
    /// When everything was read last.
    ticked: Option<Time>,
    /// The last event that a tick has told.
    told: u64,
    last: Option<(Reading, Tick)>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// Looks at the routes' states, and at everything where a second has passed; `unix_us` is µs since 1970.
    pub fn look(&self, scene: &Scene<'_>, now: Time, unix_us: u64) {
        let mut seen = self.seen();
        seen.set_clock(now, unix_us);
        let listed = reader::views(scene.registry, now);
        seen.notice(scene, &listed, now);
        let is_due = seen.ticked.is_none_or(|last| now.since(last) >= TICK_AFTER);
        if is_due {
            seen.tick(scene, listed, now);
            if self.hub.is_followed()
                && let Some((_, tick)) = &seen.last
                && let Ok(json) = serde_json::to_vec(tick)
            {
                self.hub.publish("tick", &json);
            }
        }
    }

    /// Lets somebody follow the ticks; `cut` is told when whoever it is does not read.
    ///
    /// # Errors
    /// [`NoFeed`]
    pub fn follow(&self, cut: Arc<Notify>, unix_us: u64) -> Result<Feed, NoFeed> {
        let seen = self.seen();
        let hello = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "started_us": seen.began.map_or(unix_us, |(_, at)| at),
            "now_us": unix_us,
            "step_s": STEP_S,
        });
        let mut first: Vec<Bytes> = vec![live::written("hello", hello.to_string().as_bytes())];
        if let Some((_, tick)) = &seen.last {
            // Why: its events were told; who begins to follow asks for those that were.
            let tick = Tick {
                events: Vec::new(),
                ..tick.clone()
            };
            let json = serde_json::to_vec(&tick).unwrap_or_default();
            first.push(live::written("tick", &json));
        }
        self.hub.open(first, cut)
    }

    /// Ends all that follow, and lets nobody more.
    pub fn close(&self) {
        self.hub.close();
    }

    /// The gateway's history as JSON.
    #[must_use]
    pub fn history_of_gateway(&self, window: Window) -> String {
        let (table, base) = {
            let seen = self.seen();
            (seen.history.gateway(window), seen.base_us())
        };
        let names = columns::GATEWAY.each_ref().map(|column| column.name);
        told::history("gateway", window, &table, (base, &names))
    }

    /// A route's history as JSON; none if there is none.
    #[must_use]
    pub fn history_of_route(&self, route: &str, window: Window) -> Option<String> {
        let (table, base) = {
            let seen = self.seen();
            (seen.history.route(route, window)?, seen.base_us())
        };
        let names = columns::ROUTE.each_ref().map(|column| column.name);
        Some(told::history(route, window, &table, (base, &names)))
    }

    /// Some series of every route as JSON.
    #[must_use]
    pub fn history_of_routes(&self, window: Window) -> String {
        let (tables, base) = {
            let seen = self.seen();
            let tables = seen.history.routes(window, &columns::of_all());
            (tables, seen.base_us())
        };
        told::histories(window, &tables, (base, &columns::OF_ALL))
    }

    /// How the traffic of every model stands to the operator's weights.
    #[must_use]
    pub fn models(&self) -> Value {
        let seen = self.seen();
        let models = seen.last.as_ref();
        let models = models.map(|(reading, _)| seen.weights.told(reading));
        json!({ "models": models.unwrap_or_default() })
    }

    /// Bytes that the histories take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.seen().history.bytes()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Holds the two clocks together; small differences are left alone, so that times stay on their grid.
    fn set_clock(&mut self, now: Time, unix_us: u64) {
        let epoch = unix_us.saturating_sub(now.as_micros());
        if self.epoch_us.abs_diff(epoch) > CLOCK_SET {
            self.epoch_us = epoch;
        }
        self.began.get_or_insert((now, unix_us));
    }

    /// µs since 1970 of the history's first second.
    fn base_us(&self) -> u64 {
        let began = self.began.map_or(0, |(at, _)| at.as_micros());
        self.epoch_us + began
    }

    /// Notes what has changed of the routes.
    fn notice(&mut self, scene: &Scene<'_>, listed: &[Listed], now: Time) {
        let glance = Glance {
            now,
            epoch_us: self.epoch_us,
            threshold: scene.threshold,
            past: &self.past,
        };
        let mut drafts = Vec::new();
        for (name, _, view) in listed {
            drafts.extend(self.changes.look(name, view, &glance));
        }
        self.note(scene.events, drafts, now);
    }

    fn note(&self, events: &Events, drafts: Vec<Draft>, now: Time) {
        for draft in drafts {
            tracing::info!(kind = draft.kind.name(), "{}", draft.what);
            events.note(Event {
                id: 0,
                at_us: self.epoch_us + now.as_micros(),
                kind: draft.kind,
                route: draft.route.map(|route| (*route).into()),
                what: draft.what.into(),
                evidence: draft.evidence,
            });
        }
    }

    /// Reads everything, and forms of it what is shown.
    fn tick(&mut self, scene: &Scene<'_>, listed: Vec<Listed>, now: Time) {
        self.ticked = Some(now);
        self.changes.forget(now);
        let wanted = self.weights.wanted();
        let reading = self.reader.read(scene, listed, &wanted, now);
        let drafts = self.weights.look(&reading, now);
        self.note(scene.events, drafts, now);
        let at_us = self.epoch_us + now.as_micros();
        let mut tick = tick::tick(&reading, &self.past, at_us);
        let events = scene.events.after(self.told, EVENTS);
        self.told = events.last().map_or(self.told, |event| event.id);
        tick.events = events.iter().map(Event::told).collect();
        let began = self.began.map_or(now, |(at, _)| at);
        let second = (now.since(began).as_micros() + 500_000) / 1_000_000;
        self.history.push(second, &tick, now);
        self.past.push(reading.marks.clone());
        self.last = Some((reading, tick));
    }
}

#[cfg(test)]
mod tests;
