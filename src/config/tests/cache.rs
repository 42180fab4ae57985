//! What is said of the response cache, and what cannot be said?

use std::time::Duration;

use super::super::{Cache, Caching, Embedder, Layers, Nano, Sharing, Start};
use super::{LEAST, parse_with, refused, valid};

#[test]
fn nothing_is_cached_unless_it_is_said() {
    let config = valid(LEAST);
    assert_eq!(config.cache, Cache::default());
    assert_eq!(config.models[0].cache, Caching::default());
    assert_eq!(config.models[0].cache.layers, Layers::Off);
}

#[test]
fn everything_is_taken_over() {
    let text = format!(
        r#"{LEAST}
        [models.m.cache]
        layers = "semantic"
        ttl = "10m"
        scope = "team"
        across_users = true
        max_temperature = 0.3
        threshold = 0.97
        max_error = 0.02
        turns = 3
        start = "prove"
        [models.e]
        routes = [{{ provider = "p" }}]
        [workflows.faq]
        model = "m"
        cache = {{ ttl = "1h", threshold = 0.95 }}
        [cache]
        memory = "1MiB"
        disk = true
        disk_size = "2MiB"
        data = "kept"
        largest = "10KiB"
        single_flight = false
        wait = "5s"
        pace = "20ms"
        writes_per_minute = 60
        scope_share = 0.25
        embedder = {{ model = "e", patience = "10ms" }}
        audit = {{ share = 0.5, budget = 2.5, judge = "m", keep = "7d", keep_size = "1MiB", content = true }}
    "#
    );
    let config = parse_with(&text, &[]).unwrap();
    let cache = &config.cache;
    assert_eq!((cache.memory, cache.disk), (1 << 20, Some(2 << 20)));
    assert_eq!(cache.data.to_str(), Some("kept"));
    assert_eq!((cache.largest, cache.single_flight), (10 << 10, false));
    assert_eq!(cache.wait, Duration::from_secs(5));
    assert_eq!(cache.pace, Duration::from_millis(20));
    assert_eq!(cache.writes_per_minute, 60);
    assert!((cache.scope_share - 0.25).abs() < 1e-9);
    assert_eq!(cache.embedder, Some(Embedder::Model(1)));
    assert_eq!(cache.patience, Duration::from_millis(10));
    assert_eq!(cache.audit.judge, Some(0));
    assert_eq!(cache.audit.budget, Nano::new(2_500_000_000));
    let model = &config.models[0].cache;
    assert_eq!(
        (model.layers, model.scope),
        (Layers::Semantic, Sharing::Team)
    );
    assert_eq!((model.across_users, model.turns), (true, 3));
    assert_eq!(
        (model.max_temperature, model.start),
        (Some(0.3), Start::Prove)
    );
    let workflow = config.models.iter().find(|it| it.workflow.is_some());
    let expected = Caching {
        ttl: Duration::from_secs(3_600),
        threshold: 0.95,
        ..model.clone()
    };
    assert_eq!(workflow.unwrap().cache, expected);
}

#[test]
fn what_cannot_be_is_refused() {
    let check = |lines: &str, expected: &str| {
        let told = refused(&format!("{LEAST}{lines}")).render(super::Paint::Plain);
        assert!(told.contains(expected), "{lines}: {told}");
    };
    check(
        "[models.m.cache]\nlayers = \"semantic\"",
        "there is no embedder",
    );
    check("[models.m.cache]\nlayers = \"sometimes\"", "off");
    check("[models.m.cache]\nttl = \"0s\"", "ttl is zero");
    check("[models.m.cache]\nthreshold = 0.4", "threshold");
    check("[cache]\nmemory = \"1KiB\"", "memory is too small");
    check("[cache]\npace = \"2s\"", "pace is too slow");
    check("[cache.embedder]\nmodel = \"x\"", "no model is named");
    check(
        "[cache.embedder]\nmodel = \"m\"\nfolder = \"f\"",
        "two embedders",
    );
    check("[cache]\nembedder = {}", "names no embedder");
    check("[cache.audit]\njudge = \"x\"", "no model is named");
    check("[cache.audit]\nshare = 2", "share");
}
