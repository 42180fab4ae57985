//! Usage, as Anthropic tells it: buckets that exclude each other, thinking among the output.
//!
//! # Invariants
//! - Numbers that no honest provider sends are absent, and what is no number too.
//! - What was told is not taken back: a zero told later, as by gateways that know no better, leaves the earlier count.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::super::lenient::Tier;
use super::super::seen;
use crate::chat::Usage;

/// Output tokens that may have been made by the time a message begins.
const BEGINNING: u64 = 16;

/// A token count, if it is an honest one; read from bytes only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count(Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let count = <&RawValue>::deserialize(deserializer)?.get().parse::<f64>();
        Ok(Self(count.ok().and_then(seen::honest)))
    }
}

impl Count {
    fn after(self, earlier: Self) -> Self {
        Self(self.0.filter(|count| *count > 0).or(earlier.0).or(self.0))
    }

    fn or_zero(self) -> u64 {
        self.0.unwrap_or(0)
    }
}

/// As read; every field may be missing.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    #[serde(deserialize_with = "lenient")]
    cache_creation: Creation,
    #[serde(deserialize_with = "lenient")]
    output_tokens_details: Details,
    #[serde(deserialize_with = "lenient")]
    server_tool_use: Tools,
    service_tier: Tier,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    thinking_tokens: Count,
}

/// Tools that Anthropic runs itself and bills for by their use.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Tools {
    web_search_requests: Count,
}

/// Reads a value that may be something else; it counts as absent then.
fn lenient<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

impl Told {
    /// The counts in a usage object; none where it is something else.
    pub(super) fn read(raw: &RawValue) -> Self {
        serde_json::from_str(raw.get()).unwrap_or_default()
    }

    /// The counts at a message's beginning, where the output is of the beginning only; a number that is more than that is of a whole answer.
    pub(super) fn beginning(raw: &RawValue) -> Self {
        let mut told = Self::read(raw);
        told.output_tokens.0 = told.output_tokens.0.filter(|count| *count > BEGINNING);
        told
    }

    /// What was told, and where nothing was, what was told earlier.
    pub(super) fn after(self, earlier: Self) -> Self {
        let (creation, known) = (self.cache_creation, earlier.cache_creation);
        let details = self.output_tokens_details.thinking_tokens;
        Self {
            input_tokens: self.input_tokens.after(earlier.input_tokens),
            output_tokens: self.output_tokens.after(earlier.output_tokens),
            cache_read_input_tokens: self
                .cache_read_input_tokens
                .after(earlier.cache_read_input_tokens),
            cache_creation_input_tokens: self
                .cache_creation_input_tokens
                .after(earlier.cache_creation_input_tokens),
            cache_creation: Creation {
                ephemeral_5m_input_tokens: creation
                    .ephemeral_5m_input_tokens
                    .after(known.ephemeral_5m_input_tokens),
                ephemeral_1h_input_tokens: creation
                    .ephemeral_1h_input_tokens
                    .after(known.ephemeral_1h_input_tokens),
            },
            output_tokens_details: Details {
                thinking_tokens: details.after(earlier.output_tokens_details.thinking_tokens),
            },
            server_tool_use: Tools {
                web_search_requests: self
                    .server_tool_use
                    .web_search_requests
                    .after(earlier.server_tool_use.web_search_requests),
            },
            service_tier: Tier(self.service_tier.0.or(earlier.service_tier.0)),
        }
    }

    /// All tokens written to the cache, and those of them that stay an hour.
    fn written(&self) -> (u64, u64) {
        let creation = &self.cache_creation;
        let hour = creation.ephemeral_1h_input_tokens.or_zero();
        let sum = hour + creation.ephemeral_5m_input_tokens.or_zero();
        let all = self.cache_creation_input_tokens.0.unwrap_or(sum);
        (all, hour.min(all))
    }

    /// The sums and their parts; absent where they are not told.
    pub(super) fn sums(&self) -> seen::Usage {
        let count = |tokens: Option<u64>| tokens.and_then(|tokens| u32::try_from(tokens).ok());
        let read = self.cache_read_input_tokens;
        let (written, hour) = self.written();
        let beside = read.or_zero() + written;
        let creation = &self.cache_creation;
        let of_hour = creation.ephemeral_1h_input_tokens.0;
        let told = self.cache_creation_input_tokens.0;
        let told = told.or(creation.ephemeral_5m_input_tokens.0).or(of_hour);
        let usage = seen::Usage {
            input: count(self.input_tokens.0.map(|input| input + beside)),
            cached: count(read.0),
            cache_write: count(told.map(|_| written - hour)),
            cache_write_1h: count(of_hour.map(|_| hour)),
            output: count(self.output_tokens.0),
            reasoning: count(self.output_tokens_details.thinking_tokens.0),
            queries: count(self.server_tool_use.web_search_requests.0),
            service: self.service_tier.0,
            ..seen::Usage::default()
        };
        usage.apart()
    }

    /// The buckets; none where nothing is told.
    pub(super) fn buckets(&self) -> Option<Usage> {
        self.input_tokens.0.or(self.output_tokens.0)?;
        let (written, hour) = self.written();
        let output = self.output_tokens.or_zero();
        let reasoning = self.output_tokens_details.thinking_tokens.or_zero();
        let reasoning = reasoning.min(output);
        Some(Usage {
            input: self.input_tokens.or_zero(),
            cache_read: self.cache_read_input_tokens.or_zero(),
            cache_write: written - hour,
            cache_write_1h: hour,
            output: output - reasoning,
            reasoning,
        })
    }
}

/// As written.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Written {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation: WrittenCreation,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<WrittenDetails>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct WrittenCreation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct WrittenDetails {
    thinking_tokens: u64,
}

impl From<Usage> for Written {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input,
            cache_creation_input_tokens: usage.cache_write.saturating_add(usage.cache_write_1h),
            cache_read_input_tokens: usage.cache_read,
            cache_creation: WrittenCreation {
                ephemeral_5m_input_tokens: usage.cache_write,
                ephemeral_1h_input_tokens: usage.cache_write_1h,
            },
            output_tokens: usage.total_output(),
            output_tokens_details: (usage.reasoning > 0).then_some(WrittenDetails {
                thinking_tokens: usage.reasoning,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Told {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn buckets_are_disjoint_and_survive() {
        let usage = told(
            r#"{"input_tokens":10,"cache_read_input_tokens":5,"cache_creation_input_tokens":7,
                "cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4},
                "output_tokens":9,"output_tokens_details":{"thinking_tokens":2},
                "server_tool_use":{"web_search_requests":3,"web_fetch_requests":0},"service_tier":"batch"}"#,
        );
        let buckets = usage.buckets().unwrap();
        let expected = Usage {
            input: 10,
            cache_read: 5,
            cache_write: 3,
            cache_write_1h: 4,
            output: 7,
            reasoning: 2,
        };
        assert_eq!(buckets, expected);
        let sums = seen::Usage {
            input: Some(22),
            cached: Some(5),
            cache_write: Some(3),
            cache_write_1h: Some(4),
            output: Some(9),
            reasoning: Some(2),
            queries: Some(3),
            service: Some(seen::Service::Batch),
            ..seen::Usage::default()
        };
        assert_eq!(usage.sums(), sums);
        let again = serde_json::to_string(&Written::from(buckets)).unwrap();
        assert_eq!(told(&again).buckets(), Some(buckets));
    }

    #[test]
    fn odd_counts_are_absent() {
        for odd in ["-1", "1e18", "null", "\"7\"", "[]", "{}", "true"] {
            let json = format!(
                r#"{{"input_tokens":{odd},"cache_creation":{odd},"cache_read_input_tokens":{odd},
                    "service_tier":{odd},"server_tool_use":{odd}}}"#
            );
            assert_eq!(told(&json).buckets(), None, "{odd}");
            assert_eq!(told(&json).sums(), seen::Usage::default(), "{odd}");
        }
        let details =
            told(r#"{"output_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":2}}"#);
        assert_eq!(details.buckets().unwrap().cache_write, 2);
        assert_eq!(details.sums().cache_write, Some(2));
        let more = r#"{"output_tokens":3,"output_tokens_details":{"thinking_tokens":5},
            "cache_creation_input_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":5}}"#;
        let buckets = told(more).buckets().unwrap();
        assert_eq!((buckets.total_output(), buckets.total_input()), (3, 1));
        let sums = told(more).sums();
        assert_eq!((sums.cache_write, sums.cache_write_1h), (Some(0), Some(1)));
        assert_eq!((sums.output, sums.reasoning), (Some(3), Some(3)));
    }

    #[test]
    fn what_was_told_is_not_taken_back() {
        let start = told(r#"{"input_tokens":10,"cache_read_input_tokens":90,"output_tokens":1}"#);
        for (delta, input, output) in [
            (r#"{"output_tokens":7}"#, 100, 7),
            (r#"{"input_tokens":0,"output_tokens":7}"#, 100, 7),
            (r#"{"input_tokens":12,"output_tokens":7}"#, 102, 7),
        ] {
            let usage = told(delta).after(start).buckets().unwrap();
            assert_eq!(
                (usage.total_input(), usage.total_output()),
                (input, output),
                "{delta}"
            );
        }
    }
}
