//! Every request that began is counted once: as ended in one way, or as in flight.

use futures_util::future::join_all;
use trimtab::observe::{Ending, Fault};

use super::{POOR, RICH, ask, everything, serve_all_sorts, with_key};
use crate::support::{Bench, Call, Client, Folder, Metrics, Mode, bench, chat, pass_ms};

fn count(metrics: &Metrics, name: &str, labels: &[&str]) -> u64 {
    metrics.sum(name, labels).round() as u64
}

/// The identities that hold in every scrape; how many requests have begun.
fn assert_balanced(metrics: &Metrics) -> u64 {
    let started = count(metrics, "router_requests_started_total", &[]);
    let ended = count(metrics, "router_requests_total", &[]);
    let retired = count(metrics, "router_requests_retired_total", &[]);
    let inflight = count(metrics, "router_inflight_requests", &[]);
    assert_eq!(started, ended + retired + inflight, "{}", metrics.0);
    let by_ending = Ending::ALL.map(|ending| {
        let label = format!("outcome=\"{}\"", ending.name());
        count(metrics, "router_requests_total", &[&label])
    });
    assert_eq!(
        by_ending.iter().sum::<u64>(),
        ended,
        "an ending has no name"
    );
    let ok = count(metrics, "router_requests_total", &["outcome=\"ok\""]);
    let errors = count(metrics, "router_errors_total", &[]);
    assert_eq!(errors, ended - ok, "{}", metrics.0);
    let by_fault: u64 = Fault::ALL
        .iter()
        .map(|fault| {
            let label = format!("error_type=\"{}\"", fault.name());
            count(metrics, "router_errors_total", &[&label])
        })
        .sum();
    assert_eq!(by_fault, errors);
    let lasted = count(metrics, "router_request_duration_seconds_count", &[]);
    assert_eq!(lasted, ended);
    started
}

#[test]
fn all_endings_under_load_add_up() {
    let folder = Folder::new("metrics-balance");
    bench(&everything(&folder), async |bench| {
        // Scrapes in between see requests of every age.
        let watch = async {
            let mut most = 0;
            for _ in 0..60 {
                pass_ms(50).await;
                let metrics = bench.metrics().await;
                assert_balanced(&metrics);
                most = most.max(count(&metrics, "router_inflight_requests", &[]));
            }
            most
        };
        let load = join_all((0..8).map(|_| serve_all_sorts(&bench)));
        let (counts, most) = futures_util::future::join(load, watch).await;
        let metrics = bench.metrics().await;
        let started = assert_balanced(&metrics);
        assert_eq!(started, counts.iter().sum::<usize>() as u64);
        assert!(most > 1, "no scrape saw requests in flight");
        assert_eq!(count(&metrics, "router_inflight_requests", &[]), 0);
        assert_eq!(bench.in_flight(), 0, "the plain count agrees");
        for ending in [
            "ok",
            "client_error",
            "upstream_error",
            "shed",
            "client_gone",
        ] {
            let label = format!("outcome=\"{ending}\"");
            assert!(
                count(&metrics, "router_requests_total", &[&label]) > 0,
                "{ending}"
            );
        }
    });
}

/// What all sorts of requests are counted as: name, labels, count.
const CASES: &[(&str, &[&str], u64)] = &[
    ("client_retries_total", &["sdk=\"python\""], 1),
    ("client_retries_total", &[], 1),
    ("router_refusals_total", &["reason=\"budget\""], 1),
    ("router_refusals_total", &["reason=\"key\""], 1),
    ("router_errors_total", &["error_type=\"budget\""], 1),
    ("router_errors_total", &["error_type=\"unauthorized\""], 1),
    ("router_errors_total", &["error_type=\"no_path\""], 1),
    (
        "router_errors_total",
        &["model=\"other\"", "error_type=\"no_model\""],
        2,
    ),
    (
        "router_errors_total",
        &["model=\"good\"", "error_type=\"client_gone\""],
        2,
    ),
    (
        "router_errors_total",
        &["model=\"narrow\"", "error_type=\"shed\""],
        3,
    ),
    (
        "router_errors_total",
        &["model=\"cut\"", "error_type=\"upstream_truncated\""],
        1,
    ),
    ("stream_truncations_total", &["recovered=\"true\""], 1),
    ("stream_truncations_total", &["recovered=\"false\""], 1),
    (
        "cache_lookups_total",
        &["layer=\"exact\"", "result=\"hit\""],
        2,
    ),
    (
        "cache_lookups_total",
        &["layer=\"exact\"", "result=\"miss\""],
        2,
    ),
    ("image_job_seconds_count", &["phase=\"total\""], 1),
    ("config_last_reload_successful", &[], 1),
    ("build_info", &[], 1),
];

#[test]
fn what_happens_is_counted_under_its_name() {
    let folder = Folder::new("metrics-names");
    bench(&everything(&folder), async |bench: Bench| {
        serve_all_sorts(&bench).await;
        let metrics = bench.metrics().await;
        let of = |name: &str, labels: &[&str]| count(&metrics, name, labels);
        for (name, labels, expected) in CASES {
            assert_eq!(
                of(name, labels),
                *expected,
                "{name} {labels:?}\n{}",
                metrics.0
            );
        }
        assert!(of("budget_rejections_total", &["tier=\"key\""]) > 0);
        assert_eq!(of("budget_rejections_total", &["tier=\"team\""]), 0);
        // Whoever left a route has arrived at another.
        let left = of("provider_failover_total", &["s04"]);
        assert!(left > 0 && of("provider_failover_arrivals_total", &["to=\"alpha/good/"]) >= 2);
        assert!(of("router_output_tokens_per_second_count", &[]) > 0);
        let input = of("router_tokens_total", &["direction=\"input\""]);
        assert!(input > 0 && of("provider_tokens_total", &["direction=\"input\""]) > 0);
        assert!(metrics.sum("router_spend_dollars_total", &[]) > 0.0);
        let poor = metrics.sum("budget_spent_ratio", &["name=\"poor\"", "tier=\"key\""]);
        assert!((0.0..=1.0).contains(&poor), "{poor}");
        assert_eq!(
            of(
                "provider_ratelimit_limit",
                &["narrow", "dimension=\"requests\"", "source=\"told\""]
            ),
            1
        );
        assert!(metrics.sum("process_start_time_seconds", &[]) > 1.6e9);
    });
}

#[test]
fn a_stream_that_halts_is_counted() {
    let folder = Folder::new("metrics-halt");
    let spec = everything(&folder)
        .with("[timeouts]\nbetween_tokens = \"200ms\"\n[models.halts]\nroutes = [{ provider = \"alpha\", model = \"s09\" }]");
    bench(&spec, async |bench| {
        bench.call(&ask("halts", Mode::Stream)).await;
        let metrics = bench.metrics().await;
        assert_eq!(
            count(&metrics, "stream_idle_timeouts_total", &[]),
            1,
            "{}",
            metrics.0
        );
        assert_balanced(&metrics);
    });
}

#[test]
fn no_secret_and_no_prompt_is_told() {
    let folder = Folder::new("metrics-secret");
    bench(&everything(&folder), async |bench| {
        let mut body = chat("good", Mode::Whole);
        body["messages"][0]["content"] = "the-text-of-the-prompt".into();
        bench.call(&with_key(Call::chat(&body), RICH)).await;
        let mut client = Client::open(bench.address).await;
        client.call(&with_key(Call::chat(&body), POOR)).await;
        let text = bench.metrics().await.0;
        for hidden in ["the-text-of-the-prompt", RICH, POOR, "sk-alpha"] {
            assert!(!text.contains(hidden), "{hidden}");
        }
    });
}
