//! How is a request written as one line of JSON?
//!
//! Why by hand: a line has some fifty values, and a serializer that is told of each takes several times as long.
//! The order of the keys is part of the format; docs/OBSERVE.md has it.
//!
//! # Invariants
//! - A line is one JSON object and a line feed, and has no other line feed.
//! - Every key is in every line; what is not there is `null`.

use super::super::context::hex;
use super::super::story::{Leg, Story};
use super::stamp::stamp;
use crate::config::Nano;
use scoring::time::Span;

/// Hexadecimal digits.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a line.
pub fn write(out: &mut Vec<u8>, story: &Story) {
    let mut line = Line(out);
    line.raw(b"{\"ts\":\"");
    line.raw(&stamp(story.at_us, *b":."));
    line.raw(b"\",\"request_id\":");
    line.text(story.id());
    let trace = story.trace.as_ref();
    line.digits("trace_id", trace.map(|trace| (trace.trace, 32)));
    line.key("key");
    line.may(story.who.as_ref().map(|who| &*who.key));
    line.key("team");
    line.may(story.who.as_ref().and_then(|who| who.team.as_deref()));
    line.key("customer");
    line.may(story.who.as_ref().and_then(|who| who.customer.as_deref()));
    line.key("endpoint");
    line.text(story.endpoint);
    line.key("surface");
    line.text(story.surface);
    line.key("model");
    line.may(story.model.as_deref());
    line.key("asked");
    line.may(story.asked.as_deref());
    line.key("workflow");
    line.may(story.workflow.as_deref());
    let via = story.route();
    line.key("route");
    line.may(via.map(|via| &*via.route));
    line.key("provider");
    line.may(via.map(|via| &*via.provider));
    line.key("upstream_model");
    line.may(via.map(|via| &*via.model));
    line.key("attempts");
    line.attempts(&story.legs);
    line.end(story);
}

/// A line that is being written.
struct Line<'a>(&'a mut Vec<u8>);

impl Line<'_> {
    /// What became of it, and what it used.
    fn end(&mut self, story: &Story) {
        self.key("status");
        self.number(story.status.into());
        self.key("ending");
        self.text(story.ending.name());
        self.key("error_type");
        self.may(story.fault.map(|fault| fault.name()));
        self.key("stream");
        self.raw(if story.stream { b"true" } else { b"false" });
        let used = &story.tokens;
        self.raw(b",\"tokens\":{\"in\":");
        self.number(used.input.into());
        self.key("cached");
        self.number(used.cached.into());
        self.key("cache_write");
        self.number(used.cache_write.into());
        self.key("out");
        self.number(used.output.into());
        self.key("reasoning");
        self.number(used.reasoning.into());
        self.raw(b"}");
        self.key("cost_usd");
        self.dollars(story.cost);
        self.key("saved_usd");
        self.dollars(story.saved);
        self.key("cache");
        self.may(Some(story.cache).filter(|cache| !cache.is_empty()));
        self.key("took_ms");
        self.millis(Some(story.took));
        self.key("ttft_ms");
        self.millis(story.first);
        self.key("overhead_us");
        self.number(story.overhead.as_micros());
        let session = story.session.map(|session| (u128::from(session), 16));
        self.digits("session", session);
        self.raw(b"}\n");
    }

    fn attempts(&mut self, legs: &[Leg]) {
        let mut before: &[u8] = b"[{\"route\":";
        for leg in legs {
            self.raw(before);
            before = b",{\"route\":";
            self.text(&leg.via.route);
            self.key("outcome");
            self.text(leg.outcome.name());
            self.key("status");
            self.number(leg.status.into());
            self.key("took_ms");
            self.millis(Some(leg.took));
            self.key("ttft_ms");
            self.millis(leg.first);
            self.raw(b"}");
        }
        self.raw(if legs.is_empty() { b"[]" } else { b"]" });
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A further key of an object.
    fn key(&mut self, name: &str) {
        self.0.reserve(name.len() + 4);
        self.raw(b",\"");
        self.raw(name.as_bytes());
        self.raw(b"\":");
    }

    fn may(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.raw(b"null"),
        }
    }

    /// A string; what JSON does not take as it is is escaped.
    fn text(&mut self, text: &str) {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        self.0.push(b'"');
        if text.bytes().all(is_plain) {
            self.raw(text.as_bytes());
        } else {
            for byte in text.bytes() {
                match byte {
                    b'"' | b'\\' => self.raw(&[b'\\', byte]),
                    0..b' ' => {
                        let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                        self.raw(b"\\u00");
                        self.raw(&digits);
                    }
                    // Why: bytes of UTF-8 beyond ASCII stand as they are.
                    _ => self.0.push(byte),
                }
            }
        }
        self.0.push(b'"');
    }

    /// A key and a number in so many hexadecimal digits, as text.
    fn digits(&mut self, name: &str, number: Option<(u128, usize)>) {
        self.key(name);
        let Some((number, width)) = number else {
            self.raw(b"null");
            return;
        };
        let mut text = [0; 32];
        hex(number, &mut text[..width]);
        self.0.push(b'"');
        self.raw(&text[..width]);
        self.0.push(b'"');
    }

    fn number(&mut self, mut number: u64) {
        let mut text = [0; 20];
        let mut at = text.len();
        loop {
            at -= 1;
            text[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.raw(&text[at..]);
    }

    /// A number of `whole` and a fraction of so many digits, without zeros at its end.
    fn fraction(&mut self, whole: u64, mut rest: u64, digits: usize) {
        self.number(whole);
        if rest == 0 {
            return;
        }
        let mut text = [b'0'; 9];
        for place in text[..digits].iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let last = text[..digits].iter().rposition(|digit| *digit != b'0');
        self.0.push(b'.');
        self.raw(&text[..=last.unwrap_or(0)]);
    }

    /// Milliseconds, exact to the µs.
    fn millis(&mut self, span: Option<Span>) {
        match span.map(Span::as_micros) {
            Some(us) => self.fraction(us / 1_000, us % 1_000, 3),
            None => self.raw(b"null"),
        }
    }

    /// Dollars, exact to the nano-dollar.
    fn dollars(&mut self, amount: Nano) {
        let nano = amount.get();
        self.fraction(nano / 1_000_000_000, nano % 1_000_000_000, 9);
    }
}
