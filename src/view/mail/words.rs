//! Times, numbers and causes in words, the same in every mail.

use std::time::Duration;

use crate::domain::check::{Certificate, Check, Failure, FailureKind, Micros};
use crate::domain::duration_text::{Human, between_clock_times};
use crate::domain::incident::Cause;
use crate::domain::redaction;
use crate::domain::status_code;
use crate::domain::subject::SubjectKind;
use crate::domain::timestamp::Timestamp;
use crate::view::shell::shell_word;

use super::context::Context;

/// `Sun 2026-11-22 14:02:11 CET (13:02:11 UTC)`
pub(super) fn moment(at: Timestamp, ctx: &Context) -> String {
    let local = at.in_zone(&ctx.zone);
    let here = local.strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string();
    if local.offset() == jiff::tz::Offset::UTC {
        return here;
    }
    let utc = at.to_jiff().strftime("%H:%M:%S UTC");
    format!("{here} ({utc})")
}

/// `14:02:11`, with the date where it is another day than that of the mail.
pub(super) fn clock_time(at: Timestamp, ctx: &Context) -> String {
    let local = at.in_zone(&ctx.zone);
    if local.date() == ctx.now.in_zone(&ctx.zone).date() {
        local.strftime("%H:%M:%S").to_string()
    } else {
        local.strftime("%m-%d %H:%M:%S").to_string()
    }
}

/// `2026-11-22`
pub(super) fn date(at: Timestamp, ctx: &Context) -> String {
    at.in_zone(&ctx.zone).strftime("%Y-%m-%d").to_string()
}

/// A length of time in words.
pub(super) fn span(duration: Duration) -> String {
    // As the timings of checks are spelt in the same mail.
    if duration.as_secs() == 0 && duration.as_millis() > 0 {
        return format!("{} ms", duration.as_millis());
    }
    Human(duration).to_string()
}

/// `1 043`: thousands apart.
pub(super) use crate::domain::duration_text::grouped as number;
/// `1 043 ms`, rounded; `<1 ms` for what would be none.
pub(super) use crate::domain::duration_text::whole_ms as ms;

/// The same without the unit.
pub(super) fn whole_ms(time: Micros) -> String {
    ms(time).trim_end_matches(" ms").to_owned()
}

/// From one moment to another as a reader subtracts the two clock times of a mail.
pub(super) fn between(from: Timestamp, to: Timestamp) -> String {
    span(between_clock_times(from, to))
}

/// `99.94 %`, rounded down: only an uptime without any outage is 100 %.
pub(super) fn percent(value: f64) -> String {
    let hundredths = (value.clamp(0.0, 100.0) * 100.0 + 1e-6).floor();
    format!("{:.2} %", hundredths / 100.0)
}

/// `1 check`, `3 checks`
pub(super) fn count(number_of: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        number(number_of),
        if number_of == 1 { one } else { many }
    )
}

/// `503 Service Unavailable`
pub(super) fn status(code: u16) -> String {
    status_code::lookup(code).map_or_else(|| code.to_string(), |s| format!("{code} {}", s.name))
}

/// The word of a subject: the status where it is the failure, else the kind.
pub fn cause_word(failure: &Failure, status: Option<u16>) -> String {
    match (failure.kind, status) {
        (FailureKind::Status, Some(status)) => status.to_string(),
        (kind, _) => kind.as_str().to_owned(),
    }
}

/// A cause in a few words: `503 Service Unavailable`, `connection refused`.
pub fn cause_name(failure: &Failure, status_seen: Option<u16>) -> String {
    match (failure.kind, status_seen) {
        (FailureKind::Status, Some(code)) => status(code),
        (kind, _) => kind.meaning().name.to_owned(),
    }
}

/// A cause as the second half of a sentence: `it answers 503 Service Unavailable`.
pub(super) fn cause_clause(cause: &Cause, ctx: &Context) -> String {
    match (cause.failure.kind, cause.status) {
        (FailureKind::Status, Some(code)) => format!("it answers {}", status(code)),
        _ => failure(&cause.failure, ctx),
    }
}

/// Why a mail was held back, as the end of a sentence.
pub fn hold(why: &str) -> &str {
    match why {
        "maintenance" => "a maintenance window was open",
        "mute" => "the monitor was muted",
        "parent" => "a monitor that it depends on was down, or being checked",
        "flapping" => "it changed up and down too often for single mails",
        "offline" => "sitewatch itself was offline",
        "hours" => "it waited for the opening hours of its recipient",
        other => other,
    }
}

/// A failure with its detail, each said once.
pub(super) fn failure(failure: &Failure, ctx: &Context) -> String {
    let name = failure.kind.meaning().name;
    let detail = shown(&failure.detail, ctx);
    if detail.is_empty() {
        name.to_owned()
    } else if detail.starts_with(name) {
        detail
    } else {
        format!("{name} ({detail})")
    }
}

/// What one check came to, for a line of a table: `503`, `connect_refused`, `200`.
pub(super) fn outcome_word(check: &Check) -> String {
    match (check.verdict.failure(), check.status) {
        (Some(failure), status) => cause_word(failure, status),
        (None, Some(status)) => status.to_string(),
        (None, None) => "ok".to_owned(),
    }
}

/// What came of a good check that has no status.
pub(super) const fn met(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Http | SubjectKind::Dns => "an answer",
        SubjectKind::Tcp => "a connection",
        SubjectKind::Tls => "a TLS connection",
        SubjectKind::Icmp => "replies",
    }
}

/// Text of the configuration: the one way into a mail, without the secrets of its monitor.
pub(super) fn masked(text: &str, ctx: &Context) -> String {
    match ctx.monitor {
        Some(monitor) => monitor.masks().apply(text).into_owned(),
        None => text.to_owned(),
    }
}

/// Text of the site's: the same, and without the values of sensitive parameters.
pub(super) fn shown(text: &str, ctx: &Context) -> String {
    redaction::shown(&masked(text, ctx)).into_owned()
}

/// `61 days left (until 2027-01-22)`.
pub(super) fn certificate_end(certificate: &Certificate, ctx: &Context) -> String {
    let left = certificate_left(certificate, ctx.now);
    if certificate.not_after.is_endless() {
        return left;
    }
    format!("{left} (until {})", date(certificate.not_after, ctx))
}

/// `61 days left`, or how long it has been over.
pub(super) fn certificate_left(certificate: &Certificate, now: Timestamp) -> String {
    if certificate.not_after.is_endless() {
        "no end".to_owned()
    } else if certificate.not_after > now {
        let left = certificate.not_after.since(now);
        match left.as_secs() / 86_400 {
            0 => format!("{} left", span(left)),
            days => format!("{} left", count(days, "day", "days")),
        }
    } else {
        format!("expired {} ago", span(now.since(certificate.not_after)))
    }
}

/// The common name of a certificate's holder or issuer; all of it where it has none.
pub(super) fn common_name(name: &str) -> &str {
    let parts = name.split(", ").map(str::trim);
    let mut common = parts.filter_map(|part| part.strip_prefix("CN="));
    match common.next() {
        Some(found) if !found.is_empty() => found,
        Some(_) | None => name,
    }
}

/// A text of several lines as one word that bash, zsh and ksh read as it was.
pub(super) fn shell_text(text: &str) -> String {
    if !text.contains(['\n', '\r', '\t']) {
        return shell_word(text);
    }
    let mut word = "$'".to_owned();
    for c in text.chars() {
        match c {
            '\n' => word.push_str("\\n"),
            '\r' => word.push_str("\\r"),
            '\t' => word.push_str("\\t"),
            '\\' => word.push_str("\\\\"),
            '\'' => word.push_str("\\'"),
            other => word.push(other),
        }
    }
    word.push('\'');
    word
}
