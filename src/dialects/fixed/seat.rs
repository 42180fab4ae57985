//! Where does a parameter stand in each format, and which names mean the same?

use std::borrow::Cow;

use crate::dialects::format::Format;

/// Where a parameter goes.
pub(super) enum Seat<'a> {
    /// Under this name at the top.
    Top(&'a str),
    /// Under this name in an object at the top.
    Inside(&'static str, &'static str),
    /// Nowhere: the format has nothing like it.
    Nowhere,
}

/// A parameter's place in Anthropic's messages, OpenAI's responses and Gemini's `generationConfig`; empty for none.
const SEATS: [(&str, [&str; 3]); 13] = [
    ("temperature", ["temperature", "temperature", "temperature"]),
    ("top_p", ["top_p", "top_p", "topP"]),
    ("top_k", ["top_k", "", "topK"]),
    (
        "max_tokens",
        ["max_tokens", "max_output_tokens", "maxOutputTokens"],
    ),
    (
        "max_completion_tokens",
        ["max_tokens", "max_output_tokens", "maxOutputTokens"],
    ),
    ("stop", ["stop_sequences", "", "stopSequences"]),
    ("seed", ["", "", "seed"]),
    ("presence_penalty", ["", "", "presencePenalty"]),
    ("frequency_penalty", ["", "", "frequencyPenalty"]),
    ("n", ["", "", "candidateCount"]),
    ("stream", ["stream", "stream", ""]),
    ("stream_options", ["", "", ""]),
    ("user", ["", "user", ""]),
];

/// Where a parameter goes in a format.
pub(super) fn seat(format: Format, name: &str) -> Seat<'_> {
    let known = SEATS.iter().find(|(known, _)| *known == name);
    let effort = name == "reasoning_effort";
    match (format, known) {
        (Format::GeminiCount, _) => Seat::Nowhere,
        (Format::CountTokens | Format::InputTokens, Some(_)) => Seat::Nowhere,
        (Format::Responses | Format::InputTokens, None) if effort => {
            Seat::Inside("reasoning", "effort")
        }
        (Format::Messages | Format::CountTokens | Format::Generate, None) if effort => {
            Seat::Nowhere
        }
        (Format::Messages, Some((_, [own, _, _])))
        | (Format::Responses, Some((_, [_, own, _]))) => match *own {
            "" => Seat::Nowhere,
            own => Seat::Top(own),
        },
        (Format::Generate, Some((_, [_, _, own]))) => match *own {
            "" => Seat::Nowhere,
            own => Seat::Inside("generationConfig", own),
        },
        (Format::Completions, _) if name == "max_completion_tokens" => Seat::Top("max_tokens"),
        _ => Seat::Top(name),
    }
}

/// Whether a parameter is one of those whose places are known, which every dialect reads or tells as lost.
pub(super) fn is_known(name: &str) -> bool {
    SEATS.iter().any(|(known, _)| *known == name)
}

/// The value of a parameter under its name in a format: some take lists only.
pub(super) fn listed<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if matches!(name, "stop_sequences" | "stopSequences") && !value.starts_with('[') {
        return format!("[{value}]").into();
    }
    value.into()
}

/// Whether two names mean the same field.
pub(super) fn same(format: Format, one: &str, other: &str) -> bool {
    let bound = |name: &str| matches!(name, "max_tokens" | "max_completion_tokens");
    match format {
        // Why: Google takes both spellings of every name.
        Format::Generate | Format::GeminiCount | Format::GeminiEmbed | Format::GeminiEmbeds => {
            let letters = |name: &'_ str| -> String {
                let plain = name.chars().filter(|letter| *letter != '_');
                plain.map(|letter| letter.to_ascii_lowercase()).collect()
            };
            letters(one) == letters(other)
        }
        Format::Chat | Format::Completions => one == other || bound(one) && bound(other),
        _ => one == other,
    }
}
