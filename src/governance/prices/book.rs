//! What does this route cost, whoever says so?
//!
//! A book is the catalogue with the operator's own prices over it.
//! A price is looked for where it is said most closely, and each price by itself: an override replaces what it states, and the rest stays as it is.
//!
//! # Invariants
//! - The order is: the route's own `price_input` and `price_output`, `[prices."PROVIDER/MODEL"]`, `[prices."VENDOR/MODEL"]`, that of `price_as`, the catalogue.
//! - Who has a price nowhere has none; a server of one's own is not taken to be free.
//! - Books of equal versions have equal prices for every route.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::catalogue::{BadCatalogue, Catalogue};
use super::tariff::{Rates, Tariff, Tier};
use crate::config::{Config, PriceOverride, Provider, RouteSpec};

/// How the catalogue calls vendors that have another name here.
const OTHERWISE: [(&str, &str); 1] = [("lm-studio", "lm_studio")];

/// Pico-dollars in a nano-dollar.
const PICO: f64 = 1_000.0;

/// The catalogue, and what the operator says instead.
#[derive(Clone, Debug)]
pub struct Book {
    catalogue: Catalogue,
    overrides: BTreeMap<String, PriceOverride>,
    version: u32,
}

/// Why the catalogue in a folder is not read.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no catalogue.
    #[error("{} is no catalogue of prices: {source}", path.display())]
    Catalogue {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: BadCatalogue,
    },
}

/// What the catalogue calls a vendor of the configuration.
#[must_use]
pub fn vendor(name: &str) -> &str {
    let mut pairs = OTHERWISE.iter();
    pairs
        .find(|(ours, _)| *ours == name)
        .map_or(name, |(_, theirs)| theirs)
}

impl Book {
    /// The catalogue's name in the folder of governance.
    pub const FILE: &str = "prices.tsv";

    /// The operator's prices over a catalogue.
    #[must_use]
    pub fn new(catalogue: Catalogue, overrides: &[(String, PriceOverride)]) -> Self {
        let overrides: BTreeMap<_, _> = overrides.iter().cloned().collect();
        let mut version = crc32fast::Hasher::new();
        version.update(&catalogue.version().to_le_bytes());
        for (name, price) in &overrides {
            version.update(format!("{name}\t{price:?}\n").as_bytes());
        }
        Self {
            catalogue,
            overrides,
            version: version.finalize(),
        }
    }

    /// The book of a configuration: its prices, and those of its routes, over a catalogue.
    #[must_use]
    pub fn of(catalogue: Catalogue, config: &Config) -> Self {
        let mut book = Self::new(catalogue, &config.prices);
        let mut version = crc32fast::Hasher::new_with_initial(book.version);
        for route in config.models.iter().flat_map(|model| &model.routes) {
            if let Some(own) = own(route) {
                let name = &config.providers[route.provider].name;
                version.update(format!("{name}\t{}\t{own:?}\n", route.model).as_bytes());
            }
        }
        book.version = version.finalize();
        book
    }

    /// The catalogue that is in this folder; none where there is no such file.
    ///
    /// # Errors
    /// [`NotRead`] if it is there and cannot be read, or is none.
    pub fn saved(folder: &Path) -> Result<Option<Catalogue>, NotRead> {
        let path = folder.join(Self::FILE);
        let failed = |source| NotRead::File {
            path: path.clone(),
            source,
        };
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let mut text = String::new();
        // One byte more than is taken tells that it is too large.
        file.take(Catalogue::LARGEST as u64 + 1)
            .read_to_string(&mut text)
            .map_err(failed)?;
        let catalogue =
            Catalogue::parse(text).map_err(|source| NotRead::Catalogue { path, source })?;
        Ok(Some(catalogue))
    }

    /// The catalogue that holds for this folder: the one that is there, or the one inside the program; and why the one that is there does not, if so.
    #[must_use]
    pub fn catalogue_of(folder: &Path) -> (Catalogue, Option<NotRead>) {
        match Self::saved(folder) {
            Ok(saved) => (saved.unwrap_or_else(Catalogue::embedded), None),
            Err(why) => (Catalogue::embedded(), Some(why)),
        }
    }

    /// What tells this book from others: it changes with every price that may be looked up.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The tariff of a provider's model, where anybody says anything about it.
    ///
    /// `price_as` names another entry as `vendor/model`; its prices are those of the model then.
    #[must_use]
    pub fn tariff(
        &self,
        known_as: Option<&str>,
        provider: &str,
        model: &str,
        price_as: Option<&str>,
    ) -> Option<Tariff> {
        let own = self.of_owner(Some(provider), model);
        let vendors = self.of_owner(known_as, model);
        let named = price_as.and_then(|name| self.overrides.get(name));
        let entry = price_as
            .and_then(|name| name.split_once('/'))
            .or_else(|| Some((known_as?, model)));
        let listed = entry.and_then(|(owner, model)| self.catalogue.find(vendor(owner), model));
        let overrides = [named, vendors, own];
        if listed.is_none() && overrides.iter().all(Option::is_none) {
            return None;
        }
        let mut tariff = listed.unwrap_or_default();
        // The last one is put over all others.
        for over in overrides.into_iter().flatten() {
            put(&mut tariff, over);
        }
        Some(tariff)
    }

    /// The tariff of a configured route, where anybody says anything about it.
    #[must_use]
    pub fn of_route(&self, provider: &Provider, route: &RouteSpec) -> Option<Tariff> {
        let price_as = route.price_as.as_deref();
        let told = self.tariff(provider.vendor, &provider.name, &route.model, price_as);
        let Some(own) = own(route) else {
            return told;
        };
        let mut tariff = told.unwrap_or_default();
        put(&mut tariff, &own);
        Some(tariff)
    }

    /// Where the prices of a configured route are known from, the nearest word first.
    #[must_use]
    pub fn sources(&self, provider: &Provider, route: &RouteSpec) -> Vec<String> {
        let model = &route.model;
        let mut found = Vec::new();
        if own(route).is_some() {
            found.push("the route itself".to_owned());
        }
        let owners = [Some(provider.name.as_str()), provider.vendor];
        let names = owners.into_iter().flatten();
        let names = names.map(|owner| format!("{owner}/{model}"));
        for name in names.chain(route.price_as.clone()) {
            let source = format!("[prices.\"{name}\"]");
            if self.overrides.contains_key(&name) && !found.contains(&source) {
                found.push(source);
            }
        }
        let entry = match &route.price_as {
            Some(name) => name.split_once('/'),
            None => provider.vendor.map(|known_as| (known_as, model.as_str())),
        };
        if let Some((owner, model)) = entry
            && self.catalogue.find(vendor(owner), model).is_some()
        {
            found.push(format!("the catalogue, {}/{model}", vendor(owner)));
        }
        found
    }

    fn of_owner(&self, owner: Option<&str>, model: &str) -> Option<&PriceOverride> {
        self.overrides.get(&format!("{}/{model}", owner?))
    }
}

/// What a route says of its own price; none where it says nothing.
fn own(route: &RouteSpec) -> Option<PriceOverride> {
    let pico = |nano: f64| (nano > 0.0).then(|| (nano * PICO).round() as u64);
    let own = PriceOverride {
        input: pico(route.price_input),
        output: pico(route.price_output),
        ..PriceOverride::default()
    };
    (own != PriceOverride::default()).then_some(own)
}

/// Puts what an override states over a tariff.
fn put(tariff: &mut Tariff, over: &PriceOverride) {
    let stated = Rates {
        input: over.input,
        cache_read: over.cache_read,
        cache_write: over.cache_write,
        cache_write_1h: over.cache_write_1h,
        output: over.output,
        reasoning: over.reasoning,
    };
    tariff.standard = stated.or(tariff.standard);
    let batch = Rates {
        input: over.batch_input,
        output: over.batch_output,
        ..Rates::default()
    };
    if batch != Rates::default() {
        let is_batch = |(tier, _): &&mut (Tier, Rates)| *tier == Tier::Batch;
        match tariff.tiers.iter_mut().find(is_batch) {
            Some((_, rates)) => *rates = batch.or(*rates),
            None => tariff.tiers.push((Tier::Batch, batch)),
        }
    }
    if over.image.is_some() {
        // Whatever the quality and size.
        tariff.pictures.clear();
        tariff.image = over.image;
    }
    for (slot, stated) in [
        (&mut tariff.second, over.second),
        (&mut tariff.character, over.character),
        (&mut tariff.query, over.query),
        (&mut tariff.request, over.request),
    ] {
        *slot = stated.or(*slot);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tariff::{Cost, Used};
    use super::*;
    use crate::chat;
    use crate::config::{Nano, Surroundings, parse, vendor as known_vendor};

    fn book(overrides: &[(&str, PriceOverride)]) -> Book {
        let owned = |(name, price): &(&str, PriceOverride)| ((*name).to_owned(), *price);
        let overrides: Vec<_> = overrides.iter().map(owned).collect();
        Book::new(Catalogue::embedded(), &overrides)
    }

    fn of(input: u64, output: u64) -> PriceOverride {
        PriceOverride {
            input: Some(input),
            output: Some(output),
            ..PriceOverride::default()
        }
    }

    fn tokens(input: u64, output: u64) -> Used {
        Used {
            tokens: chat::Usage {
                input,
                output,
                ..chat::Usage::default()
            },
            ..Used::default()
        }
    }

    fn check(vendor: &str, model: &str, used: &Used, dollars: f64) {
        let tariff = book(&[]).tariff(Some(vendor), "p", model, None).unwrap();
        let expected = Cost::Known(Nano::from_dollars(dollars).unwrap());
        assert_eq!(tariff.cost(used), expected, "{vendor} {model}");
    }

    #[test]
    fn well_known_models_of_words_cost_what_is_published() {
        let haiku = "anthropic.claude-haiku-4-5-20251001-v1:0";
        let (us, global) = (format!("us.{haiku}"), format!("global.{haiku}"));
        for (vendor, model, dollars) in [
            ("openai", "gpt-4o-mini", 0.75),
            ("azure", "gpt-4o-mini", 0.75),
            ("anthropic", "claude-sonnet-4-5-20250929", 18.0),
            ("anthropic", "claude-haiku-4-5", 6.0),
            ("bedrock", &us, 6.6),
            ("bedrock", &global, 6.0),
            ("vertex", "claude-haiku-4-5@20251001", 6.0),
        ] {
            check(vendor, model, &tokens(1_000_000, 1_000_000), dollars);
        }
        check("gemini", "gemini-2.5-pro", &tokens(200_000, 1_000), 0.26);
        check("gemini", "gemini-2.5-pro", &tokens(300_000, 1_000), 0.765);
        let input = tokens(1_000_000, 0);
        check("openai", "text-embedding-3-small", &input, 0.02);
    }

    #[test]
    fn well_known_models_of_other_things_cost_what_is_published() {
        let minute = Used {
            millis: 60_000,
            ..Used::default()
        };
        check("openai", "whisper-1", &minute, 0.006);
        let spoken = Used {
            characters: 1_000,
            ..Used::default()
        };
        check("openai", "tts-1", &spoken, 0.015);
        let search = Used {
            queries: 1,
            ..Used::default()
        };
        check("cohere", "rerank-v3.5", &search, 0.002);
        for (vendor, model, quality, size, dollars) in [
            ("azure", "dall-e-3", "hd", "1792x1024", 0.131_999_466),
            ("openai", "gpt-image-1", "high", "1024x1024", 0.167_000_409),
        ] {
            let tariff = book(&[]).tariff(Some(vendor), "p", model, None);
            let picture = Used {
                images: 1,
                picture: tariff.and_then(|it| it.picture(quality, size)),
                ..Used::default()
            };
            check(vendor, model, &picture, dollars);
        }
    }

    #[test]
    fn the_closest_word_holds_price_by_price() {
        let book = book(&[
            ("mine/gpt-4o-mini", of(1, 2)),
            (
                "openai/gpt-4o-mini",
                PriceOverride {
                    output: Some(3),
                    cache_read: Some(4),
                    batch_input: Some(5),
                    ..PriceOverride::default()
                },
            ),
            ("azure/gpt-4o", of(6, 7)),
            ("mine/local", of(8, 9)),
        ]);
        for (known_as, provider, model, price_as, line) in [
            (
                Some("openai"),
                "mine",
                "gpt-4o-mini",
                None,
                Some(
                    "i=1 r=4 o=2 i/priority=250000 r/priority=125000 o/priority=1000000 i/batch=5 o/batch=300000 max=16384",
                ),
            ),
            (
                Some("openai"),
                "other",
                "gpt-4o-mini",
                None,
                Some(
                    "i=150000 r=4 o=3 i/priority=250000 r/priority=125000 o/priority=1000000 i/batch=5 o/batch=300000 max=16384",
                ),
            ),
            (None, "mine", "local", None, Some("i=8 o=9")),
            (Some("vllm"), "other", "local", None, None),
            (None, "other", "gpt-4o-mini", None, None),
            (
                None,
                "other",
                "tuned",
                Some("openai/text-embedding-3-small"),
                Some("i=20000 o=0 i/batch=10000 o/batch=0"),
            ),
            (
                Some("azure"),
                "other",
                "tuned",
                Some("nobody/nothing"),
                None,
            ),
            (
                None,
                "mine",
                "local",
                Some("openai/tts-1"),
                Some("i=8 o=9 ch=15000000"),
            ),
        ] {
            let tariff = book.tariff(known_as, provider, model, price_as);
            let shown = tariff.map(|tariff| tariff.to_string());
            assert_eq!(shown.as_deref(), line, "{provider}/{model} {price_as:?}");
        }
        let deployed = book.tariff(Some("azure"), "a", "mine", Some("azure/gpt-4o"));
        let rates = deployed.unwrap().standard;
        assert_eq!((rates.input, rates.output), (Some(6), Some(7)));
    }

    #[test]
    fn a_picture_of_any_kind_is_every_picture() {
        let own = PriceOverride {
            image: Some(5),
            second: Some(6),
            ..PriceOverride::default()
        };
        let book = book(&[("azure/dall-e-3", own)]);
        let tariff = book.tariff(Some("azure"), "p", "dall-e-3", None).unwrap();
        assert_eq!(tariff.to_string(), "im=5 s=6");
    }

    #[test]
    fn a_route_has_the_last_word() {
        let text = "[providers.p]\nvendor = \"openai\"\nkeys = [{ name = \"k\", secret = \"s\" }]\n\
             [models.m]\nroutes = [{ provider = \"p\", model = \"tts-1\", price_input = 0.5 }]\n\
             [models.n]\nroutes = [{ provider = \"p\", model = \"nothing\" }]\n";
        let around = Surroundings {
            env: &|_| None,
            read: &|_| Err(io::ErrorKind::NotFound.into()),
            cores: std::num::NonZeroUsize::MIN,
        };
        let config = parse(Path::new("config.toml"), text, &around).unwrap();
        let book = Book::of(Catalogue::embedded(), &config);
        let told = |model: usize| {
            let tariff = book.of_route(&config.providers[0], &config.models[model].routes[0]);
            tariff.map(|tariff| tariff.to_string())
        };
        assert_eq!(told(0).as_deref(), Some("i=500000 ch=15000000"));
        assert_eq!(told(1), None);
        let mut dearer = config.clone();
        dearer.models[0].routes[0].price_input *= 2.0;
        let again = Book::of(Catalogue::embedded(), &config);
        assert_eq!(again.version(), book.version());
        let dearer = Book::of(Catalogue::embedded(), &dearer);
        assert_ne!(dearer.version(), book.version());
    }

    #[test]
    fn a_version_is_of_every_price() {
        let plain = book(&[]).version();
        let one = book(&[("p/m", of(1, 2))]).version();
        let other = book(&[("p/m", of(1, 3))]).version();
        let two = book(&[("p/m", of(1, 2)), ("p/n", of(1, 2))]).version();
        let turned = book(&[("p/n", of(1, 2)), ("p/m", of(1, 2))]).version();
        let listed = Catalogue::parse("a/b\ti=1\n".to_owned()).unwrap();
        let listed = Book::new(listed, &[]).version();
        let all = [plain, one, other, two, listed];
        let unique: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(unique.len(), all.len());
        assert_eq!(two, turned, "their order says nothing");
    }

    #[test]
    fn vendors_are_known_to_the_catalogue() {
        let inside = Catalogue::embedded();
        // Servers of one's own, stand-ins for all, and one whose prices the catalogue lacks.
        let without = ["openrouter", "vllm", "sglang", "lm-studio"];
        for name in [
            "openai",
            "azure",
            "anthropic",
            "gemini",
            "vertex",
            "bedrock",
            "cohere",
            "stability",
            "fal",
            "replicate",
            "bfl",
            "groq",
            "mistral",
            "together",
            "fireworks",
            "deepseek",
            "openrouter",
            "xai",
            "cerebras",
            "perplexity",
            "nvidia",
            "nebius",
            "deepinfra",
            "sambanova",
            "ollama",
            "vllm",
            "sglang",
            "lm-studio",
        ] {
            assert!(known_vendor(name).is_some(), "{name}");
            let prefix = format!("{}/", vendor(name));
            let listed = inside.iter().any(|(model, _)| model.starts_with(&prefix));
            assert_eq!(listed, !without.contains(&name), "{name}");
        }
        assert_eq!(vendor("lm-studio"), "lm_studio");
    }

    #[test]
    fn a_folder_may_have_a_catalogue() {
        let folder = std::env::temp_dir().join(format!("trimtab-book-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(Book::FILE);
        assert!(Book::saved(&folder).unwrap().is_none());
        std::fs::write(&file, "a/b\ti=1\n").unwrap();
        let (catalogue, why) = Book::catalogue_of(&folder);
        assert_eq!((catalogue.len(), why.is_none()), (1, true));
        for bad in [&b"a/b\ti=x\n"[..], b"\xff"] {
            std::fs::write(&file, bad).unwrap();
            let (catalogue, why) = Book::catalogue_of(&folder);
            assert_eq!(catalogue.version(), Catalogue::embedded().version());
            assert!(why.unwrap().to_string().contains(Book::FILE));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
