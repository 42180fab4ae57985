//! What would other constants have made of the requests that the live ones decided?
//!
//! For a sample of first attempts the shadow is asked what it would choose ([`select_beside`](crate::select::select_beside)), and each request's end is counted by how likely the shadow would have chosen the same: self-normalised importance weights (Hesterberg, 1995; Swaminathan and Joachims, 2015).
//! Nothing of it touches the live decisions, so constants can be tried in production.
//!
//! What is estimated is one step: these requests, by the shadow's choice of the first route, on what the live choices taught; what follows a failed first attempt is the live one's.
//!
//! # Invariants
//! - With equal constants every difference is exactly 0 and its interval has no width.
//! - An estimate that the choices do not support is refused, with the reason.

mod estimate;
mod moments;
mod tally;
mod toll;

#[cfg(all(test, not(loom)))]
mod tests;

pub use estimate::{
    CLIPPED_MOST, Estimate, LEAST_EFFECTIVE, LEAST_EFFECTIVE_SHARE, Refusal, UNSUPPORTED_MOST,
    effective,
};
pub use tally::{End, Report, Share, Tally, Weight};
pub use toll::{FAILED_MS, LOST_MS, toll_ms};
