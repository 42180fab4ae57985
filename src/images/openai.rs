//! How do OpenAI, and Together in its likeness, make an image?
//!
//! The answer is the picture: `data[]` with `b64_json` or `url`. A stream of events is read as well, once it is whole;
//! since it is the client's own dialect, whoever drives the job may as well relay it as it comes.
//! Sources: OpenAI's and Together's image API references.
//!
//! # Invariants
//! - A stream that ends without its completed event is a failure.

use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::call::{Auth, Call, Unfit};
use super::form::Form;
use super::job::{Content, Finished, Heard, Hints, Image, Word};
use super::output::{Background, Delivery, Format};
use super::reach::{Base, Place};
use super::request::{ImageRequest, Streaming, Task};
use super::size::{FLUX, Grid, Size};
use super::vendor::{add_extra, losses, put};
use super::verdict::Failed;
use crate::chat::Losses;

/// The host of DALL·E's pictures.
pub(super) const RESULTS: &[Place] = &[Place::of("oaidalleapiprodscus.blob.core.windows.net")];

/// Hosts of Together's pictures.
pub(super) const TOGETHER_RESULTS: &[Place] =
    &[Place::of("api.together.ai"), Place::of("api.together.xyz")];

/// Sizes that Together's models take.
const GRID: Grid = Grid {
    step: 16,
    least: 64,
    most: 2_048,
};

/// The most images of one request to Together. Source: its guide to images.
const TOGETHER_IMAGES: u32 = 4;

/// What OpenAI's own API carries.
const CARRIED: &[&str] = &[
    "n",
    "size",
    "quality",
    "output_format",
    "output_compression",
    "background",
    "partial_images",
    "user",
    "style",
    "moderation",
    "input_fidelity",
    "image",
    "mask",
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    data: Option<Vec<Datum>>,
    usage: Option<Value>,
    output_format: Option<String>,
    error: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Datum {
    b64_json: Option<String>,
    url: Option<String>,
    revised_prompt: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "type")]
    kind: Option<String>,
    b64_json: Option<String>,
    usage: Option<Value>,
    output_format: Option<String>,
    error: Option<Value>,
}

/// Writes the submission for OpenAI.
pub(super) fn submit(
    request: &ImageRequest,
    model: &str,
    base: &Base,
) -> Result<(Call, Losses), Unfit> {
    let losses = losses(request, CARRIED)?;
    let mut body = Map::new();
    put(&mut body, "model", Some(model));
    put(
        &mut body,
        "prompt",
        Some(request.prompt.as_str()).filter(|it| !it.is_empty()),
    );
    put(&mut body, "n", (request.n > 1).then_some(request.n));
    if request.size != Size::Auto {
        let size = request.size.openai();
        put(
            &mut body,
            "size",
            Some(size.ok_or_else(|| Unfit::lacking("size"))?),
        );
    }
    put(&mut body, "quality", request.quality.as_deref());
    put(&mut body, "output_format", request.format.map(Format::name));
    put(&mut body, "output_compression", request.compression);
    let background = Some(request.background).filter(|it| *it != Background::Auto);
    put(&mut body, "background", background.map(Background::name));
    if let Streaming::Yes(partial) = request.streaming {
        put(&mut body, "stream", Some(true));
        put(
            &mut body,
            "partial_images",
            (partial > 0).then_some(partial),
        );
    }
    put(&mut body, "response_format", delivery(request, model)?);
    put(&mut body, "user", request.user.as_deref());
    put(&mut body, "style", request.style.as_deref());
    put(&mut body, "moderation", request.moderation.as_deref());
    put(
        &mut body,
        "input_fidelity",
        request.input_fidelity.as_deref(),
    );
    add_extra(&mut body, request);
    let at = |path: &str| base.versioned("/v1").at(path);
    let call = match request.task {
        Task::Generate => {
            let body = Value::Object(body);
            Call::json(at("/images/generations"), Auth::Bearer, &body)
        }
        Task::Edit => Call::form(
            at("/images/edits"),
            Auth::Bearer,
            form(request, body).finish(),
        ),
        Task::Vary => Call::form(
            at("/images/variations"),
            Auth::Bearer,
            form(request, body).finish(),
        ),
    };
    Ok((accepting(call, request), losses))
}

/// Writes the submission for Together.
pub(super) fn submit_together(
    request: &ImageRequest,
    model: &str,
    base: &Base,
) -> Result<(Call, Losses), Unfit> {
    let carried = [
        "n",
        "size",
        "steps",
        "guidance",
        "seed",
        "negative_prompt",
        "output_format",
    ];
    let losses = losses(request, &carried)?;
    if request.n > TOGETHER_IMAGES {
        return Err(Unfit::lacking("n"));
    }
    let mut body = Map::new();
    put(&mut body, "model", Some(model));
    put(&mut body, "prompt", Some(request.prompt.as_str()));
    put(&mut body, "n", (request.n > 1).then_some(request.n));
    let unfit = || Unfit::lacking("size");
    if request.size != Size::Auto && model.contains("kontext") {
        let ratio = request.size.listed(FLUX).ok_or_else(unfit)?;
        put(&mut body, "aspect_ratio", Some(ratio));
    } else if request.size != Size::Auto {
        let pixels = request.size.on(GRID).ok_or_else(unfit)?;
        put(&mut body, "width", Some(pixels.width));
        put(&mut body, "height", Some(pixels.height));
    }
    put(&mut body, "steps", request.steps);
    put(&mut body, "guidance_scale", request.guidance);
    put(&mut body, "seed", request.seed);
    put(
        &mut body,
        "negative_prompt",
        request.negative_prompt.as_deref(),
    );
    match request.format {
        Some(Format::Webp) => return Err(Unfit::lacking("output_format")),
        format => put(&mut body, "output_format", format.map(Format::name)),
    }
    let delivery = match request.delivery {
        Delivery::Url => "url",
        Delivery::Base64 | Delivery::Unsaid => "base64",
    };
    put(&mut body, "response_format", Some(delivery));
    add_extra(&mut body, request);
    let url = base.versioned("/v1").at("/images/generations");
    Ok((Call::json(url, Auth::Bearer, &Value::Object(body)), losses))
}

/// How the pictures are asked for: the gpt-image models always send base64 and refuse to be told so.
fn delivery(request: &ImageRequest, model: &str) -> Result<Option<&'static str>, Unfit> {
    let inline_only = model.contains("gpt-image");
    match request.delivery {
        Delivery::Unsaid => Ok(None),
        Delivery::Base64 if inline_only => Ok(None),
        Delivery::Base64 => Ok(Some("b64_json")),
        Delivery::Url if inline_only => Err(Unfit::lacking("response_format")),
        Delivery::Url => Ok(Some("url")),
    }
}

/// The form of an edit or a variation.
fn form(request: &ImageRequest, body: Map<String, Value>) -> Form {
    let mut form = Form::default();
    for (name, value) in body {
        match value {
            Value::String(text) => form.text(&name, text),
            value => form.text(&name, value.to_string()),
        }
    }
    let name = if request.images.len() == 1 {
        "image"
    } else {
        "image[]"
    };
    let named = |name: &str, format: Format| {
        let usable = !name.is_empty() && name.len() <= 255;
        if usable {
            name.to_owned()
        } else {
            format!("image.{}", format.name())
        }
    };
    for picture in &request.images {
        let file = named(&picture.name, picture.format);
        form.file(name, &file, picture.format.media(), picture.data.clone());
    }
    if let Some(mask) = &request.mask {
        let file = named(&mask.name, mask.format);
        form.file("mask", &file, mask.format.media(), mask.data.clone());
    }
    form
}

fn accepting(call: Call, request: &ImageRequest) -> Call {
    match request.streaming {
        Streaming::No => call,
        Streaming::Yes(_) => call.accepting("text/event-stream"),
    }
}

/// Reads an answer.
pub(super) fn read(heard: &Heard<'_>) -> Word {
    let kind = heard.headers.get(CONTENT_TYPE).map(|it| it.as_bytes());
    if kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
        return read_events(heard.body);
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(heard.body) else {
        return Word::Failed(Failed::nonsense("is not what the provider documents"));
    };
    if let Some(error) = answer.error {
        return Word::Failed(Failed::told(&words(&error)));
    }
    let format = answer.output_format.as_deref().and_then(named_format);
    let images = answer.data.unwrap_or_default().into_iter();
    let images = images.filter_map(|datum| {
        let inline = datum.b64_json.map(|text| Content::Base64(text.into()));
        Some(Image {
            format,
            revised_prompt: datum.revised_prompt,
            ..Image::new(inline.or(datum.url.map(Content::Url))?)
        })
    });
    Word::Ready(Finished {
        images: images.collect(),
        hints: Hints {
            usage: answer.usage,
            ..Hints::default()
        },
    })
}

/// Reads a whole stream: its completed events are the pictures.
fn read_events(body: &[u8]) -> Word {
    let mut finished = Finished::default();
    for line in body.split(|byte| *byte == b'\n') {
        let data = line.strip_prefix(b"data:").unwrap_or_default();
        let Ok(event) = serde_json::from_slice::<Event>(data) else {
            continue;
        };
        if let Some(error) = event.error {
            return Word::Failed(Failed::told(&words(&error)));
        }
        let completed = event.kind.is_some_and(|kind| kind.ends_with(".completed"));
        if let Some(text) = event.b64_json.filter(|_| completed) {
            finished.images.push(Image {
                format: event.output_format.as_deref().and_then(named_format),
                ..Image::new(Content::Base64(text.into()))
            });
            finished.hints.usage = event.usage.or(finished.hints.usage);
        }
    }
    if finished.images.is_empty() {
        return Word::Failed(Failed::nonsense("broke off before the picture"));
    }
    Word::Ready(finished)
}

fn named_format(name: &str) -> Option<Format> {
    [Format::Png, Format::Jpeg, Format::Webp]
        .into_iter()
        .find(|format| format.name() == name)
}

/// Code and message of an error object.
fn words(error: &Value) -> String {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("code"), text("message"))
}
