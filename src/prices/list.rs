//! What does a price list change, and how is it taken over?
//!
//! It is compared with the list that holds now: the one that was taken over last, or the one inside the program.
//!
//! # Invariants
//! - The file is read once, so what was compared is what is taken over.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Data, Diff, PricesError, Said, Update};
use crate::config;
use crate::governance::prices::{Book, Catalogue, Difference, compare, keep, read};

/// What holds now, and what a file would put in its place.
struct Change {
    folder: PathBuf,
    new: Catalogue,
    difference: Difference,
    same: bool,
    remarks: String,
}

pub(super) fn update(update: &Update) -> Result<Said, PricesError> {
    let change = change(&update.file, &update.into)?;
    if change.same {
        let text = "these prices hold already; nothing is changed\n".to_owned();
        return Ok(said(text, change.remarks));
    }
    if !change.difference.jumps.is_empty() && !update.accept_jumps {
        return Err(PricesError::Jumps {
            path: update.file.clone(),
            jumps: change.difference.to_string(),
        });
    }
    let path = keep(&change.new, &change.folder)?;
    let text = format!(
        "{}{} models are in {}; a running gateway takes them at its next reload\n",
        change.difference,
        change.new.len(),
        path.display()
    );
    Ok(said(text, change.remarks))
}

pub(super) fn diff(diff: &Diff) -> Result<Said, PricesError> {
    let change = change(&diff.file, &diff.with)?;
    let text = if change.same {
        "these prices hold already\n".to_owned()
    } else {
        let count = change.difference.jumps.len();
        let jumps = match count {
            0 => String::new(),
            _ => {
                format!("{count} prices change by more than half: `update` wants --accept-jumps\n")
            }
        };
        format!("{}{jumps}", change.difference)
    };
    Ok(said(text, change.remarks))
}

fn said(text: String, remarks: String) -> Said {
    Said {
        text,
        remarks,
        holds: true,
    }
}

fn change(file: &Path, data: &Data) -> Result<Change, PricesError> {
    let folder = match &data.data {
        Some(folder) => folder.clone(),
        None => {
            let config = config::load(&data.config).map_err(PricesError::Config)?;
            config.governance.data
        }
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let new = read(&bytes(file)?, &name).map_err(|source| PricesError::Bad {
        path: file.to_owned(),
        source,
    })?;
    let (old, why) = Book::catalogue_of(&folder);
    let remarks = why.map_or_else(String::new, |why| {
        format!("warning: {why}; the prices inside the program hold instead\n")
    });
    Ok(Change {
        // A damaged file is replaced whatever is in it.
        same: old.iter().eq(new.iter()) && remarks.is_empty(),
        difference: compare(&old, &new),
        folder,
        new,
        remarks,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, PricesError> {
    let failed = |source| PricesError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let most = Catalogue::LARGEST;
    let file = File::open(path).map_err(failed)?;
    // One byte more than is taken tells that it is too large.
    let mut limited = file.take(most as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(PricesError::Size {
            path: path.to_owned(),
            most: most >> 20,
        });
    }
    Ok(bytes)
}
