//! What does a key mean, and what is a piece of media?
//!
//! # Invariants
//! - A key that is not known here is text, as is media of a type that is not known.

/// Tokens of a document: a page has up to 3,000 of text and 1,600 as a picture (Anthropic's figures).
const DOCUMENT: u64 = 4_600;

/// Characters of base64 to a token of a document or film: a page of a PDF has 50 kB as a rule, and this is 6,600 tokens of it.
const DOCUMENT_CHARS: u64 = 8;

/// Most tokens of one document or film: the context of the models that take them.
const WHOLE_CONTEXT: u64 = 1 << 20;

/// Characters of base64 to a token of sound: 8 kbit/s, and 32 tokens a second.
const SOUND_CHARS: u64 = 41;

/// Least tokens of a sound.
const SOUND: u64 = 64;

/// What a piece of media is said to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, or nobody knows.
    #[default]
    Text,
    Picture,
    Sound,
    /// A PDF or a film.
    Document,
}

impl Kind {
    /// The kind of a media type; some writers escape its slash.
    pub(super) fn of(media_type: &[u8]) -> Self {
        match media_type {
            [b'i', b'm', b'a', b'g', b'e', ..] => Self::Picture,
            [b'a', b'u', b'd', b'i', b'o', ..] => Self::Sound,
            [b'v', b'i', b'd', b'e', b'o', ..] => Self::Document,
            b"application/pdf" | br"application\/pdf" => Self::Document,
            _ => Self::Text,
        }
    }

    /// The tokens of so many characters of base64, if it is no picture.
    pub(super) fn tokens(self, chars: u64) -> u64 {
        match self {
            Self::Text | Self::Picture => 0,
            Self::Sound => (chars / SOUND_CHARS).max(SOUND),
            Self::Document => (chars / DOCUMENT_CHARS).clamp(DOCUMENT, WHOLE_CONTEXT),
        }
    }
}

/// What a key says of the value behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Key {
    #[default]
    Other,
    /// What is behind it goes to the model as it is, whatever it holds.
    Opaque,
    /// A conversation's input, or a tool's.
    Input,
    /// `{"url": …}` or a URL; of a picture, and of other media.
    PictureUrl,
    MediaUrl,
    /// Anthropic's media.
    Source,
    /// Gemini's media.
    Inline,
    /// OpenAI's sound.
    Sound,
    /// A sound that was answered before.
    Spoken,
    FileData,
    Data,
    Url,
    MediaType,
    Id,
    /// A file elsewhere.
    File,
    /// A conversation elsewhere.
    History,
    /// What a vendor's own tool reads.
    Search,
    Type,
    Choices,
    Drafts,
    Candidates,
    Size,
    Quality,
    Width,
    Height,
    Documents,
    Prompt,
    Prediction,
    Tier,
}

impl Key {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"args"
            | b"arguments"
            | b"response"
            | b"parameters"
            | b"input_schema"
            | b"inputSchema"
            | b"schema"
            | b"json_schema"
            | b"responseSchema"
            | b"response_schema"
            | b"responseJsonSchema"
            | b"parametersJsonSchema"
            | b"parameters_json_schema"
            | b"metadata"
            | b"functions" => Self::Opaque,
            b"input" => Self::Input,
            b"image_url" | b"image" => Self::PictureUrl,
            b"video_url" | b"audio_url" => Self::MediaUrl,
            b"source" => Self::Source,
            b"inlineData" | b"inline_data" => Self::Inline,
            b"input_audio" => Self::Sound,
            b"audio" => Self::Spoken,
            b"file_data" => Self::FileData,
            b"data" => Self::Data,
            b"url" | b"file_url" => Self::Url,
            b"media_type" | b"mimeType" | b"mime_type" => Self::MediaType,
            b"id" => Self::Id,
            b"file_id" | b"fileUri" | b"file_uri" => Self::File,
            b"previous_response_id" | b"conversation" | b"cachedContent" | b"cached_content" => {
                Self::History
            }
            b"vector_store_ids"
            | b"googleSearch"
            | b"google_search"
            | b"googleSearchRetrieval"
            | b"google_search_retrieval"
            | b"urlContext"
            | b"url_context"
            | b"web_search_options" => Self::Search,
            b"type" => Self::Type,
            b"n" => Self::Choices,
            b"best_of" => Self::Drafts,
            b"candidateCount" | b"candidate_count" => Self::Candidates,
            b"size" => Self::Size,
            b"quality" => Self::Quality,
            b"width" => Self::Width,
            b"height" => Self::Height,
            b"documents" => Self::Documents,
            b"prompt" => Self::Prompt,
            b"prediction" => Self::Prediction,
            b"service_tier" | b"serviceTier" => Self::Tier,
            _ => Self::Other,
        }
    }
}
