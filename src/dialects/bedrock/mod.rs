//! The dialect of Amazon Bedrock: the Converse operations, their event stream, their errors and how a request is signed.
//!
//! Only providers speak it. Model and streaming are told by the path, and a stream is framed in binary:
//! [`frames`] takes it apart, [`events`] reads what is inside.
//! Sources: Amazon Bedrock's API reference (Converse, ConverseStream) and the Smithy description of event streams.
//!
//! # Invariants
//! - No credential appears in an error or in debug output.

pub mod answer;
pub mod credentials;
pub mod error;
pub mod events;
pub mod frames;
mod media;
pub mod request;
pub mod sign;
mod wire;
