//! Was something asked before that means the same?
//!
//! Only the last words of the user are compared by what they mean; everything else that was asked must be the same.
//!
//! # Invariants
//! - Nobody waits for a vector longer than the operator says.
//! - Whatever cannot be decided is a miss.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use super::super::life::Life;
use super::super::plan::Plan;
use super::super::serving::Serving;
use super::super::{Asked as Request, Way, handle, worker::Worker};
use super::Status;
use super::check::{self, Check, Pair, Served};
use super::question::Question;
use super::telling::Telling;
use crate::cache::audit::Hit;
use crate::cache::semantic::guards::Features;
use crate::cache::semantic::policy::{Settings, Verdict};
use crate::cache::{self, Asked, Entry, Job, Key, Lesson, Recalled};
use crate::clock;
use crate::dialects::format::Endpoint;
use crate::governance::Member;
use crate::observe::metrics::Lookup;

/// Largest answer of an embeddings route that is read, bytes: a vector of 4,096 numbers as text.
const MOST_VECTOR: usize = 1 << 20;

/// The words of a question, ready to be compared.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) partition: Key,
    pub(super) text: Box<str>,
    pub(super) features: Features,
    pub(super) vector: Arc<[f32]>,
    /// The nearest question that was not served, and how near it was: the fresh answer tells whether it could have been.
    pub(super) neighbour: Option<(Arc<Entry>, f32)>,
    pub(super) lesson: Arc<Lesson>,
    pub(super) settings: Settings,
    /// Whether answers must be JSON.
    pub(super) structured: bool,
}

/// Looks for an answer to a question that means the same; the words are left in the question.
pub(super) async fn recall(
    life: &mut Life,
    plan: &Plan<'_>,
    question: &mut Question,
) -> Option<Telling> {
    let mut words = words(life, plan, question).await?;
    let metrics = Arc::clone(life.worker.shared.metrics());
    let now_ms = clock::unix_micros() / 1_000;
    let library = Arc::clone(&life.worker.shared.lasting.library);
    let found = library.meanings().recall(
        &Asked {
            partition: &words.partition,
            features: &words.features,
            vector: &words.vector,
            now_ms,
            max_age_s: question.controls.max_age_s,
            tightened: question.controls.threshold,
        },
        library.shelf(),
        (&words.lesson, &words.settings),
    );
    for id in found.lost {
        library.jobs().leave(Job::Lost(words.partition, id));
    }
    // How near somebody else's question is would tell what that one asked.
    let author = Question::author(life);
    life.nearest = match (&found.recalled, found.vetoed) {
        (Some(recalled), _) => Some((recalled.similarity, "", recalled.entry.author)),
        (None, Some((veto, similarity, whose))) => Some((similarity, veto.name(), whose)),
        (None, None) => None,
    }
    .filter(|(_, _, whose)| *whose == author)
    .map(|(similarity, refused, _)| (similarity, refused));
    let telling = found
        .recalled
        .and_then(|recalled| served(life, plan, (question, &mut words), recalled));
    metrics.looked(match telling {
        Some(_) => Lookup::SemanticHit,
        None => Lookup::SemanticMiss,
    });
    question.words = Some(words);
    telling
}

/// The answer to the neighbouring question, if it is to be served.
fn served(
    life: &mut Life,
    plan: &Plan<'_>,
    (question, words): (&Question, &mut Words),
    recalled: Recalled,
) -> Option<Telling> {
    let library = Arc::clone(&life.worker.shared.lasting.library);
    let Recalled {
        entry,
        similarity,
        threshold,
        verdict,
    } = recalled;
    let seen = Job::Seen(
        Arc::clone(&words.lesson),
        Box::new(words.settings.clone()),
        similarity,
    );
    library.jobs().leave(seen);
    match verdict {
        Verdict::Refuse(_) => None,
        Verdict::Shadow(_) => {
            words.neighbour = Some((entry, similarity));
            None
        }
        Verdict::Serve { .. } => {
            let telling = Telling::of(life, plan, &entry, question.manner)?;
            let now_ms = clock::unix_micros() / 1_000;
            life.cache = if Question::is_own(life, &entry) {
                Status::Semantic
            } else {
                Status::Untold
            };
            let hit = Hit {
                at: now_ms / 1_000,
                similarity: similarity.into(),
                threshold: threshold.into(),
                entry_age: entry.age_s(now_ms),
            };
            let account = &words.lesson.account;
            let draw = life
                .worker
                .with_rng(|rng| account.hit(&hit, entry.cost.get(), rng));
            if draw.taken {
                let served = Served {
                    asked: check::copy(plan.asked),
                    manner: question.manner,
                    pair: words.pair(Arc::clone(&entry), similarity),
                    threshold,
                    probability: draw.probability,
                    request: life.id.text().into(),
                    question: words.text.clone(),
                    is_open: life.payer.as_ref().is_none_or(|payer| payer.log_content),
                };
                life.worker.checks.leave(Check::Hit(Box::new(served)));
            }
            Some(telling)
        }
    }
}

impl Words {
    /// A stored answer beside the question that these are.
    pub(super) fn pair(&self, entry: Arc<Entry>, similarity: f32) -> Pair {
        Pair {
            entry,
            similarity,
            lesson: Arc::clone(&self.lesson),
            settings: self.settings.clone(),
            structured: self.structured,
        }
    }
}

/// The words of a question, if it has such that may be compared.
async fn words(life: &Life, plan: &Plan<'_>, question: &mut Question) -> Option<Words> {
    let most = question.caching.turns;
    let partition = question.partition(life, plan)?;
    let canonical = question.canonical(plan)?;
    let structured = canonical.structured;
    let turns = u32::try_from(canonical.turns).unwrap_or(u32::MAX);
    let text: Box<str> = canonical.text.as_deref()?.into();
    if turns > most {
        return None;
    }
    let config = &life.serving.config.cache;
    let waiting = vector(&life.worker, life.payer.clone(), &text);
    let vector = tokio::time::timeout(config.patience, waiting)
        .await
        .ok()??;
    let library = &life.worker.shared.lasting.library;
    let named = &life.serving.names[plan.named];
    Some(Words {
        partition,
        features: Features::of(&text),
        text,
        vector,
        neighbour: None,
        structured,
        lesson: library.lesson(named, &config.audit),
        settings: cache::settings(&question.caching, &config.audit),
    })
}

/// What a text means, asked of whatever tells it here.
pub(super) async fn vector(
    worker: &Rc<Worker>,
    payer: Option<Arc<Member>>,
    text: &str,
) -> Option<Arc<[f32]>> {
    let lasting = &worker.shared.lasting;
    if let Some(pool) = &lasting.embedder {
        return pool.embed(text.to_owned()).await.ok();
    }
    let serving = worker.shared.serving.load_full();
    let Some(crate::config::Embedder::Model(model)) = serving.config.cache.embedder else {
        return None;
    };
    let name = &serving.names[model];
    let mark = lasting.memo.mark(&embedder(&serving, model), text);
    if let Some(vector) = lasting.memo.get(mark) {
        return Some(vector);
    }
    let body = json!({ "model": &**name, "input": text, "encoding_format": "float" });
    let asked = Request {
        endpoint: Endpoint::Embeddings,
        model: None,
        way: Way::Model,
        query: None,
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
        payer,
    };
    let response = Box::pin(handle(worker, asked)).await;
    let bytes = check::whole(response, MOST_VECTOR).await?;
    let vector: Arc<[f32]> = read(&bytes)?.into();
    lasting.memo.put(mark, Arc::clone(&vector));
    Some(vector)
}

/// What an embedder is that is asked for: a model's name and who answers it, as they are configured.
pub(super) fn embedder(serving: &Serving, model: usize) -> Box<str> {
    format!("{} {}", serving.names[model], serving.marks[model]).into()
}

/// The vector in an answer to embeddings, of unit length.
fn read(bytes: &[u8]) -> Option<Vec<f32>> {
    let answer: Value = serde_json::from_slice(bytes).ok()?;
    let numbers = answer["data"][0]["embedding"].as_array()?;
    let numbers: Option<Vec<f32>> = numbers
        .iter()
        .map(|number| number.as_f64().map(|it| it as f32))
        .collect();
    let mut numbers = numbers?;
    let length = numbers
        .iter()
        .map(|it| f64::from(*it).powi(2))
        .sum::<f64>()
        .sqrt();
    if !(length.is_finite() && length > 0.0) {
        return None;
    }
    for number in &mut numbers {
        *number = (f64::from(*number) / length) as f32;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_read_and_made_of_unit_length() {
        let read = |text: &str| read(text.as_bytes());
        let vector = read(r#"{"data":[{"embedding":[3,-4.0]}]}"#).unwrap();
        assert!((vector[0] - 0.6).abs() < 1e-6 && (vector[1] + 0.8).abs() < 1e-6);
        for bad in [
            "",
            "{}",
            r#"{"data":[]}"#,
            r#"{"data":[{"embedding":[0,0]}]}"#,
            r#"{"data":[{"embedding":["a"]}]}"#,
            r#"{"data":[{"embedding":"AAAA"}]}"#,
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
