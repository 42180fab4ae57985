//! Does a request's target mean one thing only?
//!
//! Authorisation looks at a path and so does the router, and a provider may look again; a path that changes when it is decoded or tidied up could mean a different thing to each.
//!
//! # Invariants
//! - A path that passes is what it is after one decoding, as far as its segments go: no separator or dot appears, no segment disappears.
//! - A query is free, but a fragment is refused anywhere, as hyper drops it silently.

use memchr::{memchr, memchr3};

use super::violation::Violation;

/// Schemes of a target in absolute form.
const SCHEMES: [&[u8]; 2] = [b"http://", b"https://"];

/// Digits of a port.
const PORT_DIGITS: usize = 5;

/// A target's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// A path and an optional query.
    Path,
    /// `*`, the server itself.
    Server,
    /// A URL with this authority.
    Absolute(&'a [u8]),
}

/// The form of a target that means one thing only, or why it does not.
pub(super) fn check(target: &[u8]) -> Result<Target<'_>, Violation> {
    match target {
        [b'/', ..] => path(target).map(|()| Target::Path),
        b"*" => Ok(Target::Server),
        _ => {
            let rest = SCHEMES
                .into_iter()
                .find_map(|scheme| after_scheme(target, scheme));
            let rest = rest.ok_or(Violation::Target)?;
            let end = memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            if !is_authority(authority) {
                return Err(Violation::Target);
            }
            path(rest).map(|()| Target::Absolute(authority))
        }
    }
}

/// What follows the scheme, if the target has it.
fn after_scheme<'a>(target: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = target.split_at_checked(scheme.len())?;
    found.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Checks a path, which may be empty, and its query.
fn path(text: &[u8]) -> Result<(), Violation> {
    let mut previous = 0;
    for (at, &byte) in text.iter().enumerate() {
        let rest = &text[at + 1..];
        match byte {
            b'/' if previous == b'/' => return Err(Violation::Path),
            b'.' if !is_name_dot(previous, rest) => return Err(Violation::Path),
            b'%' if !is_plain_code(rest) => return Err(Violation::Path),
            b'\\' => return Err(Violation::Path),
            b'#' => return Err(Violation::Target),
            b'?' => return memchr(b'#', rest).map_or(Ok(()), |_| Err(Violation::Target)),
            _ => previous = byte,
        }
    }
    Ok(())
}

/// Whether a dot is part of a name: not next to another dot and not a segment of its own.
fn is_name_dot(previous: u8, rest: &[u8]) -> bool {
    let next = rest.first().copied().unwrap_or(b'/');
    let alone = previous == b'/' && matches!(next, b'/' | b'?' | b'#' | b';');
    previous != b'.' && next != b'.' && !alone
}

/// Whether what follows a `%` encodes a character that may stand in a name: no `\`, `.` or control character.
///
/// An encoded slash may: clients write models such as `org/name` so, and no path is ever decoded or rebuilt.
fn is_plain_code(rest: &[u8]) -> bool {
    let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16);
    let code = digit(0).zip(digit(1));
    code.is_some_and(|(high, low)| {
        let code = high * 16 + low;
        code >= 0x20 && ![0x7f, 0x5c, 0x2e].contains(&code)
    })
}

/// Whether the text is a host (name, IPv4 or bracketed IPv6 address) with an optional port, and nothing else.
pub(super) fn is_authority(text: &[u8]) -> bool {
    let (is_host, rest) = if let Some(inside) = text.strip_prefix(b"[") {
        let Some(end) = memchr(b']', inside) else {
            return false;
        };
        let of_address = |&byte: &u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
        let address = &inside[..end];
        let is_address = address.contains(&b':') && address.iter().all(of_address);
        (is_address, &inside[end + 1..])
    } else {
        let of_name = |&byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let end = text.iter().position(|byte| !of_name(byte));
        let end = end.unwrap_or(text.len());
        (end > 0, &text[end..])
    };
    is_host && (rest.is_empty() || rest.strip_prefix(b":").is_some_and(is_port))
}

/// Whether the text is a port, 0..=65 535.
fn is_port(text: &[u8]) -> bool {
    let value = |sum, byte: &u8| sum * 10 + u32::from(byte - b'0');
    (1..=PORT_DIGITS).contains(&text.len())
        && text.iter().all(u8::is_ascii_digit)
        && text.iter().fold(0, value) <= u32::from(u16::MAX)
}
