//! How are keys asked for, and how is money kept?
//!
//! The settings of governance that belong to no tier; who may spend what is in [`tenants`](super::tenants).
//!
//! # Invariants
//! - Each default is a constant with its reason.

use std::path::PathBuf;

use super::period::{Length, Unit};

/// How keys are asked for, and how money is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Governance {
    /// Whether the table is written: the ledger is kept then, although nobody is declared yet.
    pub is_written: bool,
    /// Folder of the ledger and of history; it belongs to one process at a time.
    pub data: PathBuf,
    /// Whether every request needs a virtual key; none is written: as soon as there is one, declared or made.
    pub keys_required: Option<bool>,
    /// Output tokens that are reserved for where neither the request nor the model says a most.
    pub assumed_output_tokens: u32,
    /// What becomes of an attempt whose price nobody knows.
    pub unknown_price: UnknownPrice,
    /// What a loss of power may take of the ledger.
    pub sync: Sync,
    /// How long entries of history are kept.
    pub keep: Length,
    /// Bytes that history may have before its oldest entries are removed.
    pub keep_size: usize,
}

/// What becomes of an attempt whose price nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownPrice {
    /// It is made, charged as far as its price is known, and told: the default, since a missing price is no reason not to answer.
    #[default]
    Flag,
    /// It is not made: for budgets that must hold whatever the catalogue lacks.
    Refuse,
}

/// What a loss of power may take of the ledger; a crash of the process takes nothing either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// The last second: the default, since one sync a second costs requests nothing.
    #[default]
    EverySecond,
    /// What the operating system has not written yet, half a minute as a rule.
    Os,
}

impl Governance {
    /// Beside the file.
    pub const DATA: &str = "data";
    /// 4,096 tokens: a long answer. More refuses requests while a budget nears its end, although they would cost less; less lets a long one cost more than was reserved.
    pub const ASSUMED_OUTPUT_TOKENS: u32 = 4_096;
    /// 90 days: a quarter's bill can be taken apart; sums by day stay for ever.
    pub const KEEP: Length = Length {
        count: 90,
        unit: Unit::Day,
    };
    /// 4 GiB: it fits the smallest disk that is rented, beside the ledger.
    pub const KEEP_SIZE: usize = 4 << 30;
}

impl Default for Governance {
    fn default() -> Self {
        Self {
            is_written: false,
            data: Self::DATA.into(),
            keys_required: None,
            assumed_output_tokens: Self::ASSUMED_OUTPUT_TOKENS,
            unknown_price: UnknownPrice::default(),
            sync: Sync::default(),
            keep: Self::KEEP,
            keep_size: Self::KEEP_SIZE,
        }
    }
}
