//! Is an answer complete?
//!
//! The stand-ins answer with numbered words, so a client that knows how many it asked for sees any that is missing, doubled or out of order.
//! A stream is complete when all words and `[DONE]` have come and the transfer has ended as announced; a whole answer when its one message holds all words.
//!
//! # Invariants
//! - Nothing but every word once, in order, counts as complete.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::orders::Delivery;
use crate::stream::sse::{Splitter, events};

/// The largest whole answer read, in bytes: ten times what the longest order asks for.
const MOST: usize = 1 << 20;

/// Reads one answer.
#[derive(Debug)]
pub(super) struct Reading {
    delivery: Delivery,
    splitter: Splitter,
    /// A whole answer's bytes so far.
    whole: BytesMut,
    /// A stream's words so far.
    text: String,
    done: bool,
    spoiled: bool,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, alias = "delta")]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

impl Reading {
    pub(super) fn new(delivery: Delivery) -> Self {
        Self {
            delivery,
            splitter: Splitter::default(),
            whole: BytesMut::new(),
            text: String::new(),
            done: false,
            spoiled: false,
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: Bytes) {
        match self.delivery {
            Delivery::Whole if self.whole.len() + bytes.len() > MOST => self.spoiled = true,
            Delivery::Whole => self.whole.extend_from_slice(&bytes),
            Delivery::Stream => match self.splitter.push(bytes) {
                Ok(run) => self.events(&run),
                Err(_) => self.spoiled = true,
            },
        }
    }

    /// Whether the answer, ended as announced, consists of `words` words.
    pub(super) fn amounts_to(mut self, words: u32) -> bool {
        match self.delivery {
            Delivery::Stream => {
                let rest = self.splitter.rest();
                self.spoiled |= !rest.is_empty();
            }
            Delivery::Whole => {
                let whole = self.whole.split().freeze();
                self.done = self.append(&whole);
            }
        }
        self.done && !self.spoiled && self.text == numbered(words)
    }

    fn events(&mut self, run: &[u8]) {
        for event in events(run) {
            match event.data {
                None => {}
                Some(b"[DONE]") => self.done = true,
                Some(_) if self.done => self.spoiled = true,
                Some(data) => self.spoiled |= !self.append(data),
            }
        }
    }

    /// Appends the words of one JSON object; false if it is not an answer.
    fn append(&mut self, json: &[u8]) -> bool {
        let Ok(reply) = serde_json::from_slice::<Reply<'_>>(json) else {
            return false;
        };
        for content in reply
            .choices
            .iter()
            .filter_map(|choice| choice.message.content.as_ref())
        {
            self.text.push_str(content);
        }
        true
    }
}

/// The first `words` numbered words.
fn numbered(words: u32) -> String {
    let mut text = String::with_capacity(6 * words as usize);
    for number in 1..=words {
        let gap = if number == 1 { "" } else { " " };
        // Writing into a string cannot fail.
        let _ = write!(text, "{gap}w{number}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(delivery: Delivery, pieces: &[&'static str], expected: bool) {
        let mut reading = Reading::new(delivery);
        for piece in pieces {
            reading.push(Bytes::from_static(piece.as_bytes()));
        }
        assert_eq!(reading.amounts_to(2), expected, "{pieces:?}");
    }

    const ROLE: &str =
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    const ONE: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"w1\"}}]}\n\n";
    const TWO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\" w2\"}}]}\n\n";
    const USAGE: &str = "data: {\"choices\":[],\"usage\":{}}\n\n";
    const DONE: &str = "data: [DONE]\n\n";
    const ERROR: &str = "data: {\"error\":{\"message\":\"gone\"}}\n\n";

    #[test]
    fn a_stream_is_complete_with_every_word_and_the_end_mark() {
        check(Delivery::Stream, &[ROLE, ONE, TWO, USAGE, DONE], true);
        check(
            Delivery::Stream,
            &[
                "data: {\"choices\":[{\"del",
                "ta\":{\"content\":\"w1 w2\"}}]}\n\n",
                DONE,
            ],
            true,
        );
        check(Delivery::Stream, &[ROLE, ONE, TWO], false);
        check(Delivery::Stream, &[ROLE, ONE, DONE], false);
        check(Delivery::Stream, &[ROLE, TWO, ONE, DONE], false);
        check(Delivery::Stream, &[ROLE, ONE, TWO, TWO, DONE], false);
        check(Delivery::Stream, &[ROLE, ONE, TWO, ERROR, DONE], false);
        check(Delivery::Stream, &[ROLE, ONE, TWO, DONE, TWO], false);
        check(Delivery::Stream, &[ROLE, ONE, TWO, DONE, "data: "], false);
        check(Delivery::Stream, &[], false);
    }

    #[test]
    fn a_whole_answer_is_complete_with_every_word() {
        check(
            Delivery::Whole,
            &["{\"choices\":[{\"message\":{\"content\":\"w1 w2\"}}]}"],
            true,
        );
        check(
            Delivery::Whole,
            &["{\"choices\":[{\"message\":{\"con", "tent\":\"w1 w2\"}}]}"],
            true,
        );
        check(
            Delivery::Whole,
            &["{\"choices\":[{\"message\":{\"content\":\"w1\"}}]}"],
            false,
        );
        check(
            Delivery::Whole,
            &["{\"choices\":[{\"message\":{\"content\":\"w1 w2\"}}]"],
            false,
        );
        check(Delivery::Whole, &["<html>"], false);
    }
}
