//! When does a request go to another model's routes?
//!
//! Rules as configured, with their CEL expressions compiled; [`routing`](crate::routing) evaluates them.
//!
//! # Invariants
//! - A rule has at least one condition, and its model exists.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::expression::Expression;

/// Headers that carry credentials: no rule sees them.
pub const CREDENTIALS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
];

/// Sends the requests that meet all its conditions to another model's routes.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What must hold; all of it.
    pub conditions: Vec<Condition>,
    /// The model whose routes serve then, as an index.
    pub model: usize,
}

/// What must hold of a request.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A header of the client's has this value.
    Header(HeaderName, HeaderValue),
    /// The estimate of its input is at least so many tokens.
    AtLeast(u32),
    /// The estimate of its input is at most so many tokens.
    AtMost(u32),
    /// Whether it asks for a stream.
    Stream(bool),
    /// Who asks belongs to this team.
    Team(String),
    /// Who asks holds the key of this name.
    Key(String),
    /// The expression is true.
    Expression(Arc<Expression>),
}
