//! Every address of a name by itself: four servers behind one name, and what becomes of the check when some are bad.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rustls::ServerConfig;
use sitewatch::domain::check::{AddressCheck, Check};
use tokio::net::TcpListener;

use crate::support::check::{asking, summary};
use crate::support::dns::{NameServer, Says};
use crate::support::pki::Pair;
use crate::support::port::{Port, Step, check_of, monitor, monitor_in, say};

/// What one of the servers does; none: nobody listens there.
type Server = Option<(Vec<Step>, Option<ServerConfig>)>;

fn http(status: u16) -> Server {
    let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
    Some((vec![Step::Until(b"\r\n\r\n"), say(&text)], None))
}

fn does(steps: Vec<Step>) -> Server {
    Some((steps, None))
}

fn https(leaf: &Pair) -> Server {
    let answer = say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    Some((
        vec![Step::Tls, Step::Until(b"\r\n\r\n"), answer],
        Some(leaf.server(&[])),
    ))
}

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// Sockets of the same port at 127.0.0.1, .2, .3 and so on.
async fn sockets(count: u8) -> Vec<TcpListener> {
    'again: for _ in 0..50 {
        let first = TcpListener::bind((ip(1), 0)).await.expect("a port");
        let port = first.local_addr().expect("a bound socket").port();
        let mut all = vec![first];
        for last in 2..=count {
            match TcpListener::bind((ip(last), port)).await {
                Ok(socket) => all.push(socket),
                Err(_) => continue 'again,
            }
        }
        return all;
    }
    panic!("no port is free at {count} addresses");
}

/// One check of `SCHEME://site.test:PORT/` with these servers behind the name.
async fn check(scheme: &str, servers: Vec<Server>, root: Option<&Pair>, keys: &str) -> Check {
    let (check, _) = check_and_requests(scheme, servers, root, keys).await;
    check
}

/// The same, and how many requests each server heard.
async fn check_and_requests(
    scheme: &str,
    servers: Vec<Server>,
    root: Option<&Pair>,
    keys: &str,
) -> (Check, Vec<usize>) {
    let count = u8::try_from(servers.len()).expect("a few");
    let sockets = sockets(count).await;
    let port = sockets[0].local_addr().expect("a bound socket").port();
    let serving: Vec<Option<Port>> = sockets
        .into_iter()
        .zip(servers)
        .map(|(socket, server)| {
            let (script, tls) = server?;
            Some(Port::listening(socket, script, tls))
        })
        .collect();
    let dns = NameServer::scripted(move |asked| match asked.six {
        true => Says::Addresses(Vec::new()),
        false => Says::Addresses((1..=count).map(ip).collect()),
    })
    .await;
    let directory = tempfile::tempdir().expect("a directory");
    let mut text = format!("url = \"{scheme}://site.test:{port}\"\naddresses = \"each\"\n{keys}\n");
    if let Some(root) = root {
        std::fs::write(directory.path().join("ca.pem"), &root.pem).expect("a file");
        text.push_str("ca_file = \"ca.pem\"\n");
    }
    let monitor = monitor_in(directory.path(), &text);
    let check = check_of(&asking(&[&dns]), &monitor).await;
    let requests = serving.iter().map(|server| {
        let heard = server.as_ref().map(Port::heard).unwrap_or_default();
        heard.windows(4).filter(|end| *end == b"\r\n\r\n").count()
    });
    (check, requests.collect())
}

fn addresses(check: &Check) -> &[AddressCheck] {
    let extras = check.extras.as_deref();
    extras
        .and_then(|extras| extras.addresses.as_deref())
        .unwrap_or_default()
}

/// `up up down:status up`
fn states(check: &Check) -> String {
    let words: Vec<String> = addresses(check)
        .iter()
        .map(|one| match &one.failure {
            None => one.state.to_string(),
            Some(failure) => format!("{}:{}", one.state, failure.kind),
        })
        .collect();
    words.join(" ")
}

const SOON: &str = "timeout = \"1s\"\ndegraded_after = \"off\"";

#[tokio::test]
async fn one_of_four_is_bad_in_turn() {
    let slow = || {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        does(vec![
            Step::Until(b"\r\n\r\n"),
            Step::Wait(Duration::from_secs(5)),
            say(text),
        ])
    };
    for (bad, kind) in [
        (None, "connect_refused"),
        (
            does(vec![Step::Until(b"\r\n\r\n"), Step::Hang]),
            "timeout_response",
        ),
        (http(503), "status"),
        (slow(), "timeout_response"),
        (
            does(vec![Step::Until(b"\r\n\r\n"), Step::Reset]),
            "connect_reset",
        ),
        (does(vec![Step::Until(b"\r\n\r\n")]), "closed_early"),
        (
            does(vec![Step::Until(b"\r\n\r\n"), say("SSH-2.0-x\r\n")]),
            "protocol",
        ),
    ] {
        // Not the first, which the ordinary check meets.
        let servers = vec![http(200), http(200), bad, http(200)];
        let check = check("http", servers, None, SOON).await;
        assert_eq!(
            states(&check),
            format!("up up down:{kind} up"),
            "{}",
            summary(&check)
        );
        let said = summary(&check);
        let want = format!("degraded address_down 200: 1 of 4 addresses is bad: 127.0.0.3 {kind}");
        assert!(said.starts_with(&want), "{said}");
        assert!(check.verdict.is_good());
    }
}

#[tokio::test]
async fn certificates_of_one_address() {
    let root = Pair::authority("Test Root", None, -10, 3650);
    let good = Pair::leaf(&["site.test"], Some(&root), -1, 90);
    let keys = "timeout = \"5s\"\ndegraded_after = \"off\"";
    for (names, days, want) in [
        (["site.test"], -1, "up up down:tls_expired up"),
        (["other.test"], 90, "up up down:tls_hostname up"),
        (["site.test"], 5, "up up degraded:certificate_expiring up"),
    ] {
        let bad = Pair::leaf(&names, Some(&root), -50, days);
        let servers = vec![https(&good), https(&good), https(&bad), https(&good)];
        let check = check("https", servers, Some(&root), keys).await;
        assert_eq!(states(&check), want, "{}", summary(&check));
        let said = summary(&check);
        if days == 5 {
            assert!(
                said.starts_with("degraded certificate_expiring 200: "),
                "{said}"
            );
            assert!(said.ends_with("; served by 127.0.0.3 only"), "{said}");
            let shown = check.certificate.as_ref().expect("it was shown");
            let third = addresses(&check)[2].certificate.as_ref();
            assert_eq!(Some(shown), third, "the one that ends first");
        } else {
            assert!(said.starts_with("degraded address_down 200: "), "{said}");
        }
    }
}

#[tokio::test]
async fn all_of_them_are_down_with_their_kind() {
    let all = || http(503);
    let bad = check("http", vec![all(), all(), all(), all()], None, SOON).await;
    assert!(
        summary(&bad).starts_with("down status 503: "),
        "{}",
        summary(&bad)
    );
    assert_eq!(addresses(&bad).len(), 4);
    let bad = check("http", vec![None, None], None, SOON).await;
    assert!(
        summary(&bad).starts_with("down connect_refused: "),
        "{}",
        summary(&bad)
    );
}

#[tokio::test]
async fn one_may_make_it_down() {
    let keys = format!("{SOON}\non_address_down = \"down\"");
    let found = check("http", vec![http(200), http(503)], None, &keys).await;
    let said = summary(&found);
    assert!(said.starts_with("down address_down 200: 1 of 2"), "{said}");
}

#[tokio::test]
async fn all_good_is_up_and_a_slow_one_is_not_bad() {
    let found = check("http", vec![http(200), http(204)], None, SOON).await;
    assert_eq!(summary(&found), "up 200");
    let statuses: Vec<_> = addresses(&found).iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Some(200), Some(204)]);
    let late = Some((
        vec![
            Step::Until(b"\r\n\r\n"),
            Step::Wait(Duration::from_millis(700)),
            say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ],
        None,
    ));
    let keys = "timeout = \"5s\"\ndegraded_after = \"500ms\"";
    let found = check("http", vec![http(200), late], None, keys).await;
    assert_eq!(states(&found), "up degraded:slow");
    assert_eq!(summary(&found), "up 200");
}

#[tokio::test]
async fn sixteen_at_most_and_four_at_once() {
    let servers = (0..18).map(|_| http(200)).collect();
    let found = check("http", servers, None, "timeout = \"5s\"").await;
    assert_eq!(addresses(&found).len(), 16, "{}", summary(&found));
    assert_eq!(summary(&found), "up 200");
    // Four that are silent use up the time, so that nothing is known of the others.
    let silent = || does(vec![Step::Until(b"\r\n\r\n"), Step::Hang]);
    let servers = vec![
        http(200),
        silent(),
        silent(),
        silent(),
        silent(),
        silent(),
        http(503),
    ];
    let found = check("http", servers, None, SOON).await;
    let unjudged = states(&found).matches("unknown:local").count();
    assert!(unjudged >= 1, "{}", states(&found));
    assert!(summary(&found).starts_with("degraded address_down"));
}

#[tokio::test]
async fn the_ordinary_check_is_that_of_its_address() {
    let servers = vec![http(200), http(503), http(200)];
    let (found, requests) = check_and_requests("http", servers, None, SOON).await;
    assert_eq!(states(&found), "up down:status up");
    assert_eq!(requests, [1, 1, 1]);
    let servers = vec![http(503), http(200), http(503)];
    let (found, requests) = check_and_requests("http", servers, None, SOON).await;
    assert_eq!(states(&found), "down:status up down:status");
    // A failure is looked at again: it may have been the name's.
    assert_eq!(requests, [2, 1, 1]);
    // Where it was redirected, it may have met several addresses.
    let text = "HTTP/1.1 302 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n";
    let redirects = || does(vec![Step::Until(b"\r\n\r\n"), say(text)]);
    let keys = format!("{SOON}\nfollow_redirects = true\nmax_redirects = 1");
    let (found, requests) =
        check_and_requests("http", vec![redirects(), redirects()], None, &keys).await;
    assert_eq!(states(&found), "down:redirect_limit down:redirect_limit");
    assert_eq!(requests, [4, 2]);
}

/// The name takes a second and more each time, the site almost as long as it may: together they are too late, and no
/// address did anything wrong.
#[tokio::test]
async fn a_slow_name_is_not_blamed_on_its_address() {
    let steps = vec![
        Step::Until(b"\r\n\r\n"),
        Step::Wait(Duration::from_millis(1300)),
        say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ];
    let socket = sockets(1).await.remove(0);
    let port = socket.local_addr().expect("a bound socket").port();
    let _serving = Port::listening(socket, steps, None);
    let dns = NameServer::scripted(|asked| {
        let found = match asked.six {
            true => Says::Addresses(Vec::new()),
            false => Says::Addresses(vec![ip(1)]),
        };
        Says::After(Duration::from_millis(1200), Box::new(found))
    })
    .await;
    let keys = format!(
        "url = \"http://site.test:{port}\"\naddresses = \"each\"\ntimeout = \"2s\"\ndegraded_after = \"off\""
    );
    let found = check_of(&asking(&[&dns]), &monitor(&keys)).await;
    assert_eq!(states(&found), "up");
    assert_eq!(summary(&found), "up 200");
}

#[tokio::test]
async fn ports_have_addresses_too() {
    let banner = |text: &str| does(vec![say(text), Step::Hang]);
    let keys = format!("{SOON}\nexpect = \"^220\"");
    let servers = vec![banner("220 mx\r\n"), banner("554 no\r\n"), None];
    let found = check("tcp", servers, None, &keys).await;
    assert_eq!(states(&found), "up down:body down:connect_refused");
    let said = summary(&found);
    assert!(said.starts_with("degraded address_down: 2 of 3"), "{said}");
}

#[tokio::test]
async fn a_name_without_addresses_is_told_as_ever() {
    let dns = NameServer::start(|_| Says::NxDomain).await;
    let directory = tempfile::tempdir().expect("a directory");
    let keys = "url = \"http://site.test/\"\naddresses = \"each\"";
    let monitor = monitor_in(directory.path(), keys);
    let found = check_of(&asking(&[&dns]), &monitor).await;
    assert!(
        summary(&found).starts_with("down dns_not_found"),
        "{}",
        summary(&found)
    );
    assert!(addresses(&found).is_empty());
}

#[tokio::test]
async fn with_connect_to_its_addresses_are_meant() {
    let sockets = sockets(2).await;
    let port = sockets[0].local_addr().expect("a bound socket").port();
    let mut sites = Vec::new();
    for (socket, status) in sockets.into_iter().zip([200, 503]) {
        let (script, tls) = http(status).expect("a server");
        sites.push(Port::listening(socket, script, tls));
    }
    let dns = NameServer::scripted(|asked| match asked.six {
        true => Says::Addresses(Vec::new()),
        false => Says::Addresses(vec![ip(1), ip(2)]),
    })
    .await;
    for (place, at) in [
        ("origin.test".to_owned(), port),
        (format!("origin.test:{port}"), 80),
    ] {
        let keys = format!(
            "url = \"http://site.test:{at}/\"\naddresses = \"each\"\nconnect_to = \"{place}\"\n{SOON}"
        );
        let found = check_of(&asking(&[&dns]), &monitor(&keys)).await;
        assert_eq!(states(&found), "up down:status", "{}", summary(&found));
        let ports: Vec<u16> = addresses(&found)
            .iter()
            .map(|one| one.addr.port())
            .collect();
        assert_eq!(ports, [port, port]);
    }
    let asked = dns.names();
    assert!(
        asked.iter().all(|name| name.starts_with("origin.")),
        "{asked:?}"
    );
    let heard = String::from_utf8_lossy(&sites[1].heard()).to_lowercase();
    assert!(heard.contains("host: site.test"), "{heard}");
}

#[tokio::test]
async fn a_family_that_this_host_cannot_route_is_not_judged() {
    let site = Port::new(vec![
        Step::Until(b"\r\n\r\n"),
        say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ])
    .await;
    // An address of one link, without saying of which: there is no way to it from anywhere.
    let nowhere: IpAddr = "fe80::1".parse().expect("an address");
    let dns = NameServer::scripted(move |asked| match asked.six {
        true => Says::Addresses(vec![nowhere]),
        false => Says::Addresses(vec![ip(1)]),
    })
    .await;
    let keys = format!(
        "url = \"http://site.test:{}/\"\naddresses = \"each\"\n{SOON}",
        site.address.port()
    );
    let found = check_of(&asking(&[&dns]), &monitor(&keys)).await;
    assert_eq!(summary(&found), "up 200");
    assert!(!states(&found).contains("down"), "{}", states(&found));
}
