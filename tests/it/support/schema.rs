//! The JSON of commands and of the web server, held against `docs/api.schema.json`.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// The published schema lets new properties in, since readers must. Here none is let in, so that a new property has to
/// be documented.
struct Contract {
    schemas: boon::Schemas,
    indexes: std::collections::BTreeMap<String, boon::SchemaIndex>,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let mut document = document();
    close(&mut document);
    let names: Vec<String> = defs(&document).keys().cloned().collect();
    let mut compiler = boon::Compiler::new();
    compiler.set_default_draft(boon::Draft::V2020_12);
    compiler
        .add_resource("api.json", document)
        .expect("it is a schema");
    let mut schemas = boon::Schemas::new();
    let indexes = names
        .into_iter()
        .map(|name| {
            let place = format!("api.json#/$defs/{name}");
            let index = compiler.compile(&place, &mut schemas);
            (name, index.expect("it is a schema"))
        })
        .collect();
    Contract { schemas, indexes }
});

/// The published schema.
pub fn document() -> Value {
    serde_json::from_str(include_str!("../../../docs/api.schema.json")).expect("it is JSON")
}

/// Its definitions.
pub fn defs(document: &Value) -> &Map<String, Value> {
    document["$defs"].as_object().expect("it has definitions")
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            if object.get("properties").is_some_and(Value::is_object) {
                object.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Why a value is not what the schema calls by this name.
fn fault(name: &str, value: &Value) -> Option<String> {
    let index = CONTRACT.indexes[name];
    let error = CONTRACT.schemas.validate(value, index).err()?;
    Some(error.to_string())
}

/// Fails unless a value is what `docs/api.schema.json` calls by this name.
#[track_caller]
pub fn assert_is(name: &str, value: &Value) {
    if let Some(why) = fault(name, value) {
        panic!("not the `{name}` of docs/api.schema.json: {why}\n{value}");
    }
}

/// What the JSON Lines of a command are called; none: the command has no JSON of its own.
fn of_command(arguments: &[&str], line: &Value) -> Option<&'static str> {
    let has = |word: &str| arguments.contains(&word);
    let command = arguments.iter().find(|word| {
        let known = [
            "check",
            "history",
            "status",
            "incidents",
            "evidence",
            "why",
            "report",
            "explain",
            "replay",
            "email",
            "reload",
            "recheck",
            "pause",
            "resume",
            "mute",
            "unmute",
            "ack",
            "maintenance",
            "amend",
            "note",
            "events",
        ];
        known.contains(word)
    })?;
    Some(match *command {
        "check" | "history" => "check",
        "status" => "status",
        "incidents" => "incident",
        "evidence" => "evidence",
        "why" => "why",
        "report" if has("--explain") => "loss",
        "report" if line.get("objective").is_some() => "objective",
        "report" => "report",
        "explain" if line.get("kind").is_some() => "explained_kind",
        "explain" if line.get("code").is_some() => "explained_code",
        "explain" => "explained_class",
        "replay" => "replayed",
        "email" if has("queue") => "queued_mail",
        "events" => "event",
        _ => "answer",
    })
}

/// Holds the output of a command against the schema if it was asked for JSON; the names of what was found.
#[track_caller]
pub fn assert_output(arguments: &[&str], stdout: &str) -> Vec<&'static str> {
    if !arguments.contains(&"--json") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for line in stdout.lines() {
        let value: Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {line}"));
        if let Some(name) = of_command(arguments, &value) {
            assert_is(name, &value);
            found.push(name);
        }
    }
    found
}

/// Holds an answer of the web server against the schema if it is JSON.
#[track_caller]
pub fn assert_answer(path: &str, status: u16, body: &str) {
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let name = match parts[..] {
        ["healthz"] => "health",
        ["api", ..] if status >= 400 => "fault",
        ["api", "v1", "monitors"] => "statuses",
        ["api", "v1", "monitors", _] => "status",
        ["api", "v1", "monitors", _, "checks"] => "checks",
        ["api", "v1", "incidents"] => "incidents",
        ["api", "v1", "maintenance"] => "windows",
        ["api", "v1", "incidents", _, "evidence"] => "evidence",
        _ => return,
    };
    // To HEAD and to what is unchanged there is no body.
    if body.is_empty() {
        return;
    }
    // What is refused before its path is looked at is one line of text.
    match serde_json::from_str(body) {
        Ok(value) => assert_is(name, &value),
        Err(error) => assert!(status >= 400, "{path}: {error}: {body}"),
    }
}

#[test]
fn what_is_not_documented_is_refused() {
    let right = serde_json::json!({"kind": "status", "detail": "503"});
    assert_eq!(fault("failure", &right), None);
    let mut longer = right.clone();
    longer["colour"] = "red".into();
    assert!(fault("failure", &longer).is_some(), "a new property");
    let mut shorter = right.clone();
    shorter.as_object_mut().unwrap().remove("detail");
    assert!(fault("failure", &shorter).is_some(), "a missing property");
    let mut other = right;
    other["kind"] = "tired".into();
    assert!(fault("failure", &other).is_some(), "an unknown word");
}
