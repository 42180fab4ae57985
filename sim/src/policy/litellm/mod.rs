//! LiteLLM's router: its cooldown, what a deployment used in this minute, and the strategies over them.
//!
//! Source: BerriAI/litellm, `litellm/router.py`, `router_utils/cooldown_handlers.py` and `router_strategy/`.
//!
//! # Invariants
//! - No strategy picks a deployment in cooldown; with every untried one in cooldown the request is refused, as the router raises "no deployments available".

mod cooldown;
mod latency;
mod minute;
mod shuffle;
mod usage;

pub use latency::LitellmLatency;
pub use shuffle::LitellmShuffle;
pub use usage::LitellmUsage;
