//! Who pays for a request, and what may they ask for?
//!
//! A request is paid by a [`Member`], which is a virtual key with everything that holds for it: its own tier, its team's and its customer's, and what it may spend at single providers.
//! Tiers that many keys share are shared here too.
//!
//! # Invariants
//! - Nothing here changes after it was made, but for the accounts, the paces and the standing behind their pointers.
//! - What a tier allows, no tier below it can widen.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use scoring::time::Time;

use crate::config::{Pattern, Who};

use super::chain::Charge;
use super::pace::{self, Passes, TooFast};

/// Which kind of tier one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// A virtual key.
    Key,
    /// A team.
    Team,
    /// A customer.
    Customer,
    /// A virtual key at one provider.
    KeyAtProvider,
    /// A provider, whoever asks.
    Provider,
}

impl Rank {
    /// All of them, as they are listed.
    pub const ALL: [Self; 5] = [
        Self::Customer,
        Self::Team,
        Self::Key,
        Self::KeyAtProvider,
        Self::Provider,
    ];

    /// The word for it in messages, names of accounts and the admin API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::Customer => "customer",
            Self::KeyAtProvider => "key_provider",
            Self::Provider => "provider",
        }
    }
}

/// One tier: what holds for everybody below it.
#[derive(Clone, Debug)]
pub struct Payee {
    /// Which kind.
    pub rank: Rank,
    /// Its name; of a key at a provider the key's.
    pub name: Box<str>,
    /// The provider, where the tier belongs to one.
    pub provider: Option<Box<str>>,
    /// Its budgets.
    pub charges: Box<[Charge]>,
    /// How fast it may ask, if that is limited.
    pub pace: Option<pace::Tier>,
    /// Which models may be asked for; none: all.
    pub models: Option<Box<[Pattern]>>,
    /// Which providers may serve; none: all.
    pub providers: Option<Box<[Pattern]>>,
}

impl fmt::Display for Payee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rank, &self.provider) {
            (Rank::KeyAtProvider, Some(provider)) => {
                write!(f, "key `{}` at provider `{provider}`", self.name)
            }
            (rank, _) => write!(f, "{} `{}`", rank.word(), self.name),
        }
    }
}

impl Payee {
    fn allows_model(&self, model: &str) -> bool {
        is_on(self.models.as_deref(), model)
    }

    fn allows_provider(&self, provider: &str) -> bool {
        is_on(self.providers.as_deref(), provider)
    }

    /// The least share that is left of one of its budgets, 0 to 1; 1 where it has none.
    fn share_left(&self) -> f64 {
        let shares = self.charges.iter().map(|charge| {
            let limit = charge.limit.get().max(1);
            charge.account.left(charge.limit).get() as f64 / limit as f64
        });
        shares.fold(1.0, f64::min)
    }
}

fn is_on(list: Option<&[Pattern]>, name: &str) -> bool {
    list.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(name)))
}

/// Until when a key stands; shared by everybody who holds it, so that open streams see it fall.
#[derive(Debug)]
pub struct Standing(AtomicI64);

/// When a key falls that has fallen.
const FALLEN: i64 = i64::MIN;

/// When a key falls that never does.
const NEVER: i64 = i64::MAX;

impl Default for Standing {
    fn default() -> Self {
        Self(AtomicI64::new(NEVER))
    }
}

impl Standing {
    /// Whether the key has not been switched off or revoked.
    #[must_use]
    pub fn stands(&self) -> bool {
        // Why: it guards nothing but itself; a moment later is soon enough.
        self.0.load(Ordering::Relaxed) != FALLEN
    }

    /// Whether the key is good at an instant, seconds since 1970.
    #[must_use]
    pub fn stands_at(&self, unix_seconds: i64) -> bool {
        unix_seconds < self.0.load(Ordering::Relaxed)
    }

    /// Lets it stand until it expires, seconds since 1970; for good if that is never.
    pub(super) fn rise(&self, expires: Option<i64>) {
        let until = expires.unwrap_or(NEVER).max(FALLEN + 1);
        self.0.store(until, Ordering::Relaxed);
    }

    /// Has it fall.
    pub(super) fn fall(&self) {
        self.0.store(FALLEN, Ordering::Relaxed);
    }
}

/// A virtual key, with everything that holds for it.
#[derive(Debug)]
pub struct Member {
    /// The key's own tier.
    pub own: Payee,
    /// Its team's.
    pub team: Option<Arc<Payee>>,
    /// Its customer's, or its team's customer's.
    pub customer: Option<Arc<Payee>>,
    /// What it may spend and use at single providers.
    pub at: Box<[Payee]>,
    /// The tiers above that limit how fast it may ask, the key's first.
    pub(super) paces: Box<[pace::Tier]>,
    /// Whose each of them is.
    pub(super) paced: Box<[Rank]>,
    /// The key's number in the journal.
    pub number: u32,
    /// The number of what it belongs to, with its tags.
    pub labels: u32,
    /// From when on it is refused, seconds since 1970.
    pub expires: Option<i64>,
    /// Whether it is switched off.
    pub disabled: bool,
    /// Until when it stands, as the newest configuration has it.
    pub standing: Arc<Standing>,
    /// Whether what it sends may be logged, where logging of content is on.
    pub log_content: bool,
    /// The names of all of them, for whoever tells of its requests.
    pub who: Arc<Who>,
}

impl Member {
    /// The tiers that hold whatever provider serves.
    pub fn tiers(&self) -> impl Iterator<Item = &Payee> {
        let above = [self.team.as_deref(), self.customer.as_deref()];
        std::iter::once(&self.own).chain(above.into_iter().flatten())
    }

    /// What it may spend and use at a provider, if that is written.
    #[must_use]
    pub fn at(&self, provider: &str) -> Option<&Payee> {
        let is_there = |it: &&Payee| it.provider.as_deref() == Some(provider);
        self.at.iter().find(is_there)
    }

    /// Whether it may be used at an instant, seconds since 1970.
    #[must_use]
    pub fn is_valid(&self, unix_seconds: i64) -> bool {
        // Its own word may be that of an older configuration.
        self.standing.stands_at(unix_seconds)
    }

    /// Whether it may ask for a model.
    ///
    /// # Errors
    /// The tier that does not allow it.
    pub fn may_ask(&self, model: &str) -> Result<(), &Payee> {
        let mut tiers = self.tiers();
        tiers
            .find(|tier| !tier.allows_model(model))
            .map_or(Ok(()), Err)
    }

    /// Whether a provider may serve a request of it for a model of this name.
    ///
    /// # Errors
    /// The tier that does not allow it.
    pub fn may_use(&self, provider: &str, model: &str) -> Result<(), &Payee> {
        if let Some(there) = self.at(provider)
            && !there.allows_model(model)
        {
            return Err(there);
        }
        let mut tiers = self.tiers();
        let refuses = |tier: &&Payee| !tier.allows_provider(provider);
        tiers.find(refuses).map_or(Ok(()), Err)
    }

    /// Takes note of the tiers that limit how fast it may ask.
    pub(super) fn set_paces(&mut self) {
        let limited = self.tiers();
        let limited = limited.filter_map(|tier| Some((tier.pace.clone()?, tier.rank)));
        let (paces, ranks): (Vec<_>, Vec<_>) = limited.unzip();
        (self.paces, self.paced) = (paces.into(), ranks.into());
    }

    /// Lets a request of about `input` tokens in, at the pace of every tier that has one.
    ///
    /// # Errors
    /// [`TooFast`]; [`Member::paced`] says whose limit it was.
    pub fn pass(&self, input: u64, now: Time) -> Result<Passes, TooFast> {
        pace::pass(&self.paces, input, now)
    }

    /// The tier that a pace of this index belongs to.
    #[must_use]
    pub fn paced(&self, index: usize) -> &Payee {
        let rank = self.paced.get(index);
        let mut tiers = self.tiers();
        tiers
            .find(|tier| Some(&tier.rank) == rank)
            .unwrap_or(&self.own)
    }

    /// Whether any tier limits how fast it may ask.
    #[must_use]
    pub fn has_pace(&self) -> bool {
        !self.paces.is_empty()
    }

    /// The least share that is left of all its budgets, 0 to 1; 1 where it has none.
    #[must_use]
    pub fn share_left(&self) -> f64 {
        self.tiers().map(Payee::share_left).fold(1.0, f64::min)
    }
}
