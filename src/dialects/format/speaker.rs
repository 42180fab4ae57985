//! In which format does a provider serve an endpoint, and below which path?

use super::{Endpoint, Format};
use crate::config::{Dialect, ImageRules, Serves};
use crate::dialects::percent;

/// What Amazon's names of Anthropic's models have in them; before it there may be the region of a profile.
const BEDROCK_CLAUDE: &str = "anthropic.claude";

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
            Dialect::Anthropic => own.is_conversation().then_some(Format::Messages),
            Dialect::Vertex if self.is_claude() => {
                own.is_conversation().then_some(Format::Messages)
            }
            Dialect::Gemini | Dialect::Vertex => match own {
                Format::GeminiEmbed | Format::GeminiEmbeds => Some(own),
                Format::Embeddings => Some(Format::GeminiEmbeds),
                _ => own.is_conversation().then_some(Format::Generate),
            },
            Dialect::Bedrock => own.is_conversation().then_some(Format::Converse),
            Dialect::Cohere => match own {
                Format::Embeddings | Format::GeminiEmbed | Format::GeminiEmbeds => {
                    Some(Format::CohereEmbed)
                }
                Format::Rerank => Some(Format::CohereRerank),
                _ => own.is_conversation().then_some(Format::CohereChat),
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
