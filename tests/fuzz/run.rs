//! How is one input tried, and what becomes of one that fails?
//!
//! # Invariants
//! - Time is the thread's own processor time, so that a busy machine fails nothing.
//! - An input that never ends is shown by the watch thread, which ends the process.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use allocation_counter::measure;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rustix::time::{ClockId, clock_gettime};

use crate::mutate::{Garden, Kind};

/// Processor time that one input may take.
pub(crate) const MOST_CPU: Duration = Duration::from_millis(200);

/// Memory that one input may take, as a multiple of its size.
pub(crate) const MOST_GROWTH: u64 = 64;

/// The same where values of unknown shape are kept as trees: `serde_json` takes 632 bytes for the 5 of `{"":0`.
const MOST_TREE_GROWTH: u64 = 256;

/// Memory that any input may take.
pub(crate) const FREE_MEMORY: u64 = 1 << 20;

/// Wall time after which an input counts as hanging.
const HANGS: Duration = Duration::from_secs(20);

/// Attempts at making a failing input shorter.
const SHRINKS: usize = 4_000;

/// Salts that a replayed input is tried with.
const REPLAYS: u64 = 2_000;

/// Tries an input; an error says which property does not hold, then a colon and what was seen.
pub(crate) type Check = dyn Fn(&[u8], &mut SmallRng) -> Result<(), String>;

/// What is fuzzed.
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: &'static str,
    /// What its inputs look like.
    pub(crate) kind: Kind,
    /// Good inputs.
    pub(crate) seeds: Vec<Vec<u8>>,
    /// Memory that an input may take, as a multiple of its size.
    pub(crate) growth: u64,
    /// Tries an input.
    pub(crate) check: Box<Check>,
}

impl Target {
    /// A target that may take [`MOST_GROWTH`].
    pub(crate) fn new(
        name: &'static str,
        kind: Kind,
        seeds: Vec<Vec<u8>>,
        check: impl Fn(&[u8], &mut SmallRng) -> Result<(), String> + 'static,
    ) -> Self {
        Self {
            name,
            kind,
            seeds,
            growth: MOST_GROWTH,
            check: Box::new(check),
        }
    }

    /// A target whose readers keep values of unknown shape as trees.
    pub(crate) fn keeping_trees(mut self) -> Self {
        self.growth = MOST_TREE_GROWTH;
        self
    }
}

/// An input that fails.
pub(crate) struct Finding {
    target: &'static str,
    seed: u64,
    cases: u64,
    flaw: String,
    input: Vec<u8>,
    kept: PathBuf,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self
            .input
            .escape_ascii()
            .take(1_500)
            .map(char::from)
            .collect();
        write!(
            f,
            "FAILED {} at input {} of seed {}: {}\n  {} bytes, kept in {}\n  {shown}",
            self.target,
            self.cases,
            self.seed,
            self.flaw,
            self.input.len(),
            self.kept.display(),
        )
    }
}

thread_local! {
    /// What the last panic said.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Tries inputs, watched by a thread.
pub(crate) struct Runner {
    seed: u64,
    /// The input that is tried now.
    watch: Sender<Vec<u8>>,
}

impl Runner {
    /// Starts the watch; panics are kept instead of printed from here on.
    pub(crate) fn start(seed: u64) -> Self {
        let (watch, watched) = channel();
        std::thread::spawn(move || guard(&watched));
        std::panic::set_hook(Box::new(|info| {
            SAID.with_borrow_mut(|said| *said = info.to_string());
        }));
        Self { seed, watch }
    }

    /// Tries every seed, then mutations of them until time is up or something fails.
    pub(crate) fn run(&self, target: &Target, time: Duration) -> Option<Finding> {
        let garden = Garden::new(target.kind, &target.seeds);
        let mut rng = SmallRng::seed_from_u64(self.seed ^ hash(target.name));
        let began = now(ClockId::Monotonic);
        let mut cases = 0;
        loop {
            let plain = usize::try_from(cases).ok().and_then(|at| garden.seed(at));
            let is_over = now(ClockId::Monotonic).saturating_sub(began) >= time;
            if is_over && plain.is_none() {
                break;
            }
            cases += 1;
            let salt = rng.random();
            let input = plain.unwrap_or_else(|| garden.grow(&mut rng));
            if let Some(flaw) = self.judge(target, &input, salt) {
                return Some(self.found(target, cases, (flaw, input), salt));
            }
        }
        let spent = now(ClockId::Monotonic).saturating_sub(began);
        println!(
            "{:24} {cases:8} inputs in {:.1} s",
            target.name,
            spent.as_secs_f64()
        );
        None
    }

    /// Tries one input with many salts.
    pub(crate) fn replay(&self, target: &Target, input: &[u8]) -> Option<Finding> {
        (0..REPLAYS).find_map(|salt| {
            let flaw = self.judge(target, input, salt)?;
            Some(self.found(target, salt, (flaw, input.to_vec()), salt))
        })
    }

    fn found(
        &self,
        target: &Target,
        cases: u64,
        (flaw, input): (String, Vec<u8>),
        salt: u64,
    ) -> Finding {
        let (flaw, input) = self.shrink(target, (flaw, input), salt);
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", target.name));
        std::fs::write(&kept, &input).unwrap();
        Finding {
            target: target.name,
            seed: self.seed,
            cases,
            flaw,
            input,
            kept,
        }
    }

    /// What is wrong with an input, if anything.
    fn judge(&self, target: &Target, input: &[u8], salt: u64) -> Option<String> {
        self.watch.send(input.to_vec()).unwrap();
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            let mut rng = SmallRng::seed_from_u64(salt);
            let mut ended = None;
            let before = now(ClockId::ThreadCPUTime);
            let memory = measure(|| {
                let tried = catch_unwind(AssertUnwindSafe(|| (target.check)(input, &mut rng)));
                ended = Some(tried);
            });
            let spent = now(ClockId::ThreadCPUTime).saturating_sub(before);
            match ended {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(flaw))) => return Some(flaw),
                Some(Err(_)) | None => {
                    return Some(SAID.with_borrow(|said| format!("panic: {said}")));
                }
            }
            let most = target.growth * input.len() as u64 + FREE_MEMORY;
            if memory.bytes_max > most {
                let times = memory.bytes_max / input.len().max(1) as u64;
                return Some(format!(
                    "memory: {} bytes, {times} times the input",
                    memory.bytes_max
                ));
            }
            fastest = fastest.min(spent);
            if fastest <= MOST_CPU {
                return None;
            }
        }
        Some(format!("time: {fastest:?}"))
    }

    /// A shorter input that fails in the same way.
    fn shrink(
        &self,
        target: &Target,
        (mut flaw, mut input): (String, Vec<u8>),
        salt: u64,
    ) -> (String, Vec<u8>) {
        let class = |flaw: &str| flaw.split(':').next().unwrap_or_default().to_owned();
        let mut left = SHRINKS;
        let mut size = input.len() / 2;
        while size > 0 && left > 0 {
            let mut at = 0;
            let mut shorter = false;
            while at < input.len() && left > 0 {
                left -= 1;
                let mut tried = input.clone();
                tried.drain(at..(at + size).min(input.len()));
                match self.judge(target, &tried, salt) {
                    Some(other) if class(&other) == class(&flaw) => {
                        (flaw, input, shorter) = (other, tried, true);
                    }
                    _ => at += size,
                }
            }
            if !shorter || size > 1 {
                size /= 2;
            }
        }
        (flaw, input)
    }
}

/// Ends the process when an input takes too long.
fn guard(watched: &Receiver<Vec<u8>>) {
    let Ok(mut input) = watched.recv() else {
        return;
    };
    loop {
        match watched.recv_timeout(HANGS) {
            Ok(next) => input = next,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                println!("HANGS on {} bytes: {}", input.len(), input.escape_ascii());
                std::process::abort();
            }
        }
    }
}

/// A seed that differs from run to run.
pub(crate) fn drawn() -> u64 {
    u64::try_from(now(ClockId::Realtime).as_micros()).unwrap_or_default() & 0xffff_ffff
}

/// The time on a clock of the system.
fn now(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// A number for a name (FNV-1a).
fn hash(name: &str) -> u64 {
    let mix = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}
