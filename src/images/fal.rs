//! How does fal make an image?
//!
//! Its queue takes a job, tells its place in it, and keeps the result at another URL; `fal.run` is the same without the job.
//! Which of the two is meant is the base's affair: an answer tells by its shape what it is. Up to four images a request, as `num_images`.
//! Sources: fal's queue reference and the input schemas of its FLUX models.
//!
//! # Invariants
//! - A job's URLs are fal's own or the configured origin's, or the job fails.

use http::Method;
use scoring::time::Span;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Auth, Call, Unfit};
use super::job::{Content, Finished, Ground, Heard, Hints, Image, Progress, Word, media_format};
use super::output::Format;
use super::reach::{Base, Place, Url, is_path, is_segment};
use super::request::{ImageRequest, Picture};
use super::size::{FLUX, Grid, Size};
use super::vendor::{add_extra, data_url, losses, put};
use super::verdict::Failed;
use crate::chat::Losses;

/// Hosts of the API.
const PLACES: &[Place] = &[Place::of("queue.fal.run"), Place::of("fal.run")];

/// Hosts of the pictures; the last is shared, and fal's below its own path.
pub(super) const RESULTS: &[Place] = &[
    Place::of("fal.media"),
    Place::of(".fal.media"),
    Place {
        host: "storage.googleapis.com",
        path: "/falserverless/",
    },
];

/// The most images of one request. Source: the FLUX models' schemas.
const IMAGES: u32 = 4;

/// Sizes in pixels that the FLUX models take.
const GRID: Grid = Grid {
    step: 8,
    least: 64,
    most: 14_142,
};

/// Parts of a model's name after which it takes a ratio and no pixels. Source: the models' schemas.
const BY_RATIO: &[&str] = &["ultra", "kontext", "nano-banana", "imagen", "gemini"];

/// First segments of names that have one segment more than others.
const NAMESPACES: &[&str] = &["workflows", "comfy"];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    request_id: Option<String>,
    status: Option<String>,
    queue_position: Option<u32>,
    status_url: Option<String>,
    response_url: Option<String>,
    cancel_url: Option<String>,
    error: Option<Value>,
    images: Option<Vec<Output>>,
    image: Option<Output>,
    seed: Option<Value>,
    has_nsfw_concepts: Option<Vec<bool>>,
    timings: Option<Timings>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Output {
    url: Option<String>,
    content_type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Timings {
    inference: Option<f64>,
}

/// Writes the submission.
pub(super) fn submit(
    request: &ImageRequest,
    model: &str,
    base: &Base,
) -> Result<(Call, Losses), Unfit> {
    if !is_path(model) {
        return Err(Unfit::lacking("model"));
    }
    let flux = model.contains("flux");
    let mut carried = vec![
        "n",
        "size",
        "steps",
        "guidance",
        "seed",
        "strength",
        "output_format",
        "image",
        "mask",
    ];
    if !flux {
        carried.push("negative_prompt");
    }
    let losses = losses(request, &carried)?;
    if request.n > IMAGES {
        return Err(Unfit::lacking("n"));
    }
    let mut body = Map::new();
    put(&mut body, "prompt", Some(request.prompt.as_str()));
    put(
        &mut body,
        "negative_prompt",
        request.negative_prompt.as_deref(),
    );
    put(
        &mut body,
        "num_images",
        (request.n > 1).then_some(request.n),
    );
    put(&mut body, "num_inference_steps", request.steps);
    put(&mut body, "guidance_scale", request.guidance);
    put(&mut body, "seed", request.seed);
    put(&mut body, "strength", request.strength);
    match request.format {
        Some(Format::Webp) if flux => return Err(Unfit::lacking("output_format")),
        format => put(&mut body, "output_format", format.map(Format::name)),
    }
    size(&mut body, request.size, model)?;
    images(&mut body, &request.images, model);
    put(&mut body, "mask_url", request.mask.as_ref().map(data_url));
    add_extra(&mut body, request);
    let url = base.at(&format!("/{model}"));
    Ok((Call::json(url, Auth::Key, &Value::Object(body)), losses))
}

/// Puts the size the way the model takes it: a ratio, or a name, or pixels.
fn size(body: &mut Map<String, Value>, size: Size, model: &str) -> Result<(), Unfit> {
    let unfit = || Unfit::lacking("size");
    if size == Size::Auto {
        return Ok(());
    }
    if BY_RATIO.iter().any(|part| model.contains(part)) {
        put(
            body,
            "aspect_ratio",
            Some(size.listed(FLUX).ok_or_else(unfit)?),
        );
        return Ok(());
    }
    let value = match size.fal() {
        Some(name) => Value::from(name),
        None => {
            let pixels = size.on(GRID).ok_or_else(unfit)?;
            json!({"width": pixels.width, "height": pixels.height})
        }
    };
    put(body, "image_size", Some(value));
    Ok(())
}

/// Puts the pictures: one alone, or a list where the model edits several.
fn images(body: &mut Map<String, Value>, pictures: &[Picture], model: &str) {
    let several = model.ends_with("/edit") || model.contains("multi") || pictures.len() > 1;
    if several && !pictures.is_empty() {
        let urls: Vec<Value> = pictures.iter().map(|it| data_url(it).into()).collect();
        put(body, "image_urls", Some(urls));
    } else {
        put(body, "image_url", pictures.first().map(data_url));
    }
}

/// Reads an answer.
pub(super) fn read(heard: &Heard<'_>, ground: Ground<'_>) -> Word {
    let Ok(answer) = serde_json::from_slice::<Answer>(heard.body) else {
        return Word::Failed(Failed::nonsense("is not what the provider documents"));
    };
    match answer.status.as_deref() {
        None if answer.images.is_some() || answer.image.is_some() => ready(answer, heard),
        Some("IN_QUEUE") if !ground.accepted => accepted(&answer, ground),
        None if !ground.accepted && answer.request_id.is_some() => accepted(&answer, ground),
        Some("IN_QUEUE") => Word::Waiting(Some(Progress::Queued(answer.queue_position))),
        Some("IN_PROGRESS") => Word::Waiting(Some(Progress::Running(None))),
        Some("COMPLETED") => match answer.error {
            Some(error) if !error.is_null() => Word::Failed(Failed::told(&error.to_string())),
            _ => match url_of(&answer, answer.response_url.as_deref(), "", ground) {
                Some(url) => Word::Look(Call::bare(Method::GET, url, Auth::Key)),
                None => Word::Failed(Failed::nonsense("names no result of its own")),
            },
        },
        Some("FAILED" | "ERROR") => {
            let error = answer.error.map(|error| error.to_string());
            Word::Failed(Failed::told(&error.unwrap_or_default()))
        }
        Some("CANCELED" | "CANCELLED") => Word::Failed(Failed::told("the job was cancelled")),
        _ => Word::Failed(Failed::nonsense("has no status that is known")),
    }
}

/// Whether a base is that of the queue.
pub(super) fn is_queue(base: &Base) -> bool {
    let url = base.at("/");
    url.host() == "queue.fal.run" || url.path_and_query().contains("/queue.fal.run/")
}

fn accepted(answer: &Answer, ground: Ground<'_>) -> Word {
    let status = url_of(answer, answer.status_url.as_deref(), "/status", ground);
    let cancel = url_of(answer, answer.cancel_url.as_deref(), "/cancel", ground);
    match status {
        None => Word::Failed(Failed::nonsense("names no polling URL of its own")),
        Some(url) => Word::Accepted {
            poll: Call::bare(Method::GET, url, Auth::Key),
            cancel: cancel.map(|url| Call::bare(Method::PUT, url, Auth::Key)),
            progress: Some(Progress::Queued(answer.queue_position)),
        },
    }
}

/// A job's URL: the one told if it is fal's own, or where none is told the documented one below the base.
fn url_of(answer: &Answer, told: Option<&str>, what: &str, ground: Ground<'_>) -> Option<Url> {
    if let Some(told) = told {
        return ground.base.permit(told, PLACES);
    }
    let id = answer.request_id.as_deref().filter(|id| is_segment(id))?;
    let length = match ground.model.split('/').next() {
        Some(first) if NAMESPACES.contains(&first) => 3,
        _ => 2,
    };
    let app: Vec<&str> = ground.model.split('/').take(length).collect();
    Some(
        ground
            .base
            .at(&format!("/{}/requests/{id}{what}", app.join("/"))),
    )
}

/// The pictures, without those that the filter has blackened.
fn ready(answer: Answer, heard: &Heard<'_>) -> Word {
    let flags = answer.has_nsfw_concepts.unwrap_or_default();
    let seed = answer.seed.as_ref().and_then(Value::as_u64);
    let outputs = answer
        .images
        .unwrap_or_default()
        .into_iter()
        .chain(answer.image);
    let flagged = |at: usize| flags.get(at).copied().unwrap_or(false);
    let images: Vec<Image> = outputs
        .enumerate()
        .filter(|(at, _)| !flagged(*at))
        .filter_map(|(_, output)| {
            Some(Image {
                format: output.content_type.as_deref().and_then(media_format),
                seed,
                ..Image::new(Content::Url(output.url?))
            })
        })
        .collect();
    if images.is_empty() && flags.contains(&true) {
        return Word::Failed(Failed::moderated());
    }
    let units = heard.headers.get("x-fal-billable-units");
    Word::Ready(Finished {
        images,
        hints: Hints {
            compute: answer
                .timings
                .and_then(|timings| timings.inference)
                .map(Span::from_secs_f64),
            units: units.and_then(|units| units.to_str().ok()?.parse().ok()),
            ..Hints::default()
        },
    })
}
