//! How does AWS know that a request comes from whoever holds the key? By Signature Version 4.
//!
//! Method, path, query, some headers and the body's hash become one canonical text, whose hash is signed with a key
//! that is derived for a day, a region and a service.
//! AWS's own crate for it would bring eighteen others; this is two functions of `aws-lc-rs` and text.
//! Source: AWS's "Create a signed request", and the vectors of its test suite.
//!
//! # Invariants
//! - The path and the query are given as they go over the wire: what is encoded there is encoded once more for signing, as AWS does for every service but S3.
//! - Paths are signed as they are; nothing is normalised, so nothing that is signed differs from what is sent.

use std::fmt::Write;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use http::header::{AUTHORIZATION, HeaderName, InvalidHeaderValue};
use http::{HeaderValue, Method};

use super::super::percent;
use super::credentials::Keys;

/// The name by which Bedrock is signed for.
pub const SERVICE: &str = "bedrock";

/// The only algorithm of Signature Version 4.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// For where and when a signature holds.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The region.
    pub region: &'a str,
    /// The service: [`SERVICE`].
    pub service: &'a str,
    /// When it is signed: time since 1970. AWS takes it within five minutes of its own clock.
    pub unix: Duration,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The method.
    pub method: &'a Method,
    /// What the `host` header or `:authority` says.
    pub host: &'a str,
    /// The path as it goes over the wire.
    pub path: &'a str,
    /// The query as it goes over the wire, without its question mark; empty if there is none.
    pub query: &'a str,
    /// Further headers to sign, with names in lower case; they must reach AWS unchanged.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

/// The headers to add to a call: its date, its session and the signature.
///
/// # Errors
/// [`InvalidHeaderValue`] when the region or a key holds what no header can.
pub fn sign(
    keys: &Keys,
    scope: &Scope<'_>,
    call: &Call<'_>,
) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
    let stamp = stamp(scope.unix);
    let day = stamp.get(..8).unwrap_or_default();
    let mut headers: Vec<(&str, &str)> = call.headers.to_vec();
    headers.push(("host", call.host));
    headers.push(("x-amz-date", &stamp));
    if let Some(token) = &keys.session_token {
        headers.push(("x-amz-security-token", token));
    }
    headers.sort_by_key(|(name, _)| *name);
    let (canonical, names) = canonical(call, &headers);
    let within = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let text = format!(
        "{ALGORITHM}\n{stamp}\n{within}\n{}",
        sha256(canonical.as_bytes())
    );
    let signature = hex(hmac(&key(keys, day, scope), &text).as_ref());
    let mut authorization = HeaderValue::try_from(format!(
        "{ALGORITHM} Credential={}/{within}, SignedHeaders={names}, Signature={signature}",
        keys.access_key
    ))?;
    authorization.set_sensitive(true);
    let mut out = vec![
        (
            HeaderName::from_static("x-amz-date"),
            HeaderValue::try_from(&stamp)?,
        ),
        (AUTHORIZATION, authorization),
    ];
    if let Some(token) = &keys.session_token {
        let mut value = HeaderValue::try_from(token)?;
        value.set_sensitive(true);
        out.push((HeaderName::from_static("x-amz-security-token"), value));
    }
    Ok(out)
}

/// The canonical text of a call, and the names of the signed headers.
fn canonical(call: &Call<'_>, headers: &[(&str, &str)]) -> (String, String) {
    let mut out = format!("{}\n", call.method);
    let path = if call.path.is_empty() { "/" } else { call.path };
    percent::encode(path, b"/", &mut out);
    out.push('\n');
    out.push_str(&canonical_query(call.query));
    out.push('\n');
    let mut names = String::new();
    let mut last = None;
    for (name, value) in headers {
        if last == Some(name) {
            out.push(',');
        } else {
            if last.is_some() {
                out.push('\n');
                names.push(';');
            }
            names.push_str(name);
            out.push_str(name);
            out.push(':');
        }
        let mut words = value.split_ascii_whitespace();
        out.push_str(words.next().unwrap_or_default());
        for word in words {
            out.push(' ');
            out.push_str(word);
        }
        last = Some(name);
    }
    // Writing to a text cannot fail.
    let _ = write!(out, "\n\n{names}\n{}", sha256(call.body));
    (out, names)
}

/// The parameters in order, each with an equals sign; what is encoded already stays so.
fn canonical_query(query: &str) -> String {
    let encoded = |text: &str| {
        let mut out = String::with_capacity(text.len());
        percent::encode(text, b"%", &mut out);
        out
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded(name), encoded(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// The key for a day, a region and a service.
fn key(keys: &Keys, day: &str, scope: &Scope<'_>) -> hmac::Tag {
    let secret = format!("AWS4{}", keys.secret_key);
    let day = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        day.as_bytes(),
    );
    let region = hmac(&day, scope.region);
    hmac(&hmac(&region, scope.service), "aws4_request")
}

fn hmac(key: &hmac::Tag, text: &str) -> hmac::Tag {
    hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
        text.as_bytes(),
    )
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// A time as AWS writes it: `20150830T123600Z`.
fn stamp(unix: Duration) -> String {
    let seconds = unix.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Year, month and day of a day since 1970.
///
/// Years are counted from March, so that the leap day is the last; 719468 days lie between 0000-03-01 and 1970-01-01,
/// and 146097 days are 400 years.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let (month, carry) = if march < 10 {
        (march + 3, 0)
    } else {
        (march - 9, 1)
    };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test suite's credential, date, region and service.
    const NOON: Duration = Duration::from_secs(1_440_938_160);
    const SCOPE: Scope<'static> = Scope {
        region: "us-east-1",
        service: "service",
        unix: NOON,
    };

    fn keys(token: Option<&str>) -> Keys {
        Keys {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: token.map(str::to_owned),
        }
    }

    fn call<'a>(
        method: &'a Method,
        path: &'a str,
        query: &'a str,
        headers: &'a [(&'a str, &'a str)],
        body: &'a [u8],
    ) -> Call<'a> {
        Call {
            method,
            host: "example.amazonaws.com",
            path,
            query,
            headers,
            body,
        }
    }

    fn signature(keys: &Keys, call: &Call<'_>) -> String {
        let headers = sign(keys, &SCOPE, call).unwrap();
        let (_, value) = headers
            .iter()
            .find(|(name, _)| *name == AUTHORIZATION)
            .unwrap();
        let text = value.to_str().unwrap();
        text.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    /// Names and signatures are those of AWS's test suite for Signature Version 4.
    #[test]
    fn signatures_are_those_of_the_test_suite() {
        let (get, post) = (&Method::GET, &Method::POST);
        let body = b"Param1=value1".as_slice();
        let digest = sha256(body);
        let form = [
            ("content-length", "13"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-amz-content-sha256", &digest),
        ];
        let cases = [
            (
                "get-vanilla",
                call(get, "/", "", &[], b""),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "post-vanilla",
                call(post, "/", "", &[], b""),
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "get-vanilla-query-order-key-case",
                call(get, "/", "Param2=value2&Param1=value1", &[], b""),
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-utf8",
                call(get, "/ሴ", "", &[], b""),
                "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            ),
            (
                "get-space-unnormalized",
                call(get, "/example space/", "", &[], b""),
                "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
            ),
            (
                "post-x-www-form-urlencoded",
                call(post, "/", "", &form, body),
                "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
            ),
        ];
        for (name, call, expected) in cases {
            assert_eq!(signature(&keys(None), &call), expected, "{name}");
        }
    }

    /// The test suite's `post-sts-header-before`.
    #[test]
    fn a_session_is_signed_and_sent() {
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let keys = keys(Some(token));
        let call = call(&Method::POST, "/", "", &[], b"");
        assert_eq!(
            signature(&keys, &call),
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
        );
        let sent = sign(&keys, &SCOPE, &call).unwrap();
        let sent: Vec<(&str, &HeaderValue)> = sent.iter().map(|(n, v)| (n.as_str(), v)).collect();
        assert_eq!(sent[0].1, "20150830T123600Z");
        assert_eq!(
            (sent[2].0, sent[2].1.to_str().unwrap()),
            ("x-amz-security-token", token)
        );
        assert!(sent[1].1.is_sensitive() && sent[2].1.is_sensitive());
    }

    /// The canonical text is that of the test suite's `double-encode-path`.
    #[test]
    fn an_encoded_path_is_encoded_once_more() {
        let call = Call {
            host: "tj9n5r0m12.execute-api.us-east-1.amazonaws.com",
            ..call(
                &Method::POST,
                "/test/@connections/JBDvjfGEIAMCERw%3D",
                "",
                &[],
                b"",
            )
        };
        let headers = [("host", call.host), ("x-amz-date", "20210511T154045Z")];
        assert_eq!(
            canonical(&call, &headers).0,
            "POST\n/test/%40connections/JBDvjfGEIAMCERw%253D\n\nhost:tj9n5r0m12.execute-api.us-east-1.amazonaws.com\nx-amz-date:20210511T154045Z\n\nhost;x-amz-date\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn headers_of_one_name_are_joined_and_spaces_collapse() {
        let call = call(&Method::GET, "", "", &[], b"");
        let headers = [("a", " x  y "), ("a", "z"), ("b", "")];
        let (text, names) = canonical(&call, &headers);
        assert_eq!(names, "a;b");
        assert!(text.starts_with("GET\n/\n\na:x y,z\nb:\n\na;b\n"), "{text}");
    }

    #[test]
    fn what_no_header_can_hold_is_an_error() {
        let scope = Scope {
            region: "us\n",
            ..SCOPE
        };
        let call = call(&Method::GET, "/", "", &[], b"");
        assert!(sign(&keys(None), &scope, &call).is_err());
    }

    #[test]
    fn times_are_written_as_aws_does() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_440_938_160, "20150830T123600Z"),
            (4_102_444_799, "20991231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(stamp(Duration::from_secs(seconds)), text);
        }
    }
}
