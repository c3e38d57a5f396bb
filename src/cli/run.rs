//! `sitewatch run`: the daemon in the foreground.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch run`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch run` is not built yet".to_owned(),
    ))
}
