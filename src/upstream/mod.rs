//! How do bytes get to a provider and back?
//!
//! The only room that opens a socket to a provider.
//! Each worker thread owns its [`Pools`]; a connection never leaves its thread, so nothing here locks.
//! An HTTP/1.1 connection is *driven by the request that borrows it*: no task is spawned and no channel is hopped,
//! which is why one wake-up of the client's task carries bytes from socket to socket.
//! HTTP/2 connections are shared, so each has one task of its own, spawned when it is opened.
//!
//! # Invariants
//! - A connection returns to its pool only after its response was read to the end.
//! - Dropping the future of [`send`] or a [`Body`] ends the attempt at the provider at once.
//! - Waiting for a connection is told apart from waiting for the provider.

mod body;
mod connect;
mod exchange;
mod h1;
mod h2;
mod origin;
mod pool;
mod resolve;
mod socket;

pub use body::Body;
pub use exchange::{Fault, Request, Response, send};
pub use h2::OwnThread;
pub use origin::{Origin, Origins, Protocol, Scheme, TlsError, Transport};
pub use pool::Pools;
pub(crate) use socket::write_gathered;
