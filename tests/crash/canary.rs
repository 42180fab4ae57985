//! No secret and no text of anybody's is in a log, a metric, a page or a file.
//!
//! Everything that must not be found is a text that occurs nowhere else; requests that succeed and fail carry it through every dialect, with the log at its most talkative and the trace on.
//!
//! # Invariants
//! - What is searched was written: each place is checked to hold what it must.

use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::task::LocalSet;

use crate::binary::{Binary, stderr};
use crate::books::{self, post};
use crate::client::Client;
use crate::folder::Folder;

/// What nobody may find anywhere.
const SECRETS: [(&str, &str); 5] = [
    ("a virtual key", KEY),
    ("another virtual key", POOR),
    ("a wrong key", WRONG),
    ("the gateway's token", TOKEN),
    ("a provider's key", "sk-canary-of-the-provider"),
];

const KEY: &str = "canary-of-the-virtual-key-1";
const POOR: &str = "canary-of-the-virtual-key-2";
const WRONG: &str = "canary-of-a-wrong-virtual-key";
const TOKEN: &str = "canary-of-the-gateways-token";

/// What nobody but the client and the provider may see.
const TEXTS: [(&str, &str); 6] = [
    ("a prompt", PROMPT),
    ("a prompt of the system's", SYSTEM),
    ("a file", FILE),
    ("a header", HEADER),
    ("an answer", "w1 w2 w3"),
    ("a piece of an answer", "\"w3\""),
];

const PROMPT: &str = "canary-of-the-prompt";
const SYSTEM: &str = "canary-of-the-system";
const FILE: &str = "canary-of-the-file";
const HEADER: &str = "canary-of-the-header";

/// What goes wrong at a provider; the first is well.
const FAULTS: [&str; 17] = [
    "",
    "429-busy",
    "401",
    "403",
    "404",
    "429",
    "500",
    "503",
    "context-length",
    "content-policy",
    "html",
    "truncated-json",
    "reset",
    "cut-5",
    "bad-json-3",
    "error-event",
    "no-usage",
];

pub(crate) fn run() -> String {
    let folder = Folder::new("canary");
    let mut script = String::new();
    for (place, fault) in FAULTS.iter().enumerate() {
        let faults = match *fault {
            "" => String::new(),
            fault => format!("faults = [{{ kind = \"{fault}\" }}]"),
        };
        script.push_str(&format!("[providers.p{place}]\nanswer = 10\n{faults}\n"));
    }
    let mock = books::stand_ins(&script);
    std::fs::write(
        folder.file("trimtab.toml"),
        configuration(&folder, mock.addr),
    )
    .unwrap();
    let binary = Binary::start(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut found = Vec::new();
    let (bodies, pages) = LocalSet::new().block_on(&runtime, async {
        let bodies = ask(&binary, &mut found).await;
        (bodies, look(&binary, &mut found).await)
    });
    // What lies there while it runs, and when it has ended.
    let mut files = sweep(&folder, &mut found);
    let printed = binary.end();
    search("standard output", printed.as_bytes(), &mut found);
    files += sweep(&folder, &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(stderr(&folder).contains("DEBUG"), "{}", stderr(&folder));
    let trace = std::fs::read_to_string(folder.file("trace.jsonl")).unwrap();
    assert!(trace.lines().count() > 100, "{}", trace.lines().count());
    format!("{bodies} answers, {pages} pages and {files} files hold no secret and no text")
}

fn configuration(folder: &Folder, mock: std::net::SocketAddr) -> String {
    let (data, trace) = (folder.file("data"), folder.file("trace.jsonl"));
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\ntoken = \"{TOKEN}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"debug\"\n\
         [trace]\npath = {trace:?}\n[governance]\ndata = {data:?}\n[cache]\ndisk = true\n\
         [keys.ci]\nsecret = \"{KEY}\"\nbudgets = [{{ limit = 100.0, period = \"1Y\" }}]\n\
         [keys.poor]\nsecret = \"{POOR}\"\nbudgets = [{{ limit = 0.000001, period = \"1Y\" }}]\n"
    );
    for place in 0..FAULTS.len() {
        text.push_str(&format!(
            "[models.m{place}]\ncache = {{ layers = \"exact\" }}\nroutes = [{{ provider = \"p{place}\", model = \"m\", price_input = 1.0, price_output = 4.0 }}]\n\
             [providers.p{place}]\nbase_url = \"http://{mock}/p{place}/v1\"\ndialect = \"openai\"\nkeys = [{{ name = \"key\", secret = \"sk-canary-of-the-provider\" }}]\n"
        ));
    }
    text
}

/// The same words in each dialect, whole and as a stream.
fn asked(model: &str, secret: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for stream in [false, true] {
        let messages = json!([{"role": "user", "content": PROMPT}]);
        let mut message = json!({"model": model, "max_tokens": 20, "stream": stream, "messages": messages, "system": SYSTEM});
        all.push(post("/v1/messages", secret, &message));
        message.as_object_mut().unwrap().remove("system");
        message["messages"] =
            json!([{"role": "system", "content": SYSTEM}, {"role": "user", "content": PROMPT}]);
        all.push(post("/v1/chat/completions", secret, &message));
        let response =
            json!({"model": model, "stream": stream, "input": PROMPT, "instructions": SYSTEM});
        all.push(post("/v1/responses", secret, &response));
        let generate = json!({"contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
            "systemInstruction": {"parts": [{"text": SYSTEM}]}});
        let verb = if stream {
            "streamGenerateContent?alt=sse"
        } else {
            "generateContent"
        };
        let path = format!("/v1beta/models/{model}:{verb}");
        all.push(post(&path, secret, &generate));
    }
    let embedding = json!({"model": model, "input": PROMPT});
    all.push(post("/v1/embeddings", secret, &embedding));
    let picture = json!({"model": model, "prompt": PROMPT});
    all.push(post("/v1/images/generations", secret, &picture));
    all
}

/// Requests that go wrong before any provider is asked, or go by another way.
fn odd() -> Vec<Vec<u8>> {
    let raw = |line: &str, headers: &str, body: &str| {
        let length = body.len();
        format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    };
    let key = format!("authorization: Bearer {KEY}\r\nx-canary: {HEADER}\r\n");
    let json = format!("{key}content-type: application/json\r\n");
    let form = format!("{key}content-type: multipart/form-data; boundary=b\r\n");
    let file = format!(
        "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{FILE}.jsonl\"\r\n\r\n{FILE}\r\n--b--\r\n"
    );
    let half = format!("{{\"model\": \"m0\", \"messages\": [{{\"content\": \"{PROMPT}\"");
    let whole = format!(
        "{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"{PROMPT}\"}}]}}"
    );
    let mut all = vec![
        raw("POST /v1/chat/completions", &json, &half),
        raw("POST /v1/messages", &json, &half),
        raw("POST /v1beta/models/m0:generateContent", &json, &half),
        raw("POST /v1/files", &form, &file),
        raw("POST /passthrough/p0/v1/files", &form, &file),
        raw("POST /v1/audio/transcriptions", &form, &file),
        raw("POST /passthrough/p0/v1/chat/completions", &json, &whole),
        raw("POST /passthrough/p7/v1/chat/completions", &json, &whole),
        raw("GET /v1/models", &key, ""),
        raw(&format!("GET /v1/nothing?key={WRONG}"), "", ""),
        raw(&format!("GET /v1/models?key={KEY}"), "", ""),
    ];
    for secret in [WRONG, POOR, TOKEN] {
        all.extend(asked("m0", secret));
        all.extend(asked("nobody", secret));
    }
    all
}

/// Makes every request; how many there were.
async fn ask(binary: &Binary, found: &mut Vec<String>) -> usize {
    let models = (0..FAULTS.len()).map(|place| format!("m{place}"));
    let mut all: Vec<Vec<u8>> = models.flat_map(|model| asked(&model, KEY)).collect();
    all.extend(odd());
    let mut answered = 0;
    for (place, request) in all.iter().enumerate() {
        let mut client = Client::new(binary.address);
        // Some streams break off, which is an answer of its own.
        if let Ok(answer) = client.call(request).await {
            answered += usize::from(answer.status == 200);
            for (what, secret) in SECRETS {
                if contains(&answer.raw, secret) {
                    found.push(format!("{what} is in answer {place}: {}", answer.text()));
                }
            }
        }
    }
    assert!(answered > 20, "{answered}");
    all.len()
}

/// Reads every page of the admin plane; how many there are.
async fn look(binary: &Binary, found: &mut Vec<String>) -> usize {
    let paths = [
        "/",
        "/health",
        "/metrics",
        "/api/routes",
        "/api/keys",
        "/api/budgets",
        "/api/usage",
        "/api/entries",
        "/api/audit",
        "/api/config",
        "/api/prices",
        "/api/cache",
        "/api/cache/audit",
        "/api/nothing",
    ];
    for path in paths {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let answer = Client::new(binary.admin).call(request.as_bytes()).await;
        let answer = answer.unwrap();
        search(&format!("admin {path}"), &answer.raw, found);
        if path == "/metrics" {
            assert!(answer.text().contains("router_requests_total"));
        }
    }
    paths.len()
}

/// Searches every file below a folder but the configuration; how many there are.
fn sweep(folder: &Folder, found: &mut Vec<String>) -> usize {
    let mut files = Vec::new();
    list(&folder.file(""), &mut files);
    files.retain(|file| !file.ends_with("trimtab.toml"));
    for needed in ["history.db", "names", "trace.jsonl", "stderr", "cache.db"] {
        assert!(files.iter().any(|file| file.ends_with(needed)), "{needed}");
    }
    for file in &files {
        let bytes = std::fs::read(file).unwrap_or_default();
        search(&file.display().to_string(), &bytes, found);
    }
    files.len()
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn search(place: &str, bytes: &[u8], found: &mut Vec<String>) {
    for (what, text) in SECRETS.iter().chain(&TEXTS) {
        if contains(bytes, text) {
            let all = String::from_utf8_lossy(bytes);
            let line = all.lines().find(|line| line.contains(text));
            let line = line.unwrap_or_default();
            found.push(format!("{what} is in {place}: {line}"));
        }
    }
}

/// Whether a text is there, as it is.
fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}
