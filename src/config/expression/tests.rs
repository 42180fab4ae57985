//! What is compiled, and which mistakes are told where.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use cel::context::VariableResolver as _;

use super::compiled::{Expression, LONGEST_EXPRESSION, Rehearsal};
use super::names::{FUNCTIONS, VARIABLES};

#[test]
fn variables_are_rehearsed() {
    for name in VARIABLES {
        assert!(Rehearsal.resolve(name).is_some(), "{name}");
    }
    for name in FUNCTIONS {
        let known = Expression::compile(&format!("{name}(\"1\") == {name}(\"1\") || true"));
        assert!(known.is_ok(), "{name}: {known:?}");
    }
}

#[test]
fn mistakes_have_their_place() {
    let check = |text: &str, marked: &str, message: &str| {
        let mistake = Expression::compile(text).unwrap_err();
        let at = mistake.at.clone().map(|at| &text[at]);
        assert_eq!(at.unwrap_or("-"), marked, "{mistake:?}");
        assert!(mistake.message.contains(message), "{mistake:?}");
    };
    check("input_tokens > ", "", "not CEL");
    check("input_tokens >> 5", ">", "not CEL");
    check(
        "stream && tokens > 5",
        "tokens",
        "unknown variable \"tokens\"",
    );
    check("headers[\"X-A\"] == \"b\"", "\"X-A\"", "lower case");
    check("\"cookie\" in headers", "\"cookie\"", "credential");
    check(
        "stream && model.matches(\"a\")",
        "matches",
        "unknown function",
    );
    check(
        "headers.exists(h, i == \"x\")",
        "i",
        "unknown variable \"i\"",
    );
    check("model", "-", "type string");
    check("input_tokens + \"a\" == \"b\"", "-", "types do not go");
    check(&"1".repeat(3_000), "-", "longer than");
}

/// The parser and the interpreter are not ours; what is long or deep must end all the same.
#[test]
fn no_text_is_fatal() {
    let many = |piece: &str| piece.repeat(LONGEST_EXPRESSION / piece.len());
    for piece in [
        "(", "[", "{", "!", "-", "stream?", "a.", "has(", "\"", "1+", "1", "[]", "f(",
    ] {
        assert!(Expression::compile(&many(piece)).is_err(), "{piece}");
    }
    // What is accepted must be evaluated on a usual stack.
    let deep = |count: usize, (before, last, after): (&str, &str, &str)| {
        let text = [&*before.repeat(count), last, &*after.repeat(count)].concat();
        Expression::compile(&text).is_ok_and(|it| it.is_true(&Rehearsal).is_ok())
    };
    for pieces in [
        ("!(", "stream", ")"),
        ("!(1<", "2", ")"),
        ("[", "1", "][0]"),
        ("[1].exists(x,", "stream", ")"),
        ("stream&&", "stream", ""),
        ("stream?stream:", "stream", ""),
        ("(stream?stream:", "stream", ")"),
        ("string(", "\"\"", ")"),
        ("-(", "1", ")"),
        ("1+", "1", ""),
    ] {
        let accepted = (1..40).filter(|&count| deep(count, pieces)).count();
        // The parser balances these, and only these.
        let flat = pieces.0 == "stream&&";
        assert!(flat || accepted < 30, "{pieces:?}: {accepted}");
    }
    let all = |piece: &str, last: &str| {
        let _ = Expression::compile(
            &(many(piece)[..1_000 / piece.len() * piece.len()].to_owned() + last),
        );
    };
    for (piece, last) in [
        ("stream||", "stream"),
        ("1+", "1==1"),
        ("stream?stream:", "stream"),
        ("!", "stream"),
        ("headers.exists(h,", "true"),
        ("[1].map(x,", "x)"),
    ] {
        all(piece, last);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(256))]
    #[test]
    fn garbage_is_refused(text in "[a-z0-9 ().,?:!&|\\[\\]{}\"'<>=+*/%@`\\\\é-]{0,60}") {
        let _ = Expression::compile(&text);
    }
}

#[test]
fn good_conditions_compile() {
    for text in [
        "input_tokens > 30000",
        "headers[\"x-tier\"] == \"gold\" || team in [\"a\", \"b\"]",
        "headers.exists(h, h.startsWith(\"x-b\"))",
        "has(headers.accept) && hour >= 22 || hour < 6",
        "type(max_tokens) == int && size(model) > 3",
        "stream ? endpoint == \"chat\" : key != \"\"",
    ] {
        assert!(
            Expression::compile(text).is_ok(),
            "{text}: {:?}",
            Expression::compile(text)
        );
    }
}
