//! `sitewatch amend` and `sitewatch note`: what people say of an incident afterwards.

use clap::ValueEnum;

use super::context::Context;
use super::control::ask;
use super::error::{CliError, Outcome};
use crate::control::Request;

/// Arguments of `sitewatch amend`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "sitewatch amend INCIDENT --as WHAT [--note TEXT]\n       sitewatch amend INCIDENT --undo",
    after_help = "Examples:\n  sitewatch amend shop --as maintenance --note \"switch firmware\"\n  \
    sitewatch amend 1-1795889959797 --as false-alarm\n  sitewatch amend shop --undo\n\n\
    Nothing is deleted, and no message is sent or stopped. The incident stays in\n\
    `incidents`, marked AMENDED; `report` shows the figures of before as well."
)]
pub struct AmendArgs {
    /// An incident's id, or a monitor's name for its open or else newest one
    #[arg(value_name = "INCIDENT", add = super::complete::incidents())]
    pub incident: String,
    /// How its downtime counts from now on
    #[arg(long = "as", value_name = "WHAT", required_unless_present = "undo")]
    pub counts_as: Option<Meaning>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Take the last amendment back
    #[arg(long, conflicts_with_all = ["counts_as", "note"])]
    pub undo: bool,
}

/// How the downtime of an incident counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Meaning {
    /// It was planned
    Maintenance,
    /// The site was up
    FalseAlarm,
    /// It was an outage, also within a window
    Real,
}

/// Arguments of `sitewatch note`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch note shop \"the provider is working on it, ticket 4711\"\n  \
    sitewatch note shop --public \"We expect to be back at 15:00.\""
)]
pub struct NoteArgs {
    /// An incident's id, or a monitor's name for its open or else newest one
    #[arg(value_name = "INCIDENT", add = super::complete::incidents())]
    pub incident: String,
    /// One line
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Show it on the page and in the feed, to everybody
    #[arg(long)]
    pub public: bool,
}

/// `sitewatch amend`
pub fn amend(context: &mut Context, args: &AmendArgs) -> Result<Outcome, CliError> {
    let incident = args.incident.clone();
    let request = match args.counts_as {
        Some(meaning) => Request::Amend {
            incident,
            counts_as: match meaning {
                Meaning::Maintenance => "maintenance",
                Meaning::FalseAlarm => "false-alarm",
                Meaning::Real => "real",
            }
            .to_owned(),
            note: args.note.clone(),
        },
        None => Request::UndoAmend { incident },
    };
    ask(context, &request, CliError::Usage)
}

/// `sitewatch note`
pub fn note(context: &mut Context, args: &NoteArgs) -> Result<Outcome, CliError> {
    let request = Request::Note {
        incident: args.incident.clone(),
        text: args.text.clone(),
        public: args.public,
    };
    ask(context, &request, CliError::Usage)
}
