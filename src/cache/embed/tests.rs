//! Does a loaded folder give the vectors that its weights mean, and is a broken one refused?

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

use super::fixture::{Fixture, PIECES, Sizes, config, pooling, tokenizer};
use super::matrix::levels;
use super::twin;
use super::*;

/// Sizes of folders whose numbers do not matter.
const SMALL: Sizes = Sizes {
    heads: 2,
    depth: 4,
    middle: 6,
    layers: 1,
    places: 8,
};

fn small() -> Fixture {
    Fixture::new(SMALL, &mut SmallRng::seed_from_u64(1))
}

/// A text of so many words, each a token.
fn text(rng: &mut SmallRng, words: usize) -> String {
    let word = |_| PIECES[rng.random_range(4..9)];
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

/// How far the vector is from the direction of the sum of rows.
fn far(vector: &[f32], rows: &[Vec<f64>]) -> f64 {
    let sum: Vec<f64> = (0..vector.len())
        .map(|column| rows.iter().map(|row| row[column]).sum())
        .collect();
    let length = sum.iter().map(|number| number * number).sum::<f64>().sqrt();
    vector
        .iter()
        .zip(sum)
        .map(|(number, exact)| (f64::from(*number) - exact / length).abs())
        .fold(0.0, f64::max)
}

#[test]
fn vectors_equal_those_of_the_plain_twin() {
    for seed in 0..30 {
        let rng = &mut SmallRng::seed_from_u64(seed);
        let sizes = Sizes::draw(rng);
        let folder = Fixture::new(sizes, rng);
        let mut local = Local::load(&folder.path).unwrap();
        assert_eq!(local.width(), sizes.width());
        for _ in 0..3 {
            let words = rng.random_range(0..=sizes.places - 2);
            let text = text(rng, words);
            let tokens = local.words.cut(&text);
            assert_eq!(tokens.len(), words + 2, "seed {seed}: {text:?}");
            let rows = twin::forward(&folder, &tokens);
            for level in levels() {
                local.model.level = level;
                let vector = local.embed(&text).unwrap();
                let far = far(&vector, &rows);
                assert!(
                    far < 1e-4,
                    "seed {seed}, {level:?}, {sizes:?}, {text:?}: {far}"
                );
            }
        }
    }
}

#[test]
fn a_vector_has_unit_length() {
    let rng = &mut SmallRng::seed_from_u64(5);
    let local = Local::load(&small().path).unwrap();
    for words in 0..=6 {
        let vector = local.embed(&text(rng, words)).unwrap();
        let square: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
        assert!((square - 1.0).abs() < 1e-6, "{square}");
    }
}

#[test]
fn the_first_token_may_stand_for_the_text() {
    let folder = small();
    folder.put("1_Pooling/config.json", &pooling("cls_token"));
    let local = Local::load(&folder.path).unwrap();
    let rows = twin::forward(&folder, &local.words.cut("abc de"));
    let far = far(&local.embed("abc de").unwrap(), &rows[..1]);
    assert!(far < 1e-4, "{far}");
}

#[test]
fn narrow_weights_are_the_same_weights() {
    let folder = small();
    let vector = Local::load(&folder.path).unwrap().embed("abc de");
    for kind in [Dtype::F16, Dtype::BF16] {
        folder.write("model.safetensors", &folder.safetensors(kind));
        assert_eq!(
            Local::load(&folder.path).unwrap().embed("abc de"),
            vector,
            "{kind:?}"
        );
    }
}

#[test]
fn tensors_may_go_by_their_older_names() {
    let mut folder = small();
    let vector = Local::load(&folder.path).unwrap().embed("abc de");
    folder.tensors = std::mem::take(&mut folder.tensors)
        .into_iter()
        .map(|(name, tensor)| {
            let name = name
                .replace("Norm.weight", "Norm.gamma")
                .replace("Norm.bias", "Norm.beta");
            (format!("bert.{name}"), tensor)
        })
        .collect();
    folder.write("model.safetensors", &folder.safetensors(Dtype::F32));
    assert_eq!(Local::load(&folder.path).unwrap().embed("abc de"), vector);
}

#[test]
fn a_text_that_would_be_cut_has_no_vector() {
    let folder = small();
    let rng = &mut SmallRng::seed_from_u64(5);
    let long = text(rng, 7);
    let refused = |limit| {
        Err(EmbedError(format!(
            "the text has 9 tokens, the model reads {limit}"
        )))
    };
    let local = Local::load(&folder.path).unwrap();
    assert_eq!((local.tokens(&long), local.limit()), (9, 8));
    assert_eq!(local.embed(&long), refused(8));
    folder.put(
        "sentence_bert_config.json",
        &json!({"max_seq_length": 5, "do_lower_case": false}),
    );
    let local = Local::load(&folder.path).unwrap();
    assert_eq!(local.embed(&long), refused(5));
    assert_eq!(local.limit(), 5);
    assert!(local.embed("a b c").is_ok() && local.embed("a b c d").is_err());

    // Blanks are no tokens, and still nobody cuts a book of them.
    assert!(local.embed(&" ".repeat(5 * 64)).is_ok());
    let told = "the text has 321 bytes, the model reads 5 tokens";
    let refused = local.embed(&" ".repeat(5 * 64 + 1));
    assert_eq!(refused, Err(EmbedError(told.into())));
}

#[test]
fn texts_are_lowercased_where_the_folder_says_so() {
    let folder = small();
    let mut cased = tokenizer();
    cased["normalizer"]["lowercase"] = json!(false);
    folder.put("tokenizer.json", &cased);
    let local = Local::load(&folder.path).unwrap();
    assert_ne!(local.embed("ABC"), local.embed("abc"));
    folder.put("sentence_bert_config.json", &json!({"do_lower_case": true}));
    let local = Local::load(&folder.path).unwrap();
    assert_eq!(local.embed("ABC"), local.embed("abc"));
}

#[test]
fn parts_may_be_elsewhere_in_the_folder() {
    let folder = small();
    let vector = Local::load(&folder.path).unwrap().embed("abc de");
    std::fs::create_dir(folder.path.join("0_Transformer")).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        folder.write(&format!("0_Transformer/{file}"), &folder.read(file));
        folder.remove(file);
    }
    let module = |path: &str, kind: &str| json!({"idx": 0, "name": "0", "path": path, "type": format!("sentence_transformers.models.{kind}")});
    let modules = json!([
        module("0_Transformer", "Transformer"),
        module("1_Pooling", "Pooling"),
        module("2_Normalize", "Normalize"),
    ]);
    folder.put("modules.json", &modules);
    assert_eq!(Local::load(&folder.path).unwrap().embed("abc de"), vector);

    let refused = |modules: Value| {
        folder.put("modules.json", &modules);
        Local::load(&folder.path).unwrap_err().to_string()
    };
    let dense = json!([
        module("", "Transformer"),
        module("1", "Pooling"),
        module("2", "Dense")
    ]);
    assert!(refused(dense).contains("lists Transformer, Pooling, Dense"));
    let outside = json!([module("../other", "Transformer"), module("1", "Pooling")]);
    assert!(refused(outside).contains("\"../other\" leads out of the folder"));
    let outside = json!([module("/etc", "Transformer"), module("1", "Pooling")]);
    assert!(refused(outside).contains("\"/etc\" leads out of the folder"));
}

#[test]
fn the_name_tells_one_folder_from_another() {
    let folder = small();
    let name = || Local::load(&folder.path).unwrap().name().to_owned();
    let first = name();
    let digits = first.strip_prefix("tiny@").unwrap();
    assert!(
        digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{first}"
    );
    assert_eq!(name(), first);

    let mut names = vec![first];
    let other = Fixture::new(SMALL, &mut SmallRng::seed_from_u64(2));
    folder.write("model.safetensors", &other.read("model.safetensors"));
    names.push(name());
    let mut words = tokenizer();
    words["model"]["max_input_chars_per_word"] = json!(50);
    folder.put("tokenizer.json", &words);
    names.push(name());
    folder.put("1_Pooling/config.json", &pooling("cls_token"));
    names.push(name());
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}

/// Damages a folder, and expects an error that names the file and says so.
fn refuse(file: &str, says: &str, damage: impl FnOnce(&mut Fixture)) {
    let mut folder = small();
    damage(&mut folder);
    let error = Local::load(&folder.path).unwrap_err();
    assert_eq!(error.file, folder.path.join(file), "{error}");
    assert!(
        error.to_string().contains(says),
        "{error} does not say {says:?}"
    );
}

#[test]
fn a_missing_file_is_named() {
    for file in [
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "1_Pooling/config.json",
    ] {
        refuse(file, "is missing", |folder| folder.remove(file));
        refuse(file, "expected", |folder| {
            if file == "model.safetensors" {
                // Eight bytes of length, and a header that is no JSON.
                folder.write(file, b"\x04\0\0\0\0\0\0\0nope");
            } else {
                folder.write(file, b"nope");
            }
        });
        refuse(file, "directory", |folder| {
            folder.remove(file);
            std::fs::create_dir(folder.path.join(file)).unwrap();
        });
    }
    refuse("sentence_bert_config.json", "expected", |folder| {
        folder.write("sentence_bert_config.json", b"nope");
    });
}

#[test]
fn a_model_of_another_make_is_refused() {
    for (key, value, says) in [
        (
            "model_type",
            json!("mpnet"),
            "model_type is \"mpnet\"; only \"bert\" is read",
        ),
        ("model_type", Value::Null, "names no model_type"),
        (
            "architectures",
            json!(["MPNetModel"]),
            "architecture MPNetModel is not read",
        ),
        ("hidden_act", json!("relu"), "hidden_act is \"relu\""),
        (
            "position_embedding_type",
            json!("relative_key"),
            "position_embedding_type",
        ),
        ("is_decoder", json!(true), "is_decoder"),
        ("hidden_size", json!(0), "hidden_size is 0"),
        ("hidden_size", json!(9), "hidden_size 9 is no multiple"),
        ("hidden_size", json!(-8), "invalid value"),
        (
            "hidden_size",
            json!(1_000_000_000_000_u64),
            "hidden_size is 1000000000000",
        ),
        (
            "max_position_embeddings",
            json!(1_000_000),
            "max_position_embeddings is 1000000, which is not between 1 and 8192",
        ),
        ("num_attention_heads", json!(0), "num_attention_heads is 0"),
        (
            "num_hidden_layers",
            json!(1_000),
            "num_hidden_layers is 1000",
        ),
        ("layer_norm_eps", json!(-1.0), "layer_norm_eps is -1"),
    ] {
        refuse("config.json", says, |folder| {
            let mut changed = config(SMALL);
            changed[key] = value.clone();
            folder.put("config.json", &changed);
        });
    }
    refuse(
        "1_Pooling/config.json",
        "pools by pooling_mode_max_tokens",
        |folder| {
            folder.put("1_Pooling/config.json", &pooling("max_tokens"));
        },
    );
    refuse("1_Pooling/config.json", "no pooling", |folder| {
        folder.put("1_Pooling/config.json", &json!({}));
    });
    refuse(
        "sentence_bert_config.json",
        "max_seq_length is 9",
        |folder| {
            folder.put("sentence_bert_config.json", &json!({"max_seq_length": 9}));
        },
    );
    refuse("config_sentence_transformers.json", "prompt", |folder| {
        let prompts = json!({"prompts": {"query": "query: "}, "default_prompt_name": "query"});
        folder.put("config_sentence_transformers.json", &prompts);
    });
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    const FILE: &str = "model.safetensors";
    const NAME: &str = "encoder.layer.0.intermediate.dense.bias";
    fn again(folder: &Fixture, kind: Dtype) {
        folder.write(FILE, &folder.safetensors(kind));
    }
    refuse(
        FILE,
        "has no tensor \"encoder.layer.0.intermediate.dense.bias\"",
        |folder| {
            folder.tensors.remove(NAME);
            again(folder, Dtype::F32);
        },
    );
    refuse(FILE, "in shape [7], not [6]", |folder| {
        folder.tensors.insert(NAME.into(), (vec![7], vec![0.0; 7]));
        again(folder, Dtype::F32);
    });
    refuse(FILE, "is not finite", |folder| {
        folder
            .tensors
            .insert(NAME.into(), (vec![6], vec![f32::NAN; 6]));
        again(folder, Dtype::F32);
    });
    refuse(FILE, "as F64; F32, F16 and BF16 are read", |folder| {
        again(folder, Dtype::F64)
    });
    refuse(
        "tokenizer.json",
        "has token 99, but vocab_size of config.json is 30",
        |folder| {
            let mut words = tokenizer();
            words["model"]["vocab"]["zebra"] = json!(99);
            folder.put("tokenizer.json", &words);
        },
    );
    for length in [0, 1 << 23, 1 << 40, u64::MAX] {
        refuse(FILE, "header", |folder| {
            let mut bytes = folder.read(FILE);
            bytes[..8].copy_from_slice(&length.to_le_bytes());
            folder.write(FILE, &bytes);
        });
    }
}

#[test]
fn weights_that_end_anywhere_are_refused() {
    let folder = small();
    let bytes = folder.read("model.safetensors");
    for length in (0..bytes.len())
        .step_by(97)
        .chain([7, 8, 9, bytes.len() - 1])
    {
        folder.write("model.safetensors", &bytes[..length]);
        let error = Local::load(&folder.path).unwrap_err().to_string();
        assert!(
            error.contains("model.safetensors: is cut off"),
            "{length}: {error}"
        );
    }
    folder.write("model.safetensors", &[bytes.as_slice(), b"more"].concat());
    assert!(Local::load(&folder.path).is_err());
}

#[test]
fn no_damage_makes_a_folder_panic() {
    for seed in 0..200 {
        let rng = &mut SmallRng::seed_from_u64(seed);
        let folder = small();
        let files = [
            "config.json",
            "tokenizer.json",
            "model.safetensors",
            "1_Pooling/config.json",
        ];
        let file = files[rng.random_range(0..files.len())];
        let mut bytes = folder.read(file);
        for _ in 0..rng.random_range(1..4) {
            // Weights have their words at the beginning.
            let at = rng.random_range(0..bytes.len().min(3_000));
            bytes[at] = rng.random();
        }
        folder.write(file, &bytes);
        // Most damage is told; some leaves a model, which has to work.
        match Local::load(&folder.path) {
            Ok(local) => drop(local.embed("abc de, \u{301}\u{65e5}!")),
            Err(error) => assert_eq!(error.file, folder.path.join(file), "seed {seed}: {error}"),
        }
    }
}
