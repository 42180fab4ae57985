//! How is a picture asked of any vendor, and how does it come back as OpenAI's?
//!
//! [`Vendor::submit`] writes a client's request for a vendor; the [`Job`] it starts is told each answer and says the next [`Step`];
//! [`answer`] writes the end of it for the client. Nothing here opens a connection, reads a clock or waits:
//! the proxy carries bytes and keys, keeps deadlines, and makes the call that [`Job::cancel`] returns when a client leaves.
//!
//! # Invariants
//! - Once a vendor has accepted a job, nothing is submitted again.
//! - A URL that a vendor returns is called only on the vendor's own origins or the configured one.
//! - No credential enters this room.
//! - What a vendor cannot be told is refused or named, never silently replaced.

pub mod answer;
mod bfl;
mod call;
mod fal;
mod fields;
mod fireworks;
mod form;
mod job;
mod openai;
mod output;
mod reach;
mod replicate;
mod request;
mod size;
mod stability;
mod vendor;
mod verdict;

#[cfg(test)]
mod tests;

pub use call::{Auth, Call, Start, Unfit};
pub use form::{Field, split};
pub use job::{Content, Finished, Heard, Hints, Image, Job, PICTURE_BYTES, Progress, Step};
pub use output::{Background, Delivery, Format};
pub use reach::{Base, Url};
pub use request::{ImageRequest, Malformed, Picture, Streaming, Task, USUAL_WORK};
pub use size::{Pixels, Ratio, Size};
pub use vendor::Vendor;
pub use verdict::{Failed, Kind};
