//! What is to be embedded, and which vectors came of it: `embedContent` and `batchEmbedContents`.
//!
//! Providers are asked in batches; Google's Python client does the same.
//!
//! # Invariants
//! - Only texts are embedded; a content of several texts is one input, joined by line ends.
//! - Every number that was read is finite.

use serde::{Deserialize, Serialize};

use super::super::meeting::{Malformed, Target};
use super::super::seen;
use super::ids::Ids;
use super::part::Content;
use super::usage::Counts;
use super::wire::{self, Glance, OneOrMany};
use crate::chat::{EmbedAnswer, EmbedEncoding, EmbedInput, EmbedRequest, EmbedTask};
use crate::chat::{Loss, Losses, Part};

/// Which of the two calls it is, as the path says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `embedContent`: one input.
    One,
    /// `batchEmbedContents`: any number of them.
    Batch,
}

/// Tasks by Google's names, the usual name of each first.
const TASKS: &[(&str, EmbedTask)] = &[
    ("RETRIEVAL_QUERY", EmbedTask::Query),
    ("RETRIEVAL_DOCUMENT", EmbedTask::Document),
    ("SEMANTIC_SIMILARITY", EmbedTask::Similarity),
    ("CLASSIFICATION", EmbedTask::Classification),
    ("CLUSTERING", EmbedTask::Clustering),
    ("QUESTION_ANSWERING", EmbedTask::Query),
    ("FACT_VERIFICATION", EmbedTask::Query),
    ("CODE_RETRIEVAL_QUERY", EmbedTask::Query),
];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawOne {
    content: Content,
    #[serde(alias = "task_type")]
    task_type: Option<String>,
    #[serde(alias = "output_dimensionality", deserialize_with = "wire::number")]
    output_dimensionality: Option<f64>,
    title: Glance,
    #[serde(alias = "auto_truncate")]
    auto_truncate: Glance,
}

#[derive(Deserialize)]
struct RawBatch {
    #[serde(default)]
    requests: OneOrMany<RawOne>,
}

/// Reads a client's request.
///
/// # Errors
/// [`Malformed`] when it is not a request of this shape, or its inputs want vectors of different lengths.
pub fn read(body: &[u8], shape: Shape) -> Result<EmbedRequest, Malformed> {
    let requests = match shape {
        Shape::One => vec![wire::object::<RawOne>(body)?],
        Shape::Batch => wire::object::<RawBatch>(body)?.requests.0,
    };
    let Some(first) = requests.first() else {
        return Err(Malformed::new("`requests` must not be empty"));
    };
    let dimensions = first.output_dimensionality;
    let task_type = first.task_type.clone();
    let mut request = EmbedRequest {
        dimensions: dimensions.map(|count| count as u32).filter(|it| *it > 0),
        encoding: EmbedEncoding::Float,
        ..EmbedRequest::default()
    };
    let named = task_type.as_deref().and_then(task);
    let said = task_type
        .as_deref()
        .is_some_and(|name| !matches!(name, "" | "TASK_TYPE_UNSPECIFIED"));
    request.task = named;
    let mut odd = said && named.is_none();
    let (mut titled, mut truncated) = (false, false);
    for one in requests {
        if one.output_dimensionality != dimensions {
            return Err(Malformed::new(
                "`outputDimensionality` must be the same in all requests",
            ));
        }
        odd |= one.task_type != task_type;
        titled |= one.title.filled;
        truncated |= one.auto_truncate.filled;
        request.inputs.push(input(one.content)?);
    }
    for (noted, name) in [
        (odd, "taskType"),
        (titled, "title"),
        (truncated, "autoTruncate"),
    ] {
        request.unknown.extend(noted.then_some(name));
    }
    Ok(request)
}

fn task(name: &str) -> Option<EmbedTask> {
    let found = TASKS.iter().find(|(known, _)| *known == name);
    found.map(|(_, task)| *task)
}

fn input(content: Content) -> Result<EmbedInput, Malformed> {
    let mut parts = Vec::new();
    for part in content.parts.0 {
        part.read(&mut Ids::default(), &mut parts, &mut Vec::new());
    }
    let mut texts = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Text { text, .. } => texts.push(text),
            _ => return Err(Malformed::new("only texts can be embedded")),
        }
    }
    Ok(EmbedInput::Text(texts.join("\n")))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenOne<'a> {
    model: &'a str,
    content: WrittenContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

#[derive(Serialize)]
struct WrittenContent<'a> {
    parts: [WrittenText<'a>; 1],
}

#[derive(Serialize)]
struct WrittenText<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct WrittenBatch<'a> {
    requests: Vec<WrittenOne<'a>>,
}

/// Writes a request for a provider; of several inputs [`Shape::One`] carries the first, which is a loss.
#[must_use]
pub fn write(request: &EmbedRequest, target: &Target<'_>, shape: Shape) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    losses.add_unknown(&request.unknown);
    losses.add_if(request.user.is_some(), "user", Loss::Hint);
    let model = target.model.strip_prefix("models/").unwrap_or(target.model);
    let model = format!("models/{model}");
    let task_type = request.task.and_then(|asked| {
        let found = TASKS.iter().find(|(_, task)| *task == asked);
        found.map(|(name, _)| *name)
    });
    let mut requests = Vec::with_capacity(request.inputs.len());
    for input in &request.inputs {
        let EmbedInput::Text(text) = input else {
            losses.add("input of token ids", Loss::Meaning);
            continue;
        };
        requests.push(WrittenOne {
            model: &model,
            content: WrittenContent {
                parts: [WrittenText { text }],
            },
            task_type,
            output_dimensionality: request.dimensions,
        });
    }
    let body = match shape {
        Shape::Batch => serde_json::to_vec(&WrittenBatch { requests }),
        Shape::One => {
            losses.add_if(requests.len() > 1, "input", Loss::Meaning);
            serde_json::to_vec(&requests.first())
        }
    };
    (body.unwrap_or_default(), losses)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAnswer {
    embedding: Option<RawVector>,
    embeddings: Option<Vec<RawVector>>,
    #[serde(alias = "usage_metadata")]
    usage_metadata: Option<Counts>,
}

#[derive(Deserialize)]
struct RawVector {
    values: Vec<f32>,
}

/// Reads a provider's answer of either shape.
///
/// # Errors
/// [`Malformed`] when there are no vectors in it, or numbers that are none.
pub fn read_answer(body: &[u8]) -> Result<EmbedAnswer, Malformed> {
    let raw: RawAnswer = wire::object(body)?;
    let vectors: Vec<_> = match (raw.embeddings, raw.embedding) {
        (Some(all), _) => all.into_iter().map(|vector| vector.values).collect(),
        (None, Some(one)) => vec![one.values],
        (None, None) => return Err(Malformed::new("the answer has no embedding")),
    };
    if vectors.iter().flatten().any(|number| !number.is_finite()) {
        return Err(Malformed::new("an embedding has a number beyond range"));
    }
    let counted = raw.usage_metadata.map(seen::Usage::from);
    Ok(EmbedAnswer {
        vectors,
        model: String::new(),
        input_tokens: counted.and_then(|usage| usage.input).map(u64::from),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<WrittenVector<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<Vec<WrittenVector<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<WrittenUsage>,
}

#[derive(Serialize)]
struct WrittenVector<'a> {
    values: &'a [f32],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenUsage {
    prompt_token_count: u64,
    total_token_count: u64,
}

/// Writes an answer for a client that asked in this shape.
#[must_use]
pub fn write_answer(answer: &EmbedAnswer, shape: Shape) -> Vec<u8> {
    let mut vectors = answer.vectors.iter().map(|values| WrittenVector { values });
    let (embedding, embeddings) = match shape {
        Shape::One => (vectors.next(), None),
        Shape::Batch => (None, Some(vectors.collect())),
    };
    let written = WrittenAnswer {
        embedding,
        embeddings,
        usage_metadata: answer.input_tokens.map(|tokens| WrittenUsage {
            prompt_token_count: tokens,
            total_token_count: tokens,
        }),
    };
    serde_json::to_vec(&written).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target<'static> = Target {
        model: "gemini-embedding-001",
        default_max_tokens: 1,
        most_max_tokens: None,
    };

    fn text(text: &str) -> EmbedInput {
        EmbedInput::Text(text.to_owned())
    }

    #[test]
    fn requests_of_both_shapes_are_read_as_written() {
        let request = EmbedRequest {
            inputs: vec![text("a"), text("b")],
            dimensions: Some(8),
            task: Some(EmbedTask::Document),
            ..EmbedRequest::default()
        };
        let (batch, losses) = write(&request, &TARGET, Shape::Batch);
        assert!(losses.is_empty());
        assert_eq!(read(&batch, Shape::Batch), Ok(request.clone()));
        let (one, losses) = write(&request, &TARGET, Shape::One);
        assert_eq!(losses.of_meaning(), Some("input"));
        let mut first = request;
        first.inputs.truncate(1);
        assert_eq!(read(&one, Shape::One), Ok(first));
        let value: serde_json::Value = serde_json::from_slice(&one).unwrap();
        assert_eq!(value["model"], "models/gemini-embedding-001");
        assert_eq!(value["taskType"], "RETRIEVAL_DOCUMENT");
    }

    #[test]
    fn what_clients_write_is_read_or_refused() {
        let read = |body: &str| read(body.as_bytes(), Shape::Batch);
        let batch = r#"{"requests":[{"model":"models/m","content":{"parts":{"text":"a"}},
            "task_type":"FACT_VERIFICATION","title":"t"},
            {"content":{"parts":[{"text":"b"},{"text":"c"}]},"task_type":"X"}]}"#;
        let request = read(batch).unwrap();
        assert_eq!(request.inputs, [text("a"), text("b\nc")]);
        assert_eq!(request.task, Some(EmbedTask::Query));
        assert_eq!(request.unknown, ["taskType", "title"]);
        for bad in [
            "{}",
            r#"{"requests":[]}"#,
            r#"{"requests":[{"content":{"parts":[{"inlineData":{}}]}}]}"#,
            r#"{"requests":[{"outputDimensionality":1},{"outputDimensionality":2}]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn token_ids_cannot_be_embedded() {
        let request = EmbedRequest {
            inputs: vec![EmbedInput::Tokens(vec![1])],
            ..EmbedRequest::default()
        };
        let (_, losses) = write(&request, &TARGET, Shape::Batch);
        assert!(losses.of_meaning().is_some());
    }

    #[test]
    fn answers_of_both_shapes_are_read_as_written() {
        let answer = EmbedAnswer {
            vectors: vec![vec![0.1, -2.0]],
            model: String::new(),
            input_tokens: Some(3),
        };
        for shape in [Shape::One, Shape::Batch] {
            assert_eq!(
                read_answer(&write_answer(&answer, shape)),
                Ok(answer.clone())
            );
        }
        for bad in [
            "{}",
            r#"{"embedding":{"values":[1e39]}}"#,
            r#"{"embedding":{"values":[null]}}"#,
            r#"{"embeddings":[{}]}"#,
        ] {
            assert!(read_answer(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
