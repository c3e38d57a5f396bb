//! Work of a start that may take long.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::service;

/// While the database is migrated or checked, systemd is asked for this much more time ..
pub(in crate::daemon) const PATIENCE: Duration = Duration::from_secs(30);
/// .. this often.
const PATIENCE_EVERY: Duration = Duration::from_secs(10);

/// Does what may take long and asks systemd for patience meanwhile.
///
/// # Errors
/// When the system gives no thread.
pub(in crate::daemon) fn patiently<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    std::thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        std::thread::Builder::new().spawn_scoped(scope, move || {
            while is_done.recv_timeout(PATIENCE_EVERY) == Err(RecvTimeoutError::Timeout) {
                service::extend_timeout(PATIENCE);
                service::status("bringing the database up to date");
            }
        })?;
        let outcome = work();
        drop(done);
        Ok(outcome)
    })
}
