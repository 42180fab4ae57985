//! What does one record say, and how does it lie in the file?
//!
//! Every record has 192 bytes, little-endian, so that a file can be read from any multiple of them and a damaged record costs itself alone.
//! A settlement repeats whom it charges: it counts although its reservation was lost.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–3, 4 | `TTLG`, version 1 |
//! | 5, 6, 7 | kind, slots in use, flags |
//! | 8–23 | id |
//! | 24–31 | instant, µs since 1970 |
//! | 32–39 | amount, nano-dollars; of a roll the end of the window, s since 1970 |
//! | 40–47 | number of the request |
//! | 48–63 | key, model, route, labels |
//! | 64–91 | reserve: version of the prices; settle: seven counts; adjust: the id that it corrects |
//! | 92–187 | twelve slots: account, start of its window in s since 1970 |
//! | 188–191 | CRC-32 of all before |
//!
//! # Invariants
//! - `decode(encode(record)) == Some(record)`, and `decode` accepts no record of which a bit is flipped.
//! - Encoding does not allocate.

use crate::config::Nano;
use crate::config::Window;
use crate::store::Used as Tokens;

/// Bytes of a record.
///
/// Three cache lines: the least multiple of 64 that holds twelve accounts.
pub const SIZE: usize = 192;

/// Accounts that one attempt may charge: four tiers with three budgets each.
pub const SLOTS: usize = 12;

/// What a record begins with; a reader that lost its place looks for it.
pub(super) const MAGIC: &[u8; 4] = b"TTLG";

/// The layout's version.
const VERSION: u8 = 1;

/// Where the checksum lies.
const CRC_AT: usize = SIZE - 4;

/// Where the slots lie.
const SLOTS_AT: usize = 92;

const RESERVE: u8 = 1;
const SETTLE: u8 = 2;
const ROLL: u8 = 3;
const ADJUST: u8 = 4;

/// One fact of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// An attempt is about to be sent.
    Reserve(Reserve),
    /// An attempt has ended.
    Settle(Settle),
    /// An account's window moved.
    Roll(Roll),
    /// An operator corrects.
    Adjust(Adjust),
}

/// What an attempt may cost at most, written before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserve {
    /// The attempt; never used for another one.
    pub id: u128,
    /// When, µs since 1970.
    pub at: i64,
    /// How much it may cost.
    pub amount: Nano,
    /// Who asks for what.
    pub parties: Parties,
    /// Number of the request that it belongs to.
    pub request: u64,
    /// Version of the prices that it was reckoned with.
    pub price: u32,
    /// Whom it charges.
    pub slots: Slots,
}

/// What an attempt did cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settle {
    /// The attempt.
    pub id: u128,
    /// When, µs since 1970.
    pub at: i64,
    /// How much it cost.
    pub amount: Nano,
    /// Who asked for what, as reserved.
    pub parties: Parties,
    /// Number of the request that it belongs to.
    pub request: u64,
    /// What was used.
    pub tokens: Tokens,
    /// How it ended.
    pub flags: Flags,
    /// Whom it charges, as reserved.
    pub slots: Slots,
}

/// An account's window moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roll {
    /// When, µs since 1970.
    pub at: i64,
    /// The account's number.
    pub account: u32,
    /// The window that it is in from now on; its start is 0 to 2³² − 1.
    pub window: Window,
}

/// An operator's correction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjust {
    /// The correction itself; never used for another one.
    pub id: u128,
    /// When, µs since 1970.
    pub at: i64,
    /// The attempt that is put right; none corrects the accounts alone.
    pub target: Option<u128>,
    /// What the attempt cost in truth, or what is added to the accounts, nano-dollars; negative gives back.
    pub amount: i64,
    /// Who asked for what, as reserved.
    pub parties: Parties,
    /// Number of the request, as reserved.
    pub request: u64,
    /// Whom it charges.
    pub slots: Slots,
}

/// Numbers of names; 0 is nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parties {
    /// The virtual key.
    pub key: u32,
    /// The model that was asked for.
    pub model: u32,
    /// The route that was tried.
    pub route: u32,
    /// What the key belonged to then, and its tags: see [`Labels`](super::Labels).
    pub labels: u32,
}

/// How an attempt ended, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

/// An account, in one of its windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// The account's number.
    pub account: u32,
    /// The first second of the window, or of the slice of a rolling one, since 1970; kept as 0 to 2³² − 1.
    pub start: i64,
}

/// Up to [`SLOTS`] accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    list: [Slot; SLOTS],
    count: u8,
}

/// An attempt charges more accounts than a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an attempt may charge at most {SLOTS} budgets; give its tiers fewer")]
pub struct TooManySlots;

impl Flags {
    /// The amount is an estimate, since the provider told no usage.
    pub const ESTIMATED: Self = Self(1);
    /// The client left.
    pub const CANCELED: Self = Self(2);
    /// The provider failed.
    pub const FAILED: Self = Self(4);
    /// It cost more than was reserved.
    pub const OVERRUN: Self = Self(8);
    /// It was answered from our cache.
    pub const FROM_CACHE: Self = Self(16);
    /// Something was used that nobody knows the price of; it costs more than is written.
    pub const UNPRICED: Self = Self(32);

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of those are among these.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

impl Slots {
    /// Adds one.
    ///
    /// # Errors
    /// [`TooManySlots`] if all are in use.
    pub fn push(&mut self, slot: Slot) -> Result<(), TooManySlots> {
        let place = self
            .list
            .get_mut(usize::from(self.count))
            .ok_or(TooManySlots)?;
        place.account = slot.account;
        place.start = i64::from(seconds(slot.start));
        self.count += 1;
        Ok(())
    }

    /// Those in use.
    #[must_use]
    pub fn as_slice(&self) -> &[Slot] {
        &self.list[..usize::from(self.count)]
    }
}

/// Seconds since 1970 as a record holds them.
fn seconds(at: i64) -> u32 {
    u32::try_from(at.max(0)).unwrap_or(u32::MAX)
}

impl Record {
    /// The bytes of it.
    #[must_use]
    pub fn encode(&self) -> [u8; SIZE] {
        let mut page = Page::new();
        match self {
            Self::Reserve(reserve) => {
                page.head(RESERVE, reserve.id, reserve.at);
                page.u64(32, reserve.amount.get());
                page.asked(reserve.request, &reserve.parties);
                page.u32(64, reserve.price);
                page.slots(&reserve.slots);
            }
            Self::Settle(settle) => {
                page.head(SETTLE, settle.id, settle.at);
                page.0[7] = settle.flags.0;
                page.u64(32, settle.amount.get());
                page.asked(settle.request, &settle.parties);
                page.tokens(&settle.tokens);
                page.slots(&settle.slots);
            }
            Self::Roll(roll) => {
                page.head(ROLL, 0, roll.at);
                page.u64(32, roll.window.end.cast_unsigned());
                page.0[6] = 1;
                page.slot(0, roll.account, roll.window.start);
            }
            Self::Adjust(adjust) => {
                page.head(ADJUST, adjust.id, adjust.at);
                page.u64(32, adjust.amount.cast_unsigned());
                page.asked(adjust.request, &adjust.parties);
                page.0[7] = u8::from(adjust.target.is_some());
                page.0[64..80].copy_from_slice(&adjust.target.unwrap_or(0).to_le_bytes());
                page.slots(&adjust.slots);
            }
        }
        page.sealed()
    }

    /// The record that these bytes are, if they are one.
    #[must_use]
    pub fn decode(bytes: &[u8; SIZE]) -> Option<Self> {
        let page = Page(*bytes);
        let whole = bytes.starts_with(MAGIC)
            && bytes[4] == VERSION
            && page.get_u32(CRC_AT) == crc32fast::hash(&bytes[..CRC_AT]);
        if !whole || usize::from(bytes[6]) > SLOTS {
            return None;
        }
        let (id, at) = (page.get_u128(8), page.get_u64(24).cast_signed());
        let amount = page.get_u64(32);
        let (parties, request, slots) = (page.parties(), page.get_u64(40), page.get_slots());
        Some(match bytes[5] {
            RESERVE => Self::Reserve(Reserve {
                id,
                at,
                amount: Nano::new(amount),
                parties,
                request,
                price: page.get_u32(64),
                slots,
            }),
            SETTLE => Self::Settle(Settle {
                id,
                at,
                amount: Nano::new(amount),
                parties,
                request,
                tokens: page.get_tokens(),
                flags: Flags(bytes[7]),
                slots,
            }),
            ROLL => {
                let slot = slots.as_slice().first()?;
                let (start, end) = (slot.start, amount.cast_signed());
                Self::Roll(Roll {
                    at,
                    account: slot.account,
                    window: Window { start, end },
                })
            }
            ADJUST => Self::Adjust(Adjust {
                id,
                at,
                target: (bytes[7] == 1).then(|| page.get_u128(64)),
                amount: amount.cast_signed(),
                parties,
                request,
                slots,
            }),
            _ => return None,
        })
    }
}

/// The bytes of a record while they are written or read.
struct Page([u8; SIZE]);

impl Page {
    fn new() -> Self {
        let mut bytes = [0; SIZE];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = VERSION;
        Self(bytes)
    }

    fn head(&mut self, kind: u8, id: u128, at: i64) {
        self.0[5] = kind;
        self.0[8..24].copy_from_slice(&id.to_le_bytes());
        self.u64(24, at.cast_unsigned());
    }

    fn asked(&mut self, request: u64, parties: &Parties) {
        self.u64(40, request);
        for (at, number) in [
            (48, parties.key),
            (52, parties.model),
            (56, parties.route),
            (60, parties.labels),
        ] {
            self.u32(at, number);
        }
    }

    fn tokens(&mut self, tokens: &Tokens) {
        let counts = [
            tokens.input,
            tokens.cached,
            tokens.write_5m,
            tokens.write_1h,
            tokens.output,
            tokens.reasoning,
            tokens.units,
        ];
        for (index, count) in counts.into_iter().enumerate() {
            self.u32(64 + 4 * index, count);
        }
    }

    fn slots(&mut self, slots: &Slots) {
        self.0[6] = slots.count;
        for (index, slot) in slots.as_slice().iter().enumerate() {
            self.slot(index, slot.account, slot.start);
        }
    }

    fn slot(&mut self, index: usize, account: u32, start: i64) {
        self.u32(SLOTS_AT + 8 * index, account);
        self.u32(SLOTS_AT + 8 * index + 4, seconds(start));
    }

    fn sealed(mut self) -> [u8; SIZE] {
        let crc = crc32fast::hash(&self.0[..CRC_AT]);
        self.u32(CRC_AT, crc);
        self.0
    }

    fn u32(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, at: usize, value: u64) {
        self.0[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[at..at + N]);
        bytes
    }

    fn get_u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.get(at))
    }

    fn get_u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.get(at))
    }

    fn get_u128(&self, at: usize) -> u128 {
        u128::from_le_bytes(self.get(at))
    }

    fn parties(&self) -> Parties {
        Parties {
            key: self.get_u32(48),
            model: self.get_u32(52),
            route: self.get_u32(56),
            labels: self.get_u32(60),
        }
    }

    fn get_tokens(&self) -> Tokens {
        Tokens {
            input: self.get_u32(64),
            cached: self.get_u32(68),
            write_5m: self.get_u32(72),
            write_1h: self.get_u32(76),
            output: self.get_u32(80),
            reasoning: self.get_u32(84),
            units: self.get_u32(88),
        }
    }

    fn get_slots(&self) -> Slots {
        let mut slots = Slots::default();
        for index in 0..usize::from(self.0[6]).min(SLOTS) {
            let at = SLOTS_AT + 8 * index;
            slots.list[index] = Slot {
                account: self.get_u32(at),
                start: i64::from(self.get_u32(at + 4)),
            };
            slots.count += 1;
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::any_record;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(record in any_record()) {
            prop_assert_eq!(Record::decode(&record.encode()), Some(record));
        }
    }

    #[test]
    fn no_flipped_bit_passes() {
        let mut slots = Slots::default();
        for account in 0..12 {
            slots
                .push(Slot {
                    account,
                    start: 1_800_000_000,
                })
                .unwrap();
        }
        assert_eq!(slots.push(Slot::default()), Err(TooManySlots));
        let bytes = Record::Reserve(Reserve {
            id: 7,
            slots,
            ..Reserve::default()
        })
        .encode();
        for bit in 0..SIZE * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn starts_out_of_range_saturate() {
        let mut slots = Slots::default();
        slots
            .push(Slot {
                account: 1,
                start: -5,
            })
            .unwrap();
        slots
            .push(Slot {
                account: 2,
                start: i64::MAX,
            })
            .unwrap();
        let starts: Vec<i64> = slots.as_slice().iter().map(|slot| slot.start).collect();
        assert_eq!(starts, [0, i64::from(u32::MAX)]);
    }
}
