//! How do signed thoughts travel in a dialect that has no place for them?
//!
//! Their text goes where vendors put it, into `reasoning_content`, and their signatures into `extra_content.trimtab.signature`.
//! One signature stands there as it is written; several, or withheld thoughts, are lines of
//! `<bytes of text since the line before> signed|redacted <signature>`.
//! In a stream every line comes in its own delta: SDKs add up strings, and lines added up are lines.
//!
//! # Invariants
//! - What was gathered is scattered again as it was, as long as the text between is not changed.
//! - Text that does not fit its lines loses its signatures: a wrong signature is worse than none.

use crate::chat::{Maker, Part, Signature};

/// What a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The thoughts since the line before are signed.
    Signed,
    /// Thoughts that only the provider can read come here.
    Redacted,
}

/// Thoughts as they are written: their text, and what they are signed with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Thoughts {
    pub(super) text: String,
    pub(super) signature: Option<String>,
}

/// Gathers the thoughts among a message's parts.
pub(super) fn gather(parts: &[Part]) -> Thoughts {
    let mut text = String::new();
    let mut marks: Vec<(usize, Kind, &Signature)> = Vec::new();
    let mut since = 0;
    for part in parts {
        let (kind, signature) = match part {
            Part::Thinking {
                text: more,
                signature,
            } => {
                text.push_str(more);
                since += more.len();
                (Kind::Signed, signature.as_ref())
            }
            Part::Redacted(signature) => (Kind::Redacted, Some(signature)),
            _ => continue,
        };
        if let Some(signature) = signature {
            marks.push((since, kind, signature));
            since = 0;
        }
    }
    let signature = match marks.as_slice() {
        [] => None,
        [(_, Kind::Signed, only)] if since == 0 => Some(written(only)),
        many => Some(
            many.iter()
                .map(|(n, kind, by)| line(*n, *kind, by))
                .collect(),
        ),
    };
    Thoughts { text, signature }
}

/// The parts that were gathered.
pub(super) fn scatter(text: String, signature: Option<&str>) -> Vec<Part> {
    let plain = |text: String, signature| Part::Thinking { text, signature };
    let Some(written) = signature.filter(|written| !written.is_empty()) else {
        return (!text.is_empty())
            .then(|| plain(text, None))
            .into_iter()
            .collect();
    };
    let Some(marks) = lines(written) else {
        return vec![plain(text, Some(read(written)))];
    };
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    for (count, kind, signature) in marks {
        let Some((before, after)) = rest.split_at_checked(count) else {
            return scatter(text, None);
        };
        rest = after;
        match kind {
            Kind::Signed => parts.push(plain(before.to_owned(), Some(signature))),
            Kind::Redacted => {
                parts.extend(scatter(before.to_owned(), None));
                parts.push(Part::Redacted(signature));
            }
        }
    }
    parts.extend(scatter(rest.to_owned(), None));
    parts
}

/// Whether no signature is lost when thoughts are scattered.
pub(in super::super) fn are_whole(text: &str, signature: &str) -> bool {
    let signed = |part: &&Part| match part {
        Part::Thinking { signature, .. } => signature.is_some(),
        part => matches!(part, Part::Redacted(_)),
    };
    let marks = lines(signature).map_or(1, |marks| marks.len());
    scatter(text.to_owned(), Some(signature))
        .iter()
        .filter(signed)
        .count()
        == marks
}

/// A line for a signature, with the bytes of text since the line before.
pub(super) fn line(count: usize, kind: Kind, signature: &Signature) -> String {
    let kind = match kind {
        Kind::Signed => "signed",
        Kind::Redacted => "redacted",
    };
    format!("{count} {kind} {}\n", written(signature))
}

/// The lines that this is, if it is lines.
pub(super) fn lines(text: &str) -> Option<Vec<(usize, Kind, Signature)>> {
    let marks = text.lines().map(|line| {
        let mut fields = line.splitn(3, ' ');
        let count = fields.next()?.parse().ok()?;
        let kind = match fields.next()? {
            "signed" => Kind::Signed,
            "redacted" => Kind::Redacted,
            _ => return None,
        };
        Some((count, kind, read(fields.next()?)))
    });
    marks.collect()
}

/// A signature as it is written here; OpenAI's own are marked as any other's if an id belongs to them, which its bare form cannot hold.
pub(super) fn written(signature: &Signature) -> String {
    let marked = signature.maker == Maker::OpenAi && !signature.id.is_empty();
    signature.written(if marked {
        Maker::Anthropic
    } else {
        Maker::OpenAi
    })
}

/// A signature that was written here.
pub(super) fn read(text: &str) -> Signature {
    Signature::read(text, Maker::OpenAi)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thinking(text: &str, signature: Option<&str>) -> Part {
        Part::Thinking {
            text: text.to_owned(),
            signature: signature.map(|text| Signature::new(Maker::Anthropic, text)),
        }
    }

    fn redacted(text: &str) -> Part {
        Part::Redacted(Signature::new(Maker::Anthropic, text))
    }

    #[test]
    fn thoughts_come_back_as_they_were() {
        let reasoned = Signature {
            maker: Maker::OpenAi,
            id: "rs_1".to_owned(),
            text: "enc==".to_owned(),
        };
        let cases: [(Vec<Part>, Option<&str>); 8] = [
            (vec![], None),
            (vec![thinking("a", None)], None),
            (
                vec![thinking("a", Some("s="))],
                Some("trimtab:anthropic::s="),
            ),
            (vec![thinking("", Some("s"))], Some("trimtab:anthropic::s")),
            (
                vec![redacted("r")],
                Some("0 redacted trimtab:anthropic::r\n"),
            ),
            (
                vec![
                    thinking("aä", Some("s")),
                    redacted("r"),
                    thinking("b", Some("t")),
                    thinking("c", None),
                ],
                Some(
                    "3 signed trimtab:anthropic::s\n0 redacted trimtab:anthropic::r\n1 signed trimtab:anthropic::t\n",
                ),
            ),
            (
                vec![thinking("a", None), redacted("r")],
                Some("1 redacted trimtab:anthropic::r\n"),
            ),
            (
                vec![Part::Thinking {
                    text: "a".to_owned(),
                    signature: Some(reasoned),
                }],
                Some("trimtab:openai:rs_1:enc=="),
            ),
        ];
        for (parts, signature) in cases {
            let gathered = gather(&parts);
            assert_eq!(gathered.signature.as_deref(), signature);
            assert_eq!(scatter(gathered.text, signature), parts);
        }
    }

    #[test]
    fn text_that_was_changed_loses_its_signatures() {
        let lines = "9 signed trimtab:anthropic::s\n";
        assert_eq!(
            scatter("short".to_owned(), Some(lines)),
            [thinking("short", None)]
        );
        let amid = "2 signed trimtab:anthropic::s\n";
        assert_eq!(scatter("aä".to_owned(), Some(amid)), [thinking("aä", None)]);
    }
}
