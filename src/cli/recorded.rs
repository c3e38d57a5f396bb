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
    /// Of each location in the order in which its checks began, each with the latest end until there: a slow check
    /// arrives behind later ones, so that arrivals overlap.
    by_location: HashMap<LocationName, Vec<(Arrival, Timestamp)>>,
}

impl Arrivals {
    /// Takes them in the order in which the checks began.
    pub(super) fn new(all: Vec<(LocationName, Arrival)>) -> Self {
        let mut by_location: HashMap<LocationName, Vec<(Arrival, Timestamp)>> = HashMap::new();
        for (location, arrival) in all {
            let before = by_location.entry(location).or_default();
            let latest = before.last().map_or(arrival.to, |(_, latest)| *latest);
            before.push((arrival, latest.max(arrival.to)));
        }
        Self { by_location }
    }

    /// When a check was decided on: as it ended, unless it came late.
    pub(super) fn of(&self, location: Option<&LocationName>, check: &Check) -> Timestamp {
        let ended = check.at.plus(check.timings.total.as_duration());
        let late = location.and_then(|location| self.by_location.get(location));
        let late = late.and_then(|late| {
            let place = late.partition_point(|(arrival, _)| arrival.from <= check.at);
            let may_cover = late[..place].iter().rev();
            may_cover
                .take_while(|(_, latest)| check.at <= *latest)
                .find(|(arrival, _)| check.at <= arrival.to)
                .map(|(arrival, _)| arrival.arrived_at)
        });
        late.map_or(ended, |late| late.max(ended))
    }
}

/// The checks that began in a time, of those monitors that are wanted: those of each location where several vote now,
/// else what its locations agreed on.
pub(super) fn recorded(
    reader: &Reader,
    played: &[(MonitorId, &Monitor)],
    from: Timestamp,
    to: Timestamp,
    is_wanted: impl Fn(&Monitor) -> bool,
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
            .filter(|(_, monitor)| monitor.rules.quorum.is_some() == votes && is_wanted(monitor));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::check::{Micros, Timings, Verdict};

    /// A check of ten milliseconds.
    fn check(at: i64) -> Check {
        Check {
            at: Timestamp::from_ms(at),
            verdict: Verdict::Up,
            status: Some(200),
            chain: std::sync::Arc::default(),
            redirect_times: Box::default(),
            timings: Timings {
                total: Micros::new(10_000),
                ..Timings::default()
            },
            http_version: None,
            body_bytes: 0,
            retry_after_s: None,
            certificate: None,
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        }
    }

    #[test]
    fn arrivals_overlap_where_a_slow_check_comes_last() {
        let nyc = LocationName::parse("nyc").unwrap();
        let arrival = |from, to, arrived_at| {
            let [from, to, arrived_at] = [from, to, arrived_at].map(Timestamp::from_ms);
            let arrival = Arrival {
                from,
                to,
                arrived_at,
            };
            (nyc.clone(), arrival)
        };
        let arrivals = Arrivals::new(vec![
            arrival(95_000, 7_300_000, 9_000_000),
            arrival(100_000, 100_200, 8_999_000),
            arrival(8_000_000, 8_100_000, 9_500_000),
        ]);
        for (at, wanted) in [
            (94_999, 95_009),
            (95_000, 9_000_000),
            (100_100, 8_999_000),
            (100_300, 9_000_000),
            (7_300_000, 9_000_000),
            (7_300_001, 7_300_011),
            (8_050_000, 9_500_000),
            (8_100_001, 8_100_011),
        ] {
            let found = arrivals.of(Some(&nyc), &check(at));
            assert_eq!(found, Timestamp::from_ms(wanted), "{at}");
        }
        assert_eq!(arrivals.of(None, &check(100)), Timestamp::from_ms(110));
    }
}
