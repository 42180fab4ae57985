//! The world's own tests; `tests/conformance.rs` holds it against the stand-in providers.

use super::*;
use crate::scenario::read;

fn scenario(rest: &str) -> Scenario {
    let head = "question = 'Is it so?'\n[[traffic]]\nrate = 1.0\n";
    read("test", &format!("{head}{rest}")).unwrap()
}

fn send(world: &mut World<'_>, request: &Request, at: Time) -> Fate {
    let sending = Sending {
        number: 1,
        request,
        route: 0,
        earlier: 0,
    };
    let fate = world.send(&sending, at);
    world.end(0, &fate);
    fate
}

const CALM: &str =
    "[[routes]]\nname = 'a'\nttft = '300ms'\nttft_per_token = 50.0\ntpot = '15ms'\nnoise = 0.0\n";

#[test]
fn latency_is_a_plus_b_input_plus_c_output() {
    let (scenario, trace) = (scenario(CALM), Trace::default());
    let mut world = World::new(&scenario, &trace, 7);
    let request = Request::chat(Span::ZERO, 1_000, 11);
    let fate = send(&mut world, &request, START);
    assert_eq!(fate.first, Some(Span::from_millis(350)));
    assert_eq!(fate.end, Span::from_millis(500));
    let expected = world.expected(0, &request, START);
    assert!((expected.latency_ms - 500.0).abs() < 1e-9 && expected.failure <= 0.0);
}

#[test]
fn load_and_faults_multiply() {
    let text = format!(
        "{CALM}slowdown = {{ from = 1, slope = 1.0 }}\n[[faults]]\non = ['a']\nlatency_factor = 3.0\n"
    );
    let (scenario, trace) = (scenario(&text), Trace::default());
    let mut world = World::new(&scenario, &trace, 7);
    let request = Request::chat(Span::ZERO, 0, 1);
    let sending = Sending {
        number: 1,
        request: &request,
        route: 0,
        earlier: 0,
    };
    world.send(&sending, START);
    let second = world.send(&sending, START);
    assert_eq!(second.end, Span::from_millis(300 * 3 * 2));
}

#[test]
fn the_same_request_meets_the_same_noise_on_a_route() {
    let text = CALM.replace("noise = 0.0", "noise = 0.5");
    let (scenario, trace) = (scenario(&text), Trace::default());
    let request = Request::chat(Span::ZERO, 100, 100);
    let fate = |seed| {
        let mut world = World::new(&scenario, &trace, seed);
        send(&mut world, &request, START)
    };
    assert_eq!(fate(7), fate(7));
    assert_ne!(fate(7), fate(8));
}

#[test]
fn faults_end_attempts_as_the_gateway_would_see_it() {
    for (kind, outcome, millis) in [
        ("503", Outcome::Overloaded, 30),
        ("429-busy", Outcome::Overloaded, 30),
        ("429", Outcome::RateLimited, 30),
        ("401", Outcome::KeyRejected, 30),
        ("404", Outcome::Unsupported, 30),
        ("reset", Outcome::Disconnected, 30),
        ("unreachable", Outcome::Unreachable, 30),
        ("silence", Outcome::TimedOut, 60_000),
        ("late-20", Outcome::TimedOut, 10_000),
        ("cut-5", Outcome::Truncated, 415),
        ("cut-0", Outcome::Disconnected, 355),
    ] {
        let text = format!("{CALM}[[faults]]\non = ['a']\nkind = '{kind}'\n");
        let (scenario, trace) = (scenario(&text), Trace::default());
        let mut world = World::new(&scenario, &trace, 7);
        let request = Request::chat(Span::ZERO, 1_000, 11);
        let fate = send(&mut world, &request, START);
        assert_eq!(
            (fate.outcome, fate.end.as_micros() / 1_000),
            (outcome, millis),
            "{kind}"
        );
        let expected = world.expected(0, &request, START);
        assert!((expected.failure - 1.0).abs() < 1e-9, "{kind}");
    }
}

/// The fate of one request of 1000 tokens in and 11 out, struck by a fault.
fn struck(clocks: &str, fault: &str, class: Class) -> Fate {
    let text = format!("{CALM}[clocks]\n{clocks}\n[[faults]]\non = ['a']\n{fault}\n");
    let (scenario, trace) = (scenario(&text), Trace::default());
    let mut world = World::new(&scenario, &trace, 7);
    let request = Request {
        class,
        ..Request::chat(Span::ZERO, 1_000, 11)
    };
    send(&mut world, &request, START)
}

#[test]
fn answers_that_are_not_streamed_break_or_come_at_once() {
    let ends = |fault: &str| {
        let fate = struck("", fault, Class::Chat);
        let head = fate.head.map(|it| it.as_micros() / 1_000);
        (
            fate.outcome,
            fate.output,
            fate.end.as_micros() / 1_000,
            head,
        )
    };
    let cut = ends("kind = 'cut-5'");
    assert_eq!(cut, (Outcome::Disconnected, 0, 505, Some(500)));
    let late = ends("kind = 'late-2'\ndelay = '1s'");
    assert_eq!(late, (Outcome::Success, 11, 3_000, Some(1_000)));
    let never = ends("kind = 'late-20'\ndelay = '1s'");
    assert_eq!(never, (Outcome::TimedOut, 0, 11_000, Some(1_000)));
}

#[test]
fn a_cut_beyond_the_answer_takes_its_end() {
    let fate = struck("", "kind = 'cut-40'", Class::ChatStream);
    assert_eq!((fate.outcome, fate.output), (Outcome::Truncated, 11));
    assert_eq!(fate.end, Span::from_millis(505));
}

#[test]
fn the_clocks_of_the_gateway_end_what_is_slower() {
    for (clocks, fault, outcome, millis) in [
        // Ten pauses of 1.5 s are too long, 35 s to the first token are not.
        (
            "between_tokens = '1s'",
            "latency_factor = 100",
            Outcome::Truncated,
            36_000,
        ),
        (
            "head = '30s'",
            "latency_factor = 100",
            Outcome::TimedOut,
            30_000,
        ),
        (
            "head = '1s'",
            "kind = '500'\ndelay = '2s'",
            Outcome::TimedOut,
            1_000,
        ),
        (
            "head = '300s'",
            "kind = 'silence'",
            Outcome::Disconnected,
            120_030,
        ),
    ] {
        let fate = struck(clocks, fault, Class::ChatStream);
        assert_eq!(
            (fate.outcome, fate.end.as_micros() / 1_000),
            (outcome, millis),
            "{clocks} {fault}"
        );
    }
}

#[test]
fn a_client_that_left_has_had_what_came_until_then() {
    let fate = struck("", "", Class::ChatStream);
    for (millis, outcome, output) in [
        (349, Outcome::TimedOut, 0),
        (350, Outcome::Truncated, 1),
        (379, Outcome::Truncated, 2),
        (380, Outcome::Truncated, 3),
    ] {
        let left = fate.clone().left(Span::from_millis(millis));
        assert_eq!(
            (left.outcome, left.output),
            (outcome, output),
            "{millis} ms"
        );
    }
}

#[test]
fn limits_refuse_and_say_when() {
    let text = format!("{CALM}limits = {{ tpm = 6000, dialect = 'open-ai' }}\n");
    let (scenario, trace) = (scenario(&text), Trace::default());
    let mut world = World::new(&scenario, &trace, 7);
    let request = Request::chat(Span::ZERO, 4_000, 1_000);
    assert_eq!(send(&mut world, &request, START).outcome, Outcome::Success);
    assert_eq!(world.expected(0, &request, START).wait, Span::from_secs(40));
    let fate = send(&mut world, &request, START);
    assert_eq!(fate.outcome, Outcome::RateLimited);
    assert_eq!(fate.retry_after, Some(Span::from_secs(40)));
    assert!(fate.told.is_some() && fate.refused.is_some());
}
