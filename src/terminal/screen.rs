//! The terminal, taken over.
//!
//! # Invariants
//! - Keys that were pressed are read without waiting.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use ratatui::{DefaultTerminal, Frame};

/// The terminal, taken over until this is dropped.
#[derive(Debug)]
pub struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// Where there is none that can be.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            terminal: ratatui::try_init()?,
        })
    }

    /// Draws.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(|_| ())
    }

    /// What was pressed since it was asked last, and whether the terminal has another size.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn pressed(&mut self) -> io::Result<(Vec<KeyEvent>, bool)> {
        let (mut keys, mut resized) = (Vec::new(), false);
        while event::poll(Duration::ZERO)? {
            match event::read()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => keys.push(key),
                Event::Resize(..) => resized = true,
                _ => {}
            }
        }
        Ok((keys, resized))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
