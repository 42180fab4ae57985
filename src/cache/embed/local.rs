//! A sentence-transformers folder, loaded into this process.
//!
//! # Invariants
//! - A folder is loaded whole and checked whole, or not at all, and the error names the file and what is wrong with it.
//! - A text is never cut: one that is longer than the model reads has no vector.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use fearless_simd::Level;

use super::curves::Norm;
use super::matrix::Panels;
use super::model::{Layer, Model};
use super::settings::{Places, Pooling, Prompts, Sentence, Shape};
use super::weights::Weights;
use super::words::Words;
use super::{Embed, EmbedError};

/// Bytes of settings that are read; those of real models have a few thousand.
const SETTINGS_BYTES: u64 = 1 << 20;

/// Bytes of a tokenizer that are read; the largest multilingual ones have some twenty million.
const TOKENIZER_BYTES: u64 = 64 << 20;

/// Bytes of weights that are read: the larger BERT has 1.3 GB.
const WEIGHT_BYTES: u64 = 4 << 30;

/// Bytes a token that a text may have at most, so that a book is refused without being cut: prose has four, and a rare word some ten.
const TOKEN_BYTES: usize = 64;

/// Bytes of the digest that go into the name.
const NAME_BYTES: usize = 8;

/// A model of the BERT family that runs in this process.
#[derive(Debug)]
pub struct Local {
    name: String,
    pub(super) words: Words,
    pub(super) model: Model,
    pooling: Pooling,
    sentence: Sentence,
    limit: usize,
}

/// Why a folder gives no embedder.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", file.display())]
pub struct LoadError {
    /// The file that is missing, broken or of another make.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// The folder while it is read, and the digest of what was read.
struct Folder {
    path: PathBuf,
    digest: digest::Context,
}

impl Local {
    /// Loads a sentence-transformers folder.
    ///
    /// Blocks while it reads and lays out the weights: some 0.2 s for 90 MB.
    ///
    /// # Errors
    /// The first file that is missing, broken or of another make.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let mut folder = Folder {
            path: folder.to_owned(),
            digest: digest::Context::new(&digest::SHA256),
        };
        let places = folder
            .parse_if_there(Path::new("modules.json"), Places::read)?
            .unwrap_or_else(Places::usual);
        folder.parse_if_there(
            Path::new("config_sentence_transformers.json"),
            Prompts::read,
        )?;

        let config = places.encoder.join("config.json");
        let shape = folder.parse(&config, Shape::read)?;
        let pooling = folder.parse(&places.pooling.join("config.json"), Pooling::read)?;
        let sentence = places.encoder.join("sentence_bert_config.json");
        let (sentence, limit) = folder
            .parse_if_there(&sentence, |json| {
                let sentence = Sentence::read(json)?;
                Ok((sentence, sentence.limit(shape.places)?))
            })?
            .unwrap_or((Sentence::default(), shape.places));
        let words = folder.parse(&places.encoder.join("tokenizer.json"), |json| {
            let words = Words::read(json)?;
            if words.end() as usize > shape.words {
                let (last, rows) = (words.end() - 1, shape.words);
                return Err(format!(
                    "has token {last}, but vocab_size of config.json is {rows}"
                ));
            }
            Ok(words)
        })?;
        let weights = places.encoder.join("model.safetensors");
        let model = folder.parse(&weights, |bytes| model(bytes, &shape))?;
        Ok(Self {
            name: folder.name(),
            words,
            model,
            pooling,
            sentence,
            limit,
        })
    }

    /// Tokens of the text, those that frame it included.
    #[must_use]
    pub fn tokens(&self, text: &str) -> usize {
        self.cut(text).len()
    }

    /// The most tokens of a text that has a vector.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    fn cut(&self, text: &str) -> Vec<u32> {
        if self.sentence.do_lower_case {
            self.words.cut(&text.to_lowercase())
        } else {
            self.words.cut(text)
        }
    }
}

impl Embed for Local {
    fn name(&self) -> &str {
        &self.name
    }

    fn width(&self) -> usize {
        self.model.width
    }

    fn embed(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let (bytes, limit) = (text.len(), self.limit);
        if bytes > limit * TOKEN_BYTES {
            return Err(EmbedError(format!(
                "the text has {bytes} bytes, the model reads {limit} tokens"
            )));
        }
        let tokens = self.cut(text);
        let count = tokens.len();
        if count > limit {
            return Err(EmbedError(format!(
                "the text has {count} tokens, the model reads {limit}"
            )));
        }
        if count == 0 {
            return Err(EmbedError("the text has no tokens".into()));
        }
        let rows = self.model.forward(&tokens);
        let rows = rows.get().chunks_exact(self.model.width);
        unit(match self.pooling {
            Pooling::First => sum(rows.take(1), self.model.width),
            Pooling::Mean => sum(rows, self.model.width),
        })
    }
}

impl Folder {
    /// Reads a file that must be there.
    fn parse<T>(
        &mut self,
        file: &Path,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, LoadError> {
        match self.parse_if_there(file, read)? {
            Some(parsed) => Ok(parsed),
            None => Err(self.fault(file, "is missing".into())),
        }
    }

    /// Reads a file that may be there.
    fn parse_if_there<T>(
        &mut self,
        file: &Path,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, LoadError> {
        let most = match file.extension().and_then(|extension| extension.to_str()) {
            Some("safetensors") => WEIGHT_BYTES,
            _ if file.ends_with("tokenizer.json") => TOKENIZER_BYTES,
            _ => SETTINGS_BYTES,
        };
        let bytes = match bytes(&self.path.join(file), most) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.fault(file, error.to_string())),
        };
        self.digest.update(&bytes);
        match read(&bytes) {
            Ok(parsed) => Ok(Some(parsed)),
            Err(what) => Err(self.fault(file, what)),
        }
    }

    fn fault(&self, file: &Path, what: String) -> LoadError {
        LoadError {
            file: self.path.join(file),
            what,
        }
    }

    /// The folder's own name, and what its files hold.
    fn name(self) -> String {
        let path = self.path.canonicalize().unwrap_or(self.path);
        let folder = path.file_name().unwrap_or_default().to_string_lossy();
        let mut name = format!("{folder}@");
        for byte in &self.digest.finish().as_ref()[..NAME_BYTES] {
            // A string takes all that is written to it.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }
}

/// All of a file, which may be a device that never ends.
fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(most)).unwrap_or(0));
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("is longer than {most} bytes")));
    }
    Ok(bytes)
}

/// Builds the model from its weights.
fn model(bytes: &[u8], shape: &Shape) -> Result<Model, String> {
    let weights = Weights::read(bytes)?;
    let width = shape.width;
    let words = weights.get("embeddings.word_embeddings.weight", &[shape.words, width])?;
    let mut places = weights.get(
        "embeddings.position_embeddings.weight",
        &[shape.places, width],
    )?;
    let kinds = weights.get(
        "embeddings.token_type_embeddings.weight",
        &[shape.kinds, width],
    )?;
    for place in places.chunks_exact_mut(width) {
        for (number, kind) in place.iter_mut().zip(&kinds) {
            *number += kind;
        }
    }
    Ok(Model {
        level: Level::new(),
        width,
        heads: shape.heads,
        words,
        places,
        norm: norm(&weights, shape, "embeddings.LayerNorm")?,
        layers: (0..shape.layers)
            .map(|index| layer(&weights, shape, &format!("encoder.layer.{index}")))
            .collect::<Result<_, _>>()?,
    })
}

fn layer(weights: &Weights<'_>, shape: &Shape, at: &str) -> Result<Layer, String> {
    let (width, middle) = (shape.width, shape.middle);
    let mut attention = (Vec::new(), Vec::new());
    for part in ["query", "key", "value"] {
        let part = format!("{at}.attention.self.{part}");
        attention
            .0
            .extend(weights.get(&format!("{part}.weight"), &[width, width])?);
        attention
            .1
            .extend(weights.get(&format!("{part}.bias"), &[width])?);
    }
    let linear = |name: &str, to: usize, from: usize| -> Result<Panels, String> {
        let numbers = weights.get(&format!("{at}.{name}.weight"), &[to, from])?;
        let bias = weights.get(&format!("{at}.{name}.bias"), &[to])?;
        Ok(Panels::linear(&numbers, &bias))
    };
    Ok(Layer {
        attention: Panels::linear(&attention.0, &attention.1),
        merge: linear("attention.output.dense", width, width)?,
        merge_norm: norm(weights, shape, &format!("{at}.attention.output.LayerNorm"))?,
        widen: linear("intermediate.dense", middle, width)?,
        narrow: linear("output.dense", width, middle)?,
        norm: norm(weights, shape, &format!("{at}.output.LayerNorm"))?,
    })
}

fn norm(weights: &Weights<'_>, shape: &Shape, at: &str) -> Result<Norm, String> {
    Ok(Norm {
        weight: weights.get(&format!("{at}.weight"), &[shape.width])?,
        bias: weights.get(&format!("{at}.bias"), &[shape.width])?,
        epsilon: shape.epsilon,
    })
}

/// The sum of rows; of the mean it has the direction.
fn sum<'a>(rows: impl Iterator<Item = &'a [f32]>, width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    for row in rows {
        for (sum, number) in sums.iter_mut().zip(row) {
            *sum += number;
        }
    }
    sums
}

/// The vector of unit length in the same direction.
fn unit(mut vector: Vec<f32>) -> Result<Vec<f32>, EmbedError> {
    let square: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
    let length = square.sqrt();
    if !(length.is_finite() && length > 0.0) {
        return Err(EmbedError("the model gives the text no direction".into()));
    }
    for number in &mut vector {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a number of a unit vector is at most 1"
        )]
        let share = (f64::from(*number) / length) as f32;
        *number = share;
    }
    Ok(vector)
}
