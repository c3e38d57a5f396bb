//! HTTP/3: what is asked, what is made of every way in which it breaks, and what a server can make us hold.

use std::net::UdpSocket;
use std::time::Duration;

use rustls::ServerConfig;
use sitewatch::domain::check::{Check, HttpVersion};
use sitewatch::domain::http_choice::HttpChoice;
use sitewatch::domain::target::{Method, Target};

use super::offered::versions;
use crate::support::check::{asking, check_with, expectation, summary, target, verdict};
use crate::support::dns::NameServer;
use crate::support::h2_site::{H2Site, Two};
use crate::support::h3_site::{H3Site, Three, data, field, frame, headers};
use crate::support::pki::{Pair, good_site};
use crate::support::port::{check_of, monitor_in};

/// One check with `http = "3"` of what listens at this port.
async fn at(port: u16, root: &Pair, change: impl FnOnce(&mut Target)) -> Check {
    let dns = NameServer::loopback().await;
    let mut target = target(&format!("https://site.test:{port}/a?b=c"));
    target.ca_pem = Some(root.pem.as_bytes().into());
    target.http = HttpChoice::Three;
    target.timeout = Duration::from_secs(3);
    change(&mut target);
    check_with(&asking(&[&dns]), target, &expectation()).await
}

async fn look(three: Three) -> Check {
    let (root, server) = good_site();
    let site = H3Site::new(server, three);
    at(site.port(), &root, |_| {}).await
}

fn whole() -> Vec<u8> {
    [headers(&field("content-length", "5")), data(b"hello")].concat()
}

#[tokio::test]
async fn a_good_answer() {
    let (root, server) = good_site();
    let site = H3Site::new(server, Three::Frames(whole()));
    let check = at(site.port(), &root, |_| {}).await;
    assert_eq!(summary(&check), "up 200");
    assert_eq!(check.http_version, Some(HttpVersion::Http3));
    assert_eq!(check.body_bytes, 5);
    assert!(check.certificate.is_some());
    let timings = check.timings;
    for phase in [
        timings.dns,
        timings.connect,
        timings.tls,
        timings.ttfb,
        timings.body,
    ] {
        assert!(phase.is_some(), "{timings:?}");
    }
    assert_eq!(check.chain.remote_addr, Some(site.address));
    assert_eq!(site.heard().len(), 1);
    // Pieces that are empty end nothing.
    let pieces = [
        headers(&[]),
        data(b""),
        data(b"a"),
        data(b""),
        data(b""),
        frame(0x21, b"unknown"),
        data(b"b"),
        headers(&field("trailer", "x")),
    ];
    let check = look(Three::Frames(pieces.concat())).await;
    assert_eq!(
        (summary(&check), check.body_bytes),
        ("up 200".to_owned(), 2)
    );
}

#[tokio::test]
async fn bodies_go_and_come() {
    let (root, server) = good_site();
    let body = vec![b'y'; 900_000];
    let answer = [headers(&[]), data(&body)].concat();
    let site = H3Site::new(server, Three::Frames(answer));
    let check = at(site.port(), &root, |target| {
        target.method = Method::Post;
        target.body = Some(vec![b'x'; 300_000].into());
        target.wants_body = true;
    })
    .await;
    assert_eq!(
        (summary(&check), check.body_bytes),
        ("up 200".to_owned(), 900_000)
    );
    assert!(site.heard()[0].len() > 300_000);
    let check = at(site.port(), &root, |target| target.method = Method::Head).await;
    assert_eq!(
        (summary(&check), check.body_bytes),
        ("up 200".to_owned(), 0)
    );
    let check = at(site.port(), &root, |target| target.max_body = 1000).await;
    assert_eq!(
        (summary(&check), check.body_bytes),
        ("up 200".to_owned(), 1000)
    );
}

#[tokio::test]
async fn certificates_are_judged_as_ever() {
    let root = Pair::authority("Test Root", None, -10, 3650);
    for (names, days, want) in [
        (["site.test"], 90, "up 200"),
        (["site.test"], -1, "down tls_expired"),
        (["other.test"], 90, "down tls_hostname"),
    ] {
        let leaf = Pair::leaf(&names, Some(&root), -50, days);
        let site = H3Site::new(leaf.server(&[]), Three::Frames(whole()));
        let check = at(site.port(), &root, |_| {}).await;
        assert_eq!(verdict(&check), want, "{}", summary(&check));
        assert!(check.certificate.is_some(), "{want}");
        let check = at(site.port(), &root, |target| target.verify_tls = false).await;
        assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
    }
    let stranger = Pair::authority("Stranger", None, -1, 90);
    let leaf = Pair::leaf(&["site.test"], Some(&stranger), -1, 90);
    let site = H3Site::new(leaf.server(&[]), Three::Frames(whole()));
    let check = at(site.port(), &root, |_| {}).await;
    assert_eq!(verdict(&check), "down tls_untrusted", "{}", summary(&check));
}

#[tokio::test]
async fn what_breaks_after_it_was_agreed_keeps_its_kind() {
    let short = [headers(&field("content-length", "9")), data(b"hello")].concat();
    let long = [headers(&field("content-length", "2")), data(b"hello")].concat();
    let begun = || headers(&[]);
    for (three, want) in [
        (Three::Hang(Vec::new()), "down timeout_response"),
        (Three::Frames(Vec::new()), "down closed_early"),
        (Three::Reset(Vec::new(), 0x102), "down protocol"),
        (Three::Reset(Vec::new(), 0x110), "down http_version"),
        (Three::Close(Vec::new(), 0x100), "down closed_early"),
        (Three::Close(Vec::new(), 0x102), "down protocol"),
        (Three::Frames(data(b"x")), "down protocol"),
        (
            Three::Frames(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
            "down protocol",
        ),
        (Three::Frames(frame(1, &[0xff; 20])), "down protocol"),
        (Three::Frames(frame(1, &[0, 0])), "down protocol"),
        (Three::Frames(short), "down body_truncated 200"),
        (Three::Frames(long), "down body_truncated 200"),
        (Three::Hang(begun()), "down timeout_body 200"),
        (Three::Reset(begun(), 0x102), "down body_truncated 200"),
        (Three::Close(begun(), 0x100), "down body_truncated 200"),
        (
            Three::Frames([begun(), frame(4, &[])].concat()),
            "down protocol 200",
        ),
    ] {
        let check = look(three.clone()).await;
        assert_eq!(verdict(&check), want, "{three:02x?}: {}", summary(&check));
        let detail = check
            .verdict
            .failure()
            .expect("it failed")
            .detail
            .to_string();
        assert!(
            !detail.contains("Error") && !detail.contains('{'),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn nobody_there_and_nobody_who_speaks_it() {
    let (root, server) = good_site();
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("a bound socket").port();
    let soon = |target: &mut Target| target.timeout = Duration::from_millis(700);
    let check = at(port, &root, soon).await;
    assert_eq!(
        verdict(&check),
        "down connect_timeout",
        "{}",
        summary(&check)
    );
    let other = H3Site::speaking(server, b"hq-interop", Three::Frames(whole()));
    let check = at(other.port(), &root, |_| {}).await;
    assert_eq!(verdict(&check), "down http_version", "{}", summary(&check));
    // An http:// URL is spoken by HTTP/1.1, and so not by what is asked for.
    let plain =
        crate::support::site::Site::plain(|_| crate::support::site::answer(200, "", "")).await;
    let mut target = target(&plain.url("/"));
    target.http = HttpChoice::Three;
    let dns = NameServer::loopback().await;
    let check = check_with(&asking(&[&dns]), target, &expectation()).await;
    assert_eq!(
        verdict(&check),
        "down http_version 200",
        "{}",
        summary(&check)
    );
}

#[tokio::test]
async fn headers_and_floods_are_bounded() {
    let many = headers(&field("x", "y").repeat(401));
    let check = look(Three::Frames(many)).await;
    assert_eq!(
        summary(&check),
        "down protocol: the answer has more than 400 header fields"
    );
    let large = headers(&field("x", &"y".repeat(100_000)).repeat(6));
    let check = look(Three::Frames(large)).await;
    assert_eq!(verdict(&check), "down protocol", "{}", summary(&check));
    let interim = frame(1, &[&[0, 0][..], &field(":status", "103")].concat());
    let check = look(Three::Frames(interim.repeat(101))).await;
    assert_eq!(verdict(&check), "down protocol", "{}", summary(&check));
    // A header without end: what is held of it is bounded.
    let endless = [vec![1], 0xc000_0000_7fff_ffff_u64.to_be_bytes().to_vec()].concat();
    let begun = sitewatch::clock::tick();
    let check = look(Three::Flood(endless, vec![b'x'; 64 * 1024])).await;
    assert_eq!(
        summary(&check),
        "down protocol: the server sends far more bytes than its answer has"
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// A site with HTTP/1.1 and HTTP/2 that says that HTTP/3 is at this port.
async fn offering(config: ServerConfig, root: &Pair, alt_svc: &str, keys: &str) -> Check {
    let one = format!("HTTP/1.1 200 OK\r\nAlt-Svc: {alt_svc}\r\nContent-Length: 0\r\n\r\n");
    let site = H2Site::new(config, &one, Two::answer(200, "")).await;
    let dns = NameServer::loopback().await;
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("ca.pem"), &root.pem).expect("a file");
    let text = format!(
        "url = \"https://site.test:{}/\"\nca_file = \"ca.pem\"\nhttp = \"offered\"\ntimeout = \"2s\"\n\
         degraded_after = \"off\"\n{keys}",
        site.port()
    );
    let monitor = monitor_in(directory.path(), &text);
    check_of(&asking(&[&dns]), &monitor).await
}

#[tokio::test]
async fn offered_by_alt_svc() {
    let (root, server) = good_site();
    let site = H3Site::new(server.clone(), Three::Frames(whole()));
    let here = format!("h3=\":{}\"; ma=86400", site.port());
    let check = offering(server.clone(), &root, &here, "").await;
    assert_eq!(summary(&check), "up 200");
    assert_eq!(
        versions(&check),
        "HTTP/1.1 up 200, HTTP/2 up 200, HTTP/3 up 200"
    );
    let named = format!("h3=\"alt.test:{}\"", site.port());
    let check = offering(server.clone(), &root, &named, "").await;
    assert_eq!(
        versions(&check),
        "HTTP/1.1 up 200, HTTP/2 up 200, HTTP/3 up 200"
    );
    let dead = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = dead.local_addr().expect("a bound socket").port();
    let check = offering(server.clone(), &root, &format!("h3=\":{port}\""), "").await;
    assert_eq!(
        verdict(&check),
        "degraded http_version 200",
        "{}",
        summary(&check)
    );
    assert_eq!(
        versions(&check),
        "HTTP/1.1 up 200, HTTP/2 up 200, HTTP/3 down connect_timeout"
    );
    assert!(check.verdict.is_good());
    let check = offering(server, &root, "h3-29=\":1\"", "").await;
    assert_eq!(versions(&check), "HTTP/1.1 up 200, HTTP/2 up 200");
}
