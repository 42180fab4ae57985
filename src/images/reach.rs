//! Which URLs that a vendor returned may the gateway call?
//!
//! A polling URL is sent the vendor's key, so whoever chooses it could collect keys or have the gateway call into its own network.
//! Every such URL is parsed by a reader that is stricter than any client's, so that no two readers can see two hosts in it,
//! and then looked up: the configured base's own origin, or https on a host that the vendor is known to own.
//!
//! # Invariants
//! - A URL with user information, a fragment, an escaped or unusual host, or a `..` in its path is no URL.
//! - Beyond the configured origin only https on port 443 is called.

use std::fmt;

use http::uri::PathAndQuery;

use crate::upstream::Scheme;

/// The longest URL read, in bytes; signed delivery URLs stay below 2 KiB.
const LONGEST: usize = 8_192;

/// A URL that has been read strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    scheme: Scheme,
    host: String,
    port: u16,
    target: String,
}

/// Where a provider's API is, as the operator configured it: an origin and the path that every call begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    origin: Url,
    /// No slash at the end; empty if there is none.
    path: String,
}

/// A host, or all names below one, that a vendor owns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// A host name, or with a leading dot every name below it.
    pub(super) host: &'static str,
    /// What the path begins with, for hosts that are shared; else `/`.
    pub(super) path: &'static str,
}

impl Place {
    /// A place that is the whole of a host, or with a leading dot of every host below it.
    pub(super) const fn of(host: &'static str) -> Self {
        Self { host, path: "/" }
    }

    fn holds(&self, url: &Url) -> bool {
        let host = if self.host.starts_with('.') {
            url.host.len() > self.host.len() && url.host.ends_with(self.host)
        } else {
            url.host == self.host
        };
        host && url.target.starts_with(self.path)
    }
}

impl Url {
    /// Reads an absolute `http` or `https` URL; `None` if it is anything else or written in an unusual way.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#' | b'"');
        if text.len() > LONGEST || !text.bytes().all(plain) {
            return None;
        }
        let (scheme, rest) = match text.split_once("://")? {
            ("https", rest) => (Scheme::Https, rest),
            ("http", rest) => (Scheme::Http, rest),
            _ => return None,
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end)?;
        let (host, port) = authority_parts(authority)?;
        let port = match port {
            Some(port) => port,
            None => default_port(scheme),
        };
        let target = match target.bytes().next() {
            None => "/".to_owned(),
            Some(b'?') => format!("/{target}"),
            Some(_) => target.to_owned(),
        };
        if climbs(&target) || PathAndQuery::try_from(target.as_str()).is_err() {
            return None;
        }
        Some(Self {
            scheme,
            host,
            port,
            target,
        })
    }

    /// Plain text or TLS.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in lower case; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1..=65535.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, beginning with a slash.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.target
    }

    fn same_origin(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://")?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port != default_port(self.scheme) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.target)
    }
}

impl Base {
    /// Reads a base such as `https://api.bfl.ai/v1`; `None` if it is no URL or has a query.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let origin = Url::parse(text)?;
        if origin.target.contains('?') {
            return None;
        }
        let path = origin.target.trim_end_matches('/').to_owned();
        Some(Self { origin, path })
    }

    /// The URL at `path`, which begins with a slash, below the base.
    #[must_use]
    pub fn at(&self, path: &str) -> Url {
        Url {
            target: format!("{}{path}", self.path),
            ..self.origin.clone()
        }
    }

    /// The base with the API's version at its end, whether or not the operator wrote it.
    pub(super) fn versioned(&self, version: &str) -> Self {
        let mut base = self.clone();
        if !base.path.ends_with(version) {
            base.path.push_str(version);
        }
        base
    }

    /// The URL that a vendor returned, if the gateway may call it.
    pub(super) fn permit(&self, text: &str, places: &[Place]) -> Option<Url> {
        let url = Url::parse(text)?;
        let own = url.same_origin(&self.origin);
        let known = url.scheme == Scheme::Https
            && url.port == 443
            && places.iter().any(|place| place.holds(&url));
        (own || known).then_some(url)
    }

    /// The URL that a vendor returned, if it may be shown to a client, who then calls it: https anywhere, or the base's own origin.
    pub(super) fn show(&self, text: &str) -> Option<String> {
        let url = Url::parse(text)?;
        let fit = url.scheme == Scheme::Https || url.same_origin(&self.origin);
        fit.then(|| text.to_owned())
    }
}

/// A segment of a path that means nothing but itself: an id, or a model's name.
pub(super) fn is_segment(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=200).contains(&text.len()) && text.chars().all(plain) && !text.chars().all(|c| c == '.')
}

/// One or more segments with slashes between them.
pub(super) fn is_path(text: &str) -> bool {
    text.len() <= 400 && text.split('/').all(is_segment)
}

fn default_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}

/// Host and port of an authority that has no user information and no escapes.
fn authority_parts(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        inside.parse::<std::net::Ipv6Addr>().ok()?;
        let port = match after {
            "" => None,
            after => Some(after.strip_prefix(':')?),
        };
        (inside.to_ascii_lowercase(), port)
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        let named = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if host.len() > 253 || !host.split('.').all(named) {
            return None;
        }
        (host.to_ascii_lowercase(), port)
    };
    let Some(port) = port else {
        return Some((host, None));
    };
    let plain = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || port.starts_with('0') {
        return None;
    }
    let number = port.parse::<u16>().ok().filter(|number| *number > 0)?;
    Some((host, Some(number)))
}

/// Whether a segment of the path, escaped or not, goes up.
fn climbs(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or(target);
    let plain = path.to_ascii_lowercase().replace("%2e", ".");
    plain
        .replace("%2f", "/")
        .split('/')
        .any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: &[Place] = &[
        Place::of("queue.fal.run"),
        Place::of(".bfl.ai"),
        Place {
            host: "storage.googleapis.com",
            path: "/falserverless/",
        },
    ];

    fn base() -> Base {
        Base::parse("http://127.0.0.1:9000/alpha/v1/").unwrap()
    }

    #[test]
    fn only_the_vendors_own_origins_are_called() {
        for (url, permitted) in [
            ("https://api.bfl.ai/v1/get_result?id=1", true),
            ("https://api.eu1.bfl.ai/v1/get_result?id=1", true),
            ("https://API.bfl.ai/v1/get_result", true),
            ("https://api.bfl.ai:443/v1", true),
            ("https://queue.fal.run/a/b/requests/1", true),
            ("http://127.0.0.1:9000/anything", true),
            ("https://storage.googleapis.com/falserverless/a.png", true),
            // Another host, and hosts that look like the vendor's.
            ("https://evil.example/v1", false),
            ("https://api.bfl.ai.evil/v1", false),
            ("https://evilbfl.ai/v1", false),
            ("https://bfl.ai/v1", false),
            ("https://.bfl.ai/v1", false),
            ("https://a..bfl.ai/v1", false),
            ("https://api.bfl.ai./v1", false),
            ("https://x.queue.fal.run/a", false),
            ("https://storage.googleapis.com/other/a.png", false),
            ("https://storage.googleapis.com/falserverless/../x", false),
            (
                "https://storage.googleapis.com/falserverless/%2E%2e/x",
                false,
            ),
            (
                "https://storage.googleapis.com/falserverless%2f..%2fx",
                false,
            ),
            // User information.
            ("https://api.bfl.ai@evil.example/v1", false),
            ("https://user:pass@api.bfl.ai/v1", false),
            ("https://evil.example#@api.bfl.ai/v1", false),
            ("https://evil.example\\@api.bfl.ai/v1", false),
            ("https://evil.example\\.bfl.ai/v1", false),
            ("https://evil.example?.bfl.ai/v1", false),
            // Addresses, ports, schemes.
            ("https://127.0.0.1/v1", false),
            ("http://127.0.0.1:9001/v1", false),
            ("https://127.0.0.1:9000/v1", false),
            ("http://169.254.169.254/latest/meta-data", false),
            ("https://[::1]/v1", false),
            ("https://2130706433/v1", false),
            ("https://api.bfl.ai:8443/v1", false),
            ("https://api.bfl.ai:0443/v1", false),
            ("https://api.bfl.ai:65979/v1", false),
            ("https://api.bfl.ai:/v1", false),
            ("http://api.bfl.ai/v1", false),
            ("HTTPS://api.bfl.ai/v1", false),
            ("ftp://api.bfl.ai/v1", false),
            ("file:///etc/passwd", false),
            ("gopher://api.bfl.ai/", false),
            ("//api.bfl.ai/v1", false),
            ("/v1/get_result", false),
            ("", false),
            // Escapes and odd characters.
            ("https://api%2ebfl.ai/v1", false),
            ("https://evil.example%2f.bfl.ai/v1", false),
            ("https://ａpi.bfl.ai/v1", false),
            ("https://api.bfl.ai/v1\r\nhost: evil", false),
            ("https://api.bfl.ai /v1", false),
            (" https://api.bfl.ai/v1", false),
            ("https:///api.bfl.ai/v1", false),
            ("https:/api.bfl.ai/v1", false),
        ] {
            assert_eq!(base().permit(url, PLACES).is_some(), permitted, "{url}");
        }
        let long = format!("https://api.bfl.ai/{}", "a".repeat(LONGEST));
        assert!(base().permit(&long, PLACES).is_none());
    }

    #[test]
    fn a_client_is_shown_https_only() {
        for (url, shown) in [
            ("https://elsewhere.example/a.png?sig=1", true),
            ("http://127.0.0.1:9000/a.png", true),
            ("http://elsewhere.example/a.png", false),
            ("javascript:alert(1)", false),
            ("https://a@b.example/", false),
        ] {
            assert_eq!(base().show(url).is_some(), shown, "{url}");
        }
    }

    #[test]
    fn a_base_joins_and_knows_its_version() {
        let at = |text: &str| Base::parse(text).unwrap().versioned("/v1").at("/flux");
        for (text, path) in [
            ("https://api.bfl.ai", "https://api.bfl.ai/v1/flux"),
            ("https://api.bfl.ai/", "https://api.bfl.ai/v1/flux"),
            ("https://api.bfl.ai/v1/", "https://api.bfl.ai/v1/flux"),
            ("http://[::1]:9000/a", "http://[::1]:9000/a/v1/flux"),
        ] {
            assert_eq!(at(text).to_string(), path);
        }
        assert!(Base::parse("https://api.bfl.ai/v1?x=1").is_none());
    }

    #[test]
    fn segments_mean_nothing_but_themselves() {
        for (text, fits) in [
            ("flux-pro-1.1", true),
            ("fal-ai/flux/dev", true),
            ("..", false),
            ("a//b", false),
            ("a/../b", false),
            ("a?b", false),
            ("a%2fb", false),
            ("", false),
        ] {
            assert_eq!(is_path(text), fits, "{text}");
        }
    }
}
