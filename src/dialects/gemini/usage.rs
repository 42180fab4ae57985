//! How many tokens does a `usageMetadata` tell of?
//!
//! `promptTokenCount` includes what was read from the cache; `candidatesTokenCount` excludes thoughts, except where the total says otherwise.
//! How much of each is sound or pictures is told by modality, and of what was cached too.
//!
//! # Invariants
//! - Numbers that no honest provider sends (negative, or above [`ABSURD_TOKENS`]) are read as absent.
//! - Nothing is allocated to read it.

use serde::{Deserialize, Serialize};

use super::super::lenient::Tier;
use super::super::seen::{self, ABSURD_TOKENS};
use super::modality::Modalities;
use super::wire::Glance;
use crate::chat;

/// The counts as they are written.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Counts {
    #[serde(alias = "prompt_token_count")]
    prompt_token_count: Glance,
    #[serde(alias = "tool_use_prompt_token_count")]
    tool_use_prompt_token_count: Glance,
    #[serde(alias = "cached_content_token_count")]
    cached_content_token_count: Glance,
    #[serde(alias = "candidates_token_count")]
    candidates_token_count: Glance,
    #[serde(alias = "thoughts_token_count")]
    thoughts_token_count: Glance,
    #[serde(alias = "total_token_count")]
    total_token_count: Glance,
    #[serde(alias = "prompt_tokens_details")]
    prompt_tokens_details: Modalities,
    #[serde(alias = "cache_tokens_details")]
    cache_tokens_details: Modalities,
    #[serde(alias = "tool_use_prompt_tokens_details")]
    tool_use_prompt_tokens_details: Modalities,
    #[serde(alias = "candidates_tokens_details")]
    candidates_tokens_details: Modalities,
    service_tier: Tier,
    /// The same in Vertex's words.
    traffic_type: Tier,
}

/// A token count, if it is an honest one.
fn honest(count: Glance) -> Option<u32> {
    let count = count.number?;
    (0.0..=ABSURD_TOKENS)
        .contains(&count)
        .then_some(count as u32)
}

impl Counts {
    fn input(&self) -> Option<u32> {
        let prompt = honest(self.prompt_token_count)?;
        Some(prompt.saturating_add(honest(self.tool_use_prompt_token_count).unwrap_or(0)))
    }

    /// Output that is not thoughts, and thoughts.
    fn outputs(&self) -> Option<(u32, u32)> {
        let thoughts = honest(self.thoughts_token_count);
        let candidates = match (honest(self.candidates_token_count), thoughts) {
            (None, None) => return None,
            (candidates, _) => candidates.unwrap_or(0),
        };
        let thoughts = thoughts.unwrap_or(0);
        let together = self.input().unwrap_or(0).saturating_add(candidates);
        let included = honest(self.total_token_count) == Some(together);
        Some(if included {
            (candidates.saturating_sub(thoughts), thoughts)
        } else {
            (candidates, thoughts)
        })
    }

    /// The counts in disjoint buckets.
    pub(super) fn buckets(&self) -> chat::Usage {
        let cached = honest(self.cached_content_token_count).unwrap_or(0);
        let input = self.input().unwrap_or(0);
        let (output, reasoning) = self.outputs().unwrap_or_default();
        chat::Usage {
            input: u64::from(input.saturating_sub(cached)),
            cache_read: u64::from(cached.min(input)),
            output: u64::from(output),
            reasoning: u64::from(reasoning),
            ..chat::Usage::default()
        }
    }
}

impl From<Counts> for seen::Usage {
    fn from(counts: Counts) -> Self {
        let asked = counts.prompt_tokens_details;
        let asked = asked.plus(counts.tool_use_prompt_tokens_details);
        let asked = asked.without(counts.cache_tokens_details);
        let made = counts.candidates_tokens_details;
        let usage = Self {
            input: counts.input(),
            cached: honest(counts.cached_content_token_count),
            audio_input: asked.audio,
            image_input: asked.image,
            output: counts
                .outputs()
                .map(|(output, thoughts)| output.saturating_add(thoughts)),
            reasoning: honest(counts.thoughts_token_count),
            audio_output: made.audio,
            image_output: made.image,
            service: counts.service_tier.0.or(counts.traffic_type.0),
            ..Self::default()
        };
        usage.apart()
    }
}

/// The counts as the gateway writes them.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    prompt_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cached_content_token_count: u64,
    candidates_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    thoughts_token_count: u64,
    total_token_count: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<&chat::Usage> for Written {
    fn from(usage: &chat::Usage) -> Self {
        Self {
            prompt_token_count: usage.total_input(),
            cached_content_token_count: usage.cache_read,
            candidates_token_count: usage.output,
            thoughts_token_count: usage.reasoning,
            total_token_count: usage.total_input().saturating_add(usage.total_output()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Counts {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn buckets_are_disjoint() {
        let counts = read(
            r#"{"promptTokenCount":100,"cachedContentTokenCount":40,"toolUsePromptTokenCount":5,
                "candidatesTokenCount":20,"thoughtsTokenCount":7,"totalTokenCount":132}"#,
        );
        let buckets = counts.buckets();
        assert_eq!((buckets.input, buckets.cache_read), (65, 40));
        assert_eq!((buckets.output, buckets.reasoning), (20, 7));
        let seen = seen::Usage::from(counts);
        assert_eq!(
            (seen.input, seen.cached, seen.output),
            (Some(105), Some(40), Some(27))
        );
    }

    #[test]
    fn thoughts_that_the_total_counts_once_are_counted_once() {
        let counts = read(
            r#"{"promptTokenCount":10,"candidatesTokenCount":20,"thoughtsTokenCount":7,"totalTokenCount":30}"#,
        );
        let buckets = counts.buckets();
        assert_eq!((buckets.output, buckets.reasoning), (13, 7));
        assert_eq!(seen::Usage::from(counts).output, Some(20));
    }

    #[test]
    fn absurd_counts_are_absent() {
        for bad in ["-1", "1e30", "\"x\"", "null", "[1]", "{\"a\":1}", "true"] {
            let counts = read(&format!(
                r#"{{"promptTokenCount":{bad},"thoughtsTokenCount":{bad}}}"#
            ));
            assert_eq!(seen::Usage::from(counts), seen::Usage::default(), "{bad}");
            assert_eq!(counts.buckets(), chat::Usage::default(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let usage = chat::Usage {
            input: 3,
            cache_read: 4,
            output: 5,
            reasoning: 6,
            ..chat::Usage::default()
        };
        let written = serde_json::to_string(&Written::from(&usage)).unwrap();
        assert_eq!(read(&written).buckets(), usage);
        assert!(written.ends_with("\"totalTokenCount\":18}"), "{written}");
    }

    #[test]
    fn modalities_and_classes_are_told() {
        let counts: Counts = serde_json::from_str(
            r#"{"promptTokenCount":1000,"cachedContentTokenCount":300,"candidatesTokenCount":50,"thoughtsTokenCount":7,"totalTokenCount":1057,
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":142},{"modality":"AUDIO","tokenCount":600},{"modality":"IMAGE","tokenCount":258}],
                "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":300}],
                "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":40}],"trafficType":"ON_DEMAND_PRIORITY"}"#,
        )
        .unwrap();
        let expected = seen::Usage {
            input: Some(1_000),
            cached: Some(300),
            audio_input: Some(300),
            image_input: Some(258),
            output: Some(57),
            reasoning: Some(7),
            image_output: Some(40),
            service: Some(seen::Service::Priority),
            ..seen::Usage::default()
        };
        assert_eq!(seen::Usage::from(counts), expected);
        let standard: Counts = serde_json::from_str(
            r#"{"trafficType":"ON_DEMAND","serviceTier":"flex","promptTokensDetails":7}"#,
        )
        .unwrap();
        let flex = seen::Usage {
            service: Some(seen::Service::Flex),
            ..seen::Usage::default()
        };
        assert_eq!(seen::Usage::from(standard), flex);
    }
}
