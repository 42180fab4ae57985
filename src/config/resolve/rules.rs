//! Which rules choose routes, and can they be decided?
//!
//! # Invariants
//! - A rule that is returned has a condition; one without is reported, since it would take every request.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::super::expression::Expression;
use super::super::raw::RawRule;
use super::super::report::Problem;
use super::super::rules::{CREDENTIALS, Condition, Rule};
use super::super::shape::join;
use super::super::written::{At, Named};
use super::Resolver;
use super::models::Index;

/// Most rules of one model: each is looked at once per request.
const MOST_RULES: usize = 256;

impl Resolver<'_, '_> {
    /// The rules of the model or workflow at `table`.
    pub(super) fn rules(&mut self, raw: &[RawRule], table: &str, models: &Index<'_>) -> Vec<Rule> {
        let mut rules = Vec::with_capacity(raw.len());
        for (index, raw) in raw.iter().enumerate() {
            let path = format!("{table}.rules[{index}]");
            let Some(at) = &raw.model else {
                continue;
            };
            if index == MOST_RULES {
                let message = format!("{table} has {} rules", index + 1);
                let problem = Problem::new(&*path, at.span.clone(), message);
                self.source
                    .report(problem.expected(format!("expected at most {MOST_RULES}")));
            }
            let model = self.model_named(at, &format!("{path}.model"), models);
            let conditions = self.conditions(raw, &path);
            if conditions.is_empty() && self.has_none(raw) {
                let message = format!("{path} has no condition, so it would take every request");
                self.source.report(
                    Problem::new(path, at.span.clone(), message)
                        .expected("needs a condition besides this model")
                        .help("add for example `min_input_tokens = 30000`, or `when` with an expression"),
                );
                continue;
            }
            rules.extend(model.map(|model| Rule { conditions, model }));
        }
        rules
    }

    /// Whether nothing was written that could have become a condition.
    fn has_none(&self, raw: &RawRule) -> bool {
        raw.when.is_none() && raw.header.0.is_empty()
    }

    fn conditions(&mut self, raw: &RawRule, path: &str) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let (least, most) = (raw.min_input_tokens.as_ref(), raw.max_input_tokens.as_ref());
        if let (Some(least), Some(most)) = (least, most)
            && least.value > most.value
        {
            let message = format!(
                "no request has at least {} and at most {} input tokens",
                least.value, most.value
            );
            let path = format!("{path}.max_input_tokens");
            let problem = Problem::new(path, most.span.clone(), message);
            self.source
                .report(problem.expected("expected a number that is not below min_input_tokens"));
        }
        conditions.extend(raw.stream.as_ref().map(|at| Condition::Stream(at.value)));
        conditions.extend(least.map(|at| Condition::AtLeast(at.value)));
        conditions.extend(most.map(|at| Condition::AtMost(at.value)));
        self.who_asks(raw, path);
        conditions.extend(
            raw.team
                .as_ref()
                .map(|at| Condition::Team(at.value.clone())),
        );
        conditions.extend(raw.key.as_ref().map(|at| Condition::Key(at.value.clone())));
        self.header_conditions(&raw.header, path, &mut conditions);
        // Last, since it costs most.
        if let Some(at) = &raw.when {
            conditions.extend(self.expression(at, &format!("{path}.when")));
        }
        conditions
    }

    /// Refuses a team or key that is not declared, if any is; while none is, headers may say who asks.
    fn who_asks(&mut self, raw: &RawRule, path: &str) {
        let named = [
            (&raw.team, "team", self.teams.clone()),
            (&raw.key, "key", self.keys.clone()),
        ];
        for (at, kind, names) in named {
            if let Some(at) = at.as_ref().filter(|_| !names.is_empty()) {
                self.declared(at, &format!("{path}.{kind}"), kind, &names);
            }
        }
    }

    fn header_conditions(
        &mut self,
        raw: &Named<At<String>>,
        path: &str,
        conditions: &mut Vec<Condition>,
    ) {
        for (name, value) in &raw.0 {
            let path = join(&format!("{path}.header"), &name.value);
            let header = HeaderName::from_bytes(name.value.as_bytes());
            let wrong = match (header, HeaderValue::from_str(&value.value)) {
                (Err(_), _) => (&name.span, format!("{:?} is not a header name", name.value)),
                (Ok(header), _) if CREDENTIALS.contains(&header.as_str()) => (
                    &name.span,
                    format!("the header {header:?} carries a credential, which no rule sees"),
                ),
                (Ok(_), Err(_)) => (&value.span, "no header can have this value".to_owned()),
                (Ok(header), Ok(value)) => {
                    conditions.push(Condition::Header(header, value));
                    continue;
                }
            };
            let (span, message) = wrong;
            // Why: it may be a credential.
            self.source.hide(value.span.clone());
            self.source.report(
                Problem::new(path, span.clone(), message)
                    .expected("expected a header that clients send, and its value"),
            );
        }
    }

    fn expression(&mut self, at: &At<String>, path: &str) -> Option<Condition> {
        match Expression::compile(&at.value) {
            Ok(expression) => {
                let shown = if self.source.is_expanded(&at.span) {
                    expression.without_text()
                } else {
                    expression
                };
                Some(Condition::Expression(Arc::new(shown)))
            }
            Err(_) if self.source.is_expanded(&at.span) => {
                // Why: any word of it may come from the environment, which is never shown.
                let message = "the condition is wrong once its variables are replaced";
                self.source.report(
                    Problem::new(path, at.span.clone(), message)
                        .expected("expected an expression in CEL"),
                );
                None
            }
            Err(mistake) => {
                let span = self.source.inside(&at.span, &at.value, mistake.at.as_ref());
                self.source.report(
                    Problem::new(path, span, mistake.message)
                        .expected(mistake.expected)
                        .help(mistake.help),
                );
                None
            }
        }
    }
}
