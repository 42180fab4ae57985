//! Stand-in model providers: what a gateway can be tried, tested and measured against without any account.
//!
//! A [`Script`] describes providers by latency, limits and faults; [`Mock`] serves them in OpenAI's dialect
//! under `/{provider}/v1/…` and keeps a ledger of everything it was asked.
//! It runs within a test's own runtime, where time can be paused, on a thread of its own, or as a process.
//!
//! # Invariants
//! - Knows nothing of the gateway: what it does depends on the script, the requests and the clock.
//! - Same seed and same order of requests, same noise and same faults.
//! - All time is the runtime's clock; nothing is logged per request.

mod answer;
mod ask;
mod catalogue;
mod control;
mod dates;
mod duration;
mod embedding;
mod error;
mod exchange;
mod faults;
mod ledger;
mod limits;
mod openai;
mod refusals;
mod script;
mod serve;
mod server;
mod state;
mod stream;
mod vendors;
mod world;

#[cfg(test)]
mod tests;

pub use catalogue::{Fault, Kind};
pub use error::MockError;
pub use ledger::{Attempt, CAPACITY, End};
pub use script::{
    ANSWER_TOKENS, AnswerLength, DIMENSIONS, DrawnLength, FaultScript, LONGEST_ANSWER, LimitScript,
    ProviderScript, Script, Slowdown, Vendor,
};
pub use server::{Mock, Running, run};
