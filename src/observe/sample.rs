//! A request that tests tell of.

use std::sync::Arc;

use http::HeaderValue;
use scoring::cost::Terms;
use scoring::outcome::Outcome;
use scoring::select::{Mode, Pick};
use scoring::time::Span;

use super::context::Context;
use super::kinds::Ending;
use super::story::{Leg, Story, Tokens, Via};
use crate::config::{Nano, Who};

/// When it arrived, µs since 1970.
pub(super) const AT_US: u64 = 1_790_000_000_123_456;

const TOKENS: Tokens = Tokens {
    input: 1_200,
    cached: 1_024,
    cache_write: 0,
    output: 350,
    reasoning: 128,
};

/// An attempt at the provider of this name and vendor.
pub(super) fn leg(provider: &str, vendor: &str) -> Leg {
    let via = Via {
        route: format!("{provider}/m-1/key-a@eu").into(),
        provider: provider.into(),
        vendor: vendor.into(),
        model: "m-1".into(),
        key: "key-a".into(),
        region: "eu".into(),
        host: "api.example.com".into(),
        port: 443,
    };
    Leg {
        via: Arc::new(via),
        pick: Pick {
            index: 0,
            propensity: 0.75,
            mode: Mode::Normal,
            score: 0.5,
            band: 2,
            cost: Terms {
                model_ms: 412.5,
                drift_ms: 12.0,
                utilisation_ms: 0.5,
                failure_ms: 3.25,
                price_ms: 0.0,
                affinity_ms: -4.0,
            },
        },
        began: Span::from_micros(310),
        sent: Some(Span::from_micros(500)),
        first: Some(Span::from_micros(250_000)),
        took: Span::from_micros(1_250_000),
        outcome: Outcome::Success,
        status: 200,
        tokens: TOKENS,
        cost: Nano::new(391_000),
    }
}

/// A stream that was answered at the first attempt.
pub(super) fn story() -> Story {
    Story {
        id: HeaderValue::from_static("req-deadbeef00000012"),
        number: 0xdead_beef_0000_0012,
        at_us: AT_US,
        took: Span::from_micros(1_251_007),
        overhead: Span::from_micros(42),
        first: Some(Span::from_micros(250_310)),
        endpoint: "chat",
        surface: "openai",
        model: Some("m".into()),
        asked: None,
        workflow: None,
        stream: true,
        max_tokens: Some(1_000),
        who: Some(Arc::new(Who {
            key: "app".into(),
            team: Some("growth".into()),
            customer: None,
        })),
        session: Some(77),
        status: 200,
        ending: Ending::Ok,
        fault: None,
        legs: vec![leg("openai-eu", "openai")],
        tokens: TOKENS,
        cost: Nano::new(391_000),
        saved: Nano::ZERO,
        cache: "MISS",
        trace: Some(Context {
            trace: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
            parent: Some(0xb7ad_6b71_6920_3331),
            span: 0x00f0_67aa_0ba9_02b7,
            sampled: true,
            state: Some(HeaderValue::from_static("foo=1")),
        }),
        decisions: Vec::new(),
        content: None,
    }
}
