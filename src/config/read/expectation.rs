//! The part of a monitor that says what a good answer is.

use std::time::Duration;

use toml::de::DeValue;

use super::reader::Reading;
use super::scalars::{self, Wrong};
use super::table::{Found, Table, described, place};
use crate::config::diagnostic::problem::Fault;
use crate::config::keys;
use crate::domain::expectation::{Expectation, JsonAssertion, JsonTest, StatusSet, TextMatch};
use crate::domain::json::{Document, Kind};
use crate::domain::slow_limit::{Factor, SlowLimit};

/// The keys that are read here.
pub(in crate::config) const KEYS: [&str; 8] = [
    "expect_status",
    "expect_final_url",
    "expect_headers",
    "body_contains",
    "body_excludes",
    "body_matches",
    "json",
    "degraded_after",
];

/// Reads everything that is asserted; none where the statuses are wrong.
pub(in crate::config) fn expectation(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    certificate_expiry: &[Duration],
) -> Option<Expectation> {
    let status = statuses(reading, table);
    let patterns = reading.patterns.clone();
    let final_url = reading.some_parsed(table, "expect_final_url", "a URL", |text| {
        patterns.url_match(text)
    });
    let headers = header_matches(reading, table);
    let body_contains = reading.texts(table, "body_contains");
    let body_excludes = reading.texts(table, "body_excludes");
    let body_matches = reading.list(table, "body_matches", "a regular expression", |text| {
        patterns.regex(text)
    });
    let json = json(reading, table);
    let degraded_after = slow_limit(reading, table);
    Some(Expectation {
        status: status?,
        final_url: final_url.map(|url| url.it),
        headers,
        body_contains,
        body_excludes,
        body_matches: body_matches.map_or_else(Vec::new, |list| {
            list.it.into_iter().map(|pattern| pattern.it).collect()
        }),
        json,
        degraded_after,
        certificate_expiry: certificate_expiry.to_vec(),
    })
}

/// A duration, `off`, or so many times what is usual.
fn slow_limit(reading: &mut Reading<'_>, table: &Table<'_>) -> SlowLimit {
    let key = "degraded_after";
    let Some(found) = table.get(key) else {
        return SlowLimit::CONFIGURED;
    };
    let DeValue::String(raw) = found.value else {
        let limit = reading.span_or(table, key, "off", SlowLimit::CONFIGURED.fixed());
        return limit.map_or(SlowLimit::Never, SlowLimit::After);
    };
    // What has nothing of a factor is a duration, or wants to be one.
    if !raw.contains('x') && !raw.contains("usual") {
        let limit = reading.span_or(table, key, "off", SlowLimit::CONFIGURED.fixed());
        return limit.map_or(SlowLimit::Never, SlowLimit::After);
    }
    let read = reading.parsed(found, "a multiple of the usual", |text| {
        let (number, rest) = text.split_once('x').unwrap_or((text, ""));
        let times: Option<f64> = number.trim().parse().ok();
        let Some(times) = times.filter(|_| rest.trim() == "usual") else {
            let meant = times.and_then(Factor::new);
            let label = match meant {
                Some(factor) => format!("write \"{factor} usual\""),
                None => "write it like \"3x usual\", or a duration like \"2s\"".to_owned(),
            };
            return Err(Wrong::new(
                format!("`{text}` is no multiple of the usual"),
                label,
            ));
        };
        Factor::new(times).map(SlowLimit::Usual).ok_or_else(|| {
            Wrong::new(
                format!("`{text}` is not more than the usual and at most 100 times it"),
                "write a factor above 1 with at most two decimals, like \"3x usual\"",
            )
        })
    });
    read.map_or(SlowLimit::CONFIGURED, |limit| limit.it)
}

fn statuses(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<StatusSet> {
    let Some(found) = table.get("expect_status") else {
        return StatusSet::parse(["2xx"]).ok();
    };
    let items = reading.items(found, "a list")?;
    if items.is_empty() {
        if !found.inherited {
            reading.fault(Fault::new(
                found.place,
                "`expect_status` is empty: no answer would be good",
                "write [\"2xx\"]",
            ));
        }
        return None;
    }
    let mut members: Vec<String> = Vec::with_capacity(items.len());
    let mut all_right = true;
    for item in items {
        let member = match item.value {
            DeValue::Integer(number) => match scalars::status_member(number.as_str()) {
                Ok(member) => Some(member),
                Err(wrong) => {
                    if !item.inherited {
                        reading.fault(Fault::new(item.place, wrong.message, wrong.label));
                    }
                    None
                }
            },
            _ => reading
                .parsed(item, "a status", scalars::status_member)
                .map(|member| member.it),
        };
        match member {
            Some(member) => members.push(member),
            None => all_right = false,
        }
    }
    match all_right {
        true => StatusSet::parse(members.iter().map(String::as_str)).ok(),
        false => None,
    }
}

/// nginx and Apache take about 100 fields; each name is compared with those before it.
const HEADERS_MAX: usize = 200;

/// The entries of a table of headers in the order in which they were written, names checked.
pub(super) fn header_entries<'t>(
    reading: &mut Reading<'_>,
    table: &Table<'t>,
    key: &'static str,
) -> Vec<(String, Found<'t>)> {
    let Some(found) = table.get(key) else {
        return Vec::new();
    };
    let DeValue::Table(entries) = found.value else {
        reading.wrong_type(found, "a table", "write { Name = \"value\" }");
        return Vec::new();
    };
    if entries.len() > HEADERS_MAX {
        let message = format!("`{key}` has {} entries", entries.len());
        let label = format!("servers take about 100; at most {HEADERS_MAX} are read");
        reading.fault(Fault::new(found.place, message, label));
        return Vec::new();
    }
    let file = found.place.file;
    let mut headers: Vec<(String, Found<'t>)> = Vec::with_capacity(entries.len());
    let mut in_order: Vec<_> = entries.iter().collect();
    in_order.sort_by_key(|(name, _)| name.span().start);
    for (name, entry) in in_order {
        let name_place = place(file, name.span());
        let text: &str = name.get_ref();
        let entry = Found {
            key: text,
            value: entry.get_ref(),
            place: place(file, entry.span()),
            key_place: name_place,
            inherited: found.inherited,
            is_member: false,
        };
        let checked = match key {
            "headers" => scalars::header_name(text),
            _ => match text.bytes().all(scalars::is_token_byte) && !text.is_empty() {
                true => Ok(text.to_owned()),
                false => Err(Wrong::new(
                    format!("`{text}` is not a valid header name"),
                    "letters, digits and `-`, without a colon",
                )),
            },
        };
        let name = match checked {
            Ok(name) => name,
            Err(wrong) => {
                if !found.inherited {
                    reading.fault(Fault::new(name_place, wrong.message, wrong.label));
                }
                continue;
            }
        };
        let twice = headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(&name));
        if let Some((_, first)) = twice {
            if !found.inherited {
                let fault = Fault::new(
                    name_place,
                    format!("the header `{name}` appears twice"),
                    "capitals make no difference in header names",
                )
                .and(first.key_place, "first here");
                reading.fault(fault);
            }
            continue;
        }
        headers.push((name, entry));
    }
    headers
}

fn header_matches(reading: &mut Reading<'_>, table: &Table<'_>) -> Vec<(String, TextMatch)> {
    let patterns = reading.patterns.clone();
    header_entries(reading, table, "expect_headers")
        .into_iter()
        .filter_map(|(name, entry)| {
            let value = reading.parsed(entry, "a string", |text| patterns.text_match(text))?;
            Some((name, value.it))
        })
        .collect()
}

fn json(reading: &mut Reading<'_>, table: &Table<'_>) -> Vec<JsonAssertion> {
    let Some(found) = table.get("json") else {
        return Vec::new();
    };
    let Some(items) = reading.items(found, "a list") else {
        return Vec::new();
    };
    items
        .into_iter()
        .filter_map(|item| {
            let entry = reading.table(item, keys::JSON_TEST, "an entry of `json`")?;
            assertion(reading, &entry, item.inherited)
        })
        .collect()
}

fn assertion(
    reading: &mut Reading<'_>,
    entry: &Table<'_>,
    inherited: bool,
) -> Option<JsonAssertion> {
    const TESTS: [&str; 5] = ["equals", "exists", "matches", "less_than", "greater_than"];
    // The entry's own keys are those of `[defaults]` where the list is.
    fn mark(found: Found<'_>, inherited: bool) -> Found<'_> {
        Found { inherited, ..found }
    }
    let patterns = reading.patterns.clone();
    let path = match entry.get("path") {
        Some(found) => reading
            .parsed(mark(found, inherited), "a JSON path", |text| {
                patterns.json_path(text).map(|path| (text.to_owned(), path))
            })
            .map(|path| path.it),
        None => {
            if !inherited {
                reading.missing(entry, "path", "add path = \"$.status\"");
            }
            None
        }
    };
    let tests: Vec<Found<'_>> = TESTS
        .into_iter()
        .filter_map(|key| entry.get(key))
        .map(|found| mark(found, inherited))
        .collect();
    let test = match tests.as_slice() {
        [one] => test(reading, *one),
        [] => {
            if !inherited && !reading.is_misspelt(entry, &TESTS) {
                reading.missing(
                    entry,
                    "equals",
                    "add equals, exists, matches, less_than or greater_than",
                );
            }
            None
        }
        [first, second, ..] => {
            if !inherited {
                let (first, second) = match first.key_place < second.key_place {
                    true => (first, second),
                    false => (second, first),
                };
                let fault = Fault::new(
                    second.key_place,
                    format!("`{}` and `{}` exclude each other", first.key, second.key),
                    "write two entries with the same path",
                )
                .and(first.key_place, "");
                reading.fault(fault);
            }
            None
        }
    };
    let (path_text, path) = path?;
    Some(JsonAssertion {
        path_text,
        path,
        test: test?,
    })
}

fn test(reading: &mut Reading<'_>, found: Found<'_>) -> Option<JsonTest> {
    let patterns = reading.patterns.clone();
    match found.key {
        "equals" => json_value(reading, found).map(JsonTest::Equals),
        "exists" => match found.value {
            DeValue::Boolean(exists) => Some(JsonTest::Exists(*exists)),
            _ => {
                reading.wrong_type(found, "true or false", "write true or false");
                None
            }
        },
        "matches" => reading
            .parsed(found, "a regular expression", |text| patterns.regex(text))
            .map(|pattern| JsonTest::Matches(pattern.it)),
        key => {
            let Some(number) = number(found.value) else {
                reading.wrong_type(found, "a number", "write a number without quotes");
                return None;
            };
            Some(match key {
                "less_than" => JsonTest::LessThan(number.into()),
                _ => JsonTest::GreaterThan(number.into()),
            })
        }
    }
}

/// A TOML number as JSON writes it, with every digit; `None` if it is infinite or is not a number.
fn number(value: &DeValue<'_>) -> Option<String> {
    let text = match value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .ok()?
            .to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        _ => return None,
    };
    let text = text.trim_start_matches('+').replace('_', "");
    let document = Document::parse(text.as_str(), 1).ok()?;
    (document.root().kind() == Kind::Number).then(|| text.clone())
}

/// A TOML value as the JSON value that an answer is compared with.
fn json_value(reading: &mut Reading<'_>, found: Found<'_>) -> Option<Document<'static>> {
    let mut text = String::new();
    write_json(reading, found, &mut text)?;
    Document::parse(text, usize::MAX).ok()
}

fn write_json(reading: &mut Reading<'_>, found: Found<'_>, out: &mut String) -> Option<()> {
    match found.value {
        DeValue::String(_) => {
            let text = reading.text(found, "a string")?;
            out.push_str(&Document::string(&text.value).to_string());
        }
        DeValue::Boolean(flag) => out.push_str(&flag.to_string()),
        DeValue::Array(array) => {
            out.push('[');
            for (at, item) in array.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                let inner = Found {
                    value: item.get_ref(),
                    place: place(found.place.file, item.span()),
                    ..found
                };
                write_json(reading, inner, out)?;
            }
            out.push(']');
        }
        DeValue::Table(table) => {
            out.push('{');
            for (at, (name, item)) in table.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                let inner = Found {
                    value: item.get_ref(),
                    place: place(found.place.file, item.span()),
                    ..found
                };
                out.push_str(&Document::string(name.get_ref()).to_string());
                out.push(':');
                write_json(reading, inner, out)?;
            }
            out.push('}');
        }
        other => match number(other) {
            Some(number) => out.push_str(&number),
            None => {
                if !found.inherited {
                    let (message, help) = match other {
                        DeValue::Integer(_) => (
                            "this whole number is too long to be compared".to_owned(),
                            "write it in decimal digits",
                        ),
                        other => (
                            format!("JSON cannot hold {}", described(other)),
                            "write it in quotes",
                        ),
                    };
                    reading.fault(Fault::new(found.place, message, help));
                }
                return None;
            }
        },
    }
    Some(())
}
