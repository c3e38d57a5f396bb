//! What a shell offers after a Tab beside commands and options: monitor names, states and failure kinds.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use super::context::{self, Context};
use super::options::Global;
use super::output::{Colour, Output};
use super::resolve::{self, Place};
use crate::domain::check::{CheckState, FailureKind};
use crate::domain::status_code;
use crate::store::facts::incidents::IncidentQuery;
use crate::store::reader::Reader;

/// The environment variable that holds the name of the shell that asks.
pub const VARIABLE: &str = "SITEWATCH_COMPLETE";

/// More than this nobody reads, and a shell is slow with it.
const NAMES_MAX: usize = 2000;
/// Incidents that are offered, newest first.
const INCIDENTS_MAX: u32 = 50;

/// The names of the monitors, of the configuration that the line names or that is found.
pub fn monitors() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| monitors_like(&current.to_string_lossy()))
}

/// The tags of the monitors.
pub fn tags() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Some((place, quotes)) = place() else {
            return Vec::new();
        };
        let monitors = place.config.iter().flat_map(|config| &config.monitors);
        let tags: BTreeSet<&String> = monitors.flat_map(|monitor| monitor.tags.iter()).collect();
        let tags = tags.into_iter().take(NAMES_MAX);
        tags.map(|tag| CompletionCandidate::new(if quotes { quoted(tag) } else { tag.clone() }))
            .collect()
    })
}

/// The ids of the newest incidents, and the names of the monitors, whose newest incident is meant.
pub fn incidents() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let typed = current.to_string_lossy();
        let mut found = incidents_like(&typed);
        found.extend(monitors_like(&typed));
        found
    })
}

/// The locations from which anything was seen.
pub fn locations() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Some((place, _)) = place() else {
            return Vec::new();
        };
        let series = Reader::open(&place.database).and_then(|reader| reader.series(None));
        let mut names: Vec<String> = series
            .unwrap_or_default()
            .iter()
            .map(|series| series.location.to_string())
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(CompletionCandidate::new).collect()
    })
}

/// The states of a check.
pub fn states() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        CheckState::ALL
            .iter()
            .map(|state| CompletionCandidate::new(state.as_str()))
            .collect()
    })
}

/// What `explain` knows: failure kinds and status codes.
pub fn explainable() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let kinds = FailureKind::ALL
            .iter()
            .map(|kind| CompletionCandidate::new(kind.as_str()));
        let codes = status_code::all().map(|known| {
            CompletionCandidate::new(known.code.to_string()).help(Some(known.name.into()))
        });
        kinds.chain(codes).collect()
    })
}

/// The words of the line that is completed.
pub(super) fn line_of(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let behind = arguments.into_iter().skip_while(|word| word != "--");
    behind.skip(1).collect()
}

/// What the line says of the configuration, and the database; `None` if there is none.
fn place() -> Option<(Place, bool)> {
    let environment = context::environment();
    let quotes = environment.get(VARIABLE) == Some("bash");
    let mut out = Output::of_process(Colour::Never, &environment);
    // A message in the middle of a line that somebody types helps nobody.
    out.silence();
    let mut context = Context {
        options: options_of(&line_of(std::env::args_os())),
        environment,
        out,
        used: None,
    };
    Some((resolve::brief(&mut context).ok()?, quotes))
}

fn incidents_like(typed: &str) -> Vec<CompletionCandidate> {
    // Names rarely begin with a figure, ids always do: a database is not read in vain.
    if !typed.is_empty() && !typed.starts_with(|c: char| c.is_ascii_digit()) {
        return Vec::new();
    }
    let Some((place, _)) = place() else {
        return Vec::new();
    };
    let query = IncidentQuery {
        limit: Some(INCIDENTS_MAX),
        ..IncidentQuery::default()
    };
    let listed = Reader::open(&place.database).and_then(|reader| reader.incidents(&query));
    let listed = listed.unwrap_or_default();
    listed
        .into_iter()
        .map(|listed| (listed.incident.key.to_string(), listed))
        .filter(|(id, _)| id.starts_with(typed))
        .map(|(id, listed)| {
            let cause = &listed.incident.cause.failure.kind;
            let help = format!("{}: {cause}", listed.name.as_str());
            CompletionCandidate::new(id).help(Some(help.into()))
        })
        .collect()
}

fn monitors_like(typed: &str) -> Vec<CompletionCandidate> {
    let Some((place, quotes)) = place() else {
        return Vec::new();
    };
    let mut names: Vec<String> = place
        .names
        .iter()
        .map(|name| name.as_str().to_owned())
        .collect();
    if names.is_empty() {
        let known = Reader::open(&place.database).and_then(|reader| reader.monitors());
        let known = known.unwrap_or_default();
        names = known
            .into_iter()
            .map(|monitor| monitor.name.as_str().to_owned())
            .collect();
    }
    let typed = unquoted(typed);
    names
        .into_iter()
        .filter(|name| name.starts_with(&typed))
        .take(NAMES_MAX)
        .map(|name| CompletionCandidate::new(if quotes { quoted(&name) } else { name }))
        .collect()
}

/// The global options of a line that is not complete yet.
fn options_of(words: &[OsString]) -> Global {
    let value = |long: &str, short: &str| {
        words.iter().enumerate().find_map(|(at, word)| {
            let word = word.to_string_lossy();
            if word == long || (!short.is_empty() && word == short) {
                return words.get(at + 1).map(PathBuf::from);
            }
            word.strip_prefix(long)?
                .strip_prefix('=')
                .map(PathBuf::from)
        })
    };
    Global {
        config: value("--config", "-c"),
        database: value("--database", ""),
        ..Global::default()
    }
}

/// The word without the quotes that a shell has not taken away yet.
fn unquoted(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    let mut chars = word.chars().filter(|c| !matches!(c, '"' | '\''));
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.extend(chars.next()),
            _ => plain.push(c),
        }
    }
    plain
}

/// The name as one word of bash, which puts a candidate into the line as it is.
fn quoted(name: &str) -> String {
    let mut word = String::with_capacity(name.len());
    for c in name.chars() {
        let is_plain = c.is_alphanumeric() || "-_./:@%+,=".contains(c);
        if !is_plain {
            word.push('\\');
        }
        word.push(c);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_of_the_line() {
        assert_eq!(quoted("slow report (new)"), r"slow\ report\ \(new\)");
        for name in ["slow report (new)", "api-001.example.com", "a\\b"] {
            assert_eq!(unquoted(&quoted(name)), name);
        }
        assert_eq!(unquoted("\"slow re"), "slow re");
    }

    #[test]
    fn the_line_says_which_configuration_it_is_about() {
        let words = |line: &str| -> Vec<OsString> { line.split(' ').map(OsString::from).collect() };
        let options = options_of(&words("sitewatch -c a.toml status --database=b.db s"));
        assert_eq!(options.config, Some("a.toml".into()));
        assert_eq!(options.database, Some("b.db".into()));
        assert_eq!(line_of(words("sitewatch -- sitewatch status s")).len(), 3);
    }
}
