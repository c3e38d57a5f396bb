//! What Uptime Kuma takes for a good answer.

use serde_json::Value;

use crate::config::import::page::{Entry, Page, Weight, literal, quoted};
use crate::config::import::yaml::{is_true, text_at, texts_of};
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
    if !known.is_empty() && known != ["200-299"] {
        entry.texts("expect_status", &known);
    }
    let redirects: Option<u64> = text_at(item, "maxredirects").and_then(|count| count.parse().ok());
    match redirects {
        Some(0) => entry.set("follow_redirects", "false"),
        Some(10) | None => {}
        Some(count) => entry.set("max_redirects", count.min(50).to_string()),
    }
    if kind == "keyword"
        && let Some(keyword) = text_at(item, "keyword")
    {
        let key = match item.get("invertKeyword").is_some_and(is_true) {
            true => "body_excludes",
            false => "body_contains",
        };
        entry.texts(key, &[literal(&keyword)]);
    }
    if kind == "json-query" {
        json_query(page, entry, item);
    }
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
    if !is_path(path) {
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
    let escaped = regex::escape(expected);
    let quotable = !expected.contains(['\'', '\\']);
    let compared = match operator {
        "==" => format!("matches = {}", quoted(&literal(&format!("^{escaped}$")))),
        "contains" => format!("matches = {}", quoted(&literal(&escaped))),
        "<" => format!("less_than = {:?}", number?),
        ">" => format!("greater_than = {:?}", number?),
        "<=" | ">=" => return with_filter(format!("{path} {operator} {}", number?), true),
        "!=" if quotable => {
            let mut condition = format!("{path} == '{expected}'");
            if number.is_some() || matches!(expected, "true" | "false") {
                condition = format!("{condition} || {path} == {expected}");
            }
            return with_filter(condition, false);
        }
        _ => return None,
    };
    Some(format!(
        "{{ path = {}, {compared} }}",
        quoted(&literal(path))
    ))
}
