//! `trimtab top`: what is seen of a running gateway, live in a terminal.
//!
//! One task follows the gateway's stream; what it tells becomes [`Seen`], and what the keys choose is a [`View`].
//! Drawing is a pure function of both, so that a test can look at what is drawn.
//!
//! # Invariants
//! - Whatever the gateway tells is shown without control characters.
//! - However it ends, the terminal is as it was found.
//! - A gateway that is gone is asked again each second; one that refuses is not.

mod draw;
mod follow;
mod plain;
mod seen;
mod view;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::options::Top;
use super::remote::Plane;
use super::target::target;
use super::{ConsoleError, Said};
use crate::terminal::Screen;
use follow::News;
use plain::Plain;
use seen::Seen;
use view::View;

/// How often keys are looked for: a tenth of a second feels immediate.
const KEYS_EVERY: Duration = Duration::from_millis(100);

/// News that wait to be shown; beyond it the stream waits.
const WAITING: usize = 16;

/// Follows the gateway until somebody has seen enough.
///
/// # Errors
/// [`ConsoleError`], if it cannot be reached at first, or refuses.
pub(super) fn run(top: &Top) -> Result<Said, ConsoleError> {
    let target = target(&top.remote, &|name| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let followed = async {
        let plane = Plane::new(&target)?;
        let (to, news) = mpsc::channel(WAITING);
        let following = tokio::task::spawn_local(follow::run(plane, to));
        let shown = match Shown::of(top) {
            Shown::Screen => on_screen(news).await,
            Shown::Plain => as_lines(news).await,
            Shown::Json => as_json(news).await,
        };
        following.abort();
        shown
    };
    tokio::task::LocalSet::new().block_on(&runtime, followed)?;
    Ok(Said {
        text: String::new(),
        remarks: target.notes,
    })
}

/// How it is shown.
enum Shown {
    Screen,
    Plain,
    Json,
}

impl Shown {
    fn of(top: &Top) -> Self {
        let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let terminal = io::stdout().is_terminal() && io::stdin().is_terminal() && !is_dumb;
        match (top.remote.json, top.plain || !terminal) {
            (true, _) => Self::Json,
            (false, true) => Self::Plain,
            (false, false) => Self::Screen,
        }
    }
}

async fn on_screen(mut news: mpsc::Receiver<News>) -> Result<(), ConsoleError> {
    // Why first: an error must not flash by on a screen that is taken over.
    let mut seen = Seen::default();
    match news.recv().await {
        Some(News::Over(error)) => return Err(error),
        Some(first) => seen.take(first),
        None => return Ok(()),
    }
    let colours = std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    let mut view = View::new(colours);
    let mut ended = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    let mut keys = tokio::time::interval(KEYS_EVERY);
    let mut screen = Screen::open()?;
    screen.draw(|frame| draw::draw(frame, &seen, &view))?;
    loop {
        let changed = tokio::select! {
            told = news.recv() => match told {
                Some(News::Over(error)) => return Err(error),
                Some(told) => {
                    seen.take(told);
                    !view.is_paused
                }
                None => return Ok(()),
            },
            _ = keys.tick() => {
                let (pressed, resized) = screen.pressed()?;
                let any = !pressed.is_empty();
                for key in pressed {
                    if view.press(key, &seen) {
                        return Ok(());
                    }
                }
                any || resized
            }
            _ = ended.recv() => return Ok(()),
            _ = hung_up.recv() => return Ok(()),
        };
        if changed {
            view.hold(&seen);
            screen.draw(|frame| draw::draw(frame, &seen, &view))?;
        }
    }
}

async fn as_lines(mut news: mpsc::Receiver<News>) -> Result<(), ConsoleError> {
    let mut plain = Plain::new(io::stdout());
    while let Some(told) = news.recv().await {
        let written = match told {
            News::Over(error) => return Err(error),
            told => plain.show(told),
        };
        if !is_read(written)? {
            break;
        }
    }
    Ok(())
}

/// The ticks as the gateway told them, one a line.
async fn as_json(mut news: mpsc::Receiver<News>) -> Result<(), ConsoleError> {
    use io::Write as _;
    while let Some(told) = news.recv().await {
        match told {
            News::Over(error) => return Err(error),
            News::Tick(tick) => {
                if !is_read(writeln!(io::stdout(), "{tick}"))? {
                    break;
                }
            }
            News::Hello(_) | News::Gone(_) => {}
        }
    }
    Ok(())
}

/// Whether anybody still reads what is written.
fn is_read(written: io::Result<()>) -> Result<bool, ConsoleError> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}
