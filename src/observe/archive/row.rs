//! What is kept of a story?
//!
//! # Invariants
//! - Nothing that was said gets into a row.

use scoring::cost::Terms;
use scoring::time::Span;

use super::super::story::{self, Content, Story};
use super::redact::redacted;
use crate::store::requests::{Leg, Row, Said, Shelf, Texts, Tokens, Via};

/// What the gateway's own ids begin with.
const OWN: &str = "req-";

/// Bytes before a tear that may be the beginning of something secret which is too short to be made out.
const TORN: usize = 128;

/// Puts a story on the shelf; whether a block is full with it.
pub(super) fn keep(shelf: &Shelf, story: &Story) -> bool {
    let texts = Texts {
        decisions: decisions(story),
        said: story.content.as_deref().map(said),
    };
    let has_texts = !texts.is_empty();
    shelf.push(
        &row(story),
        story.legs.iter().map(leg),
        has_texts.then_some(texts),
    )
}

fn row(story: &Story) -> Row<'_> {
    let who = story.who.as_deref();
    Row {
        number: story.number,
        id: Some(story.id()).filter(|id| !is_own(id, story.number)),
        at_us: story.at_us,
        took_us: story.took.as_micros(),
        overhead_us: story.overhead.as_micros(),
        first_us: story.first.map(Span::as_micros),
        endpoint: story.endpoint,
        surface: story.surface,
        model: story.model.as_deref(),
        asked: story.asked.as_deref(),
        workflow: story.workflow.as_deref(),
        key: who.map(|who| &*who.key),
        team: who.and_then(|who| who.team.as_deref()),
        customer: who.and_then(|who| who.customer.as_deref()),
        ending: story.ending.name(),
        fault: story.fault.map(super::super::Fault::name),
        cache: Some(story.cache).filter(|cache| !cache.is_empty()),
        stream: story.stream,
        explained: !story.decisions.is_empty(),
        content: story.content.is_some(),
        status: story.status,
        max_tokens: story.max_tokens,
        session: story.session,
        trace: story.trace.as_ref().map(|it| it.trace),
        tokens: tokens(&story.tokens),
        cost: story.cost.get(),
        saved: story.saved.get(),
    }
}

/// Whether an id is the one that the gateway makes of a number.
fn is_own(id: &str, number: u64) -> bool {
    let digits = id.strip_prefix(OWN).filter(|digits| digits.len() == 16);
    let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| {
        digits.bytes().all(is_digit) && u64::from_str_radix(digits, 16) == Ok(number)
    })
}

fn leg(leg: &story::Leg) -> Leg<'_> {
    let via = &leg.via;
    Leg {
        via: Via {
            route: &via.route,
            provider: &via.provider,
            model: &via.model,
            key: &via.key,
            region: &via.region,
        },
        mode: leg.pick.mode.name(),
        outcome: leg.outcome.name(),
        propensity: millionths(leg.pick.propensity),
        score: millionths(leg.pick.score),
        terms_us: terms_us(&leg.pick.cost),
        began_us: leg.began.as_micros(),
        sent_us: leg.sent.map(Span::as_micros),
        first_us: leg.first.map(Span::as_micros),
        took_us: leg.took.as_micros(),
        status: leg.status,
        tokens: tokens(&leg.tokens),
        cost: leg.cost.get(),
    }
}

fn millionths(share: f32) -> u32 {
    (f64::from(share) * 1e6).round() as u32
}

fn terms_us(terms: &Terms) -> [i64; 6] {
    [
        terms.model_ms,
        terms.drift_ms,
        terms.utilisation_ms,
        terms.failure_ms,
        terms.price_ms,
        terms.affinity_ms,
    ]
    .map(|ms| (f64::from(ms) * 1e3).round() as i64)
}

const fn tokens(tokens: &story::Tokens) -> Tokens {
    Tokens {
        input: tokens.input,
        cached: tokens.cached,
        cache_write: tokens.cache_write,
        output: tokens.output,
        reasoning: tokens.reasoning,
    }
}

/// The decisions as one array of JSON; empty where there are none.
fn decisions(story: &Story) -> Box<str> {
    if story.decisions.is_empty() {
        return Box::default();
    }
    format!("[{}]", story.decisions.join(",")).into()
}

fn said(content: &Content) -> Said {
    let (request, request_cut) = text(&content.request, content);
    let (response, response_cut) = text(&content.response, content);
    Said {
        request,
        response,
        cut: content.cut || request_cut || response_cut,
    }
}

/// A body as it is kept, and whether it was cut.
fn text(bytes: &[u8], content: &Content) -> (Box<str>, bool) {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        // The last letter may have been cut in two.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => {
            return (
                format!("[{} bytes that are no text]", bytes.len()).into(),
                false,
            );
        }
    };
    let clean = if content.redact {
        redacted(text)
    } else {
        text.into()
    };
    let is_torn = bytes.len() >= content.limit.saturating_add(Content::MARGIN);
    let whole = clean.len().saturating_sub(if is_torn { TORN } else { 0 });
    let end = clean.floor_char_boundary(content.limit.min(whole));
    (clean[..end].into(), end < clean.len())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_secret_at_the_cut_leaves_nothing() {
        let body = format!("{} sk-{}", "x".repeat(90), "a".repeat(400));
        for length in 95..body.len() {
            for limit in [90, 95, 110] {
                let content = Content {
                    request: Bytes::copy_from_slice(&body.as_bytes()[..length]),
                    limit,
                    redact: true,
                    ..Content::default()
                };
                // A run that short is no secret anybody could use.
                let kept = text(&content.request, &content).0;
                let shown = kept.find("sk-").map_or(0, |at| kept.len() - at);
                assert!(shown < 3 + 16, "{length} {limit}: {kept}");
            }
        }
    }

    #[test]
    fn a_torn_text_ends_before_the_tear_however_much_was_left_out_of_it() {
        // Each credential shrinks, so that the tear comes to stand before the limit.
        let secrets = format!("sk-{} ", "a".repeat(200)).repeat(40);
        let limit = 2_000;
        let most = limit + Content::MARGIN;
        for length in [most - 10, most] {
            let mut body = secrets.clone();
            body.truncate(length - 9);
            body.push_str(" ann@exam");
            let content = Content {
                limit,
                redact: true,
                ..Content::default()
            };
            let kept = text(body.as_bytes(), &content);
            assert_eq!(kept.0.contains("ann@exam"), length < most, "{kept:?}");
            assert_eq!(kept.1, length == most);
        }
    }

    #[test]
    fn what_is_no_text_is_told_by_its_length() {
        let content = Content {
            limit: 10,
            ..Content::default()
        };
        assert_eq!(
            &*text(b"\xff\xfe\x00", &content).0,
            "[3 bytes that are no text]"
        );
        assert_eq!(text("aüü".as_bytes(), &content).0, "aüü".into());
        let cut = &"aü".as_bytes()[..2];
        assert_eq!(text(cut, &content).0, "a".into());
        assert_eq!(
            text("123456789ü".as_bytes(), &content),
            ("123456789".into(), true)
        );
    }

    #[test]
    fn own_ids_are_not_kept_twice() {
        assert!(is_own("req-00000000000000ff", 255));
        for id in [
            "req-00000000000000FF",
            "req-00000000000000fe",
            "req-ff",
            "",
            "00000000000000ff",
        ] {
            assert!(!is_own(id, 255), "{id}");
        }
    }
}
