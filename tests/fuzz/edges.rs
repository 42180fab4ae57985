//! Can any bytes of a connection, any configuration or any peer's file break whoever reads it?
//!
//! # Invariants
//! - The guard's verdict does not depend on where the reads split the bytes.
//! - What is imported is TOML.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use rand::RngExt;
use rand::rngs::SmallRng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trimtab::config::{self, Paint, Surroundings};
use trimtab::import::{self, Origin};
use trimtab::server::guard::{Guarded, Verdict, Violation, is_http2_preface};

use crate::corpus;
use crate::mutate::{Kind, pieces};
use crate::requests::difference;
use crate::run::{MOST_GROWTH, Target};
use crate::seeds::{file, golden, harvested, harvested_texts};

/// The most bytes of a line that the guard is set to.
const MAX_HEAD: usize = 8 * 1024;

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let bytes = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let mut configurations = golden("config", ".toml");
    configurations.push(file("config.toml"));
    configurations.extend(harvested_texts("src/config"));
    configurations.extend(harvested_texts("tests/support"));
    let mut peers = bytes(corpus::FOREIGN);
    peers.extend(harvested("src/import"));
    peers.extend(harvested_texts("src/import"));
    let target = |name, seeds, check: fn(&[u8], &mut SmallRng) -> Result<(), String>| Target {
        name,
        kind: Kind::Lines,
        seeds,
        growth: MOST_GROWTH,
        check: Box::new(check),
    };
    vec![
        target("guard", bytes(corpus::MESSAGES_OVER_HTTP), guarded),
        target("config", configurations, configured).keeping_trees(),
        target("import", peers, imported).keeping_trees(),
    ]
}

/// A client whose bytes come in pieces and who hears nothing.
struct Client(VecDeque<Vec<u8>>);

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let room = buf.remaining().min(piece.len());
            buf.put_slice(&piece[..room]);
            if room < piece.len() {
                piece.drain(..room);
                self.0.push_front(piece);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What came through, whether it broke, and the first request that was refused, with the reason.
type Through = (Vec<u8>, bool, Option<(usize, Violation)>);

fn through(pieces: &[&[u8]]) -> Through {
    let verdict = Verdict::default();
    let client = Client(pieces.iter().map(|piece| piece.to_vec()).collect());
    let mut guard = Guarded::new(client, verdict.clone(), MAX_HEAD);
    let mut context = Context::from_waker(Waker::noop());
    let (mut out, mut broken) = (Vec::new(), false);
    let mut room = vec![0; 16 * 1024];
    loop {
        let mut buf = ReadBuf::new(&mut room);
        match Pin::new(&mut guard).poll_read(&mut context, &mut buf) {
            Poll::Ready(Ok(())) if !buf.filled().is_empty() => out.extend_from_slice(buf.filled()),
            Poll::Ready(Ok(())) | Poll::Pending => break,
            Poll::Ready(Err(_)) => {
                broken = true;
                break;
            }
        }
    }
    let heads = out.iter().filter(|&&byte| byte == b'\n').count() + 2;
    let refused = (0..heads).find_map(|number| Some((number, verdict.next()?)));
    (out, broken, refused)
}

fn guarded(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let _ = is_http2_preface(input);
    let whole = through(&[input]);
    let pieces = pieces(input, rng);
    let cut = through(&pieces);
    if whole != cut {
        let show = |through: &Through| {
            format!("{} {:?}", through.0.escape_ascii(), (through.1, through.2))
        };
        return Err(format!(
            "pieces make a difference: {}",
            difference(&show(&whole), &show(&cut))
        ));
    }
    if !input.starts_with(&whole.0) {
        return Err("bytes are changed: ".to_owned());
    }
    if whole.2.is_none() && !whole.1 && whole.0.len() != input.len() {
        return Err("good bytes are held back: ".to_owned());
    }
    Ok(())
}

/// Mistakes that are shown in a report: unoptimised, showing one in three ways takes some 150 µs, and a file may be all mistakes.
const MOST_SHOWN: usize = 500;

fn configured(input: &[u8], _: &mut SmallRng) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let asked = RefCell::new(0);
    let around = Surroundings {
        env: &|name| (name.len() % 2 == 0).then(|| "set".to_owned()),
        read: &|_| {
            *asked.borrow_mut() += 1;
            Ok(b"secret".to_vec())
        },
        cores: NonZeroUsize::MIN,
    };
    if let Err(report) = config::parse(Path::new("c.toml"), &text, &around)
        && report.problems().len() <= MOST_SHOWN
    {
        let shown = [
            report.render(Paint::Plain),
            report.render(Paint::Coloured),
            report.json(),
        ];
        if shown.iter().any(String::is_empty) {
            return Err("a mistake is not told: ".to_owned());
        }
    }
    Ok(())
}

fn imported(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let from = [
        None,
        Some(Origin::Litellm),
        Some(Origin::Bifrost),
        Some(Origin::Portkey),
    ][rng.random_range(0..4)];
    let models = if rng.random() {
        vec!["m".to_owned()]
    } else {
        Vec::new()
    };
    let Ok(imported) = import::convert(input, from, &models) else {
        return Ok(());
    };
    let parsed = toml::from_str::<toml::Table>(&imported.text);
    parsed
        .map(drop)
        .map_err(|error| format!("what is imported is no TOML: {error}"))
}
