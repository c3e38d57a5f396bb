//! What a reload would change: two configurations compared, key by key.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::model::Config;
use crate::domain::expectation::{Expectation, JsonTest, TextMatch};
use crate::domain::mask;
use crate::domain::monitor::{Monitor, MonitorName, Rules, Schedule};
use crate::domain::settings::{MailTransport, SmtpTls};
use crate::domain::span::Written;
use crate::domain::target::{Credentials, IpVersion, Proxy, Target};

/// One key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The key, with its section where it is none of a monitor: `timeout`, `[alerts] reminder`.
    pub key: String,
    /// The value before, secrets masked.
    pub old: String,
    /// The value after, secrets masked.
    pub new: String,
}

/// A monitor that stays and differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorChange {
    /// Its name, the new one where it was renamed.
    pub name: MonitorName,
    /// The name it had, where it got another.
    pub renamed_from: Option<MonitorName>,
    /// What differs; empty where only the name does.
    pub keys: Vec<KeyChange>,
}

/// Everything that differs between two configurations. Displays as one line for each difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// Monitors that are new.
    pub added: Vec<MonitorName>,
    /// Monitors that are gone: their open incidents close with that end.
    pub removed: Vec<MonitorName>,
    /// Monitors that stay and differ, the renamed ones included.
    pub changed: Vec<MonitorChange>,
    /// A removed and an added monitor with the same URL: was a rename meant?
    pub perhaps_renamed: Vec<(MonitorName, MonitorName)>,
    /// Settings outside of monitors.
    pub settings: Vec<KeyChange>,
    /// Settings that take effect at the next start only.
    pub at_next_start: Vec<KeyChange>,
    /// How many monitors stay as they are.
    pub unchanged: usize,
}

impl Diff {
    /// Whether nothing differs.
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.settings.is_empty()
            && self.at_next_start.is_empty()
    }
}

/// Compares two configurations.
pub fn diff(old: &Config, new: &Config) -> Diff {
    let before: HashMap<&MonitorName, &Monitor> = old
        .monitors
        .iter()
        .map(|monitor| (&monitor.name, monitor))
        .collect();
    let after: HashSet<&MonitorName> = new.monitors.iter().map(|monitor| &monitor.name).collect();
    let mut diff = Diff::default();
    let mut moved: HashSet<&MonitorName> = HashSet::new();
    for monitor in &new.monitors {
        let same_name = before.get(&monitor.name).copied();
        let renamed = monitor
            .renamed_from
            .as_ref()
            .filter(|name| same_name.is_none() && !after.contains(name))
            .and_then(|name| before.get(name).copied());
        let Some(known) = same_name.or(renamed) else {
            diff.added.push(monitor.name.clone());
            continue;
        };
        if renamed.is_some() {
            moved.insert(&known.name);
        }
        let keys = monitor_changes(known, monitor);
        match keys.is_empty() && renamed.is_none() {
            true => diff.unchanged += 1,
            false => diff.changed.push(MonitorChange {
                name: monitor.name.clone(),
                renamed_from: renamed.map(|known| known.name.clone()),
                keys,
            }),
        }
    }
    let removed = old
        .monitors
        .iter()
        .filter(|monitor| !after.contains(&monitor.name) && !moved.contains(&monitor.name));
    diff.removed = removed.map(|monitor| monitor.name.clone()).collect();
    diff.perhaps_renamed = perhaps_renamed(&diff, &before, new);
    for change in changes(&settings(old), &settings(new)) {
        let waits = [
            "[daemon] database",
            "[daemon] control_socket",
            "[web] listen",
        ];
        match waits.contains(&change.key.as_str()) {
            true => diff.at_next_start.push(change),
            false => diff.settings.push(change),
        }
    }
    diff
}

fn perhaps_renamed(
    diff: &Diff,
    before: &HashMap<&MonitorName, &Monitor>,
    new: &Config,
) -> Vec<(MonitorName, MonitorName)> {
    let added: HashSet<&MonitorName> = diff.added.iter().collect();
    let mut by_url: HashMap<&str, &MonitorName> = HashMap::new();
    for monitor in new
        .monitors
        .iter()
        .filter(|monitor| added.contains(&monitor.name))
    {
        by_url
            .entry(monitor.target.url.as_str())
            .or_insert(&monitor.name);
    }
    diff.removed
        .iter()
        .filter_map(|name| {
            let url = before.get(name)?.target.url.as_str();
            Some((name.clone(), (*by_url.get(url)?).clone()))
        })
        .collect()
}

/// A value to compare and what is shown of it.
struct Fact {
    key: &'static str,
    compared: String,
    /// None: what is compared may be shown.
    shown: Option<String>,
}

fn fact(key: &'static str, value: impl fmt::Display) -> Fact {
    Fact {
        key,
        compared: value.to_string(),
        shown: None,
    }
}

/// A value that is a secret, or has one in it.
fn hidden(key: &'static str, value: impl fmt::Display, shown: impl Into<String>) -> Fact {
    Fact {
        key,
        compared: value.to_string(),
        shown: Some(shown.into()),
    }
}

fn changes(old: &[Fact], new: &[Fact]) -> Vec<KeyChange> {
    let shown = |fact: &Fact| match &fact.shown {
        Some(shown) => shown.clone(),
        None if fact.compared.is_empty() => "none".to_owned(),
        None => fact.compared.clone(),
    };
    old.iter()
        .zip(new)
        .filter(|(old, new)| old.compared != new.compared)
        .map(|(old, new)| KeyChange {
            key: old.key.to_owned(),
            old: shown(old),
            new: shown(new),
        })
        .collect()
}

/// The keys of one monitor that differ.
pub fn monitor_changes(old: &Monitor, new: &Monitor) -> Vec<KeyChange> {
    let all = |monitor: &Monitor| {
        let mut facts = vec![
            fact("enabled", monitor.enabled),
            fact("tags", monitor.tags.join(", ")),
            fact("schedule", schedule(&monitor.schedule)),
            fact("note", &monitor.note),
            fact("public", monitor.public),
            fact("depends_on", names(&monitor.depends_on)),
        ];
        facts.extend(of_target(&monitor.target));
        facts.extend(of_expectation(&monitor.expectation));
        facts.extend(of_rules(&monitor.rules));
        facts
    };
    let mut changes = changes(&all(old), &all(new));
    for change in &mut changes {
        // The two keys share one value.
        if change.key == "schedule" && matches!(new.schedule, Schedule::Every(_)) {
            "interval".clone_into(&mut change.key);
        }
    }
    changes
}

fn names(names: &[MonitorName]) -> String {
    let names: Vec<&str> = names.iter().map(MonitorName::as_str).collect();
    names.join(", ")
}

fn joined<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(", ")
}

fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Every(interval) => Written(*interval).to_string(),
        Schedule::Cron(text) => text.0.to_string(),
    }
}

fn of_target(target: &Target) -> Vec<Fact> {
    let headers: Vec<String> = target
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={}", value.reveal()))
        .collect();
    let header_names = joined(target.headers.iter().map(|(name, _)| name));
    let (credentials, credentials_shown) = match &target.credentials {
        Credentials::None => (String::new(), "none".to_owned()),
        Credentials::Basic { username, password } => (
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
        .apply(&mask::shown(&mask::without_userinfo(&target.url)))
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
        hidden("url", &target.url, url_shown),
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
            format!("{:?}", target.proxy),
            match &target.proxy {
                Proxy::None => "none".to_owned(),
                Proxy::Environment { .. } => "environment".to_owned(),
                Proxy::Through(url) => mask::without_userinfo(url),
            },
        ),
    ]
}

fn text_match(text: &TextMatch) -> String {
    match text {
        TextMatch::Exact(text) => text.clone(),
        TextMatch::Pattern(pattern) => format!("/{pattern}/"),
    }
}

fn of_expectation(expectation: &Expectation) -> Vec<Fact> {
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
        fact(
            "degraded_after",
            expectation
                .degraded_after
                .map_or_else(|| "off".to_owned(), |after| Written(after).to_string()),
        ),
    ]
}

fn of_rules(rules: &Rules) -> Vec<Fact> {
    let record = |alert| if alert { "alert" } else { "record" };
    vec![
        fact("timeout", Written(rules.timeout)),
        fact("failures_before_down", rules.failures_before_down),
        fact("successes_before_up", rules.successes_before_up),
        fact("retry_interval", Written(rules.retry_interval)),
        fact("on_slow", record(rules.alert_on_slow)),
        fact("on_redirect_change", record(rules.alert_on_redirect_change)),
        fact("to", joined(&rules.to)),
    ]
}

/// The settings outside of monitors, always the same keys in the same order.
fn settings(config: &Config) -> Vec<Fact> {
    let span_or = |span: Option<std::time::Duration>, word: &str| {
        span.map_or_else(|| word.to_owned(), |span| Written(span).to_string())
    };
    let daemon = &config.daemon;
    let web = config.web.as_ref();
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
        fact("[alerts] group_wait", Written(alerts.group_wait)),
        fact("[alerts] group_limit", alerts.group_limit),
        fact("[alerts] group_interval", Written(alerts.group_interval)),
        fact("[alerts] reminder", span_or(alerts.reminder, "off")),
        fact("[alerts] recovery", alerts.recovery),
        fact(
            "[alerts] flapping",
            format!(
                "{} changes within {}",
                alerts.flapping.changes,
                Written(alerts.flapping.within)
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
        fact("[[maintenance]]", windows(config)),
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
        Canaries::Urls(urls) => joined(urls.iter().map(mask::without_userinfo)),
        Canaries::MailServer { host, port } => format!("the mail server, {host}:{port}"),
        Canaries::None => "none".to_owned(),
    }
}

fn windows(config: &Config) -> String {
    use crate::domain::settings::{Covers, MaintenanceTime};
    joined(config.maintenance.iter().map(|window| {
        let covers = match &window.covers {
            Covers::All => "all".to_owned(),
            Covers::Some { monitors, tags } => {
                let tags = tags.iter().map(|tag| format!("tag {tag}"));
                joined(monitors.iter().map(ToString::to_string).chain(tags))
            }
        };
        match &window.when {
            MaintenanceTime::Once { start, end } => format!("{covers} from {start} to {end}"),
            MaintenanceTime::Cron { schedule, duration } => {
                format!("{covers} at `{}` for {}", schedule.0, Written(*duration))
            }
        }
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
            mask::STARS,
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

impl fmt::Display for KeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.old == self.new {
            true => write!(f, "{} changed", self.key),
            false => write!(f, "{} {} -> {}", self.key, self.old, self.new),
        }
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.added {
            writeln!(f, "+ {name}")?;
        }
        for name in &self.removed {
            writeln!(f, "- {name}")?;
        }
        for change in &self.changed {
            match &change.renamed_from {
                Some(old) => write!(f, "> {old} -> {}: renamed, its history stays", change.name)?,
                None => write!(f, "~ {}: ", change.name)?,
            }
            let between = if change.renamed_from.is_some() {
                "; "
            } else {
                ""
            };
            match change.keys.is_empty() {
                true => writeln!(f)?,
                false => writeln!(f, "{between}{}", joined(&change.keys))?,
            }
        }
        for change in &self.settings {
            writeln!(f, "~ {change}")?;
        }
        for change in &self.at_next_start {
            writeln!(f, "! {change}: takes effect at the next start")?;
        }
        for (old, new) in &self.perhaps_renamed {
            writeln!(
                f,
                "? `{old}` is gone and `{new}` is new with the same URL: was renamed_from = \"{old}\" meant?"
            )?;
        }
        match self.is_empty() {
            true => write!(f, "nothing would change; {} monitors", self.unchanged),
            false => write!(
                f,
                "{} added, {} removed, {} changed, {} unchanged",
                self.added.len(),
                self.removed.len(),
                self.changed.len(),
                self.unchanged
            ),
        }
    }
}
