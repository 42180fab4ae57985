//! Where does a chunked body end?
//!
//! The same steps as hyper's decoder, which reads one byte at a time; data is skipped by arithmetic.
//!
//! # Invariants
//! - A byte that hyper would refuse breaks the body here at the same place.
//! - Stricter than hyper in one point: a bare LF in the trailers breaks the body.

/// A place within a chunked body; at first before a chunk's size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Chunks {
    /// Before the first digit of a size.
    #[default]
    Start,
    /// After a digit of a size.
    Size(u64),
    /// In blanks after a size.
    Blank(u64),
    /// In an extension.
    Extension(u64),
    /// After the CR of a size's line.
    SizeFeed(u64),
    /// In data, of which so many bytes are left, at least 1.
    Data(u64),
    /// After the last byte of data.
    DataReturn,
    /// After the CR behind data.
    DataFeed,
    /// At the beginning of a line after the last chunk.
    LineStart,
    /// In a trailer line.
    Trailer,
    /// After the CR of a trailer line.
    TrailerFeed,
    /// After the CR of the blank line.
    LastFeed,
}

/// What following some bytes of a body came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// All bytes were taken and the body goes on.
    Inside,
    /// The body ended with the last byte taken.
    Done,
    /// The last byte taken has no place here.
    Broken,
}

impl Chunks {
    /// Follows bytes of the body: how many were taken, and where that leaves it.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> (usize, Progress) {
        let mut at = 0;
        while at < bytes.len() {
            if let Self::Data(left) = *self {
                let here = left.min((bytes.len() - at) as u64);
                at += here as usize;
                *self = if here == left {
                    Self::DataReturn
                } else {
                    Self::Data(left - here)
                };
                continue;
            }
            let byte = bytes[at];
            at += 1;
            if matches!((*self, byte), (Self::LastFeed, b'\n')) {
                return (at, Progress::Done);
            }
            let Some(next) = self.step(byte) else {
                return (at, Progress::Broken);
            };
            *self = next;
        }
        (at, Progress::Inside)
    }

    /// The place after `byte`, which is no data and does not end the body; `None` if the byte has no place here.
    fn step(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Start, _) => Self::Size(digit(byte)?),
            (Self::Size(size) | Self::Blank(size), b' ' | b'\t') => Self::Blank(size),
            (Self::Size(size) | Self::Blank(size), b';') => Self::Extension(size),
            (Self::Size(size) | Self::Blank(size) | Self::Extension(size), b'\r') => {
                Self::SizeFeed(size)
            }
            (Self::Size(size), _) => Self::Size(size.checked_mul(16)?.checked_add(digit(byte)?)?),
            (Self::Extension(_), b'\n') => return None,
            (Self::Extension(size), _) => Self::Extension(size),
            (Self::SizeFeed(0), b'\n') => Self::LineStart,
            (Self::SizeFeed(size), b'\n') => Self::Data(size),
            (Self::DataReturn, b'\r') => Self::DataFeed,
            (Self::DataFeed, b'\n') => Self::Start,
            (Self::LineStart, b'\r') => Self::LastFeed,
            (Self::LineStart | Self::Trailer, b'\n') => return None,
            (Self::Trailer, b'\r') => Self::TrailerFeed,
            (Self::LineStart | Self::Trailer, _) => Self::Trailer,
            (Self::TrailerFeed, b'\n') => Self::LineStart,
            _ => return None,
        })
    }
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}
