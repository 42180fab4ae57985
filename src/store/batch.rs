//! How does what was read from journals get into the tables?
//!
//! Entries that are touched are loaded, changed outside, and written back with the sums that follow from them and with how far each journal was read: one transaction.
//!
//! # Invariants
//! - Positions and rows are committed together, so reading on after a crash neither skips nor repeats.
//! - `totals` and `days` are the sums of `charged` over `entries`, but for entries that were removed by age.

use std::collections::BTreeMap;

use rusqlite::{Transaction, TransactionBehavior, params};

use super::database::{Database, StoreError};
use super::entry::{COLUMNS, Entry, WRITE, find, write};

/// Windows that are kept for each account: the slices of a rolling one three times over.
///
/// Fewer than 33 would lose what a rolling budget has spent.
const WINDOWS_KEPT: i64 = 96;

/// What one transaction writes.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Entries as they are now.
    pub entries: Vec<Entry>,
    /// What is added to accounts, by account and start of the window; nano-dollars.
    pub totals: BTreeMap<(u32, i64), i64>,
    /// What is added to days.
    pub days: BTreeMap<DayKey, Day>,
    /// Ends of windows, by account and start; s since 1970.
    pub windows: BTreeMap<(u32, i64), i64>,
    /// Names by their numbers, with their kinds.
    pub names: Vec<(u32, &'static str, String)>,
    /// Up to where a journal was read, bytes, by its number.
    pub positions: BTreeMap<i64, u64>,
}

/// Whose day it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayKey {
    /// Days since 1970, UTC.
    pub day: i64,
    /// The key's number.
    pub key: u32,
    /// The model's number.
    pub model: u32,
    /// The route's number.
    pub route: u32,
    /// The labels' number.
    pub labels: u32,
}

/// Sums of a day, or what is added to them: attempts, charged in nano-dollars, attempts by flag, and the seven counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day(pub [i64; 14]);

/// What an account has spent in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// The account's number.
    pub account: u32,
    /// The window's first second since 1970.
    pub start: i64,
    /// The first second after it, if it was told.
    pub end: Option<i64>,
    /// What is charged, nano-dollars; what is open or in doubt included.
    pub charged: i64,
}

/// Whether sums are added or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Added.
    Add,
    /// Taken away.
    Take,
}

impl Day {
    /// What an entry adds to its day.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let flag = |bit: u8| i64::from(entry.flags & bit != 0);
        let used = &entry.used;
        Self([
            1,
            entry.charged,
            flag(1),
            flag(2),
            flag(4),
            flag(8),
            flag(16),
            i64::from(used.input),
            i64::from(used.cached),
            i64::from(used.write_5m),
            i64::from(used.write_1h),
            i64::from(used.output),
            i64::from(used.reasoning),
            i64::from(used.units),
        ])
    }

    fn shift(&mut self, other: &Self, shift: Shift) {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            *sum = match shift {
                Shift::Add => sum.saturating_add(part),
                Shift::Take => sum.saturating_sub(part),
            };
        }
    }
}

impl DayKey {
    /// Whose day an entry belongs to.
    #[must_use]
    pub const fn of(entry: &Entry) -> Self {
        Self {
            day: entry.at.div_euclid(86_400_000_000),
            key: entry.key,
            model: entry.model,
            route: entry.route,
            labels: entry.labels,
        }
    }
}

impl Batch {
    /// Adds an entry to the sums, or takes it away.
    pub fn count(&mut self, entry: &Entry, shift: Shift) {
        for slot in &entry.slots {
            let sum = self.totals.entry(*slot).or_default();
            *sum = match shift {
                Shift::Add => sum.saturating_add(entry.charged),
                Shift::Take => sum.saturating_sub(entry.charged),
            };
        }
        let day = self.days.entry(DayKey::of(entry)).or_default();
        day.shift(&Day::of(entry), shift);
    }
}

impl Database {
    /// The entries of these ids that there are.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn load(&self, ids: impl Iterator<Item = u128>) -> Result<Vec<Entry>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM entries WHERE id = ?1");
        let mut statement = self.connection.prepare(&sql)?;
        let mut entries = Vec::new();
        for id in ids {
            entries.extend(find(&mut statement, id)?);
        }
        Ok(entries)
    }

    /// The number of a journal and up to where it was read, bytes; a new one gets a number.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn position(&mut self, journal: &str) -> Result<(i64, u64), StoreError> {
        self.connection.execute(
            "INSERT OR IGNORE INTO files (name, number, position) VALUES (?1, 1 + max(coalesce((SELECT max(number) FROM files), 0), coalesce((SELECT max(file) FROM entries WHERE state = 0), 0)), 0)",
            [journal],
        )?;
        let place = self.connection.query_row(
            "SELECT number, position FROM files WHERE name = ?1",
            [journal],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())),
        )?;
        Ok(place)
    }

    /// Forgets a journal that was removed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn forget(&mut self, journal: &str) -> Result<(), StoreError> {
        self.connection
            .execute("DELETE FROM files WHERE name = ?1", [journal])?;
        Ok(())
    }

    /// Reservations of a journal that are in flight.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open_in(&self, file: i64) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM entries WHERE state = 0 AND file = ?1";
        let count: i64 = self.connection.query_row(sql, [file], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// Puts everything that is in flight in doubt; tells how much that is.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn doubt_open(&mut self) -> Result<usize, StoreError> {
        let sql = "UPDATE entries SET state = 2 WHERE state = 0";
        Ok(self.connection.execute(sql, [])?)
    }

    /// Writes a batch whole or not at all.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is written then.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        write_entries(&transaction, batch)?;
        write_totals(&transaction, batch)?;
        write_days(&transaction, batch)?;
        let mut name = transaction
            .prepare("INSERT OR REPLACE INTO names (number, kind, name) VALUES (?1, ?2, ?3)")?;
        for (number, kind, text) in &batch.names {
            name.execute(params![number, kind, text])?;
        }
        drop(name);
        for (file, position) in &batch.positions {
            transaction.execute(
                "UPDATE files SET position = ?2 WHERE number = ?1",
                params![file, position.cast_signed()],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// What every account has spent in its latest windows, by account and start.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn totals(&self) -> Result<Vec<Total>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT account, start, end, coalesce(charged, 0)
             FROM (SELECT account, start FROM totals UNION SELECT account, start FROM windows)
             LEFT JOIN totals USING (account, start) LEFT JOIN windows USING (account, start)
             ORDER BY account, start",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Total {
                account: row.get(0)?,
                start: row.get(1)?,
                end: row.get(2)?,
                charged: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn write_entries(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let mut statement = transaction.prepare(WRITE)?;
    for entry in &batch.entries {
        write(&mut statement, entry)?;
    }
    Ok(())
}

fn write_totals(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let mut add = transaction.prepare(
        "INSERT INTO totals (account, start, charged) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET charged = charged + excluded.charged",
    )?;
    for ((account, start), charged) in &batch.totals {
        add.execute(params![account, start, charged])?;
    }
    let mut end = transaction.prepare(
        "INSERT INTO windows (account, start, end) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET end = excluded.end",
    )?;
    for ((account, start), until) in &batch.windows {
        end.execute(params![account, start, until])?;
    }
    for table in [
        "DELETE FROM totals WHERE account = ?1 AND start < (SELECT start FROM totals WHERE account = ?1 ORDER BY start DESC LIMIT 1 OFFSET ?2)",
        "DELETE FROM windows WHERE account = ?1 AND start < (SELECT start FROM windows WHERE account = ?1 ORDER BY start DESC LIMIT 1 OFFSET ?2)",
    ] {
        let mut old = transaction.prepare(table)?;
        let mut latest = None;
        for (account, _) in batch.totals.keys().chain(batch.windows.keys()) {
            if latest.replace(*account) != Some(*account) {
                old.execute(params![account, WINDOWS_KEPT - 1])?;
            }
        }
    }
    Ok(())
}

fn write_days(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let mut statement = transaction.prepare(
        "INSERT INTO days (day, key, model, route, labels, attempts, charged, estimated, canceled, failed, overrun, from_cache, input, cached, write_5m, write_1h, output, reasoning, units)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
         ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts, charged = charged + excluded.charged, estimated = estimated + excluded.estimated, canceled = canceled + excluded.canceled, failed = failed + excluded.failed, overrun = overrun + excluded.overrun, from_cache = from_cache + excluded.from_cache, input = input + excluded.input, cached = cached + excluded.cached, write_5m = write_5m + excluded.write_5m, write_1h = write_1h + excluded.write_1h, output = output + excluded.output, reasoning = reasoning + excluded.reasoning, units = units + excluded.units",
    )?;
    let mut clear = transaction.prepare(
        "DELETE FROM days WHERE day = ?1 AND key = ?2 AND model = ?3 AND route = ?4 AND labels = ?5 AND attempts = 0",
    )?;
    for (key, day) in &batch.days {
        let whose = [
            key.day,
            key.key.into(),
            key.model.into(),
            key.route.into(),
            key.labels.into(),
        ];
        statement.execute(rusqlite::params_from_iter(whose.iter().chain(&day.0)))?;
        if day.0[0] < 0 {
            clear.execute(whose)?;
        }
    }
    Ok(())
}
