//! The terminal: taken over, given back, and what live screens draw alike.
//!
//! # Invariants
//! - The terminal is restored when a [`Screen`] is dropped, and before a panic is told of.
//! - No control character that came from elsewhere is written to it: see [`clean`].

mod screen;
mod widgets;

pub use screen::Screen;
pub use widgets::{bar, clean, framed, right, without_colours};
