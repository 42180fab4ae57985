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

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::shape::{self, Excess};

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
    /// The JSON string by which the client names its session, with the quotes, if it does.
    pub session: Option<&'a str>,
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
    /// The body's values are nested too deeply, or are too many.
    #[error(transparent)]
    Shape(#[from] Excess),
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
    #[serde(borrow, default)]
    prompt_cache_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
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

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user_id: Option<&'a RawValue>,
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
        input_tokens: estimated(body),
        session: session(governed.prompt_cache_key, governed.metadata),
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
        input_tokens: estimated(body),
        session: None,
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
    shape::check(body)?;
    Ok(text)
}

/// Input tokens of a body, estimated from its length.
#[must_use]
pub fn estimated(body: &[u8]) -> u32 {
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

/// What of a body names a session: the key of the prompt's cache, else what agents put into the metadata.
///
/// A plain `user_id` is a person, who may have several sessions; Claude Code's holds the session's id and says so.
fn session<'a>(key: Option<&'a RawValue>, metadata: Option<&'a RawValue>) -> Option<&'a str> {
    // Two quotes are no name.
    let named =
        |raw: &'a RawValue| Some(raw.get()).filter(|it| it.len() > 2 && it.starts_with('"'));
    if let Some(key) = key.and_then(named) {
        return Some(key);
    }
    let metadata: Metadata<'a> = serde_json::from_str(metadata?.get()).ok()?;
    let user = metadata.user_id.and_then(named);
    let user = user.filter(|it| memmem::find(it.as_bytes(), b"session").is_some());
    metadata.session_id.and_then(named).or(user)
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
    fn sessions_are_named_in_several_ways() {
        let check = |rest: &str, expected: Option<&str>| {
            let body = format!("{{\"model\":\"m\"{rest}}}");
            assert_eq!(peek(body.as_bytes()).unwrap().session, expected, "{rest}");
        };
        check("", None);
        check(r#","prompt_cache_key":"k1""#, Some(r#""k1""#));
        check(r#","prompt_cache_key":"""#, None);
        check(r#","prompt_cache_key":null"#, None);
        check(r#","prompt_cache_key":7"#, None);
        check(r#","metadata":null"#, None);
        check(r#","metadata":[1]"#, None);
        check(r#","metadata":{"session_id":"s"}"#, Some(r#""s""#));
        check(r#","metadata":{"session_id":{}}"#, None);
        check(r#","metadata":{"user_id":"anna"}"#, None);
        let claude = r#""{\"device_id\":\"d\",\"session_id\":\"s\"}""#;
        check(
            &format!(r#","metadata":{{"user_id":{claude}}}"#),
            Some(claude),
        );
        check(
            r#","metadata":{"session_id":"s"},"prompt_cache_key":"k""#,
            Some(r#""k""#),
        );
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

    #[test]
    fn brackets_in_strings_are_not_nesting() {
        let body = format!("{{\"model\":\"m\",\"x\":\"{}\"}}", "[\\\"".repeat(500));
        assert!(peek(body.as_bytes()).is_ok());
    }
}
