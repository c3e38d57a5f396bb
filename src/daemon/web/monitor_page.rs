//! The rows of `/monitor/NAME`.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use super::announced_maintenance::announced;
use super::api;
use super::charts;
use super::history_cache::Past;
use super::pages;
use super::visible::{View, next_check_at};
use crate::daemon::health::live_status::Live;
use crate::domain::check::{Certificate, Chain, Check, Failure, Timings};
use crate::domain::duration_text::Exact;
use crate::domain::monitor::{Monitor, Schedule};
use crate::store::checks::baselines::Spell;
use crate::store::checks::history::HistoryQuery;
use crate::store::error::StoreError;
use crate::store::facts::incidents::IncidentQuery;
use crate::view::json::Audience;
use crate::view::page::rows::{
    CertificateRow, ChainChangeRow, CheckRow, HopRow, MonitorPage, PartRow, PhaseRow,
};

/// Checks in the list.
const CHECKS: u64 = 20;
/// Incidents in the list.
const INCIDENTS: usize = 50;
/// Changes of the chain in the list.
const CHANGES: usize = 10;
/// How far back they are looked for.
const WAYS_BACK: Duration = Duration::from_secs(14 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);

/// Everything on the page of one monitor.
pub(super) fn gather(
    view: &View<'_>,
    past: &mut Past,
    live: &Live,
) -> Result<MonitorPage, StoreError> {
    let newest = read(
        past,
        HistoryQuery {
            monitors: vec![live.id],
            limit: Some(CHECKS),
            ..HistoryQuery::default()
        },
    )?;
    let reader = past.reader()?;
    let day = reader.checks(live.id, view.now.minus(DAY), view.now)?;
    let usual = reader.usual(live.id, view.now)?;
    let ways = reader.ways(live.id, view.now.minus(WAYS_BACK), view.now)?;
    let charts = charts::charts(reader, live.id, &day, view.now)?;
    let incidents = IncidentQuery {
        monitors: vec![live.id],
        ..IncidentQuery::default()
    };
    let incidents = api::listed(view, past, incidents, INCIDENTS)?;
    let last = live.newest.as_deref();
    let certificate = last
        .or(live.last_good.as_deref())
        .and_then(|check| check.certificate.as_deref());
    Ok(MonitorPage {
        frame: view.frame(),
        row: pages::row(view, past, live),
        how: how(&live.monitor),
        note: match view.audience {
            Audience::Owner => live.monitor.note.to_string(),
            Audience::Public { .. } => String::new(),
        },
        next_check_at: next_check_at(live, view.config, view.now),
        charts,
        phases: last.map_or_else(Vec::new, |last| phases(last, usual.as_ref())),
        chain: last.map_or_else(Vec::new, |last| hops(view, live, last)),
        chain_changes: chain_changes(view, live, &ways),
        addresses: last.map_or_else(Vec::new, |last| addresses(view, last)),
        versions: last.map_or_else(Vec::new, |last| versions(view, last)),
        certificate: certificate.map(|seen| certificate_row(view, seen)),
        incidents: incidents
            .iter()
            .map(|listed| pages::incident_row(view, listed))
            .collect(),
        checks: newest.iter().map(|check| check_row(view, check)).collect(),
        windows: announced(view, Some(&live.monitor)),
    })
}

/// The subject names the host, and so does the issuer where a certificate signs itself.
fn certificate_row(view: &View<'_>, seen: &Certificate) -> CertificateRow {
    let named = |name: &str| match view.audience {
        Audience::Public { urls: false } => String::new(),
        Audience::Public { urls: true } | Audience::Owner => name.to_owned(),
    };
    CertificateRow {
        subject: named(&seen.subject),
        issuer: named(&seen.issuer),
        not_after: seen.not_after,
    }
}

fn read(past: &mut Past, query: HistoryQuery) -> Result<Vec<Check>, StoreError> {
    let mut found = Vec::new();
    past.reader()?.history(&query, &mut |_, check, _| {
        found.push(check);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn how(monitor: &Monitor) -> String {
    let turns = match &monitor.schedule {
        Schedule::Every(interval) => format!("every {}", Exact(*interval)),
        Schedule::Cron(text) => format!("on the schedule {}", text.0),
    };
    let times = |count: u32, what: &str, whats: &str| match count {
        1 => format!("the first {what}"),
        count => format!("{count} {whats} in a row"),
    };
    format!(
        "Checked {turns}, with a timeout of {}. Down after {}, up after {}.",
        Exact(monitor.rules.timeout),
        times(
            u32::from(monitor.rules.failures_before_down),
            "failure",
            "failures"
        ),
        times(
            u32::from(monitor.rules.successes_before_up),
            "success",
            "successes"
        )
    )
}

fn check_row(view: &View<'_>, check: &Check) -> CheckRow {
    CheckRow {
        at: check.at,
        state: check.verdict.state(),
        status: check.status,
        total: check.timings.total,
        redirects: check.chain.redirects.len(),
        detail: detail(view, check.verdict.failure(), check.status),
    }
}

/// Each address that was checked by itself; only for readers with the token.
fn addresses(view: &View<'_>, check: &Check) -> Vec<PartRow> {
    let extras = check.extras.as_deref();
    let all = extras.and_then(|extras| extras.addresses.as_deref());
    let shown = all.filter(|_| view.audience == Audience::Owner);
    let rows = shown.unwrap_or_default().iter().map(|one| PartRow {
        name: one.addr.to_string(),
        state: one.state,
        status: one.status,
        total: one.total,
        detail: detail(view, one.failure.as_ref(), one.status),
    });
    rows.collect()
}

/// Each version of HTTP that was checked by itself.
fn versions(view: &View<'_>, check: &Check) -> Vec<PartRow> {
    let extras = check.extras.as_deref();
    let all = extras.and_then(|extras| extras.versions.as_deref());
    let rows = all.unwrap_or_default().iter().map(|one| PartRow {
        name: one.version.to_string(),
        state: one.state,
        status: one.status,
        total: one.total,
        detail: detail(view, one.failure.as_ref(), one.status),
    });
    rows.collect()
}

fn detail(view: &View<'_>, failure: Option<&Failure>, status: Option<u16>) -> String {
    failure.map_or_else(String::new, |failure| view.detail(failure, status))
}

fn phases(last: &Check, usual: Option<&Timings>) -> Vec<PhaseRow> {
    let usual = usual.map(Timings::phases);
    last.timings
        .phases()
        .into_iter()
        .enumerate()
        .map(|(index, (phase, took))| PhaseRow {
            phase,
            last: took,
            usual: usual.and_then(|phases| phases[index].1),
        })
        .collect()
}

fn hops(view: &View<'_>, live: &Live, check: &Check) -> Vec<HopRow> {
    let mut rows = way(view, live, &check.chain);
    for (row, took) in rows.iter_mut().zip(&check.redirect_times) {
        row.took = Some(*took);
    }
    // The last status is that of the end only where an answer came from there.
    if let Some(end) = rows.get_mut(check.chain.redirects.len()) {
        end.status = check.status.filter(|_| check.http_version.is_some());
    }
    rows
}

/// Redirect by redirect, and the end where it is not the last redirect itself.
fn way(view: &View<'_>, live: &Live, chain: &Chain) -> Vec<HopRow> {
    let own = live.monitor.url_shown();
    let hop = |url: &str, status, address: Option<SocketAddr>| HopRow {
        url: view.url(url, url == own).into_owned(),
        status,
        address: match (view.audience, address) {
            (Audience::Owner, Some(address)) => address.to_string(),
            (Audience::Public { .. }, _) | (_, None) => String::new(),
        },
        took: None,
    };
    let mut rows: Vec<HopRow> = chain
        .redirects
        .iter()
        .map(|redirect| hop(&redirect.url, Some(redirect.status), redirect.remote_addr))
        .collect();
    let last = chain.redirects.last();
    if last.is_none_or(|last| *last.url != *chain.final_url) && !chain.final_url.is_empty() {
        rows.push(hop(&chain.final_url, None, chain.remote_addr));
    }
    rows
}

/// The ways that were gone, the newest first; nothing where it was always the same.
fn chain_changes(view: &View<'_>, live: &Live, ways: &[Spell]) -> Vec<ChainChangeRow> {
    if ways.len() < 2 {
        return Vec::new();
    }
    ways.iter()
        .rev()
        .take(CHANGES)
        .map(|spell| ChainChangeRow {
            at: spell.from,
            hops: way(view, live, &spell.chain),
        })
        .collect()
}
