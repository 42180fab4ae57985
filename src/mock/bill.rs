//! What does an attempt cost the client: what a provider has taken in and made so far, whether or not the client heard of it?
//!
//! An honest usage tells the same at the end. A stream that is cut off costs what was made up to the cut, which no usage tells.
//!
//! # Invariants
//! - A request that is refused costs nothing.
//! - What is billed never falls.

use serde::Serialize;

use super::endpoint::{Endpoint, Media, Object};
use super::media;
use super::narration;
use super::plan::Plan;

/// What a transcription in many words says its sound lasts, milliseconds.
pub(super) const SOUND_MILLIS: u32 = 1_000;

/// What an attempt is billed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Billed {
    /// Input tokens.
    pub input_tokens: u32,
    /// Output tokens, reasoning included.
    pub output_tokens: u32,
    /// Output tokens of reasoning, where the dialect tells them apart.
    pub reasoning_tokens: u32,
    /// Output tokens of pictures.
    pub image_tokens: u32,
    /// Pictures made.
    pub images: u32,
    /// Characters spoken.
    pub characters: u32,
    /// Length of the sound that was heard, milliseconds.
    pub millis: u32,
    /// Searches, such as of a reranker.
    pub queries: u32,
}

/// How a bill grows while an answer is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bill {
    /// What is billed as soon as there is an answer.
    pub(super) start: Billed,
    /// What is billed for each token or piece that is sent.
    pub(super) each: Billed,
    /// What is billed once the answer is complete.
    pub(super) end: Billed,
}

impl Billed {
    /// These and those.
    pub(super) fn plus(self, other: Self) -> Self {
        self.plus_times(other, 1)
    }

    /// These and `times` those.
    pub(super) fn plus_times(self, other: Self, times: u32) -> Self {
        let sum = |own: u32, other: u32| own.saturating_add(other.saturating_mul(times));
        Self {
            input_tokens: sum(self.input_tokens, other.input_tokens),
            output_tokens: sum(self.output_tokens, other.output_tokens),
            reasoning_tokens: sum(self.reasoning_tokens, other.reasoning_tokens),
            image_tokens: sum(self.image_tokens, other.image_tokens),
            images: sum(self.images, other.images),
            characters: sum(self.characters, other.characters),
            millis: sum(self.millis, other.millis),
            queries: sum(self.queries, other.queries),
        }
    }
}

impl Bill {
    /// A bill that is due whole when there is an answer.
    pub(super) fn at_once(start: Billed) -> Self {
        Self {
            start,
            ..Self::default()
        }
    }

    /// How the answer of `plan` is billed.
    pub(super) fn of(plan: &Plan) -> Self {
        let input = Billed {
            input_tokens: plan.ask.input_tokens,
            ..Billed::default()
        };
        match plan.ask.endpoint {
            Endpoint::Media(media) => of_media(plan, media, input),
            Endpoint::Rerank => Self::at_once(Billed {
                queries: 1,
                ..Billed::default()
            }),
            Endpoint::Object(Object::Response | Object::File | Object::Batch, _)
            | Endpoint::CountTokens
            | Endpoint::InputTokens
            | Endpoint::GenerateCount
            | Endpoint::ConverseCount => Self::default(),
            Endpoint::Embedding | Endpoint::GenerateVectors | Endpoint::CohereEmbed => {
                Self::at_once(input)
            }
            endpoint => of_words(plan, endpoint, input),
        }
    }

    /// What is billed when all of the answer was made.
    pub(super) fn whole(&self, pieces: u32) -> Billed {
        self.start.plus_times(self.each, pieces).plus(self.end)
    }
}

/// The thoughts are made before the first word.
fn of_words(plan: &Plan, endpoint: Endpoint, input: Billed) -> Bill {
    let thoughts = match endpoint {
        // Why: a chat's usage tells of none.
        Endpoint::Chat | Endpoint::Text => 0,
        _ => u32::try_from(plan.thought_tokens()).unwrap_or(0),
    };
    let told = matches!(endpoint, Endpoint::Responses | Endpoint::Generate);
    let pieces = narration::tokens(plan).max(1);
    Bill {
        start: Billed {
            output_tokens: thoughts,
            reasoning_tokens: if told { thoughts } else { 0 },
            ..input
        },
        each: Billed {
            output_tokens: plan.output / pieces,
            ..Billed::default()
        },
        end: Billed::default(),
    }
}

fn of_media(plan: &Plan, kind: Media, input: Billed) -> Bill {
    match kind {
        Media::Moderation => Bill::default(),
        Media::Picture | Media::Edit | Media::Variation => {
            let images = media::pictures_made(plan);
            let tokens = media::picture_tokens(plan).saturating_mul(images);
            Bill {
                start: if tokens == 0 {
                    Billed::default()
                } else {
                    input
                },
                each: Billed::default(),
                end: Billed {
                    output_tokens: tokens,
                    image_tokens: tokens,
                    images,
                    ..Billed::default()
                },
            }
        }
        Media::Speech => Bill::at_once(Billed {
            characters: media::characters(plan),
            ..input
        }),
        Media::Transcription | Media::Translation => {
            let by_length = media::tells_length(plan);
            let word = Billed {
                output_tokens: 1,
                ..Billed::default()
            };
            let length = Billed {
                millis: SOUND_MILLIS,
                ..Billed::default()
            };
            Bill {
                start: if by_length { length } else { input },
                each: if by_length { Billed::default() } else { word },
                end: Billed::default(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ask::Ask;
    use super::*;

    fn plan(endpoint: Endpoint) -> Plan {
        Plan {
            ask: Ask {
                endpoint,
                input_tokens: 7,
                thinks: true,
                ..Ask::default()
            },
            output: 5,
            ..Plan::default()
        }
    }

    #[test]
    fn words_are_billed_as_they_are_made() {
        for (endpoint, thoughts, told) in [
            (Endpoint::Chat, 0, 0),
            (Endpoint::Messages, 4, 0),
            (Endpoint::Responses, 4, 4),
            (Endpoint::Generate, 4, 4),
        ] {
            let bill = Bill::of(&plan(endpoint));
            let billed = |pieces: u32| {
                let billed = bill.start.plus_times(bill.each, pieces);
                (billed.input_tokens, billed.output_tokens)
            };
            assert_eq!(billed(0), (7, thoughts), "{endpoint:?}");
            assert_eq!(billed(3), (7, thoughts + 3), "{endpoint:?}");
            assert_eq!(bill.whole(5).output_tokens, thoughts + 5, "{endpoint:?}");
            assert_eq!(bill.whole(5).reasoning_tokens, told, "{endpoint:?}");
        }
    }

    #[test]
    fn a_call_that_comes_whole_is_billed_whole() {
        let mut plan = plan(Endpoint::Generate);
        plan.ask.tool = Some("f".to_owned());
        let bill = Bill::of(&plan);
        assert_eq!(bill.whole(narration::tokens(&plan)).output_tokens, 9);
    }

    #[test]
    fn what_is_not_words_is_billed_as_it_is() {
        let whole = |endpoint| Bill::of(&plan(endpoint)).whole(0);
        let rerank = whole(Endpoint::Rerank);
        assert_eq!((rerank.queries, rerank.input_tokens), (1, 0));
        assert_eq!(whole(Endpoint::CountTokens), Billed::default());
        assert_eq!(whole(Endpoint::Embedding).input_tokens, 7);
        assert_eq!(whole(Endpoint::Media(Media::Moderation)), Billed::default());
    }
}
