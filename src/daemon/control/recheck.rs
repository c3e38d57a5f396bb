//! Checks monitors at once, and says what came of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::requests::{about, failed, given, plural, select};
use crate::clock;
use crate::control::{Answer, Which};
use crate::daemon::active::Running;
use crate::daemon::recorder::message::Entry;
use crate::daemon::schedule::scheduler::Command;
use crate::domain::check::Check;
use crate::domain::duration_text::Human;
use crate::domain::location::{Ask, Quorum};
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::order::{By, OrderWord};
use crate::domain::timestamp::Timestamp;

/// Each of these many rechecks is waited for and told; more are only begun.
const RECHECKS_TOLD: usize = 200;

/// A recheck waits for a place and then at most for its timeout.
const RECHECKED_WITHIN: Duration = Duration::from_secs(120);

/// Checks these monitors now.
pub(super) async fn recheck(running: &Running, which: &Which, by: By) -> Answer {
    let chosen = match select(running, which) {
        Ok(chosen) => chosen,
        Err(answer) => return answer,
    };
    let monitors = running.force().config.monitors.len();
    if let Err(wait) = running.take_rechecks(chosen.len(), monitors) {
        return failed(format!(
            "too many rechecks: all monitors may be rechecked once a minute; try again in {}",
            Human(wait)
        ));
    }
    keep_recheck(running, which, &chosen, by);
    let tell_each = chosen.len() <= RECHECKS_TOLD;
    let now = clock::now();
    let mut asked = Vec::new();
    let (mut done, mut not_done) = (Vec::new(), Vec::new());
    let force = running.force();
    let quorums: HashMap<&MonitorName, &Arc<Quorum>> = match &running.cluster {
        None => HashMap::new(),
        Some(_) => {
            let monitors = force.config.monitors.iter();
            monitors
                .filter_map(|known| Some((&known.name, known.rules.quorum.as_ref()?)))
                .collect()
        }
    };
    for (id, name) in chosen {
        match ask_locations(running, quorums.get(&name).copied(), id, &name, now) {
            Away::All(line) => {
                done.push(line);
                continue;
            }
            Away::Lost(line) => {
                not_done.push(line);
                continue;
            }
            Away::Some | Away::None => {}
        }
        let (outcome, answer) = oneshot::channel();
        running.scheduler.send(Command::CheckNow {
            monitor: id,
            unless_since: now,
            outcome: tell_each.then_some(outcome),
        });
        asked.push((name, answer));
    }
    if !tell_each {
        let count = asked.len() + done.len();
        let lines = vec![format!("{} are checked now", plural(count))];
        return Answer::Done { lines };
    }
    let until = clock::tick() + RECHECKED_WITHIN;
    for (name, answer) in asked {
        match tokio::time::timeout_at(until, answer).await {
            Ok(Ok(check)) => done.push(format!("{name}: {}", verdict(&check))),
            Ok(Err(_)) => not_done.push(format!(
                "{name}: not checked, it is paused or the daemon is stopping"
            )),
            Err(_) => not_done.push(format!(
                "{name}: no outcome within {}",
                Human(RECHECKED_WITHIN)
            )),
        }
    }
    // Of all monitors some may well be paused; a person who names one wants its check.
    match which {
        Which::Named(_) if !not_done.is_empty() => {
            not_done.append(&mut done);
            Answer::Failed { lines: not_done }
        }
        Which::Named(_) | Which::Tagged(_) | Which::All => {
            done.append(&mut not_done);
            Answer::Done { lines: done }
        }
    }
}

/// Who of other locations was asked for a check.
enum Away {
    /// Nobody: it is checked here alone.
    None,
    /// It is checked here as well.
    Some,
    /// It is not checked here; the line says who was asked.
    All(String),
    /// It is not checked here, and too much was asked at once.
    Lost(String),
}

/// Asks the other locations of a monitor. What they find is recorded when it arrives.
fn ask_locations(
    running: &Running,
    quorum: Option<&Arc<Quorum>>,
    id: MonitorId,
    name: &MonitorName,
    now: Timestamp,
) -> Away {
    let (Some(cluster), Some(quorum)) = (&running.cluster, quorum) else {
        return Away::None;
    };
    let here = running
        .force()
        .config
        .places()
        .and_then(|places| places.here.clone());
    let mut is_asked = true;
    let mut names = Vec::new();
    for location in quorum.locations.iter() {
        if here.as_ref() == Some(location) {
            continue;
        }
        names.push(location.as_str());
        is_asked &= cluster.ask(Ask {
            location: location.clone(),
            monitor: id,
            unless_since: now,
        });
    }
    let is_here = names.len() < quorum.locations.len();
    match (is_here, is_asked) {
        (true, _) => Away::Some,
        (false, true) => Away::All(format!("{name}: {} were asked", names.join(", "))),
        (false, false) => Away::Lost(format!(
            "{name}: not checked, too many checks were asked for at once"
        )),
    }
}

/// Keeps who ordered it; the checks themselves follow from no decision of the recorder.
fn keep_recheck(running: &Running, which: &Which, chosen: &[(MonitorId, MonitorName)], by: By) {
    let order = given(by, OrderWord::Recheck, about(which, chosen));
    // Nothing follows from it: of many it is not kept with each, as a script may do it every minute.
    let each = chosen.iter().filter(|_| chosen.len() <= RECHECKS_TOLD);
    let monitors: Vec<MonitorId> = each.map(|(id, _)| *id).collect();
    let (all, now) = (order.args.all, clock::now());
    running.door.push(Entry::Write(Box::new(move |batch| {
        batch.put_order(&order, &monitors, all, now)
    })));
}

/// `up, 200 in 231 ms`; `down, 503 in 1043 ms: expected 200-299`.
fn verdict(check: &Check) -> String {
    let mut text = check.verdict.state().to_string();
    if let Some(status) = check.status {
        text.push_str(&format!(", {status}"));
    }
    text.push_str(&format!(" in {:.0} ms", check.timings.total.as_ms()));
    if let Some(failure) = check.verdict.failure() {
        text.push_str(&format!(": {} ({})", failure.detail, failure.kind));
    }
    text
}
