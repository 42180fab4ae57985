//! What is kept of one request?
//!
//! # Invariants
//! - Everything is a number or a short text; nothing of what was said is in it.
//! - Instants are µs since 1970, durations µs, money nano-dollars, shares millionths.

/// One request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row<'a> {
    /// The gateway's own number of it.
    pub number: u64,
    /// Its id, where the client named it; `req-` and the number's 16 digits otherwise.
    pub id: Option<&'a str>,
    /// When it arrived.
    pub at_us: u64,
    /// How long it took.
    pub took_us: u64,
    /// The gateway's own part of that.
    pub overhead_us: u64,
    /// From its arrival to the first content token; streams only.
    pub first_us: Option<u64>,
    /// What kind of answer was asked for.
    pub endpoint: &'a str,
    /// In whose words.
    pub surface: &'a str,
    /// The model.
    pub model: Option<&'a str>,
    /// What was asked for instead of a model.
    pub asked: Option<&'a str>,
    /// The workflow.
    pub workflow: Option<&'a str>,
    /// The virtual key.
    pub key: Option<&'a str>,
    /// The team.
    pub team: Option<&'a str>,
    /// The customer.
    pub customer: Option<&'a str>,
    /// How it ended.
    pub ending: &'a str,
    /// Whose fault it was that it failed.
    pub fault: Option<&'a str>,
    /// What the cache was to it.
    pub cache: Option<&'a str>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Whether its decisions are kept.
    pub explained: bool,
    /// Whether what was said is kept.
    pub content: bool,
    /// The status that the client got; 0 if it left before.
    pub status: u16,
    /// The most output tokens asked for.
    pub max_tokens: Option<u32>,
    /// The hash of its session.
    pub session: Option<u64>,
    /// The trace that it is part of.
    pub trace: Option<u128>,
    /// What the answer used.
    pub tokens: Tokens,
    /// What it did cost.
    pub cost: u64,
    /// What an answer that was kept did cost the first time.
    pub saved: u64,
}

/// Tokens of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Input, cached ones included.
    pub input: u32,
    /// Of those, read from the provider's cache.
    pub cached: u32,
    /// Of those, written to it.
    pub cache_write: u32,
    /// Output, reasoning included.
    pub output: u32,
    /// Of those, reasoning.
    pub reasoning: u32,
}

/// One attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leg<'a> {
    /// Where it went.
    pub via: Via<'a>,
    /// How it was chosen.
    pub mode: &'a str,
    /// How it ended.
    pub outcome: &'a str,
    /// The probability with which it was chosen, millionths.
    pub propensity: u32,
    /// Its score, millionths.
    pub score: u32,
    /// The terms of its expected cost, µs: latency, drift, utilisation, failure, price, affinity.
    pub terms_us: [i64; 6],
    /// When it began, after the request's arrival.
    pub began_us: u64,
    /// When a connection had taken the request, after its beginning.
    pub sent_us: Option<u64>,
    /// When the first content token came, after its beginning.
    pub first_us: Option<u64>,
    /// How long it lasted.
    pub took_us: u64,
    /// The provider's status; 0 where none came.
    pub status: u16,
    /// What it used.
    pub tokens: Tokens,
    /// What it did cost.
    pub cost: u64,
}

/// A route, which its name alone tells apart from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Via<'a> {
    /// Its name.
    pub route: &'a str,
    /// The provider.
    pub provider: &'a str,
    /// The model's name there.
    pub model: &'a str,
    /// The provider key.
    pub key: &'a str,
    /// The region; empty where there is none.
    pub region: &'a str,
}

/// What is kept of a request apart from its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Its decisions: an array of JSON; empty where they are not kept.
    pub decisions: Box<str>,
    /// What was said, if that is kept.
    pub said: Option<Said>,
}

/// What was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The request's body.
    pub request: Box<str>,
    /// The answer's.
    pub response: Box<str>,
    /// Whether anything was cut.
    pub cut: bool,
}

impl Texts {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty() && self.said.is_none()
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        /// Of the struct itself and its place in a queue.
        const FIXED: usize = 96;
        let said = self.said.as_ref();
        let said = said.map_or(0, |said| said.request.len() + said.response.len());
        FIXED + self.decisions.len() + said
    }
}
