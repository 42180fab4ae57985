//! How does Fireworks make an image?
//!
//! Its workflows answer `text_to_image` with the picture's bytes; the Kontext models make a job, which is polled by a POST that names it.
//! One image a request. A job cannot be cancelled.
//! Sources: Fireworks' API reference (`text_to_image`, `get_result`).
//!
//! # Invariants
//! - Polls go to the configured base only.

use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::bfl;
use super::call::{Auth, Call, Unfit};
use super::job::{Content, Finished, Ground, Heard, Hints, Image, Progress, Word};
use super::output::Format;
use super::reach::{Base, Place, is_path, is_segment};
use super::request::ImageRequest;
use super::size::{FLUX, STABILITY, Size};
use super::vendor::{add_extra, bytes_only, data_url, losses, put};
use super::verdict::Failed;
use crate::chat::Losses;

/// Hosts of the pictures of jobs.
pub(super) const PLACES: &[Place] = &[Place::of(".fireworks.ai"), Place::of(".bfl.ai")];

#[derive(Deserialize)]
struct Accepted {
    request_id: String,
}

/// Writes the submission.
pub(super) fn submit(
    request: &ImageRequest,
    model: &str,
    base: &Base,
) -> Result<(Call, Losses), Unfit> {
    let path = path(model).ok_or_else(|| Unfit::lacking("model"))?;
    let kontext = is_job(model);
    let mut carried = vec!["size", "seed", "output_format"];
    carried.extend(if kontext {
        ["image", ""]
    } else {
        ["steps", "guidance"]
    });
    let losses = losses(request, &carried)?;
    let mut body = Map::new();
    put(&mut body, "prompt", Some(request.prompt.as_str()));
    put(&mut body, "seed", request.seed);
    let list = if kontext { FLUX } else { STABILITY };
    if request.size != Size::Auto {
        let ratio = request.size.listed(list);
        let ratio = ratio.ok_or_else(|| Unfit::lacking("size"))?;
        put(&mut body, "aspect_ratio", Some(ratio));
    }
    if request.format == Some(Format::Webp) {
        return Err(Unfit::lacking("output_format"));
    }
    let base = base.versioned("/v1");
    if kontext {
        if request.images.len() > 1 {
            return Err(Unfit::lacking("image"));
        }
        put(
            &mut body,
            "input_image",
            request.images.first().map(data_url),
        );
        put(&mut body, "output_format", request.format.map(Format::name));
        add_extra(&mut body, request);
        let call = Call::json(base.at(&path), Auth::Bearer, &Value::Object(body));
        return Ok((call, losses));
    }
    bytes_only(request)?;
    put(&mut body, "num_inference_steps", request.steps);
    put(&mut body, "guidance_scale", request.guidance);
    add_extra(&mut body, request);
    let url = base.at(&format!("{path}/text_to_image"));
    let accept = match request.format {
        Some(Format::Png) => "image/png",
        _ => "image/jpeg",
    };
    let call = Call::json(url, Auth::Bearer, &Value::Object(body)).accepting(accept);
    Ok((call, losses))
}

/// Reads an answer.
pub(super) fn read(heard: &Heard<'_>, ground: Ground<'_>) -> Word {
    let kind = heard.headers.get(CONTENT_TYPE).map(|it| it.as_bytes());
    if kind.is_some_and(|kind| kind.starts_with(b"image/")) {
        return picture(heard);
    }
    if ground.accepted {
        return match serde_json::from_slice::<bfl::Answer>(heard.body) {
            Ok(answer) => bfl::status(&answer),
            Err(_) => Word::Failed(Failed::nonsense("is not what the provider documents")),
        };
    }
    let accepted = serde_json::from_slice::<Accepted>(heard.body).ok();
    let id = accepted.map(|it| it.request_id).filter(|id| is_segment(id));
    let (Some(id), Some(path)) = (id, path(ground.model)) else {
        return Word::Failed(Failed::nonsense("names no job"));
    };
    let url = ground
        .base
        .versioned("/v1")
        .at(&format!("{path}/get_result"));
    Word::Accepted {
        poll: Call::json(url, Auth::Bearer, &json!({"id": id})),
        cancel: None,
        progress: Some(Progress::Queued(None)),
    }
}

/// A picture that is the answer's body, with its seed and what the filter said in the headers.
pub(super) fn picture(heard: &Heard<'_>) -> Word {
    let header = |name: &str| heard.headers.get(name)?.to_str().ok();
    let reason = header("finish-reason").or_else(|| header("finish_reason"));
    if reason == Some("CONTENT_FILTERED") {
        return Word::Failed(Failed::moderated());
    }
    Word::Ready(Finished {
        images: vec![Image {
            seed: header("seed").and_then(|seed| seed.parse().ok()),
            ..Image::new(Content::Bytes(heard.body.clone()))
        }],
        hints: Hints::default(),
    })
}

/// Whether the model makes a job.
pub(super) fn is_job(model: &str) -> bool {
    model.contains("kontext")
}

/// The path of a model's workflow; a bare name is one of Fireworks' own models.
fn path(model: &str) -> Option<String> {
    if !is_path(model) {
        return None;
    }
    Some(if model.contains('/') {
        format!("/workflows/{model}")
    } else {
        format!("/workflows/accounts/fireworks/models/{model}")
    })
}
