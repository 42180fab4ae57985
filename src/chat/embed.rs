//! What is to be embedded, and which vectors came of it?
//!
//! # Invariants
//! - Vectors stand in the order of their inputs, and every number in them is finite.

/// Texts whose vectors are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedRequest {
    /// What is to be embedded, at least one.
    pub inputs: Vec<EmbedInput>,
    /// How many numbers a vector is to have; the model's own number if absent.
    pub dimensions: Option<u32>,
    /// The end user, as the client names them.
    pub user: Option<String>,
    /// How the client wants the vectors written.
    pub encoding: EmbedEncoding,
    /// What the vectors are for, where it makes a difference.
    pub task: Option<EmbedTask>,
    /// Fields that were read but have no meaning here, by their names in the client's dialect: a writer reports them as lost.
    pub unknown: Vec<&'static str>,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbedInput {
    /// Words.
    Text(String),
    /// The ids of tokens, by the model's own tokenizer; few providers take them.
    Tokens(Vec<u32>),
}

/// How a vector is written in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmbedEncoding {
    /// As a list of numbers.
    #[default]
    Float,
    /// As the base64 of its little-endian 32-bit floats.
    Base64,
}

/// What a vector is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbedTask {
    /// To search with.
    Query,
    /// To be found.
    Document,
    /// To be compared with others.
    Similarity,
    /// To be classified.
    Classification,
    /// To be grouped.
    Clustering,
}

/// The vectors of a request's inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbedAnswer {
    /// A vector for each input.
    pub vectors: Vec<Vec<f32>>,
    /// The model that made them, in the provider's words; empty if it does not say.
    pub model: String,
    /// Input tokens, if the provider says.
    pub input_tokens: Option<u64>,
}
