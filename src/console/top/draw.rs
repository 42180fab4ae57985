//! What is seen, drawn.
//!
//! # Invariants
//! - Any size can be drawn; 80 × 24 shows every column but the widest.
//! - A state is a word, whatever its colour.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span as Text};
use ratatui::widgets::{Cell, Clear, Paragraph, Row, Sparkline, Table, TableState, Wrap};

use super::seen::{Ceiling, Event, Gateway, Route, Seen};
use super::view::{Over, View};
use crate::terminal::{bar, framed, right, without_colours};

/// Lines of events, with their frame.
const EVENTS: u16 = 7;

/// Lines of the lines over time, with their frame.
const LINES: u16 = 4;

/// Columns from which on a route's use and hold have theirs.
const WIDE: u16 = 100;

/// Columns of a bar.
const BAR: u16 = 8;

/// The largest figure that a line over time tells from others.
const LARGEST: f64 = 1e9;

/// What the keys do.
const HELP: [&str; 9] = [
    "q            ends",
    "j k, arrows  choose a route",
    "d, Enter     its terms, ceilings and lines",
    "s            orders by name, rate, score, errors, state",
    "/            shows only routes whose name, model or state has this in it",
    "p, Space     stands still, and goes on",
    "?            this",
    "Esc          closes what is open, then ends",
    "states       healthy, degraded, open, probing, recovering, key_held, unsupported",
];

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, seen: &Seen, view: &View) {
    let shown = view.shown(seen);
    let [title, figures, lines, routes, events, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(LINES),
        Constraint::Fill(1),
        Constraint::Length(EVENTS),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_title(frame, title, seen, view);
    draw_figures(frame, figures, &shown.tick.gateway);
    draw_lines(frame, lines, shown);
    let listed = view.listed(shown);
    draw_routes(frame, routes, &listed, view);
    draw_events(frame, events, &shown.events);
    draw_foot(frame, foot, view);
    match view.over {
        Over::Details => draw_details(frame, shown, view),
        Over::Help => draw_help(frame),
        Over::Nothing | Over::Filter => {}
    }
    if !view.has_colours {
        without_colours(frame.buffer_mut());
    }
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, seen: &Seen, view: &View) {
    let at = view.shown(seen).tick.at_us;
    let standing = match (&seen.gone, view.is_paused) {
        (Some(why), _) => format!("gone: {why}; asking again").red().bold(),
        (None, true) => "stands still".yellow().bold(),
        (None, false) if !seen.is_told => "waiting for the first second".dim(),
        (None, false) => "live".green(),
    };
    let left = Line::from(vec![
        " Trimtab ".bold().reversed(),
        Text::raw(format!(" {}  {}  ", seen.version, clock(at))),
        standing,
    ]);
    frame.render_widget(left, area);
}

fn draw_figures(frame: &mut Frame<'_>, area: Rect, gateway: &Gateway) {
    let first = [
        ("rps", number(gateway.rps)),
        ("success", percent(gateway.success)),
        ("p50", latency(gateway.duration_p50_ms)),
        ("p95", latency(gateway.duration_p95_ms)),
        ("ttft p50", latency(gateway.ttft_p50_ms)),
        ("p95", latency(gateway.ttft_p95_ms)),
    ];
    let micros = |micros: Option<f64>| latency(micros.map(|it| it / 1e3));
    let second = [
        ("active", gateway.inflight.to_string()),
        ("conns", gateway.connections.to_string()),
        ("overhead", micros(gateway.overhead_p50_us)),
        ("p99", micros(gateway.overhead_p99_us)),
        ("$/h", format!("{:.2}", gateway.spend_per_hour)),
        ("saved", format!("{:.2}", gateway.saved_per_hour)),
        ("cache", percent(gateway.cache_hit_ratio)),
        ("failovers/s", number(gateway.failovers)),
    ];
    let line = |figures: &[(&'static str, String)]| {
        let pairs = figures.iter();
        let pairs =
            pairs.flat_map(|(name, value)| [format!(" {name} ").dim(), format!("{value} ").bold()]);
        Line::from_iter(pairs)
    };
    let lines = vec![line(&first), line(&second)];
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_lines(frame: &mut Frame<'_>, area: Rect, seen: &Seen) {
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
    let [left, right] = halves.areas(area);
    sparkline(frame, left, (" requests/s ", &seen.rps, None));
    sparkline(frame, right, (" success ", &seen.success, Some(1.0)));
}

/// The last figures of a line, as many as there are columns; `top` is the largest, if it is known.
fn sparkline(
    frame: &mut Frame<'_>,
    area: Rect,
    (title, line, top): (&str, &VecDeque<f64>, Option<f64>),
) {
    let columns = usize::from(area.width.saturating_sub(2));
    let last = line.iter().skip(line.len().saturating_sub(columns));
    // Why a thousand: bars are whole numbers; and they are multiplied where they are drawn, so none may be too large.
    let whole = |value: &f64| (value.clamp(0.0, LARGEST) * 1e3) as u64;
    let data: Vec<Option<u64>> = last
        .map(|value| (!value.is_nan()).then(|| whole(value)))
        .collect();
    let chart = Sparkline::default()
        .block(framed(title.into()))
        .style(Style::new().fg(Color::Cyan))
        .data(data);
    let chart = match top {
        Some(top) => chart.max(whole(&top)),
        None => chart,
    };
    frame.render_widget(chart, area);
}

fn draw_routes(frame: &mut Frame<'_>, area: Rect, listed: &[&Route], view: &View) {
    let is_wide = area.width >= WIDE;
    let mut columns: Vec<(&str, Constraint)> = vec![
        ("route", Constraint::Fill(1)),
        ("state", Constraint::Length(11)),
        ("", Constraint::Length(BAR)),
        ("score", Constraint::Length(5)),
        ("rps", Constraint::Length(6)),
        ("share/weight", Constraint::Length(12)),
        ("act", Constraint::Length(4)),
        ("ttft", Constraint::Length(6)),
        ("err", Constraint::Length(5)),
    ];
    if is_wide {
        columns.push(("use", Constraint::Length(5)));
        columns.push(("hold", Constraint::Length(20)));
    }
    let rows = listed.iter().map(|route| {
        let colour = state_colour(&route.state);
        let shares = format!("{}/{}", percent(route.share), percent(route.weight_share));
        let score = route.score.map_or("-".to_owned(), |it| format!("{it:.2}"));
        let mut cells = vec![
            Cell::from(route.route.clone()),
            Cell::from(route.state.clone().fg(colour)),
            Cell::from(bar(route.score.unwrap_or(0.0), 2.0, BAR, colour)),
            Cell::from(right(score)),
            Cell::from(right(number(route.rps))),
            Cell::from(right(shares)),
            Cell::from(right(route.inflight.to_string())),
            Cell::from(right(latency(route.ttft_p50_ms))),
            Cell::from(right(percent(route.error_rate))),
        ];
        if is_wide {
            cells.push(Cell::from(right(percent(Some(route.utilisation)))));
            cells.push(Cell::from(aside(route)));
        }
        Row::new(cells)
    });
    let header = columns.iter().enumerate().map(|(at, (title, _))| match at {
        0..3 => Cell::from(*title),
        _ if *title == "hold" => Cell::from(*title),
        _ => Cell::from(right((*title).to_owned())),
    });
    let title = match (view.filter.as_str(), view.over) {
        ("", over) if over != Over::Filter => {
            format!(" Routes by {} ", view.order.name())
        }
        (filter, over) => {
            let cursor = if over == Over::Filter { "_" } else { "" };
            format!(" Routes by {} with {filter}{cursor} ", view.order.name())
        }
    };
    let table = Table::new(rows, columns.iter().map(|(_, width)| *width))
        .header(Row::new(header).dim())
        .column_spacing(1)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(framed(title.into()));
    let mut state = TableState::default().with_selected(view.at(listed));
    frame.render_stateful_widget(table, area, &mut state);
}

/// Why a route is set aside, or who did it.
fn aside(route: &Route) -> String {
    let hold = route.hold.as_ref();
    let hold = hold.map(|hold| format!("{} {:.0} s", hold.reason, hold.seconds_left));
    let steered = route.steered.clone();
    [steered, hold]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

fn draw_events(frame: &mut Frame<'_>, area: Rect, events: &VecDeque<Event>) {
    let room = usize::from(area.height.saturating_sub(2));
    let last = events.iter().skip(events.len().saturating_sub(room));
    let lines: Vec<Line<'_>> = last
        .map(|event| {
            Line::from(vec![
                format!("{} ", clock(event.at_us)).dim(),
                format!("{:<8} ", event.kind).fg(Color::Cyan),
                event.what.as_str().into(),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(framed(" Events ".into())), area);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let text = match view.over {
        Over::Filter => " type a part of a name; Enter keeps it, Esc drops it",
        _ => " q ends  j/k choose  d details  s order  / filter  p pause  ? help",
    };
    frame.render_widget(Line::from(text).dim(), area);
}

/// The middle of the screen.
fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

fn draw_help(frame: &mut Frame<'_>) {
    let lines = HELP.map(Line::from).to_vec();
    let area = middle(frame.area(), 78, HELP.len() as u16 + 2);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(framed(" Keys ".into())), area);
}

fn draw_details(frame: &mut Frame<'_>, seen: &Seen, view: &View) {
    let chosen = view.chosen.as_deref();
    let route = seen
        .tick
        .routes
        .iter()
        .find(|it| Some(&*it.route) == chosen);
    let area = middle(frame.area(), 76, 20);
    frame.render_widget(Clear, area);
    let Some(route) = route else {
        let text = Paragraph::new("the route is gone").block(framed(" Details ".into()));
        frame.render_widget(text, area);
        return;
    };
    let block = framed(format!(" {} ", route.route).into());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [text, score, rate] = Layout::vertical([
        Constraint::Fill(1),
        Constraint::Length(LINES),
        Constraint::Length(LINES),
    ])
    .areas(inner);
    let lines = details(route);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), text);
    if let Some(lines) = seen.routes.get(&route.route) {
        sparkline(frame, score, (" score ", &lines.score, Some(1.0)));
        sparkline(frame, rate, (" requests/s ", &lines.rps, None));
    }
}

fn details(route: &Route) -> Vec<Line<'static>> {
    let named =
        |name: &str, value: String| Line::from(vec![format!("{name:<9} ").dim(), Text::raw(value)]);
    let state = route.state.clone().fg(state_colour(&route.state));
    let mut lines = vec![
        Line::from(vec!["state     ".dim(), state]),
        named("models", route.models.join(", ")),
    ];
    let aside = aside(route);
    if !aside.is_empty() {
        lines.push(named("aside", aside));
    }
    if let Some(terms) = &route.terms_ms {
        let terms = terms.iter();
        let terms = terms.filter_map(|(name, ms)| Some(format!("{name} {:.1}", ms.as_f64()?)));
        let terms: Vec<String> = terms.collect();
        lines.push(named("terms, ms", terms.join("  ")));
    }
    for ceiling in &route.ceilings {
        lines.push(named("ceiling", described(ceiling)));
    }
    lines
}

fn described(ceiling: &Ceiling) -> String {
    let Ceiling {
        dimension,
        source,
        limit,
        headroom,
    } = ceiling;
    format!("{dimension} {limit:.0}, {headroom:.0} left ({source})")
}

/// A state's colour.
fn state_colour(state: &str) -> Color {
    match state {
        "healthy" => Color::Green,
        "degraded" => Color::Yellow,
        "recovering" => Color::Cyan,
        "probing" => Color::Magenta,
        _ => Color::Red,
    }
}

/// The time of day of an instant, UTC.
pub(super) fn clock(at_us: u64) -> String {
    let seconds = at_us / 1_000_000 % 86_400;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// A number of few digits.
pub(super) fn number(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.1}"),
        ..10_000.0 => format!("{value:.0}"),
        _ => format!("{:.0}k", value / 1e3),
    }
}

/// A part in percent; a dash for none.
pub(super) fn percent(part: Option<f64>) -> String {
    match part.map(|part| part * 100.0) {
        None => "-".to_owned(),
        Some(percent) if percent > 99.0 && percent < 99.995 => format!("{percent:.2}%"),
        Some(percent) => format!("{percent:.0}%"),
    }
}

/// A latency of few digits; a dash for none.
pub(super) fn latency(millis: Option<f64>) -> String {
    match millis {
        None => "-".to_owned(),
        Some(millis) if millis < 1.0 => format!("{:.0}us", millis * 1e3),
        Some(millis) if millis < 1e3 => format!("{millis:.0}ms"),
        Some(millis) => format!("{:.1}s", millis / 1e3),
    }
}
