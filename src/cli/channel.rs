//! `sitewatch channel`: send a test message by a channel and see what the service answers.

use super::context::Context;
use super::email::{ask_daemon, tell, wait};
use super::error::{CliError, Outcome};
use super::resolve;
use crate::control::Request;
use crate::daemon::notifier::run;

/// Arguments of `sitewatch channel`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: ChannelCommand,
}

/// What to do with a channel.
#[derive(Debug, clap::Subcommand)]
pub enum ChannelCommand {
    /// Send a test message by a channel: prints what was sent where, secrets masked, and what the service answered
    #[command(after_help = "Example:\n  sitewatch channel test oncall")]
    Test {
        /// The channel's name, as in the configuration
        name: String,
    },
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let ChannelCommand::Test { name } = &args.command;
    let config = resolve::config(context)?;
    let request = Request::ChannelTest { name: name.clone() };
    if let Some(answer) = ask_daemon(&config, &request)? {
        context.out.note("asked the running daemon");
        return tell(context, answer);
    }
    context.out.note("no daemon runs: sent by this command");
    let answer = wait(run::test_channel(&config, name, &run::host()))?;
    tell(context, answer)
}
