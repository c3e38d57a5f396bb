//! Maintenance that runs or is to come, as it is announced.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::visible::View;
use crate::domain::monitor::Monitor;
use crate::domain::settings::{Covers, Maintenance, MaintenanceTime};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::ordered_windows::OrderedWindows;
use crate::policy::schedule::cron::Cron;
use crate::view::page::rows::WindowRow;

/// How far ahead maintenance is announced.
const AHEAD: Duration = Duration::from_secs(7 * 86_400);
/// More windows than this are not listed.
const WINDOWS_MAX: usize = 20;

/// The windows of the monitors that the reader may see, or of one of them, the next first.
pub(super) fn announced(view: &View<'_>, only: Option<&Monitor>) -> Vec<WindowRow> {
    let zone = &view.config.daemon.timezone;
    let mut rows: Vec<WindowRow> = view
        .config
        .maintenance
        .iter()
        .filter(|entry| only.is_none_or(|monitor| entry.covers.has(&monitor.name, &monitor.tags)))
        .filter_map(|entry| {
            let monitors = match (&entry.covers, only) {
                (Covers::All, _) => Vec::new(),
                (_, Some(monitor)) => vec![monitor.name.as_str().to_owned()],
                (covered, None) => {
                    let names = view.lives.iter().map(|live| &live.monitor);
                    let names: Vec<String> = names
                        .filter(|monitor| covered.has(&monitor.name, &monitor.tags))
                        .map(|monitor| monitor.name.as_str().to_owned())
                        .collect();
                    // Nobody that the reader knows of: the window does not exist for him either.
                    if names.is_empty() {
                        return None;
                    }
                    names
                }
            };
            let (start, end) = next(entry, zone, view.now)?;
            // When it came near enough to be listed, whenever the file named it.
            let announced_at = if start > view.now {
                start.minus(AHEAD)
            } else {
                start
            };
            Some(WindowRow {
                announced_at,
                start,
                end,
                monitors,
                note: entry.note.to_string(),
            })
        })
        .collect();
    rows.extend(ordered(view, only));
    rows.sort_by_key(|row| row.start);
    rows.truncate(WINDOWS_MAX);
    rows
}

/// Windows that were ordered. The monitors of one order share a row.
fn ordered(view: &View<'_>, only: Option<&Monitor>) -> Vec<WindowRow> {
    let ordered = view.sources.board.ordered_windows();
    if ordered.is_empty() {
        return Vec::new();
    }
    let mut rows: BTreeMap<u64, WindowRow> = BTreeMap::new();
    let lives = view.lives.iter();
    for live in lives.filter(|live| only.is_none_or(|one| one.name == live.monitor.name)) {
        let windows = ordered.get(&live.id);
        let windows = windows.into_iter().flat_map(OrderedWindows::iter);
        for window in windows.filter(|window| view.now < window.until) {
            let row = rows.entry(window.id).or_insert_with(|| WindowRow {
                announced_at: window.from,
                start: window.from,
                end: window.until,
                monitors: Vec::new(),
                note: window.note.as_deref().unwrap_or_default().to_owned(),
            });
            row.monitors.push(live.monitor.name.as_str().to_owned());
        }
    }
    rows.into_values().collect()
}

/// The occurrence that runs at `now`, or the next one within [`AHEAD`].
fn next(entry: &Maintenance, zone: &TimeZone, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let (start, end) = match &entry.when {
        MaintenanceTime::Once { start, end } => (*start, *end),
        MaintenanceTime::Cron { schedule, duration } => {
            let cron = Cron::parse(&schedule.0).ok()?;
            let running = cron
                .last_at_or_before(zone, now)
                .filter(|start| start.plus(*duration) > now);
            let start = running.or_else(|| cron.next_after(zone, now))?;
            (start, start.plus(*duration))
        }
    };
    (end > now && start <= now.plus(AHEAD)).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::monitor::CronText;

    #[test]
    fn the_running_one_or_the_next_within_a_week() {
        let at = |text: &str| Timestamp::from_jiff(text.parse().unwrap());
        let nightly = |hours: u64| Maintenance {
            note: "".into(),
            covers: Covers::All,
            when: MaintenanceTime::Cron {
                schedule: CronText("0 0 2 * * *".into()),
                duration: Duration::from_secs(hours * 3600),
            },
        };
        let once = |start: &str, end: &str| Maintenance {
            note: "".into(),
            covers: Covers::All,
            when: MaintenanceTime::Once {
                start: at(start),
                end: at(end),
            },
        };
        let now = at("2026-11-22T02:30:00Z");
        for (entry, want) in [
            (
                nightly(1),
                Some(("2026-11-22T02:00:00.000Z", "2026-11-22T03:00:00.000Z")),
            ),
            (
                once("2026-11-25T02:00:00Z", "2026-11-25T03:00:00Z"),
                Some(("2026-11-25T02:00:00.000Z", "2026-11-25T03:00:00.000Z")),
            ),
            (once("2026-11-22T02:00:00Z", "2026-11-22T02:30:00Z"), None),
            (once("2026-12-22T02:00:00Z", "2026-12-22T02:30:00Z"), None),
        ] {
            let found = next(&entry, &TimeZone::UTC, now);
            let found = found.map(|(start, end)| (start.to_string(), end.to_string()));
            let found = found
                .as_ref()
                .map(|(start, end)| (start.as_str(), end.as_str()));
            assert_eq!(found, want);
        }
    }
}
