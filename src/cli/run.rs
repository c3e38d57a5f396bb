//! `sitewatch run`: the daemon in the foreground.

use super::context::Context;
use super::error::{CliError, Outcome};
use crate::config;
use crate::daemon::lifecycle::{self, Ending, Start};
use crate::daemon::logging::{self, Form, LogEnvironment, LogError};

/// Arguments of `sitewatch run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Format of the log on standard error; auto: fields in the journal, lines elsewhere
    #[arg(long, value_name = "FORM", default_value = "auto")]
    pub log_format: LogFormat,
    /// It is part of a tour: it ends with it, and takes its directory along if the tour cannot
    #[arg(long, hide = true)]
    pub tour: bool,
}

/// The forms of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[expect(missing_docs, reason = "clap would print them as a list of their own")]
pub enum LogFormat {
    Auto,
    Lines,
    Json,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let environment = &context.environment;
    let located = config::locate(context.options.config.as_deref(), environment)?;
    let mut config = config::load(&located.file, environment)
        .map_err(|errors| CliError::configuration(&errors))?;
    if let Some(database) = &context.options.database {
        config.daemon.database.clone_from(database);
    }
    let form = match args.log_format {
        LogFormat::Auto => Form::Auto,
        LogFormat::Lines => Form::Lines,
        LogFormat::Json => Form::Json,
    };
    let log_environment = LogEnvironment {
        rust_log: environment.get("RUST_LOG"),
        journal_stream: environment.get("JOURNAL_STREAM"),
        no_color: environment.get("NO_COLOR").is_some(),
    };
    let log = logging::start(form, &config.daemon.log, log_environment).map_err(no_log)?;
    // From here on nothing waits for a reader of the output.
    context.out.wait_for_no_reader();
    if let Some(warning) = located.warning {
        tracing::warn!("{warning}");
    }
    let ending = lifecycle::run(&Start {
        config,
        file: located.file.clone(),
        database: context.options.database.clone(),
        environment: context.environment.clone(),
        is_leashed: args.tour,
    })
    .map_err(CliError::machine);
    // The last lines stand before the message that ends the process.
    drop(log);
    Ok(match ending? {
        Ending::Orderly => Outcome::Fine,
        Ending::Abandoned => {
            super::demo::clear_up(&located.file);
            Outcome::Fine
        }
        Ending::Forced => Outcome::Bad,
    })
}

fn no_log(error: LogError) -> CliError {
    match error {
        LogError::Filter { .. } => CliError::Configuration(format!("error: cannot {error}")),
        LogError::Twice | LogError::Thread => CliError::Machine(format!("cannot {error}")),
    }
}
