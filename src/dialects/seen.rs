//! What can be told from an answer's bytes as they pass, whatever dialect they are in?
//!
//! # Invariants
//! - Counts that no honest provider sends are absent.

/// More tokens than any model takes or gives in one request.
pub const ABSURD_TOKENS: f64 = 1e9;

/// A number of tokens, if an honest provider may have sent it; fractions are cut off.
#[must_use]
pub fn honest(count: f64) -> Option<u64> {
    (0.0..=ABSURD_TOKENS)
        .contains(&count)
        .then_some(count as u64)
}

/// A class of service other than the standard one, as the answer tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Answered within a day.
    Batch,
    /// Answered when there is room.
    Flex,
    /// Answered before others.
    Priority,
}

impl Service {
    /// The class of this name, as vendors write it; none for the standard one, whatever it is called.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        // Vertex says `ON_DEMAND_FLEX`.
        let name = name.strip_prefix("ON_DEMAND_").unwrap_or(name);
        let is = |other| name.eq_ignore_ascii_case(other);
        if is("batch") {
            Some(Self::Batch)
        } else if is("flex") {
            Some(Self::Flex)
        } else {
            is("priority").then_some(Self::Priority)
        }
    }
}

/// What was used, as the provider reports it: tokens and whatever else vendors bill for.
///
/// The parts of the input exclude each other, and so do those of the output; where a provider counts a token under two of them, [`Usage::apart`] decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens, cached ones included.
    pub input: Option<u32>,
    /// Input tokens read from the provider's prompt cache.
    pub cached: Option<u32>,
    /// Input tokens written to it for five minutes, the default.
    pub cache_write: Option<u32>,
    /// Input tokens written to it for an hour.
    pub cache_write_1h: Option<u32>,
    /// Input tokens of sound that were not cached.
    pub audio_input: Option<u32>,
    /// Input tokens of pictures that were not cached.
    pub image_input: Option<u32>,
    /// Output tokens, reasoning included.
    pub output: Option<u32>,
    /// Output tokens of reasoning.
    pub reasoning: Option<u32>,
    /// Output tokens of sound.
    pub audio_output: Option<u32>,
    /// Output tokens of pictures.
    pub image_output: Option<u32>,
    /// Pictures made.
    pub images: Option<u32>,
    /// Length of the sound taken in or made, milliseconds.
    pub millis: Option<u32>,
    /// Characters spoken.
    pub characters: Option<u32>,
    /// Searches, such as of a reranker.
    pub queries: Option<u32>,
    /// In which class it was served, if not in the standard one.
    pub service: Option<Service>,
}

impl Usage {
    /// These counts, and where one is absent, the earlier one: dialects that tell input and output at different times never take one back.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        Self {
            input: self.input.or(earlier.input),
            cached: self.cached.or(earlier.cached),
            cache_write: self.cache_write.or(earlier.cache_write),
            cache_write_1h: self.cache_write_1h.or(earlier.cache_write_1h),
            audio_input: self.audio_input.or(earlier.audio_input),
            image_input: self.image_input.or(earlier.image_input),
            output: self.output.or(earlier.output),
            reasoning: self.reasoning.or(earlier.reasoning),
            audio_output: self.audio_output.or(earlier.audio_output),
            image_output: self.image_output.or(earlier.image_output),
            images: self.images.or(earlier.images),
            millis: self.millis.or(earlier.millis),
            characters: self.characters.or(earlier.characters),
            queries: self.queries.or(earlier.queries),
            service: self.service.or(earlier.service),
        }
    }

    /// The same, with each part of a total at most what the parts before it leave of it.
    ///
    /// Vendors count a cached token of sound under both; it is billed as a cached one.
    #[must_use]
    pub fn apart(mut self) -> Self {
        let fit = |part: &mut Option<u32>, left: &mut u32| {
            if let Some(part) = part {
                *part = (*part).min(*left);
                *left -= *part;
            }
        };
        if let Some(mut left) = self.input {
            fit(&mut self.cached, &mut left);
            fit(&mut self.cache_write_1h, &mut left);
            fit(&mut self.cache_write, &mut left);
            fit(&mut self.audio_input, &mut left);
            fit(&mut self.image_input, &mut left);
        }
        if let Some(mut left) = self.output {
            fit(&mut self.reasoning, &mut left);
            fit(&mut self.audio_output, &mut left);
            fit(&mut self.image_output, &mut left);
        }
        self
    }

    /// These counts, of an answer that is so many pictures: what is not told apart of its output is theirs.
    #[must_use]
    pub fn drawn(self, pictures: u32) -> Self {
        if pictures == 0 {
            return self;
        }
        Self {
            images: Some(pictures),
            image_output: self.image_output.or(self.output),
            ..self
        }
    }

    /// What a conversation's buckets have no place for; the rest is absent.
    #[must_use]
    pub fn beside_text(self) -> Self {
        Self {
            input: None,
            cached: None,
            cache_write: None,
            cache_write_1h: None,
            output: None,
            reasoning: None,
            ..self
        }
    }

    /// These counts, in a class of this name.
    #[must_use]
    pub fn at_tier(self, name: Option<&str>) -> Self {
        Self {
            service: name.and_then(Service::named).or(self.service),
            ..self
        }
    }
}

impl From<crate::chat::Usage> for Usage {
    fn from(usage: crate::chat::Usage) -> Self {
        let count = |tokens: u64| u32::try_from(tokens).ok();
        let told = |tokens: u64| count(tokens).filter(|count| *count > 0);
        Self {
            input: count(usage.total_input()),
            cached: count(usage.cache_read),
            cache_write: told(usage.cache_write),
            cache_write_1h: told(usage.cache_write_1h),
            output: count(usage.total_output()),
            reasoning: told(usage.reasoning),
            ..Self::default()
        }
    }
}

/// What one event of a stream holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Something that the user can see or a tool can use.
    pub content: bool,
    /// A choice has ended.
    pub finished: bool,
    /// How many choices it speaks of.
    pub choices: u32,
    /// What was used so far.
    pub usage: Option<Usage>,
    /// The class of service, where it is told without the usage.
    pub service: Option<Service>,
    /// It is an error object, not an answer.
    pub error: bool,
    /// It is the end marker.
    pub done: bool,
}

/// What a whole answer says besides its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// What was used.
    pub usage: Option<Usage>,
    /// It is an error object, not an answer.
    pub error: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every count present, each another number.
    fn full(base: u32) -> Usage {
        let count = |place: u32| Some(base + place);
        Usage {
            input: count(0),
            cached: count(1),
            cache_write: count(2),
            cache_write_1h: count(3),
            audio_input: count(4),
            image_input: count(5),
            output: count(6),
            reasoning: count(7),
            audio_output: count(8),
            image_output: count(9),
            images: count(10),
            millis: count(11),
            characters: count(12),
            queries: count(13),
            service: Some(Service::Flex),
        }
    }

    #[test]
    fn later_counts_replace_earlier_ones_and_absent_ones_do_not() {
        assert_eq!(full(100).after(full(200)), full(100));
        assert_eq!(Usage::default().after(full(200)), full(200));
        assert_eq!(full(200).after(Usage::default()), full(200));
    }

    #[test]
    fn parts_never_exceed_their_totals() {
        let parts = |usage: Usage| {
            let all = [
                usage.cached,
                usage.cache_write_1h,
                usage.cache_write,
                usage.audio_input,
                usage.image_input,
                usage.reasoning,
                usage.audio_output,
                usage.image_output,
            ];
            all.map(Option::unwrap_or_default)
        };
        let told = Usage {
            input: Some(100),
            cached: Some(40),
            cache_write: Some(30),
            cache_write_1h: Some(20),
            audio_input: Some(50),
            image_input: Some(50),
            output: Some(10),
            reasoning: Some(4),
            audio_output: Some(9),
            image_output: Some(9),
            ..Usage::default()
        };
        assert_eq!(parts(told.apart()), [40, 20, 30, 10, 0, 4, 6, 0]);
        let totals_untold = Usage {
            input: None,
            output: None,
            ..told
        };
        assert_eq!(totals_untold.apart(), totals_untold);
    }

    #[test]
    fn a_conversation_fills_its_buckets_only() {
        let chat = crate::chat::Usage {
            input: 1,
            cache_read: 2,
            cache_write: 3,
            cache_write_1h: 4,
            output: 5,
            reasoning: 6,
        };
        let seen = Usage::from(chat);
        assert_eq!((seen.input, seen.output), (Some(10), Some(11)));
        assert_eq!((seen.cached, seen.cache_write), (Some(2), Some(3)));
        assert_eq!((seen.cache_write_1h, seen.reasoning), (Some(4), Some(6)));
        assert_eq!(seen.beside_text(), Usage::default());
        let beside = full(7).beside_text();
        assert_eq!((beside.input, beside.reasoning), (None, None));
        assert_eq!(seen.after(full(7)).audio_output, beside.audio_output);
    }

    #[test]
    fn classes_are_known_by_their_names() {
        for (name, service) in [
            ("batch", Some(Service::Batch)),
            ("FLEX", Some(Service::Flex)),
            ("ON_DEMAND_FLEX", Some(Service::Flex)),
            ("ON_DEMAND", None),
            ("priority", Some(Service::Priority)),
            ("default", None),
            ("standard", None),
            ("auto", None),
            ("", None),
        ] {
            assert_eq!(Service::named(name), service, "{name}");
        }
    }
}
