//! How do budgets stand, and what was used?
//!
//! # Invariants
//! - Amounts are shown as the gateway counts them; nothing is summed here but the last line.

use serde_json::Value;

use super::options::{Budgets, Usage};
use super::remote::{Plane, encoded};
use super::table::{Side, dollars, instant, nano, table};
use super::{ConsoleError, Said, printed};

/// What stands for nothing.
const NONE: &str = "-";

pub(super) async fn budgets(plane: &Plane, options: &Budgets) -> Result<Said, ConsoleError> {
    let asked = [("tier", &options.tier), ("name", &options.name)];
    let whole = plane.all(&format!("/api/budgets{}", query(&asked))).await?;
    if options.remote.json {
        return Ok(printed(&whole).into());
    }
    Ok(standing(&whole).into())
}

/// Budgets as a table.
fn standing(whole: &Value) -> String {
    let rows: Vec<Vec<String>> = rows(whole)
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or(NONE).to_owned();
            let money = |key: &str| dollars(row[key].as_f64().unwrap_or_default());
            let mut period = format!("{} {}", text("period"), text("style"));
            if let Some(zone) = row["zone"].as_str().filter(|zone| *zone != "UTC") {
                period.push(' ');
                period.push_str(zone);
            }
            let force = match row["hard"].as_bool() {
                Some(false) => "told",
                _ => "refused",
            };
            vec![
                text("tier"),
                text("name"),
                text("provider"),
                money("limit"),
                money("spent"),
                money("reserved"),
                money("left"),
                period,
                force.to_owned(),
                instant(&text("window_end")),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no budgets\n".to_owned();
    }
    let heads = [
        ("TIER", Side::Left),
        ("NAME", Side::Left),
        ("AT", Side::Left),
        ("LIMIT", Side::Right),
        ("SPENT", Side::Right),
        ("RESERVED", Side::Right),
        ("LEFT", Side::Right),
        ("PERIOD", Side::Left),
        ("BEYOND", Side::Left),
        ("ENDS", Side::Left),
    ];
    table(&heads, &rows)
}

pub(super) async fn usage(plane: &Plane, options: &Usage) -> Result<Said, ConsoleError> {
    let by = Some(options.by.clone());
    let asked = [("group", &by), ("from", &options.from), ("to", &options.to)];
    let whole = plane.all(&format!("/api/usage{}", query(&asked))).await?;
    if options.remote.json {
        return Ok(printed(&whole).into());
    }
    Ok(used(&whole))
}

/// Usage as a table, with its sum.
fn used(whole: &Value) -> Said {
    let groups: Vec<String> = whole["group"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|group| Some(group.as_str()?.to_uppercase()))
        .collect();
    let sums = ["attempts", "failed", "input", "cached", "output"];
    let count = |row: &Value, key: &str| row[key].as_i64().unwrap_or_default();
    let charged = |row: &Value| count(row, "charged_nano_dollars");
    let mut lines: Vec<Vec<String>> = Vec::new();
    for row in rows(whole) {
        let names = row["group"].as_array().into_iter().flatten();
        let mut line: Vec<String> = names
            .map(|name| name.as_str().unwrap_or(NONE).to_owned())
            .collect();
        line.extend(sums.map(|key| count(row, key).to_string()));
        line.push(nano(charged(row)));
        lines.push(line);
    }
    if !groups.is_empty() && lines.len() > 1 {
        let mut line = vec![String::new(); groups.len()];
        line[0] = "total".to_owned();
        let sum = |key: &str| rows(whole).map(|row| count(row, key)).sum::<i64>();
        line.extend(sums.map(|key| sum(key).to_string()));
        line.push(nano(sum("charged_nano_dollars")));
        lines.push(line);
    }
    let mut heads: Vec<(&str, Side)> = groups.iter().map(|it| (it.as_str(), Side::Left)).collect();
    heads.extend(
        ["ATTEMPTS", "FAILED", "INPUT", "CACHED", "OUTPUT", "COST"].map(|head| (head, Side::Right)),
    );
    let text = |key: &str| instant(whole[key].as_str().unwrap_or(NONE));
    let remarks = format!("from {} to {}\n", text("from"), text("to"));
    let text = if lines.is_empty() {
        "nothing was used\n".to_owned()
    } else {
        table(&heads, &lines)
    };
    Said { text, remarks }
}

/// The rows of a list.
pub(super) fn rows(whole: &Value) -> impl Iterator<Item = &Value> {
    whole["data"].as_array().into_iter().flatten()
}

/// A query of what is given.
fn query(asked: &[(&str, &Option<String>)]) -> String {
    let given = asked
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?))));
    let given: Vec<String> = given.collect();
    if given.is_empty() {
        String::new()
    } else {
        format!("?{}", given.join("&"))
    }
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self {
            text,
            remarks: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn budgets_are_a_table() {
        let row = |zone: Option<&str>, hard: bool| {
            json!({
                "tier": "key_provider", "name": "ci", "provider": "openai", "limit": 10.5, "spent": 2.25, "reserved": 0.0, "left": 8.25,
                "period": "1d", "style": "aligned", "zone": zone, "hard": hard, "window_end": "2026-02-01T00:00:00Z",
            })
        };
        let told =
            standing(&json!({"data": [row(Some("UTC"), true), row(Some("Europe/Berlin"), false)]}));
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines,
            [
                "TIER          NAME  AT       LIMIT  SPENT  RESERVED   LEFT  PERIOD                    BEYOND   ENDS",
                "key_provider  ci    openai  $10.50  $2.25     $0.00  $8.25  1d aligned                refused  2026-02-01 00:00Z",
                "key_provider  ci    openai  $10.50  $2.25     $0.00  $8.25  1d aligned Europe/Berlin  told     2026-02-01 00:00Z",
            ]
        );
        assert_eq!(standing(&json!({"data": []})), "no budgets\n");
    }

    #[test]
    fn usage_has_its_sum() {
        let row = |key: Option<&str>, charged: i64| json!({"group": [key], "attempts": 2, "failed": 1, "input": 10, "cached": 0, "output": 5, "charged_nano_dollars": charged});
        let whole = json!({
            "from": "2026-01-01T00:00:00Z", "to": "2026-01-31T12:30:00Z", "group": ["key"],
            "data": [row(Some("ci"), 1_500_000_000), row(None, -500_000_000)],
        });
        let said = used(&whole);
        assert_eq!(
            said.remarks,
            "from 2026-01-01 00:00Z to 2026-01-31 12:30Z\n"
        );
        let lines: Vec<&str> = said.text.lines().collect();
        assert_eq!(
            lines,
            [
                "KEY    ATTEMPTS  FAILED  INPUT  CACHED  OUTPUT      COST",
                "ci            2       1     10       0       5   $1.5000",
                "-             2       1     10       0       5  -$0.5000",
                "total         4       2     20       0      10   $1.0000",
            ]
        );
        let none = json!({"from": "", "to": "", "group": [], "data": []});
        assert_eq!(used(&none).text, "nothing was used\n");
    }
}
