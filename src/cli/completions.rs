//! `sitewatch completions SHELL`: a completion script for packaging or a shell's start file.

use std::fmt::Write as _;

use clap::ValueEnum;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::shells;

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

/// Runs the command, of a program with this command line.
pub fn run(
    context: &mut Context,
    args: &Args,
    command: &clap::Command,
) -> Result<Outcome, CliError> {
    let shell = args.shell.to_possible_value();
    let name = shell.as_ref().map_or("", |shell| shell.get_name());
    context.out.write_str(&shells::script(name, command)?)?;
    Ok(Outcome::Fine)
}
