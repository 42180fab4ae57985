//! A disk that takes nothing more costs the batch, and nothing else; when it takes again everything goes on.
//!
//! The system refuses because the process may not let a file grow: the child takes its own right away and back.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use trimtab::cache::disk::{Disk, DiskError};

use crate::folder::Folder;
use crate::world::{content, open};

/// Rows of a batch.
const BATCH: u64 = 20;

/// Bytes that a file may have while it is held: in the middle of the write-ahead log, and of the database.
const BYTES: [u64; 3] = [1_000_000, 3_000_000, 3_000_001];

/// Runs the child; what is to be said of it.
pub(crate) fn run() -> String {
    let folder = Folder::new("cache-disk-refuse");
    // Why a shell: a file that may not grow fails the write, and does not end the process.
    let done = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; exec \"$0\" --trial refuse --child \"$1\"",
        ])
        .arg(std::env::current_exe().unwrap())
        .arg(&folder.0)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Writes, is refused, writes again, and looks.
pub(crate) fn child(folder: &Path) {
    let (mut disk, _) = open(folder);
    let mut whole = BTreeSet::new();
    let (mut next, mut refused) = (0, 0);
    for bytes in BYTES {
        let before = getrlimit(Resource::Fsize);
        let current = Some(bytes);
        setrlimit(Resource::Fsize, Rlimit { current, ..before }).unwrap();
        let mut failures = 0;
        while failures < 5 {
            match put(&mut disk, next) {
                Ok(()) => whole.extend(next..next + BATCH),
                Err(DiskError::Full | DiskError::Failed(_)) => failures += 1,
                Err(error) => panic!("{error}"),
            }
            next += BATCH;
            assert_eq!(ids(&mut disk), whole, "beyond {bytes} bytes");
        }
        refused += failures;
        setrlimit(Resource::Fsize, before).unwrap();
        for _ in 0..10 {
            put(&mut disk, next).unwrap();
            whole.extend(next..next + BATCH);
            next += BATCH;
        }
        assert_eq!(ids(&mut disk), whole, "when it takes again");
    }
    drop(disk);
    let (mut disk, opened) = open(folder);
    assert_eq!(opened.rebuilt, None);
    assert_eq!(ids(&mut disk), whole, "when it is opened again");
    println!(
        "{refused} batches refused by the system, {} rows of the others are there and right",
        whole.len()
    );
}

fn put(disk: &mut Disk, first: u64) -> Result<(), DiskError> {
    let contents: Vec<_> = (first..first + BATCH).map(content).collect();
    let rows: Vec<_> = contents.iter().map(|it| it.row()).collect();
    disk.put(&rows)
}

/// The numbers of all rows, each checked.
fn ids(disk: &mut Disk) -> BTreeSet<u64> {
    let mut ids = BTreeSet::new();
    let loaded = disk.all(|known, payload| {
        assert!(payload == content(known.id).payload, "{}", known.id);
        ids.insert(known.id);
        ControlFlow::Continue(())
    });
    assert_eq!(loaded.unwrap().damaged, 0);
    ids
}
