//! `sitewatch incidents`: outages with cause, start, end, duration and mails.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch incidents`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these monitors
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Only those that are not over
    #[arg(long)]
    pub open: bool,
    /// Only those that were not over by then: 7d (ago), yesterday, 2026-10
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Print CSV with a header, times in UTC
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch incidents` is not built yet".to_owned(),
    ))
}
