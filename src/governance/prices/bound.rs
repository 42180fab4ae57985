//! What can it cost at most, wherever the vendor counts what is used?
//!
//! Before an attempt nobody knows which of its tokens the vendor will find in its cache, write to it, or count as reasoning, and whether it bills a picture by tokens, by itself or by size.
//! So every token is priced at the dearest bucket that it may fall into, and of ways to bill that exclude each other the dearest is taken.
//!
//! # Invariants
//! - What is used within a bound never costs more than [`Tariff::at_most`] of the bound: not more input over all buckets, of it not more of sound or of pictures, not more output over all buckets, not more of anything else, and served in the bound's class or the standard one.
//! - A bound that no price is known for is [`Cost::Unknown`], as far as it is known.

use super::tariff::{Bill, Cost, Rates, Tariff, Tier, Used};

/// The dearest rates that a token may be billed at.
#[derive(Clone, Copy, Debug, Default)]
struct Dearest {
    input: Option<u64>,
    output: Option<u64>,
    /// Whether every bucket of text that may be billed has a price.
    input_known: bool,
    output_known: bool,
}

impl Dearest {
    /// The dearest rates of a class for any input of up to so many tokens.
    fn of(tariff: &Tariff, input: u64, tier: Tier) -> Self {
        let reached = tariff.above.iter().filter(|above| above.tokens < input);
        // Why: a vendor may count fewer tokens, and nothing says that a long input is the dearer one.
        let lengths = reached.map(|above| above.tokens.saturating_add(1));
        let mut dearest = Self {
            input_known: true,
            output_known: true,
            ..Self::default()
        };
        for length in std::iter::once(0).chain(lengths) {
            let Rates {
                input,
                cache_read,
                cache_write,
                cache_write_1h,
                output,
                reasoning,
            } = tariff.rates(length, tier);
            let inputs = [input, cache_read, cache_write, cache_write_1h];
            dearest.input = dearest.input.max(inputs.into_iter().max().flatten());
            dearest.output = dearest.output.max(output).max(reasoning);
            dearest.input_known &= input.is_some();
            dearest.output_known &= output.is_some();
        }
        dearest
    }
}

impl Tariff {
    /// The most that this usage can cost, wherever the vendor counts its tokens and by whichever of the tariff's prices it bills.
    #[must_use]
    pub fn at_most(&self, bound: &Used) -> Cost {
        let standard = self.at_most_in(bound, Tier::Standard);
        if bound.tier == Tier::Standard {
            return standard;
        }
        // A class that is asked for is not always given.
        match (standard, self.at_most_in(bound, bound.tier)) {
            (Cost::Known(standard), Cost::Known(asked)) => Cost::Known(standard.max(asked)),
            (standard, asked) => Cost::Unknown(standard.amount().max(asked.amount())),
        }
    }

    fn at_most_in(&self, bound: &Used, tier: Tier) -> Cost {
        let text = bound.tokens.total_input();
        let input = text
            .saturating_add(bound.audio_input)
            .saturating_add(bound.image_input);
        let dearest = Dearest::of(self, input, tier);
        let (mut taken, mut made, mut whole) = (Bill::default(), Bill::default(), Bill::default());

        taken.add(text, dearest.input);
        taken.gap |= text > 0 && !dearest.input_known;
        for (count, own) in [
            (bound.audio_input, self.audio[0]),
            (bound.image_input, self.image_tokens[0]),
        ] {
            taken.add(count, own.max(dearest.input));
            taken.gap |= count > 0 && own.is_none() && !dearest.input_known;
        }
        // Sound is billed by its tokens or by its length.
        let mut lasting = Bill::default();
        lasting.add_millis(bound.millis, self.second);
        let lasts = bound.millis > 0 && self.second.is_some();
        whole.pico = whole.pico.saturating_add(taken.pico.max(lasting.pico));

        let [spoken, drawn] = [self.audio[1], self.image_tokens[1]];
        let output = dearest.output.max(spoken).max(drawn);
        let said = bound
            .tokens
            .total_output()
            .saturating_add(bound.audio_output);
        made.add(said, output);
        made.gap |= bound.tokens.total_output() > 0 && !dearest.output_known;
        made.gap |= bound.audio_output > 0 && spoken.is_none() && !dearest.output_known;
        whole.pico = whole.pico.saturating_add(made.pico);

        let (pictures, are_priced) = self.pictures_at_most(bound, output);
        whole.pico = whole.pico.saturating_add(pictures);
        let draws = bound.images > 0 || bound.image_output > 0;

        let spells = bound.characters > 0 && self.character.is_some();
        whole.add(bound.characters, self.character.or(Some(0)));
        whole.add(bound.queries, self.query.or(Some(0)));
        let request = self.request.unwrap_or(0);
        whole.pico = whole.pico.saturating_add(u128::from(request));

        // Why: a bound counts in every way that a vendor may bill; one that has a price is enough, since vendors do not tell what they do not bill.
        let searches = bound.queries > 0 && self.query.is_some();
        let otherwise = lasts || spells || searches || self.request.is_some();
        let by_tokens = taken.gap || made.gap;
        whole.gap = if draws {
            !are_priced
        } else {
            by_tokens && !otherwise
        };
        whole.cost()
    }

    /// The most that pictures made can cost in pico-dollars, and whether there is a price for them.
    fn pictures_at_most(&self, bound: &Used, output: Option<u64>) -> (u128, bool) {
        let dearest = self.pictures.iter().map(|it| it.rate).max();
        let one = bound.picture.or(dearest).max(self.image);
        let ways = [
            (bound.images, one),
            (bound.pixels, self.pixel),
            (bound.image_output, output),
        ];
        let amount = |(count, rate): (u64, Option<u64>)| {
            let mut bill = Bill::default();
            bill.add(count, rate.or(Some(0)));
            bill.pico
        };
        let most = ways.into_iter().map(amount).max().unwrap_or(0);
        let is_priced = |(count, rate): &(u64, Option<u64>)| *count > 0 && rate.is_some();
        (most, ways.iter().any(is_priced))
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::super::catalogue::Catalogue;
    use super::super::line;
    use super::*;
    use crate::chat;
    use crate::config::Nano;

    fn text(input: u64, output: u64) -> Used {
        Used {
            tokens: chat::Usage {
                input,
                output,
                ..chat::Usage::default()
            },
            ..Used::default()
        }
    }

    #[test]
    fn the_dearest_way_is_taken() {
        let pictures = Used {
            images: 2,
            image_output: 100,
            pixels: 1_000,
            ..Used::default()
        };
        let sound = Used {
            millis: 1_500,
            audio_input: 10,
            ..text(0, 5)
        };
        for (line, bound, nano) in [
            // Tokens written to the cache for an hour, and reasoning.
            (
                "i=3000 r=300 w=3750 w1h=6000 o=15000 t=20000",
                text(100, 10),
                800,
            ),
            // The long input's rates hold for all of it, and only from there on.
            ("i=1000 o=1000 i@200=2000 o@200=3000", text(200, 10), 210),
            ("i=1000 o=1000 i@200=2000 o@200=3000", text(201, 10), 432),
            // A long input that is cheaper may turn out to be a short one.
            ("i=2000 o=0 i@200=1000", text(300, 0), 600),
            // Pictures by one, by pixel, by token.
            ("im=50000", pictures, 100),
            ("im=50000 px=200", pictures, 200),
            ("im=50000 px=200 po=9000", pictures, 900),
            ("im:high:=90000 im:low:=10000", pictures, 180),
            // Sound by the second or by token.
            ("s=100000", sound, 150),
            ("s=100000 ai=20000 o=1000", sound, 205),
            (
                "ch=7000",
                Used {
                    characters: 3,
                    ..text(3, 30)
                },
                21,
            ),
            (
                "i=0 o=0 q=2000000",
                Used {
                    queries: 2,
                    ..text(3, 0)
                },
                4_000,
            ),
            // Output of sound is dearer than of text.
            ("i=1000 o=1000 ao=5000", text(1, 2), 11),
        ] {
            let tariff = line::read(line).unwrap();
            assert_eq!(
                tariff.at_most(&bound),
                Cost::Known(Nano::new(nano)),
                "{line}"
            );
        }
    }

    #[test]
    fn what_nobody_has_a_price_for_is_told() {
        for (line, bound, nano) in [
            ("", text(1, 0), 0),
            ("i=1000", text(5, 5), 5),
            ("w=1000 o=1000", text(5, 5), 10),
            (
                "i=1000 o=1000",
                Used {
                    images: 1,
                    ..Used::default()
                },
                0,
            ),
            (
                "i/batch=1000 o=0",
                Used {
                    tier: Tier::Batch,
                    ..text(5, 5)
                },
                5,
            ),
        ] {
            let tariff = line::read(line).unwrap();
            assert_eq!(
                tariff.at_most(&bound),
                Cost::Unknown(Nano::new(nano)),
                "{line}"
            );
        }
        assert_eq!(
            Tariff::default().at_most(&Used::default()),
            Cost::Known(Nano::ZERO)
        );
    }

    /// Splits a total at random.
    fn split<const N: usize>(rng: &mut StdRng, total: u64) -> [u64; N] {
        let mut rest = rng.random_range(0..=total);
        std::array::from_fn(|_| {
            let part = rng.random_range(0..=rest);
            rest -= part;
            part
        })
    }

    fn anything(rng: &mut StdRng, most: u64) -> Used {
        let of = |rng: &mut StdRng| {
            let most = rng.random_range(0..=most);
            rng.random_range(0..=most)
        };
        Used {
            audio_input: of(rng),
            audio_output: of(rng),
            image_input: of(rng),
            image_output: of(rng),
            images: of(rng).min(10),
            pixels: of(rng),
            millis: of(rng),
            characters: of(rng),
            queries: of(rng).min(3),
            picture: rng.random_bool(0.5).then(|| of(rng)),
            tier: [Tier::Standard, Tier::Batch, Tier::Flex, Tier::Priority][rng.random_range(0..4)],
            ..text(of(rng), of(rng))
        }
    }

    /// Some usage within the bound.
    fn within(rng: &mut StdRng, bound: &Used) -> Used {
        let least = |rng: &mut StdRng, most: u64| rng.random_range(0..=most);
        let (audio, image) = (least(rng, bound.audio_input), least(rng, bound.image_input));
        let all = bound.tokens.total_input() + bound.audio_input + bound.image_input;
        let [input, cache_read, cache_write, cache_write_1h] = split(rng, all - audio - image);
        let [output, reasoning, audio_output] =
            split(rng, bound.tokens.total_output() + bound.audio_output);
        Used {
            tokens: chat::Usage {
                input,
                cache_read,
                cache_write,
                cache_write_1h,
                output,
                reasoning,
            },
            audio_input: audio,
            audio_output,
            image_input: image,
            image_output: least(rng, bound.image_output),
            images: least(rng, bound.images),
            pixels: least(rng, bound.pixels),
            millis: least(rng, bound.millis),
            characters: least(rng, bound.characters),
            queries: least(rng, bound.queries),
            picture: bound.picture.map(|most| least(rng, most)),
            tier: [Tier::Standard, bound.tier][rng.random_range(0..2)],
        }
    }

    #[test]
    fn nothing_within_a_bound_costs_more() {
        let seed = 7;
        let mut rng = StdRng::seed_from_u64(seed);
        let inside = Catalogue::embedded();
        let known: Vec<_> = inside.iter().map(|(_, prices)| prices).collect();
        let codes = [
            "i",
            "r",
            "w",
            "w1h",
            "o",
            "t",
            "ai",
            "ao",
            "pi",
            "po",
            "im",
            "px",
            "s",
            "ch",
            "q",
            "rq",
            "i@500",
            "o@500",
            "w@900",
            "i/flex",
            "o/priority",
            "i@500/batch",
            "im:a:b",
        ];
        for round in 0..40_000 {
            let drawn: String = codes
                .iter()
                .filter(|_| rng.random_bool(0.5))
                .collect::<Vec<_>>()
                .into_iter()
                .map(|code| format!("{code}={} ", rng.random_range(0..100_000_u64)))
                .collect();
            let line = if round % 2 == 0 {
                known[rng.random_range(0..known.len())].to_owned()
            } else {
                drawn
            };
            let tariff = line::read(&line).unwrap();
            let most = if round % 3 == 0 { 500_000 } else { 1_500 };
            let bound = anything(&mut rng, most);
            let used = within(&mut rng, &bound);
            let (cost, most) = (tariff.cost(&used), tariff.at_most(&bound));
            assert!(
                cost.amount() <= most.amount(),
                "seed {seed}, round {round}: {cost:?} > {most:?} of {line}\n{used:?}\n{bound:?}"
            );
        }
    }

    #[test]
    fn absurd_numbers_saturate() {
        let line = format!("i={0} o={0} im={0} s={0} ch={0} rq={0}", u64::MAX);
        let tariff = line::read(&line).unwrap();
        let bound = Used {
            audio_input: u64::MAX,
            audio_output: u64::MAX,
            images: u64::MAX,
            millis: u64::MAX,
            characters: u64::MAX,
            ..text(u64::MAX, u64::MAX)
        };
        assert_eq!(tariff.at_most(&bound), Cost::Known(Nano::MAX));
        assert_eq!(tariff.cost(&bound), Cost::Known(Nano::MAX));
    }
}
