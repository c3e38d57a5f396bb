//! `sitewatch history`: recorded checks, newest first.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch history`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these monitors
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// From here on: 7d (ago), yesterday, 2026-10, 2026-10-01, 2026-10-01T08:00
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Up to here, in the same forms
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// At most this many; 0 for all [default: 50, or all where --since is given]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Only checks with this verdict
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<String>,
    /// Only these HTTP statuses: 404, 5xx, 500-503
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub status: Vec<String>,
    /// Only where the state, the status or the redirect chain changed
    #[arg(long)]
    pub changes: bool,
    /// Print CSV with a header, times in UTC
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch history` is not built yet".to_owned(),
    ))
}
