//! Every route for everybody: who is let in, who is refused, and that nobody who is refused is heard of by a provider.

use serde_json::json;

use crate::support::{Answer, Bench, Call, Raw, Reply, Spec, paused};

use super::{Folder, books_in, with_key};

/// Wrong keys that one gateway is tried with, before it refuses to look at more.
const GUESSES: usize = 25;

/// The gateway's own token.
const TOKEN: &str = "the-token-of-the-gateway";

/// Who asks, with what they present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Nobody,
    Stranger,
    Forger,
    Expired,
    Disabled,
    OtherModels,
    OtherProviders,
    Member,
    Operator,
}

impl Role {
    const ALL: [Self; 9] = [
        Self::Nobody,
        Self::Stranger,
        Self::Forger,
        Self::Expired,
        Self::Disabled,
        Self::OtherModels,
        Self::OtherProviders,
        Self::Member,
        Self::Operator,
    ];

    const fn key(self) -> Option<&'static str> {
        match self {
            Self::Nobody => None,
            Self::Stranger => Some("a-key-of-another-system"),
            Self::Forger => Some("sk-tt-0000000000000000000000000000000000000000"),
            Self::Expired => Some("a-secret-of-yesterday"),
            Self::Disabled => Some("a-secret-switched-off"),
            Self::OtherModels => Some("a-secret-for-other-models"),
            Self::OtherProviders => Some("a-secret-for-other-providers"),
            Self::Member => Some("a-secret-of-the-operator"),
            Self::Operator => Some(TOKEN),
        }
    }

    /// What is expected of a route.
    const fn expects(self, route: Kind) -> Expected {
        match (self, route) {
            (_, Kind::Open) => Expected::Let,
            (Self::Nobody | Self::Stranger | Self::Forger | Self::Expired | Self::Disabled, _) => {
                Expected::Unknown
            }
            (Self::OtherModels | Self::OtherProviders, Kind::Model | Kind::Dark)
            | (Self::OtherProviders, Kind::Errand) => Expected::Forbidden,
            _ => Expected::Let,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// 401, and no provider hears of it.
    Unknown,
    /// 403, and no provider hears of it.
    Forbidden,
    /// Anything else.
    Let,
}

/// What a route leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Answered to everybody.
    Open,
    /// Answered by the gateway itself.
    Own,
    /// A model is asked.
    Model,
    /// Carried to an account unread.
    Errand,
    /// The same, and it may ask for any model.
    Dark,
    /// No such path or method.
    Nothing,
}

const TABLES: &str = "
[models.main]
routes = [{ provider = \"alpha\", model = \"m\" }]
[workflows.flow]
model = \"main\"
[keys.ci]
secret = \"a-secret-of-the-operator\"
[keys.models]
secret = \"a-secret-for-other-models\"
models = [\"other*\"]
[keys.providers]
secret = \"a-secret-for-other-providers\"
providers = [\"beta\"]
[keys.past]
secret = \"a-secret-of-yesterday\"
expires = \"2020-01-01T00:00:00Z\"
[keys.off]
secret = \"a-secret-switched-off\"
disabled = true";

/// Paths of models that take JSON, in each way that a base URL is written.
const JSON: [&str; 20] = [
    "/v1/chat/completions",
    "/chat/completions",
    "/openai/v1/chat/completions",
    "/openai/deployments/main/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/responses/input_tokens",
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/rerank",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/messages",
    "/anthropic/v1/messages",
    "/v1/messages/count_tokens",
    "/v1beta/models/main:generateContent",
    "/genai/v1beta/models/main:streamGenerateContent",
    "/v1beta/models/main:countTokens",
    "/v1beta/models/main:embedContent",
    "/v1beta/models/main:batchEmbedContents",
];

/// Paths of models that take a form.
const FORMS: [&str; 4] = [
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
];

/// Paths of what a provider keeps, and one that goes through.
const ERRANDS: [&str; 8] = [
    "/v1/files",
    "/v1/files/f/content",
    "/v1/batches",
    "/v1/batches/b",
    "/v1/uploads/u",
    "/v1/messages/batches",
    "/anthropic/v1/files",
    "/passthrough/alpha/v1/x",
];

const FORM: &str = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nmain\r\n--b\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\nx\r\n--b\r\ncontent-disposition: form-data; name=\"image\"; filename=\"x.png\"\r\ncontent-type: image/png\r\n\r\nx\r\n--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"x.mp3\"\r\n\r\nx\r\n--b--\r\n";

/// Every route of the data plane.
fn routes() -> Vec<(Kind, Call)> {
    let open = ["/health", "/healthz", "/ready", "/readyz"];
    let mut all: Vec<_> = open.map(|path| (Kind::Open, Call::get(path))).into();
    let body = body("main");
    all.extend(JSON.map(|path| (Kind::Model, Call::post(path, body.clone()))));
    let form = |path| Call::form(path, "multipart/form-data; boundary=b", FORM.into());
    all.extend(FORMS.map(|path| (Kind::Model, form(path))));
    let ways = ["/v1/workflows/flow", "/v1/workflows/flow/messages"];
    all.extend(ways.map(|path| (Kind::Model, Call::post(path, self::body("x")))));
    let own = [
        "/v1/models",
        "/openai/v1/models",
        "/v1/models/nobody",
        "/genai/v1beta/models",
        // No account here keeps responses.
        "/v1/responses/resp_1",
    ];
    all.extend(own.map(|path| (Kind::Own, Call::get(path))));
    let socket = Call::get("/v1/responses").header("upgrade", "websocket");
    all.push((Kind::Own, socket.header("connection", "upgrade")));
    for path in ERRANDS {
        all.push((Kind::Errand, Call::get(path)));
        all.push((Kind::Errand, Call::get(path).method("DELETE")));
        let asks = path.contains("passthrough") || path.contains("batches");
        let kind = if asks { Kind::Dark } else { Kind::Errand };
        all.push((kind, Call::post(path, "{}")));
    }
    let nowhere = [
        "/",
        "/v1",
        "/v1/nothing",
        "/metrics",
        "/api/routes",
        "/passthrough/alpha",
    ];
    for path in nowhere {
        all.push((Kind::Nothing, Call::get(path)));
        all.push((Kind::Nothing, Call::post(path, "{}")));
    }
    for path in ["/v1/chat/completions", "/v1/messages", "/v1/workflows/flow"] {
        all.push((Kind::Nothing, Call::get(path)));
        all.push((Kind::Nothing, Call::get(path).method("OPTIONS")));
    }
    all.push((Kind::Nothing, Call::post("/v1/models", "{}")));
    all
}

/// A body that has what any endpoint asks for.
fn body(model: &str) -> String {
    json!({
        "model": model, "max_tokens": 5, "input": "x", "prompt": "x", "query": "x",
        "documents": ["x"], "voice": "v", "messages": [{"role": "user", "content": "x"}],
        "contents": [{"role": "user", "parts": [{"text": "x"}]}],
        "content": {"parts": [{"text": "x"}]},
        "requests": [{"model": "models/main", "content": {"parts": [{"text": "x"}]}}],
    })
    .to_string()
}

/// A gateway before providers that note everything that they hear.
async fn with_raw(folder: &Folder) -> (Bench, [Raw; 3]) {
    let reply = || Reply::new("200 OK", "content-type: application/json\r\n", b"{}");
    let raws = [
        Raw::start(reply()).await,
        Raw::start(reply()).await,
        Raw::start(reply()).await,
    ];
    let mut spec = books_in(folder).with(TABLES);
    for (name, dialect, raw) in [
        ("alpha", "openai", &raws[0]),
        ("claude", "anthropic", &raws[1]),
        ("beta", "openai", &raws[2]),
    ] {
        let address = raw.address;
        spec = spec.with(&format!(
            "[providers.{name}]\nbase_url = \"http://{address}/v1\"\ndialect = \"{dialect}\"\nkeys = [{{ name = \"key\", secret = \"sk-{name}-0123\" }}]"
        ));
    }
    let spec = spec
        .server(&format!("token = \"{TOKEN}\""))
        .with("[mock.providers.unused]");
    (start(&spec).await, raws)
}

async fn start(spec: &Spec) -> Bench {
    Bench::start(&spec.text(), None).await
}

fn check(role: Role, (kind, call): &(Kind, Call), (answer, heard): (&Answer, usize)) {
    let call = String::from_utf8_lossy(&call.bytes()).into_owned();
    let told = format!("{role:?}, {kind:?}: {call}\n{answer:?}");
    match role.expects(*kind) {
        Expected::Unknown => assert_eq!((answer.status, heard), (401, 0), "{told}"),
        Expected::Forbidden => {
            // A route that cannot carry the request at all says that first, and the gateway counts by itself.
            let is_count = answer.header("x-trimtab-estimated").is_some();
            let may_fit =
                role == Role::OtherProviders && ([400, 501].contains(&answer.status) || is_count);
            assert!(answer.status == 403 || may_fit, "{told}");
            assert_eq!(heard, 0, "{told}");
        }
        Expected::Let => {
            assert!(!matches!(answer.status, 401 | 403 | 429), "{told}");
            // Where there is somebody to ask, somebody was asked.
            let asks = matches!(kind, Kind::Errand | Kind::Dark);
            assert!(!asks || heard > 0, "{told}");
        }
    }
    match kind {
        Kind::Open => assert_eq!(answer.status, 200, "{told}"),
        Kind::Nothing => assert!(matches!(answer.status, 401 | 404 | 405), "{told}"),
        _ => {}
    }
}

#[test]
fn every_route_for_everybody() {
    let routes = routes();
    for role in Role::ALL {
        for some in routes.chunks(GUESSES) {
            paused(|| all(role, some));
        }
    }
}

/// Asks for these routes at a gateway of their own.
async fn all(role: Role, routes: &[(Kind, Call)]) {
    let folder = Folder::new("governance");
    let (bench, raws) = with_raw(&folder).await;
    let heard = || {
        let raws = raws.iter().map(|raw| raw.heard().len());
        raws.sum::<usize>()
    };
    for route in routes {
        let before = heard();
        let call = match role.key() {
            Some(key) => with_key(route.1.clone(), key),
            None => route.1.clone(),
        };
        let answer = bench.call(&call).await;
        check(role, route, (&answer, heard() - before));
    }
}

/// A question about the connection alone is answered to everybody, with nothing in it and nobody asked.
#[test]
fn a_head_tells_nothing() {
    paused(|| async {
        let folder = Folder::new("governance");
        let (bench, raws) = with_raw(&folder).await;
        for (_, call) in routes() {
            let answer = bench.call(&call.method("HEAD")).await;
            assert!(answer.body.is_empty(), "{answer:?}");
        }
        assert!(raws.iter().all(|raw| raw.heard().is_empty()));
    });
}
