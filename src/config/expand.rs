//! Where do values from the environment go?
//!
//! `${NAME}` in a string value becomes the variable's value; `$$` becomes one `$`; any other `$` is itself.
//! The replacement is not read again, so that a value cannot name further variables.
//!
//! # Invariants
//! - A string without `$` is returned as it is.
//! - The error names the variable, never a value.

use std::borrow::Cow;

use super::source::is_name_byte;

/// Why a string could not be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExpandError {
    /// The variable is not set.
    Unset(String),
    /// `${` has no `}`, or what stands between is not a name.
    Malformed,
}

/// Replaces `${NAME}` and `$$` in `text`.
pub(super) fn expand<'t>(
    text: &'t str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, ExpandError> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if let Some(after) = tail.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inside) = tail.strip_prefix('{') {
            let (name, after) = inside.split_once('}').ok_or(ExpandError::Malformed)?;
            let is_name = !name.is_empty()
                && name.bytes().all(is_name_byte)
                && !name.starts_with(|c: char| c.is_ascii_digit());
            if !is_name {
                return Err(ExpandError::Malformed);
            }
            let value = env(name).ok_or_else(|| ExpandError::Unset(name.to_owned()))?;
            out.push_str(&value);
            rest = after;
        } else {
            out.push('$');
            rest = tail;
        }
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_references_and_nothing_else() {
        let env = |name: &str| match name {
            "A" => Some("alpha".to_owned()),
            "NESTED" => Some("${A}$$".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let unset = |name: &str| Err(ExpandError::Unset(name.to_owned()));
        let cases = [
            ("plain", Ok("plain")),
            ("${A}", Ok("alpha")),
            ("<${A}-${A}>", Ok("<alpha-alpha>")),
            ("${NESTED}", Ok("${A}$$")),
            ("${EMPTY}", Ok("")),
            ("$${A}", Ok("${A}")),
            ("$$$$", Ok("$$")),
            ("$$${A}", Ok("$alpha")),
            ("costs $5", Ok("costs $5")),
            ("end$", Ok("end$")),
            ("${B}", unset("B")),
            ("${a}", unset("a")),
            ("${A", Err(ExpandError::Malformed)),
            ("${}", Err(ExpandError::Malformed)),
            ("${A-x}", Err(ExpandError::Malformed)),
            ("${1A}", Err(ExpandError::Malformed)),
        ];
        for (text, expected) in cases {
            let got = expand(text, &env);
            assert_eq!(got, expected.map(Cow::Borrowed), "{text}");
        }
    }
}
