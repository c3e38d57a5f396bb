//! The daemon in trouble of its own: a database that takes no writes, one that is damaged; and what people say to it.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rusqlite::Connection;
use tokio::time::sleep;

use super::channels::Hook;
use super::{Daemon, House, Site, exit_code, monitor, signal, text};

#[tokio::test]
async fn while_nothing_can_be_written_the_heart_rests_and_afterwards_a_mail_says_so() {
    let (site, ears, alarm) = (Site::start(200), Site::start(200), Site::start(200));
    let house = House::new("");
    let heartbeat = format!(
        "[heartbeat]\nurl = \"http://127.0.0.1:{}/\"\nfail_url = \"http://127.0.0.1:{}/\"\ninterval = \"1s\"\n",
        ears.port, alarm.port
    );
    // Checks that a busy machine delays by a second are on time: the alarm is to be about the disk.
    let shop = monitor("shop", site.port).trim_end().to_owned();
    let patient = format!("{shop}\ninterval = \"5s\"\ntimeout = \"4s\"\n\n");
    house.configure("1s", &(patient + &heartbeat));
    let _daemon = house.start().await;
    house
        .until("two pings", || ears.asked.load(SeqCst) >= 2)
        .await;
    assert_eq!(alarm.asked.load(SeqCst), 0);

    // Another program holds the write lock, as a backup tool gone wrong does.
    let other = Connection::open(house.path().join("sitewatch.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    house
        .until("the alarm", || alarm.asked.load(SeqCst) >= 1)
        .await;
    let pings = ears.asked.load(SeqCst);
    // An outage that begins now is decided now.
    site.answers(503);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(alarm.asked.load(SeqCst), 1, "once is enough");
    assert!(ears.asked.load(SeqCst) <= pings + 1, "no ping while ill");
    assert!(text(&house.ask(&["status"]).stdout).contains("the database takes no writes"));
    assert!(house.mails().is_empty(), "{:?}", house.subjects());

    other.execute_batch("ROLLBACK").unwrap();
    house.until("both mails", || house.mails().len() >= 2).await;
    let mut subjects = house.subjects();
    subjects.sort();
    assert_eq!(subjects[0], "[DOWN 503] shop");
    assert!(
        subjects[1].starts_with("[TROUBLE disk] sitewatch on "),
        "{subjects:?}"
    );
    house
        .until("a ping again", || ears.asked.load(SeqCst) > pings + 1)
        .await;
    assert_eq!(alarm.asked.load(SeqCst), 1);
}

#[tokio::test]
async fn of_a_daemon_that_hangs_status_says_so() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let daemon = house.start().await;
    house
        .until("a check", || site.asked.load(SeqCst) >= 1)
        .await;
    signal(&daemon, rustix::process::Signal::STOP);
    let answer = house.ask(&["status"]);
    signal(&daemon, rustix::process::Signal::CONT);
    let said = text(&answer.stdout);
    let process = daemon.0.id();
    assert!(
        said.contains(&format!("the daemon (process {process}) does not answer")),
        "{said}"
    );
    assert_eq!(answer.status.code(), Some(0));
}

#[tokio::test]
async fn a_damaged_database_is_set_aside_at_the_start_and_mailed() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let mut daemon = house.start().await;
    house
        .until("a good check is recorded", || {
            !house.ask(&["history", "--json"]).stdout.is_empty()
        })
        .await;
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    let database = house.path().join("sitewatch.db");
    let mut bytes = std::fs::read(&database).unwrap();
    for byte in bytes.iter_mut().skip(4096).step_by(3) {
        *byte = 0xa5;
    }
    std::fs::write(&database, &bytes).unwrap();

    let _daemon = house.start().await;
    house.until("the mail", || !house.mails().is_empty()).await;
    let subjects = house.subjects();
    assert!(
        subjects[0].starts_with("[TROUBLE database] sitewatch on "),
        "{subjects:?}"
    );
    // The old file is kept as it was, and watching goes on in the new one.
    let aside = std::fs::read_dir(house.path()).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name()?.to_string_lossy().into_owned();
        (name.starts_with("sitewatch.db.damaged-") && !name.ends_with("-wal")).then_some(path)
    });
    assert_eq!(std::fs::read(aside.unwrap()).unwrap(), bytes);
    house
        .until("checks in the new database", || {
            !house.ask(&["history", "--json"]).stdout.is_empty()
        })
        .await;
}

#[tokio::test]
async fn what_an_ack_says_is_shown_after_a_restart() {
    let site = Site::start(503);
    let house = House::new(&monitor("shop", site.port));
    let daemon = house.start().await;
    house
        .until("the DOWN mail", || !house.mails().is_empty())
        .await;
    let acked = house.ask(&["ack", "shop", "--note", "deploy\u{1b}[31m, Kim is on it"]);
    assert!(acked.status.success(), "{}", text(&acked.stderr));
    drop(daemon); // kill -9

    let _daemon = house.start().await;
    let status = text(&house.ask(&["status"]).stdout);
    assert!(status.contains("acked (deploy"), "{status}");
    assert!(!status.contains('\u{1b}'), "{status:?}");
    for command in ["status", "incidents"] {
        let json = text(&house.ask(&[command, "--json"]).stdout);
        let row: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        let note = row["ack_note"].as_str().unwrap();
        assert!(note.contains("Kim is on it"), "{command}: {note}");
    }
    let incidents = text(&house.ask(&["incidents"]).stdout);
    assert!(incidents.contains("(acked by "), "{incidents}");
    assert!(incidents.contains(": deploy "), "{incidents}");
    site.answers(200);
    house.until("the UP mail", || house.mails().len() > 1).await;
    let path = std::fs::read_dir(house.path().join("outbox")).unwrap();
    let mut mails: Vec<_> = path.map(|entry| entry.unwrap().path()).collect();
    mails.sort();
    let raw = std::fs::read(mails.last().unwrap()).unwrap();
    let mail = mail_parser::MessageParser::default().parse(&raw).unwrap();
    let body = mail.body_text(0).unwrap();
    assert!(body.contains("Acknowledged"), "{body}");
    assert!(body.contains("Kim is on it"), "{body}");
}

/// A disk that takes no writes for long is told while it is so, and once.
#[tokio::test]
async fn a_disk_that_takes_no_writes_is_told_past_the_queue() {
    let site = Site::start(200);
    let house = House::new("");
    // No check may be late: the mail is to be about the disk.
    let shop = monitor("shop", site.port).trim_end().to_owned();
    house.configure(
        "1s",
        &format!("{shop}\ninterval = \"5s\"\ntimeout = \"4s\"\n"),
    );
    let mut daemon = house.start().await;
    house
        .until("a check is recorded", || {
            !house.ask(&["history", "--json"]).stdout.is_empty()
        })
        .await;
    let other = Connection::open(house.path().join("sitewatch.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    site.answers(503);
    house.until("the mail", || !house.mails().is_empty()).await;
    let told = house.mails().remove(0);
    assert!(
        told.subject.starts_with("[TROUBLE disk] sitewatch on "),
        "{}",
        told.subject
    );
    assert!(told.text.contains("NO OTHER ALERT LEAVES"), "{}", told.text);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(house.mails().len(), 1, "{:?}", house.subjects());

    other.execute_batch("ROLLBACK").unwrap();
    house
        .until("what waited", || house.mails().len() >= 3)
        .await;
    let mut subjects = house.subjects();
    subjects.sort();
    assert!(subjects[0].starts_with("[BACK disk after "), "{subjects:?}");
    assert_eq!(subjects[1], "[DOWN 503] shop");
    // It is noted with its Message-ID, and no later process sends it again.
    let noted = || -> Vec<(String, String)> {
        let mut rows = other
            .prepare("SELECT message_id, state FROM outbox WHERE kind = 'trouble' ORDER BY id")
            .unwrap();
        let rows = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        rows.map(Result::unwrap).collect()
    };
    house
        .until("it is noted", || {
            noted().contains(&(told.message_id.clone(), "sent".to_owned()))
        })
        .await;
    assert_eq!(noted().len(), 2, "{:?}", noted());
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    assert_eq!(house.mails().len(), 3, "{:?}", house.subjects());
}

/// A start that has to wait for the disk is told also where nobody has mail, and a signal ends it as ever.
#[tokio::test]
async fn a_start_that_waits_for_the_disk_is_told_by_channels_and_ends_when_it_is_told_to() {
    let (site, hook) = (Site::start(200), Hook::start(&[]));
    let house = House::new("");
    let config = format!(
        "[daemon]\ndatabase = \"sitewatch.db\"\ncontrol_socket = \"control.sock\"\n\n{}{}",
        hook.config(""),
        monitor("shop", site.port)
    );
    std::fs::write(house.path().join("monitors.toml"), config).unwrap();
    // No file may grow beyond four kilobytes.
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", "ulimit -f 8; exec \"$0\" run"])
        .arg(env!("CARGO_BIN_EXE_sitewatch"))
        .current_dir(house.path())
        .env_clear()
        .env("HOME", house.path())
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut daemon = Daemon(shell.spawn().unwrap());
    house
        .until("the channel is told", || !hook.came().is_empty())
        .await;
    let summary = hook.summaries().remove(0);
    assert!(summary.starts_with("TROUBLE disk"), "{summary}");
    let told = hook.came().remove(0).body.to_string();
    assert!(told.contains("NO SITE IS WATCHED"), "{told}");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(hook.summaries(), [summary], "once an hour is enough");
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
}
