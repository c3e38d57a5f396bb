//! What must hold in every world, however often it dies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use sitewatch::domain::channel::{Channel, ChannelName, Format};
use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::notification::MailKind;
use sitewatch::domain::settings::{Covers, Maintenance, MaintenanceTime};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::alert::monitor::Order;
use sitewatch::store::writer::Store;

use super::config::{config, monitor, recipient, seconds};
use crate::channels::channel;

use super::scene::{Delivered, START, Script, Weather, World};

/// A small generator: the same numbers on every machine.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// Below `bound`.
    pub(super) fn throw(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

const MONITORS: usize = 3;

/// How long a world lasts: mostly short, now and then long enough for flapping to end.
pub(super) const fn minutes(seed: u64) -> u64 {
    if seed.is_multiple_of(26) { 75 } else { 14 }
}

pub(super) fn script(seed: u64) -> Script {
    let mut dice = Dice(seed);
    let mut script = Script {
        refused: dice.throw(3),
        unanswered: dice.throw(3),
        ..Script::default()
    };
    for _ in 0..MONITORS {
        let mut weather = BTreeMap::new();
        let mut at = START;
        while at < START.plus(seconds(minutes(seed) * 60)) {
            let (now, longest) = match dice.throw(8) {
                0..4 => (Weather::Up, 300),
                4 | 5 => (Weather::Down(503), 300),
                6 => (Weather::Slow, 300),
                _ => (Weather::Unknown, 100),
            };
            weather.insert(at, now);
            at = at.plus(seconds(5 + dice.throw(longest)));
        }
        script.weather.push(weather);
    }
    for _ in 0..dice.throw(5) {
        let at = START.plus(seconds(dice.throw(minutes(seed) * 60)));
        let order = match dice.throw(6) {
            0 => Order::Pause,
            1 | 2 => Order::Resume,
            3 => Order::Mute {
                until: at.plus(seconds(300)),
            },
            4 => Order::Unmute,
            _ => Order::Ack {
                until: None,
                note: None,
            },
        };
        let place = usize::try_from(dice.throw(3)).unwrap();
        script.orders.insert(at, (place, order));
    }
    script
}

pub(super) fn world(seed: u64, directory: &Path, kill_every: Option<u64>) -> World {
    let mut dice = Dice(!seed);
    let mut config = config(vec![monitor("a"), monitor("b"), monitor("c")]);
    let start = START.plus(seconds(dice.throw(1200)));
    config.maintenance.push(Maintenance {
        note: "".into(),
        covers: Covers::Some {
            monitors: vec![MonitorName::parse("c").unwrap()],
            tags: Vec::new(),
        },
        when: MaintenanceTime::Once {
            start,
            end: start.plus(seconds(60 + dice.throw(900))),
        },
    });
    let name = kill_every.map_or_else(|| "calm".to_owned(), |every| format!("kill-{every}"));
    let path = directory.join(format!("{seed}-{name}.db"));
    let template = directory.join("template.db");
    World::new(&path, &template, config, script(seed), kill_every)
}

/// The random number of every database here. The dice of the mail server fall by Message-ID, which is made with it:
/// with another number each run would tell another story.
const DATABASE_ID: &str = "5169f4a2c38e07d15169f4a2c38e07d1";

pub(super) fn template(directory: &Path) {
    let path = directory.join("template.db");
    drop(Store::open(&path, Timestamp::from_ms(0)).unwrap());
    let numbered = rusqlite::Connection::open(&path).unwrap().execute(
        "UPDATE meta SET value = ?1 WHERE key = 'database_id'",
        [DATABASE_ID],
    );
    assert_eq!(numbered, Ok(1));
}

/// Nobody hears of an end who did not hear of the beginning.
pub(super) fn never_up_without_down(delivered: &[Delivered]) {
    let mut told = BTreeSet::new();
    for mail in delivered {
        for (kind, incident) in &mail.tells {
            match (kind, incident) {
                (
                    MailKind::Down | MailKind::StillDown | MailKind::Escalated | MailKind::Flapping,
                    Some(incident),
                ) => {
                    told.insert((mail.to.clone(), *incident));
                }
                (MailKind::Up, Some(incident)) => {
                    assert!(
                        told.contains(&(mail.to.clone(), *incident)),
                        "UP without DOWN: {mail:?}"
                    );
                }
                _ => {}
            }
        }
    }
}

pub(super) fn ids(delivered: &[Delivered]) -> BTreeSet<(String, String)> {
    let ids = delivered.iter();
    ids.map(|mail| (mail.message_id.clone(), mail.to.to_string()))
        .collect()
}

pub(super) fn in_memory() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    let made = shared.is_dir().then(|| tempfile::tempdir_in(shared).ok());
    made.flatten()
        .unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// How many different deaths each seed is run with.
const DEATHS: u64 = 10;

/// Every seed once without a death, and ten times with one at every k-th operation, k from 2 to 58: the
/// same incidents, the same states, the same mails with the same Message-IDs.
fn seeds(range: std::ops::Range<u64>) {
    let directory = in_memory();
    template(directory.path());
    let (mut kills, mut mails, mut incidents) = (0, 0, 0);
    for seed in range {
        let mut calm = world(seed, directory.path(), None);
        calm.run_for(seconds(minutes(seed) * 60));
        never_up_without_down(&calm.delivered);
        assert_eq!(calm.replayed(), calm.dump().0, "seed {seed}, replayed");
        mails += calm.delivered.len();
        incidents += calm.incidents().len();
        for death in 0..DEATHS {
            let every = 2 + death * 5 + seed % 12;
            let mut killed = world(seed, directory.path(), Some(every));
            killed.run_for(seconds(minutes(seed) * 60));
            let run = format!("seed {seed}, killed at every operation {every}");
            assert_eq!(calm.incidents(), killed.incidents(), "{run}");
            assert_eq!(calm.dump(), killed.dump(), "{run}");
            assert_eq!(ids(&calm.delivered), ids(&killed.delivered), "{run}");
            never_up_without_down(&killed.delivered);
            kills += killed.kills;
        }
        for file in std::fs::read_dir(directory.path()).unwrap() {
            let path = file.unwrap().path();
            if !path.ends_with("template.db") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    assert!(
        kills > 1000 && mails > 100 && incidents > 30,
        "{kills} kills, {mails} mails and {incidents} incidents are no test"
    );
}

#[test]
fn a_world_that_dies_is_like_one_that_does_not() {
    std::thread::scope(|scope| {
        for part in 0..4 {
            scope.spawn(move || seeds(part * 26..(part + 1) * 26));
        }
    });
}

/// Who dies also in the middle of a conversation that comes to nothing does not know what came of it. Then mails
/// may be merged otherwise, but what is decided is the same, nothing comes more than three times, nothing is lost.
#[test]
fn deaths_in_mid_conversation_repeat_a_mail_at_most_twice() {
    let directory = in_memory();
    template(directory.path());
    let mut repeated = 0;
    for seed in 2000..2040 {
        let decided = |world: &World| {
            let mut mails = world.dump().1;
            mails.retain(|mail| !mail.contains(" digest ") && !mail.contains(" was_down "));
            mails
        };
        let mut calm = world(seed, directory.path(), None);
        calm.run_for(seconds(minutes(seed) * 60));
        let mut killed = world(seed, directory.path(), Some(2 + seed % 7));
        killed.reckless = true;
        killed.run_for(seconds(minutes(seed) * 60));
        assert_eq!(calm.incidents(), killed.incidents(), "seed {seed}");
        assert_eq!(decided(&calm), decided(&killed), "seed {seed}");
        never_up_without_down(&killed.delivered);
        let mut times: BTreeMap<(String, String), u32> = BTreeMap::new();
        for mail in &killed.delivered {
            let key = (mail.message_id.clone(), mail.to.to_string());
            *times.entry(key).or_default() += 1;
        }
        let most = times.values().max().copied().unwrap_or(0);
        assert!(most <= 3, "seed {seed}: a mail came {most} times");
        repeated += times.values().filter(|times| **times > 1).count();
        assert_eq!(killed.lost(), 0, "seed {seed}");
    }
    assert!(repeated > 20, "{repeated} repeats are no test");
}

/// A world that tells by mail, by a chat and by a service that holds incidents.
fn world_with_channels(seed: u64, directory: &Path, kill_every: u64) -> World {
    let mut config = config(vec![monitor("a"), monitor("b"), monitor("c")]);
    config.channels = [("chat", Format::Json), ("pager", Format::Pagerduty)]
        .map(|(name, format)| {
            let name = ChannelName::parse(name).unwrap();
            Arc::new(Channel {
                name,
                ..channel::of(format)
            })
        })
        .into();
    for monitor in &mut config.monitors {
        Arc::make_mut(&mut Arc::make_mut(monitor).rules).to =
            ["ops@example.com", "chat", "pager"].map(recipient).into();
    }
    let mut script = script(seed);
    let end = START.plus(seconds(minutes(seed) * 60));
    script.turns_until = Some(end);
    // Then all is well, for as long as the longest wait.
    for weather in &mut script.weather {
        weather.insert(end, Weather::Up);
    }
    // A monitor that is paused while down ends its incident without an UP.
    script.orders.retain(|_, (_, order)| *order != Order::Pause);
    let path = directory.join(format!("{seed}-channels.db"));
    let template = directory.join("template.db");
    let mut world = World::new(&path, &template, config, script, Some(kill_every));
    world.reckless = true;
    world.note_channels();
    world
}

/// What the receivers of a world got, after its end.
fn nothing_lost_or_doubled(world: &World, run: &str) {
    assert_eq!((world.lost(), world.waiting()), (0, 0), "{run}");
    never_up_without_down(&world.delivered);
    let mut times: BTreeMap<(String, String), u32> = BTreeMap::new();
    let mut tellers: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for mail in &world.delivered {
        let key = (mail.message_id.clone(), mail.to.key().to_owned());
        *times.entry(key).or_default() += 1;
        for (kind, incident) in &mail.tells {
            if matches!(kind, MailKind::Down | MailKind::Up) {
                let told = (mail.to.key(), kind.as_str(), *incident);
                tellers.entry(told).or_default().insert(&mail.message_id);
            }
        }
    }
    for (key, times) in times {
        let unknown = world.unknown.get(&key).copied().unwrap_or(0);
        assert!(
            times <= 1 + unknown.min(2),
            "{run}: {key:?} came {times} times"
        );
    }
    for (told, tellers) in tellers {
        assert_eq!(tellers.len(), 1, "{run}: {told:?} was told by {tellers:?}");
    }
    // What the pager opened is closed.
    let by_pager = |kind: MailKind| -> BTreeSet<_> {
        let mails = world.delivered.iter();
        mails
            .filter(|mail| mail.to.key() == "pager")
            .flat_map(|mail| &mail.tells)
            .filter(|(of, _)| *of == kind)
            .map(|(_, incident)| *incident)
            .collect()
    };
    let open = world.incidents().into_iter();
    let open = open.filter(|incident| incident.closed_at.is_none());
    assert_eq!(open.count(), 0, "{run}");
    let (downs, ups) = (by_pager(MailKind::Down), by_pager(MailKind::Up));
    let left: Vec<_> = downs.difference(&ups).collect();
    assert!(left.is_empty(), "{run}: never closed: {left:?}");
}

/// A thousand deaths while the services of two channels refuse, hang, hang up and answer 500, 429 and 410 by turns.
#[test]
fn a_thousand_deaths_with_mail_and_two_channels() {
    let directory = in_memory();
    template(directory.path());
    let (mut kills, mut by_channels, mut repeats) = (0, 0, 0);
    for seed in 3000..3030 {
        let every = 3 + seed % 11;
        let mut world = world_with_channels(seed, directory.path(), every);
        world.run_for(seconds(minutes(seed) * 60 + 2 * 3600));
        nothing_lost_or_doubled(
            &world,
            &format!("seed {seed}, killed at every operation {every}"),
        );
        kills += world.kills;
        let by_channel = |mail: &&Delivered| mail.to.channel().is_some();
        by_channels += world.delivered.iter().filter(by_channel).count();
        repeats += world.unknown.len();
    }
    assert!(
        kills >= 1000 && by_channels > 200 && repeats > 50,
        "{kills} kills, {by_channels} messages and {repeats} unknown outcomes are no test"
    );
}

/// With parents a death may cost or bring a check, so the runs differ; what must hold in each of them holds:
/// incidents of a monitor follow one another, and nobody hears of an end without its beginning.
#[test]
fn families_that_die_keep_the_promises() {
    let directory = in_memory();
    template(directory.path());
    for seed in 1000..1060 {
        let mut monitors = vec![monitor("a"), monitor("b"), monitor("c")];
        for child in &mut monitors[1..] {
            child.depends_on = [MonitorName::parse("a").unwrap()].into();
        }
        let path = directory.path().join(format!("{seed}.db"));
        let template = directory.path().join("template.db");
        let every = Some(2 + seed % 37);
        let mut world = World::new(&path, &template, config(monitors), script(seed), every);
        world.run_for(seconds(minutes(seed) * 60));
        never_up_without_down(&world.delivered);
        let mut ends = BTreeMap::new();
        for incident in world.incidents().iter().rev() {
            let key = incident.key;
            if let Some(end) = ends.insert(key.monitor, incident.closed_at) {
                let end: Option<Timestamp> = end;
                assert!(
                    end.is_some_and(|end| end <= key.opened_at),
                    "seed {seed}: an incident began before the one before it ended"
                );
            }
        }
    }
}

/// A dead router in front of 500 sites: nobody gets more than two mails in the first five minutes, and
/// with the router as their parent only the one about it.
#[test]
fn a_storm_is_one_digest() {
    let directory = in_memory();
    template(directory.path());
    for with_parent in [false, true] {
        let sites = 500;
        let mut monitors = vec![monitor("router")];
        for number in 0..sites {
            let mut site = monitor(&format!("site-{number}"));
            if with_parent {
                site.depends_on = [MonitorName::parse("router").unwrap()].into();
            }
            monitors.push(site);
        }
        let down = BTreeMap::from([(START.plus(seconds(30)), Weather::Down(502))]);
        let script = Script {
            weather: vec![down; monitors.len()],
            ..Script::default()
        };
        let path = directory.path().join(format!("storm-{with_parent}.db"));
        let template = directory.path().join("template.db");
        let mut world = World::new(&path, &template, config(monitors), script, None);
        world.run_for(seconds(30 + 300));
        assert_eq!(world.incidents().len(), sites + 1);
        for to in ["ops@example.com", "boss@example.com"] {
            let delivered = world.delivered.iter().filter(|mail| mail.to.key() == to);
            let delivered: Vec<(MailKind, usize)> = delivered
                .map(|mail| (mail.kind, mail.tells.len()))
                .collect();
            let expected = if with_parent {
                vec![(MailKind::Down, 1)]
            } else {
                vec![(MailKind::Digest, sites + 1)]
            };
            assert_eq!(delivered, expected, "{to}");
        }
    }
}
