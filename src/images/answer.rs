//! What does a client get: OpenAI's images object, or its events?
//!
//! An answer of four large pictures is some fifty megabytes of base64 that nobody needs at once.
//! So it is a list of pieces, texts and pictures, and a picture is encoded chunk by chunk as the pieces are taken.
//! Where a vendor shows no partial images, its progress is told in comments, which every reader of events skips and every proxy counts as life.
//!
//! # Invariants
//! - The length told is that of the bytes that come; no chunk is longer than [`CHUNK`] unless the vendor sent it so.
//! - Nothing of a vendor's text stands in the answer but through the JSON writer.

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::job::{Content, Finished, Image, Progress};
use super::output::Format;
use super::request::{ImageRequest, Task};
use super::size::Size;

/// Bytes of base64 made at a time: 64 KiB, the usual size of a write.
const CHUNK: usize = 64 * 1024;

/// Bytes of a picture that make one chunk.
const BYTES: usize = CHUNK / 4 * 3;

/// A body, made as it is taken.
#[derive(Clone, Debug, Default)]
pub struct Body {
    pieces: VecDeque<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(Bytes),
    Picture(Bytes),
}

/// OpenAI's images object for `finished`; `created` is in seconds since the Unix epoch.
#[must_use]
pub fn whole(finished: &Finished, request: &ImageRequest, created: u64) -> Body {
    let mut body = Body::default();
    body.text(format!("{{\"created\":{created},"));
    if let Some(format) = format(finished.images.first(), request) {
        body.text(format!("\"output_format\":\"{format}\","));
    }
    body.text("\"data\":[".to_owned());
    for (at, image) in finished.images.iter().enumerate() {
        body.text(if at == 0 { "{" } else { ",{" }.to_owned());
        body.content(image);
        if let Some(prompt) = &image.revised_prompt {
            body.text(format!(
                ",\"revised_prompt\":{}",
                Value::from(prompt.as_str())
            ));
        }
        if let Some(seed) = image.seed {
            body.text(format!(",\"seed\":{seed}"));
        }
        body.text("}".to_owned());
    }
    body.text("]".to_owned());
    if let Some(usage) = finished.hints.usage.as_ref().filter(|it| it.is_object()) {
        body.text(format!(",\"usage\":{usage}"));
    }
    body.text("}".to_owned());
    body
}

/// The events that end a stream: one `completed` for each picture.
#[must_use]
pub fn completed(finished: &Finished, request: &ImageRequest, created: u64) -> Body {
    let kind = event_name(request.task, "completed");
    let mut body = Body::default();
    let last = finished.images.len().saturating_sub(1);
    for (at, image) in finished.images.iter().enumerate() {
        body.text(format!("event: {kind}\ndata: {{"));
        body.content(image);
        let usage = finished
            .hints
            .usage
            .as_ref()
            .filter(|it| it.is_object() && at == last);
        body.text(format!(
            ",{}}}\n\n",
            rest(&kind, image, request, (created, usage))
        ));
    }
    body
}

/// The event of one partial image, `index` counting from 0.
#[must_use]
pub fn partial(image: &Image, index: u8, request: &ImageRequest, created: u64) -> Body {
    let kind = event_name(request.task, "partial_image");
    let mut body = Body::default();
    body.text(format!("event: {kind}\ndata: {{"));
    body.content(image);
    let rest = rest(&kind, image, request, (created, None));
    body.text(format!(",\"partial_image_index\":{index},{rest}}}\n\n"));
    body
}

/// A comment that tells how far a job is.
#[must_use]
pub fn progress(progress: Option<Progress>) -> Bytes {
    Bytes::from(match progress {
        None => ": waiting\n\n".to_owned(),
        Some(Progress::Queued(None)) => ": queued\n\n".to_owned(),
        Some(Progress::Queued(Some(before))) => format!(": queued, position {before}\n\n"),
        Some(Progress::Running(None)) => ": in progress\n\n".to_owned(),
        Some(Progress::Running(Some(percent))) => format!(": in progress, {percent}%\n\n"),
    })
}

fn event_name(task: Task, what: &str) -> String {
    match task {
        Task::Edit => format!("image_edit.{what}"),
        Task::Generate | Task::Vary => format!("image_generation.{what}"),
    }
}

/// The fields of an event besides its picture, without the braces.
fn rest(
    kind: &str,
    image: &Image,
    request: &ImageRequest,
    (created, usage): (u64, Option<&Value>),
) -> String {
    let size = match request.size {
        Size::Pixels(pixels) => pixels.to_string(),
        Size::Auto | Size::Ratio(_) => "auto".to_owned(),
    };
    let mut fields = json!({
        "type": kind,
        "created_at": created,
        "size": size,
        "quality": request.quality.as_deref().unwrap_or("auto"),
        "background": request.background.name(),
        "output_format": format(Some(image), request).unwrap_or("png"),
    });
    if let (Some(usage), Some(fields)) = (usage, fields.as_object_mut()) {
        fields.insert("usage".to_owned(), usage.clone());
    }
    let text = fields.to_string();
    let inside = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    inside.unwrap_or_default().to_owned()
}

fn format(image: Option<&Image>, request: &ImageRequest) -> Option<&'static str> {
    let known = image.and_then(|image| image.format).or(request.format);
    known.map(Format::name)
}

impl Body {
    fn text(&mut self, text: String) {
        self.pieces.push_back(Piece::Text(text.into()));
    }

    /// `"b64_json":"…"` or `"url":"…"`.
    fn content(&mut self, image: &Image) {
        match &image.content {
            Content::Url(url) => self.text(format!("\"url\":{}", Value::from(url.as_str()))),
            Content::Bytes(bytes) => {
                self.text("\"b64_json\":\"".to_owned());
                self.pieces.push_back(Piece::Picture(bytes.clone()));
                self.text("\"".to_owned());
            }
            Content::Base64(text) => {
                self.text("\"b64_json\":\"".to_owned());
                self.pieces.push_back(Piece::Text(text.clone()));
                self.text("\"".to_owned());
            }
        }
    }

    /// Bytes that are still to come.
    #[must_use]
    pub fn length(&self) -> usize {
        let lengths = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Picture(bytes) => bytes.len().div_ceil(3) * 4,
        });
        lengths.sum()
    }
}

impl Iterator for Body {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match self.pieces.pop_front()? {
            Piece::Text(text) => Some(text),
            Piece::Picture(mut bytes) => {
                let chunk = bytes.split_to(bytes.len().min(BYTES));
                if !bytes.is_empty() {
                    self.pieces.push_front(Piece::Picture(bytes));
                }
                Some(STANDARD.encode(&chunk).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(body: &Value) -> ImageRequest {
        ImageRequest::from_json(body.to_string().as_bytes()).unwrap()
    }

    fn finished() -> Finished {
        let bytes = Bytes::from(vec![7_u8; BYTES * 2 + 5]);
        let mut finished = Finished::default();
        finished.images.push(Image {
            format: Some(Format::Webp),
            seed: Some(7),
            revised_prompt: Some("a \"cat\"\n".to_owned()),
            ..Image::new(Content::Bytes(bytes))
        });
        finished
            .images
            .push(Image::new(Content::Base64(Bytes::from_static(b"QUJD"))));
        finished.images.push(Image::at("https://x.example/?a=\"b"));
        finished.hints.usage = Some(json!({"total_tokens": 9}));
        finished
    }

    fn taken(body: Body) -> String {
        let length = body.length();
        let chunks: Vec<Bytes> = body.collect();
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK));
        let all = chunks.concat();
        assert_eq!(all.len(), length, "the length told");
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn a_whole_answer_is_openais() {
        let text = taken(whole(&finished(), &request(&json!({"prompt": "p"})), 5));
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["created"], 5);
        assert_eq!(answer["output_format"], "webp");
        let picture = answer["data"][0]["b64_json"].as_str().unwrap();
        assert_eq!(STANDARD.decode(picture).unwrap(), vec![7_u8; BYTES * 2 + 5]);
        assert_eq!(answer["data"][0]["revised_prompt"], "a \"cat\"\n");
        assert_eq!(answer["data"][1]["b64_json"], "QUJD");
        assert_eq!(answer["data"][2]["url"], "https://x.example/?a=\"b");
        assert_eq!(answer["usage"]["total_tokens"], 9);
    }

    #[test]
    fn a_stream_ends_with_an_event_for_each_picture() {
        let request = request(&json!({"prompt": "p", "size": "1024x1024", "stream": true}));
        let text = taken(completed(&finished(), &request, 5));
        let events: Vec<&str> = text.split_terminator("\n\n").collect();
        assert_eq!(events.len(), 3);
        for (at, event) in events.iter().enumerate() {
            let (name, data) = event.split_once('\n').unwrap();
            assert_eq!(name, "event: image_generation.completed");
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(data["type"], "image_generation.completed");
            assert_eq!(data["size"], "1024x1024");
            assert_eq!(data["usage"].is_object(), at == 2);
        }
    }

    #[test]
    fn a_partial_image_has_its_number_and_an_edit_its_own_events() {
        let mut request = request(&json!({"prompt": "p"}));
        request.task = Task::Edit;
        let image = Image::new(Content::Base64(Bytes::from_static(b"QUJD")));
        let text = taken(partial(&image, 1, &request, 5));
        let data = text
            .strip_prefix("event: image_edit.partial_image\ndata: ")
            .unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(
            (&data["partial_image_index"], &data["b64_json"]),
            (&json!(1), &json!("QUJD"))
        );
    }

    #[test]
    fn progress_is_a_comment() {
        for (said, text) in [
            (None, ": waiting\n\n"),
            (Some(Progress::Queued(Some(3))), ": queued, position 3\n\n"),
            (Some(Progress::Running(Some(45))), ": in progress, 45%\n\n"),
        ] {
            assert_eq!(progress(said), text);
        }
    }
}
