//! Opens the database at the beginning of a life of the daemon.

use std::sync::Arc;

use super::recorder::engine::Recorder;
use super::recorder::message::Enrolled;
use super::source_lists::kept;
use crate::config::Config;
use crate::domain::timestamp::Timestamp;
use crate::store::error::StoreError;
use crate::store::outbox::attempts;
use crate::store::writer::Store;

/// A database up to this size is looked through at each start; it takes half a second at most.
const LOOKED_THROUGH_MAX: u64 = 1 << 30;

/// The unit's status while the database is opened.
pub(super) const OPENING: &str = "bringing the database up to date";

/// The database with everything that is remembered.
pub(super) struct Opened {
    /// With the lists.
    pub(super) config: Arc<Config>,
    pub(super) recorder: Recorder,
    pub(super) enrolled: Enrolled,
    pub(super) database_id: String,
    /// How many entries each list has that is kept.
    pub(super) lists: Vec<(Arc<str>, usize)>,
}

/// Opens the database, looks through a small one, and takes over what is remembered.
///
/// # Errors
/// What the store says.
pub(super) fn open(config: &Arc<Config>, now: Timestamp) -> Result<Opened, StoreError> {
    let path = &config.daemon.database;
    let mut store = Store::open(path, now)?;
    if let Some(mode) = store.mode_was() {
        tracing::warn!(
            "everybody could read {} (mode {mode:04o}, by an earlier version); it is 0640 from now on: to read the \
             history without sudo, join its group",
            store.path().display()
        );
    }
    if let Some(copy) = store.copy_before_migration() {
        tracing::info!(
            "{} has new tables now; a copy with the old ones is {}",
            store.path().display(),
            copy.display()
        );
    }
    if let Some(link) = store.link() {
        tracing::warn!(
            "{} is a symbolic link; write database = \"{}\" in [daemon] instead",
            link.display(),
            store.path().display()
        );
    }
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size <= LOOKED_THROUGH_MAX {
        store.check_quickly()?;
    }
    let batch = store.batch()?;
    attempts::due_at_start(batch.outbox(), now)?;
    batch.commit()?;
    let database_id = store.database_id().to_owned();
    let mut lists = Vec::new();
    let config = Arc::new(kept::with_lists(config, |key| {
        let kept = store
            .kept_list(key)
            .inspect_err(|error| tracing::error!("a list cannot be read: {error}"))
            .ok()??;
        lists.push((key.into(), kept.entries));
        Some(kept)
    }));
    let (recorder, enrolled) = Recorder::open(store, Arc::clone(&config), now)?;
    Ok(Opened {
        config,
        lists,
        recorder,
        enrolled,
        database_id,
    })
}
