//! What goes wrong: every kind of fault by its name, when it holds, and how often it strikes.

use scoring::Outcome;
use scoring::time::Span;

use crate::play::agree;
use crate::scene::{Asked, Scene};

/// Every kind that both sides know, and how a stream and a whole answer end.
pub(crate) const KINDS: [(&str, Outcome, Outcome); 32] = {
    use Outcome::{
        Disconnected, KeyRejected, Overloaded, RateLimited, ServerError, Success, TimedOut,
        Truncated, Unsupported,
    };
    [
        ("500", ServerError, ServerError),
        ("502", ServerError, ServerError),
        ("504", ServerError, ServerError),
        ("html", ServerError, ServerError),
        ("503", Overloaded, Overloaded),
        ("529", Overloaded, Overloaded),
        ("429-busy", Overloaded, Overloaded),
        ("429", RateLimited, RateLimited),
        ("429-after", RateLimited, RateLimited),
        ("429-after-1", RateLimited, RateLimited),
        ("429-after-90", RateLimited, RateLimited),
        ("429-after-90000", RateLimited, RateLimited),
        ("429-ms", RateLimited, RateLimited),
        ("429-ms-1", RateLimited, RateLimited),
        ("429-ms-90001", RateLimited, RateLimited),
        ("429-quota", KeyRejected, KeyRejected),
        ("401", KeyRejected, KeyRejected),
        ("403", KeyRejected, KeyRejected),
        ("404", Unsupported, Unsupported),
        ("reset", Disconnected, Disconnected),
        ("silence", TimedOut, TimedOut),
        ("late", TimedOut, TimedOut),
        ("late-9", Success, Success),
        ("late-0", Success, Success),
        ("late-11", TimedOut, TimedOut),
        ("cut", Truncated, Disconnected),
        ("cut-0", Disconnected, Disconnected),
        ("cut-1", Truncated, Disconnected),
        ("cut-7", Truncated, Disconnected),
        ("cut-59", Truncated, Disconnected),
        ("cut-60", Truncated, Disconnected),
        ("cut-900", Truncated, Disconnected),
    ]
};

#[test]
fn each_kind_ends_an_attempt_alike() {
    for delay in ["0s", "170ms", "900ms"] {
        for (kind, streamed, whole) in KINDS {
            let scene = Scene::calm().fault(&format!("kind = '{kind}'\ndelay = '{delay}'"));
            let asked = [
                Asked::stream(0, 200),
                Asked::whole(200_000, 200),
                Asked::embedding(400_000, 200),
            ];
            let outcomes = agree(&scene, &asked)
                .iter()
                .map(|fate| fate.outcome)
                .collect::<Vec<_>>();
            assert_eq!(outcomes, [streamed, whole, whole], "{kind}");
        }
    }
}

/// A fault that refuses charges nobody and tells no limits; one that lets the answer begin does both.
#[test]
fn faults_and_limits_meet_alike() {
    for kind in ["503", "429-after-3", "reset", "silence", "late-20", "cut-5"] {
        for settle in [false, true] {
            let limits = format!("rpm = 20, tpm = 3000, settle = {settle}");
            let scene = Scene::calm()
                .limits("open-ai", &limits)
                .fault(&format!("until = '60s'\nkind = '{kind}'"));
            let mut asked: Vec<_> = (0..8)
                .map(|number| Asked::stream(7_000 * number, 200).most(100))
                .collect();
            asked
                .extend((0..12).map(|number| Asked::whole(200_000 + 2_000 * number, 200).most(60)));
            agree(&scene, &asked);
        }
    }
}

#[test]
fn the_clocks_of_silence() {
    for (clocks, outcome, secs) in [
        ("", Outcome::TimedOut, 60),
        ("head = '100s'", Outcome::TimedOut, 100),
        // The stand-in hangs up after two minutes.
        ("head = '180s'", Outcome::Disconnected, 120),
    ] {
        let scene = Scene::calm().clocks(clocks).fault("kind = 'silence'");
        let fates = agree(&scene, &[Asked::stream(0, 1), Asked::whole(300_000, 1)]);
        for fate in fates {
            assert_eq!((fate.outcome, fate.end), (outcome, Span::from_secs(secs)));
        }
    }
}

#[test]
fn windows_open_and_close_alike() {
    let scene = Scene::calm()
        .fault("from = '20s'\nuntil = '40s'\nkind = '503'")
        .fault("from = '2s'\nuntil = '5s'\nevery = '9s'\nkind = '429-after-4'")
        .fault("from = '70s'\nkind = '404'")
        .fault("from = '30s'\nuntil = '90s'\nkind = '500'");
    // Every 250 ms, so that both edges of every window are met.
    let asked: Vec<_> = (0..400)
        .map(|number| Asked::whole(250 * number, 20))
        .collect();
    let fates = agree(&scene, &asked);
    let count = |outcome| fates.iter().filter(|fate| fate.outcome == outcome).count();
    // 20 s of 80 requests; the first written wins over the last.
    assert_eq!(count(Outcome::Overloaded), 80);
    assert!(count(Outcome::Unsupported) > 60 && count(Outcome::ServerError) > 60);
    assert!(count(Outcome::RateLimited) > 60 && count(Outcome::Success) > 30);
}
