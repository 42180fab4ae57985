//! Who changed what, and has anybody changed that?
//!
//! Every change is a row that carries the hash of the row before it, so a changed, removed or inserted row breaks the chain from there on.
//! Rows cut off at the end leave a whole chain: whoever must notice that too keeps the [`Head`] elsewhere.
//!
//! # Invariants
//! - Rows are added and never changed or removed; the table refuses both.
//! - Hashes cover every field, each with its length, so that no text can pass for two others.

use aws_lc_rs::digest::{Context, SHA256};
use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::database::{Database, StoreError};

/// The hash that the first row builds on.
const ROOT: [u8; 32] = [0; 32];

/// A change that somebody made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// When, µs since 1970.
    pub at: i64,
    /// Who made it.
    pub who: String,
    /// What was done to what.
    pub what: String,
    /// What it was before; no secrets.
    pub before: Option<String>,
    /// What it is now; no secrets.
    pub after: Option<String>,
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Its number, from 1 on.
    pub number: i64,
    /// The change.
    pub change: Change,
    /// The hash of the row before it.
    pub prev_hash: [u8; 32],
    /// SHA-256 of all of the above.
    pub hash: [u8; 32],
}

/// The latest row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number, which is how many there are; 0 if there is none.
    pub number: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Where the chain is broken.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The row with this number is not what was written, or not where it was.
    #[error("row {0} of the audit log is not what was written")]
    At(i64),
    /// It could not be read.
    #[error(transparent)]
    Unread(#[from] StoreError),
}

impl Change {
    fn hash(&self, number: i64, prev: &[u8; 32]) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(prev);
        context.update(&number.to_le_bytes());
        context.update(&self.at.to_le_bytes());
        let texts = [
            Some(&self.who),
            Some(&self.what),
            self.before.as_ref(),
            self.after.as_ref(),
        ];
        for text in texts {
            context.update(&[u8::from(text.is_some())]);
            let text = text.map_or("", String::as_str);
            context.update(&(text.len() as u64).to_le_bytes());
            context.update(text.as_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }
}

impl Database {
    /// Adds a change to the log; tells what is the latest row now.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is written then.
    pub fn audit(&mut self, change: &Change) -> Result<Head, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let head = append(&transaction, change)?;
        transaction.commit()?;
        Ok(head)
    }

    /// The rows after a number, at most so many.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn audited(&self, after: i64, limit: u32) -> Result<Vec<Audited>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT number, at, who, what, before, after, prev_hash, hash FROM audit WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let rows = statement.query_map(params![after, limit], row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Walks the whole chain; tells its latest row.
    ///
    /// # Errors
    /// [`Broken`] at the first row that is not what was written.
    pub fn verify_audit(&self) -> Result<Head, Broken> {
        let mut head = Head {
            number: 0,
            hash: ROOT,
        };
        let unread = |error: rusqlite::Error| Broken::Unread(error.into());
        let sql = "SELECT number, at, who, what, before, after, prev_hash, hash FROM audit ORDER BY number";
        let mut statement = self.connection.prepare(sql).map_err(unread)?;
        let mut rows = statement.query([]).map_err(unread)?;
        while let Some(found) = rows.next().map_err(unread)? {
            let number = head.number + 1;
            // A field that cannot be read as what it was is a changed one.
            let row = row(found).map_err(|_| Broken::At(number))?;
            let whole = row.number == number
                && row.prev_hash == head.hash
                && row.hash == row.change.hash(number, &head.hash);
            if !whole {
                return Err(Broken::At(number));
            }
            head = Head {
                number,
                hash: row.hash,
            };
        }
        Ok(head)
    }
}

/// Adds a change to the log as part of a transaction; tells what is the latest row then.
pub(super) fn append(transaction: &Transaction<'_>, change: &Change) -> Result<Head, StoreError> {
    let head = head(transaction)?;
    let number = head.number + 1;
    let hash = change.hash(number, &head.hash);
    transaction.execute(
        "INSERT INTO audit (number, at, who, what, before, after, prev_hash, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![number, change.at, change.who, change.what, change.before, change.after, head.hash, hash],
    )?;
    Ok(Head { number, hash })
}

fn head(connection: &rusqlite::Connection) -> Result<Head, StoreError> {
    let sql = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
    let latest = connection.query_row(sql, [], |row| {
        Ok(Head {
            number: row.get(0)?,
            hash: row.get(1)?,
        })
    });
    Ok(latest.optional()?.unwrap_or(Head {
        number: 0,
        hash: ROOT,
    }))
}

fn row(row: &Row<'_>) -> rusqlite::Result<Audited> {
    Ok(Audited {
        number: row.get(0)?,
        change: Change {
            at: row.get(1)?,
            who: row.get(2)?,
            what: row.get(3)?,
            before: row.get(4)?,
            after: row.get(5)?,
        },
        prev_hash: row.get(6)?,
        hash: row.get(7)?,
    })
}
