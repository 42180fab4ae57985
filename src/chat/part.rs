//! What does a message consist of?
//!
//! # Invariants
//! - The text of a tool call's arguments is the model's own, byte for byte.
//! - A signature is sent only to its maker.

/// One piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text {
        /// The words.
        text: String,
        /// Whether the provider is asked to cache the prompt up to here.
        cache: bool,
    },
    /// A picture.
    Image(Media),
    /// A document, such as a PDF.
    Document(Media),
    /// Sound.
    Audio(Media),
    /// The model calls a tool.
    ToolCall {
        /// What its result refers to; minted where the provider gave none.
        id: String,
        /// The tool's name.
        name: String,
        /// The arguments: the text of a JSON object, empty if there are none.
        arguments: String,
        /// What the provider signed the call with.
        signature: Option<Signature>,
    },
    /// What a tool answered.
    ToolResult {
        /// The call's id.
        id: String,
        /// The tool's name; empty where the dialect does not tell it.
        name: String,
        /// The answer: texts, and images where the dialect has them.
        content: Vec<Part>,
        /// Whether the tool failed.
        is_error: bool,
        /// Whether the provider is asked to cache the prompt up to here.
        cache: bool,
    },
    /// What the model thought; empty text where it is withheld.
    Thinking {
        /// The thoughts, or their summary.
        text: String,
        /// What the provider signed or encrypted them with.
        signature: Option<Signature>,
    },
    /// Thoughts that only the provider can read.
    Redacted(Signature),
    /// The model's words of refusal.
    Refusal(String),
}

impl Part {
    /// Words without a cache mark.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            cache: false,
        }
    }
}

/// A picture, a document or a sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Where its bytes are.
    pub source: Source,
    /// Its MIME type; empty where the dialect does not tell it.
    pub mime: String,
    /// A file's name or title; empty if it has none.
    pub name: String,
    /// How closely an image is to be looked at: `low`, `high`, `auto`; empty if nothing is said.
    pub detail: String,
    /// Whether the provider is asked to cache the prompt up to here.
    pub cache: bool,
}

/// Where a medium's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Here, in base64.
    Base64(String),
    /// At a URL that the provider is to fetch.
    Url(String),
    /// Uploaded before, under this id at the provider.
    File(String),
    /// Plain text.
    Text(String),
}

/// Whose models signed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// OpenAI: encrypted reasoning.
    OpenAi,
    /// Anthropic: signed thinking.
    Anthropic,
    /// Google: thought signatures.
    Google,
}

/// Something that a provider has signed or encrypted, and wants back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who made it.
    pub maker: Maker,
    /// The id that belongs to it, such as a reasoning item's; empty if there is none.
    pub id: String,
    /// The text itself.
    pub text: String,
}

/// What a signature begins with while it travels in another maker's dialect.
const FOREIGN: &str = "trimtab:";

impl Signature {
    /// A signature without an id.
    #[must_use]
    pub fn new(maker: Maker, text: impl Into<String>) -> Self {
        Self {
            maker,
            id: String::new(),
            text: text.into(),
        }
    }

    /// How it is written in the dialect of `carrier`: as it is in its maker's, marked in any other's, so that it can be told apart when it comes back.
    #[must_use]
    pub fn written(&self, carrier: Maker) -> String {
        if self.maker == carrier {
            return self.text.clone();
        }
        format!("{FOREIGN}{}:{}:{}", self.maker.name(), self.id, self.text)
    }

    /// Reads what [`written`](Self::written) wrote, or a signature of the `carrier`'s own.
    #[must_use]
    pub fn read(text: &str, carrier: Maker) -> Self {
        let foreign = text.strip_prefix(FOREIGN).and_then(|rest| {
            let mut fields = rest.splitn(3, ':');
            let maker = Maker::named(fields.next()?)?;
            let (id, text) = (fields.next()?, fields.next()?);
            Some(Self {
                maker,
                id: id.to_owned(),
                text: text.to_owned(),
            })
        });
        foreign.unwrap_or_else(|| Self::new(carrier, text))
    }
}

impl Maker {
    const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Google];

    const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|maker| maker.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_finds_its_maker_again() {
        for maker in Maker::ALL {
            for carrier in Maker::ALL {
                let mut signature = Signature::new(maker, "a:b/c==");
                if maker != carrier {
                    signature.id = "rs_1".to_owned();
                }
                assert_eq!(
                    Signature::read(&signature.written(carrier), carrier),
                    signature
                );
            }
        }
        let odd = Signature::read("trimtab:nobody:x:y", Maker::Anthropic);
        assert_eq!(odd, Signature::new(Maker::Anthropic, "trimtab:nobody:x:y"));
    }
}
