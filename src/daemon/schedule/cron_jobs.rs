//! What belongs to the calendar: cron monitors, settling, retention, the report.
//!
//! tokio-cron-scheduler gives the beat: one job, every second. Which entry is due, in which zone and
//! across which clock change, is decided here by [`crate::policy::schedule::cron`]: the crate freezes a
//! zone's offset when a job is added, loses firings in large bursts, and a job of it stands still
//! while a clock that was set back catches up. A beat that stays away is therefore made up for, and
//! its job is made anew.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::clock;
use crate::domain::monitor::{CronText, MonitorId};
use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::cron::Cron;
use crate::policy::verdict::own_network;

/// The beat comes up to half a second late by design; this long without one it is not coming.
const BEAT_MISSING: Duration = Duration::from_secs(5);

/// A moment that passed longer ago than this (we slept, or were stopped) is history.
const TOO_LATE: Duration = Duration::from_secs(60);

/// Moments that are counted as missed at most: a year of every second is not worth the arithmetic.
const MISSED_MAX: u64 = 10_000;

/// What is to be done at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// Check this monitor.
    Check(MonitorId),
    /// Settle the journal into the ledger.
    Settle,
    /// The same at once, if the journal has become too long.
    SettleIfLong,
    /// Let go of what is older than it has to be kept.
    Retain,
    /// Mail the report.
    Report,
    /// Look whether objectives burn their error budget too fast.
    Burns,
}

/// Everything that is on the calendar, by expression.
#[derive(Debug, Clone)]
pub struct Agenda {
    /// The zone of all expressions.
    pub zone: TimeZone,
    /// What each calls for.
    pub entries: BTreeMap<CronText, Vec<Duty>>,
}

/// A moment has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// What is to be done.
    pub duties: Vec<Duty>,
    /// The moment of the expression.
    pub slot: Timestamp,
    /// Whether it is to be done now; else it passed too long ago.
    pub in_time: bool,
    /// The first of the moments before it that nobody served, and how many.
    pub missed: Option<(Timestamp, u64)>,
}

/// An agenda with its next moments.
#[derive(Debug)]
pub struct Diary {
    zone: TimeZone,
    entries: Vec<Entry>,
    seen: Timestamp,
}

#[derive(Debug)]
struct Entry {
    cron: Cron,
    duties: Vec<Duty>,
    next: Option<Timestamp>,
}

impl Diary {
    /// The agenda from `now` on. Expressions were validated with the configuration; one that does not
    /// parse all the same is left out and logged.
    pub fn new(agenda: &Agenda, now: Timestamp) -> Self {
        let entries = agenda.entries.iter().filter_map(|(text, duties)| {
            let cron = Cron::parse(&text.0)
                .inspect_err(|error| {
                    tracing::error!(expression = &*text.0, %error, "a schedule is not understood");
                })
                .ok()?;
            Some(Entry {
                next: cron.next_after(&agenda.zone, now),
                cron,
                duties: duties.clone(),
            })
        });
        Self {
            zone: agenda.zone.clone(),
            entries: entries.collect(),
            seen: now,
        }
    }

    /// The clock was set forward to `now`. Nobody lived through the moments that it passed over: no check was missed.
    /// What else is due is done late.
    pub fn pass_over_checks(&mut self, now: Timestamp) {
        for entry in &mut self.entries {
            let only_checks = entry
                .duties
                .iter()
                .all(|duty| matches!(duty, Duty::Check(_)));
            if only_checks && entry.next.is_some_and(|next| now.since(next) > TOO_LATE) {
                entry.next = entry.cron.next_after(&self.zone, now);
            }
        }
    }

    /// Everything whose moment has come by `now`. A clock that was set back makes all moments anew:
    /// what already ran may run again at its second coming, nothing waits for a time that passed.
    pub fn due(&mut self, now: Timestamp) -> Vec<Firing> {
        let set_back = now < self.seen;
        self.seen = now;
        let mut firings = Vec::new();
        for entry in &mut self.entries {
            if set_back {
                entry.next = entry.cron.next_after(&self.zone, now);
                continue;
            }
            let Some(first) = entry.next.filter(|next| *next <= now) else {
                continue;
            };
            let mut slot = first;
            let mut missed = 0;
            entry.next = entry.cron.next_after(&self.zone, slot);
            while let Some(next) = entry.next.filter(|next| *next <= now) {
                missed += 1;
                slot = next;
                if missed >= MISSED_MAX {
                    slot = entry
                        .cron
                        .last_at_or_before(&self.zone, now)
                        .unwrap_or(slot);
                    entry.next = entry.cron.next_after(&self.zone, now);
                    break;
                }
                entry.next = entry.cron.next_after(&self.zone, slot);
            }
            firings.push(Firing {
                duties: entry.duties.clone(),
                slot,
                in_time: now.since(slot) <= TOO_LATE,
                missed: (missed > 0).then_some((first, missed)),
            });
        }
        firings
    }
}

/// Runs the calendar for as long as `agenda` has a sender.
///
/// # Errors
/// When the beat cannot be set up.
pub async fn run(
    mut agenda: watch::Receiver<Agenda>,
    fire: impl Fn(Firing),
) -> Result<(), JobSchedulerError> {
    let (beat, mut beats) = mpsc::channel(1);
    let mut jobs = JobScheduler::new().await?;
    let mut beating = jobs.add(beat_job(beat.clone())?).await?;
    jobs.start().await?;
    let mut diary = Diary::new(&agenda.borrow_and_update(), clock::now());
    let mut before = (clock::now(), clock::tick(), clock::slept());
    loop {
        tokio::select! {
            changed = agenda.changed() => {
                if changed.is_err() {
                    return jobs.shutdown().await;
                }
                diary = Diary::new(&agenda.borrow_and_update(), clock::now());
            }
            beaten = tokio::time::timeout(BEAT_MISSING, beats.recv()) => {
                if beaten.is_err() {
                    tracing::debug!("the calendar's beat stayed away; it is set up again");
                    jobs.remove(&beating).await?;
                    beating = jobs.add(beat_job(beat.clone())?).await?;
                }
                let now = clock::now();
                let passed = clock::tick().duration_since(before.1)
                    + clock::slept().saturating_sub(before.2);
                if own_network::parted(before.0, now, passed).is_some_and(|by_ms| by_ms > 0) {
                    diary.pass_over_checks(now);
                }
                before = (now, clock::tick(), clock::slept());
                for firing in diary.due(now) {
                    fire(firing);
                }
            }
        }
    }
}

fn beat_job(beat: mpsc::Sender<()>) -> Result<Job, JobSchedulerError> {
    Job::new_async("* * * * * *", move |_, _| {
        // A beat that nobody has taken yet is as good as this one.
        let _ = beat.try_send(());
        Box::pin(std::future::ready(()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().unwrap())
    }

    fn agenda(zone: &str, expression: &str, duties: &[Duty]) -> Agenda {
        Agenda {
            zone: TimeZone::get(zone).unwrap(),
            entries: BTreeMap::from([(CronText(expression.into()), duties.to_vec())]),
        }
    }

    /// Beats once a second from `from` to `to`; the slots that fired.
    fn fired(diary: &mut Diary, from: &str, to: &str) -> Vec<String> {
        let (mut now, end) = (at(from), at(to));
        let mut slots = Vec::new();
        while now <= end {
            slots.extend(diary.due(now).into_iter().map(|firing| {
                assert!(firing.in_time && firing.missed.is_none(), "{firing:?}");
                firing.slot.to_string()
            }));
            now = now.plus(Duration::from_secs(1));
        }
        slots
    }

    #[test]
    fn a_clock_change_neither_doubles_nor_loses() {
        let daily = agenda("Europe/Berlin", "0 30 2 * * *", &[Duty::Report]);
        let mut spring = Diary::new(&daily, at("2026-03-28T12:00:00Z"));
        assert_eq!(
            fired(&mut spring, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"),
            ["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"]
        );
        let mut autumn = Diary::new(&daily, at("2026-10-24T12:00:00Z"));
        assert_eq!(
            fired(&mut autumn, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
            ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]
        );
    }

    #[test]
    fn after_a_long_sleep_the_last_moment_fires_once_and_says_what_passed() {
        let check = [Duty::Check(MonitorId(1))];
        let mut diary = Diary::new(
            &agenda("UTC", "0 */5 * * * *", &check),
            at("2026-01-01T00:00:00Z"),
        );
        assert_eq!(
            diary.due(at("2026-01-01T01:00:30Z")),
            [Firing {
                duties: check.to_vec(),
                slot: at("2026-01-01T01:00:00Z"),
                in_time: true,
                missed: Some((at("2026-01-01T00:05:00Z"), 11)),
            }]
        );
        let late = diary.due(at("2026-01-01T03:04:00Z"));
        assert!(!late[0].in_time);
        assert_eq!(late[0].missed, Some((at("2026-01-01T01:05:00Z"), 23)));
        assert_eq!(diary.due(at("2026-01-01T03:04:01Z")), []);
    }

    #[test]
    fn a_jump_of_years_is_counted_to_an_end() {
        let mut diary = Diary::new(
            &agenda("UTC", "* * * * * *", &[Duty::Settle]),
            at("2026-01-01T00:00:00Z"),
        );
        let firing = &diary.due(at("2036-01-01T00:00:00Z"))[0];
        assert_eq!(firing.missed.map(|(_, count)| count), Some(MISSED_MAX));
        assert_eq!(firing.slot, at("2036-01-01T00:00:00Z"));
        assert_eq!(diary.due(at("2036-01-01T00:00:01Z")).len(), 1);
    }

    #[test]
    fn nobody_missed_what_a_clock_set_forward_passed_over() {
        let mut diary = Diary::new(
            &agenda("UTC", "0 */5 * * * *", &[Duty::Check(MonitorId(1))]),
            at("1970-01-01T00:00:00Z"),
        );
        let now = at("2026-01-01T01:03:30Z");
        diary.pass_over_checks(now);
        assert_eq!(diary.due(now), []);
        let next = diary.due(at("2026-01-01T01:05:00Z"));
        assert_eq!((next.len(), next[0].missed), (1, None));
        // The report is late, not lost.
        let mut diary = Diary::new(
            &agenda("UTC", "0 0 8 * * *", &[Duty::Report]),
            at("2026-01-01T07:00:00Z"),
        );
        diary.pass_over_checks(at("2026-01-01T09:00:00Z"));
        assert_eq!(diary.due(at("2026-01-01T09:00:00Z")).len(), 1);
    }

    #[test]
    fn a_clock_set_back_does_not_wait_for_the_time_that_was() {
        let mut diary = Diary::new(
            &agenda("UTC", "0 0 * * * *", &[Duty::Settle]),
            at("2026-01-01T12:30:00Z"),
        );
        assert_eq!(diary.due(at("2026-01-01T06:30:00Z")), []);
        assert_eq!(diary.due(at("2026-01-01T07:00:00Z")).len(), 1);
    }

    #[tokio::test]
    async fn the_beat_comes() {
        let check = agenda("UTC", "* * * * * *", &[Duty::Check(MonitorId(7))]);
        let (agenda, receiver) = watch::channel(check);
        let (fired, mut firings) = mpsc::unbounded_channel();
        let running = tokio::spawn(run(receiver, move |firing| {
            let _ = fired.send(firing);
        }));
        let first = firings.recv().await.unwrap();
        assert_eq!(first.duties, [Duty::Check(MonitorId(7))]);
        drop(agenda);
        running.await.unwrap().unwrap();
    }
}
