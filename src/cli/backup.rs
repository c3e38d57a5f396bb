//! `sitewatch backup`: a consistent copy of the database.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch backup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the copy goes; it must not exist
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: std::path::PathBuf,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch backup` is not built yet".to_owned(),
    ))
}
