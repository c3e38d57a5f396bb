//! The parts of a configuration that a reload compares, one fact for each key.

use std::fmt;

use crate::config::model::Config;
use crate::domain::channel::Channel;
use crate::domain::connect_to::{BadAddress, ConnectTo, Direct};
use crate::domain::duration_text::Written;
use crate::domain::expectation::{Expectation, JsonTest, TextMatch};
use crate::domain::http_choice::HttpChoice;
use crate::domain::monitor::{MonitorName, Rules, Schedule};
use crate::domain::recipient::Recipient;
use crate::domain::redaction;
use crate::domain::settings::{Covers, MailTransport, SmtpTls, WebLook};
use crate::domain::target::{Credentials, IpVersion, Proxy, Target};

/// A value to compare and what is shown of it.
pub(in crate::config) struct Fact {
    pub(in crate::config) key: &'static str,
    pub(in crate::config) compared: String,
    /// None: what is compared may be shown.
    pub(in crate::config) shown: Option<String>,
}

pub(super) fn fact(key: &'static str, value: impl fmt::Display) -> Fact {
    Fact {
        key,
        compared: value.to_string(),
        shown: None,
    }
}

/// A value that is a secret, or has one in it.
pub(in crate::config) fn hidden(
    key: &'static str,
    value: impl fmt::Display,
    shown: impl Into<String>,
) -> Fact {
    Fact {
        key,
        compared: value.to_string(),
        shown: Some(shown.into()),
    }
}

pub(in crate::config) fn names(names: &[MonitorName]) -> String {
    let names: Vec<&str> = names.iter().map(MonitorName::as_str).collect();
    names.join(", ")
}

pub(in crate::config) fn joined<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(", ")
}

pub(in crate::config) fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Every(interval) => Written(*interval).to_string(),
        Schedule::Cron(text) => text.0.to_string(),
    }
}

pub(super) fn of_target(target: &Target) -> Vec<Fact> {
    let headers: Vec<String> = target
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={}", value.reveal()))
        .collect();
    let header_names = joined(target.headers.iter().map(|(name, _)| name));
    let (credentials, credentials_shown) = match &target.credentials {
        Credentials::None => (String::new(), "none".to_owned()),
        Credentials::Basic {
            username, password, ..
        } => (
            format!("{username}:{}", password.reveal()),
            "a user name and a password".to_owned(),
        ),
        Credentials::Bearer(token) => (
            format!("bearer {}", token.reveal()),
            "a bearer token".to_owned(),
        ),
    };
    let url_shown = target
        .masks
        .apply(&redaction::shown(&redaction::without_userinfo(
            &target.url(),
        )))
        .into_owned();
    let size = |bytes: Option<&[u8]>| {
        bytes.map_or_else(
            || "none".to_owned(),
            |bytes| format!("{} bytes", bytes.len()),
        )
    };
    let hex = |bytes: Option<&[u8]>| format!("{bytes:?}");
    let certificate = target.client_certificate.as_ref();
    vec![
        hidden("url", target.url_text(), url_shown),
        fact("method", target.method.as_str()),
        hidden("headers", headers.join("\n"), format!("[{header_names}]")),
        hidden(
            "body",
            hex(target.body.as_deref()),
            size(target.body.as_deref()),
        ),
        hidden("basic_auth", credentials, credentials_shown),
        fact("follow_redirects", target.follow_redirects),
        fact("max_redirects", target.max_redirects),
        fact("allow_downgrade", target.allow_downgrade),
        fact("allow_private_redirect", target.allow_private_redirect),
        fact("cookies", target.cookies),
        fact("max_body", target.max_body),
        fact(
            "ip_version",
            match target.ip_version {
                IpVersion::Any => "any",
                IpVersion::V4 => "4",
                IpVersion::V6 => "6",
            },
        ),
        hidden(
            "ca_file",
            hex(target.ca_pem.as_deref()),
            size(target.ca_pem.as_deref()),
        ),
        hidden(
            "client_certificate",
            certificate.map_or_else(String::new, |certificate| {
                format!(
                    "{:?}{}",
                    certificate.chain_pem,
                    certificate.key_pem.reveal()
                )
            }),
            if certificate.is_some() {
                "a certificate"
            } else {
                "none"
            },
        ),
        fact("verify_tls", target.verify_tls),
        hidden(
            "proxy",
            match &target.proxy {
                Proxy::None | Proxy::Direct(_) => String::new(),
                other => format!("{other:?}"),
            },
            match &target.proxy {
                Proxy::None | Proxy::Direct(_) => "none".to_owned(),
                Proxy::Environment { .. } => "environment".to_owned(),
                Proxy::Through(url) => redaction::without_userinfo(url),
            },
        ),
        connect_to(target.proxy.connect_to()),
        addresses(target.proxy.direct()),
        fact(
            "http",
            match target.http {
                HttpChoice::Offered(BadAddress::Down) => "offered, down where one is bad",
                http => http.as_str(),
            },
        ),
    ]
}

pub(super) fn connect_to(to: Option<&ConnectTo>) -> Fact {
    fact(
        "connect_to",
        to.map(ToString::to_string).unwrap_or_default(),
    )
}

pub(super) fn addresses(direct: Option<&Direct>) -> Fact {
    fact(
        "addresses",
        match direct.and_then(|direct| direct.each) {
            None => "first",
            Some(BadAddress::Degraded) => "each",
            Some(BadAddress::Down) => "each, down where one is bad",
        },
    )
}

fn text_match(text: &TextMatch) -> String {
    match text {
        TextMatch::Exact(text) => text.clone(),
        TextMatch::Pattern(pattern) => format!("/{pattern}/"),
    }
}

pub(super) fn of_expectation(expectation: &Expectation) -> Vec<Fact> {
    let json = expectation.json.iter().map(|assertion| {
        let test = match &assertion.test {
            JsonTest::Equals(value) => format!("equals {value}"),
            JsonTest::Exists(exists) => format!("exists {exists}"),
            JsonTest::Matches(pattern) => format!("matches {pattern}"),
            JsonTest::LessThan(number) => format!("less_than {number}"),
            JsonTest::GreaterThan(number) => format!("greater_than {number}"),
        };
        format!("{} {test}", assertion.path_text)
    });
    let headers = expectation
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", text_match(value)));
    vec![
        fact("expect_status", &expectation.status),
        fact(
            "expect_final_url",
            expectation
                .final_url
                .as_ref()
                .map_or_else(String::new, text_match),
        ),
        fact("expect_headers", joined(headers)),
        fact("body_contains", joined(&expectation.body_contains)),
        fact("body_excludes", joined(&expectation.body_excludes)),
        fact("body_matches", joined(&expectation.body_matches)),
        fact("json", joined(json)),
        fact("degraded_after", expectation.degraded_after),
    ]
}

pub(super) fn of_rules(rules: &Rules) -> Vec<Fact> {
    let record = |alert| if alert { "alert" } else { "record" };
    let quorum = rules.quorum.as_deref();
    let places = quorum.map_or_else(String::new, |quorum| joined(quorum.locations.iter()));
    let down_when = quorum.map_or_else(String::new, |quorum| quorum.down_when.to_string());
    vec![
        fact("timeout", Written(rules.timeout)),
        fact("failures_before_down", rules.failures_before_down),
        fact("successes_before_up", rules.successes_before_up),
        fact("retry_interval", Written(rules.retry_interval)),
        fact("on_slow", record(rules.alert_on_slow)),
        fact("on_address_down", record(rules.alert_on_address_down)),
        fact("on_redirect_change", record(rules.alert_on_redirect_change)),
        fact("to", joined(&rules.to)),
        fact("locations", places),
        fact("down_when", down_when),
        fact(
            "on_regional",
            record(quorum.is_some_and(|quorum| quorum.alert_on_regional)),
        ),
    ]
}

/// Each channel with its secrets as digests would have them: compared and never shown.
fn channels_compared(config: &Config) -> Vec<String> {
    let compared = |channel: &Channel| {
        let secrets = channel.service.revealed();
        let headers = channel.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name, value.reveal()))
            .collect();
        format!("{channel:?} {secrets:?} {headers:?} {:?}", channel.masks)
    };
    config.channels.iter().map(|one| compared(one)).collect()
}

fn lists(config: &Config) -> String {
    joined(config.lists.iter().map(|list| {
        let source = &list.source;
        format!(
            "{} every {}, {}%",
            source.called,
            Written(source.refresh),
            source.keep_at_least
        )
    }))
}

/// The settings outside of monitors, always the same keys in the same order.
pub(in crate::config) fn settings(config: &Config) -> Vec<Fact> {
    let span_or = |span: Option<std::time::Duration>, word: &str| {
        span.map_or_else(|| word.to_owned(), |span| Written(span).to_string())
    };
    let daemon = &config.daemon;
    let web = config.web.as_ref();
    let of_look = |part: fn(&WebLook) -> Option<String>| {
        web.and_then(|web| part(&web.look)).unwrap_or_default()
    };
    let alerts = &config.alerts;
    let mut facts = vec![
        fact("[daemon] database", daemon.database.display()),
        fact("[daemon] control_socket", daemon.control_socket.display()),
        fact(
            "[daemon] max_concurrent_checks",
            daemon.max_concurrent_checks,
        ),
        fact(
            "[daemon] timezone",
            daemon.timezone.iana_name().unwrap_or("system"),
        ),
        fact("[daemon] shutdown_grace", Written(daemon.shutdown_grace)),
        fact("[daemon] log", &daemon.log),
        fact(
            "[history] keep_checks",
            span_or(config.history.checks, "forever"),
        ),
        fact(
            "[history] keep_rollups",
            span_or(config.history.rollups, "forever"),
        ),
        fact(
            "[history] keep_evidence",
            span_or(config.history.evidence.keep, "off"),
        ),
        fact(
            "[history] evidence_limit",
            config.history.evidence.bytes_max,
        ),
        fact(
            "[cluster] url",
            config.cluster.as_ref().map_or_else(String::new, |cluster| {
                format!("{}:{}", cluster.server.host, cluster.server.port)
            }),
        ),
        fact(
            "[cluster] locations",
            config
                .places()
                .map_or_else(String::new, |places| joined(places.locations.iter())),
        ),
        fact(
            "[cluster] location",
            config
                .places()
                .and_then(|places| places.here.as_ref())
                .map_or_else(String::new, ToString::to_string),
        ),
        fact("[dns] servers", joined(&config.dns.servers)),
        fact("[dns] timeout", Written(config.dns.timeout)),
        fact(
            "[web] listen",
            web.map_or_else(String::new, |web| web.listen.to_string()),
        ),
        fact("[web] title", web.map_or("", |web| &web.title)),
        hidden(
            "[web] token_file",
            web.and_then(|web| web.token.as_ref())
                .map_or("", |token| token.reveal()),
            "a token",
        ),
        fact(
            "[web] public_url",
            web.map_or("", |web| web.public_url.as_deref().unwrap_or_default()),
        ),
        fact("[web] show_urls", web.is_some_and(|web| web.show_urls)),
        fact(
            "[web] logo",
            of_look(|look| {
                look.logo
                    .as_ref()
                    .map(|logo| logo.path.display().to_string())
            }),
        ),
        fact(
            "[web] description",
            of_look(|look| Some(look.description.clone())),
        ),
        fact("[web] link", of_look(|look| look.link.clone())),
        fact(
            "[web] accent",
            of_look(|look| look.accent.map(|accent| accent.to_string())),
        ),
        fact("[alerts] group_wait", Written(alerts.group_wait)),
        fact("[alerts] group_limit", alerts.group_limit),
        fact("[alerts] group_interval", Written(alerts.group_interval)),
        fact("[alerts] reminder", span_or(alerts.reminder, "off")),
        fact("[alerts] recovery", alerts.recovery),
        fact(
            "[alerts] flapping",
            format!(
                "{} changes within {}, DOWN after {}, over after {} up",
                alerts.flapping.changes,
                Written(alerts.flapping.within),
                Written(alerts.flapping.down_after),
                Written(alerts.flapping.end_after)
            ),
        ),
        fact(
            "[alerts] certificate_expiry",
            joined(alerts.certificate_expiry.iter().map(|span| Written(*span))),
        ),
        hidden(
            "[connectivity] canaries",
            format!("{:?}", config.canaries),
            canaries(config),
        ),
        hidden(
            "[[channel]]",
            format!("{:?}", channels_compared(config)),
            joined(
                config
                    .channels
                    .iter()
                    .map(|channel| format!("{} ({})", channel.name, channel.format())),
            ),
        ),
        fact("[alerts] to", joined(&config.told)),
        fact("[[escalation]]", steps(config)),
        fact("[[hours]]", hours(config)),
        fact("[[source]]", lists(config)),
        fact("[[maintenance]]", windows(config)),
        fact("[[objective]]", objectives(config)),
        fact(
            "[report] schedule",
            config
                .report
                .as_ref()
                .map_or("off", |report| &report.schedule.0),
        ),
        fact(
            "[report] to",
            config
                .report
                .as_ref()
                .map_or_else(String::new, |report| joined(&report.to)),
        ),
    ];
    facts.extend(of_heartbeat(config));
    facts.extend(of_email(config));
    facts
}

fn canaries(config: &Config) -> String {
    use crate::domain::settings::Canaries;
    match &config.canaries {
        Canaries::Urls(urls) => joined(urls.iter().map(redaction::without_userinfo)),
        Canaries::MailServer { host, port } => format!("the mail server, {host}:{port}"),
        Canaries::None => "none".to_owned(),
    }
}

/// The monitors of a window, of a step of escalation or of an objective.
fn covered(covers: &Covers) -> String {
    match covers {
        Covers::All => "all".to_owned(),
        Covers::Some { monitors, tags } => {
            let tags = tags.iter().map(|tag| format!("tag {tag}"));
            joined(monitors.iter().map(ToString::to_string).chain(tags))
        }
    }
}

fn steps(config: &Config) -> String {
    joined(config.escalation.iter().map(|step| {
        let covers = covered(&step.covers);
        let keys = step.to.iter().map(Recipient::key);
        format!("{covers} after {} to {}", Written(step.after), joined(keys))
    }))
}

fn hours(config: &Config) -> String {
    joined(config.hours.entries().iter().map(|entry| {
        let keys = entry.to.iter().map(Recipient::key);
        format!("{} at {}", joined(keys), joined(&entry.open))
    }))
}

fn windows(config: &Config) -> String {
    use crate::domain::settings::MaintenanceTime;
    joined(config.maintenance.iter().map(|window| {
        let covers = covered(&window.covers);
        let note = match &*window.note {
            "" => String::new(),
            note => format!(" ({note})"),
        };
        match &window.when {
            MaintenanceTime::Once { start, end } => format!("{covers} from {start} to {end}{note}"),
            MaintenanceTime::Cron { schedule, duration } => {
                format!(
                    "{covers} at `{}` for {}{note}",
                    schedule.0,
                    Written(*duration)
                )
            }
        }
    }))
}

fn objectives(config: &Config) -> String {
    joined(config.objectives.iter().map(|objective| {
        let alert = match objective.alerts_on_burn {
            true => ", told when it burns",
            false => "",
        };
        format!(
            "{} ({}: {} % of {}{alert})",
            objective.name,
            covered(&objective.covers),
            objective.target,
            objective.period
        )
    }))
}

fn of_heartbeat(config: &Config) -> Vec<Fact> {
    let heartbeat = config.heartbeat.as_ref();
    let shown = |url: Option<&url::Url>| {
        url.map_or_else(
            || "none".to_owned(),
            |url| url.host_str().unwrap_or_default().to_owned(),
        )
    };
    let url = heartbeat.map(|heartbeat| &heartbeat.url);
    let fail_url = heartbeat.and_then(|heartbeat| heartbeat.fail_url.as_ref());
    vec![
        // The path of such a URL is often its only secret.
        hidden("[heartbeat] url", format!("{url:?}"), shown(url)),
        hidden(
            "[heartbeat] fail_url",
            format!("{fail_url:?}"),
            shown(fail_url),
        ),
        fact(
            "[heartbeat] interval",
            heartbeat.map_or_else(String::new, |heartbeat| {
                Written(heartbeat.interval).to_string()
            }),
        ),
    ]
}

fn of_email(config: &Config) -> Vec<Fact> {
    let email = config.email.as_ref();
    let (way, login, ca) = match email.map(|email| &email.transport) {
        None => ("none".to_owned(), None, None),
        Some(MailTransport::Directory(path)) => (path.display().to_string(), None, None),
        Some(MailTransport::Smtp(server)) => {
            let tls = match server.tls {
                SmtpTls::Starttls => "starttls",
                SmtpTls::Implicit => "implicit",
                SmtpTls::None => "none",
            };
            (
                format!("{}:{} ({tls})", server.host, server.port),
                server.login.as_ref(),
                server.ca_pem.as_deref(),
            )
        }
    };
    let text = |text: Option<String>| text.unwrap_or_default();
    vec![
        fact("[email] host", way),
        fact(
            "[email] username",
            login.map_or("", |(username, _)| username.as_str()),
        ),
        hidden(
            "[email] password",
            login.map_or("", |(_, password)| password.reveal()),
            redaction::STARS,
        ),
        hidden("[email] ca_file", format!("{ca:?}"), "a certificate"),
        fact(
            "[email] from",
            text(email.map(|email| email.from.to_string())),
        ),
        fact("[email] to", text(email.map(|email| joined(&email.to)))),
        fact(
            "[email] reply_to",
            text(
                email
                    .and_then(|email| email.reply_to.as_ref())
                    .map(ToString::to_string),
            ),
        ),
        fact(
            "[email] timeout",
            text(email.map(|email| Written(email.timeout).to_string())),
        ),
        fact(
            "[email] body_excerpt",
            text(email.map(|email| email.body_excerpt.to_string())),
        ),
    ]
}
