//! `[[escalation]]` and `[[hours]]`: who else is told, and when somebody is told at all.

use std::time::Duration;

use toml::de::DeTable;

use super::channel;
use super::maintenance;
use super::reader::Reading;
use super::scalars::Wrong;
use super::table::{Placed, Table};
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::source_map::Place;
use crate::config::keys;
use crate::domain::channel::{Channel, Event};
use crate::domain::monitor::MonitorName;
use crate::domain::recipient::Recipient;
use crate::domain::settings::{Escalation, OpeningHours};
use crate::domain::week::OpenTime;

/// A shorter step would come with its DOWN.
const AFTER_MIN: Duration = Duration::from_secs(1);

/// A step of escalation with the names and tags in it that are still to be looked up.
pub(in crate::config) struct StepDraft {
    /// The step; `None` if it is wrong.
    pub step: Option<Escalation>,
    /// Its monitors, with their places.
    pub monitors: Vec<Placed<MonitorName>>,
    /// Its tags, with the place of the list.
    pub tags: Vec<Placed<String>>,
    /// Who is told, with the place of the list.
    pub to: Option<Placed<Vec<Recipient>>>,
}

/// Opening hours with their recipients' place.
pub(in crate::config) struct HoursDraft {
    /// The hours; `None` if they are wrong.
    pub hours: Option<OpeningHours>,
    /// Whose, with the place of the list.
    pub to: Option<Placed<Vec<Recipient>>>,
}

/// Reads one `[[escalation]]`.
pub(in crate::config) fn escalation(
    reading: &mut Reading<'_>,
    own: &DeTable<'_>,
    header: Place,
) -> StepDraft {
    let table = Table {
        own,
        keys: keys::ESCALATION.keys,
        called: "[[escalation]]",
        header,
        fallback: None,
    };
    reading.refuse_unknown(&table, &[]);
    let after = match table.get("after") {
        Some(_) => reading.span_from(&table, "after", AFTER_MIN),
        None => {
            reading.missing(
                &table,
                "after",
                "add after = \"30m\": how long an outage lasts then",
            );
            None
        }
    };
    let to = recipients(
        reading,
        &table,
        "add to = [\"boss@example.com\"]: who is told then",
    );
    let covered = maintenance::covers(reading, &table, "the step would be of no monitor");
    let step = after.zip(to.as_ref()).map(|(after, to)| Escalation {
        covers: covered.covers,
        after: after.it,
        to: to.it.clone(),
    });
    StepDraft {
        step,
        monitors: covered.monitors,
        tags: covered.tags,
        to,
    }
}

/// Reads one `[[hours]]`.
pub(in crate::config) fn hours(
    reading: &mut Reading<'_>,
    own: &DeTable<'_>,
    header: Place,
) -> HoursDraft {
    let table = Table {
        own,
        keys: keys::HOURS.keys,
        called: "[[hours]]",
        header,
        fallback: None,
    };
    reading.refuse_unknown(&table, &[]);
    let to = recipients(
        reading,
        &table,
        "add to = [\"office@example.com\"]: whose hours these are",
    );
    let faults_before = reading.faults.len();
    let open = reading.list(&table, "open", "an opening time", |text| {
        OpenTime::parse(text).map_err(|error| Wrong::new(error.to_string(), error.advice()))
    });
    match &open {
        None if table.get("open").is_none() => {
            reading.missing(&table, "open", "add open = [\"Mon-Fri 08:00-18:00\"]")
        }
        Some(open) if open.it.is_empty() && reading.faults.len() == faults_before => {
            reading.fault(Fault::new(
                open.place,
                "`open` is empty: these would never be told",
                "write open = [\"Mon-Fri 08:00-18:00\"]",
            ));
        }
        Some(_) | None => {}
    }
    let hours = to.as_ref().zip(open).map(|(to, open)| OpeningHours {
        to: to.it.clone(),
        open: open.it.into_iter().map(|time| time.it).collect(),
    });
    HoursDraft { hours, to }
}

/// The `to` of either: it must name somebody.
fn recipients(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    label: &'static str,
) -> Option<Placed<Vec<Recipient>>> {
    if table.get("to").is_none() {
        reading.missing(table, "to", label);
        return None;
    }
    let faults_before = reading.faults.len();
    let to = reading.recipients(table, "to")?;
    if to.it.is_empty() {
        if reading.faults.len() == faults_before {
            let message = format!("`to` of {} is empty", table.called);
            reading.fault(Fault::new(
                to.place,
                message,
                label.replacen("add ", "write ", 1),
            ));
        }
        return None;
    }
    Some(to)
}

/// Reports channels that cannot be told at some times only, and warns of those that would not be told of a step.
pub(in crate::config) fn check_channels(
    reading: &mut Reading<'_>,
    channels: &[channel::Draft],
    steps: &[StepDraft],
    hours: &[HoursDraft],
) {
    let known = |to: &Recipient| -> Option<&Channel> {
        let name = to.channel()?;
        let mut known = channels.iter().filter_map(|draft| draft.channel.as_ref());
        known.find(|channel| channel.name == *name)
    };
    for to in hours.iter().filter_map(|draft| draft.to.as_ref()) {
        let levels = to.it.iter().filter_map(known);
        for channel in levels.filter(|channel| channel.format().is_level()) {
            reading.fault(Fault::new(
                to.place,
                format!("the channel `{}` has no hours", channel.name),
                "it shows which incidents are open, at any time: leave it out",
            ));
        }
    }
    for to in steps.iter().filter_map(|draft| draft.to.as_ref()) {
        for channel in to.it.iter().filter_map(known) {
            let name = &channel.name;
            if channel.format().is_level() {
                reading.fault(Fault::new(
                    to.place,
                    format!("the channel `{name}` takes no escalation"),
                    "it shows which incidents are open: name it in the `to` of monitors",
                ));
            } else if !channel.events.has(Event::Escalated) {
                let message = format!(
                    "the channel `{name}` is told of no escalation: its `events` has no \"escalated\""
                );
                reading.warn(to.place, message);
            }
        }
    }
}
