//! Any mixture of events: what the scene itself asserts (one incident at a time, every close has its
//! open, no mail but a recovery's inside a window, never UP without DOWN, time goes on, the kept part
//! survives its JSON) holds, and a restart after every event changes nothing.

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
    "ack=20m",
    "escalate=25m/cto",
    "gone",
    "moved",
    "window(",
    ")window",
    "maintain=12m",
    "run=12m",
    "ran",
    "lost",
    "end",
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
    "confirm=1 reminder=7m escalate=10m/boss escalate=30m/boss,cto",
];

/// What a monitor of one location shows is left out: it tells also that nothing was heard for long.
const ALONE: &[&str] = EVENTS.split_last().unwrap().1;

proptest! {
    #![proptest_config(crate::cases::cases(10_000))]

    #[test]
    fn one_location_is_the_machine_without_locations(
        settings in prop::sample::select(SETTINGS),
        events in prop::collection::vec(prop::sample::select(ALONE), 1..60),
    ) {
        let events = events.join(" ");
        let (plain, alone) = (format!("{settings}; {events}"), format!("alone {settings}; {events}"));
        prop_assert_eq!(super::scene::run(&plain, false), super::scene::run(&alone, false));
    }
}

/// So many histories, of a few events each: what is held is named by `why`, as the scene asserts.
#[test]
fn why_names_the_hold_in_a_hundred_thousand_histories() {
    const HISTORIES: u64 = 100_000;
    const PARTS: u64 = 8;
    std::thread::scope(|scope| {
        for part in 0..PARTS {
            scope.spawn(move || {
                let mut dice: u64 = 20_261_130 + part;
                let mut throw = |bound: usize| {
                    // The generator of Java's Random: any that differs from part to part will do.
                    dice = (dice.wrapping_mul(0x5_DEEC_E66D) + 11) & ((1 << 48) - 1);
                    usize::try_from(dice >> 17).unwrap() % bound
                };
                for _ in 0..HISTORIES / PARTS {
                    let settings = SETTINGS[throw(SETTINGS.len())];
                    let events: Vec<&str> = (0..4 + throw(8))
                        .map(|_| EVENTS[throw(EVENTS.len())])
                        .collect();
                    super::scene::run(&format!("{settings}; {}", events.join(" ")), false);
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(crate::cases::cases(400))]

    #[test]
    fn keeps_the_promises(
        settings in prop::sample::select(SETTINGS),
        events in prop::collection::vec(prop::sample::select(EVENTS), 1..60),
    ) {
        let timeline = format!("{settings}; {}", events.join(" "));
        prop_assert_eq!(super::scene::run(&timeline, false), super::scene::run(&timeline, true));
    }
}
