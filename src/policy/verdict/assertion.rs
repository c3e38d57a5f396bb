//! Assertions on headers and bodies.

use std::ops::ControlFlow;

use regex::Regex;

use super::content::{Content, Tail};
use crate::domain::check::FailureKind;
use crate::domain::expectation::{Expectation, JsonAssertion, JsonTest, TextMatch};
use crate::domain::json::{self, Document, Kind, Node, Spent, Steps};
use crate::domain::pattern_search::{STEPS_MAX, Searched, Searches, TooCostly};
use crate::domain::probe::Answer;
use crate::domain::safe_text;

/// Values in a detail are cut to this many characters.
const SHOWN_CHARS: usize = 120;

/// So many assertions that are not met are told.
const UNMET_MAX: usize = 4;

/// A step pays for so many bytes of a number or text.
const TEXT_BYTES_A_STEP: usize = 32;

/// A value from outside or from the configuration, quoted in one safe line.
fn quoted(value: &str) -> String {
    format!(
        "`{}`",
        safe_text::middle(&safe_text::line(value, 4000), SHOWN_CHARS)
    )
}

/// A wanted text as it is written.
pub(super) fn shown_match(want: &TextMatch) -> String {
    match want {
        TextMatch::Exact(exact) => quoted(exact),
        TextMatch::Pattern(pattern) => {
            format!("/{}/", safe_text::line(pattern.as_str(), SHOWN_CHARS))
        }
    }
}

/// Whether a pattern is found in a text.
fn is_found(pattern: &Regex, text: &str, searches: &mut Searches) -> Result<bool, TooCostly> {
    searches.is_match(pattern.as_str(), Searched::Text, text.as_bytes(), || {
        pattern.is_match(text)
    })
}

fn is_match(want: &TextMatch, value: &str, searches: &mut Searches) -> Result<bool, TooCostly> {
    match want {
        TextMatch::Exact(exact) => Ok(exact == value),
        TextMatch::Pattern(pattern) => is_found(pattern, value, searches),
    }
}

/// That a pattern takes too long in a text: with another one it would be answered.
fn too_costly(pattern: &str, place: &str, bytes: usize) -> String {
    format!(
        "/{}/ takes more than {STEPS_MAX} steps in {place} of {bytes} bytes; write one that repeats less",
        safe_text::line(pattern, SHOWN_CHARS)
    )
}

/// One line about the first header assertion that no value meets.
pub(super) fn unmet_header(wanted: &[(String, TextMatch)], answer: &Answer) -> Option<String> {
    let mut searches = Searches::default();
    wanted.iter().find_map(|(name, want)| {
        let mut found = None;
        for (field, value) in &answer.headers {
            if field.eq_ignore_ascii_case(name) {
                let value = String::from_utf8_lossy(value);
                match is_match(want, value.trim(), &mut searches) {
                    Ok(true) => return None,
                    Ok(false) => {}
                    Err(TooCostly) => {
                        let place = format!("the header {name}");
                        let pattern = match want {
                            TextMatch::Exact(text) => text,
                            TextMatch::Pattern(pattern) => pattern.as_str(),
                        };
                        return Some(too_costly(pattern, &place, value.len()));
                    }
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
            Tail::Limit => (FailureKind::BodyTooLarge, "max_body ends there".to_owned()),
            Tail::Broken(why) => (FailureKind::BodyTruncated, why),
            Tail::Refused(why) => (kind, why),
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
    let mut searches = Searches::default();
    for pattern in &expectation.body_matches {
        let mut is_met = false;
        for text in content.readings() {
            match is_found(pattern, text, &mut searches) {
                Ok(found) => is_met = found,
                Err(TooCostly) => {
                    let detail = too_costly(pattern.as_str(), "a body", text.len());
                    return Some((FailureKind::Body, detail));
                }
            }
            if is_met {
                break;
            }
        }
        if !is_met {
            let what = format!(
                "/{}/ matches nothing",
                safe_text::line(pattern.as_str(), SHOWN_CHARS)
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
    let detail = unmet_json(&expectation.json, content, &mut searches)?;
    // Only reading it as text told whether that has room.
    if content.tail() != Tail::Whole {
        return undecided(FailureKind::Json, "the JSON does not end".to_owned());
    }
    Some((FailureKind::Json, detail))
}

/// One line about the JSON assertions that no reading of the body meets.
fn unmet_json(
    wanted: &[JsonAssertion],
    content: &Content,
    searches: &mut Searches,
) -> Option<String> {
    if wanted.is_empty() {
        return None;
    }
    let mut first = None;
    for text in content.readings() {
        let document = match content.json(text) {
            Ok(document) => document,
            Err(fault) => {
                first.get_or_insert_with(|| {
                    let begins = text.get(..text.floor_char_boundary(200)).unwrap_or(text);
                    let what = fault.told(text.trim_start_matches('\u{feff}'));
                    format!("the body {what}: it begins {}", quoted(begins))
                });
                continue;
            }
        };
        let unmet: Vec<String> = wanted
            .iter()
            .filter_map(|assertion| unmet(assertion, &document, searches))
            .collect();
        if unmet.is_empty() {
            return None;
        }
        first.get_or_insert_with(|| told(&unmet));
    }
    first
}

/// All that is not met, in one line: the first few, and how many more.
fn told(unmet: &[String]) -> String {
    let mut said = unmet[..unmet.len().min(UNMET_MAX)].join("; ");
    if let more @ 1.. = unmet.len().saturating_sub(UNMET_MAX) {
        said.push_str(&format!("; and {more} more"));
    }
    said
}

/// What a path led to, as far as a line tells it.
#[derive(Default)]
struct Seen {
    first: Option<String>,
    count: usize,
    has_more: bool,
}

impl Seen {
    fn note(&mut self, node: Node<'_>) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some(quoted(&node.compact(4 * SHOWN_CHARS)));
        }
    }

    fn told(&self) -> String {
        match (&self.first, self.count, self.has_more) {
            (None, ..) => "is not there".to_owned(),
            (Some(first), 0 | 1, false) => format!("is {first}"),
            (Some(first), 0 | 1, true) => format!("is {first} and more"),
            (Some(first), count, false) => format!("is {first} and {} more", count - 1),
            (Some(first), count, true) => format!("is {first} and {} or more", count - 1),
        }
    }
}

fn unmet(
    assertion: &JsonAssertion,
    document: &Document<'_>,
    searches: &mut Searches,
) -> Option<String> {
    let path = &assertion.path_text;
    let mut steps = Steps::after(json::STEPS_MAX, std::mem::take(searches));
    let mut seen = Seen::default();
    let mut is_met = false;
    let walked = assertion
        .path
        .visit(document, &mut steps, &mut |node, steps| {
            seen.note(node);
            is_met = meets(&assertion.test, node, steps)?;
            Ok(match is_met {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        });
    *searches = steps.into_searches();
    let want = match &assertion.test {
        JsonTest::Exists(false) if seen.count > 0 => {
            seen.has_more = walked.is_err();
            return Some(format!("{path} {}, and must not be there", seen.told()));
        }
        _ if is_met => return None,
        _ if walked.is_err() => {
            return Some(format!(
                "{path} takes more than {} steps in this body; write a path that looks at less of it",
                json::STEPS_MAX
            ));
        }
        JsonTest::Exists(false) => return None,
        JsonTest::Equals(want) => format!("not {}", quoted(&want.root().compact(4 * SHOWN_CHARS))),
        JsonTest::Exists(true) => "and must be".to_owned(),
        JsonTest::Matches(pattern) => format!(
            "and does not match /{}/",
            safe_text::line(pattern.as_str(), SHOWN_CHARS)
        ),
        JsonTest::LessThan(limit) => {
            format!("not less than {}", safe_text::line(limit, SHOWN_CHARS))
        }
        JsonTest::GreaterThan(limit) => {
            format!("not greater than {}", safe_text::line(limit, SHOWN_CHARS))
        }
    };
    Some(format!("{path} {}, {want}", seen.told()))
}

/// Whether one value decides the test; that there are none does for `exists = false`.
fn meets(test: &JsonTest, node: Node<'_>, steps: &mut Steps) -> Result<bool, Spent> {
    let is_number = node.kind() == Kind::Number;
    steps.take(node.raw().len() / TEXT_BYTES_A_STEP)?;
    Ok(match test {
        JsonTest::Equals(want) => node.is_equal(want.root(), steps)?,
        JsonTest::Exists(exists) => *exists,
        JsonTest::Matches(pattern) => {
            let text = match node.kind() {
                Kind::String => node.string(),
                Kind::Number | Kind::Bool(_) | Kind::Null => node.raw().into(),
                Kind::Array | Kind::Object => node.compact(usize::MAX).into(),
            };
            steps.take(text.len())?;
            steps.is_match(pattern, &text)?
        }
        JsonTest::LessThan(limit) => is_number && json::compare(node.raw(), limit).is_lt(),
        JsonTest::GreaterThan(limit) => is_number && json::compare(node.raw(), limit).is_gt(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::domain::check::HttpVersion;
    use crate::domain::expectation::StatusSet;
    use crate::domain::probe::Hop;
    use crate::domain::slow_limit::SlowLimit;

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
            place: None,
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
            degraded_after: SlowLimit::Never,
            certificate_expiry: Vec::new(),
        }
    }

    fn check_json(body: &str, path: &str, test: JsonTest, want: &str) {
        check_typed("application/json", body.as_bytes(), path, test, want);
    }

    fn check_typed(media: &str, body: &[u8], path: &str, test: JsonTest, want: &str) {
        let mut answer = answer(&[("content-type", media)], "", false);
        answer.body = body.to_vec();
        let wanted = vec![JsonAssertion {
            path_text: path.to_owned(),
            path: json::JsonPath::parse(path).unwrap(),
            test,
        }];
        let content = Content::of(&mut answer, 1 << 20);
        let got = unmet_json(&wanted, &content, &mut Searches::default()).unwrap_or_default();
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]);
        assert_eq!(got, want, "{shown} {path}");
    }

    fn equals(value: &str) -> JsonTest {
        JsonTest::Equals(Document::parse(value.to_owned(), 100).unwrap())
    }

    fn matches(pattern: &str) -> JsonTest {
        JsonTest::Matches(Arc::new(Regex::new(pattern).unwrap()))
    }

    #[test]
    fn json_that_becomes_too_long_as_text_is_too_large() {
        let headers = [("content-type", "application/json; charset=windows-1252")];
        let mut answer = answer(&headers, "", false);
        // Each byte within the quotes becomes three.
        answer.body = vec![0x80; 15 << 20];
        answer.body[0] = b'"';
        answer.body.push(b'"');
        let content = Content::of(&mut answer, 0);
        let wanted = Expectation {
            json: vec![JsonAssertion {
                path_text: "$".to_owned(),
                path: json::JsonPath::parse("$").unwrap(),
                test: JsonTest::Exists(true),
            }],
            ..expectation()
        };
        let (kind, detail) = unmet_body(&wanted, &content).unwrap();
        assert_eq!(kind, FailureKind::BodyTooLarge, "{detail}");
    }

    #[test]
    fn json_is_asked_by_path() {
        let body =
            r#"{"status": "ok", "load": 0.5, "nodes": [{"up": true}, {"up": false}], "n": 1}"#;
        for (path, test, want) in [
            ("$.status", equals("\"ok\""), ""),
            (
                "$.status",
                equals("\"bad\""),
                "$.status is `\"ok\"`, not `\"bad\"`",
            ),
            ("$.n", equals("1.0"), ""),
            ("$.nodes[*].up", equals("false"), ""),
            ("$.none", equals("1"), "$.none is not there, not `1`"),
            ("$.none", JsonTest::Exists(false), ""),
            (
                "$.none",
                JsonTest::Exists(true),
                "$.none is not there, and must be",
            ),
            (
                "$.nodes[*].up",
                JsonTest::Exists(false),
                "$.nodes[*].up is `true` and 1 more, and must not be there",
            ),
            ("$.load", JsonTest::LessThan("1.0".into()), ""),
            (
                "$.load",
                JsonTest::GreaterThan("1".into()),
                "$.load is `0.5`, not greater than 1",
            ),
            (
                "$.status",
                JsonTest::LessThan("1".into()),
                "$.status is `\"ok\"`, not less than 1",
            ),
            ("$.status", matches("^o"), ""),
            ("$.n", matches("^1$"), ""),
            ("$.nodes[1]", matches("^\\{\"up\":false\\}$"), ""),
            ("$.nodes", equals("[ {\"up\": true}, {\"up\":false} ]"), ""),
            ("$", matches("^\\{\"load\":0.5,\"n\":1,\"nodes\""), ""),
        ] {
            check_json(body, path, test, want);
        }
        check_json(
            "<html>",
            "$.a",
            JsonTest::Exists(true),
            "the body is not JSON (line 1, column 1): it begins `<html>`",
        );
        check_json("\u{feff}{\"a\": 1}", "$.a", JsonTest::Exists(true), "");
        check_json(
            "{\n \"a\": NaN}",
            "$.a",
            JsonTest::Exists(true),
            "the body is not JSON (line 2, column 7): it begins `{ \"a\": NaN}`",
        );
    }

    #[test]
    fn numbers_keep_every_digit() {
        let less = |limit: &str| JsonTest::LessThan(limit.into());
        let more = |limit: &str| JsonTest::GreaterThan(limit.into());
        for (number, test, is_met) in [
            ("9007199254740993", equals("9007199254740992"), false),
            ("9007199254740993", equals("9007199254740992.0"), false),
            ("9007199254740993", equals("9007199254740993"), true),
            ("9007199254740993", more("9007199254740992"), true),
            ("9007199254740992", less("9007199254740993"), true),
            (
                "18446744073709551616",
                equals("18446744073709551615"),
                false,
            ),
            ("18446744073709551616", more("18446744073709551615"), true),
            (
                "123456789012345678901234567890",
                matches("^123456789012345678901234567890$"),
                true,
            ),
            ("1.10", matches("^1\\.10$"), true),
            ("1e400", equals("1e400"), true),
            ("1e400", more("1e308"), true),
            ("-1e999", less("0"), true),
            ("1.0", equals("1"), true),
            ("0.1", equals("0.10"), true),
        ] {
            let body = format!("{{\"v\":{number}}}");
            let shown = match &test {
                JsonTest::Equals(want) => format!("$.v is `{number}`, not `{want}`"),
                _ => String::new(),
            };
            check_json(&body, "$.v", test, if is_met { "" } else { &shown });
        }
    }

    #[test]
    fn json_that_browsers_read_is_json() {
        let ok = || equals("\"ok\"");
        let deep = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!("{{\"a\":{open}{close},\"s\":\"ok\"}}")
        };
        for body in [
            r#"{"s":"ok","t":"Sale \ud83d"}"#,
            r#"{"t":"\ude00 \ud83d\ud83d\ude00","s":"ok"}"#,
            r#"{"s":"ok","\ud800":1}"#,
            r#"{"s":"ok","max":1e400,"min":-1e999}"#,
            r#"{"s":"bad","s":"ok"}"#,
            r#"{"s":"bad","\u0073":"ok"}"#,
            r#"{"s":{"s":"bad"},"s":"ok"}"#,
            "\r\n\t {\"s\" : \"ok\" } \n",
            &deep(127),
            &deep(128),
            &deep(5000),
            &deep(9_999),
        ] {
            check_json(body, "$.s", ok(), "");
        }
        check_json(
            r#"{"t":"x\ud83d\u0041\ude00\ud83d\ude00"}"#,
            "$.t",
            equals("\"x\u{fffd}A\u{fffd}\u{1f600}\""),
            "",
        );
        let too_deep = deep(200_000);
        check_json(
            &too_deep,
            "$.s",
            ok(),
            &format!(
                "the body is JSON nested deeper than 10000 levels: it begins {}",
                quoted(&too_deep[..200])
            ),
        );
    }

    #[test]
    fn a_path_that_never_ends_is_cut() {
        let mut body = "1".to_owned();
        for _ in 0..110 {
            let others: String = (0..50).map(|n| format!(",\"k{n}\":1")).collect();
            body = format!("{{\"a\":{body}{others}}}");
        }
        let want = "$..a..a..a..k1 takes more than 10000000 steps in this body; write a path that looks at less of it";
        check_json(&body, "$..a..a..a..k1", equals("2"), want);
        check_json(
            &body,
            "$..a..a..a..k1",
            JsonTest::Exists(false),
            "$..a..a..a..k1 is `1` and 62958 or more, and must not be there",
        );
        // What was found before decides.
        check_json(&body, "$..a..a..a..k1", equals("1"), "");
        check_json(
            &body,
            "$..k1",
            equals("2"),
            "$..k1 is `1` and 109 more, not `2`",
        );
    }

    #[test]
    fn a_wrong_charset_is_no_outage() {
        let body = "{\"s\":\"\u{43e}\u{43a}\"}";
        for media in [
            "application/json",
            "application/json; charset=windows-1251",
            "application/json; charset=utf-16",
        ] {
            check_typed(
                media,
                body.as_bytes(),
                "$.s",
                equals("\"\u{43e}\u{43a}\""),
                "",
            );
        }
        let (coded, _, _) = encoding_rs::WINDOWS_1251.encode(body);
        check_typed(
            "application/json; charset=windows-1251",
            &coded,
            "$.s",
            equals("\"\u{43e}\u{43a}\""),
            "",
        );
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
            let mut answer = answer(&[], body, cut);
            let content = Content::of(&mut answer, 1 << 20);
            let got = unmet_body(&expectation, &content);
            assert_eq!(
                got.map_or("", |(kind, _)| kind.as_str()),
                want,
                "{body} {cut}"
            );
        }
    }
}
