//! Which of a workflow's parameters does a request go without?
//!
//! A parameter goes into the request in the client's words, and from there to the provider.
//! It is lost at once where the client's format has no place for it, and later where the request is translated by a reader that does not know its name.
//! What a reader knows is found out by asking it: a parameter that makes no difference to what a request means was not read.
//!
//! # Invariants
//! - What a translation itself tells among its losses is not told here.

use std::collections::BTreeMap;

use super::apply::Fixed;
use super::seat::{Seat, is_known, seat};
use crate::dialects::convert::{self, Meant};
use crate::dialects::format::Format;

/// What requests in one format go without, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Omitted {
    format: Option<Format>,
    /// By any route.
    always: Vec<Box<str>>,
    /// By routes of another format.
    translated: Vec<Box<str>>,
}

impl Omitted {
    /// What requests of this format go without, of these parameters: names and the JSON text of values.
    #[must_use]
    pub fn of(format: Format, parameters: &BTreeMap<String, String>) -> Self {
        let mut omitted = Self {
            format: Some(format),
            ..Self::default()
        };
        for (name, value) in parameters {
            // Why: the name goes into a header, which cannot hold every character.
            let shown = || name.escape_default().to_string().into();
            if matches!(seat(format, name), Seat::Nowhere) {
                omitted.always.push(shown());
            } else if !is_known(name) && !is_read(format, name, value) {
                omitted.translated.push(shown());
            }
        }
        omitted
    }

    /// What a request goes without on its way to a provider that is asked in this format.
    pub fn names(&self, provider: Format) -> impl Iterator<Item = &str> {
        let translated = match self.format == Some(provider) {
            true => &[][..],
            false => &*self.translated,
        };
        self.always.iter().chain(translated).map(|name| &**name)
    }
}

/// The smallest request of a format that can be translated.
pub(super) fn smallest(format: Format) -> Option<&'static str> {
    Some(match format {
        Format::Chat => r#"{"messages":[{"role":"user","content":"-"}]}"#,
        Format::Completions => r#"{"prompt":"-"}"#,
        Format::Responses | Format::Embeddings => r#"{"input":"-"}"#,
        Format::Messages => r#"{"max_tokens":1,"messages":[{"role":"user","content":"-"}]}"#,
        Format::Generate => r#"{"contents":[{"role":"user","parts":[{"text":"-"}]}]}"#,
        Format::Rerank => r#"{"query":"-","documents":["-"]}"#,
        Format::GeminiEmbed => r#"{"content":{"parts":[{"text":"-"}]}}"#,
        _ => return None,
    })
}

/// What the smallest request of a format means with these parameters; none where it is refused, or never translated.
pub(super) fn meant(format: Format, parameters: &BTreeMap<String, String>) -> Option<Meant> {
    let fixed = Fixed {
        parameters,
        system: None,
    };
    let body = fixed.apply(format, Some("-"), smallest(format)?.as_bytes());
    convert::read(format, &body.ok()?, &|_| None).ok()
}

/// Whether whoever translates requests of a format reads a parameter; so does one who refuses it.
fn is_read(format: Format, name: &str, value: &str) -> bool {
    let alone = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let with = meant(format, &alone);
    let without = meant(format, &BTreeMap::new());
    match (with, without) {
        (Some(Meant::Talk(with)), Some(Meant::Talk(without))) => with != without,
        (Some(Meant::Embed(with)), Some(Meant::Embed(without))) => with != without,
        (Some(Meant::Rank(with)), Some(Meant::Rank(without))) => with != without,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(client: Format, provider: Format, parameters: &[(&str, &str)]) -> Vec<String> {
        let parameters = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let omitted = Omitted::of(client, &parameters);
        omitted.names(provider).map(str::to_owned).collect()
    }

    #[test]
    fn every_smallest_request_can_be_read() {
        for format in [
            Format::Chat,
            Format::Completions,
            Format::Responses,
            Format::Embeddings,
            Format::Messages,
            Format::Generate,
            Format::Rerank,
            Format::GeminiEmbed,
        ] {
            assert!(meant(format, &BTreeMap::new()).is_some(), "{format:?}");
        }
    }

    #[test]
    fn what_has_no_place_or_is_not_read_is_omitted() {
        let all = [
            ("made_up", "1"),
            ("metadata", r#"{"a":"b"}"#),
            ("parallel_tool_calls", "false"),
            ("reasoning_effort", "\"low\""),
            ("seed", "1"),
            ("temperature", "1"),
        ];
        for (client, provider, expected) in [
            (Format::Chat, Format::Chat, &[][..]),
            (Format::Chat, Format::Messages, &["made_up"]),
            (
                Format::Messages,
                Format::Messages,
                &["reasoning_effort", "seed"],
            ),
            (
                Format::Messages,
                Format::Chat,
                &[
                    "reasoning_effort",
                    "seed",
                    "made_up",
                    "metadata",
                    "parallel_tool_calls",
                ],
            ),
            (Format::Responses, Format::Responses, &["seed"]),
            (Format::Responses, Format::Converse, &["seed", "made_up"]),
            (Format::Generate, Format::Generate, &["reasoning_effort"]),
            (Format::Speech, Format::Speech, &[]),
        ] {
            assert_eq!(
                names(client, provider, &all),
                expected,
                "{client:?} to {provider:?}"
            );
        }
    }

    #[test]
    fn a_name_that_no_header_can_hold_is_escaped() {
        let found = names(Format::Chat, Format::Messages, &[("a\nb\u{e9}", "1")]);
        assert_eq!(found, [r"a\nb\u{e9}"]);
    }
}
