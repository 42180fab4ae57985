//! How does Stability make an image?
//!
//! `POST /v2beta/stable-image/generate/{core,ultra,sd3}`, always as a form, and the picture is the answer; an edit with a mask goes to `edit/inpaint`.
//! A few of its services make a job instead, told by status 202, whose result is polled until it is one.
//! One image a request, and bytes only: a request for URLs is refused.
//! Sources: Stability's v2beta API reference.
//!
//! # Invariants
//! - A picture that was filtered comes with status 200, and is a refusal all the same.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::call::{Auth, Call, Unfit};
use super::fireworks::picture;
use super::form::Form;
use super::job::{Content, Finished, Ground, Heard, Hints, Image, Word};
use super::output::Format;
use super::reach::{Base, is_segment};
use super::request::{ImageRequest, Task};
use super::size::{STABILITY, Size};
use super::vendor::{bytes_only, losses};
use super::verdict::Failed;
use crate::chat::{Loss, Losses};

/// How far from the input picture where the client does not say, since the vendor requires a number.
const STRENGTH: f64 = 0.7;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    id: Option<String>,
    image: Option<String>,
    finish_reason: Option<String>,
    seed: Option<u64>,
}

/// Writes the submission.
pub(super) fn submit(
    request: &ImageRequest,
    model: &str,
    base: &Base,
) -> Result<(Call, Losses), Unfit> {
    let service = model.strip_prefix("stable-image-").unwrap_or(model);
    let service = match service {
        "core" | "ultra" => service,
        sd3 if sd3.starts_with("sd3") && is_segment(sd3) => "sd3",
        _ => return Err(Unfit::lacking("model")),
    };
    bytes_only(request)?;
    let edit = request.task == Task::Edit;
    let mut carried = vec!["negative_prompt", "seed", "output_format"];
    if !edit {
        carried.push("size");
    } else if request.mask.is_some() {
        carried.extend(["image", "mask"]);
    } else if service != "core" {
        carried.extend(["image", "strength"]);
    }
    if service == "sd3" {
        carried.push("guidance");
    }
    let mut losses = losses(request, &carried)?;
    let mut form = Form::default();
    form.text("prompt", request.prompt.as_str());
    if let Some(negative) = &request.negative_prompt {
        form.text("negative_prompt", negative.as_str());
    }
    if let Some(seed) = request.seed {
        // Why: the vendor's seeds have 32 bits, and its 4294967295 is one too many.
        let seed = u32::try_from(seed).ok().filter(|seed| *seed < u32::MAX);
        form.text(
            "seed",
            seed.ok_or_else(|| Unfit::lacking("seed"))?.to_string(),
        );
    }
    form.text("output_format", request.format.map_or("png", Format::name));
    let path = if edit {
        pictures(&mut form, request, service)?
    } else {
        if request.size != Size::Auto {
            let ratio = request.size.listed(STABILITY);
            form.text("aspect_ratio", ratio.ok_or_else(|| Unfit::lacking("size"))?);
        }
        format!("generate/{service}")
    };
    if service == "sd3" && path.starts_with("generate") {
        form.text("model", if model == "sd3" { "sd3.5-large" } else { model });
        if let Some(guidance) = request.guidance {
            form.text("cfg_scale", guidance.to_string());
        }
    }
    extra(&mut form, request, &mut losses);
    let url = base
        .versioned("/v2beta")
        .at(&format!("/stable-image/{path}"));
    let call = Call::form(url, Auth::Bearer, form.finish()).accepting("image/*");
    Ok((call, losses))
}

/// Adds the pictures of an edit, and says which service makes it.
fn pictures(form: &mut Form, request: &ImageRequest, service: &str) -> Result<String, Unfit> {
    let [picture] = request.images.as_slice() else {
        return Err(Unfit::lacking("image"));
    };
    form.file(
        "image",
        "image",
        picture.format.media(),
        picture.data.clone(),
    );
    if let Some(mask) = &request.mask {
        form.file("mask", "mask", mask.format.media(), mask.data.clone());
        return Ok("edit/inpaint".to_owned());
    }
    form.text("strength", request.strength.unwrap_or(STRENGTH).to_string());
    if service == "sd3" {
        form.text("mode", "image-to-image");
    }
    Ok(format!("generate/{service}"))
}

/// Adds the client's unknown fields that a form can carry.
fn extra(form: &mut Form, request: &ImageRequest, losses: &mut Losses) {
    for (name, value) in &request.extra {
        match value {
            _ if name.contains("webhook") || form.has(name) => {}
            Value::String(text) => form.text(name, text.as_str()),
            Value::Bool(_) | Value::Number(_) => form.text(name, value.to_string()),
            _ => losses.add("extra fields", Loss::Hint),
        }
    }
}

/// Reads an answer.
pub(super) fn read(heard: &Heard<'_>, ground: Ground<'_>) -> Word {
    let image = HeaderValue::from_static("image/");
    let kind = heard.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.starts_with(image.as_bytes())) {
        return picture(heard);
    }
    if ground.accepted && heard.status == StatusCode::ACCEPTED {
        return Word::Waiting(None);
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(heard.body) else {
        return Word::Failed(Failed::nonsense("is not what the provider documents"));
    };
    if answer.finish_reason.as_deref() == Some("CONTENT_FILTERED") {
        return Word::Failed(Failed::moderated());
    }
    if let Some(text) = answer.image {
        return Word::Ready(Finished {
            images: vec![Image {
                seed: answer.seed,
                ..Image::new(Content::Base64(text.into()))
            }],
            hints: Hints::default(),
        });
    }
    match answer.id.filter(|id| is_segment(id)) {
        Some(id) if !ground.accepted => {
            let url = ground
                .base
                .versioned("/v2beta")
                .at(&format!("/results/{id}"));
            Word::Accepted {
                poll: Call::bare(Method::GET, url, Auth::Bearer).accepting("image/*"),
                cancel: None,
                progress: None,
            }
        }
        _ => Word::Failed(Failed::nonsense("holds no picture")),
    }
}
