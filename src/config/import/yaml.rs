//! YAML to the JSON values that the imports read.
//!
//! The parser is a port of libyaml, which go-yaml is one of too: what Gatus and Prometheus read, it reads. Documents
//! are put together here, so that nesting, aliases and size are bounded before they cost anything.

use std::borrow::Cow;
use std::collections::HashMap;

use libyaml_safer::{Event, EventData, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use super::toml_writer::ImportError;

/// Larger files are no configuration.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Configurations nest about ten levels deep; every level is a call on the stack.
const DEPTH_MAX: usize = 64;
/// Values of all documents together, each alias counted as a copy of what it stands for.
const VALUES_MAX: usize = 500_000;
/// Bytes of all texts, counted likewise: a long one may be repeated often.
const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The documents of a text, empty ones left out.
///
/// # Errors
/// A sentence with the place, when the text is no YAML or exceeds a bound.
pub(super) fn parse(text: &str) -> Result<Vec<Value>, ImportError> {
    if text.len() > BYTES_MAX {
        return Err(refused("the file is larger than 8 MiB".to_owned()));
    }
    // The parser panics at the end of a block text without a line break, and perhaps elsewhere.
    // One more would be kept by `|+`.
    let text = match text.ends_with('\n') {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("{text}\n")),
    };
    std::panic::catch_unwind(|| read(text.as_bytes()))
        .unwrap_or_else(|_| Err(refused("this is not valid YAML".to_owned())))
}

fn read(text: &[u8]) -> Result<Vec<Value>, ImportError> {
    let mut parser = Parser::new();
    parser.set_input(text);
    let mut reader = Reader {
        parser,
        anchors: HashMap::new(),
        values: 0,
        bytes: 0,
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()?.data {
            EventData::StreamEnd => return Ok(documents),
            EventData::DocumentStart { .. } => reader.anchors.clear(),
            EventData::StreamStart { .. } | EventData::DocumentEnd { .. } => {}
            other => {
                let document = reader.value(other, 0)?;
                if !document.is_null() {
                    documents.push(document);
                }
            }
        }
    }
}

fn refused(why: String) -> ImportError {
    ImportError::Format(why)
}

struct Reader<'a> {
    parser: Parser<&'a [u8]>,
    /// What each anchor stands for, with its number of values and the bytes of its texts.
    anchors: HashMap<String, (Value, usize, usize)>,
    values: usize,
    bytes: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Event, ImportError> {
        self.parser.parse().map_err(|error| {
            let mark = error.problem_mark().or_else(|| error.context_mark());
            let place = mark.map_or_else(String::new, |mark| {
                format!(" in line {}, column {}", mark.line + 1, mark.column + 1)
            });
            refused(format!(
                "this is not valid YAML{place}: {}",
                error.problem()
            ))
        })
    }

    fn count(&mut self, values: usize) -> Result<(), ImportError> {
        self.values += values;
        if self.values > VALUES_MAX {
            let why = format!("the file holds more than {VALUES_MAX} values, aliases included");
            return Err(refused(why));
        }
        Ok(())
    }

    fn count_text(&mut self, bytes: usize) -> Result<(), ImportError> {
        self.bytes += bytes;
        if self.bytes > TEXT_BYTES_MAX {
            let why = "the file holds more than 64 MiB of text, aliases included";
            return Err(refused(why.to_owned()));
        }
        Ok(())
    }

    fn value(&mut self, event: EventData, depth: usize) -> Result<Value, ImportError> {
        if depth > DEPTH_MAX {
            let why = format!("the file is nested more than {DEPTH_MAX} levels deep");
            return Err(refused(why));
        }
        let before = (self.values, self.bytes);
        self.count(1)?;
        let (anchor, value) = match event {
            EventData::Alias { anchor } => {
                let Some((_, size, bytes)) = self.anchors.get(&anchor) else {
                    return Err(refused(format!("the alias `*{anchor}` has no anchor")));
                };
                let (size, bytes) = (*size, *bytes);
                // Paid before it is copied.
                self.count(size)?;
                self.count_text(bytes)?;
                let again = self.anchors.get(&anchor);
                return Ok(again.map_or(Value::Null, |(value, _, _)| value.clone()));
            }
            EventData::Scalar {
                anchor,
                tag,
                value,
                style,
                ..
            } => {
                self.count_text(value.len())?;
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                let value = if is_plain {
                    plain(value)
                } else {
                    Value::String(value)
                };
                (anchor, value)
            }
            EventData::SequenceStart { anchor, .. } => {
                let mut items = Vec::new();
                loop {
                    match self.next()?.data {
                        EventData::SequenceEnd => break,
                        event => items.push(self.value(event, depth + 1)?),
                    }
                }
                (anchor, Value::Array(items))
            }
            EventData::MappingStart { anchor, .. } => (anchor, self.mapping(depth)?),
            _ => (None, Value::Null),
        };
        if let Some(anchor) = anchor {
            let (size, bytes) = (self.values - before.0, self.bytes - before.1);
            self.count_text(bytes)?;
            self.anchors.insert(anchor, (value.clone(), size, bytes));
        }
        Ok(value)
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, ImportError> {
        let mut map = Map::new();
        let mut merged = Vec::new();
        loop {
            let key = match self.next()?.data {
                EventData::MappingEnd => break,
                event => self.value(event, depth + 1)?,
            };
            let event = self.next()?.data;
            let value = self.value(event, depth + 1)?;
            match key {
                Value::String(key) if key == "<<" => merged.push(value),
                Value::String(key) => {
                    map.insert(key, value);
                }
                other => {
                    map.insert(other.to_string(), value);
                }
            }
        }
        for value in merged {
            let tables = match value {
                Value::Array(tables) => tables,
                one => vec![one],
            };
            for table in tables {
                let Value::Object(table) = table else {
                    continue;
                };
                for (key, value) in table {
                    map.entry(key).or_insert(value);
                }
            }
        }
        Ok(Value::Object(map))
    }
}

/// A plain scalar by YAML 1.2's core schema. `yes` and `no` stay texts; [`is_true`] knows them.
fn plain(text: String) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    // A number that would come out otherwise (`01234`, twenty digits) keeps its digits as a text.
    let keeps_digits = digits == "0" || !digits.starts_with('0') || digits.starts_with("0.");
    if is_number && keeps_digits {
        if let Ok(number) = text.parse::<i64>() {
            return Value::from(number);
        }
        let has_point = digits.contains('.') || digits.contains(['e', 'E']);
        if let Some(number) = text.parse().ok().and_then(Number::from_f64)
            && has_point
        {
            return Value::Number(number);
        }
    }
    Value::String(text)
}

/// A flag as tools write it: `true`, `1`, "yes", "on".
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            matches!(text.as_str(), "true" | "yes" | "on" | "y" | "1")
        }
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A flag that is there and says no.
pub(super) fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !*flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            matches!(text.as_str(), "false" | "no" | "off" | "n" | "0")
        }
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A value as text, as tools with loose types read it.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The texts of a list, or the one text that stands in its place.
pub(super) fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text_of).collect(),
        one => text_of(one).into_iter().collect(),
    }
}

/// Names with their texts.
pub(super) fn pairs_of(value: &Value) -> Vec<(String, String)> {
    let Value::Object(map) = value else {
        return Vec::new();
    };
    map.iter()
        .filter_map(|(key, value)| Some((key.clone(), text_of(value)?)))
        .collect()
}

/// The text under a key, unless it is empty.
pub(super) fn text_at(item: &Value, key: &str) -> Option<String> {
    item.get(key)
        .and_then(text_of)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        match parse(text) {
            Ok(documents) => serde_json::to_string(&documents).expect("JSON"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_go_yaml_reads_is_read() {
        for (text, wanted) in [
            ("a: [\n  x,\n  y\n]\nb: 1", r#"[{"a":["x","y"],"b":1}]"#),
            ("l:\n  - t: [\n      x\n    ]\n", r#"[{"l":[{"t":["x"]}]}]"#),
            ("{a: 1}\n---\n---\nb: ~\n", r#"[{"a":1},{"b":null}]"#),
            (
                "a: &x {b: 1}\nc: {<<: *x, d: 2}",
                r#"[{"a":{"b":1},"c":{"b":1,"d":2}}]"#,
            ),
            (
                "a: 01234\nb: 12345678901234567890\nc: 1.50\nd: .5\ne: 0\nf: '7'",
                r#"[{"a":"01234","b":"12345678901234567890","c":1.5,"d":0.5,"e":0,"f":"7"}]"#,
            ),
            (
                "a: yes\nb: True\nc: off",
                r#"[{"a":"yes","b":true,"c":"off"}]"#,
            ),
            ("1: a\ntrue: b", r#"[{"1":"a","true":"b"}]"#),
            ("", "[]"),
            ("a: |\n  x\n  y\n", r#"[{"a":"x\ny\n"}]"#),
            ("a: |\n  x\n  y", r#"[{"a":"x\ny\n"}]"#),
            ("a: |", r#"[{"a":""}]"#),
            ("a: |+\n  x\n", r#"[{"a":"x\n"}]"#),
            ("a: |+\n  x\n\n", r#"[{"a":"x\n\n"}]"#),
        ] {
            assert_eq!(one(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_not_repeated_without_end() {
        let text = format!(
            "a: &a {}\nb: [{}]",
            "x".repeat(100_000),
            "*a, ".repeat(1000)
        );
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains("more than 64 MiB of text"), "{error}");
    }

    #[test]
    fn what_it_may_cost_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(one(&deep).contains("64 levels"), "{}", one(&deep));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        assert!(one(&bomb).contains("500000 values"), "{}", one(&bomb));
        assert!(one("a: *b").contains("`*b` has no anchor"));
        assert!(
            one("a: b: c").contains("line 1, column 5"),
            "{}",
            one("a: b: c")
        );
    }
}
