//! One daemon a database: a lock file beside it names who holds it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::error::{Result, StoreError};

/// A command that asks whether a daemon runs holds the lock for an instant: this often, and after this long, it is
/// tried again.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Held as long as the store is open; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Where the lock of a database is.
pub(super) fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(database: &Path) -> Result<Self> {
        let path = path_of(database);
        let fail = |source| StoreError::Directory {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        let mut tries = 0..TRIES;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            if tries.next().is_some() {
                std::thread::park_timeout(PAUSE);
                continue;
            }
            return Err(StoreError::Locked {
                path: database.to_owned(),
                pid: holder_written(&mut file),
            });
        }
        file.set_len(0).map_err(fail)?;
        file.rewind().map_err(fail)?;
        writeln!(file, "{}", std::process::id()).map_err(fail)?;
        Ok(Self { _file: file })
    }
}

/// The process that runs on a database now, if one does.
pub(super) fn holder(database: &Path) -> Option<String> {
    let mut file = File::open(path_of(database)).ok()?;
    // A shared lock for an instant: a daemon that starts in it tries again, see `Lock::take`.
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    Some(holder_written(&mut file))
}

fn holder_written(file: &mut File) -> String {
    let mut text = String::new();
    // The longest process number has ten digits.
    let read = file.take(32).read_to_string(&mut text);
    match (read, text.trim()) {
        (Ok(_), pid) if !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()) => {
            pid.to_owned()
        }
        _ => "?".to_owned(),
    }
}
