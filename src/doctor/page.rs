//! What does `docs/CLIENTS.md` say?
//!
//! The page is printed from the same pieces as the settings on the terminal, so that neither can be right alone.
//!
//! # Invariants
//! - The committed page is what [`page`] prints; a test says so.

use std::fmt::Write as _;

use super::client::{Client, Kind};
use super::facts::Facts;
use super::settings::{Piece, pieces};

/// What stands at the top.
const HEAD: &str = "\
# Clients

How each client is pointed at the gateway, as `trimtab doctor CLIENT` prints it with your own address, model and token's variable.
It then makes the call that the client makes, and says what is wrong if it fails; `--no-live` leaves that out.

The examples take the gateway to listen at its default address, with a `token` under `[server]` that is in the variable `TRIMTAB_TOKEN`, and to serve a model `gpt-4o-mini`.
To print this page anew, run `UPDATE=1 cargo test -p trimtab --lib doctor::page`.
";

/// The page, in Markdown.
#[must_use]
pub fn page() -> String {
    let facts = Facts::example();
    let mut out = HEAD.to_owned();
    for client in Client::ALL {
        let path = match client.kind() {
            Kind::Chat => "/v1/chat/completions",
            Kind::Messages => "/v1/messages",
            Kind::Responses => "/v1/responses",
            Kind::Generate => "/v1/models/MODEL:streamGenerateContent",
        };
        // Writing into a string cannot fail.
        let _ = writeln!(
            out,
            "\n## {}\n\n`trimtab doctor {}`; it asks at `{path}`.",
            client.title(),
            client.name()
        );
        for piece in pieces(client, &facts) {
            let _ = match piece {
                Piece::Say(text) => writeln!(out, "\n{}", text.replace(". ", ".\n")),
                Piece::Put {
                    place,
                    language,
                    text,
                } => writeln!(
                    out,
                    "\nIn {place}:\n\n```{language}\n{}\n```",
                    text.trim_end()
                ),
            };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::path::Path;

    use super::super::settings::told;
    use super::*;

    fn committed() -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CLIENTS.md");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, page()).unwrap();
        }
        fs::read_to_string(&file).unwrap_or_default()
    }

    #[test]
    fn the_committed_page_is_current() {
        assert!(
            committed() == page(),
            "docs/CLIENTS.md is not what doctor prints; run: UPDATE=1 cargo test -p trimtab --lib doctor::page"
        );
    }

    #[test]
    fn every_line_that_the_terminal_shows_is_on_the_page() {
        let page = page().replace('\n', " ");
        for client in Client::ALL {
            for line in told(client, &Facts::example()).lines().skip(1) {
                assert!(page.contains(line.trim()), "{client:?}: {line}");
            }
        }
    }
}
