//! The reasons for which one text's answer does not answer another.

/// Why one text's answer does not answer the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Veto {
    /// One of them has no words.
    Empty,
    /// One of them is longer than [`super::MOST_BYTES`].
    TooLong,
    /// Numbers, amounts, versions or times differ, or stand in another order.
    Numbers,
    /// Quoted text or code differs.
    Quoted,
    /// One asks how, the other why, when, where, who or whether.
    Question,
    /// One denies what the other says.
    Negation,
    /// One says may, must or should, or was or will be, where the other does not.
    Mode,
    /// They speak of different persons: mine and yours, his and hers.
    Person,
    /// Identifiers, files, addresses or symbols differ.
    Identifiers,
    /// A word stands against its opposite.
    Antonyms,
    /// A month, a day or another time differs.
    Dates,
    /// A unit or a currency differs.
    Units,
    /// A language differs, or they are in a language that is not known here and differ in a word.
    Language,
    /// A colour differs.
    Colours,
    /// A name differs.
    Names,
    /// Long texts that share a frame differ in a few words.
    Template,
    /// Any other word differs.
    Words,
    /// The same words play other roles.
    Order,
}

impl Veto {
    /// The reason as it stands in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Numbers => "numbers",
            Self::Quoted => "quoted",
            Self::Question => "question",
            Self::Negation => "negation",
            Self::Mode => "mode",
            Self::Person => "person",
            Self::Identifiers => "identifiers",
            Self::Antonyms => "antonyms",
            Self::Dates => "dates",
            Self::Units => "units",
            Self::Language => "language",
            Self::Colours => "colours",
            Self::Names => "names",
            Self::Template => "template",
            Self::Words => "words",
            Self::Order => "order",
        }
    }
}
