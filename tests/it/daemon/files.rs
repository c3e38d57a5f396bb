//! The daemon when its files are removed, or when the wrong users can read them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::time::sleep;

use super::{Daemon, House, Site, exit_code, monitor, signal, text};

/// The mail is there after ten seconds at most (3 to 5 on an idle machine); a busy one gets more.
const SAID_WITHIN: Duration = Duration::from_secs(60);

fn troubles(house: &House) -> Vec<String> {
    let mut subjects = house.subjects();
    subjects.retain(|subject| subject.starts_with("[TROUBLE database] sitewatch on "));
    subjects
}

async fn with_history(house: &House) {
    house
        .until("checks are recorded", || {
            text(&house.ask(&["history", "--json"]).stdout)
                .lines()
                .count()
                >= 2
        })
        .await;
}

fn checks(house: &House) -> usize {
    text(
        &house
            .ask(&["history", "--limit", "100000", "--json"])
            .stdout,
    )
    .lines()
    .count()
}

#[tokio::test]
async fn a_database_that_is_removed_is_told_and_written_again() {
    let (site, ears, alarm) = (Site::start(200), Site::start(200), Site::start(200));
    let house = House::new("");
    let heartbeat = format!(
        "[heartbeat]\nurl = \"http://127.0.0.1:{}/\"\nfail_url = \"http://127.0.0.1:{}/\"\ninterval = \"1s\"\n",
        ears.port, alarm.port
    );
    house.configure("30s", &(monitor("shop", site.port) + &heartbeat));
    let mut daemon = house.start().await;
    with_history(&house).await;
    let before = checks(&house);
    for end in ["", "-wal", "-shm", ".lock"] {
        fs::remove_file(house.path().join(format!("sitewatch.db{end}"))).unwrap();
    }
    let removed = sitewatch::clock::tick();
    house
        .until("the mail", || !troubles(&house).is_empty())
        .await;
    assert!(removed.elapsed() < SAID_WITHIN, "{:?}", removed.elapsed());
    // The heartbeat must not say that all is well.
    house
        .until("the alarm", || alarm.asked.load(SeqCst) >= 1)
        .await;
    let mail = house.mails().remove(0);
    assert!(mail.text.contains("was removed"), "{}", mail.text);
    assert!(mail.text.contains("nothing is lost"), "{}", mail.text);
    let status = text(&house.ask(&["status"]).stdout);
    assert!(status.contains("the database was removed"), "{status}");
    assert!(checks(&house) >= before);
    let log = fs::read_to_string(house.path().join("log")).unwrap();
    assert!(log.contains("the database was removed"), "{log}");
    // Mails go on: the outbox is read in the new file.
    house.configure("0s", &(monitor("shop", site.port) + &heartbeat));
    assert!(house.ask(&["reload"]).status.success());
    site.answers(503);
    house
        .until("the DOWN mail", || {
            house.subjects().contains(&"[DOWN 503] shop".to_owned())
        })
        .await;
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    assert_eq!(house.open_incidents(), 1);
    assert_eq!(troubles(&house).len(), 1, "{:?}", house.subjects());
    // The next process knows of the mail and does not send it again.
    let _daemon = house.start().await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(troubles(&house).len(), 1);
}

#[tokio::test]
async fn a_database_that_is_replaced_is_left_and_the_daemon_writes_beside_it() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let mut daemon = house.start().await;
    with_history(&house).await;
    let (database, copy) = (
        house.path().join("sitewatch.db"),
        house.path().join("old.db"),
    );
    assert!(house.ask(&["backup", "old.db"]).status.success());
    site.answers(503);
    house
        .until("the DOWN mail", || house.mails().len() == 1)
        .await;
    fs::rename(&copy, &database).unwrap();
    house
        .until("the mail", || !troubles(&house).is_empty())
        .await;
    let rescued = fs::read_dir(house.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let name = path.to_string_lossy();
            name.contains("sitewatch.db.rescued-")
                && !name.ends_with("-wal")
                && !name.ends_with("-shm")
        })
        .unwrap();
    let status = text(&house.ask(&["status"]).stdout);
    assert!(status.contains("the database was replaced"), "{status}");
    assert!(status.contains(".rescued-"), "{status}");
    site.answers(200);
    house
        .until("the UP mail", || {
            house
                .subjects()
                .iter()
                .any(|subject| subject.starts_with("[UP "))
        })
        .await;
    // After somebody removes the replacement, the database returns to its place.
    fs::remove_file(&database).unwrap();
    house
        .until("the end of the trouble", || {
            house
                .subjects()
                .iter()
                .any(|subject| subject.starts_with("[BACK database after "))
        })
        .await;
    assert!(!rescued.exists());
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    let incidents = text(&house.ask(&["incidents", "--json"]).stdout);
    assert_eq!(incidents.lines().count(), 1, "{incidents}");
    assert_eq!(troubles(&house).len(), 1, "{:?}", house.subjects());
}

#[tokio::test]
async fn a_database_that_is_moved_and_linked_hides_no_daemon_that_runs() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let mut daemon = house.start().await;
    with_history(&house).await;
    let home = house.path().join("sitewatch.db");
    let moved = house.path().join("larger-disk.db");
    for end in ["-wal", "-shm", ""] {
        let [from, to] = [&home, &moved].map(|path| path.with_extension(format!("db{end}")));
        let _ = fs::rename(from, to);
    }
    symlink("larger-disk.db", &home).unwrap();
    house
        .until("the mail", || !troubles(&house).is_empty())
        .await;
    let status = text(&house.ask(&["status"]).stdout);
    assert!(status.contains("the database was replaced"), "{status}");
    assert!(!status.contains("no daemon runs"), "{status}");
    // Another one would tell everything twice.
    let second = house.ask(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    let status = text(&house.ask(&["status"]).stdout);
    assert!(status.contains("no daemon runs"), "{status}");
}

#[tokio::test]
async fn without_its_lock_a_second_daemon_is_kept_away_all_the_same() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let daemon = house.start().await;
    with_history(&house).await;
    let configuration = fs::read_to_string(house.path().join("monitors.toml")).unwrap();
    let second = configuration.replace("control.sock", "second.sock");
    fs::write(house.path().join("second.toml"), second).unwrap();
    let lock = house.path().join("sitewatch.db.lock");
    fs::remove_file(&lock).unwrap();
    // At once, before the first one makes it again.
    let refused = house.ask(&["run", "--config", "second.toml"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = text(&refused.stderr);
    assert!(said.contains("another sitewatch (process "), "{said}");
    house
        .until("the mail", || troubles(&house).len() == 1)
        .await;
    house
        .until("the lock is there again", || {
            fs::read_to_string(&lock).is_ok_and(|pid| pid.trim() == daemon.0.id().to_string())
        })
        .await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(troubles(&house).len(), 1, "{:?}", house.subjects());
}

#[tokio::test]
async fn a_database_that_cannot_be_written_again_is_told_by_everybody() {
    let site = Site::start(200);
    let house = House::new("");
    fs::create_dir(house.path().join("state")).unwrap();
    house.configure("1s", &monitor("shop", site.port));
    let file = house.path().join("monitors.toml");
    let inside = fs::read_to_string(&file)
        .unwrap()
        .replace("\"sitewatch.db\"", "\"state/sitewatch.db\"");
    fs::write(&file, inside).unwrap();
    let mut daemon = house.start().await;
    with_history(&house).await;
    let state = house.path().join("state");
    fs::rename(&state, house.path().join("elsewhere")).unwrap();
    fs::write(&state, "in the way").unwrap();
    house
        .until("the mail", || !troubles(&house).is_empty())
        .await;
    let mail = house.mails().remove(0);
    assert!(
        mail.text.contains("could not be written again"),
        "{}",
        mail.text
    );
    for command in ["status", "history", "backup x.db"] {
        let answer = house.ask(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(answer.status.code(), Some(1), "{command}");
        let said = text(&answer.stderr);
        assert!(said.contains("while the daemon"), "{command}: {said}");
        assert!(!said.contains("creates it"), "{command}: {said}");
    }
    fs::remove_file(&state).unwrap();
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    assert!(
        checks(&house) >= 2,
        "the last look before the end writes it"
    );
}

#[tokio::test]
async fn a_configuration_that_is_not_loaded_is_said_and_not_mailed() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let _daemon = house.start().await;
    let says = |house: &House| {
        text(&house.ask(&["status"]).stdout)
            .contains("the configuration on the disk is not the one")
    };
    sleep(Duration::from_secs(6)).await;
    assert!(!says(&house));
    let both = monitor("shop", site.port) + &monitor("blog", site.port);
    house.configure("1s", &both);
    house.until("it is said", || says(&house)).await;
    assert!(house.ask(&["reload"]).status.success());
    house.until("it is loaded", || !says(&house)).await;
    assert!(house.mails().is_empty(), "{:?}", house.subjects());
}

/// Everything that the daemon makes, whatever the umask.
#[tokio::test]
async fn files_are_for_owner_and_group_whatever_the_umask() {
    let site = Site::start(503);
    for umask in ["0000", "0022", "0077"] {
        let house = House::new(&monitor("shop", site.port));
        let precious = house.path().join("precious");
        fs::write(&precious, "precious\n").unwrap();
        symlink(&precious, house.path().join("sitewatch.db.lock")).unwrap();
        let log = fs::File::create(house.path().join("log")).unwrap();
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", &format!("umask {umask}; exec \"$0\" run")])
            .arg(env!("CARGO_BIN_EXE_sitewatch"))
            .current_dir(house.path())
            .env_clear()
            .env("HOME", house.path())
            .stdin(Stdio::null())
            .stderr(log);
        let daemon = Daemon(shell.spawn().unwrap());
        house.until("the mail", || !house.mails().is_empty()).await;
        let mut seen = 0;
        for folder in [house.path().to_owned(), house.path().join("outbox")] {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let wanted = match name.as_str() {
                    "control.sock" => 0o660,
                    "outbox" => 0o750,
                    name if name.contains("sitewatch.db") || name.ends_with(".eml") => 0o640,
                    _ => continue,
                };
                let mode = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777;
                assert_eq!(mode, wanted, "umask {umask}: {name} is {mode:o}");
                seen += 1;
            }
        }
        assert!(seen >= 7, "{seen} files");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious\n");
        drop(daemon);
    }
}

#[tokio::test]
async fn a_database_of_an_earlier_version_is_copied_and_the_log_says_where() {
    let site = Site::start(200);
    let house = House::new("");
    let connection = rusqlite::Connection::open(house.path().join("sitewatch.db")).unwrap();
    let earlier = include_str!("../../e2e/earlier.sql");
    connection.execute_batch(earlier).unwrap();
    drop(connection);
    house.configure("30s", &monitor("front", site.port));
    let mut daemon = house.start().await;
    with_history(&house).await;
    let log = fs::read_to_string(house.path().join("log")).unwrap();
    let said = "sitewatch.db has new tables now; a copy with the old ones is ";
    let (_, rest) = log.split_once(said).unwrap();
    let copy = rest.lines().next().unwrap();
    let copy = rusqlite::Connection::open(copy.trim()).unwrap();
    let version: i64 = copy
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1);
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
}

/// What is written over the database of a running daemon, under its name and into its inode.
#[derive(Clone, Copy)]
enum Over {
    /// A backup that this daemon made.
    Backup,
    /// The same, made larger or smaller to the size of the database.
    SameSize,
    /// A part of the database itself.
    Truncated,
    /// A database of another program.
    Foreign,
    Empty,
}

impl Over {
    fn write(self, house: &House) -> Vec<u8> {
        let (database, other) = (
            house.path().join("sitewatch.db"),
            house.path().join("other.db"),
        );
        let ours = fs::read(&database).unwrap();
        let bytes = match self {
            Self::Backup => {
                assert!(house.ask(&["backup", "other.db"]).status.success());
                fs::read(&other).unwrap()
            }
            Self::SameSize => {
                assert!(house.ask(&["backup", "other.db"]).status.success());
                let mut bytes = fs::read(&other).unwrap();
                bytes.resize(ours.len(), 0);
                bytes
            }
            Self::Truncated => ours[..ours.len() / 2].to_vec(),
            Self::Foreign => {
                let foreign = rusqlite::Connection::open(&other).unwrap();
                foreign
                    .execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')")
                    .unwrap();
                drop(foreign);
                fs::read(&other).unwrap()
            }
            Self::Empty => Vec::new(),
        };
        // `cp` opens the file that is there, and truncates it.
        fs::write(&database, &bytes).unwrap();
        bytes
    }
}

/// A daemon that has looked at its file once.
async fn settled(site: &Site) -> (House, Daemon) {
    let house = House::new("");
    // The mail does not wait for others to the same recipient.
    house.configure("30s", &monitor("shop", site.port));
    let daemon = house.start().await;
    with_history(&house).await;
    let database = house.path().join("sitewatch.db");
    house
        .until("the mark of the process is in the file", || {
            let bytes = fs::read(&database).unwrap();
            bytes.windows(7).any(|part| part == b"process") && bytes.len() > 100_000
        })
        .await;
    (house, daemon)
}

async fn written_over(over: Over) {
    let site = Site::start(200);
    let (house, mut daemon) = settled(&site).await;
    let bytes = over.write(&house);
    let written = sitewatch::clock::tick();
    house
        .until("the mail", || !troubles(&house).is_empty())
        .await;
    assert!(written.elapsed() < SAID_WITHIN, "{:?}", written.elapsed());
    let mail = house.mails().remove(0);
    let said = "Another file was written over the database";
    assert!(mail.text.contains(said), "{}", mail.text);
    let names = fs::read_dir(house.path()).unwrap();
    let mut names = names.map(|entry| entry.unwrap().path());
    let aside = names.find(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("sitewatch.db.overwritten-")
    });
    let aside = fs::read(aside.expect("it was set aside")).unwrap();
    assert!(aside == bytes, "it is as it was put there");
    // Watching goes on in a new database, and nothing is told twice.
    with_history(&house).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(house.subjects().len(), 1, "{:?}", house.subjects());
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
}

#[tokio::test]
async fn a_backup_written_over_the_open_database_is_told_and_set_aside() {
    tokio::join!(written_over(Over::Backup), written_over(Over::SameSize));
}

#[tokio::test]
async fn whatever_is_written_over_the_open_database_is_told_and_set_aside() {
    tokio::join!(
        written_over(Over::Truncated),
        written_over(Over::Foreign),
        written_over(Over::Empty)
    );
}

/// The log of the former database would be replayed into it.
#[tokio::test]
async fn a_backup_written_over_the_database_just_before_the_end_is_left_as_it_is() {
    let site = Site::start(200);
    let (house, mut daemon) = settled(&site).await;
    let bytes = Over::Backup.write(&house);
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(1));
    let database = house.path().join("sitewatch.db");
    assert!(fs::read(&database).unwrap() == bytes, "it was written into");
    assert!(!house.path().join("sitewatch.db-wal").exists());
    let mut daemon = house.start().await;
    with_history(&house).await;
    assert!(house.mails().is_empty(), "{:?}", house.subjects());
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
}
