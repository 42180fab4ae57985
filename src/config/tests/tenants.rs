//! What do customers, teams, keys and prices mean?

use super::super::{
    Credential, Length, PriceOverride, RateLimits, Style, Sync, Unit, UnknownPrice,
};
use super::{LEAST, parse_with, refused, valid};

/// Everything that may be written, once.
const EVERYTHING: &str = r#"
    [providers.openai]
    vendor = "openai"
    keys = [{ name = "k", secret = "s" }]
    budgets = [{ limit = 9.5, period = "1Q", hard = false }]
    [models.n]
    routes = [{ provider = "openai", price_as = "azure/gpt-4o" }]
    rules = [{ key = "ci", team = "search", model = "m" }]
    [governance]
    data = "ledger"
    keys_required = false
    unknown_price = "refuse"
    sync = "os"
    keep = "1Y"
    [customers.acme]
    budgets = [{ limit = 5000, period = "1M", zone = "Europe/Berlin" }]
    providers = ["open*"]
    [teams.search]
    customer = "acme"
    models = ["n", "text-*"]
    rate_limits = { requests_per_minute = 600, concurrency = 8 }
    [keys.ci]
    team = "search"
    secret = "${KEY}"
    budgets = [{ limit = 10.0, period = "24h", style = "rolling" }]
    tags = { project = "nightly" }
    expires = "2027-01-01T01:00:00+01:00"
    [keys.ci.providers.openai]
    budgets = [{ limit = 5.0, period = "1d" }]
    models = []
    [keys.direct]
    customer = "acme"
    secret = "another-secret-0"
    providers = ["openai"]
    disabled = true
    log_content = false
    [prices."openai/x"]
    input = 0.15
    characters = 15
    image = 0.04
"#;

#[test]
fn everything_is_taken_over() {
    let text = format!("{LEAST}{EVERYTHING}");
    let config = parse_with(&text, &[("KEY", "0123456789abcdef")]).unwrap();
    let governance = &config.governance;
    assert_eq!(governance.data.to_str(), Some("ledger"));
    assert_eq!(governance.keys_required, Some(false));
    assert_eq!(
        (governance.unknown_price, governance.sync),
        (UnknownPrice::Refuse, Sync::Os)
    );
    assert_eq!(
        (governance.keep.count, governance.keep.unit),
        (1, Unit::Year)
    );
    let provider = &config.providers[1];
    assert_eq!(
        (provider.vendor, provider.budgets[0].hard),
        (Some("openai"), false)
    );
    assert_eq!(
        config.models[1].routes[0].price_as.as_deref(),
        Some("azure/gpt-4o")
    );
    let [acme] = config.tenants.customers.as_slice() else {
        panic!("{:?}", config.tenants);
    };
    let budget = &acme.allowance.budgets[0];
    assert_eq!((budget.limit.dollars(), budget.hard), (5000.0, true));
    let Style::Aligned(zone) = &budget.schedule.style else {
        panic!("{budget:?}");
    };
    assert_eq!(zone.iana_name(), Some("Europe/Berlin"));
    let team = &config.tenants.teams[0];
    assert_eq!(team.customer.as_deref(), Some("acme"));
    let limits = RateLimits {
        requests_per_minute: Some(600),
        concurrency: Some(8),
        ..RateLimits::default()
    };
    assert_eq!(team.allowance.limits, limits);
    assert_eq!(team.allowance.models.as_ref().map(Vec::len), Some(2));
    assert_eq!(
        config.prices,
        [(
            "openai/x".to_owned(),
            PriceOverride {
                input: Some(150_000),
                character: Some(15_000_000),
                image: Some(40_000_000_000),
                ..PriceOverride::default()
            }
        )]
    );
}

#[test]
fn keys_are_taken_over() {
    let text = format!("{LEAST}{EVERYTHING}");
    let config = parse_with(&text, &[("KEY", "0123456789abcdef")]).unwrap();
    let [ci, direct] = config.tenants.keys.as_slice() else {
        panic!("{:?}", config.tenants);
    };
    assert!(
        matches!(&ci.credential, Credential::Plain(secret) if secret.expose() == "0123456789abcdef")
    );
    assert_eq!(
        (ci.team.as_deref(), ci.customer.as_deref()),
        (Some("search"), None)
    );
    assert_eq!(ci.expires, Some(1_798_761_600));
    assert_eq!((ci.disabled, ci.log_content), (false, true));
    assert_eq!(ci.tags["project"], "nightly");
    let rolling = &ci.allowance.budgets[0].schedule;
    let hours = Length {
        count: 24,
        unit: Unit::Hour,
    };
    assert_eq!((rolling.length, &rolling.style), (hours, &Style::Rolling));
    assert_eq!(
        ci.allowance.providers, None,
        "a table keeps from no provider"
    );
    assert_eq!(
        ci.providers["openai"].models.as_ref().map(Vec::len),
        Some(0)
    );
    assert_eq!(direct.customer.as_deref(), Some("acme"));
    assert_eq!(direct.allowance.providers.as_ref().map(Vec::len), Some(1));
    assert_eq!((direct.disabled, direct.log_content), (true, false));
    assert_eq!(config.tenants.paying(ci, &config.providers[1]), 4);
    assert_eq!(config.tenants.paying(direct, &config.providers[0]), 1);
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
}

#[test]
fn names_in_rules_are_free_while_none_is_declared() {
    let rule = "rules = [{ key = \"k\", team = \"t\", model = \"m\" }]";
    let text = format!("{LEAST}[models.n]\nroutes = [{{ provider = \"p\" }}]\n{rule}");
    assert_eq!(valid(&text).models[1].rules.len(), 1);
}

#[test]
fn a_vendor_is_known_by_its_address() {
    for (told, vendor) in [
        ("base_url = \"https://api.openai.com/v1\"", Some("openai")),
        (
            "base_url = \"https://api.anthropic.com/v1\"\ndialect = \"anthropic\"",
            Some("anthropic"),
        ),
        (
            "base_url = \"https://b.example\"\ndialect = \"bedrock\"",
            Some("bedrock"),
        ),
        ("base_url = \"https://own.example/v1\"", None),
        (
            "vendor = \"groq\"\nbase_url = \"https://own.example/v1\"",
            Some("groq"),
        ),
    ] {
        let config = valid(&format!("{LEAST}[providers.q]\n{told}"));
        assert_eq!(config.providers[1].vendor, vendor, "{told}");
    }
}

#[test]
fn no_request_is_paid_by_more_than_a_reservation_holds() {
    let four: Vec<String> = (1..=4)
        .map(|days| format!("{{ limit = 1, period = \"{days}d\" }}"))
        .collect();
    let budgets = format!("budgets = [{}]", four.join(", "));
    let tiers = format!(
        "{LEAST}[customers.c]\n{budgets}\n[teams.t]\ncustomer = \"c\"\n{budgets}\n\
         [keys.k]\nteam = \"t\"\nsecret = \"0123456789abcdef\"\n{budgets}\n"
    );
    assert_eq!(valid(&tiers).tenants.keys.len(), 1, "twelve");
    let report = refused(&format!(
        "{tiers}[keys.k.providers.p]\nbudgets = [{{ limit = 1, period = \"1h\" }}]"
    ));
    let messages: Vec<&str> = report.problems().iter().map(|it| &*it.message).collect();
    assert_eq!(
        messages,
        ["requests of keys.k to \"p\" are paid by 13 budgets"]
    );
}
