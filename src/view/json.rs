//! The JSON objects of commands and API: a public contract, apart from the types inside. Keys stand in a
//! fixed order, times are RFC 3339 in UTC with milliseconds, phases milliseconds with at most 3 decimals.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::{Serialize, Serializer};

use super::address_object::{AddressObject, VersionObject};
use super::audience::shown_location;
pub use super::audience::{Audience, failure_detail, public_url, shown_url};
use super::location_object::{self, LocationObject};
use super::order_objects::{AmendmentObject, ByObject, NoteObject, OrderObject};
pub use super::report_object::{ReportObject, report};
use super::rows::{IncidentRow, MailRow, StatusRow};
use crate::domain::amendment;
use crate::domain::check::{Certificate, Check, Failure, FailureKind, Micros, Packets, Timings};
use crate::domain::incident::Cause;
use crate::domain::location::LocationName;
use crate::domain::redaction;
use crate::domain::subject::SubjectKind;
use crate::domain::timestamp::Timestamp;

/// Writes one object on a line of its own.
pub fn line(object: &impl Serialize, out: &mut impl Write) -> fmt::Result {
    let text = serde_json::to_string(object).map_err(|_| fmt::Error)?;
    out.write_str(&text)?;
    out.write_char('\n')
}

/// One check of a monitor, as `check --json` and `history --json` print it.
pub fn check<'a>(
    monitor: &'a str,
    url: &'a str,
    check: &'a Check,
    audience: Audience,
) -> CheckObject<'a> {
    let address = |address: Option<std::net::SocketAddr>| match audience {
        Audience::Owner => address.map(|address| address.to_string()),
        Audience::Public { .. } => None,
    };
    let redirects = check.chain.redirects.iter().enumerate();
    let extras = check.extras.as_deref();
    CheckObject {
        monitor,
        location: None,
        url: shown_url(url, url, audience),
        at: Utc(check.at),
        clock: clock(false),
        state: check.verdict.state().as_str(),
        status: check.status,
        failure: check
            .verdict
            .failure()
            .map(|failure| failure_object(failure, check.status, audience)),
        final_url: shown_url(&check.chain.final_url, url, audience),
        redirects: redirects
            .map(|(index, redirect)| RedirectObject {
                url: shown_url(&redirect.url, url, audience),
                status: redirect.status,
                location: redirect
                    .location
                    .as_deref()
                    .and_then(|location| shown_location(location, audience)),
                remote_addr: address(redirect.remote_addr),
                ms: match audience {
                    // Only the codes are left.
                    Audience::Public { urls: false } => None,
                    _ => check.redirect_times.get(index).copied().map(Ms),
                },
            })
            .collect(),
        timings_ms: TimingsObject::of(&check.timings),
        remote_addr: match audience {
            Audience::Owner => check.chain.remote_shown(),
            Audience::Public { .. } => None,
        },
        http_version: check.http_version.map(|version| version.as_str()),
        body_bytes: check.body_bytes,
        retry_after_s: check.retry_after_s,
        certificate: check
            .certificate
            .as_deref()
            .map(|certificate| CertificateObject::of(certificate, audience)),
        remarks: match audience {
            Audience::Owner => &check.remarks,
            // They name addresses.
            Audience::Public { .. } => &[],
        },
        packets: (check.kind() == SubjectKind::Icmp).then(|| {
            let packets = extras.and_then(|extras| extras.packets);
            packets.map(PacketsObject::of)
        }),
        answers: (check.kind() == SubjectKind::Dns).then(|| {
            let answers = extras.and_then(|extras| extras.answers.as_deref());
            // They name addresses as well.
            answers.filter(|_| audience == Audience::Owner)
        }),
        addresses: extras
            .and_then(|extras| extras.addresses.as_deref())
            .filter(|_| audience == Audience::Owner)
            .map(|all| all.iter().map(AddressObject::of).collect()),
        versions: extras
            .and_then(|extras| extras.versions.as_deref())
            .map(|all| {
                let objects = all.iter().map(|one| VersionObject::of(one, audience));
                objects.collect()
            }),
    }
}

/// The current state of a monitor, as `status --json` prints it.
pub fn status(row: &StatusRow, audience: Audience) -> StatusObject<'_> {
    StatusObject {
        monitor: &row.monitor,
        url: shown_url(&row.url, &row.url, audience),
        state: row.state.as_str(),
        since: row.since.map(Utc),
        // `parent_down` would reveal a monitor that may be hidden.
        flags: row
            .flags
            .words()
            .filter(|word| audience == Audience::Owner || *word != "parent_down")
            .collect(),
        reason: row.reason.map(FailureKind::as_str),
        incident: row.incident.map(|incident| incident.to_string()),
        ack_note: match audience {
            Audience::Owner => Some(row.ack_note.as_deref()),
            Audience::Public { .. } => None,
        },
        orders: match audience {
            Audience::Owner => row
                .orders
                .as_ref()
                .map(|orders| orders.iter().map(OrderObject::of).collect()),
            Audience::Public { .. } => None,
        },
        last_check: row
            .last_check
            .as_ref()
            .map(|last| check(&row.monitor, &row.url, last, audience)),
        next_check_at: row.next_check_at.map(Utc),
        uptime_percent_24h: row.uptime_percent_24h,
        uptime_percent_30d: row.uptime_percent_30d,
        locations: location_object::objects(&row.locations, audience),
        enabled: row.enabled,
        tags: &row.tags,
        note: match audience {
            Audience::Owner => Some(&row.note),
            Audience::Public { .. } => None,
        },
    }
}

/// The mark of what was recorded while the clock was ahead; left out of everything else.
fn clock(is_wrong: bool) -> Option<&'static str> {
    is_wrong.then_some("wrong")
}

/// A check that was recorded while the clock was ahead.
pub fn check_by_wrong_clock<'a>(
    monitor: &'a str,
    url: &'a str,
    check: &'a Check,
    audience: Audience,
) -> CheckObject<'a> {
    CheckObject {
        clock: clock(true),
        ..self::check(monitor, url, check, audience)
    }
}

/// The same for a service of others: the monitor's own URL is masked as in mails.
pub fn check_for_others<'a>(monitor: &'a str, url: &'a str, check: &'a Check) -> CheckObject<'a> {
    let mut object = self::check(monitor, url, check, Audience::Owner);
    let addresses = [&mut object.url, &mut object.final_url];
    let hops = object.redirects.iter_mut().map(|hop| &mut hop.url);
    for address in addresses.into_iter().chain(hops) {
        if let Some(Cow::Borrowed(raw)) = *address {
            *address = Some(redaction::shown(raw));
        }
    }
    object
}

/// An outage, as `incidents --json` prints it; an open one lasts until `now`.
pub fn incident(row: &IncidentRow, now: Timestamp, audience: Audience) -> IncidentObject<'_> {
    let incident = &row.incident;
    let failure = failure_object(&incident.cause.failure, incident.cause.status, audience);
    IncidentObject {
        id: incident.key.to_string(),
        monitor: &row.monitor,
        url: shown_url(&row.url, &row.url, audience),
        opened_at: Utc(incident.opened_at()),
        closed_at: incident.closed_at.map(Utc),
        duration_s: seconds_between(incident.opened_at(), incident.closed_at.unwrap_or(now)),
        cause: CauseObject {
            kind: failure.kind,
            status: incident.cause.status,
            detail: failure.detail,
        },
        checks_failed: incident.checks_failed,
        maintenance: incident.maintenance,
        clock: clock(incident.clock_is_wrong),
        acked_at: incident.acked_at.map(Utc),
        escalated_at: row.escalated_at.map(Utc),
        ack_note: match audience {
            Audience::Owner => Some(incident.ack_note.as_deref()),
            Audience::Public { .. } => None,
        },
        acked_by: match audience {
            Audience::Owner => Some(row.acked_by.as_ref().map(ByObject::of)),
            Audience::Public { .. } => None,
        },
        amended: amendment::in_force(&row.amendments).map(|one| AmendmentObject::of(one, audience)),
        amendments: match audience {
            Audience::Owner => {
                let all = row.amendments.iter();
                Some(all.map(|one| AmendmentObject::of(one, audience)).collect())
            }
            Audience::Public { .. } => None,
        },
        notes: row
            .notes
            .iter()
            .filter(|note| audience == Audience::Owner || note.public)
            .map(|note| NoteObject::of(note, audience))
            .collect(),
        mails: match audience {
            Audience::Owner => Some(row.mails.iter().map(MailObject::of).collect()),
            Audience::Public { .. } => None,
        },
        locations: location_object::objects(&row.locations, audience),
    }
}

/// The object of one check.
#[derive(Debug, Serialize)]
pub struct CheckObject<'a> {
    monitor: &'a str,
    /// Of a monitor with locations only.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a str>,
    url: Option<Cow<'a, str>>,
    at: Utc,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
    state: &'static str,
    status: Option<u16>,
    failure: Option<FailureObject<'a>>,
    final_url: Option<Cow<'a, str>>,
    redirects: Vec<RedirectObject<'a>>,
    timings_ms: TimingsObject,
    remote_addr: Option<String>,
    http_version: Option<&'static str>,
    body_bytes: u64,
    retry_after_s: Option<u32>,
    certificate: Option<CertificateObject<'a>>,
    /// Of a check made now; history does not record them.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    remarks: &'a [String],
    /// Of `icmp://` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<Option<PacketsObject>>,
    /// Of `dns://` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<Option<&'a [String]>>,
    /// With `addresses = "each"` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<Vec<AddressObject<'a>>>,
    /// With `http = "offered"` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<Vec<VersionObject<'a>>>,
}

impl<'a> CheckObject<'a> {
    /// The same, made from a location if there is one.
    #[must_use]
    pub fn from_location(self, location: Option<&'a LocationName>) -> Self {
        Self {
            location: location.map(LocationName::as_str),
            ..self
        }
    }
}

#[derive(Debug, Serialize)]
struct PacketsObject {
    sent: u8,
    received: u8,
    min_ms: Option<Ms>,
    max_ms: Option<Ms>,
}

impl PacketsObject {
    fn of(packets: Packets) -> Self {
        Self {
            sent: packets.sent,
            received: packets.received,
            min_ms: packets.min.map(Ms),
            max_ms: packets.max.map(Ms),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct FailureObject<'a> {
    kind: &'static str,
    detail: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
struct RedirectObject<'a> {
    url: Option<Cow<'a, str>>,
    status: u16,
    location: Option<Cow<'a, str>>,
    remote_addr: Option<String>,
    ms: Option<Ms>,
}

#[derive(Debug, Serialize)]
struct TimingsObject {
    dns: Option<Ms>,
    connect: Option<Ms>,
    tls: Option<Ms>,
    ttfb: Option<Ms>,
    body: Option<Ms>,
    total: Ms,
}

impl TimingsObject {
    fn of(timings: &Timings) -> Self {
        Self {
            dns: timings.dns.map(Ms),
            connect: timings.connect.map(Ms),
            tls: timings.tls.map(Ms),
            ttfb: timings.ttfb.map(Ms),
            body: timings.body.map(Ms),
            total: Ms(timings.total),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct CertificateObject<'a> {
    not_after: Utc,
    subject: Option<&'a str>,
    issuer: Option<&'a str>,
}

impl<'a> CertificateObject<'a> {
    pub(super) fn of(certificate: &'a Certificate, audience: Audience) -> Self {
        // The subject names the host, and so does the issuer where a certificate signs itself.
        let named = audience != Audience::Public { urls: false };
        Self {
            not_after: Utc(certificate.not_after),
            subject: named.then_some(&*certificate.subject),
            issuer: named.then_some(&*certificate.issuer),
        }
    }
}

/// The object of a monitor's state.
#[derive(Debug, Serialize)]
pub struct StatusObject<'a> {
    monitor: &'a str,
    url: Option<Cow<'a, str>>,
    state: &'static str,
    since: Option<Utc>,
    flags: Vec<&'static str>,
    reason: Option<&'static str>,
    incident: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack_note: Option<Option<&'a str>>,
    /// Of the command only: pages and API do not ask the database for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    orders: Option<Vec<OrderObject<'a>>>,
    last_check: Option<CheckObject<'a>>,
    next_check_at: Option<Utc>,
    uptime_percent_24h: Option<f64>,
    uptime_percent_30d: Option<f64>,
    /// Of a monitor with locations only.
    #[serde(skip_serializing_if = "Option::is_none")]
    locations: Option<Vec<LocationObject<'a>>>,
    enabled: bool,
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

/// The object of an outage.
#[derive(Debug, Serialize)]
pub struct IncidentObject<'a> {
    id: String,
    monitor: &'a str,
    url: Option<Cow<'a, str>>,
    opened_at: Utc,
    closed_at: Option<Utc>,
    duration_s: Seconds,
    cause: CauseObject<'a>,
    checks_failed: u32,
    maintenance: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
    acked_at: Option<Utc>,
    escalated_at: Option<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack_note: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acked_by: Option<Option<ByObject<'a>>>,
    amended: Option<AmendmentObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amendments: Option<Vec<AmendmentObject<'a>>>,
    notes: Vec<NoteObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mails: Option<Vec<MailObject<'a>>>,
    /// Of a monitor with locations only: what each said when it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    locations: Option<Vec<LocationObject<'a>>>,
}

#[derive(Debug, Serialize)]
pub(super) struct CauseObject<'a> {
    kind: &'static str,
    status: Option<u16>,
    detail: Cow<'a, str>,
}

impl<'a> CauseObject<'a> {
    /// For the owner.
    pub(super) fn of(cause: &'a Cause) -> Self {
        Self {
            kind: cause.failure.kind.as_str(),
            status: cause.status,
            detail: Cow::Borrowed(&cause.failure.detail),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct MailObject<'a> {
    kind: &'static str,
    to: &'a str,
    channel: Option<&'a str>,
    message_id: &'a str,
    queued_at: Utc,
    sent_at: Option<Utc>,
}

impl<'a> MailObject<'a> {
    pub(super) fn of(mail: &'a MailRow) -> Self {
        Self {
            kind: mail.kind.as_str(),
            to: &mail.to,
            channel: mail.channel.as_deref(),
            message_id: &mail.message_id,
            queued_at: Utc(mail.queued_at),
            sent_at: mail.sent_at.map(Utc),
        }
    }
}

/// A moment as text.
#[derive(Debug, Clone, Copy)]
pub struct Utc(pub Timestamp);

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Microseconds as milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ms(pub(super) Micros);

impl Serialize for Ms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_ms())
    }
}

/// Milliseconds as seconds: a whole number where it is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub(super) u64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u64(self.0 / 1000)
        } else {
            // A century in milliseconds is below 2^53.
            serializer.serialize_f64(self.0 as f64 / 1000.0)
        }
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> Seconds {
    Seconds(u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX))
}

pub(super) fn failure_object(
    failure: &Failure,
    status: Option<u16>,
    audience: Audience,
) -> FailureObject<'_> {
    FailureObject {
        kind: failure.kind.as_str(),
        detail: failure_detail(failure, status, audience),
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
