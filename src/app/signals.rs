//! What do the operating system's signals make the gateway do?
//!
//! # Invariants
//! - A drain that was ordered is never taken back; whoever asks twice is not kept waiting.

use std::io;

use super::{Control, runtime};

/// The exit code of a process that a second signal has ended, as shells have it for SIGINT.
const INTERRUPTED: i32 = 130;

/// Waits for the operating system's signals and passes them on; returns when a drain has been ordered.
///
/// SIGHUP reloads; SIGTERM and SIGINT drain; a second one of these ends the process at once.
///
/// # Errors
/// The system's, when signals cannot be waited for.
pub fn obey_signals(control: &Control) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let control = control.clone();
    let runtime = runtime()?;
    let (mut hangup, mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::hangup())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        )
    };
    runtime.block_on(async {
        loop {
            tokio::select! {
                _ = hangup.recv() => control.reload(),
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
    });
    control.drain();
    tracing::info!("draining; a second signal ends the process at once");
    std::thread::Builder::new()
        .name("impatience".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            });
            #[expect(
                clippy::disallowed_methods,
                reason = "the operator has asked twice: nothing is waited for any more"
            )]
            std::process::exit(INTERRUPTED);
        })?;
    Ok(())
}
