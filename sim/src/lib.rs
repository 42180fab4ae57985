//! Replays recorded traffic through the decision code under a virtual clock.
