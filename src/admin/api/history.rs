//! What was used, and who changed what?
//!
//! # Invariants
//! - Sums are those of the ledger; nothing is counted here.

use serde_json::json;

use crate::governance::office::instant;
use crate::store::{Broken, Group, Range};

use super::ask::Ask;
use super::call::{Desk, Reply};
use super::refusal::Refusal;
use super::shown::{AuditRow, Page, UsageRow, UsageTold, Verified, hex};
use super::standing::page;

/// µs in a day.
const DAY: i64 = 86_400_000_000;

/// Days that are summed unless told otherwise, today among them.
const DAYS: i64 = 30;

/// Groups that can be asked for at once: more is an export.
const MOST_GROUPS: usize = 4;

pub(super) fn usage(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let names: Vec<&str> = ask
        .text("group")
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let groups: Result<Vec<Group>, Refusal> = names.iter().map(|name| group(name)).collect();
    let groups = groups?;
    if groups.len() > MOST_GROUPS {
        let message = format!("at most {MOST_GROUPS} groups can be asked for at once");
        return Err(Refusal::invalid("group", message));
    }
    let to = ask.when("to").unwrap_or(desk.at);
    let first = to.div_euclid(DAY).saturating_sub(DAYS - 1) * DAY;
    let from = ask.when("from").unwrap_or(first);
    if from > to {
        return Err(Refusal::invalid("from", "`from` lies after `to`"));
    }
    let usage = desk.office.read()?.usage(Range { from, to }, &groups)?;
    let Page { data, next } = page(usage.into_iter().map(UsageRow::from), ask);
    Ok(Reply::Json(json!(UsageTold {
        from: instant(from.div_euclid(1_000_000)),
        to: instant(to.div_euclid(1_000_000)),
        group: names.into_iter().map(str::to_owned).collect(),
        data,
        next,
    })))
}

fn group(name: &str) -> Result<Group, Refusal> {
    Ok(match name {
        "customer" => Group::Customer,
        "team" => Group::Team,
        "key" => Group::Key,
        "provider" => Group::Provider,
        "model" => Group::Model,
        "route" => Group::Route,
        "day" => Group::Day,
        _ => match name.strip_prefix("tag:").filter(|tag| !tag.is_empty()) {
            Some(tag) => Group::Tag(tag.to_owned()),
            None => {
                let message = format!(
                    "there is no group {name:?}; they are customer, team, key, provider, model, route, day and tag:NAME"
                );
                return Err(Refusal::invalid("group", message));
            }
        },
    })
}

pub(super) fn audit(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let after = ask.number("after").unwrap_or(0);
    let rows = desk.office.read()?.audited(after, ask.limit() + 1)?;
    let more = rows.len() > ask.limit() as usize;
    let rows = rows.into_iter().take(ask.limit() as usize);
    let mut last = after;
    let data: Vec<AuditRow> = rows
        .map(|row| {
            last = row.number;
            row.into()
        })
        .collect();
    let next = more.then(|| last.to_string());
    Ok(Reply::Json(json!(Page { data, next })))
}

pub(super) fn verify(desk: &Desk, _: &Ask) -> Result<Reply, Refusal> {
    let told = match desk.office.read()?.verify_audit() {
        Ok(head) => Verified {
            whole: true,
            broken_at: None,
            rows: Some(head.number),
            hash: Some(hex(&head.hash)),
        },
        Err(Broken::At(row)) => Verified {
            whole: false,
            broken_at: Some(row),
            rows: None,
            hash: None,
        },
        Err(Broken::Unread(error)) => return Err(error.into()),
    };
    Ok(Reply::Json(json!(told)))
}
