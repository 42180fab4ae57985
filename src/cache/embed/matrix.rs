//! How is a matrix multiplied as fast as the processor can?
//!
//! The right-hand side, weights as a rule, is laid out once in panels of sixteen columns; the left-hand side, one row a token, in tiles of a few rows.
//! A kernel holds a tile's share of the product in registers, walks tile and panel from end to end in order, and writes once.
//! The vectors are `fearless_simd`'s, so that one source serves AVX-512, AVX2, SSE2 and NEON, chosen at run time and without `unsafe` here.
//! Why not a library: `gemm` packs the weights anew in every call, and at sixty rows that is a third of its time.
//!
//! # Invariants
//! - A panel is walked for all tiles before the next, so weights come from memory once a product.
//! - Columns that fill the last panel up are zero, and are not written.

use std::array;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x16};

/// Columns of a panel: a cache line of numbers, and one AVX-512 register.
pub(super) const PANEL: usize = 16;

/// Rows of the tallest tile where there are 32 registers of 16 numbers: 12 × 2 sums, 2 weights and 1 factor are in use at once.
const TALLEST_AVX512: usize = 12;

/// Rows of the tallest tile where sixteen numbers take two registers of 16, or four of 32.
const TALLEST: usize = 6;

/// Rows of the tallest tile where sixteen numbers take four registers of 16: a third would spill, and cost two fifths more.
const TALLEST_NARROW: usize = 2;

/// Numbers that begin at a cache line, so that no vector straddles two.
///
/// The allocation never moves: it is made anew when it has to grow.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    memory: Vec<f32>,
    start: usize,
    len: usize,
}

/// Rows of numbers inside a larger matrix, to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    /// From the first number of the first row on.
    pub(super) numbers: &'a [f32],
    /// Numbers from one row's beginning to the next.
    pub(super) stride: usize,
}

/// Rows of numbers inside a larger matrix, to be written.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// From the first number of the first row on.
    pub(super) numbers: &'a mut [f32],
    /// Numbers from one row's beginning to the next.
    pub(super) stride: usize,
}

/// A right-hand side in panels, and what is added to each of its columns.
#[derive(Debug, Default)]
pub(super) struct Panels {
    depth: usize,
    width: usize,
    numbers: Numbers,
    bias: Numbers,
}

/// A left-hand side in tiles: numbers of one column beside each other.
#[derive(Debug, Default)]
pub(super) struct Tiles {
    depth: usize,
    rows: usize,
    count: usize,
    numbers: Numbers,
}

/// One or two panels beside each other.
struct Strip<'a, const P: usize> {
    weights: [&'a [[f32; PANEL]]; P],
    bias: [&'a [f32; PANEL]; P],
}

impl Numbers {
    /// As many zeros.
    pub(super) fn zeros(len: usize) -> Self {
        let mut numbers = Self::default();
        numbers.resize(len);
        numbers
    }

    /// Makes room for as many; what was there before is of no meaning afterwards.
    pub(super) fn resize(&mut self, len: usize) {
        if self.memory.len() < self.start + len || self.memory.is_empty() {
            self.memory = vec![0.0; len + PANEL];
            let start = self.memory.as_ptr().align_offset(PANEL * size_of::<f32>());
            // The standard library may decline to say; slower, but right.
            self.start = if start < PANEL { start } else { 0 };
        }
        self.len = len;
    }

    pub(super) fn get(&self) -> &[f32] {
        &self.memory[self.start..self.start + self.len]
    }

    pub(super) fn get_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl Panels {
    /// Lays out a linear layer: one row of `depth` weights, and one bias, a column of the product.
    pub(super) fn linear(weights: &[f32], bias: &[f32]) -> Self {
        let width = bias.len();
        let depth = weights.len().checked_div(width).unwrap_or(0);
        let mut panels = Self::default();
        let window = Window {
            numbers: weights,
            stride: depth,
        };
        panels.fill_transposed(window, width, depth);
        panels.bias.get_mut()[..width].copy_from_slice(bias);
        panels
    }

    /// Lays out `width` rows of `depth` numbers, each a column of the right-hand side.
    pub(super) fn fill_transposed(&mut self, rows: Window<'_>, width: usize, depth: usize) {
        self.reset(width, depth);
        let panels = self.numbers.get_mut().chunks_exact_mut(depth * PANEL);
        for (index, panel) in panels.enumerate() {
            for column in 0..PANEL.min(width - index * PANEL) {
                let row = &rows.numbers[(index * PANEL + column) * rows.stride..][..depth];
                for (line, number) in panel.chunks_exact_mut(PANEL).zip(row) {
                    line[column] = *number;
                }
            }
        }
    }

    /// Lays out `depth` rows of `width` numbers.
    pub(super) fn fill(&mut self, rows: Window<'_>, width: usize, depth: usize) {
        self.reset(width, depth);
        let panels = self.numbers.get_mut().chunks_exact_mut(depth * PANEL);
        for (index, panel) in panels.enumerate() {
            let columns = PANEL.min(width - index * PANEL);
            for (line, row) in panel
                .chunks_exact_mut(PANEL)
                .zip(rows.numbers.chunks(rows.stride))
            {
                line[..columns].copy_from_slice(&row[index * PANEL..][..columns]);
            }
        }
    }

    /// Columns of the product.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    fn reset(&mut self, width: usize, depth: usize) {
        let columns = width.next_multiple_of(PANEL);
        self.width = width;
        self.depth = depth;
        self.numbers.resize(columns * depth);
        self.bias.resize(columns);
        if columns > width {
            // A buffer that is used again holds what it held.
            let last = (columns - PANEL) * depth;
            self.numbers.get_mut()[last..].fill(0.0);
        }
        self.bias.get_mut().fill(0.0);
    }

    fn strip<const P: usize>(&self, first: usize) -> Strip<'_, P> {
        let bias = self.bias.get().as_chunks().0;
        Strip {
            weights: array::from_fn(|panel| {
                let from = (first + panel) * self.depth * PANEL;
                self.numbers.get()[from..from + self.depth * PANEL]
                    .as_chunks()
                    .0
            }),
            bias: array::from_fn(|panel| &bias[first + panel]),
        }
    }
}

impl Tiles {
    /// Lays out `rows` rows of `depth` numbers for this processor.
    pub(super) fn fill(&mut self, level: Level, from: Window<'_>, rows: usize, depth: usize) {
        self.rows = rows;
        self.depth = depth;
        self.count = rows.div_ceil(tallest(level));
        self.numbers.resize(rows * depth);
        let mut row = 0;
        for tile in 0..self.count {
            let height = self.height(tile);
            let numbers = &mut self.numbers.get_mut()[row * depth..][..height * depth];
            for lane in 0..height {
                let source = &from.numbers[(row + lane) * from.stride..][..depth];
                for (column, number) in numbers.chunks_exact_mut(height).zip(source) {
                    column[lane] = *number;
                }
            }
            row += height;
        }
    }

    /// Rows of a tile: all tiles are as tall as each other, give or take one, because a short one wastes the processor.
    fn height(&self, tile: usize) -> usize {
        self.rows / self.count + usize::from(tile < self.rows % self.count)
    }
}

/// Writes the product, with the bias added to each row.
pub(super) fn product(level: Level, left: &Tiles, right: &Panels, mut out: Target<'_>) {
    debug_assert_eq!(left.depth, right.depth, "the sides do not fit");
    dispatch!(level, simd => walk(simd, left, right, &mut out));
}

/// The tallest tile that this processor's registers hold.
fn tallest(level: Level) -> usize {
    dispatch!(level, simd => tallest_of(simd))
}

#[inline(always)]
fn tallest_of<S: Simd>(_simd: S) -> usize {
    match S::f32s::LEN {
        PANEL => TALLEST_AVX512,
        4 if cfg!(not(target_arch = "aarch64")) => TALLEST_NARROW,
        _ => TALLEST,
    }
}

/// Takes the panels in pairs where registers allow it, since a factor that is loaded once then serves two.
#[inline(always)]
fn walk<S: Simd>(simd: S, left: &Tiles, right: &Panels, out: &mut Target<'_>) {
    let panels = right.width.div_ceil(PANEL);
    let mut panel = 0;
    if S::f32s::LEN == PANEL {
        while panel + 2 <= panels {
            down::<S, 2>(simd, left, (right, panel), out);
            panel += 2;
        }
    }
    while panel < panels {
        down::<S, 1>(simd, left, (right, panel), out);
        panel += 1;
    }
}

/// Multiplies every tile by the panels that begin at an index.
#[inline(always)]
fn down<S: Simd, const P: usize>(
    simd: S,
    left: &Tiles,
    (right, panel): (&Panels, usize),
    out: &mut Target<'_>,
) {
    let strip = right.strip::<P>(panel);
    let columns = (P * PANEL).min(right.width - panel * PANEL);
    let mut row = 0;
    for tile in 0..left.count {
        let height = left.height(tile);
        let numbers = &left.numbers.get()[row * left.depth..][..height * left.depth];
        let target = Target {
            numbers: &mut out.numbers[row * out.stride + panel * PANEL..],
            stride: out.stride,
        };
        by_height(simd, height, numbers, &strip, |row, sums| {
            let line = &mut target.numbers[row * target.stride..];
            write(simd, sums, &mut line[..columns]);
        });
        row += height;
    }
}

/// Runs the kernel that is made for a tile of this height.
#[inline(always)]
fn by_height<S: Simd, const P: usize>(
    simd: S,
    height: usize,
    tile: &[f32],
    strip: &Strip<'_, P>,
    put: impl FnMut(usize, [f32x16<S>; P]),
) {
    match height {
        1 => kernel::<S, 1, P>(simd, tile, strip, put),
        2 => kernel::<S, 2, P>(simd, tile, strip, put),
        _ if tallest_of(simd) <= 2 => {}
        3 => kernel::<S, 3, P>(simd, tile, strip, put),
        4 => kernel::<S, 4, P>(simd, tile, strip, put),
        5 => kernel::<S, 5, P>(simd, tile, strip, put),
        6 => kernel::<S, 6, P>(simd, tile, strip, put),
        _ if tallest_of(simd) <= 6 => {}
        7 => kernel::<S, 7, P>(simd, tile, strip, put),
        8 => kernel::<S, 8, P>(simd, tile, strip, put),
        9 => kernel::<S, 9, P>(simd, tile, strip, put),
        10 => kernel::<S, 10, P>(simd, tile, strip, put),
        11 => kernel::<S, 11, P>(simd, tile, strip, put),
        _ => kernel::<S, 12, P>(simd, tile, strip, put),
    }
}

/// Holds a tile's sums in registers from its first column to its last.
#[inline(always)]
fn kernel<S: Simd, const M: usize, const P: usize>(
    simd: S,
    tile: &[f32],
    strip: &Strip<'_, P>,
    mut put: impl FnMut(usize, [f32x16<S>; P]),
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let columns = tile.as_chunks::<M>().0;
            let depth = columns.len();
            let weights: [&[[f32; PANEL]]; P] =
                array::from_fn(|panel| &strip.weights[panel][..depth]);
            let bias: [_; P] = array::from_fn(|panel| f32x16::from_slice(simd, strip.bias[panel]));
            let mut sums = [bias; M];
            for at in 0..depth {
                let lines: [_; P] =
                    array::from_fn(|panel| f32x16::from_slice(simd, &weights[panel][at]));
                for (sums, number) in sums.iter_mut().zip(&columns[at]) {
                    let factor = f32x16::splat(simd, *number);
                    for (sum, line) in sums.iter_mut().zip(lines) {
                        *sum = factor.mul_add(line, *sum);
                    }
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                put(row, sums);
            }
        },
    );
}

/// Writes a row's share of the product, which may end inside a panel.
#[inline(always)]
fn write<S: Simd, const P: usize>(_simd: S, sums: [f32x16<S>; P], row: &mut [f32]) {
    for (line, sum) in row.chunks_mut(PANEL).zip(sums) {
        if line.len() == PANEL {
            sum.store_slice(line);
        } else {
            let whole: [f32; PANEL] = sum.into();
            line.copy_from_slice(&whole[..line.len()]);
        }
    }
}

/// Every kind of vectors that this processor has.
#[cfg(test)]
pub(super) fn levels() -> Vec<Level> {
    let best = Level::new();
    let mut levels = vec![best];
    #[cfg(target_arch = "x86_64")]
    {
        levels.extend(best.as_avx2().map(Level::Avx2));
        levels.extend(best.as_sse4_2().map(Level::Sse4_2));
        levels.extend(best.as_sse2().map(Level::Sse2));
    }
    levels
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    /// A whole number as an `f32`, so that sums are exact in any order.
    fn draw(rng: &mut SmallRng, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| f32::from(rng.random_range(-30_i8..=30)))
            .collect()
    }

    fn twin(left: Window<'_>, right: Window<'_>, bias: f32, depth: usize) -> f32 {
        (0..depth).fold(bias, |sum, at| {
            sum + left.numbers[at] * right.numbers[at * right.stride]
        })
    }

    fn window(numbers: &[f32], stride: usize) -> Window<'_> {
        Window { numbers, stride }
    }

    #[test]
    fn a_product_equals_its_plain_twin_at_any_size() {
        // Buffers are used again, as a pass uses them: nothing of the last product may be left.
        let (mut tiles, mut turned, mut straight) = Default::default();
        for seed in 0..100 {
            let rng = &mut SmallRng::seed_from_u64(seed);
            let [rows, width, depth] = [40, 70, 50].map(|most| rng.random_range(1..=most));
            let [left_gap, right_gap, out_gap] = [0; 3].map(|least| rng.random_range(least..=3));
            let left = draw(rng, rows * (depth + left_gap));
            let weights = draw(rng, width * depth);
            let bias = draw(rng, width);
            let values = draw(rng, depth * (width + right_gap));
            let linear = Panels::linear(&weights, &bias);
            Panels::fill_transposed(&mut turned, window(&weights, depth), width, depth);
            Panels::fill(
                &mut straight,
                window(&values, width + right_gap),
                width,
                depth,
            );
            let transposed: Vec<f32> = (0..depth * width)
                .map(|at| weights[at % width * depth + at / width])
                .collect();
            let cases = [
                (&linear, window(&transposed, width), bias.clone()),
                (&turned, window(&transposed, width), vec![0.0; width]),
                (
                    &straight,
                    window(&values, width + right_gap),
                    vec![0.0; width],
                ),
            ];
            for level in levels() {
                Tiles::fill(
                    &mut tiles,
                    level,
                    window(&left, depth + left_gap),
                    rows,
                    depth,
                );
                for (panels, right, bias) in &cases {
                    let stride = width + out_gap;
                    let mut out = vec![0.5; rows * stride];
                    product(
                        level,
                        &tiles,
                        panels,
                        Target {
                            numbers: &mut out,
                            stride,
                        },
                    );
                    for (row, column) in
                        (0..rows).flat_map(|row| (0..stride).map(move |c| (row, c)))
                    {
                        let expected = if column < width {
                            let left = window(&left[row * (depth + left_gap)..], 1);
                            let right = window(&right.numbers[column..], right.stride);
                            twin(left, right, bias[column], depth)
                        } else {
                            0.5
                        };
                        assert_eq!(
                            out[row * stride + column].to_bits(),
                            expected.to_bits(),
                            "seed {seed}, {level:?}: {rows} x {depth} x {width} at {row}, {column}"
                        );
                    }
                }
            }
        }
    }
}
