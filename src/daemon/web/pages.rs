//! Pages, badges and the feed: rows that hold only what the reader may see, handed to the templates.

use hyper::StatusCode;

use super::announced_maintenance::announced;
use super::api;
use super::history_cache::Past;
use super::monitor_page;
use super::query::Query;
use super::reply::{Keep, Made, Reply};
use super::visible::{View, cause_word, frame, state_of};
use crate::config::Config;
use crate::daemon::health::live_status::Live;
use crate::daemon::health::self_check;
use crate::domain::amendment::{Amendment, CountsAs};
use crate::domain::check::FailureKind;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::store::error::StoreError;
use crate::store::facts::incidents::{IncidentQuery, ListedIncident};
use crate::view::atom::{self, Feed};
use crate::view::badge::{self, Badge};
use crate::view::json::Audience;
use crate::view::objective::ObjectiveRow;
use crate::view::page::rows::{IncidentRow, MonitorRow, Overview, State};
use crate::view::page::{
    frame as page_frame, monitor as page_monitor, overview as page_overview, words,
};

pub(super) const HTML: &str = "text/html; charset=utf-8";
/// Open incidents that are read at most; the page lists fewer.
const OPEN_MAX: usize = 200;

/// What there is where nothing is: the same for a name that is unknown and one that is not public.
pub(super) fn nothing_here(config: &Config, now: Timestamp) -> Reply {
    let frame = frame(config, Audience::Public { urls: false }, now);
    let page = page_frame::nothing_here(&frame).into_string();
    Reply::new(HTML, Keep::Never, page).with_status(StatusCode::NOT_FOUND)
}

/// `/`, by `tag`, `q` and `page`.
pub(super) fn overview(view: &View<'_>, past: &mut Past, query: &str) -> Made {
    // A page is for people: what is not known in its query is passed over.
    let query = Query::lenient(query);
    let page = query.number("page", u32::MAX).ok().flatten().unwrap_or(1);
    let (open, open_count) = open_incidents(view, past)?;
    let data = Overview {
        frame: view.frame(),
        monitors: view
            .lives
            .iter()
            .map(|live| row(view, past, live))
            .collect(),
        open,
        open_count,
        windows: announced(view, None),
        objectives: objectives(view, past),
        trouble: match view.audience {
            Audience::Owner => self_check::troubles(&view.sources.health),
            // The public learns that something is wrong with the watcher, not what.
            Audience::Public { .. } => public_trouble(view),
        },
        tag: query.last("tag").map(str::to_owned),
        filter: query.last("q").unwrap_or_default().trim().to_lowercase(),
        page: usize::try_from(page - 1).unwrap_or(0),
    };
    let page = page_overview::overview(&data).into_string();
    Ok(Reply::new(HTML, Keep::Revalidate, page))
}

/// The newest open incidents outside maintenance, and how many there are. The board says whose they are, so that
/// neither the planned ones nor those of monitors that are gone take the room of others.
fn open_incidents(
    view: &View<'_>,
    past: &mut Past,
) -> Result<(Vec<IncidentRow>, usize), StoreError> {
    let in_maintenance = |live: &Live| live.shown.flags.maintenance && !live.shown.flags.paused;
    let monitors: Vec<MonitorId> = view
        .lives
        .iter()
        .filter(|live| live.shown.incident.is_some() && !in_maintenance(live))
        .map(|live| live.id)
        .collect();
    // A query without monitors would be one for all.
    if monitors.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let count = monitors.len();
    let query = IncidentQuery {
        monitors,
        open: true,
        ..IncidentQuery::default()
    };
    let open = api::listed(view, past, query, OPEN_MAX)?;
    // One that is amended is no outage, though it goes on.
    let is_amended = |listed: &&ListedIncident| listed.amended().is_some() && !listed.is_outage();
    let count = count.saturating_sub(open.iter().filter(is_amended).count());
    let rows = open.iter().filter(|listed| !is_amended(listed));
    let rows = rows.map(|listed| incident_row(view, listed));
    Ok((rows.collect(), count))
}

/// The objectives that this reader may see: the public those of which all monitors are public.
fn objectives(view: &View<'_>, past: &Past) -> Vec<ObjectiveRow> {
    let is_shown = |row: &&ObjectiveRow| {
        let mut objectives = view.config.objectives.iter();
        let found = objectives.find(|one| *one.name == *row.name);
        found.is_some_and(|one| match view.audience {
            Audience::Owner => true,
            Audience::Public { .. } => {
                let mut covered = view.config.monitors_of(one);
                covered.all(|monitor| monitor.public)
            }
        })
    };
    past.objectives().iter().filter(is_shown).cloned().collect()
}

fn public_trouble(view: &View<'_>) -> Vec<String> {
    let late = !self_check::on_time(&view.sources.health);
    let sentence = "Checks are late at the moment: states may be older than they look.";
    late.then(|| sentence.to_owned()).into_iter().collect()
}

/// `/monitor/NAME`.
pub(super) fn monitor(view: &View<'_>, past: &mut Past, name: &str) -> Made {
    let Some(live) = view.find(name) else {
        return Ok(nothing_here(view.config, view.now));
    };
    let data = monitor_page::gather(view, past, live)?;
    let page = page_monitor::monitor(&data).into_string();
    Ok(Reply::new(HTML, Keep::Revalidate, page))
}

/// One monitor as the overview shows it.
pub(super) fn row(view: &View<'_>, past: &Past, live: &Live) -> MonitorRow {
    let known = past.of(live.id);
    let state = state_of(live);
    // The newest check may be good already: then its status is not what was wrong.
    let status = |reason: FailureKind| {
        let newest = live.newest.as_ref()?;
        let failure = newest.verdict.failure()?;
        (failure.kind == reason).then_some(newest.status)?
    };
    let cause = match (state, live.shown.reason) {
        (State::Up | State::Pending | State::Paused, _) | (_, None) => String::new(),
        (_, Some(reason)) => match &known.last_incident {
            Some(listed) if Some(listed.incident.key) == live.shown.incident => {
                let cause = &listed.incident.cause;
                view.cause(cause.failure.kind, cause.status)
            }
            _ => view.cause(reason, status(reason)),
        },
    };
    let last_incident = known.last_incident.as_ref().map(|listed| {
        let mut row = incident_row(view, listed);
        // The board is newer than what was read.
        if row.closed_at.is_none() && live.shown.incident != Some(listed.incident.key) {
            row.closed_at = Some(live.shown.since.max(row.opened_at));
        }
        row
    });
    let flags = live.shown.flags.words();
    MonitorRow {
        name: live.monitor.name.as_str().to_owned(),
        url: view.url(&live.monitor.url_shown(), true).into_owned(),
        tags: live.monitor.tags_shown(),
        state,
        since: (state != State::Pending).then_some(live.shown.since),
        cause,
        // Paused is the state itself on a page; whose parent is down would name what may be hidden.
        flags: flags
            .filter(|word| *word != "paused" && *word != "parent_down")
            .collect(),
        day: known.day,
        month: known.month,
        days: known.days.clone(),
        hours: known.hours.clone(),
        spark: known.spark.clone(),
        last_incident,
        locations: locations(live),
    }
}

/// How a monitor stands at each of its locations.
fn locations(live: &Live) -> Vec<(String, State)> {
    let all = live.locations.iter().flat_map(|all| all.iter());
    all.map(|one| (one.location.to_string(), State::from(one.state)))
        .collect()
}

/// An outage as this reader may see it.
pub(super) fn incident_row(view: &View<'_>, listed: &ListedIncident) -> IncidentRow {
    let incident = &listed.incident;
    IncidentRow {
        id: incident.key.to_string(),
        monitor: listed.name.as_str().to_owned(),
        opened_at: incident.opened_at(),
        closed_at: incident.closed_at,
        cause: view.cause(incident.cause.failure.kind, incident.cause.status),
        // The public reads the words once, in the cause.
        detail: match view.audience {
            Audience::Owner => view.detail(&incident.cause.failure, incident.cause.status),
            Audience::Public { .. } => String::new(),
        },
        checks_failed: incident.checks_failed,
        maintenance: incident.maintenance,
        acked_at: incident.acked_at,
        ack_note: match (view.audience, &incident.ack_note) {
            (Audience::Owner, Some(note)) => note.to_string(),
            (Audience::Owner, None) | (Audience::Public { .. }, _) => String::new(),
        },
        escalated_at: match view.audience {
            Audience::Owner => listed.escalated_at,
            Audience::Public { .. } => None,
        },
        amended: match listed.amended().map(|amended| amended.counts_as) {
            None => "",
            Some(CountsAs::Maintenance) => "counts as maintenance",
            Some(CountsAs::FalseAlarm) => "false alarm",
            Some(CountsAs::Real) => "counts as an outage",
        },
        amended_at: listed.amendments.iter().map(Amendment::changed_at).max(),
        is_outage: listed.is_outage(),
        notes: listed
            .notes
            .iter()
            .filter(|note| note.public || view.audience == Audience::Owner)
            .map(|note| (note.at, note.text.clone()))
            .collect(),
    }
}

/// `/badge/NAME.svg`: the state with its uptime; `show=state` or `show=uptime` for one of them, `label` instead
/// of the name.
pub(super) fn badge(view: &View<'_>, past: &mut Past, name: &str, query: &str) -> Made {
    let Some(live) = view.find(name) else {
        return Ok(Reply::text(
            StatusCode::NOT_FOUND,
            "There is no such monitor.\n",
        ));
    };
    let query = Query::lenient(query);
    let state = state_of(live);
    let known = past.of(live.id);
    let (share, span) = match query.last("period") {
        Some("24h") => (known.day.uptime(), "24h"),
        _ => (known.month.uptime(), "30d"),
    };
    let word = match (state, live.shown.reason) {
        (State::Down, Some(FailureKind::Status)) => {
            let status = live.newest.as_ref().and_then(|check| check.status);
            format!("down {}", cause_word(FailureKind::Status, status))
        }
        _ => state.as_str().to_owned(),
    };
    let percent = words::percent(share);
    let message = match (query.last("show"), share) {
        (Some("state"), _) => word,
        (Some("uptime"), _) => format!("{percent} {span}"),
        (_, None) => word,
        (_, Some(_)) => format!("{word} · {percent} {span}"),
    };
    let drawn = badge::badge(&Badge {
        label: query.last("label").unwrap_or(live.monitor.name.as_str()),
        state,
        message: &message,
    });
    let media_type = "image/svg+xml; charset=utf-8";
    Ok(Reply::new(media_type, Keep::Minute, drawn.into_string()))
}

/// `/feed.atom`.
pub(super) fn feed(view: &View<'_>, past: &mut Past, base: &str) -> Made {
    let newest = api::listed(view, past, IncidentQuery::default(), atom::ENTRIES_MAX)?;
    let incidents: Vec<IncidentRow> = newest
        .iter()
        .map(|listed| incident_row(view, listed))
        .collect();
    let feed = atom::feed(&Feed {
        frame: &view.frame(),
        base,
        origin: &view.sources.database_id,
        incidents: &incidents,
        windows: &announced(view, None),
    });
    let media_type = "application/atom+xml; charset=utf-8";
    Ok(Reply::new(media_type, Keep::Revalidate, feed.into_string()))
}
