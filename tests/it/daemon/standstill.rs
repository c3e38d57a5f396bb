//! The process is stopped in the middle of a check: what it could not see blames nobody.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering::SeqCst};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use tokio::time::sleep;

use super::{House, exit_code, signal, text};

/// Longer than a check of these monitors may take, so that every deadline passes while the process stands still.
const STOPPED_FOR: Duration = Duration::from_secs(7);

/// Where a site stops in its answer while it holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connect,
    Header,
    Body,
}

/// A site that is good until it holds: then each check gets as far as a phase, and no further.
struct Held {
    phase: Phase,
    port: u16,
    holds: Arc<AtomicBool>,
    /// How many checks came that far.
    reached: Arc<AtomicU16>,
}

impl Held {
    fn start(phase: Phase) -> Self {
        // So short a queue that a connection more than it takes is not answered.
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let listener = TcpListener::from(socket);
        listener.set_nonblocking(true).unwrap();
        let held = Self {
            phase,
            port: listener.local_addr().unwrap().port(),
            holds: Arc::default(),
            reached: Arc::default(),
        };
        let (holds, reached) = (Arc::clone(&held.holds), Arc::clone(&held.reached));
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            loop {
                let is_held = holds.load(SeqCst);
                let accepted = match is_held && phase == Phase::Connect {
                    true => None,
                    false => listener.accept().ok(),
                };
                let Some((mut stream, _)) = accepted else {
                    std::thread::park_timeout(Duration::from_millis(5));
                    continue;
                };
                stream.set_nonblocking(false).unwrap();
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let asked = stream.read(&mut [0; 2048]).unwrap_or(0);
                let answer: &[u8] = match (is_held, phase) {
                    (true, Phase::Header) => b"",
                    (true, Phase::Body) => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no",
                    _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                };
                let _ = stream.write_all(answer);
                if is_held && asked > 0 {
                    reached.fetch_add(1, SeqCst);
                    kept.push(stream.try_clone().unwrap());
                }
            }
        });
        held
    }

    fn holds(&self) {
        self.holds.store(true, SeqCst);
        if self.phase == Phase::Connect {
            // Until nothing more fits into the queue.
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
            while TcpStream::connect_timeout(&at, Duration::from_millis(200)).is_ok() {}
        }
    }

    /// Whether a check is where it is to be stopped.
    fn is_reached(&self) -> bool {
        match self.phase {
            Phase::Connect => {
                let wanted = format!(":{:04X} 02 ", self.port);
                let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
                sockets.contains(&wanted)
            }
            Phase::Header | Phase::Body => self.reached.load(SeqCst) > 0,
        }
    }
}

#[tokio::test]
async fn a_process_that_is_stopped_in_a_check_blames_no_site() {
    let sites = [Phase::Connect, Phase::Header, Phase::Body].map(Held::start);
    let monitors: String = sites
        .iter()
        .zip(["connect", "header", "body"])
        .map(|(site, name)| {
            format!(
                "[[monitor]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{}/\"\ninterval = \"6s\"\ntimeout = \"5s\"\n\
                 failures_before_down = 1\n\n",
                site.port
            )
        })
        .collect();
    let house = House::new(&monitors);
    let mut daemon = house.start().await;
    let states = |name: &str| -> Vec<String> {
        let output = house.ask(&["history", name, "--json"]);
        let state = |line: &str| {
            let check: serde_json::Value = serde_json::from_str(line).unwrap();
            check["state"].as_str().unwrap().to_owned()
        };
        text(&output.stdout).lines().map(state).collect()
    };
    let names = ["connect", "header", "body"];
    house
        .until("all are up", || {
            names
                .iter()
                .all(|name| states(name).contains(&"up".to_owned()))
        })
        .await;
    // Each of them by itself: the checks begin at different times.
    for (site, name) in sites.iter().zip(names) {
        site.holds();
        house
            .until("a check is under way", || site.is_reached())
            .await;
        signal(&daemon, rustix::process::Signal::STOP);
        sleep(STOPPED_FOR).await;
        site.holds.store(false, SeqCst);
        signal(&daemon, rustix::process::Signal::CONT);
        house
            .until("it is unknown", || {
                states(name).contains(&"unknown".to_owned())
            })
            .await;
        house
            .until("it is up again", || states(name)[0] == "up")
            .await;
    }
    for name in names {
        let all = states(name);
        assert!(!all.contains(&"down".to_owned()), "{name}: {all:?}");
    }
    assert!(house.mails().is_empty(), "{:?}", house.subjects());
    assert_eq!(house.open_incidents(), 0);
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
}
