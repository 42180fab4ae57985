//! The command line against a running gateway: what it prints, how it ends, and that no secret is left anywhere.
//!
//! # Invariants
//! - The gateway is a process of its own at free ports, ended by a signal and waited for.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use super::{Folder, fill, governed};

const TOKEN: &str = "admin-token-0123456789";

/// A gateway as an operator runs it, logging all it can.
struct Process {
    child: Child,
    admin: String,
    log: JoinHandle<String>,
}

impl Process {
    fn start(folder: &Folder) -> Self {
        let file = config(folder);
        let mut child = Command::new(env!("CARGO_BIN_EXE_trimtab"))
            .args(["serve", "--config"])
            .arg(&file)
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let admin = lines.find_map(|line| {
            let url = line.trim().strip_prefix("admin")?.trim();
            Some(url.trim_end_matches('/').to_owned())
        });
        let admin = admin.unwrap();
        Self { child, admin, log }
    }

    /// Runs a command with the token.
    fn run(&self, arguments: &[&str]) -> Output {
        command(arguments)
            .args(["--admin", &self.admin])
            .env("TRIMTAB_ADMIN_TOKEN", TOKEN)
            .output()
            .unwrap()
    }

    /// What a command prints that must succeed.
    fn told(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends it and tells what it logged.
    fn end(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.log.join().unwrap()
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trimtab"));
    command
        .args(arguments)
        .env_remove("TRIMTAB_ADMIN")
        .env_remove("TRIMTAB_ADMIN_TOKEN")
        .env_remove("TRIMTAB_CONFIG");
    command
}

fn config(folder: &Folder) -> PathBuf {
    let text = governed(folder).text();
    let text = text.replace("[admin]", &format!("[admin]\ntoken = \"{TOKEN}\""));
    let file = folder.0.join("config.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one life, step by step")]
fn a_key_is_made_shown_and_ended_and_its_secret_is_nowhere() {
    let folder = Folder::new("admin");
    let gateway = Process::start(&folder);
    let made = gateway.run(&[
        "keys",
        "create",
        "app",
        "--team",
        "search",
        "--budget",
        "10/1d",
        "--tag",
        "project=x",
        "--requests-per-minute",
        "60",
    ]);
    assert!(made.status.success(), "{made:?}");
    let first = String::from_utf8(made.stdout.clone()).unwrap();
    assert_eq!(first.trim_end().len(), 45, "the secret alone: {first}");
    assert!(stderr(&made).contains("shown this once"));
    let list = gateway.told(&["keys", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(
        lines,
        [
            "NAME  TEAM    CUSTOMER  STATE  EXPIRES  FROM  BUDGETS",
            "app   search  -         live   -        api   $10.00/1d",
            "ci    search  -         live   -        file  -",
        ]
    );
    assert!(
        gateway
            .told(&["keys", "show", "app"])
            .contains("rate_limits  {\"requests_per_minute\":60}")
    );
    let shown: Value =
        serde_json::from_str(&gateway.told(&["keys", "show", "app", "--json"])).unwrap();
    assert_eq!(
        (&shown["tags"]["project"], shown.get("secret")),
        (&"x".into(), None)
    );
    let second = gateway.told(&["keys", "rotate", "app", "--grace", "1h"]);
    assert_ne!(first, second);
    assert_eq!(
        gateway.told(&["keys", "disable", "app"]),
        "key app is disabled\n"
    );
    assert!(gateway.told(&["keys", "list"]).contains("disabled"));
    assert_eq!(
        gateway.told(&["keys", "enable", "app"]),
        "key app is enabled\n"
    );
    assert!(
        gateway
            .told(&["diff"])
            .contains("key       app     api   live")
    );

    let log = gateway.end();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "{log}");
    let gateway = Process::start(&folder);
    assert!(
        gateway
            .told(&["keys", "list"])
            .contains("app   search  -         live"),
        "a restart keeps it"
    );
    assert_eq!(
        gateway.told(&["keys", "revoke", "app"]),
        "key app is revoked\n"
    );
    assert!(gateway.told(&["keys", "list"]).contains("revoked"));
    assert_eq!(
        gateway.told(&["keys", "delete", "app"]),
        "key app is deleted\n"
    );
    let log = log + &gateway.end();
    let mut kept = vec![log.into_bytes()];
    kept.extend(super::files(&folder.0.join("data")).into_values());
    assert!(kept.len() >= 3);
    for secret in [first.trim(), second.trim(), TOKEN] {
        let body = &secret.as_bytes()[6..];
        let found = kept
            .iter()
            .any(|bytes| bytes.windows(body.len()).any(|it| it == body));
        assert!(!found, "{secret}");
    }
}

#[test]
fn what_was_used_is_summed() {
    let folder = Folder::new("admin");
    fill(&folder, 3);
    let gateway = Process::start(&folder);
    let used = gateway.told(&[
        "usage",
        "--by",
        "key,tag:project",
        "--from",
        "2023-11-14",
        "--to",
        "2023-11-15",
    ]);
    let lines: Vec<&str> = used.lines().collect();
    assert_eq!(
        lines,
        [
            "KEY   TAG:PROJECT  ATTEMPTS  FAILED  INPUT  CACHED  OUTPUT     COST",
            "gone  nightly             4       0      0       0       0  $0.0040",
        ]
    );
    assert_eq!(gateway.told(&["usage"]), "nothing was used\n");
    gateway.end();
}

#[test]
fn refusals_end_with_one_and_nobody_there_with_two() {
    let folder = Folder::new("admin");
    let gateway = Process::start(&folder);
    for (arguments, words) in [
        (
            &["keys", "show", "nobody"][..],
            "no key is named \"nobody\"",
        ),
        (
            &["keys", "revoke", "ci"],
            "is declared in the configuration file, as [keys.ci]: change it there",
        ),
        (
            &["keys", "create", "x", "--team", "serch"],
            "no team is named \"serch\", did you mean \"search\"?",
        ),
        (&["keys", "create", "x", "--budget", "10"], "is no budget"),
        (
            &["keys", "rotate", "ci", "--grace", "soon"],
            "is no duration",
        ),
        (&["usage", "--by", "colour"], "there is no group \"colour\""),
        (&["usage", "--from", "soon"], "is not a valid from"),
    ] {
        let output = gateway.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty());
    }
    let bare = |token: Option<&str>| {
        let mut command = command(&["keys", "list", "--admin", &gateway.admin]);
        command.envs(token.map(|token| ("TRIMTAB_ADMIN_TOKEN", token)));
        command.output().unwrap()
    };
    let (without, wrong) = (bare(None), bare(Some("wrong")));
    assert_eq!(
        (without.status.code(), wrong.status.code()),
        (Some(1), Some(1))
    );
    assert!(stderr(&without).contains("set TRIMTAB_ADMIN_TOKEN"));
    assert!(stderr(&wrong).contains("does not know this admin token"));
    let admin = gateway.admin.clone();
    gateway.end();
    let output = command(&["diff", "--admin", &admin]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains(&format!(
        "cannot reach the admin API at {admin}: connect failed"
    )));
    let output = command(&["diff", "--admin", "nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
