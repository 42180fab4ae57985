//! What was seen over time? Columns of figures a second, ten seconds and a minute apart.
//!
//! Each series is a row's column in three rings; the coarser ones are made of the finest one's points as they come.
//! The finest keeps 32 bits of a number, the others 16, of which nine are digits: 0.1 %, less than a line on a screen shows.
//!
//! # Invariants
//! - A ring has at most as many rows as its window, grown as they come: a route takes 158 kB after a day, the gateway 190 kB, 64 routes and the gateway 10.3 MB.
//! - At most [`MOST`] routes have a history; those gone for [`KEPT`] are forgotten, and first where there are too many.
//! - A second in which nothing was read is a row without figures.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use scoring::time::{Span, Time};

use super::columns::{Fold, GATEWAY, ROUTE, gateway_row, route_row};
use super::tick::Tick;

/// Routes with a history, at most: 40 MB of it.
pub(super) const MOST: usize = 256;

/// How long the history of a route that is gone is kept: a day, as far as any window looks back.
pub(super) const KEPT: Span = Span::from_secs(24 * 3_600);

/// Rows by which a ring grows at least.
const GROWTH: usize = 60;

/// A number in 16 bits: a sign, six bits of the exponent of two from -20 on, and nine digits behind the leading one.
const LEAST_EXPONENT: i32 = -20;

/// What stands for no number.
const NONE: u16 = u16::MAX;

/// How far back is looked, and in which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// 15 minutes, second by second.
    Quarter,
    /// Two hours, in steps of ten seconds.
    Hours,
    /// A day, minute by minute.
    Day,
}

impl Window {
    /// Every window, the shortest first.
    pub const ALL: [Self; 3] = [Self::Quarter, Self::Hours, Self::Day];

    /// Its name in questions and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarter => "15m",
            Self::Hours => "2h",
            Self::Day => "24h",
        }
    }

    /// The window of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.name() == name)
    }

    /// Seconds of a step.
    #[must_use]
    pub const fn step(self) -> u64 {
        match self {
            Self::Quarter => 1,
            Self::Hours => 10,
            Self::Day => 60,
        }
    }

    /// Steps that are kept.
    pub(super) const fn rows(self) -> usize {
        match self {
            Self::Quarter => 900,
            Self::Hours => 720,
            Self::Day => 1_440,
        }
    }
}

/// How a number is kept.
trait Cell: Copy {
    fn of(value: f32) -> Self;
    fn value(self) -> f32;
}

impl Cell for f32 {
    fn of(value: f32) -> Self {
        value
    }

    fn value(self) -> f32 {
        self
    }
}

/// A number in 16 bits.
#[derive(Clone, Copy, Debug)]
struct Short(u16);

impl Cell for Short {
    fn of(value: f32) -> Self {
        if value.is_nan() {
            return Self(NONE);
        }
        let bits = value.abs().to_bits();
        // Why: the digits are rounded, which may carry into the exponent.
        let bits = bits.saturating_add(1 << 13);
        let exponent = (bits >> 23) as i32 - 127 - LEAST_EXPONENT;
        let digits = (bits >> 14 & 0x1ff) as u16;
        let (exponent, digits) = match exponent {
            ..1 => (0, 0),
            // The largest of all is that of "none".
            63.. => (63, 0x1fe),
            exponent => (exponent as u16, digits),
        };
        let sign = u16::from(value.is_sign_negative() && exponent > 0);
        Self(sign << 15 | exponent << 9 | digits)
    }

    fn value(self) -> f32 {
        let Self(bits) = self;
        if bits == NONE {
            return f32::NAN;
        }
        let exponent = i32::from(bits >> 9 & 0x3f);
        if exponent == 0 {
            return 0.0;
        }
        let exponent = (exponent + LEAST_EXPONENT + 127) as u32;
        let sign = u32::from(bits >> 15) << 31;
        f32::from_bits(sign | exponent << 23 | u32::from(bits & 0x1ff) << 14)
    }
}

/// Rows of figures, one a step.
#[derive(Debug)]
struct Ring<C> {
    window: Window,
    /// Figures of a row.
    width: usize,
    /// The rows one behind the other.
    cells: VecDeque<C>,
    /// The step after the last row.
    end: u64,
}

impl<C: Cell> Ring<C> {
    const fn new(window: Window, width: usize) -> Self {
        Self {
            window,
            width,
            cells: VecDeque::new(),
            end: 0,
        }
    }

    fn rows(&self) -> usize {
        self.cells.len() / self.width
    }

    /// Adds the row of a step; steps left out become rows without figures, and a step that is there already stays.
    fn push(&mut self, step: u64, row: &[f32]) {
        if !self.cells.is_empty() && step < self.end {
            return;
        }
        if self.cells.is_empty() || step - self.end >= self.window.rows() as u64 {
            self.cells.clear();
            self.end = step;
        }
        while self.end < step {
            self.append(std::iter::repeat_n(f32::NAN, self.width));
        }
        self.append(row.iter().copied());
    }

    fn append(&mut self, row: impl Iterator<Item = f32>) {
        let most = self.window.rows() * self.width;
        if self.cells.len() >= most {
            self.cells.drain(..self.width);
        } else if self.cells.len() + self.width > self.cells.capacity() {
            let more = (self.cells.len() / 2).max(GROWTH * self.width);
            let room = more.min(most - self.cells.len());
            self.cells.reserve_exact(room);
        }
        self.cells.extend(row.take(self.width).map(C::of));
        self.end += 1;
    }

    /// The steps that there are, and the figures of these columns.
    fn read(&self, columns: &[usize]) -> Table {
        let first = self.end - self.rows() as u64;
        let column = |at: usize| {
            let cells = self.cells.iter().skip(at).step_by(self.width);
            cells.map(|cell| cell.value()).collect()
        };
        Table {
            steps: (first..self.end).collect(),
            columns: columns.iter().map(|&at| column(at)).collect(),
        }
    }

    fn bytes(&self) -> usize {
        self.cells.capacity() * size_of::<C>()
    }
}

/// Columns of figures.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) steps: Vec<u64>,
    /// NaN where there is none.
    pub(super) columns: Vec<Vec<f32>>,
}

/// What a coarse step is made of so far.
#[derive(Debug)]
struct Sum {
    step: u64,
    /// For each column its sum or its extreme, and how many figures are in it.
    parts: Vec<(f64, u32)>,
}

/// A coarse ring with the step that is under way.
#[derive(Debug)]
struct Coarse {
    ring: Ring<Short>,
    sum: Sum,
}

impl Coarse {
    fn new(window: Window, width: usize) -> Self {
        Self {
            ring: Ring::new(window, width),
            sum: Sum {
                step: 0,
                parts: vec![(0.0, 0); width],
            },
        }
    }

    fn push(&mut self, second: u64, row: &[f32], folds: impl Iterator<Item = Fold>) {
        let step = second / self.ring.window.step();
        if step != self.sum.step {
            self.flush();
            self.sum.step = step;
        }
        for ((part, &value), fold) in self.sum.parts.iter_mut().zip(row).zip(folds) {
            if !value.is_nan() {
                part.0 = if part.1 == 0 {
                    f64::from(value)
                } else {
                    fold.add(part.0, f64::from(value))
                };
                part.1 += 1;
                if fold == Fold::Mean {
                    continue;
                }
                part.1 = 1;
            }
        }
    }

    fn row(&self) -> Vec<f32> {
        let mean = |&(sum, count): &(f64, u32)| match count {
            0 => f32::NAN,
            count => (sum / f64::from(count)) as f32,
        };
        self.sum.parts.iter().map(mean).collect()
    }

    fn is_begun(&self) -> bool {
        self.sum.parts.iter().any(|part| part.1 > 0)
    }

    fn flush(&mut self) {
        if self.is_begun() {
            let row = self.row();
            self.ring.push(self.sum.step, &row);
        }
        self.sum.parts.fill((0.0, 0));
    }

    fn read(&self, columns: &[usize]) -> Table {
        let mut table = self.ring.read(columns);
        if self.is_begun() {
            let row = self.row();
            table.steps.push(self.sum.step);
            for (column, &at) in table.columns.iter_mut().zip(columns) {
                column.push(row[at]);
            }
        }
        table
    }
}

/// The three rings of one thing.
#[derive(Debug)]
struct Track {
    seconds: Ring<f32>,
    coarse: [Coarse; 2],
    /// When it was there last.
    seen: Time,
}

impl Track {
    fn new(width: usize, now: Time) -> Self {
        Self {
            seconds: Ring::new(Window::Quarter, width),
            coarse: [Window::Hours, Window::Day].map(|window| Coarse::new(window, width)),
            seen: now,
        }
    }

    fn push(&mut self, second: u64, row: &[f32], folds: impl Iterator<Item = Fold> + Clone) {
        self.seconds.push(second, row);
        for coarse in &mut self.coarse {
            coarse.push(second, row, folds.clone());
        }
    }

    fn read(&self, window: Window, columns: &[usize]) -> Table {
        match window {
            Window::Quarter => self.seconds.read(columns),
            Window::Hours => self.coarse[0].read(columns),
            Window::Day => self.coarse[1].read(columns),
        }
    }

    fn bytes(&self) -> usize {
        let coarse = self.coarse.iter().map(|it| it.ring.bytes());
        self.seconds.bytes() + coarse.sum::<usize>()
    }
}

/// Everything that was seen over time.
#[derive(Debug)]
pub(super) struct History {
    gateway: Track,
    routes: BTreeMap<Arc<str>, Track>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            gateway: Track::new(GATEWAY.len(), Time::default()),
            routes: BTreeMap::new(),
        }
    }
}

impl History {
    /// Takes what was seen in a second, counted from any beginning.
    pub(super) fn push(&mut self, second: u64, tick: &Tick, now: Time) {
        let folds = GATEWAY.iter().map(|column| column.fold);
        self.gateway
            .push(second, &gateway_row(&tick.gateway), folds);
        self.forget(now);
        for route in &tick.routes {
            let is_full = self.routes.len() >= MOST;
            if is_full && !self.routes.contains_key(&route.route) && !self.make_room(now) {
                continue;
            }
            let track = self.routes.entry(Arc::clone(&route.route));
            let track = track.or_insert_with(|| Track::new(ROUTE.len(), now));
            let folds = ROUTE.iter().map(|column| column.fold);
            track.push(second, &route_row(route), folds);
            track.seen = now;
        }
    }

    /// Forgets the routes that are gone for long.
    fn forget(&mut self, now: Time) {
        self.routes.retain(|_, track| now.since(track.seen) < KEPT);
    }

    /// Forgets the route that is gone for longest; false if all are there.
    fn make_room(&mut self, now: Time) -> bool {
        /// Routes that were there a moment ago are there.
        const GONE: Span = Span::from_secs(5);
        let longest = self.routes.iter().min_by_key(|(_, track)| track.seen);
        let gone = longest.filter(|(_, track)| now.since(track.seen) > GONE);
        let Some(name) = gone.map(|(name, _)| Arc::clone(name)) else {
            return false;
        };
        self.routes.remove(&name).is_some()
    }

    /// The gateway's series, in the order of [`GATEWAY`].
    pub(super) fn gateway(&self, window: Window) -> Table {
        let columns: Vec<usize> = (0..GATEWAY.len()).collect();
        self.gateway.read(window, &columns)
    }

    /// A route's series, in the order of [`ROUTE`]; none if nothing is known of it.
    pub(super) fn route(&self, name: &str, window: Window) -> Option<Table> {
        let columns: Vec<usize> = (0..ROUTE.len()).collect();
        Some(self.routes.get(name)?.read(window, &columns))
    }

    /// Some series of every route.
    pub(super) fn routes(&self, window: Window, columns: &[usize]) -> Vec<(Arc<str>, Table)> {
        let routes = self.routes.iter();
        routes
            .map(|(name, track)| (Arc::clone(name), track.read(window, columns)))
            .collect()
    }

    /// Bytes that the rings take.
    pub(super) fn bytes(&self) -> usize {
        let routes = self.routes.values().map(Track::bytes);
        self.gateway.bytes() + routes.sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
