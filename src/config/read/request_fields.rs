//! `fields` of a `[[channel]]`: TOML that is laid over a request in JSON.

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::reader::Reading;
use super::table::{Found, Table, place};
use crate::config::diagnostic::problem::Fault;
use crate::domain::redaction::is_sensitive;

/// `fields` in `fields`: services have two or three levels.
const DEPTH_MAX: usize = 16;

/// What is laid over the request's top level.
pub(super) fn fields(reading: &mut Reading<'_>, table: &Table<'_>) -> Map<String, Value> {
    let Some(found) = table.get("fields") else {
        return Map::new();
    };
    match found.value {
        DeValue::Table(_) => match json(reading, found, 0) {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        },
        _ => {
            reading.fault(Fault::new(
                found.place,
                "`fields` must be a table",
                "write { priority = 5 }",
            ));
            Map::new()
        }
    }
}

/// Texts in `fields` under a name like `api_key` are secrets, at every depth: [`DEPTH_MAX`] bounds that.
pub(super) fn note_fields(fields: &Map<String, Value>, secrets: &mut Vec<String>) {
    for (name, value) in fields {
        match value {
            Value::String(text) if is_sensitive(name) => secrets.push(text.clone()),
            Value::Object(inner) => note_fields(inner, secrets),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {}
        }
    }
}

/// A TOML value as JSON.
fn json(reading: &mut Reading<'_>, found: Found<'_>, depth: usize) -> Option<Value> {
    let file = found.place.file;
    let wrong = |reading: &mut Reading<'_>, why: &str, label: &str| {
        reading.fault(Fault::new(found.place, why, label));
        None
    };
    if depth > DEPTH_MAX {
        return wrong(
            reading,
            "`fields` is too deep",
            "no service has so many tables in tables",
        );
    }
    Some(match found.value {
        DeValue::String(_) => Value::String(reading.text(found, "a string")?.value.into_owned()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number.into()),
            Err(_) => return wrong(reading, "this number is too large", "write a string"),
        },
        DeValue::Float(number) => {
            let number = number.as_str().parse().ok().and_then(Number::from_f64);
            match number {
                Some(number) => Value::Number(number),
                None => return wrong(reading, "JSON has no such number", "write a string"),
            }
        }
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for item in items {
                let entry = Found {
                    value: item.get_ref(),
                    place: place(file, item.span()),
                    is_member: true,
                    ..found
                };
                list.push(json(reading, entry, depth + 1)?);
            }
            Value::Array(list)
        }
        DeValue::Table(own) => {
            let mut object = Map::new();
            for (key, value) in own {
                let entry = Found {
                    value: value.get_ref(),
                    place: place(file, value.span()),
                    is_member: true,
                    ..found
                };
                let name: &str = key.get_ref();
                object.insert(name.to_owned(), json(reading, entry, depth + 1)?);
            }
            Value::Object(object)
        }
    })
}
