//! Reads multipart forms: each field's text, or what a file is and holds.
//!
//! # Invariants
//! - Each byte is looked at a bounded number of times, and nothing outside of the parts is read.

use serde_json::{Map, Value, json};

use super::ledger::Received;

/// Parts of a form that are read; more are passed over.
const PARTS: usize = 64;

/// The fields of a form as an object; a file is an object of its name, size and text.
///
/// # Errors
/// Returns what is wrong with the form.
pub(super) fn read(request: &Received) -> Result<Value, String> {
    let kind = request.header("content-type").unwrap_or_default();
    let boundary = kind
        .split(';')
        .find_map(|it| it.trim().strip_prefix("boundary="))
        .map(|it| it.trim_matches('"'))
        .filter(|it| !it.is_empty())
        .ok_or("there is no boundary in the content type")?;
    let mark = format!("--{boundary}");
    let mut fields = Map::new();
    let mut rest = after(&request.body, mark.as_bytes()).ok_or("there is no part")?;
    for _ in 0..PARTS {
        let Some(part) = rest.strip_prefix(b"\r\n") else {
            break;
        };
        let end = find(part, format!("\r\n{mark}").as_bytes()).ok_or("a part has no end")?;
        let (Some(whole), Some(behind)) = (part.get(..end), part.get(end + 2 + mark.len()..))
        else {
            break;
        };
        if let Some((name, value)) = field(whole) {
            fields.insert(name, value);
        }
        rest = behind;
    }
    Ok(Value::Object(fields))
}

/// Name and value of one part.
fn field(part: &[u8]) -> Option<(String, Value)> {
    let end = find(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(part.get(..end)?);
    let data = part.get(end + 4..)?;
    let text = String::from_utf8_lossy(data);
    let mut named = None;
    let mut file = None;
    for parameter in head.lines().flat_map(|line| line.split(';')) {
        let quoted = |name: &str| {
            let value = parameter.trim().strip_prefix(name)?;
            Some(value.trim_matches('"').to_owned())
        };
        named = named.or_else(|| quoted("name="));
        file = file.or_else(|| quoted("filename="));
    }
    let value = match file {
        Some(file) => json!({"filename": file, "bytes": data.len(), "text": text}),
        None => text.into(),
    };
    Some((named?, value))
}

fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    bytes.get(find(bytes, mark)? + mark.len()..)
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, mark)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use bytes::Bytes;
    use hyper::header::{CONTENT_TYPE, HeaderValue};
    use hyper::{HeaderMap, Method};

    use super::*;

    fn form(kind: &'static str, body: &'static str) -> Result<Value, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        read(&Received::new(
            Method::POST,
            "/",
            headers,
            Bytes::from(body),
        ))
    }

    #[test]
    fn fields_and_files_are_told_apart() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n\
                    --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
                    Content-Type: audio/wav\r\n\r\n1\r\n34\r\n--x--\r\n";
        let expected = json!({
            "model": "m",
            "file": {"filename": "a.wav", "bytes": 5, "text": "1\r\n34"},
        });
        for kind in [
            "multipart/form-data; boundary=x",
            "multipart/form-data; boundary=\"x\"",
        ] {
            assert_eq!(form(kind, body).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for (kind, body) in [
            ("application/json", "{}"),
            ("multipart/form-data; boundary=", "--\r\n"),
            ("multipart/form-data; boundary=x", ""),
            ("multipart/form-data; boundary=x", "--x\r\nname=a\r\n\r\nb"),
        ] {
            assert!(form(kind, body).is_err(), "{kind} {body}");
        }
        let empty = form("multipart/form-data; boundary=x", "--x\r\n\r\n--x--");
        assert_eq!(empty.unwrap(), json!({}));
    }
}
