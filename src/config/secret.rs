//! Where may a credential be read?
//!
//! A secret is a string that no formatter can show: `Debug` and `Display` print `***`, and it does not serialise.
//! The one way to the text is [`Secret::expose`], so a search for that word lists every place that reads one.
//!
//! # Invariants
//! - No trait of [`Secret`] shows the text or its length.
//! - Equality takes the same time wherever two texts of one length differ.

use std::fmt;

/// A credential: a provider's key or a listener's token.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Reads the text, to put it on the wire or to compare it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Says whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with what a client presented, in time that depends on the lengths only.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        let own = self.0.as_bytes();
        own.len() == presented.len()
            && own
                .iter()
                .zip(presented)
                .fold(0, |differing, (a, b)| differing | (a ^ b))
                == 0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_nothing() {
        let secret = Secret::new("sk-live-1234");
        assert_eq!(format!("{secret}"), "***");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(format!("{:#?}", Some(&secret)), "Some(\n    ***,\n)");
        assert_eq!(secret.expose(), "sk-live-1234");
    }

    #[test]
    fn compares_by_text() {
        let secret = Secret::new("sk-live-1234");
        assert_eq!(secret, Secret::new("sk-live-1234"));
        assert_ne!(secret, Secret::new("sk-live-1235"));
        assert!(secret.matches(b"sk-live-1234"));
        assert!(!secret.matches(b"sk-live-123"));
        assert!(!secret.matches(b""));
        assert!(Secret::new("").is_empty());
    }
}
