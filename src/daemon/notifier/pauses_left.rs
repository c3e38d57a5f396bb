//! What the last process was waiting for.

use crate::config::Config;
use crate::policy::outbox::transport_pause::Pause;
use crate::store::outbox::{attempts, channels as stored_channels};
use crate::store::reader::Reader;

/// The pauses of mail and of channels that the last process left behind.
pub(super) fn pauses_left(config: &Config) -> (Option<Pause>, Vec<(String, Pause)>) {
    let Ok(reader) = Reader::open(&config.daemon.database) else {
        return (None, Vec::new());
    };
    let mail = attempts::pause(reader.outbox()).ok().flatten();
    let channels = stored_channels::pauses(reader.outbox()).unwrap_or_default();
    (mail, channels)
}
