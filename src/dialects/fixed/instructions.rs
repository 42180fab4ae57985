//! Puts a workflow's instructions before the client's.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::{Fields, Written, merge, object, once, quoted};
use crate::dialects::format::Format;
use crate::dialects::meeting::Malformed;

/// Puts instructions before the client's, where the format has them.
pub(super) fn instruct<'a>(
    format: Format,
    system: &str,
    client: &[(Cow<'a, str>, &'a RawValue)],
    written: &mut Written<'a>,
) -> Result<(), Malformed> {
    let name = match format {
        Format::Chat => "messages",
        Format::Completions => "prompt",
        Format::Messages | Format::CountTokens => "system",
        Format::Responses | Format::InputTokens => "instructions",
        Format::Generate => "systemInstruction",
        _ => return Ok(()),
    };
    let text = quoted(system);
    let own = once(format, client, name)?.map(|(_, value)| value.get());
    let wrong = |what: &str| Malformed::new(format!("`{name}` must be {what}"));
    let joined = match (format, own) {
        (Format::Chat, Some(own)) => {
            let item = format!("{{\"role\":\"system\",\"content\":{text}}}");
            before(&item, own).ok_or_else(|| wrong("a list"))?
        }
        (Format::Chat, None) => return Err(Malformed::new("you must provide messages")),
        (Format::Completions, Some(own)) => prompts(system, own).ok_or_else(|| {
            wrong("a text or a list of texts, since the workflow has instructions")
        })?,
        (Format::Generate, own) => {
            let own = own.filter(|own| *own != "null");
            generate(&text, own).ok_or_else(|| wrong("a content with parts"))?
        }
        (_, None | Some("null")) => text,
        (_, Some(own)) => {
            let item = format!("{{\"type\":\"text\",\"text\":{text}}}");
            prefixed(system, own)
                .or_else(|| before(&item, own).filter(|_| name == "system"))
                .ok_or_else(|| wrong("a text"))?
        }
    };
    written.push((name.into(), joined.into()));
    Ok(())
}

/// The JSON text `own` with instructions before it.
fn prefixed(system: &str, own: &str) -> Option<String> {
    let own: String = serde_json::from_str(own).ok()?;
    Some(quoted(&format!("{system}\n\n{own}")))
}

/// The JSON list `own` with an item before it.
fn before(item: &str, own: &str) -> Option<String> {
    let rest = own.strip_prefix('[')?;
    let comma = if rest.trim_start().starts_with(']') {
        ""
    } else {
        ","
    };
    Some(format!("[{item}{comma}{rest}"))
}

/// A prompt, or each of a list of prompts, with instructions before it; without any the instructions alone.
fn prompts(system: &str, own: &str) -> Option<String> {
    if own == "null" {
        return Some(quoted(system));
    }
    if own.starts_with('[') {
        let all: Vec<String> = serde_json::from_str(own).ok()?;
        let all = all.iter().map(|one| quoted(&format!("{system}\n\n{one}")));
        return Some(format!("[{}]", all.collect::<Vec<_>>().join(",")));
    }
    prefixed(system, own)
}

/// Gemini's instructions, a content, with a part before its own.
fn generate(text: &str, own: Option<&str>) -> Option<String> {
    let item = format!("{{\"text\":{text}}}");
    let Fields(own) = match own {
        None => return Some(format!("{{\"parts\":[{item}]}}")),
        // Some libraries let a plain text pass.
        Some(own) if own.starts_with('"') => {
            return Some(format!("{{\"parts\":[{item},{{\"text\":{own}}}]}}"));
        }
        Some(own) => serde_json::from_str(own).ok()?,
    };
    let parts = once(Format::Generate, &own, "parts").ok()?;
    let parts = match parts.map(|(_, parts)| parts.get()) {
        None | Some("null") => format!("[{item}]"),
        Some(list) if list.starts_with('[') => before(&item, list)?,
        Some(one) => format!("[{item},{one}]"),
    };
    let mut written: Written<'_> = vec![("parts".into(), parts.into())];
    merge(Format::Generate, &mut written, &own);
    Some(object(&written))
}
