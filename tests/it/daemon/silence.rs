//! An hour's worth of lines for a log that hangs from the first moment on: checks, mails, orders and the end go on,
//! and what the log lost is said when it is read again.

use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use sitewatch::clock;

use super::{Daemon, House, PATIENCE, Site, exit_code, monitor, signal, text};
use crate::smtp::server::{Script, Server};

/// So many checks a second: an hour of one check a second is over within seconds.
const MONITORS: usize = 300;
/// Checks, each of which has a line.
const HOUR: u16 = 3600;
/// The daemon is a debug build, and the machine of a test is busy.
const GRACE: Duration = Duration::from_secs(20);
/// What no hostile peer makes of a daemon, and no log either.
const MEMORY_KB_MAX: u64 = 96 * 1024;

/// Many sites that stay up, one that does not, and a mail server.
struct Scene {
    house: House,
    sites: Site,
    shop: Site,
    mails: Server,
}

impl Scene {
    async fn new() -> Self {
        let (sites, shop) = (Site::start(200), Site::start(200));
        let mails = Server::start(Script::default()).await;
        // A log's lines are as long as the names in them.
        let padding = "ж".repeat(190);
        let many: String = (0..MONITORS)
            .map(|index| monitor(&format!("{index} {padding}"), sites.port))
            .collect();
        let house = House::new(&(monitor("shop", shop.port) + &many));
        let path = house.path().join("monitors.toml");
        let port = mails.address.port();
        let smtp = format!("host = \"127.0.0.1\"\nport = {port}\ntls = \"none\"");
        let written = std::fs::read_to_string(&path)
            .unwrap()
            .replace("directory = \"outbox/\"", &smtp)
            .replace("shutdown_grace = \"5s\"", "shutdown_grace = \"20s\"")
            .replace(
                "interval = \"2s\"\ntimeout = \"2s\"",
                "interval = \"1s\"\ntimeout = \"1s\"",
            );
        std::fs::write(&path, written).unwrap();
        Self {
            house,
            sites,
            shop,
            mails,
        }
    }

    fn asked(&self) -> u16 {
        self.sites.asked.load(SeqCst)
    }

    fn ask(&self, arguments: &[&str]) -> String {
        text(&self.house.ask(arguments).stdout)
    }

    /// How many lines the log lost, by `status`.
    fn lost(&self) -> u64 {
        let said = self.ask(&["status", "shop"]);
        let before = said.split_once(" lines of the log were lost");
        before.map_or(0, |(before, _)| last_number(before))
    }

    /// The hour in which nobody reads.
    async fn hour(&self, daemon: &Daemon) {
        let house = &self.house;
        house
            .until("half an hour of checks", || self.asked() >= HOUR / 2)
            .await;
        house
            .until("an hour of checks", || self.asked() >= HOUR)
            .await;
        house.until("lines are lost", || self.lost() > 0).await;
        self.shop.answers(503);
        house
            .until("the DOWN mail", || !self.mails.came().is_empty())
            .await;
        let mail = &self.mails.came()[0];
        assert_eq!(mail.field("Subject"), Some("[DOWN 503] shop"));
        let recheck = self.ask(&["recheck", "shop"]);
        assert!(recheck.starts_with("shop: down, 503"), "{recheck}");
        assert_eq!(self.ask(&["pause", "shop"]), "shop is paused\n");
        let used = resident_kb(daemon);
        assert!(used < MEMORY_KB_MAX, "{used} kB");
    }

    /// What was read after the hour says how many lines are missing.
    fn is_complete(&self, checks_before: u16, lost_before: u64, lines: &[String]) {
        let lost = lines.iter().filter(|line| line.ends_with(LOST));
        let lost: u64 = lost
            .map(|line| last_number(line.trim_end_matches(LOST)))
            .sum();
        assert!(lost >= lost_before, "{lost} {lost_before}");
        let checks = lines.iter().filter(|line| line.contains("checked"));
        // Those that were under way had no line yet.
        let accounted = checks.count() as u64 + lost + MONITORS as u64;
        assert!(accounted >= checks_before.into(), "{accounted} {lost}");
    }

    /// Nobody reads again, and it ends all the same.
    async fn ends(&self, daemon: &mut Daemon) {
        let asked = self.asked();
        self.house
            .until("the log is full", || self.asked() > asked + 600)
            .await;
        let begun = clock::tick();
        signal(daemon, rustix::process::Signal::TERM);
        assert_eq!(exit_code(daemon).await, Some(0));
        assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
        assert_eq!(self.mails.came().len(), 1, "one outage is one mail");
    }
}

const LOST: &str = " lines of the log were lost";

/// The number at the end of a text.
fn last_number(text: &str) -> u64 {
    let start = text.rfind(|c: char| !c.is_ascii_digit());
    text[start.map_or(0, |start| start + 1)..]
        .parse()
        .unwrap_or(0)
}

fn resident_kb(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.unwrap().trim().trim_end_matches(" kB");
    kb.parse().unwrap()
}

/// Reads until it hears of lost lines, and no further.
fn read_pipe(reader: PipeReader) -> (Vec<String>, BufReader<PipeReader>) {
    let mut reader = BufReader::new(reader);
    let mut lines = Vec::new();
    while !lines
        .last()
        .is_some_and(|line: &String| line.ends_with(LOST))
    {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "{lines:?}");
        lines.push(line.trim_end().to_owned());
    }
    (lines, reader)
}

#[tokio::test]
async fn an_hour_with_a_full_pipe_costs_lines_and_nothing_else() {
    let scene = Scene::new().await;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let size = rustix::pipe::fcntl_setpipe_size(writer.as_fd(), 4096).unwrap();
    writer.write_all(&b"\n".repeat(size)).unwrap();
    let mut command = scene.house.command(&["run"]);
    command.env("RUST_LOG", "debug").stderr(writer);
    let mut daemon = Daemon(command.spawn().unwrap());
    drop(command);
    scene.hour(&daemon).await;
    let (asked, lost) = (scene.asked(), scene.lost());
    let reading = tokio::task::spawn_blocking(|| read_pipe(reader));
    let (lines, _reader) = tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("it says what it lost")
        .unwrap();
    scene.is_complete(asked, lost, &lines);
    scene.ends(&mut daemon).await;
}

/// A daemon in whose file system this is the journal's socket; `None` where we may not make one.
fn under_journal(house: &House, socket: &Path, stderr: OwnedFd) -> Option<Daemon> {
    let kinds: &[&str] = match rustix::process::geteuid().is_root() {
        true => &["--mount"],
        false => &["--user", "--map-root-user", "--mount"],
    };
    let possible = Command::new("unshare").args(kinds).arg("true").status();
    if !possible.is_ok_and(|status| status.success()) {
        return None;
    }
    let stat = rustix::fs::fstat(stderr.as_fd()).unwrap();
    let script = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal \
                  && ln -s \"$1\" /run/systemd/journal/socket && exec \"$0\" run";
    let child = Command::new("unshare")
        .args(kinds)
        .args(["sh", "-c", script, env!("CARGO_BIN_EXE_sitewatch")])
        .arg(socket)
        .current_dir(house.path())
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", house.path())
        .env("RUST_LOG", "debug")
        .env("JOURNAL_STREAM", format!("{}:{}", stat.st_dev, stat.st_ino))
        .stdin(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap();
    Some(Daemon(child))
}

/// The field MESSAGE of an event.
fn message(event: &[u8]) -> String {
    let name = b"\nMESSAGE\n";
    let found = event.windows(name.len()).position(|part| part == name);
    let Some(length_at) = found.map(|at| at + name.len()) else {
        return String::new();
    };
    let (length, value) = event[length_at..].split_first_chunk().unwrap();
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap();
    text(&value[..length])
}

fn read_journal(journal: &UnixDatagram) -> Vec<String> {
    let mut messages = Vec::new();
    let mut event = [0; 65536];
    while !messages
        .last()
        .is_some_and(|said: &String| said.ends_with(LOST))
    {
        let length = journal.recv(&mut event).expect("it says what it lost");
        messages.push(message(&event[..length]));
    }
    messages
}

#[tokio::test]
async fn an_hour_with_a_journal_that_hangs_costs_lines_and_nothing_else() {
    let scene = Scene::new().await;
    let path = scene.house.path().join("journal");
    let journal = UnixDatagram::bind(&path).unwrap();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    let filling = UnixDatagram::unbound().unwrap();
    filling.set_nonblocking(true).unwrap();
    while filling.send_to(b"X=1", &path).is_ok() {}
    // The journal's stream hangs as the journal does.
    let (_stream, mut stderr) = UnixStream::pair().unwrap();
    stderr.set_nonblocking(true).unwrap();
    while stderr.write(&[b'\n'; 4096]).is_ok() {}
    stderr.set_nonblocking(false).unwrap();
    let Some(mut daemon) = under_journal(&scene.house, &path, stderr.into()) else {
        return;
    };
    scene.hour(&daemon).await;
    let (asked, lost) = (scene.asked(), scene.lost());
    let reading = tokio::task::spawn_blocking(move || (read_journal(&journal), journal));
    let (messages, _journal) = reading.await.unwrap();
    scene.is_complete(asked, lost, &messages);
    scene.ends(&mut daemon).await;
}

#[tokio::test]
async fn a_journal_that_goes_away_costs_its_lines_once_each() {
    let scene = Scene::new().await;
    let path = scene.house.path().join("journal");
    let bind = || {
        let journal = UnixDatagram::bind(&path).unwrap();
        journal.set_read_timeout(Some(PATIENCE)).unwrap();
        journal
    };
    let journal = bind();
    let (_stream, stderr) = UnixStream::pair().unwrap();
    let Some(mut daemon) = under_journal(&scene.house, &path, stderr.into()) else {
        return;
    };
    let reading = tokio::task::spawn_blocking(move || {
        let mut event = [0; 65536];
        let mut said = String::new();
        while !said.contains("started") {
            let length = journal.recv(&mut event).expect("it says that it starts");
            said = message(&event[..length]);
        }
    });
    reading.await.unwrap();
    // Now nobody listens there any more.
    std::fs::remove_file(&path).unwrap();
    let begun = scene.asked();
    scene
        .house
        .until("lines are lost", || scene.lost() > 0)
        .await;
    scene
        .house
        .until("many checks", || scene.asked() > begun + HOUR / 2)
        .await;
    // A check has a line or two: no line is about lines that were lost.
    let (lost, checks) = (scene.lost(), u64::from(scene.asked()));
    assert!(lost > 0 && lost <= 2 * checks + 200, "{lost} {checks}");
    let journal = bind();
    let reading = tokio::task::spawn_blocking(move || (read_journal(&journal), journal));
    let (messages, _journal) = reading.await.unwrap();
    let last = messages.last().unwrap().trim_end_matches(LOST);
    assert!(last_number(last) >= lost, "{last} {lost}");
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
}
