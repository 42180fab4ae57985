//! What of a request for an image changes the answer?
//!
//! # Invariants
//! - Unknown fields are ignored; a body that is no JSON or form has no prompt, which each vendor refuses.

use memchr::memmem;
use serde_json::Value;

use super::Heard;
use super::doors::{Action, Door, Maker};

/// Steps where the request says nothing, as FLUX.1 dev takes.
const STEPS: u32 = 28;

/// The most steps and images of a request; vendors allow fewer.
const MOST: u64 = 500;

/// A request for an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) model: String,
    /// What the vendor's URLs for its jobs begin with.
    pub(super) app: String,
    pub(super) user: String,
    pub(super) n: u64,
    pub(super) steps: u32,
    pub(super) seed: u64,
    /// Whether the picture is wanted in the answer.
    pub(super) inline: bool,
    /// Whether events are wanted, and how many partial images before the last.
    pub(super) partial: Option<u64>,
    /// Seconds that the client is ready to wait in its submission.
    pub(super) wait: Option<u64>,
    /// Why it cannot be served.
    pub(super) problem: Option<&'static str>,
}

impl Ask {
    /// Reads a request.
    pub(super) fn read(door: &Door, heard: &Heard<'_>) -> Self {
        let mut ask = Self {
            model: door.model.clone(),
            app: app(&door.model),
            n: 1,
            steps: STEPS,
            ..Self::default()
        };
        if door.action != Action::Submit {
            return ask;
        }
        let body: Value = serde_json::from_slice(&heard.body).unwrap_or_default();
        let fields = body.get("input").unwrap_or(&body);
        let text = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(value) if !value.is_null() => Some(value.to_string()),
            _ => form_field(&heard.body, name),
        };
        let number = |names: &[&str]| {
            let mut found = names.iter().filter_map(|name| text(name)?.parse().ok());
            found.next().map(|number: u64| number.min(MOST))
        };
        if let Some(model) = text("model").filter(|_| door.maker != Maker::Replicate) {
            ask.model = model;
        }
        if let Some(version) = body.get("version").and_then(Value::as_str) {
            ask.model = version.to_owned();
        }
        ask.user = text("user").unwrap_or_default();
        ask.n = number(&["n", "num_images", "num_outputs"]).unwrap_or(1);
        let steps = number(&["steps", "num_inference_steps"]);
        ask.steps = steps.and_then(|it| u32::try_from(it).ok()).unwrap_or(STEPS);
        ask.seed = text("seed").and_then(|seed| seed.parse().ok()).unwrap_or(7);
        let header = |name: &str| heard.headers.get(name)?.to_str().ok();
        ask.inline = match door.maker {
            Maker::Stability => header("accept").is_some_and(|it| it.contains("json")),
            _ => text("response_format").as_deref() != Some("url"),
        };
        let stream = text("stream").as_deref() == Some("true");
        ask.partial = stream.then(|| number(&["partial_images"]).unwrap_or(0).min(3));
        ask.wait = header("prefer").and_then(|prefer| {
            let wait = prefer.strip_prefix("wait")?;
            Some(
                wait.strip_prefix('=')
                    .and_then(|it| it.parse().ok())
                    .unwrap_or(60),
            )
        });
        let form = header("content-type").is_some_and(|it| it.starts_with("multipart/"));
        if door.maker == Maker::Stability && !form {
            ask.problem = Some("content-type: must be multipart/form-data");
        } else if text("prompt").is_none_or(|it| it.is_empty()) && door.model != "variations" {
            ask.problem = Some("prompt: field required");
        }
        ask
    }
}

/// The first two segments of a model's name, which fal's URLs begin with.
fn app(model: &str) -> String {
    let parts: Vec<&str> = model.split('/').take(2).collect();
    parts.join("/")
}

/// The text of a form's field, found by its name alone.
fn form_field(body: &[u8], name: &str) -> Option<String> {
    let head = memmem::find(body, format!(" name=\"{name}\"").as_bytes())?;
    let rest = body.get(head..)?;
    let data = rest.get(memmem::find(rest, b"\r\n\r\n")? + 4..)?;
    let text = data.get(..memmem::find(data, b"\r\n--")?)?;
    String::from_utf8(text.to_vec()).ok()
}
