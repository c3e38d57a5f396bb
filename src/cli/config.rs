//! `sitewatch config`: validate, show, compare and document the configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::lists;
use super::output::quoted;
use crate::config::show::ShowError;
use crate::config::{self, Config, Included};
use crate::domain::channel::Events;
use crate::domain::duration_text::Written;
use crate::domain::monitor::Monitor;
use crate::domain::recipient::Recipient;
use crate::domain::settings::{Covers, MailTransport, SmtpTls};
use crate::domain::subject::{NO_RIGHT_TO_PING, Subject};
use crate::probe::may_ping;

/// Arguments of `sitewatch config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Validate it; every fault is reported with its place
    Check,
    /// Print the effective configuration, secrets masked
    Show,
    /// Print the JSON Schema of monitors.toml
    Schema,
    /// Print what a reload with another file would change
    Diff {
        /// The other file
        #[arg(value_name = "NEW")]
        new: PathBuf,
    },
    /// Print a commented monitors.toml with every key
    Example,
    /// Write a first monitors.toml from what it finds on this machine
    #[command(
        long_about = "Write a first monitors.toml from what it finds on this machine: a mail server on \
                      localhost, its name, and as suggestions what nginx, Caddy or Apache serve here. It asks nothing \
                      and never overwrites a file.",
        after_help = "Examples:\n  sitewatch config init                 writes ./monitors.toml\n  \
                      sitewatch config init -               to standard output"
    )]
    Init {
        /// The file; `-` is standard output [default: ./monitors.toml]
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

impl ConfigCommand {
    /// The words by which it is called.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Check => "config check",
            Self::Show => "config show",
            Self::Schema => "config schema",
            Self::Diff { .. } => "config diff",
            Self::Example => "config example",
            Self::Init { .. } => "config init",
        }
    }

    /// Whether `--json` means something to it.
    pub const fn speaks_json(&self) -> bool {
        match self {
            Self::Schema => true,
            Self::Check | Self::Show | Self::Diff { .. } | Self::Example | Self::Init { .. } => {
                false
            }
        }
    }
}

/// At most this many monitors are named; the others are counted.
const NAMES_SHOWN_MAX: usize = 5;

/// Columns before what a line of `config check` says.
const LABEL: usize = 10;

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    match &args.command {
        ConfigCommand::Check => check(context),
        ConfigCommand::Show => show(context),
        ConfigCommand::Schema => {
            // `--json` promises one object a line.
            match context.options.json {
                true => writeln!(context.out, "{}", config::schema::schema())?,
                false => writeln!(context.out, "{:#}", config::schema::schema())?,
            }
            Ok(Outcome::Fine)
        }
        ConfigCommand::Diff { new } => diff(context, new),
        ConfigCommand::Init { file } => super::config_init::run(context, file.as_deref()),
        ConfigCommand::Example => {
            context.out.write_str(config::EXAMPLE)?;
            Ok(Outcome::Fine)
        }
    }
}

fn located(context: &mut Context) -> Result<PathBuf, CliError> {
    let located = config::locate(context.options.config.as_deref(), &context.environment)?;
    if let Some(warning) = &located.warning {
        context.out.warning(warning);
    }
    Ok(located.file)
}

fn loaded(context: &Context, file: &std::path::Path) -> Result<Config, CliError> {
    config::load(file, &context.environment).map_err(|errors| CliError::configuration(&errors))
}

fn check(context: &mut Context) -> Result<Outcome, CliError> {
    let file = located(context)?;
    let config = loaded(context, &file)?;
    let text = summary(&config)?;
    let mut lines = text.split_inclusive('\n');
    // The first one names the file, by which it was called.
    context.out.write_str(lines.next().unwrap_or_default())?;
    let rest: String = lines.collect();
    let screen = context.out.screen();
    for line in config.masks.apply(&rest).lines() {
        let (label, text) = line.split_at_checked(LABEL).unwrap_or((line, ""));
        writeln!(context.out, "{label}{}", screen.hanging(text, LABEL))?;
    }
    for list in &config.lists {
        if let Err(why) = lists::look(&list.source) {
            context.out.warning(&config.masks.apply(&why));
        }
    }
    for warning in &config.warnings {
        context.out.warning(warning);
    }
    let is_pinged =
        |monitor: &Arc<Monitor>| monitor.enabled && matches!(monitor.subject, Subject::Icmp(_));
    if config.monitors.iter().any(is_pinged) && !may_ping() {
        let message = format!("{NO_RIGHT_TO_PING}; until then its icmp:// monitors are unknown");
        context.out.warning(&message);
    }
    Ok(Outcome::Fine)
}

/// `include   monitors.d/*.toml: 2 files (monitors.d/shop.toml, monitors.d/web.toml)`
fn write_included(out: &mut String, included: &Included) -> std::fmt::Result {
    let Included { pattern, files } = included;
    let pattern = quoted(pattern);
    let count = match files.len() {
        0 => return writeln!(out, "include   {pattern}: no file"),
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    // What came by `${NAME}` is shown by its name.
    if pattern.contains("${") {
        return writeln!(out, "include   {pattern}: {count}");
    }
    let shown = files.iter().take(NAMES_SHOWN_MAX);
    let mut names: Vec<String> = shown.map(|file| quoted(&file.to_string_lossy())).collect();
    if files.len() > NAMES_SHOWN_MAX {
        names.push(format!("and {} more", files.len() - NAMES_SHOWN_MAX));
    }
    writeln!(out, "include   {pattern}: {count} ({})", names.join(", "))
}

/// `monitors.toml is valid: 12 monitors (1 not enabled), and 1 list, 2 maintenance windows`
fn write_counts(out: &mut String, config: &Config) -> std::fmt::Result {
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let disabled = config
        .monitors
        .iter()
        .filter(|monitor| !monitor.enabled)
        .count();
    write!(
        out,
        "{} is valid: {}",
        config.file.display(),
        plural(config.monitors.len(), "monitor")
    )?;
    if disabled > 0 {
        write!(out, " ({disabled} not enabled)")?;
    }
    if !config.lists.is_empty() {
        write!(out, ", and {}", plural(config.lists.len(), "list"))?;
    }
    if !config.maintenance.is_empty() {
        write!(
            out,
            ", {}",
            plural(config.maintenance.len(), "maintenance window")
        )?;
    }
    writeln!(out)
}

/// What a valid configuration does, in a few lines: how many monitors, how mail is sent, who gets which mails.
fn summary(config: &Config) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    write_counts(&mut out, config)?;
    for included in &config.included {
        write_included(&mut out, included)?;
    }
    for list in &config.lists {
        writeln!(out, "source    {}", lists::described(&list.source))?;
    }
    writeln!(out, "database  {}", config.daemon.database.display())?;
    for channel in &config.channels {
        let events: Vec<&str> = channel.events.iter().map(|event| event.as_str()).collect();
        let takes = if channel.events == Events::default_of(channel.format()) {
            String::new()
        } else {
            format!(", takes {}", events.join(", "))
        };
        let (name, format) = (&channel.name, channel.format());
        writeln!(out, "channel   {name}: {format}{takes}")?;
    }
    match config.email.as_ref().map(|email| (email, &email.transport)) {
        None => writeln!(out, "mail      none")?,
        Some((email, MailTransport::Smtp(server))) => {
            let tls = match server.tls {
                SmtpTls::Starttls => "starttls",
                SmtpTls::Implicit => "implicit TLS",
                SmtpTls::None => "in clear",
            };
            writeln!(
                out,
                "mail      by {} port {}, {tls}, from {}",
                server.host, server.port, email.from
            )?;
        }
        Some((email, MailTransport::Directory(path))) => {
            writeln!(
                out,
                "mail      as files in {}, from {}",
                path.display(),
                email.from
            )?;
        }
    }
    if !config.has_way_out() {
        return Ok(out);
    }
    let mut told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for monitor in config.monitors.iter().filter(|monitor| monitor.enabled) {
        let to: Vec<&str> = monitor
            .rules
            .to
            .iter()
            .map(|address| address.key())
            .collect();
        let to = if to.is_empty() {
            "nobody".to_owned()
        } else {
            to.join(", ")
        };
        told.entry(to).or_default().push(monitor.name.as_str());
    }
    for (to, names) in &told {
        let shown = names
            .iter()
            .take(NAMES_SHOWN_MAX)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        match names.len().saturating_sub(NAMES_SHOWN_MAX) {
            0 => writeln!(out, "          {to}: {shown}")?,
            more => writeln!(out, "          {to}: {shown} and {more} more")?,
        }
    }
    write_times(&mut out, config)?;
    Ok(out)
}

/// Who is told only after a time, and who at some times only.
fn write_times(out: &mut String, config: &Config) -> std::fmt::Result {
    let keys = |to: &[Recipient]| {
        let keys: Vec<&str> = to.iter().map(Recipient::key).collect();
        keys.join(", ")
    };
    for step in &config.escalation {
        let enabled = config.monitors.iter().filter(|monitor| monitor.enabled);
        let has = |monitor: &&Arc<Monitor>| step.covers.has(&monitor.name, &monitor.tags);
        let covered = enabled.clone().filter(has);
        let mut names: Vec<&str> = covered.map(|monitor| monitor.name.as_str()).collect();
        let of = match (&step.covers, names.len()) {
            (Covers::All, _) => "all".to_owned(),
            (Covers::Some { .. }, 0) => "no monitor".to_owned(),
            (Covers::Some { .. }, count) => {
                names.truncate(NAMES_SHOWN_MAX);
                let shown = names.join(", ");
                match count.saturating_sub(NAMES_SHOWN_MAX) {
                    0 => shown,
                    more => format!("{shown} and {more} more"),
                }
            }
        };
        let after = format!("after {}", Written(step.after));
        writeln!(out, "{after:<9} {}: {of}", keys(&step.to))?;
    }
    for entry in config.hours.entries() {
        let open: Vec<String> = entry.open.iter().map(ToString::to_string).collect();
        writeln!(out, "hours     {}: {}", keys(&entry.to), open.join(", "))?;
    }
    Ok(())
}

fn show(context: &mut Context) -> Result<Outcome, CliError> {
    let file = located(context)?;
    let environment = context.environment.clone();
    match config::show::show(&file, &environment, &mut context.out) {
        Ok(()) => Ok(Outcome::Fine),
        Err(ShowError::Config(errors)) => Err(CliError::Configuration(errors.to_string())),
        Err(ShowError::Write(error)) => Err(error.into()),
    }
}

fn diff(context: &mut Context, new: &std::path::Path) -> Result<Outcome, CliError> {
    let file = located(context)?;
    let old = loaded(context, &file)?;
    let new = loaded(context, new)?;
    writeln!(context.out, "{}", config::diff(&old, &new))?;
    for warning in &new.warnings {
        context.out.warning(warning);
    }
    Ok(Outcome::Fine)
}
