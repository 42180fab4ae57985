//! What do the small files of a model folder say?
//!
//! A model of another make would load and give vectors that mean nothing, so whatever is not known to be right is refused by name.
//!
//! # Invariants
//! - Every size is within a bound, whatever the file says.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

/// The widest state that is read: four times the larger BERT's.
const MOST_WIDTH: usize = 4_096;

/// The widest middle that is read: four times the larger BERT's.
const MOST_MIDDLE: usize = 16_384;

/// The most places that are read: sixteen times BERT's; the longest text then takes 0.5 GB while it is worked on.
const MOST_PLACES: usize = 8_192;

/// The most kinds of sentences that are read: eight times BERT's.
const MOST_KINDS: usize = 16;

/// The most layers that are read: four times what the larger BERT has.
const MOST_LAYERS: usize = 96;

/// The most words that are read: twice what the largest multilingual vocabulary has.
const MOST_WORDS: usize = 1 << 20;

/// `config.json`: the encoder's shape.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Shape {
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    hidden_act: Option<String>,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    #[serde(rename = "hidden_size")]
    pub(super) width: usize,
    #[serde(rename = "intermediate_size")]
    pub(super) middle: usize,
    #[serde(rename = "num_attention_heads")]
    pub(super) heads: usize,
    #[serde(rename = "num_hidden_layers")]
    pub(super) layers: usize,
    #[serde(rename = "max_position_embeddings")]
    pub(super) places: usize,
    #[serde(rename = "vocab_size")]
    pub(super) words: usize,
    #[serde(rename = "type_vocab_size")]
    pub(super) kinds: usize,
    #[serde(rename = "layer_norm_eps", default = "epsilon")]
    pub(super) epsilon: f32,
}

/// Which of a text's rows make its vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean.
    Mean,
    /// The first, which stands for the whole.
    First,
}

/// `sentence_bert_config.json`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Sentence {
    /// The most tokens, those that frame a text included.
    pub(super) max_seq_length: Option<usize>,
    #[serde(default)]
    pub(super) do_lower_case: bool,
}

/// `config_sentence_transformers.json`, as far as it changes a vector.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Prompts {
    default_prompt_name: Option<String>,
}

/// Where `modules.json` says that the parts are, relative to the folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) encoder: PathBuf,
    pub(super) pooling: PathBuf,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    r#type: String,
}

/// Whose settings these are.
#[derive(Deserialize)]
struct Kind {
    model_type: Option<String>,
}

const fn epsilon() -> f32 {
    1e-12
}

impl Shape {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// What in it is broken, or of another make.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        // The make comes first: the sizes of another make go by other names, and missing them would say nothing.
        let kind: Kind = parse(json)?;
        match kind.model_type.as_deref() {
            Some("bert") => {}
            Some(other) => return Err(format!("model_type is {other:?}; only \"bert\" is read")),
            None => return Err("names no model_type; only \"bert\" is read".into()),
        }
        let shape: Self = parse(json)?;
        shape.check().map(|()| shape)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(other) = self
            .architectures
            .iter()
            .find(|name| !name.starts_with("Bert"))
        {
            return Err(format!(
                "architecture {other} is not read; only BertModel is"
            ));
        }
        if let Some(other) = self.hidden_act.as_deref().filter(|name| *name != "gelu") {
            return Err(format!("hidden_act is {other:?}; only \"gelu\" is read"));
        }
        let kind = self.position_embedding_type.as_deref();
        if let Some(other) = kind.filter(|name| *name != "absolute") {
            return Err(format!(
                "position_embedding_type is {other:?}; only \"absolute\" is read"
            ));
        }
        if self.is_decoder {
            return Err("is_decoder is true; only encoders are read".into());
        }
        for (name, size, most) in [
            ("hidden_size", self.width, MOST_WIDTH),
            ("intermediate_size", self.middle, MOST_MIDDLE),
            ("num_attention_heads", self.heads, MOST_WIDTH),
            ("num_hidden_layers", self.layers, MOST_LAYERS),
            ("max_position_embeddings", self.places, MOST_PLACES),
            ("vocab_size", self.words, MOST_WORDS),
            ("type_vocab_size", self.kinds, MOST_KINDS),
        ] {
            if size == 0 || size > most {
                return Err(format!(
                    "{name} is {size}, which is not between 1 and {most}"
                ));
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            let (width, heads) = (self.width, self.heads);
            return Err(format!(
                "hidden_size {width} is no multiple of num_attention_heads {heads}"
            ));
        }
        if !(self.epsilon >= 0.0 && self.epsilon < 1.0) {
            return Err(format!(
                "layer_norm_eps is {}, not between 0 and 1",
                self.epsilon
            ));
        }
        Ok(())
    }
}

impl Pooling {
    /// Reads a pooling module's `config.json`.
    ///
    /// # Errors
    /// What in it is broken, or pools otherwise.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let config: serde_json::Map<String, serde_json::Value> = parse(json)?;
        let named = config
            .get("pooling_mode")
            .and_then(serde_json::Value::as_str);
        let switched = config
            .iter()
            .filter(|(name, value)| name.starts_with("pooling_mode_") && **value == true)
            .map(|(name, _)| name.as_str());
        let modes: Vec<&str> = named.into_iter().chain(switched).collect();
        match modes.as_slice() {
            ["mean" | "pooling_mode_mean_tokens"] => Ok(Self::Mean),
            ["cls" | "pooling_mode_cls_token"] => Ok(Self::First),
            [] => Err("switches no pooling on; mean or cls is read".into()),
            modes => Err(format!(
                "pools by {}; mean or cls is read, one of them",
                modes.join(" and ")
            )),
        }
    }
}

impl Sentence {
    /// Reads a `sentence_bert_config.json`.
    ///
    /// # Errors
    /// What in it is broken.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        parse(json)
    }

    /// The most tokens that the model reads, of so many places.
    ///
    /// # Errors
    /// That it has no places for as many.
    pub(super) fn limit(self, places: usize) -> Result<usize, String> {
        match self.max_seq_length {
            None => Ok(places),
            Some(0) => Err("max_seq_length is 0".into()),
            Some(limit) if limit <= places => Ok(limit),
            Some(limit) => Err(format!(
                "max_seq_length is {limit}, but max_position_embeddings of config.json is {places}"
            )),
        }
    }
}

impl Prompts {
    /// Reads a `config_sentence_transformers.json`.
    ///
    /// # Errors
    /// What in it is broken, or that a prompt would have to go before every text.
    pub(super) fn read(json: &[u8]) -> Result<(), String> {
        let prompts: Self = parse(json)?;
        match prompts.default_prompt_name {
            None => Ok(()),
            Some(name) => Err(format!(
                "default_prompt_name is {name:?}; models that want a prompt before a text are not read"
            )),
        }
    }
}

impl Places {
    /// Where they are in a folder without `modules.json`.
    pub(super) fn usual() -> Self {
        Self {
            encoder: PathBuf::new(),
            pooling: PathBuf::from("1_Pooling"),
        }
    }

    /// Reads a `modules.json`: an encoder, a pooling, and at most a normalisation, which is done in any case.
    ///
    /// # Errors
    /// What in it is broken, or which module is not known.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let modules: Vec<Module> = parse(json)?;
        let kinds: Vec<&str> = modules
            .iter()
            .map(|module| module.r#type.rsplit('.').next().unwrap_or_default())
            .collect();
        let (["Transformer", "Pooling"] | ["Transformer", "Pooling", "Normalize"]) =
            kinds.as_slice()
        else {
            return Err(format!(
                "lists {}; Transformer, Pooling and at most Normalize are read, in this order",
                kinds.join(", ")
            ));
        };
        Ok(Self {
            encoder: inside(&modules[0].path)?,
            pooling: inside(&modules[1].path)?,
        })
    }
}

/// A path that stays inside the folder.
fn inside(path: &str) -> Result<PathBuf, String> {
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if Path::new(path).components().all(plain) {
        Ok(PathBuf::from(path))
    } else {
        Err(format!("path {path:?} leads out of the folder"))
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| error.to_string())
}
