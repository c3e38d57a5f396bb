//! What a server says is cut off, in every phase of a check: the line hangs there, is closed, or is reset.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sitewatch::domain::check::Check;
use sitewatch::domain::http_choice::HttpChoice;
use sitewatch::probe::Prober;

use crate::support::check::{asking, check_with, expectation, summary, target, verdict};
use crate::support::dns::NameServer;
use crate::support::h2_site::{H2Site, Then, Two};
use crate::support::pki::{Pair, good_site};
use crate::support::port::{Port, Step, check_of, monitor_in, say};
use crate::support::relay::{Ending, Relay};

/// Within a handshake: after nothing, in the first record's header, behind it, in the middle of what it says.
const WITHIN_A_HANDSHAKE: [u64; 5] = [0, 1, 5, 90, 400];

/// Nothing is cut off.
const ALL: u64 = u64::MAX;

/// What hangs is waited for so long.
const TIMEOUT: Duration = Duration::from_secs(4);

/// How a check looks: at which port, with whose certificates.
#[derive(Debug, Clone, Copy)]
enum Way {
    Tls,
    Https(HttpChoice),
}

/// What all checks of a test share.
struct Shared {
    prober: Prober,
    root: Pair,
    _dns: NameServer,
}

impl Shared {
    async fn new(root: Pair) -> Arc<Self> {
        let dns = NameServer::loopback().await;
        let prober = asking(&[&dns]);
        Arc::new(Self {
            prober,
            root,
            _dns: dns,
        })
    }
}

async fn look(way: Way, port: u16, shared: &Shared) -> Check {
    let Shared { prober, root, .. } = shared;
    match way {
        Way::Tls => {
            let directory = tempfile::tempdir().expect("a directory");
            std::fs::write(directory.path().join("ca.pem"), &root.pem).expect("a file");
            let keys = format!(
                "url = \"tls://site.test:{port}\"\nca_file = \"ca.pem\"\nexpect = \"^220 .*ESMTP\"\n\
                 timeout = \"{}ms\"",
                TIMEOUT.as_millis()
            );
            check_of(prober, &monitor_in(directory.path(), &keys)).await
        }
        Way::Https(http) => {
            let mut target = target(&format!("https://site.test:{port}/"));
            target.ca_pem = Some(root.pem.as_bytes().into());
            target.http = http;
            target.wants_body = true;
            target.timeout = TIMEOUT;
            check_with(prober, target, &expectation()).await
        }
    }
}

/// What comes of a server whose words are cut off after so many bytes, by each ending.
async fn cut(way: Way, server: SocketAddr, shared: Arc<Shared>, bytes: u64) -> [Check; 3] {
    let one = async |ending| {
        let relay = Relay::tcp(server, bytes, ending).await;
        look(way, relay.port, &shared).await
    };
    let (hang, close, reset) =
        tokio::join!(one(Ending::Hang), one(Ending::Close), one(Ending::Reset));
    [hang, close, reset]
}

/// Cuts at all of these places, beside each other: how many bytes, and what the endings make of it.
async fn assert_cuts(
    way: Way,
    server: SocketAddr,
    shared: Arc<Shared>,
    places: Vec<(u64, [&str; 3])>,
) {
    let cuts: Vec<_> = places
        .into_iter()
        .map(|(bytes, want)| {
            let cutting = tokio::spawn(cut(way, server, Arc::clone(&shared), bytes));
            (bytes, want, cutting)
        })
        .collect();
    for (bytes, want, cutting) in cuts {
        let found = cutting.await.expect("no panic");
        let all = found.each_ref().map(summary);
        let said = found.each_ref().map(verdict);
        let is_as_wanted = |(said, want): (&String, &str)| want.split('|').any(|want| want == said);
        assert!(
            said.iter().zip(want).all(is_as_wanted),
            "{way:?}, {bytes} bytes, not {want:?}: {all:?}"
        );
        for text in all {
            assert!(!text.contains("Error") && !text.contains('{'), "{text}");
        }
    }
}

fn within_the_handshake() -> Vec<(u64, [&'static str; 3])> {
    let want = [
        "down tls_timeout",
        "down tls_handshake",
        "down tls_handshake",
    ];
    WITHIN_A_HANDSHAKE.map(|bytes| (bytes, want)).into()
}

const BEFORE_AN_ANSWER: [&str; 3] = [
    "down timeout_response",
    "down closed_early",
    "down connect_reset",
];

#[tokio::test]
async fn a_port_with_tls() {
    let (root, server) = good_site();
    let shared = Shared::new(root).await;
    let silent = Port::with_tls(vec![Step::Tls, Step::Hang], Some(server.clone())).await;
    let whole = Relay::tcp(silent.address, ALL, Ending::Hang).await;
    look(Way::Tls, whole.port, &shared).await;
    let handshake = whole.passed();
    let greets = vec![Step::Tls, say("220 mx.example ESMTP\r\n"), Step::Hang];
    let port = Port::with_tls(greets, Some(server)).await;
    let mut places = within_the_handshake();
    places.extend([0, 3, 12].map(|more| (handshake + more, BEFORE_AN_ANSWER)));
    places.push((ALL, ["up"; 3]));
    assert_cuts(Way::Tls, port.address, shared, places).await;
}

/// A version of HTTP over TLS, whose answer has a body of 60 kB.
async fn assert_cut_answers(http: HttpChoice) {
    let (root, server) = good_site();
    let shared = Shared::new(root).await;
    let way = Way::Https(http);
    let body = "y".repeat(60_000);
    let one = format!("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n{body}");
    let quiet = Two::Frames(Vec::new(), Then::Hang);
    let quiet = H2Site::new(server.clone(), "", quiet).await;
    let whole = Relay::tcp(quiet.address, ALL, Ending::Hang).await;
    look(way, whole.port, &shared).await;
    let handshake = whole.passed();
    let site = H2Site::new(server, &one, Two::answer(200, &body)).await;
    let mut places = within_the_handshake();
    places.extend([0, 3, 20].map(|more| (handshake + more, BEFORE_AN_ANSWER)));
    let within_the_body = [
        "down timeout_body 200",
        "down body_truncated 200",
        // On a busy machine it comes before the header was read.
        "down body_truncated 200|down connect_reset",
    ];
    places.push((handshake + 40_000, within_the_body));
    places.push((ALL, ["up 200"; 3]));
    assert_cuts(way, site.address, shared, places).await;
}

#[tokio::test]
async fn http_1() {
    assert_cut_answers(HttpChoice::One).await;
}

#[tokio::test]
async fn http_2() {
    assert_cut_answers(HttpChoice::Two).await;
}

/// Datagrams are lost: after so many of the server's nothing comes.
#[cfg(feature = "http3")]
#[tokio::test]
async fn http_3() {
    use crate::support::h3_site::{H3Site, Three, data, headers};
    let root = Pair::authority("Test Root", None, -10, 3650);
    let leaf = Pair::leaf(&["site.test"], Some(&root), -1, 90);
    // So long that they do not fit into what a server may send before the client has answered.
    let others: Vec<Pair> = (0..12)
        .map(|number| Pair::authority(&format!("Other {number}"), None, -1, 90))
        .collect();
    let server = leaf.server(&others.iter().collect::<Vec<_>>());
    let shared = Shared::new(root).await;
    let answer = [headers(&[]), data(&vec![b'y'; 200_000])].concat();
    let site = H3Site::new(server, Three::Frames(answer));
    let after = |datagrams| {
        let (server, shared) = (site.address, Arc::clone(&shared));
        tokio::spawn(async move {
            let relay = Relay::udp(server, datagrams).await;
            let check = look(Way::Https(HttpChoice::Three), relay.port, &shared).await;
            let said = summary(&check);
            assert!(!said.contains("Error") && !said.contains('{'), "{said}");
            verdict(&check)
        })
    };
    let known = [
        (0, "down connect_timeout"),
        (1, "down tls_timeout"),
        (2, "down tls_timeout"),
        (60, "down timeout_body 200"),
        (ALL, "up 200"),
    ]
    .map(|(datagrams, want)| (datagrams, want, after(datagrams)));
    let between: Vec<_> = (3..16).map(after).collect();
    for (datagrams, want, checking) in known {
        assert_eq!(checking.await.expect("no panic"), want, "{datagrams}");
    }
    let mut found = Vec::new();
    for checking in between {
        found.push(checking.await.expect("no panic"));
    }
    let phases = [
        "down tls_timeout",
        "down timeout_response",
        "down timeout_body 200",
    ];
    assert!(
        found.iter().all(|one| phases.contains(&one.as_str())),
        "{found:?}"
    );
    assert!(found.iter().any(|one| one == phases[1]), "{found:?}");
}
