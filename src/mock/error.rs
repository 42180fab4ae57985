//! Why a mock does not start, or refuses to be changed.

use std::{error, fmt, io};

/// Why a mock does not start, or refuses to be changed; by what the caller can do about it.
#[derive(Debug)]
pub enum MockError {
    /// The script says something impossible: change the script.
    Script {
        /// Path of the field, such as `providers.alpha.noise`.
        at: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No provider of that name: name one of the script's.
    UnknownProvider(String),
    /// The socket or the runtime failed: choose another address or free the resource.
    Io(io::Error),
}

impl MockError {
    pub(super) fn script(at: &str, problem: &str) -> Self {
        Self::Script {
            at: at.to_owned(),
            problem: problem.to_owned(),
        }
    }
}

impl fmt::Display for MockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script { at, problem } => write!(f, "mock script: `{at}` {problem}"),
            Self::UnknownProvider(name) => write!(f, "mock: there is no provider `{name}`"),
            Self::Io(error) => write!(f, "mock: {error}"),
        }
    }
}

impl error::Error for MockError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Script { .. } | Self::UnknownProvider(_) => None,
        }
    }
}

impl From<io::Error> for MockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
