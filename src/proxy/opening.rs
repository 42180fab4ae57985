//! Holds a stream back until its first content token is here, so that everything before it can still fall back.
//!
//! # Invariants
//! - What is held back is bounded by [`MAX_HELD`]: frames without content do not go on for ever.

use bytes::{Bytes, BytesMut};

use super::attempt::{self, Exchange, Landed};
use super::clocks::{self, Expired};
use super::life::Life;
use crate::clock;
use crate::dialects::classify;
use crate::dialects::passage::Passage;
use crate::dialects::tap::{Passed, Progress};
use crate::upstream;

/// Most bytes held back before the first content token; lifecycle frames are below 4 KiB together.
const MAX_HELD: usize = 256 * 1024;

/// A stream whose first content token is here.
pub(super) struct Opened {
    pub(super) exchange: Exchange,
    pub(super) head: http::response::Parts,
    /// What has arrived so far, to be sent first.
    pub(super) held: Bytes,
    pub(super) body: upstream::Body,
    pub(super) passage: Passage,
}

/// Reads up to the first content token.
pub(super) async fn open(
    mut exchange: Exchange,
    life: &mut Life,
    response: upstream::Response,
    mut passage: Passage,
) -> Landed {
    let upstream::Response { head, mut body, .. } = response;
    let mut held = BytesMut::new();
    let until = exchange
        .head_at
        .plus(exchange.clocks.first_token.into())
        .min(exchange.total);
    loop {
        let piece = clocks::within(&mut exchange.flight, || until, body.data()).await;
        let passed = match piece {
            Err(Expired) => {
                let message = "the provider sent no token in time";
                return exchange.fail(life, attempt::TIMED_OUT, message);
            }
            Ok(Some(Err(fault))) => {
                return exchange.fail(life, attempt::LOST, &fault.to_string());
            }
            Ok(Some(Ok(bytes))) => match passage.pass(bytes) {
                Ok(passed) => passed,
                Err(unfit) => return exchange.unfit(life, unfit),
            },
            Ok(None) => {
                let rest = match passage.rest() {
                    Ok(rest) => rest,
                    Err(unfit) => return exchange.unfit(life, unfit),
                };
                if rest.error.is_none() && !passage.progress().finished && !passage.progress().done
                {
                    let message = "the provider's stream ended before it began";
                    return exchange.fail(life, attempt::LOST, message);
                }
                rest
            }
        };
        if let Some(error) = passed.error {
            let verdict = classify::error_in_success(&error);
            return exchange.rejected(life, verdict, head.headers, error);
        }
        if begins(&passed, passage.progress()) {
            let now = clock::now();
            exchange.waited(life, now);
            exchange.flight.first_token(now);
            life.ttft = Some(now.since(exchange.flight.started));
            life.first_at.get_or_insert(now);
            return Landed::Stream(Box::new(Opened {
                exchange,
                head,
                held: join(held, passed.bytes),
                body,
                passage,
            }));
        }
        held.extend_from_slice(&passed.bytes);
        if held.len() > MAX_HELD {
            let message = "the provider's stream has no content";
            return exchange.fail(life, attempt::MALFORMED, message);
        }
    }
}

/// Whether the client's answer begins here: with content, or with the end of an empty answer.
fn begins(passed: &Passed, progress: &Progress) -> bool {
    passed.content || progress.finished || progress.done
}

fn join(mut held: BytesMut, bytes: Bytes) -> Bytes {
    if held.is_empty() {
        return bytes;
    }
    held.extend_from_slice(&bytes);
    held.freeze()
}
