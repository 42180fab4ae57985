//! How is the target driven, and what did its clients see?
//!
//! One thread, one epoll set, nonblocking sockets and hand-made HTTP/1.1: cheap enough that the load is not the bottleneck.
//! A closed loop sends the next request when a response is complete, and finds the highest throughput.
//! An open loop sends at a constant rate whatever the target does; latency counts from the instant a request was *due*, so a stall is seen by every request that it delays.
//!
//! # Invariants
//! - Every response is checked; a failure is counted, its first few texts are kept, and its connection replaced.
//! - Requests due in the measured window are waited for after its end, so slow ones are not left out.
//! - Only samples due inside the window count.

mod connection;
mod response;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use self::connection::{Connection, Progress};
use crate::samples::Samples;

pub use self::response::{Response, Wrong};

/// The epoll key of the arrival timer; connections use their index.
const TIMER: u64 = u64::MAX;

/// Bytes read at once: more than any response measured here.
const SCRATCH: usize = 64 * 1024;

/// How long responses are waited for after the window; one slower than this is a failure.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connections kept for an open loop: many times what is in flight at the rates measured.
const OPEN_CONNECTIONS: usize = 128;

/// Failure texts kept of a run; more say nothing new.
const TEXTS: usize = 3;

/// What is asked, of whom, and what a right answer is.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where to connect.
    pub address: SocketAddr,
    /// The whole request, head and body.
    pub request: Vec<u8>,
    /// Where requests differ; none asks for the same again and again.
    pub varied: Option<Varied>,
    /// Events of a complete stream, at least; zero for an answer in one piece.
    pub events: usize,
    /// A line that the head of every right answer has; empty for none.
    pub line: &'static str,
}

/// A number in a request that counts up from request to request.
#[derive(Clone, Copy, Debug)]
pub struct Varied {
    /// Where its [`DIGITS`] stand in the request.
    pub at: usize,
    /// The first number.
    pub first: u64,
    /// How many there are before it begins again, at least 1.
    pub count: u64,
}

/// Digits of the number that varies: enough for a run of a day.
pub const DIGITS: usize = 12;

/// How requests follow one another.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// So many connections, each sending its next request at once.
    Closed {
        /// Connections, at least 1.
        connections: usize,
    },
    /// So many requests a second, whatever happens to them.
    Open {
        /// Requests per second, above 0.
        rate: f64,
    },
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How requests follow one another.
    pub pace: Pace,
    /// Load before the window, not counted.
    pub warm_up: Duration,
    /// The window.
    pub window: Duration,
}

/// What the clients saw in the window.
#[derive(Debug, Default)]
pub struct Measured {
    /// Responses complete and right.
    pub requests: u64,
    /// The window's length in seconds.
    pub seconds: f64,
    /// From due to complete.
    pub latency: Samples,
    /// From due to the first event; streams only.
    pub first: Samples,
    /// Between reads that brought events; streams only.
    pub gaps: Samples,
    /// What the meter counted between the window's ends.
    pub metered: u64,
    /// Responses that were wrong or missing.
    pub failed: u64,
    /// The first few failures.
    pub texts: Vec<String>,
    window: Option<(Instant, Instant)>,
}

impl Measured {
    fn counts(&self, at: Instant) -> bool {
        self.window.is_some_and(|(from, to)| from <= at && at < to)
    }

    fn note_first(&mut self, due: Instant, now: Instant) {
        if self.counts(due) {
            self.first.push(now - due);
        }
    }

    fn note_gap(&mut self, last: Instant, now: Instant) {
        if self.counts(last) {
            self.gaps.push(now - last);
        }
    }

    fn note_failure(&mut self, error: &anyhow::Error) {
        self.failed += 1;
        if self.texts.len() < TEXTS {
            self.texts.push(format!("{error:#}"));
        }
    }

    /// Requests per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// Drives the target; `meter` is read at both ends of the window, as for the CPU time of the target's process.
///
/// # Errors
/// If the target cannot be connected to, or the kernel refuses an epoll set or a timer.
pub fn run(target: &Target, plan: &Plan, meter: impl FnMut() -> u64) -> anyhow::Result<Measured> {
    let mut driver = Driver::new(target, plan, meter)?;
    driver.drive()?;
    Ok(driver.measured)
}

/// The state of one run.
struct Driver<'a, M> {
    target: &'a Target,
    plan: &'a Plan,
    meter: M,
    epoll: OwnedFd,
    timer: Option<OwnedFd>,
    connections: Vec<Connection>,
    idle: Vec<usize>,
    waiting: VecDeque<Instant>,
    scratch: Vec<u8>,
    measured: Measured,
    started: Instant,
    interval: Duration,
    arrived: u32,
    in_flight: usize,
    /// The request as it is sent next.
    request: Vec<u8>,
    sent: u64,
}

impl<'a, M: FnMut() -> u64> Driver<'a, M> {
    fn new(target: &'a Target, plan: &'a Plan, meter: M) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (count, rate) = match plan.pace {
            Pace::Closed { connections } => (connections, None),
            Pace::Open { rate } => (OPEN_CONNECTIONS, Some(rate)),
        };
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let connection = Connection::open(target.address, Instant::now())?;
            let key = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, &connection.socket, key, epoll::EventFlags::IN)?;
            connections.push(connection);
        }
        let interval = Duration::from_secs_f64(rate.map_or(0.0, |rate| 1.0 / rate));
        let started = Instant::now();
        let timer = rate.map(|_| arrivals(interval)).transpose()?;
        if let Some(timer) = &timer {
            let key = epoll::EventData::new_u64(TIMER);
            epoll::add(&epoll, timer, key, epoll::EventFlags::IN)?;
        }
        Ok(Self {
            target,
            plan,
            meter,
            epoll,
            timer,
            connections,
            idle: (0..count).collect(),
            waiting: VecDeque::new(),
            scratch: vec![0; SCRATCH],
            measured: Measured::default(),
            started,
            interval,
            arrived: 0,
            in_flight: 0,
            request: target.request.clone(),
            sent: 0,
        })
    }

    fn drive(&mut self) -> anyhow::Result<()> {
        let from = self.started + self.plan.warm_up;
        let to = from + self.plan.window;
        self.measured.window = Some((from, to));
        if matches!(self.plan.pace, Pace::Closed { .. }) {
            while let Some(index) = self.idle.pop() {
                self.send(index, Instant::now())?;
            }
        }
        let mut events = Vec::with_capacity(256);
        let mut at_start = None;
        let mut at_end = None;
        loop {
            let now = Instant::now();
            if at_start.is_none() && now >= from {
                at_start = Some((self.meter)());
            }
            if at_end.is_none() && now >= to {
                at_end = Some((self.meter)());
                self.timer = None;
            }
            if at_end.is_some() && (self.is_quiet() || now >= to + PATIENCE) {
                break;
            }
            self.wait(&mut events)?;
            for event in events.drain(..) {
                self.serve(event.data.u64(), at_end.is_none())?;
            }
        }
        let left = self.in_flight + self.waiting.len();
        if left > 0 {
            self.measured
                .note_failure(&anyhow::anyhow!("{left} requests were never answered"));
            self.measured.failed += left as u64 - 1;
        }
        self.measured.seconds = self.plan.window.as_secs_f64();
        self.measured.metered = at_end.unwrap_or(0) - at_start.unwrap_or(0);
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        self.in_flight == 0 && self.waiting.is_empty()
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) -> anyhow::Result<()> {
        let bound = Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&bound)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn serve(&mut self, key: u64, sending: bool) -> anyhow::Result<()> {
        if key == TIMER {
            return self.arrive();
        }
        let index = usize::try_from(key)?;
        let read = self.connections[index].read(&mut self.scratch, self.target, &mut self.measured);
        match read {
            Ok(Progress::Waiting) => return Ok(()),
            Ok(Progress::Done { due }) => self.note_done(due),
            Err(error) => {
                let was_idle = !self.connections[index].is_busy();
                self.replace(index, &error)?;
                if was_idle {
                    return Ok(());
                }
            }
        }
        let closed = matches!(self.plan.pace, Pace::Closed { .. });
        if closed && sending {
            return self.send(index, Instant::now());
        }
        match self.waiting.pop_front() {
            Some(due) => self.send(index, due),
            None => {
                self.idle.push(index);
                Ok(())
            }
        }
    }

    fn note_done(&mut self, due: Instant) {
        self.in_flight -= 1;
        let now = Instant::now();
        if self.measured.counts(due) {
            self.measured.latency.push(now - due);
        }
        if self.measured.counts(now) {
            self.measured.requests += 1;
        }
    }

    /// Takes the arrivals since the last call and sends what connections there are for.
    fn arrive(&mut self) -> anyhow::Result<()> {
        let Some(timer) = &self.timer else {
            return Ok(());
        };
        let mut expired = [0_u8; 8];
        match rustix::io::read(timer, &mut expired) {
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for _ in 0..u64::from_ne_bytes(expired) {
            self.arrived += 1;
            let due = self.started + self.interval * self.arrived;
            match self.idle.pop() {
                Some(index) => self.send(index, due)?,
                None => self.waiting.push_back(due),
            }
        }
        Ok(())
    }

    fn send(&mut self, index: usize, due: Instant) -> anyhow::Result<()> {
        self.in_flight += 1;
        self.vary();
        match self.connections[index].send(&self.request, due) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.replace(index, &error)?;
                self.idle.push(index);
                Ok(())
            }
        }
    }

    /// Writes the next number into the request, if it has one.
    fn vary(&mut self) {
        let Some(varied) = self.target.varied else {
            return;
        };
        let mut left = varied.first + self.sent % varied.count.max(1);
        self.sent += 1;
        let digits = self.request.iter_mut().skip(varied.at).take(DIGITS);
        for digit in digits.rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
    }

    /// Counts a failure and opens the connection anew.
    fn replace(&mut self, index: usize, error: &anyhow::Error) -> anyhow::Result<()> {
        self.measured.note_failure(error);
        if self.connections[index].is_busy() {
            self.in_flight -= 1;
        }
        let connection = Connection::open(self.target.address, Instant::now())?;
        let key = epoll::EventData::new_u64(index as u64);
        epoll::add(&self.epoll, &connection.socket, key, epoll::EventFlags::IN)?;
        self.connections[index] = connection;
        Ok(())
    }
}

/// A timer that expires every `interval` from now on.
fn arrivals(interval: Duration) -> anyhow::Result<OwnedFd> {
    let interval = Timespec {
        tv_sec: i64::try_from(interval.as_secs())?,
        tv_nsec: interval.subsec_nanos().into(),
    };
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
    let every = Itimerspec {
        it_interval: interval,
        it_value: interval,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
    Ok(timer)
}

/// A `POST` of a JSON body, kept alive.
#[must_use]
pub fn post(address: SocketAddr, path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: trimtab-bench\r\naccept: */*\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
