//! Does the database keep what it is given, and say what it cannot?

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use super::*;

/// A folder that is removed with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("trimtab-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("ledger.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const DAY: i64 = 86_400_000_000;

fn entry(id: u128, at: i64) -> Entry {
    Entry {
        id,
        state: State::Settled,
        at,
        ended: Some(at + 1),
        reserved: Some(20),
        charged: 10,
        key: 1,
        model: 2,
        route: 3,
        labels: 4,
        price: 5,
        request: u64::MAX,
        flags: 5,
        used: Used {
            input: 7,
            output: u32::MAX,
            ..Used::default()
        },
        file: 1,
        slots: vec![(9, 60), (10, -60)],
        ..Entry::default()
    }
}

fn commit(database: &mut Database, entries: &[Entry]) {
    let mut batch = Batch::default();
    for entry in entries {
        batch.count(entry, Shift::Add);
        batch.entries.push(entry.clone());
    }
    let labels = |customer: &str, tag: &str| {
        format!(r#"{{"customer":"{customer}","tags":{{"project \"x\"":"{tag}"}}}}"#)
    };
    batch.names = vec![
        (1, "key", "ci".to_owned()),
        (2, "model", "=m,\"1\"".to_owned()),
        (3, "route", "openai/gpt".to_owned()),
        (4, "labels", labels("acme", "nightly")),
        (5, "labels", labels("umbrella", "daily")),
    ];
    database.commit(&batch).unwrap();
}

#[test]
fn an_entry_is_read_as_it_was_written_and_has_one_row() {
    let mut database = Database::in_memory().unwrap();
    let first = entry(u128::MAX, 1);
    commit(&mut database, std::slice::from_ref(&first));
    let second = Entry {
        state: State::Adjusted,
        adjusted: Some(8),
        charged: -3,
        ..first.clone()
    };
    commit(&mut database, std::slice::from_ref(&second));
    let found = database.load([u128::MAX, 5].into_iter()).unwrap();
    assert_eq!(found, [second]);
    assert_eq!(
        database
            .entries(&Filter::default(), 0, 9)
            .unwrap()
            .rows
            .len(),
        1
    );
}

#[test]
fn a_file_is_migrated_once_and_a_newer_one_is_refused() {
    let folder = Folder::new();
    let mut database = Database::open(&folder.file()).unwrap();
    commit(&mut database, &[entry(1, 1)]);
    drop(database);
    let database = Database::open(&folder.file()).unwrap();
    assert_eq!(database.load([1].into_iter()).unwrap().len(), 1);
    database
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(database);
    assert!(matches!(
        Database::open(&folder.file()),
        Err(StoreError::Newer)
    ));
}

#[test]
fn what_is_no_database_is_damaged() {
    let folder = Folder::new();
    std::fs::write(folder.file(), vec![b'x'; 8192]).unwrap();
    assert!(matches!(
        Database::open(&folder.file()),
        Err(StoreError::Damaged)
    ));
}

#[test]
fn a_batch_that_fails_leaves_nothing() {
    let mut database = Database::in_memory().unwrap();
    database
        .connection
        .execute_batch(
            "CREATE TRIGGER no BEFORE INSERT ON days BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    let mut batch = Batch::default();
    batch.count(&entry(1, 1), Shift::Add);
    batch.entries.push(entry(1, 1));
    let (file, _) = database.position("a.log").unwrap();
    batch.positions.insert(file, 192);
    assert!(database.commit(&batch).is_err());
    assert_eq!(database.position("a.log").unwrap(), (file, 0));
    assert!(database.load([1].into_iter()).unwrap().is_empty());
    assert!(database.totals().unwrap().is_empty());
}

#[test]
fn a_full_database_says_so_and_goes_on_when_there_is_room() {
    let mut database = Database::in_memory().unwrap();
    let pages: i64 = database
        .connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    database
        .connection
        .pragma_update(None, "max_page_count", pages)
        .unwrap();
    let mut batch = Batch::default();
    batch.entries.extend((0..1000).map(|id| entry(id, 1)));
    assert!(matches!(database.commit(&batch), Err(StoreError::Full)));
    database
        .connection
        .pragma_update(None, "max_page_count", 100_000)
        .unwrap();
    database.commit(&batch).unwrap();
    assert_eq!(database.load(0..1000).unwrap().len(), 1000);
}

#[test]
fn a_locked_database_says_so() {
    let folder = Folder::new();
    let mut database = Database::open(&folder.file()).unwrap();
    let other = Database::open(&folder.file()).unwrap();
    other.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    database
        .connection
        .busy_timeout(std::time::Duration::ZERO)
        .unwrap();
    let mut batch = Batch::default();
    batch.entries.push(entry(1, 1));
    assert!(matches!(database.commit(&batch), Err(StoreError::Locked)));
    let reader = Database::open_to_read(&folder.file()).unwrap();
    assert!(reader.totals().unwrap().is_empty(), "readers go on");
    other.connection.execute_batch("ROLLBACK").unwrap();
    database.commit(&batch).unwrap();
    assert!(database.make_safe().unwrap());
}

#[test]
fn windows_beyond_the_latest_are_forgotten() {
    let mut database = Database::in_memory().unwrap();
    for start in 0..150 {
        let mut batch = Batch::default();
        batch.totals.insert((1, start), 5);
        batch.windows.insert((1, start), start + 1);
        batch.totals.insert((2, 0), 1);
        database.commit(&batch).unwrap();
    }
    let totals = database.totals().unwrap();
    assert_eq!(totals.len(), 97);
    assert_eq!(
        totals[0],
        Total {
            account: 1,
            start: 54,
            end: Some(55),
            charged: 5
        }
    );
    assert_eq!(
        totals[96],
        Total {
            account: 2,
            start: 0,
            end: None,
            charged: 150
        }
    );
}

/// Two entries of one customer on days 0 and 1, one of another on day 2.
fn three_days() -> Database {
    let mut database = Database::in_memory().unwrap();
    let other = Entry {
        labels: 5,
        charged: 100,
        ..entry(3, 2 * DAY)
    };
    commit(&mut database, &[entry(1, DAY - 1), entry(2, DAY), other]);
    database
}

/// Groups with their attempts and charges.
type Groups = Vec<(Vec<Option<String>>, i64, i64)>;

fn ask(database: &Database, from: i64, to: i64, groups: &[Group]) -> Groups {
    let usage = database.usage(Range { from, to }, groups).unwrap();
    let sums = |row: Usage| (row.group, row.attempts, row.charged);
    usage.into_iter().map(sums).collect()
}

fn named(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|name| Some((*name).to_owned())).collect()
}

#[test]
fn usage_is_grouped() {
    let database = three_days();
    let all = |groups: &[Group]| ask(&database, 0, 3 * DAY, groups);
    let tag = Group::Tag("project \"x\"".to_owned());
    assert_eq!(all(&[]), [(vec![], 3, 120)]);
    assert_eq!(
        all(&[Group::Customer, tag]),
        [
            (named(&["umbrella", "daily"]), 1, 100),
            (named(&["acme", "nightly"]), 2, 20)
        ]
    );
    assert_eq!(
        all(&[Group::Key, Group::Route]),
        [(named(&["ci", "openai/gpt"]), 3, 120)]
    );
    assert_eq!(
        all(&[Group::Team, Group::Provider]),
        [(vec![None, Some("openai".to_owned())], 3, 120)]
    );
    assert_eq!(
        all(&[Group::Tag("' OR 1".to_owned())]),
        [(vec![None], 3, 120)]
    );
    let usage = &database.usage(Range { from: 0, to: DAY }, &[]).unwrap()[0];
    let ends = (usage.estimated, usage.canceled, usage.failed);
    assert_eq!(ends, (1, 0, 1));
    assert_eq!((usage.input, usage.output), (7, i64::from(u32::MAX)));
}

#[test]
fn whole_days_outlive_entries_and_parts_come_from_them() {
    let mut database = three_days();
    assert_eq!(
        ask(&database, DAY - 1, 2 * DAY, &[Group::Day]),
        [
            (named(&["1970-01-01"]), 1, 10),
            (named(&["1970-01-02"]), 1, 10)
        ]
    );
    assert_eq!(ask(&database, DAY - 1, DAY, &[]), [(vec![], 1, 10)]);
    assert_eq!(ask(&database, DAY + 1, 2 * DAY, &[]), []);
    let keep = Keep {
        since: Some(2 * DAY),
        bytes: None,
    };
    assert_eq!(database.prune(&keep).unwrap(), 2);
    assert_eq!(database.prune(&keep).unwrap(), 0);
    assert_eq!(ask(&database, 0, 3 * DAY, &[]), [(vec![], 3, 120)]);
}

#[test]
fn room_is_made_by_removing_the_oldest_but_nothing_that_is_not_settled() {
    let folder = Folder::new();
    let mut database = Database::open(&folder.file()).unwrap();
    let entries: Vec<Entry> = (0..20_000)
        .map(|id| {
            let state = [State::Settled, State::InDoubt][usize::from(id == 3)];
            Entry {
                state,
                ..entry(id, id.cast_signed() as i64)
            }
        })
        .collect();
    commit(&mut database, &entries);
    let full = database.bytes().unwrap();
    let keep = Keep {
        since: None,
        bytes: Some(full / 2),
    };
    while database.prune(&keep).unwrap() > 0 {}
    assert!(database.bytes().unwrap() <= full / 2);
    assert!(database.make_safe().unwrap());
    let left = database.entries(&Filter::default(), 0, 10_000).unwrap();
    let first: Vec<u128> = left.rows.iter().take(2).map(|row| row.entry.id).collect();
    assert_eq!(first[0], 3, "it is in doubt");
    assert!(first[1] >= 5_000);
    let doubt = Filter {
        state: Some(State::InDoubt),
        ..Filter::default()
    };
    assert_eq!(database.entries(&doubt, 0, 10).unwrap().rows.len(), 1);
}

#[test]
fn pages_are_exported_whole_and_names_stay_in_their_field() {
    let mut database = Database::in_memory().unwrap();
    let entries: Vec<Entry> = (0..25)
        .map(|id| entry(id, id.cast_signed() as i64))
        .collect();
    commit(&mut database, &entries);
    let filter = Filter {
        from: Some(3),
        to: Some(24),
        state: Some(State::Settled),
        key: Some(1),
    };
    let rows: Vec<Row> = database
        .pages(&filter, 10)
        .flat_map(Result::unwrap)
        .collect();
    assert_eq!(
        rows.iter().map(|row| row.entry.clone()).collect::<Vec<_>>(),
        entries[3..24]
    );
    let mut csv = CSV_HEAD.to_owned();
    rows[0].csv(&mut csv);
    let expected = "4,00000000000000000000000000000003,settled,3,4,,20,10,ci,\"'=m,\"\"1\"\"\",openai/gpt,\"{\"\"customer\"\":\"\"acme\"\",\"\"tags\"\":{\"\"project \\\"\"x\\\"\"\"\":\"\"nightly\"\"}}\",5,18446744073709551615,1,0,1,0,0,0,7,0,0,0,4294967295,0,0\n";
    assert_eq!(csv.lines().nth(1).unwrap().to_owned() + "\n", expected);
    assert_eq!(CSV_HEAD.split(',').count(), 27);
}

fn change(number: i64) -> Change {
    Change {
        at: number,
        who: "ada".to_owned(),
        what: format!("key {number}"),
        before: (number % 2 == 0).then(|| "{\"limit\":1}".to_owned()),
        after: Some("{\"limit\":2}".to_owned()),
    }
}

#[test]
fn the_audit_log_refuses_changes() {
    let mut database = Database::in_memory().unwrap();
    database.audit(&change(1)).unwrap();
    assert!(
        database
            .connection
            .execute("UPDATE audit SET who = 'eve'", [])
            .is_err()
    );
    assert!(
        database
            .connection
            .execute("DELETE FROM audit", [])
            .is_err()
    );
    assert_eq!(database.audited(0, 9).unwrap()[0].change, change(1));
}

/// Every byte of every field, flipped in every bit behind the triggers' back.
#[test]
fn any_flipped_bit_breaks_the_chain_where_it_is() {
    let mut database = Database::in_memory().unwrap();
    for number in 1..=4 {
        assert_eq!(database.audit(&change(number)).unwrap().number, number);
    }
    assert_eq!(database.verify_audit().unwrap().number, 4);
    let connection = &database.connection;
    connection
        .execute_batch("DROP TRIGGER audit_keeps; DROP TRIGGER audit_stays")
        .unwrap();
    for number in 1..=4 {
        for column in ["who", "what", "before", "after", "prev_hash", "hash"] {
            let ask = format!("SELECT CAST({column} AS BLOB) FROM audit WHERE number = ?1");
            let Some(bytes): Option<Vec<u8>> = connection
                .query_row(&ask, [number], |row| row.get(0))
                .unwrap()
            else {
                continue;
            };
            let kind = if column.ends_with("hash") {
                "BLOB"
            } else {
                "TEXT"
            };
            let set = format!("UPDATE audit SET {column} = CAST(?1 AS {kind}) WHERE number = ?2");
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                connection
                    .execute(&set, rusqlite::params![flipped, number])
                    .unwrap();
                let broken = database.verify_audit();
                assert!(
                    matches!(broken, Err(Broken::At(at)) if at == number),
                    "{column} {bit}: {broken:?}"
                );
            }
            connection
                .execute(&set, rusqlite::params![bytes, number])
                .unwrap();
        }
    }
    for sql in [
        "UPDATE audit SET at = at + 1 WHERE number = 3",
        "DELETE FROM audit WHERE number = 3",
        "UPDATE audit SET number = 9 WHERE number = 3",
    ] {
        let broken = database.connection.unchecked_transaction().unwrap();
        broken.execute(sql, []).unwrap();
        assert!(
            matches!(database.verify_audit(), Err(Broken::At(3))),
            "{sql}"
        );
        broken.rollback().unwrap();
    }
    database
        .connection
        .execute(
            "UPDATE audit SET before = NULL, after = before || after WHERE number = 2",
            [],
        )
        .unwrap();
    assert!(
        matches!(database.verify_audit(), Err(Broken::At(2))),
        "moved from field to field"
    );
}

#[test]
fn handing_over_never_blocks_and_a_panic_ends_one_job() {
    let writer = Writer::start(Database::in_memory().unwrap()).unwrap();
    let panicked = writer.submit(|_| -> () { panic!("expected") }).unwrap();
    assert_eq!(panicked.wait(), Err(Busy));
    let (open, gate) = mpsc::channel::<()>();
    let held = writer.submit(move |_| gate.recv()).unwrap();
    let mut waiting = Vec::new();
    let refused = loop {
        match writer.submit(|database| database.audit(&change(1)).unwrap().number) {
            Ok(pending) => waiting.push(pending),
            Err(busy) => break busy,
        }
    };
    assert_eq!(refused, Busy);
    // The job that holds the thread may still be among the waiting ones.
    assert!((63..=64).contains(&waiting.len()));
    drop(open);
    assert!(held.wait().unwrap().is_err());
    let numbers: Vec<i64> = waiting
        .into_iter()
        .map(|pending| pending.wait().unwrap())
        .collect();
    assert!(numbers.is_sorted());
    assert_eq!(
        writer
            .submit(|database| database.verify_audit().unwrap().number)
            .unwrap()
            .wait(),
        Ok(numbers.len() as i64)
    );
}
