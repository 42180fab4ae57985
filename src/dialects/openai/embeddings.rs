//! How are texts to be embedded, and their vectors, written in OpenAI's dialect?
//!
//! `input` is one text, a list of texts, one list of tokens or a list of lists of tokens; vectors are lists of numbers or,
//! as OpenAI's own clients ask by default, base64 of little-endian 32-bit floats.
//! `input_type` is not OpenAI's but the vendors' (Voyage, NVIDIA, Cohere through LiteLLM), and understood when read.
//!
//! # Invariants
//! - Vectors are put in the order of their `index`; an index twice, or one too large, is refused.
//! - A number that a 32-bit float cannot hold is refused, never written as null.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::super::coded;
use super::super::meeting::{Frame, Malformed, Target};
use super::super::seen;
use super::message::object;
use crate::chat::{EmbedAnswer, EmbedEncoding, EmbedInput, EmbedRequest, EmbedTask, Loss, Losses};

/// Reads a client's request.
///
/// # Errors
/// [`Malformed`] when it is not an embeddings request.
pub fn read(body: &[u8]) -> Result<EmbedRequest, Malformed> {
    let raw: RawRequest<'_> = object(body)?;
    let encoding = match raw.encoding_format.as_deref() {
        None | Some("float") => EmbedEncoding::Float,
        Some("base64") => EmbedEncoding::Base64,
        Some(_) => return Err(Malformed::new("`encoding_format` must be float or base64")),
    };
    let inputs = raw.input.0;
    if inputs.is_empty() {
        return Err(Malformed::new("`input` must not be empty"));
    }
    let task = raw.input_type.as_deref().map(task);
    let unknown = matches!(task, Some(None)).then_some("input_type");
    Ok(EmbedRequest {
        inputs,
        dimensions: raw.dimensions,
        user: raw.user.map(Cow::into_owned),
        encoding,
        task: task.flatten(),
        unknown: unknown.into_iter().collect(),
    })
}

/// Writes a request for a provider.
#[must_use]
pub fn write(request: &EmbedRequest, target: &Target<'_>) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    for name in &request.unknown {
        losses.add(name, Loss::Hint);
    }
    losses.add_if(request.task.is_some(), "input_type", Loss::Hint);
    let written = WrittenRequest {
        model: target.model,
        input: WrittenInputs(&request.inputs),
        dimensions: request.dimensions,
        user: request.user.as_deref(),
        encoding_format: (request.encoding == EmbedEncoding::Base64).then_some("base64"),
    };
    (serde_json::to_vec(&written).unwrap_or_default(), losses)
}

/// Reads a provider's answer.
///
/// # Errors
/// [`Malformed`] when it is not a list of embeddings, each once.
pub fn read_answer(body: &[u8]) -> Result<EmbedAnswer, Malformed> {
    let raw: RawAnswer<'_> = object(body)?;
    let mut vectors = vec![Vec::new(); raw.data.len()];
    for (place, item) in raw.data.into_iter().enumerate() {
        let slot = vectors.get_mut(item.index.unwrap_or(place));
        let slot = slot.ok_or_else(|| Malformed::new("an embedding's index is out of range"))?;
        if !slot.is_empty() {
            return Err(Malformed::new("two embeddings have the same index"));
        }
        *slot = item.embedding.0;
    }
    let tokens = raw.usage.and_then(|usage| usage.prompt_tokens);
    Ok(EmbedAnswer {
        vectors,
        model: raw.model.unwrap_or_default().into_owned(),
        input_tokens: tokens.and_then(seen::honest),
    })
}

/// Writes an answer for a client that asked for vectors in this encoding.
#[must_use]
pub fn write_answer(answer: &EmbedAnswer, encoding: EmbedEncoding, frame: &Frame) -> Vec<u8> {
    let items = answer.vectors.iter().enumerate();
    let tokens = answer.input_tokens.unwrap_or_default();
    let written = WrittenAnswer {
        object: "list",
        data: items
            .map(|(index, vector)| WrittenItem {
                object: "embedding",
                index,
                embedding: match encoding {
                    EmbedEncoding::Float => WrittenVector::Float(vector),
                    EmbedEncoding::Base64 => WrittenVector::Base64(encode(vector)),
                },
            })
            .collect(),
        model: if answer.model.is_empty() {
            &frame.model
        } else {
            &answer.model
        },
        usage: WrittenUsage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    };
    serde_json::to_vec(&written).unwrap_or_default()
}

/// What a vendor's `input_type` means.
fn task(name: &str) -> Option<EmbedTask> {
    Some(match name {
        "query" | "search_query" => EmbedTask::Query,
        "document" | "passage" | "search_document" => EmbedTask::Document,
        "classification" => EmbedTask::Classification,
        "clustering" => EmbedTask::Clustering,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct RawRequest<'a> {
    input: RawInputs,
    #[serde(default)]
    dimensions: Option<u32>,
    #[serde(borrow, default)]
    user: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    encoding_format: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    input_type: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct WrittenRequest<'a> {
    model: &'a str,
    input: WrittenInputs<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<&'static str>,
}

#[derive(Deserialize)]
struct RawAnswer<'a> {
    data: Vec<RawItem>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<RawUsage>,
}

#[derive(Deserialize)]
struct RawItem {
    #[serde(default)]
    index: Option<usize>,
    embedding: RawVector,
}

#[derive(Deserialize)]
struct RawUsage {
    #[serde(default)]
    prompt_tokens: Option<f64>,
}

#[derive(Serialize)]
struct WrittenAnswer<'a> {
    object: &'static str,
    data: Vec<WrittenItem<'a>>,
    model: &'a str,
    usage: WrittenUsage,
}

#[derive(Serialize)]
struct WrittenItem<'a> {
    object: &'static str,
    index: usize,
    embedding: WrittenVector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenVector<'a> {
    Float(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct WrittenUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// A list of inputs; a list of numbers is one input.
struct RawInputs(Vec<EmbedInput>);

impl<'de> Deserialize<'de> for RawInputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InputsVisitor)
    }
}

struct InputsVisitor;

impl<'de> Visitor<'de> for InputsVisitor {
    type Value = RawInputs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`input` as a text, a list of texts, or tokens")
    }

    fn visit_str<E>(self, text: &str) -> Result<RawInputs, E> {
        Ok(RawInputs(vec![EmbedInput::Text(text.to_owned())]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawInputs, A::Error> {
        let (mut inputs, mut tokens) = (Vec::new(), Vec::new());
        while let Some(element) = seq.next_element::<Element>()? {
            match element {
                Element::Token(id) => tokens.push(id),
                Element::Input(input) => inputs.push(input),
            }
            if !tokens.is_empty() && !inputs.is_empty() {
                return Err(A::Error::custom("`input` mixes tokens with other inputs"));
            }
        }
        if !tokens.is_empty() {
            inputs.push(EmbedInput::Tokens(tokens));
        }
        Ok(RawInputs(inputs))
    }
}

/// What stands in a list of inputs.
enum Element {
    Token(u32),
    Input(EmbedInput),
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a token or a list of tokens")
    }

    fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<Element, E> {
        let id = u32::try_from(id).map_err(|_| E::custom("a token's id is too large"))?;
        Ok(Element::Token(id))
    }

    fn visit_str<E>(self, text: &str) -> Result<Element, E> {
        Ok(Element::Input(EmbedInput::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Element, A::Error> {
        let mut tokens = Vec::new();
        while let Some(id) = seq.next_element::<u32>()? {
            tokens.push(id);
        }
        if tokens.is_empty() {
            return Err(A::Error::custom(
                "a list of tokens in `input` must not be empty",
            ));
        }
        Ok(Element::Input(EmbedInput::Tokens(tokens)))
    }
}

/// Inputs as OpenAI writes them: one that is alone, or a list; texts among tokens have no form and stay as they are.
struct WrittenInputs<'a>(&'a [EmbedInput]);

impl Serialize for WrittenInputs<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [only] => WrittenInput(only).serialize(serializer),
            many => serializer.collect_seq(many.iter().map(WrittenInput)),
        }
    }
}

struct WrittenInput<'a>(&'a EmbedInput);

impl Serialize for WrittenInput<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            EmbedInput::Text(text) => serializer.serialize_str(text),
            EmbedInput::Tokens(ids) => serializer.collect_seq(ids),
        }
    }
}

/// A vector of finite numbers, in either encoding.
struct RawVector(Vec<f32>);

impl<'de> Deserialize<'de> for RawVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let vector = deserializer.deserialize_any(VectorVisitor)?;
        if vector.is_empty() {
            return Err(D::Error::custom("an embedding is empty"));
        }
        if !vector.iter().all(|number| number.is_finite()) {
            return Err(D::Error::custom("an embedding holds what is no number"));
        }
        Ok(Self(vector))
    }
}

struct VectorVisitor;

impl<'de> Visitor<'de> for VectorVisitor {
    type Value = Vec<f32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an embedding as numbers or base64")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<f32>, E> {
        decode(text).ok_or_else(|| E::custom("an embedding is not base64 of 32-bit floats"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<f32>, A::Error> {
        let mut vector = Vec::new();
        while let Some(number) = seq.next_element::<f32>()? {
            vector.push(number);
        }
        Ok(vector)
    }
}

/// The vector's little-endian bytes in base64, with padding.
fn encode(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    coded::encode(&bytes)
}

/// The vector whose little-endian bytes this is the base64 of; padding may be missing.
fn decode(text: &str) -> Option<Vec<f32>> {
    let bytes = coded::decode(text)?;
    let floats = bytes.chunks_exact(4);
    if !floats.remainder().is_empty() {
        return None;
    }
    floats
        .map(|four| Some(f32::from_le_bytes(four.try_into().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target<'static> = Target {
        model: "up",
        default_max_tokens: 1,
        most_max_tokens: None,
    };

    fn written(request: &EmbedRequest) -> String {
        String::from_utf8(write(request, &TARGET).0).unwrap()
    }

    #[test]
    fn inputs_of_every_form_are_read_and_written_back() {
        let text = |text: &str| EmbedInput::Text(text.to_owned());
        let cases = [
            (r#""a""#, vec![text("a")], r#""a""#),
            (
                r#"["a\n","b"]"#,
                vec![text("a\n"), text("b")],
                r#"["a\n","b"]"#,
            ),
            ("[1,2]", vec![EmbedInput::Tokens(vec![1, 2])], "[1,2]"),
            (
                "[[1],[2,3]]",
                vec![EmbedInput::Tokens(vec![1]), EmbedInput::Tokens(vec![2, 3])],
                "[[1],[2,3]]",
            ),
        ];
        for (json, inputs, back) in cases {
            let request = read(format!(r#"{{"model":"m","input":{json}}}"#).as_bytes()).unwrap();
            assert_eq!(request.inputs, inputs, "{json}");
            assert_eq!(
                written(&request),
                format!(r#"{{"model":"up","input":{back}}}"#)
            );
        }
    }

    #[test]
    fn options_are_read_and_written_back() {
        let body = br#"{"input":"a","dimensions":8,"user":"u","encoding_format":"base64","input_type":"query"}"#;
        let request = read(body).unwrap();
        assert_eq!(request.task, Some(EmbedTask::Query));
        assert_eq!(
            written(&request),
            r#"{"model":"up","input":"a","dimensions":8,"user":"u","encoding_format":"base64"}"#
        );
        let (_, losses) = write(&request, &TARGET);
        assert_eq!(losses.names().collect::<Vec<_>>(), ["input_type"]);
        let odd = read(br#"{"input":"a","input_type":"poem"}"#).unwrap();
        assert_eq!((odd.task, odd.unknown), (None, vec!["input_type"]));
    }

    #[test]
    fn bad_requests_are_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"input":null}"#,
            r#"{"input":[]}"#,
            r#"{"input":[1,"a"]}"#,
            r#"{"input":[-1]}"#,
            r#"{"input":[4294967296]}"#,
            r#"{"input":[[["a"]]]}"#,
            r#"{"input":[[]]}"#,
            r#"{"input":"a","encoding_format":"hex"}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_survive_both_encodings() {
        let answer = EmbedAnswer {
            vectors: vec![vec![1.0, -2.5, 1e-30], vec![0.1]],
            model: "e".to_owned(),
            input_tokens: Some(7),
        };
        for encoding in [EmbedEncoding::Float, EmbedEncoding::Base64] {
            let json = write_answer(&answer, encoding, &Frame::default());
            assert_eq!(read_answer(&json).unwrap(), answer);
        }
    }

    #[test]
    fn an_answer_is_written_as_openai_does() {
        let answer = EmbedAnswer {
            vectors: vec![vec![1.0, -2.5]],
            ..EmbedAnswer::default()
        };
        let frame = Frame {
            model: "asked".to_owned(),
            ..Frame::default()
        };
        let json = write_answer(&answer, EmbedEncoding::Base64, &frame);
        assert_eq!(
            std::str::from_utf8(&json).unwrap(),
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAIMA="}],"model":"asked","usage":{"prompt_tokens":0,"total_tokens":0}}"#
        );
    }

    #[test]
    fn vectors_are_put_in_order() {
        let json = r#"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":-1}}"#;
        let answer = read_answer(json.as_bytes()).unwrap();
        assert_eq!(answer.vectors, [[1.0], [2.0]]);
        assert_eq!(answer.input_tokens, None);
    }

    #[test]
    fn bad_answers_are_refused() {
        for bad in [
            r#"{"error":{"message":"no"}}"#,
            r#"{"data":[{"index":5,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
            r#"{"data":[{"embedding":[]}]}"#,
            r#"{"data":[{"embedding":[1e300]}]}"#,
            r#"{"data":[{"embedding":"AACAfw=="}]}"#,
            r#"{"data":[{"embedding":"AACA"}]}"#,
            r#"{"data":[{"embedding":"AACAPw"},{"embedding":"*ACAPw=="}]}"#,
        ] {
            assert!(read_answer(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
