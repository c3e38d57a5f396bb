//! A log that nobody reads, a systemd that does not listen, a machine that gives no thread: the daemon goes on, or
//! ends with a sentence.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use sitewatch::clock;

use super::{Daemon, House, Site, exit_code, monitor, signal, text};

/// Checks, a DOWN mail, an order and a clean end, whatever becomes of the log.
async fn goes_on(house: &House, site: &Site, daemon: &mut Daemon) {
    let asked = site.asked.load(SeqCst);
    house
        .until("checks go on", || site.asked.load(SeqCst) > asked + 60)
        .await;
    site.answers(503);
    house
        .until("a mail about the outage", || !house.mails().is_empty())
        .await;
    let recheck = house.ask(&["recheck", "m1"]);
    assert!(
        text(&recheck.stdout).starts_with("m1: down, 503"),
        "{recheck:?}"
    );
    let begun = clock::tick();
    signal(daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(daemon).await, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// Reloads until the queue is full: each says about every monitor that its certificate is not looked at.
async fn until_lines_are_lost(house: &House) {
    house
        .until("lines are lost", || {
            house.ask(&["reload"]);
            text(&house.ask(&["status"]).stdout).contains(" lines of the log were lost")
        })
        .await;
}

fn with_much_to_say(site: &Site) -> String {
    let said = (0..4000).map(|index| {
        format!("[[monitor]]\nurl = \"https://a{index}.invalid/\"\nverify_tls = false\nenabled = false\n")
    });
    many(site) + &said.collect::<String>()
}

fn many(site: &Site) -> String {
    (0..20)
        .map(|index| monitor(&format!("m{index}"), site.port))
        .collect()
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_costs_lines_and_nothing_else() {
    let site = Site::start(200);
    let house = House::new(&with_much_to_say(&site));
    let (mut reader, writer) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(writer.as_fd(), 4096).unwrap();
    let mut command = house.command(&["run", "--log-format", "json"]);
    command.stderr(writer.try_clone().unwrap());
    let mut daemon = Daemon(command.spawn().unwrap());
    drop(command);
    drop(writer);
    until_lines_are_lost(&house).await;
    goes_on(&house, &site, &mut daemon).await;
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with('{'), "{rest}");
}

#[tokio::test]
async fn a_log_that_is_read_again_says_how_much_is_missing() {
    let site = Site::start(200);
    let house = House::new(&with_much_to_say(&site));
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = house.command(&["run"]);
    command.stderr(writer.try_clone().unwrap());
    let mut daemon = Daemon(command.spawn().unwrap());
    drop(command);
    drop(writer);
    until_lines_are_lost(&house).await;
    let reading = std::thread::spawn(move || {
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        all
    });
    house
        .until("it is read", || site.asked.load(SeqCst) > 100)
        .await;
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    let all = reading.join().unwrap();
    let said = all
        .lines()
        .find(|line| line.contains(" WARN ") && line.ends_with(" lines of the log were lost"));
    assert!(said.is_some(), "{} bytes", all.len());
    assert!(all.trim_end().ends_with("stopped"), "the last line leaves");
}

#[tokio::test]
async fn a_log_whose_reader_is_gone_costs_nothing() {
    let site = Site::start(200);
    let house = House::new(&many(&site));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = house.command(&["run"]);
    command.env("RUST_LOG", "debug").stderr(writer);
    let mut daemon = Daemon(command.spawn().unwrap());
    house
        .until("it listens", || house.path().join("control.sock").exists())
        .await;
    goes_on(&house, &site, &mut daemon).await;
}

#[tokio::test]
async fn a_systemd_that_takes_nothing_is_told_later() {
    let site = Site::start(200);
    let house = House::new(&many(&site));
    let notify = house.path().join("notify");
    let socket = UnixDatagram::bind(&notify).unwrap();
    socket.set_nonblocking(true).unwrap();
    let full = UnixDatagram::unbound().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.send_to(b"X=1", &notify).is_ok() {}
    let child = house
        .command(&["run"])
        .env("NOTIFY_SOCKET", &notify)
        .env("WATCHDOG_USEC", "2000000")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut daemon = Daemon(child);
    house.until("checks", || site.asked.load(SeqCst) > 40).await;
    let mut heard = String::new();
    house
        .until("it is ready", || {
            heard.push_str(&super::heard(&socket).concat());
            heard.contains("READY=1") && heard.contains("WATCHDOG=1")
        })
        .await;
    goes_on(&house, &site, &mut daemon).await;
}

#[test]
fn without_a_thread_it_ends_with_a_sentence() {
    // Root has no such limit.
    if rustix::process::geteuid().is_root() && !std::path::Path::new("/usr/bin/setpriv").exists() {
        return;
    }
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(house.path(), open).unwrap();
    let binary = house.path().join("sitewatch");
    std::fs::copy(env!("CARGO_BIN_EXE_sitewatch"), &binary).unwrap();
    let mut command = std::process::Command::new("prlimit");
    command.arg("--nproc=1:1");
    if rustix::process::geteuid().is_root() {
        command = std::process::Command::new("setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "prlimit",
            "--nproc=1:1",
        ]);
    }
    let output = command
        .arg(&binary)
        .arg("run")
        .current_dir(house.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", house.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the system gives no thread; raise the limit"),
        "{said}"
    );
}
