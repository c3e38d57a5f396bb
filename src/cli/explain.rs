//! `sitewatch explain`: what an HTTP status code or a failure kind means.

use std::fmt::Write as _;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::{complete, output};
use crate::domain::check::FailureKind;
use crate::domain::nearest::nearest;
use crate::domain::status_code;
use crate::view::explain::{self, Subject};

/// Arguments of `sitewatch explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch explain 503\n  sitewatch explain 4xx\n  \
    sitewatch explain tls_expired\n  sitewatch explain gateway"
)]
pub struct Args {
    /// A status (503), a class (4xx), a failure kind (tls_expired), or words of a status's name
    #[arg(required = true, value_name = "CODE", add = complete::explainable())]
    pub codes: Vec<String>,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let mut subjects = Vec::new();
    for code in &args.codes {
        let found = subjects_of(code)?;
        if Subject::parse(code).is_none() {
            context.out.note(&by_words(code, &found));
        }
        subjects.extend(found);
    }
    let screen = context.out.screen();
    for (index, subject) in subjects.into_iter().enumerate() {
        if context.options.json {
            writeln!(context.out, "{}", explain::json(subject))?;
            continue;
        }
        if index > 0 {
            writeln!(context.out)?;
        }
        explain::text(subject, screen, &mut context.out)?;
    }
    Ok(Outcome::Fine)
}

/// Says that a text was taken for a part of names.
fn by_words(text: &str, found: &[Subject]) -> String {
    let code = |subject: &Subject| match subject {
        Subject::Code(code) => Some(code.to_string()),
        Subject::Class(_) | Subject::Failure(_) => None,
    };
    let codes: Vec<String> = found.iter().filter_map(code).collect();
    let codes = match codes.as_slice() {
        [] | [_] => codes.concat(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    };
    let text = output::quoted(text);
    format!("`{text}` is neither a code nor a failure kind; it is a part of the name of {codes}:")
}

fn subjects_of(text: &str) -> Result<Vec<Subject>, CliError> {
    if let Some(subject) = Subject::parse(text) {
        return Ok(vec![subject]);
    }
    let found = status_code::search(text);
    if !found.is_empty() {
        return Ok(found
            .into_iter()
            .map(|known| Subject::Code(known.code))
            .collect());
    }
    let text = output::quoted(text);
    if text.parse::<u64>().is_ok() {
        return Err(CliError::Usage(format!(
            "{text} is not an HTTP status: a code has three digits, from 100 to 599 (some servers send up to 999)"
        )));
    }
    let near = nearest(&text, FailureKind::ALL.iter().map(|kind| kind.as_str()));
    let near = near.map(|kind| format!("; did you mean `{kind}`?"));
    Err(CliError::Usage(format!(
        "`{text}` is not a status (503), class (4xx), failure kind (tls_expired) or part of a status's name{}",
        near.unwrap_or_default()
    )))
}
