//! `sitewatch email`: test mail delivery, look at the queue, send it now.

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch email`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: EmailCommand,
}

/// Runs the command.
pub fn run(_context: &mut Context, _args: &Args) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch email` is not built yet".to_owned(),
    ))
}

/// What to do with mail.
#[derive(Debug, clap::Subcommand)]
pub enum EmailCommand {
    /// Send a test mail and report the server's answers
    Test {
        /// To these addresses instead of the configured ones
        #[arg(long, value_name = "ADDRESS")]
        to: Vec<String>,
    },
    /// List mails that have not been sent
    Queue,
    /// Send waiting and failed mails now
    Retry,
}
