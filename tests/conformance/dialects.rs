//! What each vendor tells of its limits, field by field, as the gateway reads it.

use scoring::Outcome;
use scoring::ceiling::Dimension;

use crate::play::agree;
use crate::scene::{Asked, Scene};

/// Every dialect, by its name in both scripts.
pub(crate) const DIALECTS: [&str; 8] = [
    "open-ai",
    "anthropic",
    "azure",
    "azure-unknown",
    "gemini",
    "bedrock",
    "groq",
    "silent",
];

/// Limits of which each dimension refuses in its turn; windows that do not divide a minute make broken numbers.
const LIMITS: [&str; 8] = [
    "rpm = 7",
    "tpm = 2500",
    "itpm = 1500",
    "otpm = 333",
    "rpd = 20",
    "rpm = 17, tpm = 4001, itpm = 3001, otpm = 997, rpd = 400",
    "rpm = 50, slice = '7s', burst = '20s'",
    "rpm = 60, slice = '10s', tpm = 9000, charge_refused = true",
];

#[test]
fn every_vendor_tells_the_same_on_both_sides() {
    for dialect in DIALECTS {
        for limits in LIMITS {
            let scene = Scene::calm().limits(dialect, limits).answer(40);
            let asked: Vec<_> = (0..40)
                .map(|number: u32| {
                    let at = u64::from(number) * 701;
                    let input = 50 + 37 * (number % 11);
                    match number % 3 {
                        0 => Asked::stream(at, input).most(90),
                        1 => Asked::whole(at, input),
                        _ => Asked::whole(at, input).most(33),
                    }
                })
                .collect();
            let fates = agree(&scene, &asked);
            let refused = |it: &&sim::world::Fate| it.outcome == Outcome::RateLimited;
            let refusals = fates.iter().filter(refused).count();
            assert!(
                (1..40).contains(&refusals),
                "{dialect}: {limits}: {refusals}"
            );
        }
    }
}

/// A request beyond what its key is ever given is told a wait of days, which nobody believes.
#[test]
fn absurd_waits_are_not_believed() {
    for dialect in DIALECTS {
        let scene = Scene::calm().limits(dialect, "tpm = 10");
        let fates = agree(&scene, &[Asked::whole(0, 9), Asked::whole(5_000, 20_000)]);
        assert_eq!(fates[1].outcome, Outcome::RateLimited);
        assert_eq!(fates[1].retry_after, None, "{dialect}");
    }
}

/// The dimension that is blamed, in the words of each vendor.
#[test]
fn the_blamed_dimension_is_the_same() {
    use Dimension::{InputTokens, OutputTokens, Requests, Tokens};
    for (dialect, limits, blamed) in [
        ("open-ai", "rpm = 1", Some(Requests)),
        ("open-ai", "rpd = 1", Some(Requests)),
        ("open-ai", "itpm = 100", Some(InputTokens)),
        ("groq", "otpm = 60", Some(OutputTokens)),
        ("anthropic", "itpm = 100", Some(InputTokens)),
        ("azure", "rpm = 1", Some(Requests)),
        ("azure", "rpd = 1", Some(Requests)),
        ("azure-unknown", "tpm = 160", Some(Tokens)),
        ("gemini", "tpm = 160", Some(InputTokens)),
        ("gemini", "rpd = 1", Some(Requests)),
        ("bedrock", "rpm = 1", None),
        ("silent", "rpm = 1", None),
    ] {
        let scene = Scene::calm().limits(dialect, limits);
        let fates = agree(&scene, &[Asked::whole(0, 100), Asked::whole(2_000, 100)]);
        let told = fates[1].refused.as_ref().and_then(|it| it.refused);
        assert_eq!(told, blamed, "{dialect} {limits}");
    }
}
