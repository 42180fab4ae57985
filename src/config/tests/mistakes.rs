//! Which single mistakes are refused, and in which words?

use super::{LEAST, refused};

/// What is put after the least valid file, and the one problem that it makes.
const MISTAKES: &[(&str, &str)] = &[
    (
        "[server]\nlisten = \"0.0.0.0:80\"",
        "[server] listens beyond this machine without a token",
    ),
    (
        "[admin]\nlisten = \"[::]:80\"",
        "[admin] listens beyond this machine without a token",
    ),
    (
        "[admin]\nlisten = \"127.0.0.1:8080\"",
        "[admin] and [server] listen at one address",
    ),
    ("[server]\nmax_head = \"1KiB\"", "max_head is too small"),
    ("[server]\nmax_body = \"0B\"", "max_body is zero"),
    ("[server]\nworkers = 0", "workers is out of range: 0"),
    (
        "[timeouts]\ntotal = \"0s\"",
        "total is zero: everything would time out",
    ),
    ("[timeouts]\ntotal = 5", "\"total\" is an integer"),
    ("[timeouts]\ntotal = \"5\"", "\"5\" is not a valid total"),
    (
        "[retry]\nbase = \"10s\"",
        "the first back-off, \"10s\", is longer than the longest, \"8s\"",
    ),
    (
        "[retry]\nbudget_ratio = 1.5",
        "budget_ratio is out of range: 1.5",
    ),
    (
        "[scoring.draw]\nband = -1.0",
        "scoring.draw.band is out of range",
    ),
    (
        "[scoring.circuit]\nopen_base = \"9s\"",
        "scoring.circuit.open_base puts circuit.open_cap, 8 s, out of its range",
    ),
    ("[trace]\nqueue = 5", "trace lacks the key \"path\""),
    ("[trace]\npath = \"\"", "\"\" is not a valid path"),
    (
        "[log]\nlevel = \"inf\"",
        "\"inf\" is not one of the choices, did you mean \"info\"?",
    ),
    ("[providers.q]", "providers.q does not say where it is"),
    (
        "[providers.q]\nbase_url = \"mock\"",
        "providers.q has no stand-in of its name",
    ),
    (
        "[providers.q]\nbase_url = \"localhost\"",
        "\"localhost\" is not a valid base_url",
    ),
    (
        "[providers.q]\nbase_url = \"http://a\"\nca_file = \"x.pem\"",
        "the file cannot be read: entity not found",
    ),
    (
        "[providers.q]\nbase_url = \"http://a\"\nca_file = \"empty.pem\"",
        "the file holds no certificate",
    ),
    (
        "[providers.q]\nbase_url = \"http://a\"\nheaders = { Authorization = \"x\" }",
        "the header \"authorization\" is set by the gateway",
    ),
    (
        "[providers.q]\nbase_url = \"http://a\"\nheaders = { \"a b\" = \"x\" }",
        "\"a b\" is not a header name",
    ),
    (
        "[providers.\"a b\"]\nbase_url = \"http://a\"",
        "\"a b\" cannot be a name here",
    ),
    (
        "[providers.q]\nbase_url = \"http://a\"\nkeys = [{ name = \"k\", secret = \"\" }]",
        "the credential is empty",
    ),
    (
        "[providers.q]\nbase_url = \"http://a\"\nkeys = [{ name = \"k\", secret = '{\"client_email\": \"a@b\"}' }]",
        "the service account has no private_key",
    ),
    (
        "[providers.q]\nbase_url = \"http://a\"\nkeys = [{ name = \"k\", secret = \"a\" }, { name = \"k\", secret = \"b\" }]",
        "two keys of providers.q have the name \"k\"",
    ),
    (
        "[providers.q]\nbase_url = \"http://a\"\nkeys = [{ name = \"k\", secret = \"a\", weight = 0 }]",
        "weight is out of range: 0",
    ),
    (
        "[providers.q]\nbase_url = \"http://a\"\nkeys = [{ name = \"k\", secret = \"a\", weight = inf }]",
        "weight is out of range: inf",
    ),
    ("[models.n]", "models.n lacks the key \"routes\""),
    ("[models.n]\nroutes = []", "\"routes\" is empty"),
    (
        "[models.n]\nroutes = [{ provider = \"P\" }]",
        "no provider is named \"P\", did you mean \"p\"?",
    ),
    (
        "[models.n]\nroutes = [{ provider = \"p\" }, { provider = \"p\" }]",
        "models.n has two routes to \"n\" at \"p\"",
    ),
    (
        "[models.n]\nroutes = [{ provider = \"p\" }]\nfallbacks = [\"n\"]",
        "following fallbacks leads back to where it began: \"n\" to \"n\"",
    ),
    (
        "[models.n]\nroutes = [{ provider = \"p\" }]\nfallbacks = [\"m\", \"m\"]",
        "models.n falls back to \"m\" twice",
    ),
    (
        "[models.n]\nroutes = [{ provider = \"p\" }]\nlarger_context = \"nn\"",
        "no model is named \"nn\"",
    ),
    (
        "[models.n]\nroutes = [{ provider = \"p\", price_input = -1 }]",
        "price_input is out of range: -1",
    ),
    (
        "[models.\"a b\"]\nroutes = [{ provider = \"p\" }]",
        "\"a b\" cannot be a model's name",
    ),
    (
        "[mock]\nseed = 1",
        "mock.providers is empty: name at least one",
    ),
    (
        "[mock.providers.x]\nnoise = 9",
        "mock.providers.x.noise is 9: allowed are 0 to 4",
    ),
    (
        "[mock.providers.x]\nanswer = \"long\"",
        "\"answer\" is a string",
    ),
    (
        "[mock.providers.x]\nfaults = [{ kind = \"boom\" }]",
        "\"boom\" is not a valid kind",
    ),
    (
        "[mock.providers.x]\nttft = \"5\"",
        "\"5\" is not a valid ttft",
    ),
    ("[sever]", "unknown key \"sever\", did you mean \"server\"?"),
    ("[server]\nconnect = \"5s\"", "unknown key \"connect\""),
    (
        "[server]\nlisten = \"${ADDRESS}\"",
        "the environment variable ADDRESS is not set",
    ),
    (
        "[server]\nlisten = \"${ADDRESS\"",
        "a reference to the environment is malformed",
    ),
    (
        "[server]\ntoken = \"${TOKEN}\"\nlisten = \"0.0.0.0:80\"",
        "the environment variable TOKEN is not set",
    ),
    ("[server\n", "is not TOML: unclosed table"),
];

#[test]
fn single_mistakes() {
    let mut wrong = Vec::new();
    for (text, message) in MISTAKES {
        let report = refused(&format!("{LEAST}\n{text}"));
        let messages: Vec<&str> = report.problems().iter().map(|it| &*it.message).collect();
        if messages != [*message] {
            wrong.push(format!("expected {message}\n{report}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
