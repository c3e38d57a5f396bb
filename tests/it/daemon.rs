//! The real daemon: the binary, its signals, its exit codes, its orders, its mails.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod addresses;
mod channels;
mod events;
mod evidence;
mod files;
mod levels;
mod line;
mod lists;
mod log;
mod maintenance;
mod memory;
mod orders;
mod secrets;
mod silence;
mod socket;
mod standstill;
mod telling;
mod trouble;
#[cfg(feature = "http3")]
mod udp;
mod why;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::schema;

/// Longer than anything takes on a busy machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A web site whose status can be changed; 0 closes each connection without a word, 1 never answers.
struct Site {
    port: u16,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicU16>,
}

impl Site {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let status = Arc::new(AtomicU16::new(status));
        let asked = Arc::new(AtomicU16::new(0));
        let (now, count) = (Arc::clone(&status), Arc::clone(&asked));
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.read(&mut [0; 2048]);
                count.fetch_add(1, SeqCst);
                let status = now.load(SeqCst);
                if status == 1 {
                    held.push(stream);
                } else if status > 0 {
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok");
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        Self {
            port,
            status,
            asked,
        }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, SeqCst);
    }
}

/// A directory with a configuration, a database and an outbox.
struct House {
    directory: TempDir,
}

/// A daemon that is killed when it is dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl House {
    fn new(monitors: &str) -> Self {
        let house = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        house.configure("1s", monitors);
        house
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn configure(&self, group_wait: &str, monitors: &str) {
        let text = format!(
            "[daemon]\ndatabase = \"sitewatch.db\"\ncontrol_socket = \"control.sock\"\n\
             shutdown_grace = \"5s\"\n\n\
             [email]\ndirectory = \"outbox/\"\nfrom = \"Sitewatch <alerts@example.com>\"\n\
             to = [\"ops@example.com\"]\n\n[alerts]\ngroup_wait = \"{group_wait}\"\n\n\
             [defaults]\ninterval = \"2s\"\ntimeout = \"2s\"\nretry_interval = \"200ms\"\n\n{monitors}"
        );
        fs::write(self.path().join("monitors.toml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sitewatch"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("SECRET_WORD", secrets::SECRET)
            .stdin(Stdio::null());
        let anchors = self.path().join("anchors.pem");
        if anchors.exists() {
            command.env("SSL_CERT_FILE", anchors);
        }
        command
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        schema::assert_output(arguments, &String::from_utf8_lossy(&output.stdout));
        output
    }

    /// Starts the daemon and waits until it takes orders.
    async fn start(&self) -> Daemon {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path().join("log"))
            .unwrap();
        let daemon = Daemon(self.command(&["run"]).stderr(log).spawn().unwrap());
        self.until("the daemon listens", || {
            std::os::unix::net::UnixStream::connect(self.path().join("control.sock")).is_ok()
        })
        .await;
        daemon
    }

    async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let waited = timeout(PATIENCE, async {
            while !holds() {
                sleep(Duration::from_millis(50)).await;
            }
        });
        let log = || fs::read_to_string(self.path().join("log")).unwrap_or_default();
        assert!(
            waited.await.is_ok(),
            "{what}: not within a minute\n{}",
            log()
        );
    }

    fn mails(&self) -> Vec<Mail> {
        let mut paths: Vec<PathBuf> = fs::read_dir(self.path().join("outbox"))
            .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
        paths.sort();
        paths.iter().map(|path| Mail::read(path)).collect()
    }

    fn subjects(&self) -> Vec<String> {
        self.mails().into_iter().map(|mail| mail.subject).collect()
    }

    fn open_incidents(&self) -> usize {
        let output = self.ask(&["incidents", "--open", "--json"]);
        text(&output.stdout).lines().count()
    }
}

struct Mail {
    subject: String,
    message_id: String,
    in_reply_to: Option<String>,
    text: String,
}

impl Mail {
    fn read(path: &Path) -> Self {
        let raw = fs::read(path).unwrap();
        let mail = mail_parser::MessageParser::default().parse(&raw).unwrap();
        Self {
            subject: mail.subject().unwrap_or_default().to_owned(),
            message_id: mail.message_id().unwrap_or_default().to_owned(),
            in_reply_to: mail.in_reply_to().as_text().map(str::to_owned),
            text: mail.body_text(0).unwrap_or_default().into_owned(),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn monitor(name: &str, port: u16) -> String {
    format!("[[monitor]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{port}/\"\n\n")
}

fn signal(daemon: &Daemon, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(&daemon.0);
    rustix::process::kill_process(pid, signal).unwrap();
}

async fn exit_code(daemon: &mut Daemon) -> Option<i32> {
    let ended = timeout(PATIENCE, async {
        loop {
            if let Some(status) = daemon.0.try_wait().unwrap() {
                return status.code();
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    ended.await.expect("it ends within a minute")
}

#[tokio::test]
async fn one_outage_is_two_mails_also_when_the_daemon_is_killed_in_its_middle() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let daemon = house.start().await;
    house
        .until("a good check is recorded", || {
            !house.ask(&["history", "--json"]).stdout.is_empty()
        })
        .await;
    site.answers(503);
    house
        .until("the DOWN mail", || !house.mails().is_empty())
        .await;
    drop(daemon); // kill -9

    let mut daemon = house.start().await;
    let checks = || {
        text(&house.ask(&["history", "--json"]).stdout)
            .lines()
            .count()
    };
    let before = checks();
    house
        .until("checks after the restart", || checks() >= before + 3)
        .await;
    assert_eq!(house.subjects(), ["[DOWN 503] shop"]);
    site.answers(200);
    house.until("the UP mail", || house.mails().len() > 1).await;
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));

    let mails = house.mails();
    assert_eq!(mails.len(), 2, "{:?}", house.subjects());
    assert!(
        mails[1].subject.starts_with("[UP after "),
        "{:?}",
        house.subjects()
    );
    assert_eq!(mails[1].in_reply_to.as_ref(), Some(&mails[0].message_id));
    assert!(!house.path().join("control.sock").exists(), "it tidies up");
}

#[tokio::test]
async fn a_mail_that_was_decided_leaves_after_a_kill() {
    let site = Site::start(404);
    let house = House::new("");
    // Long enough that the mail cannot have left when the daemon is killed.
    house.configure("15s", &monitor("gone", site.port));
    let daemon = house.start().await;
    house
        .until("the incident", || house.open_incidents() == 1)
        .await;
    let left_before = house.mails().len();
    drop(daemon);
    assert_eq!(left_before, 0);

    let daemon = house.start().await;
    house
        .until("the DOWN mail", || !house.mails().is_empty())
        .await;
    drop(daemon);
    let daemon = house.start().await;
    house
        .until("it still counts", || house.open_incidents() == 1)
        .await;
    drop(daemon);
    assert_eq!(house.subjects(), ["[DOWN 404] gone"]);
}

#[tokio::test]
async fn a_closed_port_and_a_site_that_hangs_up_are_down_each_once() {
    let site = Site::start(0);
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let house = House::new(&(monitor("closed", closed) + &monitor("mute", site.port)));
    let _daemon = house.start().await;
    house
        .until("both are down", || house.open_incidents() == 2)
        .await;
    house.until("both mails", || house.mails().len() == 2).await;
    let mut subjects = house.subjects();
    subjects.sort();
    assert_eq!(
        subjects,
        ["[DOWN closed_early] mute", "[DOWN connect_refused] closed"]
    );
}

#[tokio::test]
async fn orders_are_answered() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let nobody = house.ask(&["pause", "shop"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(
        text(&nobody.stderr).contains("no daemon is running"),
        "{nobody:?}"
    );

    let _daemon = house.start().await;
    let said = |arguments: &[&str]| {
        let output = house.ask(arguments);
        let code = output.status.code().unwrap();
        (code, text(&output.stdout) + &text(&output.stderr))
    };
    let (code, line) = said(&["recheck", "shop"]);
    assert!(
        code == 0 && line.starts_with("shop: up, 200 in "),
        "{code} {line}"
    );
    assert_eq!(said(&["pause", "shop"]), (0, "shop is paused\n".into()));
    assert_eq!(
        said(&["pause", "shop"]),
        (0, "shop: it is paused already\n".into())
    );
    assert_eq!(
        said(&["recheck", "shop"]),
        (
            1,
            "error: shop: not checked, it is paused or the daemon is stopping\n".into()
        )
    );
    assert_eq!(said(&["recheck", "--all"]).0, 0);
    assert_eq!(
        said(&["resume", "--all"]),
        (0, "1 monitor resumed\n".into())
    );
    assert_eq!(
        said(&["mute", "zz"]),
        (2, "error: no monitor `zz`\n".into())
    );
    assert_eq!(
        said(&["mute", "SHOP"]),
        (2, "error: no monitor `SHOP`; did you mean `shop`?\n".into())
    );
    assert_eq!(
        said(&["mute", "sop"]),
        (2, "error: no monitor `sop`; did you mean `shop`?\n".into())
    );
    let (code, line) = said(&["mute", "shop", "--for", "2h"]);
    assert!(
        code == 0 && line.starts_with("shop is muted until "),
        "{line}"
    );
    assert_eq!(
        said(&["unmute", "shop"]),
        (0, "shop is no longer muted\n".into())
    );
    assert_eq!(
        said(&["ack", "shop"]),
        (
            1,
            "error: shop: it is not down, there is nothing to acknowledge\n".into()
        )
    );
    assert_eq!(said(&["mute", "shop", "--for", "0s"]).0, 2);
}

#[tokio::test]
async fn a_reload_is_whole_or_nothing() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let daemon = house.start().await;
    let monitors = || {
        text(&house.ask(&["recheck", "--all"]).stdout)
            .lines()
            .count()
    };
    assert_eq!(monitors(), 1);

    house.configure(
        "1s",
        &(monitor("shop", site.port) + &monitor("blog", site.port) + "speed = 1\n"),
    );
    let refused = house.ask(&["reload"]);
    assert_eq!(refused.status.code(), Some(2));
    let stderr = text(&refused.stderr);
    assert!(
        stderr.starts_with("error: unknown key `speed`\n  --> "),
        "{stderr}"
    );
    assert!(stderr.contains("\n\n1 error in "), "{stderr}");
    assert!(stderr.ends_with("; nothing was changed\n"), "{stderr}");
    assert_eq!(monitors(), 1, "the old one goes on");
    for (wrong, count) in [
        ("a = 1\nb = 2\n", "2 errors in "),
        ("a = 1\n", "1 error in "),
    ] {
        house.configure("1s", &(monitor("shop", site.port) + wrong));
        let refused = house.ask(&["reload"]);
        assert_eq!(refused.status.code(), Some(2));
        let stderr = text(&refused.stderr);
        assert!(stderr.contains(count), "{stderr}");
        assert!(stderr.ends_with("; nothing was changed\n"), "{stderr}");
    }
    assert_eq!(monitors(), 1);

    house.configure(
        "1s",
        &(monitor("shop", site.port) + &monitor("blog", site.port)),
    );
    let accepted = house.ask(&["reload"]);
    assert_eq!(accepted.status.code(), Some(0));
    assert!(text(&accepted.stdout).contains("blog"), "{accepted:?}");
    assert_eq!(monitors(), 2);
    let again = house.ask(&["reload"]);
    assert!(
        text(&again.stdout).starts_with("nothing differs\n"),
        "{again:?}"
    );

    house.configure("1s", &monitor("blog", site.port));
    signal(&daemon, rustix::process::Signal::HUP);
    house.until("SIGHUP reloads", || monitors() == 1).await;
}

#[tokio::test]
async fn what_is_wrong_decides_the_exit_code() {
    let house = House::new("[[monitor]]\nurl = \"ftp://example.com/\"\n");
    let wrong = house.ask(&["run"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(text(&wrong.stderr).contains("monitors.toml:"), "{wrong:?}");

    let site = Site::start(200);
    house.configure("1s", &monitor("shop", site.port));
    let daemon = house.start().await;
    let second = house.ask(&["run"]);
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let pid = daemon.0.id().to_string();
    assert!(
        text(&second.stderr).contains(&pid),
        "it names the other: {second:?}"
    );
    drop(daemon);

    fs::write(house.path().join("file"), "").unwrap();
    let no_directory = house.ask(&["run", "--database", "file/sitewatch.db"]);
    assert_eq!(no_directory.status.code(), Some(1), "{no_directory:?}");
    assert!(
        text(&no_directory.stderr).contains("file"),
        "{no_directory:?}"
    );

    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = busy.local_addr().unwrap();
    let web = format!(
        "{}[web]\nlisten = \"{listen}\"\n",
        monitor("shop", site.port)
    );
    house.configure("1s", &web);
    let port = house.ask(&["run"]);
    assert_eq!(port.status.code(), Some(1), "{port:?}");
    let stderr = text(&port.stderr);
    assert_eq!(
        stderr,
        format!(
            "error: cannot listen on {listen} for the status page: another program has the port; \
             set another [web].listen\n"
        )
    );

    house.configure("1s", &monitor("shop", site.port));
    let cramped = Command::new("/bin/sh")
        .args(["-c", "ulimit -n 16 && exec \"$0\" run"])
        .arg(env!("CARGO_BIN_EXE_sitewatch"))
        .current_dir(house.path())
        .env_clear()
        .env("HOME", house.path())
        .output()
        .unwrap();
    assert_eq!(cramped.status.code(), Some(1), "{cramped:?}");
    assert!(
        text(&cramped.stderr).contains("16 open files are too few to run"),
        "{cramped:?}"
    );

    fs::create_dir(house.path().join("folder.db")).unwrap();
    let folder = house.ask(&["run", "--database", "folder.db"]);
    assert_eq!(folder.status.code(), Some(1), "{folder:?}");
    assert_eq!(
        text(&folder.stderr),
        "error: cannot open `folder.db`: is a directory\n"
    );

    fs::write(house.path().join("file.sock"), "a letter").unwrap();
    house.configure("1s", "");
    let path = house.path().join("monitors.toml");
    let other = fs::read_to_string(&path)
        .unwrap()
        .replace("control.sock", "file.sock");
    fs::write(&path, other).unwrap();
    let socket = house.ask(&["run"]);
    assert_eq!(socket.status.code(), Some(1), "{socket:?}");
    assert_eq!(
        fs::read(house.path().join("file.sock")).unwrap(),
        b"a letter"
    );
}

#[tokio::test]
async fn without_mail_it_watches_and_says_so() {
    let site = Site::start(200);
    let house = House::new("");
    let text_of = fs::read_to_string(house.path().join("monitors.toml")).unwrap();
    let begin = text_of.find("[email]").unwrap();
    let end = text_of.find("[alerts]").unwrap();
    let without = format!(
        "{}{}{}",
        &text_of[..begin],
        &text_of[end..],
        monitor("shop", site.port)
    );
    fs::write(house.path().join("monitors.toml"), without).unwrap();
    let _daemon = house.start().await;
    house
        .until("a check is recorded", || {
            !house.ask(&["history", "--json"]).stdout.is_empty()
        })
        .await;
    let log = fs::read_to_string(house.path().join("log")).unwrap();
    assert!(log.contains("there is no [email]"), "{log}");
}

#[tokio::test]
async fn the_heart_beats_while_all_is_well() {
    let (site, ears) = (Site::start(200), Site::start(200));
    let house = House::new("");
    let heartbeat = format!(
        "[heartbeat]\nurl = \"http://127.0.0.1:{}/\"\ninterval = \"1s\"\n",
        ears.port
    );
    house.configure("1s", &(monitor("shop", site.port) + &heartbeat));
    let _daemon = house.start().await;
    house
        .until("three pings", || ears.asked.load(SeqCst) >= 3)
        .await;
}

/// Everything that systemd was told, each datagram once.
fn heard(socket: &UnixDatagram) -> Vec<String> {
    let mut datagrams = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = socket.recv(&mut buffer) {
        datagrams.push(text(&buffer[..length]));
    }
    datagrams
}

#[tokio::test]
async fn systemd_hears_ready_reloading_watchdog_and_stopping() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let notify = house.path().join("notify");
    let socket = UnixDatagram::bind(&notify).unwrap();
    socket.set_nonblocking(true).unwrap();
    let child = house
        .command(&["run"])
        .env("NOTIFY_SOCKET", &notify)
        .env("WATCHDOG_USEC", "2000000")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut daemon = Daemon(child);
    let mut all = Vec::new();
    house
        .until("two watchdog pings and the first check", || {
            all.extend(heard(&socket));
            let pings = all.iter().filter(|told| told.contains("WATCHDOG=1"));
            pings.count() >= 2 && all.iter().any(|told| told.contains("STATUS=1 site: 1 up"))
        })
        .await;
    let ready = all.iter().find(|told| told.contains("READY=1")).unwrap();
    assert!(ready.contains("STATUS=1 site: "), "{ready}");
    assert!(
        all.iter().any(|told| told.contains("STATUS=1 site: 1 up")),
        "{all:?}"
    );

    house.configure("1s", "wrong = 1\n");
    assert_eq!(house.ask(&["reload"]).status.code(), Some(2));
    let mut told = Vec::new();
    house
        .until("ready again", || {
            told.extend(heard(&socket));
            told.iter().any(|told| told.contains("READY=1"))
        })
        .await;
    let reloading = told
        .iter()
        .find(|told| told.contains("RELOADING=1"))
        .unwrap();
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    let refused = told.iter().find(|told| told.contains("READY=1")).unwrap();
    assert!(
        refused.contains("STATUS=Reload refused: monitors.toml:"),
        "{refused}"
    );

    signal(&daemon, rustix::process::Signal::INT);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    assert!(
        heard(&socket)
            .iter()
            .any(|told| told.contains("STOPPING=1"))
    );
}

/// systemd ends a start that says nothing for a minute, and begins another: that would mail each time.
#[tokio::test]
async fn a_start_that_waits_for_the_disk_asks_systemd_for_time() {
    let house = House::new("");
    let notify = house.path().join("notify");
    let socket = UnixDatagram::bind(&notify).unwrap();
    socket.set_nonblocking(true).unwrap();
    // A process that may write no large file meets what a full disk is to a database.
    let command = house.command(&["run"]);
    let mut limited = Command::new("/bin/sh");
    limited.env_clear().stdin(Stdio::null());
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    limited.env("NOTIFY_SOCKET", &notify).stderr(Stdio::null());
    let _daemon = Daemon(limited.spawn().unwrap());
    let mut told = Vec::new();
    house
        .until("three asks for time", || {
            told.extend(heard(&socket));
            let asks = told.iter().filter(|told| told.contains("EXTEND_TIMEOUT"));
            asks.count() >= 3
        })
        .await;
    assert!(
        told.iter()
            .any(|told| told.contains("waiting for the disk")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_disabled_monitor_is_listed_as_what_it_is() {
    let site = Site::start(200);
    let house = House::new("");
    let on = monitor("shop", site.port);
    let was = monitor("was", site.port);
    house.configure("1s", &(on.clone() + &was));
    let daemon = house.start().await;
    let checked = |name: &str| {
        let output = house.ask(&["history", name, "--json"]);
        !output.stdout.is_empty()
    };
    house
        .until("both are checked", || checked("shop") && checked("was"))
        .await;
    let off = format!("{}\nenabled = false\n\n", was.trim_end());
    house.configure("1s", &(on + &off));
    signal(&daemon, rustix::process::Signal::HUP);
    let listed = || text(&house.ask(&["status"]).stdout);
    house
        .until("it is disabled", || {
            listed().contains("2 sites: 1 up, 1 disabled")
        })
        .await;
    let json = text(&house.ask(&["status", "was", "--json"]).stdout);
    let row: serde_json::Value = serde_json::from_str(json.trim_end()).unwrap();
    assert_eq!(row["state"], "unknown", "{json}");
    assert_eq!(row["enabled"], false, "{json}");
    assert!(
        row["next_check_at"].is_null() && row["last_check"].is_object(),
        "{json}"
    );
}
