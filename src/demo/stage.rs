//! Who is on stage, and for how long?
//!
//! Starts gateway, providers, twin and client, shows a scene several times a second, and takes everything down in order.
//! The stage is the main thread: all others only work.
//!
//! # Invariants
//! - Whatever was started has ended when [`play`] returns.
//! - A run that is cut short still ends with every figure that was measured.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scoring::time::{Span, Time};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, watch};

use super::client::{self, Address, Task};
use super::orders::Orders;
use super::plain::Plain;
use super::routes::{Observer, Standing};
use super::scene::{Diary, Scene, SideScene};
use super::screen;
use super::script::{CAST, MODEL, ROUTES};
use super::summary::Summary;
use super::tally::{Sample, Side, Tally};
use super::twin::Begun;
use super::{DemoError, Plan, View};
use crate::app::Gateway;
use crate::clock;
use crate::config::{Admin, Config, Endpoint, Key, Model, Provider, RouteSpec, Secret, Server};
use crate::mock;
use crate::terminal::Screen;

/// Time between two scenes: fluent to the eye, nothing to the processor.
const TICK: Duration = Duration::from_millis(100);

/// What "the last seconds" are at speed 1 and at high speed; shorter is noise at the usual rate.
const WINDOWS: (Span, Span) = (Span::from_secs(5), Span::from_secs(2));

/// Part of the story that "the last seconds" may be.
const WINDOW_PART: u64 = 36;

/// Samples that may wait to be counted: more than arrive between two scenes.
const QUEUE: usize = 4_096;

/// Time that requests made by hand are given when the demo ends.
const DRAIN: Duration = Duration::from_secs(2);

/// Everything that is on stage but the gateway.
struct Stage {
    plan: Plan,
    begun: Time,
    address: SocketAddr,
    admin: SocketAddr,
    tally: Tally,
    observer: Observer,
    diary: Diary,
    standings: [Standing; ROUTES],
    twin: Arc<Begun>,
    samples: mpsc::Receiver<Sample>,
    cut: watch::Sender<bool>,
}

/// What shows the scenes.
#[derive(Debug)]
enum Shown {
    Screen(Box<Screen>),
    Plain(Plain<io::Stdout>),
}

/// Plays a plan to its end.
pub(super) fn play(plan: Plan) -> Result<Summary, DemoError> {
    let gateway = Gateway::start(config(&plan), None)?;
    let played = beside(&gateway, plan);
    gateway.control().drain();
    gateway.wait();
    played
}

/// Plays with a gateway that runs.
fn beside(gateway: &Gateway, plan: Plan) -> Result<Summary, DemoError> {
    let twins = mock::Mock::start(plan.story.script(plan.seed))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (send, samples) = mpsc::channel(QUEUE);
    let (cut, is_cut) = watch::channel(false);
    let begun = clock::now();
    let twin = Arc::new(Begun::default());
    let client = client::start(Task {
        gateway: Address::new(gateway.address)?,
        twin: Address::new(twins.addr)?,
        by_twin: Arc::clone(&twin),
        seed: plan.seed,
        orders: Orders::new(plan.rate, plan.seed),
        length: plan.story.length(),
        begun,
        samples: send,
        cut: is_cut,
    })?;
    let window = window(plan.story.length());
    let mut stage = Stage {
        plan,
        begun,
        address: gateway.address,
        admin: gateway.admin,
        tally: Tally::new(plan.story, window),
        observer: Observer::new(Arc::clone(&gateway.shared), window),
        diary: Diary::default(),
        standings: [Standing::default(); ROUTES],
        twin,
        samples,
        cut,
    };
    let played = runtime.block_on(stage.run());
    stage.cut.send_replace(true);
    drop(stage.samples);
    // A client that has panicked has told so already.
    let _ = client.join();
    played?;
    let ended = clock::now().since(begun);
    Ok(Summary::new(
        plan.story,
        ended.min(plan.story.length()),
        &stage.tally,
    ))
}

impl Stage {
    async fn run(&mut self) -> Result<(), DemoError> {
        let mut signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        let mut shown = match self.plan.view {
            View::Screen => Shown::Screen(Box::new(Screen::open()?)),
            View::Plain => Shown::Plain(Plain::new(io::stdout())),
        };
        if let Shown::Plain(plain) = &mut shown {
            written(plain.open(&self.scene()))?;
        }
        let mut every = tokio::time::interval(TICK);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = any(&mut signals) => drop(self.cut.send_replace(true)),
            }
            let done = self.collect();
            self.turn();
            let scene = self.scene();
            let enough = match &mut shown {
                Shown::Screen(screen) => screen::show(screen, &scene)?,
                Shown::Plain(plain) => written(plain.show(&scene))?,
            };
            if enough {
                self.cut.send_replace(true);
            }
            if done {
                return Ok(());
            }
        }
    }

    /// Counts the samples that have come; true when there will be no more.
    fn collect(&mut self) -> bool {
        loop {
            match self.samples.try_recv() {
                Ok(sample) => self.tally.add(sample),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    /// Moves the time on, as long as orders are sent.
    fn turn(&mut self) {
        let (at, now) = (self.at(), clock::now());
        self.standings = self.observer.read(at, now);
        if self.is_ending() {
            return;
        }
        let by_gateway = self.standings.map(|route| route.begun);
        self.tally.turn(at, [by_gateway, self.twin.counts()]);
        self.diary
            .turn(self.plan.story, at, &self.standings, &self.tally);
    }

    fn at(&self) -> Span {
        clock::now().since(self.begun)
    }

    fn is_ending(&self) -> bool {
        *self.cut.borrow() || self.at() >= self.plan.story.length()
    }

    fn scene(&self) -> Scene<'_> {
        let at = self.at().min(self.plan.story.length());
        Scene {
            story: self.plan.story,
            at,
            rate: self.plan.rate,
            seed: self.plan.seed,
            gateway: self.address,
            admin: self.admin,
            routes: self.standings,
            sides: Side::BOTH.map(|side| SideScene::of(&self.tally, side, at)),
            diary: &self.diary,
            ending: self.is_ending(),
        }
    }
}

/// Whether whoever reads has seen enough.
fn written(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        result => result.map(|()| false),
    }
}

/// Resolves at the first of `signals`.
async fn any(signals: &mut [Signal; 3]) {
    let [one, two, three] = signals;
    tokio::select! {
        _ = one.recv() => {}
        _ = two.recv() => {}
        _ = three.recv() => {}
    }
}

/// How far "the last seconds" reach in a story of this length.
fn window(length: Span) -> Span {
    let part = Span::from_micros(length.as_micros() / WINDOW_PART);
    part.clamp(WINDOWS.1, WINDOWS.0)
}

/// The gateway's configuration, as a file would say it.
fn config(plan: &Plan) -> Config {
    let provider = |name: &str| {
        let key = Key::new("main", Secret::new(""));
        Provider::new(name, Endpoint::Mock, vec![key])
    };
    let route = |(index, actor): (usize, &super::script::Actor)| RouteSpec {
        weight: actor.weight,
        ..RouteSpec::new(index, MODEL)
    };
    Config {
        server: Server {
            listen: plan.listen,
            drain: DRAIN,
            ..Server::default()
        },
        admin: Admin {
            listen: plan.admin,
            ..Admin::default()
        },
        providers: CAST.iter().map(|actor| provider(actor.name)).collect(),
        models: vec![Model::new(
            MODEL,
            CAST.iter().enumerate().map(route).collect(),
        )],
        mock: Some(plan.story.script(plan.seed)),
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_shrinks_with_the_story_but_not_to_noise() {
        for (length, expected) in [(1_800, 5), (180, 5), (108, 3), (30, 2), (6, 2)] {
            assert_eq!(
                window(Span::from_secs(length)),
                Span::from_secs(expected),
                "{length} s"
            );
        }
    }
}
