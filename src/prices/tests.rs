//! Is a good list taken over, and a bad one not?

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::governance::prices::{Book, Catalogue};

/// A folder of one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn of(test: &str) -> Self {
        let name = format!("trimtab-prices-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn data(&self) -> Data {
        Data {
            config: self.0.join("no-such-config.toml"),
            data: Some(self.0.join("data")),
        }
    }

    fn update(&self, file: &Path, accept_jumps: bool) -> Result<Said, PricesError> {
        run(&Command::Update(Update {
            file: file.to_owned(),
            accept_jumps,
            into: self.data(),
        }))
    }

    fn saved(&self) -> Option<String> {
        fs::read_to_string(self.0.join("data").join(Book::FILE)).ok()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The list inside the program, but for one price.
fn nearly(from: &str, to: &str) -> String {
    let text = Catalogue::embedded().text().to_owned();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

const LINE: &str = "openai/text-embedding-3-small\ti=20000 o=0";

#[test]
fn a_list_is_taken_over_whole() {
    let folder = Folder::of("update");
    let dearer = nearly(LINE, "openai/text-embedding-3-small\ti=25000 o=0");
    let file = folder.file("list.tsv", &dearer);
    let said = run(&Command::Diff(Diff {
        file: file.clone(),
        with: folder.data(),
    }))
    .unwrap();
    assert_eq!(said.text, "0 models added, 0 removed, 1 changed\n");
    assert_eq!(folder.saved(), None, "a difference changes nothing");
    let said = folder.update(&file, false).unwrap();
    assert!(
        said.text
            .starts_with("0 models added, 0 removed, 1 changed\n"),
        "{}",
        said.text
    );
    assert_eq!(folder.saved().as_deref(), Some(&*dearer));
    let said = folder.update(&file, false).unwrap();
    assert!(said.text.contains("hold already"), "{}", said.text);
}

#[test]
fn a_map_becomes_a_catalogue() {
    let folder = Folder::of("map");
    let map = br#"{"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}}"#;
    let file = folder.file("map.json", map);
    let said = folder.update(&file, true).unwrap();
    assert!(said.text.contains("1 models added"), "{}", said.text);
    let saved = folder.saved().unwrap();
    assert!(
        saved.ends_with("openai/gpt-x\ti=1000000 o=2000000\n"),
        "{saved}"
    );
    assert!(saved.contains("from map.json"), "{saved}");
}

#[test]
fn a_bad_list_changes_nothing() {
    let folder = Folder::of("bad");
    let first = folder.file("first.tsv", "a/b\ti=1\n");
    folder.update(&first, true).unwrap();
    for (text, reason) in [
        (&b"<html>"[..], "is not LiteLLM's price map"),
        (b"{}", "no price in it"),
        (b"\xff", "not UTF-8"),
        (b"hello", "line 1"),
        (b"a/c\ti=1\na/b\ti=1\n", "sorted"),
        (
            br#"{"m": {"litellm_provider": "openai", "input_cost_per_token": -1}}"#,
            "`input_cost_per_token` is -1",
        ),
        (b"a/b\ti=1000\n", "--accept-jumps"),
    ] {
        let file = folder.file("list", text);
        let error = folder.update(&file, false).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(folder.saved().as_deref(), Some("a/b\ti=1\n"), "{reason}");
        let held = fs::read_dir(folder.0.join("data")).unwrap().count();
        assert_eq!(held, 1, "{reason}");
    }
    let missing = folder.update(&folder.0.join("missing"), true).unwrap_err();
    assert!(matches!(missing, PricesError::Read { .. }), "{missing}");
}

#[test]
fn a_damaged_catalogue_is_told_and_replaced() {
    let folder = Folder::of("damaged");
    let data = folder.0.join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join(Book::FILE), "damaged").unwrap();
    let file = folder.file("list.tsv", Catalogue::embedded().text());
    let said = folder.update(&file, false).unwrap();
    assert!(said.remarks.contains("warning"), "{}", said.remarks);
    assert_eq!(
        folder.saved().as_deref(),
        Some(Catalogue::embedded().text())
    );
}

#[test]
fn a_price_is_told_with_where_it_is_from() {
    let folder = Folder::of("show");
    let config = folder.file(
        "config.toml",
        "[providers.mine]\nvendor = \"openai\"\nkeys = [{ name = \"k\", secret = \"s\" }]\n\
         [models.small]\nroutes = [{ provider = \"mine\", model = \"text-embedding-3-small\" }]\n\
         [models.own]\nroutes = [{ provider = \"mine\", model = \"nothing\" }]\n\
         [prices.\"mine/text-embedding-3-small\"]\ninput = 0.015\n",
    );
    let show = |model: &str| {
        run(&Command::Show(Show {
            model: model.to_owned(),
            config: Some(config.clone()),
        }))
        .unwrap()
    };
    assert_eq!(
        show("small").text,
        "mine/text-embedding-3-small\n  input: $0.015 a million tokens\n  output: $0.00 a million tokens\n  \
         input, batch: $0.01 a million tokens\n  output, batch: $0.00 a million tokens\n  \
         known from [prices.\"mine/text-embedding-3-small\"]\n  known from the catalogue, openai/text-embedding-3-small\n"
    );
    assert_eq!(show("own").text, "mine/nothing\n  nobody knows its price\n");
    let whisper = show("openai/whisper-1");
    assert_eq!(
        whisper.text,
        "openai/whisper-1\n  sound or film: $0.006 a minute\n  known from the catalogue\n"
    );
    let every = show("gpt-4o-mini").text;
    assert!(
        every.contains("openai/gpt-4o-mini\n") && every.contains("azure/gpt-4o-mini\n"),
        "{every}"
    );
    let unknown = show("nobody/nothing");
    assert!(
        !unknown.holds && unknown.text.contains("nobody knows"),
        "{}",
        unknown.text
    );
    let data = folder.0.join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join(Book::FILE), "openai/whisper-1\ts=200000000\n").unwrap();
    assert!(
        show("openai/whisper-1").text.contains("$0.012 a minute"),
        "the one in the folder"
    );
}

#[test]
fn a_bad_configuration_is_reported() {
    let folder = Folder::of("config");
    let config = folder.file("config.toml", "nonsense = 1\n");
    let show = Show {
        model: "m".to_owned(),
        config: Some(config),
    };
    let error = run(&Command::Show(show)).unwrap_err();
    assert!(matches!(error, PricesError::Config(_)), "{error}");
}
