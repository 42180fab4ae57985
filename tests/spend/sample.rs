//! Looks at every account as often as it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use trimtab::config::Nano;
use trimtab::governance::{Charge, Roster};

/// Every budget of a roster, with whose it is.
pub(crate) fn charges(roster: &Roster) -> Vec<(String, Charge)> {
    let mut all: Vec<(String, Charge)> = Vec::new();
    let members: Vec<_> = roster.members().collect();
    let of_members = members
        .iter()
        .flat_map(|member| member.tiers().chain(member.at.iter()));
    let of_providers = roster.providers().map(|it| &**it);
    for payee in of_members.chain(of_providers) {
        for charge in &payee.charges {
            // Tiers that keys share come once for each.
            if !all.iter().any(|(_, it)| it.number == charge.number) {
                all.push((payee.to_string(), charge.clone()));
            }
        }
    }
    all
}

/// A thread that looks until it is stopped.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Sampler {
    pub(crate) fn start(charges: Vec<(String, Charge)>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut looks = 0;
            while !stopped.load(Ordering::Relaxed) {
                for (whose, charge) in &charges {
                    check(whose, charge);
                }
                looks += 1;
                std::thread::yield_now();
            }
            looks
        });
        Self { stop, thread }
    }

    /// How often it looked at all of them.
    pub(crate) fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("an account was over its limit")
    }
}

/// Spent and reserved of an account, which together are within its limit.
pub(crate) fn check(whose: &str, charge: &Charge) -> (Nano, Nano) {
    let view = charge.account.view(charge.limit);
    assert!(
        view.spent.plus(view.reserved) <= view.limit,
        "{whose}: {view:?}"
    );
    assert_eq!(view.overruns, 0, "{whose}: more was used than reserved");
    (view.spent, view.reserved)
}
