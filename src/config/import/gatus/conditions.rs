//! Gatus' conditions: `[STATUS] == 200`, `[BODY].user.name == pat(*doe)`.
//!
//! Gatus compares texts, whatever the type in the JSON: `== 1.10` holds for `"1.10"`, `== true` for `true` and
//! `"true"`.

use std::time::Duration;

use serde_json::Value;

use super::condition::{Condition, in_capitals};
use crate::config::import::go_duration;
use crate::config::import::name_servers;
use crate::config::import::status_conditions::Statuses;
use crate::config::import::toml_writer::{Entry, Page, Weight, escaped, quoted};
use crate::config::import::yaml::texts_of;
use crate::config::read::scalars;
use crate::domain::dns_record::RecordType;
use crate::domain::json::JsonPath;

fn compares<T: PartialOrd>(operator: &str, left: T, right: T) -> bool {
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
    /// Whether a condition holds for Gatus where the answer is not JSON, or without the value.
    holds_without: bool,
    /// Whether one does not.
    needs_json: bool,
    /// Whether numbers are compared.
    has_numbers: bool,
    /// Whether a pattern matches what Gatus has in place of a missing value.
    finds_missing: bool,
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
    slow(page, entry, &found);
    if found.holds_without && !found.needs_json {
        page.lose(
            Weight::Verdict,
            "conditions that hold for Gatus without the value: an answer that is not JSON is down here",
            &called,
        );
    }
    if found.finds_missing {
        page.lose(
            Weight::Verdict,
            "a pattern that Gatus also finds in `[BODY].. (INVALID)`, its text for a missing value: that is down here",
            &called,
        );
    }
    if found.has_numbers {
        page.lose(
            Weight::Detail,
            "numbers are compared as Gatus does, but one in quotes does not count",
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

/// The same of an endpoint that is no web site.
pub(super) fn of_port(page: &mut Page, entry: &mut Entry, item: &Value) {
    let found = all(page, entry, item);
    let called = entry.called();
    let mut patterns = found.contains.iter().map(|text| escaped(text));
    let pattern = patterns.next().or_else(|| found.matches.first().cloned());
    let wanted = found.contains.len() + found.matches.len();
    if let Some(pattern) = pattern {
        entry.text("expect", &pattern);
    }
    let has_more = wanted > 1 || !found.excludes.is_empty() || !found.json.is_empty();
    if has_more || found.statuses.is_some() || found.status_unknown {
        page.lose(
            Weight::Verdict,
            "conditions that only a web site can meet, or more than one on what the server says",
            &called,
        );
    }
}

/// The same of a host that is pinged.
pub(super) fn of_host(page: &mut Page, entry: &mut Entry, item: &Value) {
    let found = all(page, entry, item);
    if found.is_of_a_site() {
        let what = "conditions that only a web site can meet";
        page.lose(Weight::Verdict, what, &entry.called());
    }
}

/// The same of a name. Gatus keeps one record of an answer, so that others may stand beside it.
pub(super) fn of_name(page: &mut Page, entry: &mut Entry, item: &Value, record_type: RecordType) {
    let called = entry.called();
    let (mut found, mut answers) = (Found::default(), Vec::new());
    for text in item.get("conditions").map(texts_of).unwrap_or_default() {
        let parts = Condition::parse(&text).map(|parts| (in_capitals(parts.left), parts));
        match parts {
            Some((left, parts)) if left == "[DNS_RCODE]" => {
                let is_good = parts.right.eq_ignore_ascii_case("NOERROR");
                if !is_good || parts.operator != "==" {
                    let what = format!("the condition `{text}`; disabled");
                    page.lose(Weight::Unchecked, what, &called);
                    entry.disable("an answer without an error is expected here");
                }
            }
            Some((left, parts)) if left == "[BODY]" => {
                let is_one = parts.operator == "==" && !parts.right.contains("${");
                match is_one && record_type.normal(parts.right).is_some() {
                    true => answers.push(parts.right.to_owned()),
                    false => {
                        let what = format!(
                            "the condition `{text}`; `answers` has whole {record_type} records, as `{}`",
                            record_type.example()
                        );
                        page.lose(Weight::Verdict, what, &called);
                    }
                }
            }
            Some(_) | None => one(page, entry, &mut found, &text),
        }
    }
    slow(page, entry, &found);
    match answers.is_empty() {
        true => page.lose(Weight::Detail, name_servers::EMPTY_IS_DOWN, &called),
        false => {
            entry.texts("answers", &answers);
            entry.text("answers_match", "contains");
        }
    }
    if found.is_of_a_site() {
        let what = "conditions that only a web site can meet";
        page.lose(Weight::Verdict, what, &called);
    }
}

/// Reads all conditions, and carries over when an answer is slow.
fn all(page: &mut Page, entry: &mut Entry, item: &Value) -> Found {
    let mut found = Found::default();
    for text in item.get("conditions").map(texts_of).unwrap_or_default() {
        one(page, entry, &mut found, &text);
    }
    slow(page, entry, &found);
    found
}

fn slow(page: &mut Page, entry: &mut Entry, found: &Found) {
    if let Some(slow) = found.slow_after {
        entry.span("degraded_after", slow);
        entry.text("on_slow", "alert");
        page.lose(
            Weight::Verdict,
            "[RESPONSE_TIME]: a slow answer is degraded here and mailed, but not down",
            &entry.called(),
        );
    }
}

fn one(page: &mut Page, entry: &mut Entry, found: &mut Found, text: &str) {
    let called = entry.called();
    let is_joined = text.contains("||") || text.contains("&&");
    let parts = Condition::parse(text).filter(|_| !is_joined);
    let left = parts.map(|parts| in_capitals(parts.left));
    let parts = parts.map(|parts| Condition {
        left: left.as_deref().unwrap_or(parts.left),
        ..parts
    });
    let understood = match parts.map(|parts| parts.left) {
        Some("[STATUS]") => parts.is_some_and(|parts| status(found, parts)),
        Some("[CONNECTED]") => match parts.map(|parts| (parts.operator, parts.right)) {
            Some(("==", "true") | ("!=", "false")) => true,
            Some(("==", "false") | ("!=", "true")) => {
                let what = format!("the condition `{text}`; disabled");
                page.lose(Weight::Unchecked, what, &called);
                entry.disable("Gatus expects that nothing answers there");
                true
            }
            Some(_) | None => false,
        },
        Some("[RESPONSE_TIME]") => parts.is_some_and(|parts| response_time(found, parts)),
        Some("[CERTIFICATE_EXPIRATION]") => {
            let limit = parts.map_or(String::new(), |parts| {
                format!("{} {}", parts.operator, parts.right)
            });
            page.lose(
                Weight::Detail,
                format!(
                    "[CERTIFICATE_EXPIRATION] {limit}; certificates are warned of by `certificate_expiry` in [alerts], 21, 7 and 1 days before the end"
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
    if text.to_ascii_uppercase().contains("[STATUS]") {
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
    let Condition {
        operator, right, ..
    } = condition;
    let is_equality = matches!(operator, "==" | "!=");
    let good: Box<dyn Fn(u16) -> bool> = match (inside(right, "pat"), inside(right, "any")) {
        (Some(glob), _) if is_equality => {
            let Some(Ok(regex)) = pattern(glob).map(|pattern| scalars::regex(&pattern)) else {
                return false;
            };
            Box::new(move |status| regex.is_match(&status.to_string()))
        }
        (None, Some(list)) if is_equality => {
            let codes: Vec<String> = list.split(',').map(|code| code.trim().to_owned()).collect();
            Box::new(move |status| codes.contains(&status.to_string()))
        }
        _ => {
            let Ok(code) = right.parse::<u64>() else {
                return false;
            };
            let operator = if is_equality { "==" } else { operator }.to_owned();
            Box::new(move |status| compares(&operator, u64::from(status), code))
        }
    };
    let statuses = found.statuses.get_or_insert_with(Statuses::all);
    statuses.keep(|status| good(status) == (operator != "!="));
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

/// A pattern of Go's `filepath.Match` as a regular expression; `None` for one that is malformed, which never matches.
fn pattern(glob: &str) -> Option<String> {
    Some(format!("^(?s:{})$", unanchored(glob)?))
}

fn unanchored(glob: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = glob.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '\\' => out.push_str(&escaped(rest.next()?.encode_utf8(&mut [0; 4]))),
            '[' => {
                let (class, after) = rest.as_str().split_once(']')?;
                let (not, members) = match class.strip_prefix('^') {
                    Some(members) => ("^", members),
                    None => ("", class),
                };
                let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
                if members.is_empty() || !members.chars().all(is_plain) {
                    return None;
                }
                out.push_str(&format!("[{not}{members}]"));
                rest = after.chars();
            }
            c => out.push_str(&escaped(c.encode_utf8(&mut [0; 4]))),
        }
    }
    Some(out)
}

/// The whole body, without white space at its ends.
fn body(found: &mut Found, condition: Condition<'_>) -> bool {
    let Condition {
        operator, right, ..
    } = condition;
    // `pat(*text*)` is a search.
    let searched = inside(right, "pat").map(|glob| {
        let inner = glob
            .strip_prefix('*')
            .and_then(|rest| rest.strip_suffix('*'))
            .filter(|inner| !inner.contains(['*', '?', '[', '\\']) && !inner.is_empty());
        (glob, inner)
    });
    let whole = |inner: &str| format!(r"^\s*(?s:{inner})\s*$");
    match (operator, searched) {
        ("==", Some((_, Some(inner)))) => found.contains.push(inner.to_owned()),
        ("!=", Some((_, Some(inner)))) => found.excludes.push(inner.to_owned()),
        // A variable's value is not known yet, so that it cannot be part of a pattern.
        ("==", _) if right.contains("${") => return false,
        ("==", Some((glob, None))) => {
            return unanchored(glob).is_some_and(|pattern| found.whole(whole(&pattern)));
        }
        ("==", None) => {
            return match inside(right, "any") {
                Some(list) => found.whole(whole(&any(list))),
                None => !right.is_empty() && found.whole(whole(&escaped(right))),
            };
        }
        _ => return false,
    }
    true
}

fn is_pattern(text: &str) -> bool {
    scalars::regex(text).is_ok()
}

fn any(list: &str) -> String {
    let texts: Vec<String> = list.split(',').map(|text| escaped(text.trim())).collect();
    texts.join("|")
}

/// A part of the body by its path.
fn json(found: &mut Found, condition: Condition<'_>) -> bool {
    let Condition {
        left,
        operator,
        right,
    } = condition;
    if let Some(of) = inside(left, "has") {
        let exists = match (operator, right) {
            ("==", "true") | ("!=", "false") => true,
            ("==", "false") | ("!=", "true") => false,
            _ => return false,
        };
        if of == "[BODY]" {
            if exists {
                found.matches.push(r"\S".to_owned());
            }
            return exists;
        }
        let Some(path) = path_of(of) else {
            return false;
        };
        let test = format!("{{ path = {}, exists = {exists} }}", quoted(&path));
        found.json(test, !exists);
        return true;
    }
    if let Some(path) = inside(left, "len").and_then(path_of) {
        let term = format!("length({path})");
        return match (operator, right.parse::<i64>()) {
            ("==", Ok(length)) => found.filter(&format!("{term} == {length}"), true),
            ("!=", Ok(length)) => found.filter(&format!("{term} == {length}"), false),
            (_, Ok(length)) => found.filter_number(&term, operator, length),
            (_, Err(_)) => false,
        };
    }
    let Some(path) = path_of(left) else {
        return false;
    };
    match operator {
        "==" => {
            // Gatus has a text for what is missing, too.
            let missing = format!("{left} (INVALID)");
            if let Some(pattern) = inside(right, "pat").and_then(pattern) {
                if pattern.trim_start_matches("^(?s:").replace(".*", "") == ")$" {
                    return true;
                }
                let regex = scalars::regex(&pattern);
                found.finds_missing |= regex.is_ok_and(|regex| regex.is_match(&missing));
            }
            equality(found, &path, right)
        }
        "!=" => match unlike(&path, right) {
            Some(other) => found.filter(&other, false),
            None => false,
        },
        _ => match limit(right) {
            Some(limit) => {
                found.has_numbers = true;
                found.filter_number(&path, operator, limit)
            }
            None => false,
        },
    }
}

/// A number as Gatus compares it: durations in milliseconds, without what stands behind the point.
fn limit(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: Option<f64> = text.parse().ok().filter(|n: &f64| n.abs() < 1e15);
    match number {
        #[expect(clippy::cast_possible_truncation, reason = "it is far below the end")]
        Some(number) => Some(number.trunc() as i64),
        None => i64::try_from(go_duration::parse(text)?.as_millis()).ok(),
    }
}

impl Found {
    /// Whether something is asked of an answer that only a web site gives.
    fn is_of_a_site(&self) -> bool {
        let has_texts = !self.contains.is_empty() || !self.matches.is_empty();
        let has_more = !self.excludes.is_empty() || !self.json.is_empty();
        has_texts || has_more || self.statuses.is_some() || self.status_unknown
    }

    /// A pattern for the whole body, where it is one.
    fn whole(&mut self, pattern: String) -> bool {
        let is_right = is_pattern(&pattern);
        if is_right {
            self.matches.push(pattern);
        }
        is_right
    }

    fn json(&mut self, test: String, holds_without: bool) {
        self.json.push(test);
        self.holds_without |= holds_without;
        self.needs_json |= !holds_without;
    }

    /// A test of the whole document: a filter that looks at it from the root, so that it holds for all or none of its
    /// members.
    fn filter(&mut self, test: &str, exists: bool) -> bool {
        let path = format!("$[?{test}]");
        let is_right = JsonPath::parse(&path).is_ok();
        if is_right {
            let test = format!("{{ path = {}, exists = {exists} }}", quoted(&path));
            self.json(test, !exists);
        }
        is_right
    }

    /// A comparison of numbers, which Gatus makes without what stands behind the point, and with 0 for what is missing:
    /// where that holds, only the opposite is forbidden.
    fn filter_number(&mut self, term: &str, operator: &str, limit: i64) -> bool {
        if limit.unsigned_abs() > 1 << 52 {
            return false;
        }
        let (operator, bound) = match operator {
            ">" if limit >= 0 => (">=", limit + 1),
            "<" if limit <= 0 => ("<=", limit - 1),
            ">=" if limit <= 0 => (">", limit - 1),
            "<=" if limit >= 0 => ("<", limit + 1),
            other => (other, limit),
        };
        let opposite = match operator {
            ">" => "<=",
            ">=" => "<",
            "<" => ">=",
            _ => ">",
        };
        match compares(operator, 0, bound) {
            true => self.filter(&format!("{term} {opposite} {bound}"), false),
            false => self.filter(&format!("{term} {operator} {bound}"), true),
        }
    }
}

/// `[BODY].a[0].b` as a path of RFC 9535, of one value.
fn path_of(placeholder: &str) -> Option<String> {
    let rest = placeholder.strip_prefix("[BODY]")?;
    let path = format!("${rest}");
    let is_one = !rest.is_empty() && JsonPath::parse(&path).is_ok_and(|path| path.is_singular());
    is_one.then_some(path)
}

/// A value as the text that Gatus makes of it.
fn equality(found: &mut Found, path: &str, right: &str) -> bool {
    let in_path = quoted(path);
    let is_call = inside(right, "any").is_some() || inside(right, "pat").is_some();
    if right.contains("${") && is_call {
        return false;
    }
    // A variable's value is not known yet, so that it cannot be part of a pattern. `1.10` is no number that Gatus would
    // write, so that it stands for a text.
    let is_text = right.contains("${") || is_number(right) && !is_plain_number(right);
    let test = if is_text {
        format!("{{ path = {in_path}, equals = {} }}", quoted(right))
    } else if let Some(glob) = inside(right, "pat") {
        let Some(pattern) = pattern(glob).filter(|pattern| is_pattern(pattern)) else {
            return false;
        };
        format!("{{ path = {in_path}, matches = {} }}", quoted(&pattern))
    } else {
        let list = inside(right, "any").unwrap_or(right);
        let has_numbers = list.split(',').any(|text| is_number(text.trim()));
        if has_numbers {
            // `1.0` is 1 to Gatus.
            return unlike(path, right).is_some_and(|test| found.filter(&test, true));
        }
        let whole = match inside(right, "any") {
            Some(list) => format!("^(?:{})$", any(list)),
            None => format!("^{}$", escaped(right.trim_matches('"'))),
        };
        if !is_pattern(&whole) {
            return false;
        }
        format!("{{ path = {in_path}, matches = {} }}", quoted(&whole))
    };
    found.json(test, false);
    true
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether a number is written as Gatus would write it; a JSON number never has another text there.
fn is_plain_number(text: &str) -> bool {
    let is_whole = text
        .parse::<i64>()
        .is_ok_and(|number| number.to_string() == text);
    let is_part = text.contains('.') && text.parse::<f64>().is_ok_and(|n| n.to_string() == text);
    is_whole || is_part
}

/// The filter that holds where a value is one of these texts.
fn unlike(path: &str, right: &str) -> Option<String> {
    if right.starts_with("pat(") || right.contains(['\'', '\\', '$']) {
        return None;
    }
    let list = inside(right, "any").unwrap_or(right);
    let mut tests = Vec::new();
    for text in list.split(',').map(|text| text.trim().trim_matches('"')) {
        tests.push(format!("{path} == '{text}'"));
        if matches!(text, "true" | "false") || is_plain_number(text) {
            tests.push(format!("{path} == {text}"));
        }
    }
    Some(tests.join(" || "))
}
