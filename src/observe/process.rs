//! What does the operating system say of this process? The names that every Prometheus client has.
//!
//! Read from `/proc` where there is one; elsewhere there are fewer samples.
//!
//! # Invariants
//! - What cannot be read is left out and never made up.

use std::fs;
use std::sync::OnceLock;

use super::meter::Sheet;
use super::metrics as names;
use crate::clock;

/// Ticks of processor time in a second: what Linux tells programs on every architecture that Rust's standard library runs on.
const TICKS: f64 = 100.0;

/// When the process began, seconds since 1970.
static START: OnceLock<f64> = OnceLock::new();

/// Reads it.
pub(crate) fn read(sheet: &mut Sheet) {
    sheet.add(names::BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref() {
        if let Some(seconds) = processor(stat) {
            sheet.set(names::CPU, seconds);
        }
        let since = START.get_or_init(|| started(stat).unwrap_or_else(unix));
        sheet.set(names::START_TIME, *since);
    } else {
        sheet.set(names::START_TIME, *START.get_or_init(unix));
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = [
        ("VmRSS:", names::RESIDENT, 1024.0),
        ("VmSize:", names::VIRTUAL, 1024.0),
        ("Threads:", names::THREADS, 1.0),
    ];
    for (key, metric, unit) in lines {
        if let Some(value) = line(&status, key) {
            sheet.set(metric, value * unit);
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // Reading the folder has opened one.
        sheet.set(names::OPEN_FILES, open.count().saturating_sub(1) as f64);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = line(&limits, "Max open files") {
        sheet.set(names::MOST_FILES, most);
    }
}

fn unix() -> f64 {
    clock::unix().as_secs_f64()
}

/// The fields of `/proc/self/stat` from the third on; the second is a name that may hold anything.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_ascii_whitespace()
}

/// Seconds of processor time, by user and system.
fn processor(stat: &str) -> Option<f64> {
    let mut times = fields(stat).skip(11);
    let user: f64 = times.next()?.parse().ok()?;
    let system: f64 = times.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

/// When the process began, seconds since 1970.
fn started(stat: &str) -> Option<f64> {
    let after_boot: f64 = fields(stat).nth(19)?.parse().ok()?;
    let all = fs::read_to_string("/proc/stat").ok()?;
    Some(line(&all, "btime")? + after_boot / TICKS)
}

/// The first number of the line that begins so.
fn line(text: &str, key: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_words_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 9 0 1234 1 2 3";
        assert_eq!(processor(stat).map(f64::to_bits), Some(2.0_f64.to_bits()));
        assert_eq!(fields(stat).nth(19), Some("1234"));
        assert_eq!(processor("garbage"), None);
        let status = "Name:\tx\nVmRSS:\t    1024 kB\nThreads:\t5\n";
        assert_eq!(line(status, "VmRSS:").map(|it| it as u64), Some(1024));
        assert_eq!(line(status, "VmSize:"), None);
        let limits = "Limit   Soft  Hard  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(
            line(limits, "Max open files").map(|it| it as u64),
            Some(1024)
        );
    }
}
