//! What is tried: providers, what goes wrong with them, what is asked, and what must come out.
//!
//! A scenario is a TOML file that opens with the question it answers; the pack in `sim/scenarios/` and a user's own are read alike.
//! The words for latency, limits and faults are those of the stand-in providers, so that one text drives both.
//!
//! # Invariants
//! - A scenario that was read has passed every check: names are resolved, numbers in range.
//! - Every mistake of a file is reported at once, each with its place.

mod check;
mod fit;
mod pack;
mod raw;

use scoring::Class;
use scoring::retry::RetryPolicy;
use scoring::time::Span;

pub(crate) use check::LOST_MS;
pub use check::{Mistakes, read};
pub use pack::{Packed, pack};
pub use raw::{Arrivals, Dialect, Lengths};

/// A checked scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Short name: the file's, without folder and ending.
    pub name: String,
    /// The question that it answers.
    pub question: String,
    /// How long requests arrive.
    pub duration: Span,
    /// Requests that arrive before are served but not counted.
    pub warmup: Span,
    /// From when on ceilings count as learned.
    pub learned: Span,
    /// When something is wrong: from the first fault to the last's end, unless the file says otherwise.
    pub incident: Option<(Span, Span)>,
    /// Gateway replicas, each deciding by itself, over the same keys.
    pub replicas: usize,
    /// The clocks of an attempt.
    pub clocks: Clocks,
    /// How often and how long a request is retried.
    pub retry: RetryPolicy,
    /// What a request that nobody answered costs, in ms.
    pub lost_ms: f64,
    /// What a thousandth of a dollar is worth, in ms; 0 ignores prices.
    pub ms_per_millidollar: f64,
    /// What is asked.
    pub traffic: Vec<Traffic>,
    /// The routes.
    pub routes: Vec<Route>,
    /// The limits of each key.
    pub keys: Vec<Limits>,
    /// The model asked for, then its fallbacks.
    pub models: Vec<Model>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What must come out.
    pub bars: Vec<Bar>,
}

/// The clocks of an attempt, as the gateway has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// From the request's last byte to the response's head; default 60 s.
    pub head: Span,
    /// From the head to the first token of a stream; default 10 s.
    pub first_token: Span,
    /// Silence between two tokens; default 30 s.
    pub between_tokens: Span,
    /// The whole request, retries included; default 600 s.
    pub total: Span,
}

/// A model and the routes that serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its routes, as indexes into [`Scenario::routes`].
    pub routes: Vec<usize>,
}

/// A stream of requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// The kind of work.
    pub class: Class,
    /// Requests per second in the mean; 0 for a closed loop.
    pub rate: f64,
    /// How irregularly they arrive.
    pub arrivals: Arrivals,
    /// How long prompts and answers are.
    pub lengths: Lengths,
    /// `max_tokens` of every request.
    pub max_tokens: Option<u32>,
    /// How long clients wait; `None` for the scenario's total clock.
    pub deadline: Option<Span>,
    /// Times during which the rate is multiplied.
    pub surges: Vec<Surge>,
    /// Clients that ask again after an answer and a pause, instead of a rate.
    pub clients: usize,
    /// That pause.
    pub think: Span,
    /// Conversations that share a prefix: how many at once; 0 for none.
    pub conversations: u32,
}

/// A time during which the rate is multiplied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surge {
    /// Its beginning.
    pub from: Span,
    /// Its end.
    pub until: Span,
    /// The factor; ≥ 0.
    pub factor: f64,
}

/// One route as it really is.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Provider and region.
    pub parent: String,
    /// Its key: index into [`Scenario::keys`].
    pub key: usize,
    /// The operator's weight; > 0.
    pub weight: f32,
    /// Dollars per million input tokens.
    pub price_input: f64,
    /// Dollars per million output tokens.
    pub price_output: f64,
    /// How long answers take, by [`Class::index`].
    pub pace: [Pace; Class::COUNT],
    /// When it slows under load.
    pub slowdown: Option<Slowdown>,
    /// How long a refusal takes.
    pub refusal: Span,
    /// How long prefix blocks stay in its cache; zero for no cache.
    pub cache_ttl: Span,
    /// When it is added; zero for from the beginning.
    pub joins: Span,
    /// Requests per minute that the operator configured.
    pub told_rpm: Option<u32>,
    /// Tokens per minute that the operator configured.
    pub told_tpm: Option<u32>,
}

/// How long an answer takes: `ttft + ttft_per_token·input`, then `tpot` for each token after the first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Time to the first token before any input is read, in µs.
    pub ttft_us: f64,
    /// µs that each input token that is not cached adds.
    pub per_token_us: f64,
    /// µs per output token after the first.
    pub tpot_us: f64,
    /// σ of the log-normal factor (median 1), drawn for the first token and for the rest.
    pub noise: f64,
}

/// How latency grows with requests in flight: `1 + slope·(in_flight − from)/from` beyond `from`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowdown {
    /// Requests in flight, over all replicas, at which it begins.
    pub from: u32,
    /// The same, as a multiple of what is usually in flight there; see [`Scenario::fitted`].
    pub share: Option<f64>,
    /// Growth when in-flight requests double from there.
    pub slope: f64,
}

/// The limits of one key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The key's name.
    pub name: String,
    /// In whose words limits are told.
    pub dialect: Dialect,
    /// Requests per minute.
    pub rpm: Option<u32>,
    /// Tokens per minute.
    pub tpm: Option<u32>,
    /// Requests per minute as a part of all traffic's; see [`Scenario::fitted`].
    pub rpm_share: Option<f64>,
    /// Tokens per minute as a part of all traffic's.
    pub tpm_share: Option<f64>,
    /// Input tokens per minute.
    pub itpm: Option<u32>,
    /// Output tokens per minute.
    pub otpm: Option<u32>,
    /// Requests per day.
    pub rpd: Option<u32>,
    /// How much of a limit may be taken at once, as refill time.
    pub burst: Span,
    /// Fixed slices over which requests per minute are checked as well.
    pub slice: Option<Span>,
    /// Output tokens charged where `max_tokens` is not set; `None` for the answer's length.
    pub unset_max_tokens: Option<u32>,
    /// Whether unused output tokens are given back at the end.
    pub settle: bool,
    /// Whether a refused request counts against requests per minute.
    pub charge_refused: bool,
    /// When limits change, and by which factor of what is written.
    pub changes: Vec<(Span, f64)>,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The routes that it strikes: indexes into [`Scenario::routes`].
    pub on: Vec<usize>,
    /// When it begins.
    pub from: Span,
    /// When it ends.
    pub until: Option<Span>,
    /// Period after which it holds anew.
    pub every: Option<Span>,
    /// What goes wrong; nothing for a slow-down alone.
    pub kind: Option<FaultKind>,
    /// Share of requests struck, at the beginning.
    pub probability: f64,
    /// The same at the end, linearly.
    pub probability_to: f64,
    /// Factor on latency, at the beginning.
    pub latency: f64,
    /// The same at the end, linearly.
    pub latency_to: f64,
    /// Time that a struck request waits before it fails.
    pub delay: Span,
}

/// What a fault does to a request; the names are the stand-in providers'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// `500`, `502`, `504`, `html`: refused as the provider's error.
    Error,
    /// `503`, `529`, `429-busy`: refused for lack of the provider's capacity.
    Overloaded,
    /// `429`, `429-after`, `429-ms`: refused for the key's quota, with the wait told.
    Limited(Option<Span>),
    /// `401`, `403`, `429-quota`: the key is refused.
    KeyRejected,
    /// `404`: the model is refused.
    Unsupported,
    /// `reset`: the connection is lost before any byte.
    Reset,
    /// `unreachable`: no connection.
    Unreachable,
    /// `silence`: taken, and nothing said until a clock runs out.
    Silence,
    /// `late-N`: headers at once, the first token N seconds later.
    Late(u32),
    /// `cut-N`: broken off after N tokens.
    Cut(u32),
}

/// What must come out, for the product's own policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// The goal it belongs to, `G2` and so on.
    pub goal: String,
    /// The metric; see `measure::METRICS`.
    pub metric: String,
    /// Least value.
    pub at_least: Option<f64>,
    /// Largest value.
    pub at_most: Option<f64>,
}
