//! How do lines become a trace?
//!
//! Readers give each line's entry or flaw; this counts, names, bounds and, at the end, sorts.
//!
//! # Invariants
//! - Every data line is counted once, and is either a request or malformed.
//! - Requests with the same instant keep the order of their lines.
//! - `seen` is as long as `requests`, or empty where no line told anything.

use std::collections::BTreeMap;

use scoring::Class;
use scoring::time::Span;

use super::{Format, Malformed, Note, Read, TraceError};
use crate::trace::{BLOCK_TOKENS, MOST_BLOCKS, MOST_REQUESTS, Request, Seen, Trace};

/// Malformed lines kept; the rest is counted.
const MALFORMED_KEPT: usize = 20;

/// Longest reason kept, in characters: it may quote the file.
const LONGEST_REASON: usize = 200;

/// Longest name of a model, a tenant or a route, in bytes.
const LONGEST_NAME: usize = 256;

/// Most prefix blocks of a session's turn: 33 million tokens, as many as a request can have.
const MOST_SHARED: u32 = 65_535;

/// What is wrong with a line, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Counted from 1, in bytes.
    pub(super) column: u64,
    pub(super) reason: String,
}

impl Flaw {
    /// A flaw of the whole line.
    pub(super) fn line(reason: impl Into<String>) -> Self {
        Self {
            column: 1,
            reason: reason.into(),
        }
    }
}

/// What one line says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// µs since an epoch that the whole file shares.
    pub(super) at_us: u64,
    pub(super) class: Class,
    /// 0 becomes 1 and is counted.
    pub(super) input: u32,
    /// The same.
    pub(super) output: u32,
    pub(super) max_tokens: Option<u32>,
    pub(super) deadline: Option<Span>,
    pub(super) blocks: &'a [u64],
    /// The session whose turn it is: its prompt begins as those of the session's other turns.
    pub(super) session: Option<u64>,
    pub(super) model: Option<&'a str>,
    pub(super) tenant: Option<&'a str>,
    pub(super) route: Option<&'a str>,
    /// The route of the first attempt.
    pub(super) first: Option<&'a str>,
    /// Its `route` and its `first` are filled in here.
    pub(super) seen: Option<Seen>,
}

impl Entry<'_> {
    /// A streamed chat request of which nothing else is known.
    pub(super) const fn chat(at_us: u64, input: u32, output: u32) -> Self {
        Self {
            at_us,
            class: Class::ChatStream,
            input,
            output,
            max_tokens: None,
            deadline: None,
            blocks: &[],
            session: None,
            model: None,
            tenant: None,
            route: None,
            first: None,
            seen: None,
        }
    }
}

/// Names in the order in which they first appear.
#[derive(Debug, Default)]
struct Names {
    list: Vec<String>,
    index: BTreeMap<String, u16>,
}

impl Names {
    fn get(&mut self, name: &str) -> Result<u16, Flaw> {
        if let Some(&index) = self.index.get(name) {
            return Ok(index);
        }
        if name.len() > LONGEST_NAME {
            return Err(Flaw::line(format!(
                "a name of {} bytes; at most {LONGEST_NAME} are kept",
                name.len()
            )));
        }
        let Ok(index) = u16::try_from(self.list.len()) else {
            return Err(Flaw::line("is the 65 537th name of its kind"));
        };
        self.list.push(name.to_owned());
        self.index.insert(name.to_owned(), index);
        Ok(index)
    }
}

/// What has been read so far.
#[derive(Debug)]
pub(super) struct Gather {
    name: String,
    file: String,
    trace: Trace,
    models: Names,
    tenants: Names,
    routes: Names,
    malformed: Vec<Malformed>,
    malformed_count: u64,
    lines: u64,
    latest_us: u64,
    out_of_order: u64,
    no_tokens: u64,
    any_seen: bool,
    notes: Vec<Note>,
}

impl Gather {
    /// Nothing yet, from what messages call `name`.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            file: name.to_owned(),
            trace: Trace::default(),
            models: Names::default(),
            tenants: Names::default(),
            routes: Names::default(),
            malformed: Vec::new(),
            malformed_count: 0,
            lines: 0,
            latest_us: 0,
            out_of_order: 0,
            no_tokens: 0,
            any_seen: false,
            notes: Vec::new(),
        }
    }

    /// What messages call the whole.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The lines to come are those of `file`.
    pub(super) fn enter(&mut self, file: &str) {
        file.clone_into(&mut self.file);
    }

    /// Remembers what was done, unless it was done to nothing.
    pub(super) fn note(&mut self, note: Note) {
        let (Note::OutOfOrder(count)
        | Note::NoTokens(count)
        | Note::Failures(count)
        | Note::Images(count)
        | Note::Spread(count)) = note
        else {
            self.notes.push(note);
            return;
        };
        if count > 0 {
            self.notes.push(note);
        }
    }

    /// Counts a data line that holds no request of its own.
    pub(super) fn count_line(&mut self) {
        self.lines += 1;
    }

    /// Counts a malformed data line.
    pub(super) fn malformed(&mut self, line: u64, flaw: Flaw) {
        self.lines += 1;
        self.malformed_count += 1;
        if self.malformed.len() < MALFORMED_KEPT {
            self.malformed.push(Malformed {
                file: self.file.clone(),
                line,
                column: flaw.column,
                reason: flaw.reason.chars().take(LONGEST_REASON).collect(),
            });
        }
    }

    /// Takes what was read from a data line.
    ///
    /// # Errors
    /// When there is no room for another request.
    pub(super) fn take(
        &mut self,
        line: u64,
        entry: Result<Entry<'_>, Flaw>,
    ) -> Result<(), TraceError> {
        let entry = entry.and_then(|entry| self.push(&entry));
        match entry {
            Ok(()) => self.lines += 1,
            Err(flaw) => self.malformed(line, flaw),
        }
        self.check_room()
    }

    fn check_room(&self) -> Result<(), TraceError> {
        let Trace {
            requests, blocks, ..
        } = &self.trace;
        if requests.len() > MOST_REQUESTS || blocks.len() > MOST_BLOCKS {
            return Err(self.too_many());
        }
        Ok(())
    }

    /// The error of a file that holds too much.
    pub(super) fn too_many(&self) -> TraceError {
        TraceError::TooMany {
            name: self.name.clone(),
        }
    }

    /// Takes a request.
    ///
    /// # Errors
    /// What no trace can hold.
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> Result<(), Flaw> {
        let shared = entry
            .session
            .map_or(0, |_| (entry.input / BLOCK_TOKENS).max(1));
        let blocks = u16::try_from(entry.blocks.len() + shared.min(MOST_SHARED) as usize);
        let blocks = blocks.map_err(|_| Flaw::line("has more than 65 535 prefix blocks"))?;
        let name = |names: &mut Names, name: Option<&str>| name.map(|it| names.get(it));
        let model = name_of(name(&mut self.models, entry.model))?;
        let tenant = name_of(name(&mut self.tenants, entry.tenant))?;
        let route = name(&mut self.routes, entry.route).transpose()?;
        let first = name(&mut self.routes, entry.first).transpose()?;
        self.trace.requests.push(Request {
            at: Span::from_micros(entry.at_us),
            class: entry.class,
            input: entry.input.max(1),
            output: entry.output.max(1),
            max_tokens: entry.max_tokens,
            deadline: entry.deadline,
            block: self.trace.blocks.len() as u32,
            blocks,
            model,
            tenant,
        });
        self.trace.blocks.extend_from_slice(entry.blocks);
        if let Some(session) = entry.session {
            // The first is the session's own name, so that it can be written again.
            let named =
                (0..shared.min(MOST_SHARED)).map(|block| session.wrapping_add(block.into()));
            self.trace.blocks.extend(named);
            self.trace.sessions = true;
        }
        if let Some(seen) = entry.seen {
            self.any_seen = true;
            self.trace.seen.push(Seen {
                route,
                first,
                ..seen
            });
        }
        self.no_tokens += u64::from(entry.input == 0 || entry.output == 0);
        self.out_of_order += u64::from(entry.at_us < self.latest_us);
        self.latest_us = self.latest_us.max(entry.at_us);
        Ok(())
    }

    /// Puts the requests so far into order, at once instead of at the end; returns them for a change of their times.
    pub(super) fn sorted(&mut self) -> &mut [Request] {
        if self.out_of_order > 0 {
            self.note(Note::OutOfOrder(self.out_of_order));
            self.out_of_order = 0;
            sort(&mut self.trace);
        }
        &mut self.trace.requests
    }

    /// The requests came from several sources, each in order: no line is out of it.
    pub(super) fn merge(&mut self) {
        self.out_of_order = 0;
        sort(&mut self.trace);
    }

    /// The trace, beginning at zero, with what was wrong.
    ///
    /// # Errors
    /// When nothing was read, or more than half was malformed.
    pub(super) fn finish(mut self, format: Format) -> Result<Read, TraceError> {
        if self.malformed_count * 2 > self.lines {
            return Err(TraceError::Malformed {
                name: self.name,
                count: self.malformed_count,
                lines: self.lines,
                first: self.malformed,
            });
        }
        let Some(first) = self.sorted().first().map(|it| it.at.as_micros()) else {
            return Err(TraceError::Empty {
                name: self.name,
                first: self.malformed,
            });
        };
        self.note(Note::NoTokens(self.no_tokens));
        for request in &mut self.trace.requests {
            request.at = Span::from_micros(request.at.as_micros() - first);
        }
        if !self.any_seen {
            self.trace.seen.clear();
        }
        self.trace.models = self.models.list;
        self.trace.tenants = self.tenants.list;
        self.trace.routes = self.routes.list;
        Ok(Read {
            trace: self.trace,
            format,
            malformed: self.malformed,
            malformed_count: self.malformed_count,
            lines: self.lines,
            notes: self.notes,
        })
    }
}

fn name_of(found: Option<Result<u16, Flaw>>) -> Result<u16, Flaw> {
    found.unwrap_or(Ok(0))
}

/// Sorts requests, and what was seen of them alike, by arrival.
fn sort(trace: &mut Trace) {
    if trace.seen.is_empty() {
        trace.requests.sort_by_key(|request| request.at);
        return;
    }
    let mut order: Vec<u32> = (0..trace.requests.len() as u32).collect();
    order.sort_by_key(|&index| trace.requests[index as usize].at);
    let old = std::mem::take(&mut trace.requests);
    trace.requests = order.iter().map(|&index| old[index as usize]).collect();
    let old = std::mem::take(&mut trace.seen);
    trace.seen = order.iter().map(|&index| old[index as usize]).collect();
}
