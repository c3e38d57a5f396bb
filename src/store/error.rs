//! What can go wrong with the database, in sentences that say what to do.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no database yet.
    #[error("there is no database at `{path}`; `sitewatch run` creates it")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The directory of the database cannot be made or written.
    #[error("create `{path}`: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file may not be read.
    #[error("read `{path}`: permission denied; {}", to_be_let_in(.group.as_deref()))]
    Denied {
        /// The database or its directory.
        path: PathBuf,
        /// Who may read it; `None` if its owner alone may.
        group: Option<String>,
    },
    /// There is none, though a daemon has it open.
    #[error(
        "open `{path}`: it was removed or renamed while the daemon (process {pid}) runs; the daemon goes on, its log and \
         the [TROUBLE database] mail say more"
    )]
    Removed {
        /// The database.
        path: PathBuf,
        /// The daemon's process.
        pid: String,
    },
    /// A symbolic link where we would make or write a file.
    #[error("open `{path}`: it is a symbolic link to `{target}`, {why}")]
    Link {
        /// The link.
        path: PathBuf,
        /// Where it points.
        target: PathBuf,
        /// Why it is not followed, and what to do.
        why: &'static str,
    },
    /// Its newest rows are in a log that only somebody who may write beside it can open.
    #[error(
        "read `{path}`: its newest rows are in `{path}-wal`, which nobody has open and which cannot be read without \
         write permission in the directory; run the command with sudo, or start the daemon"
    )]
    Log {
        /// The database.
        path: PathBuf,
    },
    /// Another daemon has it.
    #[error("open `{path}`: another sitewatch (process {pid}) is running on it")]
    Locked {
        /// The database.
        path: PathBuf,
        /// The process that holds it; `?` if it is unknown.
        pid: String,
    },
    /// Written by a later version of this program.
    #[error(
        "open `{path}`: it was written by a newer sitewatch (format {found}, this one knows {known}); \
         update this program or choose another database"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// Older than this program reads without migrating it.
    #[error(
        "open `{path}`: it has the older format {found}; `sitewatch run` migrates it (this program reads {known})"
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The format read here.
        known: i64,
    },
    /// A SQLite file of another program, or a migration that is not ours.
    #[error("open `{path}`: {what}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// One sentence.
        what: String,
    },
    /// The file is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// While it was open another file was written over it, under its name.
    #[error("another file was written over the database while sitewatch runs")]
    Overwritten,
    /// No room left on the device, or over a quota.
    #[error("the disk is full")]
    Full,
    /// The file system or the file is read-only.
    #[error("the file system is read-only")]
    ReadOnly,
    /// The device failed.
    #[error("the disk failed: {0}")]
    Io(String),
    /// Somebody else writes.
    #[error("the database is busy")]
    Busy,
    /// Anything else SQLite says; a fault of ours.
    #[error("the database refused: {0}")]
    Sql(rusqlite::Error),
    /// A value that does not fit its form, or a file operation beside the database.
    #[error("{what}: {source}")]
    File {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// Whether trying again later may help: the disk is full, read-only, failing or busy.
    pub const fn passes(&self) -> bool {
        match self {
            Self::Full | Self::ReadOnly | Self::Io(_) | Self::Busy | Self::File { .. } => true,
            Self::Missing { .. }
            | Self::Directory { .. }
            | Self::Denied { .. }
            | Self::Removed { .. }
            | Self::Link { .. }
            | Self::Log { .. }
            | Self::Locked { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Foreign { .. }
            | Self::Damaged(_)
            | Self::Overwritten
            | Self::Sql(_) => false,
        }
    }

    /// Whether the disk is at fault: full, over a quota, failing, or of a file system that turned read-only. A
    /// file that this user may not write is none of its faults.
    pub fn is_about_disk(&self) -> bool {
        match self {
            Self::Full | Self::Io(_) => true,
            Self::Directory { source, .. } | Self::File { source, .. } => {
                matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull
                        | io::ErrorKind::QuotaExceeded
                        | io::ErrorKind::ReadOnlyFilesystem
                ) || source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
            }
            Self::ReadOnly => true,
            Self::Missing { .. }
            | Self::Denied { .. }
            | Self::Removed { .. }
            | Self::Link { .. }
            | Self::Log { .. }
            | Self::Locked { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Foreign { .. }
            | Self::Damaged(_)
            | Self::Overwritten
            | Self::Busy
            | Self::Sql(_) => false,
        }
    }

    /// Whether the message says which file it is about.
    pub const fn names_its_file(&self) -> bool {
        match self {
            Self::Missing { .. }
            | Self::Directory { .. }
            | Self::Denied { .. }
            | Self::Removed { .. }
            | Self::Link { .. }
            | Self::Log { .. }
            | Self::Locked { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Foreign { .. }
            | Self::File { .. } => true,
            Self::Damaged(_)
            | Self::Overwritten
            | Self::Full
            | Self::ReadOnly
            | Self::Io(_)
            | Self::Busy
            | Self::Sql(_) => false,
        }
    }

    /// Whether the file must be set aside (see [`super::file::corruption`]).
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Overwritten)
    }
}

/// The advice for a user who may not read a file.
fn to_be_let_in(group: Option<&str>) -> String {
    match group {
        Some("root") => {
            "it belongs to the group root: give it and its folder another group (sudo chgrp) and add yourself to the \
             group, or run the command with sudo"
                .to_owned()
        }
        Some(group) => format!(
            "add yourself to the group {group} (sudo adduser $USER {group}) and log in again, or run the command with \
             sudo"
        ),
        None => "only its owner may read it; run the command with sudo".to_owned(),
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::SystemIoFailure) => Self::Io(error.to_string()),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Sql(error),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(format!("a stored value is not readable: {error}"))
    }
}

/// The result of the store's functions.
pub type Result<T> = std::result::Result<T, StoreError>;
