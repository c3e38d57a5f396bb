//! Where the web server learns what it shows.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;
use crate::daemon::health::counters::Health;
use crate::daemon::health::live_status::Board;

/// Where the server learns what it shows.
#[derive(Debug, Clone)]
pub struct Sources {
    /// How every monitor stands just now.
    pub board: Board,
    /// How the daemon itself does.
    pub health: Arc<Health>,
    /// The configuration in force: title, token, zone, tags, notes, windows.
    pub config: watch::Receiver<Arc<Config>>,
    /// The database, read by a connection of its own.
    pub database: PathBuf,
    /// The database's lasting id, of which the feed's ids are made.
    pub database_id: String,
}
