//! What a digest says of each monitor: one row, its state now, and how often that changed meanwhile.

use crate::domain::notification::{News, Notice};

use super::context::{Current, Currents};
use crate::domain::incident::{Beginnings, Cause, IncidentKey};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;

/// What a row says, in the order of the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Escalated,
    Down,
    StillDown,
    Up,
    WasDown,
    Degraded,
    Flapping,
    RedirectChanged,
    /// About us.
    Trouble,
    Back,
    Blind,
    Burn,
    Report,
    Other,
}

/// One monitor of a digest.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) state: State,
    /// What it is told by: of its news, the one that says most of its state.
    pub(super) notice: &'a Notice,
    /// Its state now, where that is known.
    pub(super) current: Option<&'a Current>,
    /// The outage that is told, and since when it is over.
    pub(super) outage: Option<Outage<'a>>,
    /// How often it went up or down, as far as the digest tells.
    pub(super) changes: u32,
}

/// The newest outage that a digest tells of a monitor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage<'a> {
    pub(super) incident: IncidentKey,
    pub(super) cause: &'a Cause,
    pub(super) closed_at: Option<Timestamp>,
}

/// The rows of a digest, in the order in which their monitors come first.
pub(super) fn rows<'a>(notices: &'a [Notice], currents: &'a Currents) -> Vec<Row<'a>> {
    let mut monitors: Vec<(Option<MonitorId>, Vec<&Notice>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for notice in notices {
        let monitor = notice.about.as_ref().map(|about| about.monitor);
        let place = monitor.and_then(|monitor| places.get(&monitor).copied());
        if let Some(place) = place {
            let (_, news): &mut (_, Vec<&Notice>) = &mut monitors[place];
            news.push(notice);
        } else {
            if let Some(monitor) = monitor {
                places.insert(monitor, monitors.len());
            }
            monitors.push((monitor, vec![notice]));
        }
    }
    monitors
        .into_iter()
        .filter_map(|(monitor, news)| {
            let current = monitor.and_then(|monitor| currents.get(&monitor));
            row(&news, current)
        })
        .collect()
}

fn row<'a>(news: &[&'a Notice], current: Option<&'a Current>) -> Option<Row<'a>> {
    let changes = news.iter().map(|notice| changes(&notice.news)).sum();
    let outage = outage(news, current);
    let last = |which: fn(&News) -> bool| {
        let of_kind = |notice: &&&Notice| which(&notice.news);
        news.iter().rev().find(of_kind).copied()
    };
    let of_outage = |news: &News| {
        let is_down = matches!(
            news,
            News::Down { .. } | News::StillDown { .. } | News::Escalated { .. }
        );
        is_down || matches!(news, News::Up { .. })
    };
    let flapping = last(|news| matches!(news, News::Flapping { .. }));
    let flapping = flapping.filter(|_| current.is_none_or(|current| current.flapping));
    let is_down = match current {
        Some(current) if current.is_known => current.is_down,
        Some(_) | None => outage.is_some_and(|outage| outage.closed_at.is_none()),
    };
    let (state, notice) = match (flapping, last(of_outage)) {
        (Some(flapping), _) => (State::Flapping, flapping),
        (None, Some(newest)) if is_down => {
            let state = match newest.news {
                News::StillDown { .. } => State::StillDown,
                News::Escalated { .. } => State::Escalated,
                _ => State::Down,
            };
            (state, newest)
        }
        (None, Some(newest)) => {
            let first = news.iter().find(|notice| of_outage(&notice.news));
            let was_known = first.is_some_and(|first| matches!(first.news, News::Up { .. }));
            (if was_known { State::Up } else { State::WasDown }, newest)
        }
        (None, None) => {
            let newest = news.last().copied()?;
            let state = if is_down {
                State::Down
            } else {
                other(&newest.news)
            };
            (state, newest)
        }
    };
    Some(Row {
        state,
        notice,
        current,
        outage,
        changes,
    })
}

/// The newest outage of these news. It is over if the digest says so, or if the monitor is up now.
fn outage<'a>(news: &[&'a Notice], current: Option<&Current>) -> Option<Outage<'a>> {
    let mut newest: Option<Outage> = None;
    for notice in news {
        match &notice.news {
            News::Down {
                incident, cause, ..
            }
            | News::StillDown {
                incident, cause, ..
            }
            | News::Escalated {
                incident, cause, ..
            } => {
                newest = Some(Outage {
                    incident: *incident,
                    cause,
                    closed_at: None,
                });
            }
            News::Up {
                incident,
                cause,
                closed_at,
                ..
            } => {
                newest = Some(Outage {
                    incident: *incident,
                    cause,
                    closed_at: Some(*closed_at),
                });
            }
            News::Degraded { .. }
            | News::CertificateExpiring { .. }
            | News::Flapping { .. }
            | News::RedirectChanged { .. }
            | News::Blind { .. }
            | News::Trouble { .. }
            | News::Back { .. }
            | News::Burn { .. }
            | News::Report { .. }
            | News::Test => {}
        }
    }
    if let Some(outage) = &mut newest
        && let Some(current) = current
        && current.is_known
        && !current.is_down
    {
        outage.closed_at.get_or_insert(current.since);
    }
    newest
}

const fn changes(news: &News) -> u32 {
    match news {
        News::Down { .. } | News::Up { .. } => 1,
        News::Flapping { changes, .. } => *changes,
        News::StillDown { .. }
        | News::Escalated { .. }
        | News::Degraded { .. }
        | News::CertificateExpiring { .. }
        | News::RedirectChanged { .. }
        | News::Blind { .. }
        | News::Trouble { .. }
        | News::Back { .. }
        | News::Burn { .. }
        | News::Report { .. }
        | News::Test => 0,
    }
}

const fn other(news: &News) -> State {
    match news {
        News::Degraded { .. } | News::CertificateExpiring { .. } => State::Degraded,
        News::Flapping { .. } => State::Flapping,
        News::RedirectChanged { .. } => State::RedirectChanged,
        News::Trouble { .. } => State::Trouble,
        News::Back { .. } => State::Back,
        News::Blind { .. } => State::Blind,
        News::Burn { .. } => State::Burn,
        News::Report { .. } => State::Report,
        News::Down { .. }
        | News::StillDown { .. }
        | News::Escalated { .. }
        | News::Up { .. }
        | News::Test => State::Other,
    }
}

/// Whether it is down now, of a FLAPPING: by its state, else by its newest check.
pub(super) fn flaps_down(news: &News, current: Option<&Current>) -> bool {
    match (current, news) {
        (Some(current), _) if current.is_known => current.is_down,
        (_, News::Flapping { check, .. }) => !check.verdict.is_good(),
        _ => false,
    }
}

impl Row<'_> {
    /// From when to when the outage lasted, where it is over.
    pub(super) fn lasted(&self, beginnings: &Beginnings) -> Option<(Timestamp, Timestamp)> {
        let outage = self.outage?;
        Some((beginnings.of(outage.incident), outage.closed_at?))
    }

    /// Whether the state is that of the outage which is told, and not of another one since.
    pub(super) fn is_told(&self) -> bool {
        self.outage.is_some_and(|outage| outage.closed_at.is_none())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::domain::check::{Chain, Check, Failure, FailureKind, Timings, Verdict};
    use crate::domain::monitor::MonitorName;
    use crate::domain::notification::About;

    /// `down1 up1 down2`, what is known of it now, and the row: its state and changes.
    #[track_caller]
    fn check(news: &str, now: Option<&str>, want: &str) {
        let monitor = MonitorId(7);
        let at = |second: i64| Timestamp::from_ms(1_795_377_600_000 + second * 1000);
        let cause = Cause {
            failure: Failure {
                kind: FailureKind::Status,
                detail: "503".into(),
            },
            status: Some(503),
        };
        let check = || {
            Box::new(Check {
                at: at(0),
                verdict: Verdict::Up,
                status: None,
                chain: Arc::new(Chain {
                    redirects: Vec::new(),
                    final_url: "http://shop.example.com/".into(),
                    remote_addr: None,
                }),
                redirect_times: Box::default(),
                timings: Timings::default(),
                http_version: None,
                body_bytes: 0,
                retry_after_s: None,
                certificate: None,
                excerpt: None,
                remarks: Box::default(),
                extras: None,
            })
        };
        let notices: Vec<Notice> = news
            .split_whitespace()
            .map(|word| {
                let (kind, number) = word.split_at(word.len() - 1);
                let incident = IncidentKey {
                    monitor,
                    opened_at: at(number.parse::<i64>().unwrap() * 60),
                };
                let cause = cause.clone();
                let news = match kind {
                    "down" => News::Down {
                        incident,
                        cause,
                        up_since: None,
                        check: check(),
                        checks_failed: 3,
                        last_good: None,
                        held: None,
                        locations: Vec::new(),
                    },
                    "still" => News::StillDown {
                        incident,
                        cause,
                        check: check(),
                        checks_failed: 3,
                        next: None,
                    },
                    "up" => News::Up {
                        incident,
                        cause,
                        closed_at: incident.opened_at.plus(std::time::Duration::from_secs(30)),
                        check: check(),
                        checks_failed: 3,
                        flapping_since: None,
                    },
                    other => panic!("{other}"),
                };
                Notice {
                    about: Some(About {
                        monitor,
                        name: MonitorName::parse("shop").unwrap(),
                        url: String::new(),
                    }),
                    news,
                    decided_at: at(0),
                }
            })
            .collect();
        let current = now.map(|word| Current {
            is_known: word != "unknown",
            is_down: word == "down",
            since: at(600),
            flapping: false,
            cause: None,
        });
        let currents: Currents = current
            .map(|current| BTreeMap::from([(monitor, current)]))
            .unwrap_or_default();
        let rows = rows(&notices, &currents);
        let shown: Vec<String> = rows
            .iter()
            .map(|row| {
                let lasted = row.lasted(&Beginnings::default());
                let lasted = lasted.map_or_else(String::new, |it| {
                    format!(" {}s", it.1.since(it.0).as_secs())
                });
                format!("{:?} {}{lasted}", row.state, row.changes)
            })
            .collect();
        assert_eq!(shown.join(", "), want, "{news} {now:?}");
    }

    #[test]
    fn one_row_says_what_it_is_now() {
        check("down1", None, "Down 1");
        check("down1", Some("unknown"), "Down 1");
        check("down1", Some("down"), "Down 1");
        check("still1", Some("down"), "StillDown 0");
        // It is over, though its UP is not in the digest.
        check("down1", Some("up"), "WasDown 1 540s");
        check("down1 up1", None, "WasDown 2 30s");
        check("down1 up1 down2 up2", Some("up"), "WasDown 4 30s");
        // Who knew that it was down is told that it is up; and the other way round.
        check("up1", Some("up"), "Up 1 30s");
        check("up1 down2 up2", Some("up"), "Up 3 30s");
        check("up1 down2", Some("down"), "Down 2");
        check("up1", Some("down"), "Down 1 30s");
    }
}
