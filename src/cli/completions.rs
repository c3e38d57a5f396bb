//! `sitewatch completions SHELL`: a completion script for packaging or a shell's start file.

use std::fmt::Write as _;

use clap::CommandFactory;

use super::args::Cli;
use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sitewatch completions bash \\\n    > \
    ~/.local/share/bash-completion/completions/sitewatch")]
pub struct Args {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sitewatch", &mut script);
    let script = String::from_utf8(script)
        .map_err(|_| CliError::Machine("the completion script is not UTF-8".to_owned()))?;
    context.out.write_str(&script)?;
    Ok(Outcome::Fine)
}
