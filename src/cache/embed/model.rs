//! What does a BERT encoder make of a row of tokens?
//!
//! One text at a time and therefore no padding and no mask: all tokens see each other.
//! Query, key and value are one product; each head's scores and their sums of values run through the same kernel as the weights.
//!
//! # Invariants
//! - Weights are laid out once, when the model is built, and never change.
//! - A forward pass allocates in proportion to tokens, and to tokens squared for one head's scores.

use fearless_simd::Level;

use super::curves::{Norm, gelu, softmax};
use super::matrix::{Numbers, Panels, Target, Tiles, Window, product};

/// An encoder with its embeddings.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) level: Level,
    /// Numbers a token is made of.
    pub(super) width: usize,
    /// Heads of each layer; they divide the width.
    pub(super) heads: usize,
    /// One row a word of the vocabulary.
    pub(super) words: Vec<f32>,
    /// One row a place; what marks the first sentence is already added.
    pub(super) places: Vec<f32>,
    pub(super) norm: Norm,
    pub(super) layers: Vec<Layer>,
}

/// One layer of the encoder.
#[derive(Debug)]
pub(super) struct Layer {
    /// Query, key and value beside each other.
    pub(super) attention: Panels,
    /// What follows the heads.
    pub(super) merge: Panels,
    pub(super) merge_norm: Norm,
    /// To the middle's width, before GELU.
    pub(super) widen: Panels,
    /// Back from it.
    pub(super) narrow: Panels,
    pub(super) norm: Norm,
}

/// What a pass works on, made once a pass.
struct Desk {
    tokens: usize,
    /// Tokens × width: the state that layers pass on.
    state: Numbers,
    /// Tokens × the widest: a product's result.
    wide: Numbers,
    /// Tokens × width: what is added to the state.
    change: Numbers,
    /// Tokens × tokens: one head's scores.
    scores: Numbers,
    tiles: Tiles,
    panels: Panels,
}

impl Model {
    /// One row of `width` numbers a token, in order; words and places beyond the model's are the caller's to refuse.
    pub(super) fn forward(&self, words: &[u32]) -> Numbers {
        let mut desk = self.enter(words);
        for layer in &self.layers {
            self.attend(layer, &mut desk);
            self.think(layer, &mut desk);
        }
        desk.state
    }

    fn enter(&self, words: &[u32]) -> Desk {
        let tokens = words.len();
        let scores = tokens.next_multiple_of(super::matrix::PANEL);
        let widest = self.layers.iter().map(Layer::widest).max().unwrap_or(0);
        let mut state = Numbers::zeros(tokens * self.width);
        for (row, word) in state.get_mut().chunks_exact_mut(self.width).zip(words) {
            let from = *word as usize * self.width;
            row.copy_from_slice(&self.words[from..from + self.width]);
        }
        let places = &self.places[..tokens * self.width];
        self.norm.apply(self.level, state.get_mut(), places);
        Desk {
            tokens,
            state,
            wide: Numbers::zeros(tokens * widest),
            change: Numbers::zeros(tokens * self.width),
            scores: Numbers::zeros(tokens * scores),
            tiles: Tiles::default(),
            panels: Panels::default(),
        }
    }

    /// Lets every token look at every other.
    fn attend(&self, layer: &Layer, desk: &mut Desk) {
        let width = self.width;
        desk.apply(self.level, &layer.attention, width);
        for head in 0..self.heads {
            self.look(head, desk);
        }
        desk.tiles.fill(
            self.level,
            rows(desk.change.get(), width),
            desk.tokens,
            width,
        );
        let merged = rows_mut(desk.wide.get_mut(), width);
        product(self.level, &desk.tiles, &layer.merge, merged);
        let merged = &desk.wide.get()[..desk.tokens * width];
        layer
            .merge_norm
            .apply(self.level, desk.state.get_mut(), merged);
    }

    /// One head's share of the change: values, weighed by how well their keys answer the queries.
    fn look(&self, head: usize, desk: &mut Desk) {
        let (level, tokens) = (self.level, desk.tokens);
        let depth = self.width / self.heads;
        let [query, key, value] = [0, 1, 2].map(|part| Window {
            numbers: &desk.wide.get()[part * self.width + head * depth..],
            stride: 3 * self.width,
        });
        let stride = tokens.next_multiple_of(super::matrix::PANEL);
        desk.tiles.fill(level, query, tokens, depth);
        desk.panels.fill_transposed(key, tokens, depth);
        let scores = rows_mut(desk.scores.get_mut(), stride);
        product(level, &desk.tiles, &desk.panels, scores);

        #[expect(
            clippy::cast_precision_loss,
            reason = "a head's width is far below 2^24"
        )]
        let scale = 1.0 / (depth as f32).sqrt();
        softmax(level, desk.scores.get_mut(), stride, tokens, scale);

        let scores = rows(desk.scores.get(), stride);
        desk.tiles.fill(level, scores, tokens, tokens);
        desk.panels.fill(value, depth, tokens);
        let change = Target {
            numbers: &mut desk.change.get_mut()[head * depth..],
            stride: self.width,
        };
        product(level, &desk.tiles, &desk.panels, change);
    }

    /// Lets every token change by itself.
    fn think(&self, layer: &Layer, desk: &mut Desk) {
        let middle = layer.widen.width();
        desk.apply(self.level, &layer.widen, self.width);
        let wide = &mut desk.wide.get_mut()[..desk.tokens * middle];
        gelu(self.level, wide);
        desk.tiles
            .fill(self.level, rows(wide, middle), desk.tokens, middle);
        let change = rows_mut(desk.change.get_mut(), self.width);
        product(self.level, &desk.tiles, &layer.narrow, change);
        layer
            .norm
            .apply(self.level, desk.state.get_mut(), desk.change.get());
    }
}

impl Layer {
    fn widest(&self) -> usize {
        self.attention.width().max(self.widen.width())
    }
}

impl Desk {
    /// Multiplies the state into `wide`.
    fn apply(&mut self, level: Level, weights: &Panels, width: usize) {
        self.tiles
            .fill(level, rows(self.state.get(), width), self.tokens, width);
        let wide = rows_mut(self.wide.get_mut(), weights.width());
        product(level, &self.tiles, weights, wide);
    }
}

fn rows(numbers: &[f32], stride: usize) -> Window<'_> {
    Window { numbers, stride }
}

fn rows_mut(numbers: &mut [f32], stride: usize) -> Target<'_> {
    Target { numbers, stride }
}
