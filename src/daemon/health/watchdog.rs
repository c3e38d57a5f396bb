//! Feeds the watchdog from what the parts did, keeps the unit's status true, and tells people when the
//! daemon itself is in trouble.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::self_check;
use crate::clock;
use crate::config::Watch;
use crate::daemon::active::Running;
use crate::daemon::logging::targets;
use crate::daemon::recorder::message::Entry;
use crate::domain::notification::{News, Notice};
use crate::domain::timestamp::Timestamp;
use crate::service;

/// How often everything is looked at where no watchdog asks for more.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Checks have to be late for this long before it is mailed, and on time for as long before it is again.
const LATE_FOR: Duration = Duration::from_secs(300);

/// How often the files of the configuration are looked at.
const CONFIGURATION_EVERY: Duration = Duration::from_secs(5);

/// Looks after a running daemon.
pub struct Supervisor(pub Arc<Running>);

impl Supervisor {
    /// Runs for as long as the daemon.
    pub async fn run(self) {
        let watchdog = service::watchdog_within();
        let look_every = watchdog.map_or(LOOK_EVERY, |within| (within / 4).min(LOOK_EVERY));
        let mut shown = String::new();
        let mut lateness = Lateness::default();
        tokio::spawn(watch_configuration(Arc::clone(&self.0)));
        loop {
            self.0.health.standstill.beat();
            self.0.health.leads.store(self.0.leads(), Relaxed);
            let now = clock::now();
            let line = self.0.line(now);
            if line != shown {
                service::status(&line);
                shown = line;
            }
            service::catch_up();
            // No step of the clock makes anything late.
            let lived = Timestamp::from_ms(0).plus(self.0.health.standstill.lived());
            if let Some(late) = lateness.see(self_check::on_time(&self.0.health), lived) {
                self.tell(late, now);
            }
            if let Some(within) = watchdog {
                let stuck = self_check::stuck(&self.0.health, within / 2);
                if stuck.is_empty() {
                    service::watchdog();
                } else {
                    let parts: Vec<&str> = stuck.iter().map(|part| part.as_str()).collect();
                    tracing::error!(
                        target: targets::TROUBLE,
                        "no progress of {}: the watchdog is not fed", parts.join(", ")
                    );
                }
            }
            tokio::time::sleep(look_every).await;
        }
    }

    fn tell(&self, late: bool, now: Timestamp) {
        let missed = self.0.health.missed.load(Relaxed);
        let detail = if late {
            tracing::warn!(target: targets::TROUBLE, missed, "checks cannot keep up");
            format!(
                "Checks cannot keep up: for five minutes some began later than their interval. \
                 {missed} slots were left out since the daemon started; what is checked is checked \
                 with full care, and alerts keep their priority. Raise max_concurrent_checks, \
                 lengthen intervals, or give the machine more."
            )
        } else {
            tracing::info!(target: targets::TROUBLE, "checks keep up again");
            "Checks keep up with their intervals again.".to_owned()
        };
        self.0.door.push(Entry::Say {
            notice: Box::new(Notice {
                about: None,
                news: News::Trouble {
                    what: "late".to_owned(),
                    detail,
                },
                decided_at: now,
            }),
            to: None,
        });
    }
}

/// Keeps known whether the configuration on the disk is the one in force.
async fn watch_configuration(running: Arc<Running>) {
    let mut watch = Watch::default();
    loop {
        let (file, environment) = (running.file.clone(), running.environment.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let found = watch.fingerprint(&file, &environment);
            (watch, found)
        });
        let Ok((again, found)) = looked.await else {
            return;
        };
        watch = again;
        let force = running.force();
        let sentence = (found != force.config.fingerprint).then(|| {
            let since = force.since.in_zone(&force.config.daemon.timezone);
            format!(
                "the configuration on the disk is not the one loaded at {}; `sitewatch reload` loads it",
                since.strftime("%H:%M")
            )
        });
        running.health.set_config_changed(sentence);
        tokio::time::sleep(CONFIGURATION_EVERY).await;
    }
}

/// Tells once when checks are late for long, and once when they are on time again for as long.
#[derive(Debug, Default)]
struct Lateness {
    told: bool,
    /// Since when it is other than what was told.
    other_since: Option<Timestamp>,
}

impl Lateness {
    /// What is to be told: late (true), or on time again.
    fn see(&mut self, on_time: bool, now: Timestamp) -> Option<bool> {
        let late = !on_time;
        if late == self.told {
            self.other_since = None;
            return None;
        }
        let since = *self.other_since.get_or_insert(now);
        if now.since(since) < LATE_FOR {
            return None;
        }
        self.told = late;
        self.other_since = None;
        Some(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_told_once_each_way() {
        let mut lateness = Lateness::default();
        let mut told = Vec::new();
        for minute in 0..60 {
            let late = (10..30).contains(&minute) || minute == 45;
            let now = Timestamp::from_ms(minute * 60_000);
            told.extend(lateness.see(!late, now).map(|late| (minute, late)));
        }
        assert_eq!(told, [(15, true), (35, false)]);
    }
}
