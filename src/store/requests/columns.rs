//! Which columns does a block have?
//!
//! # Invariants
//! - An index that was released keeps its meaning; a change is a new [`VERSION`].

/// The version of the layout, a block's first byte.
pub(super) const VERSION: u8 = 1;

/// Rows of a block, at most: enough for columns to pay, few enough to be decoded within 0.1 ms.
pub(super) const MOST_ROWS: usize = 4_096;

/// Columns of a row.
pub(super) const ROW: usize = 32;

/// Columns of an attempt.
pub(super) const LEG: usize = 22;

/// Columns that are numbers of texts: those of a row come first and have the same index as their lexicon.
pub(super) const ENDPOINT: usize = 0;
pub(super) const SURFACE: usize = 1;
pub(super) const MODEL: usize = 2;
pub(super) const ASKED: usize = 3;
pub(super) const WORKFLOW: usize = 4;
pub(super) const KEY: usize = 5;
pub(super) const TEAM: usize = 6;
pub(super) const CUSTOMER: usize = 7;
pub(super) const ENDING: usize = 8;
pub(super) const FAULT: usize = 9;
pub(super) const CACHE: usize = 10;

/// The lexicons of attempts' texts: routes, modes and outcomes.
pub(super) const ROUTES: usize = 11;
pub(super) const MODES: usize = 12;
pub(super) const OUTCOMES: usize = 13;

/// Lexicons of a block.
pub(super) const LEXICONS: usize = 14;

/// What a route's name stands for: provider, model, key, region.
pub(super) const PARTS: usize = 4;

/// The number's upper half, as its place in the block's list, and its lower half.
pub(super) const HIGH: usize = 11;
pub(super) const LOW: usize = 12;
pub(super) const AT: usize = 13;
pub(super) const TOOK: usize = 14;
pub(super) const OVERHEAD: usize = 15;
/// What may be missing is one more than it is, or 0.
pub(super) const FIRST: usize = 16;
pub(super) const FLAGS: usize = 17;
pub(super) const STATUS: usize = 18;
pub(super) const MAX_TOKENS: usize = 19;
pub(super) const SESSION: usize = 20;
pub(super) const TRACE_HIGH: usize = 21;
pub(super) const TRACE_LOW: usize = 22;
/// Five of them.
pub(super) const TOKENS: usize = 23;
pub(super) const COST: usize = 28;
pub(super) const SAVED: usize = 29;
/// Where a row's attempts end among those of the block, and where its id ends among the ids' text.
pub(super) const LEGS_END: usize = 30;
pub(super) const ID_END: usize = 31;

pub(super) const LEG_VIA: usize = 0;
pub(super) const LEG_MODE: usize = 1;
pub(super) const LEG_OUTCOME: usize = 2;
pub(super) const LEG_PROPENSITY: usize = 3;
pub(super) const LEG_SCORE: usize = 4;
/// Six of them, with the sign in the lowest bit.
pub(super) const LEG_TERMS: usize = 5;
pub(super) const LEG_BEGAN: usize = 11;
pub(super) const LEG_SENT: usize = 12;
pub(super) const LEG_FIRST: usize = 13;
pub(super) const LEG_TOOK: usize = 14;
pub(super) const LEG_STATUS: usize = 15;
pub(super) const LEG_TOKENS: usize = 16;
pub(super) const LEG_COST: usize = 21;

/// Bits of the flags.
pub(super) const IS_STREAM: u64 = 1;
pub(super) const IS_EXPLAINED: u64 = 1 << 1;
pub(super) const HAS_CONTENT: u64 = 1 << 2;
pub(super) const IS_NAMED: u64 = 1 << 3;
pub(super) const HAS_SESSION: u64 = 1 << 4;
pub(super) const HAS_TRACE: u64 = 1 << 5;
