//! Who was made over the admin API?
//!
//! One row a customer, team or key: its document as it was taken, and of a key the keyed hashes of what its client presents.
//! What a document means is not known here.
//!
//! # Invariants
//! - A change and its row in the audit log are written together or not at all.
//! - No secret is ever in a row: hashes are keyed, and their key is not in the database.

use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::audit::{Change, Head, append};
use super::database::{Database, StoreError};

/// A customer, team or key that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// What it is, as a word.
    pub kind: String,
    /// Its name, unique within its kind.
    pub name: String,
    /// What was said of it, JSON.
    pub document: String,
    /// When it was made, µs since 1970.
    pub created: i64,
    /// When it was changed last, µs since 1970.
    pub changed: i64,
    /// Of a key: what its client presents.
    pub kept: Option<Kept>,
}

/// What is kept of a key's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The keyed hash of the secret.
    pub digest: [u8; 32],
    /// The keyed hash of the secret before it and until when that is taken, s since 1970.
    pub former: Option<([u8; 32], i64)>,
    /// When it was revoked for ever, µs since 1970.
    pub revoked: Option<i64>,
}

/// One row to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// It is new, or in the place of the one of its kind and name.
    Put(Made),
    /// The one of this kind and name is gone.
    Remove(String, String),
}

impl Database {
    /// All that were made, by kind and name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn made(&self) -> Result<Vec<Made>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT kind, name, document, created, changed, digest, former, former_until, revoked FROM made ORDER BY kind, name",
        )?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Writes rows and what the audit log says of them; tells its latest row.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is written then.
    pub fn change(&mut self, rows: &[Write], said: &[Change]) -> Result<Option<Head>, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for row in rows {
            write(&transaction, row)?;
        }
        let mut head = None;
        for change in said {
            head = Some(append(&transaction, change)?);
        }
        transaction.commit()?;
        Ok(head)
    }

    /// The number of a name of this kind, such as `key`; none if the books have never read one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn number_of(&self, kind: &str, name: &str) -> Result<Option<u32>, StoreError> {
        let sql = "SELECT number FROM names WHERE kind = ?1 AND name = ?2";
        let found = self
            .connection
            .query_row(sql, [kind, name], |row| row.get(0));
        Ok(found.optional()?)
    }
}

fn write(transaction: &Transaction<'_>, row: &Write) -> Result<(), StoreError> {
    match row {
        Write::Put(made) => {
            let kept = made.kept.as_ref();
            let former = kept.and_then(|kept| kept.former);
            transaction.execute(
                "INSERT OR REPLACE INTO made (kind, name, document, created, changed, digest, former, former_until, revoked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    made.kind,
                    made.name,
                    made.document,
                    made.created,
                    made.changed,
                    kept.map(|kept| kept.digest),
                    former.map(|(digest, _)| digest),
                    former.map(|(_, until)| until),
                    kept.and_then(|kept| kept.revoked),
                ],
            )?;
        }
        Write::Remove(kind, name) => {
            let sql = "DELETE FROM made WHERE kind = ?1 AND name = ?2";
            transaction.execute(sql, [kind, name])?;
        }
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Made> {
    let digest: Option<[u8; 32]> = row.get(5)?;
    let former: Option<[u8; 32]> = row.get(6)?;
    let until: Option<i64> = row.get(7)?;
    let revoked = row.get(8)?;
    Ok(Made {
        kind: row.get(0)?,
        name: row.get(1)?,
        document: row.get(2)?,
        created: row.get(3)?,
        changed: row.get(4)?,
        kept: digest.map(|digest| Kept {
            digest,
            former: former.zip(until),
            revoked,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, digest: u8) -> Made {
        Made {
            kind: "key".to_owned(),
            name: name.to_owned(),
            document: "{}".to_owned(),
            created: 1,
            changed: 2,
            kept: Some(Kept {
                digest: [digest; 32],
                former: Some(([9; 32], 7)),
                revoked: Some(8),
            }),
        }
    }

    fn said(what: &str) -> Change {
        Change {
            what: what.to_owned(),
            ..Change::default()
        }
    }

    #[test]
    fn rows_come_back_as_they_were_written() {
        let mut database = Database::in_memory().unwrap();
        let team = Made {
            kind: "team".to_owned(),
            kept: None,
            ..key("a", 0)
        };
        let rows = [Write::Put(key("a", 1)), Write::Put(team.clone())];
        let head = database.change(&rows, &[said("one"), said("two")]).unwrap();
        assert_eq!(head.map(|head| head.number), Some(2));
        assert_eq!(database.made().unwrap(), [key("a", 1), team.clone()]);
        let gone = Write::Remove("key".to_owned(), "a".to_owned());
        database.change(&[gone], &[said("three")]).unwrap();
        assert_eq!(database.made().unwrap(), [team]);
        assert_eq!(database.verify_audit().unwrap().number, 3);
    }

    #[test]
    fn a_change_and_its_row_of_the_log_are_written_together_or_not_at_all() {
        let mut database = Database::in_memory().unwrap();
        database
            .connection
            .execute_batch(
                "CREATE TRIGGER no BEFORE INSERT ON audit WHEN NEW.what = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END",
            )
            .unwrap();
        let rows = [Write::Put(key("a", 1))];
        assert!(
            database
                .change(&rows, &[said("good"), said("bad")])
                .is_err()
        );
        assert!(database.made().unwrap().is_empty());
        assert_eq!(database.verify_audit().unwrap().number, 0);
        database.change(&rows, &[said("good")]).unwrap();
        assert_eq!(database.made().unwrap().len(), 1);
    }
}
