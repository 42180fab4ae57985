//! One attempt at a vendor that makes images by an API of its own: submit, poll, fetch.
//!
//! What is sent and what an answer means is [`images`](crate::images)'s affair; this file carries bytes and keeps time.
//!
//! # Invariants
//! - Once a vendor has taken the request on, nothing is submitted to it again, and to nobody else either unless it said itself that nothing comes of it.
//! - A job whose driver is dropped or runs out of time is cancelled, where the vendor can be told.
//! - Every call goes where [`Studio`] lets it go.

mod making;
pub(super) mod stream;
mod studio;
mod wish;

pub(super) use studio::Studio;
pub(super) use wish::Wish;

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use scoring::outcome::Outcome;
use scoring::time::{Span, Time};
use serde_json::json;

use super::attempt::{self, Landed, Plain};
use super::clocks::{self, Expired};
use super::flight::{Flight, Landing};
use super::life::Life;
use super::plan::Plan;
use super::respond::{Failed, Original, TakenOn};
use super::serving::Wire;
use crate::clock;
use crate::config::{LimitDialect, Timeouts};
use crate::dialects::failure::Failure;
use crate::dialects::format::Format;
use crate::dialects::limits;
use crate::dialects::openai::response;
use crate::images::{Finished, Heard, ImageRequest, Kind, Start, Step, answer};
use crate::upstream::Fault;
use making::{Answered, Lost, Making};

/// The most bytes of pictures that one answer may hold: ten uncompressed ones of eight megapixels.
const MOST_HELD: usize = 256 << 20;

/// What an attempt knows of its route.
struct Scene<'a> {
    plan: &'a Plan<'a>,
    clocks: Timeouts,
    limits: LimitDialect,
    began: Time,
}

/// Has a vendor make the pictures that are asked for.
pub(super) async fn run(
    life: &mut Life,
    flight: Flight,
    (plan, clocks, began): (&Plan<'_>, &Timeouts, Time),
    (studio, wire): (&Arc<Studio>, &Wire),
) -> Landed {
    let rejected = (Outcome::Rejected, Failure::BadRequest);
    let request = match plan.wish.request(plan.asked) {
        Ok(request) => request,
        Err(why) => return attempt::failed(flight, life, rejected, &why.message),
    };
    let start = match studio
        .vendor
        .submit(request, &wire.model.plain, &studio.base)
    {
        Ok(start) => start,
        Err(unfit) => {
            let message = wish::obstacle(&unfit);
            return attempt::failed(flight, life, (Outcome::Rejected, unfit.failure()), &message);
        }
    };
    life.goes_without(Format::Images, &start.losses);
    let Start { job, call, .. } = start;
    let mut driver = Driver {
        making: Making::new(job, Rc::clone(&life.worker), Arc::clone(studio)),
        flight,
        scene: Scene {
            plan,
            clocks: *clocks,
            limits: wire.limits,
            began,
        },
        held: 0,
    };
    let end = driver.drive(life, call).await;
    life.waited = life.waited.plus(clock::now().since(driver.scene.began));
    driver.land(life, end, request)
}

/// How an attempt ended.
enum End {
    Done(Finished),
    /// In the vendor's words.
    Told(crate::images::Failed),
    /// Without any.
    Plain(Plain, String),
}

struct Driver<'a> {
    /// Before the flight, so that the job is cancelled first when the driver is dropped.
    making: Making,
    flight: Flight,
    scene: Scene<'a>,
    /// Bytes of pictures so far.
    held: usize,
}

impl Driver<'_> {
    async fn drive(&mut self, life: &mut Life, submission: crate::images::Call) -> End {
        let mut call = submission;
        let mut is_submission = true;
        loop {
            let (began, sent) = (clock::now(), Rc::new(Cell::new(None)));
            self.making.call(call, Rc::clone(&sent));
            let heard = self.hear(life, is_submission, (began, &sent)).await;
            if let Some(at) = sent.get().filter(|_| is_submission) {
                self.flight.sent(at);
            }
            let step = match self.step(life, is_submission, heard) {
                Ok(step) => step,
                Err(end) => return end,
            };
            is_submission = false;
            let (wait, next) = match step {
                Step::Done(finished) => return End::Done(finished),
                Step::Failed(failed) => return End::Told(failed),
                Step::Fetch { wait, call } => (wait, call),
                Step::Poll {
                    wait,
                    call,
                    progress,
                } => {
                    if let Some(ticker) = &self.scene.plan.ticker {
                        ticker.tell(life, progress);
                    }
                    (wait, call)
                }
            };
            let resting = tokio::time::sleep(wait.into());
            let deadline = self.scene.plan.deadline;
            if wait > Span::ZERO
                && wait_for(
                    &mut self.flight,
                    (life, self.scene.plan),
                    || deadline,
                    resting,
                )
                .await
                .is_err()
            {
                return too_late();
            }
            call = next;
        }
    }

    /// Waits for the answer to the call under way.
    async fn hear(
        &mut self,
        life: &mut Life,
        is_submission: bool,
        (began, sent): (Time, &Cell<Option<Time>>),
    ) -> Result<Result<Answered, Lost>, Expired> {
        let Scene { plan, clocks, .. } = self.scene;
        let waits = is_submission && !self.making.job.is_prompt();
        let head = if waits {
            clocks::patient(clocks.head)
        } else {
            clocks.head
        };
        let until = || {
            let from = sent
                .get()
                .unwrap_or_else(|| began.plus(clocks.connect.into()));
            from.plus(head.into()).min(plan.deadline)
        };
        let answered = self.making.answered();
        wait_for(&mut self.flight, (life, plan), until, answered).await
    }

    /// What follows from an answer, or from there being none.
    fn step(
        &mut self,
        life: &Life,
        is_submission: bool,
        heard: Result<Result<Answered, Lost>, Expired>,
    ) -> Result<Step, End> {
        let jitter = f64::from(life.worker.jitter());
        let answered = match heard {
            Ok(Ok(answered)) => answered,
            Ok(Err(Lost::TooLarge)) => {
                let message = "the provider's answer is too large".to_owned();
                return Err(End::Plain(attempt::MALFORMED, message));
            }
            Ok(Err(Lost::Nowhere)) => {
                let message = "the provider names too many hosts".to_owned();
                return Err(End::Plain(attempt::MALFORMED, message));
            }
            Ok(Err(Lost::Fault(fault @ Fault::Unreachable(_)))) if is_submission => {
                let plain = (Outcome::Unreachable, Failure::Upstream);
                return Err(End::Plain(plain, fault.to_string()));
            }
            Err(Expired) if is_submission || clock::now() >= self.scene.plan.deadline => {
                return Err(too_late());
            }
            Ok(Err(Lost::Fault(_))) | Err(Expired) => {
                self.making.hang_up();
                return Ok(self.making.job.lost(jitter));
            }
        };
        if is_submission {
            self.limits(&answered);
        }
        if answered.status == StatusCode::OK {
            self.held += answered.body.len();
        }
        if self.held > MOST_HELD {
            let message = "the provider's pictures are too large".to_owned();
            return Err(End::Plain(attempt::MALFORMED, message));
        }
        Ok(self.making.job.answered(&Heard {
            status: answered.status,
            headers: &answered.headers,
            body: &answered.body,
            unix: clock::unix(),
            jitter,
        }))
    }

    /// Tells scoring what the vendor says of its limits.
    fn limits(&mut self, answered: &Answered) {
        let told = limits::from_headers(self.scene.limits, &answered.headers, clock::unix());
        if let (Some(report), Some(attempt)) = (told, self.flight.attempt()) {
            attempt.limits(&report, clock::now());
        }
    }

    fn land(self, life: &mut Life, end: End, request: &ImageRequest) -> Landed {
        let Self {
            making,
            mut flight,
            scene,
            ..
        } = self;
        let taken_on = match (making.job.was_taken_on(), making.job.has_lost_track()) {
            (false, _) => TakenOn::No,
            (true, false) if matches!(end, End::Told(_)) => TakenOn::InVain,
            (true, _) => TakenOn::Unknown,
        };
        // What may be cancelled is, whatever is decided next.
        drop(making);
        let failed = match end {
            End::Done(finished) => {
                let pictures = u32::try_from(finished.images.len()).unwrap_or(u32::MAX);
                let usage = response::picture_usage(finished.hints.usage.as_ref(), pictures);
                life.input_tokens = usage.input.unwrap_or(0);
                life.output_tokens = usage.output.unwrap_or(0);
                life.outcome = Some(Outcome::Success);
                let landing = Landing {
                    usage,
                    ..Outcome::Success.into()
                };
                let now = clock::now();
                let took = now.since(flight.started);
                flight.handles().pictured(took, finished.hints.compute);
                flight.land(landing, now);
                let created = clock::unix().as_secs();
                return Landed::Picture(Box::new(if scene.plan.peek.stream {
                    answer::completed(&finished, request, created)
                } else {
                    answer::whole(&finished, request, created)
                }));
            }
            End::Told(failed) => {
                let landing = Landing {
                    retry_after: failed.retry_after,
                    ..failed.outcome().into()
                };
                life.outcome = Some(failed.outcome());
                flight.land(landing, clock::now());
                told(&failed)
            }
            End::Plain((outcome, failure), message) => {
                life.outcome = Some(outcome);
                flight.land(outcome, clock::now());
                Failed {
                    outcome: Some(outcome),
                    ..Failed::local(failure, &message)
                }
            }
        };
        Landed::Failed(Box::new(Failed { taken_on, ..failed }))
    }
}

fn too_late() -> End {
    let message = "the provider did not make the picture in time".to_owned();
    End::Plain(attempt::TIMED_OUT, message)
}

/// A vendor's failure, as the client is told it.
fn told(failed: &crate::images::Failed) -> Failed {
    // OpenAI's own words for it, by which clients tell it from a malformed request.
    let moderation = || Original {
        status: StatusCode::BAD_REQUEST,
        headers: HeaderMap::new(),
        bytes: Bytes::from(
            json!({"error": {
                "message": failed.message,
                "type": "image_generation_user_error",
                "param": null,
                "code": "moderation_blocked",
            }})
            .to_string(),
        ),
    };
    Failed {
        outcome: Some(failed.outcome()),
        retry_after: failed.retry_after,
        original: (failed.kind == Kind::Moderated).then(moderation),
        ..Failed::local(failed.failure(), &failed.message)
    }
}

/// Waits for `future` until a deadline that may move; a client that hears nothing meanwhile is told that its pictures are being made.
async fn wait_for<F: Future>(
    flight: &mut Flight,
    (life, plan): (&mut Life, &Plan<'_>),
    deadline: impl Fn() -> Time,
    future: F,
) -> Result<F::Output, Expired> {
    let mut future = pin!(future);
    let Some(ticker) = &plan.ticker else {
        return clocks::within(flight, deadline, future).await;
    };
    loop {
        let due = ticker.due(life.began);
        match clocks::within(flight, || deadline().min(due), future.as_mut()).await {
            Ok(output) => return Ok(output),
            Err(Expired) if deadline() <= clock::now() => return Err(Expired),
            Err(Expired) => ticker.tell(life, None),
        }
    }
}
