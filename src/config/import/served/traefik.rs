//! Traefik: `Host(..)` rules in labels of a compose file, in dynamic configuration and in Kubernetes resources.

use std::collections::BTreeSet;

use serde_json::Value;

use super::place::{Place, finish, is_one_host};
use crate::config::import::toml_writer::{ImportError, Imported, Page, Source, Weight};
use crate::config::import::yaml::{self, is_true, text_of, texts_of};

/// Configurations nest less deep.
const DEPTH_MAX: u32 = 40;

/// Reads the hosts of Traefik's routers. A source is YAML, or TOML where its name ends so.
///
/// # Errors
/// When a text is neither, or names no rule with a host.
pub fn traefik(sources: &[Source]) -> Result<Imported, ImportError> {
    let mut routers = Vec::new();
    for source in sources {
        for document in values(source)? {
            collect(&document, 0, &mut routers);
        }
    }
    let mut page = Page::new("traefik");
    let mut places = BTreeSet::new();
    let mut rules = 0;
    for router in &routers {
        rules += 1;
        for place in router.places(&mut page) {
            places.insert(place);
        }
    }
    if rules == 0 {
        return Err(ImportError::Nothing(
            "there is no rule with a host, as Host(`example.com`): is this Traefik's configuration or a compose file with its labels?"
                .to_owned(),
        ));
    }
    Ok(finish(page, &places))
}

fn values(source: &Source) -> Result<Vec<Value>, ImportError> {
    if source.name.ends_with(".toml") {
        let table: Value = toml::from_str(&source.text).map_err(|error| {
            ImportError::Format(format!("{}: {}", source.name, error.message()))
        })?;
        return Ok(vec![table]);
    }
    yaml::parse(&source.text)
}

/// A rule, and whether its router speaks TLS.
struct Router {
    rule: String,
    is_tls: bool,
}

/// All routers in a document.
fn collect(value: &Value, depth: u32, found: &mut Vec<Router>) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(map) => {
            let rule = ["rule", "match"]
                .iter()
                .find_map(|key| map.get(*key).and_then(text_of));
            if let Some(rule) = rule.filter(|rule| rule.contains("Host")) {
                let entry_points = map.get("entryPoints").map(texts_of).unwrap_or_default();
                let tls = map.get("tls");
                found.push(Router {
                    rule,
                    is_tls: tls.is_some_and(|tls| tls.is_object() || is_true(tls))
                        || entry_points.iter().any(|name| is_secure(name)),
                });
                return;
            }
            // An IngressRoute has its TLS beside its routes.
            let before = found.len();
            for (key, inner) in map {
                match key.as_str() {
                    "labels" => labels(inner, found),
                    _ => collect(inner, depth + 1, found),
                }
            }
            let entry_points = map.get("entryPoints").map(texts_of).unwrap_or_default();
            let is_tls = map.get("routes").is_some()
                && (map.get("tls").is_some_and(Value::is_object)
                    || entry_points.iter().any(|name| is_secure(name)));
            if is_tls {
                found[before..]
                    .iter_mut()
                    .for_each(|router| router.is_tls = true);
            }
        }
        Value::Array(items) => {
            for inner in items {
                collect(inner, depth + 1, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_secure(entry_point: &str) -> bool {
    let name = entry_point.to_ascii_lowercase();
    name.contains("secure") || name.contains("https") || name == "tls" || name.ends_with("443")
}

/// Labels of a container, as a list of `name=value` or as a table.
fn labels(value: &Value, found: &mut Vec<Router>) {
    let pairs: Vec<(String, String)> = match value {
        Value::Array(items) => items
            .iter()
            .filter_map(text_of)
            .filter_map(|label| {
                let (name, value) = label.split_once('=')?;
                Some((name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect(),
        other => yaml::pairs_of(other),
    };
    let is_off = pairs
        .iter()
        .any(|(name, value)| name == "traefik.enable" && value == "false");
    for (name, rule) in pairs.iter().filter(|_| !is_off) {
        let Some(router) = name
            .strip_prefix("traefik.http.routers.")
            .and_then(|rest| rest.strip_suffix(".rule"))
        else {
            continue;
        };
        let of_router = |key: &str| {
            let wanted = format!("traefik.http.routers.{router}.{key}").to_ascii_lowercase();
            pairs
                .iter()
                .filter(move |(name, _)| name.to_ascii_lowercase().starts_with(&wanted))
        };
        let is_tls = of_router("tls")
            .any(|(name, value)| !name.ends_with(".tls") || value == "true")
            || of_router("entrypoints").any(|(_, value)| value.split(',').any(is_secure));
        found.push(Router {
            rule: rule.clone(),
            is_tls,
        });
    }
}

impl Router {
    /// The hosts of a rule, each with the paths that stand beside it.
    fn places(&self, page: &mut Page) -> Vec<Place> {
        if self.rule.contains("HostRegexp") {
            let what = "not checked (a pattern stands for no one host)";
            page.lose(Weight::Unchecked, what, &self.rule);
        }
        // Alternatives of hosts share a path only if it stands in the same one.
        let mut found = Vec::new();
        for part in self.rule.split("||") {
            let hosts = arguments(part, "Host");
            let mut paths = arguments(part, "PathPrefix");
            paths.extend(arguments(part, "Path"));
            for host in hosts {
                if host.contains(['{', '$']) {
                    let what = "not checked (the name holds a variable of the compose file)";
                    page.lose(Weight::Unchecked, what, &host);
                    continue;
                }
                if is_one_host(page, &host) {
                    found.push(Place {
                        host,
                        is_tls: self.is_tls,
                        port: None,
                        path: paths.first().cloned().unwrap_or_default(),
                    });
                }
            }
        }
        found
    }
}

/// The quoted arguments of a matcher: Host(`a`, `b`).
fn arguments(rule: &str, matcher: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = rule;
    while let Some(at) = rest.find(matcher) {
        let before = rest[..at].chars().next_back();
        let after = &rest[at + matcher.len()..];
        rest = after;
        let is_word = before.is_none_or(|c| !c.is_alphanumeric() && c != '!');
        let Some(inside) = after.trim_start().strip_prefix('(').filter(|_| is_word) else {
            continue;
        };
        let end = inside.find(')').unwrap_or(inside.len());
        found.extend(
            inside[..end]
                .split(',')
                .map(|name| name.trim().trim_matches(['`', '"', '\'']).to_owned())
                .filter(|name| !name.is_empty()),
        );
    }
    found
}
