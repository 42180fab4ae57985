//! How are messages of OpenTelemetry written in protobuf's encoding?
//!
//! Why not a library: its messages own every string, some sixty allocations a request; here a span goes straight into the bytes that are sent.
//! The tests of this room read what is written with the official types.
//!
//! # Invariants
//! - Lengths are the shortest that say them, as protobuf's own writers have them.
//! - A name of an attribute is shorter than 128 bytes; longer ones are a mistake of this room.

/// Wire types of protobuf.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// Field of a span's attributes.
const ATTRIBUTES: u32 = 9;

/// Bytes kept free for the length of a message that is being written: it is 128 bytes to 16 KiB, as spans are.
const ROOM: usize = 2;

/// Writes messages one after the other.
#[derive(Debug, Default)]
pub struct Pen {
    out: Vec<u8>,
}

/// Where a message began that is being written.
#[derive(Debug)]
pub(super) struct Begun(usize);

impl Pen {
    /// Continues after these bytes.
    pub(super) const fn after(out: Vec<u8>) -> Self {
        Self { out }
    }

    /// What was written.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.out
    }

    /// What was written so far.
    pub(super) fn written(&self) -> &[u8] {
        &self.out
    }

    /// Forgets it.
    pub(super) fn clear(&mut self) {
        self.out.clear();
    }

    /// Adds what another pen has written.
    pub(super) fn copy(&mut self, written: &[u8]) {
        self.out.extend_from_slice(written);
    }

    /// Bytes written so far.
    pub(super) const fn len(&self) -> usize {
        self.out.len()
    }

    /// Begins a message in this field.
    pub(super) fn begin(&mut self, field: u32) -> Begun {
        self.tag(field, BYTES);
        self.out.extend_from_slice(&[0; ROOM]);
        Begun(self.out.len())
    }

    /// Ends a message; its length is put before it.
    pub(super) fn end(&mut self, Begun(at): Begun) {
        let length = self.out.len() - at;
        if (128..1 << 14).contains(&length) {
            self.out[at - 2] = length as u8 | 0x80;
            self.out[at - 1] = (length >> 7) as u8;
            return;
        }
        // Seldom: the message moves to where its length leaves it.
        let mut exact = Self::default();
        exact.varint(length as u64);
        self.out.splice(at - ROOM..at, exact.out);
    }

    /// A whole number of up to 64 bits.
    pub(super) fn number(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        self.varint(value);
    }

    /// Eight bytes.
    pub(super) fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Four bytes.
    pub(super) fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, FIXED32);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Bytes, or a text.
    pub(super) fn text(&mut self, field: u32, value: &[u8]) {
        self.tag(field, BYTES);
        self.varint(value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// The beginning of a message of this length.
    pub(super) fn length(&mut self, field: u32, length: usize) {
        self.tag(field, BYTES);
        self.varint(length as u64);
    }

    /// Two parts of a text and a space between them.
    pub(super) fn two(&mut self, field: u32, (first, second): (&str, &str)) {
        self.tag(field, BYTES);
        self.varint((first.len() + 1 + second.len()) as u64);
        self.out.extend_from_slice(first.as_bytes());
        self.out.push(b' ');
        self.out.extend_from_slice(second.as_bytes());
    }

    /// An attribute of a span that is a text.
    pub(super) fn say(&mut self, key: &str, value: &str) {
        self.pair(ATTRIBUTES, key, value);
    }

    /// The same, if there is one.
    pub(super) fn may_say(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.say(key, value);
        }
    }

    /// An attribute of a span that is a whole number.
    pub(super) fn count(&mut self, key: &str, value: u64) {
        let length = 1 + width(value);
        self.key(ATTRIBUTES, key, length);
        self.out.push(tag(3, VARINT));
        self.varint(value);
    }

    /// An attribute of a span that is a number.
    pub(super) fn measure(&mut self, key: &str, value: f64) {
        self.key(ATTRIBUTES, key, 9);
        self.out.push(tag(4, FIXED64));
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// An attribute of a span that is yes or no.
    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.key(ATTRIBUTES, key, 2);
        self.out
            .extend_from_slice(&[tag(2, VARINT), u8::from(value)]);
    }

    /// A key and a text in this field.
    pub(super) fn pair(&mut self, field: u32, key: &str, value: &str) {
        let length = 1 + width(value.len() as u64) + value.len();
        self.key(field, key, length);
        self.out.push(tag(1, BYTES));
        self.varint(value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// A key, up to the value, which takes `length` bytes.
    #[inline]
    fn key(&mut self, field: u32, key: &str, length: usize) {
        debug_assert!(key.len() < 128, "{key} is too long");
        let whole = 2 + key.len() + 1 + width(length as u64) + length;
        self.out.reserve(whole + 4);
        self.tag(field, BYTES);
        self.varint(whole as u64);
        self.out
            .extend_from_slice(&[tag(1, BYTES), key.len() as u8]);
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(tag(2, BYTES));
        self.varint(length as u64);
    }

    #[inline]
    fn tag(&mut self, field: u32, kind: u8) {
        self.varint(u64::from(field << 3 | u32::from(kind)));
    }

    #[inline]
    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 128 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

/// The tag of a field below 16.
const fn tag(field: u8, kind: u8) -> u8 {
    field << 3 | kind
}

/// Bytes that a number takes.
#[inline]
pub(super) const fn width(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// What stands in one field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// A whole number.
    Number(u64),
    /// Bytes, a text or a message.
    Bytes(&'a [u8]),
    /// Something of fixed size, which nobody here asks for.
    Fixed,
}

/// The next field of a message and its number; none at its end, and where it is malformed.
pub(super) fn next<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = read(rest)?;
    let field = match (key & 7) as u8 {
        VARINT => Field::Number(read(rest)?),
        BYTES => {
            let length = usize::try_from(read(rest)?).ok()?;
            Field::Bytes(take(rest, length)?)
        }
        FIXED64 => take(rest, 8).map(|_| Field::Fixed)?,
        FIXED32 => take(rest, 4).map(|_| Field::Fixed)?,
        _ => return None,
    };
    Some((key >> 3, field))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn read(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_wide_as_they_are_said_to_be() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut pen = Pen::default();
            pen.varint(value);
            assert_eq!(pen.len(), width(value), "{value}");
            let bytes = pen.bytes();
            assert_eq!(read(&mut bytes.as_slice()), Some(value));
            assert_eq!(read(&mut &bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn a_message_of_any_length_has_it_before_it() {
        for length in [0, 1, 127, 128, 300, 16_383, 16_384, 3_000_000] {
            let mut pen = Pen::after(vec![0x08, 7]);
            let begun = pen.begin(2);
            pen.out.extend(std::iter::repeat_n(b'x', length));
            pen.end(begun);
            pen.number(3, 300);
            let bytes = pen.bytes();
            let mut rest = bytes.as_slice();
            assert_eq!(next(&mut rest), Some((1, Field::Number(7))));
            let Some((2, Field::Bytes(inner))) = next(&mut rest) else {
                panic!("no message of {length} bytes");
            };
            assert_eq!(inner.len(), length);
            assert_eq!(next(&mut rest), Some((3, Field::Number(300))));
            assert_eq!(next(&mut rest), None);
        }
    }

    #[test]
    fn nonsense_ends_a_message() {
        for bytes in [
            &[0xff; 20][..],
            &[0x0a, 200, 1, 2],
            &[0x0b],
            &[0x09, 1],
            &[0x0d],
        ] {
            assert_eq!(next(&mut &*bytes), None, "{bytes:?}");
        }
    }
}
