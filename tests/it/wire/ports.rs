//! `tcp://` and `tls://` against a scripted port: every way a check can end, and what a hostile server can do.

use std::time::Duration;

use sitewatch::domain::check::{Check, FailureKind};

use crate::support::check::{asking, nameless, summary};
use crate::support::dns::{NameServer, Says};
use crate::support::pki::{Pair, good_site};
use crate::support::port::{Port, Step, check_at, check_of, monitor, monitor_in, say};
use crate::support::site::{DeafPort, closed_port};

/// One check of a port with this script.
async fn tcp(script: Vec<Step>, keys: &str) -> Check {
    let port = Port::new(script).await;
    let url = format!("tcp://{}", port.address);
    check_of(&nameless(), &monitor(&format!("url = \"{url}\"\n{keys}"))).await
}

#[track_caller]
fn assert_said(check: &Check, want: &str) {
    let said = summary(check);
    let port = check.chain.remote_addr.map_or(0, |address| address.port());
    let said = said.replace(&format!(":{port}"), ":PORT");
    assert_eq!(said, want);
}

const SOON: &str = "timeout = \"700ms\"\n";

#[tokio::test]
async fn a_connection_is_enough_without_expect() {
    for script in [
        vec![],
        vec![Step::Hang],
        vec![Step::Reset],
        vec![say("220 mx ESMTP\r\n"), Step::Hang],
    ] {
        let check = tcp(script, "").await;
        assert_said(&check, "up");
        assert!(check.timings.connect.is_some() && check.timings.ttfb.is_none());
        assert!(check.status.is_none() && check.http_version.is_none());
        assert!(check.has_reached());
    }
}

#[tokio::test]
async fn what_a_server_says_is_searched_as_it_comes() {
    let expect = format!("expect = \"^220 .*ESMTP\"\n{SOON}");
    let begun = sitewatch::clock::tick();
    for script in [
        vec![say("220 mx ESMTP\r\n"), Step::Hang],
        vec![
            say("220 "),
            Step::Wait(Duration::from_millis(50)),
            say("mx ES"),
            Step::Wait(Duration::from_millis(50)),
            say("MTP"),
            Step::Hang,
        ],
        vec![say("220 mx ESMTP")],
    ] {
        let check = tcp(script, &expect).await;
        assert_said(&check, "up");
        assert!(check.timings.ttfb.is_some());
        assert!(check.body_bytes >= 12);
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "not till the end");
}

#[tokio::test]
async fn a_dripping_server_is_understood() {
    let bytes = "220 mx.example.com ESMTP Postfix\r\n".bytes();
    let script = bytes
        .flat_map(|byte| [Step::Say(vec![byte]), Step::Wait(Duration::from_millis(2))])
        .chain([Step::Hang])
        .collect();
    let check = tcp(script, "expect = 'Postfix\\r\\n$'\ntimeout = \"5s\"").await;
    assert_said(&check, "up");
    assert!(check.timings.total.as_duration() < Duration::from_secs(3));
}

#[tokio::test]
async fn every_way_a_conversation_can_fail() {
    let expect = format!("expect = \"^220 \"\n{SOON}");
    for (script, want) in [
        (
            vec![say("550 go away\r\n"), Step::Hang],
            "down body: the server said `550 go away`, which does not match /^220 /; nothing more came within the \
             timeout of 700ms",
        ),
        (
            vec![say("550 go away\r\n")],
            "down body: the server said `550 go away`, which does not match /^220 /; then it closed the connection",
        ),
        (
            vec![
                say("550 go away\r\n"),
                Step::Wait(Duration::from_millis(50)),
                Step::Reset,
            ],
            "down body: the server said `550 go away`, which does not match /^220 /; then it reset the connection",
        ),
        (
            vec![Step::Say(vec![0, 1, 2])],
            "down body: the server said nothing that can be printed, which does not match /^220 /; then it closed the \
             connection",
        ),
        (
            vec![Step::Hang],
            "down timeout_response: connected, but the server said nothing within the timeout of 700ms",
        ),
        (
            vec![],
            "down closed_early: the server closed the connection without a byte",
        ),
        (
            vec![Step::Wait(Duration::from_millis(50)), Step::Reset],
            "down connect_reset: the server reset the connection without a byte",
        ),
    ] {
        let check = tcp(script, &expect).await;
        assert_said(&check, want);
        // A reset may come of what lies between.
        assert_eq!(
            check.has_reached(),
            !want.contains("connect_reset"),
            "{want}"
        );
    }
}

#[tokio::test]
async fn what_is_sent_arrives_as_it_is_written() {
    let port = Port::new(vec![Step::Hear(8), say("+PONG\r\n"), Step::Hang]).await;
    let keys = format!(
        "url = \"tcp://{}\"\nsend = \"PI\\u0000NG\\r\\n\\t\"\nexpect = \"^\\\\+PONG\"",
        port.address
    );
    let check = check_of(&nameless(), &monitor(&keys)).await;
    assert_said(&check, "up");
    assert_eq!(port.heard(), b"PI\0NG\r\n\t");
    // Without `expect` nothing is waited for.
    let port = Port::new(vec![Step::Hear(4), Step::Hang]).await;
    let keys = format!("url = \"tcp://{}\"\nsend = \"QUIT\"", port.address);
    assert_said(&check_of(&nameless(), &monitor(&keys)).await, "up");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_matched() {
    let script = vec![
        Step::Say(b"\x4a\0\0\0\x0a8.0.36\0\xff".to_vec()),
        Step::Hang,
    ];
    let check = tcp(
        script.clone(),
        "expect = '(?s-u)^.\\x00\\x00\\x00\\x0a8\\.'",
    )
    .await;
    assert_said(&check, "up");
    let check = tcp(script, "expect = '(?-u)\\xff$'").await;
    assert_said(&check, "up");
}

#[tokio::test]
async fn no_more_than_max_body_is_read() {
    let keys = "expect = \"needle\"\nmax_body = \"4KiB\"\ntimeout = \"5s\"";
    let mut flood = vec![b'x'; 1 << 20];
    flood.extend(b"needle");
    let check = tcp(vec![Step::Say(flood)], keys).await;
    assert!(
        summary(&check).ends_with("; 4096 bytes were read (max_body)"),
        "{}",
        summary(&check)
    );
    assert_eq!(check.body_bytes, 4096);
    assert!(check.excerpt.is_some_and(|excerpt| excerpt.len() <= 600));
    let mut near = vec![b'x'; 4090];
    near.extend(b"needle");
    assert_said(&tcp(vec![Step::Say(near), Step::Hang], keys).await, "up");
}

#[tokio::test]
async fn a_pattern_that_costs_is_searched_aside_and_found() {
    let mut bytes = vec![b'a'; 30_000];
    bytes.extend(b"1b");
    let keys = "expect = '^[a-z]+[0-9]{1,3}b'\ntimeout = \"20s\"";
    let check = tcp(vec![Step::Say(bytes), Step::Hang], keys).await;
    assert_eq!(check.verdict.state().as_str(), "up", "{}", summary(&check));
    assert!(check.body_bytes > 30_000);
}

#[tokio::test]
async fn name_and_connection_fail_as_those_of_a_site() {
    let deaf = DeafPort::new().await;
    for (url, want) in [
        (
            format!("tcp://127.0.0.1:{}", closed_port().await),
            FailureKind::ConnectRefused,
        ),
        (
            format!("tcp://127.0.0.1:{}", deaf.port),
            FailureKind::ConnectTimeout,
        ),
        (
            "tcp://255.255.255.255:25".to_owned(),
            FailureKind::ConnectUnreachable,
        ),
    ] {
        let check = check_of(&nameless(), &monitor(&format!("url = \"{url}\"\n{SOON}"))).await;
        let kind = check.verdict.failure().map(|failure| failure.kind);
        assert_eq!(kind, Some(want), "{}", summary(&check));
        assert!(!check.has_reached());
    }
    for (says, want) in [
        (Says::NxDomain, FailureKind::DnsNotFound),
        (Says::ServFail, FailureKind::DnsFailure),
        (Says::Silence, FailureKind::DnsTimeout),
    ] {
        let dns = NameServer::start(move |_| says.clone()).await;
        let keys = format!("url = \"tcp://db.test:5432\"\n{SOON}");
        let check = check_of(&asking(&[&dns]), &monitor(&keys)).await;
        let kind = check.verdict.failure().map(|failure| failure.kind);
        assert_eq!(kind, Some(want), "{}", summary(&check));
        assert!(check.timings.dns.is_some() && check.timings.connect.is_none());
    }
}

/// One check of a port that begins TLS by its script, as `tls://site.test`.
async fn tls(server: rustls::ServerConfig, script: Vec<Step>, root: &Pair, keys: &str) -> Check {
    let port = Port::with_tls(script, Some(server)).await;
    let dns = NameServer::loopback().await;
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("ca.pem"), &root.pem).expect("a file");
    let url = format!("tls://site.test:{}", port.address.port());
    let keys = format!("url = \"{url}\"\nca_file = \"ca.pem\"\n{keys}");
    let monitor = monitor_in(directory.path(), &keys);
    check_of(&asking(&[&dns]), &monitor).await
}

#[tokio::test]
async fn tls_is_judged_by_its_certificate_and_what_is_said_over_it() {
    let (root, server) = good_site();
    let check = tls(server.clone(), vec![Step::Tls, Step::Hang], &root, "").await;
    assert_said(&check, "up");
    let certificate = check.certificate.as_ref().expect("a certificate");
    assert_eq!(certificate.subject, "CN=site.test");
    assert!(check.timings.tls.is_some() && check.timings.dns.is_some());
    let spoken = vec![Step::Tls, Step::Hear(6), say("* OK ready\r\n"), Step::Hang];
    let keys = "send = \"a1 X\\r\\n\"\nexpect = \"^\\\\* OK\"";
    assert_said(
        &tls(server.clone(), spoken.clone(), &root, keys).await,
        "up",
    );
    let keys = "send = \"a1 X\\r\\n\"\nexpect = \"^\\\\* BYE\"\ntimeout = \"1s\"";
    let check = tls(server.clone(), spoken, &root, keys).await;
    assert!(summary(&check).starts_with("down body: the server said `* OK ready`"));
    // What follows the handshake may be cut without TLS' closing message.
    let cut = vec![
        Step::Tls,
        Step::Wait(Duration::from_millis(50)),
        Step::Reset,
    ];
    let check = tls(server, cut, &root, "expect = \"x\"").await;
    assert_said(
        &check,
        "down connect_reset: the server reset the connection without a byte",
    );
}

#[tokio::test]
async fn certificate_faults_have_their_kinds() {
    let root = Pair::authority("Test Root", None, -100, 3650);
    let stranger = Pair::authority("Stranger", None, -100, 3650);
    let leaf = |names: &[&str], from, to| Pair::leaf(names, Some(&root), from, to);
    for (server, trusted, want) in [
        (
            leaf(&["site.test"], -90, -2).server(&[]),
            &root,
            FailureKind::TlsExpired,
        ),
        (
            leaf(&["site.test"], 2, 90).server(&[]),
            &root,
            FailureKind::TlsNotYetValid,
        ),
        (
            leaf(&["other.test"], -1, 90).server(&[]),
            &root,
            FailureKind::TlsHostname,
        ),
        (
            leaf(&["site.test"], -1, 90).server(&[]),
            &stranger,
            FailureKind::TlsUntrusted,
        ),
    ] {
        let script = vec![Step::Tls, Step::Hang];
        let check = tls(server.clone(), script.clone(), trusted, "").await;
        let kind = check.verdict.failure().map(|failure| failure.kind);
        assert_eq!(kind, Some(want), "{}", summary(&check));
        assert!(check.certificate.is_some() && check.has_reached());
        let check = tls(server, script, trusted, "verify_tls = false").await;
        assert_eq!(check.verdict.state().as_str(), "up", "{}", summary(&check));
        assert!(check.certificate.is_some());
        assert!(
            check
                .remarks
                .iter()
                .any(|remark| remark.contains("let pass"))
        );
    }
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_degraded() {
    let (root, server) = good_site();
    let port = Port::with_tls(vec![Step::Tls, Step::Hang], Some(server)).await;
    let dns = NameServer::loopback().await;
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("ca.pem"), &root.pem).expect("a file");
    let keys = format!(
        "url = \"tls://site.test:{}\"\nca_file = \"ca.pem\"",
        port.address.port()
    );
    let monitor = monitor_in(directory.path(), &keys);
    let later = sitewatch::clock::now().plus(Duration::from_secs(80 * 86_400));
    let check = check_at(&asking(&[&dns]), &monitor, later).await;
    assert!(
        summary(&check)
            .starts_with("degraded certificate_expiring: the certificate CN=site.test expires in"),
        "{}",
        summary(&check)
    );
}

#[tokio::test]
async fn handshakes_that_do_not_come_to_an_end() {
    let (root, server) = good_site();
    for (script, keys, want) in [
        (
            vec![Step::Hang],
            "timeout = \"700ms\"",
            "down tls_timeout: no complete TLS handshake from 127.0.0.1:PORT within the timeout of 700ms",
        ),
        (
            vec![],
            "",
            "down tls_handshake: the connection was reset during the TLS handshake",
        ),
        (
            vec![say("SSH-2.0-OpenSSH_9.9\r\n"), Step::Hang],
            "",
            "down tls_handshake: TLS handshake failed: the server does not answer in TLS",
        ),
    ] {
        let check = tls(server.clone(), script, &root, keys).await;
        assert_said(&check, want);
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_missed() {
    let (root, _) = good_site();
    let leaf = Pair::leaf(&["site.test"], Some(&root), -1, 90);
    let server = leaf.server_with(&[], Some(&root));
    let own = Pair::leaf(&["client.test"], Some(&root), -1, 90);
    let port = Port::with_tls(vec![Step::Tls, say("hello"), Step::Hang], Some(server)).await;
    let dns = NameServer::loopback().await;
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("ca.pem", &root.pem),
        ("own.pem", &own.pem),
        ("own-key.pem", &own.key_pem()),
    ] {
        std::fs::write(directory.path().join(name), text).expect("a file");
    }
    let keys = format!(
        "url = \"tls://site.test:{}\"\nca_file = \"ca.pem\"\nexpect = \"hello\"\n",
        port.address.port()
    );
    let prober = asking(&[&dns]);
    let check = check_of(&prober, &monitor_in(directory.path(), &keys)).await;
    assert!(
        summary(&check).starts_with("down tls_handshake: "),
        "{}",
        summary(&check)
    );
    let with = "client_certificate = { cert_file = \"own.pem\", key_file = \"own-key.pem\" }";
    let monitor = monitor_in(directory.path(), &format!("{keys}{with}"));
    assert_said(&check_of(&prober, &monitor).await, "up");
}

#[tokio::test]
async fn starttls_is_asked_for_in_the_servers_protocol() {
    let (root, server) = good_site();
    let begin = || {
        vec![
            say("220 mx ESMTP\r\n"),
            Step::Wait(Duration::from_millis(100)),
            say("250-mx\r\n250 STARTTLS\r\n"),
            Step::Wait(Duration::from_millis(100)),
        ]
    };
    let with = |steps: Vec<Step>| begin().into_iter().chain(steps).collect::<Vec<_>>();
    let hear = || Step::Wait(Duration::from_millis(50));
    let keys = "starttls = \"smtp\"\ntimeout = \"3s\"";
    // The client's lines are read before TLS begins.
    let good = vec![
        say("220 mx ESMTP\r\n"),
        Step::Hear(1),
        hear(),
        say("250-mx\r\n250 STARTTLS\r\n"),
        Step::Hang,
    ];
    let check = tls(server.clone(), good, &root, keys).await;
    assert!(
        summary(&check)
            .starts_with("down timeout_response: connected, but no go-ahead for TLS (STARTTLS)"),
        "{}",
        summary(&check)
    );
    assert!(check.has_reached());
    for (script, want) in [
        (vec![Step::Hang], "down timeout_response"),
        (vec![], "down closed_early"),
        (vec![say("550 no\r\n"), Step::Hang], "down tls_handshake"),
        (
            with(vec![say("454 no TLS now\r\n"), Step::Hang]),
            "down tls_handshake",
        ),
    ] {
        let check = tls(server.clone(), script, &root, keys).await;
        assert!(
            summary(&check).starts_with(want),
            "{want}: {}",
            summary(&check)
        );
    }
}

/// What MySQL says first: version, capabilities with CLIENT_SSL, and what a client does not look at.
fn mysql_greeting() -> Step {
    let mut payload = vec![10];
    payload.extend(b"8.0.36\0");
    payload.extend([0; 12]);
    payload.push(0);
    payload.extend(0xffff_u16.to_le_bytes());
    payload.extend([0x21, 2, 0]);
    payload.extend(0xffff_u16.to_le_bytes());
    payload.extend([21; 1]);
    payload.extend([0; 23]);
    let length = u8::try_from(payload.len()).expect("a short greeting");
    let mut packet = vec![length, 0, 0, 0];
    packet.extend(payload);
    Step::Say(packet)
}

#[tokio::test]
async fn every_dialogue_ends_in_a_handshake() {
    const ASKS: &[u8] = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let (root, server) = good_site();
    for (protocol, script) in [
        (
            "smtp",
            vec![
                say("220 mx ESMTP\r\n"),
                Step::Until(b"\r\n"),
                say("250-mx\r\n250-SIZE 1\r\n250 STARTTLS\r\n"),
                Step::Until(b"STARTTLS\r\n"),
                say("220 2.0.0 go ahead\r\n"),
            ],
        ),
        (
            "imap",
            vec![
                say("* OK ready\r\n"),
                Step::Until(b"CAPABILITY\r\n"),
                say("* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n"),
                Step::Until(b"STARTTLS\r\n"),
                say("a2 OK begin\r\n"),
            ],
        ),
        (
            "pop3",
            vec![
                say("+OK ready\r\n"),
                Step::Until(b"STLS\r\n"),
                say("+OK begin\r\n"),
            ],
        ),
        (
            "ftp",
            vec![
                say("220-hello\r\n220 ready\r\n"),
                Step::Until(b"AUTH TLS\r\n"),
                say("234 begin\r\n"),
            ],
        ),
        (
            "ldap",
            vec![
                Step::Until(b"1.3.6.1.4.1.1466.20037"),
                Step::Say(vec![0x30, 0x0c, 2, 1, 1, 0x78, 7, 0x0a, 1, 0, 4, 0, 4, 0]),
            ],
        ),
        ("postgres", vec![Step::Hear(8), say("S")]),
        ("mysql", vec![mysql_greeting(), Step::Hear(36)]),
        (
            "xmpp",
            vec![
                Step::Until(b"http://etherx.jabber.org/streams'>"),
                say("<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                     xmlns:stream='http://etherx.jabber.org/streams' version='1.0' from='site.test'>\
                     <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>\
                     </starttls></stream:features>"),
                Step::Until(ASKS),
                say("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            ],
        ),
    ] {
        let mut script = script;
        script.extend([Step::Tls, say("hello\r\n"), Step::Hang]);
        let keys = format!("starttls = \"{protocol}\"\nexpect = \"^hello\"\ntimeout = \"8s\"");
        let check = tls(server.clone(), script, &root, &keys).await;
        assert_eq!(summary(&check), "up", "{protocol}");
        assert!(
            check.timings.tls.is_some() && check.certificate.is_some(),
            "{protocol}"
        );
    }
}
