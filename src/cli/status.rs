//! `sitewatch status`: the current state of each monitor, from the database.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these monitors
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch status` is not built yet".to_owned(),
    ))
}
