//! Can any path lead an errand out of its provider's base?
//!
//! # Invariants
//! - Whoever decodes the path once more, and takes backslashes for slashes, still stays below the base.

use http::Uri;
use rand::RngExt;
use rand::rngs::SmallRng;
use trimtab::server::paths::{self, Kept, Place};

use crate::corpus;
use crate::mutate::Kind;
use crate::run::{MOST_GROWTH, Target};

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let seeds = corpus::PATHS.iter().map(|text| text.as_bytes().to_vec());
    vec![Target {
        name: "paths",
        kind: Kind::Lines,
        seeds: seeds.collect(),
        growth: MOST_GROWTH,
        check: Box::new(led),
    }]
}

fn led(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
    let line = lines[rng.random_range(0..lines.len())];
    let Ok(asked) = Uri::try_from(line) else {
        return Ok(());
    };
    let path = asked.path();
    let _ = paths::surface(path);
    let below = match paths::find(path) {
        Some(Place::Kept(kept, below)) => {
            if let Kept::Response(id) = kept
                && (id.is_empty() || id.contains('/') || !below.contains(id))
            {
                return Err(format!("an id that is none: {id:?} of {path}"));
            }
            below
        }
        Some(Place::Through(name, below)) => {
            if name.contains('/') {
                return Err(format!("a provider's name that is none: {name:?}"));
            }
            below
        }
        Some(Place::Named(_, name) | Place::Workflow(_, name) | Place::Model(name)) => {
            return if name.is_empty() || !path.contains(name) {
                Err(format!("a name that is none: {name:?} of {path}"))
            } else {
                Ok(())
            };
        }
        _ => return Ok(()),
    };
    if paths::climbs(below) {
        return Ok(());
    }
    let query = asked.query().map(|query| format!("?{query}"));
    let to = format!("http://base:9/v1{below}{}", query.unwrap_or_default());
    let Ok(to) = to.parse::<Uri>() else {
        return Ok(());
    };
    let stays = to.authority().is_some_and(|it| it == "base:9") && below_v1(to.path());
    if stays {
        return Ok(());
    }
    Err(format!("an errand leads out: {to}"))
}

/// Whether a path stays below `/v1`, as the laxest server would read it.
fn below_v1(path: &str) -> bool {
    let mut plain = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(code) if first == b'%' => {
                plain.push(code);
                rest = &after[2..];
            }
            _ => {
                plain.push(first);
                rest = after;
            }
        }
    }
    let mut depth = 0_i32;
    for segment in plain.split(|byte| b"/\\".contains(byte)).skip(2) {
        match segment {
            b".." => depth -= 1,
            b"." | b"" => {}
            _ => depth += 1,
        }
        if depth < 0 {
            return false;
        }
    }
    plain.starts_with(b"/v1/")
}
