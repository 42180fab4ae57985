//! What a word does in a sentence besides meaning something: it asks, denies, allows, dates, points at a person or governs the next.

/// A set of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks(u64);

impl Marks {
    pub(super) const NONE: Self = Self(0);
    pub(super) const HOW: Self = Self(1);
    pub(super) const WHAT: Self = Self(1 << 1);
    pub(super) const WHY: Self = Self(1 << 2);
    pub(super) const WHEN: Self = Self(1 << 3);
    pub(super) const WHERE: Self = Self(1 << 4);
    pub(super) const WHO: Self = Self(1 << 5);
    pub(super) const MANY: Self = Self(1 << 6);
    pub(super) const MUCH: Self = Self(1 << 7);
    pub(super) const LONG: Self = Self(1 << 8);
    pub(super) const OFTEN: Self = Self(1 << 9);
    pub(super) const FAR: Self = Self(1 << 10);
    pub(super) const OLD: Self = Self(1 << 11);
    pub(super) const WHETHER: Self = Self(1 << 12);
    pub(super) const CAN: Self = Self(1 << 13);
    pub(super) const SHOULD: Self = Self(1 << 14);
    pub(super) const MUST: Self = Self(1 << 15);
    pub(super) const PAST: Self = Self(1 << 16);
    pub(super) const PRESENT: Self = Self(1 << 17);
    pub(super) const FUTURE: Self = Self(1 << 18);
    pub(super) const NOT: Self = Self(1 << 19);
    /// Points at somebody else: he, hers, we.
    pub(super) const THIRD: Self = Self(1 << 20);
    pub(super) const MY: Self = Self(1 << 22);
    pub(super) const YOUR: Self = Self(1 << 23);
    pub(super) const I: Self = Self(1 << 24);
    pub(super) const YOU: Self = Self(1 << 25);
    /// Joins its neighbours without an order of their own: and, or.
    pub(super) const JOINS: Self = Self(1 << 26);
    /// Governs the words after it.
    pub(super) const GOVERNS: Self = Self(1 << 27);
    /// Opens a question that is answered by yes or no.
    pub(super) const OPENS: Self = Self(1 << 28);
    /// Is a word of English and of no other language.
    pub(super) const ENGLISH: Self = Self(1 << 29);
    /// Opens a clause that may stand in front or at the end.
    pub(super) const CLAUSE: Self = Self(1 << 30);
    /// A form of to be, as stands before a passive verb.
    pub(super) const BE: Self = Self(1 << 31);
    /// Points back at what was named: it, this.
    pub(super) const POINTS: Self = Self(1 << 32);
    /// Shows that what is asked for is not the subject: who *do* you pay.
    pub(super) const ACTS: Self = Self(1 << 34);
    /// Asks for yes or no wherever it stands: whether.
    pub(super) const ASKS: Self = Self(1 << 33);

    /// Who asks and who is asked.
    pub(super) const SPEAKERS: Self = Self(Self::I.0 | Self::YOU.0 | Self::MY.0 | Self::YOUR.0);

    /// What says nothing about the sentence as a whole.
    pub(super) const SILENT: Self = Self(
        Self::OPENS.0
            | Self::JOINS.0
            | Self::GOVERNS.0
            | Self::ENGLISH.0
            | Self::CLAUSE.0
            | Self::BE.0
            | Self::ASKS.0,
    );

    /// Questions that want a fact of one kind; the others are how, what and whether.
    pub(super) const FACTS: Self = Self(0b1111_1111_1100);
    pub(super) const QUESTIONS: Self = Self(0b1111_1111_1111);
    pub(super) const MODES: Self = Self(0b111 << 13);

    /// Every mark that a table may name.
    pub(super) const NAMED: &'static [(&'static str, Self)] = &[
        ("how", Self::HOW),
        ("what", Self::WHAT),
        ("why", Self::WHY),
        ("when", Self::WHEN),
        ("where", Self::WHERE),
        ("who", Self::WHO),
        ("many", Self::MANY),
        ("much", Self::MUCH),
        ("long", Self::LONG),
        ("often", Self::OFTEN),
        ("far", Self::FAR),
        ("old", Self::OLD),
        ("whether", Self::WHETHER),
        ("can", Self::CAN),
        ("should", Self::SHOULD),
        ("must", Self::MUST),
        ("past", Self::PAST),
        ("present", Self::PRESENT),
        ("future", Self::FUTURE),
        ("not", Self::NOT),
        ("third", Self::THIRD),
        ("my", Self::MY),
        ("your", Self::YOUR),
        ("i", Self::I),
        ("you", Self::YOU),
        ("joins", Self::JOINS),
        ("governs", Self::GOVERNS),
        ("opens", Self::OPENS),
        ("english", Self::ENGLISH),
        ("clause", Self::CLAUSE),
        ("be", Self::BE),
        ("points", Self::POINTS),
        ("asks", Self::ASKS),
        ("acts", Self::ACTS),
    ];

    /// Whether any of the other's marks are here.
    pub(super) fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The marks that are in both.
    pub(super) fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The marks that are not in the other.
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are none.
    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }
}
