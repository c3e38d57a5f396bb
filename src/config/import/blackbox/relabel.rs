//! Prometheus' relabelling: how a target becomes what blackbox_exporter is asked for.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::config::import::yaml::{text_at, text_of, texts_of};

/// Labels of a target, by name.
pub(super) type Labels = BTreeMap<String, String>;

/// Compiled patterns of a rule take at most so much memory.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// What became of a target.
pub(super) enum Relabelled {
    /// It is asked for with these labels.
    Kept(Labels),
    /// A rule drops it.
    Dropped,
    /// A rule is not understood; this is its action.
    Unknown(String),
}

/// Applies the rules of a job, in order.
pub(super) fn relabel(mut labels: Labels, rules: &[Value]) -> Relabelled {
    for rule in rules {
        let action = text_at(rule, "action").unwrap_or_else(|| "replace".to_owned());
        let pattern = text_at(rule, "regex").unwrap_or_else(|| "(.*)".to_owned());
        let Some(regex) = anchored(&pattern) else {
            return Relabelled::Unknown(format!("regex {pattern}"));
        };
        let separator = rule.get("separator").and_then(Value::as_str).unwrap_or(";");
        let names = rule.get("source_labels").map(texts_of).unwrap_or_default();
        let values: Vec<&str> = names
            .iter()
            .map(|name| labels.get(name).map_or("", String::as_str))
            .collect();
        let value = values.join(separator);
        let target = text_at(rule, "target_label").unwrap_or_default();
        match action.to_ascii_lowercase().as_str() {
            "replace" => replace(&mut labels, rule, &regex, &value, &target),
            "lowercase" => set(&mut labels, target, value.to_lowercase()),
            "uppercase" => set(&mut labels, target, value.to_uppercase()),
            "keep" if !regex.is_match(&value) => return Relabelled::Dropped,
            "drop" if regex.is_match(&value) => return Relabelled::Dropped,
            "keepequal" if labels.get(&target) != Some(&value) => return Relabelled::Dropped,
            "dropequal" if labels.get(&target) == Some(&value) => return Relabelled::Dropped,
            "keep" | "drop" | "keepequal" | "dropequal" => {}
            "labeldrop" => labels.retain(|name, _| !regex.is_match(name)),
            "labelkeep" => labels.retain(|name, _| regex.is_match(name)),
            "labelmap" => {
                let form = replacement(rule);
                let mapped: Vec<(String, String)> = labels
                    .iter()
                    .filter_map(|(name, value)| Some((expand(&regex, name, &form)?, value.clone())))
                    .collect();
                labels.extend(mapped);
            }
            other => return Relabelled::Unknown(other.to_owned()),
        }
    }
    Relabelled::Kept(labels)
}

fn anchored(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?s:{pattern})$"))
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .ok()
}

fn replacement(rule: &Value) -> String {
    let own = rule.get("replacement").and_then(text_of);
    own.unwrap_or_else(|| "$1".to_owned())
}

fn replace(labels: &mut Labels, rule: &Value, regex: &Regex, value: &str, target: &str) {
    if let Some(expanded) = expand(regex, value, &replacement(rule)) {
        set(labels, target.to_owned(), expanded);
    }
}

/// An empty value takes the label away.
fn set(labels: &mut Labels, name: String, value: String) {
    if name.is_empty() {
        return;
    }
    if value.is_empty() {
        labels.remove(&name);
    } else {
        labels.insert(name, value);
    }
}

fn expand(regex: &Regex, value: &str, form: &str) -> Option<String> {
    let found = regex.captures(value)?;
    let mut out = String::new();
    // `$1x` means the group `1x` to Go as well.
    found.expand(form, &mut out);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(labels: &[(&str, &str)], rules: &Value) -> String {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        match relabel(labels, rules.as_array().expect("a list")) {
            Relabelled::Kept(labels) => labels
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
            Relabelled::Dropped => "dropped".to_owned(),
            Relabelled::Unknown(action) => format!("unknown {action}"),
        }
    }

    #[test]
    fn rules_do_what_prometheus_documents() {
        let rule = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        for (rules, wanted) in [
            (
                r#"[{"source_labels":["__address__"],"target_label":"__param_target"}]"#,
                "__address__=a:1 __param_target=a:1 env=x",
            ),
            (
                r#"[{"source_labels":["__address__"],"regex":"(.*):1","target_label":"t","replacement":"https://$1/"}]"#,
                "__address__=a:1 env=x t=https://a/",
            ),
            (
                r#"[{"source_labels":["__address__"],"regex":"no","target_label":"t"}]"#,
                "__address__=a:1 env=x",
            ),
            (
                r#"[{"target_label":"__address__","replacement":"blackbox:9115"}]"#,
                "__address__=blackbox:9115 env=x",
            ),
            (
                r#"[{"source_labels":["env"],"regex":"x|y","action":"keep"}]"#,
                "__address__=a:1 env=x",
            ),
            (
                r#"[{"source_labels":["env"],"regex":"x","action":"drop"}]"#,
                "dropped",
            ),
            (
                r#"[{"source_labels":["env","__address__"],"separator":"@","target_label":"t"}]"#,
                "__address__=a:1 env=x t=x@a:1",
            ),
            (
                r#"[{"action":"labeldrop","regex":"env"}]"#,
                "__address__=a:1",
            ),
            (
                r#"[{"action":"labelmap","regex":"e(.*)"}]"#,
                "__address__=a:1 env=x nv=x",
            ),
            (
                r#"[{"action":"hashmod","modulus":2,"target_label":"t"}]"#,
                "unknown hashmod",
            ),
            (
                r#"[{"source_labels":["none"],"target_label":"env"}]"#,
                "__address__=a:1",
            ),
        ] {
            assert_eq!(
                run(&[("__address__", "a:1"), ("env", "x")], &rule(rules)),
                wanted,
                "{rules}"
            );
        }
    }
}
