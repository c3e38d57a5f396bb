//! `sitewatch completions SHELL`: a completion script for packaging or a shell's start file.

use std::fmt::Write as _;

use clap::ValueEnum;

use super::complete;
use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch completions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch completions bash \\\n    > ~/.local/share/bash-completion/completions/sitewatch\n  \
    sitewatch completions zsh > ~/.zfunc/_sitewatch    # a folder of $fpath\n  \
    sitewatch completions fish > ~/.config/fish/completions/sitewatch.fish\n\n\
    Commands, options, monitor names, states and failure kinds are completed. The\n\
    script asks the sitewatch in $PATH."
)]
pub struct Args {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let shell = args.shell.to_possible_value();
    let name = shell.as_ref().map_or("", |shell| shell.get_name());
    context.out.write_str(&complete::script(name)?)?;
    Ok(Outcome::Fine)
}
