//! Whether weights are honoured, told of made-up traffic.

use super::super::tests::{at, reading};
use super::*;

/// A model with two routes of equal weight, looked at each second.
struct Looked {
    weights: Weights,
    sent: [u64; 2],
    second: f64,
}

impl Looked {
    fn new() -> Self {
        Self {
            weights: Weights::default(),
            sent: [0; 2],
            second: 0.0,
        }
    }

    /// So many seconds with so much traffic for each route in these states; what was told, and the last reading.
    fn go_on(&mut self, seconds: u32, each: [u64; 2], states: [State; 2]) -> (Vec<Draft>, Reading) {
        let mut told = Vec::new();
        let mut last = None;
        for _ in 0..seconds {
            self.second += 1.0;
            for (sent, more) in self.sent.iter_mut().zip(each) {
                *sent += more;
            }
            let now = at(self.second);
            let [a, b] = self.sent;
            let reading = reading(
                now,
                &[("a", a, 0), ("b", b, 0)],
                &states.map(|state| (2.0, state)),
            );
            told.extend(self.weights.look(&reading, now));
            last = Some(reading);
        }
        (told, last.unwrap())
    }
}

const WELL: [State; 2] = [State::Healthy; 2];
const SICK: [State; 2] = [State::Open, State::Healthy];

#[test]
fn a_route_that_is_set_aside_is_why_and_afterwards_all_is_well_again() {
    let mut looked = Looked::new();
    let (told, reading) = looked.go_on(60, [10, 10], WELL);
    assert!(told.is_empty(), "{told:?}");
    let models = looked.weights.told(&reading);
    assert_eq!(
        (models[0].honoured, &*models[0].why),
        (Some(true), "the traffic follows the weights")
    );
    let (told, reading) = looked.go_on(15, [0, 20], SICK);
    assert_eq!(told.len(), 1, "{told:?}");
    let what = &told[0].what;
    assert!(
        what.starts_with("m: the traffic does not follow the weights: a got "),
        "{what}"
    );
    assert!(what.ends_with(": it is open"), "{what}");
    assert_eq!(told[0].evidence["honoured"], false);
    assert_eq!(told[0].evidence["routes"]["a"]["weight_share"], 0.5);
    let json = serde_json::to_value(looked.weights.told(&reading)).unwrap();
    assert_eq!(
        (&json[0]["honoured"], &json[0]["model"]),
        (&json!(false), &json!("m"))
    );
    assert_eq!(json[0]["routes"][1]["weight"], 2.0);
    let share = json[0]["routes"][0]["share"].as_f64().unwrap();
    assert!(
        (0.35..0.45).contains(&share),
        "of all that was sent: {share}"
    );
    assert_eq!(looked.weights.wanted().len(), 1);
    let (told, _) = looked.go_on(120, [10, 10], WELL);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].what, "m: the traffic follows the weights again");
    assert!(looked.weights.wanted().is_empty());
}

#[test]
fn little_traffic_says_nothing_and_chance_is_no_reason() {
    let mut looked = Looked::new();
    let (told, reading) = looked.go_on(20, [0, 1], WELL);
    assert!(told.is_empty());
    let models = looked.weights.told(&reading);
    assert_eq!(models[0].honoured, None);
    assert!(
        models[0].why.starts_with("fewer than 30 attempts"),
        "{}",
        models[0].why
    );
    // 54 % of 200: one standard deviation, and a part that matters to nobody.
    let mut looked = Looked::new();
    let (told, _) = looked.go_on(60, [27, 23], WELL);
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn traffic_that_flaps_is_told_of_seldom() {
    let mut looked = Looked::new();
    looked.go_on(30, [10, 10], WELL);
    let mut told = 0;
    for _ in 0..20 {
        told += looked.go_on(1, [0, 400], SICK).0.len();
        told += looked.go_on(1, [400, 0], SICK).0.len();
    }
    assert!(told <= 14, "{told}");
}

#[test]
fn other_weights_begin_anew() {
    let mut looked = Looked::new();
    looked.go_on(60, [10, 10], WELL);
    let now = at(61.0);
    let [a, b] = looked.sent;
    let routes = [("a", a, 0), ("b", b, 0)];
    let weighted = reading(
        now,
        &routes,
        &[(9.0, State::Healthy), (1.0, State::Healthy)],
    );
    assert!(looked.weights.look(&weighted, now).is_empty());
    assert_eq!(looked.weights.told(&weighted)[0].honoured, None);
}
