//! The encoder once more, as plainly as its formulae, in `f64`.

use super::fixture::Fixture;

type Row = Vec<f64>;

/// One row a token, before pooling.
pub(super) fn forward(model: &Fixture, tokens: &[u32]) -> Vec<Row> {
    let words = table(model, "embeddings.word_embeddings.weight");
    let places = table(model, "embeddings.position_embeddings.weight");
    let kind = &table(model, "embeddings.token_type_embeddings.weight")[0];
    let mut state: Vec<Row> = tokens
        .iter()
        .zip(places)
        .map(|(token, place)| {
            let row = plus(&plus(&words[*token as usize], &place), kind);
            norm(model, "embeddings.LayerNorm", &row)
        })
        .collect();
    for layer in 0..model.sizes.layers {
        let at = format!("encoder.layer.{layer}");
        let seen = attend(model, &format!("{at}.attention.self"), &state);
        for (row, seen) in state.iter_mut().zip(seen) {
            let change = linear(model, &format!("{at}.attention.output.dense"), &seen);
            let merged = norm(
                model,
                &format!("{at}.attention.output.LayerNorm"),
                &plus(row, &change),
            );
            let middle = linear(model, &format!("{at}.intermediate.dense"), &merged);
            let bent: Row = middle.into_iter().map(gelu).collect();
            let change = linear(model, &format!("{at}.output.dense"), &bent);
            *row = norm(
                model,
                &format!("{at}.output.LayerNorm"),
                &plus(&merged, &change),
            );
        }
    }
    state
}

fn attend(model: &Fixture, at: &str, state: &[Row]) -> Vec<Row> {
    let [queries, keys, values] = ["query", "key", "value"].map(|part| {
        let name = format!("{at}.{part}");
        state
            .iter()
            .map(|row| linear(model, &name, row))
            .collect::<Vec<Row>>()
    });
    let depth = model.sizes.depth;
    queries
        .iter()
        .map(|query| {
            let mut seen = vec![0.0; query.len()];
            for head in 0..model.sizes.heads {
                let part = head * depth..(head + 1) * depth;
                let scores = keys.iter().map(|key| {
                    dot(&query[part.clone()], &key[part.clone()]) / f64::from(depth as u32).sqrt()
                });
                for (share, value) in softmax(scores.collect()).into_iter().zip(&values) {
                    for column in part.clone() {
                        seen[column] += share * value[column];
                    }
                }
            }
            seen
        })
        .collect()
}

pub(super) fn softmax(mut scores: Row) -> Row {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for score in &mut scores {
        *score = (*score - greatest).exp();
    }
    let sum: f64 = scores.iter().sum();
    scores.into_iter().map(|score| score / sum).collect()
}

pub(super) fn gelu(number: f64) -> f64 {
    number / 2.0 * (1.0 + erf(number / std::f64::consts::SQRT_2))
}

/// The error function by the series whose terms are all of one sign, so that nothing cancels; from six on it is one.
fn erf(number: f64) -> f64 {
    if number.abs() > 6.0 {
        return number.signum();
    }
    let mut term = number;
    let mut sum = number;
    for n in 1..300 {
        term *= 2.0 * number * number / f64::from(2 * n + 1);
        sum += term;
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI * (-number * number).exp()
}

fn norm(model: &Fixture, at: &str, row: &Row) -> Row {
    let count = f64::from(row.len() as u32);
    let mean = row.iter().sum::<f64>() / count;
    let variance = row
        .iter()
        .map(|number| (number - mean).powi(2))
        .sum::<f64>()
        / count;
    let weight = numbers(model, &format!("{at}.weight"));
    let bias = numbers(model, &format!("{at}.bias"));
    row.iter()
        .zip(weight.iter().zip(bias))
        .map(|(number, (weight, bias))| (number - mean) / (variance + 1e-12).sqrt() * weight + bias)
        .collect()
}

fn linear(model: &Fixture, at: &str, row: &Row) -> Row {
    let bias = numbers(model, &format!("{at}.bias"));
    let weights = table(model, &format!("{at}.weight"));
    weights
        .iter()
        .zip(bias)
        .map(|(weights, bias)| dot(weights, row) + bias)
        .collect()
}

fn table(model: &Fixture, name: &str) -> Vec<Row> {
    let width = model.tensors[name].0[1];
    numbers(model, name)
        .chunks(width)
        .map(<[f64]>::to_vec)
        .collect()
}

fn numbers(model: &Fixture, name: &str) -> Row {
    model.tensors[name]
        .1
        .iter()
        .map(|number| f64::from(*number))
        .collect()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn plus(one: &[f64], other: &[f64]) -> Row {
    one.iter()
        .zip(other)
        .map(|(one, other)| one + other)
        .collect()
}
