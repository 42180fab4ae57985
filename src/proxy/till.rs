//! What does an attempt on each route cost, and under which numbers is it written down?
//!
//! Looked up once, when a configuration is taken over, so that a request finds its price beside its route.
//!
//! # Invariants
//! - `wires[m][i]` belongs to the route of the same place in [`Serving`], `posts[i]` to its account.

use std::collections::HashMap;
use std::sync::Arc;

use super::serving::Serving;
use scoring::cost::Rates;

use crate::config::{Config, Provider, RouteSpec};
use crate::governance::journal::{Kind, NamesError};
use crate::governance::prices::{Book, Tariff};
use crate::governance::{Ledger, Payee, Roster};
use crate::routing::Target;

/// Prices and numbers of everything that is served.
#[derive(Debug, Default)]
pub struct Tills {
    pub(super) wires: Vec<Vec<Till>>,
    pub(super) posts: Vec<Till>,
    /// The models' numbers.
    pub(super) models: Vec<u32>,
    /// Numbers of what providers call the models that are served, for requests that pass through.
    pub(super) upstream: HashMap<Box<str>, u32>,
    /// Version of the prices.
    pub(super) version: u32,
    /// Prices of what is not configured, for requests that pass through.
    pub(super) book: Option<Arc<Book>>,
}

/// What is paid on one route.
#[derive(Debug)]
pub(super) struct Till {
    /// The route's number.
    pub(super) number: u32,
    /// The provider's name.
    pub(super) provider: Arc<str>,
    /// What everybody together may spend at the provider.
    pub(super) purse: Option<Arc<Payee>>,
    /// What it costs; none where nobody knows.
    pub(super) tariff: Option<Arc<Tariff>>,
}

impl Till {
    /// What a model costs that passes through to this account, where anybody knows.
    pub(super) fn tariff_of(
        &self,
        tills: &Tills,
        config: &Config,
        model: &str,
    ) -> Option<Arc<Tariff>> {
        let book = tills.book.as_ref()?;
        let provider = config
            .providers
            .iter()
            .find(|it| it.name == *self.provider)?;
        let tariff = book.tariff(provider.vendor, &provider.name, model, None);
        tariff.map(Arc::new)
    }
}

impl Tills {
    /// Names of the routes that nobody knows the price of.
    pub fn unpriced<'s>(&self, serving: &'s Serving) -> Vec<&'s str> {
        let wires = serving.wires.iter().flatten();
        let tills = self.wires.iter().flatten();
        let unknown = wires.zip(tills).filter(|(_, till)| till.tariff.is_none());
        unknown.map(|(wire, _)| &*wire.name).collect()
    }

    /// Looks everything up for what is served.
    ///
    /// # Errors
    /// [`NamesError`]; it can be asked again.
    pub fn of(
        serving: &Serving,
        (ledger, roster): (&Ledger, &Roster),
        book: &Arc<Book>,
    ) -> Result<Self, NamesError> {
        let config = &serving.config;
        let models: Vec<&str> = serving.names.iter().map(|name| &**name).collect();
        let routes = serving.wires.iter().flatten();
        let routes: Vec<&str> = routes.map(|wire| &*wire.name).collect();
        let posts: Vec<String> = serving
            .posts
            .iter()
            .map(|post| format!("{}/passthrough", post.provider))
            .collect();
        let posts: Vec<&str> = posts.iter().map(String::as_str).collect();
        let mut numbers = ledger.numbers(Kind::Route, &routes)?.into_iter();
        let of_posts = ledger.numbers(Kind::Route, &posts)?;
        let of_models = serving
            .routing
            .models
            .iter()
            .enumerate()
            .map(|(place, model)| {
                let targets = model.targets.iter();
                let tills = targets.zip(&mut numbers).map(|(target, number)| {
                    let provider = &config.providers[target.provider];
                    Till {
                        number,
                        provider: provider.name.as_str().into(),
                        purse: purse(roster, &provider.name),
                        tariff: tariff(config, place, target, book),
                    }
                });
                tills.collect()
            });
        let upstream: Vec<&str> = serving
            .routing
            .models
            .iter()
            .flat_map(|model| &model.targets)
            .map(|target| &*target.identity.model)
            .collect();
        let of_upstream = ledger.numbers(Kind::Model, &upstream)?;
        Ok(Self {
            upstream: upstream
                .into_iter()
                .map(Into::into)
                .zip(of_upstream)
                .collect(),
            wires: of_models.collect(),
            posts: serving
                .posts
                .iter()
                .zip(of_posts)
                .map(|(post, number)| Till {
                    number,
                    provider: Arc::from(&*post.provider),
                    purse: purse(roster, &post.provider),
                    tariff: None,
                })
                .collect(),
            models: ledger.numbers(Kind::Model, &models)?,
            version: book.version(),
            book: Some(Arc::clone(book)),
        })
    }
}

/// What the tokens of a route cost by a book, for whoever weighs routes.
pub(super) fn rating(book: &Book) -> impl Fn(&Provider, &RouteSpec) -> Rates {
    |provider, spec| {
        let tariff = book.of_route(provider, spec).unwrap_or_default();
        let pico = |rate: Option<u64>| rate.unwrap_or(0) as f32;
        let standard = tariff.standard;
        Rates {
            input: pico(standard.input),
            cached: pico(standard.cache_read),
            output: pico(standard.output),
        }
    }
}

/// The provider's own tier, if it has a budget.
fn purse(roster: &Roster, provider: &str) -> Option<Arc<Payee>> {
    let payee = roster.provider(provider)?;
    (!payee.charges.is_empty()).then(|| Arc::clone(payee))
}

/// What a route costs, where anybody knows.
fn tariff(config: &Config, model: usize, target: &Target, book: &Book) -> Option<Arc<Tariff>> {
    let is_its =
        |spec: &&RouteSpec| spec.provider == target.provider && spec.model == target.identity.model;
    let spec = config.models[model].routes.iter().find(is_its)?;
    let provider = &config.providers[target.provider];
    book.of_route(provider, spec).map(Arc::new)
}
