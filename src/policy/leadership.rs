//! Which of two hubs leads. Both write into one log, and an entry counts only if it follows the one that its writer
//! knew as the newest: so the hub whose entry is the newest leads, and one that was overtaken notices it when it
//! writes. No clock is compared with another; a clock only says how long a hub that follows waits.

use std::time::Duration;

use crate::domain::hub_copy::HubCopy;

/// A leader writes at least so often, also where it has nothing to say.
pub const BEAT_EVERY: Duration = Duration::from_secs(2);
/// A leader that wrote nothing for so long is taken to be gone by a hub that has a whole copy.
pub const SILENT_AFTER: Duration = Duration::from_secs(15);
/// A log without any entry may be one that lost its disk: a leader writes into it again when it is connected.
pub const LOST_AFTER: Duration = Duration::from_secs(30);
/// Who has no whole copy leaves it so long to one that has: watching goes before remembering then.
pub const ALONE_AFTER: Duration = Duration::from_secs(45);
/// Between two looks at the log no more than this counts as silence: we may have stood still ourselves.
const LOOK_COUNTS: Duration = Duration::from_secs(6);

/// The newest entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Its number.
    pub number: u64,
    /// The process that wrote it.
    pub boot: u64,
    /// The leadership that it belongs to.
    pub term: u64,
    /// The newest change that the log has.
    pub position: i64,
    /// Whether its writer ended in order.
    pub is_end: bool,
}

/// What the log says to a hub that leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It leads.
    Leads,
    /// The log knows nothing of this leadership, and of none after it: it lost what it had.
    Forgotten,
    /// Another hub leads.
    Overtaken,
}

/// What the newest entry means to the process `boot`, which leads in `term`.
pub fn standing(term: u64, boot: u64, tail: Option<&Tail>) -> Standing {
    match tail {
        Some(tail) if tail.boot == boot => Standing::Leads,
        Some(tail) if tail.term >= term => Standing::Overtaken,
        Some(_) | None => Standing::Forgotten,
    }
}

/// For how long the log has been silent, as a hub that follows saw it.
#[derive(Debug, Clone, Default)]
pub struct Silence {
    newest: Option<u64>,
    lasts: Duration,
    looked_at: Option<Duration>,
}

impl Silence {
    /// The log was looked at: its newest entry, and when by a clock that only goes forward. Answers how long it has
    /// been silent.
    pub fn looked(&mut self, newest: Option<u64>, at: Duration) -> Duration {
        let since = self.looked_at.map(|before| at.saturating_sub(before));
        self.looked_at = Some(at);
        if self.newest == newest {
            self.lasts += since.unwrap_or_default().min(LOOK_COUNTS);
        } else {
            self.newest = newest;
            self.lasts = Duration::ZERO;
        }
        self.lasts
    }

    /// The log could not be looked at: what it says now is not known.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// What a hub has that does not lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Have {
    /// A database in which no hub ever led.
    Nothing,
    /// A copy that may lack something of what the log has or had.
    Part(HubCopy),
    /// A copy that has everything up to the newest entry.
    Whole(HubCopy),
}

/// What a hub does that does not lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Waits.
    Wait,
    /// Takes a copy of the leader's database.
    TakeCopy,
    /// Leads from the entry on that it writes behind `after`, if nobody wrote one before.
    Lead {
        /// The number of the entry before; 0 for none.
        after: u64,
        /// The number of its leadership.
        term: u64,
    },
}

/// What to do, `silent` after the log's newest entry. `is_standby` hubs never begin the first leadership.
pub fn decide(have: &Have, is_standby: bool, tail: Option<&Tail>, silent: Duration) -> Deed {
    let known = match have {
        Have::Nothing => None,
        Have::Part(copy) | Have::Whole(copy) => Some(copy),
    };
    let lead = || Deed::Lead {
        after: tail.map_or(0, |tail| tail.number),
        term: 1 + tail
            .map_or(0, |tail| tail.term)
            .max(known.map_or(0, |copy| copy.term)),
    };
    let wrote_it = |copy: &HubCopy| match tail {
        Some(tail) => copy.leads && copy.boot == tail.boot,
        None => copy.leads,
    };
    // Our former process led last, and nobody since.
    if known.is_some_and(wrote_it) {
        return lead();
    }
    let Some(tail) = tail else {
        return match known {
            None if is_standby => Deed::Wait,
            None => lead(),
            Some(_) if silent >= LOST_AFTER => lead(),
            Some(_) => Deed::Wait,
        };
    };
    match have {
        Have::Whole(_) if tail.is_end || silent >= SILENT_AFTER => lead(),
        Have::Whole(_) => Deed::Wait,
        Have::Nothing if is_standby && silent >= SILENT_AFTER => Deed::Wait,
        Have::Nothing | Have::Part(_) if silent >= ALONE_AFTER => lead(),
        Have::Nothing | Have::Part(_) if silent >= SILENT_AFTER || tail.is_end => Deed::Wait,
        Have::Nothing | Have::Part(_) => Deed::TakeCopy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(term: u64, boot: u64, leads: bool) -> HubCopy {
        HubCopy {
            term,
            boot,
            position: 10,
            number: 5,
            leads,
            is_followed: true,
        }
    }

    fn tail(term: u64, boot: u64) -> Tail {
        Tail {
            number: 5,
            boot,
            term,
            position: 10,
            is_end: false,
        }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_newest_entry_says_who_leads() {
        assert_eq!(standing(3, 7, Some(&tail(3, 7))), Standing::Leads);
        assert_eq!(standing(3, 7, Some(&tail(4, 8))), Standing::Overtaken);
        // Two that took over at once: the log took one of them.
        assert_eq!(standing(3, 7, Some(&tail(3, 8))), Standing::Overtaken);
        // An older copy of the log, and none at all.
        assert_eq!(standing(3, 7, Some(&tail(2, 6))), Standing::Forgotten);
        assert_eq!(standing(3, 7, None), Standing::Forgotten);
    }

    #[test]
    fn what_a_hub_does_that_does_not_lead() {
        use Deed::{Lead, TakeCopy, Wait};
        use Have::{Nothing, Part, Whole};
        let lead = |after, term| Lead { after, term };
        let (ours, theirs) = (copy(3, 7, true), copy(3, 8, false));
        let living = Some(tail(3, 8));
        let ended = Some(Tail {
            is_end: true,
            ..tail(3, 8)
        });
        for (have, is_standby, tail, silent, deed) in [
            // The very first hub, and a standby that was started before it.
            (Nothing, false, None, 0, lead(0, 1)),
            (Nothing, true, None, 9999, Wait),
            // It follows.
            (Nothing, true, living, 0, TakeCopy),
            (Nothing, false, living, 0, TakeCopy),
            (Part(theirs), true, living, 0, TakeCopy),
            (Whole(theirs), true, living, 0, Wait),
            (Whole(theirs), true, living, 14, Wait),
            // The leader is gone, or went.
            (Whole(theirs), true, living, 15, lead(5, 4)),
            (Whole(theirs), false, living, 15, lead(5, 4)),
            (Whole(theirs), true, ended, 0, lead(5, 4)),
            // It was restarted, and nobody took over meanwhile.
            (Part(copy(3, 8, true)), false, living, 0, lead(5, 4)),
            (Whole(copy(3, 8, true)), true, ended, 0, lead(5, 4)),
            // Somebody did.
            (Part(ours), false, living, 0, TakeCopy),
            // Nobody has a whole copy, and the one that led is gone.
            (Part(ours), false, living, 44, Wait),
            (Part(ours), false, living, 45, lead(5, 4)),
            (Nothing, false, living, 45, lead(5, 4)),
            (Nothing, true, living, 9999, Wait),
            // Nothing can be copied from a hub that is not there.
            (Part(ours), false, ended, 0, Wait),
            // The log lost its disk.
            (Whole(theirs), true, None, 29, Wait),
            (Whole(theirs), true, None, 30, lead(0, 4)),
            (Part(ours), false, None, 0, lead(0, 4)),
        ] {
            let found = decide(&have, is_standby, tail.as_ref(), s(silent));
            assert_eq!(found, deed, "{have:?} {is_standby} {tail:?} {silent}");
        }
    }

    #[test]
    fn silence_is_what_was_looked_at() {
        let mut silence = Silence::default();
        assert_eq!(silence.looked(Some(5), s(100)), s(0));
        assert_eq!(silence.looked(Some(5), s(101)), s(1));
        // We stood still for a minute: the leader may have written meanwhile, and was not asked.
        assert_eq!(silence.looked(Some(5), s(161)), s(7));
        assert_eq!(silence.looked(Some(6), s(162)), s(0));
        assert_eq!(silence.looked(Some(6), s(163)), s(1));
        silence.forget();
        assert_eq!(silence.looked(Some(6), s(164)), s(0));
    }

    // ---- two hubs, a log and their faults in virtual time ----

    /// A log as JetStream keeps it.
    #[derive(Default)]
    struct Log {
        entries: Vec<Tail>,
        is_away: bool,
    }

    impl Log {
        fn tail(&self) -> Option<Tail> {
            self.entries.last().copied()
        }

        /// Takes an entry that follows the newest.
        fn append(&mut self, after: u64, entry: Tail) -> bool {
            let newest = self.tail().map_or(0, |tail| tail.number);
            let fits = !self.is_away && newest == after;
            if fits {
                self.entries.push(Tail {
                    number: newest + 1,
                    ..entry
                });
            }
            fits
        }
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Life {
        Dead,
        Frozen,
        Works,
    }

    struct Hub {
        is_standby: bool,
        life: Life,
        boot: u64,
        have: Have,
        leads: bool,
        silence: Silence,
        /// The newest entry of the log that it read or wrote.
        read: u64,
        /// Its clock is off by so much.
        off: Duration,
        /// Messages that it decided and has not told.
        untold: Vec<u64>,
    }

    /// A message that left: its number, and the term in which it was sent.
    type Told = (u64, u64);

    struct World {
        log: Log,
        hubs: [Hub; 2],
        now: Duration,
        boots: u64,
        told: Vec<Told>,
        /// What must be told.
        wanted: Vec<u64>,
        leaderless: Duration,
        random: u64,
    }

    impl World {
        fn new(seed: u64) -> Self {
            let hub = |is_standby, boot, off| Hub {
                is_standby,
                life: Life::Works,
                boot,
                have: Have::Nothing,
                leads: false,
                silence: Silence::default(),
                read: 0,
                off,
                untold: Vec::new(),
            };
            Self {
                log: Log::default(),
                // A clock that is hours off is nobody's business.
                hubs: [hub(false, 1, s(0)), hub(true, 2, s(20_000))],
                now: s(0),
                boots: 2,
                told: Vec::new(),
                wanted: Vec::new(),
                leaderless: s(0),
                random: seed * 2 + 1,
            }
        }

        fn random(&mut self, below: u64) -> u64 {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.random >> 33) % below
        }

        /// A hub writes what it led to, and tells what the log took.
        fn lead(&mut self, place: usize) {
            let tail = self.log.tail();
            let Have::Part(mut copy) = self.hubs[place].have else {
                unreachable!("a leader has its own copy");
            };
            let boot = self.hubs[place].boot;
            if self.log.is_away {
                return;
            }
            let after = match standing(copy.term, boot, tail.as_ref()) {
                Standing::Overtaken => {
                    // What it had and did not tell is the other's: the probes send it again.
                    self.hubs[place].leads = false;
                    self.hubs[place].untold.clear();
                    return;
                }
                // The log may have lost its newest entries.
                Standing::Forgotten | Standing::Leads => tail.map_or(0, |tail| tail.number),
            };
            copy.position += i64::try_from(self.hubs[place].untold.len()).unwrap();
            let entry = Tail {
                number: 0,
                boot,
                term: copy.term,
                position: copy.position,
                is_end: false,
            };
            assert!(self.log.append(after, entry), "it is the newest");
            copy.number = after + 1;
            self.hubs[place].read = copy.number;
            self.hubs[place].have = Have::Part(copy);
            for message in std::mem::take(&mut self.hubs[place].untold) {
                self.told.push((message, copy.term));
            }
        }

        fn follow(&mut self, place: usize) {
            if self.log.is_away {
                self.hubs[place].silence.forget();
                return;
            }
            let tail = self.log.tail();
            let at = self.now + self.hubs[place].off;
            let silent = self.hubs[place]
                .silence
                .looked(tail.map(|tail| tail.number), at);
            if let (Have::Whole(copy), Some(tail)) = (self.hubs[place].have, tail) {
                // Everything since is in the log.
                let copy = HubCopy {
                    term: tail.term,
                    boot: tail.boot,
                    position: tail.position,
                    number: tail.number,
                    ..copy
                };
                self.hubs[place].have = Have::Whole(copy);
            }
            let hub = &self.hubs[place];
            match decide(&hub.have, hub.is_standby, tail.as_ref(), silent) {
                Deed::Wait => {}
                Deed::TakeCopy => {
                    let tail = tail.expect("there is a leader");
                    let other = &self.hubs[1 - place];
                    if other.life == Life::Works && other.leads && other.boot == tail.boot {
                        self.hubs[place].have = Have::Whole(HubCopy {
                            term: tail.term,
                            boot: tail.boot,
                            position: tail.position,
                            number: tail.number,
                            leads: false,
                            is_followed: true,
                        });
                    }
                }
                Deed::Lead { after, term } => {
                    let position = match self.hubs[place].have {
                        Have::Nothing => 0,
                        Have::Part(copy) | Have::Whole(copy) => copy.position,
                    };
                    self.boots += 1;
                    let boot = self.boots;
                    let entry = Tail {
                        number: 0,
                        boot,
                        term,
                        position,
                        is_end: false,
                    };
                    if self.log.append(after, entry) {
                        let hub = &mut self.hubs[place];
                        hub.boot = boot;
                        hub.leads = true;
                        hub.read = after + 1;
                        hub.have = Have::Part(HubCopy {
                            term,
                            boot,
                            position,
                            number: after + 1,
                            leads: true,
                            is_followed: true,
                        });
                    }
                }
            }
        }

        fn second(&mut self) {
            self.now += s(1);
            for place in 0..2 {
                if self.hubs[place].life != Life::Works {
                    continue;
                }
                match self.hubs[place].leads {
                    true => self.lead(place),
                    false => self.follow(place),
                }
            }
            // The newest entry is that of one hub, so no other can have told anything after it.
            let tail = self.log.tail();
            let is_led = self.hubs.iter().any(|hub| {
                hub.life == Life::Works
                    && hub.leads
                    && tail.is_some_and(|tail| tail.boot == hub.boot)
            });
            self.leaderless = match is_led {
                true => s(0),
                false => self.leaderless + s(1),
            };
        }

        /// Something happens that must be told: the hub that works hears of it until one told it.
        fn hear(&mut self, message: u64) {
            self.wanted.push(message);
            for hub in &mut self.hubs {
                if hub.leads && hub.life != Life::Dead {
                    hub.untold.push(message);
                }
            }
        }

        /// What no living leader has and nobody told comes again, as frames do that were not acknowledged.
        fn send_again(&mut self) {
            let told: Vec<u64> = self.told.iter().map(|(message, _)| *message).collect();
            let missing: Vec<u64> = self
                .wanted
                .iter()
                .copied()
                .filter(|message| !told.contains(message))
                .collect();
            for hub in &mut self.hubs {
                if hub.leads && hub.life == Life::Works {
                    hub.untold.clone_from(&missing);
                }
            }
        }
    }

    #[test]
    fn freezes_kills_and_a_log_that_is_away() {
        for seed in 0..300 {
            let mut world = World::new(seed);
            for _ in 0..20 {
                world.second();
            }
            assert!(world.hubs[0].leads, "the hub that is no standby begins");
            for round in 0..20 {
                world.hear(round);
                let leader = usize::from(world.hubs[1].leads && !world.hubs[0].leads);
                let lasts = 5 + world.random(60);
                match world.random(4) {
                    0 => world.hubs[leader].life = Life::Frozen,
                    1 => {
                        // What it had not told is lost with it.
                        let hub = &mut world.hubs[leader];
                        hub.life = Life::Dead;
                        hub.leads = false;
                        hub.untold.clear();
                        hub.silence.forget();
                    }
                    2 => world.log.is_away = true,
                    _ => world.hubs[1 - leader].life = Life::Frozen,
                }
                for _ in 0..lasts {
                    world.second();
                }
                world.log.is_away = false;
                for hub in &mut world.hubs {
                    hub.life = Life::Works;
                }
                for _ in 0..70 {
                    world.send_again();
                    world.second();
                    assert!(
                        world.leaderless <= s(60),
                        "seed {seed} round {round}: nobody leads"
                    );
                }
                let leaders = world.hubs.iter().filter(|hub| hub.leads).count();
                assert_eq!(leaders, 1, "seed {seed} round {round}");
            }
            // Everything was told, once: nobody tells before the log took it.
            let mut told: Vec<u64> = world.told.iter().map(|(message, _)| *message).collect();
            told.sort_unstable();
            assert_eq!(told, world.wanted, "seed {seed}");
        }
    }

    #[test]
    fn a_log_that_loses_its_disk_does_not_make_two_leaders() {
        for seed in 0..100 {
            let mut world = World::new(seed);
            for _ in 0..20 {
                world.second();
            }
            for round in 0..10 {
                let kept = usize::try_from(world.random(4)).unwrap();
                let entries = &mut world.log.entries;
                entries.truncate(kept.min(entries.len()));
                if world.random(2) == 0 {
                    let leader = usize::from(!world.hubs[0].leads);
                    world.hubs[leader].life = Life::Frozen;
                    for _ in 0..world.random(80) {
                        world.second();
                    }
                    world.hubs[leader].life = Life::Works;
                }
                for _ in 0..120 {
                    world.second();
                }
                let leaders = world.hubs.iter().filter(|hub| hub.leads).count();
                assert_eq!(leaders, 1, "seed {seed} round {round}");
            }
        }
    }
}
