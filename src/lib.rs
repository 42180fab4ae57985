//! Trimtab, an adaptive gateway for AI model traffic.
//!
//! *Scoring decides, the gateway does, the simulator replays, the bench measures.*
//! `docs/ARCHITECTURE.md` names the rooms below and what must hold in each.

pub mod admin;
pub mod app;
pub mod cache;
pub mod chat;
pub mod clock;
pub mod config;
pub mod console;
pub mod demo;
pub mod dialects;
pub mod doctor;
pub mod governance;
pub mod images;
pub mod import;
pub mod mock;
pub mod observe;
pub mod prices;
pub mod proxy;
pub mod routing;
pub mod server;
pub mod store;
pub mod stream;
pub mod study;
pub mod terminal;
pub mod upstream;
