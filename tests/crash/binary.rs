//! The real binary as a child of this process, and the folder that it lives in.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::folder::Folder;

/// A running gateway; killed with it.
#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    stdout: BufReader<ChildStdout>,
    /// What it printed so far.
    banner: String,
}

impl Binary {
    /// Starts it on the configuration in a folder, and waits until it listens.
    pub(crate) fn start(folder: &Folder) -> Self {
        let mut child = spawn(folder);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (mut banner, mut line) = (String::new(), String::new());
        while !banner.contains("  models ") {
            line.clear();
            let told = stdout.read_line(&mut line).unwrap();
            assert!(told > 0, "it ended: {}", stderr(folder));
            banner.push_str(&line);
        }
        Self {
            address: at(&banner, "OpenAI base URL"),
            admin: at(&banner, "admin"),
            child,
            stdout,
            banner,
        }
    }

    /// Has it drain and end; what it printed.
    pub(crate) fn end(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        self.stdout.read_to_string(&mut self.banner).unwrap();
        std::mem::take(&mut self.banner)
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it on the configuration in a folder.
///
/// A file that grows beyond what it may, which the disk's trial brings about, fails the write and does not end the process.
pub(crate) fn spawn(folder: &Folder) -> Child {
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" serve --config \"$1\""])
        .arg(env!("CARGO_BIN_EXE_trimtab"))
        .arg(folder.file("trimtab.toml"))
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(folder.file("stderr")).unwrap())
        .spawn()
        .unwrap()
}

/// What it has logged.
pub(crate) fn stderr(folder: &Folder) -> String {
    std::fs::read_to_string(folder.file("stderr")).unwrap_or_default()
}

/// The address behind a word of the banner.
fn at(banner: &str, word: &str) -> SocketAddr {
    let line = banner.lines().find(|line| line.contains(word)).unwrap();
    let url = line.split("http://").nth(1).unwrap();
    url.split('/').next().unwrap().parse().unwrap()
}
