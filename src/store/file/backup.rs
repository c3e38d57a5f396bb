//! A copy of the database while it is written.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::own_files;
use crate::store::error::{Result, StoreError};
use crate::store::reader::Reader;

fn there_already() -> io::Error {
    io::Error::other("the file exists and is not overwritten")
}

impl Reader {
    /// Writes a consistent, compact copy of what was committed when it began to `copy`, which must not exist.
    ///
    /// The daemon goes on writing meanwhile. The copy is complete and on the disk when this returns; where it fails
    /// nothing is left.
    ///
    /// # Errors
    /// The file exists, cannot be written, or the disk is full.
    pub fn backup(&self, copy: &Path) -> Result<()> {
        let fail = |what: &str, source| StoreError::File {
            what: format!("{what} `{}`", copy.display()),
            source,
        };
        // Made by us, so that nobody's file is overwritten and nobody else can read it.
        own_files::create_new(copy).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => fail("back up to", there_already()),
            _ => fail("create", source),
        })?;
        let outcome = self.copy_into(copy);
        if outcome.is_err() {
            // It is ours and incomplete.
            let _ = std::fs::remove_file(copy);
        }
        outcome
    }

    fn copy_into(&self, copy: &Path) -> Result<()> {
        // VACUUM INTO takes an empty file for a missing one.
        let text = copy.to_str().ok_or_else(|| StoreError::File {
            what: format!("write `{}`", copy.display()),
            source: io::Error::other("its name is not UTF-8"),
        })?;
        // Nothing of this database changes by it, but SQLite counts it as a write.
        self.connection().pragma_update(None, "query_only", false)?;
        let done = self.connection().execute("VACUUM INTO ?1", [text]);
        self.connection().pragma_update(None, "query_only", true)?;
        done?;
        File::open(copy)
            .and_then(|file| file.sync_all())
            .map_err(|source| StoreError::File {
                what: format!("write `{}`", copy.display()),
                source,
            })
    }
}
