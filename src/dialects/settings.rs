//! Which of a request's settings does a model take that is asked in one of OpenAI's dialects, and how are they written?
//!
//! Both dialects have the same settings, and a model refuses a request with one that it does not take.
//!
//! # Invariants
//! - What a model is known to refuse is left out and noted as lost, never sent.

use serde::Serialize;

use super::family::Family;
use crate::chat::{Effort, Loss, Losses, Request};

/// Most characters of `user`, by OpenAI's own error message.
const LONGEST_USER: usize = 64;

/// How words are drawn, as far as the model lets anyone decide.
#[derive(Default, Serialize)]
pub(super) struct Drawn {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) presence_penalty: Option<f64>,
}

impl Drawn {
    pub(super) fn of(request: &Request, model: &str, losses: &mut Losses) -> Self {
        let sampling = &request.sampling;
        if Family::draws(model, asked_effort(request)) {
            return Self {
                temperature: sampling.temperature,
                top_p: sampling.top_p,
                frequency_penalty: sampling.frequency_penalty,
                presence_penalty: sampling.presence_penalty,
            };
        }
        for (value, usual, name) in [
            (sampling.temperature, 1.0, "temperature"),
            (sampling.top_p, 1.0, "top_p"),
            (sampling.frequency_penalty, 0.0, "frequency_penalty"),
            (sampling.presence_penalty, 0.0, "presence_penalty"),
        ] {
            let odd = value.is_some_and(|value| (value - usual).abs() > f64::EPSILON);
            losses.add_if(odd, name, Loss::Hint);
        }
        Self::default()
    }
}

/// How much the client wants the model to think, if it says.
fn asked_effort(request: &Request) -> Option<Effort> {
    let reasoning = request.reasoning?;
    reasoning.effort.or(reasoning.budget.map(Effort::of_budget))
}

/// The effort in words that the model takes.
///
/// OpenAI's reasoning models differ in whether they take `none`; thinking that is switched off becomes `low`, which all take.
/// Of vendors, all that know the field know `low` to `high`; thinking that is switched off is their default, and not mentioned.
pub(super) fn effort(
    request: &Request,
    family: Family,
    losses: &mut Losses,
) -> Option<&'static str> {
    let asked = asked_effort(request)?;
    let named = request.reasoning.and_then(|reasoning| reasoning.effort);
    let off = named.is_none() && asked == Effort::None;
    let written = match family {
        Family::Plain => {
            losses.add_if(asked != Effort::None, "reasoning", Loss::Hint);
            return None;
        }
        Family::Reasoning if off => {
            losses.add("reasoning", Loss::Hint);
            Effort::Low
        }
        Family::Other if off => return None,
        Family::Other if asked == Effort::Minimal => Effort::Low,
        Family::Other => asked.min(Effort::High),
        Family::Reasoning => asked,
    };
    Some(written.name())
}

/// The end user's name; OpenAI refuses a longer one, such as Claude Code's.
pub(super) fn user<'a>(request: &'a Request, losses: &mut Losses) -> Option<&'a str> {
    let user = request.user.as_deref()?;
    let fits = user.chars().count() <= LONGEST_USER;
    losses.add_if(!fits, "user", Loss::Hint);
    fits.then_some(user)
}

/// The tier in OpenAI's words; `standard_only` is Anthropic's for what OpenAI calls `default`.
pub(super) fn tier<'a>(request: &'a Request, losses: &mut Losses) -> Option<&'a str> {
    match request.service_tier.as_deref()? {
        "standard_only" | "standard" => Some("default"),
        tier @ ("auto" | "default" | "flex" | "scale" | "priority" | "fast") => Some(tier),
        _ => {
            losses.add("service_tier", Loss::Hint);
            None
        }
    }
}
