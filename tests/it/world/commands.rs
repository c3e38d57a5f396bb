//! Windows that a command holds, over a thousand deaths: none outlives its time, and what is down at its end is told.

use std::collections::BTreeMap;

use sitewatch::domain::notification::MailKind;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::alert::monitor::Order;
use sitewatch::policy::alert::ordered_windows::{Ends, OrderedWindow};

use super::config::{config, monitor, seconds};
use super::runs::{Dice, ids, in_memory, template};
use super::scene::{START, Script, Weather, World};

const LASTS_S: u64 = 20 * 60;

/// What a deploy is like.
#[derive(Debug)]
struct Deploy {
    from: Timestamp,
    until: Timestamp,
    /// What ends it before its time, and when.
    ends: Option<(Timestamp, Order)>,
    /// The site is down.
    down: std::ops::Range<Timestamp>,
}

impl Deploy {
    fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let from = START.plus(seconds(70 + dice.throw(120)));
        let length = 120 + dice.throw(400);
        let at = from.plus(seconds(1 + dice.throw(length - 1)));
        let order = match dice.throw(4) {
            0 => None,
            1 => Some(Order::CommandEnded { window: 1 }),
            2 => Some(Order::RunnerGone { window: 1 }),
            _ => Some(Order::EndMaintenance),
        };
        let fails = from
            .plus(seconds(dice.throw(length + 60)))
            .minus(seconds(60));
        Self {
            from,
            until: from.plus(seconds(length)),
            ends: order.map(|order| (at, order)),
            down: fails..fails.plus(seconds(30 + dice.throw(700))),
        }
    }

    /// Up to then nothing is told for certain.
    fn holds_until(&self) -> Timestamp {
        self.ends.as_ref().map_or(self.until, |(at, _)| *at)
    }

    /// From then on nothing is held for certain.
    fn is_over_at(&self) -> Timestamp {
        match &self.ends {
            Some((at, Order::CommandEnded { .. })) => {
                // The first good check that begins after it. The one at once is lost with a death: each minute one comes.
                let minute = (at.as_ms() + 59_999).div_euclid(60_000);
                let mut slots = (minute..).map(|minute| Timestamp::from_ms(minute * 60_000));
                let good = slots.find(|slot| !self.down.contains(slot));
                good.unwrap_or(Timestamp::MAX).min(self.until)
            }
            Some((at, _)) => *at,
            None => self.until,
        }
    }

    /// When it ends, where the site is down at that moment, and was for long enough to be sure.
    fn ends_down_at(&self) -> Option<Timestamp> {
        let end = match &self.ends {
            Some((at, Order::CommandEnded { .. })) if !self.down.contains(at) => return None,
            Some((_, Order::CommandEnded { .. })) | None => self.until,
            Some((at, _)) => *at,
        };
        let is_sure =
            self.down.start.plus(seconds(90)) <= end && end.plus(seconds(30)) < self.down.end;
        // What failed before it was told before it.
        (is_sure && self.down.start >= self.from).then_some(end)
    }

    fn world(&self, seed: u64, directory: &std::path::Path, kill_every: Option<u64>) -> World {
        let mut script = Script {
            weather: vec![BTreeMap::from([
                (self.down.start, Weather::Down(503)),
                (self.down.end, Weather::Up),
            ])],
            ..Script::default()
        };
        let window = OrderedWindow {
            id: 1,
            from: self.from,
            until: self.until,
            ends: Ends::WithCommand,
            note: None,
        };
        script
            .orders
            .insert(self.from, (0, Order::Maintain(window)));
        script.orders.extend(
            self.ends
                .iter()
                .map(|(at, order)| (*at, (0, order.clone()))),
        );
        let name = kill_every.map_or_else(|| "calm".to_owned(), |every| format!("kill-{every}"));
        let path = directory.join(format!("commands-{seed}-{name}.db"));
        let template = directory.join("template.db");
        World::new(
            &path,
            &template,
            config(vec![monitor("a")]),
            script,
            kill_every,
        )
    }

    /// Lives through it and looks again and again.
    fn keeps_the_promises(&self, world: &mut World, run: &str) {
        let mut was_open = false;
        for _ in 0..LASTS_S / 10 {
            world.run_for(seconds(10));
            let why = world.why(0);
            let window = why.holds.iter().find(|hold| hold.by == "window");
            was_open |= window.is_some();
            let is_over = world.now >= self.is_over_at();
            assert!(
                window.is_none() || !is_over,
                "{run} at {}: {:?}",
                world.now,
                why.holds
            );
            assert!(world.windows(0) == 0 || !is_over, "{run} at {}", world.now);
        }
        let is_down = |kind: MailKind| !matches!(kind, MailKind::Up | MailKind::WasDown);
        let told = world.delivered.iter().filter(|mail| is_down(mail.kind));
        for mail in told.clone() {
            let is_inside = self.from < mail.at && mail.at < self.holds_until();
            assert!(!is_inside, "{run}: {mail:?}");
        }
        if let Some(end) = self.ends_down_at() {
            assert!(was_open, "{run}: {:?}", world.why(0));
            let in_time = end..=end.plus(seconds(12));
            let downs =
                told.filter(|mail| mail.kind == MailKind::Down && in_time.contains(&mail.at));
            assert!(downs.count() >= 2, "{run}: {:#?}", world.delivered);
        }
    }
}

#[test]
fn no_window_of_a_command_outlives_its_time_over_a_thousand_deaths() {
    let directory = in_memory();
    template(directory.path());
    let (mut kills, mut ended_down) = (0, 0);
    for seed in 1..40 {
        let deploy = Deploy::of(seed);
        let mut calm = deploy.world(seed, directory.path(), None);
        deploy.keeps_the_promises(&mut calm, &format!("seed {seed}, {deploy:?}"));
        for every in [2 + seed % 3, 5 + seed % 4] {
            let mut killed = deploy.world(seed, directory.path(), Some(every));
            let run = format!("seed {seed}, killed at every operation {every}, {deploy:?}");
            deploy.keeps_the_promises(&mut killed, &run);
            // The check at once after a command's end is not made again after a death: fewer may have failed, and the
            // window may last longer.
            let keys = |world: &World| -> Vec<_> {
                world
                    .incidents()
                    .iter()
                    .map(|incident| incident.key)
                    .collect()
            };
            assert_eq!(keys(&calm), keys(&killed), "{run}");
            let is_by_check = matches!(&deploy.ends, Some((_, Order::CommandEnded { .. })));
            if !is_by_check {
                assert_eq!(ids(&calm.delivered), ids(&killed.delivered), "{run}");
            }
            kills += killed.kills;
        }
        ended_down += usize::from(deploy.ends_down_at().is_some());
    }
    assert!(
        kills >= 1000 && ended_down >= 5,
        "{kills} kills and {ended_down} windows that end while it is down are no test"
    );
}
