//! What does a child process cost, and when is it ready?
//!
//! CPU time is the sum over the threads of the process tree as the scheduler counts it, in ns; the tick-based counters of `/proc/PID/stat` are too coarse for a few seconds.
//!
//! # Invariants
//! - A child is ended when its handle is dropped, and its own children with it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use rustix::time::{ClockId, clock_gettime};

/// How long a child may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts the command on CPU `cpu`, or anywhere; its output goes to the file at `log`.
    ///
    /// # Errors
    /// If the program is not there or the log cannot be made.
    pub fn start(command: &[String], cpu: Option<usize>, log: &Path) -> anyhow::Result<Self> {
        let out = fs::File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let pinned = cpu.map(|cpu| ["taskset".into(), "-c".into(), cpu.to_string()]);
        let words: Vec<String> = pinned
            .into_iter()
            .flatten()
            .chain(command.to_vec())
            .collect();
        let (program, arguments) = words.split_first().context("an empty command")?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {}", words.join(" ")))?;
        Ok(Self {
            name: command.join(" "),
            child,
        })
    }

    /// The process tree, this process first.
    fn tree(&self) -> Vec<u32> {
        let mut found = vec![self.child.id()];
        let mut at = 0;
        while let Some(&parent) = found.get(at) {
            let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
            let children = children.unwrap_or_default();
            found.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
            at += 1;
        }
        found
    }

    /// CPU time of the process tree's living threads, in ns.
    #[must_use]
    pub fn cpu_nanos(&self) -> u64 {
        let threads = self.tree().into_iter().flat_map(|pid| {
            let tasks = fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten()
                .flatten();
            tasks
                .map(|task| task.path().join("schedstat"))
                .collect::<Vec<_>>()
        });
        let spent = threads.filter_map(|path| {
            let line = fs::read_to_string(path).ok()?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        });
        spent.sum()
    }

    /// Resident memory of the process tree, in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let sizes = self.tree().into_iter().filter_map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
        sizes.sum()
    }

    /// Fills its disk: it may not write to files any more.
    ///
    /// # Errors
    /// The system's.
    pub fn fill_disk(&self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let limit = Rlimit {
            current: Some(0),
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit).context("taking the right to write away")?;
        Ok(())
    }

    /// Waits until `GET path` is answered with 200; the time since `since`.
    ///
    /// # Errors
    /// If the child ends or does not answer in time.
    pub fn wait_for(
        &mut self,
        address: SocketAddr,
        path: &str,
        since: Instant,
    ) -> anyhow::Result<Duration> {
        while since.elapsed() < PATIENCE {
            if answers(address, path) {
                return Ok(since.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("`{}` ended with {status}; see its log", self.name);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        bail!("`{}` did not answer {path} within {PATIENCE:?}", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::TERM);
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Whether `GET path` is answered with 200.
fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut socket = TcpStream::connect_timeout(&address, Duration::from_millis(500))?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes())?;
        let mut start = [0; 12];
        socket.read_exact(&mut start)?;
        Ok(start.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// A loopback address that nothing listens on now.
///
/// # Errors
/// If the kernel has no free port.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Pins the calling thread to CPU `cpu`.
///
/// # Errors
/// If there is no such CPU.
pub fn pin(cpu: usize) -> anyhow::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).with_context(|| format!("pinning to CPU {cpu}"))
}

/// CPU time of the calling thread.
#[must_use]
pub fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = now
        .tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(now.tv_nsec);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}
