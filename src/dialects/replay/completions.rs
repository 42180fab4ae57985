//! Is a completion all there, in the dialect that no provider's answer is read in?
//!
//! # Invariants
//! - Every one of several completions must have ended by itself.

use serde::Deserialize;

use super::read::{Flaw, for_each_event, is_object};
use super::{Form, Told};

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    text: String,
    #[serde(default)]
    finish_reason: Option<String>,
}

/// Most completions of one answer; OpenAI gives 128.
const MOST: usize = 1_024;

/// One completion, as far as it has come.
#[derive(Default)]
struct Completion {
    text: String,
    ended: bool,
}

/// The text of the first completion, if all of them are whole.
pub(super) fn read(told: &Told<'_>) -> Result<String, Flaw> {
    let mut all: Vec<Completion> = Vec::new();
    match told.form {
        Form::Whole => take(told.bytes, &mut all)?,
        Form::Stream => {
            let mut done = false;
            for_each_event(told.bytes, |_, data| {
                if std::mem::replace(&mut done, data.trim_ascii() == b"[DONE]") {
                    return Err(Flaw::Broken);
                }
                if done { Ok(()) } else { take(data, &mut all) }
            })?;
            if !done {
                return Err(Flaw::Broken);
            }
        }
        Form::Listed => return Err(Flaw::Broken),
    }
    if all.is_empty() || all.iter().any(|completion| !completion.ended) {
        return Err(Flaw::Broken);
    }
    if all
        .iter()
        .all(|completion| completion.text.trim().is_empty())
    {
        return Err(Flaw::Empty);
    }
    Ok(all.swap_remove(0).text)
}

fn take(json: &[u8], all: &mut Vec<Completion>) -> Result<(), Flaw> {
    is_object(json)?;
    let chunk: Chunk = serde_json::from_slice(json).map_err(|_| Flaw::Broken)?;
    for choice in chunk.choices {
        if choice.index >= MOST {
            return Err(Flaw::Broken);
        }
        if all.len() <= choice.index {
            all.resize_with(choice.index + 1, Completion::default);
        }
        let Some(completion) = all.get_mut(choice.index) else {
            return Err(Flaw::Broken);
        };
        if completion.ended && !choice.text.is_empty() {
            return Err(Flaw::Broken);
        }
        completion.text.push_str(&choice.text);
        match choice.finish_reason.as_deref() {
            None | Some("") => {}
            Some("length" | "max_tokens") => return Err(Flaw::Truncated),
            Some("content_filter") => return Err(Flaw::Filtered),
            Some(_) => completion.ended = true,
        }
    }
    Ok(())
}
