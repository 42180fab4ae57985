//! Who makes images, and what can each be told?
//!
//! A vendor is chosen by the operator; this file sends a request to the right writer and an answer to the right reader.
//!
//! # Invariants
//! - Every field of a request is carried, or named among the losses; without one that changes the meaning nothing is sent.
//! - A client's unknown field never overrides one that the gateway wrote, and never names a webhook.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::call::{Start, Unfit};
use super::job::{Ground, Heard, Job, Word};
use super::output::{Background, Delivery};
use super::reach::{Base, Place};
use super::request::{ImageRequest, Picture, Streaming, Task};
use super::size::Size;
use super::{bfl, fal, fireworks, openai, replicate, stability};
use crate::chat::{Loss, Losses};

/// A maker of images, by the API that it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// OpenAI, and whoever speaks exactly its API. Base: `https://api.openai.com/v1`.
    OpenAi,
    /// Together, OpenAI's API with width, height and steps. Base: `https://api.together.xyz/v1`.
    Together,
    /// Fireworks' workflows. Base: `https://api.fireworks.ai/inference/v1`.
    Fireworks,
    /// Stability v2beta. Base: `https://api.stability.ai/v2beta`.
    Stability,
    /// fal. Base: `https://queue.fal.run` for its queue, `https://fal.run` to wait in the request.
    Fal,
    /// Replicate. Base: `https://api.replicate.com/v1`.
    Replicate,
    /// Black Forest Labs. Base: `https://api.bfl.ai/v1`.
    Bfl,
}

/// Fields that every vendor carries, or that are no matter of a vendor's.
const ALWAYS: &[&str] = &["response_format"];

impl Vendor {
    /// Every vendor.
    pub const ALL: [Self; 7] = [
        Self::OpenAi,
        Self::Together,
        Self::Fireworks,
        Self::Stability,
        Self::Fal,
        Self::Replicate,
        Self::Bfl,
    ];

    /// The name for configurations, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Together => "together",
            Self::Fireworks => "fireworks",
            Self::Stability => "stability",
            Self::Fal => "fal",
            Self::Replicate => "replicate",
            Self::Bfl => "bfl",
        }
    }

    /// The vendor of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vendor| vendor.name() == name)
    }

    /// Writes a request for this vendor; `model` is the model's name there.
    ///
    /// # Errors
    /// Says what the vendor cannot be told, or what no vendor could be.
    pub fn submit(self, request: &ImageRequest, model: &str, base: &Base) -> Result<Start, Unfit> {
        if request.task == Task::Vary && self != Self::OpenAi {
            return Err(Unfit::lacking("variations"));
        }
        let (call, losses) = match self {
            Self::OpenAi => openai::submit(request, model, base),
            Self::Together => openai::submit_together(request, model, base),
            Self::Fireworks => fireworks::submit(request, model, base),
            Self::Stability => stability::submit(request, model, base),
            Self::Fal => fal::submit(request, model, base),
            Self::Replicate => replicate::submit(request, model, base),
            Self::Bfl => bfl::submit(request, model, base),
        }?;
        let job = Job::new(self, request, model, base);
        Ok(Start { job, call, losses })
    }

    /// Whether it answers a submission at once, with a job, and not when the pictures are there.
    pub(super) fn is_prompt(self, model: &str, base: &Base) -> bool {
        match self {
            Self::OpenAi | Self::Together | Self::Stability => false,
            Self::Fireworks => fireworks::is_job(model),
            Self::Fal => fal::is_queue(base),
            Self::Replicate | Self::Bfl => true,
        }
    }

    /// Whether a job that is made of a submission can be cancelled.
    pub(super) fn cancels(self, base: &Base) -> bool {
        self == Self::Replicate || (self == Self::Fal && fal::is_queue(base))
    }

    /// Reads an answer of this vendor's whose status is a success.
    pub(super) fn read(self, heard: &Heard<'_>, ground: Ground<'_>) -> Word {
        match self {
            Self::OpenAi | Self::Together => openai::read(heard),
            Self::Fireworks => fireworks::read(heard, ground),
            Self::Stability => stability::read(heard, ground),
            Self::Fal => fal::read(heard, ground),
            Self::Replicate => replicate::read(heard, ground),
            Self::Bfl => bfl::read(heard, ground),
        }
    }

    /// Where this vendor's pictures are, besides the configured origin.
    pub(super) const fn result_places(self) -> &'static [Place] {
        match self {
            Self::OpenAi => openai::RESULTS,
            Self::Together => openai::TOGETHER_RESULTS,
            Self::Fireworks => fireworks::PLACES,
            Self::Stability => &[],
            Self::Fal => fal::RESULTS,
            Self::Replicate => replicate::RESULTS,
            Self::Bfl => bfl::PLACES,
        }
    }

    /// Whether the vendor's own choice between URL and content stands where the client made none.
    pub(super) fn delivers_as_it_likes(self) -> bool {
        self == Self::OpenAi
    }
}

/// What of `request` is lost on a vendor that carries the fields `carried`.
///
/// # Errors
/// Refuses if the request means something else without what is lost.
pub(super) fn losses(request: &ImageRequest, carried: &[&str]) -> Result<Losses, Unfit> {
    use Loss::{Hint, Meaning};
    let transparent = request.background == Background::Transparent;
    let partial = matches!(request.streaming, Streaming::Yes(1..));
    let fields = [
        (
            "negative_prompt",
            request.negative_prompt.is_some(),
            Meaning,
        ),
        ("n", request.n > 1, Meaning),
        ("size", request.size != Size::Auto, Meaning),
        ("quality", request.quality.is_some(), Hint),
        ("steps", request.steps.is_some(), Hint),
        ("guidance", request.guidance.is_some(), Hint),
        ("seed", request.seed.is_some(), Hint),
        ("strength", request.strength.is_some(), Hint),
        ("output_format", request.format.is_some(), Meaning),
        ("output_compression", request.compression.is_some(), Hint),
        ("background", transparent, Meaning),
        ("partial_images", partial, Hint),
        ("user", request.user.is_some(), Hint),
        ("style", request.style.is_some(), Hint),
        ("moderation", request.moderation.is_some(), Hint),
        ("input_fidelity", request.input_fidelity.is_some(), Hint),
        ("image", !request.images.is_empty(), Meaning),
        ("mask", request.mask.is_some(), Meaning),
        (
            "webhook",
            request.extra.keys().any(|name| is_webhook(name)),
            Hint,
        ),
    ];
    let mut losses = Losses::default();
    for (name, said, loss) in fields {
        let is_carried = carried.contains(&name) || ALWAYS.contains(&name);
        losses.add_if(said && !is_carried, name, loss);
    }
    if losses.of_meaning().is_some() {
        return Err(Unfit::Lossy(losses));
    }
    Ok(losses)
}

/// Refuses a request for URLs, at a vendor that hands over bytes only.
pub(super) fn bytes_only(request: &ImageRequest) -> Result<(), Unfit> {
    if request.delivery == Delivery::Url {
        return Err(Unfit::lacking("response_format"));
    }
    Ok(())
}

/// Adds the client's unknown fields that are not there yet.
pub(super) fn add_extra(body: &mut Map<String, Value>, request: &ImageRequest) {
    for (name, value) in &request.extra {
        if !is_webhook(name) && !body.contains_key(name) {
            body.insert(name.clone(), value.clone());
        }
    }
}

/// Adds a field that was said.
pub(super) fn put(body: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value.into());
    }
}

/// A picture in base64.
pub(super) fn base64(picture: &Picture) -> String {
    STANDARD.encode(&picture.data)
}

/// A picture as a `data:` URL.
pub(super) fn data_url(picture: &Picture) -> String {
    format!("data:{};base64,{}", picture.format.media(), base64(picture))
}

fn is_webhook(name: &str) -> bool {
    name.contains("webhook")
}
