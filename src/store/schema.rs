//! Which tables are there, and how does an older file get them?
//!
//! `user_version` counts the steps that a file has taken; the rest is taken in one transaction each.
//!
//! # Invariants
//! - A step that was released is never changed; a change is a new step.
//! - A file of a newer version is refused, not guessed at.

use rusqlite::Connection;

use super::database::StoreError;

/// The steps, in order.
///
/// Amounts are nano-dollars, `at`, `ended`, `adjusted`, `created`, `changed` and `revoked` µs since 1970, `start`, `end` and `former_until` s since 1970, `day` days since 1970.
const STEPS: &[&str] = &["
CREATE TABLE files (
    name TEXT PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,
    position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE names (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL
);
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    at INTEGER NOT NULL,
    ended INTEGER,
    adjusted INTEGER,
    reserved INTEGER,
    charged INTEGER NOT NULL,
    key INTEGER NOT NULL,
    model INTEGER NOT NULL,
    route INTEGER NOT NULL,
    labels INTEGER NOT NULL,
    price INTEGER NOT NULL,
    request INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    write_5m INTEGER NOT NULL,
    write_1h INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    units INTEGER NOT NULL,
    file INTEGER NOT NULL,
    slots BLOB NOT NULL
);
CREATE INDEX entries_at ON entries (at);
CREATE INDEX entries_open ON entries (file) WHERE state = 0;
CREATE INDEX entries_doubt ON entries (number) WHERE state = 2;
CREATE TABLE totals (
    account INTEGER NOT NULL,
    start INTEGER NOT NULL,
    charged INTEGER NOT NULL,
    PRIMARY KEY (account, start)
) WITHOUT ROWID;
CREATE TABLE windows (
    account INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    PRIMARY KEY (account, start)
) WITHOUT ROWID;
CREATE TABLE days (
    day INTEGER NOT NULL,
    key INTEGER NOT NULL,
    model INTEGER NOT NULL,
    route INTEGER NOT NULL,
    labels INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    charged INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    canceled INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    overrun INTEGER NOT NULL,
    from_cache INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    write_5m INTEGER NOT NULL,
    write_1h INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    units INTEGER NOT NULL,
    PRIMARY KEY (day, key, model, route, labels)
) WITHOUT ROWID;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    before TEXT,
    after TEXT,
    prev_hash BLOB NOT NULL,
    hash BLOB NOT NULL
);
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
", "
CREATE TABLE made (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    digest BLOB UNIQUE,
    former BLOB,
    former_until INTEGER,
    revoked INTEGER,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
"];

/// Brings a file up to date.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = STEPS.len();
    let taken: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let taken = usize::try_from(taken).unwrap_or(usize::MAX);
    if taken > known {
        return Err(StoreError::Newer);
    }
    for (step, sql) in STEPS.iter().enumerate().skip(taken) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", step as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
