//! Killed at any moment, the disk opens again with everything that it has acknowledged.
//!
//! The child writes, removes, sweeps and forgets as fast as it can, and says before and after each what it is about.
//!
//! # Invariants
//! - What was said to be written, and not said to be about to be removed, is there.
//! - What was said to be removed is not.
//! - Nothing was set aside: a kill damages nothing.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rand::rngs::{SmallRng, StdRng};
use rand::{RngExt, SeedableRng};

use crate::folder::Folder;
use crate::world::{NOW, content, expires_s, open};

/// Lines that a child says before it is killed, at most: some tens of transactions.
const LINES: usize = 50;

/// What the parent knows from what the children said.
#[derive(Debug, Default)]
struct Known {
    /// Rows that must be there.
    there: BTreeSet<u64>,
    /// Rows that may be there: begun, or about to be removed.
    perhaps: BTreeSet<u64>,
    /// Whether those are all there or none.
    as_one: bool,
    /// The first number that no child has used.
    next: u64,
}

/// Kills it so often; what is to be said of it.
pub(crate) fn run(seed: u64, times: u32) -> String {
    let folder = Folder::new("cache-disk-kill");
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut known = Known::default();
    let (mut written, mut halves) = (0, 0);
    for round in 0..times {
        if rng.random_ratio(1, 4) {
            stillborn(&folder.file(&format!("stillborn-{round}")), &mut rng);
        }
        let data = folder.file("data");
        let mut child = spawn(&data, known.next);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let most = rng.random_range(0..LINES);
        for line in lines.by_ref().take(most) {
            written += known.hear(&line.unwrap());
        }
        // A little later, in the middle of something.
        spin(rng.random_range(0..100_000));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it has said to the end; its last line may be half a one.
        let mut rest: Vec<String> = lines.map(|line| line.unwrap()).collect();
        if rest.last().is_some_and(|last| !last.ends_with('.')) {
            rest.pop();
        }
        for line in rest {
            written += known.hear(&line);
        }
        let when = format!("kill {round} of seed {seed}");
        halves += known.check(&data, &when);
    }
    let there = known.there.len();
    format!(
        "{times} kills of seed {seed}: {written} rows acknowledged, {there} are there and right, {halves} times a change was cut off and is there whole or not at all"
    )
}

/// Kills one that has just begun, in a folder where there is nothing yet; the next finds nothing broken.
fn stillborn(folder: &Path, rng: &mut SmallRng) {
    let mut child = spawn(folder, 0);
    spin(rng.random_range(0..2_000_000));
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut disk, opened) = open(folder);
    assert_eq!(opened.rebuilt, None, "killed at the start");
    let first = content(u64::MAX);
    disk.put(&[first.row()]).unwrap();
    assert!(disk.read(u64::MAX).unwrap().unwrap() == first.payload);
}

/// Lets a little time pass.
fn spin(rounds: u32) {
    for _ in 0..rounds {
        std::hint::spin_loop();
    }
}

/// Starts the child in a folder.
fn spawn(folder: &Path, next: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--trial", "kill", "--seed", &next.to_string(), "--child"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

impl Known {
    /// Takes a line of the child's: what it is about to do (`<`) or has done (`>`), and to which rows; how many were written.
    fn hear(&mut self, line: &str) -> usize {
        let words = line.strip_suffix('.').unwrap();
        let mut words = words.split(' ');
        let what = words.next().unwrap();
        let ids: Vec<u64> = words.map(|id| id.parse().unwrap()).collect();
        let mut written = 0;
        match what {
            "<put" => {
                self.perhaps.extend(&ids);
                self.as_one = true;
            }
            ">put" => {
                written = ids.len();
                self.there.extend(&ids);
                self.perhaps.clear();
            }
            "<remove" | "<forget" | "<sweep" => {
                self.there.retain(|id| !ids.contains(id));
                self.perhaps.extend(&ids);
                self.as_one = what == "<remove";
            }
            ">remove" | ">forget" | ">sweep" => self.perhaps.clear(),
            _ => panic!("{line}"),
        }
        let used = ids.iter().max().map_or(0, |id| id + 1);
        self.next = self.next.max(used);
        written
    }

    /// Opens the folder as it was left; how many changes were cut off.
    fn check(&mut self, folder: &Path, when: &str) -> usize {
        let (mut disk, opened) = open(folder);
        assert_eq!(opened.rebuilt, None, "{when}");
        let mut found = BTreeSet::new();
        let loaded = disk
            .all(|known, payload| {
                let right = content(known.id);
                assert!(payload == right.payload, "{when}: {}", known.id);
                let (got, expected) = ((known.tenant, known.key), (right.tenant, right.key));
                assert_eq!(got, expected, "{when}: {}", known.id);
                assert!(found.insert(known.id), "{when}: {} twice", known.id);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(loaded.damaged, 0, "{when}");
        for id in &self.there {
            assert!(found.contains(id), "{when}: {id} is lost");
            let read = disk.read(*id).unwrap();
            assert!(read.unwrap() == content(*id).payload, "{when}: {id}");
        }
        for id in &found {
            let may = self.there.contains(id) || self.perhaps.contains(id);
            assert!(may, "{when}: {id} should not be there");
        }
        let left = self.perhaps.intersection(&found).count();
        let whole = left == 0 || left == self.perhaps.len();
        assert!(whole || !self.as_one, "{when}: half of a change is there");
        let cut = usize::from(!self.perhaps.is_empty());
        self.perhaps.clear();
        self.there = found;
        cut
    }
}

/// Writes until it is killed, from a number on that is its seed as well.
pub(crate) fn child(folder: &Path, first: u64) {
    let (mut disk, _) = open(folder);
    let mut rng = StdRng::seed_from_u64(first);
    let mut there = BTreeSet::new();
    disk.all(|known, _| {
        there.insert(known.id);
        ControlFlow::Continue(())
    })
    .unwrap();
    let mut next = first;
    loop {
        match rng.random_range(0..20) {
            0..=1 => {
                let ids: Vec<u64> = there.iter().take(20).copied().collect();
                tell("<remove", &ids);
                disk.remove(&ids).unwrap();
                tell(">remove", &[]);
                there.retain(|id| !ids.contains(id));
            }
            2 => {
                let tenant = rng.random_range(0..5);
                let (ids, rest) = there.iter().partition(|id| *id % 5 == tenant);
                let ids: BTreeSet<u64> = ids;
                tell("<forget", &ids);
                disk.forget_tenant([tenant as u8; 16]).unwrap();
                tell(">forget", &[]);
                there = rest;
            }
            3..=4 => {
                let now = NOW + 500;
                let (ids, rest) = there.iter().partition(|id| expires_s(**id) <= now);
                let ids: BTreeSet<u64> = ids;
                tell("<sweep", &ids);
                disk.sweep(now).unwrap();
                tell(">sweep", &[]);
                there = rest;
            }
            _ => {
                let count = rng.random_range(1..40);
                let contents: Vec<_> = (next..next + count).map(content).collect();
                let rows: Vec<_> = contents.iter().map(|it| it.row()).collect();
                let ids: Vec<u64> = rows.iter().map(|it| it.id).collect();
                next += count;
                tell("<put", &ids);
                disk.put(&rows).unwrap();
                tell(">put", &ids);
                there.extend(ids);
            }
        }
    }
}

/// Says a line, ended by a full stop so that half of one is known for it.
fn tell<'a>(what: &str, ids: impl IntoIterator<Item = &'a u64>) {
    let mut line = what.to_owned();
    for id in ids {
        line.push(' ');
        line.push_str(&id.to_string());
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}.").unwrap();
    stdout.flush().unwrap();
}
