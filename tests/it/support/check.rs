//! One check as the daemon makes it: probe, then judge.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sitewatch::clock;
use sitewatch::domain::check::Check;
use sitewatch::domain::expectation::{Expectation, StatusSet};
use sitewatch::domain::target::{DnsSettings, Manner, Target};
use sitewatch::policy::verdict::judge::judge;
use sitewatch::probe::Prober;
use url::Url;

use super::dns::NameServer;

/// The defaults of a monitor.
pub fn target(url: &str) -> Target {
    Target::new(&Url::parse(url).expect("a URL"), Manner::default())
}

/// The defaults of a monitor.
pub fn expectation() -> Expectation {
    Expectation {
        status: StatusSet::parse(["2xx"]).expect("a class"),
        final_url: None,
        headers: Vec::new(),
        body_contains: Vec::new(),
        body_excludes: Vec::new(),
        body_matches: Vec::new(),
        json: Vec::new(),
        degraded_after: sitewatch::domain::slow_limit::SlowLimit::Never,
        certificate_expiry: Vec::new(),
    }
}

/// A prober that knows no name server and no static names.
pub fn nameless() -> Prober {
    Prober::new(&DnsSettings {
        servers: Vec::new(),
        resolv_conf: PathBuf::from("/nonexistent"),
        hosts: PathBuf::from("/nonexistent"),
        timeout: Duration::from_secs(2),
    })
    .expect("a prober")
}

/// A prober that asks these name servers.
pub fn asking(servers: &[&NameServer]) -> Prober {
    Prober::new(&DnsSettings {
        servers: servers.iter().map(|server| server.address.into()).collect(),
        resolv_conf: PathBuf::from("/nonexistent"),
        hosts: PathBuf::from("/nonexistent"),
        timeout: Duration::from_secs(2),
    })
    .expect("a prober")
}

/// One check.
pub async fn check_with(prober: &Prober, target: Target, expectation: &Expectation) -> Check {
    let target = Arc::new(target);
    let probe = prober.run(&target, clock::now()).await;
    judge(expectation, &target, probe)
}

/// One check of an address with the defaults.
pub async fn check(url: &str) -> Check {
    check_with(&nameless(), target(url), &expectation()).await
}

/// `down status 503: detail`, in one line.
pub fn summary(check: &Check) -> String {
    let status = check
        .status
        .map_or(String::new(), |status| format!(" {status}"));
    match check.verdict.failure() {
        None => format!("{}{status}", check.verdict.state()),
        Some(failure) => format!(
            "{} {}{status}: {}",
            check.verdict.state(),
            failure.kind,
            failure.detail
        ),
    }
}

/// State, kind and status in one line, without the detail.
pub fn verdict(check: &Check) -> String {
    let all = summary(check);
    all.split(": ").next().unwrap_or(&all).to_owned()
}
