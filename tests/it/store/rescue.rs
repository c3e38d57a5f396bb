//! Files that are removed or replaced under an open store: the store writes again what was recorded.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use sitewatch::domain::monitor::MonitorId;
use sitewatch::own_files::beside;
use sitewatch::store::checks::history::HistoryQuery;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;

use super::{MINUTE, Place, START, at, check, enroll, record};

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

/// A store with a check of each minute, the newest of them in the log only.
fn filled(place: &Place) -> (Store, MonitorId) {
    let mut store = place.store();
    let id = enroll(&mut store, &["a"])[0];
    for minute in 0..50 {
        record(&mut store, &[(id, check('U', START + minute * MINUTE))]);
    }
    assert_eq!(store.gone(), []);
    (store, id)
}

fn said(store: &Store) -> String {
    let gone: Vec<String> = store.gone().iter().map(ToString::to_string).collect();
    gone.join(", ")
}

/// After a rescue: everything is in one file, more can be recorded, and a new start finds all of it.
fn goes_on(mut store: Store, id: MonitorId, place: &Path) {
    assert_eq!(store.gone(), []);
    assert_eq!(count(place), 50);
    record(&mut store, &[(id, check('D', START + 60 * MINUTE))]);
    assert_eq!(count(place), 51);
    store.check_integrity().unwrap();
    for end in ["", "-wal", "-shm"] {
        let mode = fs::metadata(beside(place, end))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640, "{end}");
    }
    drop(store);
    drop(Store::open(place, at(START)).unwrap());
    assert_eq!(count(place), 51);
}

#[test]
fn what_was_removed_is_written_again() {
    type Removal = fn(&Path);
    let removals: [(&str, Removal); 6] = [
        ("the database was removed", |path| {
            fs::remove_file(path).unwrap()
        }),
        ("its log (-wal) was removed", |path| {
            fs::remove_file(beside(path, "-wal")).unwrap();
        }),
        ("the index of its log (-shm) was removed", |path| {
            fs::remove_file(beside(path, "-shm")).unwrap();
        }),
        (
            "the database was removed, its log (-wal) was removed, the index of its log (-shm) was removed",
            |path| {
                for end in ["", "-wal", "-shm"] {
                    fs::remove_file(beside(path, end)).unwrap();
                }
            },
        ),
        ("the database was removed", |path| {
            fs::rename(path, path.with_file_name("away.db")).unwrap();
        }),
        ("its log (-wal) was replaced", |path| {
            let log = beside(path, "-wal");
            fs::remove_file(&log).unwrap();
            fs::write(&log, "another log").unwrap();
        }),
    ];
    for (what, remove) in removals {
        let place = Place::new();
        let (mut store, id) = filled(&place);
        remove(&place.path);
        assert_eq!(said(&store), what);
        let mut steps = 0;
        let found = store
            .rescue(&place.path, at(START), &mut || steps += 1)
            .unwrap();
        assert_eq!(found, place.path, "{what}");
        goes_on(store, id, &place.path);
    }
}

#[test]
fn a_folder_that_is_gone_is_made_again() {
    for is_removed in [true, false] {
        let place = Place::new();
        let (mut store, id) = filled(&place);
        let folder = place.path.parent().unwrap();
        match is_removed {
            true => fs::remove_dir_all(folder).unwrap(),
            false => fs::rename(folder, folder.with_file_name("elsewhere")).unwrap(),
        }
        assert_eq!(store.gone().len(), 4);
        store.lock_again().unwrap();
        store.rescue(&place.path, at(START), &mut || ()).unwrap();
        assert_eq!(
            Reader::open(&place.path).unwrap().daemon(),
            Some(std::process::id().to_string())
        );
        goes_on(store, id, &place.path);
    }
}

#[test]
fn what_took_its_place_is_left_alone() {
    type Replacement = fn(&Path);
    let replacements: [Replacement; 4] = [
        // An older copy, as a restore without a stop does it.
        |path| {
            let copy = path.with_file_name("copy.db");
            Reader::open(path).unwrap().backup(&copy).unwrap();
            fs::rename(&copy, path).unwrap();
        },
        |path| {
            let text = path.with_file_name("text");
            fs::write(&text, "a text").unwrap();
            fs::rename(&text, path).unwrap();
        },
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        |path| {
            let moved = path.with_file_name("moved.db");
            fs::rename(path, &moved).unwrap();
            symlink(&moved, path).unwrap();
        },
    ];
    for replace in replacements {
        let place = Place::new();
        let (mut store, id) = filled(&place);
        replace(&place.path);
        assert_eq!(said(&store), "the database was replaced");
        let before = fs::symlink_metadata(&place.path)
            .unwrap()
            .modified()
            .unwrap();
        let found = store.rescue(&place.path, at(START), &mut || ()).unwrap();
        assert_eq!(found, beside(&place.path, ".rescued-1795305600"));
        assert_eq!(store.path(), found);
        let after = fs::symlink_metadata(&place.path)
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(after, before);
        // The lock of the place stays held: a second daemon does not get at what is there now.
        assert!(Store::open(&place.path, at(START)).is_err());
        goes_on(store, id, &found);
    }
}

#[test]
fn it_goes_home_when_its_place_is_free_and_tidies_up() {
    let place = Place::new();
    let (mut store, id) = filled(&place);
    fs::remove_file(&place.path).unwrap();
    fs::write(&place.path, "a text").unwrap();
    let away = store.rescue(&place.path, at(START), &mut || ()).unwrap();
    assert_ne!(away, place.path);
    fs::remove_file(&place.path).unwrap();
    let home = store
        .rescue(&place.path, at(START + 1000), &mut || ())
        .unwrap();
    assert_eq!(home, place.path);
    for end in ["", "-wal", "-shm"] {
        assert!(!beside(&away, end).exists(), "{end}");
    }
    goes_on(store, id, &home);
    let left: Vec<String> = fs::read_dir(place.path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("rescued"))
        .collect();
    assert_eq!(left, [] as [&str; 0]);
}

#[test]
fn a_lock_that_was_removed_is_made_again_and_one_of_another_is_respected() {
    let place = Place::new();
    let (mut store, _) = filled(&place);
    let lock = beside(&place.path, ".lock");
    fs::remove_file(&lock).unwrap();
    assert_eq!(said(&store), "its lock (.lock) was removed");
    store.lock_again().unwrap();
    assert_eq!(store.gone(), []);
    fs::remove_file(&lock).unwrap();
    fs::write(&lock, "").unwrap();
    assert_eq!(said(&store), "its lock (.lock) was replaced");
    store.lock_again().unwrap();
    assert_eq!(store.gone(), []);
    // Somebody else was quicker.
    fs::remove_file(&lock).unwrap();
    let other = fs::File::create(&lock).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert!(store.lock_again().is_err());
    assert_eq!(said(&store), "its lock (.lock) was replaced");
}

#[test]
fn a_rescue_that_fails_leaves_the_store_as_it_is() {
    let place = Place::new();
    let (mut store, id) = filled(&place);
    let folder = place.path.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    fs::write(folder, "in the way").unwrap();
    assert!(store.rescue(&place.path, at(START), &mut || ()).is_err());
    record(&mut store, &[(id, check('U', START + 55 * MINUTE))]);
    fs::remove_file(folder).unwrap();
    store.rescue(&place.path, at(START), &mut || ()).unwrap();
    assert_eq!(count(&place.path), 51);
}
