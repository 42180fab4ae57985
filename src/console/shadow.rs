//! What would the constants that are tried beside the live ones have made of a running gateway's traffic?

use std::fmt::Write as _;

use serde_json::Value;

use super::options::Tried;
use super::remote::Plane;
use super::table::{Side, table};
use super::{ConsoleError, Said, printed};

/// What is estimated, and how many decimals it is shown with.
const ESTIMATES: [(&str, usize); 3] = [("success_rate", 4), ("cost_ms", 1), ("ttft_ms", 1)];

/// Shows it.
pub(super) async fn show(plane: &Plane, options: &Tried) -> Result<Said, ConsoleError> {
    let told = plane.get("/api/shadow").await?;
    let text = if options.remote.json {
        printed(&told)
    } else {
        written(&told)
    };
    Ok(Said {
        text,
        remarks: String::new(),
    })
}

fn written(told: &Value) -> String {
    let Some(sample) = told["sample"].as_f64() else {
        return "no constants are tried: write [scoring.shadow] into the configuration\n"
            .to_owned();
    };
    let mut text = constants(&told["constants"]);
    for model in list(&told["data"]) {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "\n{}: {} requests asked ({} of 100), agreement {}, {} weights clipped, worth {:.0} of the shadow's own",
            super::table::clean(model["model"].as_str().unwrap_or("?")),
            model["sampled"],
            shown(&Value::from(100.0 * sample), 1),
            shown(&model["agreement"], 4),
            model["clipped"],
            model["effective"].as_f64().unwrap_or(0.0),
        );
        text.push_str(&estimates(&model["estimates"]));
        text.push('\n');
        text.push_str(&routes(&model["routes"]));
    }
    text
}

fn constants(differing: &Value) -> String {
    let heads = [
        ("constant", Side::Left),
        ("live", Side::Right),
        ("shadow", Side::Right),
    ];
    let rows: Vec<Vec<String>> = list(differing)
        .map(|it| {
            let name = it["name"].as_str().unwrap_or("?").to_owned();
            vec![name, number(&it["live"]), number(&it["shadow"])]
        })
        .collect();
    if rows.is_empty() {
        return "the shadow's constants are the live ones\n".to_owned();
    }
    table(&heads, &rows)
}

fn estimates(told: &Value) -> String {
    let heads = [
        ("estimate", Side::Left),
        ("live", Side::Right),
        ("shadow", Side::Right),
        ("difference", Side::Right),
        ("95 % interval", Side::Left),
    ];
    let rows: Vec<Vec<String>> = ESTIMATES
        .iter()
        .map(|&(name, decimals)| {
            let it = &told[name];
            let cell = |key: &str| shown(&it[key], decimals);
            let last = match it["refused"].as_str() {
                Some(why) => why.to_owned(),
                None => format!("{} to {}", cell("low"), cell("high")),
            };
            vec![
                name.to_owned(),
                cell("live"),
                cell("shadow"),
                cell("difference"),
                last,
            ]
        })
        .collect();
    table(&heads, &rows)
}

fn routes(told: &Value) -> String {
    let heads = [
        ("route", Side::Left),
        ("live %", Side::Right),
        ("shadow %", Side::Right),
    ];
    let rows: Vec<Vec<String>> = list(told)
        .map(|it| {
            let percent = |key: &str| {
                let share = it[key].as_f64().map(|share| Value::from(100.0 * share));
                shown(&share.unwrap_or_default(), 1)
            };
            let route = it["route"].as_str().unwrap_or("?").to_owned();
            vec![route, percent("live_share"), percent("shadow_share")]
        })
        .collect();
    table(&heads, &rows)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A number with so many decimals; a dash for none.
fn shown(value: &Value, decimals: usize) -> String {
    value
        .as_f64()
        .map_or("-".to_owned(), |it| format!("{it:.decimals$}"))
}

/// A constant as it was written: they are kept in single precision.
fn number(value: &Value) -> String {
    value
        .as_f64()
        .map_or("-".to_owned(), |it| (it as f32).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_told_is_shown() {
        assert!(written(&json!({"sample": null})).starts_with("no constants are tried"));
        let told = json!({
            "sample": 0.05,
            "constants": [{"name": "draw.band", "live": f64::from(0.15_f32), "shadow": f64::from(0.3_f32)}],
            "data": [{
                "model": "main", "sampled": 1200, "agreement": 0.75, "clipped": 3, "effective": 950.4,
                "estimates": {
                    "success_rate": {"live": 0.99, "shadow": 0.985, "difference": -0.005, "low": -0.008, "high": -0.002},
                    "cost_ms": {"refused": "too thin"},
                    "ttft_ms": {"refused": "no stream"},
                },
                "routes": [{"route": "p/m/k", "live_share": 0.25, "shadow_share": 0.5}],
            }],
        });
        let expected = "\
constant   live  shadow
draw.band  0.15     0.3

main: 1200 requests asked (5.0 of 100), agreement 0.7500, 3 weights clipped, worth 950 of the shadow's own
estimate        live  shadow  difference  95 % interval
success_rate  0.9900  0.9850     -0.0050  -0.0080 to -0.0020
cost_ms            -       -           -  too thin
ttft_ms            -       -           -  no stream

route  live %  shadow %
p/m/k    25.0      50.0
";
        assert_eq!(written(&told), expected);
    }
}
