//! As what stream is a whole answer told?
//!
//! # Invariants
//! - Folded again, the events are the answer, but for what no event holds: when it was made, its tier, media, and marks of caches.
//! - A piece has something besides space, so that no writer takes it for nothing.

use super::answer::Answer;
use super::event::Event;
use super::part::Part;

/// Words to a piece: about what a model says at a time, so that clients add up several.
const PIECE_WORDS: usize = 3;

/// Most letters of a piece without space, as languages without it write.
const PIECE_LETTERS: usize = 24;

/// The steps of a stream that adds up to the answer.
#[must_use]
pub fn unfold(answer: &Answer) -> Vec<Event> {
    let mut events = vec![Event::Start {
        id: answer.id.clone(),
        model: answer.model.clone(),
    }];
    let mut calls = 0;
    for part in &answer.parts {
        match part {
            Part::Text { text, .. } => tell(text, Event::Text, &mut events),
            Part::Refusal(words) => tell(words, Event::Refusal, &mut events),
            Part::Thinking { text, signature } => {
                tell(text, Event::Thinking, &mut events);
                events.extend(signature.clone().map(Event::Signed));
            }
            Part::Redacted(signature) => events.push(Event::Redacted(signature.clone())),
            Part::ToolCall {
                id,
                name,
                arguments,
                signature,
            } => {
                let index = calls;
                calls += 1;
                events.push(Event::ToolStart {
                    index,
                    id: id.clone(),
                    name: name.clone(),
                    signature: signature.clone(),
                });
                let argue = |json| Event::ToolArguments { index, json };
                tell(arguments, argue, &mut events);
            }
            // No event holds these.
            Part::Image(_) | Part::Document(_) | Part::Audio(_) | Part::ToolResult { .. } => {}
        }
    }
    events.extend(answer.usage.map(Event::Usage));
    events.push(Event::Finish {
        stop: answer.stop,
        stop_text: answer.stop_text.clone(),
    });
    events
}

/// Adds a text in pieces.
fn tell(text: &str, event: impl Fn(String) -> Event, events: &mut Vec<Event>) {
    let (mut begin, mut words, mut letters) = (0, 0, 0);
    let mut spaced = false;
    for (at, letter) in text.char_indices() {
        if letter.is_whitespace() {
            // Space before the first word is none between two.
            spaced = words > 0 || letters > 0;
            continue;
        }
        words += usize::from(spaced);
        if words == PIECE_WORDS || letters == PIECE_LETTERS {
            events.extend(text.get(begin..at).map(|piece| event(piece.to_owned())));
            (begin, words, letters) = (at, 0, 0);
        }
        spaced = false;
        letters += 1;
    }
    let rest = text.get(begin..).filter(|rest| !rest.is_empty());
    events.extend(rest.map(|piece| event(piece.to_owned())));
}

#[cfg(test)]
mod tests {
    use super::super::{Maker, Signature, Stop, Usage, fold};
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        let mut events = Vec::new();
        tell(text, Event::Text, &mut events);
        let texts = events.into_iter().map(|event| match event {
            Event::Text(text) => text,
            other => panic!("{other:?}"),
        });
        texts.collect()
    }

    #[test]
    fn texts_are_told_in_a_few_words_at_a_time() {
        assert_eq!(pieces("one two three four"), ["one two three ", "four"]);
        assert_eq!(pieces("  one two three \n"), ["  one two three \n"]);
        assert_eq!(pieces(" \n "), [" \n "]);
        assert!(pieces("").is_empty());
        let long = "字".repeat(60);
        assert_eq!(pieces(&long).len(), 3);
        for text in [
            "a  b\t\tc d e f g",
            "é ü ß 字 😀 x y z",
            "  x  ",
            "a b c ",
            &long,
        ] {
            let pieces = pieces(text);
            assert_eq!(pieces.concat(), text);
            assert!(
                pieces.iter().all(|piece| !piece.trim().is_empty()),
                "{text}"
            );
        }
    }

    #[test]
    fn folded_again_it_is_the_answer() {
        let signature = |text: &str| Signature::new(Maker::Anthropic, text);
        let thinking = |text: &str, signature| Part::Thinking {
            text: text.to_owned(),
            signature,
        };
        let call = |id: &str, arguments: &str| Part::ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: arguments.to_owned(),
            signature: (id == "a").then(|| signature("c")),
        };
        let answer = Answer {
            id: "x".to_owned(),
            model: "m".to_owned(),
            parts: vec![
                thinking("first one thinks about it", Some(signature("s"))),
                thinking("again", None),
                Part::Redacted(signature("r")),
                Part::text("Then one says it, in words."),
                call("a", r#"{"city": "New   York", "x": "   "}"#),
                call("b", ""),
                Part::text("More."),
                Part::Refusal("No, not this one.".to_owned()),
            ],
            stop: Stop::Tools,
            stop_text: Some("END".to_owned()),
            usage: Some(Usage {
                input: 1,
                output: 2,
                ..Usage::default()
            }),
            ..Answer::default()
        };
        let events = unfold(&answer);
        assert_eq!(fold(&events), answer);
        assert!(events.len() > 14, "{}", events.len());
    }
}
