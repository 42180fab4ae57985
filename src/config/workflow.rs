//! What does a workflow put into requests, and how much may be asked of it?

use std::collections::BTreeMap;

/// A workflow: a model with requests that are partly written already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workflow {
    /// What is put into every request, by name: the JSON text of each value.
    pub parameters: BTreeMap<String, String>,
    /// Instructions that stand before the client's.
    pub system: Option<String>,
    /// How much may be asked of it.
    pub limits: Limits,
    /// The fallbacks that are its own, whichever model a rule chooses; none if it takes those of the model.
    pub fallbacks: Option<Vec<usize>>,
}

/// How much may be asked of a workflow; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a minute; as many may come at once after a quiet minute.
    pub requests_per_minute: Option<u32>,
    /// Requests in flight.
    pub concurrency: Option<u32>,
}
