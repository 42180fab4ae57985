//! Configurations of tests, as text: what an operator would write.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use trimtab::config::{self, Config, Paint, Surroundings};

/// A configuration under construction; the parts are TOML.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    server: String,
    rest: String,
}

impl Spec {
    /// Nothing but listeners at ephemeral ports.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds lines to `[server]`.
    pub(crate) fn server(mut self, lines: &str) -> Self {
        let _ = writeln!(self.server, "{lines}");
        self
    }

    /// Adds whole tables.
    pub(crate) fn with(mut self, tables: &str) -> Self {
        let _ = writeln!(self.rest, "{tables}");
        self
    }

    /// Adds a provider with one key and the stand-in of the same name, which behaves as `script` says.
    pub(crate) fn stand_in(self, name: &str, script: &str) -> Self {
        self.with(&format!(
            "[providers.{name}]\nbase_url = \"mock\"\nkeys = [{{ name = \"key\", secret = \"sk-{name}-0123\" }}]\n\
             [mock.providers.{name}]\n{script}"
        ))
    }

    /// The same in another dialect.
    pub(crate) fn stand_in_of(self, tongue: super::Tongue, name: &str, script: &str) -> Self {
        self.with(&format!(
            "[providers.{name}]\nbase_url = \"mock\"\ndialect = \"{}\"\nkeys = [{{ name = \"key\", secret = \"sk-{name}-0123\" }}]\n\
             [mock.providers.{name}]\n{script}",
            tongue.dialect()
        ))
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let Self { server, rest } = self;
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n{server}\n[admin]\nlisten = \"127.0.0.1:0\"\n{rest}"
        )
    }
}

/// The configuration that a text is.
pub(crate) fn parse(text: &str) -> Config {
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        cores: NonZeroUsize::MIN,
    };
    match config::parse(Path::new("test.toml"), text, &around) {
        Ok(config) => config,
        Err(report) => panic!("{}\n{text}", report.render(Paint::Plain)),
    }
}
