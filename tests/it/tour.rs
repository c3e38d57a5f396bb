//! `sitewatch demo` as a newcomer without a terminal meets it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn tour(directory: &Path, time: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_sitewatch"))
        .args(["demo", "--for", time])
        .current_dir(directory)
        .env_clear()
        .env("TMPDIR", directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn left_behind(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn the_tour_explains_itself_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let output = tour(directory.path(), "1s").wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    for part in [
        "status page   http://127.0.0.1:",
        "  shop         200, 503, 200: one mail each way\n",
        "  certificate  an expired certificate\n",
        "failing = first failure, being confirmed",
        "That was the tour; its directory is gone.",
        "Making up 90 days of history",
        "`certificate` is served with an expired certificate.",
        "explain 503",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        !said.contains('\u{1b}'),
        "no terminal codes in a pipe: {said}"
    );
    assert_eq!(left_behind(directory.path()), 0);
}

#[test]
fn a_killed_tour_takes_its_daemon_and_directory_along() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = tour(directory.path(), "1h");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(" s  steady ")));
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = (0..600).any(|_| {
        std::thread::park_timeout(Duration::from_millis(100));
        left_behind(directory.path()) == 0
    });
    assert!(gone, "{} left behind", left_behind(directory.path()));
}

#[test]
fn a_signal_ends_the_tour_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = tour(directory.path(), "1h");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The daemon runs and the sites are served once something is known of one.
    assert!(lines.any(|line| line.unwrap().contains(" s  steady ")));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(lines.any(|line| line.unwrap().starts_with("That was the tour")));
    let rest = lines.map(Result::unwrap).collect::<Vec<_>>().join("\n");
    assert!(rest.contains("check, record and mail"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(left_behind(directory.path()), 0);
}
