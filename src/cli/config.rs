//! `sitewatch config`: validate, show, compare and document the configuration.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch config` is not built yet".to_owned(),
    ))
}

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Validate it; every fault is reported with its place
    Check,
    /// Print the effective configuration, secrets masked
    Show,
    /// Print the JSON Schema of monitors.toml
    Schema,
    /// Print what a reload with another file would change
    Diff {
        /// The other file
        #[arg(value_name = "NEW")]
        new: std::path::PathBuf,
    },
    /// Print a commented monitors.toml with every key
    Example,
}
