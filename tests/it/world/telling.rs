//! Who else is told of an outage that lasts, and who is told at some hours only: by the notifier in virtual time, and
//! in worlds that die.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use sitewatch::config::Config;
use sitewatch::daemon::recorder::message::Entry;
use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::notification::{BurnWindow, MailKind, News, Notice};
use sitewatch::domain::settings::{Covers, Escalation, OpeningHours};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::domain::week::OpenTime;
use sitewatch::policy::alert::monitor::Order;
use sitewatch::policy::outbox::hours::Hours;

use super::config::{config, monitor, recipient, seconds};
use super::posting::{Post, later, near};
use super::runs::{Dice, ids, in_memory, never_up_without_down, script, template};
use super::scene::{START, Weather, World};

fn step(after_s: u64, to: &[&str]) -> Arc<Escalation> {
    Arc::new(Escalation {
        covers: Covers::All,
        after: seconds(after_s),
        to: to.iter().map(|to| recipient(to)).collect(),
    })
}

/// Worlds begin on a Sunday at 20:00 in UTC.
fn hours(entries: &[(&str, &[String])]) -> Hours {
    let entries = entries.iter().map(|(to, open)| OpeningHours {
        to: vec![recipient(to)],
        open: open
            .iter()
            .map(|line| OpenTime::parse(line).unwrap())
            .collect(),
    });
    Hours::new(entries.collect(), TimeZone::UTC)
}

/// So many sites whose news go to ops.
fn ops_only(sites: usize) -> Config {
    let names = (1..=sites).map(|number| monitor(&format!("site-{number}")));
    let mut config = config(names.collect());
    config.alerts.reminder = None;
    for monitor in &mut config.monitors {
        Arc::make_mut(&mut Arc::make_mut(monitor).rules).to = vec![recipient("ops@example.com")];
    }
    config
}

/// `ops@example.com [DOWN 503] site-1`
fn came_to(post: &Post) -> Vec<String> {
    let delivered = post.memory.delivered();
    let mails = delivered.iter();
    mails
        .map(|(to, mail)| format!("{} {}", to.mailbox(), mail.rendered.subject))
        .collect()
}

fn rise(post: &Post, site: i64) {
    for _ in 0..2 {
        post.check(site, Weather::Up);
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_outside_of_the_hours_is_one_message_at_their_begin() {
    let mut config = ops_only(3);
    config.hours = hours(&[("ops@example.com", &["Sun 20:05-21:00".to_owned()])]);
    let mut post = Post::of(config);
    post.fail(1..=2);
    near(&post.run(60).await, &[]);
    rise(&post, 1);
    post.door.push(Entry::Say {
        notice: Box::new(Notice {
            about: None,
            news: News::Trouble {
                what: "disk".to_owned(),
                detail: "It is full.".to_owned(),
            },
            decided_at: post.clock.now(),
        }),
        to: None,
    });
    near(&post.run(60).await, &[]);
    let waiting = |post: &Post| {
        post.health
            .mails_for_hours
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    assert_eq!(waiting(&post), 4);
    // Nobody is to blame that they wait: the heartbeat goes on.
    assert_eq!(post.health.mail_ages().0, None);
    // A person cannot hurry it, and is told why.
    let said = format!("{:?}", post.notifier.clone().retry().await);
    assert!(
        said.contains("4 mails wait for the opening hours of the recipients"),
        "{said}"
    );
    near(&post.run(170).await, &[]);
    near(&post.run(60).await, &[300]);
    let came = post.came();
    assert_eq!(came.len(), 1, "{came:?}");
    for wanted in ["[1 DOWN", "; 1 WAS DOWN", "; 1 TROUBLE", "] sitewatch on "] {
        assert!(came[0].contains(wanted), "{came:?}");
    }
    let (_, mail) = &post.memory.delivered()[0];
    for wanted in ["It is full.", "opening hours of its recipient"] {
        let text = mail.rendered.text.replace('\n', " ");
        assert!(text.contains(wanted), "{text}");
    }
    assert_eq!(waiting(&post), 0);
    // From then on as ever: it has the cause of the digest, and collects after it.
    post.fail(3..=3);
    near(&post.run(120).await, &[360]);
}

#[tokio::test(start_paused = true)]
async fn one_thing_that_waited_is_the_plain_mail_and_the_end_of_the_hours_holds_the_next() {
    let mut config = ops_only(2);
    config.hours = hours(&[("ops@example.com", &["20:02-20:04".to_owned()])]);
    let mut post = Post::of(config);
    post.fail(1..=1);
    near(&post.run(200).await, &[120]);
    assert_eq!(post.came(), ["[DOWN 503] site-1"]);
    // Decided inside of the hours, due outside of them.
    near(&post.run(34).await, &[]);
    post.fail(2..=2);
    near(&post.run(300).await, &[]);
    assert_eq!(post.states(), ["down sent", "down waiting"]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_changes_the_hours_at_once() {
    let mut config = ops_only(1);
    config.hours = hours(&[("ops@example.com", &["Mon 08:00-09:00".to_owned()])]);
    let mut post = Post::of(config);
    post.fail(1..=1);
    post.run(30).await;
    assert_eq!(post.states(), ["down waiting"]);
    let mut opened = Config::clone(&post.config);
    opened.hours = Hours::default();
    post.notifier.reconfigure(Arc::new(opened));
    post.run(5).await;
    assert_eq!(post.states(), ["down sent"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_lasts_is_told_to_more_people_and_so_is_its_end() {
    let mut config = ops_only(1);
    config.escalation = vec![step(60, &["boss@example.com"])];
    let mut post = Post::of(config);
    post.fail(1..=1);
    near(&post.run(100).await, &[10, 70]);
    rise(&post, 1);
    post.run(30).await;
    let mut came = came_to(&post);
    for up in &mut came[2..] {
        up.truncate(up.find(" after").unwrap());
    }
    came[2..].sort();
    assert_eq!(
        came,
        [
            "ops@example.com [DOWN 503] site-1",
            "boss@example.com [ESCALATED 1m] site-1",
            "boss@example.com [UP",
            "ops@example.com [UP",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_escalation_stands_in_place_of_a_reminder() {
    let mut config = ops_only(1);
    config.alerts.reminder = Some(seconds(65));
    config.escalation = vec![step(60, &["ops@example.com"])];
    let mut post = Post::of(config);
    post.fail(1..=1);
    near(&post.run(120).await, &[10, 70]);
    assert_eq!(post.came()[1], "[ESCALATED 1m] site-1");
    let mut states = post.states();
    states.sort();
    assert_eq!(
        states,
        ["down sent", "escalated sent", "still_down dropped"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_at_the_last_moment_stops_what_has_not_left() {
    let mut config = ops_only(1);
    config.escalation = vec![step(60, &["boss@example.com"])];
    let mut post = Post::of(config);
    post.fail(1..=1);
    near(&post.run(65).await, &[10]);
    assert_eq!(post.states(), ["down sent", "escalated waiting"]);
    let until = post.clock.now().plus(seconds(55));
    post.order(
        1,
        Order::Ack {
            until: Some(until),
            note: None,
        },
    );
    near(&post.run(50).await, &[]);
    assert_eq!(post.states(), ["down sent", "escalated dropped"]);
    // Its end lets it go on.
    near(&post.run(60).await, &[130]);
    assert_eq!(
        came_to(&post)[1..],
        ["boss@example.com [ESCALATED 1m] site-1"]
    );
    // Acknowledged to the end of the outage, nobody else hears of it, nor of its end.
    rise(&post, 1);
    post.run(60).await;
    post.fail(1..=1);
    post.run(30).await;
    post.order(
        1,
        Order::Ack {
            until: None,
            note: None,
        },
    );
    post.run(300).await;
    rise(&post, 1);
    post.run(60).await;
    let to_boss = came_to(&post);
    let to_boss = to_boss.iter().filter(|line| line.starts_with("boss@"));
    assert_eq!(to_boss.count(), 2, "{:?}", came_to(&post));
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_of_what_left_or_may_have_left_stops_nothing() {
    let mut config = ops_only(1);
    config.escalation = vec![step(60, &["boss@example.com", "cto@example.com"])];
    let mut post = Post::of(config);
    post.fail(1..=1);
    near(&post.run(40).await, &[10]);
    // One of the two is put off by the server: only that one is stopped, and told at the end of the acknowledgement.
    post.memory.script([later()]);
    near(&post.run(32).await, &[70, 70]);
    let until = post.clock.now().plus(seconds(60));
    post.order(
        1,
        Order::Ack {
            until: Some(until),
            note: None,
        },
    );
    near(&post.run(55).await, &[]);
    near(&post.run(60).await, &[142]);
    let escalated: BTreeSet<String> = came_to(&post)[1..].iter().cloned().collect();
    assert_eq!(
        escalated.into_iter().collect::<Vec<_>>(),
        [
            "boss@example.com [ESCALATED 1m] site-1",
            "cto@example.com [ESCALATED 1m] site-1"
        ]
    );
    assert_eq!(post.came().len(), 3, "{:?}", post.came());
}

#[tokio::test(start_paused = true)]
async fn a_storm_escalates_as_one_digest() {
    let mut config = ops_only(8);
    config.escalation = vec![step(60, &["boss@example.com"])];
    let mut post = Post::of(config);
    post.fail(1..=8);
    near(&post.run(200).await, &[10, 70]);
    let came = came_to(&post);
    assert!(came[0].starts_with("ops@example.com [8 DOWN: "), "{came:?}");
    assert!(
        came[1].starts_with("boss@example.com [8 ESCALATED: "),
        "{came:?}"
    );
    assert!(post.states().iter().all(|state| state.ends_with(" sent")));
}

/// An outage that has nothing to do with a storm does not wait for what the storm's digest collects.
#[tokio::test(start_paused = true)]
async fn another_outage_in_the_middle_of_a_storm_is_told_at_once() {
    let mut post = Post::of(ops_only(60));
    post.fail(1..=20);
    near(&post.run(20).await, &[10]);
    // The storm goes on, and one site fails in its own way.
    post.fail(21..=50);
    near(&post.run(10).await, &[]);
    for _ in 0..3 {
        post.check(60, Weather::Down(500));
    }
    // It is confirmed at 30.
    near(&post.run(60).await, &[40, 70]);
    let came = post.came();
    assert_eq!(came[1], "[DOWN 500] site-60");
    assert!(came[2].starts_with("[30 DOWN: "), "{came:?}");
    assert_eq!(came.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_burns_outside_of_the_hours_is_told_with_all_else_at_their_begin() {
    let mut config = ops_only(2);
    config.hours = hours(&[("ops@example.com", &["Sun 20:05-21:00".to_owned()])]);
    let mut post = Post::of(config);
    let window = |length_s: u64| BurnWindow {
        length: seconds(length_s),
        times: 16.7,
        coverage_percent: 100.0,
    };
    let burn = || Entry::Say {
        notice: Box::new(Notice {
            about: None,
            news: News::Burn {
                objective: "Shop".to_owned(),
                target_percent: 99.9,
                period: "30d".to_owned(),
                long: window(3600),
                short: window(300),
                worst: vec![MonitorName::parse("site-1").unwrap()],
            },
            decided_at: post.clock.now(),
        }),
        to: None,
    };
    post.fail(1..=1);
    post.door.push(burn());
    near(&post.run(280).await, &[]);
    near(&post.run(60).await, &[300]);
    let came = post.came();
    assert_eq!(came.len(), 1, "{came:?}");
    assert!(
        came[0].starts_with("[1 DOWN: site-1; 1 BURN: Shop]"),
        "{came:?}"
    );
    let (_, mail) = &post.memory.delivered()[0];
    let words: Vec<&str> = mail.rendered.text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(
        text.contains("its error budget was burning too fast"),
        "{text}"
    );
    assert!(post.states().iter().all(|state| state.ends_with(" sent")));
}

/// How long a world is watched: until everybody's last hours begin, and a while after.
const LASTS_S: u64 = 27 * 60;

fn telling(seed: u64) -> Config {
    let mut dice = Dice(seed.rotate_left(17));
    let mut config = config(vec![monitor("a"), monitor("b"), monitor("c")]);
    let mut times = || -> Vec<String> {
        let mut lines = vec!["20:22-21:00".to_owned()];
        for _ in 0..dice.throw(3) {
            let from = dice.throw(18);
            let until = from + 1 + dice.throw(4);
            lines.push(format!("20:{from:02}-20:{until:02}"));
        }
        lines
    };
    let (boss, night) = (times(), times());
    config.hours = hours(&[
        ("boss@example.com", boss.as_slice()),
        ("night@example.com", night.as_slice()),
    ]);
    config.alerts.reminder = Some(seconds(120));
    let mut dice = Dice(!seed);
    config.escalation = vec![
        step(
            60 + dice.throw(120),
            &["night@example.com", "boss@example.com"],
        ),
        step(
            150 + dice.throw(200),
            &["cto@example.com", "ops@example.com"],
        ),
        step(400, &["night@example.com"]),
    ];
    config
}

fn world(seed: u64, directory: &Path, kill_every: Option<u64>) -> World {
    let name = kill_every.map_or_else(|| "calm".to_owned(), |every| format!("kill-{every}"));
    let path = directory.join(format!("telling-{seed}-{name}.db"));
    let mut script = script(seed);
    // A server that takes everything: what is told can be compared with what was decided.
    (script.refused, script.unanswered) = (0, 0);
    let mut dice = Dice(seed ^ 0xAC);
    for _ in 0..dice.throw(4) {
        let at = START.plus(seconds(60 + dice.throw(800)));
        let until = Some(at.plus(seconds(30 + dice.throw(200)))).filter(|_| dice.throw(3) > 0);
        let place = usize::try_from(dice.throw(3)).unwrap();
        let order = Order::Ack { until, note: None };
        script.orders.insert(at, (place, order));
    }
    let template = directory.join("template.db");
    let mut world = World::new(&path, &template, telling(seed), script, kill_every);
    world.run_for(seconds(LASTS_S));
    world
}

/// What each mail tells, as what was decided is called, and how often.
fn told(world: &World) -> BTreeMap<String, u32> {
    let mut told = BTreeMap::new();
    for mail in &world.delivered {
        for (kind, incident) in &mail.tells {
            let Some(incident) = incident else { continue };
            let name = format!("{} {} {incident}", kind.as_str(), mail.to.key());
            *told.entry(name).or_default() += 1;
        }
    }
    told
}

/// Nobody outside their hours is told, and what is told is what was decided, each once.
fn keeps_the_promises(world: &World, config: &Config, run: &str) {
    for mail in &world.delivered {
        let to = mail.to.key();
        let closed = config.hours.closed_until(to, mail.at);
        assert_eq!(closed, None, "{run}: {to} was told at {}", mail.at);
    }
    never_up_without_down(&world.delivered);
    let end = START.plus(seconds(LASTS_S));
    let mut decided: BTreeMap<String, u32> = BTreeMap::new();
    for (name, at, has_left) in world.decided() {
        // What was decided just now waits for company, or collects.
        let is_late = end.since(at) > seconds(100);
        assert!(has_left || !is_late, "{run}: {name} of {at} has not left");
        if has_left {
            *decided.entry(name).or_default() += 1;
        }
    }
    let told = told(world);
    let differ: Vec<_> = decided
        .keys()
        .chain(told.keys())
        .filter(|name| decided.get(*name) != told.get(*name))
        .collect();
    // A mail that was on its way at a death comes once more, as the same mail.
    let kills = world.kills > 0;
    let is_repeat =
        |name: &&String| kills && decided.contains_key(*name) && told.contains_key(*name);
    let differ: Vec<_> = differ.into_iter().filter(|name| !is_repeat(name)).collect();
    assert!(differ.is_empty(), "{run}: {differ:?}");
}

#[test]
fn nobody_is_told_outside_their_hours_and_all_that_was_decided_is_told_over_any_death() {
    let directory = in_memory();
    template(directory.path());
    let (mut escalated, mut held, mut kills) = (0, 0, 0);
    for seed in 1..13 {
        let config = telling(seed);
        let calm = world(seed, directory.path(), None);
        keeps_the_promises(&calm, &config, &format!("seed {seed}"));
        let kind = |kind| calm.delivered.iter().filter(move |mail| mail.kind == kind);
        escalated += kind(MailKind::Escalated).count();
        held += kind(MailKind::Digest).count();
        for death in 0..4 {
            let every = 2 + death * 9 + seed % 11;
            let killed = world(seed, directory.path(), Some(every));
            let run = format!("seed {seed}, killed at every operation {every}");
            assert_eq!(calm.incidents(), killed.incidents(), "{run}");
            assert_eq!(calm.dump(), killed.dump(), "{run}");
            assert_eq!(ids(&calm.delivered), ids(&killed.delivered), "{run}");
            keeps_the_promises(&killed, &config, &run);
            kills += killed.kills;
        }
    }
    assert!(
        escalated > 5 && held > 5 && kills > 500,
        "{escalated} escalations, {held} digests and {kills} kills are no test"
    );
}

/// The same step never comes twice to anybody, and none comes before its time or during an acknowledgement.
#[test]
fn steps_come_in_their_time() {
    let directory = in_memory();
    template(directory.path());
    let mut steps = 0;
    for seed in 105..120 {
        let world = world(seed, directory.path(), None);
        let config = telling(seed);
        let first = config
            .escalation
            .iter()
            .map(|step| step.after)
            .min()
            .unwrap();
        for mail in &world.delivered {
            for (kind, incident) in &mail.tells {
                if let (MailKind::Escalated, Some(incident)) = (kind, incident) {
                    let due: Timestamp = incident.opened_at.plus(first);
                    assert!(due <= mail.at, "seed {seed}: {mail:?}");
                    steps += 1;
                }
            }
        }
    }
    assert!(steps > 10, "{steps} steps are no test");
}
