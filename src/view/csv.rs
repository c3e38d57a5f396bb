//! CSV as RFC 4180 has it: a header, every column, times in UTC, one record a line.

use std::fmt::{self, Write};

use super::objective::{self, ObjectiveRow};
use super::rows::{IncidentRow, QueueRow, ReportRow, StatusRow};
use crate::domain::check::{Check, Micros};
use crate::domain::location::LocationName;
use crate::domain::redaction;
use crate::domain::timestamp::Timestamp;

/// The columns of [`check`]; new ones are added at the end.
pub const CHECK_HEADER: &str = "monitor,url,at,state,status,failure_kind,failure_detail,final_url,redirects,\
    dns_ms,connect_ms,tls_ms,ttfb_ms,body_ms,total_ms,remote_addr,http_version,body_bytes,retry_after_s,\
    certificate_not_after,certificate_subject,certificate_issuer";

/// The columns of [`incident`].
pub const INCIDENT_HEADER: &str = "id,monitor,url,opened_at,closed_at,duration_s,cause_kind,cause_status,\
    cause_detail,checks_failed,maintenance,acked_at,mails,mails_sent,ack_note,escalated_at";

/// The columns of [`report`].
pub const REPORT_HEADER: &str = "monitor,url,from,to,uptime_percent,coverage_percent,outages,up_s,downtime_s,\
    longest_outage_s,mttr_s,degraded_s,maintenance_s,unknown_s,checks,p50_ms,p95_ms,p99_ms,\
    objective,period,uptime_target,budget_s,budget_left_s,burn_1h,burn_6h,burn_3d";

/// Columns of [`REPORT_HEADER`] that are of monitors only, behind its coverage.
const OF_MONITORS: usize = 12;

/// Columns of [`REPORT_HEADER`] that are of objectives only.
const OF_OBJECTIVES: usize = 8;

/// The columns of [`status`].
pub const STATUS_HEADER: &str = "monitor,url,state,since,reason,flags,incident,ack_note,last_check_at,last_status,\
    last_failure_kind,last_failure_detail,last_total_ms,next_check_at,uptime_percent_24h,uptime_percent_30d,enabled,\
    tags,note";

/// The columns of [`queued_mail`].
pub const QUEUE_HEADER: &str = "id,state,kind,monitor,to,subject,queued_at,attempts,next_attempt_at,held_by,held_until,\
    last_error,message_id";

/// Writes the current state of one monitor. `flags` and `tags` hold words separated by spaces.
pub fn status(row: &StatusRow, out: &mut impl Write) -> fmt::Result {
    let last = row.last_check.as_ref();
    let failure = last.and_then(|check| check.verdict.failure());
    let mut record = Record::of(out);
    record.text(&row.monitor)?;
    record.text(&row.url)?;
    record.text(row.state.as_str())?;
    record.time(row.since)?;
    record.text(row.reason.map_or("", |reason| reason.as_str()))?;
    record.text(&row.flags.words().collect::<Vec<_>>().join(" "))?;
    record.shown(row.incident.map(|incident| incident.to_string()))?;
    record.text(row.ack_note.as_deref().unwrap_or(""))?;
    record.time(last.map(|check| check.at))?;
    record.shown(last.and_then(|check| check.status))?;
    record.text(failure.map_or("", |failure| failure.kind.as_str()))?;
    record.text(failure.map_or("", |failure| &failure.detail))?;
    record.ms(last.map(|check| check.timings.total))?;
    record.time(row.next_check_at)?;
    record.shown(row.uptime_percent_24h)?;
    record.shown(row.uptime_percent_30d)?;
    record.shown(Some(row.enabled))?;
    record.text(&row.tags.join(" "))?;
    record.text(&row.note)?;
    record.end()
}

/// Writes one mail that has not left.
pub fn queued_mail(row: &QueueRow, out: &mut impl Write) -> fmt::Result {
    let mut record = Record::of(out);
    record.shown(Some(row.id))?;
    record.text(if row.failed { "failed" } else { "waiting" })?;
    record.text(row.kind.as_str())?;
    record.text(row.monitor.as_deref().unwrap_or(""))?;
    record.text(&row.to)?;
    record.text(&row.subject)?;
    record.time(Some(row.queued_at))?;
    record.shown(Some(row.attempts))?;
    record.time(row.next_attempt_at)?;
    record.text(row.held.map_or("", |held| held.by))?;
    record.time(row.held.and_then(|held| held.until))?;
    record.text(row.last_error.as_deref().unwrap_or(""))?;
    record.text(&row.message_id)?;
    record.end()
}

/// Writes one check. `redirects` holds `CODE URL` of each, separated by ` | `. A list may have one more column, whether
/// it was recorded while the clock was ahead, and one more, the location that it was made from, empty if it has none.
pub fn check(
    monitor: &str,
    url: &str,
    check: &Check,
    (clock_is_wrong, location): (Option<bool>, Option<Option<&LocationName>>),
    out: &mut impl Write,
) -> fmt::Result {
    let mut record = Record::of(out);
    fill(&mut record, monitor, url, check)?;
    if let Some(wrong) = clock_is_wrong {
        record.text(if wrong { "wrong" } else { "" })?;
    }
    if let Some(location) = location {
        record.text(location.map_or("", LocationName::as_str))?;
    }
    record.end()
}

fn fill<W: Write>(
    record: &mut Record<'_, W>,
    monitor: &str,
    url: &str,
    check: &Check,
) -> fmt::Result {
    record.text(monitor)?;
    record.text(url)?;
    record.time(Some(check.at))?;
    record.text(check.verdict.state().as_str())?;
    record.shown(check.status)?;
    let failure = check.verdict.failure();
    record.text(failure.map_or("", |failure| failure.kind.as_str()))?;
    record.text(failure.map_or("", |failure| &failure.detail))?;
    let shown = |other: &str| {
        if other == url {
            other.to_owned()
        } else {
            redaction::shown(other).into_owned()
        }
    };
    record.text(&shown(&check.chain.final_url))?;
    let redirects: Vec<String> = check
        .chain
        .redirects
        .iter()
        .map(|redirect| format!("{} {}", redirect.status, shown(&redirect.url)))
        .collect();
    record.text(&redirects.join(" | "))?;
    for (_, time) in check.timings.phases() {
        record.ms(time)?;
    }
    record.ms(Some(check.timings.total))?;
    record.shown(check.chain.remote_shown())?;
    record.text(check.http_version.map_or("", |version| version.as_str()))?;
    record.shown(Some(check.body_bytes))?;
    record.shown(check.retry_after_s)?;
    let certificate = check.certificate.as_deref();
    record.time(certificate.map(|certificate| certificate.not_after))?;
    record.text(certificate.map_or("", |certificate| &certificate.subject))?;
    record.text(certificate.map_or("", |certificate| &certificate.issuer))
}

/// Writes one incident; an open one lasts until `now`.
pub fn incident(row: &IncidentRow, now: Timestamp, out: &mut impl Write) -> fmt::Result {
    let incident = &row.incident;
    let mut record = Record::of(out);
    record.text(&incident.key.to_string())?;
    record.text(&row.monitor)?;
    record.text(&row.url)?;
    record.time(Some(incident.opened_at()))?;
    record.time(incident.closed_at)?;
    let lasted = incident
        .closed_at
        .unwrap_or(now)
        .since(incident.opened_at());
    record.seconds(u64::try_from(lasted.as_millis()).ok())?;
    record.text(incident.cause.failure.kind.as_str())?;
    record.shown(incident.cause.status)?;
    record.text(&incident.cause.failure.detail)?;
    record.shown(Some(incident.checks_failed))?;
    record.shown(Some(incident.maintenance))?;
    record.time(incident.acked_at)?;
    record.shown(Some(row.mails.len()))?;
    let sent = row.mails.iter().filter(|mail| mail.sent_at.is_some());
    record.shown(Some(sent.count()))?;
    record.text(incident.ack_note.as_deref().unwrap_or(""))?;
    record.time(row.escalated_at)?;
    record.end()
}

/// Writes one monitor's report.
pub fn report(row: &ReportRow, out: &mut impl Write) -> fmt::Result {
    let mut record = Record::of(out);
    record.text(&row.monitor)?;
    record.text(&row.url)?;
    record.time(Some(row.from))?;
    record.time(Some(row.to))?;
    record.shown(row.uptime_percent)?;
    record.shown(row.coverage_percent)?;
    record.shown(Some(row.outages))?;
    record.seconds(Some(row.up_ms))?;
    record.seconds(Some(row.down_ms))?;
    record.seconds(row.longest_outage_ms)?;
    record.seconds(row.mttr_ms)?;
    record.seconds(Some(row.degraded_ms))?;
    record.seconds(Some(row.maintenance_ms))?;
    record.seconds(Some(row.unknown_ms))?;
    record.shown(Some(row.checks))?;
    record.ms(row.p50)?;
    record.ms(row.p95)?;
    record.ms(row.p99)?;
    for _ in 0..OF_OBJECTIVES {
        record.text("")?;
    }
    if let Some(location) = &row.location {
        record.text(location.as_ref().map_or("", LocationName::as_str))?;
    }
    record.end()
}

/// Writes how one objective stands, in the columns of [`REPORT_HEADER`], and an empty one if the list has locations.
pub fn objective(row: &ObjectiveRow, with_locations: bool, out: &mut impl Write) -> fmt::Result {
    let mut record = Record::of(out);
    // Monitor, URL, begin and end.
    for _ in 0..4 {
        record.text("")?;
    }
    record.shown(row.uptime_percent)?;
    record.shown(row.coverage_percent)?;
    for _ in 0..OF_MONITORS {
        record.text("")?;
    }
    record.text(&row.name)?;
    record.text(&row.period)?;
    record.shown(Some(row.target_percent))?;
    record.shown(Some(objective::seconds(row.budget_ms)))?;
    record.shown(Some(objective::seconds(row.left_ms)))?;
    for rate in row.burns {
        record.shown(rate.map(objective::thousandths))?;
    }
    if with_locations {
        record.text("")?;
    }
    record.end()
}

/// A line that is being written.
struct Record<'a, W> {
    out: &'a mut W,
    first: bool,
}

impl<'a, W: Write> Record<'a, W> {
    const fn of(out: &'a mut W) -> Self {
        Self { out, first: true }
    }

    fn text(&mut self, text: &str) -> fmt::Result {
        if !std::mem::take(&mut self.first) {
            self.out.write_char(',')?;
        }
        if text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ') {
            write!(self.out, "\"{}\"", text.replace('"', "\"\""))
        } else {
            self.out.write_str(text)
        }
    }

    fn shown(&mut self, value: Option<impl fmt::Display>) -> fmt::Result {
        self.text(&value.map(|value| value.to_string()).unwrap_or_default())
    }

    fn time(&mut self, at: Option<Timestamp>) -> fmt::Result {
        self.shown(at)
    }

    fn ms(&mut self, time: Option<Micros>) -> fmt::Result {
        self.shown(time.map(|time| format!("{:.3}", time.as_ms())))
    }

    fn seconds(&mut self, ms: Option<u64>) -> fmt::Result {
        self.shown(ms.map(|ms| format!("{}.{:03}", ms / 1000, ms % 1000)))
    }

    fn end(self) -> fmt::Result {
        self.out.write_char('\n')
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::check::{Chain, Failure, FailureKind, Redirect, Timings, Verdict};

    #[test]
    fn a_record_has_every_column_and_quotes_what_it_must() {
        let check_value = Check {
            at: Timestamp::from_ms(1_795_377_600_123),
            verdict: Verdict::Down(Failure {
                kind: FailureKind::Status,
                detail: "503, \"busy\"".into(),
            }),
            status: Some(503),
            chain: Arc::new(Chain {
                redirects: vec![Redirect {
                    url: "http://shop/".into(),
                    status: 301,
                    location: None,
                    remote_addr: None,
                }],
                final_url: "https://shop/?token=x".into(),
                remote_addr: None,
            }),
            redirect_times: [Micros::new(1)].into(),
            timings: Timings {
                dns: Some(Micros::new(1203)),
                total: Micros::new(77_000),
                ..Timings::default()
            },
            http_version: None,
            body_bytes: 0,
            retry_after_s: None,
            certificate: None,
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        };
        let mut line = String::new();
        check(
            "a, b",
            "http://shop/",
            &check_value,
            (None, None),
            &mut line,
        )
        .unwrap();
        assert_eq!(
            line,
            "\"a, b\",http://shop/,2026-11-22T20:00:00.123Z,down,503,status,\"503, \"\"busy\"\"\",\
             https://shop/?token=***,301 http://shop/,1.203,,,,,77.000,,,0,,,,\n"
        );
        let plain = line
            .replace("\"a, b\"", "a")
            .replace("\"503, \"\"busy\"\"\"", "503");
        assert_eq!(
            plain.matches(',').count(),
            CHECK_HEADER.matches(',').count()
        );
    }
}
