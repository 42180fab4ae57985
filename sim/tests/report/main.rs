//! Is a replay told as it was: in columns, as data, and on a page that fetches nothing?
//!
//! # Invariants
//! - Everything is checked on the hand-made report of `sample.rs`.

#![allow(
    clippy::unwrap_used,
    reason = "what is missing fails the test that looks for it"
)]

mod sample;

use serde_json::Value;
use sim::report::{Estimate, Report, Standing, Verdict, Width, html, json, markdown, table};

fn compact() -> String {
    table(&sample::report(), Width::Compact)
}

fn last_line(report: &Report) -> String {
    let text = table(report, Width::Compact);
    text.lines().last().unwrap().to_owned()
}

/// The lines of the block below the line that begins so, up to the next empty one.
fn block(text: &str, beginning: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with(beginning));
    let lines = lines.skip(2).take_while(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

fn all_hold() -> Report {
    let mut report = sample::report();
    for bar in report.scenarios.iter_mut().flat_map(|it| &mut it.bars) {
        bar.holds = true;
    }
    report.holds = true;
    report
}

#[test]
fn the_last_line_is_the_verdict() {
    assert_eq!(
        last_line(&sample::report()),
        "verdict: 6 of 7 bars hold; missed: G3 first_attempt_incident in s02-brown-out (0.9954 < 0.997)"
    );
    assert_eq!(last_line(&all_hold()), "verdict: all 7 bars hold");
    assert_eq!(last_line(&Report::default()), "verdict: no bars were set");
}

#[test]
fn every_kind_of_miss_is_told() {
    let missed = |goal: &str, value, note: &str| Verdict {
        goal: goal.to_owned(),
        metric: "attempts".to_owned(),
        at_least: Some(0.5),
        at_most: Some(1.005),
        value,
        holds: false,
        note: note.to_owned(),
    };
    let mut report = all_hold();
    report.pack = vec![
        missed("G3", Some(1.005_000_02), ""),
        missed("G4", None, ""),
        missed("G5", Some(1.0), "p2c won"),
    ];
    assert_eq!(
        last_line(&report),
        "verdict: 6 of 9 bars hold; missed: G3 attempts in the pack (1.00500002 > 1.005), \
         G4 attempts in the pack (no value), G5 attempts in the pack (1.0000; p2c won)"
    );
}

#[test]
fn columns_stand_below_each_other_and_the_best_is_marked() {
    let expected = [
        "                                                                    first_attempt_",
        "policy                cost_ms           regret            success         incident         attempts          p99",
        "trimtab           822.4 ±3.1*  0.0251 ±0.0017*  0.99998 ±0.00001*  0.9954 ±0.0003*  1.0025 ±0.0002*  1.06 ±0.01*",
        "static-weighted  1104.7 ±3.1   0.3512 ±0.0017   0.99210 ±0.00001   0.8972 ±0.0003   1.0711 ±0.0002   1.93 ±0.01",
        "p2c-peak-ewma    1049.3 ±3.1   0.2891 ±0.0017   0.99330 ±0.00001   0.9088 ±0.0003   1.0632 ±0.0002   1.71 ±0.01",
        "oracle-weighted   802.1 ±3.1   0.0000 ±0.0017   1.00000 ±0.00001   0.9981 ±0.0003   1.0009 ±0.0002   1.02 ±0.01",
    ];
    assert_eq!(block(&compact(), "s02-brown-out:"), expected);
}

#[test]
fn lines_fit_and_what_says_nothing_is_left_out() {
    for width in [Width::Compact, Width::Wide] {
        let text = table(&sample::report(), width);
        let tables = text.lines().filter(|line| !line.starts_with("verdict"));
        let longest = tables.map(|line| line.chars().count()).max();
        assert!(longest.unwrap() <= 120, "{longest:?}");
        assert!(!text.contains("detect_worst_s"));
    }
    let healthy = block(&compact(), "s01-healthy:");
    assert!(!healthy[0].contains("refused"), "nobody was refused");
    assert!(!healthy[1].contains("1.00000 ±0.00000*"), "all are equal");
    let wide = table(&sample::report(), Width::Wide);
    assert!(wide.contains("detect_s") && wide.contains("share_deviation"));
}

#[test]
fn one_seed_has_no_confidence_and_an_absent_metric_is_a_dash() {
    let mut report = sample::report();
    for standing in report.scenarios.iter_mut().flat_map(|it| &mut it.policies) {
        for estimate in standing.metrics.values_mut() {
            estimate.half = None;
        }
    }
    report.scenarios[0].policies[2].metrics.remove("cost_ms");
    report.scenarios[0].policies[2].metrics.remove("regret");
    let text = table(&report, Width::Compact);
    assert!(!text.contains('±'));
    let expected = [
        "policy           cost_ms   regret   success",
        "trimtab           801.2*  0.0162*  1.00000",
        "static-weighted   812.9   0.0311   1.00000",
        "p2c-peak-ewma         -        -   1.00000",
        "oracle-weighted   788.4   0.0000   1.00000",
    ];
    let lines = block(&text, "s01-healthy:");
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    assert_eq!(lines, expected);
    // A mean over fewer scenarios would not compare.
    assert!(markdown(&report).contains("| mean | **2.0** | 23.6 | - | 0.0 |"));
}

#[test]
fn bars_are_told_below_their_scenario() {
    let expected = [
        "G3    first_attempt_incident  ≥ 0.997    0.9954  MISSED",
        "G3    attempts                ≤ 1.005    1.0025  holds",
        "G8    goodput          ≥ 0.97  0.981  holds  p2c-peak-ewma was as good",
        "G15   regret_mean  ≤ 0.03  0.0213  holds",
    ];
    for line in expected {
        assert!(compact().lines().any(|it| it == line), "{line}");
    }
}

#[test]
fn regrets_are_told_with_ours_first_and_oracles_last() {
    let mut report = sample::report();
    report.scenarios[1].policies.reverse();
    let expected = "\
| scenario | trimtab | static-weighted | p2c-peak-ewma | oracle-weighted |
| --- | ---: | ---: | ---: | ---: |
| s01-healthy | **1.6** | 3.1 | 2.2 | 0.0 |
| s02-brown-out | **2.5** | 35.1 | 28.9 | 0.0 |
| s05-ceilings | **1.9** | 32.6 | 52.2 | 0.0 |
| mean | **2.0** | 23.6 | 27.8 | 0.0 |
| worst | **2.5** | 35.1 | 52.2 | 0.0 |
";
    assert_eq!(markdown(&report), expected);
    assert_eq!(
        block(&table(&report, Width::Compact), "regret:")[3..],
        [
            "s01-healthy       1.6*      3.1    2.2       0.0",
            "s02-brown-out     2.5*     35.1   28.9       0.0",
            "s05-ceilings      1.9*     32.6   52.2       0.0",
            "mean              2.0*     23.6   27.8       0.0",
            "worst             2.5*     35.1   52.2       0.0",
        ]
    );
}

#[test]
fn many_policies_are_told_in_blocks() {
    let mut report = sample::report();
    for number in 0..20 {
        let regret = Estimate {
            mean: 0.5,
            ..Estimate::default()
        };
        report.scenarios[0].policies.push(Standing {
            policy: format!("another-{number:02}"),
            metrics: [("regret".to_owned(), regret)].into(),
            series: None,
        });
    }
    let text = table(&report, Width::Compact);
    let rows = text.lines().filter(|it| it.starts_with("s01-healthy  "));
    let rows: Vec<&str> = rows.collect();
    assert!(rows.len() > 1, "{rows:?}");
    assert!(
        rows.iter()
            .all(|row| row.contains(" 1.6*") && row.chars().count() <= 120)
    );
}

/// Whether two values are the same but for the last digits of numbers, of which a single float has seven.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-7 * a.abs()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && alike(a.1, b.1))
        }
        _ => a == b,
    }
}

#[test]
fn json_keeps_everything_in_order() {
    let text = json(&sample::report());
    assert!(text.ends_with("}\n"));
    assert_eq!(text, json(&sample::report()));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(alike(
        &value,
        &serde_json::to_value(sample::report()).unwrap()
    ));
    assert_eq!(value["scenarios"][1]["name"], "s02-brown-out");
    let ours = &value["scenarios"][1]["policies"][0];
    assert_eq!(ours["metrics"]["cost_ms"]["mean"], 822.4);
    let why = &ours["series"]["why"];
    assert_eq!(why.as_array().unwrap().len(), sample::STEPS);
    assert_eq!(why[60]["routes"][2]["gate"], "open");
    assert_eq!(ours["series"]["step_s"], sample::STEP_S);
    let at = |key: &str| text.find(&format!("\n  \"{key}\"")).unwrap();
    assert!(at("version") < at("seeds") && at("seeds") < at("subject"));
    assert!(at("subject") < at("scenarios") && at("pack") < at("holds"));
}

/// The data that the page's script reads.
fn embedded(page: &str) -> Value {
    let (_, rest) = page
        .split_once(r#"<script type="application/json" id="data">"#)
        .unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn the_page_fetches_nothing() {
    let page = html(&sample::report()).unwrap();
    let policy = r#"<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">"#;
    let at = page.find(policy).unwrap();
    let first = page
        .find("<style")
        .unwrap()
        .min(page.find("<script").unwrap());
    assert!(at < first, "the policy comes too late");
    let allowed = ["https://github.com/leeoniya/uPlot (v1.6.32) */"];
    for (at, _) in page.match_indices("://") {
        let from = page[..at].rfind("http").unwrap_or(at);
        let told = &page[from..page.len().min(at + 60)];
        assert!(allowed.iter().any(|it| told.starts_with(it)), "{told}");
    }
    for word in [
        "src=",
        "@import",
        "url(",
        "fetch(",
        "XMLHttpRequest",
        "<link",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("Copyright (c) 2022 Leon Sorokin"));
}

#[test]
fn no_text_of_a_report_is_markup() {
    let mut report = sample::report();
    let hostile = "s99</script><!--<script>alert(1)";
    report.scenarios[1].name = hostile.to_owned();
    report.scenarios[1].policies[1].policy = hostile.to_owned();
    report.version = "</title>{data}{{".to_owned();
    let page = html(&report).unwrap();
    let plain = html(&sample::report()).unwrap();
    for mark in ["<script", "</script", "<!--"] {
        assert_eq!(page.matches(mark).count(), plain.matches(mark).count());
    }
    let data = embedded(&page);
    assert_eq!(data["scenarios"][1]["name"], hostile);
    assert_eq!(data["version"], "</title>{data}{{");
}

#[test]
fn the_page_is_a_function_of_the_report() {
    let page = html(&sample::report()).unwrap();
    assert_eq!(page, html(&sample::report()).unwrap());
    // 104 KB of script and style, and what four series of 120 steps and three routes take.
    assert!(page.len() < 180_000, "{}", page.len());
}

#[test]
fn the_page_carries_what_is_drawn() {
    let data = embedded(&html(&sample::report()).unwrap());
    assert_eq!(data["verdict"], "6 of 7 bars hold");
    assert_eq!(data["bars"].as_array().unwrap().len(), 7);
    assert_eq!(data["bars"][2]["value"], "0.9954");
    assert_eq!(data["bars"][2]["bar"], "≥ 0.997");
    assert_eq!(data["regret"]["policies"][3]["kind"], "oracle");
    assert_eq!(data["scenarios"][0]["policies"][0].get("series"), None);
    let series = &data["scenarios"][1]["policies"][0]["series"];
    assert_eq!(series["steps"], sample::STEPS);
    assert_eq!(series["arrived"], 1000, "a constant is told once");
    assert_eq!(series["routes"][2]["state"].as_array().unwrap().len(), 120);
    let why = &series["why"];
    let gate = why["routes"][2]["gate"][60].as_u64().unwrap();
    assert_eq!(why["words"][gate as usize], "open");
}
