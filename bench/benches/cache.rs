//! What does the response cache cost a request: to name what is asked, to find it, to keep it, and to tell it again?
//!
//! # Invariants
//! - Looking for an answer that is there allocates nothing; the bench stops if it does.
//! - Every planted neighbour is found; the bench stops if one is not.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::sync::Arc;

use allocation_counter::measure;
use bench::{agent, proxy};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use trimtab::cache::semantic::guards::Features;
use trimtab::cache::{
    self, Asked, Entry, Key, Library, Manner, Over, Part, Question, Scope, Secret,
};
use trimtab::config::{Audit, Cache, Caching, Nano, Sharing};
use trimtab::dialects::canonical;
use trimtab::dialects::format::{Endpoint, Format};
use trimtab::dialects::meeting::Frame;
use trimtab::dialects::replay::{self, Form, Told};

/// Entries of the largest index.
const ENTRIES: u64 = 100_000;

/// Numbers in a vector: a small sentence transformer's.
const WIDTH: usize = 384;

/// Words of an answer.
const WORDS: usize = 60;

/// When everything happens, milliseconds since 1970.
const NOW_MS: i64 = 1_750_000_000_000;

const WHOLE: Manner = Manner {
    endpoint: 0,
    streamed: false,
    variety: 0,
};

fn library() -> Library {
    let settings = Cache {
        memory: 1 << 30,
        writes_per_minute: u32::MAX,
        ..Cache::default()
    };
    Library::new(&settings, Secret::new(&[7; 32]), 1)
}

fn scope(library: &Library) -> Scope {
    library.scope(Sharing::Key, &1_u32.to_be_bytes())
}

fn chat() -> String {
    proxy::chat_body("bench", false)
}

fn entry(library: &Library, key: Key, bytes: &Bytes, question: Option<Question>) -> Arc<Entry> {
    Arc::new(Entry {
        id: library.new_id(),
        key,
        manner: WHOLE,
        content_type: "application/json".into(),
        bytes: bytes.clone(),
        stored_ms: NOW_MS,
        expires_ms: NOW_MS + 3_600_000,
        request: "req-0123456789abcdef".into(),
        author: 1,
        model: "bench".into(),
        tags: Box::default(),
        cost: Nano::new(120_000),
        tokens: (210, 120),
        question,
    })
}

/// A whole answer of 60 words, as OpenAI gives it.
fn answer() -> Bytes {
    let text: Vec<String> = (0..WORDS).map(|number| format!("word{number}")).collect();
    let text = text.join(" ");
    Bytes::from(format!(
        r#"{{"id":"chatcmpl-0123456789","object":"chat.completion","created":1750000000,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":210,"completion_tokens":60,"total_tokens":270}}}}"#
    ))
}

/// The same as a stream, a word to an event.
fn stream() -> Bytes {
    let event = |delta: String, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-0123456789\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut all = event(r#"{"role":"assistant","content":""}"#.to_owned(), "null");
    for number in 0..WORDS {
        all += &event(format!("{{\"content\":\"word{number} \"}}"), "null");
    }
    all += &event("{}".to_owned(), "\"stop\"");
    Bytes::from(all + "data: [DONE]\n\n")
}

fn naming(criterion: &mut Criterion) {
    let library = library();
    let scope = scope(&library);
    let mut group = criterion.benchmark_group("naming");
    for (size, body) in [("1 KiB", chat()), ("50 KiB", agent::body("bench", false))] {
        let key = || {
            let parts: [&[u8]; 8] = [
                b"letter",
                b"bench",
                b"0123456789abcdef",
                &[0, 0],
                b"",
                b"",
                b"",
                body.as_bytes(),
            ];
            library.key(scope, black_box(&parts))
        };
        let counted = measure(|| {
            black_box(key());
        });
        assert_eq!(counted.count_total, 0, "naming allocates");
        group.bench_function(format!("key of {size}"), |bencher| bencher.iter(key));
        let read = || canonical::read(Endpoint::Chat, black_box(body.as_bytes()), false);
        assert!(read().is_ok(), "the body is understood");
        group.bench_function(format!("canonical of {size}"), |bencher| bencher.iter(read));
    }
    group.bench_function("scope", |bencher| {
        bencher.iter(|| library.scope(Sharing::Key, black_box(&1_u32.to_be_bytes())));
    });
    group.finish();
}

fn shelf(criterion: &mut Criterion) {
    let library = library();
    let scope = scope(&library);
    let bytes = answer();
    let keys: Vec<Key> = (0..10_000_u32)
        .map(|number| library.key(scope, &[&number.to_be_bytes()]))
        .collect();
    for key in &keys {
        library.shelf().learn(*key, *key);
        library.keep(entry(&library, *key, &bytes, None));
        let _done = library.work(NOW_MS / 1_000);
    }
    let mut turn = keys.iter().cycle();
    let mut find = || {
        let key = turn.next()?;
        let meaning = library.shelf().meaning(key)?;
        library.shelf().find(&meaning, WHOLE, (NOW_MS, None))
    };
    // What the maps note of reads is worked off now and then, which may allocate; a read alone does not.
    let counted = measure(|| (0..16).for_each(|_| assert!(find().is_some(), "it is kept")));
    assert_eq!(counted.count_total, 0, "finding allocates");
    let mut group = criterion.benchmark_group("shelf");
    group.bench_function("find", |bencher| bencher.iter(&mut find));
    group.bench_function("lead and end a flight", |bencher| {
        let body = &bytes;
        bencher.iter(|| {
            if let Part::Leader(leader) = library.flights().join(black_box(keys[0]), WHOLE) {
                leader.begins("application/json");
                leader.passes(body);
                leader.ends(Over::Whole);
            }
        });
    });
    let mut number = 0_u64;
    group.bench_function("keep and work off", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                let key = library.key(scope, &[b"new", &number.to_be_bytes()]);
                entry(&library, key, &bytes, None)
            },
            |entry| {
                library.keep(entry);
                library.work(NOW_MS / 1_000)
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn telling(criterion: &mut Criterion) {
    let (whole, stream) = (answer(), stream());
    let told = |form, bytes| Told {
        format: Format::Chat,
        form,
        bytes,
    };
    let whole = told(Form::Whole, &whole);
    let stream = told(Form::Stream, &stream);
    let frame = Frame {
        id: "0123456789abcdef".to_owned(),
        model: "bench".to_owned(),
        ..Frame::default()
    };
    let mut group = criterion.benchmark_group("telling 60 words");
    for (name, told) in [("whole", &whole), ("stream", &stream)] {
        assert!(replay::examine(told).is_ok(), "{name} may be kept");
        group.bench_function(format!("examine {name}"), |bencher| {
            bencher.iter(|| replay::examine(black_box(told)));
        });
    }
    let asked = chat();
    for (name, told, to) in [
        ("whole as a stream", &whole, (Format::Chat, Form::Stream)),
        ("stream as whole", &stream, (Format::Chat, Form::Whole)),
        ("whole to messages", &whole, (Format::Messages, Form::Whole)),
        (
            "stream to messages",
            &stream,
            (Format::Messages, Form::Stream),
        ),
        (
            "whole to responses",
            &whole,
            (Format::Responses, Form::Whole),
        ),
        (
            "stream to Gemini",
            &stream,
            (Format::Generate, Form::Stream),
        ),
    ] {
        let retell = || replay::retell(black_box(told), to, &frame, asked.as_bytes());
        assert!(retell().is_ok(), "{name} can be told");
        group.bench_function(name, |bencher| bencher.iter(retell));
    }
    group.finish();
}

/// A random vector of unit length.
fn vector(rng: &mut SmallRng) -> Vec<f32> {
    // The sum of a few uniform draws is near enough to normal.
    let draw = |_| (0..4).map(|_| rng.random::<f32>()).sum::<f32>() - 2.0;
    unit((0..WIDTH).map(draw).collect())
}

fn unit(mut numbers: Vec<f32>) -> Vec<f32> {
    let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
    numbers.iter_mut().for_each(|x| *x /= length);
    numbers
}

/// A vector whose cosine with this one is about 0.97.
fn near(to: &[f32], rng: &mut SmallRng) -> Vec<f32> {
    let other = vector(rng);
    unit(to.iter().zip(other).map(|(x, y)| x + 0.25 * y).collect())
}

fn meanings(criterion: &mut Criterion) {
    let library = library();
    let scope = scope(&library);
    let partition = library.key(scope, &[b"partition"]);
    let bytes = answer();
    let text = "How do I set the trim tab of a small boat at sea?";
    let rng = &mut SmallRng::seed_from_u64(7);
    let mut planted = Vec::new();
    for number in 0..ENTRIES {
        let vector = vector(rng);
        if number % 6_000 == 0 {
            planted.push(near(&vector, rng));
        }
        let question = Question {
            partition,
            text: text.into(),
            features: Features::of(text),
            vector: vector.into(),
        };
        let key = library.key(scope, &[&number.to_be_bytes()]);
        library.keep(entry(&library, key, &bytes, Some(question)));
        if number % 1_000 == 999 {
            while library.work(NOW_MS / 1_000) > 0 {}
        }
    }
    assert_eq!(library.meanings().count() as u64, ENTRIES, "all are known");
    let audit = Audit::default();
    let settings = cache::settings(&Caching::default(), &audit);
    let lesson = library.lesson(&"bench".into(), &audit);
    let features = Features::of(text);
    let recall = |vector: &[f32]| {
        let asked = Asked {
            partition: &partition,
            features: &features,
            vector,
            now_ms: NOW_MS,
            max_age_s: None,
            tightened: None,
        };
        library
            .meanings()
            .recall(&asked, library.shelf(), (&lesson, &settings))
    };
    for vector in &planted {
        assert!(recall(vector).recalled.is_some(), "a neighbour is found");
    }
    let strangers: Vec<_> = (0..15).map(|_| vector(rng)).collect();
    let mut group = criterion.benchmark_group("recall of 100,000");
    for (name, questions) in [("a neighbour", &planted), ("nothing near", &strangers)] {
        let mut turn = questions.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| turn.next().map(|vector| recall(black_box(vector))));
        });
    }
    group.bench_function("features of a question", |bencher| {
        bencher.iter(|| Features::of(black_box(text)));
    });
    group.finish();
}

criterion_group!(benches, naming, shelf, telling, meanings);
criterion_main!(benches);
