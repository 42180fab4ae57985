//! Wrong answers are found: hits are asked afresh, compared, and what was wrong goes.

use std::cell::Cell;
use std::rc::Rc;

use super::semantic::Scene;
use super::status;
use crate::support::{Folder, pass_ms, paused};

/// What is asked: all mean the same to the stand-in.
fn ways() -> [&'static str; 4] {
    [
        "How do I reset the password of my mail account?",
        "Please, can you tell me how to reset the password of my mail account",
        "Can you please tell me: how to reset the password of my mail account?",
        "how do i reset the password of my mail account please",
    ]
}

#[test]
fn a_wrong_entry_is_found_and_goes() {
    let folder = Folder::new("cache-audit");
    let lines = format!(
        "[cache.audit]\nshare = 1.0\n[governance]\ndata = \"{}\"\n",
        folder.0.display()
    );
    paused(|| async move {
        // The first answer is wrong, all that come after are right.
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let scene = Scene::start(&lines, move |_| {
            count.set(count.get() + 1);
            if count.get() == 1 {
                "No, never: 7 of them.".into()
            } else {
                "Yes, always: 9 of them.".into()
            }
        })
        .await;
        let first = scene.ask(ways()[0]).await;
        assert_eq!(status(&first), "MISS");
        let mut hits = 0;
        for way in ways().into_iter().chain(ways()).skip(1) {
            let answer = scene.ask(way).await;
            pass_ms(200).await;
            if status(&answer) == "SEMANTIC" && answer.text().contains('7') {
                hits += 1;
            }
        }
        assert!((1..=2).contains(&hits), "{hits}");
        let last = scene
            .ask("Please tell me how to reset the password of my mail account")
            .await;
        assert!(last.text().contains('9'), "{last:?}");
        let library = &scene.bench.gateway.shared.lasting.library;
        let standings = library.audit().standings(None);
        assert_eq!(standings.len(), 1, "{standings:?}");
        assert!(standings[0].different >= 1, "{standings:?}");
    });
}

#[test]
fn what_was_right_stays_and_nobody_pays_for_the_check() {
    paused(|| async move {
        let scene = Scene::start("[cache.audit]\nshare = 1.0\n", |_| {
            "Yes, always: 9 of them.".into()
        })
        .await;
        for way in ways() {
            scene.ask(way).await;
            pass_ms(200).await;
        }
        // One was asked, three were checked.
        assert_eq!(scene.chat.heard().len(), 4);
        let library = &scene.bench.gateway.shared.lasting.library;
        let standing = &library.audit().standings(None)[0];
        assert_eq!(
            (standing.hits, standing.same, standing.different),
            (3, 3, 0)
        );
    });
}
