//! What does the client say of the cache?
//!
//! It may keep out of it, ask for younger answers and for closer ones; it cannot widen anything.
//!
//! # Invariants
//! - What a client says only tightens: its time is at most the operator's, its threshold at least.
//! - What is ours and cannot be read is refused; what is HTTP's and unknown is passed over, as HTTP wants it.

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName};

/// Longest time an answer of this request is served, seconds.
const TTL: HeaderName = HeaderName::from_static("x-trimtab-cache-ttl");

/// Least cosine similarity of a semantic hit.
const THRESHOLD: HeaderName = HeaderName::from_static("x-trimtab-cache-threshold");

/// Names, parted by commas, under which the answer can be evicted.
const TAGS: HeaderName = HeaderName::from_static("x-trimtab-cache-tags");

/// Tags of one answer, at most.
const MOST_TAGS: usize = 16;

/// Longest tag, bytes.
const LONGEST_TAG: usize = 64;

/// What a client wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Controls {
    /// Neither looked for nor kept.
    pub(super) no_store: bool,
    /// Not looked for, but kept.
    pub(super) no_cache: bool,
    /// Nothing older, seconds.
    pub(super) max_age_s: Option<u64>,
    /// Not kept longer.
    pub(super) ttl: Option<Duration>,
    /// Nothing less similar, 0 to 1.
    pub(super) threshold: Option<f32>,
    pub(super) tags: Box<[Box<str>]>,
}

impl Controls {
    /// Reads the headers.
    ///
    /// # Errors
    /// What is wrong, for the client.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, String> {
        let mut controls = Self::default();
        let values = headers.get_all(CACHE_CONTROL).iter();
        for directive in values
            .filter_map(|it| it.to_str().ok())
            .flat_map(|it| it.split(','))
        {
            controls.direct(directive.trim());
        }
        controls.ttl =
            number(headers, &TTL, "seconds")?.map(|seconds: u64| Duration::from_secs(seconds));
        controls.threshold = number(headers, &THRESHOLD, "a number from 0 to 1")?;
        if controls
            .threshold
            .is_some_and(|it| !(0.0..=1.0).contains(&it))
        {
            return Err(format!("`{THRESHOLD}` must be a number from 0 to 1."));
        }
        if let Some(value) = headers.get(TAGS) {
            controls.tags = tags(value.to_str().unwrap_or("\0"))?;
        }
        Ok(controls)
    }

    fn direct(&mut self, directive: &str) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let is = |known: &str| name.trim().eq_ignore_ascii_case(known);
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("max-age") {
            // What is no number is stale, as RFC 9111 §4.2.1 has it.
            let said = value.trim().trim_matches('"').parse().unwrap_or(0);
            self.max_age_s = Some(self.max_age_s.map_or(said, |before| before.min(said)));
        }
    }

    /// How long an answer is served, where the operator says so long.
    pub(super) fn ttl(&self, most: Duration) -> Duration {
        self.ttl.map_or(most, |ttl| ttl.min(most))
    }
}

fn number<T: std::str::FromStr>(
    headers: &HeaderMap,
    name: &HeaderName,
    what: &str,
) -> Result<Option<T>, String> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    text.parse()
        .map(Some)
        .map_err(|_| format!("`{name}` must be {what}."))
}

fn tags(text: &str) -> Result<Box<[Box<str>]>, String> {
    let tags: Box<[Box<str>]> = text
        .split(',')
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(Box::from)
        .collect();
    let good =
        |tag: &str| tag.len() <= LONGEST_TAG && tag.bytes().all(|byte| byte.is_ascii_graphic());
    if tags.len() > MOST_TAGS || !tags.iter().all(|tag| good(tag)) {
        return Err(format!(
            "`{TAGS}` takes up to {MOST_TAGS} names of visible ASCII characters, {LONGEST_TAG} at most, parted by commas."
        ));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(lines: &[(&'static str, &str)]) -> Result<Controls, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        Controls::read(&headers)
    }

    #[test]
    fn controls_are_read() {
        let check = |value: &str, expected: Controls| {
            assert_eq!(
                read(&[("cache-control", value)]).unwrap(),
                expected,
                "{value}"
            );
        };
        let none = Controls::default();
        check(
            "no-store",
            Controls {
                no_store: true,
                ..none.clone()
            },
        );
        check(
            "max-age=60, No-Cache",
            Controls {
                no_cache: true,
                max_age_s: Some(60),
                ..none.clone()
            },
        );
        check(
            "max-age=60,max-age=\"5\"",
            Controls {
                max_age_s: Some(5),
                ..none.clone()
            },
        );
        check(
            "max-age=soon",
            Controls {
                max_age_s: Some(0),
                ..none.clone()
            },
        );
        check("public, s-maxage=3, only-if-cached", none);
        let said = read(&[
            ("x-trimtab-cache-ttl", "30"),
            ("x-trimtab-cache-threshold", "0.98"),
            ("x-trimtab-cache-tags", "faq, eu,,v2"),
        ]);
        let said = said.unwrap();
        assert_eq!(said.ttl(Duration::from_secs(60)), Duration::from_secs(30));
        assert_eq!(said.ttl(Duration::from_secs(10)), Duration::from_secs(10));
        assert_eq!(said.threshold, Some(0.98));
        assert_eq!(
            &*said.tags,
            ["faq".into(), "eu".into(), "v2".into()] as [Box<str>; 3]
        );
    }

    #[test]
    fn what_is_ours_is_read_or_refused() {
        for line in [
            ("x-trimtab-cache-ttl", "soon"),
            ("x-trimtab-cache-ttl", "-1"),
            ("x-trimtab-cache-threshold", "high"),
            ("x-trimtab-cache-threshold", "1.5"),
            ("x-trimtab-cache-threshold", "NaN"),
            ("x-trimtab-cache-tags", "a b"),
            (
                "x-trimtab-cache-tags",
                "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
            ),
        ] {
            let why = read(&[line]).unwrap_err();
            assert!(why.contains(line.0), "{why}");
        }
    }
}
