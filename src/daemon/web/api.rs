//! `/api/v1/...`: the JSON objects of the command line in arrays, with its filters.

use std::ops::ControlFlow;

use hyper::StatusCode;
use serde::Serialize;

use super::announced_maintenance::announced;
use super::history_cache::Past;
use super::query::Query;
use super::reply::{JSON, Keep, Made, Reply};
use super::visible::{View, may_see, next_check_at, state_of};
use crate::daemon::health::live_status::Live;
use crate::domain::monitor::MonitorId;
use crate::policy::alert::monitor::ShownState;
use crate::store::checks::history::{HistoryQuery, Whence};
use crate::store::error::StoreError;
use crate::store::facts::incidents::{IncidentQuery, ListedIncident};
use crate::view::json::{self, Audience};
use crate::view::page::rows::State;
use crate::view::rows::{IncidentRow, MailRow, StatusRow, has_figures};
use crate::view::window_object;

/// Checks or incidents in one answer, unless a limit is given ..
const LIMIT: u32 = 50;
/// .. and at most.
const LIMIT_MAX: u32 = 10_000;

fn array<T: Serialize>(objects: &[T]) -> Reply {
    object(&objects)
}

pub(super) fn object(value: &impl Serialize) -> Reply {
    match serde_json::to_string(value) {
        Ok(text) => Reply::new(JSON, Keep::Revalidate, text),
        // No map with keys that are no strings and no number that is no number is in these objects.
        Err(_) => Reply::fault(
            StatusCode::INTERNAL_SERVER_ERROR,
            "not to be written as JSON",
        ),
    }
}

fn wrong(what: &str) -> Reply {
    Reply::fault(StatusCode::BAD_REQUEST, what)
}

fn no_monitor() -> Reply {
    Reply::fault(StatusCode::NOT_FOUND, "no such monitor")
}

/// `/api/v1/monitors`, by `monitor`, `tag` and `state`.
pub(super) fn monitors(view: &View<'_>, past: &mut Past, query: &str) -> Made {
    let query = match Query::parse(query, &["monitor", "tag", "state"]) {
        Ok(query) => query,
        Err(what) => return Ok(wrong(&what)),
    };
    let states: Vec<&str> = query.list("state").collect();
    for word in &states {
        if ShownState::parse(word).is_none() && *word != State::Paused.as_str() {
            let what =
                format!("`state={word}`: write up, degraded, down, unknown, pending or paused");
            return Ok(wrong(&what));
        }
    }
    let (names, tags): (Vec<&str>, Vec<&str>) =
        (query.all("monitor").collect(), query.list("tag").collect());
    let rows: Vec<StatusRow> = view
        .lives
        .iter()
        .filter(|live| names.is_empty() || names.contains(&live.monitor.name.as_str()))
        .filter(|live| {
            tags.is_empty()
                || live
                    .monitor
                    .tags
                    .iter()
                    .any(|tag| tags.contains(&tag.as_str()))
        })
        .filter(|live| {
            states.is_empty()
                || states.contains(&state_of(live).as_str())
                || states.contains(&live.shown.state.as_str())
        })
        .map(|live| status_row(view, past, live))
        .collect();
    let objects: Vec<_> = rows
        .iter()
        .map(|row| json::status(row, view.audience))
        .collect();
    Ok(array(&objects))
}

/// `/api/v1/monitors/NAME`.
pub(super) fn monitor(view: &View<'_>, past: &mut Past, name: &str, query: &str) -> Made {
    if let Err(what) = Query::parse(query, &[]) {
        return Ok(wrong(&what));
    }
    let Some(live) = view.find(name) else {
        return Ok(no_monitor());
    };
    let row = status_row(view, past, live);
    Ok(object(&json::status(&row, view.audience)))
}

fn status_row(view: &View<'_>, past: &Past, live: &Live) -> StatusRow {
    let known = past.of(live.id);
    let shown = &live.shown;
    let newest = live.newest.as_ref();
    let is_failing = newest.is_some_and(|check| !check.verdict.is_good());
    let has_figures = has_figures(shown.state, shown.flags, is_failing);
    StatusRow {
        monitor: live.monitor.name.as_str().to_owned(),
        url: live.monitor.url_shown(),
        enabled: true,
        state: live.shown.state,
        since: (live.shown.state != ShownState::Pending).then_some(live.shown.since),
        reason: live.shown.reason,
        flags: live.shown.flags,
        incident: live.shown.incident,
        ack_note: live.ack_note.as_deref().map(str::to_owned),
        cause_status: None,
        orders: None,
        last_check: live.newest.as_deref().cloned(),
        next_check_at: next_check_at(live, view.config, view.now),
        uptime_percent_24h: known.percent_24h.filter(|_| has_figures),
        uptime_percent_30d: known.percent_30d.filter(|_| has_figures),
        latency_24h: Vec::new(),
        tags: live.monitor.tags_shown(),
        note: live.monitor.note.to_string(),
        locations: live.locations.as_deref().cloned().unwrap_or_default(),
    }
}

/// `/api/v1/monitors/NAME/checks`, newest first, by `since`, `until`, `limit`, `state`, `status`, `changes`.
pub(super) fn checks(view: &View<'_>, past: &mut Past, name: &str, query: &str) -> Made {
    let Some(live) = view.find(name) else {
        return Ok(no_monitor());
    };
    let wanted = match history_query(view, live.id, query) {
        Ok(wanted) => wanted,
        Err(what) => return Ok(wrong(&what)),
    };
    let mut found = Vec::new();
    let reader = past.reader()?;
    reader.history_of_locations(&wanted, &mut |_, location, check, _| {
        found.push((location.cloned(), check));
        ControlFlow::Continue(())
    })?;
    let url = live.monitor.url_shown();
    let objects: Vec<_> = found
        .iter()
        .map(|(location, check)| {
            json::check(live.monitor.name.as_str(), &url, check, view.audience)
                .from_location(location.as_ref())
        })
        .collect();
    Ok(array(&objects))
}

fn history_query(view: &View<'_>, id: MonitorId, query: &str) -> Result<HistoryQuery, String> {
    let known = ["since", "until", "limit", "state", "status", "changes"];
    let query = Query::parse(query, &known)?;
    let zone = &view.config.daemon.timezone;
    Ok(HistoryQuery {
        whose: Whence::Each,
        by_wrong_clock: false,
        monitors: vec![id],
        since: query.moment("since", zone, view.now)?,
        until: query.moment("until", zone, view.now)?,
        states: query.states("state")?,
        statuses: query.statuses("status")?,
        changes: query.is_set("changes")?,
        limit: Some(u64::from(
            query.number("limit", LIMIT_MAX)?.unwrap_or(LIMIT),
        )),
    })
}

/// `/api/v1/maintenance`: what runs and what is announced, the next first.
pub(super) fn maintenance(view: &View<'_>, query: &str) -> Made {
    if let Err(what) = Query::parse(query, &[]) {
        return Ok(wrong(&what));
    }
    let rows = announced(view, None);
    let objects: Vec<_> = rows
        .iter()
        .map(|row| window_object::window(row, view.now))
        .collect();
    Ok(array(&objects))
}

/// `/api/v1/incidents`, newest first, by `monitor`, `open`, `since`, `until`, `limit`.
pub(super) fn incidents(view: &View<'_>, past: &mut Past, query: &str) -> Made {
    let wanted = match incident_query(view, query) {
        Ok(wanted) => wanted,
        Err(what) => return Ok(wrong(&what)),
    };
    let Some((query, limit)) = wanted else {
        return Ok(no_monitor());
    };
    let rows: Vec<IncidentRow> = listed(view, past, query, limit)?
        .into_iter()
        .map(record)
        .collect();
    let objects: Vec<_> = rows
        .iter()
        .map(|row| json::incident(row, view.now, view.audience))
        .collect();
    Ok(array(&objects))
}

/// None when a monitor is named that the reader does not know of.
fn incident_query(view: &View<'_>, query: &str) -> Result<Option<(IncidentQuery, usize)>, String> {
    let query = Query::parse(query, &["monitor", "open", "since", "until", "limit"])?;
    let zone = &view.config.daemon.timezone;
    let mut monitors = Vec::new();
    for name in query.all("monitor") {
        match view.find(name) {
            Some(live) => monitors.push(live.id),
            None => return Ok(None),
        }
    }
    let limit = query.number("limit", LIMIT_MAX)?.unwrap_or(LIMIT);
    let wanted = IncidentQuery {
        by_wrong_clock: false,
        monitors,
        open: query.is_set("open")?,
        since: query.moment("since", zone, view.now)?,
        until: query.moment("until", zone, view.now)?,
        limit: None,
    };
    Ok(Some((wanted, usize::try_from(limit).unwrap_or(usize::MAX))))
}

/// Incidents that the reader may know of. What a monitor's configuration says now counts; for one that is
/// gone what it said last.
pub(super) fn listed(
    view: &View<'_>,
    past: &mut Past,
    mut query: IncidentQuery,
    limit: usize,
) -> Result<Vec<ListedIncident>, StoreError> {
    let reader = past.reader()?;
    if view.audience != Audience::Owner && query.monitors.is_empty() {
        let visible = view.ids();
        let stored = reader.monitors()?;
        let hidden = stored.iter().any(|monitor| !monitor.public);
        let current = view.sources.board.len();
        if hidden || visible.len() < current {
            query.monitors = stored
                .into_iter()
                .filter(|monitor| match view.sources.board.get(monitor.id) {
                    Some(live) => may_see(view.audience, live.monitor.public),
                    None => may_see(view.audience, monitor.public),
                })
                .map(|monitor| monitor.id)
                .collect();
            if query.monitors.is_empty() {
                return Ok(Vec::new());
            }
        }
    }
    query.limit = Some(u32::try_from(limit).unwrap_or(u32::MAX));
    reader.incidents(&query)
}

fn record(listed: ListedIncident) -> IncidentRow {
    IncidentRow {
        monitor: listed.name.as_str().to_owned(),
        url: listed.url,
        incident: listed.incident,
        acked_by: listed.acked_by,
        amendments: listed.amendments,
        notes: listed.notes,
        escalated_at: listed.escalated_at,
        mails: listed
            .mails
            .into_iter()
            .map(|mail| MailRow {
                kind: mail.kind,
                to: mail.to.key().to_owned(),
                channel: mail.channel,
                message_id: mail.message_id,
                queued_at: mail.queued_at,
                sent_at: mail.sent_at,
            })
            .collect(),
        locations: listed.locations,
    }
}
