//! The demo as a live screen.
//!
//! Above, the story's course and the routes as the gateway sees them; below, both sides in figures and as lines over time.
//! Drawing is a pure function of the scene, so that a test can look at what is drawn.
//!
//! # Invariants
//! - Any size can be drawn; 100 × 30 shows everything, 80 × 24 all figures.

use std::io;

use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span as Text};
use ratatui::widgets::{Axis, Cell, Chart, Dataset, GraphType, Paragraph, Row, Table};
use scoring::health::State;
use scoring::time::Span;

use super::plain::trouble;
use super::scene::{Scene, SideScene, clock_face, grouped, latency, percent};
use super::script::{CAST, MODEL, Phase, ROUTES, SICK};
use super::tally::Side;
use crate::terminal::{Screen, bar, framed, right};

/// The gateway's colour and the twin's, told apart by the colour-blind too.
const SIDES: [Color; 2] = [Color::Cyan, Color::Magenta];

/// Lines that the routes take with header and frame.
const ROUTES_HEIGHT: u16 = ROUTES as u16 + 3;

/// Columns of the figures; the charts get the rest.
const FIGURES_WIDTH: u16 = 42;

/// Lines below which the figures leave out what the charts show.
const TALL: u16 = 18;

/// Columns of the name of a group of figures.
const GROUP: usize = 4;

/// Lines that a diary needs with its frame.
const DIARY_HEIGHT: u16 = 3;

/// The least top of the latency chart, in seconds, so that health looks flat.
const LEAST_TOP: f64 = 2.0;

/// Top of the share chart, in percent.
const SHARE_TOP: f64 = 100.0;

/// Draws a scene; true when somebody has seen enough.
pub(super) fn show(screen: &mut Screen, scene: &Scene<'_>) -> io::Result<bool> {
    screen.draw(|frame| draw(frame, scene))?;
    let (keys, _) = screen.pressed()?;
    Ok(keys.into_iter().any(is_farewell))
}

fn is_farewell(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') => control,
        KeyCode::Char('q') | KeyCode::Esc => true,
        _ => false,
    }
}

fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>) {
    let [title, course, routes, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(ROUTES_HEIGHT),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let [left, right] =
        Layout::horizontal([Constraint::Length(FIGURES_WIDTH), Constraint::Fill(1)]).areas(body);
    draw_title(frame, title, scene);
    draw_course(frame, course, scene);
    draw_routes(frame, routes, scene);
    let rows = figures(scene, body.height);
    let height = rows.len() as u16 + 3;
    let [above, below] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(left);
    draw_figures(frame, above, rows);
    if below.height >= DIARY_HEIGHT {
        draw_diary(frame, below, scene);
    }
    let [above, below] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(right);
    draw_latency(frame, above, scene);
    draw_share(frame, below, scene);
    draw_foot(frame, foot, scene);
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    let phase = scene.story.phase(scene.at);
    let (at, end) = (clock_face(scene.at), clock_face(scene.story.length()));
    let left = Line::from(vec![
        " Trimtab ".bold().reversed(),
        Text::raw(format!("  {at} of {end}  ")),
        Text::styled(trouble(scene), Style::new().fg(phase_colour(phase)).bold()),
    ]);
    let right = format!("{} requests/s, seed {} ", scene.rate, scene.seed);
    frame.render_widget(left, area);
    frame.render_widget(Line::from(right).dim().alignment(Alignment::Right), area);
}

/// The story as a line, with a mark where it stands.
fn draw_course(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    let width = area.width.saturating_sub(2);
    let length = scene.story.length().as_secs_f64();
    let now = (scene.at.as_secs_f64() / length * f64::from(width.saturating_sub(1))) as u16;
    let cell = |column: u16| {
        let at = Span::from_secs_f64(length * (f64::from(column) + 0.5) / f64::from(width));
        let colour = Style::new().fg(phase_colour(scene.story.phase(at)));
        match column.cmp(&now) {
            std::cmp::Ordering::Less => Text::styled("━", colour),
            std::cmp::Ordering::Equal => Text::styled("◆", colour.bold()),
            std::cmp::Ordering::Greater => Text::styled("─", colour.dim()),
        }
    };
    let course = std::iter::once(Text::raw(" ")).chain((0..width).map(cell));
    frame.render_widget(Line::from_iter(course), area);
}

fn draw_routes(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    const WIDTHS: [u16; 9] = [6, 5, 6, 5, 10, 7, 7, 7, 6];
    let fixed: u16 = WIDTHS.iter().map(|width| width + 1).sum();
    let bar_width = area.width.saturating_sub(fixed + 2);
    let constraints = [WIDTHS[0], bar_width]
        .into_iter()
        .chain(WIDTHS[1..].iter().copied());
    let titles = ["route", "traffic", "share", "weight", "score", "state"];
    let titles = titles
        .into_iter()
        .map(Cell::from)
        .chain(["p50", "p95", "errors", "active"].map(|title| Cell::from(right(title.to_owned()))));
    let side = scene.side(Side::Adaptive);
    let rows = (0..ROUTES).map(|route| {
        let (actor, standing) = (CAST[route], scene.routes[route]);
        let colour = state_colour(standing.state);
        let (p50, p95) = side.live.routes[route];
        Row::new([
            Cell::from(actor.name.bold()),
            Cell::from(bar(
                side.shares[route].unwrap_or(0.0),
                actor.weight,
                bar_width,
                colour,
            )),
            Cell::from(right(percent(side.shares[route], 0))),
            Cell::from(right(percent(Some(f64::from(actor.weight)), 0)).dim()),
            Cell::from(right(format!("{:.2}", standing.score))),
            Cell::from(standing.state.name().fg(colour)),
            Cell::from(right(latency(p50))),
            Cell::from(right(latency(p95))),
            Cell::from(right(percent(standing.errors, 1))),
            Cell::from(right(standing.in_flight.to_string())),
        ])
    });
    let table = Table::new(rows, constraints.map(Constraint::Length))
        .header(Row::new(titles).dim())
        .column_spacing(1)
        .block(framed(" Routes, as the gateway sees them ".into()));
    frame.render_widget(table, area);
}

/// A line of the figures: its group, its label, where it is shown, and how to read it of a side.
type Figure = (&'static str, &'static str, Shown, fn(&SideScene) -> String);

/// On which screens a figure is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Always,
    /// Where there is room: the title or a chart tells about as much.
    Tall,
}

/// The figures of the last seconds, then those of the whole run so far.
const FIGURES: [Figure; 12] = [
    ("now", "requests/s", Shown::Tall, |side| {
        format!("{:.1}", side.live.rate)
    }),
    ("now", "success", Shown::Always, |side| {
        percent(side.live.success, 1)
    }),
    ("now", "first attempt", Shown::Always, |side| {
        percent(side.live.first, 1)
    }),
    ("now", "p50", Shown::Tall, |side| latency(side.live.p50)),
    ("now", "p95", Shown::Always, |side| latency(side.live.p95)),
    ("all", "requests", Shown::Tall, |side| {
        grouped(side.total.requests)
    }),
    ("all", "success", Shown::Always, |side| {
        percent(side.total.success(), 2)
    }),
    ("all", "first attempt", Shown::Always, |side| {
        percent(side.total.first_success(), 2)
    }),
    ("all", "p95", Shown::Always, |side| {
        latency(side.total.latency.percentile(0.95))
    }),
    ("all", "failovers", Shown::Always, |side| {
        grouped(side.total.extra)
    }),
    ("all", "incomplete", Shown::Always, |side| {
        grouped(side.total.requests - side.total.complete)
    }),
    ("all", "to the sick route", Shown::Always, |side| {
        grouped(side.sick_attempts)
    }),
];

/// The lines of the figures on a body of `height`; a group is named where it begins.
fn figures(scene: &Scene<'_>, height: u16) -> Vec<[String; 3]> {
    let mut last = "";
    let shown = |figure: &&Figure| height >= TALL || figure.2 == Shown::Always;
    let rows = FIGURES
        .iter()
        .filter(shown)
        .map(|(group, label, _, value)| {
            let head = if last == *group { "" } else { group };
            last = group;
            let [adaptive, fixed] = scene.sides.each_ref().map(value);
            [format!("{head:<GROUP$}{label}"), adaptive, fixed]
        });
    rows.collect()
}

fn draw_figures(frame: &mut Frame<'_>, area: Rect, rows: Vec<[String; 3]>) {
    let rows = rows.into_iter().map(|[label, adaptive, fixed]| {
        Row::new([
            Cell::from(label),
            Cell::from(right(adaptive).fg(SIDES[0])),
            Cell::from(right(fixed).fg(SIDES[1])),
        ])
    });
    let titles = [right("Trimtab".to_owned()), right("static".to_owned())];
    let [adaptive, fixed] = titles;
    let header = Row::new([
        Cell::from(""),
        Cell::from(adaptive.bold().fg(SIDES[0])),
        Cell::from(fixed.bold().fg(SIDES[1])),
    ]);
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(9),
        Constraint::Length(9),
    ];
    let table = Table::new(rows, widths)
        .header(header)
        .column_spacing(0)
        .block(framed(" The same requests, served both ways ".into()));
    frame.render_widget(table, area);
}

fn draw_diary(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    let room = usize::from(area.height.saturating_sub(2));
    let mut lines: Vec<Line<'_>> = scene
        .diary
        .entries()
        .rev()
        .take(room)
        .map(|(at, text)| {
            Line::from(vec![
                format!("{} ", clock_face(*at)).dim(),
                text.as_str().into(),
            ])
        })
        .collect();
    lines.reverse();
    frame.render_widget(Paragraph::new(lines).block(framed(" Events ".into())), area);
}

fn draw_latency(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    let lines = [Side::Adaptive, Side::Static].map(|side| scene.side(side).lines.p95.as_slice());
    let most = lines
        .iter()
        .copied()
        .flatten()
        .map(|point| point.1)
        .fold(LEAST_TOP, f64::max);
    let (title, top) = ("p95 latency, s", most.ceil());
    draw_chart(frame, area, scene, &Graph { title, lines, top });
}

fn draw_share(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    let lines = [Side::Adaptive, Side::Static].map(|side| scene.side(side).lines.sick.as_slice());
    let title = format!("% to {}", CAST[SICK].name);
    let (title, top) = (title.as_str(), SHARE_TOP);
    draw_chart(frame, area, scene, &Graph { title, lines, top });
}

/// What a chart shows.
struct Graph<'a> {
    title: &'a str,
    /// The gateway's line, then the twin's.
    lines: [&'a [(f64, f64)]; 2],
    /// The largest value shown; the least is 0.
    top: f64,
}

/// Both sides' lines over the story's time, with marks where the incident begins and ends.
fn draw_chart(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>, graph: &Graph<'_>) {
    let Graph { title, lines, top } = *graph;
    let title = Line::from(vec![
        format!(" {title}  ").into(),
        "━ Trimtab".fg(SIDES[0]),
        "  ".into(),
        "━ static ".fg(SIDES[1]),
    ]);
    let length = scene.story.length();
    let mark = |phase| {
        let at = scene.story.start(phase).as_secs_f64();
        [(at, 0.0), (at, top)]
    };
    let marks = [mark(Phase::Degrading), mark(Phase::Recovered)];
    let line = |data, style| {
        let set = Dataset::default().marker(Marker::Braille);
        set.graph_type(GraphType::Line).style(style).data(data)
    };
    let marks = marks
        .iter()
        .map(|mark| line(mark, Style::new().fg(Color::DarkGray)));
    let [adaptive, fixed] = lines;
    let sides = [
        line(fixed, SIDES[1].into()),
        line(adaptive, SIDES[0].into()),
    ];
    let times = [
        Span::ZERO,
        Span::from_micros(length.as_micros() / 2),
        length,
    ];
    let x = Axis::default()
        .bounds([0.0, length.as_secs_f64()])
        .labels(times.map(clock_face))
        .style(Style::new().add_modifier(Modifier::DIM));
    let y = Axis::default()
        .bounds([0.0, top])
        .labels([0.0, top / 2.0, top].map(|value| format!("{value:>4}")))
        .style(Style::new().add_modifier(Modifier::DIM));
    let chart = Chart::new(marks.chain(sides).collect())
        .x_axis(x)
        .y_axis(y)
        .legend_position(None)
        .block(framed(title));
    frame.render_widget(chart, area);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    let gateway = scene.gateway;
    let quit = Line::from(vec!["q".bold(), " ends ".dim()]);
    let dashboard = format!(" dashboard: http://{}/", scene.admin);
    let by_hand = format!(" try it: POST http://{gateway}/v1/chat/completions, model {MODEL}");
    let room = usize::from(area.width).saturating_sub(quit.width());
    let told = match dashboard.len() + by_hand.len() + 1 {
        both if both <= room => format!("{dashboard};{by_hand}"),
        _ => dashboard,
    };
    frame.render_widget(Line::from(told).dim(), area);
    frame.render_widget(quit.alignment(Alignment::Right), area);
}

const fn phase_colour(phase: Phase) -> Color {
    match phase {
        Phase::Healthy | Phase::Recovered => Color::Green,
        Phase::Degrading => Color::Yellow,
        Phase::Bad => Color::Red,
    }
}

const fn state_colour(state: State) -> Color {
    match state {
        State::Healthy => Color::Green,
        State::Degraded => Color::Yellow,
        State::Recovering => Color::Cyan,
        State::Probing => Color::Magenta,
        State::Open | State::KeyHeld | State::Unsupported | State::Drained => Color::Red,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::routes::Standing;
    use super::super::scene::Diary;
    use super::super::script::Story;
    use super::super::tally::{Ending, Sample, Tally};
    use super::*;

    /// The screen of a run at its worst, line by line.
    fn drawn(width: u16, height: u16) -> Vec<String> {
        let story = Story::new(1.0);
        let mut tally = Tally::new(story, Span::from_secs(5));
        let mut diary = Diary::default();
        let mut routes = [Standing::default(); ROUTES];
        let at = Span::from_secs(115);
        for second in 0..=115 {
            routes[SICK].state = if second > 80 {
                State::Open
            } else {
                State::Healthy
            };
            let due = Span::from_secs(second);
            for side in Side::BOTH {
                let ended = due.plus(Span::from_millis(400 + 10 * second * side as u64));
                let (ending, route) = (Ending::Complete, Some(second as usize % ROUTES));
                tally.add(Sample {
                    side,
                    due,
                    ended,
                    ending,
                    attempts: 1,
                    route,
                });
            }
            tally.turn(due, [[20 * second, 12 * second, 8 * second]; 2]);
            diary.turn(story, due, &routes, &tally);
        }
        let scene = Scene {
            story,
            at,
            rate: 40.0,
            seed: 7,
            gateway: ([127, 0, 0, 1], 8080).into(),
            admin: ([127, 0, 0, 1], 9090).into(),
            routes,
            sides: Side::BOTH.map(|side| SideScene::of(&tally, side, at)),
            diary: &diary,
            ending: false,
        };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &scene)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |row| {
            (0..width)
                .map(|column| buffer[(column, row)].symbol())
                .collect()
        };
        (0..height).map(line).collect()
    }

    #[test]
    fn everything_is_there_at_both_sizes() {
        for (width, height) in [(100, 30), (80, 24)] {
            let screen = drawn(width, height).join("\n");
            for text in [
                "1:55 of 3:00",
                "alder x4.0 40% err",
                "state",
                "open",
                "active",
                "failovers",
                "to the sick route",
                "p95 latency, s",
                "% to alder",
                "3:00",
                "Events",
                "at its worst",
                "q ends",
            ] {
                assert!(
                    screen.contains(text),
                    "`{text}` is not on {width} x {height}:\n{screen}"
                );
            }
        }
    }

    #[test]
    fn any_size_can_be_drawn() {
        for (width, height) in [(1, 1), (5, 40), (300, 3), (40, 12), (300, 100)] {
            assert_eq!(drawn(width, height).len(), usize::from(height));
        }
    }
}
