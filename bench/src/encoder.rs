//! A sentence encoder's folder of MiniLM's shape, for whoever has no model at hand.
//!
//! Its weights are random, so its vectors mean nothing; what they cost is the same.
//!
//! # Invariants
//! - The same folder on every machine, whole or not at all, and removed in the end.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

/// all-MiniLM-L6-v2.
const WIDTH: usize = 384;
const MIDDLE: usize = 1_536;
const HEADS: usize = 12;
const LAYERS: usize = 6;
const PLACES: usize = 512;
const WORDS: usize = 30_522;

/// The most tokens of a text.
const LIMIT: usize = 256;

/// Weights are between this and its negative, so that no layer drowns the ones before.
const GREATEST: f32 = 0.05;

/// A folder that is removed with this.
#[derive(Debug)]
pub struct Encoder {
    path: PathBuf,
}

impl Encoder {
    /// Writes the folder, some 90 MB, among the system's temporary files.
    ///
    /// # Errors
    /// That it cannot be written.
    pub fn write() -> anyhow::Result<Self> {
        let name = format!("trimtab-encoder-{}", std::process::id());
        // Made first, so that what was written is removed if the rest fails.
        let encoder = Self {
            path: std::env::temp_dir().join(name),
        };
        let pooling = encoder.path.join("1_Pooling");
        std::fs::create_dir_all(&pooling).with_context(|| format!("{}", pooling.display()))?;
        let config = json!({
            "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
            "hidden_size": WIDTH, "intermediate_size": MIDDLE, "num_attention_heads": HEADS,
            "num_hidden_layers": LAYERS, "max_position_embeddings": PLACES, "vocab_size": WORDS,
            "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        });
        encoder.put("config.json", config.to_string().as_bytes())?;
        let pooling = json!({"pooling_mode_mean_tokens": true});
        encoder.put("1_Pooling/config.json", pooling.to_string().as_bytes())?;
        let sentence = json!({"max_seq_length": LIMIT});
        encoder.put("sentence_bert_config.json", sentence.to_string().as_bytes())?;
        encoder.put("tokenizer.json", tokenizer().to_string().as_bytes())?;
        encoder.put("model.safetensors", &weights()?)?;
        Ok(encoder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn put(&self, file: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.path.join(file);
        std::fs::write(&path, bytes).with_context(|| format!("{}", path.display()))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // What is left behind is in the way of nothing.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn tokenizer() -> serde_json::Value {
    let named = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "word"].map(str::to_owned);
    let rest = (named.len()..WORDS).map(|token| format!("w{token}"));
    let pieces: serde_json::Map<_, _> = named
        .clone()
        .into_iter()
        .chain(rest)
        .enumerate()
        .map(|(token, piece)| (piece, json!(token)))
        .collect();
    json!({
        "normalizer": {"type": "BertNormalizer"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": pieces},
    })
}

fn weights() -> anyhow::Result<Vec<u8>> {
    let rng = &mut SmallRng::seed_from_u64(1);
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: Vec<usize>| {
        let count = shape.iter().product();
        let norm = name.ends_with("LayerNorm.weight");
        let bytes: Vec<u8> = (0..count)
            .map(|_| {
                if norm {
                    1.0
                } else {
                    rng.random_range(-GREATEST..=GREATEST)
                }
            })
            .flat_map(f32::to_le_bytes)
            .collect();
        tensors.push((name, shape, bytes));
    };
    for (name, rows) in [("word", WORDS), ("position", PLACES), ("token_type", 2)] {
        add(
            format!("embeddings.{name}_embeddings.weight"),
            vec![rows, WIDTH],
        );
    }
    let mut norms = vec!["embeddings".to_owned()];
    for layer in 0..LAYERS {
        let at = format!("encoder.layer.{layer}");
        for (name, to, from) in [
            ("attention.self.query", WIDTH, WIDTH),
            ("attention.self.key", WIDTH, WIDTH),
            ("attention.self.value", WIDTH, WIDTH),
            ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", MIDDLE, WIDTH),
            ("output.dense", WIDTH, MIDDLE),
        ] {
            add(format!("{at}.{name}.weight"), vec![to, from]);
            add(format!("{at}.{name}.bias"), vec![to]);
        }
        norms.extend([format!("{at}.attention.output"), format!("{at}.output")]);
    }
    for norm in norms {
        add(format!("{norm}.LayerNorm.weight"), vec![WIDTH]);
        add(format!("{norm}.LayerNorm.bias"), vec![WIDTH]);
    }
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes)?;
            Ok((name.as_str(), view))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(safetensors::serialize(views, None)?)
}
