//! How is the audit doing right now?
//!
//! One account a workflow: counters that the request path adds to, and the sampler that draws its hits.
//! The number of accounts is bounded; what comes later shares one.
//!
//! # Invariants
//! - A hit takes a few relaxed additions and no lock; the lock is for resolving a name and for what happens to the drawn few.
//! - What is counted into the files is counted once: a [`Count`] that could not be written is in the next one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::Rng;
use serde::Serialize;

use super::allowance::{Allowance, Held, Skip, Spending};
use super::compare::Verdict;
use super::estimate::{Accuracy, Estimate, Tally};
use super::record::{Count, Skipped};
use super::sample::{Draw, Hit, Sampler};

/// Workflows that have an account of their own.
///
/// More lets whoever names workflows fill memory and metrics; fewer lumps together those of a large installation.
pub const WORKFLOWS: usize = 256;

/// The account of workflows beyond [`WORKFLOWS`].
pub const OTHER: &str = "other";

/// The audit's state.
#[derive(Debug)]
pub struct Audit {
    accounts: Mutex<BTreeMap<String, Arc<Account>>>,
    allowance: Mutex<Allowance>,
}

/// One workflow's account; to be resolved once, not per request.
#[derive(Debug)]
pub struct Account {
    name: String,
    sampler: Sampler,
    /// Semantic hits and what they saved, nano-dollars. Both guard nothing: statistics.
    hits: AtomicU64,
    saved: AtomicU64,
    slow: Mutex<Slow>,
}

/// What changes with drawn hits only.
#[derive(Debug, Default)]
struct Slow {
    tally: Tally,
    skipped: Skipped,
    spent: u64,
    threshold: Option<f64>,
    /// What is in the files already.
    counted: Counted,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    hits: u64,
    saved: u64,
    skipped: Skipped,
}

/// A workflow's account at an instant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// The workflow.
    pub workflow: String,
    /// Semantic hits since the start.
    pub hits: u64,
    /// Those that were audited.
    pub audited: u64,
    /// Audited hits that were right.
    pub same: u64,
    /// Audited hits that were wrong.
    pub different: u64,
    /// Audited hits of which it could not be told.
    pub unsure: u64,
    /// Drawn hits that were not audited, by cause.
    pub skipped: Skipped,
    /// What hits would have cost, nano-dollars.
    pub saved_nano: u64,
    /// What audits did cost, nano-dollars.
    pub spent_nano: u64,
    /// From which similarity on it serves; none while it serves nothing.
    pub threshold: Option<f64>,
    /// The share of wrong hits since the start.
    pub estimate: Estimate,
}

impl Audit {
    /// An audit that has seen nothing.
    #[must_use]
    pub const fn new(spending: Spending) -> Self {
        Self {
            accounts: Mutex::new(BTreeMap::new()),
            allowance: Mutex::new(Allowance::new(spending)),
        }
    }

    /// The account of a workflow, which is opened if there is room, else that of [`OTHER`]; an open account keeps its sampling.
    pub fn account(&self, name: &str, sampler: Sampler) -> Arc<Account> {
        let mut accounts = held(&self.accounts);
        if let Some(account) = accounts.get(name) {
            return Arc::clone(account);
        }
        // One place is kept for the others.
        let name = if accounts.len() + 1 < WORKFLOWS {
            name
        } else {
            OTHER
        };
        let account = accounts.entry(name.to_owned());
        let open = || Arc::new(Account::new(name, sampler));
        Arc::clone(account.or_insert_with(open))
    }

    /// Holds money for a drawn hit's audit; a refusal is counted in the account.
    ///
    /// # Errors
    /// Why it is not to be audited.
    pub fn begin(&self, account: &Account, now: i64, expected: u64) -> Result<Held, Skip> {
        let held = held(&self.allowance).ask(now, expected);
        held.inspect_err(|cause| account.skip(*cause))
    }

    /// Books what an audit did cost, whether or not it came to a verdict.
    pub fn settle(&self, account: &Account, money: Held, actual: u64) {
        held(&self.allowance).settle(money, actual);
        let mut slow = held(&account.slow);
        slow.spent = slow.spent.saturating_add(actual);
    }

    /// All accounts by name.
    #[must_use]
    pub fn standings(&self, accuracy: Option<Accuracy>) -> Vec<Standing> {
        let accounts: Vec<_> = held(&self.accounts).values().cloned().collect();
        let standing = |account: &Arc<Account>| account.standing(accuracy);
        accounts.iter().map(standing).collect()
    }

    /// What each account had since what was last [`counted`](Self::counted); accounts without anything new are left out.
    #[must_use]
    pub fn counts(&self, now: i64) -> Vec<Count> {
        let accounts: Vec<_> = held(&self.accounts).values().cloned().collect();
        accounts.iter().filter_map(|it| it.count(now)).collect()
    }

    /// Says that a count is in the files.
    pub fn counted(&self, count: &Count) {
        let account = held(&self.accounts).get(&count.workflow).cloned();
        if let Some(account) = account {
            let mut slow = held(&account.slow);
            let before = slow.counted;
            slow.counted = Counted {
                hits: before.hits.saturating_add(count.hits),
                saved: before.saved.saturating_add(count.saved_nano),
                skipped: before.skipped.plus(count.skipped),
            };
        }
    }
}

impl Account {
    fn new(name: &str, sampler: Sampler) -> Self {
        Self {
            name: name.to_owned(),
            sampler,
            hits: AtomicU64::new(0),
            saved: AtomicU64::new(0),
            slow: Mutex::new(Slow::default()),
        }
    }

    /// The workflow, or [`OTHER`]; records carry it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts a hit that saved so many nano-dollars, and draws whether it is audited.
    pub fn hit(&self, hit: &Hit, saved: u64, rng: &mut impl Rng) -> Draw {
        self.hits.fetch_add(1, Ordering::Relaxed);
        self.saved.fetch_add(saved, Ordering::Relaxed);
        self.sampler.draw(hit, rng)
    }

    /// Counts a drawn hit that was not audited.
    pub fn skip(&self, cause: Skip) {
        let mut slow = held(&self.slow);
        let count = slow.skipped.of(cause);
        *count = count.saturating_add(1);
    }

    /// Counts an audited hit.
    pub fn verdict(&self, verdict: Verdict, probability: f64) {
        held(&self.slow).tally.add(verdict, probability);
    }

    /// Notes from which similarity on the workflow serves; none if it serves nothing.
    pub fn threshold(&self, threshold: Option<f64>) {
        held(&self.slow).threshold = threshold.filter(|it| it.is_finite());
    }

    fn standing(&self, accuracy: Option<Accuracy>) -> Standing {
        let slow = held(&self.slow);
        Standing {
            workflow: self.name.clone(),
            hits: self.hits.load(Ordering::Relaxed),
            audited: slow.tally.audited(),
            same: slow.tally.same.count,
            different: slow.tally.different.count,
            unsure: slow.tally.unsure.count,
            skipped: slow.skipped,
            saved_nano: self.saved.load(Ordering::Relaxed),
            spent_nano: slow.spent,
            threshold: slow.threshold,
            estimate: slow.tally.estimate(accuracy),
        }
    }

    fn count(&self, now: i64) -> Option<Count> {
        let slow = held(&self.slow);
        let before = slow.counted;
        let count = Count {
            at: now,
            workflow: self.name.clone(),
            hits: self
                .hits
                .load(Ordering::Relaxed)
                .saturating_sub(before.hits),
            saved_nano: self
                .saved
                .load(Ordering::Relaxed)
                .saturating_sub(before.saved),
            skipped: slow.skipped.less(before.skipped),
            threshold: slow.threshold,
        };
        (count.hits > 0 || count.skipped.total() > 0).then_some(count)
    }
}

/// Locks; a thread that panicked while it held the lock has left sums that are still sums.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    const HIT: Hit = Hit {
        at: 0,
        similarity: 0.95,
        threshold: 0.9,
        entry_age: 0,
    };

    #[test]
    fn accounts_are_bounded() {
        let audit = Audit::new(Spending::default());
        for index in 0..1_000 {
            let name = format!("workflow {index}");
            let account = audit.account(&name, Sampler::default());
            let own = index < WORKFLOWS - 1;
            assert_eq!(account.name(), if own { &name } else { OTHER });
        }
        assert_eq!(audit.standings(None).len(), WORKFLOWS);
        let first = audit.account("workflow 0", Sampler::default());
        assert_eq!(first.name(), "workflow 0");
    }

    #[test]
    fn everything_is_counted_once() {
        let audit = Audit::new(Spending {
            per_minute: 1,
            per_day: 100,
        });
        let account = audit.account("a", Sampler::default());
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..3 {
            assert!(account.hit(&HIT, 7, &mut rng).taken);
        }
        let money = audit.begin(&account, 0, 60).unwrap();
        assert_eq!(audit.begin(&account, 0, 1), Err(Skip::Rate));
        assert_eq!(audit.begin(&account, 60, 60), Err(Skip::Budget));
        audit.settle(&account, money, 50);
        account.verdict(Verdict::Different, 1.0);
        account.threshold(Some(0.92));
        let counts = audit.counts(9);
        assert_eq!((counts[0].hits, counts[0].saved_nano), (3, 21));
        assert_eq!(counts[0].skipped.total(), 2);
        // It could not be written: the next has it all, and one more.
        account.hit(&HIT, 7, &mut rng);
        let counts = audit.counts(10);
        assert_eq!((counts[0].hits, counts[0].threshold), (4, Some(0.92)));
        audit.counted(&counts[0]);
        assert!(audit.counts(11).is_empty());
        let standing = &audit.standings(None)[0];
        assert_eq!(
            (standing.hits, standing.audited, standing.different),
            (4, 1, 1)
        );
        assert_eq!((standing.spent_nano, standing.saved_nano), (50, 28));
        let text = serde_json::to_string(standing).unwrap();
        assert!(text.contains(r#""skipped":{"rate":1,"budget":1,"failed":0,"unwritten":0}"#));
    }
}
