//! Which documents answer a query best? How clients ask, how Cohere is asked, and the answer on its way back.
//!
//! Clients of `/v1/rerank` write what Cohere's first API and Jina understand: texts or objects with a `text`, and perhaps
//! `return_documents`. Cohere's second API takes texts only and returns none, so they are put in from the request.
//! Sources: the references of Cohere's v2/rerank and of Jina's reranker.
//!
//! # Invariants
//! - A result names a document of the request, each at most once.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::meeting::{Frame, Malformed, Target};
use super::super::seen;
use super::wire;
use crate::chat::Losses;

/// What is to be ranked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rerank {
    /// What is looked for.
    pub query: String,
    /// Where, at least one.
    pub documents: Vec<String>,
    /// How many results at most; all if absent.
    pub top_n: Option<u32>,
    /// Whether results are to hold their documents.
    pub return_documents: bool,
    /// How many tokens of a document count.
    pub max_tokens_per_doc: Option<u32>,
    /// Fields that were read but have no meaning here.
    pub unknown: Vec<&'static str>,
}

#[derive(Deserialize)]
struct Asked {
    query: String,
    documents: Vec<Document>,
    #[serde(default)]
    top_n: Option<u32>,
    #[serde(default)]
    return_documents: Option<bool>,
    #[serde(default)]
    max_tokens_per_doc: Option<u32>,
    #[serde(default)]
    max_chunks_per_doc: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    rank_fields: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Text(String),
    Fields(serde_json::Map<String, Value>),
}

impl Document {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Fields(mut fields) => match fields.remove("text") {
                Some(Value::String(text)) if fields.is_empty() => text,
                Some(text) => {
                    fields.insert("text".to_owned(), text);
                    Value::Object(fields).to_string()
                }
                None => Value::Object(fields).to_string(),
            },
        }
    }
}

/// Reads a client's request.
///
/// # Errors
/// [`Malformed`] when it is no request to rank documents.
pub fn read(body: &[u8]) -> Result<Rerank, Malformed> {
    let asked: Asked = serde_json::from_slice(body)?;
    if asked.documents.is_empty() {
        return Err(Malformed::new("`documents` must not be empty"));
    }
    let chunks = asked
        .max_chunks_per_doc
        .is_some()
        .then_some("max_chunks_per_doc");
    let fields = asked.rank_fields.is_some().then_some("rank_fields");
    Ok(Rerank {
        query: asked.query,
        documents: asked.documents.into_iter().map(Document::text).collect(),
        top_n: asked.top_n,
        return_documents: asked.return_documents.unwrap_or_default(),
        max_tokens_per_doc: asked.max_tokens_per_doc,
        unknown: chunks.into_iter().chain(fields).collect(),
    })
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    query: &'a str,
    documents: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    top_n: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens_per_doc: Option<u32>,
}

/// Writes a request for Cohere.
#[must_use]
pub fn write(request: &Rerank, target: &Target<'_>) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    losses.add_unknown(&request.unknown);
    let body = Body {
        model: target.model,
        query: &request.query,
        documents: &request.documents,
        top_n: request.top_n,
        max_tokens_per_doc: request.max_tokens_per_doc,
    };
    // Texts always serialise.
    (serde_json::to_vec(&body).unwrap_or_default(), losses)
}

#[derive(Deserialize)]
struct Ranked<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    results: Vec<Place>,
    #[serde(default)]
    meta: Option<wire::Meta>,
}

#[derive(Deserialize)]
struct Place {
    index: usize,
    relevance_score: f64,
}

#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    object: &'static str,
    model: &'a str,
    results: Vec<WrittenResult<'a>>,
    usage: Usage,
    meta: Meta,
}

#[derive(Serialize)]
struct WrittenResult<'a> {
    index: usize,
    relevance_score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Text<'a>>,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

/// Tokens as Jina's clients read them.
#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Units as Cohere's clients read them.
#[derive(Serialize)]
struct Meta {
    billed_units: Units,
}

#[derive(Serialize)]
struct Units {
    search_units: u64,
}

/// Turns Cohere's answer into the client's.
///
/// # Errors
/// [`Malformed`] when it is none, or names a document that was not in the request.
pub fn answer(
    body: &[u8],
    request: &Rerank,
    frame: &Frame,
) -> Result<(Vec<u8>, seen::Usage), Malformed> {
    let ranked: Ranked<'_> = serde_json::from_slice(body)?;
    let mut told = vec![false; request.documents.len()];
    let mut results = Vec::with_capacity(ranked.results.len().min(told.len()));
    for result in ranked.results {
        let slot = told.get_mut(result.index);
        let slot = slot.ok_or_else(|| Malformed::new("a result names no document"))?;
        if std::mem::replace(slot, true) {
            return Err(Malformed::new("two results name the same document"));
        }
        let text = request.documents.get(result.index);
        results.push(WrittenResult {
            index: result.index,
            relevance_score: result.relevance_score,
            document: text
                .filter(|_| request.return_documents)
                .map(|text| Text { text }),
        });
    }
    let meta = ranked.meta.unwrap_or_default();
    let count = |told: Option<u64>| told.and_then(|told| u32::try_from(told).ok());
    let used = seen::Usage {
        input: count(meta.input_tokens()),
        queries: count(meta.search_units()),
        ..seen::Usage::default()
    };
    let tokens = meta.input_tokens().unwrap_or_default();
    let written = Written {
        id: ranked.id.as_deref().unwrap_or(&frame.id),
        object: "list",
        model: &frame.model,
        results,
        usage: Usage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
        meta: Meta {
            billed_units: Units {
                search_units: meta.search_units().unwrap_or_default(),
            },
        },
    };
    Ok((serde_json::to_vec(&written).unwrap_or_default(), used))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> Rerank {
        read(json.as_bytes()).unwrap()
    }

    #[test]
    fn requests_are_read_and_written() {
        let asked = request(
            r#"{"model":"m","query":"q","documents":["a",{"text":"b"},{"text":"c","title":"t"}],"top_n":2,"return_documents":true,"max_chunks_per_doc":3}"#,
        );
        let target = Target {
            model: "rerank-v3.5",
            default_max_tokens: 1,
            most_max_tokens: None,
        };
        let (body, losses) = write(&asked, &target);
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"model":"rerank-v3.5","query":"q","documents":["a","b","{\"text\":\"c\",\"title\":\"t\"}"],"top_n":2}"#
        );
        assert_eq!(losses.names().collect::<Vec<_>>(), ["max_chunks_per_doc"]);
        for bad in [
            "{}",
            r#"{"query":"q","documents":[]}"#,
            r#"{"query":"q","documents":[1]}"#,
            r#"{"query":1,"documents":["a"]}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_are_turned_around() {
        let mut asked = request(r#"{"query":"q","documents":["a","b"],"return_documents":true}"#);
        let frame = Frame {
            id: "0f".to_owned(),
            model: "m".to_owned(),
            ..Frame::default()
        };
        let body = br#"{"id":"07","results":[{"index":1,"relevance_score":0.99},{"index":0,"relevance_score":0.2}],"meta":{"billed_units":{"search_units":1}}}"#;
        let (written, used) = answer(body, &asked, &frame).unwrap();
        assert_eq!((used.queries, used.input), (Some(1), None));
        assert_eq!(
            String::from_utf8(written).unwrap(),
            r#"{"id":"07","object":"list","model":"m","results":[{"index":1,"relevance_score":0.99,"document":{"text":"b"}},{"index":0,"relevance_score":0.2,"document":{"text":"a"}}],"usage":{"prompt_tokens":0,"total_tokens":0},"meta":{"billed_units":{"search_units":1}}}"#
        );
        asked.return_documents = false;
        let (written, used) = answer(br#"{"results":[]}"#, &asked, &frame).unwrap();
        assert_eq!(used, seen::Usage::default());
        assert!(String::from_utf8(written).unwrap().contains(r#""id":"0f""#));
        for bad in [
            "{}",
            r#"{"message":"no"}"#,
            r#"{"results":[{"index":2,"relevance_score":1}]}"#,
            r#"{"results":[{"index":-1,"relevance_score":1}]}"#,
            r#"{"results":[{"index":1,"relevance_score":1},{"index":1,"relevance_score":1}]}"#,
        ] {
            assert!(answer(bad.as_bytes(), &asked, &frame).is_err(), "{bad}");
        }
    }
}
