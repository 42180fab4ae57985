//! How does an operator ask a running gateway from the command line?
//!
//! `trimtab keys`, `budgets`, `usage`, `diff`, `cache`, `routes`, `requests`, `why` and `shadow` over the admin API: tables for people, JSON for programs; and `trimtab top`, which follows it live.
//!
//! # Invariants
//! - Nothing is called but the admin plane that was named.
//! - A token that stands in the configuration is sent to the address that stands in it, and to no other.
//! - What the gateway says is shown without control characters.

mod cache;
mod keys;
mod money;
mod options;
mod remote;
mod requests;
mod routes;
mod shadow;
mod table;
mod target;
mod top;

use std::io;

use serde_json::Value;

pub use options::{
    Budgets, Diff, Forget, Kept, Key, Keys, Remote, Requests, Routes, Steer, Top, Tried, Usage,
    What, Why,
};

use remote::Plane;

/// What is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// About keys.
    Keys(Keys),
    /// How budgets stand.
    Budgets(Budgets),
    /// What was used.
    Usage(Usage),
    /// Who is live, from where.
    Diff(Diff),
    /// What is kept of answers.
    Kept(Kept),
    /// What is to be forgotten of them.
    Forget(Forget),
    /// What became of requests.
    Requests(Box<Requests>),
    /// Why one went where it went.
    Why(Why),
    /// What is seen, live.
    Top(Top),
    /// How routes stand, and what is done with them.
    Routes(Routes),
    /// What other constants would have made of the traffic.
    Tried(Tried),
}

/// What there is to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// For whoever reads the output.
    pub text: String,
    /// Beside it, for people.
    pub remarks: String,
}

/// Why there is nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// What was asked makes no sense.
    #[error("{0}")]
    Senseless(String),
    /// The gateway refused, in its words.
    #[error("{message}")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// Why.
        message: String,
    },
    /// The gateway could not be reached, or did not answer like one.
    #[error("cannot reach the admin API at {url}: {why}\n{help}")]
    Unreachable {
        /// What was tried.
        url: String,
        /// What came of it.
        why: String,
        /// What to do.
        help: String,
    },
    /// The runtime cannot be had.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl ConsoleError {
    /// The exit code: 1 for what was refused, 2 where nobody could be asked.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Senseless(_) | Self::Refused { .. } => 1,
            Self::Unreachable { .. } | Self::System(_) => 2,
        }
    }
}

/// Asks and waits for the answer.
///
/// # Errors
/// [`ConsoleError`]
pub fn run(ask: &Ask) -> Result<Said, ConsoleError> {
    let remote = match ask {
        Ask::Keys(it) => &it.remote,
        Ask::Budgets(it) => &it.remote,
        Ask::Usage(it) => &it.remote,
        Ask::Diff(it) => &it.remote,
        Ask::Kept(it) => &it.remote,
        Ask::Forget(it) => &it.remote,
        Ask::Requests(it) => &it.remote,
        Ask::Why(it) => &it.remote,
        Ask::Top(it) => return top::run(it),
        Ask::Routes(it) => &it.remote,
        Ask::Tried(it) => &it.remote,
    };
    let target = target::target(remote, &|name| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answered = async {
        let plane = Plane::new(&target)?;
        let mut said = match ask {
            Ask::Keys(it) => keys::run(&plane, it).await?,
            Ask::Budgets(it) => money::budgets(&plane, it).await?,
            Ask::Usage(it) => money::usage(&plane, it).await?,
            Ask::Diff(it) => keys::diff(&plane, it).await?,
            Ask::Kept(it) => cache::show(&plane, it).await?,
            Ask::Forget(it) => cache::forget(&plane, it).await?,
            Ask::Requests(it) => requests::list(&plane, it).await?,
            Ask::Why(it) => requests::why(&plane, it).await?,
            // It was run before: it has no answer that is awaited.
            Ask::Top(_) => Said::default(),
            Ask::Routes(it) => routes::run(&plane, it).await?,
            Ask::Tried(it) => shadow::show(&plane, it).await?,
        };
        said.remarks.insert_str(0, &target.notes);
        Ok(said)
    };
    tokio::task::LocalSet::new().block_on(&runtime, answered)
}

/// JSON as it is printed.
fn printed(value: &Value) -> String {
    format!("{value:#}\n")
}
