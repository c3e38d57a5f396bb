//! The sections that stand once, but `[email]`: text to settings.

use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use super::channel_names;
use super::env_vars;
use super::look;
use super::reader::Reading;
use super::scalars;
use super::table::{Placed, Table, is_table_list, place};
use crate::config::default_paths;
use crate::config::diagnostic::problem::Fault;
use crate::config::keys::{self, Section};
use crate::config::model::DaemonSettings;
use crate::domain::recipient::Recipient;
use crate::domain::redaction::Masks;
use crate::domain::safe_text;
use crate::domain::settings::{
    AlertSettings, Canaries, EmailSettings, EvidenceRetention, Flapping, HeartbeatSettings,
    MailTransport, ReportSettings, Retention, WebSettings,
};
use crate::domain::target::DnsSettings;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The table of a section, its unknown keys reported; an empty one where the section is absent.
pub(in crate::config) fn section<'t>(
    reading: &mut Reading<'_>,
    root: &'t DeTable<'t>,
    section: &'static Section,
    called: &'static str,
    empty: &'t DeTable<'t>,
) -> Table<'t> {
    let absent = Table {
        own: empty,
        keys: section.keys,
        called,
        header: place(0, 0..0),
        fallback: None,
    };
    let Some((key, value)) = root.get_key_value(section.name) else {
        return absent;
    };
    let header = match value.span() {
        span if span.is_empty() => key.span(),
        span => span,
    };
    match value.get_ref() {
        DeValue::Table(own) => {
            let table = Table {
                own,
                header: place(0, header),
                ..absent
            };
            let but: &[&str] = match section.name {
                "defaults" => &keys::MONITOR_ONLY,
                _ => &[],
            };
            reading.refuse_unknown(&table, but);
            table
        }
        other if is_table_list(other) => {
            reading.fault(Fault::new(
                place(0, key.span()),
                format!("{called} appears once in a file"),
                format!("write {called} with single brackets"),
            ));
            absent
        }
        _ => {
            reading.fault(Fault::new(
                place(0, key.span()),
                format!("`{}` is a section", section.name),
                format!("write {called} on a line of its own and its keys below"),
            ));
            absent
        }
    }
}

/// The kernel's `sun_path` with its final zero.
const SOCKET_BYTES_MAX: usize = 107;

/// `[daemon]`; none of it where the database has no place.
pub(in crate::config) fn daemon(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    file: &Path,
) -> Option<DaemonSettings> {
    let environment = reading.environment;
    let database = reading.path(table, "database").map(|path| path.it);
    let database = match database {
        Some(path) => Some(path),
        // What is wrong with it was said where it was read.
        None if !table.is_blank("database") => None,
        None => {
            let default = default_paths::default_database(file, environment);
            if default.is_none() {
                reading.faults.push(Fault::nowhere(
                    "there is no place for the database: $STATE_DIRECTORY, $XDG_STATE_HOME and $HOME are not set",
                    "set `database` in [daemon]",
                ));
            }
            default
        }
    };
    let socket = reading.path(table, "control_socket").map(|path| path.it);
    let max_concurrent_checks = reading
        .count(table, "max_concurrent_checks")
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or(512);
    let timezone = time_zone(reading, table);
    let shutdown_grace = reading
        .span(table, "shutdown_grace")
        .map_or(Duration::from_secs(10), |span| span.it);
    let log = reading
        .some_parsed(table, "log", "a log filter", scalars::log_filter)
        .map_or_else(|| "info".to_owned(), |log| log.it);
    let database = database?;
    let control_socket =
        socket.unwrap_or_else(|| default_paths::default_socket(file, &database, environment));
    let socket_bytes = control_socket.as_os_str().len();
    if socket_bytes > SOCKET_BYTES_MAX {
        let message = format!("the path of the control socket has {socket_bytes} bytes");
        let label =
            format!("the system takes at most {SOCKET_BYTES_MAX}; set a shorter `control_socket`");
        let fault = match table.get("control_socket") {
            Some(found) => Fault::new(found.place, message, label),
            None => Fault::nowhere(message, format!("{label} in [daemon]")),
        };
        reading.fault(fault);
    }
    Some(DaemonSettings {
        database,
        control_socket,
        max_concurrent_checks,
        timezone,
        shutdown_grace,
        log,
    })
}

fn time_zone(reading: &mut Reading<'_>, table: &Table<'_>) -> TimeZone {
    let written = reading.some_parsed(table, "timezone", "a time zone", |text| match text {
        "system" => Ok(None),
        name => scalars::zone(name).map(Some),
    });
    if let Some(Placed { it: Some(zone), .. }) = written {
        return zone;
    }
    // $TZ counts as every other part of the environment: as the value that was passed in.
    let by_variable = reading
        .environment
        .get("TZ")
        .map(|name| name.trim_start_matches(':'))
        .filter(|name| !name.is_empty())
        .map(|name| (name, TimeZone::get(name)));
    let Some((name, zone)) = by_variable else {
        return TimeZone::try_system().unwrap_or(TimeZone::UTC);
    };
    // `TZ=CET-1CEST,M3.5.0,M10.5.0` and `/a/file` are read by the system's own way.
    let is_path = name.starts_with('/') || name.contains("zoneinfo/");
    let of_file = || {
        TimeZone::try_system()
            .ok()
            .filter(|_| is_path && Path::new(name).is_file())
    };
    zone.or_else(|_| TimeZone::posix(name))
        .ok()
        .or_else(of_file)
        .unwrap_or_else(|| {
            let message = format!(
                "$TZ is `{}`, which is not a valid time zone; times are in UTC: write an IANA name like \
                 \"Europe/Berlin\", there or as [daemon].timezone",
                safe_text::line(name, 100)
            );
            reading.warnings.push((None, message));
            TimeZone::UTC
        })
}

/// `[history]`
pub(in crate::config) fn history(reading: &mut Reading<'_>, table: &Table<'_>) -> Retention {
    let days_90 = Duration::from_secs(90 * 86_400);
    Retention {
        checks: reading.span_or(table, "keep_checks", "forever", Some(days_90)),
        rollups: reading.span_or(table, "keep_rollups", "forever", None),
        evidence: evidence(reading, table),
    }
}

fn evidence(reading: &mut Reading<'_>, table: &Table<'_>) -> EvidenceRetention {
    let default = EvidenceRetention::default();
    let limit = table.get("evidence_limit");
    EvidenceRetention {
        keep: reading.span_or(table, "keep_evidence", "off", default.keep),
        bytes_max: limit
            .and_then(|found| reading.parsed(found, "a size", scalars::store_size))
            .map_or(default.bytes_max, |size| size.it),
    }
}

/// `[dns]`
pub(in crate::config) fn dns(reading: &mut Reading<'_>, table: &Table<'_>) -> DnsSettings {
    let servers = reading.list(
        table,
        "servers",
        "an address of a name server",
        scalars::name_server,
    );
    let default = DnsSettings::default();
    DnsSettings {
        servers: servers.map_or_else(Vec::new, |list| {
            list.it.into_iter().map(|server| server.it).collect()
        }),
        timeout: reading
            .span_from(table, "timeout", MILLISECOND)
            .map_or(default.timeout, |span| span.it),
        ..default
    }
}

/// `[web]`, where it listens.
pub(in crate::config) fn web(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<WebSettings> {
    let listen = reading.some_parsed(table, "listen", "an address with a port", scalars::listen);
    let title = env_vars::words(reading, table, "title").unwrap_or_else(|| "Status".to_owned());
    let token = reading.secret_file(table, "token_file");
    let public_url = reading.some_parsed(
        table,
        "public_url",
        "an https:// or http:// URL",
        scalars::url,
    );
    let show_urls = reading.flag(table, "show_urls", false);
    let look = look::look(reading, table);
    let listen = listen?;
    if !listen.it.ip().is_loopback() {
        let message = format!(
            "[web] listens at {}, which others can reach without encryption; put a TLS proxy in front and listen at 127.0.0.1",
            listen.it
        );
        reading.warn(listen.place, message);
    }
    Some(WebSettings {
        listen: listen.it,
        title,
        token,
        public_url: public_url.map(|url| {
            let mut base = url.it;
            base.set_query(None);
            base.set_fragment(None);
            let mut base = String::from(base);
            if !base.ends_with('/') {
                base.push('/');
            }
            base
        }),
        show_urls,
        look,
    })
}

/// Who is told of what names nobody: `[alerts].to`, else `[email].to`, else every channel.
pub(in crate::config) fn default_to(
    reading: &mut Reading<'_>,
    alerts: &Table<'_>,
    email: Option<&EmailSettings>,
    has_email: bool,
) -> Vec<Recipient> {
    match reading.recipients(alerts, "to") {
        Some(to) => to.it,
        None if has_email => email.map_or_else(Vec::new, |email| email.to.clone()),
        None => channel_names::every(),
    }
}

/// `[alerts]`
pub(in crate::config) fn alerts(reading: &mut Reading<'_>, table: &Table<'_>) -> AlertSettings {
    let group_wait = reading.span(table, "group_wait");
    let group_interval = reading.span(table, "group_interval");
    let group_limit = reading.count(table, "group_limit");
    let reminder = reading.span_or(table, "reminder", "off", None);
    let recovery = reading.flag(table, "recovery", true);
    let flapping = flapping(reading, table);
    let mut certificate_expiry =
        match reading.list(table, "certificate_expiry", "a duration", scalars::duration) {
            Some(list) => list.it.into_iter().map(|span| span.it).collect(),
            None => [21, 7, 1]
                .map(|days| Duration::from_secs(days * 86_400))
                .to_vec(),
        };
    certificate_expiry.sort_by(|a, b| b.cmp(a));
    certificate_expiry.dedup();
    AlertSettings {
        group_wait: group_wait.map_or(Duration::from_secs(10), |span| span.it),
        group_limit: group_limit
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(3),
        group_interval: group_interval.map_or(Duration::from_secs(60), |span| span.it),
        reminder,
        recovery,
        flapping,
        certificate_expiry,
    }
}

fn flapping(reading: &mut Reading<'_>, table: &Table<'_>) -> Flapping {
    let inner = table
        .get("flapping")
        .and_then(|found| reading.table(found, keys::FLAPPING, "flapping"));
    let changes = inner
        .and_then(|inner| reading.count(&inner, "changes"))
        .and_then(|count| u32::try_from(count).ok())
        .and_then(std::num::NonZeroU32::new);
    let mut span = |name: &'static str| {
        let span = inner.and_then(|inner| reading.span_from(&inner, name, SECOND));
        span.map(|span| span.it)
    };
    let default = Flapping::default();
    Flapping {
        changes: changes.unwrap_or(default.changes),
        within: span("within").unwrap_or(default.within),
        down_after: span("down_after").unwrap_or(default.down_after),
        end_after: span("end_after").unwrap_or(default.end_after),
    }
}

/// `[connectivity]`
pub(in crate::config) fn canaries(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    email: Option<&EmailSettings>,
) -> Canaries {
    let urls = reading.list(table, "canaries", "a URL", scalars::url);
    let urls: Vec<_> = urls.map_or_else(Vec::new, |list| {
        list.it.into_iter().map(|url| url.it).collect()
    });
    if !urls.is_empty() {
        return Canaries::Urls(urls);
    }
    match email.map(|email| &email.transport) {
        Some(MailTransport::Smtp(server)) if !is_loopback(&server.host) => Canaries::MailServer {
            host: server.host.clone(),
            port: server.port,
        },
        _ => Canaries::None,
    }
}

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    bare.parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback())
        || name == "localhost"
        || name.ends_with(".localhost")
}

/// `[report]`, where it has a schedule.
pub(in crate::config) fn report(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    default_to: &[Recipient],
) -> Option<ReportSettings> {
    let schedule = reading.some_parsed(table, "schedule", "a cron expression", scalars::cron);
    let to = reading.recipients(table, "to");
    let to = match to {
        Some(list) if !list.it.is_empty() => list.it,
        _ => default_to.to_vec(),
    };
    let schedule = schedule?;
    if to.is_empty() {
        reading.warn(
            schedule.place,
            "[report] has a schedule and nobody to send to; set `to` in [report], [alerts] or [email]",
        );
    }
    Some(ReportSettings {
        schedule: schedule.it,
        to,
    })
}

/// `[heartbeat]`, where it has a URL.
pub(in crate::config) fn heartbeat(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
) -> Option<HeartbeatSettings> {
    let url = reading.some_parsed(table, "url", "a URL", scalars::url);
    let fail_url = reading.some_parsed(table, "fail_url", "a URL", scalars::url);
    let interval = reading
        .span_from(table, "interval", SECOND)
        .map_or(Duration::from_secs(60), |span| span.it);
    if url.is_none()
        && let Some(fail_url) = &fail_url
        && table.is_blank("url")
        && !reading.is_misspelt(table, &["url"])
    {
        reading.fault(Fault::new(
            fail_url.place,
            "`fail_url` needs `url`",
            "the heartbeat is off without `url`",
        ));
    }
    Some(HeartbeatSettings {
        url: url?.it,
        fail_url: fail_url.map(|url| url.it),
        interval,
        masks: Masks::default(),
    })
}
