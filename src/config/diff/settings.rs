//! What a reload compares beside the monitors, one fact for each key.

use super::fields::{Fact, fact, hidden, joined};
use crate::config::model::Config;
use crate::domain::channel::Channel;
use crate::domain::duration_text::Written;
use crate::domain::recipient::Recipient;
use crate::domain::redaction;
use crate::domain::settings::{
    AlertSettings, Covers, MailTransport, SmtpTls, WebLook, WebSettings,
};

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
/// A duration, or the word that stands for none.
fn span_or(span: Option<std::time::Duration>, word: &str) -> String {
    span.map_or_else(|| word.to_owned(), |span| Written(span).to_string())
}

pub(in crate::config) fn settings(config: &Config) -> Vec<Fact> {
    let mut facts = of_daemon(config);
    facts.extend(of_cluster(config));
    facts.extend(of_dns(config));
    facts.extend(of_web(config.web.as_ref()));
    facts.extend(of_alerts(&config.alerts));
    facts.extend(of_entries(config));
    facts.extend(of_heartbeat(config));
    facts.extend(of_email(config));
    facts
}

fn of_daemon(config: &Config) -> Vec<Fact> {
    let daemon = &config.daemon;
    vec![
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
    ]
}

fn of_cluster(config: &Config) -> Vec<Fact> {
    vec![
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
    ]
}

fn of_dns(config: &Config) -> Vec<Fact> {
    vec![
        fact("[dns] servers", joined(&config.dns.servers)),
        fact("[dns] timeout", Written(config.dns.timeout)),
    ]
}

fn of_web(web: Option<&WebSettings>) -> Vec<Fact> {
    let of_look = |part: fn(&WebLook) -> Option<String>| {
        web.and_then(|web| part(&web.look)).unwrap_or_default()
    };
    vec![
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
    ]
}

fn of_alerts(alerts: &AlertSettings) -> Vec<Fact> {
    vec![
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
    ]
}

/// Canaries, the lists of entries and the report.
fn of_entries(config: &Config) -> Vec<Fact> {
    vec![
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
    ]
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
