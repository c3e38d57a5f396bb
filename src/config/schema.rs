//! The JSON Schema (draft 7) of `monitors.toml`, as editors use it for completion and first checks.

use serde_json::{Map, Value, json};

use super::keys::{self, Absent, Form, Key, Kind, Section};
use crate::domain::subject::Kinds;

/// Keys of one section that exclude each other.
const EXCLUSIVE: [(&str, &str, &str); 15] = [
    ("email", "host", "directory"),
    ("email", "password", "password_file"),
    ("monitor", "interval", "schedule"),
    ("monitor", "body", "body_file"),
    ("monitor", "basic_auth", "bearer_token_file"),
    ("defaults", "interval", "schedule"),
    ("source", "file", "url"),
    ("source", "interval", "schedule"),
    ("source", "body", "body_file"),
    ("source", "basic_auth", "bearer_token_file"),
    ("cluster", "credentials_file", "nkey_file"),
    ("channel", "url", "url_file"),
    ("channel", "token", "token_file"),
    ("maintenance", "start", "schedule"),
    ("maintenance", "end", "duration"),
];

const DURATION: &str = r"^\s*([0-9]+\s*(ms|s|m|h|d|w)\s*)+$";

/// A multiple of the usual.
const USUAL: &str = r"^\s*[0-9]+(\.[0-9]{1,2})?\s*x\s*usual\s*$";

/// What the schema is called, wherever its file lies.
const ID: &str = "https://sitewatch.example/sitewatch.schema.json";

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
        "$id": ID,
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
    let doc = match key.kinds == Kinds::ALL {
        true => doc,
        false => format!("{doc} Only for {}.", key.kinds),
    };
    schema.insert("description".to_owned(), doc.into());
    if let Absent::Value(text) = key.absent
        && let Some(default) = toml_value(text)
    {
        schema.insert("default".to_owned(), default);
    }
    let examples = examples(key);
    if !examples.is_empty() {
        schema.insert("examples".to_owned(), examples.into());
    }
    Value::Object(schema)
}

/// What people write, for an editor's list: each is valid.
fn examples(key: &Key) -> Vec<Value> {
    let by_name = match key.name {
        "name" => vec![json!("shop")],
        "host" => vec![json!("smtp.example.com"), json!("localhost")],
        "username" => vec![json!("alerts@example.com")],
        "password" => vec![json!("${SMTP_PASSWORD}")],
        "password_file" => vec![json!("smtp-password")],
        "tags" => vec![json!(["prod", "shop"])],
        "open" => vec![
            json!(["Mon-Fri 08:00-18:00"]),
            json!(["Sat,Sun 10:00-16:00", "22:00-06:00"]),
        ],
        "body_contains" => vec![json!(["Welcome"])],
        "body_excludes" => vec![json!(["Fatal error"])],
        "note" => vec![json!("Runbook: https://wiki.example.com/shop")],
        "title" => vec![json!("Status of example.com")],
        "path" => vec![json!("$.status"), json!("$.checks[0].ok")],
        _ => Vec::new(),
    };
    if !by_name.is_empty() {
        return by_name;
    }
    match key.kind {
        Kind::Span => vec![json!("30s"), json!("5m"), json!("1h30m")],
        Kind::SpanOr(word) => vec![json!("30d"), json!(word)],
        Kind::SlowLimit => vec![json!("2s"), json!("3x usual"), json!("off")],
        Kind::Spans => vec![json!(["21d", "7d", "1d"])],
        Kind::Size => vec![json!("512KiB"), json!("1MiB")],
        Kind::Percent => vec![json!("80%")],
        Kind::Cron => vec![json!("0 */5 8-18 * * Mon-Fri"), json!("0 0 3 * * Sun")],
        Kind::Zone => vec![json!("system"), json!("Europe/Berlin")],
        Kind::Globs => vec![json!(["monitors.d/*.toml"])],
        Kind::Url => vec![json!("https://example.com/")],
        Kind::Subject => vec![
            json!("https://example.com/"),
            json!("tcp://db.example.com:5432"),
            json!("tls://mail.example.com:993"),
            json!("icmp://router.example.com"),
            json!("dns://192.0.2.53/example.com?type=MX"),
        ],
        Kind::Regex => vec![json!("^220 ")],
        Kind::Urls => vec![json!(["https://example.com/", "https://example.org/"])],
        Kind::Recipients => vec![json!([
            "ops@example.com",
            "Web team <web@example.com>",
            "oncall"
        ])],
        Kind::Address => vec![json!("Sitewatch <alerts@example.com>")],
        Kind::Listen => vec![json!("127.0.0.1:8080"), json!("[::1]:8080")],
        Kind::Servers => vec![json!(["127.0.0.1:53", "192.0.2.53"])],
        Kind::Statuses => vec![json!([200]), json!(["2xx", 404]), json!(["200-204"])],
        Kind::Method => vec![json!("GET"), json!("HEAD"), json!("POST")],
        Kind::Match => vec![
            json!("https://example.com/de/"),
            json!("/example\\.com/[a-z]+/"),
        ],
        Kind::Regexes => vec![json!(["version: \\d+"])],
        Kind::Headers => vec![json!({ "Accept": "application/json" })],
        Kind::HeaderMatches => vec![json!({ "Content-Type": "/^text\\/html/" })],
        Kind::JsonTests => vec![json!([{ "path": "$.status", "equals": "ok" }])],
        Kind::Name => vec![json!("old-shop")],
        Kind::Names => vec![json!(["gateway"])],
        Kind::Moment => vec![json!("2026-12-01T02:00:00Z")],
        Kind::Proxy => vec![json!("http://proxy.example.com:3128"), json!("environment")],
        Kind::Log => vec![json!("info"), json!("warn,sitewatch::mail=debug")],
        Kind::Path => vec![json!("file.pem")],
        Kind::Choice(words) => words.iter().map(|word| json!(word)).collect(),
        Kind::CountOr(words) => {
            let words = words.iter().map(|word| json!(word));
            words.chain([json!(2)]).collect()
        }
        Kind::Secret => vec![json!("${NAME}")],
        Kind::Secrets => vec![json!(["${NAME}"])],
        Kind::Text
        | Kind::Texts
        | Kind::Bool
        | Kind::Count(..)
        | Kind::Table(_)
        | Kind::Any
        | Kind::Number => Vec::new(),
    }
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
        | Kind::Secret
        | Kind::Path
        | Kind::Match
        | Kind::Regex
        | Kind::Name
        | Kind::Log
        | Kind::Zone
        | Kind::Address
        | Kind::Listen => text(),
        Kind::Texts
        | Kind::Secrets
        | Kind::Globs
        | Kind::Recipients
        | Kind::Servers
        | Kind::Names => list(text()),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Count(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Kind::Span => pattern(DURATION),
        Kind::SpanOr(word) => pattern(&format!("^{word}$|{DURATION}")),
        Kind::SlowLimit => pattern(&format!("^off$|{DURATION}|{USUAL}")),
        Kind::Spans => list(pattern(DURATION)),
        Kind::Size => pattern(r"^\s*[0-9]+\s*(B|kB|KB|KiB|MB|MiB|GB|GiB)\s*$"),
        Kind::Percent => pattern(r"^\s*(100|[0-9]{1,2})\s*%\s*$"),
        Kind::Cron => pattern(r"^\s*\S+(\s+\S+){5}\s*$"),
        Kind::Url => pattern("^([hH][tT][tT][pP][sS]?://.+)?$"),
        Kind::Subject => pattern(
            "^([hH][tT][tT][pP][sS]?|[tT][cC][pP]|[tT][lL][sS]|[iI][cC][mM][pP])://.+$|^[dD][nN][sS]:.+$",
        ),
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
        Kind::CountOr(words) => json!({ "anyOf": [
            { "enum": words },
            { "type": "string", "pattern": r"\$\{" },
            { "type": "integer", "minimum": 1 },
        ] }),
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
