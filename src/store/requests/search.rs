//! Which requests are there that pass a filter, the newest first?
//!
//! Blocks are left out by their summaries, and read one after the other until the page is full or time is up.
//!
//! # Invariants
//! - A page that goes on from the last one shows no row twice and leaves none out, whatever comes meanwhile.
//! - Each question reads at least one block that may hold an answer, so whoever goes on comes to the end.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::super::database::StoreError;
use super::block::Block;
use super::filter::Filter;
use super::row::{Leg, Row, Said, Texts};
use super::shelf::{Shelf, in_block, place};
use super::summary::Summary;
use super::tables;

/// Summaries that are looked at before it is asked whether time is up.
const SUMMARIES: usize = 64;

/// Where requests are read: memory, and the file if there is one.
#[derive(Clone, Debug)]
pub struct Records {
    shelf: Arc<Shelf>,
    path: Option<PathBuf>,
}

/// Which part of what is found is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Only what stands before this place, as [`Page::next`] told.
    pub before: Option<u64>,
    /// Rows, at most.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Page {
    /// The rows, the last one to end first.
    pub hits: Vec<Hit>,
    /// Where to go on; none where there is no more.
    pub next: Option<u64>,
    /// Rows of the blocks that were read.
    pub scanned: u64,
    /// Whether it was not time that ended the search.
    pub complete: bool,
}

/// A row that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Its place among all.
    pub place: u64,
    block: Arc<Block>,
}

impl Hit {
    /// Gives the row and its attempts.
    pub fn with<T>(&self, act: impl FnOnce(&Row<'_>, &[Leg<'_>]) -> T) -> T {
        let (_, at) = in_block(self.place);
        match self.block.reader() {
            Some(reader) => act(&reader.row(at), &reader.legs(at)),
            None => act(&Row::default(), &[]),
        }
    }
}

/// A search under way.
struct Search<'a> {
    filter: &'a Filter,
    wish: Wish,
    page: Page,
    go_on: &'a mut dyn FnMut() -> bool,
    looked: usize,
}

/// Whether a search goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    On,
    Done,
}

impl Records {
    /// What reads a shelf, and the file that it is written to if it is.
    #[must_use]
    pub const fn new(shelf: Arc<Shelf>, path: Option<PathBuf>) -> Self {
        Self { shelf, path }
    }

    /// Finds rows; `go_on` is asked now and then whether there is time left.
    ///
    /// # Errors
    /// [`StoreError`] of the file.
    pub fn search(
        &self,
        filter: &Filter,
        wish: Wish,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Page, StoreError> {
        let mut search = Search {
            filter,
            wish,
            page: Page {
                complete: true,
                ..Page::default()
            },
            go_on,
            looked: 0,
        };
        let mut before = wish
            .before
            .map_or(i64::MAX, |it| in_block(it).0.cast_signed());
        let all = self.shelf.snapshot();
        for sealed in &all {
            before = before.min(sealed.number.cast_signed() - 1);
            if search.may_be_in(sealed.number, &sealed.summary)
                && (!search.filter.has_marks() || sealed.summary.may_hold_marks(filter))
                && search.read(sealed.number, &sealed.block) == Step::Done
            {
                return Ok(search.page);
            }
        }
        if let Some(connection) = self.connection()? {
            let read = search.file(&connection, before);
            if matches!(read, Err(StoreError::Damaged)) {
                self.shelf.doubts();
            }
            read?;
        }
        Ok(search.page)
    }

    /// What is kept of a row apart from it.
    ///
    /// # Errors
    /// [`StoreError`] of the file.
    pub fn texts(&self, at: u64) -> Result<Option<Texts>, StoreError> {
        if let Some(texts) = self.shelf.texts(at) {
            return Ok(Some((*texts).clone()));
        }
        let Some(connection) = self.connection()? else {
            return Ok(None);
        };
        let mut ask = connection
            .prepare("SELECT decisions, request, response, cut FROM texts WHERE place = ?1")?;
        let found = ask.query_row([at.cast_signed()], |row| {
            let request: Option<Box<str>> = row.get(1)?;
            let response: Option<Box<str>> = row.get(2)?;
            let cut: Option<bool> = row.get(3)?;
            Ok(Texts {
                decisions: row.get(0)?,
                said: request.zip(response).map(|(request, response)| Said {
                    request,
                    response,
                    cut: cut.unwrap_or(false),
                }),
            })
        });
        Ok(found.optional()?)
    }

    fn connection(&self) -> Result<Option<Connection>, StoreError> {
        match &self.path {
            Some(path) => tables::open_to_read(path),
            None => Ok(None),
        }
    }
}

impl Search<'_> {
    /// Whether a block is to be read, as far as what is known of it tells.
    fn may_be_in(&self, number: u64, summary: &Summary) -> bool {
        let is_before = self.wish.before.is_none_or(|it| place(number, 0) < it);
        is_before && summary.may_pass(self.filter)
    }

    /// Reads a block.
    fn read(&mut self, number: u64, block: &Arc<Block>) -> Step {
        let before = match self.wish.before.map(in_block) {
            Some((at, row)) if at == number => row,
            _ => usize::MAX,
        };
        self.page.scanned += block.len() as u64;
        let wanted = self.filter.select(block, before);
        for at in wanted.last_first() {
            if self.page.hits.len() == self.wish.limit {
                self.page.next = self.page.hits.last().map(|hit| hit.place);
                return Step::Done;
            }
            self.page.hits.push(Hit {
                place: place(number, at),
                block: Arc::clone(block),
            });
        }
        self.may_go_on(number)
    }

    fn may_go_on(&mut self, number: u64) -> Step {
        if (self.go_on)() {
            return Step::On;
        }
        self.page.complete = false;
        self.page.next = Some(place(number, 0));
        Step::Done
    }

    /// Goes through the blocks of the file up to a number.
    fn file(&mut self, connection: &Connection, before: i64) -> Result<(), StoreError> {
        // One state of the file for all that is asked.
        let connection = connection.unchecked_transaction()?;
        let sieve = if self.filter.has_marks() {
            "sieve"
        } else {
            "NULL"
        };
        let mut all = connection.prepare(&format!(
            "SELECT number, summary, {sieve} FROM blocks WHERE number <= ?1 ORDER BY number DESC"
        ))?;
        let mut one = connection.prepare("SELECT bytes FROM blocks WHERE number = ?1")?;
        let mut rows = all.query([before])?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            let (number, known) = (number.cast_unsigned(), row.get_ref(1)?.as_bytes());
            let known = known.map_err(|_| StoreError::Damaged)?;
            let mut summary = Summary::decode(known).ok_or(StoreError::Damaged)?;
            self.looked += 1;
            let mut may = self.may_be_in(number, &summary);
            if may
                && let Some(sieve) = row
                    .get_ref(2)?
                    .as_blob_or_null()
                    .map_err(|_| StoreError::Damaged)?
            {
                summary.set_sieve(sieve);
                may = summary.may_hold_marks(self.filter);
            }
            let step = if may {
                let bytes: Vec<u8> = one.query_row([number.cast_signed()], |row| row.get(0))?;
                let block = Block::new(bytes.into_boxed_slice()).ok_or(StoreError::Damaged)?;
                self.read(number, &Arc::new(block))
            } else if self.looked.is_multiple_of(SUMMARIES) {
                self.may_go_on(number)
            } else {
                Step::On
            };
            if step == Step::Done {
                return Ok(());
            }
        }
        Ok(())
    }
}
