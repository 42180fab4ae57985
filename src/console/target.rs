//! Where is the gateway, and what is presented there?
//!
//! # Invariants
//! - The token of the file goes to the address of the file only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::Path;

use crate::config::{self, Admin, Config, Secret, Surroundings};
use crate::doctor;

use super::ConsoleError;
use super::options::Remote;

/// The variable that holds the token.
pub(super) const VARIABLE: &str = "TRIMTAB_ADMIN_TOKEN";

/// Where to ask.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Scheme, host and port.
    pub(super) url: String,
    pub(super) token: Option<Secret>,
    /// What was assumed.
    pub(super) notes: String,
    /// Where the address comes from.
    pub(super) from: String,
}

/// Finds out from options, configuration and environment.
pub(super) fn target(
    remote: &Remote,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Target, ConsoleError> {
    let own = remote.token.as_deref().filter(|token| !token.is_empty());
    let own = own.map(Secret::new);
    if let Some(url) = &remote.admin {
        return Ok(Target {
            url: base(url)?,
            token: own,
            notes: String::new(),
            from: "--admin".to_owned(),
        });
    }
    let file = remote.config.display().to_string();
    let (config, token) = read(&remote.config, env);
    let (listen, notes, from) = match config {
        Some(config) => (config.admin.listen, String::new(), file),
        None => (
            Admin::LISTEN,
            format!(
                "note: {file} cannot be read or is not valid; the default address is assumed\n"
            ),
            "the default".to_owned(),
        ),
    };
    if listen.port() == 0 {
        let message = "the configuration listens at any free port: say which with --admin";
        return Err(ConsoleError::Senseless(message.to_owned()));
    }
    Ok(Target {
        url: format!("http://{}", reachable(listen)),
        token: own.or(token),
        notes,
        from,
    })
}

/// The configuration, and its admin token if its variables are set here.
fn read(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> (Option<Config>, Option<Secret>) {
    let Ok(text) = std::fs::read_to_string(path) else {
        return (None, None);
    };
    let around = Surroundings {
        env,
        read: &|path| std::fs::read(path),
        cores: NonZeroUsize::MIN,
    };
    match config::parse(path, &text, &around) {
        Ok(config) => {
            let token = config.admin.token.clone();
            (Some(config), token)
        }
        // Why: variables of providers are set where the gateway runs, not here.
        Err(_) => (doctor::lenient(path, &text, env), token(&text, env)),
    }
}

/// The admin token of a file of which other variables are not set.
fn token(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<Secret> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let token = table.get("admin")?.get("token")?.as_str()?;
    let name = token.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
    match name {
        Some(name) => env(name).filter(|it| !it.is_empty()).map(Secret::new),
        None => Some(token)
            .filter(|token| !token.contains('$'))
            .map(Secret::new),
    }
}

/// An address that can be called from this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// A URL without a path.
fn base(url: &str) -> Result<String, ConsoleError> {
    let refused = || {
        let message =
            format!("{url:?} is not the URL of an admin plane, such as \"http://127.0.0.1:9090\"");
        ConsoleError::Senseless(message)
    };
    let uri: http::Uri = url.parse().map_err(|_| refused())?;
    let scheme = uri.scheme_str().ok_or_else(refused)?;
    let authority = uri.authority().ok_or_else(refused)?.as_str();
    let bare = uri.path().trim_matches('/').is_empty() && uri.query().is_none();
    if !matches!(scheme, "http" | "https") || authority.contains('@') || !bare {
        return Err(refused());
    }
    Ok(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_no_path_and_no_password() {
        for (url, expected) in [
            ("http://127.0.0.1:9090", Some("http://127.0.0.1:9090")),
            ("https://gateway.example/", Some("https://gateway.example")),
            ("http://[::1]:9090", Some("http://[::1]:9090")),
            ("127.0.0.1:9090", None),
            ("ftp://a", None),
            ("http://u:p@a", None),
            ("http://a/api", None),
            ("", None),
        ] {
            assert_eq!(base(url).ok().as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn the_token_of_the_file_goes_to_the_address_of_the_file_only() {
        let path =
            std::env::temp_dir().join(format!("trimtab-console-{}.toml", std::process::id()));
        let text = "[admin]\nlisten = \"0.0.0.0:9191\"\ntoken = \"${ADMIN}\"\n[providers.p]\nbase_url = \"http://localhost:1\"\nkeys = [{ name = \"k\", secret = \"${OTHER}\" }]\n[models.m]\nroutes = [{ provider = \"p\" }]\n";
        std::fs::write(&path, text).unwrap();
        let remote = |admin: Option<&str>, token: Option<&str>| Remote {
            admin: admin.map(str::to_owned),
            token: token.map(str::to_owned),
            config: path.clone(),
            json: false,
        };
        let set = |name: &str| (name == "ADMIN").then(|| "of-the-file".to_owned());
        let unset = |_: &str| None;
        let shown = |remote: &Remote, env: &dyn Fn(&str) -> Option<String>| {
            let target = target(remote, env).unwrap();
            let token = target.token.map(|token| token.expose().to_owned());
            (target.url, token.unwrap_or_default())
        };
        let expected = |url: &str, token: &str| (url.to_owned(), token.to_owned());
        let own = "http://127.0.0.1:9191";
        assert_eq!(
            shown(&remote(None, None), &set),
            expected(own, "of-the-file")
        );
        assert_eq!(shown(&remote(None, None), &unset), expected(own, ""));
        assert_eq!(
            shown(&remote(None, Some("mine")), &set),
            expected(own, "mine")
        );
        let other = "http://other:1";
        assert_eq!(shown(&remote(Some(other), None), &set), expected(other, ""));
        std::fs::remove_file(&path).unwrap();
        let gone = target(&remote(None, None), &set).unwrap();
        assert_eq!(gone.url, "http://127.0.0.1:9090");
        assert!(gone.notes.contains("the default address is assumed"));
    }
}
