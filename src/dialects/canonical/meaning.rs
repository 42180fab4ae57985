//! What does a conversation ask for, whatever dialect it was written in?
//!
//! Dialects differ in what is theirs alone: the ids of calls, which are names for "that call there"; whether a tool's answers and
//! the user's words behind them are one turn; how a call's arguments are laid out. Here each is written in one way.
//!
//! # Invariants
//! - Everything that `chat` knows of a request is written, but who asks, how the answer is to arrive, and the marks of prompt caches.

use std::collections::HashMap;

use super::ink::Ink;
use super::tree::Node;
use crate::chat::{
    Media, OutputFormat, Part, Reasoning, Request, Role, Sampling, Signature, Source, Tool,
    ToolChoice,
};

/// What a conversation comes to.
#[derive(Debug)]
pub(super) struct Meaning {
    pub(super) frame: Vec<u8>,
    pub(super) text: Option<String>,
    pub(super) turns: usize,
}

/// What the frame of such a request begins with; another way to write it is another number.
const MARK: &[u8] = b"meaning 1\n";

/// A turn: whose, and what it consists of.
type Turn<'a> = (Role, Vec<&'a Part>);

/// Writes what a request asks for; none where two calls have one id, so that it cannot be told which one was answered.
pub(super) fn write(request: &Request) -> Option<Meaning> {
    let turns = turns(request);
    let said = turns.iter().filter(|(role, _)| !is_instruction(*role));
    let count = said.count();
    let (text, lengths) = match turns.last() {
        Some((Role::User, parts)) => joined(parts).unzip(),
        _ => (None, None),
    };
    let before = turns.len() - usize::from(text.is_some());
    let mut writer = Writer {
        ink: Ink(Vec::with_capacity(512)),
        calls: HashMap::new(),
    };
    writer.ink.0.extend_from_slice(MARK);
    writer.ink.count(turns.len());
    for turn in turns.iter().take(before) {
        writer.turn(turn)?;
    }
    // With the lengths of all texts but the last, those that were joined can be told apart.
    let lengths: Option<Vec<usize>> = lengths;
    writer.ink.maybe(lengths, |ink, lengths| {
        ink.count(lengths.len());
        lengths.iter().for_each(|length| ink.count(*length));
    });
    let mut ink = writer.ink;
    settings(request, &mut ink);
    Some(Meaning {
        frame: ink.0,
        text,
        turns: count,
    })
}

const fn is_instruction(role: Role) -> bool {
    matches!(role, Role::System | Role::Developer)
}

/// The turns: the answers of tools that follow each other are one, and what the user says behind them is the next.
fn turns(request: &Request) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        if message.role != Role::User {
            turns.push((message.role, message.parts.iter().collect()));
            continue;
        }
        let mut begun = None;
        for part in &message.parts {
            let result = is_result(part);
            let last = turns.last_mut();
            let joins = |(role, parts): &&mut Turn<'_>| {
                let results = || parts.last().is_some_and(|part| is_result(part));
                begun == Some(result) || (result && *role == Role::User && results())
            };
            match last.filter(joins) {
                Some((_, parts)) => parts.push(part),
                None => turns.push((Role::User, vec![part])),
            }
            begun = Some(result);
        }
        if begun.is_none() {
            turns.push((Role::User, Vec::new()));
        }
    }
    turns
}

const fn is_result(part: &Part) -> bool {
    matches!(part, Part::ToolResult { .. })
}

/// The words of a turn that has nothing else, and the lengths of all its texts but the last.
fn joined(parts: &[&Part]) -> Option<(String, Vec<usize>)> {
    let texts: Option<Vec<&str>> = parts.iter().map(|part| words(part)).collect();
    let texts = texts?;
    let (_, before) = texts.split_last()?;
    Some((
        texts.concat(),
        before.iter().map(|text| text.len()).collect(),
    ))
}

fn words(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text, .. } => Some(text),
        _ => None,
    }
}

struct Writer<'a> {
    ink: Ink,
    /// The calls so far: place and name, by id.
    calls: HashMap<&'a str, (usize, &'a str)>,
}

impl<'a> Writer<'a> {
    fn turn(&mut self, (role, parts): &Turn<'a>) -> Option<()> {
        self.ink.tag(match role {
            Role::System => 1,
            Role::Developer => 2,
            Role::User => 3,
            Role::Assistant => 4,
        });
        self.ink.count(parts.len());
        parts.iter().try_for_each(|part| self.part(part))
    }

    fn part(&mut self, part: &'a Part) -> Option<()> {
        match part {
            Part::Text { text, .. } => {
                self.ink.tag(1);
                self.ink.text(text);
            }
            Part::Image(of) => self.media(2, of),
            Part::Document(of) => self.media(3, of),
            Part::Audio(of) => self.media(4, of),
            Part::ToolCall {
                id,
                name,
                arguments: words,
                signature: by,
            } => {
                let place = self.calls.len();
                if self.calls.insert(id, (place, name)).is_some() {
                    return None;
                }
                self.ink.tag(5);
                self.ink.text(name);
                arguments(words, &mut self.ink);
                self.ink.maybe(by.as_ref(), signature);
            }
            Part::ToolResult {
                id,
                name,
                content,
                is_error,
                ..
            } => {
                self.ink.tag(6);
                let called = self.calls.get(id.as_str()).copied();
                self.ink.maybe(called, |ink, (place, _)| ink.count(place));
                self.ink
                    .maybe(Some(id).filter(|_| called.is_none()), |ink, id| {
                        ink.text(id)
                    });
                // Not every dialect repeats the name of what was called.
                let told = called.is_some_and(|(_, called)| called == name || name.is_empty());
                self.ink
                    .maybe(Some(name).filter(|_| !told), |ink, name| ink.text(name));
                self.ink.flag(*is_error);
                let said = content.iter();
                let said = said.filter(|part| words(part).is_none_or(|text| !text.is_empty()));
                let said: Vec<&Part> = said.collect();
                self.ink.count(said.len());
                said.into_iter().try_for_each(|part| self.part(part))?;
            }
            Part::Thinking {
                text,
                signature: by,
            } => {
                self.ink.tag(7);
                self.ink.text(text);
                self.ink.maybe(by.as_ref(), signature);
            }
            Part::Redacted(by) => {
                self.ink.tag(8);
                signature(&mut self.ink, by);
            }
            Part::Refusal(text) => {
                self.ink.tag(9);
                self.ink.text(text);
            }
        }
        Some(())
    }

    fn media(&mut self, tag: u8, media: &Media) {
        self.ink.tag(tag);
        let (place, text) = match &media.source {
            Source::Base64(data) => (1, data),
            Source::Url(url) => (2, url),
            Source::File(id) => (3, id),
            Source::Text(text) => (4, text),
        };
        self.ink.tag(place);
        self.ink.text(text);
        self.ink.text(&media.mime);
        self.ink.text(&media.name);
        self.ink.text(&media.detail);
    }
}

/// A call's arguments: an object however it is laid out, or else the model's own words.
fn arguments(words: &str, ink: &mut Ink) {
    if words.trim_ascii().is_empty() {
        ink.tag(1);
        return ink.bytes(b"{}");
    }
    match Node::read(words.as_bytes()) {
        Ok(object @ Node::Object(_)) => {
            let mut out = Vec::with_capacity(words.len());
            object.write(&mut out);
            ink.tag(1);
            ink.bytes(&out);
        }
        _ => {
            ink.tag(2);
            ink.text(words);
        }
    }
}

fn signature(ink: &mut Ink, signature: &Signature) {
    ink.tag(match signature.maker {
        crate::chat::Maker::OpenAi => 1,
        crate::chat::Maker::Anthropic => 2,
        crate::chat::Maker::Google => 3,
    });
    ink.text(&signature.id);
    ink.text(&signature.text);
}

/// Everything but the conversation.
fn settings(request: &Request, ink: &mut Ink) {
    let Request {
        messages: _,
        tools,
        tool_choice,
        parallel_tools,
        max_tokens,
        sampling,
        stop,
        format,
        reasoning,
        // Who asks, and how the answer is to arrive.
        user: _,
        cache_key: _,
        service_tier: _,
        stream: _,
        // Whoever writes the meaning of a request has seen that there are none.
        unknown: _,
    } = request;
    ink.count(tools.len());
    tools.iter().for_each(|it| tool(it, ink));
    ink.maybe(tool_choice.as_ref(), choice);
    ink.maybe(*parallel_tools, Ink::flag);
    ink.maybe(*max_tokens, |ink, most| ink.size(u64::from(most)));
    drawing(sampling, ink);
    ink.texts(stop);
    ink.maybe(format.as_ref(), output);
    ink.maybe(*reasoning, thinking);
}

fn tool(tool: &Tool, ink: &mut Ink) {
    let Tool {
        name,
        description,
        schema,
        strict,
        cache: _,
    } = tool;
    ink.text(name);
    ink.maybe(description.as_deref(), Ink::text);
    ink.json(schema);
    ink.maybe(*strict, Ink::flag);
}

fn choice(ink: &mut Ink, choice: &ToolChoice) {
    match choice {
        ToolChoice::Auto => ink.tag(1),
        ToolChoice::None => ink.tag(2),
        ToolChoice::Required => ink.tag(3),
        ToolChoice::Named(name) => {
            ink.tag(4);
            ink.text(name);
        }
        ToolChoice::Among { names, required } => {
            ink.tag(5);
            ink.texts(names);
            ink.flag(*required);
        }
    }
}

fn drawing(sampling: &Sampling, ink: &mut Ink) {
    let Sampling {
        temperature,
        top_p,
        top_k,
        frequency_penalty,
        presence_penalty,
        seed,
        choices,
        logprobs,
    } = sampling;
    for number in [temperature, top_p, frequency_penalty, presence_penalty] {
        ink.maybe(*number, Ink::number);
    }
    // One answer is what everyone gives who is not asked for more.
    for count in [*top_k, choices.filter(|choices| *choices != 1), *logprobs] {
        ink.maybe(count, |ink, count| ink.size(u64::from(count)));
    }
    ink.maybe(*seed, |ink, seed| ink.bytes(&seed.to_be_bytes()));
}

fn output(ink: &mut Ink, format: &OutputFormat) {
    match format {
        OutputFormat::Json => ink.tag(1),
        OutputFormat::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            ink.tag(2);
            ink.text(name);
            ink.maybe(description.as_deref(), Ink::text);
            ink.json(schema);
            ink.maybe(*strict, Ink::flag);
        }
    }
}

fn thinking(ink: &mut Ink, reasoning: Reasoning) {
    let Reasoning {
        effort,
        budget,
        shown,
    } = reasoning;
    ink.maybe(effort, |ink, effort| ink.text(effort.name()));
    ink.maybe(budget, |ink, budget| ink.size(u64::from(budget)));
    ink.maybe(shown, Ink::flag);
}
