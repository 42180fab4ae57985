//! What is to be done next about an image that a vendor is making?
//!
//! Every vendor's way is one of three: the pictures in the answer, a job that is polled, or a job whose result lies elsewhere.
//! A [`Job`] is told each answer and says the next [`Step`]; whoever drives it only carries bytes and waits.
//! Vendors differ in how an answer is read, which is a pure function from bytes to a [`Word`] in each vendor's file.
//!
//! # Invariants
//! - Once a vendor has accepted a job, nothing is submitted again: a lost or failed poll is followed by a poll.
//! - Every URL called is the configured origin's or the vendor's own; see [`reach`](super::reach).
//! - The number of polls is bounded by the driver's deadline only, that of failed polls in a row by [`MISSES`].

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use scoring::time::Span;
use serde_json::Value;

use super::call::{Auth, Call};
use super::output::{Delivery, Format};
use super::reach::Base;
use super::request::ImageRequest;
use super::vendor::Vendor;
use super::verdict::{Failed, Kind};
use crate::dialects::retry_after;

/// The wait before the first poll: most vendors' fastest models take about as long.
const FIRST: Span = Span::from_millis(500);

/// The longest wait between polls of our own choice: longer would add to what the user waits for.
const LONGEST: Span = Span::from_secs(2);

/// The longest wait that a vendor may ask for between polls; beyond it a client's patience ends first.
const ASKED: Span = Span::from_secs(60);

/// Growth of the wait from poll to poll.
const GROWTH: f64 = 1.5;

/// Polls that may fail in a row before the job is given up; with the waits between them some fifteen seconds.
const MISSES: u32 = 8;

/// Attempts at fetching one picture.
const FETCHES: u32 = 3;

/// The most bytes of one picture that are fetched; an uncompressed 16-megapixel one stays below.
pub const PICTURE_BYTES: usize = 64 << 20;

/// The most pictures taken from one answer; more than can be asked for.
const PICTURES: usize = 16;

/// A vendor's answer.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its whole body, bounded by whoever read it.
    pub body: &'a Bytes,
    /// Wall clock since the Unix epoch, for waits that are told as dates.
    pub unix: Duration,
    /// A draw from 0..1 that spreads polls.
    pub jitter: f64,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Wait, then make the call and tell the answer.
    Poll {
        /// How long to wait first.
        wait: Span,
        /// The call.
        call: Call,
        /// How far the job is, where the vendor says so.
        progress: Option<Progress>,
    },
    /// Wait, then fetch a picture, of which at most [`PICTURE_BYTES`] are read, and tell the answer.
    Fetch {
        /// How long to wait first.
        wait: Span,
        /// The call, which carries no key.
        call: Call,
    },
    /// There are pictures.
    Done(Finished),
    /// There are none.
    Failed(Failed),
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits; so many are before it, where that is known.
    Queued(Option<u32>),
    /// It runs; so many percent are done, 0..=100, where that is known.
    Running(Option<u8>),
}

/// The pictures, and what is known of their price.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finished {
    /// The pictures; at least one.
    pub images: Vec<Image>,
    /// What is known of their price.
    pub hints: Hints,
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The picture itself, or where it is.
    pub content: Content,
    /// Its encoding, where it is known.
    pub format: Option<Format>,
    /// The seed it was made with.
    pub seed: Option<u64>,
    /// The prompt it was made with, where the vendor changed it.
    pub revised_prompt: Option<String>,
}

/// A picture's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Its bytes.
    Bytes(Bytes),
    /// Its bytes in standard base64, as the vendor sent them.
    Base64(Bytes),
    /// Where it is.
    Url(String),
}

/// What a vendor told that says something of the price.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// Credits charged, in the vendor's unit; BFL: 0.01 dollar each.
    pub credits: Option<f64>,
    /// Time on the vendor's hardware.
    pub compute: Option<Span>,
    /// Units charged, in the vendor's unit; fal: `x-fal-billable-units`.
    pub units: Option<f64>,
    /// OpenAI's `usage` object.
    pub usage: Option<Value>,
}

/// What a vendor's answer says.
#[derive(Debug)]
pub(super) enum Word {
    /// There is a job.
    Accepted {
        poll: Call,
        cancel: Option<Call>,
        progress: Option<Progress>,
    },
    /// The job is not done.
    Waiting(Option<Progress>),
    /// The result is at another place of the vendor's API.
    Look(Call),
    /// These are the pictures.
    Ready(Finished),
    /// There will be none.
    Failed(Failed),
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Submitted,
    Polling(Call),
    Looking(Call),
    Fetching(Finished, usize),
    Over,
}

/// One request at one vendor, from its submission to its pictures.
#[derive(Clone, Debug)]
pub struct Job {
    vendor: Vendor,
    base: Base,
    model: String,
    delivery: Delivery,
    phase: Phase,
    cancel: Option<Call>,
    polls: u32,
    misses: u32,
    /// Whether the vendor has taken the request on: there is a job, or there are pictures.
    taken_on: bool,
    /// Whether it was given up although a picture may come of it, or be there.
    lost_track: bool,
}

/// What a vendor's reader knows besides the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub(super) base: &'a Base,
    pub(super) model: &'a str,
    /// Whether there is a job already.
    pub(super) accepted: bool,
}

impl Job {
    pub(super) fn new(vendor: Vendor, request: &ImageRequest, model: &str, base: &Base) -> Self {
        Self {
            vendor,
            base: base.clone(),
            model: model.to_owned(),
            delivery: request.delivery,
            phase: Phase::Submitted,
            cancel: None,
            polls: 0,
            misses: 0,
            taken_on: false,
            lost_track: false,
        }
    }

    /// Whether the vendor has accepted it; from then on it must not be submitted again.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        !matches!(self.phase, Phase::Submitted)
    }

    /// Whether the vendor answers the submission at once, and not when the pictures are there.
    #[must_use]
    pub fn is_prompt(&self) -> bool {
        self.vendor.is_prompt(&self.model, &self.base)
    }

    /// Whether a submission that nobody waits for any more should be heard to its end all the same, so that its job can be cancelled.
    #[must_use]
    pub fn is_worth_hearing(&self) -> bool {
        self.phase == Phase::Submitted && self.is_prompt() && self.vendor.cancels(&self.base)
    }

    /// Whether it was given up although a picture may still come of it, or is there and cannot be had: asking anybody else would pay twice.
    #[must_use]
    pub const fn has_lost_track(&self) -> bool {
        self.lost_track
    }

    /// Whether the vendor has taken the request on, whatever became of it.
    #[must_use]
    pub const fn was_taken_on(&self) -> bool {
        self.taken_on
    }

    /// Takes the answer to the last call.
    pub fn answered(&mut self, heard: &Heard<'_>) -> Step {
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        match phase {
            Phase::Over => Step::Failed(Failed::nonsense("came after the end")),
            Phase::Fetching(finished, at) => self.fetched(finished, at, heard),
            Phase::Submitted if heard.status.is_success() => self.read(heard, None),
            Phase::Submitted => self.fail(Failed::refused(heard)),
            Phase::Polling(call) | Phase::Looking(call) if missed(heard.status) => {
                self.miss(call, heard)
            }
            Phase::Polling(call) | Phase::Looking(call) => {
                self.misses = 0;
                if heard.status.is_success() {
                    self.read(heard, Some(call))
                } else {
                    self.fail(Failed::refused(heard))
                }
            }
        }
    }

    /// Takes note that the last call got no answer; `jitter` is a draw from 0..1.
    pub fn lost(&mut self, jitter: f64) -> Step {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let heard = Heard {
            status: StatusCode::BAD_GATEWAY,
            headers: &headers,
            body: &body,
            unix: Duration::ZERO,
            jitter,
        };
        if self.phase == Phase::Submitted {
            let text = "The connection to the provider was lost.";
            return self.fail(Failed::new(Kind::Lost, text));
        }
        self.answered(&heard)
    }

    /// The call that cancels the job, where there may be one to cancel and a way to do it; the job is over then.
    pub fn cancel(&mut self) -> Option<Call> {
        let running = self.lost_track || matches!(self.phase, Phase::Polling(_));
        self.phase = Phase::Over;
        self.cancel.take().filter(|_| running)
    }

    fn fail(&mut self, failed: Failed) -> Step {
        self.phase = Phase::Over;
        self.lost_track = self.taken_on;
        Step::Failed(failed)
    }

    /// A job that failed in the vendor's own words has come to nothing.
    fn failed(&mut self, failed: Failed) -> Step {
        self.phase = Phase::Over;
        self.lost_track = self.taken_on && failed.kind == Kind::Nonsense;
        Step::Failed(failed)
    }

    /// Has the vendor's reader say what an answer means; `last` is the call it answers, once there is a job.
    fn read(&mut self, heard: &Heard<'_>, last: Option<Call>) -> Step {
        let ground = Ground {
            base: &self.base,
            model: &self.model,
            accepted: last.is_some(),
        };
        match (self.vendor.read(heard, ground), last) {
            (Word::Failed(failed), _) => self.failed(failed),
            (Word::Ready(finished), _) => self.gather(finished),
            (Word::Look(call), _) => {
                self.cancel = None;
                self.phase = Phase::Looking(call.clone());
                Step::Poll {
                    wait: Span::ZERO,
                    call,
                    progress: None,
                }
            }
            (
                Word::Accepted {
                    poll,
                    cancel,
                    progress,
                },
                None,
            ) => {
                self.cancel = cancel;
                self.taken_on = true;
                self.poll(poll, progress, heard)
            }
            (Word::Waiting(progress) | Word::Accepted { progress, .. }, Some(call)) => {
                self.poll(call, progress, heard)
            }
            (Word::Waiting(_), None) => self.fail(Failed::nonsense("names no job")),
        }
    }

    fn poll(&mut self, call: Call, progress: Option<Progress>, heard: &Heard<'_>) -> Step {
        let wait = self.wait(heard);
        self.phase = Phase::Polling(call.clone());
        Step::Poll {
            wait,
            call,
            progress,
        }
    }

    /// Polls again after a poll that said nothing of the job.
    fn miss(&mut self, call: Call, heard: &Heard<'_>) -> Step {
        self.misses += 1;
        if self.misses > MISSES {
            return self.fail(Failed::refused(heard));
        }
        self.poll(call, None, heard)
    }

    /// The wait before the next poll: ours, or the vendor's if it asks for more.
    fn wait(&mut self, heard: &Heard<'_>) -> Span {
        let grown = FIRST.mul_f64(GROWTH.powi(i32::try_from(self.polls.min(16)).unwrap_or(16)));
        self.polls = self.polls.saturating_add(1);
        let jitter = if heard.jitter.is_finite() {
            heard.jitter.clamp(0.0, 1.0)
        } else {
            0.5
        };
        let ours = grown.min(LONGEST).mul_f64(0.75 + 0.5 * jitter);
        let asked = retry_after::from_headers(heard.headers, heard.unix).unwrap_or(Span::ZERO);
        ours.max(asked.min(ASKED))
    }

    /// Checks every picture that is elsewhere, and fetches them if they are wanted here.
    fn gather(&mut self, mut finished: Finished) -> Step {
        finished.images.truncate(PICTURES);
        if finished.images.is_empty() {
            return self.fail(Failed::nonsense("holds no picture"));
        }
        self.cancel = None;
        self.taken_on = true;
        for image in &mut finished.images {
            match settle(image, &self.base) {
                Ok(()) => {}
                Err(failed) => return self.fail(failed),
            }
        }
        self.fetch(finished, 0, Span::ZERO)
    }

    /// Fetches the next picture that is wanted here and is elsewhere.
    fn fetch(&mut self, finished: Finished, from: usize, wait: Span) -> Step {
        let inline = match self.delivery {
            Delivery::Url => false,
            Delivery::Base64 => true,
            Delivery::Unsaid => !self.vendor.delivers_as_it_likes(),
        };
        let mut rest = finished.images.iter().enumerate().skip(from);
        let next = rest.find_map(|(at, image)| match &image.content {
            Content::Url(url) if inline => Some((at, url)),
            _ => None,
        });
        let Some((at, url)) = next else {
            self.phase = Phase::Over;
            return Step::Done(finished);
        };
        let Some(url) = self.base.permit(url, self.vendor.result_places()) else {
            return self.fail(Failed::nonsense(
                "puts the picture at an origin that is not its own",
            ));
        };
        let call = Call::bare(Method::GET, url, Auth::None).accepting("image/*");
        if at > from {
            self.misses = 0;
        }
        self.phase = Phase::Fetching(finished, at);
        Step::Fetch { wait, call }
    }

    fn fetched(&mut self, mut finished: Finished, at: usize, heard: &Heard<'_>) -> Step {
        if missed(heard.status) && self.misses + 1 < FETCHES {
            self.misses += 1;
            let wait = self.wait(heard);
            return self.fetch(finished, at, wait);
        }
        if heard.status != StatusCode::OK {
            return self.fail(Failed::nonsense("names a picture that cannot be fetched"));
        }
        let format = Format::sniff(heard.body);
        if format.is_none() || heard.body.len() > PICTURE_BYTES {
            return self.fail(Failed::nonsense("names a picture that is none"));
        }
        if let Some(image) = finished.images.get_mut(at) {
            image.content = Content::Bytes(heard.body.clone());
            image.format = format;
        }
        self.misses = 0;
        self.fetch(finished, at, Span::ZERO)
    }
}

/// Whether a poll with this status says nothing of the job: the vendor is busy, ill, or does not see the job yet.
fn missed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 408 | 425 | 429) || status.is_server_error()
}

/// Brings a picture's content into one of three plain forms: bytes, base64, or a URL that may be shown.
fn settle(image: &mut Image, base: &Base) -> Result<(), Failed> {
    match &image.content {
        Content::Bytes(bytes) => {
            image.format = Format::sniff(bytes);
            if image.format.is_none() {
                return Err(Failed::nonsense("is no picture"));
            }
        }
        Content::Base64(text) => {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
            if text.is_empty() || !text.iter().all(plain) {
                return Err(Failed::nonsense("holds a picture that is not base64"));
            }
        }
        Content::Url(url) => match url.strip_prefix("data:") {
            Some(data) => {
                let (media, text) = data
                    .split_once(";base64,")
                    .ok_or_else(|| Failed::nonsense("holds a picture that is not base64"))?;
                image.format = media_format(media);
                image.content = Content::Base64(Bytes::copy_from_slice(text.as_bytes()));
                return settle(image, base);
            }
            None => {
                if base.show(url).is_none() {
                    return Err(Failed::nonsense("names a picture at no usable URL"));
                }
            }
        },
    }
    Ok(())
}

/// The format that a media type names.
pub(super) fn media_format(media: &str) -> Option<Format> {
    match media.trim() {
        "image/png" => Some(Format::Png),
        "image/jpeg" | "image/jpg" => Some(Format::Jpeg),
        "image/webp" => Some(Format::Webp),
        _ => None,
    }
}

impl Image {
    /// A picture of which nothing else is known.
    pub(super) const fn new(content: Content) -> Self {
        Self {
            content,
            format: None,
            seed: None,
            revised_prompt: None,
        }
    }

    /// A picture at a URL.
    pub(super) fn at(url: &str) -> Self {
        Self::new(Content::Url(url.to_owned()))
    }
}
