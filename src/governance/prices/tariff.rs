//! What does it cost?
//!
//! A tariff is what one model costs at one vendor, in pico-dollars for each unit, so that the cheapest token still has a whole number.
//! What was used lies in disjoint buckets, so nothing is charged twice; a bucket without a price of its own has the price of the one that vendors count it under.
//!
//! # Invariants
//! - Costs are exact in pico-dollars and rounded up once, to a nano-dollar.
//! - A cost never falls when more was used; nothing overflows.
//! - A tariff that says nothing about a bucket that was used gives [`Cost::Unknown`], never zero.

use crate::chat;
use crate::config::Nano;

/// Pico-dollars in a nano-dollar.
const PER_NANO: u128 = 1_000;

/// What a class of service costs besides the standard one; vendors tell the class in the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tier {
    /// As a request is served that asks for nothing else.
    #[default]
    Standard,
    /// Answered within a day.
    Batch,
    /// Answered when there is room.
    Flex,
    /// Answered before others.
    Priority,
}

impl Tier {
    /// Every class with a name.
    const NAMES: [(Self, &'static str); 3] = [
        (Self::Batch, "/batch"),
        (Self::Flex, "/flex"),
        (Self::Priority, "/priority"),
    ];

    /// The class of this name, as vendors and catalogues write it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(_, suffix)| suffix.strip_prefix('/') == Some(name))
            .map(|(tier, _)| tier)
    }

    /// Its name; empty for the standard one.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.suffix().trim_start_matches('/')
    }

    /// What a catalogue puts behind a unit for it.
    pub(super) fn suffix(self) -> &'static str {
        let mut names = Self::NAMES.into_iter();
        names.find(|(tier, _)| *tier == self).map_or("", |it| it.1)
    }
}

/// What an attempt used; every token is in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Tokens of text.
    pub tokens: chat::Usage,
    /// Input tokens of sound.
    pub audio_input: u64,
    /// Output tokens of sound.
    pub audio_output: u64,
    /// Input tokens of pictures, where they are told apart.
    pub image_input: u64,
    /// Output tokens of pictures.
    pub image_output: u64,
    /// Pictures made.
    pub images: u64,
    /// Pixels made, over all pictures.
    pub pixels: u64,
    /// Sound or film taken in or made, milliseconds.
    pub millis: u64,
    /// Characters to be spoken.
    pub characters: u64,
    /// Searches, such as of a reranker.
    pub queries: u64,
    /// What one of these pictures costs, where that hangs on its quality and size; see [`Tariff::picture`].
    pub picture: Option<u64>,
    /// In which class it was served.
    pub tier: Tier,
}

/// What the units of one model cost, pico-dollars each; none where nobody says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// An input token.
    pub input: Option<u64>,
    /// An input token read from the prompt cache.
    pub cache_read: Option<u64>,
    /// An input token written to it for five minutes.
    pub cache_write: Option<u64>,
    /// An input token written to it for an hour.
    pub cache_write_1h: Option<u64>,
    /// An output token.
    pub output: Option<u64>,
    /// An output token of reasoning.
    pub reasoning: Option<u64>,
}

impl Rates {
    /// These rates, and where one is absent, the others'.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            input: self.input.or(others.input),
            cache_read: self.cache_read.or(others.cache_read),
            cache_write: self.cache_write.or(others.cache_write),
            cache_write_1h: self.cache_write_1h.or(others.cache_write_1h),
            output: self.output.or(others.output),
            reasoning: self.reasoning.or(others.reasoning),
        }
    }
}

/// Rates that hold for the whole request when its input is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Above {
    /// Input tokens, cached ones included, from which on they do not hold yet; one more and they do.
    pub tokens: u64,
    /// In which class.
    pub tier: Tier,
    /// The rates.
    pub rates: Rates,
}

/// What pictures of one quality and size cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The quality as clients write it; empty for any.
    pub quality: Box<str>,
    /// The size as clients write it, such as `1024x1024`; empty for any.
    pub size: Box<str>,
    /// Pico-dollars for one.
    pub rate: u64,
}

/// What one model costs at one vendor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tariff {
    /// Tokens of text.
    pub standard: Rates,
    /// Other classes; what they do not say is as in the standard one.
    pub tiers: Vec<(Tier, Rates)>,
    /// Long inputs, in rising order of tokens.
    pub above: Vec<Above>,
    /// An input token of sound; an output token of sound.
    pub audio: [Option<u64>; 2],
    /// An input token of pictures; an output token of pictures.
    pub image_tokens: [Option<u64>; 2],
    /// A picture of any quality and size.
    pub image: Option<u64>,
    /// Pictures of certain qualities and sizes.
    pub pictures: Vec<Picture>,
    /// A pixel.
    pub pixel: Option<u64>,
    /// A second.
    pub second: Option<u64>,
    /// A character to be spoken.
    pub character: Option<u64>,
    /// A search.
    pub query: Option<u64>,
    /// A request, whatever it holds.
    pub request: Option<u64>,
    /// The most output tokens that the model writes, if known.
    pub max_output: Option<u32>,
}

/// What something costs, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// So much.
    Known(Nano),
    /// Something was used that the tariff has no price for; what is known of it.
    Unknown(Nano),
}

impl Cost {
    /// The amount, as far as it is known.
    #[must_use]
    pub const fn amount(self) -> Nano {
        match self {
            Self::Known(amount) | Self::Unknown(amount) => amount,
        }
    }
}

/// A sum that notes whether a price was missing.
#[derive(Default)]
pub(super) struct Bill {
    /// Pico-dollars.
    pub(super) pico: u128,
    /// Whether a price was missing.
    pub(super) gap: bool,
}

impl Bill {
    pub(super) fn add(&mut self, count: u64, rate: Option<u64>) {
        match rate {
            _ if count == 0 => {}
            Some(rate) => {
                let amount = u128::from(count) * u128::from(rate);
                self.pico = self.pico.saturating_add(amount);
            }
            None => self.gap = true,
        }
    }

    /// Adds what lasts, at the price of a second; nothing without one.
    pub(super) fn add_millis(&mut self, millis: u64, second: Option<u64>) {
        let amount = u128::from(millis) * u128::from(second.unwrap_or(0));
        self.pico = self.pico.saturating_add(amount.div_ceil(1_000));
    }

    pub(super) fn cost(self) -> Cost {
        let nano = u64::try_from(self.pico.div_ceil(PER_NANO)).unwrap_or(u64::MAX);
        if self.gap {
            Cost::Unknown(Nano::new(nano))
        } else {
            Cost::Known(Nano::new(nano))
        }
    }
}

impl Tariff {
    /// Rates per token as an operator writes them: dollars for a million input and output tokens.
    #[must_use]
    pub fn of_tokens(input: f64, output: f64) -> Self {
        // A dollar for a million tokens is a million pico-dollars for one.
        let pico = |dollars: f64| Some((dollars * 1e6).round() as u64);
        Self {
            standard: Rates {
                input: pico(input),
                output: pico(output),
                ..Rates::default()
            },
            ..Self::default()
        }
    }

    /// The rates that hold for an input of so many tokens in a class.
    #[must_use]
    pub fn rates(&self, input: u64, tier: Tier) -> Rates {
        let own = |wanted: Tier| {
            let mut rates = Rates::default();
            if let Some((_, of_tier)) = self.tiers.iter().find(|(it, _)| *it == wanted) {
                rates = *of_tier;
            }
            let reached = |above: &&Above| above.tier == wanted && input > above.tokens;
            match self.above.iter().rev().find(reached) {
                Some(above) => above.rates.or(rates),
                None => rates,
            }
        };
        let standard = own(Tier::Standard).or(self.standard);
        if tier == Tier::Standard {
            standard
        } else {
            own(tier).or(standard)
        }
    }

    /// What was used costs.
    #[must_use]
    pub fn cost(&self, used: &Used) -> Cost {
        let tokens = &used.tokens;
        let rates = self.rates(tokens.total_input(), used.tier);
        let (input, output) = (rates.input, rates.output);
        let write = rates.cache_write.or(input);
        let mut bill = Bill::default();
        bill.add(tokens.input, input);
        bill.add(tokens.cache_read, rates.cache_read.or(input));
        bill.add(tokens.cache_write, write);
        bill.add(tokens.cache_write_1h, rates.cache_write_1h.or(write));
        bill.add(tokens.output, output);
        bill.add(tokens.reasoning, rates.reasoning.or(output));
        bill.add(used.audio_input, self.audio[0].or(input));
        bill.add(used.audio_output, self.audio[1].or(output));
        bill.add(used.image_input, self.image_tokens[0].or(input));
        bill.add(used.image_output, self.image_tokens[1].or(output));
        // A picture is priced one way: by its tokens, by itself, or by its size.
        if used.image_output == 0 {
            match (used.picture.or(self.image), self.pixel) {
                (None, Some(pixel)) => bill.add(used.pixels, Some(pixel)),
                (picture, _) => bill.add(used.images, picture),
            }
        }
        // Sound is priced by its tokens or by its length.
        let by_tokens = tokens.total_input() > 0 || used.audio_input > 0;
        bill.add_millis(used.millis, self.second.filter(|_| !by_tokens));
        if let Some(character) = self.character {
            bill.add(used.characters, Some(character));
        }
        bill.add(used.queries, self.query.or(Some(0)));
        bill.add(1, self.request.or(Some(0)));
        bill.cost()
    }

    /// What a picture of this quality and size costs, where the tariff tells them apart; a quality or size that it does not know costs as much as the dearest.
    #[must_use]
    pub fn picture(&self, quality: &str, size: &str) -> Option<u64> {
        let fits = |own: &str, asked: &str| own.is_empty() || own == asked;
        let rate = |picture: &&Picture| picture.rate;
        let all = || self.pictures.iter();
        let exact = all().filter(|it| fits(&it.quality, quality) && fits(&it.size, size));
        let near = all().filter(|it| fits(&it.quality, quality) || fits(&it.size, size));
        let found = exact.max_by_key(rate);
        let found = found.or_else(|| near.max_by_key(rate));
        found.or_else(|| all().max_by_key(rate)).map(|it| it.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(input: u64, cache_read: u64, output: u64) -> Used {
        Used {
            tokens: chat::Usage {
                input,
                cache_read,
                output,
                ..chat::Usage::default()
            },
            ..Used::default()
        }
    }

    #[test]
    fn tokens_cost_what_their_bucket_costs() {
        // Claude Sonnet 4.5, dollars per million: 3 in, 15 out, 0.30 read, 3.75 and 6 written.
        let tariff = Tariff {
            standard: Rates {
                input: Some(3_000_000),
                cache_read: Some(300_000),
                cache_write: Some(3_750_000),
                cache_write_1h: Some(6_000_000),
                output: Some(15_000_000),
                reasoning: None,
            },
            ..Tariff::default()
        };
        let used = Used {
            tokens: chat::Usage {
                input: 100,
                cache_read: 1_000,
                cache_write: 200,
                cache_write_1h: 10,
                output: 50,
                reasoning: 7,
            },
            ..Used::default()
        };
        // 300,000 + 300,000 + 750,000 + 60,000 + 750,000 + 105,000 nano-dollars.
        assert_eq!(tariff.cost(&used), Cost::Known(Nano::new(2_265_000)));
    }

    #[test]
    fn a_cost_is_rounded_up_once() {
        let tariff = Tariff::of_tokens(0.0001, 0.0);
        assert_eq!(tariff.cost(&tokens(1, 0, 0)), Cost::Known(Nano::new(1)));
        assert_eq!(tariff.cost(&tokens(10, 0, 0)), Cost::Known(Nano::new(1)));
        assert_eq!(tariff.cost(&tokens(11, 0, 0)), Cost::Known(Nano::new(2)));
    }

    #[test]
    fn a_long_input_is_dearer_as_a_whole() {
        // Gemini 2.5 Pro: 1.25 and 10 dollars up to 200,000 tokens, 2.50 and 15 above.
        let tariff = Tariff {
            above: vec![Above {
                tokens: 200_000,
                tier: Tier::Standard,
                rates: Rates {
                    input: Some(2_500_000),
                    output: Some(15_000_000),
                    ..Rates::default()
                },
            }],
            ..Tariff::of_tokens(1.25, 10.0)
        };
        let cost = |input, cached| tariff.cost(&tokens(input, cached, 1)).amount().get();
        assert_eq!(cost(200_000, 0), 250_010_000);
        assert_eq!(cost(200_001, 0), 500_017_500);
        assert_eq!(cost(100_000, 100_001), 500_017_500, "cached ones count");
    }

    #[test]
    fn classes_have_prices_of_their_own() {
        let tariff = Tariff {
            tiers: vec![(
                Tier::Batch,
                Rates {
                    input: Some(75_000),
                    ..Rates::default()
                },
            )],
            ..Tariff::of_tokens(0.15, 0.6)
        };
        let batch = Used {
            tier: Tier::Batch,
            ..tokens(1_000, 0, 1_000)
        };
        assert_eq!(tariff.cost(&batch), Cost::Known(Nano::new(675_000)));
        let flex = Used {
            tier: Tier::Flex,
            ..batch
        };
        assert_eq!(tariff.cost(&flex), Cost::Known(Nano::new(750_000)));
    }

    #[test]
    fn what_has_no_price_is_not_free() {
        let nothing = Tariff::default();
        assert_eq!(nothing.cost(&tokens(1, 0, 0)), Cost::Unknown(Nano::ZERO));
        assert_eq!(nothing.cost(&Used::default()), Cost::Known(Nano::ZERO));
        let embedding = Tariff {
            standard: Rates {
                input: Some(20_000),
                ..Rates::default()
            },
            ..Tariff::default()
        };
        assert_eq!(
            embedding.cost(&tokens(50, 0, 0)),
            Cost::Known(Nano::new(1_000))
        );
        let picture = Used {
            images: 1,
            pixels: 1 << 20,
            ..Used::default()
        };
        assert_eq!(nothing.cost(&picture), Cost::Unknown(Nano::ZERO));
        let by_picture = Tariff {
            image: Some(40_000_000_000),
            ..Tariff::default()
        };
        assert_eq!(
            by_picture.cost(&picture),
            Cost::Known(Nano::new(40_000_000))
        );
    }

    #[test]
    fn absurd_usage_saturates() {
        let tariff = Tariff::of_tokens(1e6, 1e6);
        let absurd = tokens(u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(tariff.cost(&absurd), Cost::Known(Nano::MAX));
    }
}
