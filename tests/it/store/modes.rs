//! Who may read the files that the store makes, and what it does where a link has their name.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use sitewatch::own_files::beside;
use sitewatch::store::error::StoreError;
use sitewatch::store::file::corruption::set_aside;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;

use super::{MINUTE, Place, START, at, check, enroll, record};

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, bits: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
}

const PARTS: [&str; 4] = ["", "-wal", "-shm", ".lock"];

#[test]
fn everything_made_is_for_owner_and_group() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    for part in PARTS {
        assert_eq!(mode(&beside(&place.path, part)), 0o640, "{part}");
    }
    assert_eq!(mode(place.path.parent().unwrap()), 0o750);
    assert_eq!((store.mode_was(), store.link()), (None, None));
    let copy = place.path.with_file_name("copy.db");
    place.reader().backup(&copy).unwrap();
    assert_eq!(mode(&copy), 0o640);
    drop(store);
    set_mode(&place.path, 0o664);
    let aside = set_aside(&place.path, at(START)).unwrap();
    assert_eq!(mode(&aside), 0o640);
}

#[test]
fn a_database_that_everybody_could_read_is_tightened_once() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    // As the version before this one left it, in a folder of its own choice.
    let unmarked = "DELETE FROM meta WHERE key = 'mode_set'";
    store.outbox().execute(unmarked, []).unwrap();
    drop(store);
    set_mode(place.path.parent().unwrap(), 0o755);
    for part in PARTS {
        set_mode(&beside(&place.path, part), 0o644);
    }
    let store = place.store();
    assert_eq!(store.mode_was(), Some(0o644));
    for part in PARTS {
        assert_eq!(mode(&beside(&place.path, part)), 0o640, "{part}");
    }
    assert_eq!(mode(place.path.parent().unwrap()), 0o755, "a folder stays");
    drop(store);
    // What somebody chooses afterwards stays.
    set_mode(&place.path, 0o644);
    assert_eq!(place.store().mode_was(), None);
    assert_eq!(mode(&place.path), 0o644);
    // Less than we would give is never widened.
    let store = place.store();
    store.outbox().execute(unmarked, []).unwrap();
    drop(store);
    set_mode(&place.path, 0o600);
    assert_eq!(place.store().mode_was(), None);
    assert_eq!(mode(&place.path), 0o600);
}

#[test]
fn a_lock_that_is_a_link_is_not_written_through() {
    for is_hard in [false, true] {
        let place = Place::new();
        let directory = place.path.parent().unwrap();
        std::fs::create_dir_all(directory).unwrap();
        let precious = directory.join("precious");
        std::fs::write(&precious, "precious\n").unwrap();
        let lock = beside(&place.path, ".lock");
        match is_hard {
            true => std::fs::hard_link(&precious, &lock).unwrap(),
            false => symlink(&precious, &lock).unwrap(),
        }
        let store = place.store();
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious\n");
        let held = std::fs::read_to_string(&lock).unwrap();
        assert_eq!(held.trim(), std::process::id().to_string());
        assert!(lock.symlink_metadata().unwrap().is_file());
        assert!(matches!(
            Store::open(&place.path, at(START)),
            Err(StoreError::Locked { .. })
        ));
        drop(store);
    }
}

#[test]
fn a_lock_that_is_no_file_is_said() {
    let place = Place::new();
    std::fs::create_dir_all(place.path.parent().unwrap()).unwrap();
    let lock = beside(&place.path, ".lock");
    std::fs::create_dir(&lock).unwrap();
    let error = Store::open(&place.path, at(START)).unwrap_err().to_string();
    assert!(error.contains(".lock`: "), "{error}");
}

#[test]
fn a_linked_database_goes_on_and_none_is_made_through_a_link() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    drop(store);
    let link = place.path.with_file_name("link.db");
    symlink(&place.path, &link).unwrap();
    let mut store = Store::open(&link, at(START)).unwrap();
    let real = place.path.canonicalize().unwrap();
    assert_eq!(
        (store.path(), store.link()),
        (real.as_path(), Some(link.as_path()))
    );
    record(&mut store, &[(ids[0], check('U', START + MINUTE))]);
    // Both names are one database with one lock.
    let reader = Reader::open(&link).unwrap();
    assert_eq!(reader.daemon(), Some(std::process::id().to_string()));
    assert!(matches!(
        Store::open(&place.path, at(START)),
        Err(StoreError::Locked { .. })
    ));
    drop(store);

    let precious = place.path.with_file_name("precious");
    for content in ["", "precious", &"precious".repeat(100)] {
        std::fs::write(&precious, content).unwrap();
        let link = place.path.with_file_name("other.db");
        let _ = std::fs::remove_file(&link);
        symlink(&precious, &link).unwrap();
        let error = Store::open(&link, at(START)).unwrap_err().to_string();
        assert!(error.contains("is a symbolic link to"), "{error}");
        assert!(error.contains("[daemon].database"), "{error}");
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), content);
        std::fs::remove_file(&precious).unwrap();
        assert!(Store::open(&link, at(START)).is_err());
        assert!(!precious.exists(), "none is made through a dangling link");
    }
    // A linked folder is a place like any other.
    let folder = place.path.parent().unwrap();
    let linked = folder.with_file_name("linked");
    symlink(folder, &linked).unwrap();
    Store::open(&linked.join("new.db"), at(START)).unwrap();
    assert!(folder.join("new.db").is_file());
}

#[test]
fn a_log_that_is_a_link_is_refused() {
    for end in ["-wal", "-shm"] {
        let place = Place::new();
        let directory = place.path.parent().unwrap();
        std::fs::create_dir_all(directory).unwrap();
        let precious = directory.join("precious");
        std::fs::write(&precious, "precious").unwrap();
        symlink(&precious, beside(&place.path, end)).unwrap();
        let error = Store::open(&place.path, at(START)).unwrap_err().to_string();
        assert!(error.contains("remove the link"), "{error}");
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    }
}
