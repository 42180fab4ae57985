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
    (
        "[scoring.shadow.draw]\nband = -1.0",
        "scoring.shadow.draw.band is out of range",
    ),
    (
        "[scoring.shadow.circuit]\nthreshold = 5.0",
        "scoring.shadow.circuit.threshold shapes what is recorded, so it cannot be tried on what the live constants record",
    ),
    (
        "[scoring.cost]\nhot_from = 0.9\n[scoring.shadow.cost]\nbusy_from = 0.95",
        "scoring.shadow.cost.busy_from puts cost.hot_from, 0.8999999761581421, out of its range",
    ),
    (
        "[scoring.shadow]\nsample = 0.0",
        "sample is out of range: 0.0",
    ),
    (
        "[scoring.shadow]\nsample = 1.5",
        "sample is out of range: 1.5",
    ),
    (
        "[scoring.shadow]\nsampel = 0.5",
        "unknown key \"sampel\", did you mean \"sample\"?",
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
        "[otlp]\nendpoint = \"http://a\"\nheaders = { Content-Type = \"x\" }",
        "the header \"content-type\" is set by the gateway",
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
    (
        "[governance]\nsync = \"2s\"",
        "\"2s\" is not one of the choices, did you mean \"1s\"?",
    ),
    ("[governance]\nkeep = \"5\"", "\"5\" is not a valid keep"),
    (
        "[governance]\nkeep_size = \"1KiB\"",
        "keep_size is too small",
    ),
    ("[governance]\ndata = \"\"", "\"\" is not a valid data"),
    (
        "[governance]\nassumed_output_tokens = 0",
        "assumed_output_tokens is out of range: 0",
    ),
    ("[customers.\"a b\"]", "\"a b\" cannot be a name here"),
    (
        "[customers.c]\nbudgets = [{ limit = 0, period = \"1d\" }]",
        "limit is out of range: 0",
    ),
    (
        "[customers.c]\nbudgets = [{ limit = 1.0 }]",
        "customers.c.budgets[0] lacks the key \"period\"",
    ),
    (
        "[customers.c]\nbudgets = [{ limit = 1.0, period = \"1s\" }]",
        "\"1s\" is not a valid period",
    ),
    (
        "[customers.c]\nbudgets = [{ limit = 1.0, period = \"1d\", zone = \"Europe/Berln\" }]",
        "no time zone is named \"Europe/Berln\", did you mean \"Europe/Berlin\"?",
    ),
    (
        "[customers.c]\nbudgets = [{ limit = 1.0, period = \"1d\", style = \"rolling\", zone = \"UTC\" }]",
        "a rolling budget has no time zone",
    ),
    (
        "[customers.c]\nbudgets = [{ limit = 1.0, period = \"1d\" }, { limit = 2.0, period = \"1d\" }]",
        "customers.c has two budgets for 1d",
    ),
    (
        "[customers.c]\nbudgets = [{ limit = 1.0, period = \"1d\" }, { limit = 1.0, period = \"2d\" }, { limit = 1.0, period = \"3d\" }, { limit = 1.0, period = \"4d\" }, { limit = 1.0, period = \"5d\" }]",
        "customers.c has more than 4 budgets",
    ),
    (
        "[customers.c]\nrate_limits = { requests_per_minute = 0 }",
        "requests_per_minute is out of range: 0",
    ),
    ("[customers.c]\nmodels = [\"n\"]", "no model is named \"n\""),
    (
        "[customers.c]\nproviders = [\"P\"]",
        "no provider is named \"P\", did you mean \"p\"?",
    ),
    (
        "[teams.t]\ncustomer = \"acme\"",
        "no customer is named \"acme\"",
    ),
    ("[keys.k]", "keys.k lacks the key \"secret\""),
    (
        "[keys.k]\nsecret = \"0123456789abcde\"",
        "the secret of keys.k is so short that it could be guessed",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\nteam = \"search\"\n[teams.serach]",
        "no team is named \"search\", did you mean \"serach\"?",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\nteam = \"t\"\ncustomer = \"c\"\n[teams.t]\n[customers.c]",
        "keys.k has a team and a customer",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\n[keys.l]\nsecret = \"0123456789abcdef\"\n",
        "keys.l has the same secret as keys.k",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\n[admin]\ntoken = \"0123456789abcdef\"",
        "keys.k has the same secret as the token of [admin]",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\nexpires = \"2027-01-01\"",
        "\"2027-01-01\" is not a valid expires",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\nexpires = 2027-01-01T00:00:00Z",
        "\"expires\" is a datetime",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\ntags = { \"\" = \"x\" }",
        "\"\" cannot be the name of a tag",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\ntags = { a = \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" }",
        "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" cannot be the value of a tag",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\ntags = { t0 = \"\", t1 = \"\", t2 = \"\", t3 = \"\", t4 = \"\", t5 = \"\", t6 = \"\", t7 = \"\", t8 = \"\", t9 = \"\", t10 = \"\", t11 = \"\", t12 = \"\", t13 = \"\", t14 = \"\", t15 = \"\", t16 = \"\" }",
        "keys.k has more than 16 tags",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\n[keys.k.providers.q]",
        "no provider is named \"q\"",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\nproviders = 1",
        "\"providers\" is an integer",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\nproviders = [\"q\"]",
        "no provider is named \"q\"",
    ),
    (
        "[prices.\"opnai/x\"]\ninput = 1",
        "no provider or vendor is named \"opnai\", did you mean \"openai\"?",
    ),
    (
        "[prices.openai]\ninput = 1",
        "\"openai\" does not say whose model it is",
    ),
    ("[prices.\"p/x\"]", "prices.\"p/x\" has no price"),
    (
        "[prices.\"p/x\"]\nimage = 1001",
        "image is out of range: 1001",
    ),
    (
        "[models.n]\nroutes = [{ provider = \"p\", price_as = \"gpt-4o\" }]",
        "\"gpt-4o\" does not say whose model it is",
    ),
    (
        "[keys.k]\nsecret = \"0123456789abcdef\"\n[models.n]\nroutes = [{ provider = \"p\" }]\nrules = [{ key = \"j\", model = \"m\" }]",
        "no key is named \"j\"",
    ),
    (
        "[teams.search]\n[models.n]\nroutes = [{ provider = \"p\" }]\nrules = [{ team = \"serach\", model = \"m\" }]",
        "no team is named \"serach\", did you mean \"search\"?",
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
