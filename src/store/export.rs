//! How do entries leave the ledger?
//!
//! Page by page, with the number of the last row as the cursor, as rows; how they are written as CSV is said here.
//!
//! # Invariants
//! - Every entry that was there at the beginning and was not removed comes once.
//! - A field of CSV never ends its row or begins a formula in a spreadsheet.

use std::fmt::Write;

use rusqlite::{Row as SqlRow, params};

use super::database::{Database, StoreError};
use super::entry::{COLUMNS, Entry, State, read};

/// Rows that one page may have.
const MOST: u32 = 10_000;

/// The first line of CSV.
pub const CSV_HEAD: &str = "number,id,state,at_us,ended_us,adjusted_us,reserved_nano_dollars,charged_nano_dollars,key,model,route,labels,price,request,estimated,canceled,failed,overrun,from_cache,unpriced,input,cached,write_5m,write_1h,output,reasoning,units\n";

/// Which entries are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Begun at or after this, µs since 1970.
    pub from: Option<i64>,
    /// Begun before this, µs since 1970.
    pub to: Option<i64>,
    /// In this state.
    pub state: Option<State>,
    /// Of the key with this number.
    pub key: Option<u32>,
}

/// An entry with its number and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number: the cursor.
    pub number: i64,
    /// The entry.
    pub entry: Entry,
    /// Names of key, model, route and labels; none where there is none.
    pub names: [Option<String>; 4],
}

/// Some rows and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows, by number.
    pub rows: Vec<Row>,
    /// What to ask for next; none at the end.
    pub next: Option<i64>,
}

impl Database {
    /// The entries after a cursor, 0 at first, at most so many and at most ten thousand.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn entries(&self, filter: &Filter, after: i64, limit: u32) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, MOST);
        // What is in doubt is few among many: its own index finds it only if its state stands in the statement.
        let state = match filter.state {
            Some(State::InDoubt) => "state = 2 AND ?5 = 2",
            Some(State::Open) => "state = 0 AND ?5 = 0",
            _ => "(?5 IS NULL OR state = ?5)",
        };
        let sql = format!(
            "SELECT {COLUMNS}, number,
                (SELECT name FROM names WHERE names.number = key),
                (SELECT name FROM names WHERE names.number = model),
                (SELECT name FROM names WHERE names.number = route),
                (SELECT name FROM names WHERE names.number = labels)
             FROM entries WHERE number > ?1 AND at >= ?2 AND at < ?3 AND {state} AND (?6 IS NULL OR key = ?6) ORDER BY number LIMIT ?4"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map(
            params![
                after,
                filter.from.unwrap_or(i64::MIN),
                filter.to.unwrap_or(i64::MAX),
                limit,
                filter.state.map(|state| state as u8),
                filter.key,
            ],
            named,
        )?;
        let rows: Vec<Row> = rows.collect::<rusqlite::Result<_>>()?;
        let full = rows.len() >= limit as usize;
        let next = rows.last().filter(|_| full).map(|row| row.number);
        Ok(Page { rows, next })
    }

    /// All entries page by page; after an error it can be asked for the same page again.
    pub fn pages<'a>(
        &'a self,
        filter: &'a Filter,
        size: u32,
    ) -> impl Iterator<Item = Result<Vec<Row>, StoreError>> + 'a {
        let mut cursor = Some(0);
        std::iter::from_fn(move || {
            let page = self.entries(filter, cursor?, size);
            Some(page.map(|page| {
                cursor = page.next;
                page.rows
            }))
        })
    }
}

fn named(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        entry: read(row)?,
        number: row.get(23)?,
        names: [row.get(24)?, row.get(25)?, row.get(26)?, row.get(27)?],
    })
}

impl Row {
    /// Adds it as a row of CSV, as [`CSV_HEAD`] says.
    pub fn csv(&self, to: &mut String) {
        let entry = &self.entry;
        let maybe =
            |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
        // Writing to a string does not fail.
        let _ = write!(
            to,
            "{},{:032x},{},{},{},{},{},{}",
            self.number,
            entry.id,
            entry.state.word(),
            entry.at,
            maybe(entry.ended),
            maybe(entry.adjusted),
            maybe(entry.reserved),
            entry.charged
        );
        for name in &self.names {
            to.push(',');
            quote(name.as_deref().unwrap_or_default(), to);
        }
        let _ = write!(to, ",{},{}", entry.price, entry.request);
        for bit in [1, 2, 4, 8, 16, 32] {
            to.push_str(if entry.flags & bit == 0 { ",0" } else { ",1" });
        }
        for count in entry.used.counts() {
            let _ = write!(to, ",{count}");
        }
        to.push('\n');
    }
}

/// Adds a text as a field of CSV.
fn quote(text: &str, to: &mut String) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !text.contains(['"', ',', '\n', '\r']) {
        to.push_str(text);
        return;
    }
    to.push('"');
    if formula {
        to.push('\'');
    }
    to.push_str(&text.replace('"', "\"\""));
    to.push('"');
}
