//! What Uptime Kuma takes for a good answer.

use serde_json::Value;

use crate::config::import::toml_writer::{Entry, Page, Weight, escaped, literal, quoted};
use crate::config::import::yaml::{is_true, text_at, texts_of};
use crate::config::read::scalars;
use crate::domain::expectation::StatusSet;
use crate::domain::json::JsonPath;

pub(super) fn answer(page: &mut Page, entry: &mut Entry, item: &Value, kind: &str) {
    let called = entry.called();
    let codes = item
        .get("accepted_statuscodes")
        .map(texts_of)
        .unwrap_or_default();
    let (known, unknown): (Vec<String>, Vec<String>) = codes
        .into_iter()
        .partition(|code| StatusSet::member(code).is_ok());
    for code in unknown {
        page.lose(Weight::Verdict, format!("the status `{code}`"), &called);
    }
    if known.is_empty() {
        let what = "no accepted status that is known; the default is 200 to 299";
        page.lose(Weight::Verdict, what, &called);
    } else if known != ["200-299"] {
        entry.texts("expect_status", &known);
    }
    let redirects: Option<u64> = text_at(item, "maxredirects").and_then(|count| count.parse().ok());
    if let Some(count) = redirects {
        entry.redirects(page, count);
    }
    if kind == "keyword"
        && let Some(keyword) = text_at(item, "keyword")
    {
        let is_inverted = item.get("invertKeyword").is_some_and(is_true);
        match (is_inverted, of_json(&keyword)) {
            (false, None) => entry.texts("body_contains", &[literal(&keyword)]),
            (false, Some(pattern)) => entry.texts("body_matches", &[literal(&pattern)]),
            (true, of_json) => {
                entry.texts("body_excludes", &[literal(&keyword)]);
                if of_json.is_some() {
                    let what = "the keyword is a piece of JSON, which must stand in the body without blanks";
                    page.lose(Weight::Verdict, what, &called);
                }
            }
        }
    }
    if kind == "json-query" {
        json_query(page, entry, item);
    }
}

/// Uptime Kuma searches JSON as it writes it itself, without blanks between the values: a keyword that is a piece of it
/// as a pattern for whatever blanks the site writes.
fn of_json(keyword: &str) -> Option<String> {
    let is_mark = |c: char| matches!(c, ':' | ',' | '{' | '}' | '[' | ']');
    let is_piece = keyword.contains('"') && keyword.contains(is_mark);
    if !is_piece || keyword.contains('\\') {
        return None;
    }
    let mut out = String::new();
    let mut in_text = keyword.starts_with(|c: char| c != '"' && !is_mark(c));
    for c in keyword.chars() {
        let escaped = escaped(c.encode_utf8(&mut [0; 4]));
        if c == '"' {
            in_text = !in_text;
        }
        match is_mark(c) && !in_text {
            true => out.push_str(&format!(r"\s*{escaped}\s*")),
            false => out.push_str(&escaped),
        }
    }
    scalars::regex(&out).is_ok().then_some(out)
}

/// Uptime Kuma evaluates JSONata and compares the result as a text. Plain paths are the same in RFC 9535.
fn json_query(page: &mut Page, entry: &mut Entry, item: &Value) {
    let written = text_at(item, "jsonPath").unwrap_or_else(|| "$".to_owned());
    let path = match written.starts_with('$') {
        true => written.clone(),
        false => format!("$.{written}"),
    };
    let expected = text_at(item, "expectedValue").unwrap_or_default();
    let operator = text_at(item, "jsonPathOperator").unwrap_or_else(|| "==".to_owned());
    // The whole answer, a text in JSON's quotes or without them.
    let whole = format!(r#"^\s*"?{}"?\s*$"#, escaped(&expected));
    if path == "$" && operator == "==" && scalars::regex(&whole).is_ok() {
        entry.texts("body_matches", &[literal(&whole)]);
        return;
    }
    if matches!(operator.as_str(), "<" | ">" | "<=" | ">=") {
        let what = "numbers are compared, but one in quotes does not count";
        page.lose(Weight::Detail, what, &entry.called());
    }
    match test(&path, &operator, &expected) {
        Some(test) => entry.set("json", format!("[{test}]")),
        None => page.lose(
            Weight::Verdict,
            format!("the JSON query `{written} {operator} {expected}`"),
            &entry.called(),
        ),
    }
}

fn test(path: &str, operator: &str, expected: &str) -> Option<String> {
    let is_path = |path: &str| JsonPath::parse(path).is_ok();
    // A filter looks at what is inside the root, and JSONata has its own rules for several values.
    if path == "$" || !JsonPath::parse(path).is_ok_and(|path| path.is_singular()) {
        return None;
    }
    let with_filter = |condition: String, exists: bool| {
        let path = format!("$[?{condition}]");
        is_path(&path).then(|| {
            format!(
                "{{ path = {}, exists = {exists} }}",
                quoted(&literal(&path))
            )
        })
    };
    let number: Option<f64> = expected.parse().ok().filter(|n: &f64| n.is_finite());
    let escaped = escaped(expected);
    if matches!(operator, "==" | "contains") && scalars::regex(&format!("^{escaped}$")).is_err() {
        return None;
    }
    let quotable = !expected.contains(['\'', '\\']);
    let compared = match operator {
        // `1.0` is 1 to JavaScript.
        "==" if is_plain_number(expected) => {
            return with_filter(
                format!("{path} == '{expected}' || {path} == {expected}"),
                true,
            );
        }
        // It would not write a number like `1.10`.
        "==" if number.is_some() => format!("equals = {}", quoted(&literal(expected))),
        "==" => format!("matches = {}", quoted(&literal(&format!("^{escaped}$")))),
        "contains" => {
            let one = with_filter(is_one(path), true)?;
            let matches = quoted(&literal(&escaped));
            let path = quoted(&literal(path));
            return Some(format!("{one}, {{ path = {path}, matches = {matches} }}"));
        }
        "<" => format!("less_than = {:?}", number?),
        ">" => format!("greater_than = {:?}", number?),
        "<=" | ">=" => return with_filter(format!("{path} {operator} {}", number?), true),
        "!=" if quotable => {
            let mut condition = format!("{} && {path} != '{expected}'", is_one(path));
            if is_plain_number(expected) || matches!(expected, "true" | "false") {
                condition = format!("{condition} && {path} != {expected}");
            }
            return with_filter(condition, true);
        }
        _ => return None,
    };
    Some(format!(
        "{{ path = {}, {compared} }}",
        quoted(&literal(path))
    ))
}

/// The condition that a value is a text, a number or a flag: without one, or with a list, Uptime Kuma is down.
fn is_one(path: &str) -> String {
    format!("({path} >= '' || {path} <= 0 || {path} > 0 || {path} == true || {path} == false)")
}

/// Whether a number is written as JavaScript would write it.
fn is_plain_number(text: &str) -> bool {
    let is_whole = text
        .parse::<i64>()
        .is_ok_and(|number| number.to_string() == text);
    let is_part = text.contains('.') && text.parse::<f64>().is_ok_and(|n| n.to_string() == text);
    is_whole || is_part
}
