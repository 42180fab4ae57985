//! What is one entry of the ledger, and how does it lie in its table?
//!
//! # Invariants
//! - An attempt has one entry, whatever is learned about it in which order.

use rusqlite::{OptionalExtension, Row, Statement, named_params};

use super::database::StoreError;

/// What is known of an attempt's cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It is reserved and in flight.
    #[default]
    Open = 0,
    /// It is what it did cost.
    Settled = 1,
    /// It was in flight when the process ended: what was reserved stays charged.
    InDoubt = 2,
    /// An operator said it.
    Adjusted = 3,
}

/// What an attempt used, counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Input tokens outside of any cache.
    pub input: u32,
    /// Input tokens read from a cache.
    pub cached: u32,
    /// Input tokens written to a cache for five minutes.
    pub write_5m: u32,
    /// Input tokens written to a cache for an hour.
    pub write_1h: u32,
    /// Output tokens without those of reasoning.
    pub output: u32,
    /// Tokens of reasoning.
    pub reasoning: u32,
    /// Images and other pieces.
    pub units: u32,
}

/// One attempt, or one correction of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The attempt.
    pub id: u128,
    /// What is known of its cost.
    pub state: State,
    /// When it began, µs since 1970.
    pub at: i64,
    /// When it was settled, µs since 1970.
    pub ended: Option<i64>,
    /// When an operator said what it cost, µs since 1970.
    pub adjusted: Option<i64>,
    /// What was reserved, nano-dollars; none if the reservation was never read.
    pub reserved: Option<i64>,
    /// What is charged now, nano-dollars; negative gives back.
    pub charged: i64,
    /// The key's number.
    pub key: u32,
    /// The model's number.
    pub model: u32,
    /// The route's number.
    pub route: u32,
    /// The labels' number.
    pub labels: u32,
    /// The version of the prices.
    pub price: u32,
    /// The request's number.
    pub request: u64,
    /// How it ended: estimated 1, canceled 2, failed 4, overrun 8, from our cache 16.
    pub flags: u8,
    /// What it used.
    pub used: Used,
    /// The journal that its reservation lies in, by number; 0 is none.
    pub file: i64,
    /// Whom it charges: account, start of its window in s since 1970.
    pub slots: Vec<(u32, i64)>,
}

/// The columns, in the order in which [`read`] takes them.
pub(super) const COLUMNS: &str = "id, state, at, ended, adjusted, reserved, charged, key, model, route, labels, price, request, flags, input, cached, write_5m, write_1h, output, reasoning, units, file, slots";

/// Writes an entry; one that is there is replaced and keeps its number.
pub(super) const WRITE: &str = "
INSERT INTO entries (id, state, at, ended, adjusted, reserved, charged, key, model, route, labels, price, request, flags, input, cached, write_5m, write_1h, output, reasoning, units, file, slots)
VALUES (:id, :state, :at, :ended, :adjusted, :reserved, :charged, :key, :model, :route, :labels, :price, :request, :flags, :input, :cached, :write_5m, :write_1h, :output, :reasoning, :units, :file, :slots)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, at = excluded.at, ended = excluded.ended, adjusted = excluded.adjusted, reserved = excluded.reserved, charged = excluded.charged, key = excluded.key, model = excluded.model, route = excluded.route, labels = excluded.labels, price = excluded.price, request = excluded.request, flags = excluded.flags, input = excluded.input, cached = excluded.cached, write_5m = excluded.write_5m, write_1h = excluded.write_1h, output = excluded.output, reasoning = excluded.reasoning, units = excluded.units, file = excluded.file, slots = excluded.slots";

impl Used {
    /// The seven counts in the order of the fields.
    #[must_use]
    pub const fn counts(&self) -> [u32; 7] {
        [
            self.input,
            self.cached,
            self.write_5m,
            self.write_1h,
            self.output,
            self.reasoning,
            self.units,
        ]
    }
}

impl State {
    /// The state that a number stands for; an unknown one is in doubt.
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Open,
            1 => Self::Settled,
            3 => Self::Adjusted,
            _ => Self::InDoubt,
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Settled, Self::InDoubt, Self::Adjusted];

    /// The word for it in exports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
            Self::InDoubt => "in_doubt",
            Self::Adjusted => "adjusted",
        }
    }
}

/// An entry from a row that begins with [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let slots: Vec<u8> = row.get(22)?;
    Ok(Entry {
        id: u128::from_be_bytes(row.get(0)?),
        state: State::of(row.get(1)?),
        at: row.get(2)?,
        ended: row.get(3)?,
        adjusted: row.get(4)?,
        reserved: row.get(5)?,
        charged: row.get(6)?,
        key: row.get(7)?,
        model: row.get(8)?,
        route: row.get(9)?,
        labels: row.get(10)?,
        price: row.get(11)?,
        request: row.get::<_, i64>(12)?.cast_unsigned(),
        flags: row.get(13)?,
        used: Used {
            input: row.get(14)?,
            cached: row.get(15)?,
            write_5m: row.get(16)?,
            write_1h: row.get(17)?,
            output: row.get(18)?,
            reasoning: row.get(19)?,
            units: row.get(20)?,
        },
        file: row.get(21)?,
        slots: unpack(&slots),
    })
}

/// The entry of an id, asked by a statement that selects [`COLUMNS`] by id.
pub(super) fn find(statement: &mut Statement<'_>, id: u128) -> Result<Option<Entry>, StoreError> {
    Ok(statement.query_row([id.to_be_bytes()], read).optional()?)
}

/// Writes an entry by a statement of [`WRITE`].
pub(super) fn write(statement: &mut Statement<'_>, entry: &Entry) -> Result<(), StoreError> {
    statement.execute(named_params! {
        ":id": entry.id.to_be_bytes(),
        ":state": entry.state as u8,
        ":at": entry.at,
        ":ended": entry.ended,
        ":adjusted": entry.adjusted,
        ":reserved": entry.reserved,
        ":charged": entry.charged,
        ":key": entry.key,
        ":model": entry.model,
        ":route": entry.route,
        ":labels": entry.labels,
        ":price": entry.price,
        ":request": entry.request.cast_signed(),
        ":flags": entry.flags,
        ":input": entry.used.input,
        ":cached": entry.used.cached,
        ":write_5m": entry.used.write_5m,
        ":write_1h": entry.used.write_1h,
        ":output": entry.used.output,
        ":reasoning": entry.used.reasoning,
        ":units": entry.used.units,
        ":file": entry.file,
        ":slots": pack(&entry.slots),
    })?;
    Ok(())
}

/// Account and start, twelve bytes each.
fn pack(slots: &[(u32, i64)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(slots.len() * 12);
    for (account, start) in slots {
        bytes.extend(account.to_le_bytes());
        bytes.extend(start.to_le_bytes());
    }
    bytes
}

fn unpack(bytes: &[u8]) -> Vec<(u32, i64)> {
    let (slots, _) = bytes.as_chunks::<12>();
    let number = |[a, b, c, d, rest @ ..]: [u8; 12]| {
        (u32::from_le_bytes([a, b, c, d]), i64::from_le_bytes(rest))
    };
    slots.iter().copied().map(number).collect()
}
