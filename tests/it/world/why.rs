//! `why` in every world: who was told nothing finds out what holds it, and what is said comes true.

use std::collections::BTreeSet;

use sitewatch::domain::notification::MailKind;
use sitewatch::policy::alert::state::ShownState;
use sitewatch::view::rows::MailRow;
use sitewatch::view::why::Why;

use super::config::seconds;
use super::runs::{in_memory, minutes, template, world};
use super::scene::World;

/// Worlds are looked at so often: at another second of the minute each time.
const EVERY_S: u64 = 31;

/// What `why` says of each monitor, against the outbox and the mailbox.
fn agrees(world: &World, run: &str, words: &mut BTreeSet<&'static str>) {
    for place in 0..3 {
        let why = world.why(place);
        let run = format!(
            "{run} at {}, monitor {place}: {} {:?}",
            world.now, why.reason, why.holds
        );
        words.extend(why.holds.iter().map(|hold| hold.by));
        assert!(why.complete, "{run}");
        let mut ends = why.holds.iter().filter_map(|hold| hold.until);
        assert!(
            ends.all(|until| until > world.now),
            "held until before: {run}"
        );
        let gave_up = why.incident.as_deref().is_some_and(|it| world.gave_up(it));
        assert!(
            gave_up || !is_silent(&why) || !why.holds.is_empty(),
            "silent, and nothing holds it: {run}"
        );
        for (to, kind) in world.waiting_about(place) {
            let is_named = why.holds.iter().any(|hold| hold.to.contains(&to));
            assert!(is_named, "{kind:?} to {to} waits without a word: {run}");
        }
        let told = why.told.iter().filter(|mail| mail.sent_at.is_some());
        for mail in told {
            let has_come = world
                .delivered
                .iter()
                .any(|one| one.message_id == mail.message_id && one.to.key() == mail.to);
            assert!(has_come, "{mail:?} never came: {run}");
        }
    }
}

/// Whether it is down and nobody was told.
fn is_silent(why: &Why) -> bool {
    let is_told = |mail: &MailRow| mail.sent_at.is_some() && mail.kind != MailKind::Up;
    why.state == ShownState::Down && !why.told.iter().any(is_told)
}

fn worlds(range: std::ops::Range<u64>) -> BTreeSet<&'static str> {
    let directory = in_memory();
    template(directory.path());
    let mut words = BTreeSet::new();
    for seed in range {
        let kill_every = Some(3 + seed % 23).filter(|_| seed % 2 == 0);
        let mut world = world(seed, directory.path(), kill_every);
        let run = format!("seed {seed}, deaths {kill_every:?}");
        for _ in 0..minutes(seed) * 60 / EVERY_S {
            world.run_for(seconds(EVERY_S));
            agrees(&world, &run, &mut words);
        }
    }
    words
}

#[test]
fn why_names_what_holds_a_message_in_every_world() {
    let words: BTreeSet<_> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..4)
            .map(|part| scope.spawn(move || worlds(part * 26..(part + 1) * 26)))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    });
    assert_eq!(
        words.into_iter().collect::<Vec<_>>(),
        [
            "ack",
            "digest",
            "flapping",
            "mute",
            "recipient",
            "threshold",
            "window"
        ]
    );
}
