//! `sitewatch import`: another tool's configuration as a monitors.toml.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it comes from
    #[arg(value_name = "FORMAT")]
    pub format: Format,
    /// The file; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: std::path::PathBuf,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch import` is not built yet".to_owned(),
    ))
}

/// Formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Gatus' config.yaml
    Gatus,
    /// Uptime Kuma's JSON backup
    UptimeKuma,
    /// Prometheus scrape configuration with blackbox_exporter targets
    Blackbox,
    /// One URL per line
    Urls,
}
