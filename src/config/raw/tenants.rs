//! What may be written about customers, teams and virtual keys?
//!
//! # Invariants
//! - As of [`raw`](super).

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::tenants::Budget;
use super::super::written::{At, Named, SecretText, Stretch, When};

/// Who is billed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Customer")]
pub(in crate::config) struct RawCustomer {
    /// What all its teams and keys may spend together; at most four, and all of them hold.
    pub(in crate::config) budgets: Vec<RawBudget>,
    /// How fast all its teams and keys may ask together.
    pub(in crate::config) rate_limits: RawRateLimits,
    /// Models that its keys may ask for, by the names that clients use; `*` stands for any text. The default is all, and an empty list is none.
    pub(in crate::config) models: Option<Vec<At<String>>>,
    /// Providers that may serve its keys, as under `[providers]`; `*` stands for any text. The default is all, and an empty list is none.
    pub(in crate::config) providers: Option<Vec<At<String>>>,
}

/// Keys that share budgets, limits and what they may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Team")]
pub(in crate::config) struct RawTeam {
    /// The customer that it belongs to, as under `[customers]`. The default is none.
    pub(in crate::config) customer: Option<At<String>>,
    /// What all its keys may spend together; at most four, and all of them hold.
    pub(in crate::config) budgets: Vec<RawBudget>,
    /// How fast all its keys may ask together.
    pub(in crate::config) rate_limits: RawRateLimits,
    /// Models that its keys may ask for, by the names that clients use; `*` stands for any text. The default is what its customer may, and an empty list is none.
    pub(in crate::config) models: Option<Vec<At<String>>>,
    /// Providers that may serve its keys, as under `[providers]`; `*` stands for any text. The default is what its customer may, and an empty list is none.
    pub(in crate::config) providers: Option<Vec<At<String>>>,
}

/// A credential that a client holds, with what it may use and spend.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VirtualKey")]
pub(in crate::config) struct RawVirtualKey {
    /// What the client presents, 16 to 1024 bytes: `"${NAME}"` reads it from the environment.
    #[schemars(required)]
    pub(in crate::config) secret: Option<At<SecretText>>,
    /// The team that it belongs to, as under `[teams]`. A key has a team or a customer or neither.
    pub(in crate::config) team: Option<At<String>>,
    /// The customer that it belongs to directly, as under `[customers]`.
    pub(in crate::config) customer: Option<At<String>>,
    /// From when on it is refused, such as `2027-01-01T00:00:00Z`. The default is never.
    pub(in crate::config) expires: Option<At<When>>,
    /// Whether it is refused although it is known.
    #[schemars(extend("default" = false))]
    pub(in crate::config) disabled: Option<At<bool>>,
    /// What its costs are attributed to, such as `{ project = "nightly" }`; at most 16, names and values of at most 64 characters.
    #[serde(default)]
    pub(in crate::config) tags: Named<At<String>>,
    /// Whether what it sends and gets may be logged, where logging of content is on.
    #[schemars(extend("default" = true))]
    pub(in crate::config) log_content: Option<At<bool>>,
    /// What it may spend; at most four, and all of them hold.
    #[serde(default)]
    pub(in crate::config) budgets: Vec<RawBudget>,
    /// How fast it may ask.
    #[serde(default)]
    pub(in crate::config) rate_limits: RawRateLimits,
    /// Models that it may ask for, by the names that clients use; `*` stands for any text. The default is what its team or customer may, and an empty list is none.
    pub(in crate::config) models: Option<Vec<At<String>>>,
    /// Providers that may serve it, as under `[providers]`, `*` standing for any text; or a table for each provider at which it has budgets, limits or models of its own, which keeps it from no other. The default is what its team or customer may, and an empty list is none.
    pub(in crate::config) providers: Option<RawKeyProviders>,
}

/// Which providers may serve a key, or what it may do at each.
#[derive(Debug)]
pub(in crate::config) enum RawKeyProviders {
    /// Those of these names and no others.
    Only(Vec<At<String>>),
    /// Any; at these it has limits.
    Each(Named<RawAtProvider>),
}

/// What a key may use and spend at one provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AtProvider")]
pub(in crate::config) struct RawAtProvider {
    /// What the key may spend there; at most four, and all of them hold.
    pub(in crate::config) budgets: Vec<RawBudget>,
    /// How fast the key may ask there.
    pub(in crate::config) rate_limits: RawRateLimits,
    /// Models that may be served there, by the names that clients use; `*` stands for any text. The default is what the key may, and an empty list is none.
    pub(in crate::config) models: Option<Vec<At<String>>>,
}

/// What may be spent in a stretch of time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Budget")]
pub(in crate::config) struct RawBudget {
    /// The most that may be spent, dollars.
    #[schemars(required, range(min = Budget::LEAST, max = Budget::MOST))]
    pub(in crate::config) limit: Option<At<f64>>,
    /// In which stretch of time: a number and one of `m`, `h`, `d`, `w`, `M` (months), `Q` (quarters), `Y`, ten years at most.
    #[schemars(required)]
    pub(in crate::config) period: Option<At<Stretch>>,
    /// Whether it begins anew at the calendar's boundaries (`aligned`), or counts what was spent in any stretch of that length (`rolling`).
    #[schemars(extend("default" = "aligned"))]
    pub(in crate::config) style: Option<At<RawStyle>>,
    /// The time zone of the calendar, such as `Europe/Berlin`.
    #[schemars(extend("default" = "UTC"))]
    pub(in crate::config) zone: Option<At<String>>,
    /// Whether what exceeds it is refused. Otherwise it is watched, and going over it is told.
    #[schemars(extend("default" = true))]
    pub(in crate::config) hard: Option<At<bool>>,
}

/// How the windows of a budget lie in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawStyle {
    /// They begin at the calendar's boundaries.
    #[default]
    Aligned,
    /// Any stretch of the length counts.
    Rolling,
}

/// How fast a tier may ask; what is not written is not limited.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RateLimits")]
pub(in crate::config) struct RawRateLimits {
    /// Requests in a minute; after a quiet minute as many may come at once. The default is no limit.
    #[schemars(range(min = 1))]
    pub(in crate::config) requests_per_minute: Option<At<u32>>,
    /// Input tokens in a minute. The default is no limit.
    #[schemars(range(min = 1))]
    pub(in crate::config) input_tokens_per_minute: Option<At<u32>>,
    /// Output tokens in a minute. The default is no limit.
    #[schemars(range(min = 1))]
    pub(in crate::config) output_tokens_per_minute: Option<At<u32>>,
    /// Requests in flight, streams that are being sent included. The default is no limit.
    #[schemars(range(min = 1))]
    pub(in crate::config) concurrency: Option<At<u32>>,
}

impl<'de> Deserialize<'de> for RawKeyProviders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = RawKeyProviders;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of providers or a table of them")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                let list = Deserialize::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(RawKeyProviders::Only(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let each = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawKeyProviders::Each(each))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for RawKeyProviders {
    fn schema_name() -> Cow<'static, str> {
        "KeyProviders".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = Vec::<At<String>>::json_schema(generator);
        let each = Named::<RawAtProvider>::json_schema(generator);
        json_schema!({ "anyOf": [list, each] })
    }
}
