//! What do valid files mean, and which single mistakes are refused?

use std::fs;
use std::time::Duration;

use super::super::{Endpoint, HttpVersion, LimitDialect, LogFormat, LogLevel, Server};
use super::{LEAST, parse_with, refused, repository, valid};

#[test]
fn the_reference_loads_without_any_variable() {
    let config = valid(&fs::read_to_string(repository("config.toml")).unwrap());
    assert_eq!(config.server.listen, Server::LISTEN);
    assert_eq!(config.server.workers.get(), 3);
    let names: Vec<&str> = config.models.iter().map(|model| &*model.name).collect();
    assert_eq!(
        names,
        [
            "gpt-4o-mini",
            "gpt-4o",
            "gpt-4.1",
            "text-embedding-3-small",
            "workflows/prompt_rewrite"
        ]
    );
    let providers: Vec<&str> = config.providers.iter().map(|it| &*it.name).collect();
    assert_eq!(providers, ["alpha", "beta", "gamma"]);
    assert!(
        config
            .providers
            .iter()
            .all(|it| it.endpoint == Endpoint::Mock)
    );
    let alpha: Vec<_> = config.providers[0]
        .keys
        .iter()
        .map(|key| key.weight)
        .collect();
    assert_eq!(alpha, [70.0, 30.0]);
    assert_eq!(
        config.providers[1].keys[0].limits.requests_per_minute,
        Some(600)
    );
    let gpt = &config.models[1];
    assert_eq!((&*gpt.fallbacks, gpt.larger_context), (&[0][..], Some(2)));
    assert_eq!(gpt.timeouts.first_token, Duration::from_secs(15));
    assert_eq!(gpt.timeouts.connect, config.timeouts.connect);
    assert_eq!((gpt.retry.max_attempts, config.retry.max_attempts), (5, 4));
    assert!((config.models[0].routes[0].price_input - 150.0).abs() < 1e-9);
    assert_eq!(config.models[2].routes[0].model, "gpt-4.1");
    let rewrite = &config.models[4];
    assert_eq!(rewrite.routes, config.models[0].routes);
    assert_eq!(rewrite.rules[0].model, 2);
    let workflow = rewrite.workflow.as_ref().unwrap();
    assert_eq!(workflow.parameters["temperature"], "0.7");
    assert_eq!(workflow.limits.concurrency, Some(50));
    assert_eq!(config.mock.unwrap().providers.len(), 3);
}

#[test]
fn every_constant_of_scoring_loads_by_its_name() {
    use scoring::tuning::{Tuning, Unit, constants};
    let named = || {
        constants()
            .iter()
            .filter(|it| !it.name.starts_with("retry."))
    };
    assert!(named().count() > 70);
    for constant in named() {
        let (default, mut tuned) = (Tuning::default(), Tuning::default());
        let (least, value) = ((constant.least)(&default), (constant.get)(&default));
        let end = if value > least { least } else { constant.most };
        let other = if constant.unit == Unit::Count {
            end
        } else {
            f64::midpoint(value, end)
        };
        (constant.set)(&mut tuned, other);
        let value = (constant.get)(&tuned);
        let written = match constant.unit {
            Unit::Seconds => format!("\"{}us\"", (value * 1e6).round()),
            Unit::Number => format!("{:?}", value as f32),
            Unit::Count => format!("{value}"),
        };
        let (group, field) = constant.name.split_once('.').unwrap();
        let text = format!("{LEAST}\n[scoring.{group}]\n{field} = {written}\n");
        assert_ne!(tuned, default, "{}", constant.name);
        assert_eq!(valid(&text).tuning, tuned, "{}", constant.name);
    }
}

#[test]
fn who_makes_images_by_its_own_rules_is_known_by_name_or_host() {
    use super::super::{Dialect, ImageRules};
    for (told, dialect, images) in [
        (
            "base_url = \"https://api.together.xyz/v1\"",
            Dialect::OpenAi,
            ImageRules::Together,
        ),
        (
            "vendor = \"together\"",
            Dialect::OpenAi,
            ImageRules::Together,
        ),
        (
            "base_url = \"https://api.fireworks.ai/inference/v1\"",
            Dialect::OpenAi,
            ImageRules::Fireworks,
        ),
        (
            "vendor = \"fireworks\"",
            Dialect::OpenAi,
            ImageRules::Fireworks,
        ),
        (
            "base_url = \"https://nottogether.ai/v1\"",
            Dialect::OpenAi,
            ImageRules::OpenAi,
        ),
        ("vendor = \"groq\"", Dialect::OpenAi, ImageRules::None),
        ("vendor = \"bfl\"", Dialect::Bfl, ImageRules::None),
        (
            "dialect = \"stability\"\nbase_url = \"https://api.stability.ai\"",
            Dialect::Stability,
            ImageRules::OpenAi,
        ),
    ] {
        let text = format!("{LEAST}\n[providers.own]\n{told}\n");
        let config = valid(&text);
        let own = config.providers.last().unwrap();
        assert_eq!(
            (own.dialect, own.serves.images),
            (dialect, images),
            "{told}"
        );
    }
}

#[test]
fn the_reference_states_the_defaults() {
    let written = valid(&fs::read_to_string(repository("config.toml")).unwrap());
    let least = valid(LEAST);
    let mut server = written.server.clone();
    server.token = None;
    assert_eq!(format!("{server:?}"), format!("{:?}", least.server));
    assert_eq!(format!("{:?}", written.admin), format!("{:?}", least.admin));
    assert_eq!(written.timeouts, least.timeouts);
    assert_eq!(written.retry, least.retry);
    assert_eq!(written.tuning, least.tuning);
    assert_eq!(written.log, least.log);
    let mut governance = written.governance.clone();
    governance.is_written = false;
    assert_eq!(governance, least.governance);
    assert!(written.is_governed() && !least.is_governed());
}

#[test]
fn the_reference_loads_with_every_example_uncommented() {
    let text = fs::read_to_string(repository("config.toml")).unwrap();
    let uncommented: Vec<String> = text.lines().map(uncomment).collect();
    let variables = [
        ("TRIMTAB_TOKEN", "t-1"),
        ("TRIMTAB_ADMIN_TOKEN", "t-2"),
        ("OPENAI_API_KEY", "k-1"),
        ("AZURE_OPENAI_RESOURCE", "my-resource"),
        ("AZURE_OPENAI_API_KEY", "k-2"),
        ("GROQ_API_KEY", "k-3"),
        ("ANTHROPIC_API_KEY", "k-4"),
        ("GEMINI_API_KEY", "k-5"),
        ("AWS_ACCESS_KEY_ID", "AKIA0"),
        ("AWS_SECRET_ACCESS_KEY", "k-6"),
        ("VERTEX_CREDENTIALS", "k-7"),
        ("TRIMTAB_KEY_CI", "a-key-of-its-own-0"),
        ("OTLP_TOKEN", "t-3"),
    ];
    let config = parse_with(&uncommented.join("\n"), &variables).unwrap();
    assert_eq!(config.providers.len(), 11);
    let Endpoint::Url(azure) = &config.providers[8].endpoint else {
        panic!("{:?}", config.providers[8]);
    };
    assert_eq!(
        azure.to_string(),
        "https://my-resource.openai.azure.com/openai"
    );
    assert_eq!(config.providers[8].limits, LimitDialect::Azure);
    assert_eq!(config.server.token.unwrap().expose(), "t-1");
    assert_eq!(config.models[0].routes.len(), 6);
    assert!(config.providers[0].extra_roots.is_some());
    assert!(config.trace.is_some());
    assert!(config.request_log.is_some());
    assert_eq!(config.otlp.unwrap().headers[0].1, "Bearer t-3");
    assert_eq!(config.tenants.keys.len(), 1);
    for (name, _) in variables {
        assert!(text.contains(&format!("${{{name}}}")), "{name}");
    }
}

/// Takes the comment mark off an example: a `#` that no space follows.
fn uncomment(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    match line[indent..].strip_prefix('#') {
        Some(example) if !example.is_empty() && !example.starts_with([' ', '#']) => {
            format!("{}{example}", &line[..indent])
        }
        _ => line.to_owned(),
    }
}

#[test]
fn each_example_loads_alone() {
    let text = fs::read_to_string(repository("config.toml")).unwrap();
    let one = text.replace("#workers = 2", "workers = 2");
    assert_eq!(valid(&one).server.workers.get(), 2);
    let one = text.replace("#faults = ", "faults = ");
    assert_eq!(valid(&one).mock.unwrap().providers["gamma"].faults.len(), 1);
}

#[test]
fn the_least_file_takes_every_default() {
    let config = valid(LEAST);
    let provider = &config.providers[0];
    assert_eq!(provider.http, HttpVersion::H1);
    assert_eq!(provider.keys.len(), 1);
    assert!(provider.keys[0].secret.is_empty());
    assert_eq!(config.models[0].routes[0].model, "m");
    assert_eq!(
        (config.log.level, config.log.format),
        (LogLevel::Info, LogFormat::Text)
    );
    assert!(config.mock.is_none() && config.trace.is_none());
}

#[test]
fn constants_of_scoring_are_taken_over() {
    let text = format!(
        "{LEAST}
        [scoring.circuit]
        open_base = \"10s\"
        open_cap = \"20s\"
        open_longest = \"30s\"
        probes = 2
        [scoring.latency]
        weight_max = 0.02
        weight_min = 0.01
        [retry]
        budget_ratio = 0.25"
    );
    let tuning = valid(&text).tuning;
    assert_eq!(tuning.circuit.open_cap.as_micros(), 20_000_000);
    assert_eq!(tuning.circuit.probes, 2);
    assert!((tuning.latency.weight_max - 0.02).abs() < 1e-6);
    assert!((tuning.retry.ratio - 0.25).abs() < 1e-6);
}

#[test]
fn a_shadow_is_the_live_constants_with_its_own_put_in() {
    use super::super::Shadow;
    assert_eq!(valid(LEAST).shadow, None);
    let text = format!(
        "{LEAST}
        [scoring.draw]
        edge = 0.2
        [scoring.circuit]
        probes = 2
        [retry]
        budget_ratio = 0.25
        [scoring.shadow]
        sample = 0.5
        [scoring.shadow.draw]
        band = 0.3
        explore_stale = \"2s\""
    );
    let config = valid(&text);
    let mut tuning = config.tuning;
    tuning.draw.band = 0.3;
    tuning.draw.explore_stale = scoring::time::Span::from_secs(2);
    let sample = 0.5;
    assert_eq!(config.shadow, Some(Shadow { tuning, sample }));
    let equal = valid(&format!("{LEAST}\n[scoring.shadow]")).shadow.unwrap();
    assert_eq!(equal.tuning, scoring::tuning::Tuning::default());
    assert!((equal.sample - Shadow::SAMPLE).abs() < 1e-9);
}

/// Every mistake of a shadow is told, each at its line.
#[test]
fn all_mistakes_of_a_shadow_are_told_together() {
    let text = format!(
        "{LEAST}
        [scoring.shadow.draw]
        band = -1.0
        explore = 0.5
        [scoring.shadow.error]
        tau_fast = \"1s\"
        [scoring.shadow.cost]
        full_from = 0.97"
    );
    let report = super::refused(&text).render(super::Paint::Plain);
    for told in [
        "draw.band",
        "draw.explore",
        "error.tau_fast",
        "cost.full_from",
    ] {
        assert!(
            report.contains(&format!("scoring.shadow.{told}")),
            "{report}"
        );
    }
    assert!(report.contains("trimtab tune"), "{report}");
}

#[test]
fn values_come_from_the_environment() {
    let text = format!("{LEAST}\n[server]\nlisten = \"${{HOST}}:80${{REST}}\"\ntoken = \"a$$b\"");
    let config = parse_with(&text, &[("HOST", "0.0.0.0"), ("REST", "81")]).unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8081");
    assert_eq!(config.server.token.unwrap().expose(), "a$b");
}

#[test]
fn nothing_shows_a_secret() {
    let text = "
        [server]
        token = \"sk-one\"
        [providers.p]
        base_url = \"http://localhost:1/v1\"
        headers = { X-Secret = \"sk-two\" }
        keys = [{ name = \"k\", secret = \"sk-three\" }]
        [models.m]
        routes = [{ provider = \"p\" }]
    ";
    let shown = format!("{:#?}", valid(text));
    assert!(!shown.contains("sk-"), "{shown}");
}

#[test]
fn an_empty_file_defines_no_model() {
    let report = refused("");
    assert!(
        report
            .to_string()
            .starts_with("config.toml defines no model"),
        "{report}"
    );
    assert_eq!(report.problems()[0].span, None);
}

#[test]
fn rings_are_named_whole() {
    let model = |name: &str, to: &str| {
        format!("[models.{name}]\nroutes = [{{ provider = \"p\" }}]\nfallbacks = [\"{to}\"]\n")
    };
    let text = format!(
        "{LEAST}{}{}{}",
        model("a", "b"),
        model("b", "c"),
        model("c", "a")
    );
    let report = refused(&text);
    let messages: Vec<&str> = report.problems().iter().map(|it| &*it.message).collect();
    let expected =
        "following fallbacks leads back to where it began: \"a\" to \"b\" to \"c\" to \"a\"";
    assert_eq!(messages, [expected]);
}
