//! Random conditions of Gatus and monitors of Uptime Kuma, judged by a model of each tool's documented rules and by what
//! the import writes: they agree, or a line names the monitor.

use serde_json::{Value, json};

use super::corpus::answered;
use super::*;

const BODIES: [&str; 18] = [
    "{}",
    "[]",
    "html",
    "",
    " UP\n",
    "{\"a\":5}",
    "{\"a\":\"5\"}",
    "{\"a\":5.5}",
    "{\"a\":5.0}",
    "{\"a\":\"UP\"}",
    "{\"a\": true}",
    "{\"a\":\"true\"}",
    "{\"a\":[1,2]}",
    "{\"a\":{\"b\":-1}}",
    "{\"a\":{\"b\":\"x y\"}}",
    "{\"a\":0}",
    "{\"a\":\"1.10\"}",
    "{\"a\":\"\"}",
];

/// A number as Go and JavaScript write it; those of the bodies are small.
fn number_text(number: &serde_json::Number) -> String {
    number.as_f64().unwrap().to_string()
}

mod gatus_rules {
    use super::*;

    fn walk<'v>(root: &'v Value, path: &str) -> Option<&'v Value> {
        path.split('.')
            .filter(|key| !key.is_empty())
            .try_fold(root, |value, key| value.get(key))
    }

    fn text(value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number_text(number)),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    fn resolve(element: &str, status: u16, body: &str) -> String {
        let inner = |function: &str| {
            element
                .strip_prefix(function)
                .and_then(|rest| rest.strip_suffix(')'))
        };
        let missing = format!("{element} (INVALID)");
        let document: Option<Value> = serde_json::from_str(body).ok();
        let at = |path: &str| {
            let path = path.strip_prefix("[BODY]")?;
            walk(document.as_ref()?, path).cloned()
        };
        if element == "[STATUS]" {
            return status.to_string();
        }
        if element == "[BODY]" {
            return body.trim().to_owned();
        }
        if let Some(path) = inner("has(") {
            return match path {
                "[BODY]" => (!body.trim().is_empty()).to_string(),
                path => at(path).is_some().to_string(),
            };
        }
        if let Some(path) = inner("len(") {
            return match at(path) {
                Some(Value::Array(items)) => items.len().to_string(),
                Some(other) => text(&other).map_or(missing, |text| text.len().to_string()),
                None => missing,
            };
        }
        if element.starts_with("[BODY].") {
            return at(element)
                .and_then(|value| text(&value))
                .unwrap_or(missing);
        }
        element.to_owned()
    }

    /// `*` and `?` only; the generator makes no others.
    fn glob(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => glob(rest, text),
            (Some(('*', rest)), Some((_, more))) => glob(rest, text) || glob(pattern, more),
            (Some(('?', rest)), Some((_, more))) => glob(rest, more),
            (Some((wanted, rest)), Some((got, more))) => wanted == got && glob(rest, more),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    fn equal(left: &str, right: &str) -> bool {
        let inner = |function: &str| {
            right
                .strip_prefix(function)
                .and_then(|rest| rest.strip_suffix(')'))
        };
        if let Some(pattern) = inner("pat(") {
            let characters = |text: &str| text.chars().collect::<Vec<char>>();
            return glob(&characters(pattern), &characters(left));
        }
        if let Some(list) = inner("any(") {
            return list.split(',').any(|option| option.trim() == left);
        }
        match (left.parse::<i64>(), right.parse::<i64>()) {
            (Ok(left), Ok(right)) => left == right,
            _ => left == right,
        }
    }

    fn number(text: &str) -> i64 {
        match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => number,
            (Err(_), Ok(number)) => number as i64,
            (Err(_), Err(_)) => 0,
        }
    }

    pub fn holds(left: &str, operator: &str, right: &str, status: u16, body: &str) -> bool {
        let left = resolve(left, status, body);
        match operator {
            "==" => equal(&left, right),
            "!=" => !equal(&left, right),
            "<=" => number(&left) <= number(right),
            ">=" => number(&left) >= number(right),
            ">" => number(&left) > number(right),
            _ => number(&left) < number(right),
        }
    }
}

#[test]
fn the_model_of_gatus_is_that_of_its_documentation() {
    for (left, operator, right, body, wanted) in [
        ("[STATUS]", "==", "any(200, 429)", "", true),
        ("[STATUS]", "<", "300", "", true),
        ("[BODY].a", "==", "pat(?P*)", "{\"a\":\"UP\"}", true),
        ("len([BODY].a)", "<", "5", "{\"a\":[1]}", true),
        ("has([BODY].b)", "==", "false", "{\"a\":[1]}", true),
        ("[BODY].a", "==", "5", "{\"a\":\"05\"}", true),
        ("[BODY].a", ">", "5", "{\"a\":5.9}", false),
    ] {
        let got = gatus_rules::holds(left, operator, right, 200, body);
        assert_eq!(got, wanted, "{left} {operator} {right}");
    }
}

proptest::proptest! {
    #![proptest_config(crate::support::cases::cases(1500))]
    #[test]
    fn conditions_hold_as_gatus_has_them(
        left in "\\[STATUS\\]|\\[BODY\\]|\\[BODY\\]\\.a(\\.b)?|len\\(\\[BODY\\]\\.a\\)|has\\(\\[BODY\\](\\.a)?\\)",
        operator in "==|!=|<|<=|>|>=",
        right in "-?[0-6](\\.5)?|1\\.10|20[0-4]|[45]0[0-4]|UP|true|false|html|x y|any\\((5|UP|200), (true|404|x)\\)|pat\\([*?]?(U|2|h|x)?[*?]?[P*]?\\)",
        status in proptest::sample::select(vec![200_u16, 204, 301, 404, 500]),
        body in proptest::sample::select(BODIES.to_vec()),
    ) {
        let condition = format!("{left} {operator} {right}");
        let text = json!({ "endpoints": [{
            "name": "x", "url": "https://a.example/", "conditions": ["[CONNECTED] == true", condition],
        }] });
        let imported = import::gatus(&[source(&text.to_string())]).unwrap();
        let config = loaded(&imported);
        let check = answered(&config.monitors[0], status, Vec::new(), body.as_bytes().to_vec());
        let wanted = gatus_rules::holds(&left, &operator, &right, status, body);
        // What a number in quotes, or the length of what is no list, makes of a comparison is said.
        let is_named = imported.left_out.iter().any(|line| line.ends_with(": x"));
        let is_length_of_other = left.starts_with("len(") && !body.contains("[1");
        proptest::prop_assert!(
            check.verdict.is_good() == wanted || is_named || is_length_of_other,
            "{condition} on {status} {body:?}: wanted {wanted}, got {:?}\n{}",
            check.verdict, imported.toml,
        );
    }

    #[test]
    fn answers_count_as_uptime_kuma_has_them(
        kind in "http|keyword|json-query",
        codes in proptest::sample::select(vec![vec!["200-299"], vec!["200-299", "404"], vec!["500"]]),
        keyword in "UP|\"a\":5|\"a\":\"UP\"|html|true",
        is_inverted in proptest::bool::ANY,
        path in "\\$\\.a|a|\\$\\.a\\.b|\\$",
        operator in "==|!=|<|<=|>|>=|contains",
        expected in "-?[0-6]|UP|true|5\\.5|1\\.10|html",
        status in proptest::sample::select(vec![200_u16, 204, 301, 404, 500]),
        body in proptest::sample::select(BODIES.to_vec()),
    ) {
        let monitor = json!([{
            "id": 1, "name": "x", "type": kind, "url": "https://a.example/", "interval": 60,
            "accepted_statuscodes": codes, "keyword": keyword, "invertKeyword": is_inverted,
            "jsonPath": path, "jsonPathOperator": operator, "expectedValue": expected,
        }]);
        let imported = import::uptime_kuma(&monitor.to_string()).unwrap();
        let config = loaded(&imported);
        let check = answered(&config.monitors[0], status, Vec::new(), body.as_bytes().to_vec());
        let accepted = codes.iter().any(|code| {
            let (low, high) = code.split_once('-').unwrap_or((code, code));
            (low.parse().unwrap()..=high.parse().unwrap()).contains(&status)
        });
        let document: Option<Value> = serde_json::from_str(body).ok();
        let wanted = accepted && match kind.as_str() {
            "http" => true,
            "keyword" => {
                // What is JSON is written again, without blanks.
                let text = document.as_ref().map_or(body.to_owned(), |value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                text.contains(&keyword) != is_inverted
            }
            _ => kuma_query(document.as_ref(), body, &path, &operator, &expected),
        };
        let is_named = imported.left_out.iter().any(|line| line.ends_with(": x"));
        proptest::prop_assert!(
            check.verdict.is_good() == wanted || is_named,
            "{kind} {keyword} {is_inverted} {path} {operator} {expected} on {status} {body:?}: wanted {wanted}, got {:?}\n{}",
            check.verdict, imported.toml,
        );
    }
}

/// The result of a query as a text, compared; several values, an object or none at all are down.
fn kuma_query(
    document: Option<&Value>,
    body: &str,
    path: &str,
    operator: &str,
    expected: &str,
) -> bool {
    let as_text = Value::from(body);
    let root = document.unwrap_or(&as_text);
    let value = path
        .trim_start_matches('$')
        .split('.')
        .filter(|key| !key.is_empty())
        .try_fold(root, |value, key| value.get(key));
    let text = match value {
        Some(Value::String(text)) if document.is_none() => text.trim().to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number_text(number),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => return false,
    };
    let numbers = || Some((text.parse::<f64>().ok()?, expected.parse::<f64>().ok()?));
    match operator {
        "==" => text == expected,
        "!=" => text != expected,
        "contains" => text.contains(expected),
        "<" => numbers().is_some_and(|(left, right)| left < right),
        "<=" => numbers().is_some_and(|(left, right)| left <= right),
        ">" => numbers().is_some_and(|(left, right)| left > right),
        _ => numbers().is_some_and(|(left, right)| left >= right),
    }
}
