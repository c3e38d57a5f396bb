//! A thousand random cuts of one of three locations, or of what joins them all, beside random outages of a site or of
//! the way to it from one location: no DOWN without an outage, no outage without a DOWN, and none later than a single
//! place would tell it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::places::{check, rules_of};
use crate::domain::location::LocationName;
use crate::domain::monitor::{MonitorId, Rules};
use crate::domain::notification::News;
use crate::domain::settings::{AlertSettings, Flapping};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::confirm::Voter;
use crate::policy::alert::monitor::{Effect, Event, Memory, Surroundings, step, wake_at};

const PLACES: [&str; 3] = ["fra", "nyc", "sgp"];
/// A scene takes so many milliseconds; the site is checked once a minute.
const SCENE: i64 = 15 * 60_000;
const INTERVAL: i64 = 60_000;
/// An ask or a frame is on its way so long.
const WAY: i64 = 500;

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % bound.unsigned_abs()).unwrap()
    }
}

/// Times in milliseconds since the scene began.
struct Trial {
    outage: std::ops::Range<i64>,
    /// When the site cannot be reached from one place.
    route: (usize, std::ops::Range<i64>),
    cut: std::ops::Range<i64>,
    /// Which place is cut off; `None`: all.
    whose: Option<usize>,
    /// When each place has its turn within the interval.
    phases: Vec<i64>,
}

impl Trial {
    /// What a check finds.
    fn letter(&self, place: usize, at: i64) -> &'static str {
        let (whose, route) = &self.route;
        let fails = self.outage.contains(&at) || (*whose == place && route.contains(&at));
        if fails { "D" } else { "U" }
    }
}

enum What {
    /// A place makes a check. One that was asked for is made only if none began since.
    Check {
        place: usize,
        unless_since: Option<i64>,
    },
    /// The hub hears what a check found.
    Arrive { place: usize, at: i64 },
}

/// When DOWN was told, with how many messages there were.
fn play(scene: &Trial, rules: &Rules) -> Vec<i64> {
    let alerts = AlertSettings {
        group_wait: Duration::from_secs(10),
        group_limit: 3,
        group_interval: Duration::from_secs(60),
        reminder: None,
        recovery: true,
        flapping: Flapping::default(),
        certificate_expiry: Vec::new(),
    };
    let around = Surroundings {
        monitor: MonitorId(7),
        alerts: &alerts,
        maintenance: false,
        parents: &[],
        offline: false,
        steps: &[],
    };
    let moment = |ms: i64| Timestamp::from_ms(1_795_377_600_000 + ms);
    let names = PLACES.map(|name| LocationName::parse(name).unwrap());
    let mut queue: BTreeMap<(i64, usize), What> = BTreeMap::new();
    let mut number = 0;
    let mut plan = |queue: &mut BTreeMap<(i64, usize), What>, at: i64, what: What| {
        number += 1;
        queue.insert((at, number), what);
    };
    for (place, phase) in scene.phases.iter().enumerate() {
        for turn in 0..SCENE / INTERVAL {
            let what = What::Check {
                place,
                unless_since: None,
            };
            plan(&mut queue, phase + turn * INTERVAL, what);
        }
    }
    let mut voters = vec![Voter::Pending; scene.phases.len()];
    let mut newest = vec![i64::MIN; scene.phases.len()];
    let (mut memory, mut told, mut now) = (Memory::default(), Vec::new(), moment(0));
    while let Some(((at, _), what)) = queue.pop_first() {
        let mut happen = |memory: &mut Memory, event: Event<'_>, now: Timestamp| {
            let step = step(rules, &around, memory, event, now);
            *memory = step.after;
            let mut asks = None;
            for effect in step.effects {
                match effect {
                    Effect::Say { news, .. } if matches!(*news, News::Down { .. }) => {
                        told.push(now.since(moment(0)).as_millis() as i64);
                    }
                    Effect::AskOthers { unless_since } => asks = Some(unless_since),
                    _ => {}
                }
            }
            asks
        };
        while let Some(wake) =
            wake_at(rules, &around, &memory, now).filter(|wake| *wake <= moment(at))
        {
            now = wake;
            let _ = happen(&mut memory, Event::Tick, now);
        }
        now = moment(at);
        match what {
            What::Check {
                place,
                unless_since,
            } => {
                if unless_since.is_some_and(|since| newest[place] >= since) || newest[place] == at {
                    continue;
                }
                newest[place] = at;
                let voter = std::mem::take(&mut voters[place]);
                voters[place] = voter.hear(rules, &check(moment(at), scene.letter(place, at)));
                if voters[place].wants_another() {
                    let retry = rules.retry_interval.as_millis() as i64;
                    let what = What::Check {
                        place,
                        unless_since: None,
                    };
                    plan(&mut queue, at + retry, what);
                }
                let is_cut = |at: i64| {
                    scene.cut.contains(&at) && scene.whose.is_none_or(|whose| whose == place)
                };
                let arrives = if is_cut(at + WAY) {
                    scene.cut.end + WAY
                } else {
                    at + WAY
                };
                plan(&mut queue, arrives, What::Arrive { place, at });
            }
            What::Arrive { place, at: began } => {
                let heard = Arc::new(check(moment(began), scene.letter(place, began)));
                let event = Event::Heard {
                    location: &names[place],
                    check: &heard,
                    is_late: rules.is_gap(moment(began), now),
                };
                if let Some(since) = happen(&mut memory, event, now) {
                    let since = since.since(moment(0)).as_millis() as i64;
                    for other in (0..scene.phases.len()).filter(|other| *other != place) {
                        let is_cut = scene.cut.contains(&at)
                            && scene.whose.is_none_or(|whose| whose == other);
                        if !is_cut {
                            let unless_since = Some(since);
                            plan(
                                &mut queue,
                                at + WAY,
                                What::Check {
                                    place: other,
                                    unless_since,
                                },
                            );
                        }
                    }
                }
            }
        }
    }
    told
}

#[test]
fn cuts_make_no_outage_and_hide_none() {
    let several = rules_of("fra,nyc,sgp");
    let single = rules_of("fra");
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let (mut false_downs, mut lost, mut delays) = (0, 0, Vec::new());
    for number in 0..1000 {
        let first = chance.below(INTERVAL);
        let begin = 3 * 60_000 + chance.below(5 * 60_000);
        let cut = 2 * 60_000 + chance.below(8 * 60_000);
        let whose = chance.below(4);
        let route = (chance.below(3), chance.below(SCENE));
        let mut scene = Trial {
            outage: match number % 2 {
                0 => 0..0,
                _ => begin..begin + 90_000 + chance.below(3 * 60_000),
            },
            route: match number % 2 {
                0 => (
                    usize::try_from(route.0).unwrap(),
                    route.1..route.1 + 5 * 60_000,
                ),
                _ => (0, 0..0),
            },
            cut: cut..cut + 5_000 + chance.below(4 * 60_000),
            whose: usize::try_from(whose)
                .ok()
                .filter(|whose| *whose < PLACES.len()),
            phases: (0..3)
                .map(|place| (first + place * INTERVAL / 3) % INTERVAL)
                .collect(),
        };
        let told = play(&scene, &several);
        if scene.outage.is_empty() {
            false_downs += told.len();
            continue;
        }
        // An outage that comes out of a short cut was one, and is told as over.
        let until = match scene.whose {
            None => scene.outage.end.max(scene.cut.end),
            Some(_) => scene.outage.end,
        };
        let is_false = |at: &&i64| !(scene.outage.start..until + 30_000).contains(*at);
        false_downs += told.iter().filter(is_false).count();
        // What begins and ends while nobody can be heard is history, and so it is agreed.
        let from = match scene.whose {
            None if scene.cut.contains(&scene.outage.start) => scene.cut.end,
            None if scene.cut.start < scene.outage.start + 60_000 => scene.cut.end,
            _ => scene.outage.start,
        };
        if told.is_empty() && scene.outage.end - from.max(scene.outage.start) > 90_000 {
            lost += 1;
        }
        assert!(told.len() <= 1, "one outage is one message: {told:?}");
        if let (Some(at), Some(_)) = (told.first(), scene.whose) {
            let by_three = at - scene.outage.start;
            scene.cut = 0..0;
            scene.phases.truncate(1);
            if let Some(at) = play(&scene, &single).first() {
                delays.push((by_three, at - scene.outage.start));
            }
        }
    }
    assert_eq!((false_downs, lost), (0, 0), "false and lost");
    assert!(delays.len() > 300, "{}", delays.len());
    let [three, one] = [|both: &(i64, i64)| both.0, |both: &(i64, i64)| both.1]
        .map(|of| delays.iter().map(of).sum::<i64>() / delays.len() as i64);
    assert!(three <= one, "{three} ms by three places, {one} ms by one");
}
