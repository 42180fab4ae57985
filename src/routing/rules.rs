//! Whose routes serve a request?
//!
//! The first rule that matches decides; without a match the model that was asked for serves.
//!
//! # Invariants
//! - The same rules and facts give the same answer.
//! - Without a rule nothing is looked at and nothing is allocated; headers become a map only for an expression that names them.

use std::collections::HashMap;

use cel::common::types::{CelBool, CelDouble, CelInt, CelMap, CelMapKey, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use http::HeaderMap;

use crate::config::{CREDENTIALS, Condition, Expression, Rule};

/// What a rule may look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The name that was asked for.
    pub model: &'a str,
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Input tokens, estimated.
    pub input_tokens: u32,
    /// The most output tokens asked for, if a bound was given.
    pub max_tokens: Option<u32>,
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// The name of the key of who asks; empty for nobody's.
    pub key: &'a str,
    /// The team of who asks; empty for none.
    pub team: &'a str,
    /// The hour of the day, UTC.
    pub hour: u8,
    /// The least share that is left over all budgets of who asks; 0..=1, and 1 where there is none.
    pub budget_left: f64,
}

/// An expression that could not be evaluated, and why.
pub type Broken<'r> = (&'r Expression, &'static str);

/// The model whose routes the first matching rule chooses; expressions that fail do not match and are told to `broken`.
pub fn choose<'r>(
    rules: &'r [Rule],
    facts: &Facts<'_>,
    broken: &mut dyn FnMut(Broken<'r>),
) -> Option<usize> {
    let mut matches = |rule: &'r Rule| rule.conditions.iter().all(|it| holds(it, facts, broken));
    let found = rules.iter().find(|rule| matches(rule));
    found.map(|rule| rule.model)
}

fn holds<'r>(
    condition: &'r Condition,
    facts: &Facts<'_>,
    broken: &mut dyn FnMut(Broken<'r>),
) -> bool {
    match condition {
        Condition::Header(name, value) => facts.headers.get_all(name).iter().any(|it| it == value),
        Condition::AtLeast(least) => facts.input_tokens >= *least,
        Condition::AtMost(most) => facts.input_tokens <= *most,
        Condition::Stream(stream) => facts.stream == *stream,
        Condition::Team(team) => facts.team == team,
        Condition::Key(key) => facts.key == key,
        Condition::Expression(expression) => match expression.is_true(facts) {
            Ok(is) => is,
            Err(why) => {
                broken((expression, why));
                false
            }
        },
    }
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let text = |text: &'b str| CowVal::owned(CelString::from(text));
        let number = |number: u32| CowVal::owned(CelInt::from(i64::from(number)));
        Some(match variable {
            "model" => text(self.model),
            "endpoint" => text(self.endpoint),
            "stream" => CowVal::owned(CelBool::from(self.stream)),
            "input_tokens" => number(self.input_tokens),
            "max_tokens" => number(self.max_tokens.unwrap_or(0)),
            "headers" => CowVal::owned(map(self.headers)),
            "key" => text(self.key),
            "team" => text(self.team),
            "hour" => number(u32::from(self.hour)),
            "budget_left" => CowVal::owned(CelDouble::from(self.budget_left)),
            _ => return None,
        })
    }
}

/// Headers by name, without those that carry credentials; the values of one that occurs several times are joined.
fn map(headers: &HeaderMap) -> CelMap<'_> {
    let mut map: HashMap<CelMapKey<'_>, Box<dyn Val + '_>> =
        HashMap::with_capacity(headers.keys_len());
    for name in headers.keys() {
        if CREDENTIALS.contains(&name.as_str()) {
            continue;
        }
        let mut values = headers
            .get_all(name)
            .iter()
            .filter_map(|it| it.to_str().ok());
        let (first, second) = (values.next().unwrap_or_default(), values.next());
        let value = match second {
            None => CelString::from(first),
            Some(second) => {
                let all: Vec<&str> = [first, second].into_iter().chain(values).collect();
                CelString::from(all.join(", "))
            }
        };
        map.insert(CelMapKey::from(name.as_str()), Box::new(value));
    }
    CelMap::from(map)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::config::{Surroundings, parse};

    /// The rules that these lines are, each for the model of its number.
    fn rules(lines: &[&str]) -> Vec<Rule> {
        let mut text = "[providers.p]\nbase_url = \"http://a\"\n".to_owned();
        for number in 0..=lines.len() {
            text.push_str(&format!(
                "[models.m{number}]\nroutes = [{{ provider = \"p\" }}]\n"
            ));
        }
        text.push_str("[models.with]\nroutes = [{ provider = \"p\" }]\nrules = [\n");
        for (number, line) in lines.iter().enumerate() {
            text.push_str(&format!("{{ model = \"m{number}\", {line} }},\n"));
        }
        text.push(']');
        let around = Surroundings {
            env: &|_| None,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
            cores: std::num::NonZeroUsize::MIN,
        };
        let config = parse(std::path::Path::new("c"), &text, &around);
        let mut models = config.unwrap_or_else(|report| panic!("{report}")).models;
        models.pop().unwrap().rules
    }

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-tier", "silver"),
            ("x-tier", "gold"),
            ("authorization", "Bearer secret"),
            ("x-odd", "caf\u{e9}"),
        ] {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        headers
    }

    fn facts(headers: &HeaderMap) -> Facts<'_> {
        Facts {
            model: "gpt",
            endpoint: "chat",
            stream: true,
            input_tokens: 1_000,
            max_tokens: None,
            headers,
            key: "ci",
            team: "search",
            hour: 23,
            budget_left: 0.08,
        }
    }

    #[test]
    fn conditions_hold_or_do_not() {
        let headers = headers();
        for (line, expected) in [
            ("header = { x-tier = \"gold\" }", true),
            ("header = { X-Tier = \"silver\" }", true),
            ("header = { x-tier = \"silver, gold\" }", false),
            ("header = { x-none = \"gold\" }", false),
            ("min_input_tokens = 1000", true),
            ("min_input_tokens = 1001", false),
            ("max_input_tokens = 1000", true),
            ("max_input_tokens = 999", false),
            ("min_input_tokens = 5, max_input_tokens = 2000", true),
            ("stream = true", true),
            ("stream = false", false),
            ("team = \"search\"", true),
            ("team = \"ads\"", false),
            ("key = \"ci\"", true),
            ("key = \"\"", false),
            ("stream = true, team = \"ads\"", false),
            ("when = 'headers[\"x-tier\"] == \"silver, gold\"'", true),
            ("when = 'headers[\"x-none\"] == \"gold\"'", false),
            ("when = '!(headers[\"x-none\"] == \"gold\")'", false),
            ("when = 'headers[\"x-none\"] == \"gold\" || stream'", true),
            ("when = '\"x-odd\" in headers'", true),
            ("when = 'headers.exists(h, h.startsWith(\"auth\"))'", false),
            ("when = 'model == \"gpt\" && endpoint == \"chat\"'", true),
            ("when = 'max_tokens == 0 && input_tokens > 999'", true),
            ("when = 'hour >= 22 || hour < 6'", true),
            ("when = 'budget_left < 0.1'", true),
            ("when = 'budget_left >= 0.1'", false),
            ("when = 'budget_left < 1 && input_tokens > 500'", true),
            ("when = 'team == \"search\" && key == \"ci\"'", true),
            (
                "when = 'input_tokens / max_tokens > 5', stream = true",
                false,
            ),
        ] {
            let rules = rules(&[line]);
            let chosen = choose(&rules, &facts(&headers), &mut |_| {});
            assert_eq!(chosen.is_some(), expected, "{line}");
        }
    }

    #[test]
    fn the_first_match_decides() {
        let headers = headers();
        let rules = rules(&["stream = false", "min_input_tokens = 5", "stream = true"]);
        assert_eq!(choose(&rules, &facts(&headers), &mut |_| {}), Some(1));
        assert_eq!(choose(&[], &facts(&headers), &mut |_| {}), None);
    }

    #[test]
    fn what_cannot_be_evaluated_is_told() {
        let headers = headers();
        let rules = rules(&["when = 'input_tokens / max_tokens > 5'", "stream = true"]);
        let mut told = Vec::new();
        let chosen = choose(&rules, &facts(&headers), &mut |(expression, why)| {
            told.push((expression.text().to_owned(), why));
        });
        assert_eq!(chosen, Some(1));
        let text = "input_tokens / max_tokens > 5".to_owned();
        assert_eq!(told, [(text, "it divides by zero")]);
        let Condition::Expression(expression) = &rules[0].conditions[0] else {
            panic!("{rules:?}");
        };
        let again = Arc::clone(expression);
        assert!(expression.is_untold() && !again.is_untold());
    }
}
