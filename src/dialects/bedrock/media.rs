//! How are images, documents and sounds written for Converse?
//!
//! Bytes stay in base64, as they came; formats are named by an extension, which the MIME type, the file's name or the first bytes tell.
//! Source: ImageBlock, DocumentBlock and AudioBlock in Amazon Bedrock's API reference.
//!
//! # Invariants
//! - A document's name holds only what Bedrock allows, and is told once in a request.

use std::collections::HashSet;

use serde::Serialize;

use crate::chat::{Media, Source};

/// An image.
#[derive(Debug, Serialize)]
pub(super) struct Image<'a> {
    format: &'static str,
    source: Place<'a>,
}

/// A document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    format: &'static str,
    name: String,
    source: Place<'a>,
}

/// A sound.
#[derive(Debug, Serialize)]
pub(super) struct Audio<'a> {
    format: &'static str,
    source: Place<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Place<'a> {
    Bytes(&'a str),
    Text(&'a str),
    S3Location { uri: &'a str },
}

/// Where Bedrock can take it from; nothing for a URL that it would have to fetch.
fn place(source: &Source) -> Option<Place<'_>> {
    match source {
        Source::Base64(bytes) => Some(Place::Bytes(bytes)),
        Source::Url(uri) if uri.starts_with("s3://") => Some(Place::S3Location { uri }),
        Source::Text(text) => Some(Place::Text(text)),
        Source::Url(_) | Source::File(_) => None,
    }
}

/// An image for Converse, if it can be one.
pub(super) fn image(media: &Media) -> Option<Image<'_>> {
    let source = place(&media.source).filter(|place| !matches!(place, Place::Text(_)))?;
    let format = match kind(media) {
        "png" => "png",
        "jpeg" | "jpg" => "jpeg",
        "gif" => "gif",
        "webp" => "webp",
        _ => magic(&media.source)?,
    };
    Some(Image { format, source })
}

/// The format that the first bytes of an image tell.
fn magic(source: &Source) -> Option<&'static str> {
    let Source::Base64(bytes) = source else {
        return None;
    };
    let known = [
        ("iVBORw0KGgo", "png"),
        ("/9j/", "jpeg"),
        ("R0lGOD", "gif"),
        ("UklGR", "webp"),
    ];
    let found = known
        .into_iter()
        .find(|(start, _)| bytes.starts_with(start));
    found.map(|(_, format)| format)
}

/// A sound for Converse, if it can be one.
pub(super) fn audio(media: &Media) -> Option<Audio<'_>> {
    const FORMATS: [&str; 15] = [
        "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg",
        "mpga", "pcm", "webm",
    ];
    let source = place(&media.source).filter(|place| !matches!(place, Place::Text(_)))?;
    let kind = match kind(media) {
        "mpeg" => "mp3",
        "x-wav" | "wave" | "vnd.wave" => "wav",
        other => other,
    };
    let format = FORMATS.into_iter().find(|format| *format == kind)?;
    Some(Audio { format, source })
}

/// The names of the documents that a request has so far.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A document for Converse, if it can be one.
    pub(super) fn document<'a>(&mut self, media: &'a Media) -> Option<Document<'a>> {
        let source = place(&media.source)?;
        let format = match kind(media) {
            "pdf" => "pdf",
            "csv" => "csv",
            "doc" | "msword" => "doc",
            "docx" | "vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
            "xls" | "vnd.ms-excel" => "xls",
            "xlsx" | "vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
            "html" => "html",
            "md" | "markdown" => "md",
            "txt" | "plain" => "txt",
            _ if matches!(source, Place::Text(_)) => "txt",
            _ => return None,
        };
        Some(Document {
            format,
            name: self.name(&media.name),
            source,
        })
    }

    /// A name that Bedrock allows and that no other document of the request has.
    fn name(&mut self, given: &str) -> String {
        /// Characters that a name may have; Bedrock allows 200.
        const LONGEST: usize = 190;
        let stem = given.rsplit_once('.').map_or(given, |(stem, _)| stem);
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-()[]".contains(c);
        let words = stem.split(|c: char| !allowed(c)).filter(|w| !w.is_empty());
        let mut name = words.collect::<Vec<_>>().join(" ");
        name.truncate(LONGEST);
        if name.is_empty() {
            name.push_str("document");
        }
        let mut unique = name.clone();
        let mut number = self.0.len();
        while !self.0.insert(unique.clone()) {
            number += 1;
            unique = format!("{name} {number}");
        }
        unique
    }
}

/// What it is: the second half of its MIME type, else the extension of its name.
fn kind(media: &Media) -> &str {
    let mime = media.mime.split(';').next().unwrap_or_default().trim();
    match mime.split_once('/') {
        Some((_, kind)) if kind != "octet-stream" => kind,
        _ => media.name.rsplit_once('.').map_or("", |(_, end)| end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(source: Source, mime: &str, name: &str) -> Media {
        Media {
            source,
            mime: mime.to_owned(),
            name: name.to_owned(),
            detail: String::new(),
            cache: false,
        }
    }

    fn base64(text: &str) -> Source {
        Source::Base64(text.to_owned())
    }

    fn json<T: Serialize>(value: &T) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn formats_are_found() {
        let image = |source, mime| image(&media(source, mime, "")).map(|image| json(&image));
        assert_eq!(
            image(base64("AA"), "image/jpeg").unwrap(),
            r#"{"format":"jpeg","source":{"bytes":"AA"}}"#
        );
        assert_eq!(
            image(base64("R0lGODlh"), "").unwrap(),
            r#"{"format":"gif","source":{"bytes":"R0lGODlh"}}"#
        );
        assert_eq!(
            image(Source::Url("s3://b/k.png".to_owned()), "image/png").unwrap(),
            r#"{"format":"png","source":{"s3Location":{"uri":"s3://b/k.png"}}}"#
        );
        assert_eq!(image(base64("AA"), "image/tiff"), None);
        let url = Source::Url("https://x/y.png".to_owned());
        assert_eq!(image(url, "image/png"), None);
        let wav = media(base64("AA"), "audio/x-wav", "");
        assert_eq!(
            json(&audio(&wav)),
            r#"{"format":"wav","source":{"bytes":"AA"}}"#
        );
        assert!(audio(&media(base64("AA"), "audio/midi", "")).is_none());
    }

    #[test]
    fn documents_have_allowed_names_of_their_own() {
        let mut names = Names::default();
        let mut name = |name: &str| {
            let media = media(base64("AA"), "application/pdf", name);
            names.document(&media).unwrap().name
        };
        assert_eq!(name("My_report  (v1.2).pdf"), "My report (v1 2)");
        assert_eq!(name("My_report (v1.2).pdf"), "My report (v1 2) 2");
        assert_eq!(name(""), "document");
        assert_eq!(name("é"), "document 4");
        assert!(name(&"x".repeat(300)).len() <= 200);
        let text = media(Source::Text("t".to_owned()), "", "");
        assert_eq!(
            json(&Names::default().document(&text)),
            r#"{"format":"txt","name":"document","source":{"text":"t"}}"#
        );
        let odd = media(base64("AA"), "application/zip", "x.zip");
        assert!(Names::default().document(&odd).is_none());
        let named = media(base64("AA"), "application/octet-stream", "x.docx");
        assert!(Names::default().document(&named).is_some());
    }
}
