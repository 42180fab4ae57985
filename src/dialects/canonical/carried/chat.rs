//! Which chat completions does `chat` carry whole?
//!
//! Not carried: several choices, log probabilities, sound as an answer, tools that are no functions, the functions of old,
//! names of speakers, and the wishes about thinking that only some vendors know.
//!
//! `store` and `metadata` change no answer and are not told back in it, so they are left out.
//! So is what OpenAI's SDKs leave in a turn that they gathered from a stream: the place of a call, and what they made of its words.
//!
//! # Invariants
//! - Where two fields say the same thing, only one of them may be there: the reader keeps one.

use super::shape::Shape::{
    Also, Any, Fields, Flag, Full, Json, Kinds, List, No, Nothing, Number, Object, Text, Whole,
    Word, Words,
};
use super::shape::{Field, Shape, idle, may, must};
use crate::dialects::canonical::tree::Node;
use crate::dialects::openai::thoughts;

/// Every effort that has a name.
pub(super) const EFFORTS: Shape =
    Word(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]);

/// Sounds whose formats have one name each.
pub(super) const SOUND: Shape =
    Fields(&[must("data", Text), must("format", Word(&["wav", "mp3"]))]);

/// The request.
pub(super) static REQUEST: Shape = Also(has_one_limit, &FIELDS);

static FIELDS: Shape = Fields(&[
    must("messages", Full(&MESSAGE)),
    may("tools", List(&TOOL)),
    may(
        "tool_choice",
        Any(&[Word(&["auto", "none", "required", "any"]), CHOICE]),
    ),
    may("parallel_tool_calls", Flag),
    may("max_completion_tokens", Number),
    may("max_tokens", Number),
    may("temperature", Number),
    may("top_p", Number),
    may("top_k", Whole(1, u32::MAX as i64)),
    may("frequency_penalty", Number),
    may("presence_penalty", Number),
    may("seed", Number),
    may("n", Whole(1, 1)),
    may("logprobs", No),
    may("stop", Any(&[Text, List(&Text)])),
    may("response_format", FORMAT),
    may("reasoning_effort", EFFORTS),
    may("modalities", List(&Word(&["text"]))),
    may("stream_options", STREAM_OPTIONS),
    idle("model", Json),
    idle("stream", Json),
    idle("metadata", Object),
    idle("prompt_cache_key", Text),
    idle("prompt_cache_retention", Text),
    idle("service_tier", Text),
    idle("store", Flag),
]);

/// They decide how a stream is told, not what.
pub(super) const STREAM_OPTIONS: Shape =
    Fields(&[may("include_usage", Flag), may("include_obfuscation", Flag)]);

const CACHE: Field = idle("cache_control", Object);

static MESSAGE: Shape = Also(
    speaks,
    &Kinds(
        "role",
        None,
        &[
            (
                &["system", "developer", "user"],
                &[must("content", Any(&[Words, Full(&PART)])), CACHE],
            ),
            (
                &["assistant"],
                &[
                    may("content", Any(&[Text, Full(&PART)])),
                    may("reasoning_content", Words),
                    may("refusal", Words),
                    may("tool_calls", List(&CALL)),
                    may("annotations", Nothing),
                    may("audio", Nothing),
                    may("function_call", Nothing),
                    may("extra_content", Fields(&[may("trimtab", CARRIED)])),
                    idle("parsed", Json),
                    CACHE,
                ],
            ),
            (
                &["tool"],
                &[
                    may("content", Any(&[Text, List(&PART)])),
                    must("tool_call_id", Words),
                    may("name", Words),
                    CACHE,
                ],
            ),
        ],
    ),
);

static PART: Shape = Kinds(
    "type",
    None,
    &[
        (&["text"], &[must("text", Words), CACHE]),
        (&["refusal"], &[must("refusal", Words), CACHE]),
        (
            &["image_url"],
            &[must("image_url", Any(&[URL_WORDS, IMAGE])), CACHE],
        ),
        (&["input_audio"], &[must("input_audio", SOUND), CACHE]),
        (&["file"], &[must("file", Also(is_one_file, &FILE)), CACHE]),
    ],
);

const URL_WORDS: Shape = Also(is_plain, &Words);
const IMAGE: Shape = Fields(&[must("url", URL_WORDS), may("detail", Text)]);

static FILE: Shape = Fields(&[
    may("file_data", URL_WORDS),
    may("file_id", Words),
    may("filename", Words),
]);

/// What thoughts were signed with, as this gateway tells it.
const CARRIED: Shape = Fields(&[must("signature", Words)]);

/// What Google's models sign their calls with.
const SIGNED: Shape = Fields(&[may("thought_signature", Words)]);

static CALL: Shape = Kinds(
    "type",
    Some("function"),
    &[(
        &["function"],
        &[
            must("id", Words),
            must(
                "function",
                Fields(&[
                    must("name", Words),
                    may("arguments", Text),
                    idle("parsed_arguments", Json),
                ]),
            ),
            may("extra_content", Fields(&[may("google", SIGNED)])),
            idle("index", Number),
        ],
    )],
);

static TOOL: Shape = Kinds(
    "type",
    None,
    &[(
        &["function"],
        &[
            must(
                "function",
                Fields(&[
                    must("name", Words),
                    may("description", Text),
                    may("parameters", Json),
                    may("strict", Flag),
                    CACHE,
                ]),
            ),
            CACHE,
        ],
    )],
);

const NAMED: &[Field] = &[must("function", Fields(&[must("name", Words)]))];

const CHOICE: Shape = Kinds(
    "type",
    None,
    &[
        (&["function"], NAMED),
        (
            &["allowed_tools"],
            &[must(
                "allowed_tools",
                Fields(&[
                    must("mode", Word(&["auto", "required"])),
                    must(
                        "tools",
                        List(&Kinds("type", None, &[(&["function"], NAMED)])),
                    ),
                ]),
            )],
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
            &[must(
                "json_schema",
                Fields(&[
                    may("name", Words),
                    may("description", Text),
                    may("schema", Json),
                    may("strict", Flag),
                ]),
            )],
        ),
    ],
);

fn has_one_limit(request: &Node<'_>) -> bool {
    request.get("max_tokens").is_none() || request.get("max_completion_tokens").is_none()
}

/// Whether a turn says anything, since the reader leaves one that does not out, and all of it is read.
fn speaks(message: &Node<'_>) -> bool {
    let said = ["content", "reasoning_content", "refusal", "tool_calls"];
    message.get("role").and_then(Node::text) != Some("assistant")
        || (said.into_iter().any(|name| message.asks(name)) && is_signed_whole(message))
}

/// Whether a turn's thoughts are those that were signed: its reader drops signatures that do not fit them.
fn is_signed_whole(message: &Node<'_>) -> bool {
    let extra = message.get("extra_content");
    let carried = extra.and_then(|extra| extra.get("trimtab")?.get("signature")?.text());
    let thought = message.get("reasoning_content").and_then(Node::text);
    carried.is_none_or(|signature| thoughts::are_whole(thought.unwrap_or_default(), signature))
}

/// Whether a file is in one place.
fn is_one_file(file: &Node<'_>) -> bool {
    file.get("file_data").is_some() != file.get("file_id").is_some()
}

/// Whether a URL holds no data of which its reader forgets the parameters.
pub(super) fn is_plain(url: &Node<'_>) -> bool {
    let url = url.text().unwrap_or_default();
    let Some((head, _)) = url.split_once(',') else {
        return true;
    };
    let data = head
        .get(..5)
        .is_some_and(|it| it.eq_ignore_ascii_case("data:"));
    let mime = head.strip_suffix(";base64");
    !(data && mime.is_some_and(|mime| mime.contains(';')))
}
