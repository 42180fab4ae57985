//! Which responses does `chat` carry whole?
//!
//! Not carried: the provider's own tools, custom tools and namespaces, what is asked to be included, and reasoning that only the provider remembers.
//! `metadata` is told back in the answer, so it is not carried either; `store` changes no answer.
//!
//! # Invariants
//! - The ids of items and their state change no answer, but for reasoning, whose id belongs to what it is encrypted with.

use super::chat::{EFFORTS, SOUND, STREAM_OPTIONS, is_plain};
use super::shape::Shape::{
    Also, Any, Fields, Flag, Full, Json, Kinds, List, No, Nothing, Number, Object, Text, Whole,
    Word, Words,
};
use super::shape::{Field, Shape, idle, may, must};
use crate::dialects::canonical::tree::Node;

/// The request.
pub(super) static REQUEST: Shape = Fields(&[
    must("input", Any(&[Words, Full(&ITEM)])),
    may("instructions", Words),
    may("tools", List(&TOOL)),
    may(
        "tool_choice",
        Any(&[Word(&["auto", "none", "required"]), CHOICE]),
    ),
    may("parallel_tool_calls", Flag),
    may("max_output_tokens", Number),
    may("temperature", Number),
    may("top_p", Number),
    may("top_logprobs", Whole(0, 0)),
    may(
        "text",
        Fields(&[may("format", FORMAT), may("verbosity", Word(&["medium"]))]),
    ),
    may(
        "reasoning",
        Fields(&[may("effort", EFFORTS), may("summary", Word(&["auto"]))]),
    ),
    may("include", Nothing),
    may("background", No),
    may("metadata", Fields(&[])),
    may("truncation", Word(&["disabled"])),
    may("stream_options", STREAM_OPTIONS),
    idle("model", Json),
    idle("stream", Json),
    idle("prompt_cache_key", Text),
    idle("prompt_cache_options", Object),
    idle("prompt_cache_retention", Text),
    idle("service_tier", Text),
    idle("store", Flag),
]);

const ID: Field = idle("id", Text);
const STATUS: Field = idle("status", Text);

static ITEM: Shape = Kinds(
    "type",
    Some("message"),
    &[
        (
            &["message"],
            &[
                must("role", Word(&["user", "assistant", "system", "developer"])),
                must("content", Any(&[Words, Full(&PART)])),
                ID,
                STATUS,
            ],
        ),
        (
            &["function_call"],
            &[
                must("call_id", Words),
                must("name", Words),
                may("arguments", Text),
                ID,
                STATUS,
            ],
        ),
        (
            &["function_call_output"],
            &[
                must("call_id", Words),
                must("output", Any(&[Text, List(&PART)])),
                ID,
                STATUS,
            ],
        ),
        (
            &["reasoning"],
            &[
                must("encrypted_content", Words),
                may("id", Words),
                must("summary", Also(is_one, &SUMMARY)),
                may("content", Nothing),
                STATUS,
            ],
        ),
    ],
);

static SUMMARY: Shape = List(&Kinds(
    "type",
    None,
    &[(&["summary_text"], &[must("text", Words)])],
));

static PART: Shape = Also(is_in_one_place, &ANY_PART);

static ANY_PART: Shape = Kinds(
    "type",
    None,
    &[
        (
            &["input_text", "output_text", "text"],
            &[
                must("text", Words),
                may("annotations", Nothing),
                may("logprobs", Nothing),
            ],
        ),
        (&["refusal"], &[must("refusal", Words)]),
        (
            &["input_image"],
            &[
                may("image_url", Also(is_plain, &Words)),
                may("file_id", Words),
                may("detail", Text),
            ],
        ),
        (
            &["input_file"],
            &[
                may("file_data", Also(is_plain, &Words)),
                may("file_url", Also(is_plain, &Words)),
                may("file_id", Words),
                may("filename", Words),
            ],
        ),
        (&["input_audio"], &[must("input_audio", SOUND)]),
    ],
);

static TOOL: Shape = Kinds(
    "type",
    None,
    &[(
        &["function"],
        &[
            must("name", Words),
            may("description", Text),
            may("parameters", Json),
            may("strict", Flag),
        ],
    )],
);

const CHOICE: Shape = Kinds(
    "type",
    None,
    &[
        (&["function"], &[must("name", Words)]),
        (
            &["allowed_tools"],
            &[
                must("mode", Word(&["auto", "required"])),
                must(
                    "tools",
                    List(&Kinds(
                        "type",
                        None,
                        &[(&["function"], &[must("name", Words)])],
                    )),
                ),
            ],
        ),
    ],
);

const FORMAT: Shape = Kinds(
    "type",
    None,
    &[
        (&["text", "json_object"], &[]),
        (
            &["json_schema"],
            &[
                may("name", Words),
                may("description", Text),
                may("schema", Json),
                may("strict", Flag),
            ],
        ),
    ],
);

/// Whether a summary has one part at most: several are put together.
fn is_one(summary: &Node<'_>) -> bool {
    summary.items().len() <= 1
}

/// Whether a picture or a file is told by one field: of several its reader keeps one.
fn is_in_one_place(part: &Node<'_>) -> bool {
    let places: &[&str] = match part.get("type").and_then(Node::text) {
        Some("input_image") => &["image_url", "file_id"],
        Some("input_file") => &["file_data", "file_url", "file_id"],
        _ => return true,
    };
    let told = places.iter().filter(|place| part.get(place).is_some());
    told.count() == 1
}
