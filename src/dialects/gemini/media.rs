//! How are pictures, documents and sounds told: in the body, or by where they lie?
//!
//! # Invariants
//! - Google is sent a URL only with a MIME type, which it demands.
//! - Base64 that was read is in the standard alphabet.

use serde::{Deserialize, Serialize};

use super::super::coded;
use crate::chat::{Loss, Losses, Media, Part, Source};

/// Bytes in the body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Blob {
    #[serde(alias = "mime_type")]
    mime_type: Option<String>,
    data: Option<String>,
    #[serde(alias = "display_name")]
    display_name: Option<String>,
}

/// Bytes elsewhere.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct File {
    #[serde(alias = "mime_type")]
    mime_type: Option<String>,
    #[serde(alias = "file_uri")]
    file_uri: Option<String>,
    #[serde(alias = "display_name")]
    display_name: Option<String>,
}

impl From<Blob> for Part {
    fn from(blob: Blob) -> Self {
        let data = coded::standard(blob.data.unwrap_or_default());
        part(Source::Base64(data), blob.mime_type, blob.display_name)
    }
}

impl From<File> for Part {
    fn from(file: File) -> Self {
        let uri = file.file_uri.unwrap_or_default();
        let source = if is_googles(&uri) {
            Source::File(uri)
        } else {
            Source::Url(uri)
        };
        part(source, file.mime_type, file.display_name)
    }
}

/// Whether only Google can fetch it.
fn is_googles(uri: &str) -> bool {
    uri.starts_with("https://generativelanguage.googleapis.com/") || !uri.starts_with("http")
}

fn part(source: Source, mime: Option<String>, name: Option<String>) -> Part {
    let mime = mime.unwrap_or_default();
    let kind = mime.split('/').next().unwrap_or_default();
    let make: fn(Media) -> Part = match kind {
        "image" => Part::Image,
        "audio" => Part::Audio,
        _ => Part::Document,
    };
    make(Media {
        source,
        mime,
        name: name.unwrap_or_default(),
        detail: String::new(),
        cache: false,
    })
}

/// A medium as it is written, or its text.
#[derive(Debug)]
pub(super) enum Written<'a> {
    Inline(WrittenBlob<'a>),
    File(WrittenFile<'a>),
    Text(&'a str),
}

/// Bytes in the body, as written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrittenBlob<'a> {
    mime_type: &'a str,
    data: &'a str,
}

/// Bytes elsewhere, as written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrittenFile<'a> {
    mime_type: &'a str,
    file_uri: &'a str,
}

/// Writes a medium whose field in the client's dialect is called `what`; `None` is a loss that was noted.
pub(super) fn write<'a>(
    media: &'a Media,
    what: &'static str,
    losses: &mut Losses,
) -> Option<Written<'a>> {
    let known = Some(media.mime.as_str()).filter(|mime| mime.contains('/'));
    let named = || by_extension(&media.name);
    match &media.source {
        Source::Text(text) => Some(Written::Text(text)),
        Source::Base64(data) => {
            let mime_type = known.or_else(|| by_content(data)).or_else(named);
            losses.add_if(mime_type.is_none(), what, Loss::Meaning);
            Some(Written::Inline(WrittenBlob {
                mime_type: mime_type?,
                data,
            }))
        }
        Source::Url(url) => {
            let mime_type = known.or_else(|| by_extension(url)).or_else(named);
            losses.add_if(mime_type.is_none(), what, Loss::Meaning);
            Some(Written::File(WrittenFile {
                mime_type: mime_type?,
                file_uri: url,
            }))
        }
        Source::File(id) if is_googles(id) && id.contains("://") => {
            let mime_type = known.or_else(|| by_extension(id)).or_else(named);
            losses.add_if(mime_type.is_none(), what, Loss::Meaning);
            Some(Written::File(WrittenFile {
                mime_type: mime_type?,
                file_uri: id,
            }))
        }
        Source::File(_) => {
            losses.add("file_id", Loss::Meaning);
            None
        }
    }
}

/// What the base64 of well-known formats begins with.
fn by_content(data: &str) -> Option<&'static str> {
    const BEGINNINGS: &[(&str, &str)] = &[
        ("iVBORw", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
    ];
    let found = BEGINNINGS.iter().find(|(begin, _)| data.starts_with(begin));
    found.map(|(_, mime)| *mime)
}

/// The type that a file's name or URL promises.
fn by_extension(name: &str) -> Option<&'static str> {
    const EXTENSIONS: &[(&str, &str)] = &[
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("heic", "image/heic"),
        ("heif", "image/heif"),
        ("pdf", "application/pdf"),
        ("mp3", "audio/mp3"),
        ("wav", "audio/wav"),
        ("flac", "audio/flac"),
        ("ogg", "audio/ogg"),
        ("aac", "audio/aac"),
        ("mp4", "video/mp4"),
        ("mov", "video/mov"),
        ("webm", "video/webm"),
        ("txt", "text/plain"),
        ("md", "text/md"),
        ("csv", "text/csv"),
        ("html", "text/html"),
    ];
    let path = name.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let (_, extension) = file.rsplit_once('.')?;
    let found = EXTENSIONS
        .iter()
        .find(|(known, _)| extension.eq_ignore_ascii_case(known));
    found.map(|(_, mime)| *mime)
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

    #[test]
    fn a_type_is_found_or_the_medium_is_lost() {
        let check = |media: &Media, expected: Option<&str>| {
            let mut losses = Losses::default();
            let mime = match write(media, "image_url", &mut losses) {
                Some(Written::Inline(blob)) => Some(blob.mime_type),
                Some(Written::File(file)) => Some(file.mime_type),
                Some(Written::Text(_)) => Some("text"),
                None => None,
            };
            assert_eq!(mime, expected, "{media:?}");
            assert_eq!(losses.of_meaning().is_some(), expected.is_none());
        };
        let url = |url: &str| Source::Url(url.to_owned());
        check(
            &media(url("https://h/a.b/c.PNG?x=1.jpg#f"), "", ""),
            Some("image/png"),
        );
        check(&media(url("https://h.png/c"), "", ""), None);
        check(
            &media(url("https://h/c"), "image/webp", ""),
            Some("image/webp"),
        );
        check(
            &media(url("https://h/c"), "", "scan.pdf"),
            Some("application/pdf"),
        );
        let inline = |data: &str| Source::Base64(data.to_owned());
        check(&media(inline("/9j/4AAQ"), "", ""), Some("image/jpeg"));
        check(&media(inline("AAAA"), "", ""), None);
        check(
            &media(Source::File("file-1".to_owned()), "image/png", ""),
            None,
        );
        check(
            &media(Source::File("gs://b/o.mp4".to_owned()), "", ""),
            Some("video/mp4"),
        );
        check(&media(Source::Text("t".to_owned()), "", ""), Some("text"));
    }

    #[test]
    fn what_is_read_is_told_apart() {
        let blob: Blob =
            serde_json::from_str(r#"{"mime_type":"image/png","data":"a-_="}"#).unwrap();
        let image = media(Source::Base64("a+/=".to_owned()), "image/png", "");
        assert_eq!(Part::from(blob), Part::Image(image));
        let file: File =
            serde_json::from_str(r#"{"mimeType":"audio/wav","fileUri":"https://h/a"}"#).unwrap();
        let audio = media(Source::Url("https://h/a".to_owned()), "audio/wav", "");
        assert_eq!(Part::from(file), Part::Audio(audio));
        let own: File = serde_json::from_str(
            r#"{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/x"}"#,
        )
        .unwrap();
        assert!(matches!(
            Part::from(own),
            Part::Document(Media {
                source: Source::File(_),
                ..
            })
        ));
    }
}
