//! Several locations, told as timelines: who saw what when, and all that follows from it.
//!
//! The first word of a line names the locations, then `confirm=3`, `recover=2`, `all`, `any`, `2`, `alert`. After `;`
//! come the checks: `60fra=D` is a check of fra that arrives at second 60; `U` up, `D` down, `S` slow, `X` unknown,
//! `L` down and late, `Ua` up and led to `a`. `shown` writes down what is shown then, `+300` lets so many seconds
//! pass, `pause` and `resume` are orders.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::check::{Chain, Check, Failure, FailureKind, Micros, Timings, Verdict};
use crate::domain::location::{DownWhen, LocationName, Quorum};
use crate::domain::monitor::{MonitorId, Rules};
use crate::domain::notification::News;
use crate::domain::settings::{AlertSettings, Flapping};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::{Effect, Event, Memory, Order, Surroundings, step, wake_at};

const START: Timestamp = Timestamp::from_ms(1_795_377_600_000);

struct Scene {
    rules: Rules,
    alerts: AlertSettings,
    memory: Memory,
    now: Timestamp,
    lines: Vec<String>,
    asked: usize,
}

fn seconds(at: Timestamp) -> String {
    format!("{}", at.since(START).as_millis() as f64 / 1000.0)
}

impl Scene {
    fn new(settings: &str) -> Self {
        let mut words = settings.split_whitespace();
        let names = words.next().unwrap().split(',');
        let mut quorum = Quorum {
            locations: names
                .map(|name| LocationName::parse(name).unwrap())
                .collect(),
            down_when: DownWhen::Majority,
            alert_on_regional: false,
        };
        let mut rules = Rules {
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            failures_before_down: 3,
            successes_before_up: 2,
            retry_interval: Duration::from_secs(10),
            alert_on_slow: true,
            alert_on_address_down: true,
            alert_on_redirect_change: false,
            to: Vec::new(),
            quorum: None,
        };
        for word in words {
            match word.split_once('=') {
                Some(("confirm", count)) => rules.failures_before_down = count.parse().unwrap(),
                Some(("recover", count)) => rules.successes_before_up = count.parse().unwrap(),
                _ => match word {
                    "all" => quorum.down_when = DownWhen::All,
                    "any" => quorum.down_when = DownWhen::Any,
                    "alert" => quorum.alert_on_regional = true,
                    "drift" => rules.alert_on_redirect_change = true,
                    count => quorum.down_when = DownWhen::Count(count.parse().unwrap()),
                },
            }
        }
        rules.quorum = Some(Arc::new(quorum));
        Self {
            rules,
            alerts: AlertSettings {
                group_wait: Duration::from_secs(10),
                group_limit: 3,
                group_interval: Duration::from_secs(60),
                reminder: None,
                recovery: true,
                flapping: Flapping::default(),
                certificate_expiry: Vec::new(),
            },
            memory: Memory::default(),
            now: START,
            lines: Vec::new(),
            asked: 0,
        }
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings {
            monitor: MonitorId(7),
            alerts: &self.alerts,
            maintenance: false,
            parents: &[],
            offline: false,
            steps: &[],
        }
    }

    fn happen(&mut self, event: Event<'_>) {
        let json = serde_json::to_string(&self.memory.kept).unwrap();
        let kept: crate::policy::alert::state::Kept = serde_json::from_str(&json).unwrap();
        assert_eq!(self.memory.kept, kept, "the kept part survives its JSON");
        let step = step(&self.rules, &self.around(), &self.memory, event, self.now);
        self.memory = step.after;
        for effect in step.effects {
            self.follow(effect);
        }
    }

    fn follow(&mut self, effect: Effect) {
        let at = seconds(self.now);
        let line = match effect {
            Effect::Open(incident) => format!("opened {}", seconds(incident.key.opened_at)),
            Effect::Close { incident, .. } => {
                format!("closed {}", seconds(incident.closed_at.unwrap()))
            }
            Effect::Say { news, .. } => match *news {
                News::Down { locations, .. } => {
                    let said = locations
                        .iter()
                        .map(|one| match one.seen.as_str() {
                            "fresh" => format!("{} {}", one.location, one.state),
                            seen => format!("{} {seen}", one.location),
                        })
                        .collect::<Vec<_>>();
                    format!("mail DOWN: {}", said.join(", "))
                }
                News::Up { .. } => "mail UP".to_owned(),
                News::Degraded { check, reason, .. } => {
                    let detail = &check.verdict.failure().unwrap().detail;
                    format!("mail DEGRADED {reason}: {detail}")
                }
                News::RedirectChanged {
                    before,
                    check,
                    locations,
                } => {
                    let names: Vec<&str> = locations.iter().map(LocationName::as_str).collect();
                    let (was, is) = (&before.final_url, &check.chain.final_url);
                    format!("mail REDIRECT CHANGED {was} to {is}: {}", names.join(", "))
                }
                other => panic!("{other:?}"),
            },
            Effect::AskOthers { .. } => {
                self.asked += 1;
                return;
            }
            Effect::Record(_)
            | Effect::Raise(_)
            | Effect::Progress(_)
            | Effect::CheckParents
            | Effect::CheckAgain { .. } => return,
            Effect::DropWaiting(_) | Effect::StopEscalation(_) | Effect::Window { .. } => {
                panic!("nobody ordered anything")
            }
        };
        self.lines.push(format!("{at} {line}"));
    }

    fn pass(&mut self, until: Timestamp) {
        while let Some(at) =
            wake_at(&self.rules, &self.around(), &self.memory, self.now).filter(|at| *at <= until)
        {
            assert!(at > self.now, "time goes on");
            self.now = at;
            self.happen(Event::Tick);
        }
        self.now = until;
    }

    fn token(&mut self, token: &str) {
        if token == "shown" {
            let shown = self.memory.kept.shown;
            let reason = shown.reason.map(|reason| format!(" ({reason})"));
            let (at, reason) = (seconds(self.now), reason.unwrap_or_default());
            return self.lines.push(format!("{at} {}{reason}", shown.state));
        }
        if let Some(time) = token.strip_prefix('+') {
            return self.pass(self.now.plus(Duration::from_secs(time.parse().unwrap())));
        }
        if let "pause" | "resume" = token {
            let order = match token {
                "pause" => Order::Pause,
                _ => Order::Resume,
            };
            return self.happen(Event::Order(&order));
        }
        let (left, letter) = token.split_once('=').unwrap();
        let digits = left.find(|c: char| !c.is_ascii_digit()).unwrap();
        let (second, name) = left.split_at(digits);
        let at = START.plus(Duration::from_secs(second.parse().unwrap()));
        let is_late = letter == "L";
        if !is_late {
            self.pass(at);
        }
        let check = Arc::new(check(at, letter));
        self.happen(Event::Heard {
            location: &LocationName::parse(name).unwrap(),
            check: &check,
            is_late,
        });
    }
}

/// `U` with a small letter behind it is led there.
pub(super) fn check(at: Timestamp, letter: &str) -> Check {
    let (letter, way) = match letter.strip_prefix('U') {
        Some(way) => ("U", way),
        None => (letter, ""),
    };
    let failure = |kind, detail: &str| Failure {
        kind,
        detail: detail.into(),
    };
    Check {
        at,
        verdict: match letter {
            "U" => Verdict::Up,
            "S" => Verdict::Degraded(failure(FailureKind::Slow, "slow")),
            "D" | "L" => Verdict::Down(failure(FailureKind::Status, "503")),
            "X" => Verdict::Unknown(failure(FailureKind::Local, "offline")),
            other => panic!("no check: {other}"),
        },
        status: None,
        chain: Arc::new(Chain {
            final_url: way.into(),
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
    }
}

/// The rules that these settings make.
pub(super) fn rules_of(settings: &str) -> Rules {
    Scene::new(settings).rules
}

fn run(timeline: &str) -> Scene {
    let (settings, events) = timeline.split_once(';').unwrap();
    let mut scene = Scene::new(settings);
    for token in events.split_whitespace() {
        scene.token(token);
    }
    scene
}

#[track_caller]
fn check_line(timeline: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    let expected = expected.join("\n").trim().to_owned();
    assert_eq!(run(timeline).lines.join("\n"), expected, "{timeline}");
}

const GOOD: &str = "fra,nyc,sgp; 0fra=U 3nyc=U 6sgp=U 60fra=U 63nyc=U 66sgp=U ";

#[test]
fn t1_a_real_outage_is_one_incident_from_the_second_location_on() {
    check_line(
        &format!(
            "{GOOD} 120fra=D 121nyc=D 122sgp=D 130fra=D 131nyc=D 132sgp=D 140fra=D 141nyc=D 142sgp=D \
             180fra=U 183nyc=U 186sgp=D 190fra=U 193nyc=U shown"
        ),
        "141 opened 121
         141 mail DOWN: fra down, nyc down, sgp up
         193 closed 183
         193 mail UP
         193 degraded (regional)",
    );
}

#[test]
fn t2_what_fails_on_the_way_from_one_location_is_regional() {
    let events =
        "120fra=D 121nyc=U 122sgp=U 130fra=D 140fra=D shown 180fra=D 183nyc=U 186sgp=U shown";
    check_line(
        &format!("{GOOD} {events}"),
        "140 degraded (regional)
         186 degraded (regional)",
    );
    let alert = GOOD.replacen(';', " alert;", 1);
    check_line(
        &format!("{alert} {events} 240fra=U 243nyc=U 246sgp=U 250fra=U shown"),
        "140 mail DEGRADED regional: fails from fra only (1 of 3; 2 are needed)
         140 degraded (regional)
         186 degraded (regional)
         250 up",
    );
}

#[test]
fn t3_a_blip_is_nothing() {
    check_line(
        &format!("{GOOD} 120fra=D 121nyc=D 122sgp=D 130fra=D 131nyc=U 132sgp=U 140fra=U shown"),
        "140 up",
    );
}

#[test]
fn t4_a_location_that_is_offline_has_no_vote() {
    check_line(
        &format!("{GOOD} 120fra=X 123nyc=U 126sgp=U 180fra=X 183nyc=U shown"),
        "183 up",
    );
}

#[test]
fn t5_a_location_that_dies_in_an_outage_ends_nothing() {
    let outage = "120nyc=D 121fra=D 122sgp=U 130nyc=D 131fra=D 140nyc=D 141fra=D";
    check_line(
        &format!(
            "{GOOD} {outage} 180sgp=U 181fra=D 240sgp=U 241fra=D 300sgp=U 301fra=D shown \
             360sgp=U 361fra=U shown 370fra=U shown"
        ),
        "141 opened 121
         141 mail DOWN: fra down, nyc down, sgp up
         301 down (status)
         361 down (status)
         370 closed 361
         370 mail UP
         370 up",
    );
}

#[test]
fn t6_and_t7_silence_is_unknown_and_what_comes_late_raises_no_alarm() {
    check_line(
        &format!(
            "{GOOD} +300 shown 120fra=L 180fra=L 240fra=L 123nyc=L 183nyc=L 243nyc=L shown \
             400fra=U 401nyc=U shown"
        ),
        "366 unknown (local)
         366 unknown (local)
         401 up",
    );
    // Those who come back while it still fails confirm with what they saw meanwhile. The first of them does not decide
    // alone.
    check_line(
        &format!(
            "{GOOD} +300 120fra=L 180fra=L 240fra=L 123nyc=L 183nyc=L 243nyc=L 400fra=D 403nyc=D"
        ),
        "403 opened 123
         403 mail DOWN: fra down, nyc down, sgp silent",
    );
}

/// After a time in which nobody could be heard, the others have as long to be heard as they have before they are
/// silent.
#[test]
fn t11_the_first_that_is_heard_again_waits_for_the_others() {
    const CUT: &str = "+300 120fra=L 180fra=L 240fra=L";
    // What failed on the way from one location alone is no outage.
    check_line(
        &format!("{GOOD} {CUT} 400fra=D shown 410fra=D 420fra=D 433nyc=U 446sgp=U shown +600"),
        "400 up
         446 degraded (regional)",
    );
    // Those who do not come back are waited for once.
    check_line(
        &format!("{GOOD} {CUT} 400fra=D 460fra=D 520fra=D 530fra=D +10"),
        "535.001 opened 120
         535.001 mail DOWN: fra down, nyc silent, sgp silent",
    );
    // In an outage the first that is good again ends nothing alone, though it had seen it.
    let outage = "120fra=D 121nyc=D 122sgp=D 130fra=D 131nyc=D 132sgp=D 140fra=D 141nyc=D 142sgp=D";
    check_line(
        &format!(
            "{GOOD} {outage} +400 600fra=U 610fra=U 615nyc=D 616sgp=D 660fra=U 663nyc=U 673nyc=U"
        ),
        "141 opened 121
         141 mail DOWN: fra down, nyc down, sgp up
         673 closed 663
         673 mail UP",
    );
}

/// When all links are cut, those who were heard longest ago are silent first.
#[test]
fn t12_the_last_that_falls_silent_decides_nothing_alone() {
    check_line(
        &format!(
            "{GOOD} 120fra=D 121nyc=U 122sgp=U 130fra=D 140fra=D 180fra=D 200fra=D +200 shown"
        ),
        "400 unknown (local)",
    );
}

#[test]
fn nobody_decides_alone_when_checks_begin() {
    // A new monitor, of which one location heard first.
    check_line(
        "fra,nyc,sgp; 0fra=D 10fra=D 20fra=D 40nyc=U 43sgp=U shown",
        "43 degraded (regional)",
    );
    check_line(
        "fra,nyc,sgp; 0fra=D 10fra=D 20fra=D 60fra=D 120fra=D +20",
        "135.001 opened 0
         135.001 mail DOWN: fra down, nyc silent, sgp silent",
    );
    // All were offline, and one is no longer.
    let offline = "120fra=X 123nyc=X 126sgp=X 180fra=D 190fra=D 200fra=D 201nyc=U 202sgp=U shown";
    check_line(&format!("{GOOD} {offline}"), "202 degraded (regional)");
    // While it was paused nobody checked it; fra is asked first after it.
    check_line(
        &format!("{GOOD} pause +600 resume 670fra=D 680fra=D 690fra=D 700nyc=U 710sgp=U shown"),
        "710 degraded (regional)",
    );
    check_line(
        &format!(
            "{GOOD} 120fra=U pause +80 resume 201fra=D 211fra=D 221fra=D 230nyc=U 236sgp=U shown"
        ),
        "236 degraded (regional)",
    );
}

#[test]
fn t9_a_third_location_that_is_only_slow_does_not_hold_it_up() {
    check_line(
        &format!("{GOOD} 120fra=D 121nyc=D 122sgp=S 130fra=D 131nyc=D 140fra=D 141nyc=D"),
        "141 opened 121
         141 mail DOWN: fra down, nyc down, sgp degraded",
    );
}

#[test]
fn t10_a_route_that_flaps_is_regional_and_never_flapping() {
    let spell = |from: u64| {
        format!(
            "{}fra=D {}fra=D {}fra=D {}nyc=U {}sgp=U {}fra=U {}fra=U {}nyc=U {}sgp=U ",
            from,
            from + 10,
            from + 20,
            from + 21,
            from + 22,
            from + 60,
            from + 70,
            from + 71,
            from + 72
        )
    };
    let spells: String = (0..12)
        .map(|spell_of| spell(120 + spell_of * 120))
        .collect();
    let scene = run(&format!("{GOOD} {spells}"));
    assert_eq!(scene.lines, Vec::<String>::new());
    assert!(!scene.memory.kept.flap.is_on());
}

#[test]
fn the_first_failure_of_each_asks_the_others() {
    let asked = |events: &str| run(&format!("{GOOD} {events}")).asked;
    assert_eq!(asked("120fra=D 130fra=D 140fra=D 150fra=D"), 1);
    assert_eq!(asked("120fra=D 121nyc=D 130fra=U 180fra=D"), 3);
    assert_eq!(asked("120fra=X 130fra=U"), 0);
    // Nobody is there to be asked.
    assert_eq!(run("fra; 0fra=U 60fra=D").asked, 0);
}

#[test]
fn one_location_that_is_left_may_open_and_says_so() {
    check_line(
        &format!("{GOOD} 120fra=U 180fra=U 240fra=D 250fra=D 260fra=D"),
        "260 opened 240
         260 mail DOWN: fra down, nyc silent, sgp silent",
    );
    // That the second one falls silent lowers the bar as well, as soon as fra is heard after it.
    check_line(
        &format!(
            "{GOOD} 120fra=D 121nyc=U 122sgp=U 130fra=D 140fra=D 180fra=D 240fra=D 300fra=D +60"
        ),
        "300 opened 120
         300 mail DOWN: fra down, nyc silent, sgp silent",
    );
}

#[test]
fn the_order_of_locations_does_not_matter() {
    let events = "120fra=D 121nyc=D 122sgp=D 130fra=D 131nyc=D 132sgp=U 140fra=D 141nyc=D 142sgp=U \
                  180fra=U 183nyc=D 190fra=U 240nyc=U 250nyc=U 251sgp=U";
    let [one, other] = ["fra,nyc,sgp", "sgp,nyc,fra"].map(|names| {
        let line = GOOD.replacen("fra,nyc,sgp", names, 1);
        run(&format!("{line} {events}"))
            .lines
            .iter()
            .filter(|line| !line.contains("mail DOWN"))
            .cloned()
            .collect::<Vec<_>>()
    });
    assert_eq!(one, other);
    assert_eq!(one.len(), 3, "{one:?}");
}

/// Each location has a way of its own, and as many as make it down must be led another one.
#[test]
fn a_changed_way_is_told_once_enough_locations_are_led_by_it() {
    const WAYS: &str =
        "fra,nyc,sgp drift confirm=2; 0fra=Ud 3nyc=Uu 6sgp=Us 60fra=Ud 63nyc=Uu 66sgp=Us ";
    // One alone is no news, however often; a blip is none either.
    check_line(
        &format!(
            "{WAYS} 120fra=Ux 123nyc=Uu 126sgp=Us 180fra=Ux 183nyc=Uu 186sgp=Us 240fra=Ux 243nyc=Ux 246sgp=Us \
             300fra=Ux 303nyc=Uu 306sgp=Us"
        ),
        "",
    );
    // The second one that is sure makes it one, and the third is none when it follows, nor is the way back of all.
    check_line(
        &format!(
            "{WAYS} 120fra=Ux 123nyc=Ux 126sgp=Us 180fra=Ux 183nyc=Ux 186sgp=Ux 246sgp=Ux 306sgp=Ux \
             360fra=Ud 363nyc=Uu 366sgp=Us 420fra=Ud 423nyc=Uu 426sgp=Us"
        ),
        "183 mail REDIRECT CHANGED u to x: fra, nyc",
    );
    // What fails in between counts from one again.
    check_line(
        &format!("{WAYS} 120fra=Ux 123nyc=Ux 180fra=D 183nyc=Ux 190fra=Ux 200fra=Ux"),
        "200 mail REDIRECT CHANGED d to x: fra, nyc",
    );
    // Silence is no word: two that are left decide for themselves, as in a vote.
    check_line(
        &format!("{WAYS} 320fra=Ux 323nyc=Ux 380fra=Ux 383nyc=Ux"),
        "383 mail REDIRECT CHANGED u to x: fra, nyc",
    );
}
