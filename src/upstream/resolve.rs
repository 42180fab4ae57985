//! Which addresses does a name stand for, right now?
//!
//! The system's resolver answers; each worker remembers the answer for [`FRESH`], and the last good one for [`STALE`] in case the resolver fails.
//! A literal address is not looked up at all.
//!
//! # Invariants
//! - Only a new connection looks a name up; a request on a pooled connection never does.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use scoring::time::{Span, Time};

use crate::clock;

/// How long an answer is used without asking again: providers move traffic by DNS within about a minute.
const FRESH: Span = Span::from_secs(30);

/// How long the last good answer stands in when the resolver fails.
const STALE: Span = Span::from_secs(300);

/// Names kept per worker; beyond it the memory is emptied, which costs one look-up each.
const REMEMBERED: usize = 256;

type Answer = (Time, Rc<[SocketAddr]>);

/// One worker's memory of names.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: RefCell<HashMap<(String, u16), Answer>>,
}

impl Names {
    /// The addresses of `host`, at least one.
    ///
    /// # Errors
    /// The resolver's, or `NotFound` when it knows no address.
    pub(super) async fn resolve(&self, host: &str, port: u16) -> io::Result<Rc<[SocketAddr]>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Rc::from([SocketAddr::new(address, port)]));
        }
        let key = (host.to_owned(), port);
        let known = self.known.borrow().get(&key).cloned();
        let now = clock::now();
        if let Some((at, addresses)) = &known
            && now.since(*at) < FRESH
        {
            return Ok(Rc::clone(addresses));
        }
        match lookup(host, port).await {
            Ok(addresses) => {
                let mut memory = self.known.borrow_mut();
                if memory.len() >= REMEMBERED {
                    memory.clear();
                }
                memory.insert(key, (now, Rc::clone(&addresses)));
                Ok(addresses)
            }
            Err(error) => match known {
                Some((at, addresses)) if now.since(at) < STALE => Ok(addresses),
                _ => Err(error),
            },
        }
    }
}

async fn lookup(host: &str, port: u16) -> io::Result<Rc<[SocketAddr]>> {
    let addresses: Rc<[SocketAddr]> = tokio::net::lookup_host((host, port)).await?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        ));
    }
    Ok(addresses)
}
