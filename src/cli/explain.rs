//! `sitewatch explain`: what an HTTP status code means.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A status (503), a class (4xx), or several
    #[arg(required = true, value_name = "CODE")]
    pub codes: Vec<String>,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch explain` is not built yet".to_owned(),
    ))
}
