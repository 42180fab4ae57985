//! Which trace is a request part of?
//!
//! The words are W3C's Trace Context: `traceparent` and `tracestate` come in, `traceresponse` goes back, and `traceparent` goes on to a provider where the operator says so.
//! What is malformed is as if it had not been sent: the request begins a trace of its own.
//!
//! # Invariants
//! - No id is zero.
//! - `tracestate` is kept only together with the trace that it came with, and as it came.
//! - The span of an attempt follows from the request's and the attempt's number, so that nothing of it is stored.

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::{Rng, RngExt as _};

/// Names the trace and the span that asks.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What vendors of tracing tell each other beside it.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Names the trace and the span that answered.
pub const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Bytes of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// Longest `tracestate` that is kept, bytes: what everybody must be able to carry. A longer one is left out whole.
const LONGEST_STATE: usize = 512;

/// Members of a `tracestate`, at most.
const MOST_MEMBERS: usize = 32;

/// Longest key and longest value of a member, bytes.
const LONGEST_PART: usize = 256;

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

/// What spreads the numbers of attempts over all ids; odd, so that no two of them fall together.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hexadecimal digits.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The place of a request in a trace, after W3C's Trace Context.
#[derive(Clone, Debug)]
pub struct Context {
    /// The trace.
    pub trace: u128,
    /// The client's span, if it has told one.
    pub parent: Option<u64>,
    /// The request's own span.
    pub span: u64,
    /// Whether the trace is recorded.
    pub sampled: bool,
    /// `tracestate`, as it came.
    pub state: Option<HeaderValue>,
}

impl Context {
    /// The place that a request's headers give it; without any it begins a trace, of which a share of `sample`, 0..=1, is recorded.
    pub fn begin(headers: &HeaderMap, sample: f64, rng: &mut impl Rng) -> Self {
        let span = rng.random::<u64>().max(1);
        match parent(headers) {
            Some(Parent {
                trace,
                span: parent,
                sampled,
            }) => Self {
                trace,
                parent: Some(parent),
                span,
                sampled,
                state: state(headers),
            },
            None => Self {
                trace: rng.random::<u128>().max(1),
                parent: None,
                span,
                sampled: rng.random::<f64>() < sample,
                state: None,
            },
        }
    }

    /// The span of the request's attempt of this number, from 1 on.
    #[must_use]
    pub const fn attempt(&self, number: u32) -> u64 {
        // Why: the steps are one-to-one, so attempts of one request never share a span.
        let mut id = self.span.wrapping_add(SPREAD.wrapping_mul(number as u64));
        id = (id ^ id >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ id >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        id ^= id >> 31;
        if id == 0 { 1 } else { id }
    }

    /// `traceresponse`: the trace and the request's own span.
    #[must_use]
    pub fn response(&self) -> HeaderValue {
        self.written(self.span)
    }

    /// Puts the trace into the headers of the attempt of this number, from 1 on.
    pub fn put(&self, number: u32, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.written(self.attempt(number)));
        if let Some(state) = &self.state {
            headers.insert(TRACESTATE, state.clone());
        }
    }

    /// Trace, span and flags, as both headers have them.
    fn written(&self, span: u64) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex(self.trace, &mut text[3..35]);
        hex(span.into(), &mut text[36..52]);
        hex(self.flags().into(), &mut text[53..55]);
        // Digits and dashes always make a header's value.
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("00"))
    }

    /// The flags, as headers and spans have them.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        if self.sampled { SAMPLED } else { 0 }
    }
}

/// Writes a number in as many digits as there is room for.
pub(super) fn hex(mut number: u128, room: &mut [u8]) {
    for place in room.iter_mut().rev() {
        *place = HEX[(number & 15) as usize];
        number >>= 4;
    }
}

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    trace: u128,
    span: u64,
    sampled: bool,
}

/// The `traceparent` of a request; none if there is none, more than one or a malformed one.
fn parent(headers: &HeaderMap) -> Option<Parent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let only = values.next()?;
    if values.next().is_some() {
        return None;
    }
    read(only.as_bytes())
}

/// Reads a `traceparent`; a version that is not known yet may go on after another dash.
fn read(text: &[u8]) -> Option<Parent> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let dashes = [2, 35, 52].iter().all(|place| known[*place] == b'-');
    let version = digits(&known[..2])?;
    let is_ended = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.first().is_none_or(|next| *next == b'-'),
    };
    if !dashes || !is_ended {
        return None;
    }
    let trace = digits(&known[3..35])?;
    let span = u64::try_from(digits(&known[36..52])?).ok()?;
    let flags = digits(&known[53..55])?;
    (trace != 0 && span != 0).then_some(Parent {
        trace,
        span,
        sampled: flags & u128::from(SAMPLED) != 0,
    })
}

/// The number that hexadecimal digits in lower case are.
fn digits(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0_u128, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// The `tracestate` of a request, its headers joined; none if it is malformed or too long.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(TRACESTATE).iter();
    let first = values.next()?;
    let joined = match values.next() {
        None => first.clone(),
        Some(second) => {
            let mut text = first.as_bytes().to_vec();
            for more in std::iter::once(second).chain(values) {
                text.push(b',');
                text.extend_from_slice(more.as_bytes());
            }
            HeaderValue::from_bytes(&text).ok()?
        }
    };
    is_state(joined.as_bytes()).then_some(joined)
}

/// Whether a text is a list of members, with one at least.
fn is_state(text: &[u8]) -> bool {
    if text.len() > LONGEST_STATE {
        return false;
    }
    let members = text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let mut count = 0;
    for member in members.filter(|member| !member.is_empty()) {
        count += 1;
        if !is_member(member) {
            return false;
        }
    }
    (1..=MOST_MEMBERS).contains(&count)
}

fn is_member(member: &[u8]) -> bool {
    let Some(place) = member.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let (key, value) = (&member[..place], &member[place + 1..]);
    let of_key =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
    let of_value = |byte: &u8| matches!(byte, b' '..=b'~') && !b",=".contains(byte);
    let begins = key
        .first()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let one_at = key.iter().filter(|byte| **byte == b'@').count() <= 1;
    let fits = key.len() <= LONGEST_PART && (1..=LONGEST_PART).contains(&value.len());
    begins && one_at && fits && key.iter().all(of_key) && value.iter().all(of_value)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::SmallRng;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn begin(headers: &[(&'static str, &str)], sample: f64) -> Context {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        Context::begin(&map, sample, &mut SmallRng::seed_from_u64(7))
    }

    /// The cases of W3C's own harness, and those that its text names.
    #[test]
    fn a_traceparent_is_taken_or_another_trace_begun() {
        let check = |value: &str, expected: bool| {
            let context = begin(&[("traceparent", value)], 0.0);
            let taken = context.parent == Some(0xb7ad_6b71_6920_3331)
                && context.trace == 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
            assert_eq!(taken, expected, "{value}");
            assert_eq!(context.parent.is_some(), expected, "{value}");
            assert!(context.trace != 0 && context.span != 0);
        };
        check(&format!("00-{TRACE}-{SPAN}-01"), true);
        check(&format!("00-{TRACE}-{SPAN}-00"), true);
        check(&format!("00-{TRACE}-{SPAN}-ff"), true);
        check(&format!(" 00-{TRACE}-{SPAN}-01"), false);
        check(&format!("00-{TRACE}-{SPAN}-01-"), false);
        check(
            &format!("00-{TRACE}-{SPAN}-01-what-the-future-brings"),
            false,
        );
        check(&format!("00-{TRACE}-{SPAN}-01.x"), false);
        check(&format!("cc-{TRACE}-{SPAN}-01"), true);
        check(
            &format!("cc-{TRACE}-{SPAN}-01-what-the-future-brings"),
            true,
        );
        check(
            &format!("cc-{TRACE}-{SPAN}-01.what-the-future-brings"),
            false,
        );
        check(&format!("ff-{TRACE}-{SPAN}-01"), false);
        check(&format!("CC-{TRACE}-{SPAN}-01"), false);
        check(&format!(".0-{TRACE}-{SPAN}-01"), false);
        check(&format!("0-{TRACE}-{SPAN}-01"), false);
        check(&format!("000-{TRACE}-{SPAN}-01"), false);
        check(&format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), false);
        check(&format!("00-{TRACE}-{}-01", SPAN.to_uppercase()), false);
        check(&format!("00-{}-{SPAN}-01", "0".repeat(32)), false);
        check(&format!("00-{TRACE}-{}-01", "0".repeat(16)), false);
        check(&format!("00-{}-{SPAN}-01", &TRACE[1..]), false);
        check(&format!("00-{TRACE}0-{SPAN}-01"), false);
        check(&format!("00-{TRACE}-{}-01", &SPAN[1..]), false);
        check(&format!("00-{TRACE}-{SPAN}-1"), false);
        check(&format!("00-{TRACE}-{SPAN}-.1"), false);
        check(&format!("00-{TRACE}-{SPAN}"), false);
        check(&format!("00-.{}-{SPAN}-01", &TRACE[1..]), false);
        check("", false);
        let one = format!("00-{TRACE}-{SPAN}-01");
        let two = [("traceparent", &*one), ("traceparent", &*one)];
        assert_eq!(begin(&two, 0.0).parent, None, "two of them");
    }

    #[test]
    fn the_client_decides_of_its_own_trace_and_chance_of_others() {
        let sampled = |flags: &str, sample| {
            begin(
                &[("traceparent", &format!("00-{TRACE}-{SPAN}-{flags}"))],
                sample,
            )
            .sampled
        };
        assert!(sampled("01", 0.0) && sampled("03", 0.0));
        assert!(!sampled("00", 1.0) && !sampled("02", 1.0));
        assert!(begin(&[], 1.0).sampled && !begin(&[], 0.0).sampled);
        let mut rng = SmallRng::seed_from_u64(1);
        let drawn = (0..10_000).filter(|_| {
            let context = Context::begin(&HeaderMap::new(), 0.25, &mut rng);
            context.sampled
        });
        let drawn = drawn.count();
        assert!((2_300..2_700).contains(&drawn), "{drawn}");
    }

    #[test]
    fn a_tracestate_is_kept_whole_or_not_at_all() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let check = |states: &[&str], expected: Option<&str>| {
            let mut headers = vec![("traceparent", parent.as_str())];
            headers.extend(states.iter().map(|state| ("tracestate", *state)));
            let kept = begin(&headers, 0.0).state;
            assert_eq!(kept.as_ref().map(|it| it.to_str().unwrap()), expected);
        };
        check(&["foo=1,bar=2"], Some("foo=1,bar=2"));
        check(&["foo=1", "bar=2"], Some("foo=1,bar=2"));
        check(
            &["foo=1 \t , \t bar=2, \t baz=3"],
            Some("foo=1 \t , \t bar=2, \t baz=3"),
        );
        check(&["t0@vendor=a b,0_-*/x=~"], Some("t0@vendor=a b,0_-*/x=~"));
        check(&["foo=1,"], Some("foo=1,"));
        for bad in [
            "",
            "foo",
            "=1",
            "foo=",
            "FOO=1",
            "foo =1",
            "foo@a@b=1",
            "@a=1",
            "foo=1=2",
            "foo=a\tb",
        ] {
            check(&[bad], None);
        }
        let long = format!("a={}", "x".repeat(256));
        check(&[&long], Some(&long));
        check(&[&format!("a={}", "x".repeat(257))], None);
        let many = |count: usize| vec!["a=1"; count].join(",");
        check(&[&many(32)], Some(&many(32)));
        check(&[&many(33)], None);
        let full = format!("{long},b={}", "y".repeat(251));
        assert_eq!(full.len(), 512);
        check(&[&full], Some(&full));
        check(&[&format!("{full}y")], None);
        let orphan = begin(&[("traceparent", "nonsense"), ("tracestate", "foo=1")], 0.0);
        assert_eq!(orphan.state, None);
    }

    #[test]
    fn every_attempt_has_a_span_of_its_own_and_names_it() {
        let context = begin(
            &[
                ("traceparent", &format!("00-{TRACE}-{SPAN}-01")),
                ("tracestate", "foo=1"),
            ],
            0.0,
        );
        let mut spans: Vec<u64> = (1..=1_000).map(|number| context.attempt(number)).collect();
        spans.push(context.span);
        spans.sort_unstable();
        spans.dedup();
        assert_eq!((spans.len(), spans[0] != 0), (1_001, true));
        let mut headers = HeaderMap::new();
        context.put(2, &mut headers);
        let second = context.attempt(2);
        assert_eq!(
            headers["traceparent"],
            format!("00-{TRACE}-{second:016x}-01")
        );
        assert_eq!(headers["tracestate"], "foo=1");
        let own = context.span;
        assert_eq!(context.response(), format!("00-{TRACE}-{own:016x}-01"));
    }
}
