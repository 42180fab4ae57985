//! Which providers and keys are there?
//!
//! # Invariants
//! - One [`Provider`] a table of the file, in its order, also for one with problems, so that indexes agree.
//! - A credential in a header is refused: it would be the same for every key.

use std::collections::BTreeMap;
use std::ops::Range;

use http::{HeaderName, HeaderValue};
use scoring::ceiling::ToldLimits;

use crate::mock::{MockError, Script};

use super::super::nearest::nearest;
use super::super::raw::{
    RawConfig, RawDialect, RawHttpVersion, RawKey, RawLimitDialect, RawProvider,
};
use super::super::report::Problem;
use super::super::routes::{
    Dialect, Endpoint, HttpVersion, ImageRules, Key, LimitDialect, Provider, Serves,
};
use super::super::secret::Secret;
use super::super::shape::{join, suggestion};
use super::super::vendors::{self, Vendor};
use super::super::written::{self, At, Named, SecretText};
use super::Resolver;

/// Longest name, characters: names become metric labels and header values.
const LONGEST_NAME: usize = 64;

/// Headers that the connection or the key decides, which a provider's table cannot set.
pub const RESERVED_HEADERS: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The name of the key that a provider without keys is given; it carries no credential.
const KEYLESS: &str = "none";

impl Resolver<'_, '_> {
    pub(super) fn providers(&mut self, raw: &Named<RawProvider>) -> Vec<Provider> {
        raw.0
            .iter()
            .map(|(name, raw)| self.provider(name, raw))
            .collect()
    }

    /// Checks the stand-ins, and that each provider that asks for one has one.
    pub(super) fn stand_ins(&mut self, raw: &RawConfig) {
        let script = raw.mock.as_ref();
        for (name, provider) in &raw.providers.0 {
            let Some(at) = &provider.base_url else {
                continue;
            };
            let known = |script: &Script| script.providers.contains_key(&name.value);
            if at.value.0 != Endpoint::Mock || script.is_some_and(known) {
                continue;
            }
            let table = join("mock.providers", &name.value);
            let path = join("providers", &name.value);
            self.source.report(
                Problem::new(
                    format!("{path}.base_url"),
                    at.span.clone(),
                    format!("{path} has no stand-in of its name"),
                )
                .expected(format!("needs a table [{table}]"))
                .help(format!(
                    "add `[{table}]`, which may be empty, or write the provider's URL"
                )),
            );
        }
        if let Some(Err(error)) = script.map(Script::check) {
            self.source.report(self.script_problem(&error));
        }
    }

    /// Puts a mistake that the stand-ins find in their script at its place.
    fn script_problem(&self, error: &MockError) -> Problem {
        let MockError::Script { at, problem } = error else {
            return Problem::of_file(error.to_string());
        };
        // Why: the stand-ins append a unit to some paths.
        let path = format!("mock.{}", at.split(' ').next().unwrap_or(at));
        let message = format!("{path} {problem}");
        match self.source.place_of(&path) {
            Some(span) => Problem::new(path, span, message),
            None => Problem::of_file(message),
        }
    }

    fn provider(&mut self, name: &At<String>, raw: &RawProvider) -> Provider {
        let path = join("providers", &name.value);
        self.name(&path, &name.value, &name.span);
        if let Some(at) = raw.region.as_ref().filter(|at| !at.value.is_empty()) {
            self.name(&format!("{path}.region"), &at.value, &at.span);
        }
        let vendor = self.vendor(raw, &path);
        let endpoint = self.endpoint(name, raw, vendor);
        let keys = self.keys(&raw.keys, &path);
        let dialect = raw.dialect.as_ref().map_or_else(
            || vendor.map_or(Dialect::default(), |vendor| vendor.speaks),
            |at| dialect(at.value),
        );
        let api_version = self.api_version(raw, dialect, &endpoint, &path);
        let mut serves = vendor.map_or_else(
            || Serves {
                responses: serves_responses(dialect, &endpoint),
                images: image_rules(dialect, &endpoint),
                ..Serves::default()
            },
            |vendor| vendor.serves,
        );
        if let Some(at) = &raw.responses {
            serves.responses = at.value;
        }
        let known_as = vendor.map(|vendor| vendor.name);
        let known_as = known_as.or_else(|| vendors::vendor_at(dialect, &endpoint));
        let new = Provider::new(&*name.value, endpoint, keys);
        Provider {
            vendor: known_as,
            dialect,
            limits: raw.limits.as_ref().map_or_else(
                || vendor.map_or(dialect.limits(), |vendor| vendor.limits),
                |at| limits(at.value),
            ),
            api_version,
            serves,
            region: raw
                .region
                .as_ref()
                .map_or(new.region, |at| at.value.clone()),
            http: raw.http.as_ref().map_or(new.http, |at| match at.value {
                RawHttpVersion::H1 => HttpVersion::H1,
                RawHttpVersion::H2 => HttpVersion::H2,
                RawHttpVersion::Auto => HttpVersion::Auto,
            }),
            idle_timeout: self.positive(
                raw.idle_timeout.as_ref(),
                &format!("{path}.idle_timeout"),
                new.idle_timeout,
            ),
            headers: self.headers(&raw.headers, (&path, None)),
            extra_roots: raw.ca_file.as_ref().and_then(|at| self.roots(at, &path)),
            budgets: self.budgets(&raw.budgets, &path),
            ..Provider::new(new.name, new.endpoint, new.keys)
        }
    }

    /// The vendor that a provider names.
    fn vendor(&mut self, raw: &RawProvider, path: &str) -> Option<&'static Vendor> {
        let at = raw.vendor.as_ref()?;
        let found = vendors::vendor(&at.value);
        if found.is_none() {
            let names = || vendors::VENDORS.iter().map(|vendor| vendor.name);
            let meant = nearest(&at.value, names());
            let quoted = self.source.quote(&at.span);
            let known: Vec<&str> = names().collect();
            self.source.report(
                Problem::new(
                    format!("{path}.vendor"),
                    at.span.clone(),
                    format!("no vendor is known as {quoted}{}", suggestion(meant)),
                )
                .expected("expected a vendor's name")
                .help(format!("the vendors are {}", known.join(", "))),
            );
        }
        found
    }

    /// Where a provider is: as written, else where its vendor is.
    fn endpoint(
        &mut self,
        name: &At<String>,
        raw: &RawProvider,
        vendor: Option<&'static Vendor>,
    ) -> Endpoint {
        if let Some(at) = &raw.base_url {
            return at.value.0.clone();
        }
        let path = join("providers", &name.value);
        let region = raw.region.as_ref().map_or("", |at| at.value.as_str());
        let url = vendor.map_or_else(String::new, |vendor| {
            vendor.base_url.replace("{region}", region)
        });
        let blanks = vendors::blanks(&url);
        let found = if blanks.is_empty() {
            written::endpoint(&url)
        } else {
            None
        };
        found.unwrap_or_else(|| {
            let told = self.source.is_reported(&format!("{path}.base_url"));
            if !told && (vendor.is_some() || raw.vendor.is_none()) {
                let help = match vendor {
                    Some(vendor) if !vendor.base_url.is_empty() => {
                        format!("the vendor's is {}, for you to fill in", vendor.base_url)
                    }
                    _ => "write the provider's URL, or `vendor = \"…\"`".to_owned(),
                };
                self.source.report(
                    Problem::new(
                        format!("{path}.base_url"),
                        name.span.clone(),
                        format!("{path} does not say where it is"),
                    )
                    .expected("needs `base_url`")
                    .help(help),
                );
            }
            Endpoint::Mock
        })
    }

    /// The version for Azure's query, which its deployments cannot do without.
    fn api_version(
        &mut self,
        raw: &RawProvider,
        dialect: Dialect,
        endpoint: &Endpoint,
        path: &str,
    ) -> Option<String> {
        let path = format!("{path}.api_version");
        if let Some(at) = &raw.api_version {
            self.name(&path, &at.value, &at.span);
            return Some(at.value.clone());
        }
        let plain = matches!(endpoint, Endpoint::Url(url) if url.path.ends_with("/v1"));
        if dialect != Dialect::Azure || plain {
            return None;
        }
        let place = raw.base_url.as_ref().map(|at| at.span.clone());
        if let Some(span) = place {
            self.source.report(
                Problem::new(
                    path,
                    span,
                    "Azure's deployments need the version of the API",
                )
                .expected("needs `api_version`")
                .help("add `api_version = \"2024-10-21\"`, or end base_url in /openai/v1"),
            );
        }
        None
    }

    /// Refuses a name that would not survive in a metric label or a header.
    pub(super) fn name(&mut self, path: &str, name: &str, span: &Range<usize>) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(allowed) {
            return;
        }
        let quoted = self.source.quote(span);
        self.source.report(
            Problem::new(
                path,
                span.clone(),
                format!("{quoted} cannot be a name here"),
            )
            .expected(format!(
                "expected 1 to {LONGEST_NAME} letters, digits, dots, dashes and underscores"
            )),
        );
    }

    fn keys(&mut self, raw: &[RawKey], provider: &str) -> Vec<Key> {
        if raw.is_empty() {
            return vec![Key::new(KEYLESS, Secret::new(""))];
        }
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut keys = Vec::with_capacity(raw.len());
        for (index, raw) in raw.iter().enumerate() {
            let path = format!("{provider}.keys[{index}]");
            let name = raw.name.as_ref();
            if let Some(at) = name {
                let name_path = format!("{path}.name");
                self.name(&name_path, &at.value, &at.span);
                if let Some(first) = seen.insert(&at.value, index) {
                    self.source.report(
                        Problem::new(
                            name_path,
                            at.span.clone(),
                            format!("two keys of {provider} have the name {:?}", at.value),
                        )
                        .expected(format!("the name of keys[{first}]"))
                        .help("give each key a name of its own: it tells their routes apart"),
                    );
                }
            }
            keys.push(self.key(raw, &path));
        }
        keys
    }

    /// A key's credential: a text that goes into a header, or a service account's file, of which tokens are made.
    fn key_secret(&mut self, at: &At<SecretText>, path: &str) -> Secret {
        let text = at.value.0.expose();
        if !text.trim_start().starts_with('{') {
            return self.secret(at, path);
        }
        let file = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        let missing = ["client_email", "private_key"]
            .into_iter()
            .find(|field| file[field].as_str().is_none_or(str::is_empty));
        if let Some(field) = missing {
            let message = format!("the service account has no {field}");
            let problem = Problem::new(path, at.span.clone(), message)
                .expected("expected the JSON that Google gives out for a service account")
                .help("put the whole file into the variable, with its line breaks as they are");
            self.source.report(problem);
        }
        at.value.0.clone()
    }

    fn key(&mut self, raw: &RawKey, path: &str) -> Key {
        let name = raw
            .name
            .as_ref()
            .map_or_else(String::new, |at| at.value.clone());
        let secret = raw.secret.as_ref();
        let secret = secret.map_or_else(
            || Secret::new(""),
            |at| self.key_secret(at, &format!("{path}.secret")),
        );
        let limit = |raw: &Option<At<u32>>| raw.as_ref().map(|at| at.value);
        Key {
            weight: raw
                .weight
                .as_ref()
                .map_or(Key::WEIGHT, |at| at.value as f32),
            limits: ToldLimits {
                requests_per_minute: limit(&raw.requests_per_minute),
                tokens_per_minute: limit(&raw.tokens_per_minute),
                input_tokens_per_minute: limit(&raw.input_tokens_per_minute),
                output_tokens_per_minute: limit(&raw.output_tokens_per_minute),
                concurrency: limit(&raw.concurrency),
            },
            ..Key::new(name, secret)
        }
    }

    /// Reads the headers of a table; `own` is one that the gateway sets elsewhere, but not there.
    pub(super) fn headers(
        &mut self,
        raw: &Named<At<SecretText>>,
        (table, own): (&str, Option<&str>),
    ) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::with_capacity(raw.0.len());
        for (name, value) in &raw.0 {
            let path = join(&format!("{table}.headers"), &name.value);
            let Ok(header) = HeaderName::from_bytes(name.value.as_bytes()) else {
                self.source.report(
                    Problem::new(
                        path,
                        name.span.clone(),
                        format!("{:?} is not a header name", name.value),
                    )
                    .expected("expected letters, digits and dashes"),
                );
                continue;
            };
            let is_own = own == Some(header.as_str());
            if RESERVED_HEADERS.contains(&header.as_str()) && !is_own {
                self.source.report(
                    Problem::new(
                        path,
                        name.span.clone(),
                        format!("the header {header:?} is set by the gateway"),
                    )
                    .expected("expected another header")
                    .help("a credential belongs into `keys`, as a key's `secret`"),
                );
                continue;
            }
            match HeaderValue::from_str(value.value.0.expose()) {
                Ok(mut sendable) => {
                    sendable.set_sensitive(true);
                    headers.push((header, sendable));
                }
                Err(_) => self.source.report(
                    Problem::new(
                        path,
                        value.span.clone(),
                        "the value has characters that no header can carry",
                    )
                    .expected("expected visible characters and spaces"),
                ),
            }
        }
        headers
    }

    /// Reads certificates from a file; a relative path begins at the configuration's directory.
    fn roots(&mut self, at: &At<String>, provider: &str) -> Option<Vec<u8>> {
        let directory = self.source.file().parent();
        let file = directory.map_or_else(|| at.value.clone().into(), |it| it.join(&at.value));
        let problem = |message: String| {
            Problem::new(format!("{provider}.ca_file"), at.span.clone(), message)
                .expected("expected a file of certificates in PEM")
        };
        match (self.around.read)(&file) {
            Ok(bytes) if memchr::memmem::find(&bytes, b"-----BEGIN CERTIFICATE-----").is_some() => {
                Some(bytes)
            }
            Ok(_) => {
                self.source
                    .report(problem("the file holds no certificate".to_owned()));
                None
            }
            Err(error) => {
                let problem = problem(format!("the file cannot be read: {error}"));
                let help = "a relative path begins at the directory of this file";
                self.source.report(problem.help(help));
                None
            }
        }
    }
}

const fn dialect(raw: RawDialect) -> Dialect {
    match raw {
        RawDialect::OpenAi => Dialect::OpenAi,
        RawDialect::Azure => Dialect::Azure,
        RawDialect::Anthropic => Dialect::Anthropic,
        RawDialect::Gemini => Dialect::Gemini,
        RawDialect::Vertex => Dialect::Vertex,
        RawDialect::Bedrock => Dialect::Bedrock,
        RawDialect::Cohere => Dialect::Cohere,
        RawDialect::Stability => Dialect::Stability,
        RawDialect::Fal => Dialect::Fal,
        RawDialect::Replicate => Dialect::Replicate,
        RawDialect::Bfl => Dialect::Bfl,
    }
}

const fn limits(raw: RawLimitDialect) -> LimitDialect {
    match raw {
        RawLimitDialect::OpenAi => LimitDialect::OpenAi,
        RawLimitDialect::Anthropic => LimitDialect::Anthropic,
        RawLimitDialect::Azure => LimitDialect::Azure,
        RawLimitDialect::Groq => LimitDialect::Groq,
        RawLimitDialect::Gemini => LimitDialect::Gemini,
        RawLimitDialect::None => LimitDialect::None,
    }
}

/// Whether a provider is known to serve the Responses API: OpenAI and Azure do, most that are compatible with them do not.
fn serves_responses(dialect: Dialect, endpoint: &Endpoint) -> bool {
    match (dialect, endpoint) {
        (Dialect::OpenAi, Endpoint::Mock) => true,
        (Dialect::OpenAi | Dialect::Azure, Endpoint::Url(url)) => {
            let plain_azure = || is_at(endpoint, "openai.azure.com") && url.path.ends_with("/v1");
            is_at(endpoint, "openai.com") || plain_azure()
        }
        _ => false,
    }
}

/// By whose rules a provider of OpenAI's dialect makes images, as its host tells.
fn image_rules(dialect: Dialect, endpoint: &Endpoint) -> ImageRules {
    if dialect != Dialect::OpenAi {
        ImageRules::OpenAi
    } else if is_at(endpoint, "together.ai") || is_at(endpoint, "together.xyz") {
        ImageRules::Together
    } else if is_at(endpoint, "fireworks.ai") {
        ImageRules::Fireworks
    } else {
        ImageRules::OpenAi
    }
}

/// Whether a provider is at a host or below it.
fn is_at(endpoint: &Endpoint, host: &str) -> bool {
    let Endpoint::Url(url) = endpoint else {
        return false;
    };
    let below = url.host.strip_suffix(host);
    below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
