//! YAML to the JSON values that the imports read.

use serde_json::{Map, Number, Value};
use yaml_rust2::{Yaml, YamlLoader};

use super::page::ImportError;

/// Larger files are no configuration; aliases multiply what stands in them.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// More aliases than this are a bomb, no configuration.
const ALIASES_MAX: usize = 10_000;

/// The first document of a text.
pub(super) fn parse(text: &str) -> Result<Value, ImportError> {
    if text.len() > BYTES_MAX {
        return Err(ImportError::Format(format!(
            "the file is larger than {BYTES_MAX} bytes"
        )));
    }
    // Every alias is copied where it stands: nested ones would grow without bound.
    if text.matches('*').count() > ALIASES_MAX {
        return Err(ImportError::Format(
            "the file has too many aliases".to_owned(),
        ));
    }
    let documents = YamlLoader::load_from_str(text)
        .map_err(|error| ImportError::Format(format!("this is no YAML: {error}")))?;
    match documents.into_iter().next() {
        Some(document) => Ok(json(document)),
        None => Ok(Value::Null),
    }
}

fn json(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Real(text) => match text.parse::<f64>().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => Value::String(text),
        },
        Yaml::Integer(number) => Value::from(number),
        Yaml::String(text) => Value::String(text),
        Yaml::Boolean(flag) => Value::Bool(flag),
        Yaml::Array(items) => Value::Array(items.into_iter().map(json).collect()),
        Yaml::Hash(hash) => {
            let mut map = Map::new();
            let mut merged: Vec<Value> = Vec::new();
            for (key, value) in hash {
                let key = match json(key) {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                match key == "<<" {
                    true => merged.push(json(value)),
                    false => {
                        map.insert(key, json(value));
                    }
                }
            }
            for value in merged {
                let tables = match value {
                    Value::Array(tables) => tables,
                    one => vec![one],
                };
                for table in tables {
                    let Value::Object(table) = table else {
                        continue;
                    };
                    for (key, value) in table {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            Value::Object(map)
        }
        Yaml::Null | Yaml::BadValue | Yaml::Alias(_) => Value::Null,
    }
}

/// A value as text, as tools with loose types read it.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The texts of a list, or the one text that stands in its place.
pub(super) fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text_of).collect(),
        one => text_of(one).into_iter().collect(),
    }
}

/// Names with their texts.
pub(super) fn pairs_of(value: &Value) -> Vec<(String, String)> {
    let Value::Object(map) = value else {
        return Vec::new();
    };
    map.iter()
        .filter_map(|(key, value)| Some((key.clone(), text_of(value)?)))
        .collect()
}
