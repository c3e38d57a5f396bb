//! From values of the database to rows of the views.

use crate::domain::check::{Check, Micros};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::{Flags, ShownState};
use crate::policy::availability::uptime::Account;
use crate::store::facts::incidents::ListedIncident;
use crate::store::facts::report::ReportRow as StoredReport;
use crate::store::facts::status::StatusRow as StoredStatus;
use crate::store::outbox::queries::Told;
use crate::view::rows::{IncidentRow, MailRow, RawFigures, ReportRow, StatusRow, has_figures};

/// An outage with its mails.
pub fn incident(listed: ListedIncident) -> IncidentRow {
    let mails = listed.mails.into_iter().map(mail);
    IncidentRow {
        monitor: listed.name.as_str().to_owned(),
        url: listed.url,
        incident: listed.incident,
        acked_by: listed.acked_by,
        amendments: listed.amendments,
        notes: listed.notes,
        escalated_at: listed.escalated_at,
        mails: mails.collect(),
        locations: listed.locations,
    }
}

/// A mail of an outage.
pub fn mail(mail: Told) -> MailRow {
    MailRow {
        kind: mail.kind,
        to: mail.to.key().to_owned(),
        channel: mail.channel,
        message_id: mail.message_id,
        queued_at: mail.queued_at,
        sent_at: mail.sent_at,
    }
}

/// A monitor over a period.
pub fn report(row: &StoredReport) -> ReportRow {
    let Account {
        up_ms,
        degraded_ms,
        down_ms,
        maintenance_ms,
        unknown_ms,
        outages,
        longest_ms,
        mttr_ms,
    } = row.account;
    // Lengths of time are never negative.
    let ms = i64::unsigned_abs;
    let [p50, p95, p99] = row.latency();
    ReportRow {
        monitor: row.monitor.name.as_str().to_owned(),
        url: row.monitor.url.clone(),
        from: row.from,
        to: row.to,
        uptime_percent: row.account.uptime_percent(),
        coverage_percent: row.account.coverage_percent(),
        outages: u64::from(outages),
        up_ms: ms(up_ms),
        degraded_ms: ms(degraded_ms),
        down_ms: ms(down_ms),
        maintenance_ms: ms(maintenance_ms),
        unknown_ms: ms(unknown_ms),
        longest_outage_ms: (outages > 0).then(|| ms(longest_ms)),
        mttr_ms: mttr_ms.map(ms),
        amendments: row.raw.map_or(0, |(_, count)| count as u64),
        raw: row.raw.map(|(raw, _)| RawFigures {
            uptime_percent: raw.uptime_percent(),
            outages: u64::from(raw.outages),
            up_ms: ms(raw.up_ms),
            down_ms: ms(raw.down_ms),
            maintenance_ms: ms(raw.maintenance_ms),
            mttr_ms: raw.mttr_ms.map(ms),
        }),
        checks: row.tally.total(),
        p50,
        p95,
        p99,
        location: None,
    }
}

/// The state of a monitor by the database alone; what the daemon and the configuration know is added later.
pub fn status(
    row: StoredStatus,
    last_check: Option<Check>,
    latency: Vec<Option<Micros>>,
) -> StatusRow {
    let shown = row.shown;
    let (state, flags) = shown.map_or_else(
        || (ShownState::Pending, Flags::default()),
        |shown| (shown.state, shown.flags),
    );
    let is_failing = last_check
        .as_ref()
        .is_some_and(|check| !check.verdict.is_good());
    let has_figures = has_figures(state, flags, is_failing);
    StatusRow {
        monitor: row.monitor.name.as_str().to_owned(),
        url: row.monitor.url,
        enabled: true,
        state,
        since: shown
            .map(|shown| shown.since)
            .filter(|since| *since > Timestamp::from_ms(0)),
        reason: shown.and_then(|shown| shown.reason),
        flags,
        incident: shown.and_then(|shown| shown.incident),
        ack_note: row.ack_note,
        cause_status: row.cause_status,
        orders: Some(row.orders),
        last_check,
        next_check_at: None,
        uptime_percent_24h: row.day.filter(|_| has_figures),
        uptime_percent_30d: row.month.filter(|_| has_figures),
        latency_24h: latency,
        tags: Vec::new(),
        note: String::new(),
        locations: Vec::new(),
    }
}
