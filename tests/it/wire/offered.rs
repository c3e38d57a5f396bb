//! `http = "offered"`: each version that a site offers, where it says that it serves HTTP/3, and what is not believed.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sitewatch::clock;
use sitewatch::daemon::checks::judging::Judges;
use sitewatch::domain::alternative::Alternative;
use sitewatch::domain::check::{Check, HttpVersion};
use sitewatch::domain::http_choice::HttpChoice;
use url::Host;

use crate::support::check::{asking, summary, verdict};
use crate::support::dns::{NameServer, Says};
use crate::support::h2_site::{H2Site, Then, Two, settings};
use crate::support::h3_site::{H3Site, Three, data, field, headers};
use crate::support::pki::{Pair, good_site};
use crate::support::port::{check_of, monitor_in};
use crate::support::site::{Site, answer, closed_port};

const ONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HTTPS: u16 = 65;

fn three() -> Three {
    Three::Frames([headers(&field("content-length", "2")), data(b"ok")].concat())
}

/// An HTTPS record (RFC 9460): priority, target, protocols, port.
fn record(priority: u16, target: &str, alpn: &[&str], port: u16) -> (u16, Vec<u8>) {
    let mut out = priority.to_be_bytes().to_vec();
    for label in target.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).expect("a short label"));
        out.extend(label.bytes());
    }
    out.push(0);
    let mut list = Vec::new();
    for protocol in alpn {
        list.push(u8::try_from(protocol.len()).expect("a short name"));
        list.extend(protocol.bytes());
    }
    if !list.is_empty() {
        out.extend([0, 1]);
        out.extend(
            u16::try_from(list.len())
                .expect("a short list")
                .to_be_bytes(),
        );
        out.extend(list);
    }
    if port > 0 {
        out.extend([0, 3, 0, 2]);
        out.extend(port.to_be_bytes());
    }
    (HTTPS, out)
}

/// One check of a site with HTTP/1.1 alone, whose answer has these fields, while DNS says this of its HTTPS record.
async fn check(fields: &str, https: Says) -> Check {
    let (root, server) = good_site();
    let fields = fields.to_owned();
    let site = Site::tls(server, move |_| answer(200, &fields, "x")).await;
    look(&root, site.port(), https).await.0
}

async fn look(root: &Pair, port: u16, https: Says) -> (Check, NameServer) {
    let dns = NameServer::scripted(move |asked| match asked.kind {
        HTTPS => https.clone(),
        _ if asked.six => Says::Addresses(Vec::new()),
        _ => Says::Addresses(vec![HOME]),
    })
    .await;
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("ca.pem"), &root.pem).expect("a file");
    let text = format!(
        "url = \"https://site.test:{port}/\"\nca_file = \"ca.pem\"\nhttp = \"offered\"\ntimeout = \"3s\"\n\
         degraded_after = \"off\"\n"
    );
    let monitor = monitor_in(directory.path(), &text);
    let check = check_of(&asking(&[&dns]), &monitor).await;
    (check, dns)
}

const ALONE: &str = "HTTP/1.1 up 200";
const BOTH: &str = "HTTP/1.1 up 200, HTTP/3 up 200";

#[tokio::test]
async fn a_record_of_dns_offers_it() {
    let (root, server) = good_site();
    let quic = H3Site::new(server.clone(), three());
    let site = Site::tls(server, |_| answer(200, "", "x")).await;
    let own = quic.port();
    let (check, dns) = look(
        &root,
        site.port(),
        Says::Records(vec![record(1, "", &["h2", "h3"], own)]),
    )
    .await;
    assert_eq!(
        (summary(&check).as_str(), versions(&check).as_str()),
        ("up 200", BOTH)
    );
    let asked = dns.log().into_iter().filter(|asked| asked.kind == HTTPS);
    let names: Vec<String> = asked.map(|asked| asked.name).collect();
    assert!(!names.is_empty());
    let want = format!("_{}._https.site.test", site.port());
    assert!(names.iter().all(|name| *name == want), "{names:?}");
    for (records, want) in [
        (vec![record(1, "alt.test", &["h3"], own)], BOTH),
        // The smallest priority is meant, whatever comes first.
        (
            vec![record(9, "", &["h3"], 1), record(2, "", &["h3"], own)],
            BOTH,
        ),
        (
            vec![record(1, "", &["h2"], 0), record(2, "", &["h3"], own)],
            BOTH,
        ),
        // Others, an alias, none, and what is no record.
        (vec![record(1, "", &["h2", "http/1.1"], own)], ALONE),
        (vec![record(1, "", &[], own)], ALONE),
        (vec![record(0, "alt.test", &["h3"], own)], ALONE),
        (vec![], ALONE),
        (vec![(HTTPS, vec![0])], ALONE),
        (vec![(HTTPS, b"\0\x01\0\0\x01\0\x09\x02h3".to_vec())], ALONE),
        (vec![(16, b"\x02h3".to_vec())], ALONE),
    ] {
        let found = look(&root, site.port(), Says::Records(records.clone()))
            .await
            .0;
        assert_eq!(versions(&found), want, "{records:?}");
        assert_eq!(summary(&found), "up 200", "{records:?}");
    }
}

#[tokio::test]
async fn a_name_server_that_does_not_know_takes_nothing_from_the_site() {
    for says in [
        Says::NxDomain,
        Says::ServFail,
        Says::Refused,
        Says::Garbage,
        Says::Silence,
        Says::Referral,
        Says::Alias("other.test"),
    ] {
        let label = format!("{says:?}");
        let found = check("", says).await;
        assert_eq!(
            (summary(&found).as_str(), versions(&found).as_str()),
            ("up 200", ALONE),
            "{label}"
        );
    }
}

#[tokio::test]
async fn what_the_answer_says_comes_first() {
    let (_, server) = good_site();
    let quic = H3Site::new(server, three());
    // Of another authority: seen means that it was asked.
    let by_record = || Says::Records(vec![record(1, "", &["h3"], quic.port())]);
    let dead = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = dead.local_addr().expect("a bound socket").port();
    let asked = "HTTP/1.1 up 200, HTTP/3 down tls_untrusted";
    let silent = "HTTP/1.1 up 200, HTTP/3 down connect_timeout";
    for (fields, want) in [
        (format!("Alt-Svc: h3=\":{port}\"; ma=60\r\n"), silent),
        // What is taken back, over, or of another version leaves the record.
        ("Alt-Svc: clear\r\n".to_owned(), asked),
        (format!("Alt-Svc: h3=\":{port}\"; ma=0\r\n"), asked),
        (format!("Alt-Svc: h3-29=\":{port}\"\r\n"), asked),
        (
            format!("Alt-Svc: h3=\":{port}\"\r\nAlt-Svc: clear\r\n"),
            asked,
        ),
    ] {
        let found = check(&fields, by_record()).await;
        assert_eq!(versions(&found), want, "{fields}");
        assert_eq!(verdict(&found), "degraded http_version 200", "{fields}");
    }
}

#[tokio::test]
async fn hostile_values_are_no_offer() {
    let long = format!("Alt-Svc: {}\r\n", "h2=\":1\",".repeat(8000));
    for fields in [
        "Alt-Svc: h3=\":0\"\r\n",
        "Alt-Svc: h3=\":99999\"\r\n",
        "Alt-Svc: h3=\"\r\n",
        "Alt-Svc: h3=\":443\r\n",
        "Alt-Svc: =;=;,,,;\"\"\",\r\n",
        "Alt-Svc: h3=\"u:p@site.test:443/../\"\r\n",
        "Alt-Svc: h3=\"a b:443\"\r\n",
        &long,
    ] {
        let found = check(fields, Says::NxDomain).await;
        assert_eq!(versions(&found), ALONE, "{fields:.60}");
        assert_eq!(summary(&found), "up 200", "{fields:.60}");
    }
}

#[tokio::test]
async fn another_place_must_show_the_sites_certificate() {
    let root = Pair::authority("Test Root", None, -10, 3650);
    let good = Pair::leaf(&["site.test"], Some(&root), -1, 90).server(&[]);
    for (names, want) in [
        (["site.test"], BOTH),
        (["alt.test"], "HTTP/1.1 up 200, HTTP/3 down tls_hostname"),
    ] {
        let quic = H3Site::new(Pair::leaf(&names, Some(&root), -1, 90).server(&[]), three());
        let fields = format!("Alt-Svc: h3=\"alt.test:{}\"\r\n", quic.port());
        let site = Site::tls(good.clone(), move |_| answer(200, &fields, "x")).await;
        let found = look(&root, site.port(), Says::NxDomain).await.0;
        assert_eq!(versions(&found), want);
    }
}

#[tokio::test]
async fn the_final_answer_says_where() {
    let (root, server) = good_site();
    let quic = H3Site::new(server.clone(), three());
    let fields = format!("Alt-Svc: h3=\":{}\"\r\n", quic.port());
    let end = Site::tls(server.clone(), move |_| answer(200, &fields, "x")).await;
    let location = format!("https://site.test:{}/end", end.port());
    let first = Site::tls(server, move |_| {
        // Where nobody is.
        let fields = format!("Alt-Svc: h3=\":1\"\r\nLocation: {location}\r\n");
        answer(302, &fields, "")
    })
    .await;
    let found = look(&root, first.port(), Says::NxDomain).await.0;
    assert_eq!(summary(&found), "up 200", "{}", versions(&found));
    assert_eq!(found.chain.redirects.len(), 1);
    // The redirect itself came by HTTP/1.1, and only the final request goes by QUIC.
    assert_eq!(versions(&found), BOTH);
    assert_eq!(quic.heard().len(), 1);
}

#[tokio::test]
async fn a_public_site_is_not_sent_to_a_private_place() {
    let (root, server) = good_site();
    let quic = H3Site::new(server, three());
    let dns = NameServer::loopback().await;
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("ca.pem"), &root.pem).expect("a file");
    let keys = "url = \"https://site.test/\"\nca_file = \"ca.pem\"\nhttp = \"offered\"";
    let monitor = monitor_in(directory.path(), keys);
    let prober = asking(&[&dns]);
    let judges = Judges::default();
    for host in [
        None,
        Some(Host::Ipv4(Ipv4Addr::LOCALHOST)),
        Some(Host::Domain("alt.test".to_owned())),
    ] {
        for (public_only, want) in [(false, "up 200"), (true, "down redirect_blocked")] {
            let place = Alternative {
                origin: ("site.test".to_owned(), 443),
                host: host.clone(),
                port: quic.port(),
                public_only,
            };
            let subject =
                monitor
                    .subject
                    .by_version(HttpChoice::Three, Some(place), Duration::from_secs(5));
            let observed = prober.observe(&subject, clock::now(), &judges).await;
            let (check, _) = judges.judge(&subject, observed).await.expect("no panic");
            assert_eq!(verdict(&check), want, "{host:?}: {}", summary(&check));
        }
    }
    // The refused ones have sent nothing.
    assert_eq!(quic.heard().len(), 3);
}

/// `HTTP/1.1 up 200, HTTP/2 down status 503`
pub(super) fn versions(check: &Check) -> String {
    let extras = check.extras.as_deref();
    let all = extras.and_then(|extras| extras.versions.as_deref());
    let words: Vec<String> = all
        .unwrap_or_default()
        .iter()
        .map(|one| {
            let kind = one
                .failure
                .as_ref()
                .map(|failure| format!(" {}", failure.kind));
            let status = one.status.map(|status| format!(" {status}"));
            format!(
                "{} {}{}{}",
                one.version,
                one.state,
                kind.unwrap_or_default(),
                status.unwrap_or_default()
            )
        })
        .collect();
    words.join(", ")
}

async fn offered(one: &str, two: Two, keys: &str) -> Check {
    let root = Pair::authority("Test Root", None, -10, 3650);
    let leaf = Pair::leaf(&["site.test"], Some(&root), -1, 90);
    let site = H2Site::new(leaf.server(&[]), one, two).await;
    of_port(site.port(), &root, keys).await
}

async fn of_port(port: u16, root: &Pair, keys: &str) -> Check {
    let dns = NameServer::loopback().await;
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("ca.pem"), &root.pem).expect("a file");
    let text = format!(
        "url = \"https://site.test:{port}/\"\nca_file = \"ca.pem\"\nhttp = \"offered\"\ntimeout = \"2s\"\n\
         degraded_after = \"off\"\n{keys}"
    );
    let monitor = monitor_in(directory.path(), &text);
    check_of(&asking(&[&dns]), &monitor).await
}

#[tokio::test]
async fn offered_versions_are_checked_by_themselves() {
    let busy = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n";
    let silent = Two::Frames(settings(), Then::Hang);
    for (one, two, keys, want, wanted) in [
        (
            ONE,
            Two::answer(200, "x"),
            "",
            "up 200",
            "HTTP/1.1 up 200, HTTP/2 up 200",
        ),
        (
            ONE,
            Two::answer(503, "x"),
            "",
            "degraded http_version 200: HTTP/2 fails, status 503, while HTTP/1.1 works",
            "HTTP/1.1 up 200, HTTP/2 down status 503",
        ),
        (
            ONE,
            Two::answer(503, "x"),
            "on_address_down = \"down\"",
            "down http_version 200: HTTP/2 fails, status 503, while HTTP/1.1 works",
            "HTTP/1.1 up 200, HTTP/2 down status 503",
        ),
        (
            busy,
            Two::answer(200, "x"),
            "",
            "degraded http_version 503: HTTP/1.1 fails, status 503, while HTTP/2 works",
            "HTTP/1.1 down status 503, HTTP/2 up 200",
        ),
        (
            busy,
            Two::answer(503, "x"),
            "",
            "down status 503: 503 Service Unavailable: expected 200-299",
            "HTTP/1.1 down status 503, HTTP/2 down status 503",
        ),
    ] {
        let check = offered(one, two, keys).await;
        assert_eq!(
            (summary(&check).as_str(), versions(&check).as_str()),
            (want, wanted)
        );
        assert_eq!(check.http_version, Some(HttpVersion::Http11));
    }
    let check = offered(ONE, silent, "").await;
    assert_eq!(
        verdict(&check),
        "degraded http_version 200",
        "{}",
        summary(&check)
    );
    assert_eq!(
        versions(&check),
        "HTTP/1.1 up 200, HTTP/2 down timeout_response"
    );
}

#[tokio::test]
async fn what_is_not_offered_is_not_checked() {
    let root = Pair::authority("Test Root", None, -10, 3650);
    let leaf = Pair::leaf(&["site.test"], Some(&root), -1, 90);
    let site = Site::tls(leaf.server(&[]), |_| answer(200, "", "x")).await;
    let check = of_port(site.port(), &root, "").await;
    assert_eq!(summary(&check), "up 200");
    assert_eq!(versions(&check), "HTTP/1.1 up 200");
    // Beside addresses, which are checked by HTTP/1.1.
    let check = of_port(site.port(), &root, "addresses = \"each\"").await;
    assert_eq!(versions(&check), "HTTP/1.1 up 200");
    let addresses = check
        .extras
        .as_ref()
        .and_then(|extras| extras.addresses.as_ref());
    assert_eq!(addresses.map(|all| all.len()), Some(1));
    let closed = closed_port().await;
    let check = of_port(closed, &root, "").await;
    assert_eq!(verdict(&check), "down connect_refused");
    assert_eq!(versions(&check), "HTTP/1.1 down connect_refused");
}
