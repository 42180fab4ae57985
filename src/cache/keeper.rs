//! Who does what requests leave for later?
//!
//! One thread: it takes questions into their index, writes answers to the disk and checks to their files, and forgets what has had its time.
//!
//! # Invariants
//! - A disk that fails costs what it would have kept, told once a minute, and nothing else; it is tried again every time.
//! - What was forgotten is forgotten on disk as well, as soon as the disk works.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rand::CryptoRng;

use super::audit::{self, Record, Records, RecordsError};
use super::disk::{Disk, DiskError, Limits, MasterKey, Row};
use super::entry::Entry;
use super::jobs::Job;
use super::library::{Library, OnDisk};
use super::scope::{Scope, Secret};
use super::semantic::policy::Calibration;
use super::written;
use crate::config;

/// Jobs that are done at one go.
const MOST_AT_ONCE: usize = 1_024;

/// Answers and removals that wait for the disk, at most; beyond it the oldest answers are not written.
const MOST_WAITING: usize = 4_096;

/// Seconds between two looks at what has had its time, and between two counts in the audit's files.
const ROUND_S: i64 = 60;

/// The database, in the folder of what is kept.
const DATABASE: &str = "cache.db";

/// The master key, beside it.
const KEY: &str = "cache.key";

/// The folder of the audit's files, beside it.
const RECORDS: &str = "cache-audit";

/// What what was learned is called on disk, before the namespace's name.
const LEARNED: &str = "learned:";

/// The secret that keys are made with, on disk.
const SECRET: &str = "secret";

/// Why what is kept on disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The master key.
    #[error(transparent)]
    Key(#[from] super::disk::KeyError),
    /// The database.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What is on disk.
#[derive(Debug, Default)]
pub(super) struct Desk {
    disk: Option<Disk>,
    records: Option<Records>,
    /// Answers that are to be written.
    waiting: Vec<Arc<Entry>>,
    /// Ids that are to be removed; each was written, so they are bounded by what is on disk.
    removals: Vec<u64>,
    /// Ids that are on disk.
    written: HashSet<u64>,
    /// Scopes whose keys are to be erased.
    ended: Vec<Scope>,
    /// When the last round was, seconds since 1970.
    round_s: i64,
    /// When a failure was told last, seconds since 1970.
    told_s: i64,
    /// Records and answers that were not written.
    lost: u64,
}

/// Opens what is kept, as the settings say, and takes up what is there.
///
/// # Errors
/// [`OpenError`], where answers are to outlive a restart and cannot.
pub fn open(
    settings: &config::Cache,
    now_s: i64,
    rng: &mut impl CryptoRng,
) -> Result<Library, OpenError> {
    let mut secret = [0; 32];
    rng.fill_bytes(&mut secret);
    let first = rng.next_u64();
    let Some(bytes) = settings.disk else {
        return Ok(Library::new(settings, Secret::new(&secret), first));
    };
    let folder = &settings.data;
    let master = MasterKey::of_file(&folder.join(KEY), rng)?;
    let limits = Limits {
        bytes: bytes as u64,
    };
    let (mut disk, opened) = Disk::open(&folder.join(DATABASE), &master, limits, now_s, rng)?;
    if let Some(why) = &opened.rebuilt {
        tracing::warn!("the response cache begins anew: {why}");
    }
    match disk
        .read_note(SECRET)?
        .and_then(|kept| kept.try_into().ok())
    {
        Some(kept) => secret = kept,
        None => disk.note(SECRET, &secret)?,
    }
    let library = Library::new(settings, Secret::new(&secret), first);
    let written = load(&library, &mut disk, (settings.memory, now_s))?;
    library.with_desk(|desk| (desk.disk, desk.written) = (Some(disk), written));
    Ok(library)
}

/// Takes up the newest answers that fit; the others are removed, so that what is forgotten here is forgotten there.
fn load(
    library: &Library,
    disk: &mut Disk,
    (memory, now_s): (usize, i64),
) -> Result<HashSet<u64>, DiskError> {
    let mut room = memory as u64;
    let mut found = Vec::new();
    let mut rest = Vec::new();
    disk.all(|known, payload| {
        let key = written::key(known.tenant, known.key);
        let living = (known.expires_s > now_s).then(|| written::read(known.id, key, payload));
        match living.flatten() {
            Some(entry) if u64::from(entry.weight()) <= room => {
                room -= u64::from(entry.weight());
                found.push(Arc::new(entry));
            }
            fits_not => {
                // What is older does not go before it.
                room = if fits_not.is_some() { 0 } else { room };
                rest.push(known.id);
            }
        }
        std::ops::ControlFlow::Continue(())
    })?;
    disk.remove(&rest)?;
    let count = found.len();
    let written = found.iter().map(|entry| entry.id).collect();
    // The oldest first, as they came.
    for entry in found.into_iter().rev() {
        library.meanings().insert(&entry);
        library.shelf().put(entry);
    }
    if count > 0 {
        tracing::info!(
            answers = count,
            "the response cache has taken up what it kept"
        );
    }
    Ok(written)
}

impl Desk {
    /// Records and answers that were not written.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Opens the audit's files; where that fails checks go unrecorded, and it is tried again.
    fn records(&mut self, settings: &config::Cache, now_s: i64) -> Option<&mut Records> {
        if self.records.is_none() {
            match open_records(&settings.data, &settings.audit) {
                Ok((records, messages)) => {
                    for message in messages {
                        tracing::warn!("{message}");
                    }
                    self.records = Some(records);
                }
                Err(why) => self.tell(&why, now_s),
            }
        }
        self.records.as_mut()
    }

    fn write(&mut self, settings: &config::Cache, record: &Record, now_s: i64) -> bool {
        let Some(records) = self.records(settings, now_s) else {
            self.lost += 1;
            return false;
        };
        let appended = records.append(now_s, record);
        if let Some(problem) = records.problem() {
            tracing::warn!("{problem}");
        }
        match appended {
            Ok(()) => true,
            Err(why) => {
                self.lost += 1;
                self.tell(&why, now_s);
                false
            }
        }
    }

    /// Tells a failure, once a minute.
    fn tell(&mut self, why: &dyn std::fmt::Display, now_s: i64) {
        if now_s.saturating_sub(self.told_s) >= ROUND_S {
            self.told_s = now_s;
            tracing::warn!("the response cache cannot write: {why}");
        }
    }

    /// Writes what waits for the disk.
    fn flush(&mut self, now_s: i64) {
        let Some(disk) = &mut self.disk else {
            self.waiting.clear();
            self.removals.clear();
            self.ended.clear();
            return;
        };
        let mut result = Ok(());
        while let Some(scope) = self.ended.last().filter(|_| result.is_ok()) {
            result = disk.forget_tenant(*scope.name()).map(drop);
            if result.is_ok() {
                self.ended.pop();
            }
        }
        if result.is_ok() && !self.removals.is_empty() {
            result = disk.remove(&self.removals).map(drop);
            if result.is_ok() {
                self.removals.clear();
            }
        }
        if result.is_ok() && !self.waiting.is_empty() {
            let payloads: Vec<_> = self.waiting.iter().map(|it| written::write(it)).collect();
            let rows: Vec<_> = self.waiting.iter().zip(&payloads).map(row).collect();
            result = disk.put(&rows);
            if result.is_ok() {
                self.written.extend(self.waiting.iter().map(|it| it.id));
                self.waiting.clear();
            }
        }
        if let Err(why) = result {
            let beyond = self.waiting.len().saturating_sub(MOST_WAITING);
            self.waiting.drain(..beyond);
            self.lost += beyond as u64;
            self.tell(&why, now_s);
        }
    }

    /// Notes that an answer is gone.
    fn gone(&mut self, id: u64) {
        self.waiting.retain(|it| it.id != id);
        if self.written.remove(&id) {
            self.removals.push(id);
        }
    }
}

fn row<'a>((entry, payload): (&'a Arc<Entry>, &'a Vec<u8>)) -> Row<'a> {
    Row {
        id: entry.id,
        tenant: *entry.key.scope().name(),
        key: *entry.key.digest(),
        stored_s: entry.stored_ms.div_euclid(1_000),
        expires_s: entry.expires_ms.div_euclid(1_000),
        payload,
    }
}

fn open_records(
    folder: &Path,
    settings: &config::Audit,
) -> Result<(Records, Vec<String>), RecordsError> {
    let bytes = settings.keep_size as u64;
    let limits = audit::Limits {
        days: u32::try_from(settings.keep.seconds() / 86_400)
            .unwrap_or(u32::MAX)
            .max(1),
        bytes_per_file: (bytes / 8).max(1),
        total_bytes: bytes,
    };
    Records::open(&folder.join(RECORDS), limits)
}

/// The folder of the audit's files in a folder of what is kept.
#[must_use]
pub fn records_in(folder: &Path) -> std::path::PathBuf {
    folder.join(RECORDS)
}

impl Library {
    /// Does what was left for later, up to a bound; how much there was. Off the path of requests.
    pub fn work(&self, now_s: i64) -> usize {
        self.with_desk(|desk| {
            let mut done = 0;
            while done < MOST_AT_ONCE
                && let Some(job) = self.jobs().take()
            {
                self.do_one(desk, job, now_s);
                done += 1;
            }
            while let Some(id) = self.jobs().take_gone() {
                desk.gone(id);
            }
            desk.flush(now_s);
            if now_s.saturating_sub(desk.round_s) >= ROUND_S {
                desk.round_s = now_s;
                self.round(desk, now_s);
            }
            done
        })
    }

    fn do_one(&self, desk: &mut Desk, job: Job, now_s: i64) {
        match job {
            Job::Kept(entry) => {
                // It may be gone already.
                if self.shelf().entry(entry.id).is_some() {
                    self.meanings().insert(&entry);
                    if desk.disk.is_some() {
                        desk.waiting.push(entry);
                    }
                }
            }
            Job::Gone(entry) => {
                if let Some(question) = &entry.question {
                    self.meanings().remove(&question.partition, entry.id);
                }
                desk.gone(entry.id);
            }
            Job::Lost(partition, id) => self.meanings().remove(&partition, id),
            Job::Seen(lesson, settings, similarity) => {
                self.take_up(desk, &lesson, now_s);
                lesson.see(similarity, &settings);
            }
            Job::Checked(record) => {
                desk.write(self.settings(), &Record::Audit(record), now_s);
            }
            Job::Crowded(scope) => {
                self.shelf().trim(scope);
            }
        }
    }

    /// Takes up what a namespace had learned before a restart, the first time that it is met; whether that is done.
    ///
    /// Before anything of it is written: what was learned is not written over by what is not known yet.
    fn take_up(&self, desk: &mut Desk, lesson: &super::Lesson, now_s: i64) -> bool {
        let Some(disk) = desk.disk.as_mut().filter(|_| !lesson.is_taken_up()) else {
            return true;
        };
        let kept = match disk.read_note(&format!("{LEARNED}{}", lesson.name)) {
            Ok(kept) => kept,
            Err(why) => {
                desk.tell(&why, now_s);
                return false;
            }
        };
        let kept = kept.map(|kept| serde_json::from_slice::<Calibration>(&kept));
        let calibration = kept.and_then(|read| {
            read.inspect_err(|why| {
                tracing::warn!(
                    workflow = &*lesson.name,
                    "what was learned of semantic hits cannot be read, and is learned anew: {why}"
                );
            })
            .ok()
        });
        lesson.take_up(calibration);
        true
    }

    /// Has the disk forget answers, and scopes with their keys.
    pub(super) fn erase(&self, ids: &[u64], scopes: &[Scope], now_s: i64) -> OnDisk {
        self.with_desk(|desk| {
            if desk.disk.is_none() {
                return OnDisk::Done;
            }
            let ids: HashSet<u64> = ids.iter().copied().collect();
            let is_meant =
                |entry: &Entry| ids.contains(&entry.id) || scopes.contains(&entry.key.scope());
            desk.waiting.retain(|entry| !is_meant(entry));
            let written = ids.iter().filter(|id| desk.written.remove(id));
            desk.removals.extend(written);
            desk.ended.extend(scopes);
            desk.flush(now_s);
            if desk.removals.is_empty() && desk.ended.is_empty() {
                OnDisk::Done
            } else {
                OnDisk::Waits
            }
        })
    }

    /// Forgets what has had its time, and writes down what was learned and counted.
    fn round(&self, desk: &mut Desk, now_s: i64) {
        let now_ms = now_s.saturating_mul(1_000);
        for entry in self.shelf().those(|entry| entry.expires_ms <= now_ms) {
            self.shelf().remove(entry.id);
        }
        for count in self.audit().counts(now_s) {
            if desk.write(self.settings(), &Record::Count(count.clone()), now_s) {
                self.audit().counted(&count);
            }
        }
        for lesson in self.meanings().lessons() {
            if !self.take_up(desk, &lesson, now_s) {
                continue;
            }
            // Numbers can always be written.
            let learned = serde_json::to_vec(&lesson.learned()).unwrap_or_default();
            let name = format!("{LEARNED}{}", lesson.name);
            if let Some(disk) = &mut desk.disk
                && let Err(why) = disk.note(&name, &learned)
            {
                desk.tell(&why, now_s);
            }
        }
        if let Some(disk) = &mut desk.disk
            && let Err(why) = disk.sweep(now_s)
        {
            desk.tell(&why, now_s);
        }
    }

    /// Does everything that is left, and writes it down: at the end.
    pub fn close(&self, now_s: i64) {
        while self.work(now_s) > 0 {}
        self.with_desk(|desk| {
            self.round(desk, now_s);
            desk.flush(now_s);
        });
    }
}
