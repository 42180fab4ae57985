//! What is asked, in which words, and in which words does a provider of some dialect answer it?
//!
//! An [`Endpoint`] is what a client's path names; a [`Format`] is how one kind of request and answer is written.
//! Where a provider has the endpoint's own format, bytes pass unchanged; else the two formats meet in `chat`.
//!
//! # Invariants
//! - A provider's format for an endpoint depends on its dialect, on what it is known to serve and on the model, never on the request.

use scoring::latency::Class;

use super::percent;

use crate::config::{Dialect, ImageRules, Serves};

/// What Amazon's names of Anthropic's models have in them; before it there may be the region of a profile.
const BEDROCK_CLAUDE: &str = "anthropic.claude";

/// Whose error objects a client understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// OpenAI's SDKs.
    OpenAi,
    /// Anthropic's SDKs.
    Anthropic,
    /// Google's SDKs.
    Gemini,
}

/// How one kind of request and its answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's legacy completions.
    Completions,
    /// OpenAI's responses.
    Responses,
    /// OpenAI's count of a response's input.
    InputTokens,
    /// OpenAI's embeddings.
    Embeddings,
    /// OpenAI's moderations.
    Moderations,
    /// Reranking, as Jina and Cohere write it.
    Rerank,
    /// OpenAI's images from words.
    ImageGenerations,
    /// OpenAI's images from images.
    ImageEdits,
    /// OpenAI's variations of an image.
    ImageVariations,
    /// OpenAI's speech.
    Speech,
    /// OpenAI's transcriptions.
    Transcriptions,
    /// OpenAI's translations of speech.
    Translations,
    /// Anthropic's messages.
    Messages,
    /// Anthropic's count of tokens.
    CountTokens,
    /// Gemini's content, whole or streamed.
    Generate,
    /// Gemini's count of tokens.
    GeminiCount,
    /// One embedding of Gemini's.
    GeminiEmbed,
    /// Several embeddings of Gemini's.
    GeminiEmbeds,
    /// Bedrock's Converse.
    Converse,
    /// Bedrock's count of what Converse would be asked.
    ConverseCount,
    /// Cohere's chat.
    CohereChat,
    /// Cohere's embeddings.
    CohereEmbed,
    /// Cohere's reranking.
    CohereRerank,
    /// A vendor's own way to make images, of which [`images`](crate::images) knows.
    Images,
}

impl Format {
    /// Whether a client asks in it for a count of tokens.
    #[must_use]
    pub const fn is_count(self) -> bool {
        matches!(
            self,
            Self::InputTokens | Self::CountTokens | Self::GeminiCount
        )
    }

    /// Whose error objects come with it; none where no client speaks it.
    #[must_use]
    pub const fn surface(self) -> Option<Surface> {
        Some(match self {
            Self::Messages | Self::CountTokens => Surface::Anthropic,
            Self::Generate | Self::GeminiCount | Self::GeminiEmbed | Self::GeminiEmbeds => {
                Surface::Gemini
            }
            Self::Converse
            | Self::ConverseCount
            | Self::CohereChat
            | Self::CohereEmbed
            | Self::CohereRerank => return None,
            _ => Surface::OpenAi,
        })
    }
}

/// What a client's path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
    /// `/v1/responses`.
    Responses,
    /// `/v1/responses/input_tokens`.
    InputTokens,
    /// `/v1/embeddings`.
    Embeddings,
    /// `/v1/moderations`.
    Moderations,
    /// `/v1/rerank`.
    Rerank,
    /// `/v1/images/generations`.
    ImageGenerations,
    /// `/v1/images/edits`.
    ImageEdits,
    /// `/v1/images/variations`.
    ImageVariations,
    /// `/v1/audio/speech`.
    Speech,
    /// `/v1/audio/transcriptions`.
    Transcriptions,
    /// `/v1/audio/translations`.
    Translations,
    /// `/v1/messages`.
    Messages,
    /// `/v1/messages/count_tokens`.
    CountTokens,
    /// `…/models/{model}:generateContent`.
    Generate,
    /// `…/models/{model}:streamGenerateContent`.
    StreamGenerate,
    /// `…/models/{model}:countTokens`.
    GeminiCount,
    /// `…/models/{model}:embedContent`.
    GeminiEmbed,
    /// `…/models/{model}:batchEmbedContents`.
    GeminiEmbeds,
}

impl Endpoint {
    /// Every endpoint, in the order of its number.
    pub const ALL: [Self; 20] = [
        Self::Chat,
        Self::Completions,
        Self::Responses,
        Self::InputTokens,
        Self::Embeddings,
        Self::Moderations,
        Self::Rerank,
        Self::ImageGenerations,
        Self::ImageEdits,
        Self::ImageVariations,
        Self::Speech,
        Self::Transcriptions,
        Self::Translations,
        Self::Messages,
        Self::CountTokens,
        Self::Generate,
        Self::StreamGenerate,
        Self::GeminiCount,
        Self::GeminiEmbed,
        Self::GeminiEmbeds,
    ];

    /// Its number, below `ALL.len()`.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name, in rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::InputTokens => "input_tokens",
            Self::Embeddings => "embeddings",
            Self::Moderations => "moderations",
            Self::Rerank => "rerank",
            Self::ImageGenerations => "image_generations",
            Self::ImageEdits => "image_edits",
            Self::ImageVariations => "image_variations",
            Self::Speech => "speech",
            Self::Transcriptions => "transcriptions",
            Self::Translations => "translations",
            Self::Messages => "messages",
            Self::CountTokens | Self::GeminiCount => "count_tokens",
            Self::Generate | Self::StreamGenerate => "generate_content",
            Self::GeminiEmbed | Self::GeminiEmbeds => "embed_content",
        }
    }

    /// Whether its path names the model, and its body does not.
    #[must_use]
    pub const fn names_model_in_path(self) -> bool {
        matches!(self.surface(), Surface::Gemini)
    }

    /// In whose words it is asked.
    #[must_use]
    pub const fn surface(self) -> Surface {
        match self {
            Self::Messages | Self::CountTokens => Surface::Anthropic,
            Self::Generate
            | Self::StreamGenerate
            | Self::GeminiCount
            | Self::GeminiEmbed
            | Self::GeminiEmbeds => Surface::Gemini,
            _ => Surface::OpenAi,
        }
    }

    /// How it is written.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Chat => Format::Chat,
            Self::Completions => Format::Completions,
            Self::Responses => Format::Responses,
            Self::InputTokens => Format::InputTokens,
            Self::Embeddings => Format::Embeddings,
            Self::Moderations => Format::Moderations,
            Self::Rerank => Format::Rerank,
            Self::ImageGenerations => Format::ImageGenerations,
            Self::ImageEdits => Format::ImageEdits,
            Self::ImageVariations => Format::ImageVariations,
            Self::Speech => Format::Speech,
            Self::Transcriptions => Format::Transcriptions,
            Self::Translations => Format::Translations,
            Self::Messages => Format::Messages,
            Self::CountTokens => Format::CountTokens,
            Self::Generate | Self::StreamGenerate => Format::Generate,
            Self::GeminiCount => Format::GeminiCount,
            Self::GeminiEmbed => Format::GeminiEmbed,
            Self::GeminiEmbeds => Format::GeminiEmbeds,
        }
    }

    /// Whether a model converses here: what every dialect of conversations can serve.
    #[must_use]
    pub const fn is_conversation(self) -> bool {
        is_conversation(self.format())
    }

    /// Whether tokens are to be counted.
    #[must_use]
    pub const fn is_count(self) -> bool {
        self.format().is_count()
    }

    /// Whether a stream may be asked for in the body.
    #[must_use]
    pub const fn may_stream(self) -> bool {
        matches!(
            self,
            Self::Chat
                | Self::Completions
                | Self::Responses
                | Self::Messages
                | Self::ImageGenerations
                | Self::ImageEdits
                | Self::Speech
                | Self::Transcriptions
        )
    }

    /// Whether pictures are asked for.
    #[must_use]
    pub const fn is_picture(self) -> bool {
        matches!(
            self,
            Self::ImageGenerations | Self::ImageEdits | Self::ImageVariations
        )
    }

    /// Whether its body is a form of several parts instead of JSON.
    #[must_use]
    pub const fn is_form(self) -> bool {
        matches!(
            self,
            Self::ImageEdits | Self::ImageVariations | Self::Transcriptions | Self::Translations
        )
    }

    /// What kind of work it is, and its name in records.
    #[must_use]
    pub const fn class(self, streamed: bool) -> (Class, &'static str) {
        match self {
            Self::Embeddings
            | Self::Moderations
            | Self::Rerank
            | Self::InputTokens
            | Self::CountTokens
            | Self::GeminiCount
            | Self::GeminiEmbed
            | Self::GeminiEmbeds => (Class::Embedding, "embedding"),
            Self::ImageGenerations | Self::ImageEdits | Self::ImageVariations => {
                (Class::Image, "image")
            }
            Self::Speech | Self::Transcriptions | Self::Translations => (Class::Audio, "audio"),
            _ if streamed => (Class::ChatStream, "chat_stream"),
            _ => (Class::Chat, "chat"),
        }
    }
}

/// What a provider is, as far as formats depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// Its dialect.
    pub dialect: Dialect,
    /// What of OpenAI's API it serves.
    pub serves: Serves,
    /// The model, in its words.
    pub model: &'a str,
}

impl Speaker<'_> {
    /// The format in which the provider serves an endpoint; none where it cannot.
    #[must_use]
    pub fn format(&self, endpoint: Endpoint) -> Option<Format> {
        let own = endpoint.format();
        if own.is_count() {
            return self.counter();
        }
        match self.dialect {
            Dialect::OpenAi | Dialect::Azure => self.openai(own),
            Dialect::Anthropic => is_conversation(own).then_some(Format::Messages),
            Dialect::Vertex if self.is_claude() => is_conversation(own).then_some(Format::Messages),
            Dialect::Gemini | Dialect::Vertex => match own {
                Format::GeminiEmbed | Format::GeminiEmbeds => Some(own),
                Format::Embeddings => Some(Format::GeminiEmbeds),
                _ => is_conversation(own).then_some(Format::Generate),
            },
            Dialect::Bedrock => is_conversation(own).then_some(Format::Converse),
            Dialect::Cohere => match own {
                Format::Embeddings | Format::GeminiEmbed | Format::GeminiEmbeds => {
                    Some(Format::CohereEmbed)
                }
                Format::Rerank => Some(Format::CohereRerank),
                _ => is_conversation(own).then_some(Format::CohereChat),
            },
            Dialect::Stability | Dialect::Fal | Dialect::Replicate | Dialect::Bfl => drawn(own),
        }
    }

    /// How the provider counts tokens, whoever asks; none where it cannot.
    fn counter(&self) -> Option<Format> {
        match self.dialect {
            Dialect::OpenAi | Dialect::Azure => {
                self.serves.responses.then_some(Format::InputTokens)
            }
            Dialect::Anthropic => Some(Format::CountTokens),
            Dialect::Vertex if self.is_claude() => Some(Format::CountTokens),
            Dialect::Gemini | Dialect::Vertex => Some(Format::GeminiCount),
            // Why: of the models there only Anthropic's can be counted for.
            Dialect::Bedrock => self
                .model
                .contains(BEDROCK_CLAUDE)
                .then_some(Format::ConverseCount),
            _ => None,
        }
    }

    fn openai(&self, own: Format) -> Option<Format> {
        match own {
            Format::Responses if self.serves.responses => Some(own),
            Format::Embeddings | Format::GeminiEmbed | Format::GeminiEmbeds
                if !self.serves.embeddings =>
            {
                None
            }
            Format::ImageGenerations | Format::ImageEdits | Format::ImageVariations => {
                match self.serves.images {
                    ImageRules::OpenAi => Some(own),
                    ImageRules::Together | ImageRules::Fireworks => drawn(own),
                    ImageRules::None => None,
                }
            }
            Format::GeminiEmbed | Format::GeminiEmbeds => Some(Format::Embeddings),
            Format::Responses | Format::Messages | Format::Generate => Some(Format::Chat),
            _ => Some(own),
        }
    }

    /// Whether the model is Anthropic's, which some clouds serve in Anthropic's words.
    #[must_use]
    pub fn is_claude(&self) -> bool {
        self.model.starts_with("claude")
    }

    /// The path below the base URL, with its query.
    #[must_use]
    pub fn path(&self, format: Format, streamed: bool) -> String {
        let model = self.model;
        match (self.dialect, format) {
            (Dialect::Vertex, Format::Messages) => {
                let verb = if streamed {
                    "streamRawPredict"
                } else {
                    "rawPredict"
                };
                format!("/publishers/anthropic/models/{model}:{verb}")
            }
            // The model is in the body.
            (Dialect::Vertex, Format::CountTokens) => {
                "/publishers/anthropic/models/count-tokens:rawPredict".to_owned()
            }
            (Dialect::Vertex, _) => {
                format!("/publishers/google{}", gemini_path(format, model, streamed))
            }
            (Dialect::Gemini, _) => gemini_path(format, model, streamed),
            (Dialect::Bedrock, Format::ConverseCount) => {
                format!("/model/{}/count-tokens", percent::segment(bare(model)))
            }
            (Dialect::Bedrock, _) => {
                let verb = if streamed {
                    "converse-stream"
                } else {
                    "converse"
                };
                format!("/model/{}/{verb}", percent::segment(model))
            }
            (Dialect::Azure, format) => {
                format!(
                    "/deployments/{}{}",
                    percent::segment(model),
                    plain_path(format)
                )
            }
            (_, format) => plain_path(format).to_owned(),
        }
    }
}

/// The model behind one of Amazon's inference profiles: tokens are counted for a model, not for a profile.
fn bare(model: &str) -> &str {
    match model.find(BEDROCK_CLAUDE) {
        // An ARN is left as it is.
        Some(at) if !model[..at].contains([':', '/']) => &model[at..],
        _ => model,
    }
}

/// Whether a model converses: what every dialect of conversations can serve.
const fn is_conversation(format: Format) -> bool {
    matches!(
        format,
        Format::Chat
            | Format::Completions
            | Format::Responses
            | Format::Messages
            | Format::Generate
    )
}

/// How a vendor with an API of its own serves images: none makes variations.
const fn drawn(own: Format) -> Option<Format> {
    match own {
        Format::ImageGenerations | Format::ImageEdits => Some(Format::Images),
        _ => None,
    }
}

fn gemini_path(format: Format, model: &str, streamed: bool) -> String {
    let verb = match format {
        Format::GeminiCount => "countTokens",
        Format::GeminiEmbed => "embedContent",
        Format::GeminiEmbeds => "batchEmbedContents",
        _ if streamed => "streamGenerateContent?alt=sse",
        _ => "generateContent",
    };
    format!("/models/{}:{verb}", percent::segment(model))
}

const fn plain_path(format: Format) -> &'static str {
    match format {
        Format::Completions => "/completions",
        Format::Responses => "/responses",
        Format::InputTokens => "/responses/input_tokens",
        Format::Embeddings => "/embeddings",
        Format::Moderations => "/moderations",
        Format::Rerank | Format::CohereRerank => "/rerank",
        Format::ImageGenerations | Format::Images => "/images/generations",
        Format::ImageEdits => "/images/edits",
        Format::ImageVariations => "/images/variations",
        Format::Speech => "/audio/speech",
        Format::Transcriptions => "/audio/transcriptions",
        Format::Translations => "/audio/translations",
        Format::Messages => "/messages",
        Format::CountTokens => "/messages/count_tokens",
        Format::CohereChat => "/chat",
        Format::CohereEmbed => "/embed",
        _ => "/chat/completions",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places() {
        for (place, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint.index(), place);
        }
    }

    #[test]
    fn providers_serve_in_their_words() {
        let check = |dialect, model, endpoint: Endpoint, expected: Option<Format>| {
            let speaker = Speaker {
                dialect,
                serves: Serves::default(),
                model,
            };
            assert_eq!(
                speaker.format(endpoint),
                expected,
                "{dialect:?} {endpoint:?}"
            );
        };
        check(Dialect::OpenAi, "m", Endpoint::Messages, Some(Format::Chat));
        check(
            Dialect::OpenAi,
            "m",
            Endpoint::Responses,
            Some(Format::Chat),
        );
        check(
            Dialect::Anthropic,
            "m",
            Endpoint::Chat,
            Some(Format::Messages),
        );
        check(Dialect::Anthropic, "m", Endpoint::Embeddings, None);
        check(
            Dialect::Anthropic,
            "m",
            Endpoint::CountTokens,
            Some(Format::CountTokens),
        );
        check(
            Dialect::Gemini,
            "m",
            Endpoint::StreamGenerate,
            Some(Format::Generate),
        );
        check(
            Dialect::Gemini,
            "m",
            Endpoint::Embeddings,
            Some(Format::GeminiEmbeds),
        );
        check(
            Dialect::Vertex,
            "claude-x",
            Endpoint::Chat,
            Some(Format::Messages),
        );
        check(
            Dialect::Vertex,
            "gemini-x",
            Endpoint::Chat,
            Some(Format::Generate),
        );
        check(Dialect::Bedrock, "m", Endpoint::Speech, None);
        check(
            Dialect::Cohere,
            "m",
            Endpoint::Rerank,
            Some(Format::CohereRerank),
        );
    }

    #[test]
    fn whoever_can_count_counts_for_every_client() {
        let plain = Serves {
            responses: false,
            ..Serves::default()
        };
        let full = Serves {
            responses: true,
            ..Serves::default()
        };
        let claude = "eu.anthropic.claude-haiku-4-5-20251001-v1:0";
        for (dialect, serves, model, expected) in [
            (Dialect::OpenAi, full, "m", Some(Format::InputTokens)),
            (Dialect::OpenAi, plain, "m", None),
            (Dialect::Anthropic, plain, "m", Some(Format::CountTokens)),
            (
                Dialect::Vertex,
                plain,
                "claude-x",
                Some(Format::CountTokens),
            ),
            (
                Dialect::Vertex,
                plain,
                "gemini-x",
                Some(Format::GeminiCount),
            ),
            (
                Dialect::Gemini,
                plain,
                "gemini-x",
                Some(Format::GeminiCount),
            ),
            (Dialect::Bedrock, plain, claude, Some(Format::ConverseCount)),
            (Dialect::Bedrock, plain, "amazon.nova-pro-v1:0", None),
            (Dialect::Cohere, plain, "m", None),
        ] {
            let speaker = Speaker {
                dialect,
                serves,
                model,
            };
            for endpoint in Endpoint::ALL.into_iter().filter(|it| it.is_count()) {
                assert_eq!(speaker.format(endpoint), expected, "{dialect:?} {model}");
            }
        }
    }

    #[test]
    fn vendors_of_images_make_images_only() {
        let rules = |images| Serves {
            images,
            ..Serves::default()
        };
        for (dialect, images) in [
            (Dialect::Stability, ImageRules::OpenAi),
            (Dialect::Fal, ImageRules::OpenAi),
            (Dialect::Replicate, ImageRules::OpenAi),
            (Dialect::Bfl, ImageRules::OpenAi),
            (Dialect::OpenAi, ImageRules::Together),
            (Dialect::OpenAi, ImageRules::Fireworks),
        ] {
            let speaker = Speaker {
                dialect,
                serves: rules(images),
                model: "m",
            };
            assert_eq!(speaker.format(Endpoint::ImageEdits), Some(Format::Images));
            assert_eq!(speaker.format(Endpoint::ImageVariations), None);
            let converses = speaker.format(Endpoint::Chat).is_some();
            assert_eq!(converses, dialect == Dialect::OpenAi);
        }
        let none = Speaker {
            dialect: Dialect::OpenAi,
            serves: rules(ImageRules::None),
            model: "m",
        };
        assert_eq!(none.format(Endpoint::ImageGenerations), None);
    }

    #[test]
    fn paths_name_model_and_verb() {
        let path = |dialect, model, format, streamed| {
            Speaker {
                dialect,
                serves: Serves::default(),
                model,
            }
            .path(format, streamed)
        };
        assert_eq!(
            path(Dialect::OpenAi, "m", Format::Chat, true),
            "/chat/completions"
        );
        assert_eq!(
            path(Dialect::Azure, "d", Format::Chat, true),
            "/deployments/d/chat/completions"
        );
        assert_eq!(
            path(Dialect::Gemini, "g", Format::Generate, true),
            "/models/g:streamGenerateContent?alt=sse"
        );
        assert_eq!(
            path(Dialect::Bedrock, "a.b:0", Format::Converse, false),
            "/model/a.b%3A0/converse"
        );
        assert_eq!(
            path(
                Dialect::Bedrock,
                "us.anthropic.claude-x:0",
                Format::ConverseCount,
                false
            ),
            "/model/anthropic.claude-x%3A0/count-tokens"
        );
        assert_eq!(
            path(
                Dialect::Bedrock,
                "arn:aws:bedrock:x:1:p/us.anthropic.claude-x",
                Format::ConverseCount,
                false
            ),
            "/model/arn%3Aaws%3Abedrock%3Ax%3A1%3Ap%2Fus.anthropic.claude-x/count-tokens"
        );
        assert_eq!(
            path(Dialect::Vertex, "claude-x@1", Format::CountTokens, false),
            "/publishers/anthropic/models/count-tokens:rawPredict"
        );
        assert_eq!(
            path(Dialect::Vertex, "claude-x@1", Format::Messages, true),
            "/publishers/anthropic/models/claude-x@1:streamRawPredict"
        );
        assert_eq!(
            path(Dialect::Cohere, "m", Format::CohereChat, false),
            "/chat"
        );
    }
}
