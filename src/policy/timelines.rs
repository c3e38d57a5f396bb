//! The alert machine, told as timelines: what happens, and all that follows from it.
//!
//! A line begins with settings up to `;`, then come the events, by default one check at each moment at
//! which the machine or the grid wants one:
//!
//! - `U` up, `D` down (503), `D404` another status, `R` connection refused, `S` slow, `X` unknown,
//!   `C20` up with a certificate that ends in 20 days (of 90), `A`, `B` ... `F` up over that chain;
//!   `D*5` the same five times;
//! - `.` a slot without a check, `+10m` time without checks;
//! - `pause`, `resume`, `mute=1h`, `unmute`, `ack`, `ack=1h`, `gone`, `moved` (another URL);
//! - `window(`, `)window`, `offline(`, `)offline`;
//! - `parent=up`, `parent=failing`, `parent=stale` (not checked since), `parent=recovered`;
//! - `shown` writes down what is shown.
//!
//! Each line is run a second time with a restart after every event, and must come out the same.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::monitor::{
    Effect, Ending, Event, Memory, Order, Recipients, Step, Surroundings, step, wake_at,
};
use super::parents::Parent;
use crate::domain::address::Address;
use crate::domain::check::{
    Certificate, Chain, Check, Failure, FailureKind, Micros, Redirect, Timings, Verdict,
};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::{MonitorId, Rules};
use crate::domain::notice::News;
use crate::domain::settings::{AlertSettings, Flapping};
use crate::domain::span::{self, Human};
use crate::domain::timestamp::Timestamp;

const START: Timestamp = Timestamp::from_ms(1_795_377_600_000);

#[derive(Clone)]
struct Scene {
    rules: Rules,
    alerts: AlertSettings,
    maintenance: bool,
    offline: bool,
    parents: Vec<Parent>,
    parent_is_stale: bool,
    memory: Memory,
    checks: Vec<Arc<Check>>,
    now: Timestamp,
    next_at: Timestamp,
    again: Option<Timestamp>,
    restarts: bool,
    told: BTreeSet<IncidentKey>,
    open: Option<IncidentKey>,
    lines: Vec<String>,
}

impl Scene {
    fn new(settings: &str) -> Self {
        let span = |text: &str| span::parse(text).unwrap();
        let mut scene = Self {
            rules: Rules {
                interval: span("60s"),
                timeout: span("10s"),
                failures_before_down: 3,
                successes_before_up: 2,
                retry_interval: span("10s"),
                alert_on_slow: false,
                alert_on_redirect_change: false,
                to: vec![Address::parse("ops@example.com").unwrap()],
            },
            alerts: AlertSettings {
                group_wait: span("10s"),
                group_limit: 3,
                group_interval: span("5m"),
                reminder: None,
                recovery: true,
                flapping: Flapping {
                    changes: NonZeroU32::new(6).unwrap(),
                    within: span("2h"),
                },
                certificate_expiry: vec![span("21d"), span("7d"), span("1d")],
            },
            maintenance: false,
            offline: false,
            parents: Vec::new(),
            parent_is_stale: false,
            memory: Memory::default(),
            checks: Vec::new(),
            now: START,
            next_at: START,
            again: None,
            restarts: false,
            told: BTreeSet::new(),
            open: None,
            lines: Vec::new(),
        };
        for setting in settings.split_whitespace() {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            match key {
                "confirm" => scene.rules.failures_before_down = value.parse().unwrap(),
                "recover" => scene.rules.successes_before_up = value.parse().unwrap(),
                "interval" => scene.rules.interval = span(value),
                "retry" => scene.rules.retry_interval = span(value),
                "reminder" => scene.alerts.reminder = Some(span(value)),
                "no-recovery" => scene.alerts.recovery = false,
                "slow" => scene.rules.alert_on_slow = true,
                "drift" => scene.rules.alert_on_redirect_change = true,
                "flapping" => {
                    let (changes, within) = value.split_once('/').unwrap();
                    scene.alerts.flapping = Flapping {
                        changes: changes.parse().unwrap(),
                        within: span(within),
                    };
                }
                other => panic!("unknown setting {other}"),
            }
        }
        scene
    }

    fn happen(&mut self, event: Event<'_>) {
        if self.restarts {
            self.restart();
        }
        let around = Surroundings {
            monitor: MonitorId(7),
            alerts: &self.alerts,
            maintenance: self.maintenance,
            parents: &self.parents,
            offline: self.offline,
        };
        let Step {
            after,
            effects,
            refusal,
        } = step(&self.rules, &around, &self.memory, event, self.now);
        self.memory = after;
        if let Some(refusal) = refusal {
            self.write(format!("refused: {refusal}"));
        }
        for effect in effects {
            self.follow(effect);
        }
    }

    fn restart(&mut self) {
        let json = serde_json::to_string(&self.memory.kept).unwrap();
        let kept = serde_json::from_str(&json).unwrap();
        assert_eq!(self.memory.kept, kept, "the kept part survives its JSON");
        let newest: Vec<_> = self.checks.iter().rev().take(20).map(Arc::clone).collect();
        let bad = self.checks.iter().rev();
        let bad = bad.clone().find(|c| matches!(c.verdict, Verdict::Down(_)));
        let before = self.open.map_or(Timestamp::MAX, |key| key.opened_at);
        let good = self.checks.iter().rev();
        let good = good.clone().find(|c| c.verdict.is_good() && c.at < before);
        let (good, bad) = (good.map(Arc::clone), bad.map(Arc::clone));
        self.memory = Memory::restored(kept, &newest, good, bad);
    }

    fn follow(&mut self, effect: Effect) {
        let line = match effect {
            Effect::Open(incident) => {
                assert_eq!(self.open, None, "one incident at a time");
                self.open = Some(incident.key);
                format!("opened {}", clock(incident.key.opened_at))
            }
            Effect::Progress(incident) => {
                assert_eq!(self.open, Some(incident.key), "progress of the open one");
                return;
            }
            Effect::Close { incident, ending } => {
                assert_eq!(self.open.take(), Some(incident.key), "a close has its open");
                let ending = match ending {
                    Ending::Recovered => "",
                    Ending::Paused => ", paused",
                    Ending::Removed => ", removed",
                };
                let failed = incident.checks_failed;
                let window = if incident.maintenance {
                    ", maintenance"
                } else {
                    ""
                };
                let at = clock(incident.closed_at.unwrap());
                format!("closed {at}, {failed} failed{window}{ending}")
            }
            Effect::Say { news, to } => self.say(&news, &to),
            Effect::DropWaiting(_) => "waiting mails dropped".to_owned(),
            Effect::CheckParents if self.parents.is_empty() => return,
            Effect::CheckParents => "parents due".to_owned(),
            Effect::CheckAgain { after } => {
                self.again = Some(self.now.plus(after));
                return;
            }
        };
        self.write(line);
    }

    fn say(&mut self, news: &News, to: &Recipients) -> String {
        match to {
            Recipients::Configured => {
                assert!(!self.maintenance, "no mail inside a window: {news:?}");
                self.told.extend(news.incident());
            }
            Recipients::Told(of) => {
                assert!(
                    of.iter().any(|key| self.told.contains(key)),
                    "never UP without DOWN"
                );
            }
        }
        match news {
            News::Down {
                cause,
                checks_failed,
                held,
                last_good,
                ..
            } => {
                let held = held.as_ref().map(|held| format!(", held by {held}"));
                let good = last_good
                    .as_ref()
                    .map(|good| format!(", good {}", clock(good.at)));
                format!(
                    "mail DOWN {}, {checks_failed} failed{}{}",
                    word(cause.failure.kind, cause.status),
                    good.unwrap_or_default(),
                    held.unwrap_or_default()
                )
            }
            News::StillDown { incident, next, .. } => {
                let next = next.map(|next| format!(", next {}", clock(next)));
                let since = Human(self.now.since(incident.opened_at));
                format!("mail STILL DOWN {since}{}", next.unwrap_or_default())
            }
            News::Up {
                incident,
                closed_at,
                ..
            } => format!(
                "mail UP after {}",
                Human(closed_at.since(incident.opened_at))
            ),
            News::Degraded {
                since,
                count,
                reason,
                ..
            } => format!("mail DEGRADED {reason} {count} since {}", clock(*since)),
            News::CertificateExpiring { step, .. } => {
                format!("mail DEGRADED certificate_expiring {}", Human(*step))
            }
            News::Flapping { changes, .. } => format!("mail FLAPPING {changes}"),
            News::RedirectChanged { before, check } => format!(
                "mail REDIRECT CHANGED {} to {}",
                before.final_url, check.chain.final_url
            ),
            News::Blind { .. } | News::Trouble { .. } | News::Report { .. } | News::Test => {
                panic!("not of one monitor: {news:?}")
            }
        }
    }

    fn write(&mut self, line: String) {
        self.lines.push(format!("{} {line}", clock(self.now)));
    }

    /// Lets time pass until `until`, ticking where the machine wants to be woken.
    fn pass(&mut self, until: Timestamp) {
        loop {
            let around = Surroundings {
                monitor: MonitorId(7),
                alerts: &self.alerts,
                maintenance: self.maintenance,
                parents: &self.parents,
                offline: self.offline,
            };
            match wake_at(&self.rules, &around, &self.memory, self.now) {
                Some(at) if at <= until => {
                    assert!(at > self.now, "time goes on");
                    self.now = at;
                    self.happen(Event::Tick);
                }
                Some(_) | None => break,
            }
        }
        self.now = until;
    }

    fn check(&mut self, verdict: Verdict, change: impl FnOnce(&mut Check)) {
        let at = self.again.take().unwrap_or(self.next_at).max(self.now);
        self.pass(at);
        if self.parent_is_stale {
            // What the recorder does when it makes parents due is not of this machine.
        } else {
            for parent in &mut self.parents {
                parent.known_at = Some(at);
            }
        }
        let status = match &verdict {
            Verdict::Up | Verdict::Degraded(_) => Some(200),
            Verdict::Down(failure) if failure.kind == FailureKind::Status => Some(503),
            Verdict::Down(_) | Verdict::Unknown(_) => None,
        };
        let mut check = Check {
            at,
            verdict,
            status,
            chain: Arc::new(Chain {
                final_url: "https://example.com/".into(),
                ..Chain::default()
            }),
            redirect_times: Vec::new(),
            timings: Timings {
                total: Micros(1),
                ..Timings::default()
            },
            http_version: None,
            body_bytes: 0,
            retry_after_s: None,
            certificate: None,
            excerpt: None,
            remarks: Vec::new(),
        };
        change(&mut check);
        let check = Arc::new(check);
        self.happen(Event::Checked(&check));
        self.checks.push(check);
        let interval = self.rules.interval;
        while self.next_at <= self.now {
            self.next_at = self.next_at.plus(interval);
        }
    }

    fn token(&mut self, token: &str) {
        let (word, value) = token.split_once('=').unwrap_or((token, ""));
        let until = |now: Timestamp| now.plus(span::parse(value).unwrap());
        match word {
            "." => self.next_at = self.next_at.plus(self.rules.interval),
            "pause" => self.happen(Event::Order(&Order::Pause)),
            "resume" => self.happen(Event::Order(&Order::Resume)),
            "unmute" => self.happen(Event::Order(&Order::Unmute)),
            "mute" => {
                let until = until(self.now);
                self.happen(Event::Order(&Order::Mute { until }));
            }
            "ack" => {
                let until = (!value.is_empty()).then(|| until(self.now));
                self.happen(Event::Order(&Order::Ack { until }));
            }
            "gone" => self.happen(Event::Removed),
            "moved" => self.happen(Event::Reconfigured { url_changed: true }),
            "window(" | ")window" => {
                self.maintenance = word == "window(";
                self.happen(Event::Tick);
            }
            "offline(" | ")offline" => {
                self.offline = word == "offline(";
                self.happen(Event::Tick);
            }
            "parent" => {
                self.parents = vec![Parent {
                    failing: value == "failing",
                    known_at: (value != "stale").then_some(self.now),
                }];
                self.parent_is_stale = value == "stale";
                let event = match value {
                    "recovered" => Event::ParentRecovered,
                    _ => Event::Tick,
                };
                self.happen(event);
            }
            "shown" => {
                let shown = self.memory.kept.shown;
                let mut line = format!("{} since {}", shown.state, clock(shown.since));
                if let Some(reason) = shown.reason {
                    line.push_str(&format!(" ({reason})"));
                }
                for word in shown.flags.words() {
                    line.push_str(&format!(" +{word}"));
                }
                self.write(line);
            }
            _ => match token.strip_prefix('+') {
                Some(span) => {
                    let until = self.now.plus(span::parse(span).unwrap());
                    self.pass(until);
                    self.again = None;
                    while self.next_at < self.now {
                        self.next_at = self.next_at.plus(self.rules.interval);
                    }
                }
                None => self.checks_of(token),
            },
        }
    }

    fn checks_of(&mut self, token: &str) {
        let (token, times) = token.split_once('*').unwrap_or((token, "1"));
        let failure = |kind| Failure {
            kind,
            detail: "why".into(),
        };
        let certain = |days: u64, now: Timestamp| Certificate {
            not_after: now.plus(Duration::from_secs(days * 86_400)),
            not_before: now
                .plus(Duration::from_secs(days * 86_400))
                .minus(Duration::from_secs(90 * 86_400)),
            subject: "CN=example.com".into(),
            issuer: "CN=Some CA".into(),
            fingerprint: 1,
        };
        for _ in 0..times.parse::<u32>().unwrap() {
            let (letter, rest) = token.split_at(1);
            let down = Verdict::Down(failure(FailureKind::Status));
            match letter {
                "U" => self.check(Verdict::Up, |_| {}),
                "D" if rest.is_empty() => self.check(down, |_| {}),
                "D" => match rest.split_once('/') {
                    Some((code, wait)) => self.check(down, |check| {
                        check.status = Some(code.parse().unwrap());
                        check.retry_after_s = Some(wait.parse().unwrap());
                    }),
                    None => self.check(down, |check| check.status = Some(rest.parse().unwrap())),
                },
                "R" => self.check(Verdict::Down(failure(FailureKind::ConnectRefused)), |_| {}),
                "S" => self.check(Verdict::Degraded(failure(FailureKind::Slow)), |_| {}),
                "X" => self.check(Verdict::Unknown(failure(FailureKind::Local)), |_| {}),
                "C" => {
                    let days = rest.trim_end_matches("new").parse().unwrap();
                    let mut certificate = certain(days, self.now);
                    certificate.fingerprint += u64::from(rest.ends_with("new"));
                    self.check(Verdict::Up, |check| {
                        check.certificate = Some(Arc::new(certificate));
                    });
                }
                "A" | "B" | "E" | "F" | "G" | "H" | "I" => self.check(Verdict::Up, |check| {
                    check.chain = Arc::new(Chain {
                        redirects: vec![Redirect {
                            url: format!("http://example.com/?n={}", check.at.as_ms()),
                            status: 301,
                            location: None,
                            remote_addr: None,
                        }],
                        final_url: format!("https://{letter}.example.com/{rest}"),
                        remote_addr: None,
                    });
                }),
                other => panic!("unknown event {other}"),
            }
        }
    }
}

fn clock(at: Timestamp) -> String {
    let seconds = at.since(START).as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

fn word(kind: FailureKind, status: Option<u16>) -> String {
    match (kind, status) {
        (FailureKind::Status, Some(status)) => status.to_string(),
        (kind, _) => kind.to_string(),
    }
}

fn run(timeline: &str, restarts: bool) -> String {
    let (settings, events) = timeline.split_once(';').unwrap_or(("", timeline));
    let mut scene = Scene::new(settings);
    scene.restarts = restarts;
    for token in events.split_whitespace() {
        scene.token(token);
    }
    scene.lines.join("\n")
}

/// What must come out, a line each, indented as it likes.
#[track_caller]
fn check(timeline: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    let expected = expected.join("\n").trim().to_owned();
    assert_eq!(run(timeline, false), expected, "{timeline}");
    assert_eq!(run(timeline, true), expected, "with restarts: {timeline}");
}

#[test]
fn a_failure_is_confirmed_and_so_is_a_recovery() {
    check("; U U U", "");
    check("; U D D U", "");
    check(
        "; U D D D D U U",
        "01:20 opened 01:00
         01:20 mail DOWN 503, 3 failed, good 00:00
         03:10 closed 03:00, 4 failed
         03:10 mail UP after 2m",
    );
}

#[test]
fn the_first_verdict_counts_too() {
    check(
        "confirm=2; shown D shown D shown",
        "00:00 pending since 00:00
         00:00 pending since 00:00
         00:10 opened 00:00
         00:10 mail DOWN 503, 2 failed
         00:10 down since 00:00 (status)",
    );
    check("; D U shown", "00:10 up since 00:10");
    check(
        "confirm=1; D",
        "00:00 opened 00:00\n00:00 mail DOWN 503, 1 failed",
    );
}

#[test]
fn what_is_confirmed_is_shown_as_before() {
    check(
        "; U D D shown D U shown U shown",
        "01:10 up since 00:00
         01:20 opened 01:00
         01:20 mail DOWN 503, 3 failed, good 00:00
         02:00 down since 01:00 (status)
         02:10 closed 02:00, 3 failed
         02:10 mail UP after 1m
         02:10 up since 02:00",
    );
}

#[test]
fn a_recovery_that_fails_is_none() {
    check(
        "confirm=1 recover=3; D U U D U S U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         02:20 closed 02:00, 2 failed
         02:20 mail UP after 2m",
    );
}

#[test]
fn the_cause_is_that_of_the_first_failed_check() {
    check(
        "confirm=2; R D404 D U U",
        "00:10 opened 00:00
         00:10 mail DOWN connect_refused, 2 failed
         02:10 closed 02:00, 3 failed
         02:10 mail UP after 2m",
    );
}

#[test]
fn unknown_neither_counts_nor_resets() {
    check(
        "; U D X D X D",
        "01:40 opened 01:00
         01:40 mail DOWN 503, 3 failed, good 00:00",
    );
    check(
        "; U X shown U shown X*3 D shown",
        "01:00 unknown since 01:00 (local)
         02:00 up since 02:00
         06:00 up since 06:00",
    );
    check(
        "confirm=1; D X shown U X U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         01:00 down since 00:00 (status)
         02:20 closed 02:00, 1 failed
         02:20 mail UP after 2m",
    );
}

#[test]
fn a_gap_resets_the_counting_but_never_down() {
    // Two intervals and a timeout are 130 s.
    check(
        "; U D D +1m D",
        "03:00 opened 01:00\n03:00 mail DOWN 503, 3 failed, good 00:00",
    );
    check("; U D D +130s D D", "");
    check(
        "; U D D +131s D D D",
        "04:20 opened 04:00
         04:20 mail DOWN 503, 3 failed, good 00:00",
    );
    check(
        "confirm=1; D U +10m U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         11:10 closed 11:00, 1 failed
         11:10 mail UP after 11m",
    );
    check(
        "confirm=1; D +1h D shown",
        "00:00 opened 00:00\n00:00 mail DOWN 503, 1 failed\n1:00:00 down since 00:00 (status)",
    );
}

#[test]
fn retry_after_of_a_429_stretches_the_wait() {
    check(
        "confirm=3; D429/25 D429/3600 D",
        "01:25 opened 00:00
         01:25 mail DOWN 429, 3 failed",
    );
    check(
        "confirm=2; D503/25 D",
        "00:10 opened 00:00\n00:10 mail DOWN 503, 2 failed",
    );
}

#[test]
fn slowness_is_degraded_and_mailed_where_wanted() {
    check(
        "; U S S S S shown U shown",
        "04:00 degraded since 01:00 (slow)\n05:00 up since 05:00",
    );
    check(
        "slow; U S S S S U S S S S U U S S S",
        "03:00 mail DEGRADED slow 3 since 01:00
         14:00 mail DEGRADED slow 3 since 12:00",
    );
    check("slow; U S S U S S D U S S U", "");
    // Slowness during an outage is not news; after it, it is.
    check(
        "slow confirm=2; D D S S S S",
        "00:10 opened 00:00
         00:10 mail DOWN 503, 2 failed
         01:10 closed 01:00, 2 failed
         01:10 mail UP after 1m
         02:00 mail DEGRADED slow 2 since 01:10",
    );
}

#[test]
fn five_of_twenty_without_an_incident_are_intermittent() {
    check(
        "; U D U D U D U D U shown D U shown U*18 shown U shown",
        "04:10 up since 00:00
         05:10 mail DEGRADED intermittent 5 since 05:10
         05:10 degraded since 05:10 (intermittent)
         23:00 degraded since 05:10 (intermittent)
         24:00 up since 24:00",
    );
    // Twenty checks later the first failures are forgotten.
    check("; U D U D U D U D U*17 D U", "");
    // An incident takes over, and after it counting starts anew.
    check(
        "; U D U D U D U D U D D D U U D U D U D U D U shown",
        "05:20 opened 05:00
         05:20 mail DOWN 503, 3 failed, good 04:10
         06:10 closed 06:00, 3 failed
         06:10 mail UP after 1m
         10:10 up since 06:00",
    );
}

#[test]
fn certificates_are_told_once_per_step() {
    check(
        "; C30 C21 C20 C8 C7 C7 C1 C1",
        "01:00 mail DEGRADED certificate_expiring 21d
         04:00 mail DEGRADED certificate_expiring 7d
         06:00 mail DEGRADED certificate_expiring 1d",
    );
    // Steps passed at once give one mail; a new certificate starts anew, the old one stays known.
    check(
        "; C5 C5new C5 C5new C60new C5",
        "00:00 mail DEGRADED certificate_expiring 7d
         01:00 mail DEGRADED certificate_expiring 7d",
    );
    check(
        "; window( C5 )window C5 C5",
        "01:00 mail DEGRADED certificate_expiring 7d",
    );
    check(
        "; C5 moved C5",
        "00:00 mail DEGRADED certificate_expiring 7d\n01:00 mail DEGRADED certificate_expiring 7d",
    );
}

#[test]
fn another_way_is_told_when_it_came_often_enough() {
    check("; A B B B", "");
    check(
        "drift; A A?x=1 A#y B B B B A A A",
        "05:00 mail REDIRECT CHANGED https://A.example.com/ to https://B.example.com/",
    );
    check("drift; A B B A B B A", "");
    // The last five known ones are no news, the sixth pushes the oldest out.
    check(
        "drift confirm=1; A B E F G A H A B",
        "01:00 mail REDIRECT CHANGED https://A.example.com/ to https://B.example.com/
         02:00 mail REDIRECT CHANGED https://B.example.com/ to https://E.example.com/
         03:00 mail REDIRECT CHANGED https://E.example.com/ to https://F.example.com/
         04:00 mail REDIRECT CHANGED https://F.example.com/ to https://G.example.com/
         06:00 mail REDIRECT CHANGED https://A.example.com/ to https://H.example.com/
         08:00 mail REDIRECT CHANGED https://A.example.com/ to https://B.example.com/",
    );
    check(
        "drift confirm=2; A window( B B B )window B",
        "04:00 mail REDIRECT CHANGED https://A.example.com/ to https://B.example.com/",
    );
    check("drift; A moved B B B B", "");
    check("drift confirm=3; A B B . . . B D B B", "");
}

#[test]
fn reminders_grow_rarer_and_rest_after_an_ack() {
    check(
        "confirm=1 reminder=10m; D +75m U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         10:00 mail STILL DOWN 10m, next 30:00
         30:00 mail STILL DOWN 30m, next 1:10:00
         1:10:00 mail STILL DOWN 1h 10m, next 2:30:00
         1:15:10 closed 1:15:00, 1 failed
         1:15:10 mail UP after 1h 15m",
    );
    check(
        "confirm=1 reminder=20h; D +48h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         20:00:00 mail STILL DOWN 20h, next 44:00:00
         44:00:00 mail STILL DOWN 1d 20h, next 68:00:00",
    );
    check(
        "confirm=1 reminder=10m; D ack +60m shown U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         1:00:00 down since 00:00 (status) +acked
         1:00:10 closed 1:00:00, 1 failed
         1:00:10 mail UP after 1h",
    );
    check(
        "confirm=1 reminder=10m; D ack=15m +16m",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         15:00 mail STILL DOWN 15m, next 35:00",
    );
    check(
        "; U ack",
        "00:00 refused: it is not down, there is nothing to acknowledge",
    );
}

#[test]
fn recoveries_can_be_switched_off() {
    check(
        "confirm=1 recover=1 no-recovery; D U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         01:00 closed 01:00, 1 failed",
    );
}

#[test]
fn a_monitor_that_goes_while_down_goes_without_a_word() {
    for (event, ending) in [("gone", "removed"), ("pause", "paused")] {
        check(
            &format!("confirm=1; D D {event} shown"),
            &format!(
                "00:00 opened 00:00
                 00:00 mail DOWN 503, 1 failed
                 01:00 closed 01:00, 2 failed, {ending}
                 01:00 waiting mails dropped
                 01:00 pending since 01:00{}",
                if event == "pause" { " +paused" } else { "" }
            ),
        );
    }
    check(
        "confirm=1; U pause pause D shown resume resume U shown",
        "00:00 refused: it is paused already
         01:00 pending since 00:00 +paused
         01:00 refused: it is not paused
         02:00 up since 02:00",
    );
}

#[test]
fn a_mute_holds_mails_and_not_incidents() {
    check(
        "confirm=1; U mute=10m D shown +10m shown",
        "01:00 opened 01:00
         01:00 down since 01:00 (status) +muted
         10:00 mail DOWN 503, 1 failed, good 00:00, held by mute
         11:00 down since 01:00 (status)",
    );
    check(
        "confirm=1; U mute=10m D U U +10m",
        "01:00 opened 01:00
         02:10 closed 02:00, 1 failed",
    );
    // Who was told before gets the UP also inside the mute.
    check(
        "confirm=1 reminder=5m; D mute=10m +6m U U +10m unmute",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         06:10 closed 06:00, 1 failed
         06:10 mail UP after 6m
         16:10 refused: it is not muted",
    );
    check(
        "confirm=1 reminder=5m; D mute=10m +30s unmute +5m",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         05:00 mail STILL DOWN 5m, next 15:00",
    );
    check(
        "confirm=1 reminder=5m; D mute=10m +12m",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         10:00 mail STILL DOWN 10m, next 20:00",
    );
}

#[test]
fn in_maintenance_nothing_is_mailed_and_what_is_still_down_at_its_end_is() {
    check(
        "confirm=1; U window( D shown D )window shown",
        "01:00 opened 01:00
         01:00 down since 01:00 (status) +maintenance
         02:00 mail DOWN 503, 2 failed, good 00:00, held by maintenance
         02:00 down since 01:00 (status)",
    );
    check(
        "confirm=1; U window( D U U )window U",
        "01:00 opened 01:00
         02:10 closed 02:00, 1 failed, maintenance",
    );
    // A recovery that is being confirmed at the end may still fail.
    check(
        "confirm=1; U window( D U )window U",
        "01:00 opened 01:00
         02:10 closed 02:00, 1 failed, maintenance",
    );
    check(
        "confirm=1; U window( D U )window D",
        "01:00 opened 01:00
         02:10 mail DOWN 503, 2 failed, good 00:00, held by maintenance",
    );
    // Down before: the incident is marked, no reminder inside, the UP goes out.
    check(
        "confirm=1 reminder=5m; D window( +6m U U )window",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         06:10 closed 06:00, 1 failed, maintenance
         06:10 mail UP after 6m",
    );
    check(
        "slow; U window( S*5 )window S",
        "05:00 mail DEGRADED slow 3 since 01:00",
    );
}

#[test]
fn while_we_are_offline_alerts_are_held() {
    check(
        "confirm=1; U offline( R +5m )offline",
        "01:00 opened 01:00
         06:00 mail DOWN connect_refused, 1 failed, good 00:00, held by offline",
    );
}

#[test]
fn while_a_parent_fails_its_children_are_silent() {
    check(
        "confirm=2; U parent=up D D",
        "01:00 parents due
         01:10 opened 01:00
         01:10 mail DOWN 503, 2 failed, good 00:00",
    );
    check(
        "confirm=2; U parent=failing D D shown D parent=recovered D D",
        "01:00 parents due
         01:10 opened 01:00
         01:10 down since 01:00 (status) +parent_down
         02:20 mail DOWN 503, 5 failed, good 00:00, held by parent",
    );
    check(
        "confirm=2; U parent=failing D D parent=recovered D U U",
        "01:00 parents due
         01:10 opened 01:00
         01:40 closed 01:30, 3 failed",
    );
    check(
        "; U parent=failing D D parent=recovered D D U",
        "01:00 parents due\n01:20 parents due",
    );
    // The parent is not checked: after a minute it is no longer waited for.
    check(
        "confirm=1; U parent=stale D +2m",
        "01:00 parents due
         01:00 opened 01:00
         02:00 mail DOWN 503, 1 failed, good 00:00, held by parent",
    );
    // Told before the parent failed: no reminder, but the UP.
    check(
        "confirm=1 reminder=5m; D parent=failing +6m U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         06:10 closed 06:00, 1 failed
         06:10 mail UP after 6m",
    );
}

#[test]
fn flapping_is_one_mail_and_one_at_its_end() {
    check(
        "confirm=1 recover=1 flapping=4/2h; U D U D U shown D U D U*31 shown",
        "01:00 opened 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail UP after 1m
         03:00 opened 03:00
         03:00 mail DOWN 503, 1 failed, good 02:00
         04:00 closed 04:00, 1 failed
         04:00 mail FLAPPING 4
         04:00 up since 04:00 +flapping
         05:00 opened 05:00
         06:00 closed 06:00, 1 failed
         07:00 opened 07:00
         08:00 closed 08:00, 1 failed
         38:00 mail UP after 5m
         38:00 up since 08:00",
    );
    // Ten minutes of down are one DOWN.
    check(
        "confirm=1 recover=1 flapping=2/2h; U D U D +12m U U U +26m U*3",
        "01:00 opened 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail FLAPPING 2
         03:00 opened 03:00
         13:00 mail DOWN 503, 1 failed, good 02:00, held by flapping
         15:00 closed 15:00, 1 failed
         45:00 mail UP after 12m",
    );
    // The change that makes it flapping is a failure: the mail about it stands for the DOWN.
    check(
        "confirm=1 recover=1 flapping=3/2h; U D U D U*31",
        "01:00 opened 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail UP after 1m
         03:00 opened 03:00
         03:00 mail FLAPPING 3
         04:00 closed 04:00, 1 failed
         34:00 mail UP after 1m",
    );
    // Changes far apart are none, nor are those of planned work.
    check(
        "confirm=1 recover=1 flapping=3/10m; U D U +11m D U",
        "01:00 opened 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail UP after 1m
         13:00 opened 13:00
         13:00 mail DOWN 503, 1 failed, good 02:00
         14:00 closed 14:00, 1 failed
         14:00 mail UP after 1m",
    );
    check(
        "confirm=1 recover=1 flapping=3/2h; U window( D U D U )window D shown",
        "01:00 opened 01:00
         02:00 closed 02:00, 1 failed, maintenance
         03:00 opened 03:00
         04:00 closed 04:00, 1 failed, maintenance
         05:00 opened 05:00
         05:00 mail DOWN 503, 1 failed, good 04:00
         05:00 down since 05:00 (status)",
    );
}

/// Any mixture of events: what the scene itself asserts (one incident at a time, every close has its
/// open, no mail but a recovery's inside a window, never UP without DOWN, time goes on, the kept part
/// survives its JSON) holds, and a restart after every event changes nothing.
mod anything {
    use proptest::prelude::*;

    const EVENTS: &[&str] = &[
        "U",
        "U",
        "U",
        "U*2",
        "U*20",
        "D",
        "D",
        "D*2",
        "D*3",
        "R",
        "D429/30",
        "S",
        "S*3",
        "X",
        "C5",
        "C5new",
        "A",
        "B",
        "B*3",
        ".",
        "+10m",
        "+1h",
        "pause",
        "resume",
        "mute=15m",
        "unmute",
        "ack",
        "ack=5m",
        "gone",
        "moved",
        "window(",
        ")window",
        "offline(",
        ")offline",
        "parent=up",
        "parent=failing",
        "parent=stale",
        "parent=recovered",
        "shown",
    ];

    const SETTINGS: &[&str] = &[
        "",
        "confirm=1 recover=1 flapping=3/2h",
        "confirm=2 recover=3 reminder=7m slow drift",
        "confirm=1 recover=1 flapping=2/10m reminder=3m slow drift no-recovery",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn keeps_the_promises(
            settings in prop::sample::select(SETTINGS),
            events in prop::collection::vec(prop::sample::select(EVENTS), 1..60),
        ) {
            let timeline = format!("{settings}; {}", events.join(" "));
            prop_assert_eq!(super::run(&timeline, false), super::run(&timeline, true));
        }
    }
}
