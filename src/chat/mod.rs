//! What do a conversation, its answer and its stream mean, whatever dialect they were written in?
//!
//! Two dialects meet only here: a request is read from the client's dialect into a [`Request`] and written in the provider's,
//! and the answer comes back as an [`Answer`] or as [`Event`]s. N readers and M writers, never N × M converters.
//!
//! # Invariants
//! - Nothing here knows a wire format, a route or a clock.
//! - Usage is kept in disjoint buckets; sums are a dialect's own affair.
//! - What a provider has signed goes back to that provider unchanged, and to no other: a [`Signature`] carries its maker.

mod answer;
mod embed;
mod estimate;
mod event;
mod loss;
mod part;
mod request;
mod unfold;
mod usage;

pub use answer::{Answer, Stop};
pub use embed::{EmbedAnswer, EmbedEncoding, EmbedInput, EmbedRequest, EmbedTask};
pub use event::{Event, fold};
pub use loss::{Loss, Losses, SYSTEM_PLACE};
pub use part::{Maker, Media, Part, Signature, Source};
pub use request::{
    Effort, Message, OutputFormat, Reasoning, Request, Role, Sampling, Tool, ToolChoice,
};
pub use unfold::unfold;
pub use usage::Usage;
