//! What is to be kept of an answer that is on its way to its client?
//!
//! # Invariants
//! - What is kept is what the client got, byte for byte, and only if it is whole, not cut short, not filtered and no error.
//! - An answer that is too large is not kept, and no more of it is held than was allowed.
//! - Of a key that was revoked meanwhile nothing is kept.
//! - Dropped before the end, it keeps nothing, and whoever follows tries for itself.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::super::life::Life;
use super::check::{Check, Passed};
use super::question::{self, Question};
use super::recall::Words;
use crate::cache::{self, Entry, Leader, Over};
use crate::clock;
use crate::dialects::replay::{self, Told};

/// Listens to an answer.
#[derive(Debug)]
pub(in super::super) struct Keeping {
    question: Question,
    leader: Option<Leader>,
    content_type: Box<str>,
    /// What has passed; none once it is too much.
    passed: Option<BytesMut>,
    largest: usize,
}

impl Keeping {
    /// Listens to the answer of a question, for those who follow as well if it leads.
    pub(super) fn new(life: &Life, question: Question, leader: Option<Leader>) -> Self {
        Self {
            question,
            leader,
            content_type: Box::default(),
            passed: Some(BytesMut::new()),
            largest: life.serving.config.cache.largest,
        }
    }

    /// Whether anybody waits for the rest.
    pub(in super::super) fn is_followed(&self) -> bool {
        self.leader.as_ref().is_some_and(Leader::is_followed)
    }

    /// The answer begins, and is said to be this.
    pub(in super::super) fn begins(&mut self, content_type: &str) {
        self.content_type = content_type.into();
        if let Some(leader) = &self.leader {
            leader.begins(content_type);
        }
    }

    /// Bytes of the answer go to the client.
    pub(in super::super) fn passes(&mut self, piece: &Bytes) {
        self.tells(piece);
        if let Some(passed) = &mut self.passed {
            if passed.len() + piece.len() > self.largest {
                self.passed = None;
            } else {
                passed.extend_from_slice(piece);
            }
        }
    }

    /// The answer is none that may be kept, whatever its words say.
    pub(in super::super) fn is_unfit(&mut self) {
        self.largest = 0;
        self.passed = None;
    }

    /// Bytes go to the client that are no part of the answer.
    pub(in super::super) fn tells(&self, piece: &Bytes) {
        if let Some(leader) = &self.leader {
            leader.passes(piece);
        }
    }

    /// The whole answer went to the client at once.
    pub(in super::super) fn whole(mut self, life: &Life, content_type: &str, bytes: &Bytes) {
        self.begins(content_type);
        self.tells(bytes);
        let fits = bytes.len() <= self.largest;
        self.ends(life, fits.then(|| bytes.clone()));
    }

    /// All of the stream has gone to the client.
    pub(in super::super) fn complete(mut self, life: &Life) {
        let passed = self.passed.take();
        self.ends(life, passed.map(BytesMut::freeze));
    }

    fn ends(mut self, life: &Life, bytes: Option<Bytes>) {
        if let Some(bytes) = bytes {
            self.keep(life, bytes);
        }
        // After it is kept, so that whoever comes next finds it.
        if let Some(leader) = &self.leader {
            leader.ends(Over::Whole);
        }
    }

    fn keep(&mut self, life: &Life, bytes: Bytes) {
        let words = self.question.words.take();
        let question = &self.question;
        let library = &life.worker.shared.lasting.library;
        let told = Told {
            format: question::endpoint(question.manner).format(),
            form: question::form(question.manner),
            bytes: &bytes,
        };
        let is_text = self.content_type.starts_with("application/json")
            || self.content_type.starts_with("text/event-stream");
        let examined = replay::examine(&told);
        if is_text && examined.is_err() {
            return;
        }
        // What a key has left is forgotten when it ends, and nothing is left after that.
        let payer = life.payer.as_ref();
        if !payer.is_none_or(|payer| payer.standing.stands()) {
            return;
        }
        let now_ms = clock::unix_micros() / 1_000;
        if !library.may_add(question.scope, now_ms) {
            return;
        }
        let ttl = question.controls.ttl(question.caching.ttl);
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let model = life.model.unwrap_or_default();
        // A call of tools is an answer to what was asked, and to nothing else.
        let kept = words.and_then(|words| match examined {
            Ok(examined) if !examined.tools => Some(remembered(life, words, examined.text)),
            _ => None,
        });
        library.keep(Arc::new(Entry {
            id: library.new_id(),
            key: question.key,
            manner: question.manner,
            content_type: self.content_type.clone(),
            // A copy has the size it says: a piece of what was read keeps the whole buffer, many times as large.
            bytes: Bytes::copy_from_slice(&bytes),
            stored_ms: now_ms,
            expires_ms: now_ms.saturating_add(ttl_ms),
            request: life.id.text().into(),
            author: life.payer.as_ref().map_or(0, |payer| payer.number),
            model: Arc::clone(&life.serving.names[model]),
            tags: question.controls.tags.clone(),
            cost: life.cost,
            tokens: (life.input_tokens, life.output_tokens),
            question: kept,
        }));
    }
}

/// The question as it is kept; what the fresh answer tells of its neighbour is left to be found out.
fn remembered(life: &Life, mut words: Words, fresh: String) -> cache::Question {
    if let Some((entry, similarity)) = words.neighbour.take() {
        let pair = words.pair(entry, similarity);
        let passed = Box::new(Passed { pair, fresh });
        life.worker.checks.leave(Check::Miss(passed));
    }
    cache::Question {
        partition: words.partition,
        text: words.text,
        features: words.features,
        vector: words.vector,
    }
}
