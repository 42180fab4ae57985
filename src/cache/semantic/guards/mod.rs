//! Do two texts differ in a word that their answers will repeat?
//!
//! A cosine cannot tell: prompts of one template are nearer to each other than true paraphrases are.
//! So two texts may share an answer only if each word of theirs that carries meaning is found in the other, as itself, as an inflection, as a synonym of the tables or as a slip of the keyboard, in an order that says the same.
//! What the tables do not know is a difference: a word can be missing from them and cost a hit, never add a wrong one.
//! A text whose language is not English must agree word by word.
//!
//! # Invariants
//! - [`veto`] is symmetric, never panics, and lets every text within [`MOST_BYTES`] that has a word answer itself.
//! - Work is bounded: a longer text is not looked at, and no word of one text is compared with more than [`MOST_STRANGERS`] of the other.
//! - Nothing here reads a clock, a file or a vector.

mod compare;
mod digits;
mod features;
mod lexicon;
mod marks;
mod order;
mod slip;
mod stem;
mod token;
mod verdict;

#[cfg(test)]
mod tests;

pub use compare::veto;
pub use features::Features;
pub use verdict::Veto;

/// The longest text that is looked at, in bytes: beyond it a prompt is a document, two of which are never the same by accident.
pub const MOST_BYTES: usize = 8 << 10;

/// Words of one text without a partner in the other, beyond which nothing is tried to explain them: nobody mistypes more in one question.
pub const MOST_STRANGERS: usize = 4;

/// Words that carry meaning, beyond which they must come in the same order: pairs of them are compared, so this bounds the square.
pub const MOST_REORDERED: usize = 192;
