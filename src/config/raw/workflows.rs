//! What may be written about workflows, and about the rules that choose routes?
//!
//! # Invariants
//! - As of [`raw`](super).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::super::written::{At, Named};
use super::{RawCaching, RawModelRetry, RawStreamRecovery, RawTimeouts};

/// A named endpoint, `/v1/workflows/NAME`, and a model name, `workflows/NAME`: a model with a part of each request written already.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Workflow")]
pub(in crate::config) struct RawWorkflow {
    /// Name of the model whose routes serve it, as under `[models]`. It shares their statistics.
    #[schemars(required)]
    pub(in crate::config) model: Option<At<String>>,
    /// Models to try, in order, when no route can answer. The default is the model's own.
    pub(in crate::config) fallbacks: Option<Vec<At<String>>>,
    /// Rules that send some requests to another model's routes; the first that matches decides. The default is the model's own.
    #[serde(default)]
    pub(in crate::config) rules: Vec<RawRule>,
    /// Parameters put into every request in place of the client's, by their names in chat completions, such as `{ temperature = 0.2 }`; in requests of other dialects the usual ones get their names there, and one that does not reach the provider is named in `x-trimtab-dropped`.
    #[serde(default)]
    pub(in crate::config) parameters: Named<Json>,
    /// Instructions put before the client's, where a request has instructions.
    pub(in crate::config) system: Option<At<String>>,
    /// How much may be asked of it. Excess is answered with 429 and the time to wait.
    #[serde(default)]
    pub(in crate::config) limits: RawLimits,
    /// What becomes of a stream that breaks off. The default is the model's own.
    pub(in crate::config) stream_recovery: Option<At<RawStreamRecovery>>,
    /// What is kept of the answers, and for whom, where it differs from the model's.
    #[serde(default)]
    pub(in crate::config) cache: RawCaching,
    /// Clocks of its requests, where they differ from the model's.
    #[serde(default)]
    pub(in crate::config) timeouts: RawTimeouts,
    /// Attempts and back-off of its requests, where they differ from the model's.
    #[serde(default)]
    pub(in crate::config) retry: RawModelRetry,
}

/// How much may be asked of a workflow.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "WorkflowLimits")]
pub(in crate::config) struct RawLimits {
    /// Requests in a minute; after a quiet minute as many may come at once. The default is no limit.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(in crate::config) requests_per_minute: Option<At<u32>>,
    /// Requests in flight, streams that are being sent included. The default is no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) concurrency: Option<At<u32>>,
}

/// Sends requests to another model's routes if everything that it says of them holds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub(in crate::config) struct RawRule {
    /// Name of the model whose routes serve then, with its fallbacks and clocks; a model's own name makes an exception from the rules below.
    #[schemars(required)]
    pub(in crate::config) model: Option<At<String>>,
    /// Condition in CEL, such as `input_tokens > 30000 && headers["x-tier"] == "gold"`. Variables: `model`, `endpoint` (such as `chat` or `messages`), `stream`, `input_tokens` (estimated), `max_tokens` (0 if not given), `headers` (by lower-case name, without credentials), `key`, `team`, `hour` (0 to 23, UTC), `budget_left` (the least share left over all budgets of who asks, 0.0 to 1.0; 1.0 where there is none). What cannot be evaluated does not match.
    pub(in crate::config) when: Option<At<String>>,
    /// Headers of the client's and the exact values that they have, such as `{ x-tier = "gold" }`.
    #[serde(default)]
    pub(in crate::config) header: Named<At<String>>,
    /// Least input, tokens; estimated as a quarter of the body's bytes.
    pub(in crate::config) min_input_tokens: Option<At<u32>>,
    /// Most input, tokens; estimated as a quarter of the body's bytes.
    pub(in crate::config) max_input_tokens: Option<At<u32>>,
    /// Whether a stream is asked for.
    pub(in crate::config) stream: Option<At<bool>>,
    /// Team of who asks. Until there are virtual keys it is what the header `x-trimtab-team` says, which any client can write.
    pub(in crate::config) team: Option<At<String>>,
    /// Name of the key of who asks. Until there are virtual keys it is what the header `x-trimtab-key` says, which any client can write.
    pub(in crate::config) key: Option<At<String>>,
}

/// Any value, as JSON.
#[derive(Clone, Debug)]
pub(in crate::config) struct Json(pub(in crate::config) serde_json::Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Json {
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inside = generator.subschema_for::<Self>();
        json_schema!({
            "description": "Any value, as JSON.",
            "items": inside,
            "additionalProperties": inside,
        })
    }
}
