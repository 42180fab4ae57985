//! What numbers does a `model.safetensors` hold?
//!
//! # Invariants
//! - Memory is taken in proportion to the file, whatever its header says.
//! - A tensor is given out only in the shape that was asked for, of finite numbers, as `f32`.

use safetensors::tensor::{Dtype, SafeTensors};

/// Bytes of header that are read; the largest BERT has some fifty thousand.
const HEADER_BYTES: u64 = 4 << 20;

/// Where some exports put the encoder.
const PREFIX: &str = "bert.";

/// The tensors of one file.
pub(super) struct Weights<'a> {
    tensors: SafeTensors<'a>,
}

impl<'a> Weights<'a> {
    /// Reads the header and checks that it fits the file.
    ///
    /// # Errors
    /// How the file is broken.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let Some((length, rest)) = bytes.split_first_chunk() else {
            return Err("is cut off before the length of its header".into());
        };
        let length = u64::from_le_bytes(*length);
        if length > HEADER_BYTES {
            return Err(format!(
                "has a header of {length} bytes, more than {HEADER_BYTES}; is it a safetensors file?"
            ));
        }
        if length > rest.len() as u64 {
            return Err("is cut off inside its header".into());
        }
        match SafeTensors::deserialize(bytes) {
            Ok(tensors) => Ok(Self { tensors }),
            Err(safetensors::SafeTensorError::MetadataIncompleteBuffer) => {
                Err("is cut off, or longer than its header says".into())
            }
            Err(error) => Err(format!("has no valid header: {error}")),
        }
    }

    /// A tensor's numbers, row by row.
    ///
    /// # Errors
    /// That it is missing, of another shape or type, or not finite.
    pub(super) fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let tensor = spellings(name)
            .iter()
            .find_map(|name| self.tensors.tensor(name).ok())
            .ok_or_else(|| format!("has no tensor {name:?}"))?;
        if tensor.shape() != shape {
            let found = tensor.shape();
            return Err(format!("has {name:?} in shape {found:?}, not {shape:?}"));
        }
        let data = tensor.data();
        let numbers: Vec<f32> = match tensor.dtype() {
            Dtype::F32 => data
                .as_chunks()
                .0
                .iter()
                .map(|n| f32::from_le_bytes(*n))
                .collect(),
            Dtype::F16 => data
                .as_chunks()
                .0
                .iter()
                .map(|n| half(u16::from_le_bytes(*n)))
                .collect(),
            Dtype::BF16 => data
                .as_chunks()
                .0
                .iter()
                .map(|n| brain(u16::from_le_bytes(*n)))
                .collect(),
            other => {
                return Err(format!(
                    "has {name:?} as {other:?}; F32, F16 and BF16 are read"
                ));
            }
        };
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(numbers)
        } else {
            Err(format!("has a number in {name:?} that is not finite"))
        }
    }
}

/// The names that exports have given one tensor.
fn spellings(name: &str) -> Vec<String> {
    let older = name
        .replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta");
    let mut names = vec![name.to_owned(), format!("{PREFIX}{name}")];
    if older != name {
        names.push(format!("{PREFIX}{older}"));
        names.push(older);
    }
    names
}

/// A half-precision number: a sign, five bits of exponent, ten of fraction.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let exponent = u32::from(bits >> 10 & 0x1f);
    let fraction = u32::from(bits & 0x3ff);
    let size = match exponent {
        // Below the least exponent the fraction counts steps of 2^-24.
        #[expect(clippy::cast_precision_loss, reason = "ten bits")]
        0 => fraction as f32 / 16_777_216.0,
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    f32::from_bits(size.to_bits() | sign)
}

/// A brain float: the upper half of an `f32`.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_widened_exactly() {
        for (bits, number) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65_504.0),
            (0x0400, 6.103_515_6e-5),
            (0x03ff, 6.097_555e-5),
            (0x0001, 5.960_464_5e-8),
            (0x8001, -5.960_464_5e-8),
        ] {
            assert_eq!(half(bits).to_bits(), f32::to_bits(number), "{bits:#06x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
        assert_eq!(brain(0xbfc0).to_bits(), f32::to_bits(-1.5));
    }
}
