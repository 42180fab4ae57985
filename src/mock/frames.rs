//! Amazon's binary event stream: messages with headers, each framed by lengths and checksums.
//!
//! A message is: total length, length of the headers, CRC-32 of these two, headers, payload, CRC-32 of all before.
//! Numbers are big-endian; a header is a short name, the type 7 for text, and a text of up to 64 kB.
//! The format is that of Amazon's documentation of event stream encoding.
//!
//! # Invariants
//! - Both checksums hold, also of a message whose payload makes no sense.

use bytes::{BufMut, Bytes, BytesMut};

/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// Bytes of a message besides headers and payload.
const FRAME: usize = 16;

/// A message with these headers and this payload.
///
/// A name beyond 255 bytes or a value beyond 65,535 is cut, since neither can be written.
pub(super) fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut head = BytesMut::new();
    for (name, value) in headers {
        let name = &name.as_bytes()[..name.len().min(usize::from(u8::MAX))];
        let value = &value.as_bytes()[..value.len().min(usize::from(u16::MAX))];
        head.put_u8(name.len() as u8);
        head.put_slice(name);
        head.put_u8(TEXT);
        head.put_u16(value.len() as u16);
        head.put_slice(value);
    }
    let total = FRAME + head.len() + payload.len();
    let mut out = BytesMut::with_capacity(total);
    out.put_u32(total as u32);
    out.put_u32(head.len() as u32);
    out.put_u32(crc32fast::hash(&out));
    out.put_slice(&head);
    out.put_slice(payload);
    out.put_u32(crc32fast::hash(&out));
    out.freeze()
}

/// An event of that type whose payload is JSON.
pub(super) fn event(kind: &str, payload: &str) -> Bytes {
    let headers = [
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    message(&headers, payload.as_bytes())
}

/// An exception of that type, after which nothing follows.
pub(super) fn exception(kind: &str, payload: &str) -> Bytes {
    let headers = [
        (":exception-type", kind),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(&headers, payload.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_message_is_the_documented_one() {
        let expected = [
            0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff,
        ];
        assert_eq!(message(&[], b"")[..], expected);
    }

    #[test]
    fn headers_and_payload_stand_where_their_lengths_say() {
        let message = message(&[(":a", "xyz")], b"{}");
        assert_eq!(message[..8], [0, 0, 0, 27, 0, 0, 0, 9]);
        assert_eq!(&message[12..23], b"\x02:a\x07\x00\x03xyz{}");
    }
}
