//! What are the fields of a multipart form, and how is one written?
//!
//! A form arrives whole, so it is split where it lies: every field's data is a slice of the body, and nothing is copied.
//! Not a library's reader, because those are asynchronous and copy each field; the format that clients send is RFC 7578, no more.
//!
//! # Invariants
//! - A field's data is a slice of the body; the work is one search over it.
//! - A written form's boundary is a hash of what it holds, so it is the same for the same content and occurs in none of it.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;
use memchr::memmem;

use super::request::Malformed;

/// The most fields of one form: sixteen images, as OpenAI allows, and every parameter there is.
const FIELDS: usize = 96;

/// The longest head of a field, in bytes; a name, a file's name and a type.
const HEAD: usize = 4_096;

/// The longest boundary that RFC 2046 allows, in bytes.
const BOUNDARY: usize = 70;

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: String,
    /// The file's name, if the field is a file.
    pub file_name: Option<String>,
    /// The type told for it.
    pub content_type: Option<String>,
    /// Its bytes.
    pub data: Bytes,
}

/// A form that is being written.
#[derive(Debug, Default)]
pub(super) struct Form {
    fields: Vec<Field>,
}

/// Splits a form's body into its fields.
///
/// # Errors
/// Says what is wrong if it is no whole form, or has more than 96 fields.
pub fn split(content_type: &str, body: &Bytes) -> Result<Vec<Field>, Malformed> {
    let broken = |what: &str| Malformed::new("", format!("The multipart form {what}."));
    let boundary = boundary(content_type).ok_or_else(|| broken("names no boundary"))?;
    let delimiter = format!("--{boundary}");
    let between = format!("\r\n{delimiter}");
    let finder = memmem::Finder::new(between.as_bytes());
    let mut at = if body.starts_with(delimiter.as_bytes()) {
        delimiter.len()
    } else {
        let preamble = finder.find(body).ok_or_else(|| broken("does not begin"))?;
        preamble + between.len()
    };
    let mut fields = Vec::new();
    loop {
        let rest = body.get(at..).unwrap_or_default();
        if rest.starts_with(b"--") {
            return Ok(fields);
        }
        let padding = rest.iter().take_while(|byte| b" \t".contains(byte)).count();
        let rest = rest.get(padding..).unwrap_or_default();
        if !rest.starts_with(b"\r\n") {
            return Err(broken("is cut short"));
        }
        if fields.len() == FIELDS {
            return Err(broken("has too many fields"));
        }
        // Why: a field without headers has its empty line right after the delimiter's.
        let searched = rest.get(..rest.len().min(HEAD)).unwrap_or_default();
        let head = memmem::find(searched, b"\r\n\r\n")
            .ok_or_else(|| broken("has a field without a head"))?;
        let from = at + padding + head + 4;
        let data = body.get(from..).unwrap_or_default();
        let length = finder.find(data).ok_or_else(|| broken("is cut short"))?;
        let head = rest.get(..head).unwrap_or_default();
        let field = field(head, body.slice(from..from + length));
        fields.push(field.ok_or_else(|| broken("has a field without a name"))?);
        at = from + length + between.len();
    }
}

/// The boundary that a content type names.
fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value.trim())
    })?;
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    let plain = |c: char| c.is_ascii_alphanumeric() || "'()+_,-./:=? ".contains(c);
    ((1..=BOUNDARY).contains(&value.len()) && value.chars().all(plain)).then_some(value)
}

/// A field by its head.
fn field(head: &[u8], data: Bytes) -> Option<Field> {
    let head = std::str::from_utf8(head).ok()?;
    let mut found = (None, None, None);
    for line in head.split("\r\n") {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("content-disposition") {
            found.0 = parameter(value, "name");
            found.1 = parameter(value, "filename");
        } else if name.trim().eq_ignore_ascii_case("content-type") {
            found.2 = Some(value.trim().to_owned());
        }
    }
    let (name, file_name, content_type) = found;
    Some(Field {
        name: name?,
        file_name,
        content_type,
        data,
    })
}

/// The value of a header's parameter, in quotes or plain.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            None => {
                let end = after.find(';').unwrap_or(after.len());
                let (value, next) = after.split_at_checked(end)?;
                (value.trim().to_owned(), next)
            }
            Some(quoted) => unquoted(quoted)?,
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next.trim_start().strip_prefix(';')?;
    }
}

/// The text up to the closing quote, and what follows it.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            // Why: browsers and Python escape only the quote, and a lone backslash is part of an old file name.
            '"' if !escaped => return Some((value, quoted.get(at + 1..)?)),
            '\\' if !escaped => escaped = true,
            c => {
                if escaped && c != '"' && c != '\\' {
                    value.push('\\');
                }
                value.push(c);
                escaped = false;
            }
        }
    }
    None
}

impl Form {
    /// Adds a field of text.
    pub(super) fn text(&mut self, name: &str, value: impl Into<String>) {
        self.fields.push(Field {
            name: name.to_owned(),
            file_name: None,
            content_type: None,
            data: Bytes::from(value.into()),
        });
    }

    /// Adds a file.
    pub(super) fn file(&mut self, name: &str, file_name: &str, media: &'static str, data: Bytes) {
        self.fields.push(Field {
            name: name.to_owned(),
            file_name: Some(file_name.to_owned()),
            content_type: Some(media.to_owned()),
            data,
        });
    }

    /// Whether there is a field of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// Content type and body.
    pub(super) fn finish(self) -> (HeaderValue, Bytes) {
        let boundary = format!("trimtab-{:032x}", self.hash());
        let size = self.fields.iter().map(|it| it.data.len() + 256).sum();
        let mut body = BytesMut::with_capacity(size);
        for field in &self.fields {
            let name = quoted(&field.name);
            body.put_slice(
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"")
                    .as_bytes(),
            );
            if let Some(file_name) = &field.file_name {
                body.put_slice(format!("; filename=\"{}\"", quoted(file_name)).as_bytes());
            }
            if let Some(media) = &field.content_type {
                body.put_slice(format!("\r\nContent-Type: {media}").as_bytes());
            }
            body.put_slice(b"\r\n\r\n");
            body.put_slice(&field.data);
            body.put_slice(b"\r\n");
        }
        body.put_slice(format!("--{boundary}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        let kind = HeaderValue::try_from(kind)
            .unwrap_or_else(|_| HeaderValue::from_static("multipart/form-data"));
        (kind, body.freeze())
    }

    /// 128 bits of everything that the form holds.
    fn hash(&self) -> u128 {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            for field in &self.fields {
                field.name.hash(&mut hasher);
                field.data.hash(&mut hasher);
            }
            u128::from(hasher.finish())
        };
        half(1) << 64 | half(2)
    }
}

/// A name as it stands between quotes, without what would end it or its line. Source: the HTML standard's form encoding.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=XX";

    fn names(body: &str) -> Result<Vec<String>, String> {
        let fields = split(KIND, &Bytes::copy_from_slice(body.as_bytes()));
        fields
            .map(|fields| fields.into_iter().map(|field| field.name).collect())
            .map_err(|malformed| malformed.message)
    }

    #[test]
    fn a_form_is_read_back_as_it_was_written() {
        let mut form = Form::default();
        form.text("prompt", "a \"cat\"\r\n--trimtab");
        form.file(
            "image[]",
            "a\"b.png",
            "image/png",
            Bytes::from_static(b"\0\r\n--\xff"),
        );
        let (kind, body) = form.finish();
        let fields = split(kind.to_str().unwrap(), &body).unwrap();
        assert_eq!(fields[0].name, "prompt");
        assert_eq!(fields[0].data, "a \"cat\"\r\n--trimtab");
        assert_eq!(fields[1].file_name.as_deref(), Some("a%22b.png"));
        assert_eq!(fields[1].content_type.as_deref(), Some("image/png"));
        assert_eq!(&fields[1].data[..], b"\0\r\n--\xff");
    }

    #[test]
    fn heads_are_read_in_every_usual_form() {
        let body = "preamble\r\n--XX\r\ncontent-disposition:form-data;name=a\r\n\r\n1\r\n--XX \r\n\
                    Content-Disposition: form-data; filename=\"x;y=\\\"z\\\".png\"; name=\"b\"\r\n\
                    Content-Type: image/png\r\n\r\n\r\n--XX--\r\nepilogue";
        let fields = split(KIND, &Bytes::from_static(body.as_bytes())).unwrap();
        assert_eq!(
            (fields[0].name.as_str(), &fields[0].data[..]),
            ("a", &b"1"[..])
        );
        assert_eq!(fields[1].file_name.as_deref(), Some("x;y=\"z\".png"));
        assert_eq!((fields[1].name.as_str(), fields[1].data.len()), ("b", 0));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let head = "Content-Disposition: form-data; name=\"a\"";
        for body in [
            "",
            "--XX",
            "--XX\r\n",
            &format!("--XX\r\n{head}\r\n\r\n1"),
            &format!("--XX\r\n{head}\r\n\r\n1\r\n--XX"),
            &format!("--XX\r\n{head}\r\n1\r\n--XX--"),
            "--XX\r\n\r\n1\r\n--XX--",
            "--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--XX--",
            &format!("--XX\r\n{head}\r\n\r\n1\r\n").repeat(FIELDS + 1),
            &format!("--XX\r\nx:{}\r\n\r\n1\r\n--XX--", "y".repeat(HEAD)),
        ] {
            assert!(names(body).is_err(), "{body:.60}");
        }
        for kind in [
            "application/json",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"a\r\nb\"",
            "multipart/mixed; boundary=XX",
        ] {
            assert!(split(kind, &Bytes::new()).is_err(), "{kind}");
        }
        assert_eq!(names("--XX--"), Ok(Vec::new()));
    }
}
