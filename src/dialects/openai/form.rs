//! What does a form of several parts ask for? The model and the stream flag, wherever they stand among the files.
//!
//! A form is scanned for its boundaries and never taken apart: it goes on to the provider as it came, but for the model's name.
//! Source: RFC 7578 (`multipart/form-data`) and RFC 2046, 5.1.1.
//!
//! # Invariants
//! - A governed field that occurs twice is refused.
//! - The work is one pass over the body.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use super::peek::{Peek, PeekError, Place, UsageWish};

/// Most parts in a form; honest ones have below 40.
const MAX_PARTS: usize = 256;

/// Longest value of a governed field, bytes.
const MAX_VALUE: usize = 1_024;

/// Bytes of a file that count as much as a token: files are sound and images, whose cost is unknown before it is told.
const BYTES_PER_TOKEN: usize = 64;

/// Scans a form whose `Content-Type` is `content_type`.
///
/// # Errors
/// [`PeekError`], each with words that a client can act on.
pub fn peek<'a>(body: &'a [u8], content_type: &str) -> Result<Peek<'a>, PeekError> {
    let boundary = boundary(content_type).ok_or(PeekError::NotForm(
        "the Content-Type must be multipart/form-data with a boundary",
    ))?;
    let (mut model, mut stream) = (None, None);
    for part in parts(body, &boundary)? {
        let slot = match &*part.name {
            b"model" => &mut model,
            b"stream" => &mut stream,
            _ => continue,
        };
        if slot.replace(part.value).is_some() {
            return Err(PeekError::NotForm("a field occurs twice: model or stream"));
        }
    }
    let model_at: Range<usize> = model.ok_or(PeekError::NoModel)?;
    let name = text(body, model_at.clone()).ok_or(PeekError::Field {
        field: "model",
        expected: "a short text",
    })?;
    if name.is_empty() {
        return Err(PeekError::NoModel);
    }
    let stream = match stream.map(|at| text(body, at)) {
        None | Some(Some("false" | "False" | "0" | "")) => false,
        Some(Some("true" | "True" | "1")) => true,
        Some(_) => {
            return Err(PeekError::Field {
                field: "stream",
                expected: "true or false",
            });
        }
    };
    Ok(Peek {
        model: Cow::Borrowed(name),
        model_at,
        place: Place::Form,
        stream,
        max_tokens: None,
        usage: UsageWish::Asked,
        input_tokens: u32::try_from(body.len() / BYTES_PER_TOKEN).unwrap_or(u32::MAX),
        session: None,
    })
}

/// One part: its name, where its value lies, and where the whole of it does, from its boundary to the next.
struct Part<'a> {
    name: Cow<'a, [u8]>,
    whole: Range<usize>,
    value: Range<usize>,
}

/// The form with these fields in it, in place of all others of their names.
///
/// # Errors
/// [`PeekError`], with words that a client can act on.
pub fn replace(
    body: &[u8],
    content_type: &str,
    fields: &[(&str, String)],
) -> Result<Bytes, PeekError> {
    let boundary = boundary(content_type).ok_or(PeekError::NotForm(
        "the Content-Type must be multipart/form-data with a boundary",
    ))?;
    let mut out = Vec::with_capacity(body.len() + 256 * fields.len());
    for (name, value) in fields {
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
        for piece in [&*head, "\r\n\r\n", value, "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    let parts = parts(body, &boundary)?;
    // What stands before the first boundary is dropped: behind the new fields it could be taken for one more.
    let Some(first) = parts.first() else {
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        return Ok(Bytes::from(out));
    };
    let mut kept = first.whole.start;
    let is_replaced = |part: &&Part<'_>| fields.iter().any(|(it, _)| it.as_bytes() == &*part.name);
    for part in parts.iter().filter(is_replaced) {
        out.extend_from_slice(body.get(kept..part.whole.start).unwrap_or_default());
        kept = part.whole.end;
    }
    out.extend_from_slice(body.get(kept..).unwrap_or_default());
    Ok(Bytes::from(out))
}

fn parts<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<Part<'a>>, PeekError> {
    let broken = |why| PeekError::NotForm(why);
    let delimiter = format!("\r\n--{boundary}");
    let first = body.starts_with(&delimiter.as_bytes()[2..]).then_some(0);
    let finder = memmem::Finder::new(delimiter.as_bytes());
    let others = finder.find_iter(body).map(|at| at + 2);
    let mut parts = Vec::new();
    let mut seen = false;
    // The part whose end is not yet found.
    let mut open: Option<Part<'a>> = None;
    for line in first.into_iter().chain(others) {
        let after = line + delimiter.len() - 2;
        let rest = body.get(after..).unwrap_or_default();
        let last = rest.starts_with(b"--");
        let padding = rest.iter().take_while(|byte| b" \t".contains(byte));
        let rest = &rest[padding.count()..];
        // A boundary that is only the beginning of a longer line is content.
        if !last && !rest.starts_with(b"\r\n") {
            continue;
        }
        seen = true;
        if let Some(mut part) = open.take() {
            if line < part.value.start + 2 {
                return Err(broken("a part of the form has no end of its head"));
            }
            part.value.end = line - 2;
            part.whole.end = line;
            parts.push(part);
        }
        if last {
            return Ok(parts);
        }
        if parts.len() >= MAX_PARTS {
            return Err(broken("the form has too many parts"));
        }
        let head = memmem::find(rest, b"\r\n\r\n")
            .ok_or_else(|| broken("a part of the form has no end of its head"))?;
        let start = body.len() - rest.len() + head + 4;
        open = Some(Part {
            name: name(&rest[..head])?,
            whole: line..line,
            value: start..start,
        });
    }
    Err(broken(if seen {
        "the form is cut short: its last boundary is missing"
    } else {
        "the form's boundary does not occur in its body"
    }))
}

/// The field's name in a part's head; empty if it has none.
///
/// Why so strict: whoever reads the form behind the gateway must find the same fields.
fn name(head: &[u8]) -> Result<Cow<'_, [u8]>, PeekError> {
    let broken = || PeekError::NotForm("a part of the form is not named by one plain `name`");
    // Some readers take a line that begins with a blank for more of the one before, and some end a line at less than CRLF.
    let folds = head
        .windows(3)
        .any(|three| matches!(three, [b'\r', b'\n', b' ' | b'\t']));
    let bare = |byte| memchr::memchr_iter(byte, head).count();
    let ends = memmem::find_iter(head, b"\r\n").count();
    if folds || bare(b'\r') != ends || bare(b'\n') != ends {
        return Err(broken());
    }
    let lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let mut dispositions = lines.filter_map(|line| {
        let (key, value) = split(line, b':')?;
        key.trim_ascii()
            .eq_ignore_ascii_case(b"content-disposition")
            .then_some(value)
    });
    let Some(disposition) = dispositions.next() else {
        return Ok(Cow::Borrowed(b""));
    };
    if dispositions.next().is_some() {
        return Err(broken());
    }
    let mut found = None;
    let mut rest = split(disposition, b';').map_or(&b""[..], |(_, rest)| rest);
    while let Some((key, after)) = split(rest, b'=') {
        let (value, next) = parameter(after).ok_or_else(broken)?;
        let key = key.trim_ascii();
        let again = key.eq_ignore_ascii_case(b"name") && found.replace(value).is_some();
        if again || key.eq_ignore_ascii_case(b"name*") {
            return Err(broken());
        }
        rest = next;
    }
    Ok(found.unwrap_or_default())
}

/// What stands before and after the first of this byte.
fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let found = memchr::memchr(at, text)?;
    Some((&text[..found], &text[found + 1..]))
}

/// A parameter's value, in quotes or plain, and what follows its semicolon.
fn parameter(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let Some(quoted) = text.trim_ascii_start().strip_prefix(b"\"") else {
        let (value, rest) = split(text, b';').unwrap_or((text, b""));
        return Some((Cow::Borrowed(value.trim_ascii()), rest));
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'"' => {
                let rest = quoted[at + 1..].trim_ascii_start();
                let rest = if rest.is_empty() {
                    rest
                } else {
                    rest.strip_prefix(b";")?
                };
                return Some((Cow::Owned(value), rest));
            }
            b'\\' => value.push(*bytes.next()?.1),
            _ => value.push(byte),
        }
    }
    None
}

/// The boundary in a `Content-Type`.
fn boundary(content_type: &str) -> Option<String> {
    let mut fields = content_type.split(';');
    let kind = fields.next()?.trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = fields.find_map(|field| {
        let (key, value) = field.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value.trim())
    })?;
    let plain = value.trim_matches('"');
    (!plain.is_empty() && plain.len() <= 70).then(|| plain.to_owned())
}

fn text(body: &[u8], at: Range<usize>) -> Option<&str> {
    let value = body.get(at)?;
    (value.len() <= MAX_VALUE)
        .then(|| std::str::from_utf8(value).ok())
        .flatten()
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"x1\"";

    fn form(parts: &[(&str, &str)]) -> String {
        let mut out = String::new();
        for (head, value) in parts {
            out.push_str(&format!(
                "--x1\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n"
            ));
        }
        out + "--x1--\r\n"
    }

    #[test]
    fn the_model_is_found_wherever_it_stands() {
        let body = form(&[
            ("name=\"prompt\"", "a cat"),
            (
                "name=\"image\"; filename=\"model\"",
                "\u{1}--x2 name=\"model\"",
            ),
            ("filename=\"a\"; name=\"model\"", "img-1"),
            ("name=stream", "true"),
        ]);
        let found = peek(body.as_bytes(), TYPE).unwrap();
        assert_eq!(found.model, "img-1");
        assert_eq!(&body[found.model_at], "img-1");
        assert!(found.stream);
    }

    #[test]
    fn broken_forms_are_told_apart() {
        let check = |body: &str, kind: &str, expected: &str| {
            let error = peek(body.as_bytes(), kind).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let whole = form(&[("name=\"model\"", "m")]);
        check(&whole, "application/json", "multipart/form-data");
        check(
            &whole,
            "multipart/form-data; boundary=other",
            "does not occur",
        );
        check(&whole[..whole.len() - 6], TYPE, "cut short");
        check(&form(&[("name=\"a\"", "m")]), TYPE, "model");
        check(&form(&[("name=\"model\"", "")]), TYPE, "model");
        let twice = form(&[("name=\"model\"", "a"), ("name=\"model\"", "b")]);
        check(&twice, TYPE, "twice");
        check("--x1\r\nno end\r\n--x1--", TYPE, "no end of its head");
        check("--x1\r\nno end\r\n\r\n--x1--", TYPE, "no end of its head");
        check("--x1\r\n\r\n\r\n", TYPE, "cut short");
        check("--x1", TYPE, "does not occur");
    }

    /// Behind the new fields, what looks like a boundary within the first line would be one.
    #[test]
    fn nothing_before_the_first_boundary_becomes_a_field() {
        let smuggled = "x--x1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nother\r\n";
        let model = [("model", "m".to_owned())];
        for rest in [form(&[]), form(&[("name=\"a\"", "b")])] {
            let body = format!("{smuggled}{rest}");
            let got = replace(body.as_bytes(), TYPE, &model).unwrap();
            assert_eq!(peek(&got, TYPE).unwrap().model, "m");
            assert!(memmem::find(&got, b"other").is_none(), "{got:?}");
            assert_eq!(
                memmem::find(&got, b"name=\"a\"").is_some(),
                rest.contains("\"a\"")
            );
        }
    }

    #[test]
    fn a_part_has_one_name() {
        for head in [
            "name=\"a\"; name=\"model\"",
            "name=a\n;name=model",
            "name=a;\r\n name=model",
            "name=a\rContent-Disposition: form-data; name=model",
            "name=\"model\"; name*=UTF-8\'\'a",
            "name=\"a\"\r\nContent-Disposition: form-data; name=\"model\"",
            "name=\"model",
            "filename=\"a\" name=\"model\"",
        ] {
            let body = form(&[(head, "m")]);
            let error = peek(body.as_bytes(), TYPE).unwrap_err().to_string();
            assert!(error.contains("one plain `name`"), "{head}: {error}");
        }
        let decoy = form(&[
            ("filename=\"; name=model;\\\"\"; name=\"a\"", "decoy"),
            ("FileName=x; NAME=\"mo\\del\"", "m"),
        ]);
        assert_eq!(peek(decoy.as_bytes(), TYPE).unwrap().model, "m");
    }

    #[test]
    fn a_boundary_within_a_line_is_content() {
        for value in ["m--x1", "m\r\n--x12", "m\n--x1--"] {
            let body = form(&[("name=\"model\"", value)]);
            let found = peek(body.as_bytes(), TYPE).unwrap();
            assert_eq!(&body[found.model_at], value);
        }
        let padded = form(&[("name=\"model\"", "m")]).replace("--x1\r\n", "--x1 \t\r\n");
        assert_eq!(peek(padded.as_bytes(), TYPE).unwrap().model, "m");
    }
}
