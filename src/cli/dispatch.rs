//! From the process's arguments to its exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::args::{Cli, Command};
use super::complete;
use super::context::{self, Context};
use super::error::{CliError, Outcome, PluginState, exit_code};
use super::output::{Colour, Output, is_closed_pipe};
use super::shells;
use crate::config::Environment;

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let environment = context::environment();
    if let Some(shell) = environment.get(complete::VARIABLE) {
        let mut out = Output::of_process(Colour::Never, &environment);
        let result = shells::answer(shell, Cli::command(), arguments, &mut out);
        return ExitCode::from(exit_code(&result));
    }
    let result = match Cli::try_parse_from(&arguments) {
        Ok(cli) => run(cli, environment),
        Err(error) => refuse(&error, &arguments, &environment),
    };
    ExitCode::from(exit_code(&result))
}

fn run(cli: Cli, environment: Environment) -> Result<Outcome, CliError> {
    let out = Output::of_process(cli.global.color, &environment);
    let mut context = Context {
        options: cli.global,
        environment,
        out,
        used: None,
    };
    let plugin = matches!(&cli.command, Command::Check(args) if args.nagios);
    let result = dispatch(&mut context, &cli.command);
    let flushed = context.out.flush().map_err(CliError::from);
    let result = match (result, flushed) {
        (Ok(outcome), Ok(())) => return Ok(outcome),
        (Ok(_), Err(error)) => Err(error),
        (Err(CliError::Format(_)), Err(error)) => Err(error),
        (Err(error), _) => Err(error),
    };
    conclude(&mut context, result, plugin)
}

/// The one place that knows every command.
fn dispatch(context: &mut Context, command: &Command) -> Result<Outcome, CliError> {
    if context.options.json && !command.speaks_json() {
        return Err(CliError::Usage(format!(
            "`sitewatch {}` has no `--json`",
            command.name()
        )));
    }
    match command {
        Command::Run(args) => super::run::run(context, args),
        Command::Check(args) => super::check::run(context, args),
        Command::Status(args) => super::status::run(context, args),
        Command::History(args) => super::history::run(context, args),
        Command::Incidents(args) => super::incidents::run(context, args),
        Command::Evidence(args) => super::evidence::run(context, args),
        Command::Why(args) => super::why::command::run(context, args),
        Command::Report(args) => super::report::command::run(context, args),
        Command::Explain(args) => super::explain::run(context, args),
        Command::Replay(args) => super::replay::run(context, args),
        Command::Config(args) => super::config::run(context, args),
        Command::Channel(args) => super::channel::run(context, args),
        Command::Cluster(args) => super::cluster::run(context, args),
        Command::Email(args) => super::email::run(context, args),
        Command::Reload(args) => super::control::reload(context, args),
        Command::Recheck(args) => super::control::recheck(context, args),
        Command::Pause(args) => super::control::pause(context, args),
        Command::Resume(args) => super::control::resume(context, args),
        Command::Mute(args) => super::control::mute(context, args),
        Command::Unmute(args) => super::control::unmute(context, args),
        Command::Ack(args) => super::control::ack(context, args),
        Command::Maintenance(args) => super::maintenance::run(context, args),
        Command::Amend(args) => super::amend::amend(context, args),
        Command::Note(args) => super::amend::note(context, args),
        Command::Events(args) => super::events::run(context, args),
        Command::Import(args) => super::import::run(context, args),
        Command::Backup(args) => super::backup::run(context, args),
        Command::Demo(args) => super::demo::run(context, args),
        Command::Completions(args) => super::completions::run(context, args, &Cli::command()),
        Command::Man(args) => super::man::command::run(context, args, Cli::command()),
    }
}

/// Says what went wrong, in the form that the caller expects.
fn conclude(
    context: &mut Context,
    result: Result<Outcome, CliError>,
    plugin: bool,
) -> Result<Outcome, CliError> {
    let error = match result {
        Ok(outcome) => return Ok(outcome),
        Err(CliError::Output(error)) if is_closed_pipe(&error) => return Ok(Outcome::Fine),
        Err(error) => error,
    };
    if plugin {
        return Ok(no_verdict(&mut context.out, &error.line()));
    }
    match &error {
        CliError::Configuration(_) | CliError::NoConfiguration { .. } => {
            context.out.message(&error.to_string());
        }
        CliError::Store(error) => {
            let text = match &context.used {
                Some(used) => super::resolve::troubled(error, used),
                None => error.to_string(),
            };
            context.out.error(&text);
        }
        CliError::Usage(_) | CliError::Machine(_) | CliError::Output(_) | CliError::Format(_) => {
            context.out.error(&error.to_string());
        }
    }
    Err(error)
}

/// A plugin that cannot judge says so on its one line and ends with 3.
fn no_verdict(out: &mut Output, line: &str) -> Outcome {
    use std::fmt::Write as _;
    let line = line.replace('|', "/");
    // With standard output closed only the exit code is left to speak.
    let _ = writeln!(out, "SITEWATCH UNKNOWN - {line}");
    let _ = out.flush();
    Outcome::Plugin(PluginState::Unknown)
}

/// Help and version are results; everything else that clap says is wrong usage.
fn refuse(
    error: &clap::Error,
    arguments: &[OsString],
    environment: &Environment,
) -> Result<Outcome, CliError> {
    use std::fmt::Write as _;
    let mut out = Output::of_process(Colour::Auto, environment);
    let rendered = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = if out.screen().colour {
                rendered.ansi().to_string()
            } else {
                rendered.to_string()
            };
            let written = write!(out, "{text}");
            match out.flush() {
                Err(error) if !is_closed_pipe(&error) => Err(error.into()),
                _ => written.map(|()| Outcome::Fine).or(Ok(Outcome::Fine)),
            }
        }
        _ if runs_a_command(arguments) => {
            out.message(&rendered.to_string());
            Ok(Outcome::Exit(super::maintenance::OUR_FAULT))
        }
        _ if asks_for_plugin(arguments) => {
            let text = rendered.to_string();
            let line = text.lines().next().unwrap_or_default();
            Ok(no_verdict(
                &mut out,
                line.strip_prefix("error: ").unwrap_or(line),
            ))
        }
        _ => {
            let text = if out.message_screen().colour {
                rendered.ansi().to_string()
            } else {
                rendered.to_string()
            };
            out.message(&text);
            Err(CliError::Usage(String::new()))
        }
    }
}

/// Whether a command line that clap refused was meant for a plugin: it must end with 3, not 2.
fn asks_for_plugin(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "check")
        && arguments.iter().any(|argument| argument == "--nagios")
}

/// Whether a command line that clap refused was to run a command: its exit status is not to be taken for the command's.
fn runs_a_command(arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().skip_while(|word| *word != "maintenance");
    words.any(|word| word == "--")
}
