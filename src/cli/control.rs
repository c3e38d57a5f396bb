//! Commands for the running daemon: reload, recheck, pause, resume, mute, unmute, ack.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::context::Context;
use super::error::{CliError, Outcome};
use crate::config::{self, ConfigErrors, default_paths};
use crate::control::{self, Answer, ControlError, Request, Which};
use crate::domain::monitor::MonitorName;
use crate::domain::safe_text;

/// Arguments of `sitewatch reload`.
#[derive(Debug, clap::Args)]
pub struct ReloadArgs {
    /// Accept a list of a `[[source]]` that is shorter than keep_at_least allows
    #[arg(long)]
    pub accept_lists: bool,
}

/// Which monitors an order is about.
#[derive(Debug, clap::Args)]
#[group(id = "whom", required = true, multiple = true)]
pub struct Selection {
    /// The monitors, by name; `--all` for all
    #[arg(value_name = "NAME", add = super::complete::monitors())]
    pub names: Vec<String>,
    /// Monitors with this tag; repeat it for several tags
    #[arg(long = "tag", value_name = "TAG", conflicts_with = "names", add = super::complete::tags())]
    pub tags: Vec<String>,
    /// All monitors
    #[arg(long, conflicts_with_all = ["names", "tags"])]
    pub all: bool,
}

/// Arguments of `sitewatch mute`.
#[derive(Debug, clap::Args)]
pub struct MuteArgs {
    /// The monitors
    #[command(flatten)]
    pub selection: Selection,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = super::options::duration)]
    pub time: Duration,
}

/// Arguments of `sitewatch ack`.
#[derive(Debug, clap::Args)]
pub struct AckArgs {
    /// The monitors
    #[command(flatten)]
    pub selection: Selection,
    /// For how long [default: until it is up again]
    #[arg(long = "for", value_name = "TIME", value_parser = super::options::duration)]
    pub time: Option<Duration>,
    /// Why, or who is on it
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// `sitewatch reload`
pub fn reload(context: &mut Context, args: &ReloadArgs) -> Result<Outcome, CliError> {
    // The daemon refuses a wrong configuration with places and carets.
    let request = Request::Reload {
        accept_lists: args.accept_lists,
    };
    ask(context, &request, CliError::Configuration)
}

/// `sitewatch recheck`
pub fn recheck(context: &mut Context, args: &Selection) -> Result<Outcome, CliError> {
    let which = which(args)?;
    ask(context, &Request::Recheck { which }, CliError::Usage)
}

/// `sitewatch pause`
pub fn pause(context: &mut Context, args: &Selection) -> Result<Outcome, CliError> {
    let which = which(args)?;
    ask(context, &Request::Pause { which }, CliError::Usage)
}

/// `sitewatch resume`
pub fn resume(context: &mut Context, args: &Selection) -> Result<Outcome, CliError> {
    let which = which(args)?;
    ask(context, &Request::Resume { which }, CliError::Usage)
}

/// `sitewatch mute`
pub fn mute(context: &mut Context, args: &MuteArgs) -> Result<Outcome, CliError> {
    let request = Request::Mute {
        which: which(&args.selection)?,
        for_ms: milliseconds(args.time)?,
    };
    ask(context, &request, CliError::Usage)
}

/// `sitewatch unmute`
pub fn unmute(context: &mut Context, args: &Selection) -> Result<Outcome, CliError> {
    let which = which(args)?;
    ask(context, &Request::Unmute { which }, CliError::Usage)
}

/// `sitewatch ack`
pub fn ack(context: &mut Context, args: &AckArgs) -> Result<Outcome, CliError> {
    let request = Request::Ack {
        which: which(&args.selection)?,
        for_ms: args.time.map(milliseconds).transpose()?,
        note: args.note.clone(),
    };
    ask(context, &request, CliError::Usage)
}

/// The monitors that are meant.
///
/// # Errors
/// When a name is none.
pub fn which(selection: &Selection) -> Result<Which, CliError> {
    if selection.all {
        return Ok(Which::All);
    }
    if !selection.tags.is_empty() {
        return Ok(Which::Tagged(selection.tags.clone()));
    }
    let names: Result<Vec<MonitorName>, CliError> = selection
        .names
        .iter()
        .map(|name| {
            MonitorName::parse(name).map_err(|error| {
                let shown = safe_text::line(name, 200);
                CliError::Usage(format!("`{shown}` is not a monitor's name: {error}"))
            })
        })
        .collect();
    Ok(Which::Named(names?))
}

/// A length as it is sent.
///
/// # Errors
/// When it is zero, or no number can hold it.
pub fn milliseconds(time: Duration) -> Result<u64, CliError> {
    match u64::try_from(time.as_millis()) {
        Ok(0) | Err(_) => Err(CliError::Usage(
            "`--for` needs a time above zero, like \"2h\"".to_owned(),
        )),
        Ok(ms) => Ok(ms),
    }
}

/// Asks the daemon and prints what it says. `refused` makes the error of what it refuses.
pub fn ask(
    context: &mut Context,
    request: &Request,
    refused: fn(String) -> CliError,
) -> Result<Outcome, CliError> {
    let answer = ask_daemon(context, request)?;
    if context.options.json {
        let line = control::line(&answer);
        context.out.write_str(&String::from_utf8_lossy(&line))?;
    }
    match answer {
        Answer::Done { lines } => {
            if !context.options.json {
                for line in lines {
                    writeln!(context.out, "{line}")?;
                }
            }
            Ok(Outcome::Fine)
        }
        // Only a command that is run holds a window.
        Answer::Failed { lines } | Answer::Held { lines, .. } => {
            Err(CliError::Machine(lines.join("\n")))
        }
        Answer::Refused { lines } => Err(refused(lines.join("\n"))),
        Answer::Daemon(status) => {
            if !context.options.json {
                writeln!(context.out, "{}", status.line)?;
            }
            Ok(Outcome::Fine)
        }
    }
}

/// Asks the daemon that the configuration in use belongs to.
///
/// # Errors
/// When there is no configuration, or no daemon that answers.
pub fn ask_daemon(context: &mut Context, request: &Request) -> Result<Answer, CliError> {
    let (socket, fault) = find_socket(context)?;
    control::ask(&socket, request).map_err(|error| match (error, fault) {
        (ControlError::NoDaemon { .. }, Some(errors)) => {
            CliError::Configuration(errors.to_string())
        }
        (error, _) => CliError::machine(error),
    })
}

/// Where the daemon listens that the configuration in use belongs to.
///
/// # Errors
/// When there is no configuration.
pub fn socket(context: &mut Context) -> Result<PathBuf, CliError> {
    find_socket(context).map(|(socket, _)| socket)
}

fn find_socket(context: &mut Context) -> Result<(PathBuf, Option<ConfigErrors>), CliError> {
    let environment = &context.environment;
    let located = config::locate(context.options.config.as_deref(), environment)?;
    // A file with faults still says where the daemon of the last good one listens; one that cannot
    // be read at all leaves the place where a daemon without a word about it listens.
    let (socket, fault) = match config::load_brief(&located.file, environment) {
        Ok(brief) => (brief.control_socket, None),
        Err(errors) => {
            let database = default_paths::default_database(&located.file, environment);
            let socket = default_paths::default_socket(
                &located.file,
                &database.unwrap_or_default(),
                environment,
            );
            (socket, Some(errors))
        }
    };
    if let Some(warning) = located.warning {
        context.out.warning(&warning);
    }
    Ok((socket, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_monitors_or_say_why_not() {
        let selection = |names: &[&str]| Selection {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            tags: Vec::new(),
            all: false,
        };
        let shop = MonitorName::parse("shop").unwrap();
        assert_eq!(
            which(&selection(&["shop"])).unwrap(),
            Which::Named(vec![shop])
        );
        let error = which(&selection(&["a\u{1b}[31m"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a [31m` is not a monitor's name: a monitor's name must not contain control characters"
        );
    }

    #[test]
    fn no_time_is_no_mute() {
        assert!(milliseconds(Duration::ZERO).is_err());
        assert_eq!(milliseconds(Duration::from_secs(2)).unwrap(), 2000);
    }
}
