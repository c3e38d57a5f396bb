//! `sitewatch check`: checks now, without the daemon, and writes nothing.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch check\n  sitewatch check shop https://example.com/\n  sitewatch check --json | jq .timings_ms\n  sitewatch check --nagios shop"
)]
pub struct Args {
    /// Monitors by name, or URLs, which need no configuration; all monitors if none is given
    #[arg(value_name = "NAME or URL")]
    pub sites: Vec<String>,
    /// Print one plugin line and end with 0, 1, 2 or 3
    #[arg(long)]
    pub nagios: bool,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch check` is not built yet".to_owned(),
    ))
}
