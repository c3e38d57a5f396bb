//! Is the site down, or are we offline? What a failed check is worth, given what else was reached.
//!
//! Three things turn a failure into `unknown`: the clocks parted while it ran; the daemon just
//! started (or woke up, or got another time) and has reached nobody since; every canary fails too.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::domain::check::Check;
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::notification::Stopped;
use crate::domain::timestamp::Timestamp;

/// Wall and monotonic time may part by this much within one check: leap smear and slewing stay far below.
const CLOCKS_MAY_PART: Duration = Duration::from_secs(2);

/// After a start, a suspend or a clock step, failures that may be ours are doubted for this long at most.
const GUARD: Duration = Duration::from_secs(120);

/// A mail server alone is a weak witness: it counts only when nobody else was reached for this long.
const NOBODY_REACHED_FOR: Duration = Duration::from_secs(120);

/// A blind mail names this many monitors.
const NAMES_MAX: usize = 20;

/// By how much the wall clock went another way than the monotonic one, if that is too much:
/// positive when it is ahead (set forward, or the machine slept), negative when it was set back.
pub fn parted(wall_from: Timestamp, wall_to: Timestamp, monotonic: Duration) -> Option<i64> {
    let wall_ms = wall_to.as_ms().saturating_sub(wall_from.as_ms());
    let monotonic_ms = i64::try_from(monotonic.as_millis()).unwrap_or(i64::MAX);
    let apart_ms = wall_ms.saturating_sub(monotonic_ms);
    (u128::from(apart_ms.unsigned_abs()) > CLOCKS_MAY_PART.as_millis()).then_some(apart_ms)
}

/// What the canaries said when they were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// There are none to ask.
    None,
    /// One of them answered: the line is fine.
    Sings,
    /// All of the configured URLs failed.
    Silent,
    /// The mail server, the only canary, failed.
    MailServerSilent,
}

/// What the word of the canaries means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The check is `unknown`.
    pub offline: bool,
    /// A blind time began with it.
    pub began: bool,
    /// When the blind time began, where that is news: it began now, or earlier than was known.
    pub blind_from: Option<Timestamp>,
    /// The blind time that is over, where one is.
    pub over: Option<BlindTime>,
}

/// What a check is worth before the canaries are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It stands as it is.
    Stands,
    /// It may be our own line: ask the canaries, then [`Line::heard`].
    AskCanaries,
    /// It says nothing about the site; why.
    Unknown(&'static str),
}

/// A time during which we could not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindTime {
    /// The start of the first check that the canaries excused.
    pub from: Timestamp,
    /// When somebody was reached again.
    pub to: Timestamp,
    /// How many monitors were not verified.
    pub monitors: u32,
    /// The first of them by name; at most 20.
    pub names: Vec<MonitorName>,
    /// Whether sitewatch itself did not run for a part of it.
    pub stopped: Option<Stopped>,
}

/// A blind time that was not over when another process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The start of the first check that the canaries excused.
    pub from: Timestamp,
    /// When nobody looked.
    pub stopped: Stopped,
    /// Who was not verified until then.
    pub unverified: Vec<(MonitorId, MonitorName)>,
}

/// What we know of our own line.
#[derive(Debug, Clone)]
pub struct Line {
    guard_until: Option<Timestamp>,
    /// When a host other than this machine was last reached.
    reached_at: Option<Timestamp>,
    /// When a site on this machine was.
    reached_here_at: Option<Timestamp>,
    blind: Option<Blind>,
}

#[derive(Debug, Clone)]
struct Blind {
    from: Timestamp,
    unverified: BTreeMap<MonitorId, MonitorName>,
    stopped: Option<Stopped>,
}

impl Line {
    /// At the daemon's start: nothing is known but whether we were blind at the end of the last one, the guard is up.
    pub fn new(now: Timestamp, unfinished: Option<Unfinished>) -> Self {
        Self {
            guard_until: Some(now.plus(GUARD)),
            reached_at: None,
            reached_here_at: None,
            blind: unfinished.map(|unfinished| Blind {
                from: unfinished.from,
                unverified: unfinished.unverified.into_iter().collect(),
                stopped: Some(unfinished.stopped),
            }),
        }
    }

    /// The machine slept, or the clock was set by so many milliseconds: what was known is stale, and a blind time is
    /// as long as it was.
    pub fn jumped(&mut self, by_ms: i64, now: Timestamp) {
        if let Some(blind) = &mut self.blind {
            let moved = Timestamp::from_ms(blind.from.as_ms().saturating_add(by_ms));
            blind.from = moved.min(now);
        }
        self.guard_until = Some(now.plus(GUARD));
        self.reached_at = None;
        self.reached_here_at = None;
    }

    /// Whether we know that we cannot see.
    pub const fn is_blind(&self) -> bool {
        self.blind.is_some()
    }

    /// Since when we cannot see, while we know that.
    pub fn blind_from(&self) -> Option<Timestamp> {
        self.blind.as_ref().map(|blind| blind.from)
    }

    /// What this check is worth as it is.
    pub fn worth(&self, check: &Check, now: Timestamp) -> Worth {
        let Some(kind) = check.verdict.failure().map(|failure| failure.kind) else {
            return Worth::Stands;
        };
        let on_guard = self.guard_until.is_some_and(|until| now < until);
        if kind.is_network_class() {
            if on_guard {
                Worth::Unknown("nothing was reached yet since the start or a clock change")
            } else {
                Worth::AskCanaries
            }
        } else if on_guard && kind.is_about_dates() {
            Worth::Unknown(
                "the clock is not trusted yet: nothing was reached since the start or a clock change",
            )
        } else {
            Worth::Stands
        }
    }

    /// A check of a host that answered: the guard is down. The end of a blind time is told once.
    pub fn reached(&mut self, by: Option<SocketAddr>, now: Timestamp) -> Option<BlindTime> {
        self.guard_until = None;
        if by.is_some_and(|address| address.ip().to_canonical().is_loopback()) {
            // This machine answers itself also when its line is cut.
            self.reached_here_at = Some(now);
            return None;
        }
        self.reached_at = Some(now);
        self.sees_again(now)
    }

    /// What the canaries said about a check that began at `at`, and what that changes. `here`: of a site on this
    /// machine, which no line lies before.
    pub fn heard(
        &mut self,
        canary: Canary,
        here: bool,
        monitor: MonitorId,
        name: &MonitorName,
        at: Timestamp,
        now: Timestamp,
    ) -> Heard {
        let was_blind_from = self.blind_from();
        let offline = match canary {
            Canary::None | Canary::Sings => false,
            Canary::Silent => true,
            Canary::MailServerSilent => self
                .reached_at
                .max(self.reached_here_at.filter(|_| here))
                .is_none_or(|reached| now.since(reached) >= NOBODY_REACHED_FOR),
        };
        if offline {
            let blind = self.blind.get_or_insert_with(|| Blind {
                from: at,
                unverified: BTreeMap::new(),
                stopped: None,
            });
            blind.confirm();
            blind.from = blind.from.min(at);
            blind
                .unverified
                .entry(monitor)
                .or_insert_with(|| name.clone());
        }
        let over = match canary {
            Canary::Sings => self.sees_again(now),
            Canary::None | Canary::Silent | Canary::MailServerSilent => None,
        };
        Heard {
            offline,
            began: offline && was_blind_from.is_none(),
            blind_from: self
                .blind_from()
                .filter(|from| Some(*from) != was_blind_from),
            over,
        }
    }

    /// The canaries were asked again without a failed check, and are silent: the blind time goes on.
    pub fn still_blind(&mut self) {
        if let Some(blind) = &mut self.blind {
            blind.confirm();
        }
    }

    /// A canary answered, or a host was reached: a blind time is over.
    pub fn sees_again(&mut self, now: Timestamp) -> Option<BlindTime> {
        let blind = self.blind.take()?;
        let mut names: Vec<MonitorName> = blind.unverified.into_values().collect();
        names.sort_unstable();
        let monitors = u32::try_from(names.len()).unwrap_or(u32::MAX);
        names.truncate(NAMES_MAX);
        Some(BlindTime {
            from: blind.from,
            to: now.max(blind.from),
            monitors,
            names,
            stopped: blind.stopped,
        })
    }
}

impl Blind {
    /// A canary was silent in this process too.
    const fn confirm(&mut self) {
        if let Some(stopped) = &mut self.stopped {
            stopped.blind_after = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::check::{Failure, FailureKind, Timings, Verdict};

    const SITE: MonitorId = MonitorId(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1000)
    }

    fn name(text: &str) -> MonitorName {
        MonitorName::parse(text).unwrap()
    }

    fn check(kind: Option<FailureKind>) -> Check {
        Check {
            at: at(0),
            verdict: kind.map_or(Verdict::Up, |kind| {
                Verdict::Down(Failure {
                    kind,
                    detail: "x".into(),
                })
            }),
            status: None,
            chain: Arc::default(),
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

    fn away() -> Option<SocketAddr> {
        Some("192.0.2.1:443".parse().unwrap())
    }

    fn here() -> Option<SocketAddr> {
        Some("127.0.0.1:80".parse().unwrap())
    }

    #[test]
    fn clocks_part_after_two_seconds() {
        let second = Duration::from_secs(1);
        assert_eq!(parted(at(10), at(11), second), None);
        assert_eq!(parted(at(10), at(13), second), None);
        assert_eq!(parted(at(10), at(14), second), Some(3000));
        assert_eq!(parted(at(10), at(5), second), Some(-6000));
    }

    #[test]
    fn the_guard_doubts_what_may_be_ours() {
        use FailureKind::{ConnectRefused, ConnectTimeout, Status, TlsExpired};
        let line = Line::new(at(0), None);
        let worth = |kind, now| line.worth(&check(kind), now);
        assert_eq!(worth(None, at(1)), Worth::Stands);
        assert_eq!(worth(Some(ConnectRefused), at(1)), Worth::Stands);
        assert_eq!(worth(Some(Status), at(1)), Worth::Stands);
        assert!(matches!(
            worth(Some(ConnectTimeout), at(1)),
            Worth::Unknown(_)
        ));
        assert!(matches!(
            worth(Some(TlsExpired), at(119)),
            Worth::Unknown(_)
        ));
        assert_eq!(worth(Some(TlsExpired), at(120)), Worth::Stands);
        assert_eq!(worth(Some(ConnectTimeout), at(120)), Worth::AskCanaries);
    }

    #[test]
    fn one_answer_ends_the_guard_and_a_jump_raises_it_again() {
        let failed = check(Some(FailureKind::DnsTimeout));
        let mut line = Line::new(at(0), None);
        assert_eq!(line.reached(here(), at(5)), None);
        assert_eq!(line.worth(&failed, at(6)), Worth::AskCanaries);
        line.jumped(0, at(100));
        assert!(matches!(line.worth(&failed, at(101)), Worth::Unknown(_)));
    }

    #[test]
    fn silent_canaries_make_one_blind_time() {
        let mut line = Line::new(at(0), None);
        assert!(
            line.heard(Canary::Silent, false, SITE, &name("b"), at(10), at(12))
                .offline
        );
        assert!(
            line.heard(
                Canary::Silent,
                false,
                MonitorId(2),
                &name("a"),
                at(9),
                at(13)
            )
            .offline
        );
        assert!(
            line.heard(Canary::Silent, false, SITE, &name("b"), at(70), at(72))
                .offline
        );
        assert!(line.is_blind());
        // The machine's own web server proves nothing about the line.
        assert_eq!(line.reached(here(), at(80)), None);
        assert_eq!(
            line.reached(away(), at(90)),
            Some(BlindTime {
                from: at(9),
                to: at(90),
                monitors: 2,
                names: vec![name("a"), name("b")],
                stopped: None,
            })
        );
        assert_eq!(line.sees_again(at(91)), None);
    }

    #[test]
    fn a_blind_time_goes_on_over_a_restart() {
        let stopped = Stopped {
            from: at(60),
            to: at(300),
            times: 1,
            blind_after: false,
        };
        let unfinished = || {
            Some(Unfinished {
                from: at(10),
                stopped,
                unverified: vec![(SITE, name("b"))],
            })
        };
        let mut line = Line::new(at(300), unfinished());
        assert!(line.is_blind());
        // It may have ended while nobody looked.
        let over = line.sees_again(at(301)).unwrap();
        assert_eq!((over.from, over.to), (at(10), at(301)));
        assert_eq!((over.monitors, over.stopped), (1, Some(stopped)));
        assert_eq!(line.sees_again(at(302)), None);
        // It did not: a canary was silent afterwards.
        let mut line = Line::new(at(300), unfinished());
        let heard = line.heard(
            Canary::Silent,
            false,
            MonitorId(2),
            &name("a"),
            at(420),
            at(421),
        );
        assert!(heard.offline && !heard.began && heard.blind_from.is_none());
        let over = line.sees_again(at(500)).unwrap();
        assert_eq!(over.names, [name("a"), name("b")]);
        assert!(over.stopped.unwrap().blind_after);
        let mut line = Line::new(at(300), unfinished());
        line.still_blind();
        assert!(
            line.sees_again(at(500))
                .unwrap()
                .stopped
                .unwrap()
                .blind_after
        );
    }

    #[test]
    fn the_beginning_is_told_and_told_again_when_it_was_earlier() {
        let mut line = Line::new(at(0), None);
        let mut blind_from = |began: i64, now: i64| {
            line.heard(Canary::Silent, false, SITE, &name("a"), at(began), at(now))
                .blind_from
        };
        assert_eq!(blind_from(10, 12), Some(at(10)));
        assert_eq!(blind_from(11, 13), None);
        assert_eq!(blind_from(9, 14), Some(at(9)));
    }

    #[test]
    fn a_canary_that_answers_ends_a_blind_time_at_once() {
        let mut line = Line::new(at(0), None);
        let silent = line.heard(Canary::Silent, false, SITE, &name("a"), at(10), at(12));
        assert!(silent.offline && silent.began);
        assert!(
            !line
                .heard(Canary::Silent, false, SITE, &name("a"), at(20), at(22))
                .began
        );
        let sings = line.heard(Canary::Sings, false, SITE, &name("a"), at(30), at(31));
        assert!(!sings.offline);
        let over = sings.over.unwrap();
        assert_eq!((over.from, over.to), (at(10), at(31)));
        assert!(!line.is_blind());
    }

    #[test]
    fn a_mail_server_alone_is_a_weak_witness() {
        let silent = Canary::MailServerSilent;
        let mut line = Line::new(at(0), None);
        line.reached(away(), at(0));
        assert!(
            !line
                .heard(silent, false, SITE, &name("a"), at(110), at(119))
                .offline
        );
        assert!(
            line.heard(silent, false, SITE, &name("a"), at(115), at(120))
                .offline
        );
        // A site on this machine bears witness for others on it, and for nobody else.
        let mut line = Line::new(at(0), None);
        line.reached(here(), at(100));
        assert!(
            !line
                .heard(silent, true, SITE, &name("a"), at(110), at(112))
                .offline
        );
        assert!(
            line.heard(silent, true, SITE, &name("a"), at(215), at(220))
                .offline
        );
        let mut line = Line::new(at(0), None);
        line.reached(here(), at(100));
        assert!(
            line.heard(silent, false, SITE, &name("a"), at(110), at(112))
                .offline
        );
        let mut line = Line::new(at(0), None);
        assert!(
            line.heard(silent, false, SITE, &name("a"), at(1), at(2))
                .offline
        );
        assert!(
            !line
                .heard(Canary::Sings, false, SITE, &name("a"), at(3), at(4))
                .offline
        );
        assert!(
            !line
                .heard(Canary::None, false, SITE, &name("a"), at(3), at(4))
                .offline
        );
    }
}
