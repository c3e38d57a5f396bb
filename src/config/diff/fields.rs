//! The parts of a configuration that a reload compares, one fact for each key.

use crate::domain::connect_to::{BadAddress, ConnectTo, Direct};
use crate::domain::duration_text::Written;
use crate::domain::expectation::{Expectation, JsonTest, TextMatch};
use crate::domain::http_choice::HttpChoice;
use crate::domain::monitor::{MonitorName, Rules, Schedule};
use crate::domain::redaction;
use crate::domain::target::{Credentials, IpVersion, Proxy, Target};
use std::fmt;

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
    let mut facts = of_request(target);
    facts.extend(of_connection(target));
    facts
}

fn size(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(
        || "none".to_owned(),
        |bytes| format!("{} bytes", bytes.len()),
    )
}

fn hex(bytes: Option<&[u8]>) -> String {
    format!("{bytes:?}")
}

fn of_request(target: &Target) -> Vec<Fact> {
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
    ]
}

fn of_connection(target: &Target) -> Vec<Fact> {
    let certificate = target.client_certificate.as_ref();
    vec![
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
