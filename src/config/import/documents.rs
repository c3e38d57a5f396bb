//! Where a tool's configuration stands: as the file itself, in one of several documents or files, or wrapped for
//! Kubernetes as the text of a ConfigMap or the values of a HelmRelease.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

use super::toml_writer::{ImportError, Source};
use super::yaml;

/// A configuration lies this deep in a wrapper at most.
const DEPTH_MAX: u32 = 12;

/// Texts inside a document that are read as YAML themselves, all together: an alias may repeat a long one, and each may
/// hold others.
const INSIDE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// All documents of all sources, those in wrappers taken out of them: the parts that hold one of `keys`.
///
/// # Errors
/// When a source is no YAML; the message names it where there are several.
pub(super) fn documents(sources: &[Source], keys: &[&str]) -> Result<Vec<Value>, ImportError> {
    let mut found = Vec::new();
    let mut inner = Inner {
        keys,
        left: INSIDE_BYTES_MAX,
        seen: HashSet::new(),
    };
    for source in sources {
        let documents = yaml::parse(&source.text).map_err(|error| match sources.len() {
            1 => error,
            _ => ImportError::Format(format!("{}: {error}", source.name)),
        })?;
        for document in documents {
            let mut inside = Vec::new();
            inner.seen.clear();
            inner.search(&document, 0, &mut inside);
            let is_wrapper = document.get("apiVersion").is_some() && document.get("kind").is_some();
            if inside.is_empty() && !is_wrapper {
                inside.push(document);
            }
            found.append(&mut inside);
        }
    }
    Ok(found)
}

/// The search for what lies in wrappers.
struct Inner<'k> {
    keys: &'k [&'k str],
    /// Bytes of texts that may still be read as YAML.
    left: usize,
    /// Hashes of the texts of this document that were read: aliases repeat them.
    seen: HashSet<u64>,
}

impl Inner<'_> {
    fn search(&mut self, value: &Value, depth: u32, found: &mut Vec<Value>) {
        if depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(map) => {
                let is_there = |key: &&str| map.get(*key).is_some_and(|value| !value.is_null());
                if self.keys.iter().any(is_there) {
                    found.push(value.clone());
                    return;
                }
                for inner in map.values() {
                    self.search(inner, depth + 1, found);
                }
            }
            Value::Array(items) => {
                for inner in items {
                    self.search(inner, depth + 1, found);
                }
            }
            Value::String(text) => {
                let may_hold = text.contains(':') && self.keys.iter().any(|key| text.contains(key));
                let mut hasher = DefaultHasher::new();
                text.hash(&mut hasher);
                if !may_hold || text.len() > self.left || !self.seen.insert(hasher.finish()) {
                    return;
                }
                self.left -= text.len();
                for inner in yaml::parse(text).unwrap_or_default() {
                    if !inner.is_string() {
                        self.search(&inner, depth + 1, found);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Lays one document over another as Gatus does: tables are merged, lists are joined, of the rest the later counts.
pub(super) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(known) => merge(known, value),
                    None => {
                        into.insert(key, value);
                    }
                }
            }
        }
        (Value::Array(into), Value::Array(mut from)) => into.append(&mut from),
        (into, from) => *into = from,
    }
}

/// Applies a change to every text of a value, but not to the names in its tables.
pub(super) fn map_texts(value: &mut Value, change: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| map_texts(item, change)),
        Value::Object(map) => map.values_mut().for_each(|item| map_texts(item, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
