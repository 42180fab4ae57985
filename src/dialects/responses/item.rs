//! What are the items that a response consists of, as they are written?
//!
//! # Invariants
//! - Every field that the official SDKs' types demand is there, and those of Vercel's AI SDK besides.

use serde::Serialize;
use serde::ser::Serializer;

use super::names::{Names, unwrap_input};
use crate::chat::{Maker, Part, Signature};

/// What marks withheld thoughts among foreign signatures, in the place of an item's id.
pub(super) const REDACTED: &str = "redacted";

/// One item of a response.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item {
    Message {
        id: String,
        status: ItemStatus,
        role: &'static str,
        content: Vec<Content>,
    },
    Reasoning {
        id: String,
        summary: Vec<Content>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<String>,
    },
    FunctionCall {
        id: String,
        status: ItemStatus,
        call_id: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        arguments: String,
    },
    CustomToolCall {
        id: String,
        status: ItemStatus,
        call_id: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        input: String,
    },
}

/// How far an item has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ItemStatus {
    InProgress,
    Completed,
    Incomplete,
}

/// One piece of a message, or of the summary of a reasoning.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Content {
    OutputText {
        text: String,
        annotations: Nothing,
        logprobs: Nothing,
    },
    Refusal {
        refusal: String,
    },
    SummaryText {
        text: String,
    },
}

/// An empty list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nothing;

impl Serialize for Nothing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq([(); 0])
    }
}

impl Content {
    pub(super) const fn text(text: String) -> Self {
        Self::OutputText {
            text,
            annotations: Nothing,
            logprobs: Nothing,
        }
    }

    /// Its words, to be added to.
    pub(super) const fn words_mut(&mut self) -> &mut String {
        match self {
            Self::OutputText { text, .. } | Self::SummaryText { text } => text,
            Self::Refusal { refusal } => refusal,
        }
    }
}

impl Item {
    pub(super) const fn message(id: String, status: ItemStatus, content: Vec<Content>) -> Self {
        Self::Message {
            id,
            status,
            role: "assistant",
            content,
        }
    }

    pub(super) const fn reasoning(
        id: String,
        summary: Vec<Content>,
        encrypted_content: Option<String>,
    ) -> Self {
        Self::Reasoning {
            id,
            summary,
            encrypted_content,
        }
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Message { id, .. }
            | Self::Reasoning { id, .. }
            | Self::FunctionCall { id, .. }
            | Self::CustomToolCall { id, .. } => id,
        }
    }

    /// The beginning of a call at `place`, of which the id and the tool's name are known.
    pub(super) fn calling(
        ids: &Ids,
        place: usize,
        (call_id, seen): (&str, &str),
        names: &Names,
    ) -> Self {
        let begun = Call {
            call_id,
            seen,
            arguments: "",
        };
        let mut item = Self::call(ids, place, begun, names);
        match &mut item {
            Self::FunctionCall { status, .. } | Self::CustomToolCall { status, .. } => {
                *status = ItemStatus::InProgress;
            }
            _ => {}
        }
        item
    }

    /// The whole call of a tool at `place`, in the client's terms.
    pub(super) fn call(ids: &Ids, place: usize, call: Call<'_>, names: &Names) -> Self {
        let called = names.called(call.seen);
        let (name, namespace) = (called.name.to_owned(), called.namespace.map(str::to_owned));
        let (call_id, status) = (call.call_id.to_owned(), ItemStatus::Completed);
        if called.custom {
            return Self::CustomToolCall {
                id: ids.of_item("ctc", place),
                status,
                call_id,
                name,
                namespace,
                input: unwrap_input(call.arguments),
            };
        }
        Self::FunctionCall {
            id: ids.of_item("fc", place),
            status,
            call_id,
            name,
            namespace,
            arguments: call.arguments.to_owned(),
        }
    }
}

/// A call as the model made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) call_id: &'a str,
    pub(super) seen: &'a str,
    pub(super) arguments: &'a str,
}

/// The ids of a response's items.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    /// What follows `resp_`.
    stem: String,
}

impl Ids {
    pub(super) fn of_response(id: &str) -> Self {
        let stem = id.strip_prefix("resp_").unwrap_or(id);
        Self {
            stem: stem.to_owned(),
        }
    }

    /// The id of the item at `place`, by its kind's prefix.
    pub(super) fn of_item(&self, prefix: &str, place: usize) -> String {
        format!("{prefix}_{}_{place}", self.stem)
    }
}

/// How a signature is carried as a reasoning item's encrypted content.
pub(super) fn encrypted(signature: &Signature) -> String {
    signature.written(Maker::OpenAi)
}

/// The id of a reasoning that is signed so: the signature's own where it has one, since the two are checked together.
pub(super) fn id_of(signature: Option<&Signature>, minted: String) -> String {
    let own = signature.filter(|by| by.maker == Maker::OpenAi && !by.id.is_empty());
    own.map_or(minted, |by| by.id.clone())
}

/// How a signature is carried by an item that was told of under an id before it was signed: if its own is another, it goes along.
pub(super) fn encrypted_under(id: &str, signature: &Signature) -> Option<String> {
    let own = signature.maker == Maker::OpenAi && !signature.id.is_empty();
    // Any other maker's dialect marks it, with the id.
    (own && signature.id != id).then(|| signature.written(Maker::Anthropic))
}

/// How withheld thoughts are carried: marked, so that they are not taken for signed ones when they come back.
pub(super) fn redacted(signature: &Signature) -> String {
    if signature.maker == Maker::OpenAi {
        return encrypted(signature);
    }
    let mut marked = signature.clone();
    REDACTED.clone_into(&mut marked.id);
    encrypted(&marked)
}

/// What the maker of a call signed it with, taken off the end of what came before: a call has no place for it.
pub(super) fn of_call(before: &mut Vec<Part>) -> Option<Signature> {
    let google = |part: &mut Part| matches!(part, Part::Redacted(by) if by.maker == Maker::Google);
    match before.pop_if(google)? {
        Part::Redacted(by) => Some(by),
        _ => None,
    }
}

/// The thoughts of a reasoning item: its id, its words, and its encrypted content.
pub(super) fn thoughts(id: &str, text: String, encrypted: Option<&str>) -> Option<Part> {
    let encrypted = encrypted.filter(|text| !text.is_empty());
    let Some(mut signature) = encrypted.map(|text| Signature::read(text, Maker::OpenAi)) else {
        return (!text.is_empty()).then_some(Part::Thinking {
            text,
            signature: None,
        });
    };
    if signature.maker == Maker::OpenAi {
        if signature.id.is_empty() {
            id.clone_into(&mut signature.id);
        }
    } else if signature.id == REDACTED {
        signature.id.clear();
        return Some(Part::Redacted(signature));
    }
    Some(Part::Thinking {
        text,
        signature: Some(signature),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_find_their_kind_again() {
        let foreign = Signature::new(Maker::Anthropic, "sig:with:colons");
        let own = Signature {
            maker: Maker::OpenAi,
            id: "rs_1".to_owned(),
            text: "enc".to_owned(),
        };
        let thinking = |text: &str, signature| {
            Some(Part::Thinking {
                text: text.to_owned(),
                signature,
            })
        };
        let read = |text: &str, written: &str| thoughts("rs_1", text.to_owned(), Some(written));
        assert_eq!(
            read("a", &encrypted(&foreign)),
            thinking("a", Some(foreign.clone()))
        );
        assert_eq!(
            read("", &encrypted(&foreign)),
            thinking("", Some(foreign.clone()))
        );
        assert_eq!(read("", &redacted(&foreign)), Some(Part::Redacted(foreign)));
        assert_eq!(
            read("a", &encrypted(&own)),
            thinking("a", Some(own.clone()))
        );
        assert_eq!(read("", &redacted(&own)), thinking("", Some(own)));
        let under = |id: &str| {
            encrypted_under(
                id,
                &Signature {
                    id: "rs_9".to_owned(),
                    ..Signature::new(Maker::OpenAi, "enc")
                },
            )
        };
        assert_eq!(under("rs_9"), None);
        let kept = under("rs_1").unwrap();
        assert_eq!(kept, "trimtab:openai:rs_9:enc");
        let Some(Part::Thinking {
            signature: Some(back),
            ..
        }) = read("a", &kept)
        else {
            panic!("{kept}");
        };
        assert_eq!((back.id.as_str(), back.text.as_str()), ("rs_9", "enc"));
        assert_eq!(thoughts("rs_1", String::new(), None), None);
        assert_eq!(
            thoughts("rs_1", "a".to_owned(), Some("")),
            thinking("a", None)
        );
    }
}
