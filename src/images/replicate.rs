//! How does Replicate make an image?
//!
//! A prediction is a job that `Prefer: wait` lets answer within its submission if it is fast; else its `urls.get` is polled.
//! Official models (`owner/name`) take a ratio, versions (`owner/name:version`) width and height.
//! Sources: Replicate's HTTP API reference and the input schemas of its FLUX and SDXL models.
//!
//! # Invariants
//! - A prediction's URLs are Replicate's own or the configured origin's, or the job fails.

use http::{HeaderName, HeaderValue, Method};
use scoring::time::Span;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Auth, Call, Unfit};
use super::job::{Finished, Ground, Heard, Hints, Image, Progress, Word};
use super::output::Format;
use super::reach::{Base, Place, Url, is_path, is_segment};
use super::request::ImageRequest;
use super::size::{FLUX, Grid, Size};
use super::vendor::{add_extra, data_url, losses, put};
use super::verdict::Failed;
use crate::chat::Losses;

/// The host of the API.
const PLACES: &[Place] = &[Place::of("api.replicate.com")];

/// Hosts of the pictures.
pub(super) const RESULTS: &[Place] = &[
    Place::of("replicate.delivery"),
    Place::of(".replicate.delivery"),
];

/// How long a submission may wait for its result, as Replicate writes it.
///
/// Long enough for the fast models, and short because a job without a known id cannot be cancelled.
const PREFER: &str = "wait=5";

/// Pictures within a request, in bytes of base64. Source: Replicate's client, which refuses more.
const INPUTS: usize = 10_000_000;

/// The most images of one request. Source: the FLUX models' schemas.
const IMAGES: u32 = 4;

/// Sizes in pixels that SDXL and its kin take.
const GRID: Grid = Grid {
    step: 8,
    least: 64,
    most: 2_048,
};

/// Parts of names of official models that make one image a request. Source: the models' schemas.
const SINGLE: &[&str] = &[
    "-pro",
    "-max",
    "ultra",
    "kontext",
    "flux-2",
    "ideogram",
    "imagen",
    "stable-diffusion-3",
];

/// Bytes of a prediction's log that are searched for its progress.
const LOG: usize = 2_048;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Prediction {
    id: Option<String>,
    status: Option<String>,
    output: Option<Value>,
    error: Option<Value>,
    logs: Option<String>,
    urls: Option<Urls>,
    metrics: Option<Metrics>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Urls {
    get: Option<String>,
    cancel: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metrics {
    predict_time: Option<f64>,
}

/// What is run: an official model by its name, or a version.
#[derive(Clone, Copy)]
struct Run<'a> {
    /// `owner/name`; empty if only a version is given.
    name: &'a str,
    version: Option<&'a str>,
}

impl<'a> Run<'a> {
    fn of(model: &'a str) -> Option<Self> {
        let (name, version) = match model.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None if !model.contains('/') => ("", Some(model)),
            None => (model, None),
        };
        let named = name.split('/').count() == 2 && is_path(name);
        let fits = match version {
            Some(version) => is_segment(version) && (named || name.is_empty()),
            None => named,
        };
        fits.then_some(Self { name, version })
    }

    fn is_flux(self) -> bool {
        self.name.contains("flux")
    }

    /// The most images of one request.
    fn images(self) -> u32 {
        let single = SINGLE.iter().any(|part| self.name.contains(part));
        if single && self.version.is_none() {
            1
        } else {
            IMAGES
        }
    }
}

/// Writes the submission.
pub(super) fn submit(
    request: &ImageRequest,
    model: &str,
    base: &Base,
) -> Result<(Call, Losses), Unfit> {
    let run = Run::of(model).ok_or_else(|| Unfit::lacking("model"))?;
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
    if !run.is_flux() {
        carried.push("negative_prompt");
    }
    let losses = losses(request, &carried)?;
    if request.n > run.images() {
        return Err(Unfit::lacking("n"));
    }
    let input = input(request, run)?;
    let base = base.versioned("/v1");
    let (url, body) = match run.version {
        Some(version) => (
            base.at("/predictions"),
            json!({"version": version, "input": input}),
        ),
        None => (
            base.at(&format!("/models/{}/predictions", run.name)),
            json!({"input": input}),
        ),
    };
    let mut call = Call::json(url, Auth::Bearer, &body);
    let prefer = HeaderName::from_static("prefer");
    call.headers
        .push((prefer, HeaderValue::from_static(PREFER)));
    Ok((call, losses))
}

/// The model's input.
fn input(request: &ImageRequest, run: Run<'_>) -> Result<Map<String, Value>, Unfit> {
    let (guidance, strength) = if run.is_flux() {
        ("guidance", "prompt_strength")
    } else if run.name.contains("sdxl") {
        ("guidance_scale", "prompt_strength")
    } else {
        ("guidance_scale", "strength")
    };
    let negative = request.negative_prompt.as_deref();
    let mut input = Map::new();
    put(&mut input, "prompt", Some(request.prompt.as_str()));
    put(&mut input, "negative_prompt", negative);
    put(
        &mut input,
        "num_outputs",
        (request.n > 1).then_some(request.n),
    );
    put(&mut input, "num_inference_steps", request.steps);
    put(&mut input, guidance, request.guidance);
    put(&mut input, "seed", request.seed);
    put(&mut input, strength, request.strength);
    let format = request.format.map(|format| match format {
        Format::Jpeg => "jpg",
        format => format.name(),
    });
    put(&mut input, "output_format", format);
    size(&mut input, request.size, run)?;
    pictures(&mut input, request, run)?;
    add_extra(&mut input, request);
    Ok(input)
}

/// Puts the size the way the model takes it.
fn size(input: &mut Map<String, Value>, size: Size, run: Run<'_>) -> Result<(), Unfit> {
    let unfit = || Unfit::lacking("size");
    if size == Size::Auto {
        return Ok(());
    }
    if run.version.is_none() {
        put(
            input,
            "aspect_ratio",
            Some(size.listed(FLUX).ok_or_else(unfit)?),
        );
        return Ok(());
    }
    let pixels = size.on(GRID).ok_or_else(unfit)?;
    put(input, "width", Some(pixels.width));
    put(input, "height", Some(pixels.height));
    Ok(())
}

/// Puts the pictures, within the request.
fn pictures(
    input: &mut Map<String, Value>,
    request: &ImageRequest,
    run: Run<'_>,
) -> Result<(), Unfit> {
    let all = request.images.iter().chain(&request.mask);
    let bytes: usize = all.map(|picture| picture.data.len().div_ceil(3) * 4).sum();
    if bytes > INPUTS || request.images.len() > 1 {
        return Err(Unfit::lacking("image"));
    }
    let field = if run.name.contains("kontext") {
        "input_image"
    } else {
        "image"
    };
    put(input, field, request.images.first().map(data_url));
    put(input, "mask", request.mask.as_ref().map(data_url));
    Ok(())
}

/// Reads an answer.
pub(super) fn read(heard: &Heard<'_>, ground: Ground<'_>) -> Word {
    let Ok(prediction) = serde_json::from_slice::<Prediction>(heard.body) else {
        return Word::Failed(Failed::nonsense("is not what the provider documents"));
    };
    let progress = match prediction.status.as_deref() {
        Some("succeeded") => return ready(&prediction),
        Some("failed") => {
            let error = prediction.error.as_ref();
            let words = error
                .and_then(Value::as_str)
                .unwrap_or("no reason was told");
            return Word::Failed(Failed::told(words));
        }
        Some("canceled" | "aborted") => {
            return Word::Failed(Failed::told("the prediction was cancelled"));
        }
        Some("starting" | "queued") => Progress::Queued(None),
        Some("processing") => Progress::Running(prediction.logs.as_deref().and_then(percent)),
        _ => return Word::Failed(Failed::nonsense("has no status that is known")),
    };
    if ground.accepted {
        return Word::Waiting(Some(progress));
    }
    let urls = prediction.urls.as_ref();
    let get = urls.and_then(|urls| urls.get.as_deref());
    let cancel = urls.and_then(|urls| urls.cancel.as_deref());
    match url_of(&prediction, get, "", ground) {
        None => Word::Failed(Failed::nonsense("names no polling URL of its own")),
        Some(url) => Word::Accepted {
            poll: Call::bare(Method::GET, url, Auth::Bearer),
            cancel: url_of(&prediction, cancel, "/cancel", ground)
                .map(|url| Call::bare(Method::POST, url, Auth::Bearer)),
            progress: Some(progress),
        },
    }
}

/// A prediction's URL: the one told if it is Replicate's own, or where none is told the documented one below the base.
fn url_of(
    prediction: &Prediction,
    told: Option<&str>,
    what: &str,
    ground: Ground<'_>,
) -> Option<Url> {
    if let Some(told) = told {
        return ground.base.permit(told, PLACES);
    }
    let id = prediction.id.as_deref().filter(|id| is_segment(id))?;
    let base = ground.base.versioned("/v1");
    Some(base.at(&format!("/predictions/{id}{what}")))
}

fn ready(prediction: &Prediction) -> Word {
    let urls: Vec<&str> = match &prediction.output {
        Some(Value::String(url)) => vec![url],
        Some(Value::Array(urls)) => urls.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let time = prediction.metrics.as_ref().and_then(|it| it.predict_time);
    Word::Ready(Finished {
        images: urls.into_iter().map(Image::at).collect(),
        hints: Hints {
            compute: time.map(Span::from_secs_f64),
            ..Hints::default()
        },
    })
}

/// The last percentage in a log, as progress bars write it: `45%|████`.
fn percent(log: &str) -> Option<u8> {
    let tail = log.len().saturating_sub(LOG);
    let log = log.as_bytes().get(tail..)?;
    let end = log.windows(2).rposition(|pair| pair == b"%|")?;
    let before = log.get(..end)?;
    let digits = before
        .iter()
        .rev()
        .take(3)
        .take_while(|byte| byte.is_ascii_digit());
    let start = end - digits.count();
    let number = std::str::from_utf8(before.get(start..)?).ok()?;
    number.parse().ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_how_far_it_is() {
        for (log, part) in [
            ("", None),
            ("%|", None),
            ("  0%|  | 0/28\r 45%|██ | 13/28", Some(45)),
            ("100%|████", Some(100)),
            ("999%|", None),
            ("éé7%|é", Some(7)),
        ] {
            assert_eq!(percent(log), part, "{log}");
        }
    }
}
