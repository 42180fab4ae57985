//! `docs/METRICS.md`, printed from the table of metrics.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::meter::{Kind, Metric, Of};
use super::metrics::ALL;

const HEAD: &str = "# Metrics

Every metric of `/metrics` on the admin plane, printed from the table in `src/observe/metrics.rs`.
To print this page anew, run `UPDATE=1 cargo test -p trimtab --lib observe::reference`.

- A scraper gets the format that its `Accept` prefers: `OpenMetrics` 1.0, Prometheus' protobuf messages with native histograms, or else Prometheus' text 0.0.4.
- Every histogram has classic buckets and, in the protobuf format, native ones of schema 2; Prometheus asks for them with `--enable-feature=native-histograms`.
- Labels take values from the configuration or from the closed lists below; requests for models that are not configured count as `other`.
- A family has series of at most 1,024 models, 4,096 routes or 8,192 readings; what finds no room counts as `other` or is not shown, and `metrics_series_dropped_total` tells how much.
- A model or route that a reload has removed keeps its series while requests use it and for ten minutes more; then they are gone, and `router_requests_retired_total` keeps the sum of their requests.
- In families of more than 1,024 samples those that have counted nothing are left out.
- In every scrape `router_requests_started_total` = the sum of `router_requests_total` + that of `router_requests_retired_total` + `router_inflight_requests`, and the sum of `router_errors_total` is that of all endings but `ok`, up to what ends between the two readings.
- The dashboard is [grafana/trimtab.json](grafana/trimtab.json), the alert rules are [grafana/alerts.yml](grafana/alerts.yml); `tests/prometheus/run` tries both with a real Prometheus.

## Scraping

```yaml
scrape_configs:
  - job_name: trimtab
    static_configs:
      - targets: [\"127.0.0.1:9090\"]
    # Where the admin plane has a token:
    # authorization: { credentials: \"...\" }
rule_files: [alerts.yml]
```

## All metrics

| name | kind | labels | meaning |
| --- | --- | --- | --- |
";

/// The page.
fn page() -> String {
    let mut page = HEAD.to_owned();
    for metric in ALL {
        let labels: Vec<String> = metric.labels.iter().map(|it| format!("`{it}`")).collect();
        let Metric {
            name, kind, help, ..
        } = metric;
        let _ = writeln!(
            page,
            "| `{name}` | {} | {} | {help} |",
            kind.name(),
            labels.join(", ")
        );
    }
    page.push_str("\n## Closed lists\n\n| metric | label | values |\n| --- | --- | --- |\n");
    for metric in ALL {
        let skipped = usize::from(matches!(metric.of, Of::Model | Of::Route));
        for (at, label) in metric.labels.iter().skip(skipped).enumerate() {
            let mut values: Vec<String> = Vec::new();
            for row in metric.rows.iter().filter(|row| !row[0].is_empty()) {
                let value = format!("`{}`", row[at.min(1)]);
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            if !values.is_empty() {
                let _ = writeln!(
                    page,
                    "| `{}` | `{label}` | {} |",
                    metric.name,
                    values.join(", ")
                );
            }
        }
    }
    page.push_str("\n## Buckets\n\n| metric | classic upper bounds |\n| --- | --- |\n");
    for metric in ALL {
        if let Kind::Histogram(scale) = metric.kind {
            let bounds: Vec<String> = scale.bounds().map(|it| it.to_string()).collect();
            let _ = writeln!(page, "| `{}` | {} |", metric.name, bounds.join(", "));
        }
    }
    page
}

#[test]
fn the_committed_page_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/METRICS.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, page()).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == page(),
        "docs/METRICS.md is not what the table says; run: UPDATE=1 cargo test -p trimtab --lib observe::reference"
    );
}
