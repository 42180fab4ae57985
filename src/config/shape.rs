//! Does every key and every value of the file have a shape that is known?
//!
//! serde stops at the first mistake; this walk along the schema finds all of them.
//! What does not fit is reported and taken out of the document, so that reading goes on with the rest and finds what is wrong there.
//! `${NAME}` is replaced on the way, because a value's shape is that of its replacement.
//!
//! # Invariants
//! - After the walk the document deserialises, unless a problem was reported.
//! - One mistake is one problem: a key that was taken out does not count as missing.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::expand::{ExpandError, expand};
use super::nearest::nearest;
use super::report::Problem;
use super::schema::{choices, definition};
use super::source::Source;
use super::written;

/// Known keys that are listed when an unknown one is near none of them; more would hide the message.
const LISTED_KEYS: usize = 24;

/// The walk: schema, environment and what was found.
pub(super) struct Shape<'w, 's> {
    /// The whole schema, for its definitions.
    pub(super) root: &'w Value,
    /// The environment.
    pub(super) env: &'w dyn Fn(&str) -> Option<String>,
    /// What is being checked.
    pub(super) source: &'w mut Source<'s>,
}

/// Where the walk is: the schema that holds there, the key's path and the bytes to mark when the whole is meant.
struct Here<'w, 'h> {
    schema: &'w Value,
    path: &'h str,
    span: Range<usize>,
}

impl<'w> Shape<'w, '_> {
    /// Checks the whole document.
    pub(super) fn document(&mut self, document: &mut DeTable<'_>) {
        let here = Here {
            schema: self.root,
            path: "",
            span: 0..0,
        };
        self.table(document, &here);
    }

    /// Checks a table's keys and values and takes out what does not fit.
    fn table(&mut self, table: &mut DeTable<'_>, here: &Here<'w, '_>) {
        let properties = here.schema.get("properties").and_then(Value::as_object);
        let others = here.schema.get("additionalProperties");
        let missing: Vec<String> = required(here.schema)
            .filter(|key| !table.contains_key(*key))
            .map(str::to_owned)
            .collect();
        for key in missing {
            self.missing(&key, here);
        }
        let mut misfits = Vec::new();
        let mut entries: Vec<_> = table.iter_mut().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let path = join(here.path, key.get_ref());
            let known = properties.and_then(|known| known.get(key.get_ref().as_ref()));
            let Some(schema) = known.or(others.filter(|others| others.is_object())) else {
                if properties.is_some() || others.is_some() {
                    self.unknown(key, value, here);
                    misfits.push(key.get_ref().clone().into_owned());
                }
                continue;
            };
            let inside = Here {
                schema: definition(self.root, schema),
                path: &path,
                span: marked(key.span(), value),
            };
            if !self.fits(value, &inside) {
                misfits.push(key.get_ref().clone().into_owned());
            }
        }
        for key in misfits {
            table.remove(key.as_str());
        }
    }

    /// Checks a value and replaces `${NAME}` in it; false if it cannot stay.
    fn fits(&mut self, value: &mut Spanned<DeValue<'_>>, here: &Here<'w, '_>) -> bool {
        let span = value.span();
        self.source.note(here.path, here.span.clone());
        if is_secret(here.schema) {
            self.source.hide(span.clone());
        }
        if let DeValue::String(text) = value.get_mut() {
            match expand(text, self.env) {
                Ok(Cow::Owned(new)) => *text = Cow::Owned(new),
                Ok(Cow::Borrowed(_)) => {}
                Err(error) => {
                    self.unexpanded(&error, span, here.path);
                    return false;
                }
            }
        }
        let Some(schema) = self.alternative(value.get_ref(), here.schema) else {
            self.wrong_type(value, here);
            return false;
        };
        let here = Here {
            schema,
            path: here.path,
            span: here.span.clone(),
        };
        match value.get_mut() {
            DeValue::Table(table) => {
                self.table(table, &here);
                true
            }
            DeValue::Array(items) => self.array(items, span, &here),
            DeValue::String(text) => self.string(text, span, &here),
            DeValue::Integer(number) => {
                let exact = i64::from_str_radix(number.as_str(), number.radix()).ok();
                self.number(exact.map(|n| n as f64), span, &here)
            }
            DeValue::Float(number) => {
                let float = number.as_str().replace('_', "").parse::<f64>().ok();
                self.number(float.filter(|n| n.is_finite()), span, &here)
            }
            DeValue::Boolean(_) | DeValue::Datetime(_) => true,
        }
    }

    /// Finds the schema that takes a value of this type: of several alternatives the first one that does.
    fn alternative(&self, value: &DeValue<'_>, schema: &'w Value) -> Option<&'w Value> {
        let several = schema.get("anyOf").and_then(Value::as_array);
        let choices = several.map_or(std::slice::from_ref(schema), Vec::as_slice);
        choices
            .iter()
            .map(|choice| definition(self.root, choice))
            .find(|choice| takes(choice, value))
    }

    fn array(
        &mut self,
        items: &mut [Spanned<DeValue<'_>>],
        span: Range<usize>,
        here: &Here<'w, '_>,
    ) -> bool {
        let least = here
            .schema
            .get("minItems")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        if (items.len() as u64) < least {
            self.source.report(Problem {
                path: here.path.to_owned(),
                message: format!("{} is empty", quoted_key(here.path)),
                expected: "expected at least one entry".to_owned(),
                help: "add an entry, or remove the whole table".to_owned(),
                span: Some(span),
            });
            return false;
        }
        let Some(schema) = here.schema.get("items") else {
            return true;
        };
        let schema = definition(self.root, schema);
        let mut all_fit = true;
        for (index, item) in items.iter_mut().enumerate() {
            let path = format!("{}[{index}]", here.path);
            let inside = Here {
                schema,
                path: &path,
                span: item.span(),
            };
            all_fit &= self.fits(item, &inside);
        }
        all_fit
    }

    fn string(&mut self, text: &str, span: Range<usize>, here: &Here<'w, '_>) -> bool {
        let words = choices(here.schema);
        if !words.is_empty() {
            if words.contains(&text) {
                return true;
            }
            let quoted = self.source.quote(&span);
            let meant = nearest(text, words.iter().copied());
            self.source.report(Problem {
                path: here.path.to_owned(),
                message: format!("{quoted} is not one of the choices{}", suggestion(meant)),
                expected: format!("expected {}", listed(&words)),
                help: String::new(),
                span: Some(span),
            });
            return false;
        }
        let format = format_of(here.schema);
        let is_empty = here.schema.get("minLength").is_some() && text.is_empty();
        let expected = match written::misfit(format, text) {
            Some(expected) => expected,
            None if is_empty => "a text",
            None => return true,
        };
        if text.contains('@') {
            // Why: it may be a URL with a password in it.
            self.source.hide(span.clone());
        }
        let quoted = self.source.quote(&span);
        self.source.report(Problem {
            path: here.path.to_owned(),
            message: format!("{quoted} is not a valid {}", last_key(here.path)),
            expected: format!("expected {expected}"),
            help: String::new(),
            span: Some(span),
        });
        false
    }

    /// Checks a number against its range; `None` stands for one that is not finite or too long.
    fn number(&mut self, number: Option<f64>, span: Range<usize>, here: &Here<'w, '_>) -> bool {
        let bound = |name: &str| here.schema.get(name).and_then(Value::as_f64);
        let (least, above) = (bound("minimum"), bound("exclusiveMinimum"));
        let most = match format_of(here.schema) {
            "uint32" => bound("maximum").or(Some(f64::from(u32::MAX))),
            "float" => bound("maximum").or(Some(f64::from(f32::MAX))),
            _ => bound("maximum"),
        };
        let fits = number.is_some_and(|number| {
            least.is_none_or(|least| number >= least)
                && above.is_none_or(|above| number > above)
                && most.is_none_or(|most| number.abs() <= most)
        });
        if fits {
            return true;
        }
        let quoted = self.source.quote(&span);
        let from = match (least, above) {
            (Some(least), _) => format!("at least {least}"),
            (None, Some(above)) => format!("above {above}"),
            (None, None) => "finite".to_owned(),
        };
        let to = bound("maximum").map_or(String::new(), |most| format!(" and at most {most}"));
        self.source.report(Problem {
            path: here.path.to_owned(),
            message: format!(
                "{} is out of range: {}",
                last_key(here.path),
                quoted.trim_matches('"')
            ),
            expected: format!("expected a number that is {from}{to}"),
            help: String::new(),
            span: Some(span),
        });
        false
    }

    fn missing(&mut self, key: &str, here: &Here<'w, '_>) {
        let schema = &here.schema["properties"][key];
        let meaning = schema["description"].as_str().unwrap_or_default();
        let meaning = meaning.split(['.', ';', ',']).next().unwrap_or_default();
        let example = definition(self.root, schema)["examples"][0].as_str();
        let example = example.unwrap_or(if schema["type"] == "string" {
            "..."
        } else {
            ""
        });
        let example = if example.is_empty() {
            format!("add `{key}`")
        } else {
            format!("add `{key} = {example:?}`")
        };
        self.source.report(Problem {
            path: join(here.path, key),
            message: format!("{} lacks the key {key:?}", place_name(here.path)),
            expected: format!("{key:?} is required here"),
            help: format!("{example}: {}", lowercase_first(meaning)),
            span: Some(here.span.clone()),
        });
    }

    fn unknown(
        &mut self,
        key: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        here: &Here<'w, '_>,
    ) {
        // Why: an unknown key may be a misspelt `secret`.
        self.hide(value);
        let properties = here.schema.get("properties").and_then(Value::as_object);
        let known: Vec<&str> = properties
            .into_iter()
            .flat_map(|known| known.keys().map(String::as_str))
            .collect();
        let name = key.get_ref().as_ref();
        let meant = nearest(name, known.iter().copied());
        let help = match (meant, self.home_of(name)) {
            (Some(_), _) => String::new(),
            (None, Some(table)) => format!("{name:?} is a key of [{table}]"),
            (None, None) => {
                let shown = &known[..known.len().min(LISTED_KEYS)];
                format!("the keys here are {}", shown.join(", "))
            }
        };
        self.source.report(Problem {
            path: join(here.path, name),
            message: format!("unknown key {name:?}{}", suggestion(meant)),
            expected: format!("not a key of {}", place_name(here.path)),
            help,
            span: Some(key.span()),
        });
    }

    /// Keeps every value inside out of what is shown; a table's own bytes may be its header, so they stay.
    fn hide(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => table.values().for_each(|value| self.hide(value)),
            DeValue::Array(items) => items.iter().for_each(|value| self.hide(value)),
            _ => self.source.hide(value.span()),
        }
    }

    /// The top-level table that has a key of this name.
    fn home_of(&self, key: &str) -> Option<&'w str> {
        let tables = self.root.get("properties")?.as_object()?;
        let has = |table: &Value| {
            definition(self.root, table)["properties"]
                .get(key)
                .is_some()
        };
        let found = tables.iter().find(|(_, table)| has(table))?;
        Some(found.0)
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, here: &Here<'w, '_>) {
        let found = value.get_ref().type_str();
        let number_in_quotes = value
            .get_ref()
            .as_str()
            .is_some_and(|text| text.parse::<f64>().is_ok());
        let is_number = matches!(found, "integer" | "float");
        let unquoted = is_number || found == "datetime";
        let help = match (wanted_type(here.schema), format_of(here.schema)) {
            ("integer" | "number", _) if number_in_quotes => "write it without quotes".to_owned(),
            ("string", "trimtab-duration") if is_number => {
                let number = self.source.quote(&here.span);
                format!(
                    "if seconds are meant, write \"{}s\"",
                    number.trim_matches('"')
                )
            }
            ("string", "trimtab-size") => "write it with its unit, in quotes".to_owned(),
            ("string", _) if unquoted => "write it in quotes".to_owned(),
            _ => String::new(),
        };
        self.source.report(Problem {
            path: here.path.to_owned(),
            message: format!("{} is {} {found}", quoted_key(here.path), article(found)),
            expected: format!("expected {}", wanted(here.schema)),
            help,
            span: Some(here.span.clone()),
        });
    }

    fn unexpanded(&mut self, error: &ExpandError, span: Range<usize>, path: &str) {
        let (message, expected, help) = match error {
            ExpandError::Unset(name) => (
                format!("the environment variable {name} is not set"),
                format!("needs {name}"),
                format!("set it before the start: export {name}=..."),
            ),
            ExpandError::Malformed => (
                "a reference to the environment is malformed".to_owned(),
                "expected ${NAME}, where NAME is letters, digits and _".to_owned(),
                "for a dollar sign itself write $$".to_owned(),
            ),
        };
        self.source.report(Problem {
            path: path.to_owned(),
            message,
            expected,
            help,
            span: Some(span),
        });
    }
}

/// The bytes to mark when a whole value is meant: a table's name, any other value itself.
fn marked(key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    match value.get_ref() {
        DeValue::Table(_) => key,
        _ => value.span(),
    }
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    let keys = schema.get("required").and_then(Value::as_array);
    keys.into_iter().flatten().filter_map(Value::as_str)
}

/// How a string or a number of this schema is written; empty if nothing is said.
fn format_of(schema: &Value) -> &str {
    schema
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn is_secret(schema: &Value) -> bool {
    schema.get("writeOnly").is_some_and(|flag| flag == true)
}

/// Says whether a schema takes a value of this type.
fn takes(schema: &Value, value: &DeValue<'_>) -> bool {
    matches!(
        (wanted_type(schema), value),
        ("string", DeValue::String(_))
            | ("integer" | "number", DeValue::Integer(_))
            | ("number", DeValue::Float(_))
            | ("boolean", DeValue::Boolean(_))
            | ("array", DeValue::Array(_))
            | ("object", DeValue::Table(_))
            | ("", _)
    )
}

/// The type a schema asks for; empty for any.
fn wanted_type(schema: &Value) -> &str {
    match schema.get("type").and_then(Value::as_str) {
        Some(kind) => kind,
        None if choices(schema).is_empty() => "",
        None => "string",
    }
}

/// Says in words what a schema asks for.
fn wanted(schema: &Value) -> String {
    if let Some(several) = schema.get("anyOf").and_then(Value::as_array) {
        let several: Vec<String> = several.iter().map(wanted).collect();
        return several.join(" or ");
    }
    if schema.get("$ref").is_some() {
        return "a table".to_owned();
    }
    let words = choices(schema);
    if !words.is_empty() {
        return listed(&words);
    }
    let format = format_of(schema);
    // Why: no duration, size, address or URL contains a line break, so this asks for the words alone.
    if let Some(expected) = written::misfit(format, "\n") {
        return expected.to_owned();
    }
    match wanted_type(schema) {
        "" => "another type".to_owned(),
        "object" => "a table".to_owned(),
        kind => format!("{} {kind}", article(kind)),
    }
}

fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.as_slice() {
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
        [] => String::new(),
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    }
}

/// What follows a message when a near name is known.
pub(super) fn suggestion(meant: Option<&str>) -> String {
    meant.map_or(String::new(), |name| format!(", did you mean {name:?}?"))
}

/// The path of a key inside the table at `path`, quoted where TOML asks for it.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let key = if !key.is_empty() && key.bytes().all(bare) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(format!("{key:?}"))
    };
    if path.is_empty() {
        key.into_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn last_key(path: &str) -> &str {
    let quoted = path
        .strip_suffix('"')
        .and_then(|rest| rest.rsplit('"').next());
    quoted.unwrap_or_else(|| path.rsplit('.').next().unwrap_or(path))
}

fn quoted_key(path: &str) -> String {
    format!("{:?}", last_key(path))
}

fn place_name(path: &str) -> String {
    if path.is_empty() {
        "this file".to_owned()
    } else {
        path.to_owned()
    }
}

fn lowercase_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
