//! The JSON Schema (draft 7) of `monitors.toml`, as editors use it for completion and first checks.

use serde_json::{Map, Value, json};

use super::keys::{self, Absent, Form, Key, Kind, Section};

/// Keys of one section that exclude each other.
const EXCLUSIVE: [(&str, &str, &str); 8] = [
    ("email", "host", "directory"),
    ("email", "password", "password_file"),
    ("monitor", "interval", "schedule"),
    ("monitor", "body", "body_file"),
    ("monitor", "basic_auth", "bearer_token_file"),
    ("defaults", "interval", "schedule"),
    ("maintenance", "start", "schedule"),
    ("maintenance", "end", "duration"),
];

const DURATION: &str = r"^\s*([0-9]+\s*(ms|s|m|h|d|w)\s*)+$";

/// The schema.
pub fn schema() -> Value {
    let mut properties = Map::new();
    for key in keys::TOP {
        properties.insert(key.name.to_owned(), of_key(key));
    }
    for section in keys::SECTIONS {
        let table = of_section(section);
        let value = match section.form {
            Form::Table => table,
            Form::List => json!({ "type": "array", "items": table, "description": section.doc }),
        };
        properties.insert(section.name.to_owned(), value);
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "monitors.toml",
        "description": "The configuration of sitewatch: what is watched, and who is told.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn of_section(section: &Section) -> Value {
    let is_defaults = section.name == keys::DEFAULTS.name;
    let allowed: Vec<&Key> = section
        .keys
        .iter()
        .filter(|key| !is_defaults || !keys::MONITOR_ONLY.contains(&key.name))
        .collect();
    let mut table = of_keys(&allowed);
    table.insert("description".to_owned(), section.doc.into());
    let apart: Vec<Value> = EXCLUSIVE
        .iter()
        .filter(|(name, _, _)| *name == section.name)
        .map(|(_, one, other)| json!({ "not": { "required": [one, other] } }))
        .collect();
    if !apart.is_empty() {
        table.insert("allOf".to_owned(), apart.into());
    }
    Value::Object(table)
}

fn of_keys(keys: &[&Key]) -> Map<String, Value> {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| (key.name.to_owned(), of_key(key)))
        .collect();
    let required: Vec<&str> = keys
        .iter()
        .filter(|key| matches!(key.absent, Absent::Required))
        .map(|key| key.name)
        .collect();
    let mut table = Map::new();
    table.insert("type".to_owned(), "object".into());
    table.insert("additionalProperties".to_owned(), false.into());
    table.insert("properties".to_owned(), properties.into());
    if !required.is_empty() {
        table.insert("required".to_owned(), json!(required));
    }
    table
}

fn of_key(key: &Key) -> Value {
    let mut schema = match of_kind(key.kind) {
        Value::Object(schema) => schema,
        _ => Map::new(),
    };
    let doc = match key.absent {
        Absent::Unset(words) if words != "-" => format!("{} Default: {words}.", key.doc),
        Absent::Value(_) | Absent::Unset(_) | Absent::Required => key.doc.to_owned(),
    };
    schema.insert("description".to_owned(), doc.into());
    if let Absent::Value(text) = key.absent
        && let Some(default) = toml_value(text)
    {
        schema.insert("default".to_owned(), default);
    }
    Value::Object(schema)
}

/// A default as it stands in the table of keys, as JSON.
fn toml_value(text: &str) -> Option<Value> {
    let document: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    serde_json::to_value(document.get("value")?).ok()
}

/// A string of this form, or one in which `${NAME}` stands for something.
fn pattern(form: &str) -> Value {
    json!({ "type": "string", "anyOf": [{ "pattern": form }, { "pattern": r"\$\{" }] })
}

fn list(item: Value) -> Value {
    json!({ "type": "array", "items": item })
}

fn of_kind(kind: Kind) -> Value {
    let text = || json!({ "type": "string" });
    match kind {
        Kind::Text
        | Kind::Path
        | Kind::Match
        | Kind::Name
        | Kind::Log
        | Kind::Zone
        | Kind::Address
        | Kind::Listen => text(),
        Kind::Texts | Kind::Globs | Kind::Addresses | Kind::Servers | Kind::Names => list(text()),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Count(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Kind::Span => pattern(DURATION),
        Kind::SpanOr(word) => pattern(&format!("^{word}$|{DURATION}")),
        Kind::Spans => list(pattern(DURATION)),
        Kind::Size => pattern(r"^\s*[0-9]+\s*(B|kB|KB|KiB|MB|MiB|GB|GiB)\s*$"),
        Kind::Cron => pattern(r"^\s*\S+(\s+\S+){5}\s*$"),
        Kind::Url => pattern("^([hH][tT][tT][pP][sS]?://.+)?$"),
        Kind::Urls => list(pattern("^[hH][tT][tT][pP][sS]?://.+$")),
        Kind::Statuses => json!({
            "type": "array",
            "minItems": 1,
            "items": { "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                pattern(r"^\s*([1-5][xX][xX]|[1-5][0-9][0-9](\s*-\s*[1-5][0-9][0-9])?)\s*$"),
            ] },
        }),
        Kind::Choice(words) => {
            json!({ "type": "string", "anyOf": [{ "enum": words }, { "pattern": r"\$\{" }] })
        }
        Kind::Method => pattern("^[A-Z0-9!#$%&'*+.^_`|~-]+$"),
        Kind::Regexes => list(text()),
        Kind::Headers | Kind::HeaderMatches => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Kind::JsonTests => {
            let keys: Vec<&Key> = keys::JSON_TEST.iter().collect();
            let mut entry = of_keys(&keys);
            entry.insert("minProperties".to_owned(), 2.into());
            entry.insert("maxProperties".to_owned(), 2.into());
            list(entry.into())
        }
        Kind::Table(keys) => Value::Object(of_keys(&keys.iter().collect::<Vec<_>>())),
        Kind::Moment => json!({
            "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "object" }],
        }),
        Kind::Proxy => pattern("^(environment|[hH][tT][tT][pP]://.+)?$"),
        Kind::Any => json!({}),
        Kind::Number => json!({ "type": "number" }),
    }
}
