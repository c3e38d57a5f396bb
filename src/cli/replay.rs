//! `sitewatch replay`: recorded checks through the alert rules of another configuration.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checks from here on: 30d (ago), 2026-10
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub since: String,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch replay` is not built yet".to_owned(),
    ))
}
