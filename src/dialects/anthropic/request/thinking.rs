//! How much is the model to think, in words that it takes, and how many tokens does it get?
//!
//! Models up to Claude 4.5, and other makers' that speak this dialect, are given a budget of tokens; later ones are told an effort and decide themselves,
//! and the latest cannot be kept from thinking. Sources: Anthropic's guides to extended and adaptive thinking and to effort.
//!
//! # Invariants
//! - A budget is at least [`LEAST_BUDGET`] and below the bound on output tokens, which leaves room for an answer.
//! - What cannot be thought is told as a loss.

use serde::Serialize;

use super::super::super::claude::Claude;
use super::super::super::meeting::Target;
use super::turns::{self, Turn};
use crate::chat::{Effort, Loss, Losses, Reasoning, Request};

/// Smallest thinking budget, tokens. Source: Anthropic, "Extended thinking".
const LEAST_BUDGET: u32 = 1_024;

/// How the model is to think.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) thinking: Option<Thinking>,
    /// The effort, in the model's words.
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u32,
    /// Whether it thinks: sampling and forced calls are refused beside it.
    pub(super) thinks: bool,
}

/// The request's `thinking`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Enabled {
        budget_tokens: u32,
    },
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    BetweenTools,
    Disabled,
}

impl Plan {
    /// The plan for a request whose turns are written.
    pub(super) fn of(
        request: &Request,
        turns: &[Turn<'_>],
        target: &Target<'_>,
        losses: &mut Losses,
    ) -> Self {
        let claude = Claude::of(target.model);
        let asked = target.max_tokens(request.max_tokens);
        let default = target.max_tokens(Some(target.default_max_tokens));
        let mut plan = Self {
            thinking: None,
            effort: None,
            max_tokens: asked.or(default).unwrap_or(target.default_max_tokens),
            thinks: claude.is_some_and(Claude::always_thinks),
        };
        let Some(reasoning) = request.reasoning else {
            return plan;
        };
        if reasoning.budget == Some(0) || reasoning.effort == Some(Effort::None) {
            plan.switch_off(target.model, claude, losses);
            return plan;
        }
        match claude {
            Some(claude) if !claude.thinks() => losses.add("reasoning", Loss::Hint),
            Some(claude) if claude.adapts() => plan.adapt(reasoning, claude),
            _ => plan.budget(reasoning, turns, target, losses),
        }
        plan
    }

    fn switch_off(&mut self, model: &str, claude: Option<Claude>, losses: &mut Losses) {
        match claude {
            Some(claude) if !claude.thinks() => {}
            Some(claude) if claude.always_thinks() => {
                // The least that these can be brought down to.
                self.effort = Some("low");
                let between = model.contains("sonnet");
                losses.add_if(!between, "reasoning", Loss::Hint);
                self.thinking = Some(if between {
                    Thinking::BetweenTools
                } else {
                    Thinking::Adaptive { display: None }
                });
            }
            _ => self.thinking = Some(Thinking::Disabled),
        }
    }

    fn adapt(&mut self, reasoning: Reasoning, claude: Claude) {
        let effort = reasoning.effort;
        let effort = effort.or_else(|| reasoning.budget.map(Effort::of_budget));
        self.effort = effort.map(|effort| claude.effort(effort));
        let display = |shown: bool| if shown { "summarized" } else { "omitted" };
        self.thinking = Some(Thinking::Adaptive {
            display: reasoning.shown.map(display),
        });
        self.thinks = true;
    }

    fn budget(
        &mut self,
        reasoning: Reasoning,
        turns: &[Turn<'_>],
        target: &Target<'_>,
        losses: &mut Losses,
    ) {
        let Reasoning {
            effort,
            budget,
            shown,
        } = reasoning;
        // Who only wants no thoughts shown need not have any.
        if effort.is_none() && budget.is_none() && shown != Some(true) {
            return;
        }
        let usual = effort.unwrap_or(Effort::Medium).budget();
        let mut budget = budget.unwrap_or(usual).max(LEAST_BUDGET);
        let mut most = self.max_tokens;
        if most <= budget {
            most = most.saturating_add(budget);
        }
        if let Some(limit) = target.most_max_tokens.filter(|limit| *limit < most) {
            let answer = self.max_tokens.min(limit / 2);
            most = limit;
            budget = budget.min(limit - answer);
        }
        if budget < LEAST_BUDGET || budget >= most || turns::goes_on_unthought(turns) {
            losses.add("reasoning", Loss::Hint);
            return;
        }
        self.thinking = Some(Thinking::Enabled {
            budget_tokens: budget,
        });
        self.max_tokens = most;
        self.thinks = true;
    }
}
