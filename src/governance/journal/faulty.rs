//! A disk in memory that fails when it is told to, and can be torn, flipped and copied.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::disk::{Disk, Log};

/// How a call fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// No room; an append leaves so many bytes first.
    Full(usize),
    /// An append is short by that, without an error.
    Short(usize),
    /// The device fails; an append leaves so many bytes first.
    Broken(usize),
    /// It is read-only.
    ReadOnly,
}

/// A disk in memory; copies are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faulty(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Calls that change something, so far.
    calls: u64,
    /// Calls that fail: from, up to and without, how.
    fault: Option<(u64, u64, Fault)>,
    syncs: u64,
}

#[derive(Debug)]
struct File {
    disk: Faulty,
    name: String,
}

impl Faulty {
    /// Lets the calls from `from` on, up to and without `until`, fail.
    pub(crate) fn fail(&self, from: u64, until: u64, fault: Fault) {
        self.0.lock().unwrap().fault = Some((from, until, fault));
    }

    /// Calls that changed something or were to.
    pub(crate) fn calls(&self) -> u64 {
        self.0.lock().unwrap().calls
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.0.lock().unwrap().syncs
    }

    /// Another disk with the same content and no faults.
    pub(crate) fn copy(&self) -> Self {
        let files = self.0.lock().unwrap().files.clone();
        Self(Arc::new(Mutex::new(State {
            files,
            ..State::default()
        })))
    }

    /// Changes a file from outside.
    pub(crate) fn edit(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        edit(
            self.0
                .lock()
                .unwrap()
                .files
                .entry(name.to_owned())
                .or_default(),
        );
    }

    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        self.0.lock().unwrap().files[name].clone()
    }

    pub(crate) fn journals(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        let names = state.files.keys().filter(|name| name.ends_with(".log"));
        names.cloned().collect()
    }

    /// Counts a call; the fault it meets, if any.
    fn call(&self) -> Option<Fault> {
        let mut state = self.0.lock().unwrap();
        let call = state.calls;
        state.calls += 1;
        let (from, until, fault) = state.fault?;
        (from..until).contains(&call).then_some(fault)
    }

    fn checked(&self) -> io::Result<()> {
        match self.call() {
            Some(fault) => Err(fault.error()),
            None => Ok(()),
        }
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Full(_) | Self::Short(_) => io::ErrorKind::StorageFull.into(),
            Self::Broken(_) => io::Error::other("input/output error"),
            Self::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
        }
    }
}

impl Disk for Faulty {
    fn create(&self, name: &str) -> io::Result<Box<dyn Log>> {
        self.checked()?;
        if self.0.lock().unwrap().files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.open(name).map(|(log, _)| log)
    }

    fn open(&self, name: &str) -> io::Result<(Box<dyn Log>, u64)> {
        let mut state = self.0.lock().unwrap();
        let len = state.files.entry(name.to_owned()).or_default().len() as u64;
        let file = File {
            disk: self.clone(),
            name: name.to_owned(),
        };
        Ok((Box::new(file), len))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().files.keys().cloned().collect())
    }

    fn read(&self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.0.lock().unwrap();
        let file = state.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        let from = usize::try_from(at).unwrap().min(file.len());
        let count = buffer.len().min(file.len() - from);
        buffer[..count].copy_from_slice(&file[from..from + count]);
        Ok(count)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.checked()?;
        self.0.lock().unwrap().files.remove(name);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.checked()
    }
}

impl Log for File {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let fault = self.disk.call();
        let mut state = self.disk.0.lock().unwrap();
        let file = state.files.get_mut(&self.name).unwrap();
        match fault {
            None => {
                file.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Some(Fault::Short(missing)) => {
                let count = bytes.len() - missing.clamp(1, bytes.len());
                file.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
            Some(fault) => {
                if let Fault::Full(left) | Fault::Broken(left) = fault {
                    file.extend_from_slice(&bytes[..left.min(bytes.len())]);
                }
                Err(fault.error())
            }
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.disk.checked()?;
        let mut state = self.disk.0.lock().unwrap();
        let file = state.files.get_mut(&self.name).unwrap();
        file.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.0.lock().unwrap().syncs += 1;
        self.disk.checked()
    }
}
