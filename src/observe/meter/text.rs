//! The two text formats: Prometheus' own, version 0.0.4, and `OpenMetrics` 1.0.
//!
//! # Invariants
//! - Both tell the same samples under the same names; they differ in how a counter's family is called and in the end mark.
//! - Bounds are written alike (`1.0`), so that a scraper that changes its format does not see other series.

use std::fmt::Write as _;

use super::metric::{Kind, Metric};
use super::scale::Scale;
use super::{Exposition, Labels};

/// Which of the two is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `text/plain; version=0.0.4`.
    Prometheus,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
}

/// A text that is being written.
#[derive(Debug)]
pub(crate) struct Text {
    dialect: Dialect,
    name: &'static str,
    out: String,
}

impl Text {
    /// An empty one.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            name: "",
            out: String::with_capacity(64 * 1024),
        }
    }

    fn sample(&mut self, suffix: &str, labels: &Labels<'_>, le: Option<f64>, value: f64) {
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        let mut sign = '{';
        for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            self.out.push(sign);
            sign = ',';
            self.out.push_str(name);
            self.out.push_str("=\"");
            escaped(&mut self.out, value, true);
            self.out.push('"');
        }
        if let Some(le) = le {
            self.out.push(sign);
            sign = ',';
            self.out.push_str("le=\"");
            if le == f64::INFINITY {
                self.out.push_str("+Inf");
            } else {
                // Writing into a string cannot fail. Why `?`: it writes 1 as 1.0.
                let _ = write!(self.out, "{le:?}");
            }
            self.out.push('"');
        }
        if sign == ',' {
            self.out.push('}');
        }
        self.out.push(' ');
        number(&mut self.out, value);
        self.out.push('\n');
    }
}

impl Exposition for Text {
    fn family(&mut self, metric: &Metric) {
        self.name = metric.name;
        let family = match self.dialect {
            Dialect::OpenMetrics => metric.name.strip_suffix("_total").unwrap_or(metric.name),
            Dialect::Prometheus => metric.name,
        };
        let _ = write!(self.out, "# HELP {family} ");
        escaped(
            &mut self.out,
            metric.help,
            self.dialect == Dialect::OpenMetrics,
        );
        let _ = writeln!(self.out, "\n# TYPE {family} {}", metric.kind.name());
        debug_assert!(
            !matches!(metric.kind, Kind::Counter | Kind::Dollars)
                || metric.name.ends_with("_total"),
            "{}",
            metric.name
        );
    }

    fn value(&mut self, labels: &Labels<'_>, value: f64) {
        self.sample("", labels, None, value);
    }

    fn histogram(
        &mut self,
        labels: &Labels<'_>,
        (scale, counts, sum): (&'static Scale, &[u64], f64),
    ) {
        let all = counts.iter().sum::<u64>() as f64;
        for (bound, count) in scale.classic(counts) {
            self.sample("_bucket", labels, Some(bound), count as f64);
        }
        self.sample("_bucket", labels, Some(f64::INFINITY), all);
        self.sample("_sum", labels, None, sum);
        self.sample("_count", labels, None, all);
    }

    fn finish(&mut self) -> Vec<u8> {
        if self.dialect == Dialect::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        std::mem::take(&mut self.out).into_bytes()
    }
}

/// A number as both formats have it.
fn number(out: &mut String, value: f64) {
    let _ = if value.is_nan() {
        out.write_str("NaN")
    } else if value.is_infinite() {
        out.write_str(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        write!(out, "{value}")
    };
}

/// Writes a text so that no character of it ends a line or a label.
fn escaped(out: &mut String, text: &str, quotes: bool) {
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SCALE: Scale = Scale::new(&[1_000_000, 2_500_000], (-1, 2));
    const TIMES: Metric = Metric::histogram("times_seconds", &SCALE, "Times.");
    const THINGS: Metric = Metric::counter("things_total", "\"Things\"\nof \\.");

    fn written(dialect: Dialect) -> String {
        let mut text = Text::new(dialect);
        text.family(&THINGS);
        text.value(&[("name", "a\"b\\c\nd"), ("none", "")], 3.0);
        text.value(&[], f64::NAN);
        text.family(&TIMES);
        let mut counts = vec![0; SCALE.len()];
        counts[SCALE.cell(1_000_000)] = 2;
        counts[SCALE.cell(9_000_000)] = 1;
        text.histogram(&[("m", "x")], (&SCALE, &counts, 11.0));
        String::from_utf8(text.finish()).unwrap()
    }

    #[test]
    fn prometheus_text_is_what_its_parsers_take() {
        let expected = "# HELP things_total \"Things\"\\nof \\\\.
# TYPE things_total counter
things_total{name=\"a\\\"b\\\\c\\nd\"} 3
things_total NaN
# HELP times_seconds Times.
# TYPE times_seconds histogram
times_seconds_bucket{m=\"x\",le=\"1.0\"} 2
times_seconds_bucket{m=\"x\",le=\"2.5\"} 2
times_seconds_bucket{m=\"x\",le=\"+Inf\"} 3
times_seconds_sum{m=\"x\"} 11
times_seconds_count{m=\"x\"} 3
";
        assert_eq!(written(Dialect::Prometheus), expected);
    }

    #[test]
    fn openmetrics_differs_in_families_and_its_end() {
        let plain = written(Dialect::Prometheus);
        let open = written(Dialect::OpenMetrics);
        assert!(open.contains("# HELP things \\\"Things\\\"\\nof"));
        assert!(open.contains("# TYPE things counter\nthings_total{"));
        assert!(open.ends_with("# EOF\n"));
        let samples = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(samples(&plain), samples(&open));
    }
}
