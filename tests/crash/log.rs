//! The log of requests on a disk that runs full in the middle of a line: what cannot be written is counted, and what is there are whole lines.

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::binary::Binary;
use crate::books::{self, post};
use crate::client::Client;
use crate::folder::Folder;

/// Requests while the disk works, and while it takes half a line.
const REQUESTS: u64 = 20;

/// Bytes that fit after the file's end while the disk is full: less than a line.
const FIT: u64 = 100;

pub(crate) fn run() -> String {
    let folder = Folder::new("log");
    let path = folder.file("requests.jsonl");
    let mock = books::stand_ins("[providers.alpha]\nanswer = 3");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [request_log]\npath = {path:?}\n[models.main]\nroutes = [{{ provider = \"alpha\" }}]\n\
         [providers.alpha]\nbase_url = \"http://{}/alpha/v1\"\nkeys = [{{ name = \"key\", secret = \"sk-alpha-0123\" }}]\n",
        mock.addr
    );
    std::fs::write(folder.file("trimtab.toml"), text).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let binary = Binary::start(&folder);
    let lost = LocalSet::new().block_on(&runtime, async {
        let mut lost = 0;
        for _ in 0..3 {
            call(&binary).await;
            let length = settled(&binary, lost, || std::fs::metadata(&path).unwrap().len()).await;
            limit(&binary, Some(length + FIT));
            call(&binary).await;
            lost += REQUESTS;
            let after = settled(&binary, lost, || std::fs::metadata(&path).unwrap().len()).await;
            assert_eq!(after, length, "half a line is cut off");
            limit(&binary, None);
        }
        call(&binary).await;
        lost
    });
    binary.end();
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = 0;
    for line in text.lines() {
        let read: Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["status"], 200, "{line}");
        lines += 1;
    }
    assert_eq!(lines, 4 * REQUESTS, "{text}");
    format!(
        "3 times full in the middle of a line: {lost} lines lost and counted, {lines} are whole"
    )
}

/// Makes requests, all of which are answered.
async fn call(binary: &Binary) {
    let body = json!({"model": "main", "messages": [{"role": "user", "content": "Hello."}]});
    let request = post("/v1/chat/completions", "nobody", &body);
    let mut client = Client::new(binary.address);
    for _ in 0..REQUESTS {
        let answer = client.call(&request).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// Waits until every finished request is in the log or lost; what `look` says then.
async fn settled<T>(binary: &Binary, lost: u64, look: impl Fn() -> T) -> T {
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut client = Client::new(binary.admin);
    loop {
        let text = client.call(request).await.unwrap().text();
        let of = |name: &str| -> u64 {
            let lines = text.lines();
            let values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            values.map(|value| value.parse::<u64>().unwrap()).sum()
        };
        if of("request_log_lines_total") + of("request_log_lines_dropped_total")
            == of("router_requests_started_total")
        {
            assert_eq!(of("request_log_lines_dropped_total"), lost);
            return look();
        }
        tokio::task::yield_now().await;
    }
}

/// Lets no file grow beyond so many bytes, or as it likes.
fn limit(binary: &Binary, bytes: Option<u64>) {
    let pid = Pid::from_child(&binary.child);
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(Some(pid), Resource::Fsize, limit).unwrap();
}
