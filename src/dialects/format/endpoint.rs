//! What can a client's path name, and what is known of it before the body is read?
//!
//! # Invariants
//! - One table says what is peculiar to an endpoint; what follows from its format is asked of that.

use scoring::latency::Class;

use super::{Format, Surface};

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

/// What is peculiar to an endpoint.
struct Row {
    name: &'static str,
    format: Format,
    work: Work,
    stream: Stream,
    body: Body,
}

/// What kind of work an endpoint is.
#[derive(Clone, Copy)]
enum Work {
    Talk,
    Embedding,
    Image,
    Audio,
}

/// Whether a stream may be asked for in the body.
#[derive(Clone, Copy)]
enum Stream {
    Never,
    May,
}

/// How a body is written.
#[derive(Clone, Copy)]
enum Body {
    Json,
    Form,
}

impl Row {
    /// An endpoint that takes JSON, in whose body no stream may be asked for.
    const fn of(work: Work, name: &'static str, format: Format) -> Self {
        Self {
            name,
            format,
            work,
            stream: Stream::Never,
            body: Body::Json,
        }
    }

    /// The same, and a stream may be asked for.
    const fn may_stream(self) -> Self {
        Self {
            stream: Stream::May,
            ..self
        }
    }

    /// The same, with a form of several parts as its body.
    const fn in_parts(self) -> Self {
        Self {
            body: Body::Form,
            ..self
        }
    }
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

    /// The table.
    const fn row(self) -> Row {
        use Work::{Audio, Embedding, Image, Talk};
        match self {
            Self::Chat => Row::of(Talk, "chat", Format::Chat).may_stream(),
            Self::Completions => Row::of(Talk, "completions", Format::Completions).may_stream(),
            Self::Responses => Row::of(Talk, "responses", Format::Responses).may_stream(),
            Self::InputTokens => Row::of(Embedding, "input_tokens", Format::InputTokens),
            Self::Embeddings => Row::of(Embedding, "embeddings", Format::Embeddings),
            Self::Moderations => Row::of(Embedding, "moderations", Format::Moderations),
            Self::Rerank => Row::of(Embedding, "rerank", Format::Rerank),
            Self::ImageGenerations => {
                Row::of(Image, "image_generations", Format::ImageGenerations).may_stream()
            }
            Self::ImageEdits => Row::of(Image, "image_edits", Format::ImageEdits)
                .may_stream()
                .in_parts(),
            Self::ImageVariations => {
                Row::of(Image, "image_variations", Format::ImageVariations).in_parts()
            }
            Self::Speech => Row::of(Audio, "speech", Format::Speech).may_stream(),
            Self::Transcriptions => Row::of(Audio, "transcriptions", Format::Transcriptions)
                .may_stream()
                .in_parts(),
            Self::Translations => Row::of(Audio, "translations", Format::Translations).in_parts(),
            Self::Messages => Row::of(Talk, "messages", Format::Messages).may_stream(),
            Self::CountTokens => Row::of(Embedding, "count_tokens", Format::CountTokens),
            // Why: Gemini's clients ask for a stream in the path.
            Self::Generate | Self::StreamGenerate => {
                Row::of(Talk, "generate_content", Format::Generate)
            }
            Self::GeminiCount => Row::of(Embedding, "count_tokens", Format::GeminiCount),
            Self::GeminiEmbed => Row::of(Embedding, "embed_content", Format::GeminiEmbed),
            Self::GeminiEmbeds => Row::of(Embedding, "embed_content", Format::GeminiEmbeds),
        }
    }

    /// Its name, in rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// How it is written.
    #[must_use]
    pub const fn format(self) -> Format {
        self.row().format
    }

    /// In whose words it is asked.
    #[must_use]
    pub const fn surface(self) -> Surface {
        match self.format().surface() {
            Some(surface) => surface,
            None => Surface::OpenAi,
        }
    }

    /// Whether its path names the model, and its body does not.
    #[must_use]
    pub const fn names_model_in_path(self) -> bool {
        matches!(self.surface(), Surface::Gemini)
    }

    /// Whether a model converses here: what every dialect of conversations can serve.
    #[must_use]
    pub const fn is_conversation(self) -> bool {
        self.format().is_conversation()
    }

    /// Whether tokens are to be counted.
    #[must_use]
    pub const fn is_count(self) -> bool {
        self.format().is_count()
    }

    /// Whether a stream may be asked for in the body.
    #[must_use]
    pub const fn may_stream(self) -> bool {
        matches!(self.row().stream, Stream::May)
    }

    /// Whether pictures are asked for.
    #[must_use]
    pub const fn is_picture(self) -> bool {
        matches!(self.row().work, Work::Image)
    }

    /// Whether its body is a form of several parts instead of JSON.
    #[must_use]
    pub const fn is_form(self) -> bool {
        matches!(self.row().body, Body::Form)
    }

    /// What kind of work it is, and its name in records.
    #[must_use]
    pub const fn class(self, streamed: bool) -> (Class, &'static str) {
        match self.row().work {
            Work::Embedding => (Class::Embedding, "embedding"),
            Work::Image => (Class::Image, "image"),
            Work::Audio => (Class::Audio, "audio"),
            Work::Talk if streamed => (Class::ChatStream, "chat_stream"),
            Work::Talk => (Class::Chat, "chat"),
        }
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
    fn every_endpoint_has_the_words_of_its_format() {
        for endpoint in Endpoint::ALL {
            let surface = endpoint.format().surface();
            assert_eq!(surface, Some(endpoint.surface()), "{endpoint:?}");
            let talks = matches!(endpoint.class(false).0, Class::Chat | Class::ChatStream);
            assert_eq!(talks, endpoint.is_conversation(), "{endpoint:?}");
        }
    }
}
