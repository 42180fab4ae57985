//! One of three routes dies under load and comes back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};
use trimtab::mock::Fault;

use crate::support::{Bench, Call, Client, Mode, Spec, bench, chat, pass_ms, words};

/// Time between requests: 500 a second, whatever becomes of them.
const APART: Duration = Duration::from_millis(2);

/// Longest way back, in seconds: a circuit is open for at most 10 s ± 20 % between two looks, then come three probes and the ramp.
///
/// The longest of fifty was 15.
const BACK_S: u32 = 25;

/// A load that does not wait for answers.
#[derive(Debug, Default)]
struct Load {
    idle: RefCell<Vec<Client>>,
    sent: Cell<u32>,
    /// Requests that were not answered with all there is.
    lost: RefCell<Vec<String>>,
    ended: Cell<u32>,
}

impl Load {
    /// Sends requests for `time`; those in flight stay so.
    async fn run(self: &Rc<Self>, bench: &Rc<Bench>, time: Duration) {
        let began = Instant::now();
        let mut number = 0;
        while APART * number < time {
            sleep_until(began + APART * number).await;
            number += 1;
            self.sent.set(self.sent.get() + 1);
            spawn_local(Rc::clone(self).one(Rc::clone(bench)));
        }
    }

    async fn one(self: Rc<Self>, bench: Rc<Bench>) {
        let kept = self.idle.borrow_mut().pop();
        let mut client = match kept {
            Some(client) => client,
            None => Client::open(bench.address).await,
        };
        let answer = client.call(&Call::chat(&chat("main", Mode::Whole))).await;
        self.ended.set(self.ended.get() + 1);
        if answer.status == 200 && answer.content() == words(60) {
            self.idle.borrow_mut().push(client);
        } else {
            self.lost.borrow_mut().push(format!("{answer:?}"));
        }
    }
}

/// Attempts that a provider has seen since the last look, and all of them.
fn share(bench: &Bench, provider: &str) -> (usize, usize) {
    let seen = (bench.seen(provider).len(), bench.mock.attempts().len());
    bench.mock.forget();
    seen
}

fn kill_and_revive(how: &str) {
    let fault: Fault = how.parse().unwrap();
    let mut spec = Spec::new().with(
        "[models.main]\nroutes = [{ provider = \"a\" }, { provider = \"b\" }, { provider = \"c\" }]",
    );
    for name in ["a", "b", "c"] {
        spec = spec.stand_in(
            name,
            "ttft = \"300ms\"\ntpot = \"15ms\"\nnoise = 0.1\nanswer = 60",
        );
    }
    bench(&spec, async |bench| {
        let (bench, load) = (Rc::new(bench), Rc::new(Load::default()));
        let secs = Duration::from_secs;
        load.run(&bench, secs(10)).await;
        let (b, all) = share(&bench, "b");
        let before = b as f64 / all as f64;
        assert!(
            (0.25..0.42).contains(&before),
            "{how}: a third before: {before}"
        );

        bench.mock.set_fault("b", Some(fault)).unwrap();
        load.run(&bench, Duration::from_millis(500)).await;
        let noticed = share(&bench, "b").0;
        load.run(&bench, Duration::from_millis(9_500)).await;
        let (b, all) = share(&bench, "b");
        eprintln!("{how}: {noticed} attempts in the first half second, then {b} of {all}");
        assert!(
            b as f64 <= 0.01 * all as f64,
            "{how}: {b} of {all} go to the dead route"
        );

        bench.mock.set_fault("b", None).unwrap();
        let mut back = None;
        for second in 1..=BACK_S {
            load.run(&bench, secs(1)).await;
            let (b, all) = share(&bench, "b");
            let share = b as f64 / all as f64;
            if share >= before / 2.0 {
                back.get_or_insert(second);
            } else {
                back = None;
            }
        }
        eprintln!("{how}: half its share for good in second {back:?}");
        assert!(back.is_some(), "{how}: not back within {BACK_S} s");

        pass_ms(10_000).await;
        assert_eq!(load.ended.get(), load.sent.get());
        let lost = load.lost.borrow();
        assert!(
            lost.is_empty(),
            "{how}: {} of {} lost, such as {:?}",
            lost.len(),
            load.sent.get(),
            lost[0]
        );
        assert_eq!(bench.in_flight(), 0);
    });
}

#[test]
fn a_route_that_resets_connections() {
    kill_and_revive("down");
}

#[test]
fn a_route_that_is_unavailable() {
    kill_and_revive("503");
}
