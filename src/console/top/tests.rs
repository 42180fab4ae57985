//! What is drawn of made-up ticks, hostile ones among them, and what keys do.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;
use serde_json::{Value, json};

use super::draw::draw;
use super::follow::{News, cleaned, read};
use super::plain::Plain;
use super::seen::Seen;
use super::view::{Order, Over, View};

fn route(name: &str, state: &str, rps: f64) -> Value {
    json!({
        "route": name, "provider": "p", "models": ["main"], "state": state, "score": 0.87, "rps": rps,
        "share": 0.25, "weight_share": 0.5, "inflight": 3, "ttft_p50_ms": 412.0, "error_rate": 0.125,
        "utilisation": 0.4, "hold": {"reason": "circuit_open", "seconds_left": 4.2}, "steered": null,
        "terms_ms": {"latency": 400.0, "drift": 12.5, "utilisation": 0.0, "failure": 3.0, "price": 0.0},
        "ceilings": [{"dimension": "requests", "source": "header", "limit": 500.0, "headroom": 120.0}],
    })
}

fn tick(routes: &[Value]) -> Value {
    json!({
        "at_us": 1_700_000_000_000_000_u64,
        "gateway": {"rps": 41.0, "inflight": 7, "success": 0.995, "duration_p50_ms": 420.0, "duration_p95_ms": 1900.0,
            "ttft_p50_ms": 210.0, "ttft_p95_ms": 800.0, "overhead_p50_us": 85.0, "overhead_p99_us": 310.0,
            "spend_per_hour": 1.25, "saved_per_hour": 0.5, "cache_hit_ratio": 0.1, "failovers": 0.2, "connections": 12},
        "routes": routes,
        "events": [{"id": 1, "at_us": 1_700_000_000_000_000_u64, "kind": "state", "route": "b/m/k",
            "what": "b/m/k: healthy -> open: 12 of 15 attempts failed", "evidence": {}}],
    })
}

fn seen() -> Seen {
    let mut seen = Seen::default();
    seen.take(News::Hello(json!({"version": "1.2.3"})));
    for _ in 0..30 {
        let routes = [
            route("a/m/k", "healthy", 30.0),
            route("b/m/k", "open", 1.0),
            route("c/m/k", "degraded", 9.0),
        ];
        seen.take(News::Tick(tick(&routes)));
    }
    seen
}

fn backend(seen: &Seen, view: &View, (width, height): (u16, u16)) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, seen, view)).unwrap();
    terminal.backend().clone()
}

fn drawn(seen: &Seen, view: &View, size: (u16, u16)) -> String {
    let backend = backend(seen, view, size);
    let buffer = backend.buffer();
    let line = |row: u16| -> String {
        (0..size.0)
            .map(|column| buffer[(column, row)].symbol())
            .collect()
    };
    (0..size.1).map(line).collect::<Vec<_>>().join("\n")
}

fn press(view: &mut View, seen: &Seen, keys: &str) -> bool {
    let mut enough = false;
    for letter in keys.chars() {
        let code = match letter {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        enough |= view.press(KeyEvent::new(code, KeyModifiers::NONE), seen);
    }
    enough
}

#[test]
fn everything_is_there_at_both_sizes() {
    let (seen, view) = (seen(), View::new(true));
    for size in [(80, 24), (140, 50)] {
        let screen = drawn(&seen, &view, size);
        for text in [
            "Trimtab",
            "1.2.3",
            "22:13:20",
            "live",
            "rps 41",
            "success 99.50%",
            "p50 420ms",
            "p95 1.9s",
            "ttft p50 210ms",
            "overhead 85us",
            "$/h 1.25",
            "cache 10%",
            "a/m/k",
            "healthy",
            "open",
            "degraded",
            "0.87",
            "25%/50%",
            "412ms",
            "12%",
            "Events",
            "12 of 15 attempts failed",
            "q ends",
        ] {
            assert!(
                screen.contains(text),
                "`{text}` is not on {size:?}:\n{screen}"
            );
        }
    }
    assert!(drawn(&seen, &view, (140, 50)).contains("circuit_open 4 s"));
}

#[test]
fn any_size_can_be_drawn_and_nothing_told_yet() {
    let mut view = View::new(true);
    for seen in [Seen::default(), seen()] {
        for over in [Over::Nothing, Over::Details, Over::Help, Over::Filter] {
            view.over = over;
            view.chosen = Some("b/m/k".to_owned());
            for size in [(1, 1), (5, 40), (300, 3), (40, 12), (300, 100), (80, 24)] {
                drawn(&seen, &view, size);
            }
        }
    }
}

#[test]
fn keys_choose_order_filter_and_open() {
    let seen = seen();
    let mut view = View::new(true);
    let names = |view: &View| -> Vec<String> {
        view.listed(&seen)
            .iter()
            .map(|it| it.route.clone())
            .collect()
    };
    assert!(!press(&mut view, &seen, "jj"));
    assert_eq!(view.chosen.as_deref(), Some("b/m/k"));
    press(&mut view, &seen, "jjjk");
    assert_eq!(view.chosen.as_deref(), Some("b/m/k"), "it stops at the end");
    press(&mut view, &seen, "s");
    assert_eq!(
        (view.order, names(&view)),
        (
            Order::Rate,
            ["a/m/k", "c/m/k", "b/m/k"].map(str::to_owned).to_vec()
        )
    );
    press(&mut view, &seen, "sss");
    assert_eq!(
        (view.order, names(&view)[0].as_str()),
        (Order::State, "b/m/k")
    );
    press(&mut view, &seen, "s/C/M");
    assert_eq!(
        (view.over, names(&view)),
        (Over::Filter, vec!["c/m/k".to_owned()])
    );
    assert!(drawn(&seen, &view, (80, 24)).contains("with C/M_"));
    assert!(!press(&mut view, &seen, "q"), "a letter of the filter");
    press(&mut view, &seen, "\u{1b}");
    assert_eq!((view.over, names(&view).len()), (Over::Nothing, 3));
    press(&mut view, &seen, "/open\n");
    assert_eq!(names(&view), ["b/m/k"]);
    press(&mut view, &seen, "\u{1b}d");
    let details = drawn(&seen, &view, (80, 24));
    for text in [
        "terms, ms",
        "latency 400.0",
        "requests 500, 120 left (header)",
        "main",
        "score",
    ] {
        assert!(details.contains(text), "`{text}`:\n{details}");
    }
    press(&mut view, &seen, "?");
    assert!(drawn(&seen, &view, (80, 24)).contains("chooses a route") || view.over == Over::Help);
    assert!(!press(&mut view, &seen, "\u{1b}"), "it closes what is open");
    assert!(press(&mut view, &seen, "q"));
    let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!(View::new(true).press(control, &seen));
}

#[test]
fn it_can_stand_still() {
    let mut seen = seen();
    let mut view = View::new(true);
    press(&mut view, &seen, "p");
    seen.take(News::Tick(tick(&[route("late/m/k", "healthy", 1.0)])));
    view.hold(&seen);
    let still = drawn(&seen, &view, (80, 24));
    assert!(still.contains("stands still") && still.contains("a/m/k") && !still.contains("late"));
    press(&mut view, &seen, "p");
    assert!(drawn(&seen, &view, (80, 24)).contains("late/m/k"));
}

#[test]
fn a_gateway_that_is_gone_is_told_and_its_return_too() {
    let mut seen = seen();
    let view = View::new(true);
    seen.take(News::Gone("connect failed".to_owned()));
    assert!(drawn(&seen, &view, (80, 24)).contains("gone: connect failed; asking again"));
    seen.take(News::Hello(json!({"version": "1.2.4"})));
    let screen = drawn(&seen, &view, (80, 24));
    assert!(screen.contains("1.2.4") && !screen.contains("gone"));
}

#[test]
fn without_colours_states_are_words() {
    let backend = backend(&seen(), &View::new(false), (100, 30));
    let cells = &backend.buffer().content;
    assert!(
        cells
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    assert!(drawn(&seen(), &View::new(false), (100, 30)).contains("degraded"));
}

/// A tick as a hostile gateway, or a hostile name in a gateway's file, would make it.
fn hostile() -> Vec<News> {
    let evil = "x\u{1b}]0;owned\u{7}\u{1b}[2J\r\n\u{9b}31m\u{202e}y";
    let mut tick = tick(&[route(evil, evil, 1.0)]);
    tick["events"][0]["what"] = evil.into();
    tick["events"][0]["kind"] = evil.into();
    tick["routes"][0]["hold"]["reason"] = evil.into();
    tick["routes"][0]["terms_ms"] = json!({evil: 1.0});
    tick["routes"][0]["models"] = json!([evil, evil]);
    tick["gateway"]["rps"] = json!(1e300);
    let hello = json!({"version": evil});
    let text = format!(
        ": {evil}\n\nevent: hello\ndata: {hello}\n\nevent: tick\ndata: {tick}\n\nevent: tick\ndata: nonsense\n\nevent: other\ndata: 1\n\n"
    );
    read(&text.into_bytes().into())
}

#[test]
fn nothing_hostile_reaches_the_terminal() {
    let mut seen = Seen::default();
    let news = hostile();
    assert_eq!(news.len(), 2);
    for news in news {
        seen.take(news);
    }
    let mut view = View::new(true);
    press(&mut view, &seen, "j");
    for over in [Over::Nothing, Over::Details] {
        view.over = over;
        for symbol in backend(&seen, &view, (120, 40))
            .buffer()
            .content
            .iter()
            .map(|cell| cell.symbol())
        {
            assert!(
                !symbol.chars().any(|it| it.is_control() || it == '\u{202e}'),
                "{symbol:?}"
            );
        }
    }
    assert!(drawn(&seen, &view, (120, 40)).contains("x]0;owned[2J31my"));
    let mut out = Vec::new();
    let mut plain = Plain::new(&mut out);
    for news in hostile() {
        plain.show(news).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    assert!(
        !text.chars().any(|it| it.is_control() && it != '\n'),
        "{text:?}"
    );
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn lines_tell_the_second_and_what_has_changed() {
    let mut out = Vec::new();
    let mut plain = Plain::new(&mut out);
    plain.show(News::Hello(json!({"version": "1"}))).unwrap();
    plain
        .show(News::Tick(tick(&[route("b/m/k", "open", 0.0)])))
        .unwrap();
    plain.show(News::Gone("it ended".to_owned())).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "Trimtab 1\n\
         22:13:20 * b/m/k: healthy -> open: 12 of 15 attempts failed\n\
         22:13:20 41 req/s, 7 in flight, success 99.50%, p50 420ms, p95 1.9s, ttft 210ms; b/m/k open 25%\n\
         the gateway is gone: it ended; asking again\n"
    );
}

#[test]
fn keys_of_objects_are_cleaned_too() {
    assert_eq!(
        cleaned(json!({"a\u{1b}": ["\u{7}b", 1, null]})),
        json!({"a": ["b", 1, null]})
    );
}
