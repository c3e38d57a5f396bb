//! What one location says, as an object of the public contract.

use serde::Serialize;

use super::audience::Audience;
use super::json::{FailureObject, Ms, Utc, failure_object};
use crate::domain::location::LocationStatus;

/// The object of one location of a monitor.
#[derive(Debug, Serialize)]
pub(super) struct LocationObject<'a> {
    location: &'a str,
    state: &'static str,
    status: Option<u16>,
    failure: Option<FailureObject<'a>>,
    since: Option<Utc>,
    last_check_at: Option<Utc>,
    seen: &'static str,
    total_ms: Option<Ms>,
}

/// The objects of all locations; `None` without locations.
pub(super) fn objects(
    all: &[LocationStatus],
    audience: Audience,
) -> Option<Vec<LocationObject<'_>>> {
    let objects = || all.iter().map(|one| LocationObject::of(one, audience));
    (!all.is_empty()).then(|| objects().collect())
}

impl<'a> LocationObject<'a> {
    fn of(status: &'a LocationStatus, audience: Audience) -> Self {
        let failure = status.failure.as_ref();
        Self {
            location: status.location.as_str(),
            state: status.state.as_str(),
            status: status.status,
            failure: failure.map(|failure| failure_object(failure, status.status, audience)),
            since: status.since.map(Utc),
            last_check_at: status.last_check_at.map(Utc),
            seen: status.seen.as_str(),
            total_ms: status.total.map(Ms),
        }
    }
}
