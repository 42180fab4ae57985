//! What an answer consists of, before any vendor's words are put around it.
//!
//! The text of an answer is numbered words, `w1 w2 w3 …`, one per token, so that a test sees at once what is missing.
//! An answer that continues a prefill goes on from the last such word in it.
//!
//! # Invariants
//! - The pieces of a plan, in order, are its text, or the arguments of its tool call.

use std::fmt::Write as _;
use std::rc::Rc;

use super::ask::{Ask, Prefix};
use super::tongue::{Tongue, Voice};

/// Words whose text is kept ready; longer answers are written out each time.
const READY_WORDS: u32 = 8_192;

/// Words in a tool call's arguments at most.
const TOOL_WORDS: u32 = 8;

/// The usage of an answer that lies: 10^18, which summed twice still fits a signed word.
const HUGE_USAGE: i64 = 1_000_000_000_000_000_000;

/// What an answer thinks before it speaks, where it is asked to think: a token for each word.
pub(super) const THOUGHTS: [&str; 4] = ["Let", " me", " count", " words."];

/// What the usage says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Usage {
    #[default]
    Honest,
    Missing,
    Negative,
    Huge,
}

/// Everything that an answer consists of.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) ask: Ask,
    pub(super) tongue: Tongue,
    /// Name of the provider that answers.
    pub(super) provider: Rc<str>,
    /// Number that makes the answer's id.
    pub(super) id: u64,
    /// Unix time, in seconds.
    pub(super) created: u64,
    /// Output tokens: words, or pieces of a tool call's arguments.
    pub(super) output: u32,
    /// Whether `max_tokens` cut the answer.
    pub(super) cut_short: bool,
    /// The prefill that the answer continues, if it does.
    pub(super) after: Option<Prefix>,
    pub(super) usage: Usage,
}

/// The numbered words, kept ready.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: String,
    ends: Vec<usize>,
}

impl Words {
    /// Appends the first `count` words to `out`.
    pub(super) fn append(&mut self, count: u32, out: &mut String) {
        while self.ends.len() < count.min(READY_WORDS) as usize {
            append_word(self.ends.len() as u32 + 1, &mut self.text);
            self.ends.push(self.text.len());
        }
        let ready = (count as usize).min(self.ends.len());
        if let Some(end) = ready.checked_sub(1).and_then(|last| self.ends.get(last)) {
            out.push_str(&self.text[..*end]);
        }
        for number in ready as u32 + 1..=count {
            append_word(number, out);
        }
    }
}

impl Plan {
    /// Output tokens of a tool call with so many tokens to spend: its words and the braces around them.
    pub(super) fn tool_tokens(allowed: u32) -> u32 {
        allowed.min(TOOL_WORDS) + 2
    }

    /// In whose words, and under which number, this plan is told.
    pub(super) fn voice(&self) -> Voice {
        Voice {
            tongue: self.tongue,
            id: self.id,
        }
    }

    /// Appends the text of an answer in words.
    pub(super) fn append_text(&self, words: &mut Words, out: &mut String) {
        if self.after.is_none() {
            words.append(self.output, out);
        } else {
            (1..=self.output).for_each(|number| self.append_piece(number, out));
        }
    }

    /// The text of an answer in words, or the arguments of a tool call.
    pub(super) fn text(&self) -> String {
        let mut out = String::with_capacity(8 * self.output as usize);
        (1..=self.output).for_each(|number| self.append_piece(number, &mut out));
        out
    }

    /// Appends piece `number`, from 1: a word, or a part of a tool call's arguments.
    pub(super) fn append_piece(&self, number: u32, out: &mut String) {
        if self.ask.tool.is_some() {
            match number {
                1 => out.push_str("{\"query\":\""),
                _ if number >= self.output => out.push_str("\"}"),
                _ => append_word(number - 1, out),
            }
            return;
        }
        match self.after {
            None => append_word(number, out),
            Some(prefix) => {
                if !prefix.spaced {
                    out.push(' ');
                }
                let number = prefix.last.saturating_add(number);
                let _ = write!(out, "w{number}");
            }
        }
    }

    /// Piece `number`, from 1, as the inside of a JSON string.
    pub(super) fn escaped_piece(&self, number: u32) -> String {
        let (mut piece, mut out) = (String::new(), String::new());
        self.append_piece(number, &mut piece);
        push_escaped(&mut out, &piece);
        out
    }

    /// Whether the answer thinks first.
    pub(super) fn thinks(&self) -> bool {
        self.ask.thinks
    }

    /// Tokens spent on thinking.
    pub(super) fn thought_tokens(&self) -> i64 {
        if self.ask.thinks {
            THOUGHTS.len() as i64
        } else {
            0
        }
    }

    /// Input and output tokens as the usage tells them, thoughts not counted; nothing where it is missing.
    pub(super) fn counts(&self) -> Option<(i64, i64)> {
        let (input, output) = (i64::from(self.ask.input_tokens), i64::from(self.output));
        match self.usage {
            Usage::Honest => Some((input, output)),
            Usage::Missing => None,
            Usage::Negative => Some((-input - 1, -output)),
            Usage::Huge => Some((HUGE_USAGE, HUGE_USAGE)),
        }
    }
}

/// Appends word `number`, with a space before all but the first.
pub(super) fn append_word(number: u32, out: &mut String) {
    out.push_str(if number == 1 { "w" } else { " w" });
    let _ = write!(out, "{number}");
}

/// Appends `text` escaped for the inside of a JSON string.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    if text
        .bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
    {
        out.push_str(text);
        return;
    }
    let quoted = quoted(text);
    out.push_str(&quoted[1..quoted.len() - 1]);
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_and_written_out_words_agree() {
        let (mut ready, mut fresh) = (String::new(), String::new());
        Words::default().append(READY_WORDS + 3, &mut ready);
        (1..=READY_WORDS + 3).for_each(|number| append_word(number, &mut fresh));
        assert_eq!(ready, fresh);
    }

    #[test]
    fn an_answer_goes_on_from_the_last_word_of_its_prefill() {
        for (last, spaced, text) in [
            (2, false, " w3 w4"),
            (0, false, " w1 w2"),
            (2, true, "w3w4"),
        ] {
            let plan = Plan {
                output: 2,
                after: Some(Prefix { last, spaced }),
                ..Plan::default()
            };
            assert_eq!(plan.text(), text);
        }
    }
}
