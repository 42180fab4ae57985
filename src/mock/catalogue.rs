//! Every way in which a stand-in provider can go wrong, by name.
//!
//! A fault is a kind and at most one number, written `kind` or `kind-number`: `503`, `cut-40`, `429-after-2`.
//! The same text is used in scripts, over the control interface and, after `fault-`, as a model name.
//!
//! # Invariants
//! - Text and value correspond: parsing what `Display` writes gives the same fault.
//! - A kind that takes no number refuses one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 429 of the key's own quota without a hint when to come back.
    Limited,
    /// 429 with `Retry-After` in seconds (default 2).
    LimitedSeconds,
    /// 429 with `Retry-After` as an HTTP date so many seconds ahead (default 2).
    LimitedDate,
    /// 429 with `retry-after-ms` only (default 1,500 ms).
    LimitedMillis,
    /// 429 with a `Retry-After` of some three thousand years.
    LimitedAbsurd,
    /// 429 with a negative `Retry-After`.
    LimitedNegative,
    /// 429 `insufficient_quota`: a bill, not a limit.
    Quota,
    /// 429 that says the provider's capacity is short, not the key's quota.
    Busy,
    /// 401 `invalid_api_key`.
    KeyRejected,
    /// 403.
    Forbidden,
    /// 404 `model_not_found`.
    NoModel,
    /// 400 `context_length_exceeded`.
    ContextLength,
    /// 400 `content_policy_violation`.
    ContentPolicy,
    /// 400 when the last message is the assistant's; else nothing.
    NoPrefill,
    /// 500 `server_error`.
    Internal,
    /// 502 with an HTML body, as a load balancer's.
    BadGateway,
    /// 503 overloaded.
    Unavailable,
    /// 504.
    GatewayTimeout,
    /// 529 `overloaded_error`.
    Overloaded,
    /// 200 with an HTML body.
    Html,
    /// 200 with half of the JSON of a non-streamed answer, framed as complete; streams are cut cleanly at half.
    TruncatedJson,
    /// Connections reset: at their first bytes where the operator took every provider down, else after the request.
    Down,
    /// Connection reset after the request, before any byte of an answer.
    Reset,
    /// The request is taken and nothing said for so many seconds (default 120), then the connection closes.
    Silence,
    /// Headers at once, the first token so many seconds later (default 20).
    Late,
    /// Connection reset after so many tokens (default 40).
    Cut,
    /// Connection closed after so many tokens (default 40), the transfer unfinished.
    CutEof,
    /// Transfer finished after so many tokens (default 40), without finish reason and `[DONE]`.
    CutClean,
    /// 30 s of silence after so many tokens (default 20), then the rest.
    Stall,
    /// An extra event of invalid JSON as the n-th (default 10); no word is lost.
    BadJson,
    /// The n-th event (default 10) replaced by invalid JSON; its word is lost.
    LostJson,
    /// A complete stream without `[DONE]`.
    NoDone,
    /// A complete stream without `[DONE]`, and the transfer never ends.
    NoDoneOpen,
    /// An `error` object inside a 200 stream after so many tokens (default 0).
    ErrorEvent,
    /// Comment lines once a second and never a token.
    Pings,
    /// One token a second, for ever.
    Drip,
    /// An answer without usage.
    NoUsage,
    /// Usage below zero.
    NegativeUsage,
    /// Usage of 10^18.
    HugeUsage,
    /// The provider goes on working, and billing, after the client left.
    Deaf,
}

/// A kind with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// Its number (tokens, seconds, events; see the kind), 0 where it takes none.
    pub number: u32,
}

/// Name and default number of each kind, in the order of declaration; `None` takes no number.
const KINDS: [(Kind, &str, Option<u32>); 40] = [
    (Kind::Limited, "429", None),
    (Kind::LimitedSeconds, "429-after", Some(2)),
    (Kind::LimitedDate, "429-date", Some(2)),
    (Kind::LimitedMillis, "429-ms", Some(1_500)),
    (Kind::LimitedAbsurd, "429-absurd", None),
    (Kind::LimitedNegative, "429-negative", None),
    (Kind::Quota, "429-quota", None),
    (Kind::Busy, "429-busy", None),
    (Kind::KeyRejected, "401", None),
    (Kind::Forbidden, "403", None),
    (Kind::NoModel, "404", None),
    (Kind::ContextLength, "context-length", None),
    (Kind::ContentPolicy, "content-policy", None),
    (Kind::NoPrefill, "no-prefill", None),
    (Kind::Internal, "500", None),
    (Kind::BadGateway, "502", None),
    (Kind::Unavailable, "503", None),
    (Kind::GatewayTimeout, "504", None),
    (Kind::Overloaded, "529", None),
    (Kind::Html, "html", None),
    (Kind::TruncatedJson, "truncated-json", None),
    (Kind::Down, "down", None),
    (Kind::Reset, "reset", None),
    (Kind::Silence, "silence", Some(120)),
    (Kind::Late, "late", Some(20)),
    (Kind::Cut, "cut", Some(40)),
    (Kind::CutEof, "cut-eof", Some(40)),
    (Kind::CutClean, "cut-clean", Some(40)),
    (Kind::Stall, "stall", Some(20)),
    (Kind::BadJson, "bad-json", Some(10)),
    (Kind::LostJson, "lost-json", Some(10)),
    (Kind::NoDone, "no-done", None),
    (Kind::NoDoneOpen, "no-done-open", None),
    (Kind::ErrorEvent, "error-event", Some(0)),
    (Kind::Pings, "pings", None),
    (Kind::Drip, "drip", None),
    (Kind::NoUsage, "no-usage", None),
    (Kind::NegativeUsage, "negative-usage", None),
    (Kind::HugeUsage, "huge-usage", None),
    (Kind::Deaf, "deaf", None),
];

impl Kind {
    /// Every kind, in the order of declaration.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|row| row.0)
    }

    /// The name, as in scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS[self as usize].1
    }

    /// The fault of this kind with its default number.
    #[must_use]
    pub fn fault(self) -> Fault {
        Fault {
            kind: self,
            number: KINDS[self as usize].2.unwrap_or(0),
        }
    }
}

impl Fault {
    /// The fault of `kind` with another number than the default.
    #[must_use]
    pub fn with(kind: Kind, number: u32) -> Self {
        Self { kind, number }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if self.number == self.kind.fault().number {
            Ok(())
        } else {
            write!(f, "-{}", self.number)
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let row = |name: &str| KINDS.iter().find(|row| row.1 == name);
        if let Some((kind, _, _)) = row(text) {
            return Ok(kind.fault());
        }
        text.rsplit_once('-')
            .and_then(|(name, number)| {
                let (kind, _, default) = row(name)?;
                Some(Self {
                    kind: *kind,
                    number: default.and(number.parse().ok())?,
                })
            })
            .ok_or_else(|| {
                let names: Vec<&str> = KINDS.iter().map(|row| row.1).collect();
                format!("there is no fault `{text}`; known: {}", names.join(", "))
            })
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_declaration() {
        for (index, kind) in Kind::all().enumerate() {
            assert_eq!(kind as usize, index, "{}", kind.name());
        }
    }

    #[test]
    fn text_and_value_correspond() {
        for kind in Kind::all() {
            let fault = kind.fault();
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        for (text, fault) in [
            ("cut-7", Fault::with(Kind::Cut, 7)),
            ("cut-eof-7", Fault::with(Kind::CutEof, 7)),
            ("429-after-3", Fault::with(Kind::LimitedSeconds, 3)),
            ("silence", Fault::with(Kind::Silence, 120)),
        ] {
            assert_eq!(text.parse(), Ok(fault));
        }
    }

    #[test]
    fn unknown_names_and_stray_numbers_are_refused() {
        for text in ["", "503-2", "cut-", "cut-x", "999"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
