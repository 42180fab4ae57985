//! Stand-in model providers: what a gateway can be tried, tested and measured against without any account.
//!
//! A [`Script`] describes providers by latency, limits and faults; [`Mock`] serves each in every vendor's dialect
//! under `/{provider}/…` and keeps a ledger of everything it was asked.
//! It runs within a test's own runtime, where time can be paused, on a thread of its own, or as a process.
//!
//! # Invariants
//! - Knows nothing of the gateway: what it does depends on the script, the requests and the clock.
//! - Same seed and same order of requests, same noise and same faults.
//! - All time is the runtime's clock; nothing is logged per request.

mod answer;
mod anthropic;
mod anthropic_rules;
mod ask;
mod audio;
mod azure;
mod bedrock;
mod bedrock_rules;
mod bill;
mod catalogue;
mod cohere;
mod control;
mod counting_rules;
mod dates;
mod door;
mod duration;
mod embedding;
mod endpoint;
mod error;
mod exchange;
mod faults;
mod form;
mod frames;
mod gemini;
mod gemini_rules;
mod images;
mod ledger;
mod limits;
mod media;
mod narration;
mod objects;
mod openai;
mod plan;
mod refusals;
mod responses;
mod rules;
mod script;
mod serve;
mod server;
mod shelf;
mod state;
mod stream;
mod tongue;
mod vendors;
mod wording;
mod world;

#[cfg(test)]
mod tests;

pub use bill::Billed;
pub use catalogue::{Fault, Kind};
pub use error::MockError;
pub use ledger::{Attempt, CAPACITY, End, REQUEST_BYTES, REQUESTS, Received, Total};
pub use script::{
    ANSWER_TOKENS, AnswerLength, DIMENSIONS, DrawnLength, FaultScript, LONGEST_ANSWER, LimitScript,
    Prefill, ProviderScript, Script, Slowdown, Vendor,
};
pub use server::{Mock, Running, run};
