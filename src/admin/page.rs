//! The dashboard's files: which are there, and under which headers may a browser use them?
//!
//! They are part of the binary, hold no data and so need no token; what they show they ask of the API, with the token.
//! A browser keeps a copy and asks each time whether it is still the one, so that a new version is never mixed with an old one.
//!
//! # Invariants
//! - A page that is served here can load, send to and be framed by nothing but this listener.
//! - Nothing in the files writes markup from data; a test reads them all for the ways to do so.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY};
use http::header::{CONTENT_SECURITY_POLICY, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::api::Outgoing;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const ICON: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

/// What a browser may do with a page of ours: load from here and talk to here, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What every file is sent with, beside its type and its tag.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (CACHE_CONTROL, "no-cache"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// One file.
#[derive(Clone, Copy, Debug)]
struct File {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($path:literal $kind:ident $file:literal,)*) => {
        &[$(File { path: $path, kind: $kind, bytes: include_bytes!($file) },)*]
    };
}

/// Every file, by its path.
const FILES: &[File] = files![
    "/" HTML "ui/index.html",
    "/ui/api.js" SCRIPT "ui/api.js",
    "/ui/app.js" SCRIPT "ui/app.js",
    "/ui/chart.js" SCRIPT "ui/chart.js",
    "/ui/columns.js" SCRIPT "ui/columns.js",
    "/ui/decision.js" SCRIPT "ui/decision.js",
    "/ui/dialog.js" SCRIPT "ui/dialog.js",
    "/ui/dom.js" SCRIPT "ui/dom.js",
    "/ui/events.js" SCRIPT "ui/events.js",
    "/ui/figure.js" SCRIPT "ui/figure.js",
    "/ui/figures.css" CSS "ui/figures.css",
    "/ui/format.js" SCRIPT "ui/format.js",
    "/ui/history.js" SCRIPT "ui/history.js",
    "/ui/icon.svg" ICON "ui/icon.svg",
    "/ui/keys.js" SCRIPT "ui/keys.js",
    "/ui/live.js" SCRIPT "ui/live.js",
    "/ui/parts.css" CSS "ui/parts.css",
    "/ui/report.js" SCRIPT "ui/report.js",
    "/ui/say.js" SCRIPT "ui/say.js",
    "/ui/shell.css" CSS "ui/shell.css",
    "/ui/signin.js" SCRIPT "ui/signin.js",
    "/ui/states.js" SCRIPT "ui/states.js",
    "/ui/steering.js" SCRIPT "ui/steering.js",
    "/ui/table.js" SCRIPT "ui/table.js",
    "/ui/theme.css" CSS "ui/theme.css",
    "/ui/theme.js" SCRIPT "ui/theme.js",
    "/ui/troubles.js" SCRIPT "ui/troubles.js",
    "/ui/pages/budgets.js" SCRIPT "ui/pages/budgets.js",
    "/ui/pages/cache.js" SCRIPT "ui/pages/cache.js",
    "/ui/pages/config.js" SCRIPT "ui/pages/config.js",
    "/ui/pages/now.js" SCRIPT "ui/pages/now.js",
    "/ui/pages/request.js" SCRIPT "ui/pages/request.js",
    "/ui/pages/requests.js" SCRIPT "ui/pages/requests.js",
    "/ui/pages/route.js" SCRIPT "ui/pages/route.js",
    "/ui/pages/routes.js" SCRIPT "ui/pages/routes.js",
    "/ui/pages/simulator.js" SCRIPT "ui/pages/simulator.js",
    "/ui/vendor/uPlot.iife.min.js" SCRIPT "../../sim/assets/uPlot.iife.min.js",
    "/ui/vendor/uPlot.min.css" CSS "../../sim/assets/uPlot.min.css",
    "/ui/vendor/uPlot.LICENSE" TEXT "../../sim/assets/uPlot.LICENSE",
];

/// The file of a path and the tag of its bytes, if there is one.
fn find(path: &str) -> Option<(&'static File, &'static HeaderValue)> {
    static TAGS: OnceLock<Vec<HeaderValue>> = OnceLock::new();
    let tags = TAGS.get_or_init(|| FILES.iter().map(tag).collect());
    let at = FILES.iter().position(|file| file.path == path)?;
    Some((&FILES[at], &tags[at]))
}

/// A tag that differs wherever the bytes do, as far as chance goes; nobody gains by finding two files with the same.
fn tag(file: &File) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    file.bytes.hash(&mut hasher);
    HeaderValue::from_str(&format!("\"{:016x}\"", hasher.finish()))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Whether it is a path of the dashboard, and not the text that programs get at `/`.
pub(super) fn is_meant(path: &str, headers: &HeaderMap) -> bool {
    path.starts_with("/ui/") || path == "/" && wants_page(headers)
}

/// Whether whoever asks can show a page.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// A file of the dashboard, or that the browser's copy is still the one; none if there is no such file.
pub(super) fn answer(path: &str, headers: &HeaderMap) -> Option<Response<Outgoing>> {
    let (file, tag) = find(path)?;
    let is_kept = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == "*" || one.as_bytes() == tag.as_bytes());
    let body = if is_kept { &[][..] } else { file.bytes };
    let mut response = Response::new(Outgoing::whole(Bytes::from_static(body)));
    if is_kept {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    headers.insert(ETAG, tag.clone());
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Ways to make markup or code of text, and references to other hosts.
    const FORBIDDEN: [&str; 14] = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "createContextualFragment",
        "DOMParser",
        "srcdoc",
        "eval(",
        "new Function",
        "javascript:",
        "http://",
        "https://",
        "localStorage.setItem(\"token",
        "import(",
    ];

    /// Addresses that are names and are never fetched, and the licence's own.
    const NAMES: [&str; 2] = [
        "http://www.w3.org/2000/svg",
        "https://github.com/leeoniya/uPlot",
    ];

    fn text(file: &File) -> &'static str {
        std::str::from_utf8(file.bytes).unwrap()
    }

    #[test]
    fn no_file_makes_markup_or_code_of_text_or_names_another_host() {
        for file in FILES.iter().filter(|file| file.kind != TEXT) {
            let mut text = text(file).to_owned();
            for name in NAMES {
                text = text.replace(name, "");
            }
            for word in FORBIDDEN {
                assert!(!text.contains(word), "{} has `{word}`", file.path);
            }
        }
    }

    #[test]
    fn markup_has_no_script_style_or_handler_of_its_own() {
        for file in FILES.iter().filter(|file| file.kind == HTML) {
            let markup = text(file).to_lowercase();
            for word in [" style=", "<style", " on", "<iframe", "<base"] {
                let found = markup.match_indices(word).map(|(at, _)| &markup[at..]);
                let handlers: Vec<_> = found
                    .filter(|rest| {
                        word != " on"
                            || rest[1..]
                                .split('=')
                                .next()
                                .is_some_and(|name| name.chars().all(char::is_alphabetic))
                    })
                    .collect();
                assert!(handlers.is_empty(), "{}: {handlers:?}", file.path);
            }
            for script in markup.split("<script").skip(1) {
                let (head, rest) = script.split_once('>').unwrap();
                assert!(head.contains(" src=\"/ui/"), "{}: {head}", file.path);
                assert!(rest.starts_with("</script>"), "{}", file.path);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_every_import_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin/ui");
        let mut folders = vec![folder.clone()];
        while let Some(one) = folders.pop() {
            for entry in std::fs::read_dir(one).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
                let served = if name == "index.html" {
                    "/".to_owned()
                } else {
                    format!("/ui/{name}")
                };
                assert!(find(&served).is_some(), "{name} is not in the table");
            }
        }
        for file in FILES.iter().filter(|file| file.kind == SCRIPT) {
            for line in text(file).lines().filter(|line| line.contains(" from \"")) {
                let target = line.rsplit('"').nth(1).unwrap();
                let target = target.rsplit('/').next().unwrap();
                let there = FILES
                    .iter()
                    .any(|it| it.path.ends_with(&format!("/{target}")));
                assert!(there, "{}: {line}", file.path);
            }
        }
    }

    #[test]
    fn a_copy_is_kept_while_the_bytes_are_the_same() {
        let whole = answer("/ui/app.js", &HeaderMap::new()).unwrap();
        assert_eq!(whole.status(), StatusCode::OK);
        let tag = whole.headers()[ETAG].clone();
        let asked = |tag: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap());
            answer("/ui/app.js", &headers).unwrap().status()
        };
        assert_eq!(asked(tag.to_str().unwrap()), StatusCode::NOT_MODIFIED);
        assert_eq!(asked("\"other\", *"), StatusCode::NOT_MODIFIED);
        assert_eq!(asked("\"other\""), StatusCode::OK);
        assert!(answer("/ui/../mod.rs", &HeaderMap::new()).is_none());
    }

    #[test]
    fn programs_get_the_text_and_browsers_the_page() {
        let asked = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            is_meant("/", &headers)
        };
        assert!(asked("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
        assert!(!asked("*/*"));
        assert!(is_meant("/ui/app.js", &HeaderMap::new()));
        assert!(!is_meant("/api/routes", &HeaderMap::new()));
    }
}
