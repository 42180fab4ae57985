//! How is a file kept from filling the memory with one line?
//!
//! Stands below every line reader: passes bytes on, without the byte order mark at the beginning and without what a line has beyond [`LONGEST_LINE`], and ends the last line if it is not ended.
//! A clipped line is no longer what it was, so that its reader finds it malformed; line numbers stay right.
//!
//! # Invariants
//! - No line that comes out is longer than [`LONGEST_LINE`] and its end.
//! - `read` gives 0 at the end only.

use std::io::{self, Read};

/// Longest line kept, in bytes: an access log with its prompts fits, a file without line ends does not.
pub(super) const LONGEST_LINE: usize = 8 << 20;

/// The mark that some editors put before UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A source without endless lines.
#[derive(Debug)]
pub(super) struct Clipped<R> {
    source: R,
    /// Bytes of the present line so far.
    column: usize,
    /// Bytes of [`MARK`] that may still come; 3 before the first byte, 0 after the mark or anything else.
    mark: usize,
    /// Bytes of a mark that was not finished, still to be given.
    held: Vec<u8>,
}

impl<R: Read> Clipped<R> {
    /// Reads from `source`.
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            column: 0,
            mark: MARK.len(),
            held: Vec::new(),
        }
    }

    /// Looks at the first three bytes and drops the mark.
    fn begin(&mut self) -> io::Result<()> {
        let wanted = self.mark as u64;
        self.mark = 0;
        (&mut self.source)
            .take(wanted)
            .read_to_end(&mut self.held)?;
        if self.held == MARK {
            self.held.clear();
        }
        Ok(())
    }

    /// Moves what is kept of `bytes` to its front; how much that is.
    fn keep(&mut self, bytes: &mut [u8]) -> usize {
        let (mut from, mut kept) = (0, 0);
        while from < bytes.len() {
            let end = bytes[from..].iter().position(|&it| it == b'\n');
            let length = end.unwrap_or(bytes.len() - from);
            let fits = length.min(LONGEST_LINE.saturating_sub(self.column));
            bytes.copy_within(from..from + fits, kept);
            kept += fits;
            from += length;
            self.column = self.column.saturating_add(length);
            if end.is_some() {
                bytes[kept] = b'\n';
                kept += 1;
                from += 1;
                self.column = 0;
            }
        }
        kept
    }
}

impl<R: Read> Read for Clipped<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.mark > 0 {
            self.begin()?;
        }
        loop {
            let got = if self.held.is_empty() {
                self.source.read(into)?
            } else {
                let count = self.held.len().min(into.len());
                into[..count].copy_from_slice(&self.held[..count]);
                self.held.drain(..count);
                count
            };
            let kept = self.keep(&mut into[..got]);
            if got == 0 && self.column > 0 {
                self.column = 0;
                into[0] = b'\n';
                return Ok(1);
            }
            if kept > 0 || got == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Clipped::new(bytes).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn only_the_mark_is_dropped_and_the_last_line_is_ended() {
        assert_eq!(all(b"\xEF\xBB\xBFa\nb"), b"a\nb\n");
        assert_eq!(all(b"a\r\n\n\nb\n"), b"a\r\n\n\nb\n");
        assert_eq!(all(b"\xEF\xBBa"), b"\xEF\xBBa\n");
        assert_eq!(all(b"x"), b"x\n");
        assert_eq!(all(b""), b"");
        assert_eq!(all(b"\xEF\xBB\xBF"), b"");
        assert_eq!(all(b"a\n\xEF\xBB\xBF"), b"a\n\xEF\xBB\xBF\n");
    }

    #[test]
    fn an_endless_line_is_clipped_and_the_next_is_whole() {
        let mut bytes = vec![b'x'; LONGEST_LINE + 70_000];
        bytes.extend_from_slice(b"\nnext\n");
        let out = all(&bytes);
        assert_eq!(out.len(), LONGEST_LINE + 6);
        assert_eq!(&out[LONGEST_LINE..], b"\nnext\n");
    }
}
