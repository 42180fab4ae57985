//! How do budgets stand, and who is live?
//!
//! # Invariants
//! - A page goes on where the one before ended; what changes in between may be seen twice or not at all, as in any reading of live figures.

use serde::Serialize;
use serde_json::json;

use super::ask::Ask;
use super::call::{Desk, Reply};
use super::refusal::Refusal;
use super::shown::{BudgetStatus, Page, StandingTold};

pub(super) fn budgets(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let views = desk.office.live()?.budgets();
    let (tier, name) = (ask.text("tier"), ask.text("name"));
    let asked = views.iter().map(BudgetStatus::from).filter(|it| {
        tier.is_none_or(|tier| it.tier == tier) && name.is_none_or(|name| it.name == name)
    });
    Ok(Reply::Json(json!(page(asked, ask))))
}

pub(super) fn diff(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let standings = desk.office.merged(&desk.config).standings;
    let told = standings.into_iter().map(StandingTold::from);
    Ok(Reply::Json(json!(page(told, ask))))
}

/// The page of rows that is asked for, by how many came before it.
pub(super) fn page<T: Serialize>(rows: impl Iterator<Item = T>, ask: &Ask) -> Page<T> {
    let skipped = ask.number("after").unwrap_or(0);
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let mut rest = rows.skip(skipped);
    let data: Vec<T> = rest.by_ref().take(ask.limit() as usize).collect();
    let end = skipped.saturating_add(data.len());
    let next = rest.next().map(|_| end.to_string());
    Page { data, next }
}
