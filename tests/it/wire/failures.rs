//! Every kind of failure once, so that none is forgotten and none falls into another.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use sitewatch::domain::check::{Check, FailureKind};
use sitewatch::domain::expectation::{JsonAssertion, JsonTest, TextMatch};
use sitewatch::domain::http_choice::HttpChoice;
use sitewatch::domain::json::{Document, JsonPath};
use sitewatch::domain::slow_limit::SlowLimit;
use sitewatch::domain::target::ClientCertificate;
use sitewatch::policy::verdict::judge::judge;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::check::{
    asking, check, check_with, expectation, nameless, summary, target, verdict,
};
use crate::support::dns::{NameServer, Says};
use crate::support::pki::{Pair, good_site};
use crate::support::site::{Act, DeafPort, Site, answer, closed_port, redirect, say};

fn soon(url: &str) -> sitewatch::domain::target::Target {
    let mut soon = target(url);
    soon.timeout = Duration::from_millis(400);
    soon
}

async fn of_name(says: Says) -> Check {
    let server = NameServer::start(move |_| says.clone()).await;
    check_with(
        &asking(&[&server]),
        soon("http://site.test/"),
        &expectation(),
    )
    .await
}

async fn of_script(script: Vec<Act>) -> Check {
    let site = Site::plain(move |_| script.clone()).await;
    check_with(&nameless(), soon(&site.url("/")), &expectation()).await
}

async fn of_certificate(leaf: &Pair, root: &Pair, names: &str) -> Check {
    let site = Site::tls(leaf.server(&[]), |_| answer(200, "", "hi")).await;
    let dns = NameServer::loopback().await;
    let mut target = target(&format!("https://{names}:{}/", site.port()));
    target.ca_pem = Some(root.pem.as_bytes().into());
    check_with(&asking(&[&dns]), target, &expectation()).await
}

async fn of_body(change: impl FnOnce(&mut sitewatch::domain::expectation::Expectation)) -> Check {
    let site = Site::plain(|_| answer(200, "Content-Type: text/plain\r\n", "hello world")).await;
    let mut expectation = expectation();
    change(&mut expectation);
    let mut target = target(&site.url("/"));
    target.wants_body = true;
    target.max_body = 5;
    check_with(&nameless(), target, &expectation).await
}

/// A check that ends with this kind; none where the kind is not one of a single check.
#[expect(
    clippy::too_many_lines,
    reason = "one arm a kind, so that a new one breaks the build"
)]
async fn provoke(kind: FailureKind) -> Option<Check> {
    use FailureKind as K;
    Some(match kind {
        K::Status => of_script(answer(503, "", "")).await,
        K::DnsNotFound => of_name(Says::NxDomain).await,
        K::DnsTimeout => of_name(Says::Silence).await,
        K::DnsFailure => of_name(Says::ServFail).await,
        K::ConnectRefused => check(&format!("http://127.0.0.1:{}/", closed_port().await)).await,
        K::ConnectTimeout => {
            let deaf = DeafPort::new().await;
            let url = format!("http://127.0.0.1:{}/", deaf.port);
            check_with(&nameless(), soon(&url), &expectation()).await
        }
        // The kernel takes no TCP to the broadcast address, whatever routes there are.
        K::ConnectUnreachable => check("http://255.255.255.255/").await,
        K::ConnectReset => of_script(vec![Act::Reset]).await,
        K::TlsExpired => {
            let root = Pair::authority("Test Root", None, -100, 3650);
            let leaf = Pair::leaf(&["site.test"], Some(&root), -90, -2);
            of_certificate(&leaf, &root, "site.test").await
        }
        K::TlsNotYetValid => {
            let root = Pair::authority("Test Root", None, -100, 3650);
            let leaf = Pair::leaf(&["site.test"], Some(&root), 2, 90);
            of_certificate(&leaf, &root, "site.test").await
        }
        K::TlsHostname => {
            let root = Pair::authority("Test Root", None, -100, 3650);
            let leaf = Pair::leaf(&["site.test"], Some(&root), -1, 90);
            of_certificate(&leaf, &root, "other.test").await
        }
        K::TlsUntrusted => {
            let leaf = Pair::leaf(&["site.test"], None, -1, 90);
            let stranger = Pair::authority("Stranger", None, -1, 90);
            of_certificate(&leaf, &stranger, "site.test").await
        }
        K::TlsTimeout => {
            let (_, server) = good_site();
            let never = Duration::from_secs(60);
            let site = Site::slow_tls(server, never, |_| Vec::new()).await;
            let url = format!("https://127.0.0.1:{}/", site.port());
            check_with(&nameless(), soon(&url), &expectation()).await
        }
        K::TlsHandshake => {
            // A server that speaks first, and not TLS.
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a port");
            let address = listener.local_addr().expect("a bound socket");
            let serving = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let _ = stream.write_all(b"220 mail.test ESMTP\r\n").await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
            let check = check(&format!("https://{address}/")).await;
            serving.abort();
            check
        }
        K::TimeoutResponse => of_script(vec![Act::Hang]).await,
        K::TimeoutBody => {
            let mut script = say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
            script.push(Act::Hang);
            of_script(script).await
        }
        K::ClosedEarly => of_script(say("HTTP/1.1 200 OK\r\nContent-")).await,
        K::BodyTruncated => of_script(say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")).await,
        K::Protocol => of_script(say("SSH-2.0-OpenSSH_9.9\r\n")).await,
        K::RedirectLoop => of_script(redirect(302, "/")).await,
        K::RedirectLimit => {
            let site = Site::plain(|request| redirect(302, &format!("/{}", request.number))).await;
            check(&site.url("/start")).await
        }
        K::RedirectInvalid => of_script(answer(301, "", "")).await,
        K::RedirectDowngrade => {
            let (root, server) = good_site();
            let site = Site::tls(server, |_| redirect(301, "http://site.test/")).await;
            let dns = NameServer::loopback().await;
            let mut target = target(&format!("https://site.test:{}/", site.port()));
            target.ca_pem = Some(root.pem.as_bytes().into());
            check_with(&asking(&[&dns]), target, &expectation()).await
        }
        // Needs a public address to start from: see `redirects`, where a proxy stands for one.
        K::RedirectBlocked => super::redirects::blocked_by_literal().await,
        K::FinalUrl => {
            of_body(|want| want.final_url = Some(TextMatch::Exact("https://x/".into()))).await
        }
        K::Header => {
            of_body(|want| {
                let json = TextMatch::Pattern(Arc::new(Regex::new("json").expect("a pattern")));
                want.headers = vec![("Content-Type".into(), json)];
            })
            .await
        }
        K::Body => of_body(|want| want.body_excludes = vec!["hell".into()]).await,
        K::Json => {
            let site = Site::plain(|_| answer(200, "", "{\"status\":\"bad\"}")).await;
            let mut expectation = expectation();
            expectation.json = vec![JsonAssertion {
                path_text: "$.status".into(),
                path: JsonPath::parse("$.status").expect("a path"),
                test: JsonTest::Equals(Document::string("ok")),
            }];
            let mut target = target(&site.url("/"));
            target.wants_body = true;
            check_with(&nameless(), target, &expectation).await
        }
        K::BodyTooLarge => of_body(|want| want.body_contains = vec!["world".into()]).await,
        K::Slow => of_body(|want| want.degraded_after = SlowLimit::After(Duration::ZERO)).await,
        K::CertificateExpiring => {
            let (root, server) = good_site();
            let site = Site::tls(server, |_| answer(200, "", "")).await;
            let dns = NameServer::loopback().await;
            let mut target = target(&format!("https://site.test:{}/", site.port()));
            target.ca_pem = Some(root.pem.as_bytes().into());
            let target = std::sync::Arc::new(target);
            let prober = asking(&[&dns]);
            // Eighty days later the same certificate has nine left.
            let later = sitewatch::clock::now().plus(Duration::from_secs(80 * 86_400));
            let probe = prober.run(&target, later).await;
            let mut expectation = expectation();
            expectation.certificate_expiry = vec![Duration::from_secs(21 * 86_400)];
            judge(&expectation, &target, probe)
        }
        K::Local => {
            let mut target = target("https://127.0.0.1/");
            target.client_certificate = Some(ClientCertificate {
                chain_pem: b"no PEM"[..].into(),
                key_pem: sitewatch::domain::secret::Secret::new("none"),
            });
            check_with(&nameless(), target, &expectation()).await
        }
        K::HttpVersion => {
            let site = Site::plain(|_| answer(200, "", "")).await;
            let mut target = target(&site.url("/"));
            target.http = HttpChoice::Two;
            check_with(&nameless(), target, &expectation()).await
        }
        // Said of many checks, never of one.
        K::Intermittent => return None,
        // Other kinds of checks end in these.
        K::AddressDown | K::Regional | K::PacketLoss | K::PingTimeout | K::DnsAnswer => {
            return None;
        }
    })
}

#[tokio::test]
async fn every_kind_is_told_apart() {
    for kind in FailureKind::ALL {
        let Some(check) = provoke(*kind).await else {
            continue;
        };
        let failure = check.verdict.failure();
        assert_eq!(
            failure.map(|failure| failure.kind),
            Some(*kind),
            "{}",
            summary(&check)
        );
        let detail = &failure.expect("just compared").detail;
        assert!(
            !detail.is_empty() && !detail.contains('\n'),
            "{kind}: {detail:?}"
        );
        let state = match kind {
            FailureKind::Slow | FailureKind::CertificateExpiring => "degraded",
            FailureKind::Local => "unknown",
            _ => "down",
        };
        assert_eq!(check.verdict.state().as_str(), state, "{}", summary(&check));
    }
}

#[tokio::test]
async fn a_reset_is_named_by_its_phase() {
    assert_eq!(
        verdict(&of_script(vec![Act::Reset]).await),
        "down connect_reset"
    );
    let mut half = say("HTTP/1.1 200 OK\r\nConte");
    half.push(Act::Wait(Duration::from_millis(30)));
    half.push(Act::Reset);
    assert_eq!(verdict(&of_script(half).await), "down connect_reset");
    let mut body = say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
    body.push(Act::Wait(Duration::from_millis(30)));
    body.push(Act::Reset);
    assert_eq!(verdict(&of_script(body).await), "down body_truncated 200");
}

#[tokio::test]
async fn name_servers_failures_stay_apart() {
    for (says, want) in [
        (Says::NxDomain, "down dns_not_found"),
        (Says::Addresses(Vec::new()), "down dns_not_found"),
        (Says::ServFail, "down dns_failure"),
        (Says::Refused, "down dns_failure"),
        (Says::Garbage, "down dns_failure"),
        (Says::Silence, "down dns_timeout"),
    ] {
        let check = of_name(says.clone()).await;
        assert_eq!(verdict(&check), want, "{says:?}: {}", summary(&check));
    }
}

#[tokio::test]
async fn a_name_server_that_is_not_there() {
    let closed = closed_port().await;
    let prober = sitewatch::probe::Prober::new(&sitewatch::domain::target::DnsSettings {
        servers: vec![std::net::SocketAddr::from(([127, 0, 0, 1], closed)).into()],
        hosts: "/nonexistent".into(),
        ..Default::default()
    })
    .expect("a prober");
    let check = check_with(&prober, soon("http://site.test/"), &expectation()).await;
    let text = summary(&check);
    assert_eq!(verdict(&check), "down dns_timeout", "{text}");
    assert!(text.contains("127.0.0.1"), "{text}");
}
