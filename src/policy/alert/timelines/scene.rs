//! The alert machine, told as timelines: what happens, and all that follows from it.
//!
//! A line begins with settings up to `;`, then come the events, by default one check at each moment at
//! which the machine or the grid wants one:
//!
//! - `U` up, `D` down (503), `D404` another status, `R` connection refused, `S` slow, `X` unknown,
//!   `N` one of several addresses bad, `V` one of several versions of HTTP failing,
//!   `C20` up with a certificate that ends in 20 days (of 90), `A`, `B` ... `F` up over that chain;
//!   `D*5` the same five times;
//! - `K20` 503 with that certificate;
//! - `.` a slot without a check, `+10m` time without checks;
//! - `pause`, `resume`, `mute=1h`, `unmute`, `ack`, `ack=1h`, `gone`, `moved` (another URL);
//! - `window(`, `)window`, `offline(`, `)offline`;
//! - `maintain=1h` by order, `run=1h` for as long as a command runs, `ran` it exited, `lost` its wrapper is gone,
//!   `end` all of these;
//! - `parent=up`, `parent=failing`, `parent=stale` (not checked since), `parent=recovered`;
//! - `escalate=30m/boss,cto` another step of escalation, also among the settings;
//! - `shown` writes down what is shown.
//!
//! Each line is run a second time with a restart after every event, and must come out the same.

mod effects;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::check::{
    Certificate, Chain, Check, Failure, FailureKind, Micros, Redirect, Timings, Verdict,
};
use crate::domain::duration_text::{self, Human};
use crate::domain::incident::IncidentKey;
use crate::domain::location::{DownWhen, LocationName, Quorum};
use crate::domain::monitor::{MonitorId, MonitorName, Rules};
use crate::domain::notification::News;
use crate::domain::recipient::Recipient;
use crate::domain::settings::{AlertSettings, Covers, Escalation, Flapping};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::dependencies::Parent;
use crate::policy::alert::flapping::Flap;
use crate::policy::alert::maintenance::Open;
use crate::policy::alert::monitor::{
    Effect, Ending, Event, Memory, Order, Recipients, Side, Step, Surroundings, step, wake_at,
};
use crate::policy::alert::ordered_windows::{Ends, OrderedWindow, OrderedWindows};
use crate::policy::alert::state::{Announcement, Hold, Status};
use crate::policy::why;

const START: Timestamp = Timestamp::from_ms(1_795_377_600_000);

#[derive(Clone)]
struct Scene {
    rules: Rules,
    alerts: AlertSettings,
    steps: Vec<Arc<Escalation>>,
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
    raised: BTreeSet<IncidentKey>,
    shows_level: bool,
    open: Option<IncidentKey>,
    lines: Vec<String>,
}

impl Scene {
    fn new(settings: &str) -> Self {
        let span = |text: &str| duration_text::parse(text).unwrap();
        let mut scene = Self {
            rules: Rules {
                interval: span("60s"),
                timeout: span("10s"),
                failures_before_down: 3,
                successes_before_up: 2,
                retry_interval: span("10s"),
                alert_on_slow: false,
                alert_on_address_down: true,
                alert_on_redirect_change: false,
                to: vec![Recipient::restored("ops@example.com").unwrap()],
                quorum: None,
            },
            alerts: AlertSettings {
                group_wait: span("10s"),
                group_limit: 3,
                group_interval: span("1m"),
                reminder: None,
                recovery: true,
                flapping: Flapping::default(),
                certificate_expiry: vec![span("21d"), span("7d"), span("1d")],
            },
            steps: Vec::new(),
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
            raised: BTreeSet::new(),
            shows_level: false,
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
                "alone" => {
                    scene.rules.quorum = Some(Arc::new(Quorum {
                        locations: [LocationName::parse("fra").unwrap()].into(),
                        down_when: DownWhen::Majority,
                        alert_on_regional: true,
                    }));
                }
                "level" => scene.shows_level = true,
                "no-recovery" => scene.alerts.recovery = false,
                "nobody" => scene.rules.to.clear(),
                "escalate" => scene.steps.push(step_of(value)),
                "slow" => scene.rules.alert_on_slow = true,
                "record" => scene.rules.alert_on_address_down = false,
                "drift" => scene.rules.alert_on_redirect_change = true,
                "flapping" => {
                    let (changes, within) = value.split_once('/').unwrap();
                    scene.alerts.flapping = Flapping {
                        changes: changes.parse().unwrap(),
                        within: span(within),
                        ..Flapping::default()
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
            steps: &self.steps,
        };
        let Step {
            after,
            effects,
            refusal,
        } = step(&self.rules, &around, &self.memory, event, self.now);
        self.memory = after;
        let windows = self.memory.kept.windows.iter();
        for window in windows.filter(|_| refusal.is_none()) {
            assert!(
                self.now < window.until,
                "no window outlives its last moment"
            );
        }
        if let Some(refusal) = refusal {
            self.write(format!("refused: {refusal}"));
        }
        for effect in effects {
            self.follow(effect);
        }
        self.why_names_what_holds();
    }

    /// A DOWN that is not decided has a hold that `why` names: the one that the machine waits for.
    fn why_names_what_holds(&self) {
        let kept = &self.memory.kept;
        let (is_recovering, outage) = match &kept.status {
            Status::Pending | Status::Up { .. } | Status::Suspect { .. } => return,
            Status::Down(outage) => (false, outage),
            Status::Recovering { outage, .. } => (true, outage),
        };
        let Announcement::Waiting { held, recount } = outage.announcement else {
            return;
        };
        let parent = MonitorName::parse("router").unwrap();
        let around = why::Around {
            at: self.now,
            window: self.maintenance.then_some(Open {
                from: self.now,
                to: self.now,
            }),
            failing_parent: (self.parents.iter().any(|parent| parent.failing)).then_some(&parent),
            parents: &self.parents,
            offline: self.offline,
            down_after: self.alerts.flapping.down_after,
        };
        let named = why::holds(kept, &around);
        let names = |word: &str| named.iter().any(|hold| hold.by == word);
        let is_counting = is_recovering || recount.is_some();
        let is_named = match held {
            _ if is_counting => names("threshold"),
            Some(Hold::Maintenance) => names("window"),
            Some(hold) => names(hold.as_str()),
            None => false,
        };
        assert!(
            is_named,
            "{held:?}, recount {recount:?}: {named:?}, {kept:?}"
        );
        if !is_counting {
            let named: Vec<&str> = named.iter().map(|hold| hold.by).collect();
            self.what_is_named_is_what_holds(&named);
        }
    }

    /// With all holds lifted that `why` names the DOWN is decided at once, and with all but any one of them it is not.
    fn what_is_named_is_what_holds(&self, named: &[&str]) {
        // It holds reminders and escalation only.
        let named: Vec<&str> = named.iter().copied().filter(|by| *by != "ack").collect();
        assert!(self.tells_without(&named), "more holds than {named:?}");
        for kept in &named {
            let lifted: Vec<&str> = named.iter().copied().filter(|by| by != kept).collect();
            assert!(
                !self.tells_without(&lifted),
                "{kept} holds nothing: {named:?}"
            );
        }
    }

    /// Whether the DOWN would be decided now if these did not hold it.
    fn tells_without(&self, lifted: &[&str]) -> bool {
        let is_lifted = |by: &str| lifted.contains(&by);
        let mut memory = self.memory.clone();
        if is_lifted("mute") {
            memory.kept.muted_until = None;
        }
        if is_lifted("window") {
            memory.kept.windows = OrderedWindows::default();
        }
        if is_lifted("flapping") {
            memory.kept.flap = Flap::default();
        }
        let around = Surroundings {
            monitor: MonitorId(7),
            alerts: &self.alerts,
            maintenance: self.maintenance && !is_lifted("window"),
            parents: if is_lifted("parent") {
                &[]
            } else {
                &self.parents
            },
            offline: self.offline && !is_lifted("offline"),
            steps: &self.steps,
        };
        let step = step(&self.rules, &around, &memory, Event::Tick, self.now);
        step.effects.iter().any(|effect| {
            let is_for_people = |to: &Recipients| !matches!(to, Recipients::Of(Side::Incidents, _));
            matches!(effect, Effect::Say { news, to }
                if matches!(**news, News::Down { .. }) && is_for_people(to))
        })
    }

    fn restart(&mut self) {
        let json = serde_json::to_string(&self.memory.kept).unwrap();
        let kept = serde_json::from_str(&json).unwrap();
        assert_eq!(self.memory.kept, kept, "the kept part survives its JSON");
        let newest: Vec<_> = self.checks.iter().rev().take(32).map(Arc::clone).collect();
        let bad = self.checks.iter().rev();
        let bad = bad.clone().find(|c| matches!(c.verdict, Verdict::Down(_)));
        let before = self.open.map_or(Timestamp::MAX, |key| key.opened_at);
        let good = self.checks.iter().rev();
        let good = good.clone().find(|c| c.verdict.is_good() && c.at < before);
        let (good, bad) = (good.map(Arc::clone), bad.map(Arc::clone));
        let before = self.memory.kept.seats.take();
        self.memory = Memory::restored(kept, &newest, good, bad);
        if let (Some(seats), Some(quorum)) = (&mut self.memory.kept.seats, &self.rules.quorum) {
            seats.fit(quorum, self.now);
            seats.restore(&quorum.locations[0], &newest);
            // What was heard is the same, whatever was restored from the newest checks.
            let before = before.unwrap();
            assert_eq!(seats.list[0].heard.known_at, before.list[0].heard.known_at);
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
                steps: &self.steps,
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
            redirect_times: Box::default(),
            timings: Timings {
                total: Micros::new(1),
                ..Timings::default()
            },
            http_version: None,
            body_bytes: 0,
            retry_after_s: None,
            certificate: None,
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        };
        change(&mut check);
        let check = Arc::new(check);
        match self.rules.quorum.clone() {
            None => self.happen(Event::Checked(&check)),
            Some(quorum) => self.happen(Event::Heard {
                location: &quorum.locations[0],
                check: &check,
                is_late: false,
            }),
        }
        self.checks.push(check);
        let interval = self.rules.interval;
        while self.next_at <= self.now {
            self.next_at = self.next_at.plus(interval);
        }
    }

    fn token(&mut self, token: &str) {
        let (word, value) = token.split_once('=').unwrap_or((token, ""));
        let until = |now: Timestamp| now.plus(duration_text::parse(value).unwrap());
        match word {
            "." => self.next_at = self.next_at.plus(self.rules.interval),
            "pause" => self.happen(Event::Order(&Order::Pause)),
            "resume" => self.happen(Event::Order(&Order::Resume)),
            "unmute" => self.happen(Event::Order(&Order::Unmute)),
            // A configuration with one more step is put in force.
            "escalate" => {
                self.steps.push(step_of(value));
                self.happen(Event::Reconfigured { url_changed: false });
            }
            "mute" => {
                let until = until(self.now);
                self.happen(Event::Order(&Order::Mute { until }));
            }
            "ack" => {
                let until = (!value.is_empty()).then(|| until(self.now));
                self.happen(Event::Order(&Order::Ack { until, note: None }));
            }
            "maintain" => self.maintain(until(self.now), Ends::InTime),
            "run" => self.maintain(until(self.now), Ends::WithCommand),
            "ran" => self.happen(Event::Order(&Order::CommandEnded { window: 1 })),
            "lost" => self.happen(Event::Order(&Order::RunnerGone { window: 1 })),
            "end" => self.happen(Event::Order(&Order::EndMaintenance)),
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
                    let until = self.now.plus(duration_text::parse(span).unwrap());
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

    fn maintain(&mut self, until: Timestamp, ends: Ends) {
        let (id, from, note) = (1, self.now, None);
        let window = OrderedWindow {
            id,
            from,
            until,
            ends,
            note,
        };
        self.happen(Event::Order(&Order::Maintain(window)));
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
                "N" => self.check(Verdict::Degraded(failure(FailureKind::AddressDown)), |_| {}),
                "V" => self.check(Verdict::Degraded(failure(FailureKind::HttpVersion)), |_| {}),
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
                "K" => {
                    let days = rest.parse().unwrap();
                    let certificate = certain(days, self.now);
                    self.check(down, |check| {
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
                        final_url: format!("https://{letter}.example.com/{rest}").into(),
                        remote_addr: None,
                    });
                }),
                other => panic!("unknown event {other}"),
            }
        }
    }
}

/// `30m/boss,cto`
fn step_of(text: &str) -> Arc<Escalation> {
    let (after, to) = text.split_once('/').unwrap();
    Arc::new(Escalation {
        covers: Covers::All,
        after: duration_text::parse(after).unwrap(),
        to: to
            .split(',')
            .map(|name| Recipient::restored(name).unwrap())
            .collect(),
    })
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

pub(crate) fn run(timeline: &str, restarts: bool) -> String {
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
pub(crate) fn check(timeline: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    let expected = expected.join("\n").trim().to_owned();
    assert_eq!(run(timeline, false), expected, "{timeline}");
    assert_eq!(run(timeline, true), expected, "with restarts: {timeline}");
}
