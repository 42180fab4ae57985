//! A scenario as it is written.
//!
//! # Invariants
//! - Unknown keys are refused; every key but `question`, `traffic` and `routes` has a default.

use std::collections::BTreeMap;

use scoring::time::Span;
use serde::{Deserialize, Deserializer, Serialize, de};

/// How irregularly requests arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Arrivals {
    /// Memoryless.
    #[default]
    Poisson,
    /// Evenly spaced.
    Even,
    /// Gamma renewals of this coefficient of variation.
    Gamma(f64),
    /// Weibull renewals of this coefficient of variation.
    Weibull(f64),
}

/// How long prompts and answers are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lengths {
    /// As Azure's conversation service of 2023.
    AzureConv,
    /// As Azure's coding service of 2023.
    AzureCode,
    /// As Mooncake's conversations: long prompts.
    Mooncake,
    /// Log-normal: medians and σ of the logarithms.
    Drawn {
        /// Median input tokens.
        input: f64,
        /// σ of the input's logarithm.
        #[serde(default)]
        input_sigma: f64,
        /// Median output tokens.
        output: f64,
        /// σ of the output's logarithm.
        #[serde(default)]
        output_sigma: f64,
    },
}

/// In whose words limits are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `x-ratelimit-*` with Go durations; numbers in the refusal.
    OpenAi,
    /// `anthropic-ratelimit-*` with instants; the limit in the refusal.
    Anthropic,
    /// `x-ratelimit-*` with resets in whole seconds.
    Azure,
    /// As Azure, with every number told as −1.
    AzureUnknown,
    /// Nothing on success; `quotaValue` and `retryDelay` in the refusal.
    Gemini,
    /// Nothing but a refusal that names requests or tokens.
    Bedrock,
    /// OpenAI's, with requests per day.
    Groq,
    /// Nothing at all.
    #[default]
    Silent,
}

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScenario {
    pub(super) question: String,
    #[serde(default = "thirty_minutes")]
    pub(super) duration: Time,
    #[serde(default)]
    pub(super) warmup: Option<Time>,
    #[serde(default)]
    pub(super) learned: Option<Time>,
    #[serde(default)]
    pub(super) incident: Option<[Time; 2]>,
    #[serde(default = "one")]
    pub(super) replicas: usize,
    #[serde(default)]
    pub(super) clocks: RawClocks,
    #[serde(default)]
    pub(super) retry: RawRetry,
    #[serde(default)]
    pub(super) lost_ms: Option<f64>,
    #[serde(default)]
    pub(super) ms_per_millidollar: f64,
    pub(super) traffic: Vec<RawTraffic>,
    pub(super) routes: Vec<RawRoute>,
    #[serde(default)]
    pub(super) keys: BTreeMap<String, RawLimits>,
    #[serde(default)]
    pub(super) faults: Vec<RawFault>,
    #[serde(default)]
    pub(super) bars: Vec<RawBar>,
}

/// `[clocks]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClocks {
    pub(super) head: Option<Time>,
    pub(super) first_token: Option<Time>,
    pub(super) between_tokens: Option<Time>,
    pub(super) total: Option<Time>,
}

/// `[retry]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRetry {
    pub(super) attempts: Option<u32>,
    pub(super) same_route: Option<u32>,
}

/// `[[traffic]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTraffic {
    #[serde(default)]
    pub(super) class: RawClass,
    #[serde(default)]
    pub(super) rate: f64,
    #[serde(default)]
    pub(super) arrivals: Arrivals,
    #[serde(default = "azure_conv")]
    pub(super) lengths: Lengths,
    #[serde(default)]
    pub(super) max_tokens: Option<u32>,
    #[serde(default)]
    pub(super) deadline: Option<Time>,
    #[serde(default)]
    pub(super) surges: Vec<RawSurge>,
    #[serde(default)]
    pub(super) clients: usize,
    #[serde(default)]
    pub(super) think: Time,
    #[serde(default)]
    pub(super) conversations: u32,
}

/// A class by its name.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawClass {
    #[default]
    ChatStream,
    Chat,
    Embedding,
    Image,
    Audio,
}

/// A surge of traffic.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSurge {
    pub(super) from: Time,
    pub(super) until: Time,
    pub(super) factor: f64,
}

/// `[[routes]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoute {
    pub(super) name: String,
    #[serde(default)]
    pub(super) provider: Option<String>,
    #[serde(default)]
    pub(super) region: Option<String>,
    #[serde(default)]
    pub(super) key: Option<String>,
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default = "unit")]
    pub(super) weight: f32,
    #[serde(default)]
    pub(super) price_input: f64,
    #[serde(default)]
    pub(super) price_output: f64,
    #[serde(default = "half_second")]
    pub(super) ttft: Time,
    #[serde(default = "forty")]
    pub(super) ttft_per_token: f64,
    #[serde(default = "fifteen_ms")]
    pub(super) tpot: Time,
    #[serde(default = "quarter")]
    pub(super) noise: f64,
    #[serde(default)]
    pub(super) classes: BTreeMap<String, RawPace>,
    #[serde(default)]
    pub(super) slowdown: Option<RawSlowdown>,
    #[serde(default = "thirty_ms")]
    pub(super) refusal: Time,
    #[serde(default)]
    pub(super) cache_ttl: Time,
    #[serde(default)]
    pub(super) joins: Time,
    #[serde(default)]
    pub(super) limits: Option<RawLimits>,
    #[serde(default)]
    pub(super) told_rpm: Option<u32>,
    #[serde(default)]
    pub(super) told_tpm: Option<u32>,
}

/// The pace of one class, where it differs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPace {
    pub(super) ttft: Time,
    #[serde(default)]
    pub(super) ttft_per_token: f64,
    #[serde(default)]
    pub(super) tpot: Time,
    #[serde(default = "quarter")]
    pub(super) noise: f64,
}

/// `slowdown`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlowdown {
    /// Requests in flight at which it begins.
    #[serde(default)]
    pub(super) from: Option<u32>,
    /// The same, as a multiple of what is usually in flight there.
    #[serde(default)]
    pub(super) from_share: Option<f64>,
    #[serde(default = "one_f64")]
    pub(super) slope: f64,
}

/// `limits`, or `[keys.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    #[serde(default)]
    pub(super) dialect: Dialect,
    #[serde(default)]
    pub(super) rpm: Option<u32>,
    #[serde(default)]
    pub(super) tpm: Option<u32>,
    /// Requests per minute, as a part of all traffic's.
    #[serde(default)]
    pub(super) rpm_share: Option<f64>,
    /// Tokens per minute, as a part of all traffic's.
    #[serde(default)]
    pub(super) tpm_share: Option<f64>,
    #[serde(default)]
    pub(super) itpm: Option<u32>,
    #[serde(default)]
    pub(super) otpm: Option<u32>,
    #[serde(default)]
    pub(super) rpd: Option<u32>,
    #[serde(default = "one_minute")]
    pub(super) burst: Time,
    #[serde(default)]
    pub(super) slice: Option<Time>,
    #[serde(default)]
    pub(super) unset_max_tokens: Option<u32>,
    #[serde(default)]
    pub(super) settle: bool,
    #[serde(default)]
    pub(super) charge_refused: bool,
    #[serde(default)]
    pub(super) changes: Vec<RawChange>,
}

/// A change of a key's limits.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChange {
    pub(super) at: Time,
    pub(super) factor: f64,
}

/// `[[faults]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFault {
    pub(super) on: Vec<String>,
    #[serde(default)]
    pub(super) from: Time,
    #[serde(default)]
    pub(super) until: Option<Time>,
    #[serde(default)]
    pub(super) every: Option<Time>,
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(default = "one_f64")]
    pub(super) probability: f64,
    #[serde(default)]
    pub(super) probability_to: Option<f64>,
    #[serde(default = "one_f64")]
    pub(super) latency_factor: f64,
    #[serde(default)]
    pub(super) latency_factor_to: Option<f64>,
    #[serde(default)]
    pub(super) delay: Time,
}

/// `[[bars]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBar {
    pub(super) goal: String,
    pub(super) metric: String,
    #[serde(default)]
    pub(super) at_least: Option<f64>,
    #[serde(default)]
    pub(super) at_most: Option<f64>,
}

/// A length of time as it is written: `"250ms"`, `"2s"`, `"5m"`, `"1h"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Time(pub(super) Span);

/// Units and their length in µs, longest ending first where one ends another.
const UNITS: [(&str, f64); 6] = [
    ("ms", 1e3),
    ("us", 1.0),
    ("µs", 1.0),
    ("s", 1e6),
    ("m", 60e6),
    ("h", 3_600e6),
];

/// The longest time that is accepted: 366 days.
const LONGEST_US: f64 = 366.0 * 86_400e6;

/// Reads a length of time.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn span(text: &str) -> Result<Span, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Span::ZERO);
    }
    let found = UNITS
        .iter()
        .find_map(|(unit, micros)| Some((text.strip_suffix(unit)?, micros)));
    let Some((number, micros)) = found else {
        return Err(format!(
            "`{text}` has no unit: write for example \"250ms\" or \"2s\""
        ));
    };
    match number.trim().parse::<f64>().map(|it| it * micros) {
        Ok(micros) if (0.0..=LONGEST_US).contains(&micros) => {
            Ok(Span::from_micros(micros.round() as u64))
        }
        Ok(_) => Err(format!("`{text}` is out of range: 0 to 366 days")),
        Err(_) => Err(format!(
            "`{text}` is no length of time: write for example \"250ms\" or \"2s\""
        )),
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        span(&text).map(Self).map_err(de::Error::custom)
    }
}

fn thirty_minutes() -> Time {
    Time(Span::from_secs(1_800))
}

fn one_minute() -> Time {
    Time(Span::from_secs(60))
}

fn half_second() -> Time {
    Time(Span::from_millis(500))
}

fn fifteen_ms() -> Time {
    Time(Span::from_millis(15))
}

fn thirty_ms() -> Time {
    Time(Span::from_millis(30))
}

fn azure_conv() -> Lengths {
    Lengths::AzureConv
}

fn one() -> usize {
    1
}

fn unit() -> f32 {
    1.0
}

fn one_f64() -> f64 {
    1.0
}

fn quarter() -> f64 {
    0.25
}

fn forty() -> f64 {
    40.0
}
