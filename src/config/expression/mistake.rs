//! What is wrong with an expression, where, and what would be right?

use std::ops::Range;

/// What is wrong with an expression.
#[derive(Debug)]
pub(in crate::config) struct Mistake {
    /// The bytes of the expression that are wrong, if they are known.
    pub(in crate::config) at: Option<Range<usize>>,
    pub(in crate::config) message: String,
    pub(in crate::config) expected: String,
    pub(in crate::config) help: String,
}

impl Mistake {
    pub(super) fn too_deep() -> Self {
        Self {
            help: "write it as several rules, or its conditions beside each other".to_owned(),
            ..Self::of_all("the condition is nested too deeply")
        }
    }

    pub(super) fn of_all(message: impl Into<String>) -> Self {
        Self {
            at: None,
            message: message.into(),
            expected: "expected an expression in CEL".to_owned(),
            help: String::new(),
        }
    }
}

/// The first thing that the parser did not understand.
pub(super) fn syntax(text: &str, error: Option<&cel::ParseError>) -> Mistake {
    let Some(error) = error else {
        return Mistake::of_all("the condition cannot be read");
    };
    let (line, column) = error.pos;
    let before: usize = usize::try_from(line - 1).map_or(0, |lines| {
        text.split_inclusive('\n').take(lines).map(str::len).sum()
    });
    let at = before + usize::try_from(column - 1).unwrap_or(0);
    let at = (text.is_ascii() && at <= text.len()).then(|| at..(at + 1).min(text.len()).max(at));
    // Why: what the parser expects is a list of all its tokens.
    let why = error.msg.trim_start_matches("Syntax error: ");
    let why = why.split(" expecting ").next().unwrap_or(why);
    let why = why.replace("'<EOF>'", "its end");
    let unfit = [
        "mismatched input ",
        "extraneous input ",
        "no viable alternative at input ",
    ];
    let unfit = unfit.iter().find_map(|kind| why.strip_prefix(kind));
    let why = unfit.map_or(why.clone(), |what| format!("{what} does not fit here"));
    Mistake {
        at,
        ..Mistake::of_all(format!("the condition is not CEL: {why}"))
    }
}
