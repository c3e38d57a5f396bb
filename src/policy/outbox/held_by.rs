//! What keeps a row of the outbox, in one word: the same for `email queue` and `why`.

use super::plan::Waits;
use super::queued::{Held, Waiting};
use super::transport_pause::Pause;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Hold;

/// What keeps a row, and until when, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBy {
    /// One word: `window`, `mute`, `transport`, `channel`, `recipient`, `digest` ...
    pub by: &'static str,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Whether it only takes its time: it waits for others to the same recipient, or is to be tried again.
    pub is_on_its_way: bool,
}

/// The way on which a row leaves: the mail server, or the service of a channel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way<'a> {
    /// Its pause, over or not.
    pub pause: Option<&'a Pause>,
    /// Until when nothing is tried after a trouble that passes by itself, if it rests.
    pub rest: Option<Timestamp>,
}

/// What keeps a row; `None` if it leaves now. `waits` is what [`super::plan::waits`] says of it.
pub fn held_by(
    row: &Waiting,
    to: &Recipient,
    waits: Option<(Waits, Timestamp)>,
    by_way: Way<'_>,
    now: Timestamp,
) -> Option<HeldBy> {
    let way = |of_mail| match to.channel() {
        Some(_) => "channel",
        None => of_mail,
    };
    if let Some((Waits::ForHours, until)) = waits {
        return Some(HeldBy {
            by: Hold::Hours.as_str(),
            until: Some(until),
            is_on_its_way: false,
        });
    }
    if let Some(Held { why, .. }) = row.held.filter(|_| row.is_held()) {
        let by = match why {
            Hold::Maintenance => "window",
            Hold::Mute | Hold::Parent | Hold::Flapping | Hold::Offline | Hold::Hours => {
                why.as_str()
            }
        };
        return Some(HeldBy {
            by,
            until: None,
            is_on_its_way: false,
        });
    }
    let paused = by_way.pause.filter(|pause| pause.rests(now));
    if let Some(until) = paused.map(|pause| pause.until).max(by_way.rest) {
        // What was tried itself is to be tried again; the others wait for that.
        let is_on_its_way = paused.is_none() && row.attempts() > 0;
        return Some(HeldBy {
            by: way("transport"),
            until: Some(waits.map_or(until, |(_, its)| its.max(until))),
            is_on_its_way,
        });
    }
    let rests = row.rests_until().filter(|until| *until > now);
    let rests = rests.map(|until| (Waits::ForRecipient, until));
    let (waits, until) = waits.or(rests)?;
    let (by, is_on_its_way) = match waits {
        Waits::ForGroup => ("digest", true),
        Waits::ForDigest => ("digest", false),
        // What was put off itself is to be tried again; the others wait for it.
        Waits::ForRecipient => {
            let waits_for_another = row.attempts() == 0 || row.rests_until().is_some();
            (way("recipient"), !waits_for_another)
        }
        Waits::ForRetry => (way("recipient"), true),
        Waits::ForHours => (Hold::Hours.as_str(), false),
    };
    Some(HeldBy {
        by,
        until: Some(until),
        is_on_its_way,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::domain::check::FailureKind;
    use crate::domain::incident::IncidentKey;
    use crate::domain::monitor::MonitorId;
    use crate::domain::notification::MailKind;
    use crate::domain::settings::{AlertSettings, Flapping};
    use crate::policy::outbox::collecting::{CauseKey, Collecting};
    use crate::policy::outbox::hours::Hours;
    use crate::policy::outbox::plan::{Deed, Silenced, plan, waits};
    use crate::policy::outbox::queued::{Holds, Lane, RowId, Tries};

    const HISTORIES: u64 = 100_000;

    const KINDS: [MailKind; 8] = [
        MailKind::Down,
        MailKind::Down,
        MailKind::StillDown,
        MailKind::Up,
        MailKind::Degraded,
        MailKind::Flapping,
        MailKind::Digest,
        MailKind::Trouble,
    ];

    /// The same numbers on every machine.
    struct Dice(u64);

    impl Dice {
        fn throw(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (z ^ (z >> 31)) % bound
        }

        fn second(&mut self, bound: u64) -> Timestamp {
            at(self.throw(bound))
        }
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_ms(1_795_377_600_000).plus(Duration::from_secs(second))
    }

    fn settings() -> AlertSettings {
        AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: 3,
            group_interval: Duration::from_secs(60),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        }
    }

    fn row(dice: &mut Dice, id: i64) -> Waiting {
        let kind = KINDS[usize::try_from(dice.throw(8)).unwrap()];
        let monitor = MonitorId(i64::try_from(dice.throw(5)).unwrap());
        let is_about_one = !matches!(kind, MailKind::Digest | MailKind::Trouble);
        let has_incident = is_about_one && kind != MailKind::Degraded;
        let queued_at = dice.second(200);
        let tries = match dice.throw(6) {
            0 => Tries::Failed {
                count: 1,
                unknown: u32::from(dice.throw(4) == 0),
                first_at: queued_at,
                last_at: queued_at.plus(Duration::from_secs(dice.throw(60))),
                next_at: dice.second(400),
                holds: [Holds::Mail, Holds::Recipient, Holds::Refused, Holds::Asked]
                    [usize::try_from(dice.throw(4)).unwrap()],
            },
            _ => Tries::None,
        };
        Waiting {
            id: RowId(id),
            kind,
            monitor: is_about_one.then_some(monitor),
            incident: has_incident.then(|| IncidentKey {
                monitor,
                opened_at: at(dice.throw(2)),
            }),
            cause: (kind == MailKind::Down).then_some(CauseKey {
                kind: FailureKind::Status,
                status: Some(503 + u16::try_from(dice.throw(2)).unwrap()),
            }),
            queued_at,
            tries,
            held: None,
            tells: Vec::new(),
            members: match kind {
                MailKind::Digest => vec![monitor, MonitorId(4)],
                _ => Vec::new(),
            },
            follows: dice.throw(2) == 0,
        }
    }

    fn lane(dice: &mut Dice) -> Lane {
        let rows = i64::try_from(1 + dice.throw(7)).unwrap();
        let collecting = (dice.throw(2) == 0).then(|| Collecting {
            since: dice.second(300),
            after: i64::try_from(dice.throw(3)).unwrap(),
            members: BTreeSet::from([MonitorId(0), MonitorId(1)]),
            causes: BTreeSet::from([CauseKey {
                kind: FailureKind::Status,
                status: Some(503),
            }]),
            former: BTreeSet::from([MonitorId(2)]),
            hurried: dice.throw(8) == 0,
        });
        Lane {
            to: Recipient::restored("ops@example.com").unwrap(),
            waiting: (1..=rows).map(|id| row(dice, id)).collect(),
            collecting,
        }
    }

    /// Rows that leave by a plan.
    fn gone(deeds: &[Deed]) -> BTreeSet<RowId> {
        let mut rows = BTreeSet::new();
        for deed in deeds {
            match deed {
                Deed::Send(row) => {
                    rows.insert(*row);
                }
                Deed::Merge { down, up } => rows.extend([*down, *up]),
                Deed::Digest(members, _) => rows.extend(members),
                Deed::Supersede(_) | Deed::Collect(_) | Deed::Hold(..) | Deed::Release(_) => {}
            }
        }
        rows
    }

    /// A row leaves, or something keeps it: never both, never neither.
    #[test]
    fn what_does_not_leave_is_held_by_something_with_a_name() {
        let settings = settings();
        let mut words: BTreeSet<&str> = BTreeSet::new();
        for seed in 0..HISTORIES {
            let mut dice = Dice(seed);
            let mut lane = lane(&mut dice);
            let now = dice.second(400);
            let mut silenced = Silenced::new();
            if dice.throw(4) == 0 {
                let why = [Hold::Mute, Hold::Maintenance][usize::try_from(dice.throw(2)).unwrap()];
                silenced.insert(MonitorId(i64::try_from(dice.throw(5)).unwrap()), why);
            }
            for deed in plan(&settings, &lane, &silenced, &Hours::default(), now).deeds {
                if let Deed::Hold(rows, why) = deed {
                    let held = Some(Held {
                        why,
                        released_at: None,
                    });
                    let marked = lane.waiting.iter_mut();
                    marked
                        .filter(|row| rows.contains(&row.id))
                        .for_each(|row| row.held = held);
                }
            }
            let plan = plan(&settings, &lane, &silenced, &Hours::default(), now);
            let gone = gone(&plan.deeds);
            let collects = plan
                .deeds
                .iter()
                .any(|deed| matches!(deed, Deed::Collect(_)));
            let waits = waits(&settings, &lane, &Hours::default(), now);
            let is_dropped = |row: &&Waiting| plan.deeds.contains(&Deed::Supersede(row.id));
            for row in lane.waiting.iter().filter(|row| !is_dropped(row)) {
                let waits = waits.get(&row.id).copied();
                let found = held_by(row, &lane.to, waits, Way::default(), now);
                words.extend(found.map(|held| held.by));
                // What collected alone leaves with the next plan, which is asked for at once.
                let leaves = gone.contains(&row.id) || (collects && found.is_none());
                let told =
                    format!("seed {seed} at {now}: {row:?} of {lane:?}: {plan:?}, {found:?}");
                assert_ne!(leaves, found.is_some(), "{told}");
                let is_later = |held: HeldBy| held.until.is_none_or(|until| until > now);
                assert!(found.is_none_or(is_later), "{told}");
            }
        }
        let all = ["digest", "mute", "recipient", "window"];
        assert_eq!(words.into_iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn a_pause_keeps_everything_of_its_way() {
        let mut dice = Dice(7);
        let row = Waiting {
            tries: Tries::None,
            ..row(&mut dice, 1)
        };
        let pause = Pause {
            since: at(0),
            tried_at: at(0),
            until: at(500),
            why: "535 no".to_owned(),
        };
        for (to, want) in [("ops@example.com", "transport"), ("chat", "channel")] {
            let to = Recipient::restored(to).unwrap();
            let way = Way {
                pause: Some(&pause),
                rest: None,
            };
            let held = held_by(&row, &to, None, way, at(100)).unwrap();
            assert_eq!((held.by, held.until), (want, Some(at(500))));
            assert_eq!(held_by(&row, &to, None, way, at(500)), None);
        }
    }

    /// The server was not to be had: all mails wait for the next try of the one that met it.
    #[test]
    fn a_rest_keeps_what_was_tried_and_all_others() {
        let mut dice = Dice(7);
        let fresh = Waiting {
            tries: Tries::None,
            ..row(&mut dice, 1)
        };
        let tried = Waiting {
            tries: Tries::Failed {
                count: 3,
                unknown: 0,
                first_at: at(0),
                last_at: at(60),
                next_at: at(130),
                holds: Holds::Transport,
            },
            ..fresh.clone()
        };
        let way = Way {
            pause: None,
            rest: Some(at(130)),
        };
        for (row, is_on_its_way) in [(&tried, true), (&fresh, false)] {
            for (to, by) in [("ops@example.com", "transport"), ("chat", "channel")] {
                let to = Recipient::restored(to).unwrap();
                let found = held_by(row, &to, None, way, at(100));
                let until = Some(at(130));
                let want = HeldBy {
                    by,
                    until,
                    is_on_its_way,
                };
                assert_eq!(found, Some(want));
            }
        }
    }
}
