//! Disks that are full, files that are damaged, directories that may not be written, and who else is there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use sitewatch::store::checks::history::HistoryQuery;
use sitewatch::store::error::StoreError;
use sitewatch::store::file::corruption::{Looked, look_again, set_aside, set_overwritten_aside};
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;

use super::{HOUR, MINUTE, Place, START, at, check, enroll, record, rich, settle};

/// With more time than it takes.
fn look(path: &Path) -> Result<Looked, StoreError> {
    look_again(path, || false)
}

fn count(path: &Path) -> usize {
    let mut count = 0;
    Reader::open(path)
        .unwrap()
        .history(&HistoryQuery::default(), &mut |_, _, _| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    count
}

#[test]
fn a_second_daemon_is_told_who_is_there() {
    let place = Place::new();
    let store = place.store();
    let error = Store::open(&place.path, at(START)).unwrap_err();
    let pid = std::process::id();
    assert_eq!(
        error.to_string(),
        format!(
            "open `{}`: another sitewatch (process {pid}) is running on it",
            place.path.display()
        )
    );
    assert_eq!(place.reader().daemon(), Some(pid.to_string()));
    drop(store);
    assert_eq!(place.reader().daemon(), None);
    place.store();
}

#[test]
fn a_full_disk_is_said_and_passes() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    let pages: i64 = store
        .outbox()
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    store
        .outbox()
        .pragma_update(None, "max_page_count", pages + 2)
        .unwrap();
    let fill = |store: &mut Store, from: i64| -> Result<(), StoreError> {
        let mut batch = store.batch()?;
        for n in 0..600 {
            let check = rich(from + n * 1000, u32::try_from(n).unwrap());
            batch.record(ids[0], &check, Duration::from_secs(60))?;
        }
        batch.commit()
    };
    let error = fill(&mut store, START + MINUTE).unwrap_err();
    assert!(matches!(error, StoreError::Full), "{error}");
    assert!(error.passes());
    assert_eq!(count(&place.path), 1);
    store
        .outbox()
        .pragma_update(None, "max_page_count", 1_000_000)
        .unwrap();
    // Numbers of shared values that were given in the undone transaction are not used again.
    fill(&mut store, START + MINUTE).unwrap();
    assert_eq!(count(&place.path), 601);
    store.check_integrity().unwrap();
}

#[test]
fn readers_and_the_writer_never_wait_for_each_other() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a", "b"]);
    let path = place.path.clone();
    record(&mut store, &[(ids[0], check('U', START))]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let reader = Reader::open(&path).unwrap();
            reader.outbox().busy_timeout(Duration::ZERO).unwrap();
            let mut rounds = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                reader
                    .report(&[], at(START), at(START + 30 * HOUR))
                    .unwrap();
                reader.status(&[], at(START)).unwrap();
                assert!(count(&path) > 0);
                rounds += 1;
            }
            rounds
        });
        store.outbox().busy_timeout(Duration::ZERO).unwrap();
        for minute in 1..600 {
            let now = START + minute * MINUTE;
            record(
                &mut store,
                &[(ids[0], check('U', now)), (ids[1], check('D', now))],
            );
            if minute % 60 == 5 {
                settle(&mut store, now);
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reading.join().unwrap() > 0);
    });
    assert_eq!(count(&place.path), 1 + 2 * 599);
}

#[test]
fn a_damaged_file_is_put_aside() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    for n in 0..40 {
        record(&mut store, &[(ids[0], rich(START + n, 1))]);
    }
    drop(store);
    let mut bytes = std::fs::read(&place.path).unwrap();
    for byte in bytes.iter_mut().skip(200).step_by(3) {
        *byte = 0xa5;
    }
    std::fs::write(&place.path, &bytes).unwrap();
    let error = match Store::open(&place.path, at(START)) {
        Err(error) => error,
        Ok(store) => store.check_quickly().unwrap_err(),
    };
    assert!(error.is_damage(), "{error}");
    assert!(look(&place.path).unwrap_err().is_damage());
    let aside = set_aside(&place.path, at(START)).unwrap();
    assert!(
        aside
            .to_string_lossy()
            .ends_with("sitewatch.db.damaged-1795305600")
    );
    assert_eq!(std::fs::read(aside).unwrap(), bytes);
    let mut fresh = place.store();
    let ids = enroll(&mut fresh, &["a"]);
    record(&mut fresh, &[(ids[0], check('U', START))]);
    assert_eq!(count(&place.path), 1);
}

/// SQLite says "malformed" of a read that fails with EIO. A file of years must not be set aside for that.
#[test]
fn a_disk_that_does_not_give_the_file_is_no_damage() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    drop(store);
    look(&place.path).unwrap();
    // Reads of its first page fail with EIO.
    let memory = Path::new("/proc/self/mem");
    let log = place.path.with_file_name("sitewatch.db-wal");
    let _ = std::fs::remove_file(&log);
    std::os::unix::fs::symlink(memory, &log).unwrap();
    let error = look(&place.path).unwrap_err();
    assert!(error.is_about_disk() && !error.is_damage(), "{error}");
    std::fs::remove_file(&log).unwrap();
    assert_eq!(look(&place.path).unwrap(), Looked::Whole);
    // Nobody is watched meanwhile: it ends when it has to.
    let unfinished = look_again(&place.path, || true).unwrap();
    assert_eq!(unfinished, Looked::Unfinished);
    assert_eq!(count(&place.path), 1);
}

#[test]
fn a_copy_is_made_beside_the_writer() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    let copy = place.path.with_file_name("copy.db");
    place.reader().backup(&copy).unwrap();
    record(&mut store, &[(ids[0], check('U', START + MINUTE))]);
    assert_eq!(count(&copy), 1);
    let error = place.reader().backup(&copy).unwrap_err();
    assert!(error.to_string().starts_with("back up to `"), "{error}");
    assert_eq!(count(&copy), 1);
    drop(store);
    // Restoring is putting the copy in the place of the file.
    std::fs::rename(&copy, &place.path).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", place.path.display()));
    }
    let mut store = place.store();
    record(&mut store, &[(ids[0], check('U', START + 2 * MINUTE))]);
    assert_eq!(count(&place.path), 2);
}

#[test]
fn what_is_not_there_or_not_ours_is_said() {
    let place = Place::new();
    let missing = Reader::open(&place.path).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!(
            "there is no database at `{}`; `sitewatch run` creates it",
            place.path.display()
        )
    );
    std::fs::create_dir_all(place.path.parent().unwrap()).unwrap();
    std::fs::write(
        &place.path,
        "this is a text file and not a database at all".repeat(40),
    )
    .unwrap();
    assert!(Reader::open(&place.path).unwrap_err().is_damage());
    std::fs::write(&place.path, "").unwrap();
    assert!(matches!(
        Reader::open(&place.path),
        Err(StoreError::Foreign { .. })
    ));
}

#[test]
fn a_directory_is_said_to_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let error = Reader::open(directory.path()).unwrap_err().to_string();
    assert!(error.ends_with(": is a directory"), "{error}");
}

#[test]
fn a_log_that_nobody_may_open_is_named() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    // As a copy of the two files, or a directory that was tidied by hand, has it.
    let copy = place.path.with_file_name("copy/sitewatch.db");
    let directory = copy.parent().unwrap();
    std::fs::create_dir_all(directory).unwrap();
    std::fs::copy(&place.path, &copy).unwrap();
    let log = |path: &Path| format!("{}-wal", path.display());
    std::fs::copy(log(&place.path), log(&copy)).unwrap();
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o550)).unwrap();
    let outcome = Reader::open(&copy);
    if rustix::process::geteuid().is_root() {
        assert!(outcome.is_ok(), "{outcome:?}");
    } else {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::Log { .. }), "{error}");
    }
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o750)).unwrap();
    assert_eq!(count(&copy), 1);
}

#[test]
fn a_group_that_may_only_read_reads() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    let directory = place.path.parent().unwrap().to_owned();
    let mode = |bits| {
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(bits)).unwrap();
    };
    // For root permissions mean nothing; the package's test in a booted system does this as another user.
    mode(0o550);
    assert_eq!(count(&place.path), 1);
    drop(store);
    assert_eq!(count(&place.path), 1);
    for end in ["-wal", "-shm"] {
        mode(0o750);
        let _ = std::fs::remove_file(format!("{}{end}", place.path.display()));
        mode(0o550);
    }
    assert_eq!(count(&place.path), 1);
    mode(0o750);
}

#[test]
fn a_file_written_over_an_open_database_is_noticed() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    let more = |store: &mut Store, from: i64, rows: i64| {
        for n in 0..rows {
            let check = rich(from + n * 1000, u32::try_from(n).unwrap());
            record(store, &[(ids[0], check)]);
        }
    };
    more(&mut store, START, 20);
    let copy = place.path.with_file_name("copy.db");
    place.reader().backup(&copy).unwrap();
    // Our own work is none, whatever it does to the file.
    for hour in 0..4 {
        more(&mut store, START + hour * HOUR + MINUTE, 500);
        assert!(!store.is_overwritten(), "{hour}");
        settle(&mut store, START + (hour + 1) * HOUR + 5 * MINUTE);
        assert!(!store.is_overwritten(), "{hour}");
        store.probe(at(START)).unwrap();
        assert!(!store.is_overwritten(), "{hour}");
    }
    let bytes = std::fs::read(&copy).unwrap();
    std::fs::write(&place.path, &bytes).unwrap();
    assert!(store.is_overwritten());
    assert!(store.is_overwritten());
    std::fs::write(&place.path, "no database").unwrap();
    assert!(store.is_overwritten());
}

#[test]
fn a_database_of_the_same_size_that_was_changed_more_often_is_noticed() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    let work = |store: &mut Store, from: i64| {
        for n in 0..40 {
            record(store, &[(ids[0], rich(from + n * 1000, 7))]);
        }
        assert!(!store.is_overwritten());
        // As it happens by itself every thousand pages.
        store
            .outbox()
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .unwrap();
        assert!(!store.is_overwritten());
    };
    for minute in 0..5 {
        work(&mut store, START + minute * MINUTE);
    }
    let ours = std::fs::read(&place.path).unwrap();
    let is_mark = |bytes: &[u8]| {
        let (name, text) = bytes.split_at(7);
        name == b"process" && text.iter().all(u8::is_ascii_hexdigit)
    };
    let mark = ours.windows(7 + 32).position(is_mark);
    let mark = mark.expect("the mark is in the file");
    let of_another = |mut bytes: Vec<u8>, counter: u32| {
        // As another process would have written it: only what it calls itself differs.
        bytes[mark + 7..mark + 7 + 32].copy_from_slice(&[b'e'; 32]);
        for at in [24, 92] {
            bytes[at..at + 4].copy_from_slice(&counter.to_be_bytes());
        }
        bytes
    };
    let counter = u32::from_be_bytes(ours[24..28].try_into().unwrap());
    for more in [0, 1, 1000] {
        std::fs::write(&place.path, of_another(ours.clone(), counter + more)).unwrap();
        assert!(store.is_overwritten(), "{more}");
        assert!(store.is_overwritten(), "{more}");
        // Back again, and the store goes on.
        std::fs::write(&place.path, &ours).unwrap();
        assert!(!store.is_overwritten(), "{more}");
    }
    work(&mut store, START + 10 * MINUTE);
}

/// A reader that holds a part of the log back leaves the file between two states: its own pages do not go together.
#[test]
fn a_log_that_is_partly_in_the_file_is_no_other_file() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    let log_goes_in = |store: &Store| {
        store
            .outbox()
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
            })
            .unwrap()
    };
    for minute in 0..2 {
        record(&mut store, &[(ids[0], rich(START + minute * MINUTE, 7))]);
        assert!(!store.is_overwritten());
        assert!(log_goes_in(&store));
        assert!(!store.is_overwritten());
    }
    // The mark of this process moves to another page, of which the newest state is younger than the reader.
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
                INSERT INTO meta (key, value)
                SELECT char(97 + i % 26) || i, hex(randomblob(100)) FROM n";
    store.outbox().execute(many, []).unwrap();
    let reader = rusqlite::Connection::open(&place.path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM meta")
        .unwrap();
    let younger = "UPDATE meta SET value = hex(randomblob(100)) WHERE length(value) = 200";
    store.outbox().execute(younger, []).unwrap();
    assert!(!log_goes_in(&store));
    assert!(!store.is_overwritten());
    assert!(!store.is_overwritten());
    drop(reader);
    assert!(!store.is_overwritten());
    assert!(log_goes_in(&store));
    assert!(!store.is_overwritten());
    // What is another's is still noticed.
    let other = place.path.with_file_name("other.db");
    place.reader().backup(&other).unwrap();
    record(&mut store, &[(ids[0], rich(START + HOUR, 7))]);
    let bytes = std::fs::read(&other).unwrap();
    std::fs::write(&place.path, &bytes[..bytes.len() - 4096]).unwrap();
    assert!(store.is_overwritten());
}

/// Its own log may hold the first page and the mark: a checkpoint would make the other file look like this database.
#[test]
fn nothing_of_the_log_is_written_into_a_file_that_is_another_s() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    let more = |store: &mut Store, from: i64| {
        for n in 0..60 {
            let check = rich(from + n * 1000, u32::try_from(n).unwrap());
            record(store, &[(ids[0], check)]);
        }
        store.probe(at(from)).unwrap();
    };
    more(&mut store, START);
    // The first look writes the mark, the next brings it into the file.
    assert!(!store.is_overwritten());
    assert!(!store.is_overwritten());
    let ours = std::fs::read(&place.path).unwrap();
    let mark = store
        .outbox()
        .query_row("SELECT value FROM meta WHERE key = 'process'", [], |row| {
            row.get::<_, String>(0)
        })
        .unwrap();
    assert!(ours.windows(32).any(|part| part == mark.as_bytes()));
    // As another process of the same database left it: a backup of last week.
    let mut other = ours.clone();
    for n in 0..other.len() - 32 {
        if &other[n..n + 32] == mark.as_bytes() {
            other[n..n + 32].copy_from_slice(&[b'e'; 32]);
        }
    }
    let counter = u32::from_be_bytes(ours[24..28].try_into().unwrap()) + 1000;
    for at in [24, 92] {
        other[at..at + 4].copy_from_slice(&counter.to_be_bytes());
    }
    more(&mut store, START + MINUTE);
    std::fs::write(&place.path, &other).unwrap();
    for _ in 0..3 {
        assert!(store.is_overwritten());
        assert!(
            std::fs::read(&place.path).unwrap() == other,
            "it was written into"
        );
    }
    store.leave_as_it_is();
    drop(store);
    assert!(
        std::fs::read(&place.path).unwrap() == other,
        "it was written into"
    );
    let aside = set_overwritten_aside(&place.path, at(START)).unwrap();
    assert!(std::fs::read(&aside).unwrap() == other);
    assert!(!place.path.with_file_name("sitewatch.db-wal").exists());
    // It is whole, and no log of another database is beside it.
    assert_eq!(look(&aside).unwrap(), Looked::Whole);
    assert_eq!(count(&aside), 60);
}
