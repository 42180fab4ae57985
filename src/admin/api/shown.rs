//! What do answers look like?
//!
//! # Invariants
//! - What is sent is made of these types, from which the documentation is printed too.
//! - Money is in dollars where people set it, and in whole nano-dollars where it is summed.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::Style;
use crate::governance::office::{BudgetView, Found, Standing, State, instant};
use crate::store::{Audited, Row, Usage};

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Page<T> {
    /// The rows.
    pub(super) data: Vec<T>,
    /// What to send as `after` for the next page; null at the end.
    pub(super) next: Option<String>,
}

/// Why something was not done.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(super) struct ErrorBody {
    /// Why.
    error: ErrorTold,
}

/// What is told of an error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErrorTold")]
struct ErrorTold {
    /// One word for programs.
    code: String,
    /// What is wrong and what to do, for people.
    message: String,
    /// The parameter or the key of the body that is meant.
    param: Option<String>,
    /// Every problem of a body.
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<ProblemTold>>,
}

/// One thing that is wrong with a body.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
struct ProblemTold {
    /// The key of the body.
    param: String,
    /// What is wrong.
    message: String,
    /// What is expected there.
    expected: String,
    /// How to put it right.
    help: String,
}

/// A budget and how it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BudgetStatus {
    /// Whose it is: `customer`, `team`, `key`, `key_provider` or `provider`.
    pub(super) tier: &'static str,
    /// Its name.
    pub(super) name: String,
    /// Where it holds: the provider of a key's budget there.
    provider: Option<String>,
    /// The most that may be spent, dollars.
    limit: f64,
    /// What is spent in the window, dollars; what is in doubt included.
    spent: f64,
    /// What is in flight, dollars.
    reserved: f64,
    /// What is left, dollars.
    left: f64,
    /// In which stretch of time, such as `1d`.
    period: String,
    /// `aligned` with the calendar, or `rolling`.
    style: &'static str,
    /// The time zone of the calendar.
    zone: Option<String>,
    /// Whether what exceeds it is refused.
    hard: bool,
    /// The window's first instant.
    window_start: String,
    /// The first instant after it.
    window_end: String,
    /// When something is free again; null while something is.
    opens_at: Option<String>,
}

/// What a group used.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UsageRow {
    /// What the group is, in the order that was asked for; null where the attempts have no such thing.
    group: Vec<Option<String>>,
    /// Attempts.
    attempts: i64,
    /// What they are charged, nano-dollars; what is open or in doubt included.
    charged_nano_dollars: i64,
    /// Attempts of which the amount is an estimate.
    estimated: i64,
    /// Attempts that the client left.
    canceled: i64,
    /// Attempts that failed.
    failed: i64,
    /// Attempts that cost more than was reserved.
    overrun: i64,
    /// Attempts that our cache answered.
    from_cache: i64,
    /// Input tokens outside of any cache.
    input: i64,
    /// Input tokens read from a cache.
    cached: i64,
    /// Input tokens written to a cache for five minutes.
    write_5m: i64,
    /// Input tokens written to a cache for an hour.
    write_1h: i64,
    /// Output tokens without those of reasoning.
    output: i64,
    /// Tokens of reasoning.
    reasoning: i64,
    /// Images and other pieces.
    units: i64,
}

/// What was used in a stretch of time.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UsageTold {
    /// The first instant.
    pub(super) from: String,
    /// The first instant after it.
    pub(super) to: String,
    /// By what it is grouped.
    pub(super) group: Vec<String>,
    /// The groups, the dearest first.
    pub(super) data: Vec<UsageRow>,
    /// What to send as `after` for the next page; null at the end.
    pub(super) next: Option<String>,
}

/// An attempt, or a correction of accounts.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LedgerEntry {
    /// Its number: the cursor.
    number: i64,
    /// Its id, 32 hexadecimal digits.
    id: String,
    /// `open`, `settled`, `in_doubt` or `adjusted`.
    state: String,
    /// When it began, µs since 1970.
    at_us: i64,
    /// When it was settled, µs since 1970.
    ended_us: Option<i64>,
    /// When an operator said what it cost, µs since 1970.
    adjusted_us: Option<i64>,
    /// What was reserved, nano-dollars.
    reserved_nano_dollars: Option<i64>,
    /// What is charged, nano-dollars; negative gives back.
    charged_nano_dollars: i64,
    /// The key, by name.
    key: Option<String>,
    /// The model that was asked for.
    model: Option<String>,
    /// The route that was tried.
    route: Option<String>,
    /// Customer, team, provider and tags.
    labels: Option<Map<String, Value>>,
    /// The version of the prices.
    price: u32,
    /// The request's number.
    request: u64,
    /// Whether the amount is an estimate.
    estimated: bool,
    /// Whether the client left.
    canceled: bool,
    /// Whether it failed.
    failed: bool,
    /// Whether it cost more than was reserved.
    overrun: bool,
    /// Whether our cache answered.
    from_cache: bool,
    /// Whether something was used that nobody knows the price of, so that it cost more than is charged.
    unpriced: bool,
    /// Input tokens outside of any cache.
    input: u32,
    /// Input tokens read from a cache.
    cached: u32,
    /// Input tokens written to a cache for five minutes.
    write_5m: u32,
    /// Input tokens written to a cache for an hour.
    write_1h: u32,
    /// Output tokens without those of reasoning.
    output: u32,
    /// Tokens of reasoning.
    reasoning: u32,
    /// Images and other pieces.
    units: u32,
}

/// What a correction did.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Adjusted {
    /// The entry.
    pub(super) id: String,
    /// What was charged before, nano-dollars.
    pub(super) before_nano_dollars: i64,
    /// What is charged now, nano-dollars.
    pub(super) charged_nano_dollars: i64,
}

/// A change that somebody made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuditRow {
    /// Its number, from 1 on: the cursor.
    number: i64,
    /// When.
    at: String,
    /// Who made it: the token's name, or `loopback` where none is asked for.
    who: String,
    /// What was done to what.
    what: String,
    /// What it was before.
    before: Option<Value>,
    /// What it is now.
    after: Option<Value>,
    /// The hash of this row and all before it.
    hash: String,
}

/// Whether the audit log is what was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Verified {
    /// Whether every row is.
    pub(super) whole: bool,
    /// The first row that is not.
    pub(super) broken_at: Option<i64>,
    /// The number of the latest row, if every row is.
    pub(super) rows: Option<i64>,
    /// Its hash; kept elsewhere, it shows whether rows were cut off.
    pub(super) hash: Option<String>,
}

/// Who is live, from where.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StandingTold {
    /// `customer`, `team` or `key`.
    kind: &'static str,
    /// Its name.
    pub(super) name: String,
    /// `file` or `api`.
    declared_at: &'static str,
    /// `live`; `hidden` by the file's of the same name; or `broken`, and refused.
    state: &'static str,
    /// Where a hidden one differs from the file's.
    differs_in: Vec<String>,
    /// Why a broken one is refused.
    problem: Option<String>,
}

impl From<&BudgetView> for BudgetStatus {
    fn from(view: &BudgetView) -> Self {
        let budget = &view.budget;
        let (style, zone) = match &budget.schedule.style {
            Style::Rolling => ("rolling", None),
            Style::Aligned(zone) => ("aligned", Some(zone.iana_name().unwrap_or("UTC"))),
        };
        let taken = view.spent.plus(view.reserved);
        Self {
            tier: view.payer.word(),
            name: view.name.clone(),
            provider: view.provider.clone(),
            limit: budget.limit.dollars(),
            spent: view.spent.dollars(),
            reserved: view.reserved.dollars(),
            left: budget.limit.less(taken).dollars(),
            period: budget.schedule.length.to_string(),
            style,
            zone: zone.map(str::to_owned),
            hard: budget.hard,
            window_start: instant(view.window.start),
            window_end: instant(view.window.end),
            opens_at: view.opens_at.map(instant),
        }
    }
}

impl From<Usage> for UsageRow {
    fn from(usage: Usage) -> Self {
        Self {
            group: usage.group,
            attempts: usage.attempts,
            charged_nano_dollars: usage.charged,
            estimated: usage.estimated,
            canceled: usage.canceled,
            failed: usage.failed,
            overrun: usage.overrun,
            from_cache: usage.from_cache,
            input: usage.input,
            cached: usage.cached,
            write_5m: usage.write_5m,
            write_1h: usage.write_1h,
            output: usage.output,
            reasoning: usage.reasoning,
            units: usage.units,
        }
    }
}

impl From<Row> for LedgerEntry {
    fn from(row: Row) -> Self {
        let entry = row.entry;
        let [key, model, route, labels] = row.names;
        let flag = |bit: u8| entry.flags & bit != 0;
        let [input, cached, write_5m, write_1h, output, reasoning, units] = entry.used.counts();
        Self {
            number: row.number,
            id: format!("{:032x}", entry.id),
            state: entry.state.word().to_owned(),
            at_us: entry.at,
            ended_us: entry.ended,
            adjusted_us: entry.adjusted,
            reserved_nano_dollars: entry.reserved,
            charged_nano_dollars: entry.charged,
            key,
            model,
            route,
            labels: labels.and_then(|labels| serde_json::from_str(&labels).ok()),
            price: entry.price,
            request: entry.request,
            estimated: flag(1),
            canceled: flag(2),
            failed: flag(4),
            overrun: flag(8),
            from_cache: flag(16),
            unpriced: flag(32),
            input,
            cached,
            write_5m,
            write_1h,
            output,
            reasoning,
            units,
        }
    }
}

impl From<Audited> for AuditRow {
    fn from(row: Audited) -> Self {
        let parsed = |text: Option<String>| {
            text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
        };
        Self {
            number: row.number,
            at: instant(row.change.at.div_euclid(1_000_000)),
            who: row.change.who,
            what: row.change.what,
            before: parsed(row.change.before),
            after: parsed(row.change.after),
            hash: hex(&row.hash),
        }
    }
}

impl From<Standing> for StandingTold {
    fn from(standing: Standing) -> Self {
        let state = standing.state.word();
        let (differs_in, problem) = match standing.state {
            State::Live => (Vec::new(), None),
            State::Hidden(keys) => (keys, None),
            State::Broken(why) => (Vec::new(), Some(why)),
        };
        Self {
            kind: standing.kind.word(),
            name: standing.name,
            declared_at: standing.origin.word(),
            state,
            differs_in,
            problem,
        }
    }
}

/// A customer, team or key as it is shown: its document, and what is known beside it.
pub(super) fn tenant(found: Found) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("name".to_owned(), found.name.into());
    shown.insert("declared_at".to_owned(), found.origin.word().into());
    shown.extend(found.document);
    let mut put = |key: &str, value: Option<String>| {
        shown.extend(value.map(|value| (key.to_owned(), value.into())));
    };
    let of_micros = |at: i64| instant(at.div_euclid(1_000_000));
    put("created_at", found.times.map(|(at, _)| of_micros(at)));
    put("changed_at", found.times.map(|(_, at)| of_micros(at)));
    put("former_until", found.former_until.map(instant));
    put("revoked_at", found.revoked.map(of_micros));
    put("problem", found.problem);
    if found.hides {
        shown.insert("hides".to_owned(), true.into());
    }
    shown
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
