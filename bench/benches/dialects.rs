//! What does it cost to carry an event, or a request, from one dialect into another?
//!
//! Every client is served by every provider; beside them stand the pairs that speak the same words, where bytes pass and are only looked at.
//! Times are CPU time of this thread, per event of a whole stream with its beginning and end; heap allocations are counted beside them.
//! The allocator that counts is the system's, which is slower than the gateway's own.
//!
//! # Invariants
//! - Every stream comes to its end, and every request is carried: a bench of a failure measures nothing.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::panic, reason = "a bench has no other way to fail")]

use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use allocation_counter::measure;
use bench::agent;
use bench::process::thread_cpu;
use bench::report::{Bar, Bound, bars, number, table};
use bench::samples::median;
use bench::streams::{Provider, stream};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use trimtab::dialects::anthropic::watch::Watch as AnthropicWatch;
use trimtab::dialects::convert;
use trimtab::dialects::format::Format;
use trimtab::dialects::gemini::watch::Watch as GeminiWatch;
use trimtab::dialects::meeting::{Frame, Target};
use trimtab::dialects::openai::peek::peek;
use trimtab::dialects::openai::splice::{ModelName, UsageChunk, named};
use trimtab::dialects::openai::watch::Watch as ChatWatch;
use trimtab::dialects::passage::Passage;
use trimtab::dialects::tap::{Tap, Watch};

/// Clients, and in what they ask for a conversation.
const CLIENTS: [(&str, Format); 4] = [
    ("openai", Format::Chat),
    ("responses", Format::Responses),
    ("anthropic", Format::Messages),
    ("gemini", Format::Generate),
];

/// Providers, and in what they are asked.
const PROVIDERS: [(&str, Provider, Format); 5] = [
    ("openai", Provider::OpenAi, Format::Chat),
    ("anthropic", Provider::Anthropic, Format::Messages),
    ("gemini", Provider::Gemini, Format::Generate),
    ("bedrock", Provider::Bedrock, Format::Converse),
    ("cohere", Provider::Cohere, Format::CohereChat),
];

/// What a request of the client's words can be written as.
const ONWARD: [(&str, Format); 6] = [
    ("openai", Format::Chat),
    ("responses", Format::Responses),
    ("anthropic", Format::Messages),
    ("gemini", Format::Generate),
    ("bedrock", Format::Converse),
    ("cohere", Format::CohereChat),
];

/// The most CPU time that an event of any pair may take, µs.
const EVENT_US: f64 = 20.0;

/// Rounds of the printed table; the median of them is shown.
const ROUNDS: usize = 9;

/// Something that is measured, and how many events it carries.
struct Case {
    name: String,
    events: u32,
    run: Box<dyn Fn()>,
}

impl Case {
    fn request(name: String, run: impl Fn() + 'static) -> Self {
        Self {
            name,
            events: 1,
            run: Box::new(run),
        }
    }

    /// CPU time per event of `count` runs.
    fn spent(&self, count: u64) -> Duration {
        let from = thread_cpu();
        (0..count).for_each(|_| (self.run)());
        thread_cpu().saturating_sub(from) / self.events
    }

    fn cells(&self, count: u64) -> (f64, Vec<String>) {
        let counted = measure(&*self.run);
        let rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| self.spent(count).as_secs_f64() * 1e6 / count as f64)
            .collect();
        let (micros, events) = (median(&rounds), f64::from(self.events));
        let numbers = [
            micros,
            counted.count_total as f64 / events,
            counted.bytes_total as f64 / events,
        ];
        let mut cells = vec![self.name.clone()];
        cells.extend(numbers.map(number));
        (micros, cells)
    }
}

/// How the client's stream is made of the provider's.
fn passage(provider: Format, client: Format) -> Passage {
    if provider == client {
        return Passage::Same(Tap::new(match client {
            Format::Messages => Watch::Messages(AnthropicWatch::new()),
            Format::Generate => Watch::Gemini(GeminiWatch),
            _ => Watch::Chat(ChatWatch::new(UsageChunk::Injected)),
        }));
    }
    let frame = Frame {
        id: "0123456789abcdef".to_owned(),
        model: "bench".to_owned(),
        created: 1_700_000_000,
        usage_asked: true,
        input_estimate: 200,
    };
    let bridge = convert::bridge((provider, client), &frame, "req-0123456789abcdef", b"{}");
    Passage::Other(Box::new(bridge))
}

fn streams() -> Vec<Case> {
    let mut cases = Vec::new();
    for (client_name, client) in CLIENTS {
        for (provider_name, provider, format) in PROVIDERS {
            let chunks: Vec<Bytes> = stream(provider).into_iter().map(Bytes::from).collect();
            let name = format!("{provider_name} for {client_name}");
            let told = name.clone();
            cases.push(Case {
                name,
                events: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
                run: Box::new(move || {
                    let mut passage = passage(format, client);
                    for chunk in &chunks {
                        let passed = passage.pass(chunk.clone());
                        black_box(passed.unwrap_or_else(|error| panic!("{told}: {error}")));
                    }
                    let progress = passage.progress();
                    assert!(
                        progress.finished && progress.bad_events == 0,
                        "{told}: {progress:?}"
                    );
                }),
            });
        }
    }
    cases
}

fn written(client: Format, onward: Format, body: &[u8]) -> Vec<u8> {
    let meant = convert::read(client, body, &|_| None);
    let meant = meant.unwrap_or_else(|error| panic!("{client:?}: {error}"));
    let target = Target {
        model: "bench-upstream",
        default_max_tokens: 4_096,
        most_max_tokens: None,
    };
    convert::write(onward, &meant, &target).0
}

fn requests() -> Vec<Case> {
    let body = Bytes::from(agent::body("bench", false));
    let kilobytes = |body: &[u8]| format!("{} KB", body.len() / 1000);
    let mut cases = Vec::new();
    let upstream = ModelName::new("bench-upstream");
    let spliced = move |body: &Bytes| {
        let peeked = peek(body).unwrap_or_else(|error| panic!("peeking: {error}"));
        named(body, &peeked, &upstream)
    };
    let expected = agent::body("bench-upstream", false);
    assert_eq!(spliced(&body), expected, "more than the model has changed");
    let asked = body.clone();
    cases.push(Case::request(
        format!("peek of {}", kilobytes(&body)),
        move || {
            black_box(peek(&asked).is_ok());
        },
    ));
    let asked = body.clone();
    cases.push(Case::request(
        format!("peek and splice of {}", kilobytes(&body)),
        move || {
            black_box(spliced(&asked));
        },
    ));
    for (client_name, client) in CLIENTS {
        let asked = if client == Format::Chat {
            body.to_vec()
        } else {
            written(Format::Chat, client, &body)
        };
        for (provider_name, onward) in ONWARD {
            if onward == client {
                continue;
            }
            let asked = asked.clone();
            let name = format!(
                "{} from {client_name} to {provider_name}",
                kilobytes(&asked)
            );
            cases.push(Case::request(name, move || {
                black_box(written(client, onward, &asked));
            }));
        }
    }
    cases
}

/// Prints a table of the cases; the longest time, µs.
fn tell(title: &str, cases: &[Case], count: u64) -> f64 {
    let measured: Vec<(f64, Vec<String>)> = cases.iter().map(|case| case.cells(count)).collect();
    let slowest = measured
        .iter()
        .fold(0.0, |most: f64, (it, _)| most.max(*it));
    let rows: Vec<Vec<String>> = measured.into_iter().map(|(_, row)| row).collect();
    let table = table(&[title, "CPU µs", "allocations", "bytes allocated"], &rows);
    let told = writeln!(std::io::stdout().lock(), "{table}");
    told.unwrap_or_else(|error| panic!("printing: {error}"));
    slowest
}

fn dialects(criterion: &mut Criterion) {
    let (streams, requests) = (streams(), requests());
    for (name, cases) in [("event", &streams), ("request", &requests)] {
        let mut group = criterion.benchmark_group(name);
        group.warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_secs(1));
        for case in cases {
            group.bench_function(&case.name, |bencher| {
                bencher.iter_custom(|count| case.spent(count));
            });
        }
        group.finish();
    }
    let value = tell("an event", &streams, 100);
    tell("a request", &requests, 20);
    let bar = Bar {
        name: "an event of the slowest pair",
        value,
        bound: Bound::AtMost(EVENT_US),
        unit: "µs",
    };
    let told = writeln!(std::io::stdout().lock(), "{}", bars(&[bar]));
    told.unwrap_or_else(|error| panic!("printing: {error}"));
}

criterion_group!(benches, dialects);
criterion_main!(benches);
