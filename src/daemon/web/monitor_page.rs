//! The rows of `/monitor/NAME`.

use std::ops::ControlFlow;
use std::time::Duration;

use super::api;
use super::pages;
use super::past::Past;
use super::view::{View, next_check_at};
use super::windows::announced;
use crate::daemon::board::Live;
use crate::domain::check::{Chain, Check, Micros};
use crate::domain::monitor::{Monitor, Schedule};
use crate::domain::span::Written;
use crate::store::error::StoreError;
use crate::store::history::HistoryQuery;
use crate::store::incidents::IncidentQuery;
use crate::view::json::Audience;
use crate::view::page::rows::{
    CertificateRow, ChainChangeRow, CheckRow, HopRow, MonitorPage, PhaseRow,
};

/// Checks in the list.
const CHECKS: u64 = 20;
/// Incidents in the list.
const INCIDENTS: usize = 50;
/// Changes of the chain in the list.
const CHANGES: usize = 10;
/// Changes of anything that are looked through for those of the chain, and how far back.
const CHANGES_READ_MAX: u64 = 300;
const CHANGES_BACK: Duration = Duration::from_secs(30 * 86_400);
/// What is usual is the median of so many checks at most.
const USUAL_MAX: u64 = 1500;
const DAY: Duration = Duration::from_secs(86_400);

/// Everything on the page of one monitor.
pub(super) fn gather(
    view: &View<'_>,
    past: &mut Past,
    live: &Live,
) -> Result<MonitorPage, StoreError> {
    let day = read(
        past,
        HistoryQuery {
            monitors: vec![live.id],
            since: Some(view.now.minus(DAY)),
            limit: Some(USUAL_MAX),
            ..HistoryQuery::default()
        },
    )?;
    let newest = read(
        past,
        HistoryQuery {
            monitors: vec![live.id],
            limit: Some(CHECKS),
            ..HistoryQuery::default()
        },
    )?;
    let changes = read(
        past,
        HistoryQuery {
            monitors: vec![live.id],
            since: Some(view.now.minus(CHANGES_BACK)),
            changes: true,
            limit: Some(CHANGES_READ_MAX),
            ..HistoryQuery::default()
        },
    )?;
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
            Audience::Owner => live.monitor.note.clone(),
            Audience::Public => String::new(),
        },
        next_check_at: next_check_at(live, view.config, view.now),
        charts: past.charts(view, live.id)?,
        phases: last.map_or_else(Vec::new, |last| phases(last, &day)),
        chain: last.map_or_else(Vec::new, |last| hops(view, live, last)),
        chain_changes: chain_changes(view, live, &changes),
        certificate: certificate.map(|seen| CertificateRow {
            subject: seen.subject.clone(),
            issuer: seen.issuer.clone(),
            not_after: seen.not_after,
        }),
        incidents: incidents
            .iter()
            .map(|listed| pages::incident_row(view, listed))
            .collect(),
        checks: newest.iter().map(|check| check_row(view, check)).collect(),
        windows: announced(view, Some(&live.monitor)),
    })
}

fn read(past: &mut Past, query: HistoryQuery) -> Result<Vec<Check>, StoreError> {
    let mut found = Vec::new();
    past.reader()?.history(&query, &mut |_, check| {
        found.push(check);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn how(monitor: &Monitor) -> String {
    let turns = match &monitor.schedule {
        Schedule::Every(interval) => format!("every {}", Written(*interval)),
        Schedule::Cron(text) => format!("at {}", text.0),
    };
    let (failures, successes) = (
        monitor.rules.failures_before_down,
        monitor.rules.successes_before_up,
    );
    format!(
        "Checked {turns} within {}; down after {failures} failures in a row, up after {successes} successes.",
        Written(monitor.rules.timeout)
    )
}

fn check_row(view: &View<'_>, check: &Check) -> CheckRow {
    CheckRow {
        at: check.at,
        state: check.verdict.state(),
        status: check.status,
        total: check.timings.total,
        redirects: check.chain.redirects.len(),
        detail: check
            .verdict
            .failure()
            .map_or_else(String::new, |failure| view.detail(failure, check.status)),
    }
}

fn phases(last: &Check, day: &[Check]) -> Vec<PhaseRow> {
    let good = || day.iter().filter(|check| check.verdict.is_good());
    last.timings
        .phases()
        .into_iter()
        .enumerate()
        .map(|(index, (phase, took))| {
            let mut times: Vec<Micros> = good()
                .filter_map(|check| check.timings.phases()[index].1)
                .collect();
            times.sort_unstable();
            PhaseRow {
                phase,
                last: took,
                usual: times.get(times.len() / 2).copied(),
            }
        })
        .collect()
}

fn hops(view: &View<'_>, live: &Live, check: &Check) -> Vec<HopRow> {
    let address = |address: Option<std::net::SocketAddr>| match (view.audience, address) {
        (Audience::Owner, Some(address)) => address.to_string(),
        (Audience::Public, _) | (_, None) => String::new(),
    };
    let own = live.monitor.url_shown();
    let shown = |url: &str| view.url(url, url == own).into_owned();
    let redirects = check.chain.redirects.iter().enumerate();
    let mut rows: Vec<HopRow> = redirects
        .map(|(index, redirect)| HopRow {
            url: shown(&redirect.url),
            status: Some(redirect.status),
            address: address(redirect.remote_addr),
            took: check.redirect_times.get(index).copied(),
        })
        .collect();
    // A chain that broke at a redirect ends with that answer: its URL was not asked again.
    let ended_there = check
        .chain
        .redirects
        .last()
        .is_some_and(|last| last.url == check.chain.final_url);
    if !ended_there && !check.chain.final_url.is_empty() {
        rows.push(HopRow {
            url: shown(&check.chain.final_url),
            status: if check.http_version.is_some() || rows.is_empty() {
                check.status
            } else {
                check
                    .status
                    .filter(|status| Some(*status) != rows.last().and_then(|row| row.status))
            },
            address: address(check.chain.remote_addr),
            took: None,
        });
    }
    rows
}

/// Codes and URLs without query and fragment: what makes a way another one.
fn shape(chain: &Chain) -> (Vec<(&str, u16)>, &str) {
    let bare = |url| {
        let url: &str = url;
        &url[..url.find(['?', '#']).unwrap_or(url.len())]
    };
    let redirects = chain.redirects.iter();
    (
        redirects
            .map(|redirect| (bare(redirect.url.as_str()), redirect.status))
            .collect(),
        bare(chain.final_url.as_str()),
    )
}

/// The checks at which the way became another one, of those at which anything changed, newest first. Only good
/// checks have gone all of it.
fn chain_changes(view: &View<'_>, live: &Live, changes: &[Check]) -> Vec<ChainChangeRow> {
    let good: Vec<&Check> = changes
        .iter()
        .filter(|check| check.verdict.is_good())
        .collect();
    let mut rows: Vec<ChainChangeRow> = good
        .windows(2)
        .filter(|pair| shape(&pair[0].chain) != shape(&pair[1].chain))
        .map(|pair| ChainChangeRow {
            at: pair[0].at,
            hops: hops(view, live, pair[0]),
        })
        .take(CHANGES)
        .collect();
    // What it was before the first change that is listed.
    if let (Some(oldest), true) = (good.last(), !rows.is_empty() && rows.len() < CHANGES) {
        rows.push(ChainChangeRow {
            at: oldest.at,
            hops: hops(view, live, oldest),
        });
    }
    rows
}
