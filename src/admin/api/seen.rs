//! What is seen of the gateway: live, over time, what has changed, and whether weights are honoured.
//!
//! # Invariants
//! - Nothing is worked out here but the choice of what was asked for; what is seen is kept by the watch.

use std::sync::Arc;

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::clock;
use crate::observe::events::{Events, Kind, Order, Search};
use crate::observe::watch::{NoFeed, Watch, Window};
use crate::proxy::Shared;

use super::ask::{Ask, Form, Param};
use super::call::{Cut, Reply};
use super::outgoing::{Outgoing, response};
use super::refusal::Refusal;
use super::routes::{AFTER, Gives, LIMIT, Route, Run, asked};

/// The content type of what is sent as it happens.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// What handlers work with.
#[derive(Clone, Debug)]
pub(super) struct View {
    watch: Arc<Watch>,
    events: Arc<Events>,
}

impl View {
    pub(super) fn of(shared: &Shared) -> Self {
        Self {
            watch: Arc::clone(&shared.lasting.watch),
            events: Arc::clone(&shared.lasting.events),
        }
    }
}

const WINDOW: Param = Param {
    name: "window",
    about: "How far back: `15m` (the default) by the second, `2h` by ten seconds, `24h` by the minute.",
    form: Form::Choice(&["15m", "2h", "24h"]),
};

const OF: Param = Param {
    name: "of",
    about: "`gateway` (the default), or a route.",
    form: Form::Text,
};

const TICKS: Param = Param {
    name: "ticks",
    about: "Ends after so many ticks; never unless told.",
    form: Form::Number(1, i64::MAX),
};

const OF_EVENTS: [Param; 4] = [
    Param {
        name: "before",
        about: "Only events with a smaller id.",
        form: Form::Number(1, i64::MAX),
    },
    Param {
        name: "kind",
        about: "Only events of this kind.",
        form: Form::Choice(&Kind::NAMES),
    },
    Param {
        name: "route",
        about: "Only events about this route.",
        form: Form::Text,
    },
    Param {
        name: "order",
        about: "`asc` (the default), oldest first, or `desc`.",
        form: Form::Choice(&["asc", "desc"]),
    },
];

/// What is asked of all this.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            about: "Sends what is seen as server-sent events: `hello`, then a `tick` a second.".to_owned(),
            query: vec![TICKS],
            ..asked("/api/live", "follow_live", Gives::Events, Run::Live)
        },
        Route {
            about: "Shows the figures of the gateway or of a route over time.".to_owned(),
            query: vec![OF, WINDOW],
            refuses: &[404],
            ..asked("/api/history", "show_history", Gives::Object, Run::Seen(history))
        },
        Route {
            about: "Shows score, rate, state and share of every route over time.".to_owned(),
            query: vec![WINDOW],
            ..asked("/api/history/routes", "show_history_of_routes", Gives::Object, Run::Seen(histories))
        },
        Route {
            about: "Lists what has changed and what it rests on: states, ceilings, holds, weights, configurations, operators.".to_owned(),
            query: [LIMIT, AFTER].into_iter().chain(OF_EVENTS).collect(),
            ..asked("/api/events", "list_events", Gives::Object, Run::Seen(events))
        },
        Route {
            about: "Shows every model's routes and fallbacks, and whether the traffic follows the weights.".to_owned(),
            ..asked("/api/models", "list_models", Gives::Object, Run::Seen(models))
        },
    ]
}

/// Sends what is seen as it happens.
pub(super) fn live(shared: &Shared, ask: &Ask, cut: Cut) -> Result<Response<Outgoing>, Refusal> {
    let ticks = ask.number("ticks").and_then(|it| u64::try_from(it).ok());
    let unix_us = u64::try_from(clock::unix_micros()).unwrap_or(0);
    let feed = shared.lasting.watch.follow(cut.0, unix_us);
    let feed = feed.map_err(|why| match why {
        NoFeed::Full => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_streams",
            why.to_string(),
        ),
        NoFeed::Ending => Refusal::unavailable(why.to_string()),
    })?;
    let body = Outgoing::live(feed, ticks);
    Ok(response(StatusCode::OK, EVENT_STREAM, body))
}

fn window(ask: &Ask) -> Window {
    let named = ask.text("window").and_then(Window::named);
    named.unwrap_or(Window::Quarter)
}

fn history(view: &View, ask: &Ask) -> Result<Reply, Refusal> {
    let told = match ask.text("of").unwrap_or("gateway") {
        "gateway" => Some(view.watch.history_of_gateway(window(ask))),
        route => view.watch.history_of_route(route, window(ask)),
    };
    let unknown = || {
        let route = ask.text("of").unwrap_or_default();
        let message = format!(
            "nothing is known of a route {route:?}; /api/routes lists them, and `gateway` is the whole"
        );
        let refusal = Refusal::new(StatusCode::NOT_FOUND, "not_found", message);
        Refusal {
            param: Some("of".to_owned()),
            ..refusal
        }
    };
    told.map(Reply::Text).ok_or_else(unknown)
}

fn histories(view: &View, ask: &Ask) -> Result<Reply, Refusal> {
    Ok(Reply::Text(view.watch.history_of_routes(window(ask))))
}

fn events(view: &View, ask: &Ask) -> Result<Reply, Refusal> {
    let number = |name| ask.number(name).and_then(|it| u64::try_from(it).ok());
    let order = match ask.text("order") {
        Some("desc") => Order::Newest,
        _ => Order::Oldest,
    };
    let search = Search {
        after: number("after").unwrap_or(0),
        before: number("before"),
        kind: ask.text("kind"),
        route: ask.text("route"),
    };
    let limit = ask.limit() as usize;
    let mut found = view.events.find(&search, order, limit + 1);
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let next = last.map(|event| event.id.to_string());
    let told: Vec<Value> = found.iter().map(|event| event.told()).collect();
    Ok(Reply::Json(json!({ "events": told, "next": next })))
}

fn models(view: &View, _: &Ask) -> Result<Reply, Refusal> {
    Ok(Reply::Json(view.watch.models()))
}
