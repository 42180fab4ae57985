//! What does a text mean, as a vector?
//!
//! [`Local`] runs a sentence encoder in this process, so that no text leaves it and nothing is paid.
//! It loads a folder as one downloads it for sentence-transformers, such as `all-MiniLM-L6-v2`, `bge-small-en-v1.5` or `gte-small`:
//!
//! | file | what is read |
//! | --- | --- |
//! | `config.json` | the BERT family: `model_type` `bert`, GELU, absolute positions |
//! | `model.safetensors` | the weights, as F32, F16 or BF16; all are worked with as F32 |
//! | `tokenizer.json` | WordPiece with BERT's normaliser |
//! | `1_Pooling/config.json` | mean, or the first token (`cls`) |
//! | `sentence_bert_config.json` | may be missing: `max_seq_length`, `do_lower_case` |
//! | `modules.json` | may be missing: where encoder and pooling are |
//! | `config_sentence_transformers.json` | may be missing: refused if texts would need a prompt before them |
//!
//! Vectors are brought to unit length whether or not the folder has a `2_Normalize`.
//! A text that is longer than `max_seq_length` tokens has no vector: its end would not count, and two texts that differ there would be taken for one.
//!
//! An embedding takes milliseconds, so [`Pool`] makes them on threads of its own, and [`Memo`] remembers them.
//!
//! # Invariants
//! - A vector has unit length, so that the cosine of two is their product.
//! - Vectors of two embedders are never compared: each has a name of its own.

mod curves;
mod local;
mod matrix;
mod memo;
mod model;
mod pool;
mod settings;
mod weights;
mod words;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;

pub use local::{LoadError, Local};
pub use memo::{Mark, Memo};
pub use pool::{BUSY, Pending, Pool};

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
