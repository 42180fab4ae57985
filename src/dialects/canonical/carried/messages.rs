//! Which of Anthropic's messages does `chat` carry whole?
//!
//! Not carried: tools and blocks of Anthropic's own servers, citations, documents in pieces, and effort without thinking,
//! which is about words there and about thinking elsewhere.
//!
//! # Invariants
//! - How long a mark of the prompt cache holds changes no answer.

use super::chat::EFFORTS;
use super::shape::Shape::{
    Also, Any, Fields, Flag, Full, Json, Kinds, List, Nothing, Number, Object, Text, Word, Words,
};
use super::shape::{Field, Shape, idle, may, must};
use crate::dialects::canonical::tree::Node;

/// The request.
pub(super) static REQUEST: Shape = Also(is_settled, &FIELDS);

const CACHE: Field = idle("cache_control", Object);

static FIELDS: Shape = Fields(&[
    must("messages", Full(&MESSAGE)),
    may("system", Any(&[Text, List(&TEXT)])),
    may("max_tokens", Number),
    may("temperature", Number),
    may("top_p", Number),
    may("top_k", Number),
    may("stop_sequences", List(&Text)),
    may("tools", List(&TOOL)),
    may("tool_choice", CHOICE),
    may("thinking", THINKING),
    may(
        "output_config",
        Fields(&[may("effort", EFFORTS), may("format", FORMAT)]),
    ),
    may("output_format", FORMAT),
    idle("model", Json),
    idle("stream", Json),
    idle("service_tier", Text),
    CACHE,
]);

static MESSAGE: Shape = Fields(&[
    must("role", Word(&["user", "assistant", "system"])),
    must("content", Any(&[Text, List(&BLOCK)])),
]);

const WORDS: &[Field] = &[must("text", Text), may("citations", Nothing), CACHE];
const IMAGE: &[Field] = &[must("source", SOURCE), CACHE];
const DOCUMENT: &[Field] = &[must("source", SOURCE), may("title", Words), CACHE];

static TEXT: Shape = Kinds("type", None, &[(&["text"], WORDS)]);

static BLOCK: Shape = Kinds(
    "type",
    None,
    &[
        (&["text"], WORDS),
        (&["image"], IMAGE),
        (&["document"], DOCUMENT),
        (
            &["tool_use"],
            &[
                must("id", Words),
                must("name", Words),
                must("input", Object),
                CACHE,
            ],
        ),
        (
            &["tool_result"],
            &[
                must("tool_use_id", Words),
                may("content", Any(&[Text, List(&RESULT)])),
                may("is_error", Flag),
                CACHE,
            ],
        ),
        (
            &["thinking"],
            &[must("thinking", Text), may("signature", Text)],
        ),
        (&["redacted_thinking"], &[must("data", Words)]),
    ],
);

static RESULT: Shape = Kinds(
    "type",
    None,
    &[
        (&["text"], WORDS),
        (&["image"], IMAGE),
        (&["document"], DOCUMENT),
    ],
);

const SOURCE: Shape = Kinds(
    "type",
    None,
    &[
        (
            &["base64"],
            &[must("media_type", Words), must("data", Text)],
        ),
        (&["url"], &[must("url", Words)]),
        (&["file"], &[must("file_id", Words)]),
        (
            &["text"],
            &[
                must("media_type", Word(&["text/plain"])),
                must("data", Text),
            ],
        ),
    ],
);

static TOOL: Shape = Kinds(
    "type",
    Some("custom"),
    &[(
        &["custom"],
        &[
            must("name", Words),
            may("description", Text),
            may("input_schema", Json),
            may("strict", Flag),
            CACHE,
        ],
    )],
);

const PARALLEL: Field = may("disable_parallel_tool_use", Flag);

const CHOICE: Shape = Kinds(
    "type",
    None,
    &[
        (&["auto", "any"], &[PARALLEL]),
        (&["none"], &[]),
        (&["tool"], &[must("name", Words), PARALLEL]),
    ],
);

const SHOWN: Field = may("display", Word(&["omitted"]));

const THINKING: Shape = Kinds(
    "type",
    None,
    &[
        (&["enabled"], &[must("budget_tokens", Number), SHOWN]),
        (&["adaptive"], &[SHOWN]),
        (&["disabled"], &[]),
    ],
);

const FORMAT: Shape = Kinds("type", None, &[(&["json_schema"], &[must("schema", Json)])]);

/// Whether nothing is said twice, and effort stands beside thinking.
fn is_settled(request: &Node<'_>) -> bool {
    let config = request.get("output_config");
    let format = config.and_then(|config| config.get("format"));
    let effort = config.and_then(|config| config.get("effort"));
    let thinking = request.get("thinking").and_then(|it| it.get("type"));
    let thinks = thinking.is_some_and(|kind| kind.text() != Some("disabled"));
    (format.is_none() || request.get("output_format").is_none()) && (effort.is_none() || thinks)
}
