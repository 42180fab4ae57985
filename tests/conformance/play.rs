//! Plays one script through both sides and holds what came against each other.
//!
//! # Invariants
//! - The world is asked in the order and at the instants at which the stand-in had read the requests.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use scoring::ceiling::{LimitReport, Reading};
use scoring::time::{Span, Time};
use sim::trace::{Request, Trace};
use sim::world::{Fate, START, Sending, World};
use tokio::net::TcpListener;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};
use trimtab::clock;
use trimtab::dialects::limits::LimitDialect;
use trimtab::mock::{Attempt, Mock};

use crate::reading::{Reader, Seen};
use crate::scene::{Asked, NAME, Scene};
use crate::support::{Call, Client, Ended, PATIENCE, paused};

/// The grain of the runtime's timers.
const GRAIN: Span = Span::from_millis(1);

/// The stand-in rounds each pause to 1 µs, the world their sum: half of it for each of 60 tokens.
const ROUNDING_US: u64 = 30;

/// A time that slices of 1, 6, 7 and 10 s all divide, in µs.
const MINUTES: u64 = 420_000_000;

/// Seed of the world's noise; the stand-in's is 0.
const SEED: u64 = 7;

/// What became of one request on either side.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) asked: Asked,
    pub(crate) seen: Seen,
    pub(crate) fate: Fate,
}

/// Plays the script through both, in the order in which the stand-in read the requests.
pub(crate) fn play(scene: &Scene, asked: &[Asked]) -> Vec<Pair> {
    let (seen, attempts) = paused(|| ask_mock(scene, asked));
    assert_eq!(attempts.len(), asked.len());
    let order: Vec<usize> = attempts.iter().map(|it| it.tag.parse().unwrap()).collect();
    let requests: Vec<(Time, Request)> = attempts
        .iter()
        .zip(&order)
        .map(|(attempt, &number)| {
            assert_eq!(attempt.input_tokens, asked[number].input, "tokens");
            let at = START.plus(Span::from_micros(attempt.at_us));
            (at, scene.request(&asked[number]))
        })
        .collect();
    let fates = ask_world(scene, &requests);
    let pair = |(number, fate): (&usize, Fate)| Pair {
        asked: asked[*number],
        seen: seen[*number],
        fate,
    };
    order.iter().zip(fates).map(pair).collect()
}

/// Plays it, and panics unless both sides agree on everything.
pub(crate) fn agree(scene: &Scene, asked: &[Asked]) -> Vec<Fate> {
    let pairs = play(scene, asked);
    for (number, pair) in pairs.iter().enumerate() {
        let wrong = pair.differences(scene);
        assert!(
            wrong.is_empty(),
            "{} differ in number {number} of {}\n{pair:#?}\n{scene:#?}",
            wrong.join(", "),
            pairs.len()
        );
    }
    pairs.into_iter().map(|pair| pair.fate).collect()
}

impl Pair {
    /// The names of what differs.
    fn differences(&self, scene: &Scene) -> Vec<&'static str> {
        let Self { seen, fate, .. } = self;
        // Moved off the grain, the clock stays off it: a timer waits for the grain and for what it is off.
        let grains = if scene.on_the_minute { 2 } else { 1 };
        let near = |seen: Option<Span>, fate: Option<Span>| match (seen, fate) {
            (Some(seen), Some(fate)) => late(seen, fate, grains),
            (seen, fate) => seen == fate,
        };
        // What follows the first token is paced from when that came.
        let rest = |end: Span, first: Option<Span>| {
            let first = first.unwrap_or(Span::ZERO).as_micros();
            Some(Span::from_micros(end.as_micros() - first))
        };
        let end = near(rest(seen.end, seen.first), rest(fate.end, fate.first));
        let checks = [
            ("outcome", seen.outcome == fate.outcome),
            ("first", near(seen.first, fate.first)),
            ("end", end),
            ("retry_after", seen.retry_after == fate.retry_after),
            (
                "told",
                same_report(scene, seen.told, fate.told.as_deref().copied()),
            ),
            (
                "refused",
                same_report(scene, seen.refused, fate.refused.as_deref().copied()),
            ),
            (
                "output",
                !self.asked.class.decodes() || seen.output == fate.output,
            ),
            // The simulator tells limits with the head, so it must know when one came.
            ("head", fate.told.is_none() || near(seen.head, fate.head)),
        ];
        checks
            .iter()
            .filter_map(|(name, same)| (!same).then_some(*name))
            .collect()
    }
}

/// Whether what was seen came when it was to come, or within so many of the timers' grains.
fn late(seen: Span, fate: Span, grains: u64) -> bool {
    let (seen, fate) = (seen.as_micros(), fate.as_micros());
    seen + ROUNDING_US >= fate && seen < fate + grains * GRAIN.as_micros() + ROUNDING_US
}

fn same_report(scene: &Scene, seen: Option<LimitReport>, fate: Option<LimitReport>) -> bool {
    let (Some(seen), Some(fate)) = (seen, fate) else {
        return seen == fate;
    };
    // Anthropic tells resets as instants, to the second, of a wall clock that nobody pauses.
    let slack = match scene.told().0 {
        LimitDialect::Anthropic => 1_010_000,
        _ => 0,
    };
    let same = |seen: Option<Reading>, fate: Option<Reading>| {
        let resets = |it: Option<Reading>| it.and_then(|it| it.reset).map(Span::as_micros);
        let bare = |it: Option<Reading>| it.map(|it| Reading { reset: None, ..it });
        let near = match (resets(seen), resets(fate)) {
            (Some(seen), Some(fate)) => seen.abs_diff(fate) <= slack,
            (seen, fate) => seen == fate,
        };
        bare(seen) == bare(fate) && near
    };
    (seen.refused, seen.source) == (fate.refused, fate.source)
        && same(seen.requests, fate.requests)
        && same(seen.tokens, fate.tokens)
        && same(seen.input_tokens, fate.input_tokens)
        && same(seen.output_tokens, fate.output_tokens)
}

/// Asks the stand-in; returns what came by request, and its ledger in the order in which it read them.
async fn ask_mock(scene: &Scene, asked: &[Asked]) -> (Vec<Seen>, Vec<Attempt>) {
    if scene.on_the_minute {
        let past = (clock::now().as_micros() + MINUTES - START.as_micros()) % MINUTES;
        tokio::time::advance(Duration::from_micros(MINUTES - past)).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mock = Mock::new(scene.script()).unwrap();
    spawn_local(mock.serve(listener, std::future::pending::<()>()));
    let began = Instant::now();
    let clocks = scene.scenario().clocks;
    let idle = Rc::new(RefCell::new(Vec::new()));
    let mut under_way = Vec::new();
    for (number, &asked) in asked.iter().enumerate() {
        sleep_until(began + Duration::from_millis(asked.at_ms)).await;
        let reader = Reader {
            dialect: scene.told().0,
            clocks,
            stream: asked.class.streams(),
        };
        let idle = Rc::clone(&idle);
        under_way.push(spawn_local(async move {
            let (path, body) = asked.body("model", number);
            let call = Call::post(&format!("/{NAME}/v1/{path}"), body.to_string());
            ask(&call, reader, address, &idle).await
        }));
    }
    let mut seen = Vec::new();
    for task in under_way {
        seen.push(task.await.unwrap());
    }
    (seen, mock.attempts())
}

/// Makes one request on an idle connection or a new one.
async fn ask(call: &Call, reader: Reader, to: SocketAddr, idle: &RefCell<Vec<Client>>) -> Seen {
    let known = idle.borrow_mut().pop();
    let mut client = match known {
        Some(client) => client,
        None => Client::open(to).await,
    };
    let began = Instant::now();
    client.send(&call.bytes()).await;
    let got = client.answer_within(PATIENCE).await;
    let took = began.elapsed();
    if got.as_ref().is_ok_and(|it| it.ended == Ended::Whole) {
        idle.borrow_mut().push(client);
    }
    reader.read(got, took)
}

/// Asks the world at the given instants, and ends each attempt at its time.
pub(crate) fn ask_world(scene: &Scene, requests: &[(Time, Request)]) -> Vec<Fate> {
    let (scenario, trace) = (scene.scenario(), Trace::default());
    let mut world = World::new(&scenario, &trace, SEED);
    let mut under_way: Vec<(Time, Fate)> = Vec::new();
    let mut fates = Vec::new();
    for (number, (at, request)) in requests.iter().enumerate() {
        under_way.sort_by_key(|it| it.0);
        let due = under_way.partition_point(|it| it.0 <= *at);
        for (_, fate) in under_way.drain(..due) {
            world.end(0, &fate);
        }
        let sending = Sending {
            number: number as u64,
            request,
            route: 0,
            earlier: 0,
        };
        let fate = world.send(&sending, *at);
        under_way.push((at.plus(fate.end), fate.clone()));
        fates.push(fate);
    }
    fates
}
