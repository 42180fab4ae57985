//! What was used, by whom?
//!
//! Whole days come from the sums that are kept for them, so ten million entries are not read; what a range takes of its first and last day comes from the entries.
//!
//! # Invariants
//! - No text of a caller becomes part of a statement.
//! - A range of whole days does not depend on entries that were removed by age.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::database::{Database, StoreError};

/// µs in a day.
const DAY: i64 = 86_400_000_000;

/// Rows that one answer may have; a question that groups finer is to be narrowed.
const ROWS: u32 = 100_000;

/// By what usage is grouped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// The customer that the key belonged to.
    Customer,
    /// The team that the key belonged to.
    Team,
    /// The virtual key.
    Key,
    /// The provider that is paid.
    Provider,
    /// The model that was asked for.
    Model,
    /// The route that was tried.
    Route,
    /// The value of the key's tag of this name.
    Tag(String),
    /// The day, UTC, as `2026-01-31`.
    Day,
}

/// From when to when, µs since 1970; the end is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first instant.
    pub from: i64,
    /// The first instant after it.
    pub to: i64,
}

/// What a group used.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// What the group is, in the order that was asked for; none where the attempts have no such thing.
    pub group: Vec<Option<String>>,
    /// Attempts.
    pub attempts: i64,
    /// What they are charged, nano-dollars; what is open or in doubt included.
    pub charged: i64,
    /// Attempts of which the amount is an estimate.
    pub estimated: i64,
    /// Attempts that the client left.
    pub canceled: i64,
    /// Attempts that failed.
    pub failed: i64,
    /// Attempts that cost more than was reserved.
    pub overrun: i64,
    /// Attempts that our cache answered.
    pub from_cache: i64,
    /// Input tokens outside of any cache.
    pub input: i64,
    /// Input tokens read from a cache.
    pub cached: i64,
    /// Input tokens written to a cache for five minutes.
    pub write_5m: i64,
    /// Input tokens written to a cache for an hour.
    pub write_1h: i64,
    /// Output tokens without those of reasoning.
    pub output: i64,
    /// Tokens of reasoning.
    pub reasoning: i64,
    /// Images and other pieces.
    pub units: i64,
}

/// What a group is in SQL; `?` takes the tag's name.
const fn expression(group: &Group) -> &'static str {
    match group {
        Group::Customer => "(SELECT name ->> '$.customer' FROM names WHERE number = labels)",
        Group::Team => "(SELECT name ->> '$.team' FROM names WHERE number = labels)",
        Group::Provider => {
            // A route's name begins with its provider's.
            "(SELECT substr(name, 1, instr(name || '/', '/') - 1) FROM names WHERE number = route)"
        }
        Group::Key => "(SELECT name FROM names WHERE number = key)",
        Group::Model => "(SELECT name FROM names WHERE number = model)",
        Group::Route => "(SELECT name FROM names WHERE number = route)",
        Group::Tag(_) => {
            "(SELECT value FROM json_each((SELECT name FROM names WHERE number = labels), '$.tags') AS tag WHERE tag.key = ?)"
        }
        Group::Day => "date(day * 86400, 'unixepoch')",
    }
}

/// Sums of whole days, and of the entries of two stretches beside them.
const SUMS: &str = "
SELECT day, key, model, route, labels, attempts, charged, estimated, canceled, failed, overrun, from_cache, input, cached, write_5m, write_1h, output, reasoning, units
FROM days WHERE day >= ? AND day < ?
UNION ALL
SELECT at / 86400000000, key, model, route, labels, 1, charged, flags & 1, flags >> 1 & 1, flags >> 2 & 1, flags >> 3 & 1, flags >> 4 & 1, input, cached, write_5m, write_1h, output, reasoning, units
FROM entries WHERE (at >= ? AND at < ?) OR (at >= ? AND at < ?)";

impl Range {
    /// The whole days in it, then the stretches before and after them.
    fn parts(self) -> [i64; 6] {
        let first = self.from.saturating_add(DAY - 1).div_euclid(DAY);
        let last = self.to.div_euclid(DAY);
        if first >= last {
            return [0, 0, self.from, self.to, 0, 0];
        }
        [first, last, self.from, first * DAY, last * DAY, self.to]
    }
}

impl Database {
    /// What was used in a range, by groups, the dearest first.
    ///
    /// The parts of days at both ends are as exact as entries are kept.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn usage(&self, range: Range, groups: &[Group]) -> Result<Vec<Usage>, StoreError> {
        let mut sql = String::from("SELECT ");
        let mut values: Vec<Value> = Vec::new();
        for group in groups {
            sql.push_str(expression(group));
            sql.push_str(", ");
            if let Group::Tag(tag) = group {
                values.push(tag.clone().into());
            }
        }
        sql.push_str("sum(attempts), sum(charged) AS charge, sum(estimated), sum(canceled), sum(failed), sum(overrun), sum(from_cache), sum(input), sum(cached), sum(write_5m), sum(write_1h), sum(output), sum(reasoning), sum(units) FROM (");
        sql.push_str(SUMS);
        sql.push(')');
        let columns: Vec<String> = (1..=groups.len())
            .map(|column| column.to_string())
            .collect();
        if columns.is_empty() {
            sql.push_str(" HAVING count(*) > 0");
        } else {
            sql.push_str(" GROUP BY ");
            sql.push_str(&columns.join(", "));
        }
        sql.push_str(" ORDER BY charge DESC");
        for column in &columns {
            sql.push_str(", ");
            sql.push_str(column);
        }
        sql.push_str(" LIMIT ");
        sql.push_str(&ROWS.to_string());
        values.extend(range.parts().map(Value::from));
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| read(row, groups.len()))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn read(row: &rusqlite::Row<'_>, groups: usize) -> rusqlite::Result<Usage> {
    let group = (0..groups)
        .map(|column| row.get(column))
        .collect::<Result<_, _>>()?;
    let sum = |column: usize| row.get(groups + column);
    Ok(Usage {
        group,
        attempts: sum(0)?,
        charged: sum(1)?,
        estimated: sum(2)?,
        canceled: sum(3)?,
        failed: sum(4)?,
        overrun: sum(5)?,
        from_cache: sum(6)?,
        input: sum(7)?,
        cached: sum(8)?,
        write_5m: sum(9)?,
        write_1h: sum(10)?,
        output: sum(11)?,
        reasoning: sum(12)?,
        units: sum(13)?,
    })
}
