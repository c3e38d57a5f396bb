//! When the next reminder of an outage is due.

use std::time::Duration;

use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;

/// The spacing grows no further than this.
const SPACING_MAX: Duration = Duration::from_secs(24 * 3600);

/// The moment of the reminder after so many, the last mail of the outage having been decided at `last`.
pub fn due_at(alerts: &AlertSettings, last: Timestamp, reminders: u16) -> Option<Timestamp> {
    let first = alerts.reminder?;
    let spacing = if reminders == 0 {
        first
    } else {
        let doubled = first.saturating_mul(1 << u32::from(reminders).min(30));
        doubled.min(SPACING_MAX.max(first))
    };
    Some(last.plus(spacing))
}
