//! Only one daemon uses a database. A lock file beside the database names the process that holds it. The database
//! itself is locked too, so that a second daemon is kept away even if the lock file was removed.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::own_files::{self, FILE_MODE, Identity};
use crate::store::error::{Result, StoreError};

/// A command that asks whether a daemon runs holds the lock for an instant: this often, and after this long, it is
/// tried again.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// If somebody replaces the lock file again and again, taking it is given up after so many tries.
const REPLACED_MAX: u32 = 20;

/// `/proc/locks` has a line a lock; a busy server has some hundred.
const LOCKS_BYTES_MAX: u64 = 1 << 20;

/// On these file systems locking a file locks it for SQLite's own locks, too: NFS, CIFS, SMB.
const SHARED_FILE_SYSTEMS: [u32; 3] = [0x6969, 0xff53_4d42, 0xfe53_4d42];

/// Held as long as the store is open; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(in crate::store) struct Lock {
    database: PathBuf,
    path: PathBuf,
    file: File,
}

/// Where the lock of a database is.
pub(super) fn path_of(database: &Path) -> PathBuf {
    own_files::beside(database, ".lock")
}

impl Lock {
    /// Takes the lock, or returns its holder.
    pub(in crate::store) fn take(database: &Path) -> Result<Self> {
        let path = path_of(database);
        let fail = |source| StoreError::Directory {
            path: path.clone(),
            source,
        };
        for _ in 0..REPLACED_MAX {
            give_way(&path).map_err(fail)?;
            let mut file = own_files::open_or_create(&path).map_err(fail)?;
            if !locked(&file).map_err(fail)? {
                return Err(StoreError::Locked {
                    path: database.to_owned(),
                    pid: holder_written(&mut file),
                });
            }
            // Between opening and locking another process may have removed it.
            if Identity::at(&path).map_err(fail)? != Some(Identity::of(&file).map_err(fail)?) {
                continue;
            }
            if file.metadata().map_err(fail)?.mode() & 0o7777 & !FILE_MODE != 0 {
                file.set_permissions(Permissions::from_mode(FILE_MODE))
                    .map_err(fail)?;
            }
            file.set_len(0).map_err(fail)?;
            file.rewind().map_err(fail)?;
            writeln!(file, "{}", std::process::id()).map_err(fail)?;
            return Ok(Self {
                database: database.to_owned(),
                path,
                file,
            });
        }
        Err(fail(io::Error::other("another program keeps replacing it")))
    }

    /// The database that is locked.
    pub(in crate::store) fn database(&self) -> &Path {
        &self.database
    }

    /// Where it is, or should be.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file of that name is still the one that is held.
    pub(super) fn is_there(&self) -> bool {
        let held = Identity::of(&self.file).ok();
        // A file that cannot be examined may still be there.
        Identity::at(&self.path).map_or(true, |found| found.is_some() && found == held)
    }
}

/// A link of the lock's name is not followed, and a second name of a file of somebody else's is not written to: only
/// the name is ours, and it is made free.
fn give_way(path: &Path) -> io::Result<()> {
    let Ok(found) = path.symlink_metadata() else {
        return Ok(());
    };
    let is_link = found.file_type().is_symlink();
    if is_link || (found.is_file() && found.nlink() > 1) {
        let what = if is_link { "symbolic" } else { "hard" };
        tracing::warn!(
            "{} was a {what} link; it is not followed, a lock file takes its place",
            path.display()
        );
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// Takes the lock; `false` if somebody else has it.
fn locked(file: &File) -> io::Result<bool> {
    let mut tries = 0..TRIES;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) if tries.next().is_some() => {
                std::thread::park_timeout(PAUSE);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Locks the open database itself, beside SQLite's own locks. It must not be closed before SQLite has closed the
/// database: that would let go of SQLite's locks.
pub(in crate::store) fn hold(database: &File, path: &Path) -> Result<()> {
    let kind = rustix::fs::fstatfs(database).map(|found| found.f_type as u32);
    if kind.is_ok_and(|kind| SHARED_FILE_SYSTEMS.contains(&kind)) {
        return Ok(());
    }
    match locked(database) {
        // Without locks on this file system the lock file is all there is.
        Ok(true) | Err(_) => Ok(()),
        Ok(false) => {
            let listed = database.metadata().ok();
            Err(StoreError::Locked {
                path: path.to_owned(),
                pid: listed
                    .and_then(|listed| holder_listed(&listed))
                    .unwrap_or_else(|| "?".to_owned()),
            })
        }
    }
}

/// The process that runs on a database now, if one does.
pub(in crate::store) fn holder(database: &Path) -> Option<String> {
    let beside = File::open(path_of(database)).ok().and_then(|mut file| {
        // A shared lock for an instant: a daemon that starts in it tries again, see `Lock::take`.
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return None;
        }
        Some(holder_written(&mut file))
    });
    // Without opening it, see `hold`.
    beside.or_else(|| holder_listed(&database.metadata().ok()?))
}

/// Who holds the whole-file lock of a file, as the system lists it: `1: FLOCK  ADVISORY  WRITE 713 fd:01:4711 0 EOF`.
fn holder_listed(database: &Metadata) -> Option<String> {
    let (device, inode) = (database.dev(), database.ino());
    let name = format!(
        "{:02x}:{:02x}:{inode}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let mut text = String::new();
    File::open("/proc/locks")
        .and_then(|file| file.take(LOCKS_BYTES_MAX).read_to_string(&mut text))
        .ok()?;
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (kind, pid) = (words.next()?, words.nth(2)?);
        (kind == "FLOCK" && words.next() == Some(&name)).then(|| pid.to_owned())
    })
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
