//! Where is the gateway, what does it ask for, and which models has it?
//!
//! Read from the configuration as far as this shell can: variables that are not set here are taken as set, since the gateway may run elsewhere.
//!
//! # Invariants
//! - [`Facts`] shows the token's variable; the token itself is a [`Secret`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::Path;

use crate::config::{self, Config, Secret, Server, Surroundings};

use super::{DoctorError, Options};

/// The variable that settings name where the configuration names none.
const VARIABLE: &str = "TRIMTAB_TOKEN";

/// Asked for where nothing names a model.
const SOME_MODEL: &str = "MODEL";

/// What a variable that is not set here is taken for; the second is for the place of an address.
const UNSET: [&str; 2] = ["unset", "http://unset.invalid"];

/// What settings and calls need to know.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Scheme, host and port, without a path.
    pub(super) base: String,
    /// The variable that holds the token; none if no token is asked for.
    pub(super) variable: Option<String>,
    /// What is presented; none if there is none, or none is known here.
    pub(super) token: Option<Secret>,
    /// The model that is asked for.
    pub(super) model: Option<String>,
    /// The file that `serve` is to be started with.
    pub(super) config: String,
    /// What was assumed.
    pub(super) notes: Vec<String>,
}

impl Facts {
    /// Facts of a gateway on its default address with a token, for the page.
    pub(super) fn example() -> Self {
        Self {
            base: format!("http://{}", Server::LISTEN),
            variable: Some(VARIABLE.to_owned()),
            token: None,
            model: Some("gpt-4o-mini".to_owned()),
            config: "config.toml".to_owned(),
            notes: Vec::new(),
        }
    }

    /// The model's name as settings show it.
    pub(super) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(SOME_MODEL)
    }
}

/// Gathers them from the options, the configuration and the environment.
pub(super) fn gather(options: &Options) -> Result<Facts, DoctorError> {
    let env = |name: &str| std::env::var(name).ok();
    let mut notes = Vec::new();
    let file = options.config.display().to_string();
    let text = std::fs::read_to_string(&options.config).ok();
    let config = text
        .as_deref()
        .and_then(|text| lenient(&options.config, text, &env));
    match (&text, &config) {
        (None, _) => notes.push(format!("{file} cannot be read; the default address and no model are assumed")),
        (Some(_), None) => notes.push(format!(
            "{file} is not valid, see `trimtab check {file}`; the default address and no model are assumed"
        )),
        _ => {}
    }
    let server = config.as_ref().map(|it| &it.server);
    let base = match &options.url {
        Some(url) => trimmed(url)?,
        None => format!(
            "http://{}",
            reachable(server.map_or(Server::LISTEN, |it| it.listen), &mut notes)
        ),
    };
    let written = text.as_deref().and_then(token_variable);
    let asks = server.is_none_or(|it| it.token.is_some());
    let variable = asks.then(|| written.clone().unwrap_or_else(|| VARIABLE.to_owned()));
    let token = match (&written, server.and_then(|it| it.token.clone())) {
        // Why: what stands in the file is known, whatever the shell says.
        (None, Some(literal)) => Some(literal),
        _ => variable
            .as_deref()
            .and_then(env)
            .filter(|it| !it.is_empty())
            .map(Secret::new),
    };
    if let (Some(variable), None, true) = (&variable, &token, config.is_some()) {
        notes.push(format!(
            "{variable} is not set in this shell; calls go out without a token"
        ));
    }
    Ok(Facts {
        base,
        variable,
        token,
        model: options
            .model
            .clone()
            .or_else(|| config.as_ref().and_then(first_model)),
        config: file,
        notes,
    })
}

/// Reads a configuration with variables that are not set taken as set.
pub(crate) fn lenient(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Config> {
    UNSET.iter().find_map(|unset| {
        let around = Surroundings {
            env: &|name| Some(env(name).unwrap_or_else(|| (*unset).to_owned())),
            read: &|path| std::fs::read(path),
            cores: NonZeroUsize::MIN,
        };
        config::parse(path, text, &around).ok()
    })
}

/// The variable that the token of `[server]` is read from.
fn token_variable(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let token = table.get("server")?.get("token")?.as_str()?;
    let name = token.strip_prefix("${")?.strip_suffix('}')?;
    Some(name.to_owned())
}

/// The first model that is not for embeddings.
fn first_model(config: &Config) -> Option<String> {
    let names = || config.models.iter().map(|model| &model.name);
    let chats = names().find(|name| !name.contains("embed"));
    chats.or_else(|| names().next()).cloned()
}

/// An address that a client on this machine can call.
fn reachable(listen: SocketAddr, notes: &mut Vec<String>) -> SocketAddr {
    if listen.port() == 0 {
        notes.push("the configuration listens at any free port; say which with --url".to_owned());
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// A URL without the path that clients append themselves.
fn trimmed(url: &str) -> Result<String, DoctorError> {
    let refused = || DoctorError::Url(url.to_owned());
    let uri: http::Uri = url.parse().map_err(|_| refused())?;
    let scheme = uri.scheme_str().ok_or_else(refused)?;
    let authority = uri.authority().ok_or_else(refused)?;
    let path = uri.path().trim_end_matches('/');
    let path = path.strip_suffix("/v1").unwrap_or(path);
    if !matches!(scheme, "http" | "https") || authority.as_str().contains('@') || !path.is_empty() {
        return Err(refused());
    }
    Ok(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_trimmed_to_what_clients_append_to() {
        for (url, base) in [
            ("http://a:8080", Some("http://a:8080")),
            ("http://a:8080/", Some("http://a:8080")),
            ("http://a:8080/v1/", Some("http://a:8080")),
            ("https://a", Some("https://a")),
            ("a:8080", None),
            ("ftp://a", None),
            ("http://u:p@a", None),
            ("http://a/other", None),
        ] {
            assert_eq!(trimmed(url).ok().as_deref(), base, "{url}");
        }
    }

    #[test]
    fn the_token_is_known_by_its_variable() {
        assert_eq!(
            token_variable("[server]\ntoken = \"${T}\"").as_deref(),
            Some("T")
        );
        assert_eq!(token_variable("[server]\ntoken = \"literal\""), None);
        assert_eq!(token_variable("[server]"), None);
    }

    #[test]
    fn a_configuration_is_read_without_the_variables_of_its_providers() {
        let text = "[providers.p]\nbase_url = \"${WHERE}\"\nkeys = [{ name = \"k\", secret = \"${KEY}\" }]\n\
                    [models.text-embedding-3]\nroutes = [{ provider = \"p\" }]\n[models.m]\nroutes = [{ provider = \"p\" }]\n";
        let config = lenient(Path::new("c"), text, &|_| None);
        assert_eq!(config.as_ref().and_then(first_model).as_deref(), Some("m"));
    }

    #[test]
    fn an_address_for_all_is_called_at_loopback() {
        let mut notes = Vec::new();
        let anywhere = SocketAddr::from(([0, 0, 0, 0], 8080));
        assert_eq!(
            reachable(anywhere, &mut notes).to_string(),
            "127.0.0.1:8080"
        );
        assert!(notes.is_empty());
        reachable(SocketAddr::from(([127, 0, 0, 1], 0)), &mut notes);
        assert_eq!(notes.len(), 1);
    }
}
