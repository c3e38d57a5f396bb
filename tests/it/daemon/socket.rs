//! Whoever may write to the control socket, and what they cannot do to the daemon with it.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use sitewatch::clock;

use super::{House, Site, monitor, text};

/// Orders are answered within this beside any number of bad clients, on a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);

fn connect(house: &House) -> UnixStream {
    let stream = UnixStream::connect(house.path().join("control.sock")).unwrap();
    let within = Some(Duration::from_secs(60));
    stream.set_read_timeout(within).unwrap();
    stream
}

/// Sends a line and reads what comes.
fn asked(house: &House, line: &str) -> String {
    let mut stream = connect(house);
    stream.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn rechecks_above_their_rate_are_refused() {
    let site = Site::start(200);
    // More than those of which each outcome is told.
    let monitors = (0..250).fold(String::new(), |mut all, number| {
        let one = monitor(&format!("site{number}"), site.port);
        let one = one.replace("/\"", &format!("/{number}\""));
        let _ = writeln!(all, "{}\ninterval = \"10m\"", one.trim_end());
        all
    });
    let house = House::new(&monitors);
    let _daemon = house.start().await;
    let all = "{\"command\":\"recheck\",\"which\":\"all\"}\n";
    let first = asked(&house, all);
    assert!(first.contains("250 monitors are checked now"), "{first}");
    let second = asked(&house, all);
    assert!(
        second.contains("\"failed\"")
            && second.contains(
                "too many rechecks: all monitors may be rechecked once a minute; try again in "
            ),
        "{second}"
    );
    // So says the command, which fails.
    let output = house.ask(&["recheck", "--all"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).starts_with("error: too many rechecks: "),
        "{output:?}"
    );
    // What is left is for those who ask for few, or comes back with time.
    let one = granted(
        &house,
        "{\"command\":\"recheck\",\"which\":{\"named\":[\"site7\"]}}\n",
    );
    assert!(one.contains("site7: up, 200 in "), "{one}");
    // A name that is given many times is one.
    let many = vec!["\"site7\""; 250].join(",");
    let many = granted(
        &house,
        &format!("{{\"command\":\"recheck\",\"which\":{{\"named\":[{many}]}}}}\n"),
    );
    assert_eq!(many.matches("site7").count(), 1, "{many}");
}

/// The answer to an order that is asked again for as long as there were too many rechecks.
fn granted(house: &House, order: &str) -> String {
    let end = clock::tick() + Duration::from_secs(60);
    loop {
        let answer = asked(house, order);
        if !answer.contains("too many rechecks") || clock::tick() > end {
            return answer;
        }
    }
}

#[tokio::test]
async fn bad_clients_hold_up_nobody() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let daemon = house.start().await;
    let descriptors = || {
        std::fs::read_dir(format!("/proc/{}/fd", daemon.0.id()))
            .unwrap()
            .count()
    };
    let before = descriptors();
    let silent: Vec<_> = (0..200).map(|_| connect(&house)).collect();
    let half: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = connect(&house);
            let _ = stream.write_all(b"{\"command\":\"sta");
            stream
        })
        .collect();
    // They ask and do not read the answer, and some ask for more than one.
    let deaf: Vec<_> = (0..200)
        .map(|number| {
            let mut stream = connect(&house);
            let line = match number % 2 {
                0 => "{\"command\":\"status\"}\n",
                _ => "{\"command\":\"recheck\",\"which\":{\"named\":[\"shop\"]}}\n",
            };
            let _ = stream.write_all(line.repeat(20).as_bytes());
            stream
        })
        .collect();
    for arguments in [&["pause", "shop"][..], &["resume", "shop"], &["status"]] {
        let begun = clock::tick();
        let output = house.ask(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(begun.elapsed() < ANSWERED_WITHIN, "{:?}", begun.elapsed());
    }
    // Checks go on, and what was held is let go.
    let seen = site.asked.load(std::sync::atomic::Ordering::SeqCst);
    house
        .until("the site is asked again", || {
            site.asked.load(std::sync::atomic::Ordering::SeqCst) > seen
        })
        .await;
    drop((silent, half, deaf));
    house
        .until("the connections are closed", || descriptors() <= before + 8)
        .await;
}
