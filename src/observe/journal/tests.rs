//! Lines, and the files that they are in.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use scoring::outcome::Outcome;
use serde_json::Value;

use super::super::kinds::{Ending, Fault};
use super::super::sample::{AT_US, leg, story};
use super::super::scribe::Sink as _;
use super::super::story::Story;
use super::{Counts, Journal, write};
use crate::config::{Nano, RequestLog};

const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400 * SECOND;

fn line(story: &Story) -> String {
    let mut out = Vec::new();
    write(&mut out, story);
    String::from_utf8(out).unwrap()
}

#[test]
fn one_line_to_the_letter() {
    let expected = concat!(
        r#"{"ts":"2026-09-21T14:13:20.123Z","request_id":"req-deadbeef00000012","#,
        r#""trace_id":"0af7651916cd43dd8448eb211c80319c","key":"app","team":"growth","customer":null,"#,
        r#""endpoint":"chat","surface":"openai","model":"m","asked":null,"workflow":null,"#,
        r#""route":"openai-eu/m-1/key-a@eu","provider":"openai-eu","upstream_model":"m-1","#,
        r#""attempts":[{"route":"openai-eu/m-1/key-a@eu","outcome":"success","status":200,"took_ms":1250,"ttft_ms":250}],"#,
        r#""status":200,"ending":"ok","error_type":null,"stream":true,"#,
        r#""tokens":{"in":1200,"cached":1024,"cache_write":0,"out":350,"reasoning":128},"#,
        r#""cost_usd":0.000391,"saved_usd":0,"cache":"MISS","took_ms":1251.007,"ttft_ms":250.31,"overhead_us":42,"#,
        r#""session":"000000000000004d"}"#,
        "\n"
    );
    assert_eq!(line(&story()), expected);
}

#[test]
fn every_line_has_the_same_keys_and_is_json() {
    let mut bare = story();
    bare.who = None;
    bare.trace = None;
    bare.session = None;
    bare.model = None;
    bare.legs.clear();
    bare.first = None;
    bare.cache = "";
    bare.asked = Some("a \"model\"\\ \n\u{1}\u{7f} café 🦀".into());
    bare.fault = Some(Fault::NoModel);
    bare.ending = Ending::ClientError;
    bare.cost = Nano::new(12_345_678_901);
    bare.saved = Nano::MAX;
    let text = line(&bare);
    assert_eq!(text.matches('\n').count(), 1);
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["asked"].as_str(), bare.asked.as_deref());
    assert_eq!(read["cost_usd"], 12.345_678_901);
    assert_eq!(read["attempts"], Value::Array(Vec::new()));
    for absent in [
        "trace_id", "key", "session", "model", "route", "ttft_ms", "cache",
    ] {
        assert_eq!(read[absent], Value::Null, "{absent}");
    }
    let keys = |text: &str| -> Vec<String> {
        let read: Value = serde_json::from_str(text).unwrap();
        read.as_object().unwrap().keys().cloned().collect()
    };
    let mut full = story();
    let mut second = leg("b", "b");
    second.outcome = Outcome::Overloaded;
    full.legs.push(second);
    let full = line(&full);
    assert_eq!(keys(&text), keys(&full));
    let read: Value = serde_json::from_str(&full).unwrap();
    assert_eq!(read["attempts"][1]["outcome"], "overloaded");
    assert_eq!(read["provider"], "b");
}

/// A log in a folder of its own.
struct World {
    folder: PathBuf,
    settings: RequestLog,
    counts: Counts,
}

impl World {
    fn new(test: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("trimtab-journal-{test}-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self {
            settings: RequestLog {
                path: folder.join("requests.jsonl"),
                rotate: RequestLog::ROTATE,
                days: RequestLog::DAYS,
                size: RequestLog::SIZE,
            },
            folder,
            counts: Counts::default(),
        }
    }

    fn open(&self) -> Journal {
        Journal::open(&self.settings, self.counts.clone(), AT_US).unwrap()
    }

    fn path(&self) -> &Path {
        &self.settings.path
    }

    /// The closed files, oldest first.
    fn closed(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path != self.path());
        paths.sort();
        paths
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The ids in a file, each of whose lines is whole.
fn ids(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let id = |line: &str| -> String {
        let read: Value = serde_json::from_str(line).unwrap();
        read["request_id"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

fn named(number: u64) -> Story {
    let mut story = story();
    story.id = format!("req-{number:06}").parse().unwrap();
    story
}

fn names(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    let name = |number| format!("req-{number:06}");
    numbers.into_iter().map(name).collect()
}

#[test]
fn files_are_closed_when_full_and_the_oldest_go() {
    let mut world = World::new("rotate");
    world.settings.rotate = 64 << 10;
    world.settings.size = 200 << 10;
    let other = world.folder.join("requests.old.jsonl");
    fs::write(&other, "another's").unwrap();
    let mut journal = world.open();
    // All of it within one moment, so that names must differ by themselves.
    for number in 0..1_000 {
        journal.take(&named(number));
        journal.rest(AT_US);
    }
    drop(journal);
    let closed = world.closed();
    let (others, ours): (Vec<_>, Vec<_>) = closed.iter().partition(|path| **path == other);
    assert_eq!(others.len(), 1, "{closed:?}");
    assert_eq!(ours.len(), 3, "{closed:?}");
    let mut kept = Vec::new();
    for path in ours.iter().copied().chain([&world.settings.path]) {
        assert!(fs::metadata(path).unwrap().len() <= 64 << 10);
        kept.extend(ids(path));
    }
    let first = 1_000 - kept.len() as u64;
    assert_eq!(kept, names(first..1_000), "in order of their names");
    assert_eq!(world.counts.dropped.get(), 0);
}

#[test]
fn old_files_go_and_others_stay() {
    let world = World::new("days");
    let old = world.folder.join("requests.2026-09-01T00-00-00-000Z.jsonl");
    let young = world.folder.join("requests.2026-09-20T00-00-00-000Z.jsonl");
    let other = world
        .folder
        .join("requests.2026-09-01T00-00-00-000Z.jsonl.gz");
    for path in [&old, &young, &other] {
        fs::write(path, "{}\n").unwrap();
    }
    let mut journal = world.open();
    assert_eq!(world.closed(), [other.clone(), young.clone()]);
    journal.rest(AT_US + 13 * DAY);
    assert_eq!(world.closed(), [other]);
}

#[test]
fn a_file_that_is_moved_away_is_begun_anew() {
    let world = World::new("moved");
    let mut journal = world.open();
    journal.take(&named(1));
    journal.rest(AT_US);
    let moved = world.folder.join("moved");
    fs::rename(world.path(), &moved).unwrap();
    journal.take(&named(2));
    journal.rest(AT_US + SECOND);
    assert_eq!((ids(&moved), ids(world.path())), (names([1]), names([2])));
    fs::remove_file(world.path()).unwrap();
    journal.take(&named(3));
    journal.rest(AT_US + 2 * SECOND);
    assert_eq!(ids(world.path()), names([3]));
    // As `copytruncate` does it.
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(world.path())
        .unwrap();
    journal.take(&named(4));
    journal.rest(AT_US + 3 * SECOND);
    assert_eq!(ids(world.path()), names([4]));
}

#[test]
fn half_a_line_is_cut_off_and_another_s_completed() {
    let world = World::new("half");
    let check = |before: &str, after: &str| {
        fs::write(world.path(), before).unwrap();
        drop(world.open());
        assert_eq!(fs::read_to_string(world.path()).unwrap(), after);
    };
    let (whole, half) = (line(&story()), line(&story())[..100].to_owned());
    check(&format!("{whole}{half}"), &whole);
    check(&half, "");
    check("{\"t", "");
    check(&whole, &whole);
    check("", "");
    check("not ours", "not ours\n");
    let long = format!("{{\"ts\":\"{}", "x".repeat(200_000));
    check(&long, &format!("{long}\n"));
}

#[test]
fn a_device_without_room_costs_lines_and_nothing_else() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let world = World::new("full");
    std::os::unix::fs::symlink(full, world.path()).unwrap();
    let mut journal = world.open();
    for number in 0..500 {
        journal.take(&named(number));
    }
    journal.rest(AT_US);
    assert_eq!(world.counts.dropped.get(), 500);
    fs::remove_file(world.path()).unwrap();
    journal.take(&named(500));
    journal.rest(AT_US + SECOND);
    assert_eq!(ids(world.path()), names([500]));
    let counts = (world.counts.written.get(), world.counts.dropped.get());
    assert_eq!(counts, (1, 500));
}

#[test]
fn a_folder_that_is_gone_costs_lines_until_it_is_back() {
    let world = World::new("gone");
    let mut journal = world.open();
    fs::remove_dir_all(&world.folder).unwrap();
    journal.rest(AT_US + SECOND);
    journal.take(&named(1));
    journal.rest(AT_US + 2 * SECOND);
    assert_eq!(world.counts.dropped.get(), 1);
    fs::create_dir_all(&world.folder).unwrap();
    journal.take(&named(2));
    journal.rest(AT_US + 3 * SECOND);
    assert_eq!(ids(world.path()), names([2]));
}

#[test]
fn what_is_in_the_file_already_stays() {
    let world = World::new("append");
    let mut file = fs::File::create(world.path()).unwrap();
    file.write_all(line(&named(1)).as_bytes()).unwrap();
    let mut journal = world.open();
    journal.take(&named(2));
    drop(journal);
    assert_eq!(ids(world.path()), names([1, 2]));
}
