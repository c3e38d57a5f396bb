//! Faults of our own host, in a process of their own.

use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use sitewatch::policy::verdict::judge::as_seen;

use crate::support::check::{asking, check_with, expectation, nameless, summary, target, verdict};
use crate::support::dns::NameServer;

/// Names the process that runs out of descriptors.
const CHILD: &str = "SITEWATCH_TEST_WITHOUT_DESCRIPTORS";

#[tokio::test]
async fn no_descriptors_are_left() {
    #[expect(clippy::disallowed_methods, reason = "tells the child from its parent")]
    let is_child = std::env::var_os(CHILD).is_some();
    if !is_child {
        let this = std::env::current_exe().expect("this test binary");
        let name = "wire::local::no_descriptors_are_left";
        let output = tokio::task::spawn_blocking(move || {
            Command::new(this)
                .args(["--exact", name, "--nocapture"])
                .env(CHILD, "1")
                .output()
        })
        .await
        .expect("a thread")
        .expect("a process");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        return;
    }
    let dns = NameServer::loopback().await;
    let (by_address, by_name) = (nameless(), asking(&[&dns]));
    let limit = Rlimit {
        current: Some(64),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    setrlimit(Resource::Nofile, limit).expect("fewer are always allowed");
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    for (prober, url, seen) in [
        (
            by_address,
            "http://127.0.0.1:9/",
            "down connect_unreachable",
        ),
        (by_name, "http://site.test:9/", "down dns_timeout"),
    ] {
        let check = check_with(&prober, target(url), &expectation()).await;
        assert_eq!(verdict(&check), "unknown local", "{}", summary(&check));
        assert_eq!(verdict(&as_seen(check)), seen);
    }
}
