//! What a list of the hub means at a probe: monitors to check, and those that cannot be checked here.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::config::{Environment, Monitors};
use crate::daemon::schedule::cron_jobs::{Agenda, Duty};
use crate::daemon::schedule::timetable::Planned;
use crate::domain::check::{Chain, Check, Failure, FailureKind, Timings, Verdict};
use crate::domain::monitor::{CronText, Monitor, MonitorId, Schedule};
use crate::domain::safe_text;
use crate::domain::timestamp::Timestamp;
use crate::wire::WireError;
use crate::wire::list;

/// What is shown of the reason why a monitor cannot be checked here.
const REASON_CHARS_MAX: usize = 300;

/// A list, ready for the scheduler.
#[derive(Debug)]
pub(super) struct Applied {
    /// What is checked.
    pub(super) planned: Vec<Planned>,
    /// The same by number.
    pub(super) monitors: HashMap<MonitorId, Arc<Monitor>>,
    /// The cron expressions among them.
    pub(super) agenda: Agenda,
    /// What cannot be checked here, and why.
    pub(super) unresolved: Vec<(MonitorId, Arc<str>)>,
}

/// Reads a list. Names of variables are looked up in `environment`, names of files in `directory`.
///
/// # Errors
/// If the bytes are no list.
pub(super) fn apply(
    bytes: &[u8],
    environment: &Environment,
    directory: &Path,
) -> Result<Applied, WireError> {
    let list = list::read(bytes)?;
    let mut reader = Monitors::new(environment, directory, list.certificate_expiry);
    let mut planned = Vec::with_capacity(list.monitors.len());
    let mut monitors = HashMap::with_capacity(list.monitors.len());
    let mut entries: BTreeMap<CronText, Vec<Duty>> = BTreeMap::new();
    let mut unresolved = Vec::new();
    for (id, text) in list.monitors {
        let monitor = match reader.read(&text) {
            Ok(monitor) => monitor,
            Err(why) => {
                let why = safe_text::line(&why, REASON_CHARS_MAX).into_owned();
                unresolved.push((id, why.into()));
                continue;
            }
        };
        if let Schedule::Cron(text) = &monitor.schedule {
            entries
                .entry(text.clone())
                .or_default()
                .push(Duty::Check(id));
        }
        if monitors.insert(id, Arc::clone(&monitor)).is_none() {
            planned.push(Planned {
                id,
                monitor,
                paused: false,
                last_check: None,
            });
        }
    }
    Ok(Applied {
        planned,
        monitors,
        agenda: Agenda {
            zone: TimeZone::get(&list.zone).unwrap_or(TimeZone::UTC),
            entries,
        },
        unresolved,
    })
}

/// What is recorded of a monitor that cannot be checked here: nothing is known of its site.
pub(super) fn unresolved(why: &str, now: Timestamp) -> Check {
    Check {
        at: now,
        verdict: Verdict::Unknown(Failure {
            kind: FailureKind::Local,
            detail: format!("this location cannot check it: {why}").into(),
        }),
        status: None,
        chain: Arc::new(Chain::default()),
        redirect_times: Box::default(),
        timings: Timings::default(),
        http_version: None,
        body_bytes: 0,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}
