//! Commands for the running daemon: reload, recheck, pause, resume, mute, unmute, ack.

use std::time::Duration;

use super::context::Context;
use super::error::{CliError, Outcome};

/// Arguments of `sitewatch reload`.
#[derive(Debug, clap::Args)]
pub struct ReloadArgs {}

/// Which monitors an order is about.
#[derive(Debug, clap::Args)]
pub struct Selection {
    /// The monitors
    #[arg(value_name = "NAME", required_unless_present = "all")]
    pub names: Vec<String>,
    /// All monitors
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
}

/// Arguments of `sitewatch mute`.
#[derive(Debug, clap::Args)]
pub struct MuteArgs {
    /// Whom
    #[command(flatten)]
    pub selection: Selection,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = super::args::duration)]
    pub time: Duration,
}

/// Arguments of `sitewatch ack`.
#[derive(Debug, clap::Args)]
pub struct AckArgs {
    /// Whom
    #[command(flatten)]
    pub selection: Selection,
    /// For how long [default: until it is up again]
    #[arg(long = "for", value_name = "TIME", value_parser = super::args::duration)]
    pub time: Option<Duration>,
    /// Why, or who is on it
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// `sitewatch reload`
pub fn reload(_context: &mut Context, _args: &ReloadArgs) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch reload` is not built yet".to_owned(),
    ))
}

/// `sitewatch recheck`
pub fn recheck(_context: &mut Context, _args: &Selection) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch recheck` is not built yet".to_owned(),
    ))
}

/// `sitewatch pause`
pub fn pause(_context: &mut Context, _args: &Selection) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch pause` is not built yet".to_owned(),
    ))
}

/// `sitewatch resume`
pub fn resume(_context: &mut Context, _args: &Selection) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch resume` is not built yet".to_owned(),
    ))
}

/// `sitewatch mute`
pub fn mute(_context: &mut Context, _args: &MuteArgs) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch mute` is not built yet".to_owned(),
    ))
}

/// `sitewatch unmute`
pub fn unmute(_context: &mut Context, _args: &Selection) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch unmute` is not built yet".to_owned(),
    ))
}

/// `sitewatch ack`
pub fn ack(_context: &mut Context, _args: &AckArgs) -> Result<Outcome, CliError> {
    Err(CliError::Machine(
        "`sitewatch ack` is not built yet".to_owned(),
    ))
}
