//! How are customers, teams and keys asked for over HTTP?
//!
//! # Invariants
//! - What is only shown may be sent back and changes nothing, so that what was got can be edited and put.

use serde_json::{Map, Value, json};

use crate::config::{Draft, Kind, Secret};
use crate::governance::office::{LONGEST_GRACE, Removal};

use super::ask::Ask;
use super::call::{Desk, Reply};
use super::refusal::Refusal;
use super::shown::{Page, tenant};

/// Keys of an answer that belong to no document.
pub(super) const SHOWN_ONLY: [&str; 7] = [
    "declared_at",
    "created_at",
    "changed_at",
    "former_until",
    "revoked_at",
    "problem",
    "hides",
];

pub(super) fn list(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let found = desk.office.list(&desk.config, desk.kind());
    let after = ask.text("after").unwrap_or_default();
    let mut rest = found
        .into_iter()
        .filter(|found| found.name.as_str() > after);
    let data: Vec<Map<String, Value>> = rest
        .by_ref()
        .take(ask.limit() as usize)
        .map(tenant)
        .collect();
    let last = data.last().and_then(|last| last["name"].as_str());
    let next = rest.next().and(last.map(str::to_owned));
    Ok(Reply::Json(json!(Page { data, next })))
}

pub(super) fn show(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let found = desk.office.find(&desk.config, desk.kind(), ask.name())?;
    Ok(Reply::Json(tenant(found).into()))
}

pub(super) fn create(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let mut document = document(ask, None)?;
    let name = match document.remove("name") {
        Some(Value::String(name)) => name,
        _ => {
            return Err(Refusal::invalid(
                "name",
                "`name` is missing: a text of letters, digits, dots, dashes and underscores",
            ));
        }
    };
    let draft = Draft {
        kind: desk.kind(),
        name: &name,
        document: &document,
    };
    let (found, secret) = desk.office.create(&desk.asked(), &draft)?;
    Ok(told(tenant(found), secret.as_ref()))
}

pub(super) fn replace(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let document = document(ask, Some(ask.name()))?;
    let draft = draft(desk, ask, &document);
    let found = desk.office.replace(&desk.asked(), &draft)?;
    Ok(Reply::Json(tenant(found).into()))
}

pub(super) fn amend(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let document = document(ask, Some(ask.name()))?;
    let draft = draft(desk, ask, &document);
    let found = desk.office.amend(&desk.asked(), &draft)?;
    Ok(Reply::Json(tenant(found).into()))
}

pub(super) fn delete(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let removal = match (ask.is_set("hidden"), ask.is_set("cascade")) {
        (true, true) => {
            let message = "nobody belongs to a hidden one: leave `cascade` out";
            return Err(Refusal::invalid("cascade", message));
        }
        (true, false) => Removal::Hidden,
        (false, true) => Removal::Cascade,
        (false, false) => Removal::Alone,
    };
    let which = (desk.kind(), ask.name());
    desk.office.delete(&desk.asked(), which, removal)?;
    Ok(Reply::Nothing)
}

pub(super) fn rotate(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let mut body = ask.body.clone();
    let grace = match body.remove("grace_seconds") {
        None => 0,
        Some(grace) => grace
            .as_i64()
            .filter(|grace| (0..=LONGEST_GRACE).contains(grace))
            .ok_or_else(|| {
                let message =
                    format!("`grace_seconds` is a whole number from 0 to {LONGEST_GRACE}");
                Refusal::invalid("grace_seconds", message)
            })?,
    };
    if let Some(key) = body.keys().next() {
        return Err(Refusal::invalid(key, "only `grace_seconds` is taken here"));
    }
    let (found, secret) = desk.office.rotate(&desk.asked(), ask.name(), grace)?;
    Ok(told(tenant(found), Some(&secret)))
}

pub(super) fn revoke(desk: &Desk, ask: &Ask) -> Result<Reply, Refusal> {
    let found = desk.office.revoke(&desk.asked(), ask.name())?;
    Ok(Reply::Json(tenant(found).into()))
}

/// What a body says of a tenant, without what is only shown.
fn document(ask: &Ask, name: Option<&str>) -> Result<Map<String, Value>, Refusal> {
    let mut document = ask.body.clone();
    for key in SHOWN_ONLY {
        document.remove(key);
    }
    if let Some(name) = name {
        let other = document.remove("name").filter(|other| other != name);
        if other.is_some() {
            let message = "the body names another one than the path: one cannot be renamed";
            return Err(Refusal::invalid("name", message));
        }
    }
    Ok(document)
}

fn draft<'a>(desk: &Desk, ask: &'a Ask, document: &'a Map<String, Value>) -> Draft<'a> {
    Draft {
        kind: desk.kind(),
        name: ask.name(),
        document,
    }
}

/// The one answer that has a secret in it.
fn told(mut shown: Map<String, Value>, secret: Option<&Secret>) -> Reply {
    if let Some(secret) = secret {
        shown.insert("secret".to_owned(), secret.expose().into());
    }
    Reply::Json(shown.into())
}

/// Which keys a document of this kind has besides those of the file's table; for the documentation.
pub(super) const fn has_credentials(kind: Kind) -> bool {
    matches!(kind, Kind::Key)
}
