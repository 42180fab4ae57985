//! What does the documentation for programs say?
//!
//! An OpenAPI 3.1 document, printed from the table of routes, the types of answers, and the schema of the configuration file, of which documents are tables.
//!
//! # Invariants
//! - Every route is in it, and nothing else.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::config::{self, Kind};
use crate::governance::office::LONGEST_GRACE;
use crate::proxy::Shared;

use super::ask::{Form, Param};
use super::routes::{Gives, Route, Run, Takes, routes};
use super::seen::EVENT_STREAM;
use super::shown::{
    Adjusted, AuditRow, BudgetStatus, ErrorBody, LedgerEntry, Page, StandingTold, UsageTold,
    Verified,
};
use super::steer;
use super::tenants::has_credentials;

/// Where schemas stand.
const SCHEMAS: &str = "#/components/schemas/";

/// The document as text.
pub(super) fn text(_: &Shared) -> String {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| document().to_string()).clone()
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let path = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        let method = route.method.as_str().to_ascii_lowercase();
        path[method] = operation(route, &mut generator);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.extend(of_the_file());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Trimtab admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Customers, teams, keys, budgets, usage, the ledger, the audit log and the routes of a running gateway.",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "The `token` of `[admin]`; none is asked for at loopback where none is set." },
            },
            "schemas": schemas,
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let in_path = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
        )
    });
    let in_query = route.query.iter().map(parameter);
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let mut responses = Map::new();
    responses.insert(route.status.as_str().to_owned(), answer(route, generator));
    let error = generator.subschema_for::<ErrorBody>();
    for status in refusals(route) {
        let code = http::StatusCode::from_u16(status).ok();
        let about = code.and_then(|code| code.canonical_reason());
        let content = json!({ "application/json": { "schema": error } });
        responses.insert(
            status.to_string(),
            json!({ "description": about, "content": content }),
        );
    }
    let mut operation = json!({
        "operationId": route.operation,
        "summary": route.about,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(schema) = body(route) {
        let needed = matches!(
            route.takes,
            Takes::Whole | Takes::Amount | Takes::Pin | Takes::Limit
        );
        operation["requestBody"] = json!({
            "required": needed,
            "content": { "application/json": { "schema": schema } },
        });
    }
    operation
}

/// What a route may be refused with.
fn refusals(route: &Route) -> Vec<u16> {
    let changes = ["POST", "PUT", "PATCH"].contains(&route.method.as_str());
    let of_all: &[u16] = match (route.run, changes) {
        (Run::Plain(_), false) => &[400, 401, 403],
        (Run::Plain(_), true) => &[400, 401, 403, 408, 413, 415],
        (_, false) => &[400, 401, 403, 503],
        (_, true) => &[400, 401, 403, 408, 413, 415, 503],
    };
    let mut refusals = [of_all, route.refuses].concat();
    refusals.sort_unstable();
    refusals
}

fn parameter(param: &Param) -> Value {
    let schema = match param.form {
        Form::Text => json!({ "type": "string" }),
        Form::Number(least, i64::MAX) => json!({ "type": "integer", "minimum": least }),
        Form::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Form::When => {
            json!({ "type": "string", "examples": ["2026-01-31", "2026-01-31T08:00:00Z"] })
        }
        Form::Flag => json!({ "type": "boolean", "default": false }),
        Form::Choice(words) => json!({ "type": "string", "enum": words }),
    };
    json!({ "name": param.name, "in": "query", "description": param.about, "schema": schema })
}

fn body(route: &Route) -> Option<Value> {
    let name = route.kind.map(title).unwrap_or_default();
    let fields = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    match route.takes {
        Takes::Nothing => None,
        Takes::Whole => Some(reference(&format!("{name}Made"))),
        Takes::Document => Some(reference(&format!("{name}Document"))),
        Takes::Patch => Some(json!({
            "type": "object",
            "description": "Some keys of the document; null removes one.",
        })),
        Takes::Grace => Some(fields(
            json!({ "grace_seconds": { "type": "integer", "minimum": 0, "maximum": LONGEST_GRACE, "default": 0 } }),
            &[],
        )),
        Takes::Amount => Some(fields(
            json!({ "amount": { "type": "number", "minimum": 0, "description": "What it did cost, dollars." } }),
            &["amount"],
        )),
        Takes::Drain | Takes::Pin | Takes::Reason | Takes::Limit => {
            let (properties, required) = steering(route.takes);
            Some(fields(properties, required))
        }
    }
}

/// The keys of what is done with a route, and those that must be there.
fn steering(takes: Takes) -> (Value, &'static [&'static str]) {
    let reason = json!({ "type": "string", "maxLength": steer::LONGEST_REASON, "description": "Why, for the audit log and the events." });
    let seconds = |kind: Value, most: u64, about: &str| json!({ "type": kind, "minimum": 1, "maximum": most, "description": about });
    match takes {
        Takes::Drain => (
            json!({ "seconds": seconds(json!(["integer", "null"]), steer::LONGEST_DRAIN, "How long; until it is undone otherwise."), "reason": reason }),
            &[],
        ),
        Takes::Pin => (
            json!({ "seconds": seconds(json!("integer"), steer::LONGEST_PIN, "How long."), "reason": reason }),
            &["seconds"],
        ),
        Takes::Limit => (
            json!({ "limit": { "type": ["integer", "null"], "minimum": 1, "maximum": u32::MAX, "description": "A minute, or at once; null takes it away." }, "reason": reason }),
            &["limit"],
        ),
        _ => (json!({ "reason": reason }), &[]),
    }
}

fn answer(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let name = route.kind.map(title).unwrap_or_default();
    let schema = match route.gives {
        Gives::Nothing => return json!({ "description": "Done." }),
        Gives::Tenant => reference(name),
        Gives::KeyWithSecret => reference("KeyWithSecret"),
        Gives::Tenants => json!({
            "type": "object",
            "properties": {
                "data": { "type": "array", "items": reference(name) },
                "next": { "type": ["string", "null"] },
            },
            "required": ["data", "next"],
            "additionalProperties": false,
        }),
        Gives::Budgets => schema::<Page<BudgetStatus>>(generator),
        Gives::Usage => schema::<UsageTold>(generator),
        Gives::Ledger => schema::<Page<LedgerEntry>>(generator),
        Gives::Adjusted => schema::<Adjusted>(generator),
        Gives::Audit => schema::<Page<AuditRow>>(generator),
        Gives::Verified => schema::<Verified>(generator),
        Gives::Standings => schema::<Page<StandingTold>>(generator),
        Gives::Object => json!({ "type": "object" }),
        Gives::Events => json!({ "type": "string" }),
    };
    let kind = match route.gives {
        Gives::Events => EVENT_STREAM,
        _ => "application/json",
    };
    let mut content = json!({ kind: { "schema": schema } });
    if route.query.iter().any(|param| param.name == "format") {
        content["text/csv"] = json!({ "schema": { "type": "string" } });
    }
    json!({ "description": "Done.", "content": content })
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{SCHEMAS}{name}") })
}

const fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Customer => "Customer",
        Kind::Team => "Team",
        Kind::Key => "Key",
    }
}

/// Schemas of documents, made of the file's: as they are sent, with their name, and as they are shown.
fn of_the_file() -> Map<String, Value> {
    let file: Value = serde_json::from_str(&config::schema()).unwrap_or_default();
    let definitions = &file["$defs"];
    let mut schemas = Map::new();
    for kind in Kind::ALL {
        let table = match kind {
            Kind::Customer | Kind::Team => title(kind),
            Kind::Key => "VirtualKey",
        };
        let mut document = definitions[table].clone();
        remove(&mut document, "secret");
        let mut made = document.clone();
        let name = json!({ "type": "string", "description": "Its name." });
        add(&mut made, "name", name);
        made["required"] = json!(["name"]);
        let mut shown = made.clone();
        for (key, kind, about) in SHOWN {
            let schema = json!({ "type": kind, "readOnly": true, "description": about });
            add(&mut shown, key, schema);
        }
        shown["required"] = json!(["name", "declared_at"]);
        if has_credentials(kind) {
            let mut told = shown.clone();
            let secret = json!({ "type": "string", "readOnly": true, "description": "What the client presents; it is told this once." });
            add(&mut told, "secret", secret);
            told["required"] = json!(["name", "declared_at", "secret"]);
            schemas.insert(format!("{}WithSecret", title(kind)), told);
        }
        schemas.insert(format!("{}Document", title(kind)), document);
        schemas.insert(format!("{}Made", title(kind)), made);
        schemas.insert(title(kind).to_owned(), shown);
    }
    let mut waiting = referred(&Value::from(schemas.clone()));
    while let Some(name) = waiting.pop() {
        if !schemas.contains_key(&name) {
            waiting.extend(referred(&definitions[&name]));
            schemas.insert(name.clone(), definitions[&name].clone());
        }
    }
    schemas.values_mut().for_each(relocate);
    schemas
}

/// What is shown beside a document: key, type and meaning.
const SHOWN: [(&str, &str, &str); 7] = [
    (
        "declared_at",
        "string",
        "Where it comes from: `file` or `api`.",
    ),
    ("created_at", "string", "When it was made."),
    ("changed_at", "string", "When it was changed last."),
    (
        "former_until",
        "string",
        "Until when the secret before this one is taken.",
    ),
    ("revoked_at", "string", "When it was revoked."),
    (
        "problem",
        "string",
        "Why it is refused although nobody has said so.",
    ),
    (
        "hides",
        "boolean",
        "Whether it hides one that was made under its name.",
    ),
];

fn add(schema: &mut Value, key: &str, property: Value) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.insert(key.to_owned(), property);
    }
}

fn remove(schema: &mut Value, key: &str) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.remove(key);
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("required");
    }
}

/// Where the file's schema has its definitions.
const DEFINITIONS: &str = "#/$defs/";

/// The definitions of the file's schema that a schema refers to.
fn referred(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|own| own.strip_prefix(DEFINITIONS));
            let inside = object.values().flat_map(referred);
            own.map(str::to_owned).into_iter().chain(inside).collect()
        }
        Value::Array(items) => items.iter().flat_map(referred).collect(),
        _ => Vec::new(),
    }
}

/// Lets references to definitions of the file's schema lead to where they stand here.
fn relocate(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(to)) = object.get_mut("$ref")
                && let Some(name) = to.strip_prefix(DEFINITIONS)
            {
                *to = format!("{SCHEMAS}{name}");
            }
            object.values_mut().for_each(relocate);
        }
        Value::Array(items) => items.iter_mut().for_each(relocate),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tenants::SHOWN_ONLY;
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
            match value {
                Value::Object(object) => {
                    found.extend(object.get("$ref").and_then(Value::as_str));
                    object.values().for_each(|value| walk(value, found));
                }
                Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        walk(&document, &mut found);
        assert!(found.len() > 40, "{}", found.len());
        for reference in found {
            let target = document.pointer(reference.trim_start_matches('#'));
            assert!(target.is_some_and(Value::is_object), "{reference}");
        }
        let operations: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|path| path.as_object().unwrap().len())
            .sum();
        assert_eq!(operations, routes().len());
    }

    #[test]
    fn what_is_only_shown_is_known_to_both_sides() {
        assert_eq!(SHOWN.map(|(key, ..)| key), SHOWN_ONLY);
    }
}
