//! `sitewatch evidence`: the first failing answer of an incident, whole.

use std::ops::ControlFlow;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::resolve::{self, Place};
use crate::domain::check::Check;
use crate::domain::incident::{Incident, IncidentKey};
use crate::store::checks::history::HistoryQuery;
use crate::store::facts::monitors::StoredMonitor;
use crate::store::reader::Reader;
use crate::view::{evidence, json};

/// Arguments of `sitewatch evidence`.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Show the first failing answer of an incident: every redirect, the headers, the \
        body up to 64 KiB. Credentials, cookies and other secrets are masked before anything is \
        stored.",
    after_help = "Examples:\n  sitewatch evidence shop\n  sitewatch evidence shop --diff\n  \
        sitewatch evidence 12-1795377600123 --json"
)]
pub struct Args {
    /// An incident's id, or a monitor's name for its open or else newest incident
    #[arg(value_name = "INCIDENT", add = super::complete::incidents())]
    pub incident: String,
    /// Show what differs from the last good answer
    #[arg(long)]
    pub diff: bool,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let place = resolve::brief(context)?;
    let clock = place.clock();
    let reader = place.reader()?;
    let (incident, monitor) = incident_of(&place, &reader, &args.incident)?;
    let kept = reader.evidence(incident.key)?;
    let check = match &kept {
        Some(kept) => kept.failing.check.clone(),
        None => {
            let recorded = first_check(&reader, &incident)?;
            without_answer(&place, recorded, &incident, &monitor)?
        }
    };
    let good = kept.as_ref().and_then(|kept| kept.good.as_ref());
    let diff = match (args.diff, &kept, good) {
        (false, _, _) => None,
        (true, Some(kept), Some(good)) => {
            Some(evidence::diff(&good.evidence, &kept.failing.evidence))
        }
        (true, _, _) => {
            context
                .out
                .note("no good answer before it is kept, so there is nothing to compare with");
            None
        }
    };
    let id = incident.key.to_string();
    let shown = evidence::Shown {
        incident: &id,
        monitor: monitor.name.as_str(),
        url: &monitor.url,
        check: &check,
        evidence: kept.as_ref().map(|kept| &kept.failing.evidence),
        good: good.map(|good| (&good.check, &good.evidence)),
        diff: diff.as_deref(),
    };
    let screen = context.out.screen();
    match context.options.json {
        true => json::line(&evidence::object(&shown), &mut context.out)?,
        false => evidence::write(&shown, &clock, screen, &mut context.out)?,
    }
    Ok(Outcome::Fine)
}

/// The incident of an id, or of a monitor's name: its open or else newest one.
pub(super) fn incident_of(
    place: &Place,
    reader: &Reader,
    text: &str,
) -> Result<(Incident, StoredMonitor), CliError> {
    let known = reader.monitors()?;
    let named = known.iter().find(|monitor| monitor.name.as_str() == text);
    let key = text.parse::<IncidentKey>();
    let (incident, monitor) = match (named, key) {
        (Some(monitor), _) => (reader.newest_incident(monitor.id)?, Some(monitor)),
        (None, Ok(key)) => {
            let monitor = known.iter().find(|monitor| monitor.id == key.monitor);
            (reader.incident(key)?, monitor)
        }
        (None, Err(_)) => {
            place.select(&known, std::slice::from_ref(&text.to_owned()))?;
            (None, None)
        }
    };
    match (incident, monitor) {
        (Some(incident), Some(monitor)) => Ok((incident, monitor.clone())),
        _ => {
            let what = match named {
                Some(_) => format!("no incident of `{}`", super::output::quoted(text)),
                None => format!("no incident `{}`", super::output::quoted(text)),
            };
            Err(CliError::Machine(format!(
                "{what} is recorded; `sitewatch incidents --json` tells their ids\n  {}",
                place.looked_in()
            )))
        }
    }
}

/// The first failed check of an incident, from the history.
fn first_check(reader: &Reader, incident: &Incident) -> Result<Option<Check>, CliError> {
    let at = incident.opened_at();
    let query = HistoryQuery {
        monitors: vec![incident.key.monitor],
        since: Some(at),
        until: Some(at.plus(std::time::Duration::from_millis(1))),
        limit: Some(1),
        ..HistoryQuery::default()
    };
    let mut found = None;
    reader.history(&query, &mut |_, check, _| {
        found = Some(check);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// The check of an incident of which no answer is kept: it stands for itself where none came.
fn without_answer(
    place: &Place,
    check: Option<Check>,
    incident: &Incident,
    monitor: &StoredMonitor,
) -> Result<Check, CliError> {
    if let Some(check) = check.as_ref().filter(|check| check.status.is_none()) {
        return Ok(check.clone());
    }
    let config = place.config.as_ref();
    let is_off = config.is_some_and(|config| config.history.evidence.keep.is_none());
    let of_monitor = config.and_then(|config| {
        let mut monitors = config.monitors.iter();
        monitors.find(|known| known.name == monitor.name)
    });
    let by_addresses = check.as_ref().and_then(|check| check.extras.as_deref());
    let by_addresses = by_addresses.is_some_and(|extras| extras.addresses.is_some());
    let why = if is_off {
        "keep_evidence = \"off\" in [history]"
    } else if of_monitor.is_some_and(|monitor| !monitor.keep_evidence) {
        "keep_evidence = false of this monitor"
    } else if by_addresses {
        "with addresses = \"each\" only the ordinary check's answer is, and it was good; `sitewatch history --json` \
         has what each address answered"
    } else {
        "it is older than keep_evidence, gave way to newer ones within evidence_limit, or began before this version"
    };
    let name = super::output::quoted(monitor.name.as_str());
    Err(CliError::Machine(format!(
        "the answer of incident {} of `{name}` is not kept: {why}\n  {}",
        incident.key,
        place.looked_in()
    )))
}
