//! The command line: global options and every command. Each command's own arguments stand in its file.

use clap::{Parser, Subcommand};

use super::help;
use super::options::{Global, HELP_COLUMNS, STYLES};

const EXAMPLES: &str = "\
Examples:
  sitewatch check https://example.com/       one check, no configuration needed
  sitewatch demo                             a tour: built-in sites and mails
  sitewatch config init                      write a first monitors.toml
  sitewatch config example                   print every key with its default
  sitewatch config check                     validate monitors.toml
  sitewatch run                              check, record and mail
  sitewatch status --watch                   the current state, refreshed
  sitewatch history shop --since 1d --state down
  sitewatch report --period 30d

The configuration is the first of: --config FILE, $SITEWATCH_CONFIG,
./monitors.toml, $XDG_CONFIG_HOME/sitewatch/monitors.toml,
/etc/sitewatch/monitors.toml.

Exit status: 0 fine; 1 a failure (for `check`: something is down or unknown);
2 wrong usage or configuration. `check --nagios`: 0, 1, 2, 3 as plugins do.";

/// A self-hosted uptime monitor: one binary, one TOML file, alerts by e-mail.
#[derive(Debug, Parser)]
#[command(
    name = "sitewatch",
    version,
    about,
    styles = STYLES,
    propagate_version = true,
    arg_required_else_help = true,
    help_template = help::template(Command::augment_subcommands(clap::Command::new(""))),
    after_help = EXAMPLES,
    max_term_width = HELP_COLUMNS,
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground: check, record, mail
    Run(super::run::Args),
    /// Check sites now, without the daemon; writes nothing
    Check(super::check::Args),
    /// Show the current state of each monitor
    Status(super::status::Args),
    /// Show recorded checks, newest first
    History(super::history::Args),
    /// Show outages: cause, start, end, mails sent
    Incidents(super::incidents::Args),
    /// Show the first failing answer of an incident, whole
    Evidence(super::evidence::Args),
    /// Show why a monitor is in its state, and what holds messages back
    Why(super::why::command::Args),
    /// Show uptime, outages and latency of a period
    Report(super::report::command::Args),
    /// Explain an HTTP status code or a failure kind
    Explain(super::explain::Args),
    /// Show the mails another configuration would have sent
    Replay(super::replay::Args),
    /// Validate, show, compare and document the configuration
    Config(super::config::Args),
    /// Test a channel
    Channel(super::channel::Args),
    /// Make the credentials of a further location
    Cluster(super::cluster::Args),
    /// Test mail delivery, list unsent mails, send them now
    Email(super::email::Args),
    /// Make the running daemon reload its configuration
    Reload(super::control::ReloadArgs),
    /// Make the running daemon check monitors now
    Recheck(super::control::Selection),
    /// Stop checking monitors until you resume them
    Pause(super::control::Selection),
    /// Resume paused monitors
    Resume(super::control::Selection),
    /// Suppress mails for a while
    Mute(super::control::MuteArgs),
    /// End a mute
    Unmute(super::control::Selection),
    /// Acknowledge an outage (stops reminders)
    Ack(super::control::AckArgs),
    /// Open a maintenance window now, for a time or while a command runs
    Maintenance(super::maintenance::Args),
    /// Make an incident count as maintenance, as a false alarm, or as an outage
    Amend(super::amend::AmendArgs),
    /// Add a note to an incident
    Note(super::amend::NoteArgs),
    /// Print what happened: states, deliveries, orders, each once and in order
    Events(super::events::Args),
    /// Convert another tool's configuration to monitors.toml
    Import(super::import::Args),
    /// Back up the database (safe while the daemon runs)
    Backup(super::backup::Args),
    /// Take a tour: built-in sites that fail and recover, a built-in mailbox
    Demo(super::demo::Args),
    /// Print a shell's completion script
    Completions(super::completions::Args),
    /// Print the manual page
    Man(super::man::command::Args),
}

impl Command {
    /// The command's word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Check(_) => "check",
            Self::Status(_) => "status",
            Self::History(_) => "history",
            Self::Incidents(_) => "incidents",
            Self::Evidence(_) => "evidence",
            Self::Why(_) => "why",
            Self::Report(_) => "report",
            Self::Explain(_) => "explain",
            Self::Replay(_) => "replay",
            Self::Config(args) => args.command.name(),
            Self::Channel(_) => "channel",
            Self::Cluster(_) => "cluster",
            Self::Email(_) => "email",
            Self::Reload(_) => "reload",
            Self::Recheck(_) => "recheck",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Mute(_) => "mute",
            Self::Unmute(_) => "unmute",
            Self::Ack(_) => "ack",
            Self::Maintenance(_) => "maintenance",
            Self::Amend(_) => "amend",
            Self::Note(_) => "note",
            Self::Events(_) => "events",
            Self::Import(_) => "import",
            Self::Backup(_) => "backup",
            Self::Demo(_) => "demo",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }

    /// Whether `--json` means something to it.
    pub const fn speaks_json(&self) -> bool {
        match self {
            Self::Check(_)
            | Self::Status(_)
            | Self::History(_)
            | Self::Incidents(_)
            | Self::Evidence(_)
            | Self::Why(_)
            | Self::Report(_)
            | Self::Explain(_)
            | Self::Replay(_)
            | Self::Channel(_)
            | Self::Email(_)
            | Self::Reload(_)
            | Self::Recheck(_)
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Mute(_)
            | Self::Unmute(_)
            | Self::Ack(_)
            | Self::Maintenance(_)
            | Self::Amend(_)
            | Self::Note(_)
            | Self::Events(_) => true,
            Self::Config(args) => args.command.speaks_json(),
            Self::Run(_)
            | Self::Cluster(_)
            | Self::Import(_)
            | Self::Backup(_)
            | Self::Demo(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::output::Colour;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    fn helps(command: &mut clap::Command, all: &mut Vec<(String, String)>) {
        let help = command.render_long_help().to_string();
        all.push((command.get_name().to_owned(), help));
        for below in command.get_subcommands_mut() {
            helps(below, all);
        }
    }

    #[test]
    fn the_help_lists_every_command_once_under_a_heading() {
        let mut command = Cli::command();
        command.build();
        let help = command.render_help().to_string();
        for command in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            let lines = help.lines().filter(|line| {
                line.starts_with("  ") && line.split_whitespace().next() == Some(command.get_name())
            });
            assert_eq!(lines.count(), 1, "{}: {help}", command.get_name());
        }
        assert!(!help.contains("Other commands"), "{help}");
    }

    #[test]
    fn every_help_fits_and_no_line_of_an_example_is_broken() {
        let mut command = Cli::command();
        command.build();
        let mut all = Vec::new();
        helps(&mut command, &mut all);
        assert!(all.len() > 25, "{}", all.len());
        for (name, help) in all {
            for line in help.lines() {
                assert!(line.chars().count() <= HELP_COLUMNS, "{name}: {line}");
            }
        }
        let mut commands = vec![command];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let after = command.get_after_help().map(ToString::to_string);
            for line in after.unwrap_or_default().lines() {
                assert!(
                    line.chars().count() <= HELP_COLUMNS,
                    "{}: {line}",
                    command.get_name()
                );
            }
        }
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            "sitewatch --config a.toml --database b.db --json --color never status shop",
            "sitewatch status shop --color never --json --database b.db --config a.toml",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.global.config, Some("a.toml".into()), "{line}");
            assert_eq!(cli.global.database, Some("b.db".into()), "{line}");
            assert!(cli.global.json, "{line}");
            assert_eq!(cli.global.color, Colour::Never, "{line}");
        }
    }
}
