//! Monitors for the tests of this directory.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::check::{Check, HttpVersion, Timings, Verdict};
use crate::domain::expectation::{Expectation, StatusSet};
use crate::domain::monitor::{CronText, Monitor, MonitorName, Rules, Schedule};
use crate::domain::probe::{Answer, End, Hop, Probe};
use crate::domain::slow_limit::SlowLimit;
use crate::domain::subject::{HttpSubject, Subject};
use crate::domain::target::{Manner, Target};
use crate::domain::timestamp::Timestamp;

/// A monitor of `http://192.0.2.1/` with defaults, checked every `interval`.
pub(in crate::daemon) fn monitor(name: &str, interval: Duration) -> Monitor {
    Monitor {
        name: MonitorName::parse(name).unwrap(),
        schedule: Schedule::Every(interval),
        subject: Subject::Http(HttpSubject {
            target: target("http://192.0.2.1/"),
            expectation: Arc::new(Expectation {
                status: StatusSet::parse(["2xx"]).unwrap(),
                final_url: None,
                headers: Vec::new(),
                body_contains: Vec::new(),
                body_excludes: Vec::new(),
                body_matches: Vec::new(),
                json: Vec::new(),
                degraded_after: SlowLimit::Never,
                certificate_expiry: Vec::new(),
            }),
        }),
        rules: Arc::new(Rules {
            interval,
            timeout: Duration::from_secs(10).min(interval),
            failures_before_down: 3,
            successes_before_up: 2,
            retry_interval: Duration::from_secs(10),
            alert_on_slow: false,
            alert_on_address_down: true,
            alert_on_redirect_change: false,
            to: Vec::new(),
            quorum: None,
        }),
        labels: Arc::default(),
    }
}

/// The same by cron.
pub(in crate::daemon) fn cron_monitor(name: &str, expression: &str) -> Monitor {
    Monitor {
        schedule: Schedule::Cron(CronText(expression.into())),
        ..monitor(name, Duration::from_secs(60))
    }
}

/// A plain GET.
pub(in crate::daemon) fn target(url: &str) -> Target {
    Target::new(&url::Url::parse(url).unwrap(), Manner::default())
}

/// A good check.
pub(in crate::daemon) fn check() -> Check {
    Check {
        at: Timestamp::from_ms(1_795_377_600_000),
        verdict: Verdict::Up,
        status: Some(200),
        chain: Arc::default(),
        redirect_times: Box::default(),
        timings: Timings::default(),
        http_version: None,
        body_bytes: 0,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

/// An answer of 1 MiB that is searched, as it comes from a site.
pub(super) fn heavy_answer() -> (Arc<Expectation>, Target, Probe) {
    let monitor = monitor("heavy", Duration::from_secs(60));
    let http = monitor.http().unwrap().clone();
    let expectation = Expectation {
        body_excludes: vec!["b".to_owned()],
        ..(*http.expectation).clone()
    };
    let probe = Probe {
        started: Timestamp::from_ms(1_795_377_600_000),
        timings: Timings::default(),
        heads: Vec::new(),
        redirects: Vec::new(),
        end: End::Answered(Answer {
            hop: Hop {
                url: "http://192.0.2.1/".to_owned(),
                status: 200,
                location: None,
                remote_addr: None,
                took: Duration::ZERO,
            },
            http_version: HttpVersion::Http11,
            headers: Vec::new(),
            body: vec![b'a'; 1 << 20],
            place: None,
            body_bytes: 1 << 20,
            body_cut: false,
            retry_after_s: None,
            credentials_dropped: false,
        }),
        certificate: None,
        root: None,
        agreed: None,
        remarks: Vec::new(),
    };
    (Arc::new(expectation), http.target, probe)
}
