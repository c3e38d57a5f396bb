//! The probes of one location: one that checks all of its monitors, or several that share them.
//!
//! Those of one split (two, three, four probes ..) belong together. Another split takes over once nobody of the one
//! before is there any more; as long as both are there, the one that came later is told and refused, since a monitor
//! would be checked twice.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::domain::location::{ProbeName, Share};
use crate::domain::timestamp::Timestamp;
use crate::policy::clock_step::ClockStep;
use crate::store::facts::locations::StoredProbe;

/// A clock that is off by less is taken as right.
const OFFSET_MIN_MS: i64 = 2_000;

/// A probe says every ten seconds that it is there: one that did not for so long is gone.
const GONE: Duration = Duration::from_secs(30);

/// One probe.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) spool: Option<u64>,
    pub(super) done_seq: u64,
    /// Spools that it had before: they are another probe's, or a file that was put back.
    pub(super) former: VecDeque<u64>,
    /// Hub's clock less probe's, of the newest signs of life.
    pub(super) offsets: VecDeque<i64>,
    /// When it was heard last; at first, since when it is waited for.
    pub(super) heard_at: Timestamp,
    /// When it was heard before it was told as silent, while it is.
    pub(super) silent_from: Option<Timestamp>,
    /// When it was heard again after it was told as silent.
    pub(super) back_at: Option<Timestamp>,
    /// Whether it was told that its clock is off.
    pub(super) clock_told: bool,
    /// Whether it was told that two probes have its name.
    pub(super) twin_told: bool,
    /// Whether it says that it is offline.
    pub(super) is_offline: bool,
}

impl Probe {
    fn new(stored: Option<&StoredProbe>, now: Timestamp) -> Self {
        Self {
            spool: stored.map(|stored| stored.spool),
            done_seq: stored.map_or(0, |stored| stored.done_seq),
            former: VecDeque::new(),
            offsets: VecDeque::new(),
            // While the hub did not run it could hear nobody.
            heard_at: now,
            silent_from: stored.and_then(|stored| stored.silent_from),
            back_at: None,
            clock_told: false,
            twin_told: false,
            is_offline: false,
        }
    }

    /// What to add to a time of the probe's clock.
    pub(super) fn offset_ms(&self) -> i64 {
        let smallest = self.offsets.iter().copied().min().unwrap_or(0);
        match smallest.abs() < OFFSET_MIN_MS {
            true => 0,
            false => smallest,
        }
    }

    /// It was heard.
    pub(super) fn heard(&mut self, at: Timestamp) {
        self.heard_at = self.heard_at.max(at);
        if self.silent_from.is_some() {
            self.back_at.get_or_insert(at);
        }
    }

    fn clock_was_set(&mut self, step: &ClockStep) {
        self.offsets.clear();
        self.heard_at = step.past(self.heard_at);
        self.silent_from = self.silent_from.map(|at| step.past(at));
        self.back_at = self.back_at.map(|at| step.past(at));
    }
}

/// Into how many shares the monitors of a location are split; `None`: into none.
pub(super) type Split = Option<u16>;

fn split_of(share: Option<Share>) -> Split {
    share.map(Share::of)
}

fn shares_of(split: Split) -> Vec<Option<Share>> {
    match split {
        None => vec![None],
        Some(of) => (1..=of).map(|number| Share::new(number, of)).collect(),
    }
}

/// Probes of another split than the one that holds.
#[derive(Debug)]
struct Rival {
    split: Split,
    since: Timestamp,
    heard_at: Timestamp,
    is_refused: bool,
}

/// What a sign of life means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The probe is one of those that are expected, or may become one.
    Taken,
    /// Probes of another split are there.
    Refused {
        /// Whether that is new.
        is_news: bool,
    },
}

/// All probes of a location.
#[derive(Debug)]
pub(super) struct Sharing {
    split: Split,
    /// When a probe of that split said last that it is there; `None`: not since the start.
    heard_at: Option<Timestamp>,
    rival: Option<Rival>,
    /// Those of the split, and those that sent something before it.
    probes: BTreeMap<Option<Share>, Probe>,
}

impl Sharing {
    /// As it was stored; the probe that was heard last says into how many shares the location is split.
    pub(super) fn new<'s>(
        stored: impl Iterator<Item = (Option<Share>, &'s StoredProbe)>,
        now: Timestamp,
    ) -> Self {
        let stored: Vec<(Option<Share>, &StoredProbe)> = stored.collect();
        let newest = stored.iter().max_by_key(|(_, probe)| probe.heard_at);
        let split = newest.and_then(|(share, _)| split_of(*share));
        let probes = stored
            .iter()
            .map(|(share, stored)| (*share, Probe::new(Some(stored), now)));
        let mut sharing = Self {
            split,
            heard_at: None,
            rival: None,
            probes: probes.collect(),
        };
        sharing.expect(now);
        sharing
    }

    /// Into how many shares its monitors are split.
    pub(super) const fn split(&self) -> Split {
        self.split
    }

    /// Every probe of the split is waited for.
    fn expect(&mut self, now: Timestamp) {
        for share in shares_of(self.split) {
            self.probe(share, now);
        }
    }

    /// The probe of a share.
    pub(super) fn probe(&mut self, share: Option<Share>, now: Timestamp) -> &mut Probe {
        self.probes
            .entry(share)
            .or_insert_with(|| Probe::new(None, now))
    }

    /// As [`Self::probe`], if it was ever heard or expected.
    pub(super) fn get(&self, share: Option<Share>) -> Option<&Probe> {
        self.probes.get(&share)
    }

    /// Those that are expected.
    pub(super) fn expected(&self) -> impl Iterator<Item = (Option<Share>, &Probe)> {
        let all = self.probes.iter();
        let expected = all.filter(|(share, _)| split_of(**share) == self.split);
        expected.map(|(share, probe)| (*share, probe))
    }

    /// As [`Self::expected`].
    pub(super) fn expected_mut(&mut self) -> impl Iterator<Item = (Option<Share>, &mut Probe)> {
        let split = self.split;
        let all = self.probes.iter_mut();
        let expected = all.filter(move |(share, _)| split_of(**share) == split);
        expected.map(|(share, probe)| (*share, probe))
    }

    /// Whether one of those that are expected says that it is offline.
    pub(super) fn is_any_offline(&self) -> bool {
        self.expected().any(|(_, probe)| probe.is_offline)
    }

    /// What is committed of a spool, whichever share its probe had then.
    pub(super) fn done_of(&self, spool: u64) -> u64 {
        let its = self
            .probes
            .values()
            .filter(|probe| probe.spool == Some(spool));
        its.map(|probe| probe.done_seq).max().unwrap_or(0)
    }

    /// Whether what this probe sends is taken.
    pub(super) fn takes(&self, share: Option<Share>) -> bool {
        let rival = self.rival.as_ref().filter(|rival| rival.is_refused);
        rival.is_none_or(|rival| rival.split != split_of(share))
    }

    /// A probe says that it is there.
    pub(super) fn greeted(&mut self, share: Option<Share>, now: Timestamp) -> Standing {
        let split = split_of(share);
        let is_gone = |at: Timestamp| now.since(at) > GONE;
        if split == self.split || self.heard_at.is_none_or(is_gone) {
            if split != self.split {
                self.become_split(share, now);
            }
            self.heard_at = Some(now);
            return Standing::Taken;
        }
        let known = self.rival.take();
        let known = known.filter(|rival| rival.split == split && !is_gone(rival.heard_at));
        let mut rival = known.unwrap_or(Rival {
            split,
            since: now,
            heard_at: now,
            is_refused: false,
        });
        rival.heard_at = now;
        let was_refused = rival.is_refused;
        // Those of the old split may have stopped just now.
        rival.is_refused |= is_gone(rival.since);
        let standing = match rival.is_refused {
            false => Standing::Taken,
            true => Standing::Refused {
                is_news: !was_refused,
            },
        };
        self.rival = Some(rival);
        standing
    }

    /// The split of this probe holds from now on. That the location was silent goes on until it is heard.
    fn become_split(&mut self, share: Option<Share>, now: Timestamp) {
        let mut silent_from: Option<Timestamp> = None;
        for (_, probe) in self.expected_mut() {
            let from = probe.silent_from.take();
            silent_from = [silent_from, from].into_iter().flatten().min();
            probe.back_at = None;
        }
        self.split = split_of(share);
        self.rival = None;
        self.expect(now);
        for (_, probe) in self.expected_mut() {
            probe.heard_at = now;
            probe.silent_from = None;
            probe.back_at = None;
        }
        self.probe(share, now).silent_from = silent_from;
    }

    /// Forgets a rival that is gone.
    pub(super) fn look(&mut self, now: Timestamp) {
        let is_gone = |rival: &Rival| now.since(rival.heard_at) > GONE;
        if self.rival.as_ref().is_some_and(is_gone) {
            self.rival = None;
        }
    }

    /// The hub's clock was set.
    pub(super) fn clock_was_set(&mut self, step: &ClockStep) {
        self.heard_at = self.heard_at.map(|at| step.past(at));
        self.rival = None;
        for probe in self.probes.values_mut() {
            probe.clock_was_set(step);
        }
    }

    /// What probes of this location are called: the location alone where all of them are meant.
    pub(super) fn named(&self, senders: &[ProbeName]) -> Vec<String> {
        match senders {
            [first, ..] if senders.len() == self.expected().count() => {
                vec![first.location.to_string()]
            }
            some => some.iter().map(ProbeName::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_ms(1_795_377_600_000 + second * 1000)
    }

    fn share(text: &str) -> Option<Share> {
        (text != "all").then(|| Share::parse(text).unwrap())
    }

    fn empty() -> Sharing {
        Sharing::new(std::iter::empty(), at(0))
    }

    fn expected(sharing: &Sharing) -> String {
        let names = sharing.expected().map(|(share, _)| match share {
            None => "all".to_owned(),
            Some(share) => share.to_string(),
        });
        names.collect::<Vec<_>>().join(" ")
    }

    /// `12 2/4` is a sign of life of the second of four at second 12; what is answered, with what is expected then.
    fn run(sharing: &mut Sharing, events: &str) -> Vec<String> {
        let greeted = events.split(", ").map(|event| {
            let (second, name) = event.split_once(' ').unwrap();
            let standing = sharing.greeted(share(name), at(second.parse().unwrap()));
            let said = match standing {
                Standing::Taken => "taken",
                Standing::Refused { is_news: true } => "told",
                Standing::Refused { is_news: false } => "refused",
            };
            format!("{event}: {said}, {}", expected(sharing))
        });
        greeted.collect()
    }

    #[test]
    fn the_first_of_several_says_how_many_are_expected() {
        let mut sharing = empty();
        assert_eq!(expected(&sharing), "all");
        assert_eq!(
            run(&mut sharing, "1 2/3, 2 1/3, 2 3/3"),
            [
                "1 2/3: taken, 1/3 2/3 3/3",
                "2 1/3: taken, 1/3 2/3 3/3",
                "2 3/3: taken, 1/3 2/3 3/3"
            ]
        );
    }

    #[test]
    fn another_split_takes_over_when_nobody_of_the_one_before_is_there() {
        let mut sharing = empty();
        // Those that begin while the one before stops are taken at once.
        assert_eq!(
            run(
                &mut sharing,
                "0 all, 10 all, 15 1/2, 16 2/2, 25 1/2, 35 1/2, 41 2/2, 45 1/2"
            ),
            [
                "0 all: taken, all",
                "10 all: taken, all",
                "15 1/2: taken, all",
                "16 2/2: taken, all",
                "25 1/2: taken, all",
                "35 1/2: taken, all",
                "41 2/2: taken, 1/2 2/2",
                "45 1/2: taken, 1/2 2/2",
            ]
        );
        // And back.
        assert_eq!(run(&mut sharing, "80 all")[0], "80 all: taken, all");
    }

    #[test]
    fn who_comes_later_is_told_and_refused() {
        let mut sharing = empty();
        let said = run(
            &mut sharing,
            "0 1/2, 1 2/2, 10 1/2, 11 3/4, 20 1/2, 21 3/4, 30 1/2, 31 3/4, 40 1/2, 42 3/4, 50 1/2, 52 3/4",
        );
        assert_eq!(said[7], "31 3/4: taken, 1/2 2/2");
        assert_eq!(said[9], "42 3/4: told, 1/2 2/2");
        assert_eq!(said[11], "52 3/4: refused, 1/2 2/2");
        assert!(!sharing.takes(share("3/4")) && !sharing.takes(share("1/4")));
        assert!(sharing.takes(share("1/2")) && sharing.takes(None));
        sharing.look(at(60));
        assert!(!sharing.takes(share("3/4")));
        // It was stopped.
        sharing.look(at(90));
        assert!(sharing.takes(share("3/4")));
    }

    #[test]
    fn what_was_silent_stays_so_until_it_is_heard() {
        let mut sharing = empty();
        sharing.probe(None, at(0)).silent_from = Some(at(5));
        sharing.greeted(share("2/2"), at(100));
        let silent: Vec<_> = (sharing.expected())
            .map(|(share, probe)| (share.unwrap().number(), probe.silent_from))
            .collect();
        assert_eq!(silent, [(1, None), (2, Some(at(5)))]);
    }

    #[test]
    fn a_spool_is_known_whichever_share_its_probe_has() {
        let mut sharing = empty();
        let probe = sharing.probe(None, at(0));
        (probe.spool, probe.done_seq) = (Some(7), 41);
        sharing.greeted(share("1/2"), at(1));
        assert_eq!((sharing.done_of(7), sharing.done_of(8)), (41, 0));
    }
}
