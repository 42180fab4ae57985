//! What can be asked of a provider, whatever the words.
//!
//! # Invariants
//! - Whether an endpoint speaks decides whether the script's length of an answer counts for it.

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Endpoint {
    #[default]
    Chat,
    Text,
    Embedding,
    /// Anthropic's messages.
    Messages,
    /// Anthropic's count of a message's tokens.
    CountTokens,
    /// OpenAI's responses.
    Responses,
    /// OpenAI's count of a response's input.
    InputTokens,
    /// Gemini's content.
    Generate,
    /// Gemini's count of a request's tokens.
    GenerateCount,
    /// Gemini's vectors: one, or several at once.
    GenerateVectors,
    /// Bedrock's conversation.
    Converse,
    /// Bedrock's count of a conversation's tokens.
    ConverseCount,
    /// Cohere's chat.
    CohereChat,
    /// Cohere's vectors.
    CohereEmbed,
    /// Documents in order of relevance.
    Rerank,
    /// Pictures, sound and judgements, of OpenAI.
    Media(Media),
    /// Something that the provider remembers.
    Object(Object, Deed),
}

/// What OpenAI serves besides text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Moderation,
    Picture,
    Edit,
    Variation,
    Speech,
    Transcription,
    Translation,
}

/// A kind of thing that a provider remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    Response,
    File,
    Batch,
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Create,
    List,
    Read,
    /// To fetch what a file holds.
    Content,
    /// To list what a response was made from.
    Items,
    Cancel,
    Delete,
}

impl Endpoint {
    /// What the ledger calls it.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Text => "completions",
            Self::Embedding => "embeddings",
            Self::Messages => "messages",
            Self::CountTokens => "messages/count_tokens",
            Self::Responses => "responses",
            Self::InputTokens => "responses/input_tokens",
            Self::Generate => "models:generateContent",
            Self::GenerateCount => "models:countTokens",
            Self::GenerateVectors => "models:embedContent",
            Self::Converse => "converse",
            Self::ConverseCount => "count-tokens",
            Self::CohereChat => "chat",
            Self::CohereEmbed => "embed",
            Self::Rerank => "rerank",
            Self::Media(media) => media.path(),
            Self::Object(Object::File, Deed::Create | Deed::List) => "files",
            Self::Object(Object::File, Deed::Content) => "files/{id}/content",
            Self::Object(Object::File, _) => "files/{id}",
            Self::Object(Object::Batch, Deed::Create | Deed::List) => "batches",
            Self::Object(Object::Batch, Deed::Cancel) => "batches/{id}/cancel",
            Self::Object(Object::Batch, _) => "batches/{id}",
            Self::Object(Object::Response, Deed::Items) => "responses/{id}/input_items",
            Self::Object(Object::Response, Deed::Cancel) => "responses/{id}/cancel",
            Self::Object(Object::Response, _) => "responses/{id}",
        }
    }

    /// Whether it needs a model that the provider serves; where a model has a default, none needs to be named.
    pub(super) fn takes_model(self, model: &str) -> bool {
        match self {
            Self::Object(..) => false,
            Self::Media(_) => !model.is_empty(),
            _ => true,
        }
    }

    /// Whether it answers in words, as long as the script says.
    pub(super) fn speaks(self) -> bool {
        matches!(
            self,
            Self::Chat
                | Self::Text
                | Self::Messages
                | Self::Responses
                | Self::Generate
                | Self::Converse
                | Self::CohereChat
                | Self::Media(Media::Transcription | Media::Translation)
        )
    }
}

impl Media {
    fn path(self) -> &'static str {
        match self {
            Self::Moderation => "moderations",
            Self::Picture => "images/generations",
            Self::Edit => "images/edits",
            Self::Variation => "images/variations",
            Self::Speech => "audio/speech",
            Self::Transcription => "audio/transcriptions",
            Self::Translation => "audio/translations",
        }
    }
}
