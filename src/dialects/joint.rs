//! How are two streams joined into one answer, after the first broke off?
//!
//! Either the second route begins the answer anew, and what the client already has is taken off its beginning;
//! or it was asked to go on from there, and what it says follows.
//! A route that was asked to go on and begins anew all the same is treated as the first kind.
//!
//! Thoughts are not joined: those of the second route are dropped.
//! A stream that broke off while it thought can be taken up only where the client does not send thoughts back,
//! since a thought without its signature would make the client's next request invalid.
//!
//! # Invariants
//! - The client never gets a piece of text twice, nor one that does not follow from what it has.
//! - Only text is joined: once a tool call has begun, nothing is.
//! - What is kept of an answer is bounded by [`MAX_SAID`].

use super::format::Format;
use super::passage::Unfit;
use crate::chat::{Event, Usage};

/// Bytes by which a route that begins anew is told from one that goes on: fewer could be the same by chance.
const TELLING: usize = 12;

/// Longest text that is taken up, bytes: more than the longest answer of any model.
const MAX_SAID: usize = 4 * 1024 * 1024;

/// How the second stream relates to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// It begins the answer anew.
    Anew,
    /// It goes on where the first broke off.
    Onward,
}

/// What the client has of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The text.
    text: String,
    /// Pieces of content: about as many tokens.
    pieces: u32,
    /// Whether it has the beginning of a thought and nothing after it.
    thinking: bool,
    /// Whether it has something that cannot be taken up: a tool call, a refusal, or the end.
    closed: bool,
}

impl Transcript {
    /// Notes an event that the client gets.
    pub fn note(&mut self, event: &Event) {
        self.pieces = self.pieces.saturating_add(u32::from(event.is_content()));
        match event {
            Event::Text(text) => {
                self.thinking = false;
                self.text.push_str(text);
                if self.text.len() > MAX_SAID {
                    self.text = String::new();
                    self.closed = true;
                }
            }
            Event::Thinking(_) => self.thinking = true,
            Event::Signed(_) | Event::Redacted(_) => self.thinking = false,
            Event::Start { .. } | Event::Usage(_) => {}
            Event::Refusal(_)
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::Finish { .. } => self.closed = true,
        }
    }

    /// The text that another route could take up for a client of this format; none if none can.
    #[must_use]
    pub fn said(&self, client: Format) -> Option<&str> {
        let sends_back = matches!(client, Format::Messages | Format::Responses);
        let unfit = self.closed || (self.thinking && sends_back);
        (!unfit).then_some(&*self.text)
    }

    /// About how many tokens the client has.
    #[must_use]
    pub const fn pieces(&self) -> u32 {
        self.pieces
    }
}

/// The place where a second stream meets what the client has.
#[derive(Clone, Debug, Default)]
pub struct Joint {
    stage: Stage,
    /// About how many tokens the client had before.
    before: u32,
    /// The usage that came before it was told what it is of.
    usage: Option<Usage>,
}

#[derive(Clone, Debug, Default)]
enum Stage {
    /// There is nothing to join.
    #[default]
    Open,
    /// The text passes; the second stream's lifecycle and thoughts do not.
    Joined(Resumption),
    /// It goes on, but for blanks that the client has already.
    Blank(String),
    /// It is not yet told whether the route goes on or begins anew: the text so far, and what the client has.
    Telling { held: String, said: String },
    /// This much of the text must come again and is dropped.
    Anew { left: String },
}

impl Joint {
    /// A joint with a client that has `said`, of about so many tokens.
    #[must_use]
    pub fn new(said: &str, before: u32, how: Resumption) -> Self {
        let said = said.to_owned();
        let stage = match how {
            _ if said.is_empty() => Stage::Joined(Resumption::Anew),
            Resumption::Anew => Stage::Anew { left: said },
            Resumption::Onward => Stage::Telling {
                held: String::new(),
                said,
            },
        };
        Self {
            stage,
            before,
            usage: None,
        }
    }

    /// Whether everything passes as it is.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// Output tokens of the whole answer, if the second stream has made `output`.
    #[must_use]
    pub fn answer_tokens(&self, output: u32) -> u32 {
        match self.stage {
            Stage::Open => output,
            Stage::Joined(Resumption::Onward) | Stage::Blank(_) => {
                self.before.saturating_add(output)
            }
            _ => self.before.max(output),
        }
    }

    /// Takes the second stream's next event; what goes on to the client is added to `out`.
    ///
    /// # Errors
    /// [`Unfit::Diverged`] when it does not follow from what the client has.
    pub fn pass(&mut self, event: Event, out: &mut Vec<Event>) -> Result<(), Unfit> {
        match event {
            _ if self.is_open() => out.push(event),
            Event::Text(text) => return self.text(text, out),
            Event::Usage(usage) => self.usage(usage, out),
            Event::Start { .. } | Event::Thinking(_) | Event::Signed(_) | Event::Redacted(_) => {}
            Event::Refusal(_)
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::Finish { .. } => {
                self.settle(&event, out)?;
                out.push(event);
            }
        }
        Ok(())
    }

    fn text(&mut self, mut text: String, out: &mut Vec<Event>) -> Result<(), Unfit> {
        match &mut self.stage {
            Stage::Open | Stage::Joined(_) => {}
            Stage::Blank(blank) => {
                let is_over = strip_blank(blank, &mut text);
                if is_over {
                    self.stage = Stage::Joined(Resumption::Onward);
                }
            }
            Stage::Telling { held, said } => {
                held.push_str(&text);
                let most = TELLING.min(said.len());
                let same = held.bytes().zip(said.bytes()).all(|(a, b)| a == b);
                if same && held.len() < most {
                    return Ok(());
                }
                let (held, said) = (std::mem::take(held), std::mem::take(said));
                let anew = held.as_bytes().get(..most) == said.as_bytes().get(..most);
                self.stage = if anew {
                    Stage::Anew { left: said }
                } else {
                    Stage::Blank(trailing_blank(&said).to_owned())
                };
                if let Some(usage) = self.usage.take() {
                    self.usage(usage, out);
                }
                return self.text(held, out);
            }
            Stage::Anew { left } => {
                if text.len() < left.len() {
                    let rest = left.strip_prefix(text.as_str()).ok_or(Unfit::Diverged)?;
                    *left = rest.to_owned();
                    return Ok(());
                }
                let new = text.strip_prefix(left.as_str()).ok_or(Unfit::Diverged)?;
                text = new.to_owned();
                self.stage = Stage::Joined(Resumption::Anew);
            }
        }
        if !text.is_empty() {
            out.push(Event::Text(text));
        }
        Ok(())
    }

    /// Usage is of the second stream; what went before it is added where that is a part of the answer.
    fn usage(&mut self, mut usage: Usage, out: &mut Vec<Event>) {
        match self.stage {
            Stage::Telling { .. } => {
                self.usage = Some(usage);
                return;
            }
            Stage::Joined(Resumption::Onward) | Stage::Blank(_) => {
                usage.output = usage.output.saturating_add(u64::from(self.before));
            }
            _ => {}
        }
        out.push(Event::Usage(usage));
    }

    /// Something else than text comes: what is held back must be told by now.
    fn settle(&mut self, event: &Event, out: &mut Vec<Event>) -> Result<(), Unfit> {
        match &self.stage {
            Stage::Open | Stage::Joined(_) | Stage::Blank(_) => return Ok(()),
            // A shorter answer begun anew, or none of the kind that the client has.
            Stage::Anew { .. } => return Err(Unfit::Diverged),
            Stage::Telling { held, .. } if !held.is_empty() => return Err(Unfit::Diverged),
            Stage::Telling { .. } if matches!(event, Event::Refusal(_)) => {
                return Err(Unfit::Diverged);
            }
            Stage::Telling { .. } => {}
        }
        self.stage = Stage::Joined(Resumption::Onward);
        if let Some(usage) = self.usage.take() {
            self.usage(usage, out);
        }
        Ok(())
    }
}

/// The blanks at the end: a route that is asked to go on is not told them, since providers refuse them there.
fn trailing_blank(said: &str) -> &str {
    &said[said.trim_end().len()..]
}

/// Takes off the beginning of `text` the blanks that the client has; true when there are none left to come.
fn strip_blank(blank: &mut String, text: &mut String) -> bool {
    if let Some(rest) = text.strip_prefix(blank.as_str()) {
        *text = rest.to_owned();
        return true;
    }
    if let Some(rest) = blank.strip_prefix(text.as_str()) {
        *blank = rest.to_owned();
        text.clear();
        return false;
    }
    *text = text.trim_start().to_owned();
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Stop;

    const END: Event = Event::Finish {
        stop: Stop::End,
        stop_text: None,
    };

    fn text_of(events: &[Event]) -> String {
        let texts = events.iter().filter_map(|event| match event {
            Event::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    fn join(said: &str, how: Resumption, pieces: &[&str]) -> Result<String, Unfit> {
        let mut joint = Joint::new(said, 1, how);
        let mut out = Vec::new();
        for piece in pieces {
            joint.pass(Event::Text((*piece).to_owned()), &mut out)?;
        }
        joint.pass(END, &mut out)?;
        assert_eq!(out.last(), Some(&END));
        Ok(text_of(&out))
    }

    #[test]
    fn joints_neither_repeat_nor_skip() {
        use Resumption::{Anew, Onward};
        let diverged = Err(Unfit::Diverged);
        for (said, how, pieces, expected) in [
            (
                "one two",
                Anew,
                &["one", " two", " three"][..],
                Ok(" three"),
            ),
            ("one two", Anew, &["one two three"], Ok(" three")),
            (
                "one two",
                Anew,
                &["o", "n", "e two", " three"],
                Ok(" three"),
            ),
            ("one two", Anew, &["one two"], Ok("")),
            ("one two", Anew, &["one twx"], diverged),
            ("one two", Anew, &["one"], diverged),
            ("one two", Anew, &[], diverged),
            ("one two", Anew, &["One two three"], diverged),
            ("", Anew, &["one"], Ok("one")),
            ("", Onward, &["one"], Ok("one")),
            (
                "one two three four",
                Onward,
                &[" five", " six"],
                Ok(" five six"),
            ),
            (
                "one two three four",
                Onward,
                &["one two", " three four", " five"],
                Ok(" five"),
            ),
            (
                "one two three four",
                Onward,
                &["one two three fourx"],
                Ok("x"),
            ),
            ("one two three four", Onward, &["one two three 4"], diverged),
            ("one two three four", Onward, &["one"], diverged),
            (
                "one two three four",
                Onward,
                &["one", "-off"],
                Ok("one-off"),
            ),
            ("one two three four", Onward, &[], Ok("")),
            ("one two three four", Onward, &[" 5."], Ok(" 5.")),
            ("one two ", Onward, &[" five and on"], Ok("five and on")),
            ("one two ", Onward, &["five"], Ok("five")),
            ("f():\n", Onward, &["\n", "    return"], Ok("    return")),
            ("f():\n\n", Onward, &["\n", "\n  x"], Ok("  x")),
            ("one\n", Onward, &["  ", " two"], Ok("two")),
            ("ü", Onward, &["u", " more"], Ok("u more")),
            ("ü", Onward, &["ü", "ber"], Ok("ber")),
        ] {
            let joined = join(said, how, pieces);
            let expected = expected.map(ToOwned::to_owned);
            assert_eq!(joined, expected, "{said:?} {how:?} {pieces:?}");
        }
    }

    #[test]
    fn text_goes_on_at_once_when_it_is_told() {
        let mut joint = Joint::new("one two three four", 4, Resumption::Onward);
        let mut out = Vec::new();
        joint.pass(Event::Text(" f".into()), &mut out).unwrap();
        assert_eq!(text_of(&out), " f", "one letter tells");
    }

    #[test]
    fn the_seconds_lifecycle_and_thoughts_stay_behind() {
        let start = Event::Start {
            id: "x".into(),
            model: "y".into(),
        };
        for how in [Resumption::Anew, Resumption::Onward] {
            for said in ["", "one"] {
                let mut joint = Joint::new(said, 1, how);
                let mut out = Vec::new();
                joint.pass(start.clone(), &mut out).unwrap();
                joint.pass(Event::Thinking("hm".into()), &mut out).unwrap();
                assert!(out.is_empty());
            }
        }
    }

    #[test]
    fn what_is_no_text_must_follow_too() {
        let refusal = || Event::Refusal("no".into());
        let tool = || Event::ToolStart {
            index: 0,
            id: "t".into(),
            name: "f".into(),
            signature: None,
        };
        let mut out = Vec::new();
        let mut join = |said: &str, how, event| Joint::new(said, 1, how).pass(event, &mut out);
        assert!(join("one", Resumption::Anew, refusal()).is_err());
        assert!(join("one", Resumption::Onward, refusal()).is_err());
        assert!(join("one", Resumption::Anew, tool()).is_err());
        assert!(join("one", Resumption::Onward, tool()).is_ok());
        assert!(join("", Resumption::Anew, refusal()).is_ok());
    }

    #[test]
    fn usage_is_that_of_the_whole_answer() {
        let output = |how, pieces: &[&str]| {
            let mut joint = Joint::new("one two three four", 4, how);
            let mut out = Vec::new();
            for piece in pieces {
                joint.pass(Event::Text((*piece).into()), &mut out).unwrap();
            }
            let usage = Usage {
                output: 2,
                ..Usage::default()
            };
            joint.pass(Event::Usage(usage), &mut out).unwrap();
            joint.pass(END, &mut out).unwrap();
            let told = out.iter().filter_map(|event| match event {
                Event::Usage(usage) => Some(usage.output),
                _ => None,
            });
            (told.collect::<Vec<_>>(), joint.answer_tokens(2))
        };
        assert_eq!(output(Resumption::Onward, &[" five", " six"]), (vec![6], 6));
        assert_eq!(output(Resumption::Onward, &[]), (vec![6], 6));
        let again = ["one two three four"];
        assert_eq!(output(Resumption::Onward, &again), (vec![2], 4));
        assert_eq!(output(Resumption::Anew, &again), (vec![2], 4));
    }

    #[test]
    fn what_is_taken_up_depends_on_what_the_client_has() {
        let signed = || Event::Signed(crate::chat::Signature::new(crate::chat::Maker::OpenAi, "s"));
        let thought = || Event::Thinking("x".into());
        let text = || Event::Text("a".into());
        let arguments = || Event::ToolArguments {
            index: 0,
            json: "{".into(),
        };
        let said = |events: &[Event], client| {
            let mut transcript = Transcript::default();
            events.iter().for_each(|event| transcript.note(event));
            transcript.said(client).map(ToOwned::to_owned)
        };
        let some = |text: &str| Some(text.to_owned());
        for client in [Format::Chat, Format::Messages, Format::Responses] {
            assert_eq!(said(&[], client), some(""));
            assert_eq!(said(&[thought(), text()], client), some("a"));
            assert_eq!(said(&[thought(), signed()], client), some(""));
            assert_eq!(said(&[text(), arguments()], client), None);
            assert_eq!(said(&[text(), END], client), None);
        }
        assert_eq!(said(&[thought()], Format::Chat), some(""));
        assert_eq!(said(&[thought()], Format::Messages), None);
        assert_eq!(said(&[signed(), thought()], Format::Responses), None);
        let long = Event::Text("x".repeat(MAX_SAID + 1));
        assert_eq!(said(&[long, text()], Format::Chat), None);
    }
}
