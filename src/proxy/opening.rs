//! Holds a stream back until its first content token is here, so that everything before it can still fall back.
//!
//! # Invariants
//! - What is held back is bounded by [`MAX_HELD`]: frames without content do not go on for ever.

use bytes::{Bytes, BytesMut};

use super::attempt::{self, Exchange, Landed};
use super::clocks::{self, Expired};
use super::life::Life;
use crate::clock;
use crate::dialects::openai::classify;
use crate::dialects::openai::splice::UsageChunk;
use crate::dialects::openai::tap::{Passed, Tap};
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
    pub(super) tap: Tap,
}

/// Reads up to the first content token.
pub(super) async fn open(
    mut exchange: Exchange,
    life: &mut Life,
    response: upstream::Response,
    usage_chunk: UsageChunk,
) -> Landed {
    let upstream::Response { head, mut body, .. } = response;
    let mut tap = Tap::new(usage_chunk);
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
            Ok(Some(Ok(bytes))) => match tap.pass(bytes) {
                Ok(passed) => passed,
                Err(error) => {
                    let message = error.to_string();
                    return exchange.fail(life, attempt::MALFORMED, &message);
                }
            },
            Ok(None) => {
                let rest = tap.rest();
                if rest.error.is_none() && !tap.finished && !tap.done {
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
        if begins(&passed, &tap) {
            let now = clock::now();
            exchange.waited(life, now);
            exchange.flight.first_token(now);
            life.ttft = Some(now.since(exchange.flight.started));
            return Landed::Stream(Box::new(Opened {
                exchange,
                head,
                held: join(held, passed.bytes),
                body,
                tap,
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
fn begins(passed: &Passed, tap: &Tap) -> bool {
    passed.content || tap.finished || tap.done
}

fn join(mut held: BytesMut, bytes: Bytes) -> Bytes {
    if held.is_empty() {
        return bytes;
    }
    held.extend_from_slice(&bytes);
    held.freeze()
}
