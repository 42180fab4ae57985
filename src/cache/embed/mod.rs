//! What does a text mean, as a vector?
//!
//! # Invariants
//! - A vector has unit length, so that the cosine of two is their product.
//! - Vectors of two embedders are never compared: each has a name of its own.

/// Turns texts into vectors.
pub trait Embed: Send + Sync {
    /// What tells this embedder from every other, such as the digest of its weights.
    fn name(&self) -> &str;

    /// Numbers in a vector.
    fn width(&self) -> usize;

    /// The text's vector, of unit length.
    ///
    /// # Errors
    /// [`EmbedError`], when there is none.
    fn embed(&self, text: &str) -> Result<Vec<f32>, EmbedError>;
}

/// Why a text has no vector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EmbedError(pub String);
