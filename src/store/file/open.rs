//! The way to the file of the database: its folder, links, the connection that writes, and why one cannot be made.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, FileControl, OpenFlags, config::DbConfig};

use super::{lock, migrate};
use crate::own_files;
use crate::store::error::{Result, StoreError};

/// Statements kept prepared; there are fewer.
pub(in crate::store) const STATEMENTS_MAX: usize = 128;
/// A checkpoint copies the write-ahead log back when it has this many pages (4 MiB).
const CHECKPOINT_PAGES: i64 = 1000;
/// After a checkpoint the log is cut back to this, so that one long reader does not leave a large file for ever.
const LOG_BYTES_MAX: i64 = 16 << 20;

/// Pages that SQLite keeps for itself, in KiB: those of a batch and of the way to them.
const CACHE_KIB: i64 = 1024;

/// Opens the database for writing: the file, which is made and locked, and SQLite's connection to it.
pub(in crate::store) fn connect(path: &Path) -> Result<(File, Connection)> {
    let file = open_file(path)?;
    lock::hold(&file, path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    prepare(&connection)?;
    Ok((file, connection))
}

/// Makes the folder of a database, where it is not there.
pub(in crate::store) fn make_directory(path: &Path) -> Result<()> {
    let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    if directory.is_dir() {
        return Ok(());
    }
    own_files::make_folder(directory).map_err(|source| StoreError::Directory {
        path: directory.to_owned(),
        source,
    })
}

/// The path of the database itself, also if `path` is a link. Edition 1 followed links, and its databases still work.
/// No new database is made through a link, since the maker of the link would choose what is written.
pub(in crate::store) fn resolved(path: &Path) -> Result<PathBuf> {
    if !own_files::is_link(path) {
        return Ok(path.to_owned());
    }
    let target = std::fs::read_link(path).unwrap_or_default();
    let link = |why| StoreError::Link {
        path: path.to_owned(),
        target,
        why,
    };
    let Ok(real) = path.canonicalize() else {
        return Err(link(
            "and there is nothing; links are not followed: write the path of the file itself as [daemon].database",
        ));
    };
    match is_ours(&real) {
        // What may not be read is told when it is opened.
        None | Some(true) => Ok(real),
        Some(false) => Err(link(
            "which is not a database of sitewatch; remove the link, or write another path as [daemon].database",
        )),
    }
}

/// Whether the head of a file is that of a database of ours; `None` if it cannot be read.
fn is_ours(path: &Path) -> Option<bool> {
    use std::os::unix::fs::FileExt as _;
    // The head of a SQLite file, and where in it the program has its number.
    const HEAD: &[u8] = b"SQLite format 3\0";
    const OWNER_AT: usize = 68;
    if !path.is_file() {
        return Some(false);
    }
    let mut head = [0; OWNER_AT + 4];
    match File::open(path).and_then(|file| file.read_exact_at(&mut head, 0)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Some(false),
        Err(_) => return None,
    }
    let owner = i32::try_from(migrate::APPLICATION_ID).ok()?.to_be_bytes();
    Some(head.starts_with(HEAD) && head[OWNER_AT..] == owner)
}

/// Opens the file of the database, or makes it: SQLite would go by the umask.
fn open_file(path: &Path) -> Result<File> {
    for end in ["-wal", "-shm"] {
        let part = own_files::beside(path, end);
        if own_files::is_link(&part) {
            return Err(StoreError::Link {
                target: std::fs::read_link(&part).unwrap_or_default(),
                path: part,
                why: "which sitewatch did not make; remove the link",
            });
        }
    }
    own_files::open_or_create(path).map_err(|source| match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::IsADirectory => StoreError::File {
            what: format!("open `{}`", path.display()),
            source: source.kind().into(),
        },
        _ => StoreError::File {
            what: format!("open `{}` for writing", path.display()),
            source,
        },
    })
}

/// What it means that SQLite did not open a database.
pub(in crate::store) fn cannot_open(path: &Path, error: rusqlite::Error) -> StoreError {
    // SQLite says of a directory that the disk failed.
    if path.is_dir() {
        return StoreError::File {
            what: format!("open `{}`", path.display()),
            source: io::ErrorKind::IsADirectory.into(),
        };
    }
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::PermissionDenied) => {
            // Only asked for, not opened: closing a file lets go of SQLite's locks on it in this process.
            match rustix::fs::access(path, rustix::fs::Access::READ_OK).map_err(io::Error::from) {
                Err(source) if source.kind() == io::ErrorKind::NotFound => match lock::holder(path)
                {
                    Some(pid) => StoreError::Removed {
                        path: path.to_owned(),
                        pid,
                    },
                    None => StoreError::Missing {
                        path: path.to_owned(),
                    },
                },
                Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                    StoreError::Denied {
                        path: path.to_owned(),
                        group: own_files::group_of(path),
                    }
                }
                Err(source) => StoreError::File {
                    what: format!("open `{}`", path.display()),
                    source,
                },
                Ok(()) => StoreError::Io(error.to_string()),
            }
        }
        _ => error.into(),
    }
}

fn prepare(connection: &Connection) -> Result<()> {
    // Before the first table; without effect on a database that has one.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Io(format!(
            "the file system does not do write-ahead logging (journal mode {mode})"
        )));
    }
    // A mail that was queued must survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // The kernel keeps the pages as well: reading one again costs a microsecond or two.
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // So that a group that may only read can read after a clean stop: it cannot make the log itself.
    let mut on = 1;
    connection.file_control(None::<&str>, FileControl::PersistWal(&mut on))?;
    Ok(())
}
