//! What outlives a restart, what does not, and what nobody reads who has the files.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use trimtab::cache::semantic::guards::Features;
use trimtab::cache::{Entry, Question, Which};
use trimtab::clock;

use super::shop::{Shop, Words};
use super::status;
use crate::support::{Call, Client, Folder, pass_ms, paused};

const QUESTION: &str = "How do I reset the password of my mail account?";
const ALIKE: &str = "Please, can you tell me how to reset the password of my mail account";
const OTHER: &str = "How does one bake bread at home?";
const CACHING: &str = "layers = \"semantic\"\nthreshold = 0.7";
const DISK: &str = "[cache]\ndisk = true\n[cache.audit]\nshare = 0.0\n";

/// One life of a gateway in a folder.
fn life<T>(folder: &Folder, lines: &str, act: impl AsyncFnOnce(&Shop) -> T) -> T {
    paused(async || {
        let shop = Shop::start(folder, CACHING, lines).await;
        act(&shop).await
    })
}

/// What is done once a minute is done now.
fn round(shop: &Shop) {
    shop.library().work(clock::unix_seconds() + 61);
}

/// What files in a folder are called.
fn names(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).unwrap();
    all.map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn answers_outlive_a_restart() {
    let folder = Folder::new("cache-disk");
    let first = life(&folder, DISK, async |shop| {
        let first = shop.ask(0, QUESTION).await;
        assert_eq!(status(&first), "MISS");
        shop.ask(3, OTHER).await;
        first
    });
    life(&folder, DISK, async |shop| {
        let hit = shop.ask(0, QUESTION).await;
        assert_eq!(status(&hit), "HIT", "{hit:?}");
        assert_eq!(hit.body, first.body);
        let meant = shop.ask(0, ALIKE).await;
        assert_eq!(status(&meant), "SEMANTIC", "{meant:?}");
        let stream = shop.call(0, Words::Gemini.ask(QUESTION, true)).await;
        assert_eq!(super::shop::told(&stream), super::shop::told(&first));
        assert_eq!(shop.asked(), 0);
        // Whose it is, it is still.
        for (asked, key) in (1..4).enumerate() {
            assert_eq!(shop.asked(), asked);
            assert_eq!(status(&shop.ask(key, QUESTION).await), "MISS");
        }
    });
}

/// What was learned of hits is there after a restart, however the first question after it turns out.
#[test]
fn what_was_learned_outlives_restarts() {
    let folder = Folder::new("cache-disk");
    let lines = DISK.replace("share = 0.0", "share = 1.0");
    let learned = |shop: &Shop| {
        let lessons = shop.library().meanings().lessons();
        assert_eq!(lessons.len(), 1);
        serde_json::to_value(lessons[0].learned()).unwrap()
    };
    let first = life(&folder, &lines, async |shop| {
        shop.ask(0, QUESTION).await;
        assert_eq!(status(&shop.ask(0, ALIKE).await), "SEMANTIC");
        pass_ms(200).await;
        let forgotten = shop.library().forget(&Which::All, clock::unix_seconds());
        assert_eq!(forgotten.count, 1);
        round(shop);
        learned(shop)
    });
    let nothing = serde_json::to_value(trimtab::cache::semantic::policy::Calibration::default());
    assert_ne!(first, nothing.unwrap(), "something was learned");
    let second = life(&folder, &lines, async |shop| {
        assert_eq!(
            status(&shop.ask(0, QUESTION).await),
            "MISS",
            "it has no neighbour"
        );
        round(shop);
        learned(shop)
    });
    assert_eq!(second, first);
}

#[test]
fn without_its_key_a_database_begins_anew() {
    type Spoil = fn(&Path);
    let other: Spoil = |data| fs::write(data.join("cache.key"), [7; 32]).unwrap();
    let missing: Spoil = |data| fs::remove_file(data.join("cache.key")).unwrap();
    let garbage: Spoil =
        |data| fs::write(data.join("cache.db"), "no database".repeat(1_000)).unwrap();
    let cut: Spoil = |data| {
        let bytes = fs::read(data.join("cache.db")).unwrap();
        fs::write(data.join("cache.db"), &bytes[..bytes.len() / 2]).unwrap();
    };
    for (what, spoil, is_aside) in [
        ("another key", other, true),
        ("no key", missing, true),
        ("garbage", garbage, true),
        ("cut", cut, true),
    ] {
        let folder = Folder::new("cache-disk");
        life(&folder, DISK, async |shop| {
            shop.ask(0, QUESTION).await;
            pass_ms(100).await;
        });
        let data = folder.file("data");
        // What the log holds is in the database from here on.
        life(&folder, DISK, async |_| {});
        spoil(&data);
        life(&folder, DISK, async |shop| {
            assert_eq!(status(&shop.ask(0, QUESTION).await), "MISS", "{what}");
            assert_eq!(status(&shop.ask(0, QUESTION).await), "HIT", "{what}");
        });
        let aside = names(&data)
            .iter()
            .any(|name| name.starts_with("cache.db.broken-"));
        assert_eq!(aside, is_aside, "{what}: {:?}", names(&data));
        life(&folder, DISK, async |shop| {
            assert_eq!(status(&shop.ask(0, QUESTION).await), "HIT", "{what}");
        });
    }
}

/// A key that is no key, or that others may read, is for the operator to look at.
#[test]
fn a_key_that_cannot_be_used_is_told_at_the_start() {
    let folder = Folder::new("cache-disk");
    let data = folder.file("data");
    fs::create_dir_all(&data).unwrap();
    let key = data.join("cache.key");
    let text = super::keeping(&format!("[cache]\ndisk = true\ndata = {data:?}\n")).text();
    let start = || {
        paused(async || {
            let config = crate::support::parse(&text);
            let at = "127.0.0.1:1".parse().unwrap();
            trimtab::app::Local::start(config, None, Some(at))
                .map(drop)
                .map_err(|it| it.to_string())
        })
    };
    let mut options = fs::OpenOptions::new();
    drop(
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&key)
            .unwrap(),
    );
    fs::write(&key, "short").unwrap();
    let told = start().unwrap_err();
    assert!(told.contains("cache.key"), "{told}");
    fs::write(&key, [1; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let told = start().unwrap_err();
    assert!(told.contains("cache.key"), "{told}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    start().unwrap();
}

/// The same entry, but for what is changed.
fn copy(entry: &Entry, change: impl FnOnce(&mut Entry)) -> Arc<Entry> {
    let question = entry.question.as_ref().map(|it| Question {
        partition: it.partition,
        text: it.text.clone(),
        features: Features::of(&it.text),
        vector: Arc::clone(&it.vector),
    });
    let mut copy = Entry {
        id: entry.id,
        key: entry.key,
        manner: entry.manner,
        content_type: entry.content_type.clone(),
        bytes: entry.bytes.clone(),
        stored_ms: entry.stored_ms,
        expires_ms: entry.expires_ms,
        request: entry.request.clone(),
        author: entry.author,
        model: Arc::clone(&entry.model),
        tags: entry.tags.clone(),
        cost: entry.cost,
        tokens: entry.tokens,
        question,
    };
    change(&mut copy);
    Arc::new(copy)
}

/// The same entry, kept and expiring at other instants, milliseconds from now.
fn kept_again(shop: &Shop, stored_ms: i64, expires_ms: i64) {
    let library = shop.library();
    let before = library.shelf().those(|_| true).remove(0);
    let forgotten = library.forget(&Which::All, clock::unix_seconds());
    assert_eq!(forgotten.count, 1);
    let now_ms = clock::unix_micros() / 1_000;
    library.keep(copy(&before, |entry| {
        entry.id = library.new_id();
        entry.stored_ms = now_ms + stored_ms;
        entry.expires_ms = now_ms + expires_ms;
    }));
    while library.work(clock::unix_seconds()) > 0 {}
}

/// What has had its time is told neither before nor after a restart; nor is what comes from the future:
/// with a clock that was set back it would last for as long as that, and its time.
#[test]
fn answers_have_their_time() {
    for (stored_ms, expires_ms, is_told) in [
        (-10_000, 1_000_000, true),
        (-10_000, -1, false),
        (3_600_000, 7_200_000, false),
    ] {
        let folder = Folder::new("cache-disk");
        let told = |shop: &Shop| {
            let library = shop.library();
            let entries = library.shelf().those(|_| true);
            let now_ms = clock::unix_micros() / 1_000;
            entries.iter().any(|it| it.is_fresh(now_ms, None))
        };
        life(&folder, DISK, async |shop| {
            assert_eq!(status(&shop.ask(0, QUESTION).await), "MISS");
            kept_again(shop, stored_ms, expires_ms);
            assert_eq!(told(shop), is_told);
            let expected = if is_told { "HIT" } else { "BYPASS" };
            let call = Words::Chat.ask(QUESTION, false);
            let call = if is_told {
                call
            } else {
                call.header("cache-control", "no-store")
            };
            assert_eq!(status(&shop.call(0, call).await), expected);
        });
        life(&folder, DISK, async |shop| {
            assert_eq!(told(shop), is_told, "{stored_ms} {expires_ms}");
            let meant = shop.ask(0, ALIKE).await;
            assert_eq!(status(&meant), if is_told { "SEMANTIC" } else { "MISS" });
            let same = shop.ask(0, QUESTION).await;
            assert_eq!(status(&same), if is_told { "HIT" } else { "SEMANTIC" });
            assert!(is_told || same.text().contains(ALIKE), "{same:?}");
        });
    }
}

/// What does not fit into memory is not kept on disk either, where nothing could evict it.
#[test]
fn what_is_evicted_does_not_come_back_with_more_memory() {
    let folder = Folder::new("cache-disk");
    let with = |memory: &str| format!("[cache]\ndisk = true\nmemory = \"{memory}\"\n");
    let name = |number: usize| format!("Question number {number} of a hundred");
    life(&folder, &with("8MiB"), async |shop| {
        for number in 0..100 {
            shop.ask(0, &name(number)).await;
        }
    });
    life(&folder, &with("64KiB"), async |shop| {
        let library = shop.library();
        assert!(library.shelf().size().0 < 100);
        let forgotten = library.forget(&Which::All, clock::unix_seconds());
        assert!(forgotten.count > 10, "{forgotten:?}");
    });
    life(&folder, &with("8MiB"), async |shop| {
        let library = shop.library();
        assert_eq!(library.shelf().size().0, 0);
    });
}

/// More answers than fit into the queue of what is left for later are forgotten at once, and stay so.
#[test]
fn all_is_all() {
    let folder = Folder::new("cache-disk");
    let text = super::keeping(&format!(
        "[cache]\ndisk = true\ndata = {:?}\n",
        folder.file("data")
    ))
    .text();
    let count = 12_000;
    paused(async || {
        let bench = crate::support::Bench::start(&text, None).await;
        let library = &bench.gateway.shared.lasting.library;
        bench
            .call(&super::asking("x", crate::support::Mode::Whole))
            .await;
        let kept = library.shelf().those(|_| true).remove(0);
        let now_s = clock::unix_seconds();
        for number in 0..count {
            let key = library.key(kept.key.scope(), &[&u32::to_be_bytes(number)]);
            library.keep(copy(&kept, |entry| {
                entry.id = library.new_id();
                entry.key = key;
            }));
            if number % 1_000 == 0 {
                while library.work(now_s) > 0 {}
            }
        }
        while library.work(now_s) > 0 {}
        let forgotten = library.forget(&Which::All, now_s);
        assert!(forgotten.count > 8_192, "{forgotten:?}");
    });
    paused(async || {
        let bench = crate::support::Bench::start(&text, None).await;
        assert_eq!(bench.gateway.shared.lasting.library.shelf().size().0, 0);
    });
}

/// Neither a question nor an answer is in any file, metric or admin answer.
#[test]
fn nobody_reads_who_has_the_files() {
    let folder = Folder::new("cache-disk");
    let lines = DISK.replace("share = 0.0", "share = 1.0");
    let canaries = ["Zyzzyva", "Quokka", "tag-of-tapirs", "Answer 1 to"];
    let told = life(&folder, &lines, async |shop| {
        for question in [
            "Where does the Zyzzyva live?",
            "Please tell me: where does the Zyzzyva live?",
            "How is a Quokka fed?",
        ] {
            for stream in [false, true] {
                let call = Words::Messages.ask(question, stream);
                let call = call.header("x-trimtab-cache-tags", "tag-of-tapirs");
                shop.call(0, call.header("x-trimtab-explain", "1")).await;
                pass_ms(500).await;
            }
        }
        round(shop);
        let mut told = shop.bench.metrics().await.0;
        for path in ["/api/cache", "/api/cache/audit", "/api/audit", "/api/keys"] {
            let mut client = Client::open(shop.bench.gateway.admin).await;
            told.push_str(&client.call(&Call::get(path)).await.text());
        }
        told
    });
    for canary in canaries {
        assert!(!told.contains(canary), "{canary}");
    }
    let mut found = 0;
    look_through(&folder.0, &mut |path, bytes| {
        found += 1;
        for canary in canaries {
            let there = bytes
                .windows(canary.len())
                .any(|it| it == canary.as_bytes());
            assert!(!there, "{canary} is in {}", path.display());
        }
    });
    assert!(found >= 5, "{found} files");
    assert!(names(&folder.file("data")).contains(&"cache-audit".to_owned()));
}

fn look_through(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look_through(&path, look);
        } else {
            look(&path, &fs::read(&path).unwrap());
        }
    }
}
