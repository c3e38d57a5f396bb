//! Renders a template within bounds of steps, depth and bytes.

use std::io::{self, Write};
use std::sync::OnceLock;

use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

use crate::domain::safe_text;

/// A result that is longer is an error; services take less.
pub const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// Steps, and 64 bytes of data each: what a template of [`OUTPUT_BYTES_MAX`] needs, and a hundred times what one needs
/// that people write.
const FUEL: u64 = 100_000;
/// Deeper nesting is a mistake.
const DEPTH_MAX: usize = 100;

/// How values are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printing {
    /// As JSON with its quotes; the result must be JSON.
    Json,
    /// As they are, without control characters.
    Bare,
}

impl Printing {
    /// As the `Content-Type` says that the channel's `headers` set, if they do.
    pub fn of_content_type(value: Option<&str>) -> Self {
        let Some(value) = value else {
            return Self::Json;
        };
        let kind = value.split(';').next().unwrap_or_default().trim();
        let kind = kind.to_ascii_lowercase();
        match kind == "application/json" || kind.ends_with("+json") {
            true => Self::Json,
            false => Self::Bare,
        }
    }
}

/// Renders a template over an object. A value that is not there is printed as null, or as nothing where values are
/// bare.
///
/// # Errors
/// If the template cannot be read, does not end within its bounds, or does not give JSON where it should.
pub fn render(
    text: &str,
    object: &serde_json::Value,
    printing: Printing,
) -> Result<String, RenderError> {
    rendered(text, object, printing, UndefinedBehavior::Chainable)
}

/// Why a template gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct RenderError {
    /// The line of the template, or of the result where that is not JSON.
    pub(super) line: Option<usize>,
    /// One line.
    pub(super) words: String,
}

pub(super) fn rendered(
    text: &str,
    object: &serde_json::Value,
    printing: Printing,
    undefined: UndefinedBehavior,
) -> Result<String, RenderError> {
    let mut environment = environment(printing).clone();
    environment.set_undefined_behavior(undefined);
    let template = environment
        .template_from_str(text)
        .map_err(|error| said(&error))?;
    let mut out = Bounded(Vec::new());
    let context = Value::from(minijinja::value::Serde(object));
    let done = template.render_captured_to(context, &mut out).map(|_| ());
    if out.0.len() > OUTPUT_BYTES_MAX {
        return Err(RenderError {
            line: None,
            words: format!("the result is longer than {} KiB", OUTPUT_BYTES_MAX / 1024),
        });
    }
    done.map_err(|error| said(&error))?;
    let result = String::from_utf8(out.0).map_err(|_| RenderError {
        line: None,
        words: "the result is not UTF-8".to_owned(),
    })?;
    if printing == Printing::Json
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&result)
    {
        return Err(RenderError {
            line: Some(error.line()),
            words: not_json(&result, &error),
        });
    }
    Ok(result)
}

/// Our own words for the fault that everybody makes first: quotes around a value that brings its own.
fn not_json(result: &str, error: &serde_json::Error) -> String {
    let line = result.lines().nth(error.line().saturating_sub(1));
    let shown = safe_text::line(line.unwrap_or_default(), 80).into_owned();
    let hint = match shown.contains("\"\"") {
        true => "; a value is printed with its quotes: write {{ summary }} without any",
        false => "",
    };
    format!(
        "the result is not JSON at line {}, column {} (`{shown}`){hint}",
        error.line(),
        error.column()
    )
}

fn said(error: &Error) -> RenderError {
    let words = match error.kind() {
        ErrorKind::OutOfFuel => "it takes too many steps".to_owned(),
        kind => match error.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => kind.to_string(),
        },
    };
    RenderError {
        line: error.line(),
        words: safe_text::line(&words, 300).into_owned(),
    }
}

pub(super) fn environment(printing: Printing) -> &'static Environment<'static> {
    static JSON: OnceLock<Environment> = OnceLock::new();
    static BARE: OnceLock<Environment> = OnceLock::new();
    match printing {
        Printing::Json => JSON.get_or_init(|| prepared(print_json)),
        Printing::Bare => BARE.get_or_init(|| prepared(print_bare)),
    }
}

fn prepared(
    print: impl Fn(&mut Output, &mut State, &Value) -> Result<(), Error> + Send + Sync + 'static,
) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH_MAX);
    environment.set_formatter(print);
    // Nothing may be printed past the formatter, and what it prints is JSON already.
    environment.remove_filter("safe");
    environment.remove_filter("escape");
    environment.remove_filter("e");
    environment.add_filter("tojson", |value: Value| value);
    environment
}

fn print_json(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return write(out, "null");
    }
    let json = serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    write(out, &json)
}

fn print_bare(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(());
    }
    write(out, &safe_text::block(&value.to_string()))
}

fn write(out: &mut Output, text: &str) -> Result<(), Error> {
    out.write_str(text).map_err(Error::from)
}

/// Takes one byte more than is allowed and then nothing more.
struct Bounded(Vec<u8>);

impl Write for &mut Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (OUTPUT_BYTES_MAX + 1).saturating_sub(self.0.len());
        if room == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let taken = &bytes[..bytes.len().min(room)];
        self.0.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(text: &str, printing: Printing) -> String {
        let object = json!({
            "summary": "DOWN \"503\" \u{1b}[31mshop",
            "cause": null,
            "list": [{"n": 1}, {"n": 2}],
        });
        render(text, &object, printing).unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn values_are_printed_with_their_quotes() {
        for (text, want) in [
            (
                r#"{"a": {{ summary }}}"#,
                r#"{"a": "DOWN \"503\" \u001b[31mshop"}"#,
            ),
            (
                r#"{"a": {{ "x " ~ summary|lower }}}"#,
                r#"{"a": "x down \"503\" \u001b[31mshop"}"#,
            ),
            (
                r#"[{{ cause }}, {{ cause.kind }}, {{ nothing }}]"#,
                "[null, null, null]",
            ),
            (r#"{{ list|tojson }}"#, r#"[{"n":1},{"n":2}]"#),
            (
                r#"[{% for row in list %}{{ row.n }}{% if not loop.last %},{% endif %}{% endfor %}]"#,
                "[1,2]",
            ),
        ] {
            assert_eq!(shown(text, Printing::Json), want, "{text}");
        }
    }

    #[test]
    fn what_is_not_json_says_where_and_why() {
        let error = shown("{\n\"a\": \"{{ summary }}\"}", Printing::Json);
        assert!(
            error.contains("line 2") && error.contains("without any"),
            "{error}"
        );
        assert!(shown("{{ summary|safe }}", Printing::Json).contains("filter safe"));
    }

    #[test]
    fn bare_values_have_no_control_characters() {
        assert_eq!(
            shown("{{ summary }} {{ cause }}{{ nothing }}", Printing::Bare),
            "DOWN \"503\" [31mshop "
        );
        for (value, want) in [
            (None, Printing::Json),
            (Some("application/json; charset=utf-8"), Printing::Json),
            (Some("application/problem+JSON"), Printing::Json),
            (Some("text/plain"), Printing::Bare),
        ] {
            assert_eq!(Printing::of_content_type(value), want);
        }
    }

    #[test]
    fn steps_depth_and_bytes_are_bounded() {
        for text in [
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{{ 'x' * 1000000000 }}",
            "{% for a in range(90000) %}{{ summary }}{{ summary }}{% endfor %}",
            "{{ '%999999999d'|format(1) }}",
            "{{ 'x\ny'|indent(999999999) }}",
            "{{ range(100000)|join(summary) }}",
        ] {
            let error = shown(text, Printing::Bare);
            assert!(error.starts_with("error: "), "{text}: {}", error.len());
        }
        let doubled = "{% set a = a ~ a %}".repeat(60);
        let error = shown(
            &format!("{{% set a = 'xxxx' %}}{doubled}{{{{ a }}}}"),
            Printing::Bare,
        );
        assert!(error.starts_with("error: "), "{}", error.len());
        let deep = format!(
            "{}{}",
            "{% if true %}".repeat(5000),
            "{% endif %}".repeat(5000)
        );
        assert!(shown(&deep, Printing::Bare).starts_with("error: "));
    }
}
