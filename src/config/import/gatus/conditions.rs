//! Gatus' conditions: `[STATUS] == 200`, `[BODY].user.name == pat(*doe)`.
//!
//! Gatus compares texts, whatever the type in the JSON: `== 1.10` holds for `"1.10"`, `== true` for `true` and `"true"`.

use std::time::Duration;

use serde_json::Value;

use crate::config::import::go_duration;
use crate::config::import::page::{Entry, Page, Weight, quoted};
use crate::config::import::statuses::Statuses;
use crate::config::import::yaml::texts_of;
use crate::domain::json::JsonPath;

/// A condition taken apart: what is looked at, how, and against what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition<'a> {
    left: &'a str,
    operator: &'a str,
    right: &'a str,
}

const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

impl<'a> Condition<'a> {
    /// The first operator counts; of two that begin at one place the longer one.
    fn parse(text: &'a str) -> Option<Self> {
        let (at, operator) = OPERATORS
            .into_iter()
            .filter_map(|operator| Some((text.find(operator)?, operator)))
            .min_by_key(|(at, operator)| (*at, std::cmp::Reverse(operator.len())))?;
        let condition = Self {
            left: text[..at].trim(),
            operator,
            right: text[at + operator.len()..].trim(),
        };
        // `200 == [STATUS]` is the same the other way round.
        let is_turned = condition.right.contains('[') && !condition.left.contains('[');
        Some(if is_turned {
            condition.turned()
        } else {
            condition
        })
    }

    fn turned(self) -> Self {
        Self {
            left: self.right,
            operator: match self.operator {
                "<" => ">",
                "<=" => ">=",
                ">" => "<",
                ">=" => "<=",
                other => other,
            },
            right: self.left,
        }
    }
}

fn compares(operator: &str, left: u64, right: u64) -> bool {
    match operator {
        "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        _ => left >= right,
    }
}

fn inside<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    text.strip_prefix(function)?
        .strip_prefix('(')?
        .strip_suffix(')')
}

#[derive(Default)]
struct Found {
    /// Good statuses, once a condition is on them.
    statuses: Option<Statuses>,
    /// Whether a condition on the status is not understood.
    status_unknown: bool,
    slow_after: Option<Duration>,
    contains: Vec<String>,
    excludes: Vec<String>,
    matches: Vec<String>,
    json: Vec<String>,
}

/// Carries the conditions of an endpoint over.
pub(super) fn conditions(page: &mut Page, entry: &mut Entry, item: &Value) {
    let mut found = Found::default();
    for text in item.get("conditions").map(texts_of).unwrap_or_default() {
        one(page, entry, &mut found, &text);
    }
    let called = entry.called();
    match &found.statuses {
        // The default, 200 to 299, is the safe side.
        _ if found.status_unknown => entry.comment(
            "a condition on [STATUS] was not understood: write expect_status, as [200, 404] or [\"2xx\", \"3xx\"]",
        ),
        Some(statuses) => match statuses.toml() {
            Some(list) => entry.set("expect_status", list),
            None => page.lose(
                Weight::Verdict,
                "conditions on [STATUS] that exclude each other",
                &called,
            ),
        },
        // Without a condition on the status every answer is good.
        None => entry.set("expect_status", "[\"100-599\"]"),
    }
    if let Some(slow) = found.slow_after {
        entry.span("degraded_after", slow);
        entry.text("on_slow", "alert");
        page.lose(
            Weight::Verdict,
            "[RESPONSE_TIME]: a slow answer is degraded here and mailed, but not down",
            &called,
        );
    }
    entry.texts("body_contains", &found.contains);
    entry.texts("body_excludes", &found.excludes);
    entry.texts("body_matches", &found.matches);
    if !found.json.is_empty() {
        entry.set("json", format!("[{}]", found.json.join(", ")));
    }
}

fn one(page: &mut Page, entry: &mut Entry, found: &mut Found, text: &str) {
    let called = entry.called();
    let is_joined = text.contains("||") || text.contains("&&");
    let parts = Condition::parse(text).filter(|_| !is_joined);
    let understood = match parts.map(|parts| parts.left) {
        Some("[STATUS]") => parts.is_some_and(|parts| status(found, parts)),
        Some("[CONNECTED]") => {
            parts.is_some_and(|parts| parts.operator == "==" && parts.right == "true")
        }
        Some("[RESPONSE_TIME]") => parts.is_some_and(|parts| response_time(found, parts)),
        Some("[CERTIFICATE_EXPIRATION]") => {
            let limit = parts.map_or("", |parts| parts.right);
            page.lose(
                Weight::Detail,
                format!(
                    "[CERTIFICATE_EXPIRATION] > {limit}; certificates are warned of by `certificate_expiry` in [alerts], 21, 7 and 1 days before the end"
                ),
                &called,
            );
            true
        }
        Some("[BODY]") => parts.is_some_and(|parts| body(found, parts)),
        Some(_) => parts.is_some_and(|parts| json(found, parts)),
        None => false,
    };
    if understood {
        return;
    }
    if text.contains("[STATUS]") {
        found.status_unknown = true;
        let what = format!(
            "the condition `{text}`, which is none of Gatus' forms; several statuses are written `[STATUS] == any(200, 404)`"
        );
        page.lose(Weight::Verdict, what, &called);
    } else {
        page.lose(Weight::Verdict, format!("the condition `{text}`"), &called);
    }
}

fn status(found: &mut Found, condition: Condition<'_>) -> bool {
    let codes: Option<Vec<u64>> = match inside(condition.right, "any") {
        Some(list) => list
            .split(',')
            .map(|code| code.trim().parse().ok())
            .collect(),
        None => condition.right.parse().ok().map(|code| vec![code]),
    };
    let Some(codes) = codes else { return false };
    let statuses = found.statuses.get_or_insert_with(Statuses::all);
    let is_any = condition.operator != "!=";
    statuses.keep(|status| {
        let mut compared = codes
            .iter()
            .map(|code| compares(condition.operator, u64::from(status), *code));
        if is_any {
            compared.any(|holds| holds)
        } else {
            compared.all(|holds| holds)
        }
    });
    true
}

/// A bare number is milliseconds. The smallest limit counts.
fn response_time(found: &mut Found, condition: Condition<'_>) -> bool {
    let limit = match condition.right.parse() {
        Ok(ms) => Some(Duration::from_millis(ms)),
        Err(_) => go_duration::parse(condition.right),
    };
    match limit {
        Some(limit) if condition.operator.starts_with('<') && !limit.is_zero() => {
            found.slow_after = Some(found.slow_after.map_or(limit, |known| known.min(limit)));
            true
        }
        Some(_) | None => false,
    }
}

/// A pattern with `*` for anything, as a regular expression.
fn pattern(glob: &str) -> String {
    let parts: Vec<String> = glob.split('*').map(regex::escape).collect();
    format!("^(?s:{})$", parts.join(".*"))
}

/// The whole body.
fn body(found: &mut Found, condition: Condition<'_>) -> bool {
    let Condition {
        operator, right, ..
    } = condition;
    // `pat(*text*)` is a search.
    let searched = inside(right, "pat").map(|glob| {
        let inner = glob
            .strip_prefix('*')
            .and_then(|rest| rest.strip_suffix('*'))
            .filter(|inner| !inner.contains('*') && !inner.is_empty());
        (glob, inner)
    });
    match (operator, searched) {
        ("==", Some((_, Some(inner)))) => found.contains.push(inner.to_owned()),
        ("!=", Some((_, Some(inner)))) => found.excludes.push(inner.to_owned()),
        ("==", Some((glob, None))) => found.matches.push(pattern(glob)),
        ("==", None) => match inside(right, "any") {
            Some(list) => found.matches.push(format!(r"^\s*(?:{})\s*$", any(list))),
            None if right.is_empty() => return false,
            None => found
                .matches
                .push(format!(r"^\s*{}\s*$", regex::escape(right))),
        },
        _ => return false,
    }
    true
}

fn any(list: &str) -> String {
    let texts: Vec<String> = list
        .split(',')
        .map(|text| regex::escape(text.trim()))
        .collect();
    texts.join("|")
}

/// A part of the body by its path.
fn json(found: &mut Found, condition: Condition<'_>) -> bool {
    let Condition {
        left,
        operator,
        right,
    } = condition;
    if let Some(path) = inside(left, "has").and_then(path_of) {
        let exists = match (operator, right) {
            ("==", "true") | ("!=", "false") => true,
            ("==", "false") | ("!=", "true") => false,
            _ => return false,
        };
        let path = quoted(&path);
        found
            .json
            .push(format!("{{ path = {path}, exists = {exists} }}"));
        return true;
    }
    if let Some(path) = inside(left, "len").and_then(path_of) {
        let Ok(length) = right.parse::<u64>() else {
            return false;
        };
        filter(found, &format!("length({path}) {operator} {length}"), true);
        return true;
    }
    let Some(path) = path_of(left) else {
        return false;
    };
    let number = right
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite());
    let test = match (operator, number) {
        ("==", _) => equality(right),
        ("!=", _) => {
            let Some(other) = unlike(&path, right) else {
                return false;
            };
            filter(found, &other, false);
            return true;
        }
        ("<", Some(number)) => format!("less_than = {number:?}"),
        (">", Some(number)) => format!("greater_than = {number:?}"),
        (_, Some(number)) => {
            filter(found, &format!("{path} {operator} {number}"), true);
            return true;
        }
        (_, None) => return false,
    };
    found
        .json
        .push(format!("{{ path = {}, {test} }}", quoted(&path)));
    true
}

/// `[BODY].a[0].b` as a path of RFC 9535.
fn path_of(placeholder: &str) -> Option<String> {
    let rest = placeholder.strip_prefix("[BODY]")?;
    let path = format!("${rest}");
    JsonPath::parse(&path).is_ok().then_some(path)
}

/// The whole of a value as a text, whatever its type.
fn equality(right: &str) -> String {
    if right.contains("${") {
        // A variable's value is not known yet, so that it cannot be part of a pattern.
        return format!("equals = {}", quoted(right));
    }
    let whole = match (inside(right, "pat"), inside(right, "any")) {
        (Some(glob), _) => pattern(glob),
        (None, Some(list)) => format!("^(?:{})$", any(list)),
        (None, None) => format!("^{}$", regex::escape(right.trim_matches('"'))),
    };
    format!("matches = {}", quoted(&whole))
}

/// The filter that holds where a value is one of the texts that it must not be.
fn unlike(path: &str, right: &str) -> Option<String> {
    if right.starts_with("pat(") || right.contains(['\'', '\\', '$']) {
        return None;
    }
    let list = inside(right, "any").unwrap_or(right);
    let mut tests = Vec::new();
    for text in list.split(',').map(|text| text.trim().trim_matches('"')) {
        tests.push(format!("{path} == '{text}'"));
        let is_literal = matches!(text, "true" | "false") || text.parse::<i64>().is_ok();
        if is_literal {
            tests.push(format!("{path} == {text}"));
        }
    }
    Some(tests.join(" || "))
}

/// A test of the whole document: a filter that looks at it from the root, so that it holds for all or none of its
/// members.
fn filter(found: &mut Found, test: &str, exists: bool) {
    let path = format!("$[?{test}]");
    if JsonPath::parse(&path).is_ok() {
        let path = quoted(&path);
        found
            .json
            .push(format!("{{ path = {path}, exists = {exists} }}"));
    }
}
