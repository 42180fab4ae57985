//! What somebody wants to see: which route, in which order, of which names.
//!
//! # Invariants
//! - What is chosen is a route by its name; it stays chosen while others come and go.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::seen::{Route, Seen};

/// Longest filter, characters.
const LONGEST: usize = 64;

/// In which order routes are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Name,
    Rate,
    Score,
    Errors,
    State,
}

impl Order {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Rate => "rate",
            Self::Score => "score",
            Self::Errors => "errors",
            Self::State => "state",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Name => Self::Rate,
            Self::Rate => Self::Score,
            Self::Score => Self::Errors,
            Self::Errors => Self::State,
            Self::State => Self::Name,
        }
    }
}

/// What lies over the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Over {
    #[default]
    Nothing,
    Details,
    Help,
    /// The filter is being written.
    Filter,
}

/// What is shown.
#[derive(Debug)]
pub(super) struct View {
    pub(super) order: Order,
    pub(super) filter: String,
    pub(super) over: Over,
    pub(super) is_paused: bool,
    pub(super) has_colours: bool,
    /// The chosen route.
    pub(super) chosen: Option<String>,
    /// What is shown while it stands still.
    held: Option<Box<Seen>>,
}

impl View {
    pub(super) fn new(has_colours: bool) -> Self {
        Self {
            order: Order::default(),
            filter: String::new(),
            over: Over::default(),
            is_paused: false,
            has_colours,
            chosen: None,
            held: None,
        }
    }

    /// Keeps what is seen now, where it is to stand still and does not yet.
    pub(super) fn hold(&mut self, seen: &Seen) {
        if !self.is_paused {
            self.held = None;
        } else if self.held.is_none() {
            self.held = Some(Box::new(seen.clone()));
        }
    }

    /// What is shown: what is seen, or what was when it was made to stand still.
    pub(super) fn shown<'a>(&'a self, seen: &'a Seen) -> &'a Seen {
        self.held.as_deref().unwrap_or(seen)
    }

    /// The routes that are listed, in order.
    pub(super) fn listed<'a>(&self, seen: &'a Seen) -> Vec<&'a Route> {
        let wanted = self.filter.to_lowercase();
        let fits = |route: &&Route| {
            let mut names = std::iter::once(&route.route).chain(&route.models);
            names.any(|name| name.to_lowercase().contains(&wanted)) || route.state.contains(&wanted)
        };
        let mut routes: Vec<&Route> = seen.tick.routes.iter().filter(fits).collect();
        let most = |one: f64, other: f64| other.total_cmp(&one);
        routes.sort_by(|one, other| {
            let by = match self.order {
                Order::Name => std::cmp::Ordering::Equal,
                Order::Rate => most(one.rps, other.rps),
                Order::Score => most(one.score.unwrap_or(0.0), other.score.unwrap_or(0.0)),
                Order::Errors => most(
                    one.error_rate.unwrap_or(0.0),
                    other.error_rate.unwrap_or(0.0),
                ),
                Order::State => trouble(&other.state).cmp(&trouble(&one.state)),
            };
            by.then_with(|| one.route.cmp(&other.route))
        });
        routes
    }

    /// Where the chosen route stands in a list.
    pub(super) fn at(&self, listed: &[&Route]) -> Option<usize> {
        let chosen = self.chosen.as_deref()?;
        listed.iter().position(|route| route.route == chosen)
    }

    /// Does what a key says; true when somebody has seen enough.
    pub(super) fn press(&mut self, key: KeyEvent, seen: &Seen) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return true;
        }
        if self.over == Over::Filter {
            self.write(key);
            return false;
        }
        match key.code {
            KeyCode::Char('q') => return true,
            KeyCode::Esc if self.over != Over::Nothing => self.over = Over::Nothing,
            KeyCode::Esc if !self.filter.is_empty() => self.filter.clear(),
            KeyCode::Esc => return true,
            KeyCode::Char('s') => self.order = self.order.next(),
            KeyCode::Char('/') => self.over = Over::Filter,
            KeyCode::Char('p' | ' ') => {
                self.is_paused = !self.is_paused;
                self.hold(seen);
            }
            KeyCode::Char('d') | KeyCode::Enter => {
                if self.chosen.is_none() {
                    self.go(0, seen);
                }
                self.over = self.toggled(Over::Details);
            }
            KeyCode::Char('?' | 'h') => self.over = self.toggled(Over::Help),
            KeyCode::Down | KeyCode::Char('j') => self.go(1, seen),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1, seen),
            KeyCode::PageDown => self.go(10, seen),
            KeyCode::PageUp => self.go(-10, seen),
            KeyCode::Home => self.go(isize::MIN, seen),
            KeyCode::End => self.go(isize::MAX, seen),
            _ => {}
        }
        false
    }

    fn toggled(&self, over: Over) -> Over {
        if self.over == over {
            Over::Nothing
        } else {
            over
        }
    }

    fn write(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Enter => self.over = Over::Nothing,
            KeyCode::Esc => {
                self.filter.clear();
                self.over = Over::Nothing;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) if self.filter.chars().count() < LONGEST => {
                self.filter.push(letter);
            }
            _ => {}
        }
    }

    /// Chooses the route so many lines further down.
    fn go(&mut self, by: isize, seen: &Seen) {
        let listed = self.listed(self.shown(seen));
        let at = match self.at(&listed) {
            Some(at) => at.saturating_add_signed(by),
            None if by < 0 => usize::MAX,
            None => 0,
        };
        let at = at.min(listed.len().saturating_sub(1));
        let chosen = listed.get(at).map(|route| route.route.clone());
        self.chosen = chosen;
    }
}

/// How bad a state is.
fn trouble(state: &str) -> u8 {
    match state {
        "healthy" => 0,
        "degraded" => 1,
        "recovering" => 2,
        "probing" => 3,
        _ => 4,
    }
}
