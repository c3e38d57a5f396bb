//! `sitewatch report`: uptime, coverage, outages and latency of a period.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these monitors
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// The period: 30d (the last), 2026-10 (a month), 2026 (a year), yesterday
    #[arg(long, value_name = "PERIOD", default_value = "30d")]
    pub period: String,
    /// Print CSV with a header, times in UTC
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print a self-contained page with charts
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    pub html: bool,
    /// Mail it to the recipients of [report]
    #[arg(long, conflicts_with_all = ["json", "csv", "html"])]
    pub email: bool,
    /// List the incidents and gaps that make up what is missing to 100 %
    #[arg(long, conflicts_with_all = ["csv", "html", "email"])]
    pub explain: bool,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch report` is not built yet".to_owned(),
    ))
}
