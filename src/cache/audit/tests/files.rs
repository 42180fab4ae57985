//! Are records read back as they were written, whatever happens in between?

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{audit, audited, count, hostile};
use crate::cache::audit::compare::Verdict;
use crate::cache::audit::reading::{Reading, read};
use crate::cache::audit::record::{LINE, Record, Texts, Unfit};
use crate::cache::audit::records::{End, Limits, Log, Records, RecordsError};
use crate::cache::audit::sample::DAY;

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("trimtab-audit-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self, limits: Limits) -> (Records, Vec<String>) {
        Records::open(&self.0, limits).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "lock")
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn all(folder: &Path) -> (Vec<Record>, Reading) {
    let mut records = Vec::new();
    let reading = read(folder, |record| records.push(record));
    (records, reading)
}

#[test]
fn hostile_names_stay_one_line_that_is_read_back() {
    for name in hostile() {
        let texts = Texts {
            question: name.clone(),
            stored: name.clone(),
            fresh: name.clone(),
        };
        let mut it = audited(1, &name, &name, Verdict::Different);
        it.texts = Some(texts);
        it.path = Some(name.clone());
        for record in [Record::Audit(Box::new(it)), count(1, &name, 3, 0.9)] {
            let line = record.encode().unwrap();
            assert_eq!(
                line.iter().filter(|byte| **byte == b'\n').count(),
                1,
                "{name:?}"
            );
            assert!(
                !line[..line.len() - 1].iter().any(|byte| *byte < b' '),
                "{name:?}"
            );
            let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(value["workflow"], name.as_str());
            assert_eq!(Record::decode(&line[..line.len() - 1]), Some(record));
        }
    }
}

#[test]
fn a_line_cut_anywhere_is_no_record() {
    let line = audit(1, "a", Verdict::Same).encode().unwrap();
    for end in 0..line.len() - 1 {
        assert_eq!(Record::decode(&line[..end]), None, "{end}");
    }
}

#[test]
fn numbers_out_of_range_are_neither_written_nor_read() {
    let mut it = audited(1, "a", "e", Verdict::Same);
    for similarity in [f64::NAN, 1e300] {
        it.similarity = similarity;
        let record = Record::Audit(Box::new(it.clone()));
        assert_eq!(record.encode(), Err(Unfit::Number("similarity")));
    }
    it.similarity = 0.9;
    for probability in [0.0, -0.1, 1.1, f64::INFINITY] {
        it.probability = probability;
        let record = Record::Audit(Box::new(it.clone()));
        assert_eq!(record.encode(), Err(Unfit::Number("probability")));
    }
    let line = audit(1, "a", Verdict::Same).encode().unwrap();
    let line = String::from_utf8(line).unwrap();
    let changed = line.replace("\"probability\":0.05", "\"probability\":5");
    assert_ne!(line, changed);
    assert_eq!(Record::decode(changed.trim().as_bytes()), None);
}

#[test]
fn texts_that_do_not_fit_are_left_out_and_counted() {
    let mut it = audited(1, "a", "e", Verdict::Same);
    it.texts = Some(Texts {
        question: "q".repeat(10),
        stored: "\n".repeat(LINE),
        fresh: String::new(),
    });
    let line = Record::Audit(Box::new(it)).encode().unwrap();
    let Some(Record::Audit(found)) = Record::decode(line.trim_ascii_end()) else {
        panic!("it is an audit");
    };
    assert_eq!(
        (found.texts, found.left_out),
        (None, Some(LINE as u64 + 10))
    );
    let name = "n".repeat(LINE);
    assert_eq!(count(1, &name, 1, 0.9).encode(), Err(Unfit::Long));
    assert_eq!(audit(1, &name, Verdict::Same).encode(), Err(Unfit::Long));
}

#[test]
fn files_follow_each_other_by_day_and_by_bytes_and_the_oldest_go() {
    let folder = Folder::new("rotation");
    let line = audit(1_000 * DAY, "a", Verdict::Same)
        .encode()
        .unwrap()
        .len() as u64;
    let limits = Limits {
        days: 3,
        bytes_per_file: 2 * line,
        total_bytes: 1 << 20,
    };
    let (mut records, _) = folder.open(limits);
    let mut put = |day: i64| {
        let at = day * DAY + 5;
        records.append(at, &audit(at, "a", Verdict::Same)).unwrap();
    };
    [1_000, 1_000, 1_000, 1_001].into_iter().for_each(&mut put);
    let first = [
        "1972-09-27-0001.jsonl",
        "1972-09-27-0002.jsonl",
        "1972-09-28-0001.jsonl",
    ];
    assert_eq!(folder.files(), first);
    // The clock is set back: the newest file is gone on with.
    put(1_000);
    assert_eq!(folder.files(), first);
    // Three days are kept, today included.
    put(1_003);
    assert_eq!(
        folder.files(),
        ["1972-09-28-0001.jsonl", "1972-09-30-0001.jsonl"]
    );
    assert_eq!(all(&folder.0).1.records, 3);
    drop(records);

    // A start goes on with the day's last file; bytes bound all files, the newest apart.
    let limits = Limits {
        total_bytes: 3 * line,
        ..limits
    };
    let (mut records, messages) = folder.open(limits);
    assert!(messages.is_empty());
    let at = 1_003 * DAY + 9;
    for _ in 0..4 {
        records.append(at, &audit(at, "a", Verdict::Same)).unwrap();
    }
    assert_eq!(
        folder.files(),
        ["1972-09-30-0002.jsonl", "1972-09-30-0003.jsonl"]
    );
    let tiny = Limits {
        days: 0,
        bytes_per_file: 0,
        total_bytes: 0,
    };
    drop(records);
    let (mut records, _) = folder.open(tiny);
    records.append(at, &audit(at, "a", Verdict::Same)).unwrap();
    records.append(at, &audit(at, "a", Verdict::Same)).unwrap();
    assert_eq!(folder.files().len(), 1);
    assert_eq!(all(&folder.0).1.records, 1);
}

#[test]
fn a_process_killed_in_the_middle_of_a_line_costs_that_line() {
    let folder = Folder::new("killed");
    let (mut records, _) = folder.open(Limits::default());
    let kept = audit(DAY, "a", Verdict::Same);
    let lost = audit(DAY, "lost", Verdict::Different);
    records.append(DAY, &kept).unwrap();
    drop(records);
    let path = folder.0.join("1970-01-02-0001.jsonl");
    let good = fs::read(&path).unwrap();
    let line = lost.encode().unwrap();
    for cut in 0..line.len() {
        let mut torn = good.clone();
        torn.extend_from_slice(&line[..cut]);
        fs::write(&path, &torn).unwrap();
        assert_eq!(all(&folder.0).0, vec![kept.clone()], "read at {cut}");
        let (mut records, messages) = folder.open(Limits::default());
        assert_eq!(messages.len(), usize::from(cut > 0));
        assert_eq!(fs::read(&path).unwrap(), good, "mended at {cut}");
        records.append(DAY, &lost).unwrap();
        let (found, reading) = all(&folder.0);
        assert_eq!((found.len(), reading.broken), (2, 0));
    }
}

#[test]
fn what_is_foreign_is_named_and_left() {
    let folder = Folder::new("foreign");
    let (mut records, _) = folder.open(Limits::default());
    records
        .append(DAY, &audit(DAY, "a", Verdict::Same))
        .unwrap();
    drop(records);
    // A folder in a file's place, lines of rubbish, a line without end longer than any record, and other names.
    fs::create_dir(folder.0.join("1970-01-03-0001.jsonl")).unwrap();
    fs::write(
        folder.0.join("1970-01-04-0001.jsonl"),
        "{}\n\n\u{0}\nnull\n",
    )
    .unwrap();
    let long = "y".repeat(LINE + 100);
    fs::write(folder.0.join("1970-01-05-0001.jsonl"), &long).unwrap();
    for name in [
        "notes.txt",
        "1970-1-1-1.jsonl",
        "1970-02-31-0001.jsonl",
        "1970-01-02-1.jsonl",
    ] {
        fs::write(folder.0.join(name), "mine").unwrap();
    }
    let (found, reading) = all(&folder.0);
    assert_eq!((found.len(), reading.files, reading.broken), (1, 3, 4));
    assert_eq!(reading.messages.len(), 2, "{:?}", reading.messages);
    assert!(reading.messages[0].contains("1970-01-03-0001.jsonl"));
    assert!(reading.messages[1].contains("1970-01-04-0001.jsonl: 4 lines"));
    // It is closed as a line, and what is written next is whole.
    let limits = Limits {
        days: 2,
        ..Limits::default()
    };
    let (mut records, _) = folder.open(limits);
    records
        .append(4 * DAY, &audit(4 * DAY, "b", Verdict::Same))
        .unwrap();
    let (found, reading) = all(&folder.0);
    assert_eq!((found.len(), reading.broken), (1, 5));
    assert!(folder.0.join("notes.txt").exists() && folder.0.join("1970-01-02-1.jsonl").exists());
    assert!(
        !folder.0.join("1970-01-02-0001.jsonl").exists(),
        "it is too old"
    );
}

#[test]
fn a_folder_in_a_files_place_is_passed_over() {
    let folder = Folder::new("passed");
    fs::create_dir_all(folder.0.join("1970-01-02-0001.jsonl")).unwrap();
    let (mut records, messages) = folder.open(Limits::default());
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("1970-01-02-0001.jsonl"));
    let record = audit(DAY, "a", Verdict::Same);
    records.append(DAY, &record).unwrap();
    assert_eq!(
        folder.files(),
        ["1970-01-02-0001.jsonl", "1970-01-02-0002.jsonl"]
    );
    assert_eq!(all(&folder.0).0, [record]);
    assert_eq!(records.problem(), None);
}

#[test]
fn one_process_writes_into_a_folder() {
    let folder = Folder::new("lock");
    let (first, _) = folder.open(Limits::default());
    let second = Records::open(&folder.0, Limits::default());
    assert!(matches!(second, Err(RecordsError::InUse(_))));
    drop(first);
    assert!(Records::open(&folder.0, Limits::default()).is_ok());
}

#[test]
fn a_folder_that_is_not_there_is_a_message() {
    let folder = Folder::new("absent");
    let (found, reading) = all(&folder.0);
    assert!(found.is_empty());
    assert_eq!(reading.messages.len(), 1);
    fs::write(&folder.0, "a file").unwrap();
    let error = Records::open(&folder.0, Limits::default()).unwrap_err();
    assert!(matches!(error, RecordsError::Failed { .. }), "{error}");
    fs::remove_file(&folder.0).unwrap();
}

#[test]
fn files_removed_under_a_writer_are_made_anew() {
    let folder = Folder::new("removed");
    let (mut records, _) = folder.open(Limits::default());
    records
        .append(DAY, &audit(DAY, "a", Verdict::Same))
        .unwrap();
    fs::remove_dir_all(&folder.0).unwrap();
    records
        .append(DAY, &audit(DAY, "b", Verdict::Same))
        .unwrap();
    assert_eq!(all(&folder.0).1.records, 1);
}

#[test]
fn a_full_disk_is_an_error_that_passes() {
    let folder = Folder::new("full");
    let (mut records, _) = folder.open(Limits::default());
    let path = folder.0.join("1970-01-02-0001.jsonl");
    // A device that has never room.
    if std::os::unix::fs::symlink("/dev/full", &path).is_ok() && fs::write(&path, "x").is_err() {
        let error = records
            .append(DAY, &audit(DAY, "a", Verdict::Same))
            .unwrap_err();
        assert!(matches!(error, RecordsError::Full), "{error}");
    }
    // On the next day there is room again.
    let _ = fs::remove_file(&path);
    records
        .append(2 * DAY, &audit(DAY, "a", Verdict::Same))
        .unwrap();
    assert_eq!(all(&folder.0).1.records, 1);
}

/// A file with room for so many bytes, which may refuse to be cut.
#[derive(Default)]
struct Small {
    bytes: Vec<u8>,
    room: usize,
    cuts: bool,
}

impl Log for Small {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(self.room - self.bytes.len());
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.write(&bytes[..fits])
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        if !self.cuts {
            return Err(io::ErrorKind::Other.into());
        }
        self.bytes.truncate(usize::try_from(len).unwrap());
        Ok(())
    }
}

#[test]
fn a_write_that_falls_short_leaves_nothing() {
    for room in 0..12 {
        for cuts in [true, false] {
            let mut log = Small {
                room,
                cuts,
                ..Small::default()
            };
            let mut end = End {
                len: 0,
                torn: false,
            };
            let written = (0..3)
                .filter(|_| end.append(&mut log, b"abc\n").is_ok())
                .count();
            assert_eq!(written, room / 4);
            // Room is made, and the file may be cut again.
            (log.room, log.cuts) = (100, true);
            end.append(&mut log, b"xyz\n").unwrap();
            let expected = format!("{}xyz\n", "abc\n".repeat(room / 4));
            assert_eq!(
                String::from_utf8(log.bytes).unwrap(),
                expected,
                "{room} {cuts}"
            );
        }
    }
}
