//! When recorded checks were decided on: what is retold goes by that, not by when they were made.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::domain::check::Check;
use crate::domain::location::LocationName;
use crate::domain::monitor::{Monitor, MonitorId};
use crate::domain::timestamp::Timestamp;
use crate::store::checks::history::{HistoryQuery, Whence};
use crate::store::error::StoreError;
use crate::store::facts::arrivals::Arrival;
use crate::store::reader::Reader;

/// One recorded check.
pub(super) struct RecordedCheck {
    /// The place of its monitor among those that are gone through.
    pub(super) place: usize,
    /// From where it came; `None` for a single place.
    pub(super) location: Option<LocationName>,
    /// What it found.
    pub(super) check: Check,
    /// When it was decided on.
    pub(super) arrived_at: Timestamp,
}

/// The late arrivals of a time.
pub(super) struct Arrivals {
    /// Of each location in the order in which its checks began.
    by_location: HashMap<LocationName, Vec<Arrival>>,
}

impl Arrivals {
    /// Takes them in the order in which the checks began.
    pub(super) fn new(all: Vec<(LocationName, Arrival)>) -> Self {
        let mut by_location: HashMap<LocationName, Vec<Arrival>> = HashMap::new();
        for (location, arrival) in all {
            by_location.entry(location).or_default().push(arrival);
        }
        Self { by_location }
    }

    /// When a check was decided on: as it ended, unless it came late.
    pub(super) fn of(&self, location: Option<&LocationName>, check: &Check) -> Timestamp {
        let ended = check.at.plus(check.timings.total.as_duration());
        let late = location.and_then(|location| self.by_location.get(location));
        let late = late.and_then(|late| {
            let place = late.partition_point(|arrival| arrival.from <= check.at);
            let arrival = late.get(place.checked_sub(1)?)?;
            (check.at <= arrival.to).then_some(arrival.arrived_at)
        });
        late.map_or(ended, |late| late.max(ended))
    }
}

/// The checks that began in a time: those of each location where several vote now, else what its locations agreed on.
pub(super) fn recorded(
    reader: &Reader,
    played: &[(MonitorId, &Monitor)],
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<RecordedCheck>, StoreError> {
    let places: HashMap<MonitorId, usize> = played
        .iter()
        .enumerate()
        .map(|(place, (id, _))| (*id, place))
        .collect();
    let arrivals = Arrivals::new(reader.arrivals(from, to)?);
    let mut found = Vec::new();
    for (whose, votes) in [(Whence::Agreed, false), (Whence::Each, true)] {
        let wanted = played
            .iter()
            .filter(|(_, monitor)| monitor.rules.quorum.is_some() == votes);
        let query = HistoryQuery {
            monitors: wanted.map(|(id, _)| *id).collect(),
            since: Some(from),
            until: Some(to),
            whose,
            ..HistoryQuery::default()
        };
        if query.monitors.is_empty() {
            continue;
        }
        reader.history_of_locations(&query, &mut |stored, location, check, _| {
            if let Some(place) = places.get(&stored.id) {
                found.push(RecordedCheck {
                    place: *place,
                    location: location.cloned(),
                    arrived_at: arrivals.of(location, &check),
                    check,
                });
            }
            ControlFlow::Continue(())
        })?;
    }
    found.reverse();
    Ok(found)
}
