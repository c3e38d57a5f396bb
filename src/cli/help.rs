//! The help of `sitewatch` itself: its commands under headings, instead of one long list.

use std::fmt::Write as _;

use clap::builder::StyledStr;

use super::options::{HELP_COLUMNS, STYLES};
use crate::view::wrap;

/// Which commands stand under which heading; what is in none of them stands under the last one.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Start here", &["demo", "check", "config", "import", "run"]),
    (
        "Look at the results",
        &[
            "status",
            "history",
            "incidents",
            "evidence",
            "why",
            "events",
            "report",
            "explain",
        ],
    ),
    (
        "Control the running daemon",
        &[
            "reload",
            "recheck",
            "pause",
            "resume",
            "mute",
            "unmute",
            "ack",
            "maintenance",
            "amend",
            "note",
            "cluster",
        ],
    ),
    (
        "Mail and upkeep",
        &[
            "email",
            "channel",
            "replay",
            "backup",
            "completions",
            "man",
            "help",
        ],
    ),
];
const OTHERS: &str = "Other commands";

/// Where the texts begin.
const TEXT_AT: usize = 15;

/// The template of the help, for clap, of a command with all commands below it.
pub fn template(all: clap::Command) -> StyledStr {
    let mut listed: Vec<(String, String)> = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| {
            let about = command.get_about().map(ToString::to_string);
            (command.get_name().to_owned(), about.unwrap_or_default())
        })
        .collect();
    listed.push((
        "help".to_owned(),
        "Print this message or the help of the given command".to_owned(),
    ));
    let mut text = "{before-help}{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (heading, names) in GROUPS {
        let group = names.iter().filter_map(|name| {
            let place = listed.iter().position(|(listed, _)| listed == name)?;
            Some(listed.remove(place))
        });
        write_group(heading, group.collect(), &mut text);
    }
    write_group(OTHERS, listed, &mut text);
    let header = STYLES.get_header();
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "\n{header}Global options:{header:#}\n{{options}}{{after-help}}"
    );
    text.into()
}

fn write_group(heading: &str, commands: Vec<(String, String)>, text: &mut String) {
    if commands.is_empty() {
        return;
    }
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    // Writing to a string does not fail.
    let _ = writeln!(text, "\n{header}{heading}:{header:#}");
    for (name, about) in commands {
        let _ = write!(text, "  {literal}{name}{literal:#}");
        let mut pad = TEXT_AT.saturating_sub(2 + name.len());
        for line in wrap::lines(&about, HELP_COLUMNS - TEXT_AT) {
            let _ = writeln!(text, "{:pad$}{line}", "");
            pad = TEXT_AT;
        }
    }
}
