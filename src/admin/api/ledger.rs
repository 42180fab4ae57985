//! How is the ledger exported, and put right?
//!
//! # Invariants
//! - An export of CSV begins with its head line, and each entry that was there at its beginning comes once.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::config::Nano;
use crate::store::{CSV_HEAD, Filter, State};

use super::ask::Ask;
use super::call::{Desk, Reply};
use super::outgoing::Reader;
use super::refusal::Refusal;
use super::shown::{Adjusted, LedgerEntry, Page};

/// Entries that an export reads at once: a tenth of a second, some hundred kilobytes.
const AT_ONCE: u32 = 2_000;

pub(super) fn export(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let state = ask.text("state");
    let state = State::ALL.into_iter().find(|it| state == Some(it.word()));
    let filter = Filter {
        from: ask.when("from"),
        to: ask.when("to"),
        state,
        key: ask.text("key").map(|name| number(desk, name)).transpose()?,
    };
    if ask.text("format") == Some("csv") {
        return Ok(csv(desk, ask, filter));
    }
    paged(desk, ask, &filter)
}

pub(super) fn doubt(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let filter = Filter {
        state: Some(State::InDoubt),
        ..Filter::default()
    };
    paged(desk, ask, &filter)
}

pub(super) fn adjust(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let text = ask.name();
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u128::from_str_radix(text, 16).ok().filter(|_| digits);
    let id = id.ok_or_else(|| Refusal::invalid("id", "an id has 32 hexadecimal digits"))?;
    let mut body = ask.body.clone();
    let amount = body.remove("amount").and_then(|amount| amount.as_f64());
    let amount = amount.and_then(Nano::from_dollars).ok_or_else(|| {
        let most = Nano::MAX.dollars().floor();
        let message =
            format!("`amount` is what it did cost, in dollars: a number from 0 to {most}");
        Refusal::invalid("amount", message)
    })?;
    if let Some(key) = body.keys().next() {
        return Err(Refusal::invalid(key, "only `amount` is taken here"));
    }
    let before = desk.office.adjust(&desk.asked(), id, amount)?;
    Ok(Reply::Json(json!(Adjusted {
        id: format!("{id:032x}"),
        before_nano_dollars: before.charged,
        charged_nano_dollars: amount.get().cast_signed(),
    })))
}

/// The number of a key in the ledger; one that never asked has none, and no entries.
fn number(desk: &Desk, name: &str) -> Result<u32, Refusal> {
    Ok(desk.office.read()?.number_of("key", name)?.unwrap_or(0))
}

fn paged(desk: &Desk, ask: &Ask, filter: &Filter) -> Result<Reply, Refusal> {
    let after = ask.number("after").unwrap_or(0);
    let page = desk.office.read()?.entries(filter, after, ask.limit())?;
    Ok(Reply::Json(json!(Page {
        data: page.rows.into_iter().map(LedgerEntry::from).collect(),
        next: page.next.map(|next| next.to_string()),
    })))
}

fn csv(desk: &Desk, ask: &Ask, filter: Filter) -> Reply {
    let office = Arc::clone(&desk.office);
    let first = ask.number("after").unwrap_or(0);
    let single = ask.text("limit").map(|_| ask.limit());
    let reader: Reader = Arc::new(move |after| {
        let page = office
            .read()?
            .entries(&filter, after, single.unwrap_or(AT_ONCE))?;
        let mut text = String::new();
        if after == first {
            text.push_str(CSV_HEAD);
        }
        for row in &page.rows {
            row.csv(&mut text);
        }
        Ok((Bytes::from(text), page.next.filter(|_| single.is_none())))
    });
    Reply::Csv(reader, first)
}
