//! A configuration as values, for worlds without a file.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use sitewatch::config::Config;
use sitewatch::config::model::DaemonSettings;
use sitewatch::domain::address::Address;
use sitewatch::domain::expectation::{Expectation, StatusSet};
use sitewatch::domain::monitor::{Monitor, MonitorName, Rules, Schedule};
use sitewatch::domain::recipient::Recipient;
use sitewatch::domain::settings::{
    AlertSettings, Canaries, EmailSettings, EvidenceRetention, Flapping, MailTransport, Retention,
};
use sitewatch::domain::subject::{HttpSubject, Subject};
use sitewatch::domain::target::{DnsSettings, Manner, Target};
use sitewatch::policy::outbox::hours::Hours;

pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn recipient(text: &str) -> Recipient {
    Recipient::restored(text).unwrap()
}

pub fn monitor(name: &str) -> Monitor {
    Monitor {
        name: MonitorName::parse(name).unwrap(),
        schedule: Schedule::Every(seconds(60)),
        subject: Subject::Http(HttpSubject {
            target: target(name),
            expectation: Arc::new(Expectation {
                status: StatusSet::parse(["2xx"]).unwrap(),
                final_url: None,
                headers: Vec::new(),
                body_contains: Vec::new(),
                body_excludes: Vec::new(),
                body_matches: Vec::new(),
                json: Vec::new(),
                degraded_after: sitewatch::domain::slow_limit::SlowLimit::Never,
                certificate_expiry: Vec::new(),
            }),
        }),
        rules: Arc::new(Rules {
            interval: seconds(60),
            timeout: seconds(10),
            failures_before_down: 3,
            successes_before_up: 2,
            retry_interval: seconds(10),
            alert_on_slow: true,
            alert_on_address_down: true,
            alert_on_redirect_change: false,
            to: vec![recipient("ops@example.com"), recipient("boss@example.com")],
            quorum: None,
        }),
        labels: Arc::default(),
    }
}

fn target(name: &str) -> Target {
    Target::new(
        &format!("https://{name}.example.com/").parse().unwrap(),
        Manner::default(),
    )
}

pub fn config(monitors: Vec<Monitor>) -> Config {
    Config {
        file: PathBuf::from("monitors.toml"),
        fingerprint: 0,
        daemon: DaemonSettings {
            database: PathBuf::from("world.db"),
            control_socket: PathBuf::from("control.sock"),
            max_concurrent_checks: 512,
            timezone: TimeZone::UTC,
            shutdown_grace: seconds(10),
            log: "info".into(),
        },
        history: Retention {
            checks: None,
            rollups: None,
            evidence: EvidenceRetention::default(),
        },
        dns: DnsSettings::default(),
        web: None,
        email: Some(EmailSettings {
            transport: MailTransport::Directory(PathBuf::from("outbox")),
            from: address("Sitewatch <alerts@example.com>"),
            to: vec![recipient("ops@example.com")],
            reply_to: None,
            timeout: seconds(120),
            body_excerpt: true,
        }),
        channels: Vec::new(),
        told: vec![recipient("ops@example.com")],
        escalation: Vec::new(),
        hours: Hours::default(),
        alerts: AlertSettings {
            group_wait: seconds(10),
            group_limit: 3,
            group_interval: seconds(60),
            reminder: Some(seconds(600)),
            recovery: true,
            flapping: Flapping {
                changes: NonZeroU32::new(4).unwrap(),
                within: seconds(1800),
                ..Flapping::default()
            },
            certificate_expiry: Vec::new(),
        },
        canaries: Canaries::None,
        masks: sitewatch::domain::redaction::Masks::default(),
        report: None,
        heartbeat: None,
        cluster: None,
        portable: Vec::new(),
        monitors: monitors.into_iter().map(Arc::new).collect(),
        maintenance: Vec::new(),
        objectives: Vec::new(),
        warnings: Vec::new(),
        included: Vec::new(),
        lists: Vec::new(),
    }
}
