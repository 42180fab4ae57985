//! What of the requests is in memory: all of it, or what the disk has not got yet.
//!
//! # Invariants
//! - Every row has a place that no other has, and later ones have greater places: what was read can be gone on from.
//! - Memory is bounded: where nothing is written the oldest blocks go, and where the disk does not take them they go and are counted.
//! - The lock is held for a row, or for the packing of one block.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::block::Block;
use super::columns::MOST_ROWS;
use super::open::{OPEN_ROW, Open};
use super::row::{Leg, Row, Texts};
use super::summary::Summary;

/// Bits of a place that are the row's in its block.
const ROW_BITS: u32 = MOST_ROWS.trailing_zeros();

/// µs of the clock that a block's number stands for when counting begins: numbers go on after a restart, if no 250 blocks were filled each second.
const TICK_US: u64 = 4_096;

/// Blocks that wait for the disk, at most: six seconds of it at 5,000 requests/s.
const MOST_WAITING: usize = 8;

/// Bytes of texts that wait for the disk, at most: some seconds of all that is said.
const MOST_WAITING_TEXTS: usize = 16 << 20;

/// One in so many parts of the memory is for texts.
const TEXTS_PART: usize = 4;

/// The place of a row in a block.
pub(super) const fn place(number: u64, at: usize) -> u64 {
    number << ROW_BITS | at as u64
}

/// The block of a place, and the row in it.
pub(super) const fn in_block(place: u64) -> (u64, usize) {
    (place >> ROW_BITS, (place & (MOST_ROWS as u64 - 1)) as usize)
}

/// A finished block with what is known of it.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) number: u64,
    pub(super) summary: Summary,
    pub(super) block: Arc<Block>,
}

/// Where rows stay once their block is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// In memory, as many as fit.
    Here,
    /// On disk.
    OnDisk,
}

/// The requests in memory.
#[derive(Debug)]
pub struct Shelf {
    stay: Stay,
    /// Bytes that blocks and texts may take.
    room: usize,
    /// Whether a reader has found the file damaged. It guards nothing.
    doubt: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    open: Open,
    /// The open block's number.
    number: u64,
    /// The open block as it was when somebody asked last.
    shown: Option<Arc<Sealed>>,
    /// Rows of it that are on disk.
    written: usize,
    sealed: VecDeque<Arc<Sealed>>,
    sealed_bytes: usize,
    /// Texts by their row's place.
    texts: VecDeque<(u64, Arc<Texts>)>,
    texts_bytes: usize,
    dropped: u64,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) sealed: Vec<Arc<Sealed>>,
    /// The open block's new rows: its number, the first one's place in it, and the last one's.
    pub(super) part: Option<(u64, usize, usize, Vec<u8>)>,
    pub(super) texts: Vec<(u64, Arc<Texts>)>,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.part.is_none() && self.texts.is_empty()
    }
}

impl Shelf {
    /// An empty one; `now_us` is µs since 1970.
    #[must_use]
    pub fn new(stay: Stay, room: usize, now_us: u64) -> Self {
        Self {
            stay,
            room,
            doubt: AtomicBool::new(false),
            inner: Mutex::new(Inner {
                open: Open::default(),
                number: now_us / TICK_US,
                shown: None,
                written: 0,
                sealed: VecDeque::new(),
                sealed_bytes: 0,
                texts: VecDeque::new(),
                texts_bytes: 0,
                dropped: 0,
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request; whether a block is full with it.
    pub fn push<'l>(
        &self,
        row: &Row<'_>,
        legs: impl Iterator<Item = Leg<'l>>,
        texts: Option<Texts>,
    ) -> bool {
        let mut inner = self.inner();
        let at = place(inner.number, inner.open.len());
        inner.open.push(row, legs);
        if let Some(texts) = texts.filter(|it| !it.is_empty()) {
            inner.texts_bytes += texts.size();
            inner.texts.push_back((at, Arc::new(texts)));
            let most = match self.stay {
                Stay::Here => self.room / TEXTS_PART,
                Stay::OnDisk => MOST_WAITING_TEXTS,
            };
            inner.forget_texts(most);
        }
        let is_full = inner.open.is_full();
        if is_full {
            inner.seal();
            self.bound(&mut inner);
        }
        is_full
    }

    /// Lets the oldest go where there are too many.
    fn bound(&self, inner: &mut Inner) {
        let rows = self.room - self.room / TEXTS_PART;
        let rows = rows.saturating_sub(MOST_ROWS * OPEN_ROW);
        loop {
            let count = inner.sealed.len();
            let is_too_much = match self.stay {
                // Whatever the room is, the last block can be looked at.
                Stay::Here => count > 1 && inner.sealed_bytes > rows,
                Stay::OnDisk => count > MOST_WAITING,
            };
            if !is_too_much {
                return;
            }
            if let Some(gone) = inner.sealed.pop_front() {
                inner.sealed_bytes -= gone.size();
                if self.stay == Stay::OnDisk {
                    inner.dropped += gone.block.len() as u64;
                }
                let first = place(gone.number + 1, 0);
                while inner.texts.front().is_some_and(|(at, _)| *at < first) {
                    inner.forget_text();
                }
            }
        }
    }

    /// Rows that were dropped since this was asked last.
    pub fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.inner().dropped)
    }

    /// The file is damaged, as a reader sees it.
    pub(super) fn doubts(&self) {
        self.doubt.store(true, Ordering::Relaxed);
    }

    /// Whether a reader has found the file damaged since this was asked last.
    pub fn take_doubt(&self) -> bool {
        self.doubt.swap(false, Ordering::Relaxed)
    }

    /// Where rows stay.
    #[must_use]
    pub const fn stay(&self) -> Stay {
        self.stay
    }

    /// What is in memory, the newest first.
    pub(super) fn snapshot(&self) -> Vec<Arc<Sealed>> {
        let mut inner = self.inner();
        let mut all = Vec::with_capacity(inner.sealed.len() + 1);
        all.extend(inner.shown());
        all.extend(inner.sealed.iter().rev().cloned());
        all
    }

    /// The texts of a row, if they are in memory.
    pub(super) fn texts(&self, at: u64) -> Option<Arc<Texts>> {
        let inner = self.inner();
        let found = inner.texts.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        Some(Arc::clone(&inner.texts[found].1))
    }

    /// What the disk has not got.
    pub(super) fn work(&self) -> Work {
        let inner = self.inner();
        let (from, count) = (inner.written, inner.open.len());
        Work {
            sealed: inner.sealed.iter().cloned().collect(),
            part: (count > from).then(|| (inner.number, from, count, inner.open.encode(from))),
            texts: inner.texts.iter().cloned().collect(),
        }
    }

    /// The disk has got this.
    pub(super) fn is_written(&self, work: &Work) {
        let mut inner = self.inner();
        for done in &work.sealed {
            if inner
                .sealed
                .front()
                .is_some_and(|it| it.number == done.number)
                && let Some(gone) = inner.sealed.pop_front()
            {
                inner.sealed_bytes -= gone.size();
            }
        }
        if let Some((number, _, count, _)) = &work.part
            && inner.number == *number
        {
            inner.written = *count;
        }
        if let Some((last, _)) = work.texts.last() {
            while inner.texts.front().is_some_and(|(at, _)| at <= last) {
                inner.forget_text();
            }
        }
    }

    /// Has numbers begin behind those that a disk has already.
    ///
    /// Only a clock that was set back lets them meet; what waits is dropped and counted then.
    pub(super) fn begin_behind(&self, last: u64) {
        let mut inner = self.inner();
        let first = inner.sealed.front().map_or(inner.number, |it| it.number);
        if first > last {
            return;
        }
        let rows: usize = inner.sealed.iter().map(|it| it.block.len()).sum();
        inner.dropped += (rows + inner.open.len()) as u64;
        inner.sealed.clear();
        inner.sealed_bytes = 0;
        inner.texts.clear();
        inner.texts_bytes = 0;
        inner.begin(last + 1);
    }
}

impl Inner {
    fn begin(&mut self, number: u64) {
        self.open.clear();
        self.shown = None;
        self.written = 0;
        self.number = number;
    }

    fn seal(&mut self) {
        if let Some(sealed) = self.shown() {
            self.sealed_bytes += sealed.size();
            self.sealed.push_back(sealed);
        }
        self.begin(self.number + 1);
    }

    /// The open block as it is; none where it is empty.
    fn shown(&mut self) -> Option<Arc<Sealed>> {
        let count = self.open.len();
        if count == 0 {
            return None;
        }
        if let Some(shown) = &self.shown
            && shown.block.len() == count
        {
            return Some(Arc::clone(shown));
        }
        let shown = Arc::new(Sealed::of(self.number, &self.open)?);
        self.shown = Some(Arc::clone(&shown));
        Some(shown)
    }

    fn forget_texts(&mut self, most: usize) {
        while self.texts_bytes > most && self.texts.len() > 1 {
            self.forget_text();
        }
    }

    fn forget_text(&mut self) {
        if let Some((_, gone)) = self.texts.pop_front() {
            self.texts_bytes -= gone.size();
        }
    }
}

impl Sealed {
    pub(super) fn of(number: u64, open: &Open) -> Option<Self> {
        let block = Block::new(open.encode(0).into_boxed_slice())?;
        Some(Self {
            number,
            summary: open.summary(),
            block: Arc::new(block),
        })
    }

    fn size(&self) -> usize {
        self.block.size() + self.summary.size()
    }
}
