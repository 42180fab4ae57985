//! The whole gateway before the stand-in, against the engine before the world: the same attempts, with the same ends at the same times.
//!
//! One route, one replica, and `scoring`'s own selection on either side; a spy on the engine's policy writes down what the engine tells it.
//!
//! # Invariants
//! - Only back-off and spread of waits are drawn on either side, so counts and ends are equal and only the instants of retries are ranges.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::ceiling::LimitReport;
use scoring::route::End;
use scoring::select::{Decision, Pick, Pool};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;
use sim::engine::{self, Setup};
use sim::measure::{Recorder, Watch};
use sim::policy::{Adaptive, Flight, Glimpse, Moment, Policy, Seat};
use sim::trace::Trace;
use sim::world::START;
use tokio::time::{Instant, sleep_until};

use crate::faults::KINDS;
use crate::scene::{Asked, NAME, Scene};
use crate::support::{Bench, Call, Client, Spec, paused};

/// Model that clients ask for.
const MODEL: &str = "main";

/// One attempt, as either side tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Attempted {
    /// Since the beginning.
    at: Span,
    outcome: Outcome,
    end: Span,
}

/// One request of a client.
#[derive(Clone, Debug, Default)]
struct Served {
    /// How often an attempt ended how.
    outcomes: BTreeMap<&'static str, u32>,
    /// When each attempt was made, since the beginning.
    at: Vec<Span>,
    /// When the last attempt had ended.
    end: Option<Span>,
}

/// Plays the script through the gateway; requests must not overlap.
async fn ask_gateway(scene: &Scene, asked: &[Asked]) -> Vec<Served> {
    let began = Instant::now();
    let bench = Bench::start(&spec(scene).text(), None).await;
    let mut before = outcomes(&bench).await;
    let mut all = Vec::new();
    for (number, asked) in asked.iter().enumerate() {
        sleep_until(began + Duration::from_millis(asked.at_ms)).await;
        let (path, body) = asked.body(MODEL, number);
        let call = Call::post(&format!("/v1/{path}"), body.to_string());
        let answer = Client::open(bench.address).await.call(&call).await;
        let mut seen = bench.seen(NAME);
        seen.retain(|attempt| *attempt.tag == *number.to_string());
        let told: usize = answer
            .header("x-trimtab-attempts")
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(told, seen.len(), "{answer:?}");
        let after = outcomes(&bench).await;
        let gained = after
            .iter()
            .map(|(name, count)| (*name, count - before.get(name).copied().unwrap_or_default()));
        all.push(Served {
            outcomes: gained.filter(|(_, count)| *count > 0).collect(),
            at: seen.iter().map(|it| Span::from_micros(it.at_us)).collect(),
            end: Some((Duration::from_millis(asked.at_ms) + answer.took).into()),
        });
        before = after;
    }
    all
}

/// The gateway's configuration.
fn spec(scene: &Scene) -> Spec {
    Spec::new().with(&format!(
        "[timeouts]\n{}\n[retry]\n{}\n[models.{MODEL}]\nroutes = [{{ provider = \"{NAME}\" }}]\n\
         [providers.{NAME}]\nbase_url = \"mock\"\nlimits = \"{}\"\nkeys = [{{ name = \"key\", secret = \"sk-0123\" }}]\n\
         [mock.providers.{NAME}]\n{}",
        scene.clocks,
        scene.retry[1],
        scene.told().1,
        scene.stand_in("mock."),
    ))
}

/// How many attempts the gateway says ended how.
async fn outcomes(bench: &Bench) -> BTreeMap<&'static str, u32> {
    let metrics = bench.metrics().await;
    let count = |outcome: Outcome| {
        let label = format!("outcome=\"{}\"", outcome.name());
        let sum = metrics.sum("provider_attempts_total", &[&label]);
        (outcome.name(), sum as u32)
    };
    Outcome::ALL.map(count).into_iter().collect()
}

/// Plays it through the engine.
fn ask_engine(scene: &Scene, asked: &[Asked]) -> Vec<Served> {
    let mut scenario = scene.scenario();
    scenario.duration = Span::from_millis(asked.last().unwrap().at_ms + 1_000);
    let trace = Trace {
        requests: asked.iter().map(|it| scene.request(it)).collect(),
        ..Trace::default()
    };
    let setup = Setup {
        scenario: &scenario,
        trace: &trace,
        seed: 7,
        tuning: &Tuning::default(),
    };
    let attempts = Rc::new(RefCell::new(Vec::<Attempted>::new()));
    let recorder = Recorder::new(&scenario, Watch::Numbers);
    engine::run(&setup, recorder, |seat: &Seat<'_>| Spy {
        ours: Adaptive::new(seat),
        attempts: Rc::clone(&attempts),
    });
    let attempts = attempts.borrow();
    let mut all = Vec::new();
    for (number, request) in asked.iter().enumerate() {
        let from = Span::from_millis(request.at_ms);
        let until = asked.get(number + 1).map(|it| Span::from_millis(it.at_ms));
        let within = |it: &&Attempted| it.at >= from && until.is_none_or(|until| it.at < until);
        let mut served = Served::default();
        for attempt in attempts.iter().filter(within) {
            *served.outcomes.entry(attempt.outcome.name()).or_default() += 1;
            served.at.push(attempt.at);
            served.end = Some(attempt.end);
        }
        all.push(served);
    }
    all
}

/// Our own policy, and a note of each attempt that the engine told it of.
struct Spy {
    ours: Adaptive,
    attempts: Rc<RefCell<Vec<Attempted>>>,
}

impl Policy for Spy {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        self.ours.decide(moment, rng)
    }

    fn begin(&mut self, flight: &Flight, pick: &Pick) -> Option<Time> {
        self.ours.begin(flight, pick)
    }

    fn overdue(&mut self, flight: &Flight, now: Time) {
        self.ours.overdue(flight, now);
    }

    fn first_byte(&mut self, flight: &Flight, now: Time) {
        self.ours.first_byte(flight, now);
    }

    fn limits(&mut self, flight: &Flight, report: &LimitReport, now: Time) {
        self.ours.limits(flight, report, now);
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        self.attempts.borrow_mut().push(Attempted {
            at: flight.sent.since(START),
            outcome: end.outcome,
            end: now.since(START),
        });
        self.ours.finish(flight, end, now);
    }

    fn tick(&mut self, now: Time) {
        self.ours.tick(now);
    }

    fn admits(&self, route: usize, now: Time) -> bool {
        self.ours.admits(route, now)
    }

    fn glimpse(&self, now: Time) -> Vec<Glimpse> {
        self.ours.glimpse(now)
    }

    fn pool(&self) -> Option<&Pool> {
        self.ours.pool()
    }
}

/// Plays it through both; panics unless every request had the same attempts with the same ends.
fn agree(scene: &Scene, asked: &[Asked]) -> [Vec<Served>; 2] {
    let gateway = paused(|| ask_gateway(scene, asked));
    let engine = ask_engine(scene, asked);
    for (number, (gateway, engine)) in gateway.iter().zip(&engine).enumerate() {
        let complaint =
            || format!("request {number}\ngateway: {gateway:?}\nengine: {engine:?}\n{scene:#?}");
        assert_eq!(gateway.outcomes, engine.outcomes, "{}", complaint());
        assert_eq!(gateway.at.len(), engine.at.len(), "{}", complaint());
        assert_eq!(gateway.at.first(), engine.at.first(), "{}", complaint());
        // After one attempt nothing has been drawn; the grain of two timers is 2 ms.
        if let ([_], Some(expected)) = (&*engine.at, engine.end) {
            let end = gateway.end.unwrap().as_micros();
            let late = end.wrapping_sub(expected.as_micros());
            assert!(late <= 2_000, "{late} {}", complaint());
        }
    }
    [gateway, engine]
}

#[test]
fn each_fault_ends_an_attempt_of_the_gateway_as_of_the_engine() {
    for (kind, streamed, whole) in KINDS {
        for (asked, outcome) in [
            (Asked::stream(0, 200), streamed),
            (Asked::whole(0, 200), whole),
            (Asked::embedding(0, 200), whole),
        ] {
            let scene = Scene::calm().fault(&format!("kind = '{kind}'"));
            let [served, _] = agree(&scene, &[asked]);
            let expected = BTreeMap::from([(outcome.name(), 1)]);
            assert_eq!(served[0].outcomes, expected, "{kind}");
        }
    }
}

/// A port at which nobody listens, which no stand-in can be.
#[test]
fn nobody_listens_alike() {
    let asked = [Asked::stream(0, 200)];
    let text = spec(&Scene::calm()).text();
    let outcomes = paused(|| async {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = format!("http://{}/v1", port.local_addr().unwrap());
        drop(port);
        let bench = Bench::start(&text.replace("\"mock\"", &format!("\"{nobody}\"")), None).await;
        let (path, body) = asked[0].body(MODEL, 0);
        let answer = bench
            .call(&Call::post(&format!("/v1/{path}"), body.to_string()))
            .await;
        assert_eq!(answer.header("x-trimtab-attempts"), Some("1"));
        assert_eq!(answer.took, Duration::ZERO);
        outcomes(&bench).await
    });
    let engine = ask_engine(&Scene::calm().fault("kind = 'unreachable'"), &asked);
    assert_eq!(engine[0].outcomes, BTreeMap::from([("unreachable", 1)]));
    assert_eq!(engine[0].end, Some(Span::ZERO));
    let gateway: BTreeMap<_, _> = outcomes.into_iter().filter(|it| it.1 > 0).collect();
    assert_eq!(gateway, engine[0].outcomes);
}

/// How many attempts are made, and from when until when the second: back-off is 125 to 375 ms, an asked wait is spread by a tenth.
#[test]
fn retries_are_as_many() {
    for (fault, attempts, [earliest_ms, latest_ms]) in [
        ("kind = '503'", 2, [125, 375]),
        ("kind = 'reset'\nuntil = '50ms'", 2, [125, 375]),
        ("kind = '404'", 1, [0, 0]),
        ("kind = '429'", 2, [125, 375]),
        ("kind = '429-after-1'\nuntil = '900ms'", 2, [1_000, 1_100]),
        ("kind = '429-ms-1500'\nuntil = '900ms'", 2, [1_500, 1_650]),
        ("kind = '429-after-90'", 2, [90_000, 99_000]),
        ("kind = '429-after-900'", 1, [0, 0]),
        ("kind = 'cut-20'", 1, [0, 0]),
        ("kind = 'cut-0'\nuntil = '100ms'", 2, [315 + 125, 315 + 375]),
        ("kind = 'late-20'", 1, [0, 0]),
    ] {
        let scene = Scene::calm().retry(4, 1).fault(fault);
        for served in agree(&scene, &[Asked::stream(0, 200)]).concat() {
            assert_eq!(served.at.len(), attempts, "{fault}");
            let second = served.at.get(1).map_or(0, |it| it.as_micros() / 1_000);
            let within = (earliest_ms..=latest_ms + 2).contains(&second);
            assert!(within, "{fault}: {served:?}");
        }
    }
}

#[test]
fn the_clock_of_the_whole_request_cuts_alike() {
    use Outcome::{Success, TimedOut, Truncated};
    for (clocks, streamed, whole) in [
        ("total = '2s'", Success, Success),
        ("total = '800ms'", Truncated, TimedOut),
        ("total = '250ms'", TimedOut, TimedOut),
    ] {
        for (asked, outcome) in [
            (Asked::stream(0, 200), streamed),
            (Asked::whole(0, 200), whole),
        ] {
            let [served, _] = agree(&Scene::calm().clocks(clocks), &[asked]);
            let expected = BTreeMap::from([(outcome.name(), 1)]);
            assert_eq!(served[0].outcomes, expected, "{clocks}");
        }
    }
}

/// What a client that was cut off has not had is given back to the key.
#[test]
fn what_was_cut_off_is_settled_alike() {
    let scene = Scene::calm()
        .clocks("total = '800ms'")
        .limits("silent", "otpm = 100, settle = true");
    let asked = [0, 2_000, 4_000].map(|at| Asked::stream(at, 200).most(60));
    // 60 are reserved and 33 had by then: 27 come back, so that a second request passes and a third does not.
    let [served, _] = agree(&scene, &asked);
    let ends: Vec<_> = served.iter().flat_map(|it| it.outcomes.keys()).collect();
    assert_eq!(ends, [&"truncated", &"truncated", &"rate_limited"]);
}

/// A key at its limit: what is sent, refused and held back is the same, request by request.
#[test]
fn a_key_at_its_limit_is_met_alike() {
    for dialect in ["open-ai", "anthropic", "gemini", "azure-unknown"] {
        let scene = Scene::calm().limits(dialect, "rpm = 10, tpm = 5000");
        let asked: Vec<_> = (0..40)
            .map(|number| Asked::whole(4_000 * number, 400).most(60))
            .collect();
        let [served, _] = agree(&scene, &asked);
        let answered = served
            .iter()
            .filter(|it| it.outcomes.contains_key("success"));
        // 10 a minute for 160 s, and a full bucket to begin with.
        let answered = answered.count();
        assert!((28..=37).contains(&answered), "{dialect}: {answered}");
    }
}
