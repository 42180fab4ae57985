//! How does a stream look to a client that did not ask for server-sent events?
//!
//! Without `alt=sse`, `streamGenerateContent` answers with one JSON array whose elements arrive one by one.
//! Providers are always asked for events, and these are re-framed here.
//!
//! # Invariants
//! - Elements are the events' own bytes.
//! - An array that was not ended is no JSON, so a broken stream cannot pass for a whole one.

use crate::stream::sse;

/// Writes events as the elements of an array.
#[derive(Clone, Copy, Debug, Default)]
pub struct Writer {
    begun: bool,
}

impl Writer {
    /// The content type of such an answer.
    pub const CONTENT_TYPE: &'static str = "application/json; charset=UTF-8";

    /// Writes the data of a run of whole events; comments and names are left out.
    pub fn write(&mut self, run: &[u8], out: &mut Vec<u8>) {
        for event in sse::events(run) {
            match event.data {
                None => {}
                Some(data) if event.data_lines == 1 => self.element(data, out),
                Some(_) => self.element(&event.joined(), out),
            }
        }
    }

    /// Writes the end of the array.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if !self.begun {
            out.push(b'[');
            self.begun = true;
        }
        out.extend_from_slice(b"\n]\n");
    }

    fn element(&mut self, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(if self.begun { b"\n,\r\n" } else { b"[" });
        self.begun = true;
        out.extend_from_slice(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_elements() {
        let mut writer = Writer::default();
        let mut out = Vec::new();
        writer.write(b"data: {\"a\":1}\r\n\r\n: comment\n\n", &mut out);
        writer.write(b"data: {\"a\":\ndata: 2}\n\n", &mut out);
        assert!(serde_json::from_slice::<serde_json::Value>(&out).is_err());
        writer.end(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "[{\"a\":1}\n,\r\n{\"a\":\n2}\n]\n"
        );
    }

    #[test]
    fn nothing_is_an_empty_array() {
        let mut out = Vec::new();
        Writer::default().end(&mut out);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value, serde_json::json!([]));
    }
}
