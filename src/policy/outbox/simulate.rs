//! What a recipient would have got: decided mails through the plan, in their own time, with a server that takes all.

use std::collections::{BTreeMap, BTreeSet};

use super::collecting::{CauseKey, Collecting};
use super::hours::Hours;
use super::plan::{Deed, Silenced, plan};
use super::queued::{Held, Lane, RowId, Tries, Waiting};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::MailKind;
use crate::domain::recipient::Recipient;
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;
use crate::policy::replay::Dropped;

/// One thing that was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The moment at which it would leave.
    pub at: Timestamp,
    /// What kind of mail.
    pub kind: MailKind,
    /// Whose news.
    pub monitor: MonitorId,
    /// The outage it belongs to.
    pub incident: Option<IncidentKey>,
    /// Of a DOWN, a reminder or an escalation: the cause of the outage.
    pub cause: Option<CauseKey>,
    /// The recipients.
    pub to: Vec<Recipient>,
    /// Of an escalation: those whose message of an earlier step is to come again, if it was dropped before it left.
    pub again: Vec<Recipient>,
}

/// One mail that would have left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sending {
    /// The moment at which it would leave.
    pub at: Timestamp,
    /// What it is: alone what was decided, else a digest or a WAS DOWN.
    pub kind: MailKind,
    /// What it tells: places in the list of what was decided.
    pub tells: Vec<usize>,
}

/// Every mail that would have left until `end`, each once, however many recipients got it. What was decided comes in
/// the order of time, and so does what was dropped. `settings` are those for one recipient.
pub fn rehearse(
    settings: impl Fn(&Recipient) -> AlertSettings,
    hours: &Hours,
    decided: &[Decided],
    dropped: &[Dropped],
    end: Timestamp,
) -> Vec<Sending> {
    let mut lanes: BTreeMap<&str, (&Recipient, Vec<usize>)> = BTreeMap::new();
    for (place, one) in decided.iter().enumerate() {
        let others = one.again.iter().filter(|to| !one.to.contains(to));
        for to in one.to.iter().chain(others) {
            let lane = lanes.entry(to.key()).or_insert((to, Vec::new()));
            lane.1.push(place);
        }
    }
    let mut sendings: Vec<Sending> = lanes
        .into_values()
        .flat_map(|(to, places)| {
            let world = World {
                settings: &settings(to),
                hours,
                decided,
                dropped,
                end,
            };
            world.one_recipient(to, &places)
        })
        .collect();
    sendings.sort();
    sendings.dedup();
    sendings
}

/// What decides when something leaves.
struct World<'a> {
    settings: &'a AlertSettings,
    hours: &'a Hours,
    decided: &'a [Decided],
    dropped: &'a [Dropped],
    end: Timestamp,
}

impl World<'_> {
    fn one_recipient(&self, to: &Recipient, places: &[usize]) -> Vec<Sending> {
        let decided = self.decided;
        let mut coming = places.iter().copied().peekable();
        let mut lane = Lane {
            to: to.clone(),
            waiting: Vec::new(),
            collecting: None,
        };
        let mut told: BTreeSet<IncidentKey> = BTreeSet::new();
        let mut dropped = self.dropped.iter().peekable();
        let mut stopped: BTreeSet<IncidentKey> = BTreeSet::new();
        let mut sendings = Vec::new();
        let mut wake_at: Option<Timestamp> = None;
        loop {
            let next = coming.peek().map(|place| decided[*place].at);
            let Some(now) = [next, wake_at].into_iter().flatten().min() else {
                break;
            };
            if now > self.end {
                break;
            }
            while let Some(one) = dropped.next_if(|one| one.at <= now) {
                let is_it = |row: &mut Waiting| is_dropped(one, row);
                stopped.extend(
                    lane.waiting
                        .extract_if(.., is_it)
                        .filter_map(|row| row.incident),
                );
            }
            while let Some(place) = coming.next_if(|place| decided[*place].at <= now) {
                let one = &decided[place];
                let is_stopped = one.incident.is_some_and(|it| stopped.contains(&it));
                let knows = |it: &IncidentKey| {
                    told.contains(it) || lane.waiting.iter().any(|row| row.incident == Some(*it))
                };
                let is_meant = match one.kind {
                    // Nobody hears of the end whose only message was dropped.
                    MailKind::Up if is_stopped => one.incident.as_ref().is_some_and(knows),
                    _ => one.to.contains(to) || is_stopped,
                };
                if is_meant {
                    lane.waiting.push(row(place, one));
                }
            }
            for row in &mut lane.waiting {
                row.follows = row
                    .incident
                    .is_some_and(|incident| told.contains(&incident));
            }
            let plan = plan(self.settings, &lane, &Silenced::new(), self.hours, now);
            let mut again = false;
            for deed in &plan.deeds {
                let (kind, rows) = match deed {
                    Deed::Send(row) => (decided[place_of(*row)].kind, vec![*row]),
                    // A service that opens and closes incidents of its own is told both.
                    Deed::Merge { down, .. } if self.settings.group_limit == u32::MAX => {
                        again = true;
                        (decided[place_of(*down)].kind, vec![*down])
                    }
                    Deed::Merge { down, up } => (MailKind::WasDown, vec![*down, *up]),
                    Deed::Digest(rows, next) => {
                        lane.collecting = Some(Collecting::clone(next));
                        (MailKind::Digest, rows.clone())
                    }
                    Deed::Collect(next) => {
                        lane.collecting = Some(Collecting::clone(next));
                        again = true;
                        continue;
                    }
                    Deed::Supersede(row) => {
                        lane.waiting.retain(|waiting| waiting.id != *row);
                        continue;
                    }
                    Deed::Hold(rows, why) => {
                        let held = rows_of(&mut lane, rows);
                        held.for_each(|row| {
                            row.held = Some(Held {
                                why: *why,
                                released_at: None,
                            });
                        });
                        continue;
                    }
                    Deed::Release(rows) => {
                        let held = rows_of(&mut lane, rows).filter_map(|row| row.held.as_mut());
                        held.for_each(|held| held.released_at = Some(now));
                        continue;
                    }
                };
                lane.waiting.retain(|waiting| !rows.contains(&waiting.id));
                let tells: Vec<usize> = rows.into_iter().map(place_of).collect();
                told.extend(tells.iter().filter_map(|place| decided[*place].incident));
                sendings.push(Sending {
                    at: now,
                    kind,
                    tells,
                });
            }
            // What was due has left, so that the next moment lies ahead.
            wake_at = plan.wake_at.filter(|at| *at > now);
            if again {
                wake_at = Some(now);
            }
        }
        sendings
    }
}

fn is_dropped(dropped: &Dropped, row: &Waiting) -> bool {
    let is_of = match dropped.incident {
        None => row.monitor == Some(dropped.monitor),
        Some(incident) => row.kind == MailKind::Escalated && row.incident == Some(incident),
    };
    is_of && row.queued_at <= dropped.at
}

fn rows_of<'a>(lane: &'a mut Lane, rows: &'a [RowId]) -> impl Iterator<Item = &'a mut Waiting> {
    lane.waiting
        .iter_mut()
        .filter(move |row| rows.contains(&row.id))
}

fn row(place: usize, one: &Decided) -> Waiting {
    Waiting {
        id: RowId(i64::try_from(place).unwrap_or(i64::MAX)),
        kind: one.kind,
        monitor: Some(one.monitor),
        incident: one.incident,
        cause: one.cause,
        queued_at: one.at,
        tries: Tries::None,
        held: None,
        tells: Vec::new(),
        members: Vec::new(),
        follows: false,
    }
}

fn place_of(row: RowId) -> usize {
    usize::try_from(row.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::check::FailureKind;
    use crate::domain::settings::{Flapping, OpeningHours};
    use crate::domain::week::OpenTime;

    const START: i64 = 1_795_377_600_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(START + seconds * 1000)
    }

    /// One a word: `down/a@0` to ops, `down/a@0+` to ops and boss, `down/a@0=404` with another cause than 503.
    #[track_caller]
    fn check(words: &str, want: &str) {
        let settings = AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: 3,
            group_interval: Duration::from_secs(60),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        };
        let address = |text: &str| Recipient::restored(text).unwrap();
        let decided: Vec<Decided> = words
            .split_whitespace()
            .map(|word| {
                let (kind, rest) = word.split_once('/').unwrap();
                let (name, when) = rest.split_once('@').unwrap();
                let (when, status) = when.split_once('=').unwrap_or((when, "503"));
                let monitor = MonitorId(i64::from(name.as_bytes()[0]));
                let mut to = vec![address("ops@x.org")];
                if when.ends_with('+') {
                    to.push(address("boss@x.org"));
                }
                Decided {
                    at: at(when.trim_end_matches('+').parse().unwrap()),
                    kind: MailKind::parse(kind).unwrap(),
                    monitor,
                    incident: Some(IncidentKey {
                        monitor,
                        opened_at: at(-60),
                    }),
                    cause: kind.ends_with("down").then(|| CauseKey {
                        kind: FailureKind::Status,
                        status: status.parse().ok(),
                    }),
                    to,
                    again: Vec::new(),
                }
            })
            .collect();
        let shown: Vec<String> = rehearse(
            |_| settings.clone(),
            &Hours::default(),
            &decided,
            &[],
            at(100_000),
        )
        .iter()
        .map(|sending| {
            let tells: Vec<String> = sending.tells.iter().map(usize::to_string).collect();
            let second = (sending.at.as_ms() - START) / 1000;
            format!("{second} {} {}", sending.kind.as_str(), tells.join("+"))
        })
        .collect();
        assert_eq!(shown.join(", "), want, "{words}");
    }

    #[test]
    fn what_leaves_is_grouped_merged_and_collected() {
        check("down/a@0 up/a@100", "10 down 0, 110 up 1");
        check("down/a@0+ down/b@5+", "10 down 0, 10 down 1");
        check("down/a@0 up/a@4", "10 was_down 0+1");
        check(
            "down/a@0 down/b@1 down/c@2 down/d@3 up/d@60 up/a@200",
            "10 digest 0+1+2+3, 70 up 4, 210 up 5",
        );
        // Two recipients, of whom only one gets enough for a digest.
        check(
            "down/a@0+ down/b@1 down/c@2 down/d@3",
            "10 down 0, 10 digest 0+1+2+3",
        );
        check("still_down/a@0 still_down/a@5", "15 still_down 1");
    }

    const STORM: &str = "down/a@0 down/b@1 down/c@2 down/d@3";

    #[track_caller]
    fn after_storm(words: &str, want: &str) {
        let all = format!("{STORM} {words}");
        let want = format!(
            "10 digest 0+1+2+3{}",
            if want.is_empty() { "" } else { ", " }
        ) + want;
        check(&all, &want);
    }

    #[test]
    fn after_a_digest_news_of_it_collects_and_all_else_leaves_as_ever() {
        // An outage that has nothing to do with it, and the recovery of that.
        after_storm("down/x@20=404 up/x@40", "30 down 4, 50 up 5");
        // The same cause; a member, whatever its news.
        after_storm("down/x@20", "70 down 4");
        after_storm("down/x@20 up/x@60", "70 was_down 4+5");
        after_storm("up/a@20 up/b@25 degraded/c@30", "70 digest 4+5+6");
        after_storm(
            "degraded/x@20 flapping/y@21",
            "30 degraded 4, 30 flapping 5",
        );
        // One monitor in one message, whatever became of it.
        after_storm("up/a@20", "70 up 4");
        after_storm("up/a@20 degraded/a@30", "70 digest 4+5");
    }

    #[test]
    fn what_collected_begins_the_next_interval_and_an_empty_one_ends_it() {
        // The digest at 70 has `x` too: its recovery collects, and so does that of `a`, which came with the first one.
        after_storm(
            "down/x@20 down/y@21 up/x@80 up/a@81",
            "70 digest 4+5, 130 digest 6+7",
        );
        // A plain mail begins an interval as well.
        after_storm("up/a@20 up/b@80", "70 up 4, 130 up 5");
        after_storm("up/a@71 up/b@72", "81 up 4, 81 up 5");
        after_storm("up/a@20 down/x@131", "70 up 4, 141 down 5");
    }

    #[test]
    fn another_storm_takes_along_what_has_collected() {
        after_storm(
            "up/a@20 down/w@30=404 down/x@31=404 down/y@32=404 down/z@33=404 up/b@50 up/w@51",
            "40 digest 4+5+6+7+8, 100 digest 9+10",
        );
    }

    /// What somebody with these hours gets of some outages: nothing at other times, and each thing once but reminders
    /// and escalations that something else says.
    fn told_within_hours(open: &[&str], outages: &[(i64, i64, i64)]) {
        const MINUTE: i64 = 60;
        let to = || vec![Recipient::restored("ops@x.org").unwrap()];
        let open: Vec<OpenTime> = open.iter().map(|it| OpenTime::parse(it).unwrap()).collect();
        let entry = OpeningHours { to: to(), open };
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        let hours = Hours::new(vec![entry], zone);
        let mut decided: Vec<Decided> = Vec::new();
        for (number, (begin, lasts, kind)) in outages.iter().enumerate() {
            let monitor = MonitorId(i64::try_from(number).unwrap() % 7);
            // Two days before the clock is set back in Berlin.
            let opened_at = Timestamp::from_ms(1_792_713_600_000)
                .plus(Duration::from_secs(u64::try_from(*begin * MINUTE).unwrap()));
            let mut one = |after_minutes: i64, kind| {
                let after = Duration::from_secs(u64::try_from(after_minutes * MINUTE).unwrap());
                decided.push(Decided {
                    at: opened_at.plus(after),
                    kind,
                    monitor,
                    incident: Some(IncidentKey { monitor, opened_at }),
                    cause: None,
                    to: to(),
                    again: Vec::new(),
                });
            };
            one(0, MailKind::Down);
            if *lasts > 30 && *kind > 0 {
                one(30, MailKind::Escalated);
            }
            if *lasts > 60 && *kind > 1 {
                one(60, MailKind::StillDown);
            }
            one(*lasts, MailKind::Up);
        }
        decided.sort_by_key(|one| one.at);
        let settings = AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: 3,
            group_interval: Duration::from_secs(60),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        };
        let end = Timestamp::from_ms(1_792_713_600_000).plus(Duration::from_secs(40 * 86_400));
        let sendings = rehearse(|_| settings.clone(), &hours, &decided, &[], end);
        let mut told: Vec<usize> = Vec::new();
        for sending in &sendings {
            assert_eq!(
                hours.closed_until("ops@x.org", sending.at),
                None,
                "{sending:?}"
            );
            told.extend(&sending.tells);
        }
        told.sort_unstable();
        let all: Vec<usize> = (0..decided.len()).collect();
        let left_out = all.iter().filter(|place| !told.contains(place));
        for place in left_out {
            let kind = decided[*place].kind;
            let may_be = matches!(kind, MailKind::StillDown | MailKind::Escalated);
            assert!(may_be, "{kind:?} was dropped");
        }
        let count = told.len();
        told.dedup();
        assert_eq!(told.len(), count, "nothing twice");
    }

    proptest::proptest! {
        #![proptest_config(crate::cases::cases(200))]

        #[test]
        fn nobody_outside_their_hours_is_told_and_nothing_is_lost(
            open in proptest::collection::vec(proptest::sample::select(&[
                "Mon-Fri 08:00-18:00", "Sat,Sun 01:30-02:30", "22:00-06:00", "Sun 02:15-02:45", "Wed 12:00-12:01",
                "Fri-Mon 00:00-24:00",
            ][..]), 1..4),
            outages in proptest::collection::vec((0..10_000_i64, 1..2_000_i64, 0..3_i64), 1..30),
        ) {
            told_within_hours(&open, &outages);
        }
    }

    /// 400 sites fail within a minute, and half an hour later nobody has acknowledged one of them.
    #[test]
    fn a_storm_escalates_as_one_digest() {
        let settings = AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: 3,
            group_interval: Duration::from_secs(60),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        };
        let decided: Vec<Decided> = (0..400)
            .map(|site| Decided {
                at: at(1800).plus(Duration::from_millis(u64::try_from(site).unwrap() * 150)),
                kind: MailKind::Escalated,
                monitor: MonitorId(site),
                incident: Some(IncidentKey {
                    monitor: MonitorId(site),
                    opened_at: at(0),
                }),
                cause: Some(CauseKey {
                    kind: FailureKind::ConnectTimeout,
                    status: None,
                }),
                to: vec![Recipient::restored("boss@x.org").unwrap()],
                again: Vec::new(),
            })
            .collect();
        let sendings = rehearse(
            |_| settings.clone(),
            &Hours::default(),
            &decided,
            &[],
            at(100_000),
        );
        let shown: Vec<(MailKind, usize, i64)> = sendings
            .iter()
            .map(|it| (it.kind, it.tells.len(), (it.at.as_ms() - START) / 1000))
            .collect();
        assert_eq!(shown, [(MailKind::Digest, 400, 1860)]);
    }

    /// 500 sites behind one dead router, checked every minute; the router is back after four minutes.
    #[test]
    fn five_hundred_sites_make_few_mails() {
        let settings = AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: 3,
            group_interval: Duration::from_secs(60),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        };
        let decided = |second: i64, kind, monitor, status| Decided {
            at: at(second),
            kind,
            monitor: MonitorId(monitor),
            incident: Some(IncidentKey {
                monitor: MonitorId(monitor),
                opened_at: at(0),
            }),
            cause: (kind == MailKind::Down).then_some(CauseKey {
                kind: FailureKind::ConnectTimeout,
                status,
            }),
            to: vec![Recipient::restored("ops@x.org").unwrap()],
            again: Vec::new(),
        };
        let mut all: Vec<Decided> = (0..500)
            .flat_map(|site| {
                let slot = site * 60 / 500;
                [
                    decided(50 + slot, MailKind::Down, site, None),
                    decided(260 + slot, MailKind::Up, site, None),
                ]
            })
            .collect();
        // In the middle of it another site fails in its own way.
        all.push(decided(90, MailKind::Down, 900, Some(500)));
        all.sort_by_key(|one| one.at);
        let sendings = rehearse(
            |_| settings.clone(),
            &Hours::default(),
            &all,
            &[],
            at(100_000),
        );
        let mut told: Vec<usize> = sendings.iter().flat_map(|one| one.tells.clone()).collect();
        told.sort_unstable();
        assert_eq!(told, (0..all.len()).collect::<Vec<_>>(), "each once");
        let seconds: Vec<i64> = sendings
            .iter()
            .map(|one| (one.at.as_ms() - START) / 1000)
            .collect();
        assert_eq!(seconds, [60, 100, 120, 270, 330]);
        assert_eq!(sendings[1].kind, MailKind::Down, "the other site, in 10 s");
        // An outage that lasts is three messages in five minutes, the other site's among them.
        all.retain(|one| one.kind == MailKind::Down);
        let lasting = rehearse(|_| settings.clone(), &Hours::default(), &all, &[], at(360));
        assert_eq!(lasting.len(), 3);
    }

    /// An acknowledgement drops the step that waits, and a later one brings it to those who missed it; who was told
    /// of nothing hears of no end.
    #[test]
    fn what_an_acknowledgement_dropped_does_not_leave() {
        let settings = AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: 3,
            group_interval: Duration::from_secs(60),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        };
        let (ops, boss, cto) = ("ops@x.org", "boss@x.org", "cto@x.org");
        let list = |of: &[&str]| -> Vec<Recipient> {
            of.iter()
                .map(|to| Recipient::restored(to).unwrap())
                .collect()
        };
        let monitor = MonitorId(1);
        let incident = IncidentKey {
            monitor,
            opened_at: at(0),
        };
        let one = |second, kind, to: &[&str], again: &[&str]| Decided {
            at: at(second),
            kind,
            monitor,
            incident: Some(incident),
            cause: None,
            to: list(to),
            again: list(again),
        };
        let ack = Dropped {
            at: at(605),
            monitor,
            incident: Some(incident),
        };
        let play = |second_step: bool, dropped: &[Dropped]| -> Vec<(i64, MailKind)> {
            let mut all = vec![
                one(0, MailKind::Down, &[ops], &[]),
                one(600, MailKind::Escalated, &[boss], &[]),
                one(1800, MailKind::Escalated, &[cto], &[boss]),
                one(3600, MailKind::Up, &[ops, boss, cto], &[]),
            ];
            if !second_step {
                all.remove(2);
            }
            let hours = Hours::default();
            let sendings = rehearse(|_| settings.clone(), &hours, &all, dropped, at(100_000));
            let second = |one: &Sending| (one.at.as_ms() - START) / 1000;
            sendings.iter().map(|one| (second(one), one.kind)).collect()
        };
        let (down, step, up) = (MailKind::Down, MailKind::Escalated, MailKind::Up);
        assert_eq!(
            play(true, &[]),
            [(10, down), (610, step), (1810, step), (3610, up)]
        );
        assert_eq!(play(true, &[ack]), [(10, down), (1810, step), (3610, up)]);
        assert_eq!(play(false, &[ack]), [(10, down), (3610, up)]);
        let removed = Dropped {
            at: at(5),
            monitor,
            incident: None,
        };
        assert_eq!(play(false, &[removed]), [(610, step), (3610, up)]);
    }

    /// `open` in Berlin; what is decided at a local time leaves at another.
    #[track_caller]
    fn opens(open: &str, decided: &str, want: &str) {
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        let moment = |text: &str| {
            let civil: jiff::civil::DateTime = text.parse().unwrap();
            let zoned = civil.to_zoned(zone.clone()).unwrap();
            Timestamp::from_ms(zoned.timestamp().as_millisecond())
        };
        let entry = OpeningHours {
            to: vec![Recipient::restored("ops@x.org").unwrap()],
            open: vec![OpenTime::parse(open).unwrap()],
        };
        let hours = Hours::new(vec![entry], zone.clone());
        let settings = AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: 3,
            group_interval: Duration::from_secs(60),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        };
        let at = moment(decided);
        let down = Decided {
            at,
            kind: MailKind::Down,
            monitor: MonitorId(1),
            incident: Some(IncidentKey {
                monitor: MonitorId(1),
                opened_at: at,
            }),
            cause: None,
            to: vec![Recipient::restored("ops@x.org").unwrap()],
            again: Vec::new(),
        };
        let end = at.plus(Duration::from_secs(14 * 86_400));
        let sendings = rehearse(|_| settings.clone(), &hours, &[down], &[], end);
        let left: Vec<String> = sendings
            .iter()
            .map(|one| one.at.in_zone(&zone).strftime("%F %T %Z").to_string())
            .collect();
        assert_eq!(left, [want], "{open}, decided {decided}");
    }

    /// The clock on the wall decides, also on the two days of the year when it is set.
    #[test]
    fn hours_hold_over_both_changes_of_the_clock() {
        // Set forward on 2026-03-29 from 02:00 to 03:00, set back on 2026-10-25 from 03:00 to 02:00.
        opens(
            "Mon-Fri 08:00-18:00",
            "2026-03-27T18:00:00",
            "2026-03-30 08:00:00 CEST",
        );
        opens(
            "08:00-18:00",
            "2026-03-28T20:00:00",
            "2026-03-29 08:00:00 CEST",
        );
        opens(
            "02:30-06:00",
            "2026-03-28T20:00:00",
            "2026-03-29 03:00:00 CEST",
        );
        opens(
            "22:00-06:00",
            "2026-03-29T01:59:30",
            "2026-03-29 01:59:40 CET",
        );
        opens(
            "08:00-18:00",
            "2026-10-24T20:00:00",
            "2026-10-25 08:00:00 CET",
        );
        opens(
            "Mon-Fri 08:00-18:00",
            "2026-10-23T17:59:55",
            "2026-10-26 08:00:00 CET",
        );
        opens(
            "02:30-06:00",
            "2026-10-24T20:00:00",
            "2026-10-25 02:30:00 CEST",
        );
        opens(
            "22:00-02:30",
            "2026-10-25T03:00:00",
            "2026-10-25 22:00:00 CET",
        );
    }

    #[test]
    fn a_pager_gets_no_digest_and_both_ends_of_an_outage() {
        let settings = AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: u32::MAX,
            group_interval: Duration::from_secs(60),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        };
        let mut decided: Vec<Decided> = (1..=6)
            .flat_map(|monitor| {
                let monitor = MonitorId(monitor);
                let one = |kind, second| Decided {
                    at: at(second),
                    kind,
                    monitor,
                    incident: Some(IncidentKey {
                        monitor,
                        opened_at: at(0),
                    }),
                    cause: None,
                    to: vec![Recipient::restored("pager").unwrap()],
                    again: Vec::new(),
                };
                [one(MailKind::Down, 0), one(MailKind::Up, 5)]
            })
            .collect();
        decided.sort_by_key(|one| one.at);
        let hours = Hours::default();
        let sendings = rehearse(|_| settings.clone(), &hours, &decided, &[], at(100_000));
        let kinds = |kind| sendings.iter().filter(|one| one.kind == kind).count();
        assert_eq!(sendings.len(), 12);
        assert_eq!((kinds(MailKind::Down), kinds(MailKind::Up)), (6, 6));
    }
}
