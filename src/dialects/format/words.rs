//! In which formats is anything written, and whose errors belong to them?

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

impl Surface {
    /// Its name, in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
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

    /// Whether a client asks in it for a count of tokens.
    #[must_use]
    pub const fn is_count(self) -> bool {
        matches!(
            self,
            Self::InputTokens | Self::CountTokens | Self::GeminiCount
        )
    }

    /// Whether a model converses in it: what every dialect of conversations can serve.
    #[must_use]
    pub const fn is_conversation(self) -> bool {
        matches!(
            self,
            Self::Chat | Self::Completions | Self::Responses | Self::Messages | Self::Generate
        )
    }
}
