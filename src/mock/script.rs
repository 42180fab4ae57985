//! What a script may say: one TOML or JSON table that describes every stand-in provider.
//!
//! The same type is read by `trimtab mock --config` and by the `[mock]` table of the gateway's configuration.
//! Every field has a default, and the defaults together are a provider that answers 50 words at once to anybody.
//!
//! # Invariants
//! - Unknown fields are refused.
//! - A script that passed [`Script::check`] never fails later.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::catalogue::Fault;
use super::duration;
use super::error::MockError;

/// Words in an answer unless the script says otherwise; what the reference rig streams.
pub const ANSWER_TOKENS: u32 = 50;

/// Length of an embedding unless script or request says otherwise, as the usual small hosted model's.
pub const DIMENSIONS: u32 = 1_536;

/// The longest answer, in tokens; a longer one is cut to it, so that one request cannot fill the memory.
pub const LONGEST_ANSWER: u32 = 131_072;

/// Every stand-in provider of one mock server.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Mock")]
pub struct Script {
    /// Address to listen at; default: an ephemeral port on loopback.
    #[schemars(with = "String", extend("format" = "trimtab-address"))]
    pub listen: Option<SocketAddr>,
    /// Seed of every provider's generator; default 0. Two runs with one seed draw the same noise and faults.
    pub seed: u64,
    /// The providers by name. The name is the first segment of the path: `/{name}/v1/...`.
    /// The alphabetically first one also answers `/v1/...`.
    pub providers: BTreeMap<String, ProviderScript>,
}

/// How one stand-in provider behaves.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "MockProvider")]
pub struct ProviderScript {
    /// Models served; default empty, which serves any name. Fault models are served in any case.
    pub models: Vec<String>,
    /// Accepted API keys; default empty, which accepts any key and none.
    pub keys: Vec<String>,
    /// Time to the first token before any input is read: *a*; default `"0"`.
    #[serde(deserialize_with = "duration::text")]
    #[schemars(with = "String", extend("format" = "trimtab-duration"))]
    pub ttft: Duration,
    /// Microseconds that each input token adds to the time to the first token: *b*; 0 or more, default 0.
    pub ttft_per_token: f64,
    /// Time per output token after the first: *c*; default `"0"`.
    #[serde(deserialize_with = "duration::text")]
    #[schemars(with = "String", extend("format" = "trimtab-duration"))]
    pub tpot: Duration,
    /// σ of the log-normal factor (median 1) on each request's latency; 0 to 4, default 0.
    pub noise: f64,
    /// When the provider slows under load; default never.
    pub slowdown: Option<Slowdown>,
    /// Length of an answer; default 50 tokens.
    pub answer: AnswerLength,
    /// Length of an embedding where the request does not say; 1 to 65,536, default 1,536.
    pub dimensions: u32,
    /// What a last message by the assistant means: `"own"`, `"continue"`, `"ignore"` or `"refuse"`; default `"own"`.
    pub prefill: Prefill,
    /// Rate limits of each key, and the dialect they are told in; default none.
    pub limits: LimitScript,
    /// Faults by time since the start; of several that hold at once, the first that strikes wins.
    pub faults: Vec<FaultScript>,
}

/// How latency grows with requests in flight: `1 + slope × (in_flight − from) / from` beyond `from`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MockSlowdown")]
pub struct Slowdown {
    /// Requests in flight at which the provider begins to slow; at least 1.
    pub from: u32,
    /// Growth of the latency factor when in-flight requests double from there; 0 or more, default 1.
    #[serde(default = "unit")]
    pub slope: f64,
}

/// Length of an answer in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AnswerLength {
    /// Always as many.
    Fixed(u32),
    /// Log-normal about a mean.
    Drawn(DrawnLength),
}

/// A log-normal answer length.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MockDrawnLength")]
pub struct DrawnLength {
    /// Mean length in tokens; 1 or more.
    pub mean: u32,
    /// σ of the logarithm; 0 to 4, default 0.5.
    #[serde(default = "half")]
    pub sigma: f64,
}

/// What a last message by the assistant means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "MockPrefill")]
pub enum Prefill {
    /// What it means to the vendor whose endpoint is asked: Anthropic and Bedrock continue it, others do not.
    #[default]
    Own,
    /// The answer goes on from the last word *wN* of it.
    Continue,
    /// The answer begins anew.
    Ignore,
    /// The request is refused with 400.
    Refuse,
}

/// In whose words limits are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Vendor {
    /// `x-ratelimit-*` with Go durations, `retry-after` and `retry-after-ms`; at another vendor's endpoint, that vendor's own.
    #[default]
    OpenAi,
    /// `anthropic-ratelimit-*` with RFC 3339 resets.
    Anthropic,
    /// `x-ratelimit-*` with resets in whole seconds.
    Azure,
    /// As [`Azure`](Self::Azure), but every limit and rest is told as −1 and every reset as 0.
    AzureUnknown,
    /// No header; the body carries `QuotaFailure` and `RetryInfo`.
    Gemini,
    /// No header; `ThrottlingException`.
    Bedrock,
    /// OpenAI's names, where requests are per *day*; `retry-after` on 429 only.
    Groq,
    /// No header and a body that says nothing.
    Silent,
}

/// Rate limits, per API key.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "MockLimits")]
pub struct LimitScript {
    /// In whose words limits are told; default `"open-ai"`, which at another vendor's endpoint means that vendor's own.
    pub dialect: Vendor,
    /// Requests per minute; default none.
    pub rpm: Option<u32>,
    /// Tokens per minute, charged as input estimate + `max_tokens`; default none.
    pub tpm: Option<u32>,
    /// Input tokens per minute; default none.
    pub itpm: Option<u32>,
    /// Output tokens per minute, charged as `max_tokens`; default none.
    pub otpm: Option<u32>,
    /// Requests per day; default none.
    pub rpd: Option<u32>,
    /// How much of a per-minute limit may be taken at once, as refill time; up to and by default `"60s"`.
    #[serde(deserialize_with = "duration::text")]
    #[schemars(with = "String", extend("format" = "trimtab-duration"))]
    pub burst: Duration,
    /// Fixed slices over which requests per minute are checked as well (`"1s"` or `"10s"`); default none.
    #[serde(deserialize_with = "duration::optional")]
    #[schemars(with = "String", extend("format" = "trimtab-duration"))]
    pub slice: Option<Duration>,
    /// Output tokens charged for a request without `max_tokens`; default: the length of its answer.
    pub unset_max_tokens: Option<u32>,
    /// Whether unused output tokens are given back at the end of a request; default no.
    pub settle: bool,
    /// Whether a refused request counts against requests per minute; default no.
    pub charge_refused: bool,
}

/// A fault that holds for a while.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "MockFault")]
pub struct FaultScript {
    /// When it begins, since the mock's start; default at once.
    #[serde(deserialize_with = "duration::text")]
    #[schemars(with = "String", extend("format" = "trimtab-duration"))]
    pub from: Duration,
    /// When it ends, since the mock's start; default never.
    #[serde(deserialize_with = "duration::optional")]
    #[schemars(with = "String", extend("format" = "trimtab-duration"))]
    pub until: Option<Duration>,
    /// Period after which `from` and `until` hold anew, for flapping; default once only.
    #[serde(deserialize_with = "duration::optional")]
    #[schemars(with = "String", extend("format" = "trimtab-duration"))]
    pub every: Option<Duration>,
    /// What goes wrong, by name (`"503"`, `"cut-40"`); default nothing, for a slow-down alone.
    #[schemars(with = "String", extend("format" = "trimtab-fault"))]
    pub kind: Option<Fault>,
    /// Share of requests struck; 0 to 1, default 1.
    pub probability: f64,
    /// Share reached at `until`, linearly from `probability`; default `probability`.
    pub probability_to: Option<f64>,
    /// Factor on latency while it holds; above 0, default 1.
    pub latency_factor: f64,
    /// Factor reached at `until`, linearly from `latency_factor`; default `latency_factor`.
    pub latency_factor_to: Option<f64>,
    /// Time a struck request waits before it fails; default `"0"`.
    #[serde(deserialize_with = "duration::text")]
    #[schemars(with = "String", extend("format" = "trimtab-duration"))]
    pub delay: Duration,
    /// How often it strikes one tag (`x-mock-tag` header, or the body's `user`); default without end.
    pub times: Option<u32>,
    /// The only models it strikes; default empty, which is all of them.
    pub models: Vec<String>,
}

impl Script {
    /// A script with one provider of that name and every default.
    #[must_use]
    pub fn single(name: &str) -> Self {
        Self {
            providers: BTreeMap::from([(name.to_owned(), ProviderScript::default())]),
            ..Self::default()
        }
    }

    /// Checks every number and name.
    ///
    /// # Errors
    /// Returns the first thing that is wrong, with its path.
    pub fn check(&self) -> Result<(), MockError> {
        if self.providers.is_empty() {
            return Err(MockError::script(
                "providers",
                "is empty: name at least one",
            ));
        }
        for (name, provider) in &self.providers {
            let at = format!("providers.{name}");
            let named = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name == "v1" || !name.chars().all(named) {
                return Err(MockError::script(
                    &at,
                    "is not a path segment: use letters, digits, `-`, `_` and `.`, and not `v1`",
                ));
            }
            provider.check(&at)?;
        }
        Ok(())
    }
}

impl ProviderScript {
    fn check(&self, at: &str) -> Result<(), MockError> {
        within(at, "ttft_per_token", self.ttft_per_token, 0.0, 1e6)?;
        within(at, "noise", self.noise, 0.0, 4.0)?;
        within(at, "dimensions", f64::from(self.dimensions), 1.0, 65_536.0)?;
        if let Some(slowdown) = self.slowdown {
            within(at, "slowdown.from", f64::from(slowdown.from), 1.0, 1e9)?;
            within(at, "slowdown.slope", slowdown.slope, 0.0, 1e3)?;
        }
        if let AnswerLength::Drawn(drawn) = self.answer {
            within(at, "answer.mean", f64::from(drawn.mean), 1.0, 1e6)?;
            within(at, "answer.sigma", drawn.sigma, 0.0, 4.0)?;
        }
        self.limits.check(at)?;
        for (index, fault) in self.faults.iter().enumerate() {
            fault.check(&format!("{at}.faults[{index}]"))?;
        }
        Ok(())
    }
}

impl LimitScript {
    fn check(&self, at: &str) -> Result<(), MockError> {
        for (name, limit) in [
            ("limits.rpm", self.rpm),
            ("limits.tpm", self.tpm),
            ("limits.itpm", self.itpm),
            ("limits.otpm", self.otpm),
            ("limits.rpd", self.rpd),
        ] {
            within(
                at,
                name,
                limit.map_or(1.0, f64::from),
                1.0,
                f64::from(u32::MAX),
            )?;
        }
        within(at, "limits.burst (s)", self.burst.as_secs_f64(), 1e-3, 60.0)?;
        let slice = self.slice.unwrap_or(Duration::from_secs(1));
        within(at, "limits.slice (s)", slice.as_secs_f64(), 1e-3, 60.0)
    }
}

impl FaultScript {
    fn check(&self, at: &str) -> Result<(), MockError> {
        within(at, "probability", self.probability, 0.0, 1.0)?;
        let to = self.probability_to.unwrap_or(0.0);
        within(at, "probability_to", to, 0.0, 1.0)?;
        within(at, "latency_factor", self.latency_factor, 1e-3, 1e4)?;
        let to = self.latency_factor_to.unwrap_or(1.0);
        within(at, "latency_factor_to", to, 1e-3, 1e4)?;
        if self.until.is_some_and(|until| until <= self.from) {
            return Err(MockError::script(
                &format!("{at}.until"),
                "is not after `from`",
            ));
        }
        let ramps = self.probability_to.is_some() || self.latency_factor_to.is_some();
        if self.until.is_none() && (ramps || self.every.is_some()) {
            return Err(MockError::script(
                &format!("{at}.until"),
                "is missing: a ramp or a period needs an end",
            ));
        }
        if self
            .every
            .is_some_and(|every| self.until.is_some_and(|until| every < until))
        {
            return Err(MockError::script(
                &format!("{at}.every"),
                "is shorter than `until`",
            ));
        }
        Ok(())
    }
}

impl Default for ProviderScript {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            keys: Vec::new(),
            ttft: Duration::ZERO,
            ttft_per_token: 0.0,
            tpot: Duration::ZERO,
            noise: 0.0,
            slowdown: None,
            answer: AnswerLength::Fixed(ANSWER_TOKENS),
            dimensions: DIMENSIONS,
            prefill: Prefill::default(),
            limits: LimitScript::default(),
            faults: Vec::new(),
        }
    }
}

impl Default for LimitScript {
    fn default() -> Self {
        Self {
            dialect: Vendor::default(),
            rpm: None,
            tpm: None,
            itpm: None,
            otpm: None,
            rpd: None,
            burst: Duration::from_secs(60),
            slice: None,
            unset_max_tokens: None,
            settle: false,
            charge_refused: false,
        }
    }
}

impl Default for FaultScript {
    fn default() -> Self {
        Self {
            from: Duration::ZERO,
            until: None,
            every: None,
            kind: None,
            probability: 1.0,
            probability_to: None,
            latency_factor: 1.0,
            latency_factor_to: None,
            delay: Duration::ZERO,
            times: None,
            models: Vec::new(),
        }
    }
}

/// Refuses a number outside of its range, and one that is not a number.
fn within(at: &str, field: &str, value: f64, low: f64, high: f64) -> Result<(), MockError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(MockError::script(
        &format!("{at}.{field}"),
        &format!("is {value}: allowed are {low} to {high}"),
    ))
}

fn unit() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}
