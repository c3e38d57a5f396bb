//! Honest availability: every millisecond of a period is counted once, as up, degraded, down, maintenance or unknown.
//!
//! - *unknown*: nobody spoke (see [`super::timeline`]), the check itself could not tell, or the monitor was paused or
//!   not in the configuration;
//! - else as somebody ordered that the incident counts which was open (see [`CountsAs`]);
//! - else *maintenance*: a window was open;
//! - else *down*: an incident was open, from its first failed to its first good check;
//! - else *degraded*: a check said so, or failed without an incident (a failure that was not confirmed);
//! - else *up*.
//!
//! Uptime is (up + degraded) / (up + degraded + down), coverage 1 - unknown / period. Percentages are truncated, never
//! rounded up: 100 means that nothing at all was lost.

use std::collections::HashMap;

use super::timeline::{Timeline, Voice};
use crate::domain::amendment::CountsAs;

/// The times that count otherwise than the checks in them say; each list in order of its beginnings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overlays {
    /// Incidents: begin and end in milliseconds, none while it is open. At most one at a time.
    pub incidents: Vec<(i64, Option<i64>)>,
    /// How incidents count by order, by their place in [`Self::incidents`].
    pub amended: HashMap<usize, CountsAs>,
    /// Maintenance windows; they may overlap.
    pub maintenance: Vec<(i64, i64)>,
    /// Paused, disabled or removed; they may overlap.
    pub unwatched: Vec<(i64, i64)>,
}

/// What a piece of time counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Good.
    Up,
    /// Good, with something to say, or a failure that was not confirmed.
    Degraded,
    /// Within the incident of this place in [`Overlays::incidents`].
    Down(usize),
    /// A maintenance window.
    Maintenance,
    /// No check spoke.
    Silent,
    /// The check could not tell.
    Blind,
    /// Paused, disabled or removed.
    Unwatched,
}

/// A piece of time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its beginning.
    pub from: i64,
    /// Its end.
    pub to: i64,
    /// What it counts as.
    pub class: Class,
}

/// Cuts a period into pieces, in order and without gaps; neighbours differ.
pub fn pieces(from: i64, to: i64, timeline: &Timeline, overlays: &Overlays) -> Vec<Piece> {
    let mut edges: Vec<i64> = vec![from, to];
    let mut edge = |at: i64| {
        if at > from && at < to {
            edges.push(at);
        }
    };
    for (begin, end, _) in timeline.spoken() {
        edge(begin);
        edge(end);
    }
    for (begin, end) in &overlays.incidents {
        edge(*begin);
        edge(end.unwrap_or(i64::MAX));
    }
    for (begin, end) in overlays.maintenance.iter().chain(&overlays.unwatched) {
        edge(*begin);
        edge(*end);
    }
    edges.sort_unstable();
    edges.dedup();
    let mut spoken = timeline.spoken().peekable();
    let mut incidents = overlays
        .incidents
        .iter()
        .map(|(begin, end)| (*begin, end.unwrap_or(i64::MAX)))
        .enumerate()
        .peekable();
    let mut maintenance = Covered::new(&overlays.maintenance);
    let mut unwatched = Covered::new(&overlays.unwatched);
    let mut pieces: Vec<Piece> = Vec::new();
    for pair in edges.windows(2) {
        let (begin, end) = (pair[0], pair[1]);
        while spoken.next_if(|(_, end, _)| *end <= begin).is_some() {}
        while incidents.next_if(|(_, (_, end))| *end <= begin).is_some() {}
        let voice = spoken
            .peek()
            .filter(|(from, ..)| *from <= begin)
            .map_or(Voice::Silent, |(.., voice)| *voice);
        let incident = incidents
            .peek()
            .filter(|(_, (from, _))| *from <= begin)
            .map(|(place, _)| *place);
        let amended = incident.and_then(|place| Some((place, *overlays.amended.get(&place)?)));
        let planned = maintenance.at(begin);
        let class = match (voice, incident) {
            _ if unwatched.at(begin) => Class::Unwatched,
            (Voice::Silent, _) => Class::Silent,
            (Voice::Blind, _) => Class::Blind,
            _ if let Some((place, counts_as)) = amended => match counts_as {
                CountsAs::Maintenance => Class::Maintenance,
                CountsAs::FalseAlarm if planned => Class::Maintenance,
                CountsAs::FalseAlarm => Class::Up,
                CountsAs::Real => Class::Down(place),
            },
            _ if planned => Class::Maintenance,
            (Voice::Up | Voice::Degraded | Voice::Failed, Some(place)) => Class::Down(place),
            (Voice::Up, None) => Class::Up,
            (Voice::Degraded | Voice::Failed, None) => Class::Degraded,
        };
        match pieces.last_mut() {
            Some(last) if last.class == class => last.to = end,
            _ => pieces.push(Piece {
                from: begin,
                to: end,
                class,
            }),
        }
    }
    pieces
}

/// Walks through times that may overlap, in order of their beginnings.
struct Covered<'a> {
    rest: &'a [(i64, i64)],
    until: i64,
}

impl<'a> Covered<'a> {
    const fn new(times: &'a [(i64, i64)]) -> Self {
        Self {
            rest: times,
            until: i64::MIN,
        }
    }

    /// Whether a moment, not before the last one asked for, lies in any of them.
    fn at(&mut self, moment: i64) -> bool {
        while let Some(((begin, end), rest)) = self.rest.split_first()
            && *begin <= moment
        {
            self.until = self.until.max(*end);
            self.rest = rest;
        }
        moment < self.until
    }
}

/// How a period went, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Up.
    pub up_ms: i64,
    /// Degraded.
    pub degraded_ms: i64,
    /// Down.
    pub down_ms: i64,
    /// Maintenance.
    pub maintenance_ms: i64,
    /// Unknown.
    pub unknown_ms: i64,
    /// Incidents that cost any time of the period.
    pub outages: u32,
    /// The most that one of them cost.
    pub longest_ms: i64,
    /// What those that ended within the period cost on average; none where none did.
    pub mttr_ms: Option<i64>,
}

/// Sums pieces up; `to` is the end of the period and `incidents` are those of the pieces.
pub fn account(pieces: &[Piece], incidents: &[(i64, Option<i64>)], to: i64) -> Account {
    let mut account = Account::default();
    let mut cost = vec![0_i64; incidents.len()];
    for piece in pieces {
        let took = piece.to - piece.from;
        match piece.class {
            Class::Up => account.up_ms += took,
            Class::Degraded => account.degraded_ms += took,
            Class::Down(place) => {
                account.down_ms += took;
                cost[place] += took;
            }
            Class::Maintenance => account.maintenance_ms += took,
            Class::Silent | Class::Blind | Class::Unwatched => account.unknown_ms += took,
        }
    }
    let mut ended = (0, 0);
    for (cost, (_, end)) in cost.iter().zip(incidents) {
        if *cost > 0 {
            account.outages += 1;
            account.longest_ms = account.longest_ms.max(*cost);
            if end.is_some_and(|end| end <= to) {
                ended = (ended.0 + cost, ended.1 + 1);
            }
        }
    }
    account.mttr_ms = (ended.1 > 0).then(|| ended.0 / ended.1);
    account
}

impl Account {
    /// The length of the period.
    pub const fn period_ms(&self) -> i64 {
        self.up_ms + self.degraded_ms + self.down_ms + self.maintenance_ms + self.unknown_ms
    }

    /// Uptime in percent, cut to three decimals; none where nothing was observed.
    pub fn uptime_percent(&self) -> Option<f64> {
        let good = self.up_ms + self.degraded_ms;
        percent(good, good + self.down_ms)
    }

    /// Coverage in percent, cut to three decimals; none for an empty period.
    pub fn coverage_percent(&self) -> Option<f64> {
        percent(self.period_ms() - self.unknown_ms, self.period_ms())
    }
}

/// `part` of `whole` in percent, cut to three decimals.
fn percent(part: i64, whole: i64) -> Option<f64> {
    if whole <= 0 {
        return None;
    }
    let thousandths = i128::from(part) * 100_000 / i128::from(whole);
    let thousandths = i32::try_from(thousandths).expect("part is at most whole");
    Some(f64::from(thousandths) / 1000.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::timestamp::Timestamp;
    use crate::policy::availability::timeline::Word;

    fn timeline(text: &str) -> Timeline {
        let words: Vec<Word> = text
            .chars()
            .zip(0..)
            .filter(|(letter, _)| *letter != '.')
            .map(|(letter, place)| Word {
                at: Timestamp::from_ms(place * 10),
                voice: match letter {
                    'U' => Voice::Up,
                    'S' => Voice::Degraded,
                    'D' => Voice::Failed,
                    _ => Voice::Blind,
                },
                interval_ms: 10,
            })
            .collect();
        Timeline::of(words, 0, 10_000)
    }

    /// Checks at 0, 10, 20 ...; a dot is a check that is missing.
    fn check(text: &str, overlays: &Overlays, expected: &str) {
        let to = 10 * i64::try_from(text.len()).unwrap();
        let pieces = pieces(0, to, &timeline(text), overlays);
        let account = account(&pieces, &overlays.incidents, to);
        let told = format!(
            "up {} degraded {} down {} maintenance {} unknown {}: {:?} of {:?}, {} outages, longest {}, mttr {:?}",
            account.up_ms,
            account.degraded_ms,
            account.down_ms,
            account.maintenance_ms,
            account.unknown_ms,
            account.uptime_percent(),
            account.coverage_percent(),
            account.outages,
            account.longest_ms,
            account.mttr_ms
        );
        assert_eq!(told, expected, "{text}");
        assert_eq!(account.period_ms(), to);
    }

    #[test]
    fn each_time_counts_once() {
        let none = Overlays::default();
        check(
            "UUUU",
            &none,
            "up 40 degraded 0 down 0 maintenance 0 unknown 0: Some(100.0) of Some(100.0), 0 outages, longest 0, mttr None",
        );
        // A failure that nothing confirmed is degraded; a missing check costs nothing, the second does.
        check(
            "UDU..U",
            &none,
            "up 40 degraded 10 down 0 maintenance 0 unknown 10: Some(100.0) of Some(83.333), 0 outages, longest 0, mttr None",
        );
        let outage = Overlays {
            incidents: vec![(10, Some(40))],
            ..Overlays::default()
        };
        check(
            "UDDDUU",
            &outage,
            "up 30 degraded 0 down 30 maintenance 0 unknown 0: Some(50.0) of Some(100.0), 1 outages, longest 30, mttr Some(30)",
        );
        // What nobody saw of an outage is not down.
        check(
            "UD...U",
            &Overlays {
                incidents: vec![(10, Some(50))],
                ..Overlays::default()
            },
            "up 20 degraded 0 down 20 maintenance 0 unknown 20: Some(50.0) of Some(66.666), 1 outages, longest 20, mttr Some(20)",
        );
        let window = Overlays {
            maintenance: vec![(0, 25), (5, 20)],
            ..outage.clone()
        };
        check(
            "UDDDUU",
            &window,
            "up 20 degraded 0 down 15 maintenance 25 unknown 0: Some(57.142) of Some(100.0), 1 outages, longest 15, mttr Some(15)",
        );
        let paused = Overlays {
            unwatched: vec![(0, 60)],
            ..outage
        };
        check(
            "UDDDUU",
            &paused,
            "up 0 degraded 0 down 0 maintenance 0 unknown 60: None of Some(0.0), 0 outages, longest 0, mttr None",
        );
        let open = Overlays {
            incidents: vec![(20, None)],
            ..Overlays::default()
        };
        check(
            "UUD?",
            &open,
            "up 20 degraded 0 down 10 maintenance 0 unknown 10: Some(66.666) of Some(75.0), 1 outages, longest 10, mttr None",
        );
    }

    #[test]
    fn an_amended_incident_counts_as_ordered() {
        let amended = |counts_as: Option<CountsAs>| Overlays {
            incidents: vec![(10, Some(40))],
            maintenance: vec![(30, 50)],
            amended: counts_as
                .map(|counts_as| (0, counts_as))
                .into_iter()
                .collect(),
            ..Overlays::default()
        };
        check(
            "UDDDUU",
            &amended(None),
            "up 20 degraded 0 down 20 maintenance 20 unknown 0: Some(50.0) of Some(100.0), 1 outages, longest 20, mttr Some(20)",
        );
        check(
            "UDDDUU",
            &amended(Some(CountsAs::Maintenance)),
            "up 20 degraded 0 down 0 maintenance 40 unknown 0: Some(100.0) of Some(100.0), 0 outages, longest 0, mttr None",
        );
        check(
            "UDDDUU",
            &amended(Some(CountsAs::FalseAlarm)),
            "up 40 degraded 0 down 0 maintenance 20 unknown 0: Some(100.0) of Some(100.0), 0 outages, longest 0, mttr None",
        );
        check(
            "UDDDUU",
            &amended(Some(CountsAs::Real)),
            "up 20 degraded 0 down 30 maintenance 10 unknown 0: Some(40.0) of Some(100.0), 1 outages, longest 30, mttr Some(30)",
        );
        // What nobody saw stays unknown, whatever is said of it.
        check(
            "UD...U",
            &Overlays {
                incidents: vec![(10, Some(50))],
                amended: [(0, CountsAs::FalseAlarm)].into(),
                ..Overlays::default()
            },
            "up 40 degraded 0 down 0 maintenance 0 unknown 20: Some(100.0) of Some(66.666), 0 outages, longest 0, mttr None",
        );
    }

    #[test]
    fn a_percentage_is_cut() {
        assert_eq!(percent(999_999_999, 1_000_000_000), Some(99.999));
        assert_eq!(percent(1, 1), Some(100.0));
        assert_eq!(percent(0, 0), None);
    }

    /// The same numbers on every machine.
    struct Dice(u64);

    impl Dice {
        fn throw(&mut self, bound: i64) -> i64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            i64::try_from((z ^ (z >> 31)) >> 1).unwrap() % bound
        }

        fn text(&mut self) -> String {
            let length = self.throw(50);
            let letters = (0..length).map(|_| match self.throw(5) {
                0 => 'U',
                1 => 'S',
                2 => 'D',
                3 => '?',
                _ => '.',
            });
            letters.collect()
        }

        fn spans(&mut self) -> Vec<(i64, i64)> {
            let mut spans: Vec<(i64, i64)> = (0..self.throw(4))
                .map(|_| {
                    let begin = self.throw(500);
                    (begin, begin + self.throw(90))
                })
                .collect();
            spans.sort_unstable();
            spans
        }
    }

    /// Orders come and are taken back: the five times always are the period, and at the end it is as it was.
    #[test]
    fn a_hundred_thousand_amended_histories_add_up() {
        for seed in 0..100_000 {
            let mut dice = Dice(seed);
            let mut marks: Vec<i64> = (0..dice.throw(7)).map(|_| dice.throw(500)).collect();
            marks.sort_unstable();
            marks.dedup();
            let timeline = timeline(&dice.text());
            let mut overlays = Overlays {
                incidents: marks
                    .chunks(2)
                    .map(|pair| (pair[0], pair.get(1).copied()))
                    .collect(),
                amended: HashMap::new(),
                maintenance: dice.spans(),
                unwatched: dice.spans(),
            };
            let from = dice.throw(250);
            let to = from + dice.throw(350);
            let told = |overlays: &Overlays| {
                let pieces = pieces(from, to, &timeline, overlays);
                let account = account(&pieces, &overlays.incidents, to);
                assert_eq!(account.period_ms(), to - from, "seed {seed}: {overlays:?}");
                (pieces, account)
            };
            let before = told(&overlays);
            let count = i64::try_from(overlays.incidents.len()).unwrap();
            let mut undo = Vec::new();
            for _ in 0..if count > 0 { dice.throw(5) } else { 0 } {
                let place = usize::try_from(dice.throw(count)).unwrap();
                let counts_as = CountsAs::ALL[usize::try_from(dice.throw(3)).unwrap()];
                undo.push((place, overlays.amended.insert(place, counts_as)));
                let (_, account) = told(&overlays);
                assert_eq!(account.unknown_ms, before.1.unknown_ms, "seed {seed}");
            }
            while let Some((place, counted_as)) = undo.pop() {
                match counted_as {
                    Some(counted_as) => overlays.amended.insert(place, counted_as),
                    None => overlays.amended.remove(&place),
                };
                told(&overlays);
            }
            assert_eq!(told(&overlays), before, "seed {seed}");
        }
    }

    fn spans() -> impl Strategy<Value = Vec<(i64, i64)>> {
        prop::collection::vec((0..600_i64, 0..100_i64), 0..5).prop_map(|list| {
            let mut list: Vec<(i64, i64)> = list
                .into_iter()
                .map(|(begin, long)| (begin, begin + long))
                .collect();
            list.sort_unstable();
            list
        })
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn the_five_times_are_the_period(
            text in "[USD?.]{0,60}", maintenance in spans(), unwatched in spans(),
            marks in prop::collection::btree_set(0..600_i64, 0..8), from in 0..300_i64, long in 0..400_i64,
            amended in prop::collection::hash_map(0..4_usize, prop::sample::select(&CountsAs::ALL[..]), 0..4),
        ) {
            let marks: Vec<i64> = marks.into_iter().collect();
            let incidents = marks.chunks(2).map(|pair| (pair[0], pair.get(1).copied())).collect();
            let overlays = Overlays { incidents, amended, maintenance, unwatched };
            let timeline = timeline(&text);
            let whole = pieces(from, from + long, &timeline, &overlays);
            let all = account(&whole, &overlays.incidents, from + long);
            prop_assert_eq!(all.period_ms(), long);
            // Only what was seen moves, between four of the five.
            let raw = Overlays { amended: HashMap::new(), ..overlays.clone() };
            let raw = account(&pieces(from, from + long, &timeline, &raw), &overlays.incidents, from + long);
            prop_assert_eq!(raw.period_ms(), long);
            prop_assert_eq!(raw.unknown_ms, all.unknown_ms);
            for percent in [all.uptime_percent(), all.coverage_percent()].into_iter().flatten() {
                prop_assert!((0.0..=100.0).contains(&percent));
            }
            if all.down_ms > 0 {
                prop_assert!(all.uptime_percent() < Some(100.0));
            }
            // Each millisecond for itself says the same.
            let mut sum = Account::default();
            for at in from..from + long {
                let one = account(&pieces(at, at + 1, &timeline, &overlays), &overlays.incidents, at + 1);
                sum.up_ms += one.up_ms;
                sum.degraded_ms += one.degraded_ms;
                sum.down_ms += one.down_ms;
                sum.maintenance_ms += one.maintenance_ms;
                sum.unknown_ms += one.unknown_ms;
            }
            sum.outages = all.outages;
            sum.longest_ms = all.longest_ms;
            sum.mttr_ms = all.mttr_ms;
            prop_assert_eq!(sum, all);
        }
    }
}
