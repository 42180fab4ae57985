//! Which tariff holds on a route?

use super::catalogue::Catalogue;
use super::tariff::Tariff;

/// TEMP
#[derive(Debug)]
pub struct Book {
    catalogue: Catalogue,
}

impl Book {
    /// TEMP
    #[must_use]
    pub fn new(config: &crate::config::Config) -> Self {
        let _ = config;
        Self {
            catalogue: Catalogue::embedded(),
        }
    }
    /// TEMP
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.catalogue.version()
    }
    /// TEMP
    #[must_use]
    pub fn tariff(
        &self,
        vendor: Option<&str>,
        provider: &str,
        model: &str,
        price_as: Option<&str>,
    ) -> Option<Tariff> {
        let _ = (provider, price_as);
        self.catalogue.find(vendor.unwrap_or("openai"), model)
    }
}
