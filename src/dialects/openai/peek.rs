//! What does a request ask for? A borrowed scan of the few fields that govern routing.
//!
//! The whole top level is scanned, never just up to the first match: with two `model` keys a gateway that stops early
//! would govern one model while the provider bills the other.
//!
//! # Invariants
//! - A governed field that occurs twice is refused.
//! - Nothing is copied but the model's name if it holds escapes.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Deepest nesting accepted in a body, levels; no known client exceeds a third of it.
pub const MAX_DEPTH: usize = 128;

/// Bytes of English text to a token, roughly; good enough to size a request before its usage is known.
const BYTES_PER_TOKEN: usize = 4;

/// The fields that govern routing, and where the bytes to splice are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek<'a> {
    /// The model's name as the client wrote it, unescaped.
    pub model: Cow<'a, str>,
    /// Where the model's name lies in the body: its JSON string with the quotes, or a form's plain text.
    pub model_at: Range<usize>,
    /// How the model's name is written there.
    pub place: Place,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The most output tokens asked for, over all choices.
    pub max_tokens: Option<u32>,
    /// What the client says about usage in its stream.
    pub usage: UsageWish,
    /// Input tokens, estimated from the body's length.
    pub input_tokens: u32,
}

/// Where a request names its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a JSON body.
    Json,
    /// In a form.
    Form,
    /// In the path: the body stays as it is.
    Path,
}

/// What a client says about usage in its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageWish {
    /// It asked for the usage chunk.
    Asked,
    /// It gave stream options without asking; where they lie in the body.
    Options(Range<usize>),
    /// It said nothing; behind the object's opening brace there is room.
    Silent(usize),
}

/// Why a body cannot be routed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// The body is empty.
    #[error("the request has no body; a JSON object is expected")]
    Empty,
    /// The body is not UTF-8.
    #[error("the body is not valid UTF-8 (byte {0})")]
    NotUtf8(usize),
    /// The body is not the JSON that is expected.
    #[error("the body could not be parsed as JSON: {0}")]
    NotJson(String),
    /// The body is nested too deeply.
    #[error("the body is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// The body is not the form that is expected.
    #[error("the body could not be parsed as a form: {0}")]
    NotForm(&'static str),
    /// There is no model.
    #[error("you must provide a model parameter")]
    NoModel,
    /// A field has the wrong type.
    #[error("`{field}` must be {expected}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is expected there.
        expected: &'static str,
    },
}

#[derive(Deserialize)]
struct Governed<'a> {
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    stream_options: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_completion_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_output_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    n: Option<&'a RawValue>,
    /// Only so that a second list of tools is refused.
    #[serde(borrow, default, rename = "tools")]
    _tools: Option<&'a RawValue>,
}

/// Keeps a written `null`: what is there must not be put in a second time.
fn even_null<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// Gemini's bodies: neither model nor stream flag is in them.
#[derive(Deserialize)]
struct Generation<'a> {
    #[serde(
        borrow,
        default,
        alias = "generation_config",
        rename = "generationConfig"
    )]
    config: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct GenerationConfig<'a> {
    #[serde(
        borrow,
        default,
        alias = "max_output_tokens",
        rename = "maxOutputTokens"
    )]
    most: Option<&'a RawValue>,
}

/// Scans a request body.
///
/// # Errors
/// [`PeekError`], each with words that a client can act on.
pub fn peek(body: &[u8]) -> Result<Peek<'_>, PeekError> {
    let text = object(body)?;
    let governed: Governed<'_> =
        serde_json::from_str(text).map_err(|error| PeekError::NotJson(error.to_string()))?;
    let model_raw = governed.model.ok_or(PeekError::NoModel)?;
    let model: Cow<'_, str> = string(model_raw).ok_or(PeekError::Field {
        field: "model",
        expected: "a string",
    })?;
    if model.is_empty() {
        return Err(PeekError::NoModel);
    }
    let stream = match governed.stream.map(RawValue::get) {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(PeekError::Field {
                field: "stream",
                expected: "true or false",
            });
        }
    };
    let choices = governed.n.and_then(count).unwrap_or(1).max(1);
    let most = governed
        .max_completion_tokens
        .or(governed.max_tokens)
        .or(governed.max_output_tokens);
    Ok(Peek {
        model,
        model_at: place(text, model_raw),
        place: Place::Json,
        stream,
        max_tokens: most
            .and_then(count)
            .map(|most| most.saturating_mul(choices)),
        usage: usage_wish(text, governed.stream_options)?,
        input_tokens: tokens(body),
    })
}

/// Scans the body of a request whose path names the `model`.
///
/// # Errors
/// [`PeekError`], each with words that a client can act on.
pub fn peek_named<'a>(body: &'a [u8], model: &'a str) -> Result<Peek<'a>, PeekError> {
    let text = object(body)?;
    let parsed: Generation<'_> =
        serde_json::from_str(text).map_err(|error| PeekError::NotJson(error.to_string()))?;
    let most = parsed
        .config
        .and_then(|raw| serde_json::from_str::<GenerationConfig<'_>>(raw.get()).ok())
        .and_then(|config| config.most.and_then(count));
    Ok(Peek {
        model: Cow::Borrowed(model),
        model_at: 0..0,
        place: Place::Path,
        stream: false,
        max_tokens: most,
        usage: UsageWish::Asked,
        input_tokens: tokens(body),
    })
}

/// The text of a body that begins as a JSON object and is not nested too deeply.
fn object(body: &[u8]) -> Result<&str, PeekError> {
    let text =
        std::str::from_utf8(body).map_err(|error| PeekError::NotUtf8(error.valid_up_to()))?;
    match text.trim_ascii_start().bytes().next() {
        None => return Err(PeekError::Empty),
        Some(b'{') => {}
        Some(_) => return Err(PeekError::NotJson("a JSON object is expected".to_owned())),
    }
    if is_deeper(body, MAX_DEPTH) {
        return Err(PeekError::TooDeep);
    }
    Ok(text)
}

fn tokens(body: &[u8]) -> u32 {
    u32::try_from(body.len() / BYTES_PER_TOKEN).unwrap_or(u32::MAX)
}

fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(text).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// A whole number that fits; anything else is left for the provider to complain about.
fn count(raw: &RawValue) -> Option<u32> {
    raw.get().parse().ok()
}

/// Where `raw` lies in the `text` that it was borrowed from.
fn place(text: &str, raw: &RawValue) -> Range<usize> {
    let start = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + raw.get().len()
}

fn usage_wish(text: &str, options: Option<&RawValue>) -> Result<UsageWish, PeekError> {
    let silent = || {
        let brace = memchr::memchr(b'{', text.as_bytes()).unwrap_or(0);
        UsageWish::Silent(brace + 1)
    };
    let Some(raw) = options else {
        return Ok(silent());
    };
    let wrong = PeekError::Field {
        field: "stream_options",
        expected: "an object",
    };
    if raw.get() == "null" {
        return Ok(UsageWish::Options(place(text, raw)));
    }
    if !raw.get().starts_with('{') {
        return Err(wrong);
    }
    match serde_json::from_str::<StreamOptions>(raw.get()) {
        Ok(StreamOptions {
            include_usage: Some(true),
        }) => Ok(UsageWish::Asked),
        Ok(_) => Ok(UsageWish::Options(place(text, raw))),
        Err(_) => Err(PeekError::Field {
            field: "stream_options.include_usage",
            expected: "true or false",
        }),
    }
}

/// Whether the nesting exceeds `most` levels; strings do not count.
fn is_deeper(body: &[u8], most: usize) -> bool {
    if memchr::memchr2_iter(b'{', b'[', body).count() <= most {
        return false;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = body.get(at) {
        at += 1;
        match byte {
            // Most of a body is text, and an agent's has brackets enough to get here.
            b'"' => at = behind_string(body, at),
            b'{' | b'[' => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The offset behind the string whose text begins at `at`.
fn behind_string(body: &[u8], mut at: usize) -> usize {
    while let Some(rest) = body.get(at..)
        && let Some(found) = memchr::memchr2(b'"', b'\\', rest)
    {
        if rest[found] == b'"' {
            return at + found + 1;
        }
        // What is escaped ends nothing.
        at += found + 2;
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn governed_fields_are_found() {
        let body = br#" {"messages":[{"role":"user","content":"hi"}],"model":"m\u0031","n":2,"max_tokens":10,"stream":true}"#;
        let peek = peek(body).unwrap();
        assert_eq!(peek.model, "m1");
        assert_eq!(&body[peek.model_at.clone()], br#""m\u0031""#);
        assert!(peek.stream);
        assert_eq!(peek.max_tokens, Some(20));
        assert_eq!(peek.usage, UsageWish::Silent(2));
    }

    #[test]
    fn stream_options_are_understood() {
        let wish = |body: &'static str| peek(body.as_bytes()).map(|peek| peek.usage);
        assert_eq!(
            wish(r#"{"model":"m","stream_options":{"include_usage":true}}"#),
            Ok(UsageWish::Asked)
        );
        assert_eq!(
            wish(r#"{"model":"m","stream_options":{"include_usage":false}}"#),
            Ok(UsageWish::Options(30..53))
        );
        assert_eq!(
            wish(r#"{"model":"m","stream_options":null}"#),
            Ok(UsageWish::Options(30..34))
        );
        assert!(wish(r#"{"model":"m","stream_options":3}"#).is_err());
    }

    #[test]
    fn bad_bodies_are_told_apart() {
        let check = |body: &[u8], expected: &str| {
            let error = peek(body).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} for {body:?}");
        };
        check(b"", "no body");
        check(b"  ", "no body");
        check(b"\xff\xfe{}", "UTF-8 (byte 0)");
        check(b"{\"model\":\"m\"", "EOF");
        check(b"[1,2]", "object is expected");
        check(b"{}", "model");
        check(b"{\"model\":\"\"}", "model");
        check(b"{\"model\":3}", "`model` must be a string");
        check(
            b"{\"model\":\"a\",\"model\":\"b\"}",
            "duplicate field `model`",
        );
        check(b"{\"model\":\"a\",\"stream\":\"yes\"}", "`stream` must be");
        let deep = format!(
            "{{\"model\":\"m\",\"x\":{}{}}}",
            "[".repeat(500),
            "]".repeat(500)
        );
        check(deep.as_bytes(), "128 levels");
        let deeper = format!("{{\"x\":{}", "[".repeat(1_000_000));
        check(deeper.as_bytes(), "128 levels");
    }

    /// The same, byte by byte.
    fn is_plainly_deeper(body: &[u8], most: usize) -> bool {
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        body.iter().any(|&byte| {
            match (quoted, byte) {
                (true, _) if escaped => escaped = false,
                (true, b'\\') => escaped = true,
                (_, b'"') => quoted = !quoted,
                (false, b'{' | b'[') => depth += 1,
                (false, b'}' | b']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth > most
        })
    }

    #[test]
    fn every_short_text_is_as_deep_as_it_is_byte_by_byte() {
        const LETTERS: &[u8; 6] = b"{]\"\\a[";
        let mut deep = 0;
        for number in 0..LETTERS.len().pow(7) {
            let digit = |place: u32| LETTERS[number / LETTERS.len().pow(place) % LETTERS.len()];
            let text: Vec<u8> = (0..7).map(digit).collect();
            let expected = is_plainly_deeper(&text, 2);
            assert_eq!(is_deeper(&text, 2), expected, "{text:?}");
            deep += u32::from(expected);
        }
        assert!(deep > 1_000, "{deep}");
    }

    #[test]
    fn brackets_in_strings_are_not_nesting() {
        let body = format!("{{\"model\":\"m\",\"x\":\"{}\"}}", "[\\\"".repeat(500));
        assert!(peek(body.as_bytes()).is_ok());
    }
}
