//! Does the disk give back what it was given, and nothing else, whatever becomes of its files?

use std::collections::HashMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rusqlite::Connection;

use super::aside::with;
use super::*;

/// A folder that is removed with this.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("trimtab-disk-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("cache.db")
    }

    /// What all files of it hold.
    fn bytes(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(&self.0).unwrap().map(|it| it.unwrap().path());
        let files = entries.filter(|it| it.is_file());
        files
            .map(|it| (it.clone(), fs::read(it).unwrap()))
            .collect()
    }

    /// Whether any file holds this.
    fn holds(&self, what: &[u8]) -> Option<PathBuf> {
        let mut files = self.bytes().into_iter();
        let holds = |bytes: &[u8]| bytes.windows(what.len()).any(|it| it == what);
        files.find(|(_, bytes)| holds(bytes)).map(|it| it.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Long before any file here was made.
const NOW: i64 = 1_600_000_000;

/// More than any test writes.
const PLENTY: Limits = Limits { bytes: 1 << 30 };

fn master(number: u8) -> MasterKey {
    MasterKey::new(&[number; 32])
}

fn try_open(path: &Path, limits: Limits) -> Result<(Disk, Opened), DiskError> {
    let mut rng = StdRng::seed_from_u64(9);
    let (disk, opened) = Disk::open(path, &master(1), limits, NOW, &mut rng)?;
    // No test lets the machine lose its power, and waiting for the disk is most of their time.
    disk.connection()
        .pragma_update(None, "synchronous", "OFF")
        .unwrap();
    Ok((disk, opened))
}

fn open(path: &Path) -> Disk {
    let (disk, opened) = try_open(path, PLENTY).unwrap();
    assert_eq!(opened.rebuilt, None);
    disk
}

/// What was put under a number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Put {
    tenant: [u8; 16],
    stored_s: i64,
    expires_s: i64,
    payload: Vec<u8>,
}

fn key(id: u64) -> [u8; 32] {
    let mut key = [0; 32];
    StdRng::seed_from_u64(id).fill_bytes(&mut key);
    key
}

impl Put {
    fn new(tenant: u8, payload: &[u8]) -> Self {
        Self {
            tenant: [tenant; 16],
            stored_s: NOW,
            expires_s: NOW + 100,
            payload: payload.to_vec(),
        }
    }

    fn row(&self, id: u64) -> Row<'_> {
        Row {
            id,
            tenant: self.tenant,
            key: key(id),
            stored_s: self.stored_s,
            expires_s: self.expires_s,
            payload: &self.payload,
        }
    }

    fn known(&self, id: u64) -> Known {
        Known {
            id,
            tenant: self.tenant,
            key: key(id),
            stored_s: self.stored_s,
            expires_s: self.expires_s,
            bytes: self.payload.len() as u64,
        }
    }
}

fn all(disk: &mut Disk) -> (Vec<(Known, Vec<u8>)>, Loaded) {
    let mut all = Vec::new();
    let loaded = disk.all(|known, payload| {
        all.push((known, payload));
        ControlFlow::Continue(())
    });
    (all, loaded.unwrap())
}

/// The database as some other program sees it.
fn behind(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.busy_timeout(Duration::ZERO).unwrap();
    other
}

#[test]
fn any_sequence_of_operations_equals_a_plain_map() {
    for seed in 0..12 {
        let folder = Folder::new();
        let path = folder.file();
        let mut rng = StdRng::seed_from_u64(seed);
        let mut twin: HashMap<u64, Put> = HashMap::new();
        let mut notes: HashMap<String, Vec<u8>> = HashMap::new();
        let mut disk = open(&path);
        let mut now = NOW;
        for step in 0..120 {
            let when = format!("seed {seed}, step {step}");
            match rng.random_range(0..10) {
                0..=3 => {
                    let some = rng.random_range(0..12);
                    let puts: Vec<(u64, Put)> = (0..some)
                        .map(|_| (random_id(&mut rng), random_put(&mut rng, now)))
                        .collect();
                    let rows: Vec<Row<'_>> = puts.iter().map(|(id, put)| put.row(*id)).collect();
                    disk.put(&rows).unwrap();
                    twin.extend(puts);
                }
                4 => {
                    let ids: Vec<u64> = (0..6).map(|_| random_id(&mut rng)).collect();
                    let gone = ids.iter().filter(|id| twin.remove(id).is_some()).count();
                    assert_eq!(disk.remove(&ids).unwrap(), gone, "{when}");
                }
                5 => {
                    let tenant = [rng.random_range(0..4); 16];
                    let before = twin.len();
                    twin.retain(|_, put| put.tenant != tenant);
                    let gone = disk.forget_tenant(tenant).unwrap();
                    assert_eq!(gone, before - twin.len(), "{when}");
                }
                6 => {
                    now += rng.random_range(0..40);
                    let before = twin.len();
                    twin.retain(|_, put| put.expires_s > now);
                    let swept = disk.sweep(now).unwrap();
                    let expected = (before - twin.len(), 0, false);
                    let got = (swept.expired, swept.evicted, swept.more);
                    assert_eq!(got, expected, "{when}");
                }
                7 => {
                    let name = format!("note {}", rng.random_range(0..3));
                    let value = random_payload(&mut rng);
                    disk.note(&name, &value).unwrap();
                    notes.insert(name, value);
                }
                8 => {
                    drop(disk);
                    disk = open(&path);
                }
                _ => {
                    let id = random_id(&mut rng);
                    let expected = twin.get(&id).map(|put| put.payload.clone());
                    assert_eq!(disk.read(id).unwrap(), expected, "{when}");
                }
            }
            if step % 20 == 19 {
                agree(&mut disk, &twin, &when);
                for (name, value) in &notes {
                    let read = disk.read_note(name).unwrap();
                    assert_eq!(read.as_ref(), Some(value), "{when}");
                }
                assert_eq!(disk.read_note("another").unwrap(), None);
            }
        }
        assert_eq!(disk.damaged(), 0);
    }
}

/// What is loaded is what the twin has, in order.
fn agree(disk: &mut Disk, twin: &HashMap<u64, Put>, when: &str) {
    let mut expected: Vec<(Known, Vec<u8>)> = twin
        .iter()
        .map(|(id, put)| (put.known(*id), put.payload.clone()))
        .collect();
    expected.sort_by_key(|(known, _)| (-known.stored_s, std::cmp::Reverse(known.id.cast_signed())));
    let (loaded, count) = all(disk);
    assert_eq!(loaded, expected, "{when}");
    let visited = expected.len() as u64;
    assert_eq!(
        count,
        Loaded {
            visited,
            damaged: 0
        }
    );
}

fn random_id(rng: &mut StdRng) -> u64 {
    let id = rng.random_range(0..40);
    if id == 0 { u64::MAX } else { id }
}

fn random_payload(rng: &mut StdRng) -> Vec<u8> {
    let length = match rng.random_range(0..10) {
        0 => 0,
        1 => rng.random_range(0..100_000),
        _ => rng.random_range(0..3_000),
    };
    let mut payload = vec![0; length];
    rng.fill_bytes(&mut payload);
    payload
}

fn random_put(rng: &mut StdRng, now: i64) -> Put {
    Put {
        tenant: [rng.random_range(0..4); 16],
        stored_s: now - rng.random_range(0..100),
        expires_s: now + rng.random_range(1..100),
        payload: random_payload(rng),
    }
}

#[test]
fn loading_goes_on_until_the_visitor_breaks_off() {
    let folder = Folder::new();
    let mut disk = open(&folder.file());
    let puts: Vec<Put> = (0..10)
        .map(|at| Put {
            stored_s: NOW + at,
            ..Put::new(1, b"x")
        })
        .collect();
    let rows: Vec<_> = (0..).zip(&puts).map(|(id, put)| put.row(id)).collect();
    disk.put(&rows).unwrap();
    let mut ids = Vec::new();
    let loaded = disk.all(|known, _| {
        ids.push(known.id);
        if ids.len() == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(loaded.unwrap().visited, 3);
    assert_eq!(ids, [9, 8, 7]);
}

#[test]
fn nothing_that_was_put_is_in_any_file() {
    let folder = Folder::new();
    let path = folder.file();
    let key_file = folder.0.join("cache.key");
    let master = MasterKey::of_file(&key_file, &mut StdRng::seed_from_u64(100)).unwrap();
    let mut rng = StdRng::seed_from_u64(200);
    let (mut disk, _) = Disk::open(&path, &master, PLENTY, NOW, &mut rng).unwrap();
    let canary = b"the canary sang of a merger on thursday";
    let long = canary.repeat(2_000);
    let puts = [Put::new(0xa7, canary), Put::new(0xa7, &long)];
    let look = |when: &str| {
        let hidden: [&[u8]; 4] = [canary, &canary[..12], b"calibration of", &key(1)];
        for what in hidden {
            assert_eq!(folder.holds(what), None, "{when}");
        }
    };
    disk.put(&[puts[0].row(1), puts[1].row(2)]).unwrap();
    disk.note("calibration of acme", canary).unwrap();
    look("while it is open");
    assert_eq!(disk.read(1).unwrap().unwrap(), canary);
    disk.put(&[puts[1].row(1)]).unwrap();
    disk.remove(&[2]).unwrap();
    look("after it was replaced and removed");
    drop(disk);
    look("when it is closed");
    // It is looked for where it could be found.
    assert!(folder.holds(&[0xa7; 16]).is_some());
    for (path, _) in folder.bytes() {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

#[test]
fn a_text_in_the_place_of_another_is_never_read() {
    let folder = Folder::new();
    let path = folder.file();
    let setting = |what: &str| {
        let mut disk = open(&path);
        let puts = [
            Put::new(1, b"one's"),
            Put::new(1, b"too"),
            Put::new(2, b"other's"),
        ];
        disk.put(&[puts[0].row(1), puts[1].row(2), puts[2].row(3)])
            .unwrap();
        disk.note("a", b"alpha").unwrap();
        disk.note("b", b"beta, ").unwrap();
        drop(disk);
        behind(&path).execute_batch(what).unwrap();
        open(&path)
    };
    let swap = "UPDATE rows SET sealed = (SELECT sealed FROM rows AS other WHERE other.id =";
    // What is done behind its back, and which rows are right after it.
    let cases: [(String, &[u64]); 9] = [
        (format!("{swap} 2) WHERE id = 1"), &[2, 3]),
        (format!("{swap} 3) WHERE id = 1"), &[2, 3]),
        ("UPDATE rows SET id = 9 WHERE id = 1".to_owned(), &[2, 3]),
        ("UPDATE rows SET tenant = 3 - tenant".to_owned(), &[]),
        ("UPDATE rows SET expires = expires + 1 WHERE id = 1".to_owned(), &[2, 3]),
        ("UPDATE rows SET stored = stored - 1 WHERE id = 3".to_owned(), &[1, 2]),
        ("UPDATE tenants SET tenant = x'00112233445566778899aabbccddeeff' WHERE number = 1".to_owned(), &[3]),
        ("UPDATE tenants SET key = (SELECT key FROM tenants AS other WHERE other.number = 2) WHERE number = 1".to_owned(), &[3]),
        ("UPDATE tenants SET key = zeroblob(76)".to_owned(), &[]),
    ];
    for (what, right) in cases {
        let mut disk = setting(&what);
        for (id, payload) in [(1, &b"one's"[..]), (2, b"too"), (3, b"other's")] {
            let expected = right.contains(&id).then_some(payload);
            assert_eq!(disk.read(id).unwrap().as_deref(), expected, "{what}: {id}");
        }
        disk.read(9).unwrap();
        assert_eq!(disk.damaged(), 3 - right.len() as u64, "{what}");
        // They were removed, and both tenants can be kept for again.
        assert_eq!(all(&mut disk).0.len(), right.len(), "{what}");
        let again = [Put::new(1, b"again"), Put::new(2, b"again")];
        disk.put(&[again[0].row(1), again[1].row(3)]).unwrap();
        assert_eq!(disk.read(1).unwrap().unwrap(), b"again", "{what}");
        assert_eq!(disk.read(3).unwrap().unwrap(), b"again", "{what}");
        drop(disk);
        fs::remove_file(&path).unwrap();
    }
    let swap = "CREATE TEMP TABLE old AS SELECT * FROM notes; UPDATE notes SET value = (SELECT value FROM old AS other WHERE length(other.value) = 99 - length(notes.value)) WHERE length(value) IN (49, 50)";
    let mut disk = setting(swap);
    for name in ["a", "b"] {
        assert_eq!(disk.read_note(name).unwrap(), None);
    }
    assert_eq!(disk.damaged(), 2);
}

#[test]
fn a_loaded_row_that_does_not_authenticate_is_left_out_and_removed() {
    let folder = Folder::new();
    let path = folder.file();
    let mut disk = open(&path);
    let put = Put::new(1, b"payload");
    disk.put(&[put.row(1), put.row(2), put.row(3)]).unwrap();
    drop(disk);
    let damage = "UPDATE rows SET sealed = substr(sealed, 2) WHERE id = 2";
    behind(&path).execute_batch(damage).unwrap();
    let mut disk = open(&path);
    let (loaded, count) = all(&mut disk);
    let ids: Vec<u64> = loaded.iter().map(|it| it.0.id).collect();
    assert_eq!((ids, count.damaged), (vec![3, 1], 1));
    assert_eq!(all(&mut disk).1.damaged, 0);
    assert_eq!(disk.damaged(), 1);
}

#[test]
fn another_master_key_sets_the_file_aside_and_the_old_key_reads_it_still() {
    let folder = Folder::new();
    let path = folder.file();
    let mut disk = open(&path);
    let put = Put::new(1, b"payload");
    disk.put(&[put.row(1)]).unwrap();
    drop(disk);
    let mut rng = StdRng::seed_from_u64(1);
    let (mut disk, opened) = Disk::open(&path, &master(2), PLENTY, NOW, &mut rng).unwrap();
    let told = opened.rebuilt.unwrap();
    assert!(told.contains("another master key"), "{told}");
    assert!(told.contains("cache.db.broken-1"), "{told}");
    assert_eq!(opened.rows, 0);
    assert_eq!(disk.read(1).unwrap(), None);
    disk.put(&[put.row(1)]).unwrap();
    drop(disk);
    let mut disk = open(&with(&path, ".broken-1"));
    assert_eq!(disk.read(1).unwrap().unwrap(), b"payload");
}

#[test]
fn what_is_no_database_of_ours_is_set_aside_with_a_reason() {
    let random = |length: usize| {
        let mut bytes = vec![0; length];
        StdRng::seed_from_u64(length as u64).fill_bytes(&mut bytes);
        bytes
    };
    let sql = |sql: &'static str| move |path: &Path| behind(path).execute_batch(sql).unwrap();
    type Damage = Box<dyn Fn(&Path)>;
    let cases: Vec<(&str, &str, Damage)> = vec![
        (
            "garbage",
            "damaged",
            Box::new(move |it| fs::write(it, random(5_000)).unwrap()),
        ),
        (
            "a byte",
            "set aside",
            Box::new(|it| fs::write(it, b"x").unwrap()),
        ),
        (
            "its first page",
            "damaged",
            Box::new(|it| cut(it, 16 << 10)),
        ),
        ("half of it", "damaged", Box::new(|it| cut(it, 40_000))),
        ("a few bytes", "set aside", Box::new(|it| cut(it, 60))),
        (
            "newer",
            "newer version",
            Box::new(sql("PRAGMA user_version = 99")),
        ),
        (
            "foreign",
            "another application",
            Box::new(sql("PRAGMA application_id = 7")),
        ),
        (
            "more tables",
            "damaged",
            Box::new(sql("CREATE TABLE more (x)")),
        ),
        (
            "fewer indices",
            "damaged",
            Box::new(sql("DROP INDEX rows_stored")),
        ),
        ("no check", "master key", Box::new(sql("DELETE FROM notes"))),
    ];
    for (name, said, damage) in cases {
        let folder = Folder::new();
        let path = folder.file();
        let mut disk = open(&path);
        let put = Put::new(1, &[7; 30_000]);
        disk.put(&[put.row(1), put.row(2), put.row(3)]).unwrap();
        drop(disk);
        damage(&path);
        let (mut disk, opened) = try_open(&path, PLENTY).unwrap();
        let told = opened
            .rebuilt
            .unwrap_or_else(|| panic!("{name}: not rebuilt"));
        assert!(told.contains(said), "{name}: {told}");
        assert!(with(&path, ".broken-1").exists(), "{name}");
        assert_eq!(disk.read(1).unwrap(), None, "{name}");
        disk.put(&[put.row(1)]).unwrap();
        drop(disk);
        assert_eq!(open(&path).read(1).unwrap().unwrap(), put.payload, "{name}");
    }
}

fn cut(path: &Path, length: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
}

#[test]
fn an_empty_file_or_none_or_no_folder_is_a_beginning() {
    let folder = Folder::new();
    fs::write(folder.file(), b"").unwrap();
    // Rests of one that was removed, or never finished.
    fs::write(with(&folder.file(), "-wal"), [7; 5_000]).unwrap();
    fs::write(with(&folder.file(), ".new"), [7; 5_000]).unwrap();
    let put = Put::new(1, b"payload");
    for path in [folder.file(), folder.0.join("not/there/cache.db")] {
        let mut disk = open(&path);
        disk.put(&[put.row(1)]).unwrap();
        drop(disk);
        assert_eq!(open(&path).read(1).unwrap().unwrap(), b"payload");
        let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert!(names.len() <= 3, "{names:?}");
    }
}

#[test]
fn what_is_no_file_is_refused_and_left_alone() {
    let folder = Folder::new();
    fs::create_dir(folder.file()).unwrap();
    let refused = try_open(&folder.file(), PLENTY).unwrap_err();
    assert!(matches!(refused, DiskError::NotAFile(_)), "{refused}");
    assert!(folder.file().is_dir());
    // A file where a folder should be.
    let file = folder.0.join("file");
    fs::write(&file, b"x").unwrap();
    let refused = try_open(&file.join("cache.db"), PLENTY).unwrap_err();
    assert!(matches!(refused, DiskError::Unusable { .. }), "{refused}");
    assert!(refused.to_string().contains("file"), "{refused}");
}

#[test]
fn what_somebody_else_uses_is_neither_opened_nor_set_aside() {
    let folder = Folder::new();
    let path = folder.file();
    let mut disk = open(&path);
    let put = Put::new(1, b"payload");
    disk.put(&[put.row(1)]).unwrap();
    // Another gateway, even where the file looks damaged to it.
    let refused = try_open(&path, PLENTY).unwrap_err();
    assert!(matches!(refused, DiskError::Locked), "{refused}");
    // And another program.
    let other = behind(&path);
    let asked = other.query_row("SELECT count(*) FROM rows", [], |row| row.get::<_, i64>(0));
    assert!(asked.is_err());
    assert_eq!(disk.read(1).unwrap().unwrap(), b"payload");
    drop((disk, other));
    // The other program was first, with a database of its own or ours.
    for foreign in [path.clone(), folder.0.join("ledger.db")] {
        let other = behind(&foreign);
        other.pragma_update(None, "journal_mode", "WAL").unwrap();
        other.execute_batch("CREATE TABLE IF NOT EXISTS x (y); BEGIN; SELECT * FROM x; INSERT INTO x VALUES (1)").unwrap();
        let refused = try_open(&foreign, PLENTY).unwrap_err();
        assert!(matches!(refused, DiskError::Locked), "{refused}");
        assert!(!with(&foreign, ".broken-1").exists());
        other.execute_batch("COMMIT").unwrap();
        // It need not be doing anything: an open one is in use.
        let refused = try_open(&foreign, PLENTY).unwrap_err();
        assert!(matches!(refused, DiskError::Locked), "{refused}");
        assert!(!with(&foreign, ".broken-1").exists());
    }
}

#[test]
fn a_flipped_byte_never_makes_a_wrong_payload() {
    let folder = Folder::new();
    let path = folder.file();
    let whole = written(&path);
    let original = fs::read(&path).unwrap();
    let (mut rebuilt, mut gone, mut untouched) = (0, 0, 0);
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut bytes = original.clone();
        // In turn: anywhere, in the head, in the first page, a few at once.
        let (most, within) = match seed % 4 {
            0 => (1, bytes.len()),
            1 => (1, 100),
            2 => (1, 16 << 10),
            _ => (8, bytes.len()),
        };
        for _ in 0..most {
            bytes[rng.random_range(0..within)] ^= rng.random_range(1..=255u8);
        }
        fs::write(&path, &bytes).unwrap();
        match survey(&path, &whole, &format!("seed {seed}")) {
            Survey::Rebuilt => rebuilt += 1,
            Survey::Gone => gone += 1,
            Survey::Untouched => untouched += 1,
        }
        super::aside::clear(&path).unwrap();
    }
    // All of them happen, or this shows nothing.
    assert!(
        rebuilt > 20 && gone > 5 && untouched > 20,
        "{rebuilt} {gone} {untouched}"
    );
}

#[test]
fn a_flipped_byte_of_the_log_never_makes_a_wrong_payload() {
    let folder = Folder::new();
    let whole = {
        let path = folder.0.join("original.db");
        let mut disk = open(&path);
        let whole = fill(&mut disk);
        // As a process leaves it that is killed.
        fs::copy(&path, folder.file()).unwrap();
        fs::copy(with(&path, "-wal"), folder.0.join("log")).unwrap();
        whole
    };
    let (original, log) = (
        fs::read(folder.file()).unwrap(),
        fs::read(folder.0.join("log")).unwrap(),
    );
    assert!(log.len() > 100_000, "the log holds the rows");
    let mut gone = 0;
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut bytes = log.clone();
        match seed {
            0 => {}
            1..20 => bytes.truncate(rng.random_range(0..log.len())),
            _ => bytes[rng.random_range(0..log.len())] ^= rng.random_range(1..=255u8),
        }
        fs::write(folder.file(), &original).unwrap();
        fs::write(with(&folder.file(), "-wal"), &bytes).unwrap();
        let survey = survey(&folder.file(), &whole, &format!("seed {seed}"));
        assert!(seed > 0 || matches!(survey, Survey::Untouched));
        gone += u32::from(matches!(survey, Survey::Gone));
        super::aside::clear(&folder.file()).unwrap();
    }
    assert!(gone > 10, "{gone}");
}

/// What was left of a damaged file.
enum Survey {
    Rebuilt,
    Gone,
    Untouched,
}

/// Puts so many rows that every kind of page is there.
fn fill(disk: &mut Disk) -> HashMap<u64, Put> {
    let mut rng = StdRng::seed_from_u64(77);
    let mut whole = HashMap::new();
    for batch in 0..12 {
        let puts: Vec<(u64, Put)> = (0..12)
            .map(|at| (batch * 12 + at, random_put(&mut rng, NOW)))
            .collect();
        let rows: Vec<_> = puts.iter().map(|(id, put)| put.row(*id)).collect();
        disk.put(&rows).unwrap();
        whole.extend(puts);
    }
    // So that there are free pages too.
    let ids: Vec<u64> = (0..144).step_by(5).collect();
    disk.remove(&ids).unwrap();
    whole.retain(|id, _| id % 5 != 0);
    whole
}

fn written(path: &Path) -> HashMap<u64, Put> {
    fill(&mut open(path))
}

/// Opens it and reads everything, in each way that there is; it must work afterwards.
fn survey(path: &Path, whole: &HashMap<u64, Put>, when: &str) -> Survey {
    let (mut disk, opened) = try_open(path, PLENTY).unwrap_or_else(|it| panic!("{when}: {it}"));
    let mut missing = 0;
    let mut begun_anew = opened.rebuilt.is_some();
    for (id, put) in whole {
        match disk.read(*id) {
            Ok(Some(payload)) => assert_eq!(payload, put.payload, "{when}: {id}"),
            Ok(None) => missing += 1,
            Err(DiskError::Damaged(_)) => begun_anew = true,
            Err(error) => panic!("{when}: {error}"),
        }
    }
    let loaded = disk.all(|known, payload| {
        if let Some(put) = whole.get(&known.id) {
            let got = (known, payload);
            assert_eq!(got, (put.known(known.id), put.payload.clone()), "{when}");
        }
        ControlFlow::Continue(())
    });
    begun_anew |= finds_damage(loaded, when);
    begun_anew |= finds_damage(disk.sweep(NOW + 50), when);
    begun_anew |= finds_damage(disk.forget_tenant([1; 16]), when);
    begun_anew |= finds_damage(disk.note("after", b"it"), when);
    let after = Put::new(2, b"after it");
    begun_anew |= finds_damage(disk.put(&[after.row(1_000)]), when);
    disk.put(&[after.row(1_001)]).unwrap();
    let read = disk.read(1_001).unwrap();
    assert_eq!(read.as_deref(), Some(&b"after it"[..]), "{when}");
    match (begun_anew, missing) {
        (true, _) => Survey::Rebuilt,
        (false, 0) => Survey::Untouched,
        (false, _) => Survey::Gone,
    }
}

/// Whether damage was found; anything else is not to be.
fn finds_damage<T>(result: Result<T, DiskError>, when: &str) -> bool {
    match result {
        Ok(_) => false,
        Err(DiskError::Damaged(_)) => true,
        Err(error) => panic!("{when}: {error}"),
    }
}

#[test]
fn damage_while_it_is_in_use_begins_it_anew() {
    let folder = Folder::new();
    let path = folder.file();
    drop(written(&path));
    let mut disk = open(&path);
    let length = fs::metadata(&path).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&vec![0xff; length as usize - 100], 100)
        .unwrap();
    let mut damaged = None;
    for id in 0..200 {
        match disk.read(id) {
            Err(DiskError::Damaged(told)) => damaged = Some(told),
            other => drop(other.unwrap()),
        }
    }
    let told = damaged.unwrap();
    assert!(told.contains("cache.db.broken-1"), "{told}");
    let put = Put::new(1, b"payload");
    disk.put(&[put.row(1)]).unwrap();
    drop(disk);
    assert_eq!(open(&path).read(1).unwrap().unwrap(), b"payload");
}

#[test]
fn a_file_that_an_operator_removes_or_replaces_is_let_go_by_the_next_sweep() {
    let folder = Folder::new();
    let path = folder.file();
    let mut disk = open(&path);
    let put = Put::new(1, b"payload");
    disk.put(&[put.row(1)]).unwrap();
    fs::remove_file(&path).unwrap();
    disk.sweep(NOW).unwrap();
    assert_eq!(disk.read(1).unwrap(), None);
    disk.put(&[put.row(2)]).unwrap();
    drop(disk);
    fs::copy(&path, folder.0.join("copy")).unwrap();
    let mut disk = open(&path);
    disk.put(&[put.row(3)]).unwrap();
    fs::rename(folder.0.join("copy"), &path).unwrap();
    disk.sweep(NOW).unwrap();
    assert_eq!(disk.read(2).unwrap().unwrap(), b"payload");
    assert_eq!(disk.read(3).unwrap(), None);
    disk.sweep(NOW).unwrap();
    disk.put(&[put.row(4)]).unwrap();
    drop(disk);
    assert_eq!(all(&mut open(&path)).0.len(), 2);
}

#[test]
fn a_forgotten_tenants_key_is_in_no_file_and_an_old_copy_of_its_rows_is_unreadable() {
    let folder = Folder::new();
    let path = folder.file();
    let mut disk = open(&path);
    let puts: Vec<Put> = (0..250).map(|tenant| Put::new(tenant, b"secret")).collect();
    for (id, put) in (0..).zip(&puts) {
        disk.put(&[put.row(id)]).unwrap();
    }
    fs::write(with(&path, ".broken-3"), b"an older one").unwrap();
    let copy = "CREATE TEMP TABLE copy AS SELECT * FROM rows";
    disk.connection().execute_batch(copy).unwrap();
    let wrapped: Vec<(u8, Vec<u8>)> = disk
        .connection()
        .prepare("SELECT tenant, key FROM tenants")
        .unwrap()
        .query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?[0], row.get(1)?)))
        .unwrap()
        .map(|row| row.unwrap())
        .collect();
    assert_eq!(wrapped.len(), 250);
    let key_of = |tenant: u8| &wrapped.iter().find(|it| it.0 == tenant).unwrap().1;
    assert!(folder.holds(key_of(3)).is_some());
    for tenant in (0..250).rev().step_by(7) {
        assert_eq!(disk.forget_tenant([tenant; 16]).unwrap(), 1);
        // Without its salt the rest would be enough to guess where it was.
        assert_eq!(folder.holds(&key_of(tenant)[..20]), None, "{tenant}");
        assert_eq!(folder.holds(&[tenant; 16]), None, "{tenant}");
        assert_eq!(disk.read(u64::from(tenant)).unwrap(), None);
    }
    assert!(!with(&path, ".broken-3").exists());
    // It asks again, and the old rows come back.
    let forgotten = 249;
    disk.put(&[puts[usize::from(forgotten)].row(1_000)])
        .unwrap();
    let number = "(SELECT number FROM tenants WHERE tenant = ?1)";
    for (id, number) in [(249, "tenant"), (249, number)] {
        let back = format!(
            "INSERT OR REPLACE INTO rows SELECT id, {number}, stored, expires, sealed FROM copy WHERE id = {id}"
        );
        let mut back = disk.connection().prepare(&back).unwrap();
        if back.parameter_count() == 1 {
            back.execute([[forgotten; 16]]).unwrap();
        } else {
            back.execute([]).unwrap();
        }
        drop(back);
        assert_eq!(disk.read(id).unwrap(), None);
    }
    assert_eq!(disk.damaged(), 1);
    assert_eq!(disk.read(1_000).unwrap().unwrap(), b"secret");
    assert_eq!(disk.read(3).unwrap().unwrap(), b"secret");
    assert_eq!(disk.forget_tenant([forgotten; 16]).unwrap(), 1);
    assert_eq!(disk.forget_tenant([forgotten; 16]).unwrap(), 0);
}

#[test]
fn keys_of_many_who_come_and_go_leave_no_trace() {
    let folder = Folder::new();
    let path = folder.file();
    let mut disk = open(&path);
    let mut rng = StdRng::seed_from_u64(2);
    let mut there: Vec<u64> = Vec::new();
    let (mut next, mut gone) = (0, 0);
    let tenant = |id: u64| {
        let mut tenant = [0; 16];
        StdRng::seed_from_u64(id).fill_bytes(&mut tenant);
        tenant
    };
    let wrapped = |disk: &Disk, id| -> Vec<u8> {
        let select = "SELECT key FROM tenants WHERE tenant = ?1";
        let connection = disk.connection();
        connection
            .query_row(select, [tenant(id)], |row| row.get(0))
            .unwrap()
    };
    for step in 0..60 {
        let puts: Vec<(u64, Put)> = (next..next + 25)
            .map(|id| {
                (
                    id,
                    Put {
                        tenant: tenant(id),
                        expires_s: NOW + rng.random_range(0..100_000),
                        ..Put::new(0, b"x")
                    },
                )
            })
            .collect();
        next += 25;
        let rows: Vec<_> = puts.iter().map(|(id, put)| put.row(*id)).collect();
        disk.put(&rows).unwrap();
        there.extend(puts.iter().map(|it| it.0));
        for _ in 0..rng.random_range(0..3) {
            let id = there.swap_remove(rng.random_range(0..there.len()));
            let key = wrapped(&disk, id);
            disk.forget_tenant(tenant(id)).unwrap();
            assert_eq!(folder.holds(&key[..20]), None, "step {step}");
            gone += 1;
        }
        if step % 10 == 9 {
            // Those that go by themselves first are to be forgotten as well.
            let keys: Vec<_> = there.iter().map(|id| (*id, wrapped(&disk, *id))).collect();
            let some = there.len() / 2;
            let ids: Vec<u64> = (0..some)
                .map(|_| there.swap_remove(rng.random_range(0..there.len())))
                .collect();
            disk.remove(&ids).unwrap();
            let late = Put {
                expires_s: NOW - 1,
                ..Put::new(0, b"x")
            };
            disk.put(&[late.row(u64::MAX)]).unwrap();
            disk.sweep(NOW - 1).unwrap();
            for id in ids.iter().step_by(40) {
                let key = &keys.iter().find(|it| it.0 == *id).unwrap().1;
                disk.forget_tenant(tenant(*id)).unwrap();
                assert_eq!(folder.holds(&key[..20]), None, "swept, step {step}");
                gone += 1;
            }
        }
    }
    assert!(gone > 30);
}

#[test]
fn of_whom_nothing_is_kept_no_key_is() {
    let folder = Folder::new();
    let mut disk = open(&folder.file());
    let (one, other) = (Put::new(1, b"x"), Put::new(2, b"y"));
    let longer = Put {
        expires_s: NOW + 200,
        ..other
    };
    disk.put(&[one.row(1), longer.row(2)]).unwrap();
    let swept = disk.sweep(NOW + 100).unwrap();
    assert_eq!((swept.expired, swept.evicted), (1, 0));
    let count = "SELECT count(*) FROM tenants";
    let keys: i64 = disk
        .connection()
        .query_row(count, [], |row| row.get(0))
        .unwrap();
    assert_eq!(keys, 1);
    disk.put(&[one.row(1)]).unwrap();
    assert_eq!(disk.read(1).unwrap().unwrap(), b"x");
    assert_eq!(disk.read(2).unwrap().unwrap(), b"y");
}

#[test]
fn the_oldest_go_beyond_the_limit_and_the_file_shrinks() {
    let folder = Folder::new();
    let path = folder.file();
    let limit = 2 << 20;
    let (mut disk, _) = try_open(&path, Limits { bytes: limit }).unwrap();
    for batch in 0..20 {
        let puts: Vec<Put> = (0..100)
            .map(|at| Put {
                stored_s: NOW + batch * 100 + at,
                expires_s: NOW + 100_000,
                ..Put::new(1, &[7; 2_048])
            })
            .collect();
        let rows: Vec<_> = (batch as u64 * 100..)
            .zip(&puts)
            .map(|(id, put)| put.row(id))
            .collect();
        disk.put(&rows).unwrap();
    }
    assert!(disk.bytes().unwrap() > 4 << 20);
    let mut swept = disk.sweep(NOW).unwrap();
    assert!(swept.bytes <= limit && swept.expired == 0, "{swept:?}");
    while swept.more {
        swept = disk.sweep(NOW).unwrap();
    }
    let (left, _) = all(&mut disk);
    let ids: Vec<u64> = left.iter().map(|it| it.0.id).collect();
    let newest: Vec<u64> = (0..2_000).rev().take(ids.len()).collect();
    assert_eq!(ids, newest, "the newest are left");
    assert!(ids.len() * 2_048 > limit as usize * 5 / 8, "{}", ids.len());
    drop(disk);
    let length = fs::metadata(&path).unwrap().len();
    assert!(length <= limit, "{length}");
    // A smaller limit is heeded, and one that nothing fits in.
    for bytes in [limit / 2, 0] {
        let (mut disk, opened) = try_open(&path, Limits { bytes }).unwrap();
        assert!(opened.rows > 0);
        let swept = disk.sweep(NOW).unwrap();
        assert!(swept.evicted > 0);
        assert_eq!(all(&mut disk).0.is_empty(), bytes == 0);
    }
}

#[test]
fn a_full_disk_refuses_the_batch_whole_and_goes_on_when_there_is_room() {
    let folder = Folder::new();
    let path = folder.file();
    let mut disk = open(&path);
    let put = Put::new(1, &[7; 5_000]);
    disk.put(&[put.row(0)]).unwrap();
    let most = |disk: &Disk, pages: i64| {
        disk.connection()
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
    };
    most(&disk, 20);
    let (mut next, mut whole) = (1, vec![0]);
    let full = loop {
        let rows: Vec<_> = (next..next + 10).map(|id| put.row(id)).collect();
        match disk.put(&rows) {
            Ok(()) => whole.extend(next..next + 10),
            Err(error) => break error,
        }
        next += 10;
    };
    assert!(matches!(full, DiskError::Full), "{full}");
    let log = fs::metadata(with(&path, "-wal")).unwrap().len();
    assert_eq!(log, 0, "the log has given its room back");
    let other = Put::new(2, &[7; 500_000]);
    assert!(matches!(
        disk.put(&[other.row(9_999)]),
        Err(DiskError::Full)
    ));
    let ids = |disk: &mut Disk| {
        let mut ids: Vec<u64> = all(disk).0.iter().map(|it| it.0.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(
        ids(&mut disk),
        whole,
        "nothing of what was refused is there"
    );
    // Removing makes room.
    disk.remove(&whole[1..]).unwrap();
    disk.put(&[put.row(next)]).unwrap();
    assert_eq!(ids(&mut disk), [0, next]);
    // And so does the disk.
    most(&disk, 1_000_000);
    disk.put(&[other.row(9_999)]).unwrap();
    assert_eq!(disk.read(9_999).unwrap().unwrap(), other.payload);
    drop(disk);
    assert_eq!(ids(&mut open(&path)), [0, next, 9_999]);
}

#[test]
fn what_may_not_be_written_says_so_and_goes_on_when_it_may() {
    let folder = Folder::new();
    let path = folder.file();
    let mut disk = open(&path);
    let put = Put::new(1, b"payload");
    disk.put(&[put.row(1)]).unwrap();
    let refuse = |disk: &Disk, refuse: bool| {
        disk.connection()
            .pragma_update(None, "query_only", refuse)
            .unwrap();
    };
    refuse(&disk, true);
    assert!(matches!(
        disk.put(&[put.row(2)]),
        Err(DiskError::Unwritable)
    ));
    assert!(matches!(disk.remove(&[1]), Err(DiskError::Unwritable)));
    assert!(matches!(disk.sweep(NOW + 500), Err(DiskError::Unwritable)));
    assert_eq!(disk.read(1).unwrap().unwrap(), b"payload");
    refuse(&disk, false);
    disk.put(&[put.row(2)]).unwrap();
    drop(disk);
    // By its permissions, which do not hold whoever runs this as root.
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o400);
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        let refused = try_open(&path, PLENTY).unwrap_err();
        assert!(matches!(refused, DiskError::Unwritable), "{refused}");
    }
    mode(0o600);
    assert_eq!(open(&path).read(2).unwrap().unwrap(), b"payload");
}
