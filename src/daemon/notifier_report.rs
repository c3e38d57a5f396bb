//! The numbers of a period for mails.

use crate::config::Config;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::view::mail::context::{Month, ReportRow};

/// One row for each monitor of the configuration.
pub(super) fn rows(
    _reader: &Reader,
    _config: &Config,
    _from: Timestamp,
    _to: Timestamp,
    _now: Timestamp,
) -> Result<Vec<ReportRow>> {
    Ok(Vec::new())
}

/// The thirty days before `now`.
pub(super) fn month(
    _reader: &Reader,
    _monitor: MonitorId,
    _now: Timestamp,
) -> Result<Option<Month>> {
    Ok(None)
}
