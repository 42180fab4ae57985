//! Vectors for texts: the same text gives the same vector, and texts that share words give near ones.
//!
//! Every word adds ±1 at a few places that its hash chooses, and the sum is scaled to length 1.
//! That is enough for a semantic cache to be shown at work without any model.
//!
//! # Invariants
//! - A vector has length 1, whatever was embedded.

use serde_json::{Value, json};

use super::ask::{Embedding, EmbeddingInput};

/// Places that one word touches: enough that two words rarely cover each other in a short vector.
const PLACES: u64 = 16;

/// The longest vector, so that one request cannot fill the memory.
const LONGEST: u32 = 65_536;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The body that answers `ask`; `dimensions` where the request does not say.
pub(super) fn body(ask: &Embedding, model: &str, input_tokens: u32, dimensions: u32) -> String {
    let dimensions = ask.dimensions.unwrap_or(dimensions).clamp(1, LONGEST) as usize;
    let data: Vec<Value> = ask
        .inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(input, dimensions);
            let embedding = if ask.base64 {
                Value::from(base64(&vector))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": input_tokens, "total_tokens": input_tokens},
    })
    .to_string()
}

/// The vector of a text.
pub(super) fn of_text(text: &str, dimensions: u32) -> Vec<f32> {
    let input = EmbeddingInput::Text(text.to_owned());
    vector(&input, dimensions.clamp(1, LONGEST) as usize)
}

fn vector(input: &EmbeddingInput, dimensions: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; dimensions];
    match input {
        EmbeddingInput::Text(text) => {
            let words = text
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| !word.is_empty());
            words.for_each(|word| add(&mut sum, hash(word.to_lowercase().as_bytes())));
        }
        EmbeddingInput::Tokens(tokens) => {
            tokens
                .iter()
                .for_each(|token| add(&mut sum, hash(&token.to_le_bytes())));
        }
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length < f32::EPSILON {
        sum[0] = 1.0;
    } else {
        sum.iter_mut().for_each(|x| *x /= length);
    }
    sum
}

/// Adds ±1 at the places that `seed` chooses.
fn add(sum: &mut [f32], seed: u64) {
    for place in 0..PLACES {
        let drawn = mix(seed.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let index = (drawn >> 1) % sum.len() as u64;
        sum[index as usize] += if drawn & 1 == 0 { 1.0 } else { -1.0 };
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The vector's little-endian bytes in base64, with padding.
pub(super) fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    base64_of(&bytes)
}

/// Bytes in base64, with padding.
pub(super) fn base64_of(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let digit = BASE64[(group >> (18 - 6 * position) & 63) as usize] as char;
            out.push(if position > chunk.len() { '=' } else { digit });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn embed(text: &str) -> Vec<f32> {
        vector(&EmbeddingInput::Text(text.to_owned()), 256)
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn shared_words_bring_vectors_together() {
        let question = embed("What is the capital of France?");
        assert!(cosine(&question, &embed("what is the capital of france")) > 0.999);
        let near = cosine(&question, &embed("What is the capital of Spain?"));
        let far = cosine(&question, &embed("Write a haiku about rust"));
        assert!(near > 0.7 && far < 0.4, "{near} {far}");
    }

    #[test]
    fn vectors_have_length_one_even_for_nothing() {
        for text in ["", "a", "some more words"] {
            let vector = embed(text);
            assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn base64_is_the_standard_one() {
        assert_eq!(base64(&[0.0]), "AAAAAA==");
        assert_eq!(base64(&[1.0, -2.5]), "AACAPwAAIMA=");
        assert_eq!(base64(&[1.0, 1.0, 1.0]), "AACAPwAAgD8AAIA/");
    }

    #[test]
    fn the_body_has_a_vector_per_input() {
        let ask = Embedding {
            inputs: vec![
                EmbeddingInput::Tokens(vec![1, 2]),
                EmbeddingInput::Text("x".to_owned()),
            ],
            base64: false,
            dimensions: Some(8),
        };
        let body: Value = serde_json::from_str(&body(&ask, "e", 3, 1_536)).unwrap();
        assert_eq!(body["data"].as_array().unwrap().len(), 2);
        assert_eq!(body["data"][1]["embedding"].as_array().unwrap().len(), 8);
        assert_eq!(body["usage"]["prompt_tokens"], 3);
    }
}
