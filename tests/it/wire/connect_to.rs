//! Connecting elsewhere than where the URL says, as curl's `--connect-to`.

use sitewatch::domain::check::Check;
use sitewatch::domain::connect_to::{ConnectTo, Direct};
use sitewatch::domain::target::{Proxy, Target};

use crate::support::check::{asking, check_with, expectation, nameless, summary, target, verdict};
use crate::support::dns::NameServer;
use crate::support::pki::good_site;
use crate::support::port::{Port, Step, check_of, monitor, say};
use crate::support::site::{Site, answer, closed_port, redirect};

fn to(mut target: Target, place: &str) -> Target {
    let place = ConnectTo::parse(place).expect("a host");
    target.proxy = Proxy::Direct(Box::new(Direct::to(place)));
    target
}

async fn look(url: &str, place: &str) -> Check {
    check_with(&nameless(), to(target(url), place), &expectation()).await
}

#[tokio::test]
async fn the_connection_goes_there_and_host_stays() {
    let site = Site::plain(|_| answer(200, "", "x")).await;
    let place = format!("127.0.0.1:{}", site.port());
    let check = look("http://www.example.test/a", &place).await;
    assert_eq!(summary(&check), "up 200");
    assert_eq!(site.last().header("host"), Some("www.example.test"));
    assert_eq!(&*check.chain.final_url, "http://www.example.test/a");
    assert_eq!(check.chain.remote_addr, Some(site.address));
    assert!(check.timings.dns.is_none(), "no name is looked up");
}

#[tokio::test]
async fn without_a_port_it_holds_for_each_port_of_the_host() {
    let end = Site::plain(|_| answer(200, "", "")).await;
    let location = format!("http://www.example.test:{}/end", end.port());
    let first = Site::plain(move |_| redirect(302, &location)).await;
    let url = format!("http://www.example.test:{}/", first.port());
    let check = look(&url, "127.0.0.1").await;
    assert_eq!(summary(&check), "up 200");
    assert_eq!(end.received().len(), 1);
}

#[tokio::test]
async fn with_a_port_it_holds_for_the_own_port_alone() {
    let end = Site::plain(|_| answer(200, "", "")).await;
    // The name has no address but the one that it is connected to.
    let location = format!("http://www.example.test:{}/end", end.port());
    let first = Site::plain(move |_| redirect(302, &location)).await;
    let place = format!("127.0.0.1:{}", first.port());
    let check = look("http://www.example.test/", &place).await;
    let found = verdict(&check);
    assert!(
        found.starts_with("down dns_") && found.ends_with("302"),
        "{found}"
    );
    assert!(end.received().is_empty());
}

#[tokio::test]
async fn another_host_is_connected_to_as_usual() {
    let other = Site::plain(|_| answer(200, "", "")).await;
    let location = other.url("/");
    let first = Site::plain(move |_| redirect(302, &location)).await;
    let place = format!("127.0.0.1:{}", first.port());
    let check = look("http://www.example.test/", &place).await;
    assert_eq!(summary(&check), "up 200");
    assert_eq!(check.chain.remote_addr, Some(other.address));
}

#[tokio::test]
async fn a_name_is_asked_of_the_name_servers() {
    let site = Site::plain(|_| answer(200, "", "")).await;
    let dns = NameServer::loopback().await;
    let place = format!("origin.example.test:{}", site.port());
    let target = to(target("http://www.example.test/"), &place);
    let check = check_with(&asking(&[&dns]), target, &expectation()).await;
    assert_eq!(summary(&check), "up 200");
    assert!(check.timings.dns.is_some());
    assert!(dns.names().iter().all(|name| name.starts_with("origin.")));
}

#[tokio::test]
async fn the_certificate_must_be_the_urls() {
    let (root, server) = good_site();
    let site = Site::tls(server, |_| answer(200, "", "")).await;
    let place = format!("127.0.0.1:{}", site.port());
    for (url, want) in [
        ("https://site.test/", "up 200"),
        ("https://other.test/", "down tls_hostname"),
    ] {
        let mut target = to(target(url), &place);
        target.ca_pem = Some(root.pem.as_bytes().into());
        let check = check_with(&nameless(), target, &expectation()).await;
        assert_eq!(verdict(&check), want, "{url}");
    }
}

#[tokio::test]
async fn what_is_connected_to_decides_what_is_private() {
    // By its literal the first hop is public, but the address that is connected to is private, and may lead on.
    let end = Site::plain(|_| answer(200, "", "")).await;
    let location = end.url("/");
    let first = Site::plain(move |_| redirect(302, &location)).await;
    let place = format!("127.0.0.1:{}", first.port());
    let check = look("http://203.0.113.1/", &place).await;
    assert_eq!(summary(&check), "up 200");
}

#[tokio::test]
async fn who_refuses_there_is_named() {
    let port = closed_port().await;
    let check = look("http://www.example.test/", &format!("127.0.0.1:{port}")).await;
    assert_eq!(verdict(&check), "down connect_refused");
    let remote = check.chain.remote_addr.map(|address| address.port());
    assert_eq!(remote, Some(port));
}

#[tokio::test]
async fn ports_connect_elsewhere_too() {
    let port = Port::new(vec![say("220 mx ESMTP\r\n"), Step::Hang]).await;
    let keys = format!(
        "url = \"tcp://mx.example.test:25\"\nexpect = \"^220\"\nconnect_to = \"{}\"",
        port.address
    );
    let check = check_of(&nameless(), &monitor(&keys)).await;
    assert_eq!(summary(&check), "up");
    assert_eq!(check.chain.remote_addr, Some(port.address));
}
