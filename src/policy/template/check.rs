//! Checks a template before it is needed: against a sample, and against the names of the object in every branch.

use std::sync::OnceLock;

use minijinja::UndefinedBehavior;
use serde_json::Value;

use super::engine::{self, Printing, RenderError};

/// A longer template is not one that a person wrote.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Why a template cannot be used. Fit after the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("has {0} bytes; a template has at most {TEXT_BYTES_MAX}")]
    Long(usize),
    /// Names that the object does not have.
    #[error("names `{name}`, which a message does not have{}", hint(.known))]
    Unknown {
        /// The first of them.
        name: String,
        /// What a message has at that place.
        known: Vec<String>,
        /// The line on which it stands, from 1.
        line: Option<usize>,
    },
    /// It cannot be read, ends in an error, or gives no JSON.
    #[error("{words}")]
    Fails {
        /// The line of the template, from 1, where that is known.
        line: Option<usize>,
        /// What is wrong.
        words: String,
    },
}

fn hint(known: &[String]) -> String {
    format!("; it has {}", known.join(", "))
}

impl TemplateError {
    /// The line of the template, from 1, where that is known.
    pub const fn line(&self) -> Option<usize> {
        match self {
            Self::Long(_) => None,
            Self::Unknown { line, .. } | Self::Fails { line, .. } => *line,
        }
    }
}

/// A message with everything that a message can have, as format `json` sends it.
pub fn sample() -> &'static Value {
    static SAMPLE: OnceLock<Value> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        serde_json::from_str(include_str!("sample.json"))
            .expect("the sample is JSON: a test reads it")
    })
}

/// Renders a template with [`sample`].
///
/// # Errors
/// If it is too long, names what a message does not have, cannot be rendered within its bounds, or does not give JSON
/// where it should.
pub fn check(text: &str, printing: Printing) -> Result<(), TemplateError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(TemplateError::Long(text.len()));
    }
    let fails = |error: RenderError| TemplateError::Fails {
        line: error.line,
        words: error.words,
    };
    let environment = engine::environment(printing);
    if let Ok(template) = environment.template_from_str(text) {
        let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        names.sort();
        let globals: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
        let unknown = names.into_iter().find_map(|name| {
            let first = name.split('.').next().unwrap_or_default();
            if globals.contains(&first) {
                return None;
            }
            let known = lacking(sample(), &name)?;
            let line = text.lines().position(|line| line.contains(name.as_str()));
            Some(TemplateError::Unknown {
                line: line.map(|line| line + 1),
                name,
                known,
            })
        });
        if let Some(unknown) = unknown {
            return Err(unknown);
        }
    }
    match engine::rendered(text, sample(), printing, UndefinedBehavior::Strict) {
        Ok(_) => Ok(()),
        Err(error) => Err(fails(error)),
    }
}

/// What an object has in place of a dotted name that it does not have. `None` if it has that.
fn lacking(object: &Value, name: &str) -> Option<Vec<String>> {
    let mut here = object;
    for part in name.split('.') {
        match here {
            Value::Object(object) => match object.get(part) {
                Some(value) => here = value,
                None => return Some(object.keys().cloned().collect()),
            },
            // A method of a text or a list.
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> String {
        match check(text, Printing::Json) {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("{:?} {error}", error.line()),
        }
    }

    #[test]
    fn what_people_write_passes() {
        for text in [
            r#"{"content": {{ summary }}}"#,
            r#"{"text": {{ summary ~ "\n" ~ text }}, "up": {{ state == "up" }}}"#,
            r#"{"at": {{ opened_at }}, "kind": {{ cause.kind }}, "code": {{ check.status }}}"#,
            r#"[{% for row in monitors %}{{ row.monitor }}{% if not loop.last %},{% endif %}{% endfor %}]"#,
            r#"{% if kind == "digest" %}{"n": {{ monitors|length }}}{% else %}{"n": 1}{% endif %}"#,
            r#"{{ {"a": summary, "b": link} }}"#,
        ] {
            assert_eq!(checked(text), "ok", "{text}");
        }
        assert_eq!(check("{{ summary }}\n{{ text }}", Printing::Bare), Ok(()));
    }

    #[test]
    fn faults_say_where() {
        for (text, want) in [
            (
                "{\n\"a\": {{ sumary }}}",
                "Some(2) names `sumary`, which a message does not have; it has ",
            ),
            (
                "{% if kind == 'digest' %}\n{{ cause.word }}{% endif %}",
                "Some(2) names `cause.word`, which a message does not have; it has detail, kind, status",
            ),
            ("{{ summary", "Some(1) syntax error: "),
            ("{{ summary|nofilter }}", "Some(1) unknown filter: "),
            (
                "{\"a\": \"{{ summary }}\"}",
                "Some(1) the result is not JSON at line 1",
            ),
            (
                "{% for row in monitors %}{{ row.nam }}{% endfor %}",
                "Some(1) undefined value",
            ),
        ] {
            let error = checked(text);
            assert!(error.starts_with(want), "{text}: {error}");
        }
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert_eq!(
            check(&long, Printing::Bare),
            Err(TemplateError::Long(TEXT_BYTES_MAX + 1))
        );
    }
}
