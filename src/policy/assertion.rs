//! Assertions on headers and bodies.

use regex::Regex;
use serde_json::Value;

use super::content::{Content, Tail};
use crate::domain::check::FailureKind;
use crate::domain::expectation::{Expectation, JsonAssertion, JsonTest, TextMatch};
use crate::domain::probe::Answer;
use crate::domain::text;

/// Values in a detail are cut to this many characters.
const SHOWN_CHARS: usize = 120;

/// A value from outside or from the configuration, quoted in one safe line.
fn quoted(value: &str) -> String {
    format!("`{}`", text::middle(&text::line(value, 4000), SHOWN_CHARS))
}

/// A wanted text as it is written.
pub(super) fn shown_match(want: &TextMatch) -> String {
    match want {
        TextMatch::Exact(exact) => quoted(exact),
        TextMatch::Pattern(pattern) => format!("/{}/", text::line(pattern.as_str(), SHOWN_CHARS)),
    }
}

fn is_match(want: &TextMatch, value: &str) -> bool {
    match want {
        TextMatch::Exact(exact) => exact == value,
        TextMatch::Pattern(pattern) => pattern.is_match(value),
    }
}

/// One line about the first header assertion that no value meets.
pub(super) fn unmet_header(wanted: &[(String, TextMatch)], answer: &Answer) -> Option<String> {
    wanted.iter().find_map(|(name, want)| {
        let mut found = None;
        for (field, value) in &answer.headers {
            if field.eq_ignore_ascii_case(name) {
                let value = String::from_utf8_lossy(value);
                if is_match(want, value.trim()) {
                    return None;
                }
                found.get_or_insert(value);
            }
        }
        let want = shown_match(want);
        Some(match found {
            Some(value) => format!("header {name} is {}, not {want}", quoted(&value)),
            None => format!("header {name} is missing, expected {want}"),
        })
    })
}

/// The first assertion on the body that is not met.
pub(super) fn unmet_body(
    expectation: &Expectation,
    content: &Content,
) -> Option<(FailureKind, String)> {
    // Where the end of a body was not read, only what is there can be told for certain.
    let undecided = |kind: FailureKind, what: String| {
        let (kind, why) = match content.tail() {
            Tail::Whole => return Some((kind, format!("{what} in the body"))),
            Tail::Limit => (FailureKind::BodyTooLarge, "max_body ends there"),
            Tail::Broken => (kind, "the body's content coding breaks off there"),
        };
        let detail = format!("{what} within the first {} bytes, and {why}", content.len());
        Some((kind, detail))
    };
    for needle in &expectation.body_contains {
        if !content.contains(needle) {
            let what = format!("{} does not occur", quoted(needle));
            return undecided(FailureKind::Body, what);
        }
    }
    for needle in &expectation.body_excludes {
        if content.contains(needle) {
            let detail = format!("{} occurs in the body and must not", quoted(needle));
            return Some((FailureKind::Body, detail));
        }
    }
    for pattern in &expectation.body_matches {
        if !pattern.is_match(content.text()) {
            let what = format!(
                "/{}/ matches nothing",
                text::line(pattern.as_str(), SHOWN_CHARS)
            );
            return undecided(FailureKind::Body, what);
        }
    }
    if content.tail() != Tail::Whole {
        if let Some(needle) = expectation.body_excludes.first() {
            let what = format!("{} does not occur", quoted(needle));
            return undecided(FailureKind::Body, what);
        }
        if !expectation.json.is_empty() {
            return undecided(FailureKind::Json, "the JSON does not end".to_owned());
        }
    }
    unmet_json(&expectation.json, content).map(|detail| (FailureKind::Json, detail))
}

fn unmet_json(wanted: &[JsonAssertion], content: &Content) -> Option<String> {
    if wanted.is_empty() {
        return None;
    }
    let text = content.text();
    let value: Value = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(value) => value,
        Err(error) => {
            return Some(format!(
                "the body is no JSON (line {}, column {}): it begins {}",
                error.line(),
                error.column(),
                quoted(text.get(..text.floor_char_boundary(200)).unwrap_or(text))
            ));
        }
    };
    wanted.iter().find_map(|assertion| {
        let nodes = assertion.path.query(&value).all();
        let path = &assertion.path_text;
        let shown = || match nodes.as_slice() {
            [] => "is not there".to_owned(),
            [one] => format!("is {}", quoted(&one.to_string())),
            [first, more @ ..] => {
                format!("is {} and {} more", quoted(&first.to_string()), more.len())
            }
        };
        let (met, want) = match &assertion.test {
            JsonTest::Equals(want) => (
                nodes.iter().any(|node| is_equal(node, want)),
                format!("not {}", quoted(&want.to_string())),
            ),
            JsonTest::Exists(true) => (!nodes.is_empty(), "and must be".to_owned()),
            JsonTest::Exists(false) => (nodes.is_empty(), "and must not be there".to_owned()),
            JsonTest::Matches(pattern) => (
                nodes.iter().any(|node| matches(pattern, node)),
                format!(
                    "and does not match /{}/",
                    text::line(pattern.as_str(), SHOWN_CHARS)
                ),
            ),
            JsonTest::LessThan(limit) => (
                numbers(&nodes).any(|number| number < *limit),
                format!("not less than {limit}"),
            ),
            JsonTest::GreaterThan(limit) => (
                numbers(&nodes).any(|number| number > *limit),
                format!("not greater than {limit}"),
            ),
        };
        (!met).then(|| format!("{path} {}, {want}", shown()))
    })
}

fn numbers<'a>(nodes: &'a [&Value]) -> impl Iterator<Item = f64> + 'a {
    nodes.iter().filter_map(|node| node.as_f64())
}

fn matches(pattern: &Regex, node: &Value) -> bool {
    match node {
        Value::String(text) => pattern.is_match(text),
        other => pattern.is_match(&other.to_string()),
    }
}

/// Equal as JSON values: `1` is `1.0`.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| is_equal(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::domain::check::HttpVersion;
    use crate::domain::expectation::StatusSet;
    use crate::domain::probe::Hop;

    fn answer(headers: &[(&str, &str)], body: &str, cut: bool) -> Answer {
        Answer {
            hop: Hop {
                url: "http://site.test/".into(),
                status: 200,
                location: None,
                remote_addr: None,
                took: Duration::ZERO,
            },
            http_version: HttpVersion::Http11,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body: body.as_bytes().to_vec(),
            body_bytes: body.len() as u64,
            body_cut: cut,
            retry_after_s: None,
            credentials_dropped: false,
        }
    }

    fn expectation() -> Expectation {
        Expectation {
            status: StatusSet::parse(["2xx"]).unwrap(),
            final_url: None,
            headers: Vec::new(),
            body_contains: Vec::new(),
            body_excludes: Vec::new(),
            body_matches: Vec::new(),
            json: Vec::new(),
            degraded_after: None,
            certificate_expiry: Vec::new(),
        }
    }

    fn check_json(body: &str, path: &str, test: JsonTest, want: &str) {
        let answer = answer(&[], body, false);
        let wanted = vec![JsonAssertion {
            path_text: path.to_owned(),
            path: serde_json_path::JsonPath::parse(path).unwrap(),
            test,
        }];
        let content = Content::of(&answer, 1 << 20).unwrap();
        let got = unmet_json(&wanted, &content).unwrap_or_default();
        assert_eq!(got, want);
    }

    #[test]
    fn json_is_asked_by_path() {
        let body =
            r#"{"status": "ok", "load": 0.5, "nodes": [{"up": true}, {"up": false}], "n": 1}"#;
        let equals = JsonTest::Equals;
        check_json(body, "$.status", equals(json!("ok")), "");
        check_json(
            body,
            "$.status",
            equals(json!("bad")),
            "$.status is `\"ok\"`, not `\"bad\"`",
        );
        check_json(body, "$.n", equals(json!(1.0)), "");
        check_json(body, "$.nodes[*].up", equals(json!(false)), "");
        check_json(
            body,
            "$.none",
            equals(json!(1)),
            "$.none is not there, not `1`",
        );
        check_json(body, "$.none", JsonTest::Exists(false), "");
        check_json(
            body,
            "$.none",
            JsonTest::Exists(true),
            "$.none is not there, and must be",
        );
        check_json(
            body,
            "$.nodes[*].up",
            JsonTest::Exists(false),
            "$.nodes[*].up is `true` and 1 more, and must not be there",
        );
        check_json(body, "$.load", JsonTest::LessThan(1.0), "");
        check_json(
            body,
            "$.load",
            JsonTest::GreaterThan(1.0),
            "$.load is `0.5`, not greater than 1",
        );
        check_json(
            body,
            "$.status",
            JsonTest::Matches(Regex::new("^o").unwrap()),
            "",
        );
        check_json(
            body,
            "$.n",
            JsonTest::Matches(Regex::new("^1$").unwrap()),
            "",
        );
        check_json(
            "<html>",
            "$.a",
            JsonTest::Exists(true),
            "the body is no JSON (line 1, column 1): it begins `<html>`",
        );
        check_json("\u{feff}{\"a\": 1}", "$.a", JsonTest::Exists(true), "");
    }

    #[test]
    fn headers_are_met_by_any_value() {
        let answer = answer(
            &[("vary", "a"), ("vary", "b"), ("x", "evil\r\n\u{1b}")],
            "",
            false,
        );
        let exact = |name: &str, value: &str| {
            let wanted = vec![(name.to_owned(), TextMatch::Exact(value.to_owned()))];
            unmet_header(&wanted, &answer).unwrap_or_default()
        };
        assert_eq!(exact("Vary", "b"), "");
        assert_eq!(exact("Vary", "c"), "header Vary is `a`, not `c`");
        assert_eq!(exact("X", "y"), "header X is `evil`, not `y`");
        assert_eq!(exact("Etag", "y"), "header Etag is missing, expected `y`");
    }

    #[test]
    fn what_was_not_read_decides_nothing() {
        type Change = fn(&mut Expectation);
        let cases: [(&str, bool, Change, &str); 6] = [
            ("abc", false, |e| e.body_contains = vec!["b".into()], ""),
            ("abc", true, |e| e.body_contains = vec!["b".into()], ""),
            ("abc", false, |e| e.body_contains = vec!["z".into()], "body"),
            (
                "abc",
                true,
                |e| e.body_contains = vec!["z".into()],
                "body_too_large",
            ),
            ("abc", true, |e| e.body_excludes = vec!["b".into()], "body"),
            (
                "abc",
                true,
                |e| e.body_excludes = vec!["z".into()],
                "body_too_large",
            ),
        ];
        for (body, cut, change, want) in cases {
            let mut expectation = expectation();
            change(&mut expectation);
            let answer = answer(&[], body, cut);
            let content = Content::of(&answer, 1 << 20).unwrap();
            let got = unmet_body(&expectation, &content);
            assert_eq!(
                got.map_or("", |(kind, _)| kind.as_str()),
                want,
                "{body} {cut}"
            );
        }
    }
}
