//! What does the gateway cost, against nothing and against a plain proxy, in one run?
//!
//! Upstream, nginx (where it is installed) and the gateway run as child processes; this process is the load.
//! Every round measures every case on each of them in turn, in an order that rotates.
//! `--pin` puts what is measured on CPU 0 and upstream and load on CPU 1, as the published figures of other gateways were taken.
//! On a busy machine run the whole under `chrt -r 1`, which the children inherit.
//!
//! # Invariants
//! - A failed or wrong response fails the run.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bench::load::{self, Measured, Pace, Plan, Target, Varied};
use bench::process::{self, Process};
use bench::promises::promises;
use bench::proxy::{self, MODELS, Setup};
use bench::report::{self, Figures, number};
use bench::upstream;
use bench::watchers::{self, Got};
use clap::{Parser, Subcommand};
use memchr::memmem;

/// Requests per second of the open loops; the promises are made at 2,000 and 5,000.
const RATES: [u32; 3] = [500, 2_000, 5_000];

/// Connections of the closed loop.
const CLOSED: usize = 32;

/// Connections of the streams without pauses.
const STREAMS: usize = 16;

/// Paced streams begun per second: about ten are open at any time.
const PACED_RATE: f64 = 20.0;

/// Streams held open at once to see what one costs in memory.
const HELD: usize = 256;

/// Least seconds of load before a window: longer than a paced stream, so that as many end in it as begin.
const WARM_UP: f64 = 0.7;

/// Requests that are repeated where every one is a hit.
const REPEATED: u64 = 1_000;

/// The first number of the streams among them.
const STREAMED: u64 = 1_000_000;

/// Requests that are not repeated: more than any case of a round asks.
const NEVER_REPEATED: u64 = 100_000_000;

/// How long the requests that are repeated are asked for before: many times what a thousand streams need.
const FILLING: Duration = Duration::from_secs(2);

/// Starts timed.
const STARTS: usize = 5;

/// Measures what the gateway adds to requests and streams, and what it costs.
#[derive(Debug, Parser)]
struct Arguments {
    /// The gateway's binary.
    #[arg(long, default_value = "target/release/trimtab")]
    binary: PathBuf,
    /// Pin: gateway and nginx to CPU 0, upstream and load to CPU 1.
    #[arg(long)]
    pin: bool,
    /// Two short rounds, for a look.
    #[arg(long)]
    quick: bool,
    /// Rounds; the median of them is shown. Default 5, or 2 with --quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Use the gateway's stand-in providers as the upstream, not the fixed one.
    #[arg(long)]
    mock: bool,
    /// Measure a gateway beside that asks for a key and keeps books.
    #[arg(long)]
    governed: bool,
    /// Measure a gateway beside that keeps answers and is asked for 1,000 requests again and again: every one is a hit.
    #[arg(long)]
    cached: bool,
    /// Measure a gateway beside that keeps answers and is never asked for the same twice: every one is a miss.
    #[arg(long)]
    cached_miss: bool,
    /// Measure three gateways beside: one of which nothing is kept, one with everything on (requests kept on disk and logged, traces sent, a shadow policy, metrics scraped, the live view open), and one with all of that on a full disk, with a dead collector and a reader that does not read.
    #[arg(long)]
    watched: bool,
    /// Measure a gateway of another build beside, as it was before a change.
    #[arg(long)]
    before: Option<PathBuf>,
    /// Leave the gateway out: measure nginx and the rig itself.
    #[arg(long)]
    without_gateway: bool,
    /// Only cases whose name begins with this.
    #[arg(long, default_value = "")]
    case: String,
    /// Write all figures to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Folder for configurations and logs.
    #[arg(long, default_value = "target/overhead")]
    folder: PathBuf,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What else this binary can be.
#[derive(Debug, Subcommand)]
enum Role {
    /// The fixed upstream; started by the harness itself.
    #[command(hide = true)]
    Upstream {
        /// Where to listen.
        listen: SocketAddr,
    },
}

/// One case.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    pace: Pace,
    model: &'static str,
    streamed: bool,
    seconds: f64,
}

/// One thing that is measured: nothing in between, nginx or the gateway.
#[derive(Debug)]
struct Subject {
    name: &'static str,
    address: SocketAddr,
    process: Process,
    /// How it is set up, where it is a gateway.
    setup: Option<Setup>,
}

/// The cases, in the order that they run.
fn cases() -> Vec<Case> {
    let [instant, paced] = MODELS;
    let closed = Pace::Closed {
        connections: CLOSED,
    };
    let streams = Pace::Closed {
        connections: STREAMS,
    };
    let names = ["open500", "open2000", "open5000"];
    let mut cases = vec![Case {
        name: "closed32",
        pace: closed,
        model: instant,
        streamed: false,
        seconds: 3.0,
    }];
    cases.extend(RATES.iter().zip(names).map(|(&rate, name)| {
        let pace = Pace::Open { rate: rate.into() };
        Case {
            name,
            pace,
            model: instant,
            streamed: false,
            seconds: 4.0,
        }
    }));
    cases.push(Case {
        name: "streams",
        pace: streams,
        model: instant,
        streamed: true,
        seconds: 3.0,
    });
    let pace = Pace::Open { rate: PACED_RATE };
    cases.push(Case {
        name: "paced",
        pace,
        model: paced,
        streamed: true,
        seconds: 4.0,
    });
    cases
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(Role::Upstream { listen }) = arguments.role {
        return upstream::serve(TcpListener::bind(listen)?);
    }
    fs::create_dir_all(&arguments.folder)?;
    if arguments.pin {
        process::pin(1)?;
    }
    let mut figures = Figures::default();
    let subjects = start(&arguments)?;
    for subject in &subjects {
        figures.add(
            "memory",
            subject.name,
            "idle",
            subject.process.resident_kib() as f64 / 1024.0,
        );
    }
    let rounds = arguments
        .rounds
        .unwrap_or(if arguments.quick { 2 } else { 5 });
    for round in 0..rounds {
        for case in cases()
            .iter()
            .filter(|case| case.name.starts_with(&arguments.case))
        {
            for turn in 0..subjects.len() {
                let subject = &subjects[(turn + round) % subjects.len()];
                if subject.setup == Some(Setup::Cached) && case.model == upstream::PACED {
                    // What is told from memory has no pauses.
                    continue;
                }
                measure(&mut figures, case, subject, (round, arguments.quick))?;
            }
            say(&format!("round {} of {rounds}: {}", round + 1, case.name))?;
        }
    }
    for subject in &subjects {
        figures.add(
            "memory",
            subject.name,
            "loaded",
            subject.process.resident_kib() as f64 / 1024.0,
        );
    }
    if !arguments.without_gateway {
        fresh(&mut figures, &arguments, subjects[0].address)?;
    }
    show(&figures, &subjects)?;
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&figures.json())?;
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Starts the upstream, nginx where it is installed, and the gateway.
fn start(arguments: &Arguments) -> anyhow::Result<Vec<Subject>> {
    let folder = fs::canonicalize(&arguments.folder)?;
    let cpus = if arguments.pin {
        [Some(0), Some(1)]
    } else {
        [None, None]
    };
    let source = process::free_address()?;
    let command = if arguments.mock {
        proxy::mock(&folder, &arguments.binary, source)?
    } else {
        let program = std::env::current_exe()?.display().to_string();
        vec![program, "upstream".to_owned(), source.to_string()]
    };
    let process = Process::start(&command, cpus[1], &folder.join("upstream.log"))?;
    let mut subjects = vec![Subject {
        name: "direct",
        address: source,
        process,
        setup: None,
    }];
    wait_to_accept(source)?;
    if installed("nginx") {
        let address = process::free_address()?;
        let command = proxy::nginx(&folder, address, source)?;
        let mut process = Process::start(&command, cpus[0], &folder.join("nginx.log"))?;
        process.wait_for(address, "/health", Instant::now())?;
        subjects.push(Subject {
            name: "nginx",
            address,
            process,
            setup: None,
        });
    } else {
        say("nginx is not installed: there is no floor to compare with")?;
    }
    let got = Arc::new(Got::default());
    let collectors = [watchers::collector(&got)?, watchers::dead_collector()?];
    for setup in setups(arguments, collectors) {
        let (subject, admin, _) = start_gateway(arguments, (&folder, setup), source)?;
        match setup {
            Setup::Watched(_) => watchers::watch(admin, &got),
            Setup::Starved(_) => {
                subject.process.fill_disk()?;
                // Why: it is to stay open for as long as this process runs.
                std::mem::forget(watchers::stare(admin)?);
            }
            _ => {}
        }
        subjects.push(subject);
    }
    Ok(subjects)
}

/// The gateways to be measured.
fn setups(arguments: &Arguments, [collector, dead]: [SocketAddr; 2]) -> Vec<Setup> {
    let all = [
        (Setup::Plain, true),
        (Setup::Before, arguments.before.is_some()),
        (Setup::Governed, arguments.governed),
        (Setup::Cached, arguments.cached),
        (Setup::Missed, arguments.cached_miss),
        (Setup::Unwatched, arguments.watched),
        (Setup::Watched(collector), arguments.watched),
        (Setup::Starved(dead), arguments.watched),
    ];
    let wanted = all.into_iter().filter(|(_, wanted)| *wanted);
    wanted
        .map(|(setup, _)| setup)
        .filter(|_| !arguments.without_gateway)
        .collect()
}

/// Starts a gateway; with it its admin address and the time until it answered.
fn start_gateway(
    arguments: &Arguments,
    (folder, setup): (&Path, Setup),
    source: SocketAddr,
) -> anyhow::Result<(Subject, SocketAddr, Duration)> {
    let (address, admin) = (process::free_address()?, process::free_address()?);
    let binary = match &arguments.before {
        Some(before) if setup == Setup::Before => before,
        _ => &arguments.binary,
    };
    let command = proxy::gateway(folder, (binary, setup), [address, admin, source])?;
    let since = Instant::now();
    let cpu = arguments.pin.then_some(0);
    let mut process = Process::start(&command, cpu, &folder.join(format!("{}.log", setup.name())))?;
    let took = process.wait_for(address, "/health", since)?;
    Ok((
        Subject {
            name: setup.name(),
            address,
            process,
            setup: Some(setup),
        },
        admin,
        took,
    ))
}

fn installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

fn wait_to_accept(address: SocketAddr) -> anyhow::Result<()> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        if std::net::TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    anyhow::bail!("the upstream does not listen on {address}; see upstream.log in the folder")
}

/// The request and the right answer of a case on a subject, in a round.
fn target(case: &Case, subject: &Subject, round: usize) -> anyhow::Result<Target> {
    let path = match subject.setup {
        Some(_) => proxy::GATEWAY_PATH.to_owned(),
        None => proxy::upstream_path(case.model),
    };
    let body = proxy::chat_body(case.model, case.streamed);
    let request = load::post(subject.address, &path, proxy::KEY, &body);
    let at = memmem::find(&request, proxy::NUMBER.as_bytes()).context("no number in the body")?;
    // Streams and whole answers of one question would be told from each other.
    let first = if case.streamed { STREAMED } else { 0 };
    let (varied, line) = match subject.setup {
        Some(Setup::Cached) => (Some((first, REPEATED)), "x-cache-status: HIT\r\n"),
        Some(Setup::Missed) => {
            let place = cases().iter().position(|it| it.name == case.name);
            let part = round * cases().len() + place.unwrap_or_default();
            let first = (part as u64 + 1) * NEVER_REPEATED;
            (Some((first, NEVER_REPEATED)), "x-cache-status: MISS\r\n")
        }
        _ => (None, ""),
    };
    Ok(Target {
        address: subject.address,
        request,
        varied: varied.map(|(first, count)| Varied { at, first, count }),
        events: if case.streamed {
            upstream::CONTENT_EVENTS
        } else {
            0
        },
        line,
    })
}

/// Runs one case on one subject and notes its figures.
fn measure(
    figures: &mut Figures,
    case: &Case,
    subject: &Subject,
    (round, quick): (usize, bool),
) -> anyhow::Result<()> {
    let scale: f64 = if quick { 0.4 } else { 1.0 };
    let plan = Plan {
        pace: case.pace,
        warm_up: Duration::from_secs_f64(scale.max(WARM_UP)),
        window: Duration::from_secs_f64(scale * case.seconds),
    };
    let meter = || subject.process.cpu_nanos();
    let target = target(case, subject, round)?;
    if subject.setup == Some(Setup::Cached) {
        fill(&target).with_context(|| format!("filling for {}", case.name))?;
    }
    let mut seen = load::run(&target, &plan, meter)
        .with_context(|| format!("{} on {}", case.name, subject.name))?;
    ensure!(
        seen.failed == 0,
        "{} on {}: {} of {} requests failed: {}",
        case.name,
        subject.name,
        seen.failed,
        seen.requests + seen.failed,
        seen.texts.join("; ")
    );
    note(figures, case, subject.name, &mut seen);
    Ok(())
}

/// Asks for everything that is to be a hit, until it is.
fn fill(target: &Target) -> anyhow::Result<()> {
    let plan = Plan {
        pace: Pace::Closed {
            connections: STREAMS,
        },
        warm_up: Duration::ZERO,
        window: FILLING,
    };
    let seen = load::run(
        &Target {
            line: "",
            ..target.clone()
        },
        &plan,
        || 0,
    )?;
    ensure!(
        seen.failed == 0 && seen.requests > REPEATED,
        "{} of {REPEATED} requests were answered, {} failed",
        seen.requests,
        seen.failed
    );
    Ok(())
}

fn note(figures: &mut Figures, case: &Case, subject: &str, seen: &mut Measured) {
    let cpu = seen.metered as f64 / 1e3 / seen.requests.max(1) as f64;
    figures.add(case.name, subject, "rate", seen.rate());
    figures.add(case.name, subject, "cpu", cpu);
    for (name, percent) in [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)] {
        figures.add(
            case.name,
            subject,
            name,
            seen.latency.percentile_us(percent),
        );
        if case.streamed {
            figures.add(
                case.name,
                subject,
                &format!("first {name}"),
                seen.first.percentile_us(percent),
            );
            figures.add(
                case.name,
                subject,
                &format!("gap {name}"),
                seen.gaps.percentile_us(percent),
            );
        }
    }
}

/// What only a fresh gateway shows: the time to start, and memory per open stream.
fn fresh(figures: &mut Figures, arguments: &Arguments, source: SocketAddr) -> anyhow::Result<()> {
    let folder = fs::canonicalize(&arguments.folder)?;
    for _ in 0..STARTS {
        let (_subject, _, took) = start_gateway(arguments, (&folder, Setup::Plain), source)?;
        figures.add("start", "gateway", "ms", took.as_secs_f64() * 1e3);
    }
    let (subject, _, _) = start_gateway(arguments, (&folder, Setup::Plain), source)?;
    let idle = subject.process.resident_kib();
    let case = Case {
        name: "held",
        pace: Pace::Closed { connections: HELD },
        model: upstream::PACED,
        streamed: true,
        seconds: 0.2,
    };
    let window = Duration::from_secs_f64(case.seconds);
    let plan = Plan {
        pace: case.pace,
        warm_up: Duration::from_millis(350),
        window,
    };
    let seen = load::run(&target(&case, &subject, 0)?, &plan, || {
        subject.process.resident_kib()
    })?;
    ensure!(
        seen.failed == 0,
        "held streams failed: {}",
        seen.texts.join("; ")
    );
    let grown = subject.process.resident_kib().saturating_sub(idle) as f64;
    figures.add("memory", "gateway", "per stream KiB", grown / HELD as f64);
    Ok(())
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

/// Prints the tables and the bars.
fn show(figures: &Figures, subjects: &[Subject]) -> anyhow::Result<()> {
    for case in cases() {
        let columns: &[&str] = match case.name {
            "closed32" => &["rate", "cpu", "p50", "p99"],
            "streams" => &["rate", "cpu", "first p50", "first p99"],
            "paced" => &[
                "rate",
                "cpu",
                "first p50",
                "first p99",
                "gap p50",
                "gap p99",
            ],
            _ => &[
                "rate", "cpu", "p50", "p99", "p99.9", "+p50", "+p99", "+p99.9",
            ],
        };
        let rows: Vec<Vec<String>> = subjects
            .iter()
            .map(|it| row(figures, &case, it, columns))
            .collect();
        let header: Vec<&str> = [&[case.name], columns].concat();
        say(&format!("\n{}", report::table(&header, &rows)))?;
    }
    say(
        "rate: per second; cpu: µs per request or stream; the rest µs; + is over direct; medians of the rounds\n",
    )?;
    let cells = |it: &Subject| {
        let at = |name: &str| number(figures.median("memory", it.name, name));
        vec![it.name.to_owned(), at("idle"), at("loaded")]
    };
    let rows: Vec<Vec<String>> = subjects.iter().map(cells).collect();
    say(&report::table(
        &["memory, MiB", "idle", "after load"],
        &rows,
    ))?;
    say(&report::bars(&promises(figures, RATES[2])))
}

fn row(figures: &Figures, case: &Case, subject: &Subject, columns: &[&str]) -> Vec<String> {
    let mut cells = vec![subject.name.to_owned()];
    cells.extend(columns.iter().map(|&column| {
        number(match column.strip_prefix('+') {
            Some(figure) => figures.added(case.name, subject.name, figure),
            None => figures.median(case.name, subject.name, column),
        })
    }));
    cells
}
