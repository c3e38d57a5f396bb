//! When a monitor is due next.

use jiff::tz::TimeZone;

use super::cron::Cron;
use super::interval_grid::Grid;
use crate::domain::monitor::{Monitor, Schedule};
use crate::domain::timestamp::Timestamp;

/// The next moment of a monitor's own grid or expression; confirming checks come beside it. `None` for an expression
/// that never comes again.
pub fn next_check_at(monitor: &Monitor, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    match &monitor.schedule {
        Schedule::Every(interval) => Some(Grid::new(&monitor.name, *interval).next_after(now)),
        Schedule::Cron(text) => Cron::parse(&text.0).ok()?.next_after(zone, now),
    }
}
