//! Which requests for Gemini's content does `chat` carry whole?
//!
//! Not carried: Google's own tools, settings of safety and media, numbers in quotes or out of range, and schemas that lose words when they become JSON Schema.
//! `labels` are for the bill, and `store` changes no answer.
//!
//! # Invariants
//! - A part holds one thing: of several the reader may forget one.
//! - What a model leaves empty beside what it says is passed over: Google's streams end with an empty text, and its SDKs keep it.
//! - That a tool's answer is a text alone under `result` or `output` is a way to write that text, and `error` one that failed.

use std::slice;

use super::shape::Shape::{
    Also, Any, Fields, Flag, Json, List, Name, No, Nothing, Number, Object, OneOrMany, Text, Whole,
    Word, Words,
};
use super::shape::{Shape, idle, may, must};
use crate::dialects::canonical::tree::Node;

/// The largest whole number that its reader, which reads floats, tells from its neighbours.
const EXACT: i64 = 1 << 53;

/// What a reader takes for a signature that is none.
const SKIPPED: [&str; 2] = [
    "skip_thought_signature_validator",
    "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
];

/// The request.
pub(super) static REQUEST: Shape = Fields(&[
    must("contents", Also(all_speak, &CONTENTS)),
    may("systemInstruction", SYSTEM),
    may("tools", Any(&[List(&TOOL), TOOL])),
    may(
        "toolConfig",
        Fields(&[may("functionCallingConfig", Also(is_choice, &CALLING))]),
    ),
    may("generationConfig", Also(is_one_format, &CONFIG)),
    may("safetySettings", Nothing),
    idle("model", Json),
    idle("labels", Object),
    idle("serviceTier", Text),
    idle("store", Flag),
]);

static CONTENTS: Shape = OneOrMany(&CONTENT);

static CONTENT: Shape = Fields(&[
    may("role", Word(&["user", "model", "function", "tool"])),
    must("parts", OneOrMany(&PART)),
]);

const SYSTEM: Shape = Also(
    speaks,
    &Fields(&[idle("role", Text), must("parts", OneOrMany(&PART))]),
);

static PART: Shape = Also(is_one_thing, &ANY_PART);

static ANY_PART: Shape = Fields(&[
    may("text", Text),
    may("thought", Flag),
    may("thoughtSignature", Words),
    may(
        "inlineData",
        Fields(&[
            must("mimeType", Words),
            must("data", Text),
            may("displayName", Words),
        ]),
    ),
    may(
        "fileData",
        Fields(&[
            may("mimeType", Words),
            must("fileUri", Words),
            may("displayName", Words),
        ]),
    ),
    may(
        "functionCall",
        Fields(&[may("id", Words), must("name", Words), may("args", Object)]),
    ),
    may(
        "functionResponse",
        Fields(&[
            may("id", Words),
            must("name", Words),
            must("response", Object),
        ]),
    ),
]);

const TOOL: Shape = Fields(&[must(
    "functionDeclarations",
    Any(&[List(&FUNCTION), FUNCTION]),
)]);

const FUNCTION: Shape = Also(is_one_schema, &FUNCTION_FIELDS);

static FUNCTION_FIELDS: Shape = Fields(&[
    must("name", Words),
    may("description", Words),
    may("parameters", Also(is_open_api, &Json)),
    may("parametersJsonSchema", Json),
]);

static CALLING: Shape = Fields(&[
    must("mode", Name(&["AUTO", "ANY", "NONE"])),
    may("allowedFunctionNames", List(&Words)),
]);

static CONFIG: Shape = Fields(&[
    may("temperature", Number),
    may("topP", Number),
    may("topK", Whole(1, u32::MAX as i64)),
    may("maxOutputTokens", Whole(1, u32::MAX as i64)),
    may("candidateCount", Whole(1, 1)),
    may("presencePenalty", Number),
    may("frequencyPenalty", Number),
    may("seed", Whole(-EXACT, EXACT)),
    may("responseLogprobs", No),
    may("stopSequences", List(&Text)),
    may(
        "responseMimeType",
        Word(&["text/plain", "application/json"]),
    ),
    may("responseSchema", Also(is_open_api, &Json)),
    may("responseJsonSchema", Json),
    may("responseModalities", List(&Name(&["TEXT"]))),
    may(
        "thinkingConfig",
        Fields(&[
            may("thinkingBudget", Whole(0, u32::MAX as i64)),
            may("thinkingLevel", Name(&["MINIMAL", "LOW", "MEDIUM", "HIGH"])),
            may("includeThoughts", Flag),
        ]),
    ),
]);

/// A list's items, or what stands in place of a list.
fn all<'n, 'a>(one_or_many: &'n Node<'a>) -> &'n [Node<'a>] {
    match one_or_many {
        Node::List(list) => list,
        one => slice::from_ref(one),
    }
}

/// Whether a signature stands there; what stands in for one is none.
fn is_signed(part: &Node<'_>) -> bool {
    let signature = part.get("thoughtSignature").and_then(Node::text);
    signature.is_some_and(|text| !SKIPPED.contains(&text))
}

/// Whether a part is an empty text: its reader leaves it out.
fn is_silent(part: &Node<'_>) -> bool {
    part.get("text").and_then(Node::text) == Some("") && !is_signed(part)
}

/// Whether nothing in a content is left out.
fn speaks(content: &Node<'_>) -> bool {
    let parts = content.get("parts").map(all).unwrap_or_default();
    !parts.iter().any(is_silent)
}

/// Whether every turn says something, and only a model's has something empty in it: its contents in a row are one turn.
fn all_speak(contents: &Node<'_>) -> bool {
    let is_model = |content: &Node<'_>| content.get("role").and_then(Node::text) == Some("model");
    all(contents)
        .chunk_by(|one, next| is_model(one) && is_model(next))
        .all(|turn| {
            let says = |content: &Node<'_>| {
                let parts = content.get("parts").map(all).unwrap_or_default();
                !parts.iter().all(is_silent)
            };
            turn.iter().all(speaks) || (turn.iter().all(is_model) && turn.iter().any(says))
        })
}

/// Whether a part holds one thing, and thoughts are words.
fn is_one_thing(part: &Node<'_>) -> bool {
    let things = [
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
    ];
    let mut held = things.into_iter().filter(|name| part.get(name).is_some());
    let (first, second) = (held.next(), held.next());
    let signed = is_signed(part);
    match (first, second) {
        (Some("text"), None) => true,
        (Some("functionCall"), None) => !part.asks("thought"),
        (Some(_), None) => !part.asks("thought") && !signed,
        // A signature alone is read as one on nothing, whatever it was on.
        _ => false,
    }
}

/// Whether no names are allowed where none may be called.
fn is_choice(calling: &Node<'_>) -> bool {
    let mode = calling.get("mode").and_then(Node::text).unwrap_or_default();
    !mode.eq_ignore_ascii_case("NONE") || !calling.asks("allowedFunctionNames")
}

fn is_one_schema(function: &Node<'_>) -> bool {
    function.get("parameters").is_none() || function.get("parametersJsonSchema").is_none()
}

/// Whether there is one schema at most, and JSON is asked for with it.
fn is_one_format(config: &Node<'_>) -> bool {
    let schemas = ["responseSchema", "responseJsonSchema"];
    let given = schemas
        .into_iter()
        .filter(|name| config.get(name).is_some());
    let json = config.get("responseMimeType").and_then(Node::text) == Some("application/json");
    match given.count() {
        0 => true,
        1 => json,
        _ => false,
    }
}

/// Whether a schema in Google's words loses none when it becomes JSON Schema.
fn is_open_api(schema: &Node<'_>) -> bool {
    let Node::Object(fields) = schema else {
        return false;
    };
    let typed = schema.get("type").is_some();
    fields.iter().all(|(key, value)| match &**key {
        "type" => Words.fits(value) && value.text() != Some("TYPE_UNSPECIFIED"),
        "nullable" => matches!(value, Node::Flag(nullable) if !nullable || typed),
        "properties" => {
            let properties = value.fields().iter();
            matches!(value, Node::Object(_)) && { properties }.all(|(_, value)| is_open_api(value))
        }
        "items" => is_open_api(value),
        "anyOf" => matches!(value, Node::List(all) if all.iter().all(is_open_api)),
        "description" | "title" | "format" | "pattern" | "enum" | "required" | "minimum"
        | "maximum" | "minItems" | "maxItems" | "minLength" | "maxLength" | "default" => true,
        _ => false,
    })
}
