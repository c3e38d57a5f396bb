//! Certificates and handshakes.

use std::time::Duration;

use sitewatch::domain::check::Check;
use sitewatch::domain::secret::Secret;
use sitewatch::domain::target::{ClientCertificate, Proxy, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::support::check::{asking, check_with, expectation, nameless, summary, target, verdict};
use crate::support::dns::{NameServer, Says};
use crate::support::pki::{Pair, good_site};
use crate::support::site::{Act, Site, answer, say};

async fn look(server: rustls::ServerConfig, change: impl FnOnce(&mut Target)) -> Check {
    let site = Site::tls(server, |_| answer(200, "", "hello")).await;
    let dns = NameServer::loopback().await;
    let mut target = target(&format!("https://site.test:{}/", site.port()));
    change(&mut target);
    check_with(&asking(&[&dns]), target, &expectation()).await
}

fn trusting(root: &Pair) -> impl FnOnce(&mut Target) + use<> {
    let pem = root.pem.as_bytes().into();
    |target| target.ca_pem = Some(pem)
}

#[tokio::test]
async fn a_good_certificate_is_reported() {
    let (root, server) = good_site();
    let check = look(server, trusting(&root)).await;
    assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
    let certificate = check.certificate.expect("a certificate");
    assert_eq!(certificate.subject, "CN=site.test");
    assert_eq!(certificate.issuer, "CN=Test Root");
    let left = certificate.not_after.since(check.at);
    assert!(left > Duration::from_secs(89 * 86_400), "{left:?}");
    assert!(left < Duration::from_secs(91 * 86_400), "{left:?}");
    assert!(check.timings.tls.is_some() && check.timings.connect.is_some());
}

#[tokio::test]
async fn the_earliest_end_of_the_verified_path_counts() {
    let root = Pair::authority("Test Root", None, -10, 3650);
    let middle = Pair::authority("Middle", Some(&root), -5, 9);
    let spare = Pair::authority("Spare", None, -5, 3);
    let leaf = Pair::leaf(&["site.test"], Some(&middle), -1, 90);
    // The spare certificate is sent too, and is nobody's business.
    let check = look(leaf.server(&[&middle, &spare]), trusting(&root)).await;
    assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
    let certificate = check.certificate.expect("a certificate");
    assert_eq!(certificate.subject, "CN=site.test");
    let left = certificate.not_after.since(check.at).as_secs() / 86_400;
    assert!((8..=9).contains(&left), "{left}");
}

#[tokio::test]
async fn every_certificate_fault_is_named_and_shown() {
    let root = Pair::authority("Test Root", None, -100, 3650);
    let middle = Pair::authority("Middle", Some(&root), -100, 3650);
    let old_middle = Pair::authority("Old Middle", Some(&root), -100, -3);
    let below = |issuer: &Pair, from, to| Pair::leaf(&["site.test"], Some(issuer), from, to);
    let stranger = Pair::authority("Stranger", None, -1, 90);
    let cases: Vec<(&str, rustls::ServerConfig, &str, &str)> = vec![
        (
            "expired",
            below(&root, -90, -2).server(&[]),
            "tls_expired",
            "expired on",
        ),
        (
            "expired intermediate",
            below(&old_middle, -1, 90).server(&[&old_middle]),
            "tls_expired",
            "intermediate certificate CN=Old Middle",
        ),
        (
            "not yet",
            below(&root, 2, 90).server(&[]),
            "tls_not_yet_valid",
            "is valid from",
        ),
        (
            "wrong host",
            Pair::leaf(&["other.test", "*.site.test"], Some(&root), -1, 90).server(&[]),
            "tls_hostname",
            "other.test, *.site.test",
        ),
        (
            "name in the CN only",
            Pair::leaf_with_cn_only("site.test", &root).server(&[]),
            "tls_hostname",
            "no subject alternative name",
        ),
        (
            "self-signed",
            Pair::leaf(&["site.test"], None, -1, 90).server(&[]),
            "tls_untrusted",
            "self-signed",
        ),
        (
            "self-signed authority",
            Pair::authority("site.test", None, -1, 90).server(&[]),
            "tls_untrusted",
            "self-signed",
        ),
        (
            "unknown root",
            below(&stranger, -1, 90).server(&[&stranger]),
            "tls_untrusted",
            "root CN=Stranger",
        ),
        (
            "missing intermediate",
            below(&middle, -1, 90).server(&[]),
            "tls_untrusted",
            "no intermediate",
        ),
    ];
    for (what, server, kind, says) in cases {
        let trust = trusting(&root);
        let check = look(server.clone(), trust).await;
        let text = summary(&check);
        assert_eq!(verdict(&check), format!("down {kind}"), "{what}: {text}");
        assert!(text.contains(says), "{what}: {text}");
        assert!(check.certificate.is_some(), "{what}");
        // Without verification it is up, shown all the same, and remarked.
        let trust = trusting(&root);
        let check = look(server, |target| {
            trust(target);
            target.verify_tls = false;
        })
        .await;
        assert_eq!(verdict(&check), "up 200", "{what}: {}", summary(&check));
        assert!(check.certificate.is_some(), "{what}");
        assert!(
            check.remarks.join(" ").contains("verify_tls = false"),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_certificate_may_be_its_own_anchor() {
    let own = Pair::leaf(&["site.test"], None, -1, 90);
    let check = look(own.server(&[]), trusting(&own)).await;
    assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
    let own = Pair::authority("site.test", None, -9, -1);
    let check = look(own.server(&[]), trusting(&own)).await;
    assert_eq!(verdict(&check), "down tls_expired", "{}", summary(&check));
}

#[tokio::test]
async fn client_certificates() {
    let (root, _) = good_site();
    let leaf = Pair::leaf(&["site.test"], Some(&root), -1, 90);
    let server = leaf.server_with(&[], Some(&root));
    let check = look(server.clone(), trusting(&root)).await;
    assert_eq!(verdict(&check), "down tls_handshake", "{}", summary(&check));
    let me = Pair::leaf(&["me.test"], Some(&root), -1, 90);
    let trust = trusting(&root);
    let check = look(server, |target| {
        trust(target);
        target.client_certificate = Some(ClientCertificate {
            chain_pem: me.pem.as_bytes().into(),
            key_pem: Secret::new(me.key_pem()),
        });
    })
    .await;
    assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
}

#[tokio::test]
async fn handshakes_that_break() {
    // Bytes that are no TLS, an alert (old protocol), a close, a reset.
    let alert = vec![0x15, 3, 1, 0, 2, 2, 70];
    for (what, script, says) in [
        ("http", say("HTTP/1.1 400 Bad Request\r\n\r\n"), "TLS"),
        (
            "alert",
            vec![Act::Send(alert)],
            "neither TLS 1.2 nor TLS 1.3",
        ),
        ("close", Vec::new(), "closed"),
        ("reset", vec![Act::Reset], "reset"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let script: Vec<Act> = script;
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut hello = [0; 16];
                let _ = stream.read(&mut hello).await;
                for act in &script {
                    match act {
                        Act::Send(bytes) => {
                            let _ = stream.write_all(bytes).await;
                        }
                        Act::Reset => {
                            let _ = stream.set_zero_linger();
                        }
                        Act::Wait(_) | Act::Hang | Act::Drop => {}
                    }
                }
                if !script.iter().any(|act| matches!(act, Act::Reset)) {
                    let _ = stream.shutdown().await;
                    let mut rest = [0; 1024];
                    while matches!(stream.read(&mut rest).await, Ok(1..)) {}
                }
            }
        });
        let target = target(&format!("https://127.0.0.1:{port}/"));
        let check = check_with(&nameless(), target, &expectation()).await;
        let text = summary(&check);
        assert_eq!(verdict(&check), "down tls_handshake", "{what}: {text}");
        assert!(text.contains(says), "{what}: {text}");
        serving.abort();
    }
}

#[tokio::test]
async fn an_unclean_end_of_tls() {
    let (root, server) = good_site();
    for (head, want) in [
        ("HTTP/1.1 200 OK\r\n\r\nhello", "up 200"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "up 200",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            "down body_truncated 200",
        ),
        ("HTTP/1.1 200 OK\r\nConten", "down closed_early"),
    ] {
        let site = Site::tls(server.clone(), move |_| {
            let mut script = say(head);
            script.push(Act::Drop);
            script
        })
        .await;
        let dns = NameServer::loopback().await;
        let mut target = target(&format!("https://site.test:{}/", site.port()));
        target.ca_pem = Some(root.pem.as_bytes().into());
        let check = check_with(&asking(&[&dns]), target, &expectation()).await;
        assert_eq!(verdict(&check), want, "{head:?}: {}", summary(&check));
    }
}

/// What is decrypted is read together, and nothing of it is lost, whatever the records hold.
#[tokio::test]
async fn records_of_any_size_make_one_body() {
    use std::io::{Read as _, Write as _};

    let (root, server) = good_site();
    let server = std::sync::Arc::new(server);
    for record in [1, 2, 7, 16_384] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::sync::Arc::clone(&server);
        let serving = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut session = rustls::ServerConnection::new(server).unwrap();
            let mut stream = rustls::Stream::new(&mut session, &mut socket);
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 20007\r\n\r\n".to_vec();
            bytes.extend(b"ab".repeat(10_000));
            bytes.extend(b"the end");
            for piece in bytes.chunks(record) {
                stream.write_all(piece).unwrap();
            }
            stream.flush().unwrap();
            // Until the other side goes.
            let _ = stream.read(&mut [0; 16]);
        });
        let dns = NameServer::loopback().await;
        let mut target = target(&format!("https://site.test:{port}/"));
        target.wants_body = true;
        target.ca_pem = Some(root.pem.as_bytes().into());
        let mut expectation = expectation();
        expectation.body_contains = vec!["abthe end".into()];
        let check = check_with(&asking(&[&dns]), target, &expectation).await;
        assert_eq!(verdict(&check), "up 200", "{record}: {}", summary(&check));
        assert_eq!(check.body_bytes, 20_007, "{record}");
        serving.join().unwrap();
    }
}

/// Delays are known; each phase must show its own, and none a part of another.
#[tokio::test]
async fn phases_show_where_the_time_went() {
    let ms = Duration::from_millis;
    let (root, server) = good_site();
    let script = |_: &crate::support::site::Received| {
        vec![
            Act::Wait(Duration::from_millis(200)),
            Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec()),
            Act::Wait(Duration::from_millis(250)),
            Act::Send(b"hello".to_vec()),
        ]
    };
    let site = Site::slow_tls(server, ms(150), script).await;
    let dns =
        NameServer::start(move |_| Says::late(ms(100), vec![std::net::Ipv4Addr::LOCALHOST.into()]))
            .await;
    let mut target = target(&format!("https://site.test:{}/", site.port()));
    target.ca_pem = Some(root.pem.as_bytes().into());
    let check = check_with(&asking(&[&dns]), target, &expectation()).await;
    assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
    let mut sum = Duration::ZERO;
    for ((name, took), least) in check
        .timings
        .phases()
        .into_iter()
        .zip([100, 0, 150, 200, 250])
    {
        let took = took.expect("every phase happened").as_duration();
        sum += took;
        assert!(
            took >= ms(least),
            "{name} took {took:?}, at least {least} ms"
        );
    }
    let total = check.timings.total.as_duration();
    // No phase holds what another one holds too: how slow the machine is does not matter for that.
    assert!(total >= sum, "{total:?} {sum:?}");
}

#[tokio::test]
async fn a_label_may_begin_or_end_with_a_hyphen() {
    let root = Pair::authority("Test Root", None, -100, 3650);
    let good = Pair::leaf(&["*.site.test"], Some(&root), -1, 90);
    let expired = Pair::leaf(&["*.site.test"], Some(&root), -90, -2);
    let other = Pair::leaf(&["other.test"], Some(&root), -1, 90);
    let stranger = Pair::leaf(&["other.test"], None, -1, 90);
    let dns = NameServer::loopback().await;
    for (leaf, want) in [
        (&good, "up 200"),
        (&expired, "down tls_expired"),
        (&other, "down tls_handshake"),
        (&stranger, "down tls_handshake"),
    ] {
        let site = Site::tls(leaf.server(&[]), |request| {
            answer(200, "", request.header("host").unwrap_or_default())
        })
        .await;
        for host in ["shop-.site.test", "-shop.site.test", "SHOP-.site.test."] {
            let mut target = target(&format!("https://{host}:{}/", site.port()));
            target.ca_pem = Some(root.pem.as_bytes().into());
            let check = check_with(&asking(&[&dns]), target.clone(), &expectation()).await;
            let said = summary(&check);
            assert_eq!(verdict(&check), want, "{host}: {said}");
            assert_eq!(
                said.contains("hyphen"),
                want == "down tls_handshake",
                "{said}"
            );
            target.verify_tls = false;
            let check = check_with(&asking(&[&dns]), target, &expectation()).await;
            assert_eq!(verdict(&check), "up 200", "{host}: {}", summary(&check));
        }
    }
    let no = NameServer::start(|_| Says::NxDomain).await;
    let target = target("https://shop-.site.test/");
    let check = check_with(&asking(&[&no]), target, &expectation()).await;
    assert_eq!(verdict(&check), "down dns_not_found");
    assert!(no.asked() > 0);
}

#[tokio::test]
async fn proxies() {
    let (root, server) = good_site();
    let site = Site::tls(server, |_| answer(200, "", "hello")).await;
    let to = site.address;
    for (refusal, user, want) in [
        (None, "", "up 200"),
        (None, "user:pa%20ss@", "up 200"),
        (
            Some("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
            "",
            "down connect_refused",
        ),
        (
            Some("HTTP/1.1 502 Bad Gateway\r\n\r\n"),
            "",
            "down connect_refused",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a request"));
                }
                let _ = seen.send(String::from_utf8_lossy(&head).into_owned());
                match refusal {
                    Some(refusal) => {
                        let _ = stream.write_all(refusal.as_bytes()).await;
                    }
                    None => {
                        let mut onward = TcpStream::connect(to).await.expect("the site");
                        let _ = stream.write_all(b"HTTP/1.1 200 Fine\r\n\r\n").await;
                        let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
                    }
                }
            }
        });
        let mut target = target("https://site.test/");
        target.ca_pem = Some(root.pem.as_bytes().into());
        let proxy = format!("http://{user}127.0.0.1:{port}");
        target.proxy = Proxy::Through(Url::parse(&proxy).expect("a URL"));
        let check = check_with(&nameless(), target, &expectation()).await;
        assert_eq!(verdict(&check), want, "{}", summary(&check));
        let names_login = summary(&check).contains("it wants a user name and a password");
        assert_eq!(
            names_login,
            refusal.is_some_and(|refusal| refusal.contains("407")),
            "{}",
            summary(&check)
        );
        let head = requests.recv().await.expect("the proxy was asked");
        assert!(
            head.starts_with("CONNECT site.test:443 HTTP/1.1\r\n"),
            "{head}"
        );
        let has_login = head
            .to_ascii_lowercase()
            .contains("proxy-authorization: basic dxnlcjpwysbzcw==");
        assert_eq!(has_login, !user.is_empty(), "{head}");
        serving.abort();
    }
}

#[tokio::test]
async fn http_through_a_proxy() {
    let proxy = Site::plain(|request| answer(200, "", &request.path)).await;
    let mut target = target("http://site.test/a?b");
    let url = format!("http://me:secret@{}", proxy.address);
    target.proxy = Proxy::Environment {
        http: Some(Url::parse(&url).expect("a URL")),
        https: None,
        no_proxy: "other.test".into(),
    };
    let prober = nameless();
    let check = check_with(&prober, target.clone(), &expectation()).await;
    assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
    let request = proxy.last();
    assert_eq!(request.path, "http://site.test/a?b");
    assert_eq!(request.header("host"), Some("site.test"));
    assert_eq!(
        request.header("proxy-authorization"),
        Some("Basic bWU6c2VjcmV0")
    );
    // A proxy that is down is said to be the proxy.
    let closed = crate::support::site::closed_port().await;
    let url = Url::parse(&format!("http://127.0.0.1:{closed}")).expect("a URL");
    target.proxy = Proxy::Through(url);
    let check = check_with(&prober, target.clone(), &expectation()).await;
    assert_eq!(verdict(&check), "down connect_refused");
    assert!(
        summary(&check).contains("at the proxy"),
        "{}",
        summary(&check)
    );
    // An exception goes directly: nobody resolves the name here.
    target.proxy = Proxy::Environment {
        http: Some(Url::parse(&proxy.url("")).expect("a URL")),
        https: None,
        no_proxy: "site.test".into(),
    };
    let no = NameServer::start(|_| Says::NxDomain).await;
    let check = check_with(&asking(&[&no]), target, &expectation()).await;
    assert_eq!(verdict(&check), "down dns_not_found");
}
