//! Notices that files of the database were removed or replaced while the daemon runs, and writes everything to a new
//! place.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::lock::Lock;
use crate::domain::timestamp::Timestamp;
use crate::own_files::{self, Identity};
use crate::store::error::{Result, StoreError};
use crate::store::replica::standing;
use crate::store::writer::Store;

/// So many pages (4 MiB) are copied between two signs of life.
const PAGES_A_STEP: i32 = 1024;

/// Names tried for the copy: others are left from before, or somebody takes them.
const NAMES_MAX: u32 = 20;

/// One file of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The database itself.
    Database,
    /// Its write-ahead log.
    Log,
    /// The index of the log.
    Index,
    /// The lock that keeps a second daemon away.
    Lock,
}

/// A file that is not where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// The file that is affected.
    pub part: Part,
    /// Whether something else has its name now.
    pub is_replaced: bool,
}

impl Part {
    const fn ending(self) -> &'static str {
        match self {
            Self::Database => "",
            Self::Log => "-wal",
            Self::Index => "-shm",
            Self::Lock => ".lock",
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Database => "the database",
            Part::Log => "its log (-wal)",
            Part::Index => "the index of its log (-shm)",
            Part::Lock => "its lock (.lock)",
        };
        let how = if self.is_replaced {
            "was replaced"
        } else {
            "was removed"
        };
        write!(f, "{part} {how}")
    }
}

/// Which files are open, to be found again under their names.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Parts([(Part, Option<Identity>); 3]);

impl Parts {
    /// As they are now.
    pub(in crate::store) fn of(path: &Path) -> Self {
        Self([Part::Database, Part::Log, Part::Index].map(|part| {
            let found = Identity::at(&own_files::beside(path, part.ending()));
            (part, found.ok().flatten())
        }))
    }

    fn identity(&self, wanted: Part) -> Option<Identity> {
        let found = self.0.iter().find(|(part, _)| *part == wanted);
        found.and_then(|(_, identity)| *identity)
    }
}

impl Store {
    /// The files that do not have their names any more. What cannot be looked at is not known to be gone.
    pub fn gone(&self) -> Vec<Gone> {
        let mut gone = Vec::new();
        for (part, open) in self.parts.0 {
            let Some(open) = open else { continue };
            match Identity::at(&own_files::beside(&self.path, part.ending())) {
                Ok(found) if found == Some(open) => {}
                Ok(found) => gone.push(Gone {
                    part,
                    is_replaced: found.is_some(),
                }),
                Err(_) => {}
            }
        }
        if !self.lock.is_there() {
            let name = self.lock.path();
            let is_replaced = name.symlink_metadata().is_ok();
            gone.push(Gone {
                part: Part::Lock,
                is_replaced,
            });
        }
        gone
    }

    /// Makes the lock file again and takes it.
    ///
    /// # Errors
    /// Another daemon has it by now, or the file system refuses.
    pub fn lock_again(&mut self) -> Result<()> {
        let home = self.lock.database().to_owned();
        super::open::make_directory(&home)?;
        self.lock = Lock::take(&home)?;
        Ok(())
    }

    /// Writes everything that was committed to a new file and goes on with that: at `home`, where the database belongs,
    /// if nobody else's file is there, else beside it. Returns the place. `alive` is called while it copies.
    ///
    /// # Errors
    /// The copy cannot be written; then the store goes on with the files that it has open.
    pub fn rescue(
        &mut self,
        home: &Path,
        now: Timestamp,
        alive: &mut dyn FnMut(),
    ) -> Result<PathBuf> {
        // What is only in the log goes into the file: should the copy fail, that may be all there is left of it.
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        super::open::make_directory(home)?;
        let copy = self.copy_beside(home, now, alive)?;
        let place = self.take_place(&copy, home, now)?;
        self.go_on_with(&place)?;
        Ok(place)
    }

    fn copy_beside(&self, home: &Path, now: Timestamp, alive: &mut dyn FnMut()) -> Result<PathBuf> {
        let mut made = None;
        for n in 0..NAMES_MAX {
            let more = if n == 0 {
                String::new()
            } else {
                format!("-{n}")
            };
            let name = own_files::beside(home, &format!(".rescued-{}{more}", now.as_seconds()));
            match own_files::create_new(&name) {
                Ok(file) => {
                    made = Some((name, file));
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(failed("create", &name, source)),
            }
        }
        let Some((name, file)) = made else {
            return Err(failed("create", home, io::ErrorKind::AlreadyExists.into()));
        };
        let copied = self.copy_into(&name, alive).and_then(|()| {
            file.sync_all()
                .map_err(|source| failed("write", &name, source))
        });
        if copied.is_err() {
            // It is ours and incomplete.
            let _ = std::fs::remove_file(&name);
        }
        copied.map(|()| name)
    }

    fn copy_into(&self, name: &Path, alive: &mut dyn FnMut()) -> Result<()> {
        let mut copy = Connection::open(name)?;
        let backup = Backup::new(&self.connection, &mut copy)?;
        loop {
            match backup.step(PAGES_A_STEP)? {
                StepResult::Done => return Ok(()),
                StepResult::More => alive(),
                _ => return Err(StoreError::Busy),
            }
        }
    }

    /// Puts the copy where the database belongs, unless somebody else's file is there.
    fn take_place(&self, copy: &Path, home: &Path, now: Timestamp) -> Result<PathBuf> {
        let fail = |source| failed("rename", copy, source);
        let found = Identity::at(home).map_err(fail)?;
        let is_ours = found.is_some() && found == self.parts.identity(Part::Database);
        if found.is_some() && !is_ours {
            return Ok(copy.to_owned());
        }
        // A log that belongs to another file would be replayed into this one.
        for part in [Part::Log, Part::Index] {
            let stray = own_files::beside(home, part.ending());
            let known = Identity::at(&stray).map_err(fail)?;
            if known.is_some() && known == self.parts.identity(part) {
                std::fs::remove_file(&stray).map_err(fail)?;
            } else if known.is_some() {
                let aside = format!("{}.stray-{}", part.ending(), now.as_seconds());
                std::fs::rename(&stray, own_files::beside(home, &aside)).map_err(fail)?;
            }
        }
        let moved = match is_ours {
            true => std::fs::rename(copy, home),
            false => rename_to_nothing(copy, home),
        };
        match moved {
            Ok(()) => {}
            // Somebody put a file there just now: it stays.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Ok(copy.to_owned());
            }
            Err(source) => return Err(fail(source)),
        }
        let folder = std::fs::File::open(own_files::folder_of(home));
        folder.and_then(|folder| folder.sync_all()).map_err(fail)?;
        Ok(home.to_owned())
    }

    fn go_on_with(&mut self, place: &Path) -> Result<()> {
        let (file, connection) = super::open::connect(place)?;
        let id: String = connection.query_row(
            "SELECT value FROM meta WHERE key = 'database_id'",
            [],
            |row| row.get(0),
        )?;
        if id != self.database_id() {
            return Err(StoreError::Damaged(format!(
                "the copy {} is another database",
                place.display()
            )));
        }
        standing::go_on(&connection)?;
        let (before, parts) = (self.path.clone(), self.parts);
        drop(std::mem::replace(&mut self.connection, connection));
        // Closed only now, see `lock::hold`.
        drop(std::mem::replace(&mut self.file, file));
        self.path = place.to_owned();
        self.parts = Parts::of(place);
        self.header = None;
        if before != place {
            // A copy beside its place, made by us and copied again: nothing of it is lost.
            for (part, open) in parts.0 {
                let name = own_files::beside(&before, part.ending());
                if open.is_some() && Identity::at(&name).ok().flatten() == open {
                    let _ = std::fs::remove_file(name);
                }
            }
        }
        Ok(())
    }
}

/// Renames where nothing is, also if it appears just now.
fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Not every file system can.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        Err(error) => Err(error.into()),
    }
}

fn failed(what: &str, path: &Path, source: io::Error) -> StoreError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
        _ => StoreError::File {
            what: format!("{what} `{}`", path.display()),
            source,
        },
    }
}

/// How long after it was noticed a failed rescue is tried again.
pub const TRY_AGAIN: Duration = Duration::from_secs(30);
