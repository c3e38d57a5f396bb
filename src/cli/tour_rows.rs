//! What the demo shows of its sites.

use std::time::Duration;

use crate::daemon::demo::script::Site;
use crate::domain::check::{Check, CheckState};
use crate::store::facts::incidents::IncidentQuery;
use crate::store::reader::Reader;
use crate::view::demo::{Row, State};

/// The sites before anything is known of them.
pub(super) fn pending() -> Vec<Row> {
    let row = |site: Site| Row {
        name: site.name(),
        shows: site.shows(),
        state: State::Pending,
        way: String::new(),
        took: Duration::ZERO,
    };
    Site::ALL.into_iter().map(row).collect()
}

/// The sites as the database has them.
///
/// # Errors
/// If SQLite fails.
pub(super) fn rows(reader: &Reader) -> crate::store::error::Result<Vec<Row>> {
    let monitors = reader.monitors()?;
    let open = reader.incidents(&IncidentQuery {
        open: true,
        ..IncidentQuery::default()
    })?;
    let mut newest = reader.newest(&[], 1)?;
    Ok(Site::ALL
        .into_iter()
        .map(|site| {
            let id = monitors
                .iter()
                .find(|monitor| monitor.name.as_str() == site.name())
                .map(|monitor| monitor.id);
            let check = id
                .and_then(|id| newest.remove(&id))
                .and_then(|past| past.newest.into_iter().next());
            let is_down = open
                .iter()
                .any(|listed| Some(listed.incident.key.monitor) == id);
            Row {
                name: site.name(),
                shows: site.shows(),
                state: state(check.as_ref(), is_down),
                way: check.as_ref().map(way).unwrap_or_default(),
                took: check.map_or(Duration::ZERO, |check| check.timings.total.as_duration()),
            }
        })
        .collect())
}

fn state(check: Option<&Check>, is_down: bool) -> State {
    match check.map(|check| check.verdict.state()) {
        Some(CheckState::Up | CheckState::Degraded) if is_down => State::Recovering,
        _ if is_down => State::Down,
        None => State::Pending,
        Some(CheckState::Up) => State::Up,
        Some(CheckState::Degraded) => State::Degraded,
        Some(CheckState::Down | CheckState::Unknown) => State::Failing,
    }
}

fn way(check: &Check) -> String {
    let codes = check
        .chain
        .redirects
        .iter()
        .map(|redirect| redirect.status.to_string());
    let last = match (check.verdict.failure(), check.status) {
        (Some(failure), None) => failure.kind.as_str().to_owned(),
        (_, Some(status)) => status.to_string(),
        (None, None) => String::new(),
    };
    codes.chain([last]).collect::<Vec<_>>().join(" ")
}
