//! Streams of requests.
//!
//! # Invariants
//! - A stream has either a rate or clients.

use scoring::Class;
use scoring::time::Span;

use super::Checker;
use crate::scenario::raw::{Arrivals, Lengths, RawClass, RawTraffic};
use crate::scenario::{Surge, Traffic};

/// Most requests per second of one stream.
const MOST_RATE: f64 = 1e5;

impl Checker {
    pub(super) fn traffic(&mut self, place: &str, raw: &RawTraffic) -> Traffic {
        self.within(&format!("{place}.rate"), raw.rate, 0.0, MOST_RATE);
        match (raw.rate > 0.0, raw.clients > 0) {
            (false, false) => {
                self.wrong(place, "needs a `rate` per second or a number of `clients`")
            }
            (true, true) => self.wrong(place, "has both `rate` and `clients`; write one of them"),
            _ => {}
        }
        if let Arrivals::Gamma(cv) | Arrivals::Weibull(cv) = raw.arrivals {
            self.within(&format!("{place}.arrivals"), cv, 0.1, 20.0);
        }
        if let Lengths::Drawn {
            input,
            input_sigma,
            output,
            output_sigma,
        } = raw.lengths
        {
            self.within(&format!("{place}.lengths.input"), input, 1.0, 1e7);
            self.within(&format!("{place}.lengths.output"), output, 1.0, 1e6);
            self.within(
                &format!("{place}.lengths.input_sigma"),
                input_sigma,
                0.0,
                4.0,
            );
            self.within(
                &format!("{place}.lengths.output_sigma"),
                output_sigma,
                0.0,
                4.0,
            );
        }
        if raw.max_tokens == Some(0) {
            self.wrong(
                &format!("{place}.max_tokens"),
                "is 0; leave it out for none",
            );
        }
        let mut surges = Vec::new();
        for surge in &raw.surges {
            if surge.until.0 <= surge.from.0 {
                self.wrong(&format!("{place}.surges"), "one ends before it begins");
            }
            self.within(&format!("{place}.surges.factor"), surge.factor, 0.0, 1e3);
            surges.push(Surge {
                from: surge.from.0,
                until: surge.until.0,
                factor: surge.factor,
            });
        }
        Traffic {
            class: match raw.class {
                RawClass::ChatStream => Class::ChatStream,
                RawClass::Chat => Class::Chat,
                RawClass::Embedding => Class::Embedding,
                RawClass::Image => Class::Image,
                RawClass::Audio => Class::Audio,
            },
            rate: raw.rate,
            arrivals: raw.arrivals,
            lengths: raw.lengths,
            max_tokens: raw.max_tokens,
            deadline: raw.deadline.map(|it| it.0),
            surges,
            clients: raw.clients,
            think: raw.think.0,
            conversations: raw.conversations,
        }
    }
}

/// About how many requests a stream makes.
pub(super) fn requests(traffic: &Traffic, duration: Span) -> f64 {
    let seconds = duration.as_secs_f64();
    if traffic.clients > 0 {
        let pause = traffic.think.as_secs_f64().max(0.01);
        return traffic.clients as f64 * seconds / pause;
    }
    let surplus: f64 = traffic
        .surges
        .iter()
        .map(|it| (it.factor - 1.0).max(0.0) * (it.until.as_secs_f64() - it.from.as_secs_f64()))
        .sum();
    traffic.rate * (seconds + surplus)
}
