//! A model folder of random weights, as small as one can be, and what its numbers are.
//!
//! # Invariants
//! - Weights are multiples of 1/64 between -1 and 1 (norms: 0 and 2), which F16 and BF16 hold exactly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt as _;
use rand::rngs::SmallRng;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

/// Pieces of the vocabulary, in the order of their tokens.
pub(super) const PIECES: [&str; 30] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "e", "##a", "##b", "##c", "##d", "##e",
    "ab", "abc", "##bc", "##cde", "cafe", "decade", "!", ",", "。", "日", "##ss", "e\u{301}", "i",
    "##i", "σ", "ς",
];

/// Sizes of a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) heads: usize,
    /// Numbers of one head.
    pub(super) depth: usize,
    pub(super) middle: usize,
    pub(super) layers: usize,
    pub(super) places: usize,
}

/// Numbers of a tensor and their shape.
pub(super) type Tensor = (Vec<usize>, Vec<f32>);

/// A folder that is removed with this.
pub(super) struct Fixture {
    pub(super) path: PathBuf,
    pub(super) sizes: Sizes,
    pub(super) tensors: BTreeMap<String, Tensor>,
}

impl Sizes {
    /// Sizes that end inside panels and tiles as often as not.
    pub(super) fn draw(rng: &mut SmallRng) -> Self {
        Self {
            heads: rng.random_range(1..=3),
            depth: rng.random_range(1..=24),
            middle: rng.random_range(1..=70),
            layers: rng.random_range(1..=2),
            places: rng.random_range(2..=40),
        }
    }

    pub(super) fn width(self) -> usize {
        self.heads * self.depth
    }
}

impl Fixture {
    /// Writes a folder.
    pub(super) fn new(sizes: Sizes, rng: &mut SmallRng) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir()
            .join(format!("trimtab-embed-{}-{number}", std::process::id()))
            .join("tiny");
        std::fs::create_dir_all(path.join("1_Pooling")).unwrap();
        let fixture = Self {
            path,
            sizes,
            tensors: tensors(sizes, rng),
        };
        fixture.put("config.json", &config(sizes));
        fixture.put("tokenizer.json", &tokenizer());
        fixture.put("1_Pooling/config.json", &pooling("mean_tokens"));
        fixture.write("model.safetensors", &fixture.safetensors(Dtype::F32));
        fixture
    }

    /// A file's content.
    pub(super) fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.path.join(file)).unwrap()
    }

    pub(super) fn write(&self, file: &str, bytes: &[u8]) {
        std::fs::write(self.path.join(file), bytes).unwrap();
    }

    pub(super) fn put(&self, file: &str, json: &Value) {
        self.write(file, json.to_string().as_bytes());
    }

    pub(super) fn remove(&self, file: &str) {
        std::fs::remove_file(self.path.join(file)).unwrap();
    }

    /// The weights as a file.
    pub(super) fn safetensors(&self, kind: Dtype) -> Vec<u8> {
        let narrow = |number: f32| match kind {
            Dtype::F16 => half(number).to_le_bytes().to_vec(),
            Dtype::BF16 => number.to_le_bytes()[2..].to_vec(),
            Dtype::F64 => f64::from(number).to_le_bytes().to_vec(),
            _ => number.to_le_bytes().to_vec(),
        };
        let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, (shape, numbers))| {
                (
                    name,
                    shape,
                    numbers.iter().flat_map(|number| narrow(*number)).collect(),
                )
            })
            .collect();
        let views = bytes.iter().map(|(name, shape, data)| {
            (
                name.as_str(),
                TensorView::new(kind, shape.to_vec(), data).unwrap(),
            )
        });
        safetensors::serialize(views, None).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.path.parent().unwrap_or(Path::new("")));
    }
}

/// The half-precision number of a multiple of 1/64 between -2 and 2.
fn half(number: f32) -> u16 {
    let bits = number.to_bits();
    let sign = u16::try_from(bits >> 31).unwrap() << 15;
    if number.abs() < f32::MIN_POSITIVE {
        return sign;
    }
    let exponent = u16::try_from((bits >> 23 & 0xff) - 112).unwrap();
    sign | exponent << 10 | u16::try_from(bits >> 13 & 0x3ff).unwrap()
}

pub(super) fn config(sizes: Sizes) -> Value {
    json!({
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
        "hidden_size": sizes.width(), "intermediate_size": sizes.middle,
        "num_attention_heads": sizes.heads, "num_hidden_layers": sizes.layers,
        "max_position_embeddings": sizes.places, "vocab_size": PIECES.len(),
        "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    })
}

pub(super) fn pooling(mode: &str) -> Value {
    let mut config = json!({
        "word_embedding_dimension": 8, "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": false, "pooling_mode_max_tokens": false,
    });
    config[format!("pooling_mode_{mode}")] = json!(true);
    config
}

pub(super) fn tokenizer() -> Value {
    let pieces: serde_json::Map<_, _> = PIECES
        .iter()
        .enumerate()
        .map(|(token, piece)| ((*piece).to_owned(), json!(token)))
        .collect();
    let special = |id: usize| {
        json!({
            "id": id, "content": PIECES[id], "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true,
        })
    };
    json!({
        "version": "1.0",
        "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 4}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [special(0), special(1), special(2), special(3)],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            ],
            "pair": [],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
            }},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 12, "vocab": pieces},
    })
}

fn tensors(sizes: Sizes, rng: &mut SmallRng) -> BTreeMap<String, Tensor> {
    let (width, middle) = (sizes.width(), sizes.middle);
    let mut shapes = vec![
        (
            "embeddings.word_embeddings.weight".to_owned(),
            vec![PIECES.len(), width],
        ),
        (
            "embeddings.position_embeddings.weight".to_owned(),
            vec![sizes.places, width],
        ),
        (
            "embeddings.token_type_embeddings.weight".to_owned(),
            vec![2, width],
        ),
    ];
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for layer in 0..sizes.layers {
        let at = format!("encoder.layer.{layer}");
        for (name, to, from) in [
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", middle, width),
            ("output.dense", width, middle),
        ] {
            shapes.push((format!("{at}.{name}.weight"), vec![to, from]));
            shapes.push((format!("{at}.{name}.bias"), vec![to]));
        }
        norms.push(format!("{at}.attention.output.LayerNorm"));
        norms.push(format!("{at}.output.LayerNorm"));
    }
    for norm in norms {
        shapes.push((format!("{norm}.weight"), vec![width]));
        shapes.push((format!("{norm}.bias"), vec![width]));
    }
    let mut draw = |(name, shape): (String, Vec<usize>)| {
        let middle = if name.ends_with("LayerNorm.weight") {
            1.0
        } else {
            0.0
        };
        let count = shape.iter().product();
        let numbers = (0..count)
            .map(|_| middle + f32::from(rng.random_range(-64_i16..=64)) / 64.0)
            .collect();
        (name, (shape, numbers))
    };
    shapes.into_iter().map(&mut draw).collect()
}
