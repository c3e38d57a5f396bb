//! The system gives no more memory: an answer that wants it is its site's failure, and the daemon goes on.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{House, Site, exit_code, monitor, signal, text};

/// A body of 64 MiB, for every connection.
fn large_site() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let piece = vec![b'x'; 1 << 20];
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 2048]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20);
            let mut wrote = stream.write_all(head.as_bytes());
            for _ in 0..64 {
                wrote = wrote.and_then(|()| stream.write_all(&piece));
            }
        }
    });
    port
}

#[tokio::test]
async fn a_body_that_there_is_no_memory_for_is_its_sites_failure() {
    let (large, site) = (large_site(), Site::start(200));
    let greedy = monitor("large", large).trim_end().to_owned()
        + "\nmax_body = \"64MiB\"\nbody_contains = [\"nothing like it\"]\nenabled = false\n\n";
    let house = House::new(&(monitor("shop", site.port) + &greedy));
    let mut daemon = house.start().await;
    house
        .until("a check", || {
            text(&house.ask(&["status", "shop"]).stdout).contains(" up ")
        })
        .await;
    // What it has, and a little more: 64 MiB are not there.
    let pid = daemon.0.id();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kb: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    let limit = Some((kb << 10) + (48 << 20));
    let limits = Rlimit {
        current: limit,
        maximum: limit,
    };
    prlimit(Some(Pid::from_child(&daemon.0)), Resource::As, limits).unwrap();
    let path = house.path().join("monitors.toml");
    let enabled = std::fs::read_to_string(&path)
        .unwrap()
        .replace("enabled = false", "enabled = true");
    std::fs::write(&path, enabled).unwrap();
    assert!(house.ask(&["reload"]).status.success());
    house
        .until("it is down for it", || {
            text(&house.ask(&["history", "large", "--json"]).stdout)
                .contains("has no memory for more than the first ")
        })
        .await;
    assert!(text(&house.ask(&["recheck", "shop"]).stdout).starts_with("shop: up"));
    let shop = text(&house.ask(&["history", "shop", "--json"]).stdout);
    assert!(!shop.contains("\"down\""), "{shop}");
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
}
