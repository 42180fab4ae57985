//! How do records get from the journals into the database?
//!
//! Some thousand at a time: load the entries that they are about, merge, commit with the positions that were reached.
//!
//! # Invariants
//! - A failure changes nothing: the same records are read again.
//! - A journal that cannot be read does not keep the others from being read; at a start it keeps us from serving.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::super::journal::{Disk, Name, Readable, Reader, Record};
use super::balance::{Balance, balances};
use super::merge::{Merged, about, merge};
use crate::store::{Batch, Database, Entry, Shift, StoreError};

/// Records in a transaction: enough that it costs little for each, few enough that what they take is given out of memory that is at hand; with 4,096, a third of the time went into fresh pages.
const RECORDS: usize = 512;

/// The bookkeeper.
#[derive(Debug)]
pub struct Books {
    disk: Arc<dyn Disk>,
    /// Names that are not in the database yet.
    names: Vec<Name>,
    counts: Arc<Counts>,
}

/// What came up since the start; guards nothing.
#[derive(Debug, Default)]
pub struct Counts {
    /// Records that were read.
    pub records: AtomicU64,
    /// Stretches of journals in which no record begins.
    pub damaged: AtomicU64,
    /// Bytes in them.
    pub skipped: AtomicU64,
    /// Records that contradict what was known; it stayed.
    pub contradictions: AtomicU64,
    /// Turns that failed and were tried again.
    pub failures: AtomicU64,
    /// Journals that were done with and removed.
    pub removed: AtomicU64,
}

/// What one transaction came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Records that were read.
    pub records: usize,
    /// Whether there may be more to read.
    pub more: bool,
    /// Journals that could not be read.
    pub unread: usize,
}

/// What a start finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// What every account has spent.
    pub balances: Vec<Balance>,
    /// Attempts that this start put in doubt; `Database::entries` lists them and older ones.
    pub in_doubt: usize,
}

/// Why the books are not up to date.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger's folder cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Unread(#[from] io::Error),
    /// So many journals cannot be read, and what is in them is not known.
    #[error(
        "{0} of the ledger's files cannot be read: what they hold must be known before anything is served"
    )]
    Unknown(usize),
}

/// What was read for one transaction.
#[derive(Debug, Default)]
struct Gathered {
    records: Vec<(Record, i64)>,
    batch: Batch,
    damaged: u64,
    skipped: u64,
}

impl Books {
    /// Books of the journals in a folder.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            names: Vec::new(),
            counts: Arc::default(),
        }
    }

    /// What came up since the start.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Takes names to be written with the next records.
    pub fn learn(&mut self, names: Vec<Name>) {
        self.names.extend(names);
    }

    /// Reads on, some thousand records at most.
    ///
    /// # Errors
    /// [`BooksError`]; nothing is changed then.
    pub fn ingest(
        &mut self,
        database: &mut Database,
        files: &[Readable],
    ) -> Result<Pass, BooksError> {
        let mut pass = Pass::default();
        let mut gathered = Gathered::default();
        for file in files {
            if gathered.records.len() >= RECORDS {
                pass.more = true;
                break;
            }
            let (number, position) = database.position(&file.name)?;
            if file.end.is_some_and(|end| position >= end) {
                continue;
            }
            let mut reader = Reader::new(&*self.disk, &file.name, position, file.end);
            let read = gathered.gather(&mut reader, number);
            pass.unread += usize::from(read.is_err());
            pass.more |= gathered.records.len() >= RECORDS;
            if reader.position() > position {
                gathered.batch.positions.insert(number, reader.position());
            }
        }
        pass.records = gathered.records.len();
        let idle = gathered.batch.positions.is_empty() && self.names.is_empty();
        if !idle {
            let contradictions = fold(database, &gathered.records, &mut gathered.batch)?;
            let names = self.names.iter();
            gathered.batch.names = names
                .map(|name| (name.number, name.kind.word(), name.name.clone()))
                .collect();
            database.commit(&gathered.batch)?;
            self.names.clear();
            self.counts
                .contradictions
                .fetch_add(contradictions, Relaxed);
            self.counts.records.fetch_add(pass.records as u64, Relaxed);
            self.counts.damaged.fetch_add(gathered.damaged, Relaxed);
            self.counts.skipped.fetch_add(gathered.skipped, Relaxed);
        }
        Ok(pass)
    }

    /// Reads everything, before anything is served, and puts in doubt what is in flight: nobody settles it any more.
    ///
    /// # Errors
    /// [`BooksError`]; it can be tried again.
    pub fn recover(
        &mut self,
        database: &mut Database,
        files: &[Readable],
    ) -> Result<Recovered, BooksError> {
        loop {
            let pass = self.ingest(database, files)?;
            if pass.unread > 0 {
                return Err(BooksError::Unknown(pass.unread));
            }
            if !pass.more {
                break;
            }
        }
        Ok(Recovered {
            in_doubt: database.doubt_open()?,
            balances: balances(database)?,
        })
    }

    /// Removes the journals that are done with; tells how many.
    ///
    /// # Errors
    /// [`BooksError`]; what is left is removed the next time.
    pub fn tidy(&self, database: &mut Database, files: &[Readable]) -> Result<usize, BooksError> {
        let mut done = Vec::new();
        for file in files.iter().filter(|file| file.end.is_none()) {
            let (number, position) = database.position(&file.name)?;
            let at_end = self.disk.read(&file.name, position, &mut [0])? == 0;
            if at_end && database.open_in(number)? == 0 {
                done.push(file);
            }
        }
        if done.is_empty() || !database.make_safe()? {
            return Ok(0);
        }
        for file in &done {
            // In this order: a journal that was forgotten and is still there would be read again.
            self.disk.remove(&file.name)?;
            self.disk.sync()?;
            database.forget(&file.name)?;
        }
        self.counts.removed.fetch_add(done.len() as u64, Relaxed);
        Ok(done.len())
    }
}

impl Gathered {
    /// Reads a journal until it ends or enough was read.
    fn gather(&mut self, reader: &mut Reader<'_>, number: i64) -> io::Result<()> {
        let read = loop {
            if self.records.len() >= RECORDS {
                break Ok(());
            }
            match reader.read_next() {
                Ok(Some(found)) => self.records.push((found.record, number)),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.damaged += reader.damaged();
        self.skipped += reader.skipped();
        read
    }
}

/// Merges records into the entries that they are about; tells how many contradict.
fn fold(
    database: &Database,
    records: &[(Record, i64)],
    batch: &mut Batch,
) -> Result<u64, StoreError> {
    let mut ids: Vec<u128> = records
        .iter()
        .filter_map(|(record, _)| about(record))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let before = database.load(ids.iter().copied())?;
    let before: HashMap<u128, Entry> = before.into_iter().map(|entry| (entry.id, entry)).collect();
    let mut after: HashMap<u128, Entry> = HashMap::new();
    let mut contradictions = 0;
    for (record, file) in records {
        if let Record::Roll(roll) = record {
            let window = (roll.account, roll.window.start);
            batch.windows.insert(window, roll.window.end);
        }
        let Some(id) = about(record) else {
            continue;
        };
        match merge(after.get(&id).or_else(|| before.get(&id)), record, *file) {
            Merged::Known => {}
            Merged::Contradicts => contradictions += 1,
            Merged::Changed(entry) => {
                after.insert(id, entry);
            }
        }
    }
    // In the order of the ids, so that the same records make the same rows.
    for id in ids {
        let Some(entry) = after.remove(&id) else {
            continue;
        };
        if let Some(known) = before.get(&id) {
            batch.count(known, Shift::Take);
        }
        batch.count(&entry, Shift::Add);
        batch.entries.push(entry);
    }
    Ok(contradictions)
}
