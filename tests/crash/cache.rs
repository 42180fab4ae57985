//! What is kept of answers when the gateway is killed, or its disk is full.
//!
//! The provider numbers its answers, and each repeats its question; to the embedder everything means the same, so that only the guards tell questions apart.
//!
//! # Invariants
//! - Whoever is answered is told what the provider has answered to that very question, word for word, whenever the process died.
//! - What was forgotten before the process died is not told after it.
//! - A disk that is full costs nobody an answer, and what could not be written then is written later.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local, yield_now};

use crate::binary::{Binary, stderr};
use crate::books::post;
use crate::client::{Answer, Client};
use crate::folder::Folder;

/// Clients that ask at the same time.
const CLIENTS: usize = 8;

/// Questions that are asked in one life, of which half were asked in the life before.
const QUESTIONS: u32 = 200;

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nobody's key.
const SECRET: &str = "sk-nobody-0123456789";

/// The provider: what it has answered, by the number of the answer.
#[derive(Debug, Default)]
struct Provider {
    answers: RefCell<Vec<String>>,
    /// Bytes that each answer is made longer by.
    padding: Cell<usize>,
}

fn question(number: u32) -> String {
    format!("What is to be said of number {number}?")
}

impl Provider {
    /// Listens until the test ends.
    async fn listen(self: Rc<Self>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                // Whoever is killed leaves in the middle.
                spawn_local(Rc::clone(&self).serve(stream));
            }
        });
        address
    }

    async fn serve(self: Rc<Self>, mut stream: TcpStream) {
        let mut raw = Vec::new();
        loop {
            while let Some((path, body, length)) = request(&raw) {
                raw.drain(..length);
                let answer = self.answer(&path, &body);
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
            if !matches!(stream.read_buf(&mut raw).await, Ok(count) if count > 0) {
                return;
            }
        }
    }

    fn answer(&self, path: &str, body: &Value) -> Vec<u8> {
        if path.ends_with("/embeddings") {
            let answer = json!({"object": "list", "model": "e", "data": [{"index": 0, "embedding": [0.6, 0.8]}],
                "usage": {"prompt_tokens": 3, "total_tokens": 3}});
            return whole("application/json", &answer.to_string());
        }
        let asked = body["messages"][0]["content"].as_str().unwrap();
        let number = self.answers.borrow().len();
        let padding = "x".repeat(self.padding.get());
        let text = format!("<{number}> {asked} {padding}");
        self.answers.borrow_mut().push(text.clone());
        let usage = json!({"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20});
        if body["stream"] != true {
            let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": usage});
            return whole("application/json", &answer.to_string());
        }
        let chunk = |delta: Value, finish: Option<&str>| {
            let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage});
            format!("data: {chunk}\n\n")
        };
        let events = [
            chunk(json!({"role": "assistant", "content": text}), None),
            chunk(json!({}), Some("stop")),
            "data: [DONE]\n\n".to_owned(),
        ];
        whole("text/event-stream", &events.concat())
    }
}

fn whole(kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// The first request that is whole: its path, its body, and its bytes.
fn request(raw: &[u8]) -> Option<(String, Value, usize)> {
    let end = memchr::memmem::find(raw, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&raw[..end]).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().unwrap())
    });
    let body = raw.get(end..end + length?)?;
    let path = head.split(' ').nth(1).unwrap().to_owned();
    Some((path, serde_json::from_slice(body).unwrap(), end + length?))
}

fn configuration(folder: &Folder, provider: SocketAddr) -> String {
    let data = folder.file("data");
    let provider = |name: &str| {
        format!(
            "[providers.{name}]\nbase_url = \"http://{provider}/v1\"\nkeys = [{{ name = \"key\", secret = \"sk-{name}-0123\" }}]\n"
        )
    };
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"warn\"\n\
         [models.main]\nroutes = [{{ provider = \"alpha\", model = \"m\" }}]\ncache = {{ layers = \"semantic\", threshold = 0.7 }}\n\
         [models.vectors]\nroutes = [{{ provider = \"beta\" }}]\n\
         [cache]\ndisk = true\ndata = {data:?}\nembedder = {{ model = \"vectors\", patience = \"5s\" }}\naudit = {{ share = 0.0 }}\n{}{}",
        provider("alpha"),
        provider("beta")
    )
}

/// A test's folder, provider and runtime.
struct Scene {
    folder: Folder,
    provider: Rc<Provider>,
    runtime: tokio::runtime::Runtime,
    tasks: LocalSet,
}

impl Scene {
    fn new(name: &str) -> Self {
        let scene = Self {
            folder: Folder::new(name),
            provider: Rc::default(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            tasks: LocalSet::new(),
        };
        let provider = scene.block_on(Rc::clone(&scene.provider).listen());
        let text = configuration(&scene.folder, provider);
        std::fs::write(scene.folder.file("trimtab.toml"), text).unwrap();
        scene
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.tasks.block_on(&self.runtime, future)
    }
}

/// What the cache was to a request, and which answer it got.
struct Told {
    is_hit: bool,
    number: usize,
}

/// Asks a question; none if the gateway died over it.
async fn ask(client: &mut Client, provider: &Provider, number: u32, stream: bool) -> Option<Told> {
    let asked = question(number);
    let messages = json!([{"role": "user", "content": asked}]);
    let body = json!({"model": "main", "stream": stream, "messages": messages});
    let request = post("/v1/chat/completions", SECRET, &body);
    let answer = tokio::time::timeout(PATIENCE, client.call(&request)).await;
    let answer = answer.expect("it hangs").ok()?;
    Some(check(&answer, provider, &asked))
}

/// An answer is one that the provider gave to this very question, word for word.
fn check(answer: &Answer, provider: &Provider, asked: &str) -> Told {
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    let said = said(answer);
    let number = said
        .get(1..)
        .and_then(|rest| rest.split('>').next()?.parse().ok());
    let number: usize = number.unwrap_or_else(|| panic!("{text}"));
    let given = &provider.answers.borrow()[number];
    assert_eq!(&said, given, "an answer that was never given");
    assert!(said.contains(asked), "asked: {asked}, told: {said}");
    let head = String::from_utf8_lossy(&answer.raw).to_ascii_lowercase();
    let is = |status: &str| head.contains(&format!("\r\nx-cache-status: {status}\r\n"));
    assert!(
        !is("semantic"),
        "no two of the questions mean the same: {head}"
    );
    Told {
        is_hit: is("hit"),
        number,
    }
}

/// The words of an answer, whole or streamed.
fn said(answer: &Answer) -> String {
    if let Ok(whole) = serde_json::from_slice::<Value>(answer.body()) {
        let said = &whole["choices"][0]["message"]["content"];
        return said.as_str().unwrap_or_default().to_owned();
    }
    let head = String::from_utf8_lossy(&answer.raw).to_ascii_lowercase();
    let stream = if head.contains("\r\ntransfer-encoding: chunked\r\n") {
        unchunked(answer.body())
    } else {
        answer.body().to_vec()
    };
    let stream = String::from_utf8(stream).unwrap();
    let lines = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events
        .filter_map(|it| Some(it["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect()
}

fn unchunked(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = memchr::memmem::find(raw, b"\r\n") {
        let size = std::str::from_utf8(&raw[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&raw[line + 2..line + 2 + size]);
        raw = &raw[line + 2 + size + 2..];
    }
    body
}

/// Has everything forgotten; how many answers that were.
async fn forget(binary: &Binary) -> u64 {
    let request = "DELETE /api/cache/entries?all=true HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    let answer = Client::new(binary.admin).call(request.as_bytes()).await;
    let answer: Value = serde_json::from_slice(answer.unwrap().body()).unwrap();
    assert_eq!(answer["waits_for_disk"], false);
    answer["forgotten"].as_u64().unwrap()
}

/// One life of the gateway under load.
struct Load {
    binary: RefCell<Binary>,
    provider: Rc<Provider>,
    /// Answers after which it is killed.
    left: Cell<u32>,
    rng: RefCell<SmallRng>,
    /// The first question of this life.
    first: u32,
    /// Answers with a lower number were forgotten.
    forgotten: usize,
    hits: Cell<usize>,
    answers: Cell<usize>,
}

impl Load {
    async fn run(self: &Rc<Self>) {
        let clients = (0..CLIENTS).map(|_| spawn_local(Rc::clone(self).one()));
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    }

    async fn one(self: Rc<Self>) {
        let mut client = Client::new(self.binary.borrow().address);
        while self.left.get() > 0 {
            let number = self.first + self.rng.borrow_mut().random_range(0..QUESTIONS);
            let stream = self.rng.borrow_mut().random_bool(0.5);
            let Some(told) = ask(&mut client, &self.provider, number, stream).await else {
                return;
            };
            assert!(
                told.number >= self.forgotten,
                "it was forgotten: {}",
                told.number
            );
            self.hits.set(self.hits.get() + usize::from(told.is_hit));
            self.answers.set(self.answers.get() + 1);
            self.left.set(self.left.get().saturating_sub(1));
            if self.left.get() == 0 {
                let _ = self.binary.borrow_mut().child.kill();
            }
        }
    }
}

/// Kills it so often; what is to be said of it.
pub(crate) fn killed(seed: u64, kills: u32) -> String {
    let scene = Scene::new("cache-kill");
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut forgotten, mut times, mut kept) = (0, 0, 0);
    let (mut hits, mut answers) = (0, 0);
    for round in 0..kills {
        let binary = Binary::start(&scene.folder);
        let first = round * QUESTIONS / 2;
        // What the one before has left is told at once: nothing was asked yet in this life.
        kept += scene.block_on(async {
            let mut client = Client::new(binary.address);
            let mut kept = 0;
            for number in first..first + QUESTIONS / 2 {
                let told = ask(&mut client, &scene.provider, number, false)
                    .await
                    .unwrap();
                assert!(told.number >= forgotten, "round {round}: it was forgotten");
                kept += usize::from(told.is_hit);
            }
            kept
        });
        if round % 3 == 1 {
            scene.block_on(forget(&binary));
            forgotten = scene.provider.answers.borrow().len();
            times += 1;
            let mut binary = binary;
            binary.child.kill().unwrap();
            binary.child.wait().unwrap();
            continue;
        }
        let load = Rc::new(Load {
            binary: RefCell::new(binary),
            provider: Rc::clone(&scene.provider),
            left: Cell::new(rng.random_range(1..300)),
            rng: RefCell::new(SmallRng::seed_from_u64(rng.random())),
            first,
            forgotten,
            hits: Cell::default(),
            answers: Cell::default(),
        });
        scene.block_on(load.run());
        let status = load.binary.borrow_mut().child.wait().unwrap();
        assert!(!status.success());
        hits += load.hits.get();
        answers += load.answers.get();
    }
    assert!(
        kept > 0 || kills < 2,
        "seed {seed}: nothing outlived a kill"
    );
    format!(
        "{kills} kills of seed {seed}: {kept} answers outlived them, {answers} under load, {hits} of them kept ones; forgotten {times} times; none was wrong"
    )
}

/// Lets the process write files of so many bytes, or as it likes.
#[cfg(target_os = "linux")]
fn limit(binary: &Binary, bytes: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = Pid::from_child(&binary.child);
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(Some(pid), Resource::Fsize, limit).unwrap();
}

/// Answers are kept in memory while the disk is full, and written when it is not any more.
#[cfg(target_os = "linux")]
pub(crate) fn full() -> String {
    /// Small enough that no database of several answers fits, large enough for the log.
    const ROOM: u64 = 96 << 10;
    let scene = Scene::new("cache-full");
    scene.provider.padding.set(20 << 10);
    let all = async |binary: &Binary, numbers: std::ops::Range<u32>| {
        let mut client = Client::new(binary.address);
        let mut hits = BTreeMap::new();
        for number in numbers {
            let told = ask(&mut client, &scene.provider, number, false)
                .await
                .unwrap();
            hits.insert(number, told.is_hit);
        }
        hits
    };
    let is_all = |hits: BTreeMap<u32, bool>, expected: bool| {
        assert!(
            hits.values().all(|it| *it == expected),
            "{expected}: {hits:?}"
        );
    };
    let warned = || {
        stderr(&scene.folder)
            .matches("the response cache cannot write")
            .count()
    };
    let binary = Binary::start(&scene.folder);
    scene.block_on(async {
        is_all(all(&binary, 0..5).await, false);
        limit(&binary, Some(ROOM));
        is_all(all(&binary, 5..20).await, false);
        let told = async {
            while warned() == 0 {
                yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, told)
            .await
            .expect("nothing is told");
        is_all(all(&binary, 20..30).await, false);
        is_all(all(&binary, 0..30).await, true);
        assert_eq!(warned(), 1, "{}", stderr(&scene.folder));
        limit(&binary, None);
        is_all(all(&binary, 30..35).await, false);
    });
    binary.end();
    let binary = Binary::start(&scene.folder);
    scene.block_on(async {
        is_all(all(&binary, 0..35).await, true);
    });
    binary.end();
    "full: 30 questions answered and kept, told once; all 35 there after a restart".to_owned()
}
