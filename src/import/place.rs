//! Where is a provider that a source describes?
//!
//! Sources leave out what their own code knows: the public address, the version in the path, the resource in the host.
//! Here a place is completed from what is known about vendors, and what remains unknown becomes a variable to be set.
//!
//! # Invariants
//! - A base URL that comes out is of http or https, without credentials and query, or refers to a variable.

use std::collections::BTreeMap;

use super::plan::{self, Place};
use super::secret;
use super::tree::{Fate, Node};
use super::{vendor, write};
use crate::config::{Dialect, RESERVED_HEADERS, Vendor};

/// What a source says about where a provider is.
#[derive(Default)]
pub(super) struct Clues<'t> {
    /// The provider, as the source calls it.
    pub(super) provider: String,
    /// The name that the operator gave it; that of the vendor otherwise.
    pub(super) name: Option<&'t str>,
    /// Its base URL.
    pub(super) base: Option<Node<'t>>,
    /// What the source's own code appends to a base URL of OpenAI's dialect.
    pub(super) version: &'static str,
    pub(super) region: Option<Node<'t>>,
    pub(super) project: Option<Node<'t>>,
    /// Headers for every request.
    pub(super) headers: Option<Node<'t>>,
}

/// Completes a place; remarks at `node` and returns nothing if that is impossible.
pub(super) fn find(clues: &Clues<'_>, node: &Node<'_>) -> Option<Place> {
    let vendor = vendor::known_as(&clues.provider);
    if let (None, Some(base)) = (vendor, &clues.base) {
        base.say(
            Fate::Changed,
            "this provider is not known; it is taken to speak OpenAI's dialect",
            "check `dialect` and `limits` of the provider",
        );
    }
    let region = clues
        .region
        .as_ref()
        .and_then(Node::text)
        .map(secret::plain);
    let called = clues
        .name
        .or(vendor.map(|it| it.name))
        .unwrap_or(&clues.provider);
    let name = plan::name(called);
    let by_hand = |base_url: &str| {
        let table = write::bare(&name);
        format!(
            "add a [providers.{table}] with base_url = {base_url:?} by hand, and the routes to it"
        )
    };
    let base_url = match (clues.base.as_ref().and_then(Node::text), vendor) {
        (Some(base), _) => written(base, vendor, clues),
        (None, Some(vendor)) if vendor.base_url.contains("{resource}") => {
            node.lose(
                "no address of this provider is written",
                &by_hand(vendor.base_url),
            );
            return None;
        }
        (None, Some(vendor)) => public(vendor, region.as_deref(), clues, node),
        (None, None) => {
            node.lose(
                "this provider is not known, and no address of it is written",
                &by_hand("https://…"),
            );
            return None;
        }
    };
    if !is_usable(&base_url) {
        node.lose(
            "the address is no URL of http or https without credentials and query",
            &by_hand("https://…"),
        );
        return None;
    }
    Some(Place {
        name,
        vendor,
        base_url,
        region: region.filter(|region| !region.is_empty()).map(|region| {
            match write::references(&region).is_empty() {
                true => plan::name(&region),
                false => region,
            }
        }),
        headers: headers(clues),
    })
}

/// A base URL that the source gives, completed by what its own code appends.
fn written(base: &str, vendor: Option<&Vendor>, clues: &Clues<'_>) -> String {
    let speaks = vendor.map_or(Dialect::OpenAi, |vendor| vendor.speaks);
    let left_out = vendor.map_or("", vendor::left_out);
    if let Some(name) = secret::variable(base) {
        let appended = match speaks {
            Dialect::Azure => left_out,
            _ => clues.version,
        };
        if let (Some(node), Dialect::OpenAi | Dialect::Azure) = (&clues.base, speaks) {
            node.say(
                Fate::Changed,
                "the base URL comes from the environment, so its path cannot be checked",
                &format!("see that ${{{name}}}{appended} is the path that all endpoints share"),
            );
        }
        return format!("${{{name}}}{appended}");
    }
    let plain = base.trim().trim_end_matches('/');
    let plain = match speaks {
        // Why: a resource's address, with or without the deployment behind it.
        Dialect::Azure => plain.split("/openai").next().unwrap_or(plain),
        _ => plain,
    };
    let wanted = match left_out {
        "" => clues.version,
        left_out => left_out,
    };
    let versioned = plain.rsplit('/').next().is_some_and(|last| {
        last.starts_with('v') && last[1..].starts_with(|c: char| c.is_ascii_digit())
    });
    if wanted.is_empty() || (versioned && speaks != Dialect::Azure) {
        return plain.replace('$', "$$");
    }
    format!("{}{wanted}", plain.replace('$', "$$"))
}

/// The public address, with region and project filled in; variables where the source has none.
fn public(vendor: &Vendor, region: Option<&str>, clues: &Clues<'_>, node: &Node<'_>) -> String {
    if !vendor.base_url.contains('{') {
        return vendor.base_url.to_owned();
    }
    let variable = |what: &str| {
        let name = secret::variable_name(&format!("{}_{what}", vendor.name));
        node.say(
            Fate::Changed,
            &format!("no {what} is written for {}", vendor.name),
            &format!("set the environment variable {name}"),
        );
        format!("${{{name}}}")
    };
    let region = match region {
        Some(region) => region.to_owned(),
        None => variable("region"),
    };
    let mut url = match region.as_str() {
        "global" => vendor.base_url.replace("{region}-", ""),
        _ => vendor.base_url.to_owned(),
    };
    url = url.replace("{region}", &region);
    if url.contains("{project}") {
        let project = clues
            .project
            .as_ref()
            .and_then(Node::text)
            .map(secret::plain);
        url = url.replace("{project}", &project.unwrap_or_else(|| variable("project")));
    }
    url
}

fn headers(clues: &Clues<'_>) -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    let members = clues
        .headers
        .as_ref()
        .map(Node::members)
        .unwrap_or_default();
    for (name, value) in members {
        let Ok(header) = http::HeaderName::from_bytes(name.as_bytes()) else {
            value.lose("this is not the name of a header", "");
            continue;
        };
        if RESERVED_HEADERS.contains(&header.as_str()) {
            value.lose(
                "the gateway sets this header itself",
                "a credential belongs into the provider's `keys`",
            );
            continue;
        }
        if let Some(text) = secret::header(name, &value) {
            let visible = |byte: u8| byte == b'\t' || (b' '..0x7f).contains(&byte);
            if text.bytes().all(visible) {
                made.insert(header.as_str().to_owned(), text);
            } else {
                value.lose("the value has characters that no header can carry", "");
            }
        }
    }
    made
}

/// Whether a configuration takes this base URL.
pub(super) fn is_usable(url: &str) -> bool {
    let mut filled = url.replace("$$", "-");
    for name in write::references(url) {
        filled = filled.replace(&format!("${{{name}}}"), "x");
    }
    // Why: what stands for a whole address is seen only when the file is read.
    if url.starts_with("${") {
        filled = format!("http://{filled}");
    }
    let Ok(uri) = filled.parse::<http::Uri>() else {
        return false;
    };
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().is_some_and(|it| {
        let after_host = it.as_str().rsplit(']').next().unwrap_or_default();
        // Why: a colon without a port behind it is taken by the parser and refused by a configuration.
        let port = !after_host.contains(':') || it.port_u16().is_some_and(|port| port > 0);
        port && !it.as_str().contains('@') && !it.host().trim_matches(['[', ']']).is_empty()
    });
    scheme && authority && uri.query().is_none() && !filled.contains('#')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tree::Tree;
    use super::*;

    fn base_url(provider: &str, base: Option<&str>, version: &'static str) -> Option<String> {
        let tree = Tree::new(json!({"base": base, "region": "us-east-1"}));
        let root = tree.root();
        let clues = Clues {
            provider: provider.to_owned(),
            base: root.get("base"),
            version,
            region: root.get("region"),
            ..Clues::default()
        };
        find(&clues, &root).map(|place| place.base_url)
    }

    #[test]
    fn addresses_are_completed() {
        for (provider, base, version, expected) in [
            ("openai", None, "", Some("https://api.openai.com/v1")),
            (
                "openai",
                Some("https://a.example/v1/"),
                "",
                Some("https://a.example/v1"),
            ),
            (
                "openai",
                Some("https://a.example"),
                "/v1",
                Some("https://a.example/v1"),
            ),
            ("openai", Some("os.environ/BASE"), "", Some("${BASE}")),
            (
                "azure",
                Some("https://r.openai.azure.com/"),
                "",
                Some("https://r.openai.azure.com/openai/v1"),
            ),
            (
                "azure",
                Some("https://r.openai.azure.com/openai/deployments/x"),
                "",
                Some("https://r.openai.azure.com/openai/v1"),
            ),
            ("azure", Some("env.AZURE"), "", Some("${AZURE}/openai/v1")),
            ("azure", None, "", None),
            (
                "ollama",
                Some("http://host:11434"),
                "",
                Some("http://host:11434/v1"),
            ),
            (
                "bedrock",
                None,
                "",
                Some("https://bedrock-runtime.us-east-1.amazonaws.com"),
            ),
            (
                "nobody",
                Some("https://n.example/v1"),
                "",
                Some("https://n.example/v1"),
            ),
            ("nobody", None, "", None),
            ("openai", Some("https://user:word@a.example/v1"), "", None),
            ("openai", Some("ftp://a.example"), "", None),
            ("openai", Some("not a url"), "", None),
        ] {
            assert_eq!(
                base_url(provider, base, version).as_deref(),
                expected,
                "{provider} {base:?}"
            );
        }
    }
}
