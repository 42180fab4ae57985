//! How is governance set, and what does the operator say that things cost?
//!
//! # Invariants
//! - A price is of a vendor that is known or a provider that is declared.

use super::super::governance::{Governance, Sync, UnknownPrice};
use super::super::nearest::nearest;
use super::super::prices::PriceOverride;
use super::super::raw::{RawConfig, RawGovernance, RawPrice, RawSync, RawUnknownPrice};
use super::super::report::Problem;
use super::super::shape::{join, suggestion};
use super::super::vendors;
use super::super::written::At;
use super::Resolver;

/// Smallest `keep_size`, bytes: less does not hold the tables of an empty database and a minute of traffic.
const LEAST_KEEP: usize = 1 << 20;

/// Longest name of a price's model, bytes.
const LONGEST_PRICED: usize = 256;

impl Resolver<'_, '_> {
    pub(super) fn governance(&mut self, raw: Option<&RawGovernance>) -> Governance {
        let default = Governance::default();
        let (is_written, none) = (raw.is_some(), RawGovernance::default());
        let raw = raw.unwrap_or(&none);
        let data = raw.data.as_ref().map_or(Governance::DATA, |at| &at.value);
        let folder = self.source.file().parent();
        let small = |at: &&At<_>| size(at) < LEAST_KEEP;
        if let Some(at) = raw.keep_size.as_ref().filter(small) {
            let path = "governance.keep_size";
            self.source.report(
                Problem::new(path, at.span.clone(), "keep_size is too small")
                    .expected("expected at least \"1MiB\""),
            );
        }
        Governance {
            is_written,
            data: folder.map_or_else(|| data.into(), |folder| folder.join(data)),
            keys_required: raw.keys_required.as_ref().map(|at| at.value),
            assumed_output_tokens: raw
                .assumed_output_tokens
                .as_ref()
                .map_or(default.assumed_output_tokens, |at| at.value),
            unknown_price: raw
                .unknown_price
                .as_ref()
                .map_or(default.unknown_price, |at| match at.value {
                    RawUnknownPrice::Flag => UnknownPrice::Flag,
                    RawUnknownPrice::Refuse => UnknownPrice::Refuse,
                }),
            sync: raw.sync.as_ref().map_or(default.sync, |at| match at.value {
                RawSync::EverySecond => Sync::EverySecond,
                RawSync::Os => Sync::Os,
            }),
            keep: raw.keep.as_ref().map_or(default.keep, |at| at.value.0),
            keep_size: raw.keep_size.as_ref().map_or(default.keep_size, size),
        }
    }

    pub(super) fn prices(&mut self, raw: &RawConfig) -> Vec<(String, PriceOverride)> {
        let mut prices = Vec::with_capacity(raw.prices.0.len());
        for (name, price) in &raw.prices.0 {
            let path = join("prices", &name.value);
            if self.priced(name, &path) {
                self.price_owner(name, raw, &path);
            }
            let price = price_override(price);
            if price == PriceOverride::default() && self.source.is_clean() {
                let message = format!("{path} has no price");
                self.source.report(
                    Problem::new(path, name.span.clone(), message)
                        .expected("needs a price, such as `input`")
                        .help("add `input = 0.15` and `output = 0.60`, or remove the table"),
                );
            }
            prices.push((name.value.clone(), price));
        }
        prices
    }

    /// Whether a text is `OWNER/MODEL`; it is reported otherwise.
    pub(super) fn priced(&mut self, at: &At<String>, path: &str) -> bool {
        let parts = at.value.split_once('/');
        let fits = |(owner, model): (&str, &str)| !owner.is_empty() && !model.is_empty();
        let visible = at.value.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && at.value.len() <= LONGEST_PRICED && parts.is_some_and(fits) {
            return true;
        }
        let quoted = self.source.quote(&at.span);
        self.source.report(
            Problem::new(
                path,
                at.span.clone(),
                format!("{quoted} does not say whose model it is"),
            )
            .expected("expected VENDOR/MODEL, such as \"openai/gpt-4o\""),
        );
        false
    }

    /// Refuses a price of nobody who is known.
    fn price_owner(&mut self, name: &At<String>, raw: &RawConfig, path: &str) {
        let owner = name.value.split('/').next().unwrap_or_default();
        let vendors = vendors::VENDORS.iter().map(|vendor| vendor.name);
        let providers = raw.providers.0.iter().map(|(name, _)| name.value.as_str());
        let known: Vec<&str> = providers.chain(vendors).collect();
        if known.contains(&owner) {
            return;
        }
        let meant = nearest(owner, known.iter().copied());
        let help = match meant {
            Some(_) => String::new(),
            None => format!("they are {}", known.join(", ")),
        };
        self.source.report(
            Problem::new(
                path,
                name.span.clone(),
                format!(
                    "no provider or vendor is named {owner:?}{}",
                    suggestion(meant)
                ),
            )
            .expected("expected PROVIDER/MODEL or VENDOR/MODEL")
            .help(help),
        );
    }
}

fn size(at: &At<super::super::written::Size>) -> usize {
    at.value.0
}

fn price_override(raw: &RawPrice) -> PriceOverride {
    let of =
        |raw: &Option<At<f64>>, pico: f64| raw.as_ref().map(|at| (at.value * pico).round() as u64);
    let million = |raw| of(raw, PriceOverride::PICO_PER_DOLLAR_PER_MILLION);
    let one = |raw| of(raw, PriceOverride::PICO_PER_DOLLAR);
    PriceOverride {
        input: million(&raw.input),
        output: million(&raw.output),
        cache_read: million(&raw.cache_read),
        cache_write: million(&raw.cache_write),
        cache_write_1h: million(&raw.cache_write_1h),
        reasoning: million(&raw.reasoning),
        batch_input: million(&raw.batch_input),
        batch_output: million(&raw.batch_output),
        image: one(&raw.image),
        second: one(&raw.second),
        character: million(&raw.characters),
        query: one(&raw.query),
        request: one(&raw.request),
    }
}
