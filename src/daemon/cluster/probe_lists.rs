//! What a list of the hub means at a probe: monitors to check, and those that cannot be checked here.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::config::{Environment, Monitors};
use crate::daemon::schedule::cron_jobs::{Agenda, Duty};
use crate::daemon::schedule::timetable::Planned;
use crate::domain::check::{Chain, Check, Failure, FailureKind, Timings, Verdict};
use crate::domain::location::Share;
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

/// Reads a list, of it the monitors of this share. Names of variables are looked up in `environment`, names of files in
/// `directory`.
///
/// # Errors
/// If the bytes are no list.
pub(super) fn apply(
    bytes: &[u8],
    share: Option<Share>,
    environment: &Environment,
    directory: &Path,
) -> Result<Applied, WireError> {
    let list = list::read(bytes)?;
    let mut reader = Monitors::new(environment, directory, list.certificate_expiry);
    let mut planned = Vec::with_capacity(list.monitors.len());
    let mut monitors = HashMap::with_capacity(list.monitors.len());
    let mut entries: BTreeMap<CronText, Vec<Duty>> = BTreeMap::new();
    let mut unresolved = Vec::new();
    // A text without a name is nobody's alone: all say that it cannot be read.
    let is_ours = |text: &str| match (share, Monitors::name_of(text)) {
        (Some(share), Some(name)) => share.has(&name),
        (Some(_) | None, _) => true,
    };
    for (id, text) in list.monitors {
        if !is_ours(&text) {
            continue;
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::wire::list::List;

    /// Of every list, however many probes share it: each monitor has one probe, also one that cannot be checked there.
    #[test]
    fn shares_have_each_monitor_once() {
        let environment = Environment::default();
        let directory = tempfile::tempdir().unwrap();
        let monitors = (1..=300_i64).map(|number| {
            // Some names need quotes, some look like a variable, some need a variable that is not set here.
            let name = match number % 5 {
                0 => format!("shop \\\"{number}\\\""),
                1 => format!("$${{X}} {number}"),
                _ => format!("shop-{number}.example.com"),
            };
            let url = match number % 7 {
                0 => "https://${NOT_SET}/".to_owned(),
                _ => format!("https://shop-{number}.example.com/"),
            };
            let text = format!("name = \"{name}\"\nurl = \"{url}\"\n");
            (MonitorId(number), text.into())
        });
        let list = list::write(&List {
            monitors: monitors.collect(),
            ..List::default()
        });
        let apply = |share| apply(&list, share, &environment, directory.path()).unwrap();
        let whole = apply(None);
        assert_eq!((whole.planned.len(), whole.unresolved.len()), (258, 42));
        for of in 1..=7 {
            let mut seen: BTreeMap<MonitorId, (u32, u32)> = BTreeMap::new();
            for number in 1..=of {
                let its = apply(Share::new(number, of));
                for planned in its.planned {
                    seen.entry(planned.id).or_default().0 += 1;
                }
                for (id, _) in its.unresolved {
                    seen.entry(id).or_default().1 += 1;
                }
            }
            assert_eq!(seen.len(), 300, "{of}");
            for (id, counts) in seen {
                let is_unset = id.0 % 7 == 0;
                let expected = if is_unset { (0, 1) } else { (1, 0) };
                assert_eq!(counts, expected, "{} of {of}", id.0);
            }
        }
    }
}
