//! What commands, pages and the API show of monitors, as plain values. The code that reads the database fills them in.

use crate::domain::amendment::{Amendment, IncidentNote};
use crate::domain::check::{Check, FailureKind, Micros};
use crate::domain::incident::{Incident, IncidentKey};
use crate::domain::location::{LocationName, LocationStatus};
use crate::domain::notification::MailKind;
use crate::domain::order::{By, KeptOrder};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::{Flags, ShownState};

/// The current state of one monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusRow {
    /// The monitor's name.
    pub monitor: String,
    /// Its URL, without userinfo, masked.
    pub url: String,
    /// Whether it is checked at all.
    pub enabled: bool,
    /// The state that is shown.
    pub state: ShownState,
    /// Since when; `None` if it was never checked.
    pub since: Option<Timestamp>,
    /// Why it is not simply up.
    pub reason: Option<FailureKind>,
    /// The flags beside the state.
    pub flags: Flags,
    /// The open incident.
    pub incident: Option<IncidentKey>,
    /// The note of its acknowledgement.
    pub ack_note: Option<String>,
    /// The status that the open incident began with, where that was its cause and is known.
    pub cause_status: Option<u16>,
    /// Who paused, muted and acknowledged it; `None` where the database was not asked.
    pub orders: Option<Vec<KeptOrder>>,
    /// The newest check.
    pub last_check: Option<Check>,
    /// When the next one is due.
    pub next_check_at: Option<Timestamp>,
    /// Of the last 24 hours, cut to 3 decimals; `None` if nothing was observed.
    pub uptime_percent_24h: Option<f64>,
    /// Of the last 30 days.
    pub uptime_percent_30d: Option<f64>,
    /// The median total of each of the last 24 hours, oldest first; `None` if nothing was measured.
    pub latency_24h: Vec<Option<Micros>>,
    /// The tags.
    pub tags: Vec<String>,
    /// The runbook link, the owner.
    pub note: String,
    /// What each of its locations says; empty without locations.
    pub locations: Vec<LocationStatus>,
}

/// One outage and what was mailed about it.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentRow {
    /// The monitor's name.
    pub monitor: String,
    /// Its URL, without userinfo, masked.
    pub url: String,
    /// The outage.
    pub incident: Incident,
    /// Who acknowledged it last.
    pub acked_by: Option<By>,
    /// How it was ordered to count, oldest first.
    pub amendments: Vec<Amendment>,
    /// What was noted of it, oldest first.
    pub notes: Vec<IncidentNote>,
    /// When it was first told by a step of escalation; `None`: never.
    pub escalated_at: Option<Timestamp>,
    /// Its mails, oldest first.
    pub mails: Vec<MailRow>,
    /// What each location said when it was opened; empty without locations.
    pub locations: Vec<LocationStatus>,
}

/// One mail of an incident, to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRow {
    /// What it said.
    pub kind: MailKind,
    /// The recipient: an address, or the name of a channel.
    pub to: String,
    /// The format of the channel, where it is one.
    pub channel: Option<String>,
    /// Without angle brackets.
    pub message_id: String,
    /// When it was decided.
    pub queued_at: Timestamp,
    /// When the server accepted it.
    pub sent_at: Option<Timestamp>,
}

/// One monitor over a period. The five times add up to the period.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRow {
    /// The monitor's name.
    pub monitor: String,
    /// Its URL, without userinfo, masked.
    pub url: String,
    /// Begin of the period, or the monitor's first check in it.
    pub from: Timestamp,
    /// End of the period.
    pub to: Timestamp,
    /// (up + degraded) / (up + degraded + down), cut to 3 decimals; `None` if nothing was observed.
    pub uptime_percent: Option<f64>,
    /// 1 - unknown / period, cut to 3 decimals.
    pub coverage_percent: Option<f64>,
    /// Incidents that touch the period.
    pub outages: u64,
    /// Milliseconds up.
    pub up_ms: u64,
    /// Milliseconds degraded.
    pub degraded_ms: u64,
    /// Milliseconds down.
    pub down_ms: u64,
    /// Milliseconds in maintenance.
    pub maintenance_ms: u64,
    /// Milliseconds not observed.
    pub unknown_ms: u64,
    /// The longest outage's milliseconds within the period.
    pub longest_outage_ms: Option<u64>,
    /// The mean time to recovery of outages that ended in the period, in milliseconds.
    pub mttr_ms: Option<u64>,
    /// How many incidents of the period are amended.
    pub amendments: u64,
    /// The figures before that; `None` without amendments.
    pub raw: Option<RawFigures>,
    /// Checks recorded.
    pub checks: u64,
    /// The total's 50th percentile.
    pub p50: Option<Micros>,
    /// The 95th.
    pub p95: Option<Micros>,
    /// The 99th.
    pub p99: Option<Micros>,
    /// With `--by-location` the location; `None` there for what they agree on.
    pub location: Option<Option<LocationName>>,
}

/// What a period was before incidents were amended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawFigures {
    /// See [`ReportRow::uptime_percent`].
    pub uptime_percent: Option<f64>,
    /// See [`ReportRow::outages`].
    pub outages: u64,
    /// Milliseconds up.
    pub up_ms: u64,
    /// Milliseconds down.
    pub down_ms: u64,
    /// Milliseconds in maintenance.
    pub maintenance_ms: u64,
    /// See [`ReportRow::mttr_ms`].
    pub mttr_ms: Option<u64>,
}

/// One mail that has not left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRow {
    /// Its number in the queue.
    pub id: i64,
    /// The monitor; `None` if the mail is about several, or about sitewatch.
    pub monitor: Option<String>,
    /// What it says.
    pub kind: MailKind,
    /// The recipient: an address, or the name of a channel.
    pub to: String,
    /// The format of the channel, where it is one.
    pub channel: Option<String>,
    /// The subject it would leave with now.
    pub subject: String,
    /// Without angle brackets.
    pub message_id: String,
    /// When it was decided.
    pub queued_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; `None` if it was refused for good.
    pub next_attempt_at: Option<Timestamp>,
    /// What the server said last, one safe line.
    pub last_error: Option<String>,
    /// What holds it back, while something does.
    pub held: Option<QueueHold>,
    /// Refused for good: kept until `email retry`.
    pub failed: bool,
}

/// What holds a mail of the queue back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueHold {
    /// `digest`, `hours`, `window`, `mute`, `transport`, `channel` or `recipient`.
    pub by: &'static str,
    /// Until when, if that is known.
    pub until: Option<Timestamp>,
}

/// A percentage of two times: cut to 3 decimals, never rounded up, so that 100 means all of it.
pub fn percent_cut(part_ms: u64, whole_ms: u64) -> Option<f64> {
    let thousandths = (u128::from(part_ms) * 100_000).checked_div(u128::from(whole_ms))?;
    // At most 100 000, which a double holds exactly.
    u32::try_from(thousandths)
        .ok()
        .map(|thousandths| f64::from(thousandths) / 1000.0)
}

/// Whether shares of uptime say something: failures that are still being confirmed are neither up nor down, and before
/// the first verdict there is nothing else. What is paused or waits for its next check keeps the figures of its past.
pub fn has_figures(state: ShownState, flags: Flags, is_failing: bool) -> bool {
    state != ShownState::Pending || flags.paused || !is_failing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_cut() {
        assert_eq!(percent_cut(1, 1), Some(100.0));
        assert_eq!(percent_cut(999_999_999, 1_000_000_000), Some(99.999));
        assert_eq!(percent_cut(2, 3), Some(66.666));
        assert_eq!(percent_cut(0, 3), Some(0.0));
        assert_eq!(percent_cut(0, 0), None);
    }

    #[test]
    fn the_first_failures_have_no_figure_and_a_pause_takes_none() {
        let paused = Flags {
            paused: true,
            ..Flags::default()
        };
        let none = Flags::default();
        for (state, flags, is_failing, wanted) in [
            (ShownState::Pending, none, true, false),
            (ShownState::Pending, paused, true, true),
            (ShownState::Pending, paused, false, true),
            (ShownState::Pending, none, false, true),
            (ShownState::Down, none, true, true),
        ] {
            let found = has_figures(state, flags, is_failing);
            assert_eq!(found, wanted, "{state:?} {flags:?} {is_failing}");
        }
    }
}
