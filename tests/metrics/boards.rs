//! The dashboard and the alert rules ask for nothing that is not told.
//!
//! Every query is read, and every name and label in it is looked for in a scrape of a gateway that has served all sorts of requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::query::{self, Asked};
use super::{everything, serve_all_sorts};
use crate::support::{Folder, bench};

/// Labels that Prometheus adds to everything.
const ADDED: &[&str] = &["job", "instance"];

/// What needs something that these tests have not: a semantic cache that is audited, and a route that is set aside.
const UNSEEN: &[(&str, &[&str])] = &[
    ("cache_audit_total", &["workflow", "verdict"]),
    ("cache_audit_drift_ratio", &["workflow"]),
    ("provider_hold_seconds", &["route", "reason"]),
];

/// The labels of each sample's name.
type Told = BTreeMap<String, BTreeSet<String>>;

fn told(text: &str) -> Told {
    let mut told = Told::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let labels = told.entry(name.to_owned()).or_default();
        let inside = line
            .split_once('{')
            .and_then(|(_, rest)| rest.rsplit_once('}'));
        for part in inside.map_or("", |(inside, _)| inside).split("\",") {
            if let Some((label, _)) = part.split_once('=') {
                labels.insert(label.to_owned());
            }
        }
    }
    for (name, labels) in UNSEEN {
        let labels = labels.iter().map(|&it| it.to_owned()).collect();
        told.insert((*name).to_owned(), labels);
    }
    // Prometheus' own.
    told.insert("up".to_owned(), BTreeSet::new());
    told
}

fn read(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("docs/grafana").join(name)).unwrap()
}

/// Complaints about one query; `shown` are the labels that are shown of its result.
fn complaints(expr: &str, shown: &[String], told: &Told) -> Vec<String> {
    let Asked { metrics, grouped } = query::read(expr);
    let mut complaints = Vec::new();
    let mut all: BTreeSet<&str> = ADDED.iter().copied().collect();
    for (name, labels) in &metrics {
        let Some(known) = told.get(name) else {
            complaints.push(format!("{name} is not told: {expr}"));
            continue;
        };
        all.extend(known.iter().map(String::as_str));
        for label in labels {
            if !known.contains(label) && !ADDED.contains(&label.as_str()) {
                complaints.push(format!("{name} has no label {label}: {expr}"));
            }
        }
    }
    let made = expr.split("label_replace(").skip(1);
    all.extend(made.filter_map(|it| it.split('"').nth(1)));
    if metrics.is_empty() {
        complaints.push(format!("it asks for nothing: {expr}"));
    }
    for label in grouped.iter().chain(shown) {
        if !all.contains(label.as_str()) {
            complaints.push(format!("nothing has a label {label}: {expr}"));
        }
    }
    complaints
}

/// The labels between `{{` and `}}` of a legend or an annotation, which may be `$labels.x`.
fn shown(text: &str) -> Vec<String> {
    let parts = text.split("{{").skip(1);
    let inside = parts.filter_map(|part| Some(part.split_once("}}")?.0.trim()));
    inside
        .filter(|it| !it.contains("$value"))
        .map(|it| it.trim_start_matches("$labels.").to_owned())
        .collect()
}

#[test]
fn every_query_asks_for_what_is_told() {
    let folder = Folder::new("metrics-boards");
    bench(&everything(&folder), async |bench| {
        serve_all_sorts(&bench).await;
        let mut told = told(&bench.metrics().await.0);
        let board: Value = serde_json::from_str(&read("trimtab.json")).unwrap();
        let mut wrong = Vec::new();
        let mut queries = 0;
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expr = target["expr"].as_str().unwrap();
                let legend = shown(target["legendFormat"].as_str().unwrap());
                wrong.extend(complaints(expr, &legend, &told));
                queries += 1;
            }
        }
        let rules: Value = serde_saphyr::from_str(&read("alerts.yml")).unwrap();
        let groups = rules["groups"].as_array().unwrap();
        let rules: Vec<&Value> = groups
            .iter()
            .flat_map(|it| it["rules"].as_array().unwrap())
            .collect();
        for rule in &rules {
            if let Some(record) = rule["record"].as_str() {
                told.insert(record.to_owned(), BTreeSet::from(["job".to_owned()]));
            }
        }
        for rule in rules {
            let expr = rule["expr"].as_str().unwrap();
            let mut labels = Vec::new();
            if rule["alert"].is_string() {
                for part in ["summary", "description"] {
                    let text = rule["annotations"][part].as_str().unwrap_or_default();
                    assert!(text.len() > 20, "{rule} says nothing in its {part}");
                    labels.extend(shown(text));
                }
            }
            wrong.extend(complaints(expr, &labels, &told));
            queries += 1;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(queries > 60, "{queries}");
    });
}

#[test]
fn a_wrong_query_is_found() {
    let told = told("a_total{route=\"x\"} 1\nb 2\n");
    let check = |expr: &str, shown: &[String], count: usize| {
        assert_eq!(complaints(expr, shown, &told).len(), count, "{expr}");
    };
    check(
        "sum by (route) (rate(a_total{route=\"x\"}[5m])) / b",
        &["route".to_owned()],
        0,
    );
    check("c_total", &[], 1);
    check("a_total{model=\"x\"}", &[], 1);
    check("sum by (model) (a_total)", &["provider".to_owned()], 2);
    check("1 + 1", &[], 1);
}
