//! ServeGen's client windows.
//!
//! A folder holds two files for each client.
//! `chunk-N-trace.csv` has no header and says for each window of 10 minutes `t,rate,cv,pattern,arg1,arg2`: its start in s, requests per s, the gaps' coefficient of variation, `Gamma` or `Weibull` or nothing, shape and scale.
//! `chunk-N-dataset.json` maps the start of a longer window to histograms of tokens, each a text such as `"{12: 0.5, 90: 0.5}"`.
//! Rates, not requests: each client's arrivals are drawn window by window, its lengths independently of each other.
//!
//! # Invariants
//! - A window's arrivals are a stationary renewal process: their expected number is exactly rate times length, however irregular they are.
//! - A client is a tenant; the draws of one client do not depend on the others.
//! - Conversations and reasoning ratios are not read.

mod histogram;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rand::rngs::SmallRng;

use super::gather::{Entry, Flaw, Gather};
use super::table::{Row, Table, decimal};
use super::{Format, Note, Part, TraceError, when};
use crate::trace::MOST_REQUESTS;
use crate::trace::synthetic::gaps::Gaps;
use crate::trace::synthetic::stream_rng;
use histogram::Lengths;

/// Length of the last window, whose end no line tells, in s.
const LAST_WINDOW_S: f64 = 600.0;

/// Requests per second of one window beyond which it is a mistake.
const MOST_RATE: f64 = 1e6;

/// Most windows of one client: 20 years.
const MOST_WINDOWS: usize = 1 << 20;

/// The ending of a client's windows, and of its histograms.
const TRACE_END: &str = "-trace.csv";
const DATASET_END: &str = "-dataset.json";

/// One window of one client.
#[derive(Clone, Copy, Debug)]
struct Window {
    from_s: f64,
    rate: f64,
    /// `None` for a silent one.
    gaps: Option<Gaps>,
}

/// Reads a folder, or the one client whose windows are at `path`.
///
/// # Errors
/// See [`TraceError`].
pub(super) fn read(path: &Path, part: &Part) -> Result<Gather, TraceError> {
    let name = path.display().to_string();
    let mut gather = Gather::new(&name);
    let clients = if path.is_dir() {
        clients(path).map_err(|error| TraceError::io(&name, error))?
    } else {
        vec![path.to_owned()]
    };
    let mut expected = 0.0;
    for path in clients {
        let shown = path.display().to_string();
        let file = File::open(&path).map_err(|error| TraceError::io(&shown, error))?;
        gather.enter(&shown);
        let windows = windows(file, &mut gather)?;
        expected += expected_requests(&windows, part);
        if expected > MOST_REQUESTS as f64 {
            return Err(gather.too_many());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let client = name.strip_suffix(TRACE_END).unwrap_or(&name);
        let dataset = path.with_file_name(format!("{client}{DATASET_END}"));
        let shown = dataset.display().to_string();
        let bytes = match fs::read(&dataset) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(TraceError::io(&shown, error)),
        };
        gather.enter(&shown);
        draw(&mut gather, (client, &windows, &bytes), part)?;
    }
    gather.merge();
    gather.note(Note::Drawn(part.seed));
    Ok(gather)
}

/// Reads one client's windows and histograms.
///
/// # Errors
/// See [`TraceError`].
pub(super) fn read_client(
    (trace, dataset): (impl io::Read, &[u8]),
    gather: &mut Gather,
    part: &Part,
) -> Result<(), TraceError> {
    let windows = windows(trace, gather)?;
    if expected_requests(&windows, part) > MOST_REQUESTS as f64 {
        return Err(gather.too_many());
    }
    draw(gather, ("client", &windows, dataset), part)
}

/// The windows' files of a folder, by the clients' numbers.
fn clients(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(client) = name.strip_suffix(TRACE_END) {
            found.push((number_of(client), path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The number in a client's name; the largest for none.
fn number_of(client: &str) -> u64 {
    let number = client.rsplit('-').next().unwrap_or_default();
    number.parse().unwrap_or(u64::MAX)
}

/// One client's windows, in order.
fn windows(source: impl io::Read, gather: &mut Gather) -> Result<Vec<Window>, TraceError> {
    let mut table = Table::new(source);
    let names = ["t", "rate", "cv", "pattern", "arg1", "arg2"];
    let columns = table.header(gather, Format::ServeGen, (names, 6))?;
    let mut windows = Vec::new();
    while let Some(row) = table.next(gather)? {
        let line = row.line();
        match window(row, columns) {
            Ok(window) => {
                gather.count_line();
                windows.push(window);
            }
            Err(flaw) => gather.malformed(line, flaw),
        }
        if windows.len() > MOST_WINDOWS {
            return Err(gather.too_many());
        }
    }
    windows.sort_by(|one, other| one.from_s.total_cmp(&other.from_s));
    Ok(windows)
}

fn window(
    row: Row<'_>,
    [at, rate, cv, pattern, shape, scale]: [Option<usize>; 6],
) -> Result<Window, Flaw> {
    let from = row.get(at, |text| when::micros(decimal(text)?, 1e6))?;
    let mut window = Window {
        from_s: from as f64 / 1e6,
        rate: 0.0,
        gaps: None,
    };
    let Some(name) = row.text(pattern)? else {
        return Ok(window);
    };
    window.rate = row.get(rate, |text| within(decimal(text)?, 0.0, MOST_RATE))?;
    let cv = row.get(cv, |text| within(decimal(text)?, 0.0, f64::MAX))?;
    let shape = row.get(shape, |text| within(decimal(text)?, 0.0, f64::MAX))?;
    // The scale follows from rate and shape; it is only looked at so that a line without it does not pass.
    row.get(scale, decimal)?;
    window.gaps = match name.to_ascii_lowercase().as_str() {
        "gamma" => Gaps::gamma_of_shape(shape).or_else(|| Gaps::gamma(cv)),
        "weibull" => Gaps::weibull_of_shape(shape).or_else(|| Gaps::weibull(cv)),
        _ => {
            let place = pattern.unwrap_or_default();
            return Err(row.flaw(place, "is neither Gamma nor Weibull"));
        }
    };
    Ok(window)
}

fn within(value: f64, low: f64, high: f64) -> Result<f64, String> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(format!("is outside {low} to {high}"))
    }
}

/// The windows with their ends, within the part that is wanted, in s.
fn wanted<'a>(
    windows: &'a [Window],
    part: &Part,
) -> impl Iterator<Item = (usize, &'a Window, f64, f64)> {
    let from = part.from.as_secs_f64();
    let until = part.until.map_or(f64::INFINITY, |it| it.as_secs_f64());
    windows
        .iter()
        .enumerate()
        .filter_map(move |(index, window)| {
            let next = windows.get(index + 1);
            let end = next.map_or(window.from_s + LAST_WINDOW_S, |it| it.from_s);
            let (begin, end) = (window.from_s.max(from), end.min(until));
            (begin < end && window.rate > 0.0).then_some((index, window, begin, end))
        })
}

fn expected_requests(windows: &[Window], part: &Part) -> f64 {
    let wanted = wanted(windows, part).filter(|it| it.1.gaps.is_some());
    wanted
        .map(|(_, window, begin, end)| window.rate * (end - begin))
        .sum()
}

/// Draws one client's requests; none without its histograms, which is told.
fn draw(
    gather: &mut Gather,
    (client, windows, dataset): (&str, &[Window], &[u8]),
    part: &Part,
) -> Result<(), TraceError> {
    if expected_requests(windows, part) <= 0.0 {
        return Ok(());
    }
    let lengths = match Lengths::read(dataset) {
        Ok(lengths) => lengths,
        Err((line, flaw)) => {
            gather.malformed(line, flaw);
            return Ok(());
        }
    };
    for (index, window, begin, end) in wanted(windows, part) {
        let Some(gaps) = window.gaps else { continue };
        // Each window has its own generator: the part that is wanted changes nothing in it but where it is cut.
        let mut rng: SmallRng = stream_rng(part.seed ^ number_of(client), index as u64);
        let mut at = window.from_s + gaps.first(&mut rng) / window.rate;
        let mut drawn = 0_usize;
        while at < end {
            let Some((input, output)) = lengths.draw(window.from_s, &mut rng) else {
                break;
            };
            if at >= begin {
                let entry = Entry {
                    tenant: Some(client),
                    ..Entry::chat((at * 1e6) as u64, input, output)
                };
                if let Err(flaw) = gather.push(&entry) {
                    gather.malformed(index as u64 + 1, flaw);
                    break;
                }
            }
            at += gaps.next(&mut rng) / window.rate;
            drawn += 1;
            if drawn > MOST_REQUESTS {
                return Err(gather.too_many());
            }
        }
    }
    Ok(())
}
