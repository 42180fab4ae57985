//! What is different when Google's or Anthropic's models are asked through Vertex AI: the credential and a field of the body.
//!
//! The formats themselves are Gemini's and Anthropic's own.
//! Sources: Vertex AI's reference (generateContent, rawPredict), Anthropic's page on Vertex AI, and Google's page on
//! OAuth 2.0 for server-to-server applications.
//!
//! # Invariants
//! - No key and no token appears in an error or in debug output.

pub mod body;
pub mod token;
