//! Which parts of a text are nobody's business?
//!
//! Credentials, mail addresses and numbers of cards are replaced by their kind.
//! They are made out by their form alone: what has another form stays, and a text that looks like one goes.
//!
//! # Invariants
//! - One pass, in time linear in the text.
//! - What a text was cut in is taken for a credential as soon as it looks like the beginning of one.

/// What stands for a credential.
const CREDENTIAL: &str = "[credential]";

/// What stands for a mail address.
const EMAIL: &str = "[email]";

/// What stands for a number of a card.
const CARD: &str = "[card]";

/// What credentials begin with, and how many letters must follow at least: fewer are no secret.
const PREFIXES: [(&str, usize); 17] = [
    ("sk-", 16),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("gsk_", 16),
    ("xai-", 16),
    ("hf_", 16),
    ("r8_", 16),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghs_", 16),
    ("github_pat_", 16),
    ("glpat-", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("AIza", 30),
    ("tt-", 24),
];

/// What Amazon's key ids begin with; 16 capitals and digits follow.
const AMAZON: [&str; 2] = ["AKIA", "ASIA"];

/// What stands before a bearer's token, in any case.
const BEARER: &[u8] = b"bearer ";

/// Letters of a bearer's token, at least.
const LEAST_BEARER: usize = 8;

/// What a JSON Web Token begins with: an opening brace and a quotation mark.
const JWT: &str = "eyJ";

/// Letters of each of a token's first two parts, at least.
const LEAST_PART: usize = 8;

/// What a private key stands between.
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const PRIVATE: &str = "PRIVATE KEY";
const DASHES: &str = "-----";

/// Digits of a card's number.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Letters of a mail address before its sign, at most, as RFC 5321 has it.
const LONGEST_LOCAL: usize = 64;

/// Text between the dashes of a key's first line, at most.
const LONGEST_KIND: usize = 40;

/// A text without what is nobody's business.
pub(super) fn redacted(text: &str) -> Box<str> {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut at, mut begin) = (0, 0);
    while at < bytes.len() {
        let found = match bytes[at] {
            b'@' => email(bytes, at).map(|(from, to)| (from.max(begin), to, EMAIL)),
            b'0'..=b'9' if starts(bytes, at) => card(bytes, at).map(|to| (at, to, CARD)),
            b'-' => private_key(text, at).map(|to| (at, to, CREDENTIAL)),
            byte if byte.is_ascii_alphabetic() && starts(bytes, at) => {
                credential(bytes, at).map(|(from, to)| (from, to, CREDENTIAL))
            }
            _ => None,
        };
        match found {
            Some((from, to, kind)) => {
                out.push_str(&text[begin..from]);
                out.push_str(kind);
                (at, begin) = (to, to);
            }
            None => at += 1,
        }
    }
    out.push_str(&text[begin..]);
    out.into()
}

/// Whether a word may begin here; JSON's escapes end before it.
fn starts(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|at| bytes[at]);
    match before(1) {
        None => true,
        Some(byte) if byte.is_ascii_alphanumeric() => {
            let escape = before(2) == Some(b'\\') && b"nrtbf".contains(&byte);
            escape || (before(6) == Some(b'\\') && before(5) == Some(b'u'))
        }
        Some(byte) => !matches!(byte, b'_' | b'.'),
    }
}

/// How many bytes from here on are of a kind.
fn run(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| is(**byte)).count()
}

const fn of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Where a credential begins and ends that a word at this place is, or introduces.
fn credential(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &bytes[at..];
    for (prefix, least) in PREFIXES {
        if rest.starts_with(prefix.as_bytes()) {
            let begin = at + prefix.len();
            let length = run(bytes, begin, of_token);
            if length >= least {
                return Some((at, begin + length));
            }
        }
    }
    if AMAZON.iter().any(|it| rest.starts_with(it.as_bytes())) {
        let length = run(bytes, at, |it| {
            it.is_ascii_uppercase() || it.is_ascii_digit()
        });
        return (length == 20).then_some((at, at + length));
    }
    if rest.starts_with(JWT.as_bytes()) {
        return token(bytes, at).map(|end| (at, end));
    }
    let bearer = rest.get(..BEARER.len())?;
    if bearer.eq_ignore_ascii_case(BEARER) {
        let begin = at + BEARER.len();
        let is = |it: u8| of_token(it) || b".~+/=".contains(&it);
        let length = run(bytes, begin, is);
        return (length >= LEAST_BEARER).then_some((begin, begin + length));
    }
    None
}

/// The end of a JSON Web Token; of one that the text ends in as well.
fn token(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    for part in 0..3 {
        let length = run(bytes, end, of_token);
        end += length;
        if end == bytes.len() && end - at >= LEAST_PART {
            return Some(end);
        }
        if part == 2 {
            return Some(end);
        }
        if length < LEAST_PART || bytes[end] != b'.' {
            return None;
        }
        end += 1;
    }
    None
}

/// The end of a private key; the end of the text if it has none.
fn private_key(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    if !bytes[at..].starts_with(BEGIN.as_bytes()) {
        return None;
    }
    let begin = at + BEGIN.len();
    let kind = run(bytes, begin, |it| {
        it.is_ascii_uppercase() || it.is_ascii_digit() || it == b' '
    });
    let kind = kind.min(LONGEST_KIND);
    if !text[begin..begin + kind].ends_with(PRIVATE) {
        // A text that was cut in the kind has nothing of the key yet.
        return None;
    }
    let rest = &text[begin..];
    let Some(end) = rest.find(END) else {
        return Some(text.len());
    };
    let after = begin + end + END.len();
    let closed = text[after..].find(DASHES).filter(|it| *it <= LONGEST_KIND);
    Some(closed.map_or(text.len(), |it| after + it + DASHES.len()))
}

/// Where the mail address begins and ends whose sign is here.
fn email(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let of_local = |it: u8| it.is_ascii_alphanumeric() || b"._%+-".contains(&it);
    let before = bytes[..at].iter().rev().take(LONGEST_LOCAL);
    let mut from = at - before.take_while(|it| of_local(**it)).count();
    // The letter of an escape is not the address's.
    if from > 0 && bytes[from - 1] == b'\\' && from < at {
        from += 1;
    }
    if from == at {
        return None;
    }
    let of_domain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-');
    let mut to = at + 1 + run(bytes, at + 1, of_domain);
    while to > at + 1 && matches!(bytes[to - 1], b'.' | b'-') {
        to -= 1;
    }
    let domain = &bytes[at + 1..to];
    let dot = domain.iter().rposition(|it| *it == b'.')?;
    let last = &domain[dot + 1..];
    let is_name = dot > 0 && last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic);
    is_name.then_some((from, to))
}

/// The end of a card's number that begins here.
fn card(bytes: &[u8], at: usize) -> Option<usize> {
    // 1, 7, 8 and 9 begin no card that people pay with, and instants in ms begin with 1.
    if !matches!(bytes[at], b'2'..=b'6') {
        return None;
    }
    let mut digits = Vec::with_capacity(20);
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        let next = bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        match byte {
            b'0'..=b'9' if digits.len() > *CARD_DIGITS.end() => return None,
            b'0'..=b'9' => digits.push(byte - b'0'),
            b' ' | b'-' if next && end > at => {}
            _ => break,
        }
        end += 1;
    }
    let ends = !bytes.get(end).is_some_and(|it| it.is_ascii_alphanumeric());
    (ends && CARD_DIGITS.contains(&digits.len()) && is_sound(&digits)).then_some(end)
}

/// Whether the last digit is the one that Luhn's rule asks for.
fn is_sound(digits: &[u8]) -> bool {
    let weighed = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match at % 2 {
            0 => *digit,
            _ => (2 * digit) / 10 + (2 * digit) % 10,
        });
    weighed.map(u32::from).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nobodys_business_goes() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl_-x";
        for (text, expected) in [
            ("", ""),
            ("nothing here", "nothing here"),
            ("key sk-abcdefghijklmnop1234!", "key [credential]!"),
            ("sk-ant-api03-abcDEF_123-xyz9999", "[credential]"),
            ("\"\\nsk-abcdefghijklmnop\"", "\"\\n[credential]\""),
            ("\\u003csk-abcdefghijklmnop", "\\u003c[credential]"),
            ("a task-force-of-many-people", "a task-force-of-many-people"),
            ("sk-short", "sk-short"),
            (
                "Authorization: Bearer abc.def-ghi",
                "Authorization: Bearer [credential]",
            ),
            ("bearer of bad news", "bearer of bad news"),
            ("AKIAIOSFODNN7EXAMPLE", "[credential]"),
            ("AKIAIOSFODNN7EXAMPLES", "AKIAIOSFODNN7EXAMPLES"),
            (&format!("t={jwt}."), "t=[credential]."),
            (&jwt[..30], "[credential]"),
            ("eyJ is a prefix", "eyJ is a prefix"),
            (
                "x -----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY----- y",
                "x [credential] y",
            ),
            ("-----BEGIN PRIVATE KEY-----\nMIIE", "[credential]"),
            (
                "-----BEGIN CERTIFICATE-----\nMIIE",
                "-----BEGIN CERTIFICATE-----\nMIIE",
            ),
            ("-----", "-----"),
            ("write to ann.b+c@mail.example.org.", "write to [email]."),
            ("\"\\nbob@example.com\"", "\"\\n[email]\""),
            (
                "a@b, @c.de, x@localhost, x@1.2",
                "a@b, @c.de, x@localhost, x@1.2",
            ),
            ("ü@example.com", "ü@example.com"),
            ("pay 4111 1111 1111 1111 now", "pay [card] now"),
            ("5500-0000-0000-0004", "[card]"),
            ("378282246310005", "[card]"),
            ("4111111111111112", "4111111111111112"),
            ("1700000000000", "1700000000000"),
            ("0.4111111111111111", "0.4111111111111111"),
            ("41111111111111110000000", "41111111111111110000000"),
            ("[4111111111111111,\"a@b.co\"]", "[[card],\"[email]\"]"),
        ] {
            assert_eq!(&*redacted(text), expected, "{text}");
        }
    }

    #[test]
    fn any_text_is_taken() {
        let pieces = [
            "sk-",
            "@",
            "a",
            "-----BEGIN ",
            "PRIVATE KEY",
            "-----END ",
            "-----",
            "eyJ",
            ".",
            "4111",
            " ",
            "ü",
            "\\n",
            "Bearer ",
            "AKIA",
            "😀",
            "x.com",
        ];
        let mut state = 1_u64;
        for _ in 0..3_000 {
            let mut text = String::new();
            for _ in 0..20 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text.push_str(pieces[(state >> 40) as usize % pieces.len()]);
            }
            let once = redacted(&text);
            assert!(once.len() <= text.len() * 4 + 12, "{text}");
        }
    }
}
