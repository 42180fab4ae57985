//! How are texts to be embedded, and their vectors, written in Cohere's dialect?
//!
//! Cohere wants to know what vectors are for; where the client does not say, they are to be found.
//!
//! # Invariants
//! - There is a vector for each text, and every number in it is finite.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::super::meeting::{Malformed, Target};
use super::wire;
use crate::chat::{EmbedAnswer, EmbedInput, EmbedRequest, EmbedTask, Loss, Losses};

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    texts: Vec<&'a str>,
    input_type: &'static str,
    embedding_types: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u32>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    embeddings: Embeddings,
    #[serde(default)]
    meta: Option<wire::Meta>,
    /// Only the compatible servers of others name it.
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
}

/// By type, or of one type when none was asked for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Embeddings {
    Typed { float: Vec<Vec<f32>> },
    Plain(Vec<Vec<f32>>),
}

/// Writes a request for a provider.
#[must_use]
pub fn write(request: &EmbedRequest, target: &Target<'_>) -> (Vec<u8>, Losses) {
    write_within(request, Some(target.model))
}

/// Writes a request, with the model's name unless it stands elsewhere: Bedrock, which has Cohere's models in this format, tells it by the path.
#[must_use]
pub fn write_within(request: &EmbedRequest, model: Option<&str>) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    losses.add_unknown(&request.unknown);
    losses.add_if(request.user.is_some(), "user", Loss::Hint);
    let mut texts = Vec::with_capacity(request.inputs.len());
    for input in &request.inputs {
        match input {
            EmbedInput::Text(text) => texts.push(text.as_str()),
            EmbedInput::Tokens(_) => losses.add("input", Loss::Meaning),
        }
    }
    let body = Body {
        model,
        texts,
        input_type: match request.task {
            Some(EmbedTask::Query) => "search_query",
            Some(EmbedTask::Classification) => "classification",
            // Comparing texts with each other is what groups are made by.
            Some(EmbedTask::Clustering | EmbedTask::Similarity) => "clustering",
            Some(EmbedTask::Document) | None => "search_document",
        },
        embedding_types: ["float"],
        output_dimension: request.dimensions,
    };
    // Texts always serialise.
    (serde_json::to_vec(&body).unwrap_or_default(), losses)
}

/// Reads a provider's answer.
///
/// # Errors
/// [`Malformed`] when it holds no vectors.
pub fn read(body: &[u8]) -> Result<EmbedAnswer, Malformed> {
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    let (Embeddings::Typed { float: vectors } | Embeddings::Plain(vectors)) = answer.embeddings;
    let whole =
        |vector: &Vec<f32>| !vector.is_empty() && vector.iter().all(|number| number.is_finite());
    if !vectors.iter().all(whole) {
        return Err(Malformed::new("an embedding is empty or holds no number"));
    }
    Ok(EmbedAnswer {
        vectors,
        model: answer.model.unwrap_or_default().into_owned(),
        input_tokens: answer.meta.and_then(|meta| meta.input_tokens()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_written() {
        let target = Target {
            model: "embed-v4.0",
            default_max_tokens: 1,
            most_max_tokens: None,
        };
        let mut request = EmbedRequest {
            inputs: vec![EmbedInput::Text("a".to_owned())],
            task: Some(EmbedTask::Query),
            ..EmbedRequest::default()
        };
        let (body, losses) = write(&request, &target);
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"model":"embed-v4.0","texts":["a"],"input_type":"search_query","embedding_types":["float"]}"#
        );
        assert!(losses.is_empty());
        request.inputs.push(EmbedInput::Tokens(vec![1]));
        assert_eq!(write(&request, &target).1.of_meaning(), Some("input"));
    }

    #[test]
    fn answers_are_read() {
        let answer = read(
            br#"{"id":"x","embeddings":{"float":[[1,2],[3.5,4]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":2}},"response_type":"embeddings_by_type"}"#,
        )
        .unwrap();
        assert_eq!(answer.vectors, [[1.0, 2.0], [3.5, 4.0]]);
        assert_eq!(answer.input_tokens, Some(2));
        for bad in [
            "{}",
            r#"{"message":"no"}"#,
            r#"{"embeddings":{"int8":[[1]]}}"#,
            r#"{"embeddings":{"float":[[]]}}"#,
            r#"{"embeddings":{"float":[[1e300]]}}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
