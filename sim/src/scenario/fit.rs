//! A scenario for the traffic that it meets: what is written as a part of it becomes a number.
//!
//! # Invariants
//! - Surges do not count: a share is one of the usual traffic.

use super::{Limits, Pace, Scenario};
use crate::trace::{Request, Trace};

/// The usual traffic of a run.
#[derive(Clone, Copy, Debug, Default)]
struct Usual {
    /// Requests per minute.
    requests: f64,
    /// Tokens per minute.
    tokens: f64,
    /// Requests a minute by class, and their input tokens and output tokens after the first.
    classes: [[f64; 3]; scoring::Class::COUNT],
}

impl Scenario {
    /// The scenario with every share of a limit and of a load resolved against `trace`.
    #[must_use]
    pub fn fitted(&self, trace: &Trace) -> Self {
        let usual = self.usual(trace);
        let mut fitted = self.clone();
        for key in &mut fitted.keys {
            resolve(key, &usual);
        }
        let weight: f64 = self.routes.iter().map(|it| f64::from(it.weight)).sum();
        for route in &mut fitted.routes {
            let part = f64::from(route.weight) / weight;
            let inflight = part * usual.inflight(&route.pace);
            if let Some(slowdown) = &mut route.slowdown
                && let Some(share) = slowdown.share
            {
                slowdown.from = (share * inflight).ceil().clamp(1.0, 4e9) as u32;
            }
        }
        fitted
    }

    /// What is usual: the mean outside of surges.
    fn usual(&self, trace: &Trace) -> Usual {
        let surges = || self.traffic.iter().flat_map(|it| &it.surges);
        let counts = |request: &&Request| {
            !surges().any(|it| (it.from..it.until).contains(&request.at))
                && request.at < self.duration
        };
        let surging: f64 = surges()
            .map(|it| it.until.min(self.duration).as_secs_f64() - it.from.as_secs_f64())
            .map(|seconds| seconds.max(0.0))
            .sum();
        let minutes = ((self.duration.as_secs_f64() - surging) / 60.0).max(1e-3);
        let mut usual = Usual::default();
        for request in trace.requests.iter().filter(counts) {
            usual.add(request, 1.0 / minutes);
        }
        usual
    }
}

impl Usual {
    fn add(&mut self, request: &Request, part: f64) {
        let decodes = request.class.decodes();
        let output = if decodes { request.output } else { 0 };
        let (input, reserved) = (
            f64::from(request.input),
            request.max_tokens.unwrap_or(output),
        );
        self.requests += part;
        self.tokens += part * (input + f64::from(reserved));
        let [requests, inputs, outputs] = &mut self.classes[request.class.index()];
        *requests += part;
        *inputs += part * input;
        *outputs += part * f64::from(output.saturating_sub(1));
    }

    /// Requests in flight if all of them went to routes of this pace.
    fn inflight(&self, paces: &[Pace]) -> f64 {
        let micros = self
            .classes
            .iter()
            .zip(paces)
            .map(|([n, input, output], pace)| {
                n * pace.ttft_us + input * pace.per_token_us + output * pace.tpot_us
            });
        micros.sum::<f64>() / 60e6
    }
}

fn resolve(key: &mut Limits, usual: &Usual) {
    let limit =
        |share: Option<f64>, all: f64| share.map(|it| (it * all).round().clamp(1.0, 4e9) as u32);
    key.rpm = key.rpm.or(limit(key.rpm_share, usual.requests));
    key.tpm = key.tpm.or(limit(key.tpm_share, usual.tokens));
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use scoring::time::Span;

    #[test]
    fn shares_are_of_the_usual_traffic() {
        let text = "question = 'x?'\nduration = '2m'\n[[traffic]]\nrate = 1.0\n\
                    surges = [{ from = '1m', until = '2m', factor = 5.0 }]\n\
                    [[routes]]\nname = 'a'\nlimits = { tpm_share = 0.5, rpm_share = 2.0 }\n";
        let scenario = read("x", text).unwrap();
        let at = |secs| Request::chat(Span::from_secs(secs), 100, 50);
        let trace = Trace {
            requests: vec![at(1), at(2), at(61), at(62), at(63)],
            ..Trace::default()
        };
        let key = &scenario.fitted(&trace).keys[0];
        assert_eq!((key.rpm, key.tpm), (Some(4), Some(150)));
    }
}
