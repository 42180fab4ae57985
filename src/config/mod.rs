//! What does the operator want?
//!
//! A file as written (`raw`) is checked along its schema (`shape`), resolved into real types (`resolve`) and becomes a [`Config`], or a [`Report`] of everything that is wrong with it.
//! `config.toml` at the top of the repository is the reference, `docs/CONFIG.md` the table of every key.
//!
//! # Invariants
//! - An invalid file never becomes a `Config`, so it never replaces a valid one.
//! - No secret is ever printed, and no value from the environment.
//! - Everything but [`load()`] and [`Watch`] is a function of its arguments.

mod cache;
mod effective;
mod expand;
mod expression;
mod governance;
mod load;
mod made;
mod money;
mod nearest;
mod observe;
mod period;
mod prices;
mod raw;
mod reference;
mod report;
mod resolve;
mod routes;
mod rules;
mod schema;
mod secret;
mod settings;
mod shape;
mod source;
mod tenants;
mod units;
mod vendors;
mod watch;
mod workflow;
mod written;

#[cfg(test)]
mod tests;

pub use cache::{Audit, Cache, Caching, Embedder, Layers, Sharing, Start};
pub use effective::{Change, Setting, changes, settings};
pub use expression::Expression;
pub use governance::{Governance, Sync, UnknownPrice};
pub use load::{load, parse};
pub use made::{Among, Draft, made};
pub use money::Nano;
pub(crate) use nearest::nearest;
pub use observe::{Keep, Otlp, RequestLog, Requests, Who};
pub use period::{Length, NotALength, Schedule, Style, Unit, Window};
pub use prices::PriceOverride;
pub use reference::reference;
pub use report::{Paint, Place, Problem, Report};
pub use resolve::{RESERVED_HEADERS, Surroundings};
pub use routes::{
    BaseUrl, Dialect, Endpoint, HttpVersion, ImageRules, Key, LimitDialect, Model, Provider,
    RouteSpec, Scheme, Serves, StreamRecovery,
};
pub use rules::{CREDENTIALS, Condition, Rule};
pub use schema::schema;
pub use secret::Secret;
pub use settings::{Admin, Config, Log, LogFormat, LogLevel, Server, Shadow, Timeouts, Trace};
pub use tenants::{
    Allowance, Budget, Credential, Customer, Former, Kind, Pattern, RateLimits, Team, Tenant,
    Tenants, VirtualKey,
};
pub use vendors::{Vendor, vendor};
pub use watch::Watch;
pub use workflow::{Limits, Workflow};
