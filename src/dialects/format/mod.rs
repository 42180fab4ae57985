//! What is asked, in which words, and in which words does a provider of some dialect answer it?
//!
//! An [`Endpoint`] is what a client's path names; a [`Format`] is how one kind of request and answer is written.
//! Where a provider has the endpoint's own format, bytes pass unchanged; else the two formats meet in `chat`.
//!
//! # Invariants
//! - A provider's format for an endpoint depends on its dialect, on what it is known to serve and on the model, never on the request.

mod endpoint;
pub mod path;
mod speaker;
mod words;

pub use endpoint::Endpoint;
pub use speaker::Speaker;
pub use words::{Format, Surface};
