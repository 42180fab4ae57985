//! What does a client ask of an image model?
//!
//! One [`ImageRequest`] is read from OpenAI's JSON or form and from the few fields that other vendors' users add
//! (`negative_prompt`, `steps`, `guidance`, `seed`, `aspect_ratio`, `width`, `height`, `strength`); every vendor's request is written out of it.
//!
//! # Invariants
//! - A known field is read or refused by name; an unknown one is kept in `extra` for vendors that may know it.
//! - Two ways to say the size that disagree are refused.
//! - Pictures are slices of the request's body.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::fields::{Fields, Switch, Written, wrong};
use super::form::Field;
use super::output::{BACKGROUNDS, Background, DELIVERIES, Delivery, FORMATS, Format};
use super::size::{Pixels, Ratio, Size};

/// The longest prompt, in characters: what gpt-image takes, the longest of all vendors. Source: OpenAI's API reference.
const PROMPT: usize = 32_000;

/// The most images in one answer. Source: OpenAI's API reference.
const IMAGES: u64 = 10;

/// The most input pictures of one edit. Source: OpenAI's API reference.
const INPUTS: usize = 16;

/// The largest picture sent in, in bytes. Source: OpenAI's API reference, 50 MB.
const PICTURE: usize = 50_000_000;

/// Unknown fields kept; more than any vendor's model has.
const EXTRAS: usize = 64;

/// Steps that a model takes where nothing is said: FLUX.1 dev's default. Source: fal's model reference.
const USUAL_STEPS: u32 = 28;

/// Pixel-steps that make a unit of work, as scoring and prices count it.
///
/// So many that a usual picture, of 28 steps and a megapixel, is 114,688 units: what scoring assumes of a route before it knows it, 40 µs a unit, is then some five seconds.
const WORK_UNIT: u64 = 256;

/// Units of work of a usual picture; what is assumed of a request that is not understood.
pub const USUAL_WORK: u32 = 28 * 1_048_576 / 256;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// A picture from a prompt.
    Generate,
    /// A picture from pictures and a prompt.
    Edit,
    /// A picture like another.
    Vary,
}

/// Whether the answer is a stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    /// One JSON object.
    No,
    /// Events, with so many partial images; 0..=3.
    Yes(u8),
}

/// A picture that the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its bytes.
    pub data: Bytes,
    /// What the bytes are, as their first ones tell.
    pub format: Format,
    /// The name that the client gave the file; may be empty.
    pub name: String,
}

/// What a client asks of an image model.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRequest {
    /// What is to be done.
    pub task: Task,
    /// The model as the client names it; empty if it names none.
    pub model: String,
    /// The prompt; empty only for variations.
    pub prompt: String,
    /// What is not to be seen.
    pub negative_prompt: Option<String>,
    /// How many images; 1..=10, default 1.
    pub n: u32,
    /// How large.
    pub size: Size,
    /// OpenAI's `quality`.
    pub quality: Option<String>,
    /// Denoising steps; 1..=500.
    pub steps: Option<u32>,
    /// How closely the prompt is followed; 0..=100.
    pub guidance: Option<f64>,
    /// The seed; 0..=2^53−1, beyond which JSON numbers are not exact.
    pub seed: Option<u64>,
    /// How far from the input picture; 0..=1.
    pub strength: Option<f64>,
    /// The encoding wanted.
    pub format: Option<Format>,
    /// OpenAI's `output_compression`, in percent; 0..=100.
    pub compression: Option<u8>,
    /// What lies behind the subject.
    pub background: Background,
    /// How pictures are handed over.
    pub delivery: Delivery,
    /// Whether the answer is a stream.
    pub streaming: Streaming,
    /// OpenAI's `user`.
    pub user: Option<String>,
    /// OpenAI's `style` of DALL·E 3.
    pub style: Option<String>,
    /// OpenAI's `moderation`.
    pub moderation: Option<String>,
    /// OpenAI's `input_fidelity`.
    pub input_fidelity: Option<String>,
    /// Pictures sent in; up to 16.
    pub images: Vec<Picture>,
    /// Where the picture may be changed.
    pub mask: Option<Picture>,
    /// Every other field, under the client's name.
    pub extra: Map<String, Value>,
}

/// Why a request is no request for an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    /// The field that is wrong; empty if none is to blame.
    pub param: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Malformed {
    pub(super) const fn new(param: &'static str, message: String) -> Self {
        Self { param, message }
    }
}

impl ImageRequest {
    /// Reads a JSON body, of a generation.
    ///
    /// # Errors
    /// Says which field is wrong, and how.
    pub fn from_json(body: &[u8]) -> Result<Self, Malformed> {
        let map = serde_json::from_slice(body).map_err(|error| {
            Malformed::new("", format!("The body is not a JSON object: {error}."))
        })?;
        Self::read(Task::Generate, Fields::new(map, Written::Json))
    }

    /// Reads a form, of an edit or a variation.
    ///
    /// # Errors
    /// Says which field is wrong, and how.
    pub fn from_form(task: Task, fields: Vec<Field>) -> Result<Self, Malformed> {
        let mut map = Map::new();
        let (mut images, mut mask) = (Vec::new(), None);
        for field in fields {
            match field.name.as_str() {
                "image" | "image[]" => images.push(picture("image", field)?),
                "mask" => mask = Some(picture("mask", field)?),
                _ => {
                    let text = std::str::from_utf8(&field.data).map_err(|_| {
                        Malformed::new("", "A field of the form is not UTF-8.".to_owned())
                    })?;
                    map.insert(field.name, Value::String(text.to_owned()));
                }
            }
        }
        if images.len() > INPUTS {
            return Err(wrong(
                "image",
                &format!("may be given at most {INPUTS} times"),
            ));
        }
        if images.is_empty() && task != Task::Generate {
            return Err(wrong("image", "is required"));
        }
        let request = Self::read(task, Fields::new(map, Written::Form))?;
        Ok(Self {
            images,
            mask,
            ..request
        })
    }

    fn read(task: Task, mut fields: Fields) -> Result<Self, Malformed> {
        let prompt = fields.text("prompt")?.unwrap_or_default();
        if prompt.is_empty() && task != Task::Vary {
            return Err(wrong("prompt", "is required"));
        }
        if prompt.len() > PROMPT && prompt.chars().count() > PROMPT {
            return Err(wrong(
                "prompt",
                &format!("may have at most {PROMPT} characters"),
            ));
        }
        let steps = match fields.whole("steps", 1..=500)? {
            None => fields.whole("num_inference_steps", 1..=500)?,
            said => said,
        };
        let guidance = match fields.number("guidance", 0.0..=100.0)? {
            None => fields.number("guidance_scale", 0.0..=100.0)?,
            said => said,
        };
        let size = size(&mut fields)?;
        let streaming = match fields.switch("stream")? {
            Switch::Off => {
                fields.whole("partial_images", 0..=3)?;
                Streaming::No
            }
            Switch::On => Streaming::Yes(small(fields.whole("partial_images", 0..=3)?)),
        };
        let request = Self {
            task,
            model: fields.word("model")?.unwrap_or_default(),
            prompt,
            negative_prompt: fields
                .text("negative_prompt")?
                .filter(|text| !text.is_empty()),
            n: fields.whole("n", 1..=IMAGES)?.map_or(1, clamp),
            size,
            quality: fields.word("quality")?,
            steps: steps.map(clamp),
            guidance,
            seed: fields.whole("seed", 0..=(1 << 53) - 1)?,
            strength: fields.number("strength", 0.0..=1.0)?,
            format: fields.one_of("output_format", FORMATS)?,
            compression: fields
                .whole("output_compression", 0..=100)?
                .map(|percent| small(Some(percent))),
            background: fields
                .one_of("background", BACKGROUNDS)?
                .unwrap_or_default(),
            delivery: fields
                .one_of("response_format", DELIVERIES)?
                .unwrap_or_default(),
            streaming,
            user: fields.word("user")?,
            style: fields.word("style")?,
            moderation: fields.word("moderation")?,
            input_fidelity: fields.word("input_fidelity")?,
            images: Vec::new(),
            mask: None,
            extra: fields.rest(),
        };
        if request.extra.len() > EXTRAS {
            return Err(Malformed::new(
                "",
                format!("More than {EXTRAS} unknown fields."),
            ));
        }
        Ok(request)
    }

    /// The work that scoring sees: steps × pixels × n, in pixel-steps.
    ///
    /// Where nothing is said, 28 steps and 1024 × 1024 pixels: what costs more, costs more in proportion, whatever the model's own defaults.
    #[must_use]
    pub fn work_units(&self) -> u64 {
        let steps = u64::from(self.steps.unwrap_or(USUAL_STEPS));
        steps
            .saturating_mul(self.size.pixels())
            .saturating_mul(u64::from(self.n))
    }
}

impl ImageRequest {
    /// The work in units of 256 pixel-steps: what scoring takes for input tokens.
    #[must_use]
    pub fn work(&self) -> u32 {
        u32::try_from(self.work_units() / WORK_UNIT).unwrap_or(u32::MAX)
    }
}

/// The size, in whichever of its three forms it was said.
fn size(fields: &mut Fields) -> Result<Size, Malformed> {
    let size = match fields.word("size")?.as_deref() {
        None | Some("auto") => None,
        Some(text) => {
            let pixels = Pixels::parse(text).map(Size::Pixels);
            let ratio = || Ratio::parse(text).map(Size::Ratio);
            let size = pixels.or_else(ratio);
            Some(size.ok_or_else(|| {
                wrong(
                    "size",
                    "must be `auto` or like `1024x1024`, 64 to 8192 a side",
                )
            })?)
        }
    };
    let ratio = match fields.word("aspect_ratio")? {
        None => None,
        Some(text) => {
            Some(Ratio::parse(&text).ok_or_else(|| wrong("aspect_ratio", "must be like `16:9`"))?)
        }
    };
    let sides = (
        fields.whole("width", 64..=8_192)?,
        fields.whole("height", 64..=8_192)?,
    );
    let pixels = match sides {
        (Some(width), Some(height)) => Pixels::new(clamp(width), clamp(height)),
        (None, None) => None,
        _ => return Err(wrong("width", "and `height` must be given together")),
    };
    let size = match (size, pixels) {
        (Some(size), Some(pixels)) if size != Size::Pixels(pixels) => {
            return Err(wrong("size", "and `width` and `height` disagree"));
        }
        (None, Some(pixels)) => Some(Size::Pixels(pixels)),
        (size, _) => size,
    };
    match (size, ratio) {
        (None, ratio) => Ok(ratio.map_or(Size::Auto, Size::Ratio)),
        (Some(size), None) => Ok(size),
        (Some(size), Some(ratio)) => {
            let of_size = match size {
                Size::Auto => None,
                Size::Pixels(pixels) => pixels.ratio(),
                Size::Ratio(ratio) => Some(ratio),
            };
            if of_size == Some(ratio) {
                Ok(size)
            } else {
                Err(wrong("aspect_ratio", "and the size disagree"))
            }
        }
    }
}

fn picture(name: &'static str, field: Field) -> Result<Picture, Malformed> {
    if field.data.len() > PICTURE {
        return Err(wrong(name, "may have at most 50 MB"));
    }
    let format = Format::sniff(&field.data);
    Ok(Picture {
        format: format.ok_or_else(|| wrong(name, "must be a PNG, JPEG or WebP file"))?,
        name: field.file_name.unwrap_or_default(),
        data: field.data,
    })
}

fn clamp(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn small(number: Option<u64>) -> u8 {
    number.map_or(0, |number| u8::try_from(number).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    fn read(body: &Value) -> Result<ImageRequest, Malformed> {
        ImageRequest::from_json(body.to_string().as_bytes())
    }

    fn field(name: &str, data: &'static [u8]) -> Field {
        Field {
            name: name.to_owned(),
            file_name: None,
            content_type: None,
            data: Bytes::from_static(data),
        }
    }

    #[test]
    fn every_field_is_read() {
        let request = read(&json!({
            "model": "m", "prompt": "a cat", "negative_prompt": "dogs", "n": 3, "size": "1536x1024", "quality": "high",
            "num_inference_steps": 4, "guidance_scale": 3.5, "seed": 7, "output_format": "jpg", "output_compression": 80,
            "background": "opaque", "response_format": "url", "stream": true, "partial_images": 2, "user": "u",
            "loras": [1], "n_extra": null,
        }))
        .unwrap();
        assert_eq!(
            request.size,
            Size::Pixels(Pixels::new(1_536, 1_024).unwrap())
        );
        assert_eq!(
            (request.n, request.steps, request.seed),
            (3, Some(4), Some(7))
        );
        assert_eq!(request.guidance, Some(3.5));
        assert_eq!(
            (request.format, request.compression),
            (Some(Format::Jpeg), Some(80))
        );
        assert_eq!(
            (request.background, request.delivery),
            (Background::Opaque, Delivery::Url)
        );
        assert_eq!(request.streaming, Streaming::Yes(2));
        assert_eq!(request.extra.get("loras"), Some(&json!([1])));
        assert_eq!(request.work_units(), 4 * 1_536 * 1_024 * 3);
    }

    #[test]
    fn work_has_a_default_and_an_end() {
        let work = |body: Value| read(&body).unwrap().work_units();
        assert_eq!(work(json!({"prompt": "p"})), 28 * 1_048_576);
        let usual = read(&json!({"prompt": "p"})).unwrap().work();
        assert_eq!(usual, USUAL_WORK);
        assert_eq!(
            work(json!({"prompt": "p", "aspect_ratio": "16:9"})),
            28 * 1_048_576
        );
        let most =
            work(json!({"prompt": "p", "steps": 500, "width": 8192, "height": 8192, "n": 10}));
        assert_eq!(most, 500 * 8_192 * 8_192 * 10);
    }

    #[test]
    fn mistakes_are_named() {
        for (body, param) in [
            (json!({}), "prompt"),
            (json!({"prompt": ""}), "prompt"),
            (json!({"prompt": 1}), "prompt"),
            (json!({"prompt": "é".repeat(PROMPT + 1)}), "prompt"),
            (json!({"prompt": "p", "n": 0}), "n"),
            (json!({"prompt": "p", "n": 11}), "n"),
            (json!({"prompt": "p", "n": "2"}), "n"),
            (json!({"prompt": "p", "n": 1.5}), "n"),
            (json!({"prompt": "p", "n": -1}), "n"),
            (json!({"prompt": "p", "size": "huge"}), "size"),
            (json!({"prompt": "p", "size": "1x1"}), "size"),
            (json!({"prompt": "p", "width": 512}), "width"),
            (
                json!({"prompt": "p", "size": "512x512", "width": 512, "height": 256}),
                "size",
            ),
            (
                json!({"prompt": "p", "size": "512x512", "aspect_ratio": "16:9"}),
                "aspect_ratio",
            ),
            (json!({"prompt": "p", "seed": 1_u64 << 53}), "seed"),
            (json!({"prompt": "p", "guidance": 101}), "guidance"),
            (
                json!({"prompt": "p", "output_format": "tiff"}),
                "output_format",
            ),
            (
                json!({"prompt": "p", "response_format": "png"}),
                "response_format",
            ),
            (json!({"prompt": "p", "stream": "yes"}), "stream"),
            (
                json!({"prompt": "p", "stream": true, "partial_images": 4}),
                "partial_images",
            ),
            (json!({"prompt": "p", "model": "m".repeat(300)}), "model"),
            (json!([1]), ""),
        ] {
            let malformed = read(&body).expect_err(&format!("{body:.80}"));
            assert_eq!(malformed.param, param, "{body:.80}");
        }
        let prompt = "é".repeat(PROMPT);
        assert!(read(&json!({"prompt": prompt})).is_ok());
    }

    #[test]
    fn a_form_is_read_like_json() {
        let fields = vec![
            field("prompt", b"hat"),
            field("n", b"2"),
            field("stream", b"true"),
            field("image[]", PNG),
            field("image[]", b"\xff\xd8\xffrest"),
            field("mask", PNG),
        ];
        let request = ImageRequest::from_form(Task::Edit, fields).unwrap();
        assert_eq!((request.n, request.streaming), (2, Streaming::Yes(0)));
        let formats: Vec<Format> = request.images.iter().map(|it| it.format).collect();
        assert_eq!(formats, [Format::Png, Format::Jpeg]);
        assert!(request.mask.is_some());
        for (task, fields, param) in [
            (Task::Edit, vec![field("prompt", b"p")], "image"),
            (Task::Edit, vec![field("image", PNG)], "prompt"),
            (
                Task::Edit,
                vec![field("prompt", b"p"), field("image", b"<html>")],
                "image",
            ),
            (
                Task::Vary,
                vec![field("image", PNG), field("n", b"two")],
                "n",
            ),
        ] {
            let malformed = ImageRequest::from_form(task, fields).unwrap_err();
            assert_eq!(malformed.param, param);
        }
        let vary = ImageRequest::from_form(Task::Vary, vec![field("image", PNG)]);
        assert!(vary.is_ok());
    }
}
