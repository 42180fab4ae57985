//! What live screens draw alike.
//!
//! # Invariants
//! - Any size can be drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Alignment;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span as Text};
use ratatui::widgets::{Block, BorderType};

/// Parts of a cell that a bar can fill, from none to seven eighths.
const EIGHTHS: [&str; 8] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar of `share`, with a mark at the operator's weight.
#[must_use]
pub fn bar(share: f64, weight: f32, width: u16, colour: Color) -> Line<'static> {
    let eighths = (share.clamp(0.0, 1.0) * f64::from(width) * 8.0).round() as usize;
    let mark = (weight * f32::from(width)) as usize;
    let cell = |column: usize| {
        let filled = eighths.saturating_sub(8 * column).min(8);
        let style = Style::new().fg(colour);
        if column == mark {
            let behind = if filled >= 4 {
                style.bg(colour).fg(Color::Black)
            } else {
                Style::new()
            };
            return Text::styled("│", behind);
        }
        if filled == 8 {
            return Text::styled("█", style);
        }
        Text::styled(EIGHTHS[filled], style)
    };
    Line::from_iter((0..usize::from(width)).map(cell))
}

/// A frame with a title.
#[must_use]
pub fn framed(title: Line<'_>) -> Block<'_> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().fg(Color::DarkGray))
        .title(title)
}

/// A text at the right.
#[must_use]
pub fn right(text: String) -> Line<'static> {
    Line::from(text).alignment(Alignment::Right)
}

/// Takes all colours out of what was drawn; bold and dim stay.
pub fn without_colours(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        cell.fg = Color::Reset;
        cell.bg = Color::Reset;
    }
}

/// A text without what a terminal obeys or what turns its direction.
#[must_use]
pub fn clean(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |letter: &char| !letter.is_control() && !turns(*letter);
    text.chars().filter(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_share_and_weight() {
        let text = |share| -> String {
            bar(share, 0.5, 8, Color::Green)
                .iter()
                .map(|cell| cell.content.as_ref())
                .collect()
        };
        assert_eq!(text(0.25), "██  │   ");
        assert_eq!(text(0.75), "████│█  ");
        assert_eq!(text(0.0), "    │   ");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "a\u{1b}[2J\u{7}b\r\nc\u{9b}31m\u{202e}d\u{2066}";
        assert_eq!(clean(hostile), "a[2Jbc31md");
    }
}
