//! A gateway with four keys before stand-ins that number their answers: a number tells whose request it was paid for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use trimtab::app::Local;
use trimtab::cache::Library;
use trimtab::mock::Mock;

use crate::governance::with_key;
use crate::support::{Answer, Bench, Call, Folder, Heard, Raw, Reply, Spec, parse, pass_ms};

pub(super) const KEYS: [&str; 4] = [
    "sk-key-of-ann-0123456789",
    "sk-key-of-bob-0123456789",
    "sk-key-of-cid-0123456789",
    "sk-key-of-dot-0123456789",
];

/// Ann and Bob are in one team, Cid in another of the same customer, Dot is alone.
pub(super) fn tenants() -> String {
    let [ann, bob, cid, dot] = KEYS;
    format!(
        "[customers.acme]\n[teams.blue]\ncustomer = \"acme\"\n[teams.red]\ncustomer = \"acme\"\n\
         [keys.ann]\nteam = \"blue\"\nsecret = \"{ann}\"\n[keys.bob]\nteam = \"blue\"\nsecret = \"{bob}\"\n\
         [keys.cid]\nteam = \"red\"\nsecret = \"{cid}\"\n[keys.dot]\nsecret = \"{dot}\"\n"
    )
}

/// In whose words a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Words {
    Chat,
    Messages,
    Gemini,
}

impl Words {
    pub(super) const ALL: [Self; 3] = [Self::Chat, Self::Messages, Self::Gemini];

    /// Asks a question.
    pub(super) fn ask(self, question: &str, stream: bool) -> Call {
        let said = json!([{"role": "user", "content": question}]);
        let mut body = match self {
            Self::Chat | Self::Messages => {
                json!({"model": "main", "max_tokens": 100, "messages": said})
            }
            Self::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": question}]}],
                "generationConfig": {"maxOutputTokens": 100}}),
        };
        if stream && self != Self::Gemini {
            body["stream"] = true.into();
        }
        match (self, stream) {
            (Self::Chat, _) => Call::chat(&body),
            (Self::Messages, _) => Call::message(&body),
            (Self::Gemini, false) => {
                Call::post("/v1beta/models/main:generateContent", body.to_string())
            }
            (Self::Gemini, true) => Call::post(
                "/v1beta/models/main:streamGenerateContent?alt=sse",
                body.to_string(),
            ),
        }
    }
}

/// A whole answer of a provider's.
pub(super) fn whole(message: &Value, finish: &str) -> Reply {
    let body = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
    });
    ok(&body)
}

pub(super) fn ok(body: &Value) -> Reply {
    let kind = "content-type: application/json\r\n";
    Reply::new("200 OK", kind, body.to_string().as_bytes())
}

/// The event of a stream.
pub(super) fn event(delta: &Value, finish: Option<&str>) -> String {
    let chunk = json!({
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    });
    format!("data: {chunk}\n\n")
}

/// A stream of these events.
pub(super) fn stream(events: &[String]) -> Reply {
    let pieces: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
    Reply::stream(&pieces, Duration::from_millis(1))
}

/// A provider's answer of this text, as it is asked for.
pub(super) fn says(heard: &Heard, text: &str) -> Reply {
    let body: Value = serde_json::from_slice(&heard.body).unwrap();
    if body["stream"] != true {
        return whole(&json!({"role": "assistant", "content": text}), "stop");
    }
    let mut events = vec![event(&json!({"role": "assistant", "content": ""}), None)];
    let words = text.split_inclusive(' ');
    events.extend(words.map(|word| event(&json!({"content": word}), None)));
    events.push(event(&json!({}), Some("stop")));
    events.push(
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":10,\"total_tokens\":20}}\n\n".to_owned(),
    );
    events.push("data: [DONE]\n\n".to_owned());
    stream(&events)
}

/// The last words of a conversation that a provider was asked.
pub(super) fn asked(heard: &Heard) -> String {
    let body: Value = serde_json::from_slice(&heard.body).unwrap();
    let last = &body["messages"].as_array().unwrap().last().unwrap()["content"];
    match last.as_str() {
        Some(text) => text.to_owned(),
        None => last[0]["text"].as_str().unwrap().to_owned(),
    }
}

fn text(folder: &Folder, caching: &str, lines: &str) -> String {
    let data = folder.file("data");
    Spec::new()
        .stand_in("chat", "")
        .stand_in("embed", "")
        .with(&format!(
            "[governance]\ndata = {data:?}\n[models.main]\nroutes = [{{ provider = \"chat\", model = \"m\" }}]\n[models.main.cache]\n{caching}\n\
             [models.vectors]\nroutes = [{{ provider = \"embed\" }}]\n[cache.embedder]\nmodel = \"vectors\"\n{}\n{lines}",
            tenants()
        ))
        .text()
}

/// The gateway and its stand-ins.
pub(super) struct Shop {
    pub(super) bench: Bench,
    provider: Raw,
    /// Who has paid for which answer, by its number.
    paid: RefCell<BTreeMap<usize, usize>>,
    file: PathBuf,
}

impl Shop {
    /// Starts one whose provider numbers its answers; `caching` goes into the model's table, `lines` are further tables.
    pub(super) async fn start(folder: &Folder, caching: &str, lines: &str) -> Self {
        let count = Cell::new(0);
        let reply = move |heard: &Heard| {
            count.set(count.get() + 1);
            says(
                heard,
                &format!("Answer {} to: {}", count.get(), asked(heard)),
            )
        };
        Self::before(reply, folder, caching, lines).await
    }

    /// The same before a provider that gives this answer; its embedder says the same of every text.
    ///
    /// Where the provider is, is no part of its name, so that it is the same after a restart.
    pub(super) async fn before(
        reply: impl Fn(&Heard) -> Reply + 'static,
        folder: &Folder,
        caching: &str,
        lines: &str,
    ) -> Self {
        let provider = Raw::answering(move |heard| {
            if heard.head.contains("/embeddings") {
                return ok(
                    &json!({"object": "list", "model": "e", "data": [{"index": 0, "embedding": [0.6, 0.8]}],
                    "usage": {"prompt_tokens": 3, "total_tokens": 3}}),
                );
            }
            reply(heard)
        })
        .await;
        let text = text(folder, caching, lines);
        let file = folder.file("config.toml");
        std::fs::write(&file, &text).unwrap();
        let config = parse(&text);
        let mock = Mock::new(config.mock.clone().unwrap()).unwrap();
        let gateway = Local::start(config, Some(file.clone()), Some(provider.address)).unwrap();
        Self {
            bench: Bench {
                address: gateway.address,
                gateway,
                mock,
            },
            provider,
            paid: RefCell::default(),
            file,
        }
    }

    /// Has the file say something else from here on.
    pub(super) async fn becomes(&self, before: &str, after: &str) {
        let text = std::fs::read_to_string(&self.file).unwrap();
        assert!(text.contains(before), "{text}");
        std::fs::write(&self.file, text.replace(before, after)).unwrap();
        self.bench.gateway.control.reload();
        pass_ms(50).await;
    }

    /// Questions that the provider was asked.
    pub(super) fn asked(&self) -> usize {
        let heard = self.provider.heard();
        let of_chat = |heard: &&Heard| !heard.head.contains("/embeddings");
        heard.iter().filter(of_chat).count()
    }

    /// What is kept.
    pub(super) fn library(&self) -> &Library {
        &self.bench.gateway.shared.lasting.library
    }

    /// What one key is answered; what it caused in the background is done when this returns.
    pub(super) async fn call(&self, key: usize, call: Call) -> Answer {
        let before = self.asked();
        let answer = self.bench.call(&with_key(call, KEYS[key])).await;
        pass_ms(30).await;
        for number in before + 1..=self.asked() {
            self.paid.borrow_mut().insert(number, key);
        }
        answer
    }

    /// What one key is answered to a question.
    pub(super) async fn ask(&self, key: usize, question: &str) -> Answer {
        self.call(key, Words::Chat.ask(question, false)).await
    }

    /// The number of an answer, who has paid for it, and the question that it is to.
    pub(super) fn origin(&self, answer: &Answer) -> (usize, usize, String) {
        let said = told(answer);
        let (number, question) = said
            .strip_prefix("Answer ")
            .and_then(|rest| rest.split_once(" to: "))
            .unwrap_or_else(|| panic!("{said:?}: {answer:?}"));
        let number = number.parse().unwrap();
        (number, self.paid.borrow()[&number], question.to_owned())
    }
}

/// The words of an answer in any dialect.
pub(super) fn told(answer: &Answer) -> String {
    if !answer.is_stream() {
        let json = answer.json();
        let places = [
            "/choices/0/message/content",
            "/content/0/text",
            "/candidates/0/content/parts/0/text",
        ];
        let found = places
            .iter()
            .find_map(|it| json.pointer(it).and_then(Value::as_str));
        return found.unwrap_or_default().to_owned();
    }
    let mut said = String::new();
    let text = answer.text();
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    for event in lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let places = [
            "/choices/0/delta/content",
            "/delta/text",
            "/candidates/0/content/parts/0/text",
        ];
        let mut found = places
            .iter()
            .filter_map(|it| event.pointer(it).and_then(Value::as_str));
        said.push_str(found.next().unwrap_or_default());
    }
    said
}
