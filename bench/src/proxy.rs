//! What stands between the load and the upstream?
//!
//! Nothing, nginx as a plain reverse proxy, or the gateway; each gets a configuration that does the same job.
//! nginx is the floor of what a hop costs: it reads no JSON.
//!
//! # Invariants
//! - One worker each, keep-alive on both sides, no buffering of streams, no access log.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;

/// The two models asked for: answers at once, and events apart from one another.
pub const MODELS: [&str; 2] = ["bench", crate::upstream::PACED];

/// The path that the upstream, and so a plain proxy, answers chat with this model on.
#[must_use]
pub fn upstream_path(model: &str) -> String {
    format!("/{model}/v1/chat/completions")
}

/// The path that the gateway answers chat on.
pub const GATEWAY_PATH: &str = "/v1/chat/completions";

/// The command that starts nginx as a plain proxy from `address` to `upstream`, its files in `folder`.
///
/// # Errors
/// If its configuration cannot be written.
pub fn nginx(
    folder: &Path,
    address: SocketAddr,
    upstream: SocketAddr,
) -> anyhow::Result<Vec<String>> {
    let folder = folder.join("nginx");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let place = folder.display();
    let configuration = format!(
        "worker_processes 1;\nerror_log {place}/error.log warn;\npid {place}/nginx.pid;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n\
         access_log off;\n\
         client_body_temp_path {place}/body;\nproxy_temp_path {place}/proxy;\n\
         fastcgi_temp_path {place}/fastcgi;\nuwsgi_temp_path {place}/uwsgi;\nscgi_temp_path {place}/scgi;\n\
         keepalive_requests 100000000;\n\
         upstream provider {{ server {upstream}; keepalive 256; keepalive_requests 100000000; }}\n\
         server {{\n\
         listen {address} backlog=4096;\n\
         location /health {{ return 200; }}\n\
         location / {{\n\
         proxy_pass http://provider;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
         proxy_buffering off;\nproxy_request_buffering off;\n\
         }} }} }}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration).with_context(|| format!("writing {}", file.display()))?;
    let errors = folder.join("error.log").display().to_string();
    let words = [
        "nginx",
        "-e",
        &errors,
        "-c",
        &file.display().to_string(),
        "-g",
        "daemon off;",
    ];
    Ok(words.map(str::to_owned).to_vec())
}

/// The credential that every client of a bench presents.
pub const KEY: &str = "the-key-of-every-bench";

/// Share of traces that are sent where traces are: the default.
const SAMPLE: f64 = 0.1;

/// How a gateway is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// It serves anybody and writes nothing down.
    Plain,
    /// The same, of another build.
    Before,
    /// A key, its team and its customer pay for every request, with two budgets each.
    Governed,
    /// It keeps answers, and is asked for the same again and again.
    Cached,
    /// It keeps answers, and is never asked for the same twice.
    Missed,
    /// Nothing is kept of requests and nobody looks.
    Unwatched,
    /// Requests are kept on disk and logged, every trace goes to a collector at this address, a shadow policy is asked, the metrics are scraped and the live view is open.
    Watched(SocketAddr),
    /// The same, but the disk is full, the collector at this address never answers, and whoever has the live view open does not read.
    Starved(SocketAddr),
}

impl Setup {
    /// The name of a gateway that is set up so.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "gateway",
            Self::Before => "before",
            Self::Governed => "governed",
            Self::Cached => "cached",
            Self::Missed => "cached-miss",
            Self::Unwatched => "unwatched",
            Self::Watched(_) => "watched",
            Self::Starved(_) => "starved",
        }
    }

    /// What the configuration says of each model besides.
    const fn of_model(self) -> &'static str {
        match self {
            Self::Cached | Self::Missed => "cache = { layers = \"exact\" }\n",
            _ => "",
        }
    }

    /// What the configuration says besides.
    ///
    /// # Errors
    /// If the folder of an earlier run cannot be removed.
    fn tables(self, folder: &Path) -> anyhow::Result<String> {
        match self {
            Self::Plain | Self::Before => return Ok(String::new()),
            // What bounds a tenant's writes is no part of what is measured.
            Self::Cached | Self::Missed => {
                return Ok("\n[cache]\nwrites_per_minute = 10000000\n".to_owned());
            }
            Self::Unwatched => return Ok("\n[requests]\nkeep = \"off\"\n".to_owned()),
            Self::Watched(collector) | Self::Starved(collector) => {
                return watched(&folder.join(self.name()), collector);
            }
            Self::Governed => {}
        }
        let data = folder.join("books");
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
        }
        let budgets = "budgets = [{ limit = 1000000.0, period = \"1d\" }, { limit = 1000000.0, period = \"1M\", style = \"rolling\" }]";
        Ok(format!(
            "\n[governance]\ndata = \"{}\"\n\n[customers.c]\n{budgets}\n\n[teams.t]\ncustomer = \"c\"\n{budgets}\n\
             \n[keys.k]\nteam = \"t\"\nsecret = \"{KEY}\"\n{budgets}\n",
            data.display()
        ))
    }
}

/// Everything that can be kept and sent of requests.
fn watched(folder: &Path, collector: SocketAddr) -> anyhow::Result<String> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let place = folder.display();
    Ok(format!(
        "\n[requests]\nkeep = \"disk\"\ndata = \"{place}\"\n\
         \n[request_log]\npath = \"{place}/requests.jsonl\"\n\
         \n[otlp]\nendpoint = \"http://{collector}\"\nsample = {SAMPLE}\n\
         \n[scoring.shadow.draw]\nband = 0.3\n"
    ))
}

/// The command that starts the gateway on `address` with one route per model to `upstream`.
///
/// # Errors
/// If its configuration cannot be written.
pub fn gateway(
    folder: &Path,
    (binary, setup): (&Path, Setup),
    [address, admin, upstream]: [SocketAddr; 3],
) -> anyhow::Result<Vec<String>> {
    let mut configuration =
        format!("[server]\nlisten = \"{address}\"\nworkers = 1\n\n[admin]\nlisten = \"{admin}\"\n");
    for model in MODELS {
        write!(
            configuration,
            "\n[providers.{model}]\nbase_url = \"http://{upstream}/{model}/v1\"\n\
             keys = [{{ name = \"only\", secret = \"bench-key\" }}]\n\
             \n[models.{model}]\nroutes = [{{ provider = \"{model}\", model = \"{model}-upstream\", price_input = 0.15, price_output = 0.6 }}]\n{}",
            setup.of_model()
        )?;
    }
    configuration.push_str(&setup.tables(folder)?);
    let file = folder.join(format!("{}.toml", setup.name()));
    fs::write(&file, configuration).with_context(|| format!("writing {}", file.display()))?;
    let words = [
        &binary.display().to_string(),
        "serve",
        "--config",
        &file.display().to_string(),
    ];
    // A write that is one too many fails and does not end the process.
    let before: &[&str] = match setup {
        Setup::Starved(_) => &["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""],
        _ => &[],
    };
    let words = before.iter().copied().chain(words);
    Ok(words.map(str::to_owned).collect())
}

/// The command that starts the gateway's own stand-in providers on `address`, in place of the fixed upstream.
///
/// # Errors
/// If the script cannot be written.
pub fn mock(folder: &Path, binary: &Path, address: SocketAddr) -> anyhow::Result<Vec<String>> {
    let [instant, paced] = MODELS;
    let gap = crate::upstream::GAP.as_millis();
    // Why a provider and a model: the script is a section of a whole configuration.
    let script = format!(
        "[providers.{instant}]\nbase_url = \"mock\"\n\
         \n[models.{instant}]\nroutes = [{{ provider = \"{instant}\" }}]\n\
         \n[mock.providers.{instant}]\n\n[mock.providers.{paced}]\ntpot = \"{gap}ms\"\n"
    );
    let file = folder.join("mock.toml");
    fs::write(&file, script).with_context(|| format!("writing {}", file.display()))?;
    let (binary, file) = (binary.display().to_string(), file.display().to_string());
    let words = [
        &binary,
        "mock",
        "--config",
        &file,
        "--listen",
        &address.to_string(),
    ];
    Ok(words.map(str::to_owned).to_vec())
}

/// What in a chat request may vary without any other change: the number of its crew.
pub const NUMBER: &str = "000000000000";

/// A chat request of about 1.2 KB: a system prompt and three turns, with [`NUMBER`] at its end.
#[must_use]
pub fn chat_body(model: &str, streamed: bool) -> String {
    let turns = [
        (
            "system",
            "You are a patient assistant for the crew of a small sailing boat. Answer in plain words, \
          name the part you mean, and say what could go wrong. Keep to what was asked. When you are not sure, \
          say so, and tell the crew whom they might ask in the next harbour instead of guessing.",
        ),
        (
            "user",
            "The wheel pulls to port at eight knots and more, and the autopilot draws twice the current \
          that it drew in spring. The hull was cleaned last week. What do we look at first?",
        ),
        (
            "assistant",
            "Look at the rudder's trim tab first: if its linkage has slipped, the tab pushes the rudder \
          to one side and the autopilot has to hold against it. Check the angle at rest, then the play of the \
          linkage, then the bearings of the rudder itself. Growth on one side of the blade does the same.",
        ),
        (
            "user",
            "The tab stands about four degrees off when the wheel is centred, and the linkage has no play \
          that we can feel. Can we correct that at sea, and what should we watch afterwards? We have a multimeter, a clinometer, spare split pins and some twine; the sea is about one metre, and the harbour is near. Crew 000000000000.",
        ),
    ];
    let messages: Vec<String> = turns
        .iter()
        .map(|(role, content)| format!("{{\"role\":\"{role}\",\"content\":\"{content}\"}}"))
        .collect();
    let stream = if streamed { ",\"stream\":true" } else { "" };
    let messages = messages.join(",");
    format!("{{\"model\":\"{model}\"{stream},\"temperature\":0.2,\"messages\":[{messages}]}}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_json_of_about_1_2_kb() {
        for streamed in [false, true] {
            let body = chat_body("bench", streamed);
            let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(parsed["stream"].as_bool().unwrap_or(false), streamed);
            assert_eq!(body.matches(NUMBER).count(), 1);
            assert!((1_100..1_300).contains(&body.len()), "{} bytes", body.len());
        }
    }
}
