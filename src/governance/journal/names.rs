//! Which number stands for a name?
//!
//! Records hold numbers; this append-only text says whose they are, one line each: number, kind, name as a JSON string, CRC-32, between tabs.
//!
//! # Invariants
//! - A number is given once and never to another name, restarts included.
//! - A number is on disk, synced, before it is given out.
//! - A damaged line costs its own name and no other.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use super::append::{End, JournalError};
use super::disk::{Disk, Log};

/// The file's name.
const FILE: &str = "names";

/// Bytes that are read at once.
const CHUNK: usize = 1 << 16;

/// Bytes that a line has at least, so that it is known how many a damaged stretch can have been.
const SHORTEST: usize = 18;

/// Bytes of names that are read; far more than a million names have.
const MOST: u64 = 1 << 30;

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A budget of a tier.
    Account,
    /// A virtual key.
    Key,
    /// A model, as clients ask for it.
    Model,
    /// A route.
    Route,
    /// What a key belongs to: see [`Labels`].
    Labels,
}

/// What costs are attributed to beside the key: a name of kind [`Kind::Labels`] is the text of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Labels<'a> {
    /// The customer that is billed, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<&'a str>,
    /// The team that the key belongs to, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<&'a str>,
    /// The key's tags.
    pub tags: &'a [(&'a str, &'a str)],
}

/// A number and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The number; at least 1.
    pub number: u32,
    /// What is named.
    pub kind: Kind,
    /// The name.
    pub name: String,
}

/// Why there is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// It cannot be written down.
    #[error(transparent)]
    Unwritten(#[from] JournalError),
    /// All are given.
    #[error("all numbers of names are given: begin a new ledger folder")]
    Exhausted,
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Every name.
    pub names: Vec<Name>,
    /// Lines that say nothing, an unfinished last one excepted.
    pub damaged: u64,
    /// Bytes up to the end of the last line.
    len: u64,
    /// Numbers that may have been given, those on damaged lines included.
    given: u64,
}

/// The numbers of names; owned by the control thread.
#[derive(Debug)]
pub struct Names {
    log: Box<dyn Log>,
    end: End,
    numbers: HashMap<(Kind, String), u32>,
    /// Names that the books have not taken yet.
    new: Vec<Name>,
    /// The number that is given next.
    next: u32,
    damaged: u64,
}

impl Kind {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Account, "account"),
        (Self::Key, "key"),
        (Self::Model, "model"),
        (Self::Route, "route"),
        (Self::Labels, "labels"),
    ];

    /// The word for it in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Key => "key",
            Self::Model => "model",
            Self::Route => "route",
            Self::Labels => "labels",
        }
    }
}

impl Labels<'_> {
    /// The text by which they are named: JSON, the tags in order.
    #[must_use]
    pub fn text(&self) -> String {
        let tags: BTreeMap<&str, &str> = self.tags.iter().copied().collect();
        let mut whole = serde_json::Map::new();
        for (word, name) in [("customer", self.customer), ("team", self.team)] {
            whole.extend(name.map(|name| (word.to_owned(), name.into())));
        }
        if !tags.is_empty() {
            let tags = tags
                .into_iter()
                .map(|(tag, value)| (tag.to_owned(), value.into()));
            whole.insert("tags".to_owned(), serde_json::Value::Object(tags.collect()));
        }
        serde_json::Value::Object(whole).to_string()
    }
}

impl Names {
    /// Reads what is known.
    ///
    /// # Errors
    /// If the file can neither be read nor made.
    pub fn open(disk: &Arc<dyn Disk>) -> io::Result<Self> {
        let (log, len) = disk.open(FILE)?;
        disk.sync()?;
        let read = read_names(&**disk)?;
        Ok(Self {
            log,
            end: if read.len == len {
                End::at(len)
            } else {
                End::torn_at(read.len)
            },
            new: read.names.clone(),
            numbers: read
                .names
                .into_iter()
                .map(|name| ((name.kind, name.name), name.number))
                .collect(),
            next: u32::try_from(read.given + 1).unwrap_or(0),
            damaged: read.damaged,
        })
    }

    /// The number of a name, given now if it has none.
    ///
    /// # Errors
    /// [`NamesError`]; it can be asked again.
    pub fn number(&mut self, kind: Kind, name: &str) -> Result<u32, NamesError> {
        let numbers = self.numbers(kind, &[name])?;
        numbers.first().copied().ok_or(NamesError::Exhausted)
    }

    /// The numbers of names of one kind, in their order; those that have none are given one now, written and synced together.
    ///
    /// # Errors
    /// [`NamesError`]; none is given then, and it can be asked again.
    pub fn numbers(&mut self, kind: Kind, wanted: &[&str]) -> Result<Vec<u32>, NamesError> {
        let mut numbers = Vec::with_capacity(wanted.len());
        let mut given: HashMap<&str, u32> = HashMap::new();
        let mut lines = String::new();
        let mut next = self.next;
        for name in wanted {
            let known = self.numbers.get(&(kind, (*name).to_owned()));
            if let Some(number) = known.or_else(|| given.get(name)) {
                numbers.push(*number);
                continue;
            }
            if next == 0 {
                return Err(NamesError::Exhausted);
            }
            lines.push_str(&line(next, kind, name));
            given.insert(name, next);
            numbers.push(next);
            next = next.checked_add(1).unwrap_or(0);
        }
        if lines.is_empty() {
            return Ok(numbers);
        }
        let before = self.end.len();
        self.end.append(&*self.log, lines.as_bytes())?;
        if let Err(error) = self.log.sync() {
            // What is not safe is not there: cut off now, or before the next line.
            let _ = self.end.cut_to(&*self.log, before);
            return Err(JournalError::from(error).into());
        }
        self.next = next;
        for (name, number) in given {
            self.numbers.insert((kind, name.to_owned()), number);
            self.new.push(Name {
                number,
                kind,
                name: name.to_owned(),
            });
        }
        Ok(numbers)
    }

    /// The names that were read or given since this was asked last.
    #[must_use]
    pub fn take_new(&mut self) -> Vec<Name> {
        std::mem::take(&mut self.new)
    }

    /// Gives names back that could not be used, to be taken again.
    pub fn give_back(&mut self, names: Vec<Name>) {
        self.new.splice(..0, names);
    }

    /// Lines of the file that said nothing when it was opened; their names were given new numbers or will be.
    #[must_use]
    pub const fn damaged(&self) -> u64 {
        self.damaged
    }
}

/// The line that says a name.
fn line(number: u32, kind: Kind, name: &str) -> String {
    let name = serde_json::Value::from(name);
    let said = format!("{number}\t{}\t{name}", kind.word());
    let crc = crc32fast::hash(said.as_bytes());
    format!("{said}\t{crc:08x}\n")
}

/// What a line says, without its end.
fn parse(line: &[u8]) -> Option<Name> {
    let (said, crc) = std::str::from_utf8(line).ok()?.rsplit_once('\t')?;
    if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(said.as_bytes()) {
        return None;
    }
    let mut parts = said.splitn(3, '\t');
    let number = parts.next()?.parse().ok()?;
    let word = parts.next()?;
    let (kind, _) = *Kind::ALL.iter().find(|(_, known)| *known == word)?;
    let name = serde_json::from_str(parts.next()?).ok()?;
    Some(Name { number, kind, name })
}

/// Reads the names in a folder; none if there is no file.
///
/// # Errors
/// If it cannot be read.
pub fn read_names(disk: &dyn Disk) -> io::Result<Read> {
    let mut text = Vec::new();
    let mut chunk = vec![0; CHUNK];
    while (text.len() as u64) < MOST {
        match disk.read(FILE, text.len() as u64, &mut chunk) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    let mut read = Read::default();
    let mut lost = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some(whole) = line.strip_suffix(b"\n") else {
            // A line that was being written, or one whose end is damaged: its number is not given again.
            lost += 1;
            break;
        };
        read.len += line.len() as u64;
        match parse(whole) {
            Some(name) => {
                read.given = read.given.max(name.number.into());
                read.names.push(name);
            }
            None => {
                read.damaged += 1;
                lost += (line.len() / SHORTEST) as u64 + 1;
            }
        }
    }
    read.given += lost;
    Ok(read)
}
