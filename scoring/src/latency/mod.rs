//! How long an answer will take: `TTFT = a + b·input`, `decode = c·(output − 1)`, times the present drift.
//!
//! Input and output lengths are uncorrelated and span four decades, so a mean of seconds, or of seconds per token, mostly measures the mix of requests.
//! A small model fitted per class predicts each request for *its* token counts; the drift says how far the route is from that model now.
//!
//! # Invariants
//! - A prediction is finite and positive for any request.
//! - The published model is one word, written by the fitter alone and read without it.
//! - Times are `f32` milliseconds here, µs at the crate's border.

pub(crate) mod drift;
pub(crate) mod fit;

/// What kind of work a request is; latency is modelled for each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Chat, answered as a stream: judged at its first byte.
    ChatStream,
    /// Chat, answered whole.
    Chat,
    /// Embedding, reranking, moderation.
    Embedding,
    /// Image generation.
    Image,
    /// Speech and transcription.
    Audio,
}

impl Class {
    /// How many classes there are.
    pub const COUNT: usize = 5;

    /// Every class, in the order of its [`index`](Self::index).
    pub const ALL: [Self; Self::COUNT] = [
        Self::ChatStream,
        Self::Chat,
        Self::Embedding,
        Self::Image,
        Self::Audio,
    ];

    /// Position in [`ALL`](Self::ALL); 0..5.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name used in metrics, logs and traces; lower snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatStream => "chat_stream",
            Self::Chat => "chat",
            Self::Embedding => "embedding",
            Self::Image => "image",
            Self::Audio => "audio",
        }
    }

    /// Whether the first byte is judged apart from the rest.
    #[must_use]
    pub const fn streams(self) -> bool {
        matches!(self, Self::ChatStream)
    }

    /// Whether an answer has output tokens that take time.
    #[must_use]
    pub const fn decodes(self) -> bool {
        matches!(self, Self::ChatStream | Self::Chat)
    }

    /// Microseconds per unit of `b` and of `c` in the model word.
    const fn units(self) -> (f32, f32) {
        match self {
            // 20 bits: up to 1.05 ms per input token in ns, 268 ms per output token in 256 ns.
            Self::ChatStream | Self::Chat | Self::Embedding => (0.001, 0.256),
            // 20 bits: up to 1.05 s and 4.2 s per unit of work.
            Self::Image | Self::Audio => (1.0, 4.0),
        }
    }
}

/// A route's latency model for one class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Model {
    /// Time to first byte of an empty prompt, in ms; 0.1..=1 677 721.
    pub first_ms: f32,
    /// Extra time to first byte per input token, in µs.
    pub per_input_us: f32,
    /// Time per output token after the first, in µs.
    pub per_output_us: f32,
}

impl Model {
    /// Predicted time to first byte, in ms.
    #[must_use]
    pub fn first(&self, input: f32) -> f32 {
        self.first_ms + self.per_input_us * input * 1e-3
    }

    /// Predicted time of the whole answer, in ms.
    #[must_use]
    pub fn whole(&self, input: f32, output: f32) -> f32 {
        self.first(input) + self.per_output_us * (output - 1.0).max(0.0) * 1e-3
    }

    /// The factors by which the fields of a model's word are multiplied to predict the whole answer, in ms.
    pub(crate) fn weights(class: Class, input: f32, output: f32) -> [f32; 3] {
        let (per_input, per_output) = class.units();
        let decoded = (output - 1.0).max(0.0);
        [0.1, per_input * input * 1e-3, per_output * decoded * 1e-3]
    }

    /// [`whole`](Self::whole) of the model with these [`fields`], by [`weights`](Self::weights) worked out before.
    #[inline(always)]
    pub(crate) fn predict([first, input, output]: [i32; 3], weights: &[f32; 3]) -> f32 {
        first as f32 * weights[0] + (input as f32 * weights[1] + output as f32 * weights[2])
    }

    /// `[a:24 (0.1 ms) | b:20 | c:20]`, the latter two in the class's units.
    pub(crate) fn pack(self, class: Class) -> u64 {
        let (input, output) = class.units();
        let field = |value: f32, unit: f32, bits: u32| {
            ((value / unit).round().max(0.0) as u64).min((1 << bits) - 1)
        };
        field(self.first_ms, 0.1, 24).max(1) << 40
            | field(self.per_input_us, input, 20) << 20
            | field(self.per_output_us, output, 20)
    }

    /// Reads the model word of `class`.
    pub(crate) fn unpack(word: u64, class: Class) -> Self {
        let (per_input, per_output) = class.units();
        let [first, input, output] = fields(word);
        Self {
            first_ms: first as f32 * 0.1,
            per_input_us: input as f32 * per_input,
            per_output_us: output as f32 * per_output,
        }
    }
}

/// The three fields of a model's word; signed, because that converts in one instruction.
#[inline(always)]
pub(crate) fn fields(word: u64) -> [i32; 3] {
    [word >> 40, word >> 20 & 0xF_FFFF, word & 0xF_FFFF].map(|bits| bits as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_model_keeps_its_prediction() {
        let model = Model {
            first_ms: 412.3,
            per_input_us: 38.25,
            per_output_us: 14_900.0,
        };
        for class in Class::ALL {
            let back = Model::unpack(model.pack(class), class);
            let (before, after) = (model.whole(2_000.0, 300.0), back.whole(2_000.0, 300.0));
            assert!(
                (before - after).abs() / before < 1e-3,
                "{}: {before} {after}",
                class.name()
            );
        }
    }

    #[test]
    fn a_model_never_predicts_nothing() {
        let nothing = Model::default();
        assert!(Model::unpack(nothing.pack(Class::Chat), Class::Chat).first(0.0) > 0.0);
    }
}
