//! How does Black Forest Labs make an image?
//!
//! Every request is a job: `POST /v1/{model}` names a polling URL, which may be on a regional host and takes the key.
//! There is no way to cancel. One image a request, so `n` above 1 is refused.
//! Sources: BFL's API reference and integration guidelines (docs.bfl.ai).
//!
//! # Invariants
//! - The polling URL is BFL's own or the configured origin's, or the job fails.

use http::Method;
use scoring::time::Span;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::call::{Auth, Call, Unfit};
use super::job::{Finished, Ground, Heard, Hints, Image, Progress, Word};
use super::output::Format;
use super::reach::{Base, Place, is_segment};
use super::request::ImageRequest;
use super::size::{FLUX, Grid, Size};
use super::vendor::{add_extra, base64, losses, put};
use super::verdict::{Failed, Kind};
use crate::chat::Losses;

/// Hosts of the API (`api.bfl.ai`, `api.eu.bfl.ai`, …) and of the pictures (`delivery-eu1.bfl.ai`, …).
pub(super) const PLACES: &[Place] = &[Place::of(".bfl.ai")];

/// Input pictures that FLUX.2 takes. Source: BFL's API reference.
const INPUTS: usize = 8;

/// What FLUX.1 draws: multiples of 32 from 256 to 1440.
const FLUX1: Grid = Grid {
    step: 32,
    least: 256,
    most: 1_440,
};

/// What FLUX.2 draws: multiples of 16, to four megapixels.
const FLUX2: Grid = Grid {
    step: 16,
    least: 64,
    most: 2_048,
};

/// BFL's answer to a submission or a poll.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) id: Option<String>,
    pub(super) polling_url: Option<String>,
    pub(super) status: Option<String>,
    pub(super) cost: Option<f64>,
    pub(super) progress: Option<f64>,
    pub(super) result: Option<Outcome>,
    pub(super) details: Option<Value>,
}

/// What came of a job.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Outcome {
    sample: Option<String>,
    seed: Option<u64>,
    duration: Option<f64>,
}

/// Writes the submission.
pub(super) fn submit(
    request: &ImageRequest,
    model: &str,
    base: &Base,
) -> Result<(Call, Losses), Unfit> {
    if !is_segment(model) {
        return Err(Unfit::lacking("model"));
    }
    let fill = model.contains("fill");
    let mut carried = vec![
        "size",
        "steps",
        "guidance",
        "seed",
        "output_format",
        "image",
    ];
    if fill {
        carried.push("mask");
    }
    let losses = losses(request, &carried)?;
    let mut body = Map::new();
    put(&mut body, "prompt", Some(request.prompt.as_str()));
    put(&mut body, "seed", request.seed);
    put(&mut body, "steps", request.steps);
    put(&mut body, "guidance", request.guidance);
    match request.format {
        Some(Format::Webp) => return Err(Unfit::lacking("output_format")),
        format => put(&mut body, "output_format", format.map(Format::name)),
    }
    size(&mut body, request.size, model)?;
    if request.images.len()
        > if model.starts_with("flux-2") {
            INPUTS
        } else {
            1
        }
    {
        return Err(Unfit::lacking("image"));
    }
    for (at, picture) in request.images.iter().enumerate() {
        let name = match at {
            0 if fill => "image".to_owned(),
            0 => "input_image".to_owned(),
            at => format!("input_image_{}", at + 1),
        };
        put(&mut body, &name, Some(base64(picture)));
    }
    put(&mut body, "mask", request.mask.as_ref().map(base64));
    add_extra(&mut body, request);
    let url = base.versioned("/v1").at(&format!("/{model}"));
    Ok((Call::json(url, Auth::XKey, &Value::Object(body)), losses))
}

/// Puts the size the way the model takes it.
fn size(body: &mut Map<String, Value>, size: Size, model: &str) -> Result<(), Unfit> {
    if size == Size::Auto {
        return Ok(());
    }
    if model.contains("kontext") || model.contains("ultra") {
        let ratio = size.listed(FLUX).ok_or_else(|| Unfit::lacking("size"))?;
        put(body, "aspect_ratio", Some(ratio));
        return Ok(());
    }
    let grid = if model.starts_with("flux-2") {
        FLUX2
    } else {
        FLUX1
    };
    let pixels = size.on(grid).ok_or_else(|| Unfit::lacking("size"))?;
    put(body, "width", Some(pixels.width));
    put(body, "height", Some(pixels.height));
    Ok(())
}

/// Reads an answer.
pub(super) fn read(heard: &Heard<'_>, ground: Ground<'_>) -> Word {
    let Ok(answer) = serde_json::from_slice::<Answer>(heard.body) else {
        return Word::Failed(Failed::nonsense("is not what the provider documents"));
    };
    if ground.accepted || answer.status.is_some() {
        return status(&answer);
    }
    let url = match (&answer.polling_url, &answer.id) {
        (Some(url), _) => ground.base.permit(url, PLACES),
        (None, Some(id)) if is_segment(id) => {
            let base = ground.base.versioned("/v1");
            Some(base.at(&format!("/get_result?id={id}")))
        }
        _ => None,
    };
    match url {
        None => Word::Failed(Failed::nonsense("names no polling URL of its own")),
        Some(url) => Word::Accepted {
            poll: Call::bare(Method::GET, url, Auth::XKey),
            cancel: None,
            progress: Some(Progress::Queued(None)),
        },
    }
}

/// What a job's status means; Fireworks tells the same ones.
pub(super) fn status(answer: &Answer) -> Word {
    let progress = answer
        .progress
        .map(|part| (part.clamp(0.0, 1.0) * 100.0) as u8);
    match answer.status.as_deref() {
        Some("Pending" | "Processing" | "Queued") => {
            Word::Waiting(Some(Progress::Running(progress)))
        }
        Some("Request Moderated" | "Content Moderated") => Word::Failed(Failed::moderated()),
        Some("Task not found") => Word::Failed(Failed::new(
            Kind::Server,
            "The provider no longer knows the job.",
        )),
        Some("Ready") => {
            let result = answer.result.as_ref();
            let Some(url) = result.and_then(|result| result.sample.as_deref()) else {
                return Word::Failed(Failed::nonsense("holds no picture"));
            };
            Word::Ready(Finished {
                images: vec![Image {
                    seed: result.and_then(|result| result.seed),
                    ..Image::at(url)
                }],
                hints: Hints {
                    credits: answer.cost,
                    compute: result
                        .and_then(|result| result.duration)
                        .map(Span::from_secs_f64),
                    ..Hints::default()
                },
            })
        }
        Some("Error" | "Failed") => {
            let words = answer.details.as_ref().map(Value::to_string);
            Word::Failed(Failed::told(&words.unwrap_or_default()))
        }
        _ => Word::Failed(Failed::nonsense("has no status that is known")),
    }
}
