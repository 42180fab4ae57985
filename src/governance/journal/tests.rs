//! Is every record in its file whole or not at all?
//!
//! Disks in memory fail, fill up and are torn at every place there is.

use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::faulty::{Fault, Faulty};
use super::writer::ROTATE_AT;
use super::*;
use crate::config::Window;
use crate::config::{Nano, Sync};

fn any_slots() -> impl Strategy<Value = Slots> {
    let slots = proptest::collection::vec((any::<u32>(), any::<u32>()), 0..=SLOTS);
    slots.prop_map(|list| {
        let mut slots = Slots::default();
        for (account, start) in list {
            let start = i64::from(start);
            slots.push(Slot { account, start }).unwrap();
        }
        slots
    })
}

fn any_parties() -> impl Strategy<Value = Parties> {
    any::<[u32; 4]>().prop_map(|[key, model, route, labels]| Parties {
        key,
        model,
        route,
        labels,
    })
}

fn any_tokens() -> impl Strategy<Value = Tokens> {
    any::<[u32; 7]>().prop_map(
        |[input, cached, write_5m, write_1h, output, reasoning, units]| Tokens {
            input,
            cached,
            write_5m,
            write_1h,
            output,
            reasoning,
            units,
        },
    )
}

pub(super) fn any_record() -> impl Strategy<Value = Record> {
    let numbers = any::<(u128, i64, u64, u64, u32, Option<u128>)>();
    (0..4, numbers, any_parties(), any_tokens(), any_slots()).prop_map(
        |(kind, (id, at, amount, request, number, target), parties, tokens, slots)| match kind {
            0 => Record::Reserve(Reserve {
                id,
                at,
                amount: Nano::new(amount),
                parties,
                request,
                price: number,
                slots,
            }),
            1 => Record::Settle(Settle {
                id,
                at,
                amount: Nano::new(amount),
                parties,
                request,
                tokens,
                flags: Flags::FAILED.and(Flags::FROM_CACHE),
                slots,
            }),
            2 => Record::Roll(Roll {
                at,
                account: parties.key,
                window: Window {
                    start: i64::from(number),
                    end: at,
                },
            }),
            _ => Record::Adjust(Adjust {
                id,
                at,
                target,
                amount: amount.cast_signed(),
                parties,
                request,
                slots,
            }),
        },
    )
}

fn reserve(id: u128) -> Reserve {
    let mut slots = Slots::default();
    slots
        .push(Slot {
            account: 1,
            start: 60,
        })
        .unwrap();
    Reserve {
        id,
        at: 5,
        amount: Nano::new(10),
        slots,
        ..Reserve::default()
    }
}

fn journal(disk: &Faulty) -> Journal {
    Journal::open(Arc::new(disk.clone()), Sync::EverySecond).unwrap()
}

/// The ids of all reservations in the folder, in order, and what was damaged.
fn read(disk: &Faulty) -> (Vec<u128>, u64) {
    let (mut ids, mut damaged) = (Vec::new(), 0);
    for name in disk.journals() {
        let mut reader = Reader::new(disk, &name, 0, None);
        while let Some(found) = reader.read_next().unwrap() {
            if let Record::Reserve(reserve) = found.record {
                ids.push(reserve.id);
            }
        }
        damaged += reader.damaged();
    }
    (ids, damaged)
}

#[test]
fn any_failing_call_costs_only_what_was_refused() {
    for fault in [
        Fault::Full(0),
        Fault::Full(7),
        Fault::Short(1),
        Fault::Short(192),
        Fault::Broken(191),
        Fault::ReadOnly,
    ] {
        for length in 1..=4 {
            for from in 0..10 {
                let disk = Faulty::default();
                disk.fail(from, from + length, fault);
                let mut journal = journal(&disk);
                let mut writer = journal.writer(1);
                let mut written = Vec::new();
                for id in 0..12 {
                    if writer.reserve(&reserve(id)).is_ok() {
                        written.push(id);
                    }
                    // Nothing but what was written is to be read, at any time.
                    for file in journal.files().unwrap() {
                        let len = disk.content(&file.name).len() as u64;
                        assert!(file.end.unwrap() <= len);
                    }
                }
                let case = format!("{fault:?} from {from} for {length}");
                assert_eq!(read(&disk).0, written, "{case}");
                assert!(written.contains(&11), "it recovers: {case}");
                assert!(written.len() >= 12 - length as usize, "{case}");
            }
        }
    }
}

#[test]
fn what_could_not_be_cut_off_is_cut_off_later() {
    let disk = Faulty::default();
    let mut journal = journal(&disk);
    let mut writer = journal.writer(1);
    writer.reserve(&reserve(1)).unwrap();
    // The append leaves seven bytes, and cutting them off fails twice.
    disk.fail(disk.calls(), disk.calls() + 3, Fault::Broken(7));
    assert!(matches!(
        writer.reserve(&reserve(2)),
        Err(JournalError::Failed(_))
    ));
    assert!(matches!(
        writer.reserve(&reserve(3)),
        Err(JournalError::Failed(_))
    ));
    assert_eq!(disk.content(&disk.journals()[0]).len(), SIZE + 7);
    writer.reserve(&reserve(4)).unwrap();
    assert_eq!(read(&disk), (vec![1, 4], 0));
}

#[test]
fn errors_say_what_to_do() {
    for (fault, expected) in [
        (Fault::Full(0), JournalError::Full),
        (Fault::Short(3), JournalError::Full),
        (Fault::ReadOnly, JournalError::ReadOnly),
        (
            Fault::Broken(0),
            JournalError::Failed(std::io::ErrorKind::Other),
        ),
    ] {
        let disk = Faulty::default();
        let mut journal = journal(&disk);
        let mut writer = journal.writer(1);
        writer.reserve(&reserve(1)).unwrap();
        disk.fail(0, 1000, fault);
        assert_eq!(writer.reserve(&reserve(2)), Err(expected));
    }
}

#[test]
fn a_file_torn_at_any_byte_keeps_its_whole_records() {
    let disk = Faulty::default();
    let mut journal = journal(&disk);
    let mut writer = journal.writer(1);
    for id in 0..4 {
        writer.reserve(&reserve(id)).unwrap();
    }
    let name = &disk.journals()[0];
    for len in 0..=4 * SIZE {
        let torn = disk.copy();
        torn.edit(name, |bytes| bytes.truncate(len));
        let (ids, damaged) = read(&torn);
        assert_eq!(ids, (0..(len / SIZE) as u128).collect::<Vec<_>>());
        assert_eq!(damaged, u64::from(len % SIZE > 0), "{len}");
    }
}

#[test]
fn damage_costs_the_damaged_records_alone() {
    let disk = Faulty::default();
    let mut journal = journal(&disk);
    let mut writer = journal.writer(1);
    for id in 0..5 {
        writer.reserve(&reserve(id)).unwrap();
    }
    let name = &disk.journals()[0];
    for byte in 0..5 * SIZE {
        let flipped = disk.copy();
        flipped.edit(name, |bytes| bytes[byte] ^= 0x10);
        let left: Vec<u128> = (0..5).filter(|id| *id != (byte / SIZE) as u128).collect();
        assert_eq!(read(&flipped), (left, 1), "byte {byte} flipped");
        let shorter = disk.copy();
        shorter.edit(name, |bytes| {
            bytes.remove(byte);
        });
        let left: Vec<u128> = (0..5).filter(|id| *id != (byte / SIZE) as u128).collect();
        assert_eq!(read(&shorter).0, left, "byte {byte} lost");
    }
}

proptest! {
    #[test]
    fn no_bytes_confuse_a_reader(
        parts in proptest::collection::vec(
            prop_oneof![
                any_record().prop_map(|record| (record.encode().to_vec(), true)),
                proptest::collection::vec(any::<u8>(), 0..300).prop_map(|noise| (noise, false)),
                Just((b"TTLG".to_vec(), false)),
            ],
            0..20,
        ),
    ) {
        let disk = Faulty::default();
        disk.edit("a.log", |bytes| parts.iter().for_each(|(part, _)| bytes.extend(part)));
        let whole: Vec<&Vec<u8>> = parts.iter().filter(|part| part.1).map(|part| &part.0).collect();
        let mut reader = Reader::new(&disk, "a.log", 0, None);
        let mut found = Vec::new();
        while let Some(next) = reader.read_next().unwrap() {
            found.push(next.record.encode().to_vec());
        }
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), whole);
        prop_assert_eq!(reader.position(), disk.content("a.log").len() as u64);
    }
}

#[test]
fn a_long_stretch_of_noise_is_passed_over_in_bounded_memory() {
    let disk = Faulty::default();
    disk.edit("a.log", |bytes| {
        bytes.resize(3 << 20, b'T');
        bytes.extend(Record::Reserve(reserve(9)).encode());
    });
    assert_eq!(read(&disk), (vec![9], 1));
}

#[test]
fn a_full_file_is_followed_by_the_one_opened_ahead() {
    let disk = Faulty::default();
    let mut journal = journal(&disk);
    let mut writer = journal.writer(1);
    assert_eq!(journal.tend(2).live, 1);
    writer.reserve(&reserve(1)).unwrap();
    assert_eq!(journal.tend(3).live, 2);
    let calls = disk.calls();
    writer.pretend_length(ROTATE_AT);
    writer.reserve(&reserve(2)).unwrap();
    assert_eq!(disk.calls(), calls + 1, "one write and nothing else");
    let before: Vec<Option<u64>> = journal
        .files()
        .unwrap()
        .into_iter()
        .map(|file| file.end)
        .collect();
    assert_eq!(before, [Some(SIZE as u64), Some(SIZE as u64)]);
    journal.tend(4);
    let after: Vec<Option<u64>> = journal
        .files()
        .unwrap()
        .into_iter()
        .map(|file| file.end)
        .collect();
    assert_eq!(
        after,
        [None, Some(SIZE as u64), Some(0)],
        "the full one is closed"
    );
    drop(writer);
    assert_eq!(journal.tend(5).live, 0);
    assert!(
        journal
            .files()
            .unwrap()
            .iter()
            .all(|file| file.end.is_none())
    );
    assert_eq!(read(&disk).0, [1, 2]);
}

#[test]
fn without_a_control_thread_a_writer_goes_on_and_then_opens_for_itself() {
    let disk = Faulty::default();
    let mut journal = journal(&disk);
    let mut writer = journal.writer(1);
    writer.reserve(&reserve(1)).unwrap();
    writer.pretend_length(ROTATE_AT);
    writer.reserve(&reserve(2)).unwrap();
    assert_eq!(disk.journals().len(), 1);
    writer.pretend_length(4 * ROTATE_AT);
    writer.reserve(&reserve(3)).unwrap();
    assert_eq!(disk.journals().len(), 2);
    assert_eq!(journal.files().unwrap().len(), 2, "and it is known");
}

#[test]
fn only_what_is_new_is_synced_and_a_failed_sync_is_told() {
    let disk = Faulty::default();
    let mut journal = journal(&disk);
    let mut writer = journal.writer(1);
    writer.reserve(&reserve(1)).unwrap();
    journal.tend(2);
    let syncs = disk.syncs();
    journal.tend(3);
    assert_eq!(disk.syncs(), syncs, "nothing is new");
    writer.reserve(&reserve(2)).unwrap();
    disk.fail(disk.calls(), disk.calls() + 1, Fault::Broken(0));
    assert_eq!(journal.tend(4).unsynced, 1);
    assert_eq!(journal.tend(5).unsynced, 0, "it is tried again");
    assert_eq!(disk.syncs(), syncs + 2);
}

#[test]
fn files_of_one_microsecond_do_not_meet() {
    let disk = Faulty::default();
    let mut first = journal(&disk);
    let _one = first.writer(7);
    let mut second = journal(&disk);
    let mut other = second.writer(7);
    other.reserve(&reserve(1)).unwrap();
    assert_eq!(disk.journals().len(), 2);
    assert_eq!(
        second.files().unwrap()[0].end,
        None,
        "the other's is old to it"
    );
}

#[test]
fn numbers_are_stable_and_never_given_twice() {
    let disk = Faulty::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let odd = "a\tb\n\"ü\"";
    let mut names = Names::open(&shared).unwrap();
    assert_eq!(names.number(Kind::Key, "ci"), Ok(1));
    assert_eq!(names.number(Kind::Model, "ci"), Ok(2));
    assert_eq!(names.number(Kind::Account, odd), Ok(3));
    assert_eq!(names.number(Kind::Key, "ci"), Ok(1));
    let whole = disk.content("names");
    for len in 0..whole.len() {
        let torn = disk.copy();
        torn.edit("names", |bytes| bytes.truncate(len));
        let mut names = Names::open(&(Arc::new(torn.clone()) as Arc<dyn Disk>)).unwrap();
        names.number(Kind::Key, "new").unwrap();
        let read = read_names(&torn).unwrap();
        let numbers: HashSet<u32> = read.names.iter().map(|name| name.number).collect();
        assert_eq!(
            (numbers.len(), read.damaged),
            (read.names.len(), 0),
            "{len}"
        );
    }
    let last = whole.len() - 1;
    for byte in 0..=last {
        let flipped = disk.copy();
        flipped.edit("names", |bytes| bytes[byte] ^= 0x04);
        let mut names = Names::open(&(Arc::new(flipped) as Arc<dyn Disk>)).unwrap();
        assert_eq!(names.damaged() > 0, byte != last, "byte {byte}");
        let new = names.number(Kind::Key, "new").unwrap();
        assert!(new >= 4, "byte {byte}: {new}");
    }
}

#[test]
fn a_number_that_is_not_safe_is_not_given() {
    for call in 0..4 {
        let disk = Faulty::default();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut names = Names::open(&shared).unwrap();
        disk.fail(disk.calls() + call, disk.calls() + call + 2, Fault::Full(3));
        let given: Vec<_> = ["a", "b", "a", "b", "a", "b"]
            .map(|name| (name, names.number(Kind::Key, name)))
            .into_iter()
            .filter_map(|(name, number)| Some((name, number.ok()?)))
            .collect();
        assert!(given.len() >= 4, "{call}: {given:?}");
        let mut again = Names::open(&shared).unwrap();
        for (name, number) in given {
            assert_eq!(again.number(Kind::Key, name), Ok(number), "call {call}");
        }
    }
}

#[test]
fn labels_have_one_text() {
    let labels = Labels {
        customer: Some("acme"),
        team: None,
        tags: &[("b", "2"), ("a", "1")],
    };
    assert_eq!(
        labels.text(),
        r#"{"customer":"acme","tags":{"a":"1","b":"2"}}"#
    );
}

#[test]
fn a_real_folder_is_one_processs_and_holds_what_was_written() {
    let name = format!("trimtab-journal-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let folder: Arc<dyn Disk> = Arc::new(Folder::open(path.clone()).unwrap());
    let second = Folder::open(path.clone()).unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::ResourceBusy);
    let mut journal = Journal::open(Arc::clone(&folder), Sync::EverySecond).unwrap();
    let mut writer = journal.writer(1_800_000_000_000_000);
    for id in 0..3 {
        writer.reserve(&reserve(id)).unwrap();
    }
    assert_eq!(journal.tend(1_800_000_001_000_000).unsynced, 0);
    let mut names = Names::open(&folder).unwrap();
    assert_eq!(names.number(Kind::Key, "ci"), Ok(1));
    drop((journal, writer, names, folder));
    let folder: Arc<dyn Disk> = Arc::new(Folder::open(path.clone()).unwrap());
    let mut journal = Journal::open(Arc::clone(&folder), Sync::Os).unwrap();
    let files = journal.files().unwrap();
    assert_eq!(files[0].name, "1800000000000000-0.log");
    let mut reader = Reader::new(&*folder, &files[0].name, SIZE as u64, files[0].end);
    let found = reader.read_next().unwrap().unwrap();
    assert_eq!(found.record, Record::Reserve(reserve(1)));
    assert_eq!(Names::open(&folder).unwrap().number(Kind::Key, "ci"), Ok(1));
    for file in &files {
        folder.remove(&file.name).unwrap();
    }
    assert!(journal.files().unwrap().is_empty());
    std::fs::remove_dir_all(path).unwrap();
}
