//! What a provider says was used, in the buckets that a tariff prices.
//!
//! A provider counts some tokens twice: what was cached is part of the input, reasoning part of the output. A tariff wants every token in one place.
//!
//! # Invariants
//! - No token is in two buckets, and none is lost: the buckets of the input add up to what is told of the whole, or to its parts where they are more;
//!   those of the output to what is told of the whole.
//! - Figures that contradict each other make no count negative.

use crate::chat;
use crate::dialects::seen::{Service, Usage};
use crate::governance::prices::{Tier, Used};

/// Splits what was used into buckets that exclude each other.
///
/// How large pictures are is not told in an answer, so [`Used::pixels`] and [`Used::picture`] are left to whoever read the request.
#[must_use]
pub(super) fn used(usage: &Usage) -> Used {
    let count = |told: Option<u32>| u64::from(told.unwrap_or(0));
    let (cache_read, cache_write) = (count(usage.cached), count(usage.cache_write));
    let cache_write_1h = count(usage.cache_write_1h);
    let (audio_input, image_input) = (count(usage.audio_input), count(usage.image_input));
    let beside = cache_read + cache_write + cache_write_1h + audio_input + image_input;

    let parts = [usage.reasoning, usage.audio_output, usage.image_output];
    // Where the whole is not told, its parts are what is known of it.
    let told = usage.output.map(u64::from);
    let mut left = told.unwrap_or_else(|| parts.into_iter().map(count).sum());
    let mut take = |part: Option<u32>| {
        let taken = count(part).min(left);
        left -= taken;
        taken
    };
    let (reasoning, audio_output) = (take(usage.reasoning), take(usage.audio_output));
    let image_output = take(usage.image_output);
    Used {
        tokens: chat::Usage {
            input: count(usage.input).saturating_sub(beside),
            cache_read,
            cache_write,
            cache_write_1h,
            output: left,
            reasoning,
        },
        audio_input,
        audio_output,
        image_input,
        image_output,
        images: count(usage.images),
        millis: count(usage.millis),
        characters: count(usage.characters),
        queries: count(usage.queries),
        tier: match usage.service {
            None => Tier::Standard,
            Some(Service::Batch) => Tier::Batch,
            Some(Service::Flex) => Tier::Flex,
            Some(Service::Priority) => Tier::Priority,
        },
        ..Used::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_count_has_its_place() {
        let told = Usage {
            input: Some(1_000),
            cached: Some(300),
            cache_write: Some(20),
            cache_write_1h: Some(30),
            audio_input: Some(100),
            image_input: Some(50),
            output: Some(200),
            reasoning: Some(40),
            audio_output: Some(10),
            image_output: Some(60),
            images: Some(2),
            millis: Some(1_500),
            characters: Some(77),
            queries: Some(3),
            service: Some(Service::Batch),
        };
        let expected = Used {
            tokens: chat::Usage {
                input: 500,
                cache_read: 300,
                cache_write: 20,
                cache_write_1h: 30,
                output: 90,
                reasoning: 40,
            },
            audio_input: 100,
            audio_output: 10,
            image_input: 50,
            image_output: 60,
            images: 2,
            millis: 1_500,
            characters: 77,
            queries: 3,
            tier: Tier::Batch,
            ..Used::default()
        };
        assert_eq!(used(&told), expected);
        assert_eq!(used(&Usage::default()), Used::default());
    }

    #[test]
    fn figures_that_contradict_each_other_are_taken_as_they_are() {
        let told = Usage {
            input: Some(10),
            cached: Some(99),
            output: Some(5),
            reasoning: Some(7),
            image_output: Some(9),
            ..Usage::default()
        };
        let used = used(&told);
        assert_eq!((used.tokens.input, used.tokens.cache_read), (0, 99));
        assert_eq!((used.tokens.output, used.tokens.reasoning), (0, 5));
        assert_eq!(used.image_output, 0);
    }

    fn counted() -> impl Strategy<Value = Option<u32>> {
        prop_oneof![
            Just(None),
            (0_u32..50).prop_map(Some),
            any::<u32>().prop_map(Some)
        ]
    }

    proptest! {
        #[test]
        fn buckets_add_up(
            input in proptest::array::uniform6(counted()),
            output in proptest::array::uniform4(counted()),
        ) {
            let usage = Usage {
                input: input[0],
                cached: input[1],
                cache_write: input[2],
                cache_write_1h: input[3],
                audio_input: input[4],
                image_input: input[5],
                output: output[0],
                reasoning: output[1],
                audio_output: output[2],
                image_output: output[3],
                ..Usage::default()
            };
            let sum = |all: &[Option<u32>]| all.iter().flatten().map(|it| u64::from(*it)).sum::<u64>();
            let whole_input = sum(&input[..1]).max(sum(&input[1..]));
            let whole_output = output[0].map_or_else(|| sum(&output[1..]), u64::from);
            let used = used(&usage);
            let inputs = used.tokens.total_input() + used.audio_input + used.image_input;
            let outputs = used.tokens.total_output() + used.audio_output + used.image_output;
            prop_assert_eq!((inputs, outputs), (whole_input, whole_output));
        }
    }
}
