//! Readers who cost: many at once, silent ones, ones that ask and do not read.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use sitewatch::clock;

use super::Fixture;

/// What `/healthz` may take while others misbehave. It takes a millisecond alone, and the machine of a test is busy; but
/// what waits for others waits until they are cut off, after 10 s at the earliest.
const AT_ONCE: Duration = Duration::from_secs(8);

fn large() -> Fixture {
    let monitors = (0..1500)
        .map(|index| format!("[[monitor]]\nurl = \"https://a{index}.example/some/path\"\n"));
    Fixture::with(&monitors.collect::<String>())
}

fn is_healthy_at_once(fixture: &Fixture) {
    let begun = clock::tick();
    assert_eq!(fixture.get("/healthz").status, 200);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

#[test]
fn silent_connections_do_not_keep_others_out() {
    let fixture = Fixture::new();
    let connect = || {
        let mut stream = TcpStream::connect(fixture.server.address()).expect("a connection");
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
            .expect("written");
        stream
    };
    let mut silent: VecDeque<TcpStream> = (0..600).map(|_| connect()).collect();
    for _ in 0..5 {
        is_healthy_at_once(&fixture);
        for _ in 0..100 {
            silent.pop_front();
            silent.push_back(connect());
        }
    }
    assert_eq!(fixture.get("/").status, 200);
}

#[test]
fn readers_who_do_not_read_make_room_for_others() {
    let fixture = large();
    let ask = |index: usize| {
        let mut stream = TcpStream::connect(fixture.server.address()).expect("a connection");
        // So many answers at a time would fill what the kernel keeps.
        let asked = format!("GET /metrics?x={index} HTTP/1.1\r\nHost: a\r\n\r\n").repeat(8);
        stream.write_all(asked.as_bytes()).expect("written");
        stream
    };
    let readers: Vec<TcpStream> = (0..520).map(ask).collect();
    for _ in 0..3 {
        is_healthy_at_once(&fixture);
    }
    assert_eq!(fixture.get("/").status, 200);
    drop(readers);
}

#[test]
fn a_page_that_is_made_does_not_hold_up_whether_we_live() {
    let fixture = large();
    let mut asking: Vec<TcpStream> = Vec::new();
    for index in 0..40 {
        let mut stream = TcpStream::connect(fixture.server.address()).expect("a connection");
        // Each is another answer.
        let path = format!("/?tag=t{index}&page={index}");
        let asked = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(asked.as_bytes()).expect("written");
        asking.push(stream);
    }
    is_healthy_at_once(&fixture);
}

#[test]
fn what_a_path_passes_over_makes_no_other_answer() {
    let fixture = Fixture::new();
    // Each has the moment in it, and is made once a second.
    let same = |one: &str, other: &str| {
        (0..20).any(|_| {
            let (one, other) = (fixture.get(one), fixture.get(other));
            one.status == 200 && one.body == other.body
        })
    };
    for (one, other) in [
        ("/metrics", "/metrics?x=1"),
        ("/metrics?x=1&x=2", "/metrics?y"),
        ("/", "/?x=1"),
        ("/?tag=prod", "/?x=1&tag=prod"),
        ("/?tag=other&tag=prod", "/?tag=prod&utm_source=a"),
        ("/feed.atom", "/feed.atom?x"),
        ("/monitor/shop", "/monitor/%73hop?x=1"),
        ("/badge/shop.svg", "/badge/shop.svg?x=1"),
        (
            "/badge/shop.svg?show=state",
            "/badge/shop.svg?x=1&show=state",
        ),
    ] {
        assert!(same(one, other), "{one} {other}");
    }
    let badge = |path: &str| fixture.get(path).body;
    assert_ne!(
        badge("/badge/shop.svg?show=state"),
        badge("/badge/shop.svg?show=uptime")
    );
    assert_ne!(badge("/badge/shop.svg?label=a"), badge("/badge/shop.svg"));
    assert_eq!(fixture.get("/api/v1/monitors?x=1").status, 400);
}
