//! How many tokens of a count are sound, and how many pictures?
//!
//! Gemini tells it in lists such as `promptTokensDetails`; text, film and documents cost alike and are not told apart here.
//!
//! # Invariants
//! - What is no such list tells nothing, and is no error.
//! - Nothing is allocated to read it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::super::lenient::{Lenient, Number, drain_map};

/// Tokens by what they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Modalities {
    /// Sound; absent where none is told.
    pub(super) audio: Option<u32>,
    /// Pictures; absent where none are told.
    pub(super) image: Option<u32>,
}

impl Modalities {
    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        let both = |one: Option<u32>, other: Option<u32>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        Self {
            audio: both(self.audio, other.audio),
            image: both(self.image, other.image),
        }
    }

    /// What is left of these without those.
    pub(super) fn without(self, others: Self) -> Self {
        let left = |all: Option<u32>, part: Option<u32>| {
            all.map(|all| all.saturating_sub(part.unwrap_or(0)))
        };
        Self {
            audio: left(self.audio, others.audio),
            image: left(self.image, others.image),
        }
    }
}

/// One line of a list.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Line {
    modality: Modality,
    #[serde(alias = "token_count")]
    token_count: Number,
}

#[derive(Clone, Copy, Default)]
enum Modality {
    Audio,
    Image,
    #[default]
    Other,
}

/// Declares that values of these kinds tell nothing.
macro_rules! nothing {
    ($($visit:ident: $kind:ty),*) => {
        $(fn $visit<E>(self, _: $kind) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            drain_map(map).map(|_| Self::Value::default())
        }
    };
}

struct ModalityVisitor;

impl<'de> Deserialize<'de> for Modality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModalityVisitor)
    }
}

impl<'de> Visitor<'de> for ModalityVisitor {
    type Value = Modality;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    nothing!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64);
    fn visit_str<E>(self, name: &str) -> Result<Modality, E> {
        Ok(match name {
            "AUDIO" => Modality::Audio,
            "IMAGE" => Modality::Image,
            _ => Modality::Other,
        })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Modality, A::Error> {
        super::super::lenient::drain_seq(seq).map(|_| Modality::Other)
    }
}

struct ModalitiesVisitor;

impl<'de> Deserialize<'de> for Modalities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModalitiesVisitor)
    }
}

impl<'de> Visitor<'de> for ModalitiesVisitor {
    type Value = Modalities;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    nothing!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str);
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Modalities, A::Error> {
        let mut all = Modalities::default();
        while let Some(Lenient(line)) = seq.next_element::<Lenient<Line>>()? {
            let count = line.token_count.count();
            let one = match line.modality {
                Modality::Audio => Modalities {
                    audio: count,
                    image: None,
                },
                Modality::Image => Modalities {
                    audio: None,
                    image: count,
                },
                Modality::Other => Modalities::default(),
            };
            all = all.plus(one);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_and_pictures_are_told_apart() {
        let cases = [
            (
                r#"[{"modality":"TEXT","tokenCount":5},{"modality":"AUDIO","tokenCount":7},{"modality":"IMAGE","token_count":258}]"#,
                (Some(7), Some(258)),
            ),
            (
                r#"[{"modality":"IMAGE","tokenCount":1},{"tokenCount":2,"modality":"IMAGE"}]"#,
                (None, Some(3)),
            ),
            (
                r#"[{"modality":"AUDIO"},{"modality":"AUDIO","tokenCount":-1},{"modality":[{}],"tokenCount":3},7,"x"]"#,
                (None, None),
            ),
            ("[]", (None, None)),
            ("{\"a\":[1]}", (None, None)),
            ("null", (None, None)),
            ("\"AUDIO\"", (None, None)),
        ];
        for (json, expected) in cases {
            let all: Modalities = serde_json::from_str(json).unwrap();
            assert_eq!((all.audio, all.image), expected, "{json}");
        }
    }

    #[test]
    fn a_part_is_never_more_than_the_whole() {
        let of = |audio, image| Modalities { audio, image };
        assert_eq!(
            of(Some(5), None).without(of(Some(9), Some(1))),
            of(Some(0), None)
        );
        assert_eq!(
            of(Some(5), Some(4)).without(of(Some(2), None)),
            of(Some(3), Some(4))
        );
    }
}
