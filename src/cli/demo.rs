//! `sitewatch demo`: a self-contained tour.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long it runs
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = super::args::duration)]
    pub time: std::time::Duration,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch demo` is not built yet".to_owned(),
    ))
}
