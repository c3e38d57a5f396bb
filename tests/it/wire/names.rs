//! Names and addresses: servers in turn, the static table, two families, dead addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use sitewatch::domain::target::{DnsSettings, IpVersion};
use sitewatch::probe::Prober;

use crate::support::check::{asking, check_with, expectation, summary, target, verdict};
use crate::support::dns::{NameServer, Says};
use crate::support::site::{Site, answer};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HOME_6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

#[tokio::test]
async fn servers_are_asked_in_turn() {
    let site = Site::plain(|_| answer(200, "", "")).await;
    let url = format!("http://site.test:{}/", site.port());
    for first in [Says::ServFail, Says::Refused, Says::Silence, Says::Garbage] {
        let bad = NameServer::start({
            let first = first.clone();
            move |_| first.clone()
        })
        .await;
        let good = NameServer::loopback().await;
        let check = check_with(&asking(&[&bad, &good]), target(&url), &expectation()).await;
        assert_eq!(verdict(&check), "up 200", "{first:?}: {}", summary(&check));
        assert!(bad.asked() > 0, "{first:?}");
    }
    // NXDOMAIN is an answer: nobody else is asked.
    let no = NameServer::start(|_| Says::NxDomain).await;
    let good = NameServer::loopback().await;
    let check = check_with(&asking(&[&no, &good]), target(&url), &expectation()).await;
    assert_eq!(verdict(&check), "down dns_not_found");
    assert_eq!(good.asked(), 0);
}

#[tokio::test]
async fn what_is_no_host_name_by_the_book_is_asked_for() {
    let site = Site::plain(|_| answer(200, "", "")).await;
    let dns = NameServer::loopback().await;
    for (host, want) in [
        ("-a.test", "up 200"),
        ("a-.test", "up 200"),
        ("_a.test", "up 200"),
        ("a..test", "down dns_not_found"),
    ] {
        let url = format!("http://{host}:{}/", site.port());
        let check = check_with(&asking(&[&dns]), target(&url), &expectation()).await;
        assert_eq!(verdict(&check), want, "{host}: {}", summary(&check));
    }
    let check = check_with(&asking(&[&dns]), target("https://a..test/"), &expectation()).await;
    assert_eq!(verdict(&check), "down dns_not_found");
    let said = summary(&check);
    assert!(said.contains("`a..test`: not a name that DNS"), "{said}");
}

#[tokio::test]
async fn nothing_is_cached() {
    let site = Site::plain(|_| answer(200, "", "")).await;
    let dns = NameServer::loopback().await;
    let prober = asking(&[&dns]);
    let url = format!("http://site.test:{}/", site.port());
    for _ in 0..3 {
        let check = check_with(&prober, target(&url), &expectation()).await;
        assert_eq!(verdict(&check), "up 200");
        assert!(check.timings.dns.is_some());
    }
    assert!(dns.asked() >= 3, "{}", dns.asked());
}

#[tokio::test]
async fn the_static_table_comes_first_and_is_read_again() {
    let site = Site::plain(|_| answer(200, "", "")).await;
    let no = NameServer::start(|_| Says::NxDomain).await;
    let directory = tempfile::tempdir().expect("a directory");
    let hosts = directory.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 known.test\n").expect("a file");
    let prober = Prober::new(&DnsSettings {
        servers: vec![no.address.into()],
        hosts: hosts.clone(),
        ..DnsSettings::default()
    })
    .expect("a prober");
    let url = |name: &str| format!("http://{name}:{}/", site.port());
    let seen = check_with(&prober, target(&url("KNOWN.test")), &expectation()).await;
    assert_eq!(verdict(&seen), "up 200");
    assert_eq!(no.asked(), 0);
    let seen = check_with(&prober, target(&url("new.test")), &expectation()).await;
    assert_eq!(verdict(&seen), "down dns_not_found");
    std::fs::write(&hosts, "127.0.0.1 known.test new.test\n").expect("a file");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let seen = check_with(&prober, target(&url("new.test")), &expectation()).await;
    assert_eq!(verdict(&seen), "up 200");
}

#[tokio::test]
async fn resolv_conf_gives_servers_and_search_list() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("resolv.conf");
    // Nobody listens on port 53 of this address in a test; what counts is that it was read.
    std::fs::write(&file, "nameserver 127.9.9.9\nsearch lan.test\n").expect("a file");
    let prober = Prober::new(&DnsSettings {
        resolv_conf: file,
        hosts: "/nonexistent".into(),
        timeout: Duration::from_millis(500),
        servers: Vec::new(),
    })
    .expect("a prober");
    let check = check_with(&prober, target("http://site.test/"), &expectation()).await;
    let text = summary(&check);
    assert!(text.contains("127.9.9.9"), "{text}");
}

#[tokio::test]
async fn localhost_needs_no_server() {
    let site = Site::plain(|_| answer(200, "", "")).await;
    let silent = NameServer::start(|_| Says::Silence).await;
    let url = format!("http://localhost:{}/", site.port());
    let check = check_with(&asking(&[&silent]), target(&url), &expectation()).await;
    assert_eq!(verdict(&check), "up 200");
    assert_eq!(silent.asked(), 0);
}

#[tokio::test]
async fn a_dead_address_is_passed_over_and_remarked() {
    let site = Site::plain(|_| answer(200, "", "")).await;
    let url = format!("http://site.test:{}/", site.port());
    // Nobody listens on the other loopback addresses.
    for (addresses, remark) in [
        (vec![HOME], None),
        (vec![HOME_6, HOME], Some("IPv6 does not answer in time")),
        (
            vec!["127.0.0.2".parse().expect("an address"), HOME],
            Some("not every address answers in time"),
        ),
    ] {
        let all = addresses.clone();
        let dns = NameServer::start(move |_| Says::Addresses(all.clone())).await;
        let check = check_with(&asking(&[&dns]), target(&url), &expectation()).await;
        assert_eq!(
            verdict(&check),
            "up 200",
            "{addresses:?}: {}",
            summary(&check)
        );
        assert_eq!(check.chain.remote_addr, Some(site.address));
        let said = check.remarks.join(" ");
        match remark {
            None => assert_eq!(said, ""),
            Some(remark) => assert!(said.contains(remark), "{addresses:?}: {said:?}"),
        }
    }
}

#[tokio::test]
async fn an_address_that_swallows_packets_leaves_time_for_the_next() {
    let site = Site::plain(|_| answer(200, "", "")).await;
    // TEST-NET-1 answers nobody, or the host says at once that there is no way to it.
    let dns = NameServer::start(|_| {
        Says::Addresses(vec!["192.0.2.1".parse().expect("an address"), HOME])
    })
    .await;
    let mut target = target(&format!("http://site.test:{}/", site.port()));
    target.timeout = Duration::from_secs(4);
    let check = check_with(&asking(&[&dns]), target, &expectation()).await;
    assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
    let said = check.remarks.join(" ");
    assert!(said.contains("192.0.2.1"), "{said:?}");
}

#[tokio::test]
async fn one_family_only() {
    let site = Site::plain(|_| answer(200, "", "")).await;
    let dns = NameServer::start(|_| Says::Addresses(vec![HOME_6, HOME])).await;
    let only = |version| {
        let mut target = target(&format!("http://site.test:{}/", site.port()));
        target.ip_version = version;
        target
    };
    let prober = asking(&[&dns]);
    let check = check_with(&prober, only(IpVersion::V4), &expectation()).await;
    assert_eq!(verdict(&check), "up 200");
    assert!(check.remarks.is_empty(), "{:?}", check.remarks);
    // The site listens on IPv4 only.
    let check = check_with(&prober, only(IpVersion::V6), &expectation()).await;
    assert_eq!(
        check.verdict.state().as_str(),
        "down",
        "{}",
        summary(&check)
    );
    let only_four = NameServer::loopback().await;
    let check = check_with(&asking(&[&only_four]), only(IpVersion::V6), &expectation()).await;
    assert_eq!(verdict(&check), "down dns_not_found");
}
