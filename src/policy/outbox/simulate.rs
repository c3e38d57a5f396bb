//! What a recipient would have got: decided mails through the plan, in their own time, with a server that takes all.

use std::collections::BTreeMap;

use super::plan::{Deed, Silenced, plan};
use super::queued::{Lane, RowId, Tries, Waiting};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::MailKind;
use crate::domain::recipient::Recipient;
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;

/// One thing that was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// When.
    pub at: Timestamp,
    /// What kind of mail.
    pub kind: MailKind,
    /// Whose news.
    pub monitor: MonitorId,
    /// The outage it belongs to.
    pub incident: Option<IncidentKey>,
    /// To whom.
    pub to: Vec<Recipient>,
}

/// One mail that would have left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sending {
    /// When.
    pub at: Timestamp,
    /// What it is: alone what was decided, else a digest or a WAS DOWN.
    pub kind: MailKind,
    /// What it tells: places in the list of what was decided.
    pub tells: Vec<usize>,
}

/// Every mail that would have left until `end`, each once, however many recipients got it. What was decided comes in
/// the order of time.
pub fn rehearse(settings: &AlertSettings, decided: &[Decided], end: Timestamp) -> Vec<Sending> {
    let mut lanes: BTreeMap<&str, (&Recipient, Vec<usize>)> = BTreeMap::new();
    for (place, one) in decided.iter().enumerate() {
        for to in &one.to {
            let lane = lanes.entry(to.key()).or_insert((to, Vec::new()));
            lane.1.push(place);
        }
    }
    let mut sendings: Vec<Sending> = lanes
        .into_values()
        .flat_map(|(to, places)| one_recipient(settings, decided, to, &places, end))
        .collect();
    sendings.sort();
    sendings.dedup();
    sendings
}

fn one_recipient(
    settings: &AlertSettings,
    decided: &[Decided],
    to: &Recipient,
    places: &[usize],
    end: Timestamp,
) -> Vec<Sending> {
    let mut coming = places.iter().copied().peekable();
    let mut lane = Lane {
        to: to.clone(),
        waiting: Vec::new(),
        digest_formed_at: None,
    };
    let mut sendings = Vec::new();
    let mut wake_at: Option<Timestamp> = None;
    loop {
        let next = coming.peek().map(|place| decided[*place].at);
        let Some(now) = [next, wake_at].into_iter().flatten().min() else {
            break;
        };
        if now > end {
            break;
        }
        while let Some(place) = coming.next_if(|place| decided[*place].at <= now) {
            lane.waiting.push(row(place, &decided[place]));
        }
        let plan = plan(settings, &lane, &Silenced::new(), now);
        for deed in &plan.deeds {
            let (kind, rows) = match deed {
                Deed::Send(row) => (decided[place_of(*row)].kind, vec![*row]),
                Deed::Merge { down, up } => (MailKind::WasDown, vec![*down, *up]),
                Deed::Digest(rows) => {
                    lane.digest_formed_at = Some(now);
                    (MailKind::Digest, rows.clone())
                }
                Deed::Supersede(row) => {
                    lane.waiting.retain(|waiting| waiting.id != *row);
                    continue;
                }
                Deed::Hold(..) | Deed::Release(_) => continue,
            };
            lane.waiting.retain(|waiting| !rows.contains(&waiting.id));
            sendings.push(Sending {
                at: now,
                kind,
                tells: rows.into_iter().map(place_of).collect(),
            });
        }
        // What was due has left, so that the next moment lies ahead.
        wake_at = plan.wake_at.filter(|at| *at > now);
    }
    sendings
}

fn row(place: usize, one: &Decided) -> Waiting {
    Waiting {
        id: RowId(i64::try_from(place).unwrap_or(i64::MAX)),
        kind: one.kind,
        monitor: Some(one.monitor),
        incident: one.incident,
        queued_at: one.at,
        tries: Tries::None,
        held: None,
        tells: Vec::new(),
        // Recipients never change here: they all got the DOWN.
        follows: true,
    }
}

fn place_of(row: RowId) -> usize {
    usize::try_from(row.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::settings::Flapping;

    const START: i64 = 1_795_377_600_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(START + seconds * 1000)
    }

    /// One a word: `down/a@0` to ops, `down/a@0+` to ops and boss.
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
                    to,
                }
            })
            .collect();
        let shown: Vec<String> = rehearse(&settings, &decided, at(100_000))
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
}
