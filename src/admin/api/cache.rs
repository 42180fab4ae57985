//! What is kept of answers, how often is it wrong, and what is to be forgotten?
//!
//! # Invariants
//! - No question and no answer is told here.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cache::semantic::policy::Standing;
use crate::cache::{self, Library, OnDisk, Which};
use crate::clock;
use crate::config::Config;
use crate::governance::Member;

use super::ask::Ask;
use super::call::Reply;
use super::refusal::Refusal;

/// What a handler works with.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    pub(super) library: Arc<Library>,
    pub(super) config: Arc<Config>,
    /// The virtual key of a name, if there is one.
    pub(super) members: Vec<Arc<Member>>,
}

pub(super) fn show(counter: &Counter, _: &Ask) -> Result<Reply, Refusal> {
    let (entries, bytes) = counter.library.shelf().size();
    Ok(Reply::Json(json!({
        "entries": entries,
        "bytes": bytes,
        "room_bytes": counter.config.cache.memory,
        "questions": counter.library.meanings().count(),
        "dropped_jobs": counter.library.jobs().dropped(),
        "not_written": counter.library.lost(),
        "on_disk": counter.config.cache.disk.is_some(),
    })))
}

/// How each workflow's semantic hits stand: what was checked, what was found, and from where on hits are served.
pub(super) fn audit(counter: &Counter, _: &Ask) -> Result<Reply, Refusal> {
    let audited = counter.library.audit().standings(None);
    let lessons = counter.library.meanings().lessons();
    let data: Vec<Value> = audited
        .iter()
        .map(|standing| {
            let lesson = lessons.iter().find(|it| *it.name == *standing.workflow);
            let model = counter
                .config
                .models
                .iter()
                .find(|it| it.name == standing.workflow);
            let learned = lesson.zip(model).map(|(lesson, model)| {
                let settings = cache::settings(&model.cache, &counter.config.cache.audit);
                let (state, threshold) = match lesson.standing(&settings) {
                    Standing::Proven(threshold) => ("proven", Some(threshold)),
                    Standing::Trusted(threshold) => ("trusted", Some(threshold)),
                    Standing::Refusing(_) => ("refusing", None),
                };
                let estimate = lesson.estimate(threshold.unwrap_or(settings.highest), &settings);
                json!({
                    "state": state,
                    "threshold": threshold,
                    "max_error": settings.max_error,
                    "estimate": estimate,
                    "alarms": lesson.alarms(),
                })
            });
            json!({ "audit": standing, "policy": learned })
        })
        .collect();
    Ok(Reply::Json(json!({ "data": data })))
}

/// Forgets one answer.
pub(super) fn forget_one(counter: &Counter, ask: &Ask) -> Result<Reply, Refusal> {
    let id = cache::named(ask.name());
    let id = id.ok_or_else(|| Refusal::invalid("id", "an id has 16 hexadecimal digits"))?;
    forgotten(counter, &Which::Entry(id))
}

/// Forgets what a query names.
pub(super) fn forget(counter: &Counter, ask: &Ask) -> Result<Reply, Refusal> {
    let named = [
        ask.text("request").map(|it| Which::Request(it.to_owned())),
        ask.text("tag").map(|it| Which::Tag(it.to_owned())),
        ask.text("model").map(|it| Which::Model(it.to_owned())),
        ask.text("key")
            .map(|name| author(counter, name))
            .transpose()?,
        ask.is_set("all").then_some(Which::All),
    ];
    let mut named = named.into_iter().flatten();
    match (named.next(), named.next()) {
        (Some(which), None) => forgotten(counter, &which),
        _ => Err(Refusal::invalid(
            "",
            "say what is to be forgotten by one of `request`, `tag`, `model`, `key` and `all=true`",
        )),
    }
}

fn author(counter: &Counter, name: &str) -> Result<Which, Refusal> {
    let member = counter.members.iter().find(|it| *it.own.name == *name);
    let member = member.ok_or_else(|| {
        Refusal::invalid("key", format!("there is no virtual key named {name:?}"))
    })?;
    Ok(Which::Author(member.number))
}

fn forgotten(counter: &Counter, which: &Which) -> Result<Reply, Refusal> {
    let forgotten = counter.library.forget(which, clock::unix_seconds());
    let count = forgotten.count;
    tracing::info!(?which, count, "answers were forgotten");
    Ok(Reply::Json(json!({
        "forgotten": count,
        "waits_for_disk": forgotten.on_disk == OnDisk::Waits,
    })))
}
