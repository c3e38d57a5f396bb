//! Confirmed locations vote: when enough of them say down, a monitor is down, and when enough say good, it is up again.
//!
//! Fewer witnesses lower the bar, and never below what is known: one location that is left can open an incident, and
//! it can close what others saw only if it saw it too. A location whose word may still come lowers nothing: when
//! nobody can be heard any more, the last one that fell silent decides nothing alone, nor does the first one that is
//! heard again.

use crate::domain::location::{DownWhen, Seen};

/// What one location says at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// Its word does not count: it was not heard for too long, or is offline itself.
    Unknown(Seen),
    /// Its word does not count, but nothing says that it is the only one: nobody was heard since it fell silent, or it
    /// had no time to be heard again since nobody was.
    Awaited,
    /// It fails there, confirmed.
    Down,
    /// It is good there.
    Good {
        /// Whether it was down there in the incident that is open.
        saw_it: bool,
    },
    /// A failure or a recovery is being confirmed, or nothing was confirmed yet.
    Wavering,
}

/// The votes of all locations of a monitor, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All locations.
    pub all: usize,
    /// Those whose word counts.
    pub known: usize,
    /// Those that are silent, perhaps with all others, or had no time to be heard again since.
    pub awaited: usize,
    /// Those that say down.
    pub down: usize,
    /// Those that say good.
    pub good: usize,
    /// Those that say good and were down in the incident that is open.
    pub witnesses: usize,
}

/// What follows from the votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// An incident begins.
    Open,
    /// The open incident ends.
    Close,
    /// Nothing changes.
    Stay,
}

impl Tally {
    /// Counts.
    pub fn of(votes: impl IntoIterator<Item = Vote>) -> Self {
        let mut tally = Self::default();
        for vote in votes {
            tally.all += 1;
            tally.known += usize::from(!matches!(vote, Vote::Unknown(_) | Vote::Awaited));
            match vote {
                Vote::Unknown(_) | Vote::Wavering => {}
                Vote::Awaited => tally.awaited += 1,
                Vote::Down => tally.down += 1,
                Vote::Good { saw_it } => {
                    tally.good += 1;
                    tally.witnesses += usize::from(saw_it);
                }
            }
        }
        tally
    }

    /// So many must say down for an incident to begin; meaningless if nobody knows anything.
    pub fn to_open(self, down_when: DownWhen) -> usize {
        down_when.needed(self.all).min(self.known + self.awaited)
    }

    /// So many must say good for it to end.
    pub fn to_close(self, down_when: DownWhen) -> usize {
        self.all_but_needed(down_when)
            .min(self.known + self.awaited)
    }

    /// So many good ones leave too few that could say down.
    fn all_but_needed(self, down_when: DownWhen) -> usize {
        self.all + 1 - down_when.needed(self.all).min(self.all)
    }

    /// What follows from the votes, with or without an open incident.
    pub fn agree(self, down_when: DownWhen, is_down: bool) -> Agreement {
        if self.known == 0 {
            return Agreement::Stay;
        }
        if !is_down {
            return match self.down >= self.to_open(down_when) {
                true => Agreement::Open,
                false => Agreement::Stay,
            };
        }
        let enough = self.good >= self.to_close(down_when);
        let proven = self.good >= self.all_but_needed(down_when) || self.witnesses > 0;
        match enough && proven {
            true => Agreement::Close,
            false => Agreement::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// `b` down, `g` good, `w` good and a witness of the open incident, `v` wavering, `a` awaited, `?` unknown.
    fn tally(votes: &str) -> Tally {
        Tally::of(votes.split_whitespace().map(|vote| match vote {
            "b" => Vote::Down,
            "g" => Vote::Good { saw_it: false },
            "w" => Vote::Good { saw_it: true },
            "v" => Vote::Wavering,
            "a" => Vote::Awaited,
            "?" => Vote::Unknown(Seen::Silent),
            other => panic!("no vote: {other}"),
        }))
    }

    #[test]
    fn the_truth_table() {
        use Agreement::{Close, Open, Stay};
        use DownWhen::{All, Any, Majority};
        let (up, down) = (false, true);
        for (row, votes, down_when, was, want) in [
            (1, "b g g", Majority, up, Stay),
            (2, "b v g", Majority, up, Stay),
            (3, "b b g", Majority, up, Open),
            (4, "b b b", All, up, Open),
            (5, "b b g", All, up, Stay),
            (6, "b b ?", All, up, Open),
            (7, "b g g", Any, up, Open),
            (8, "b ? ?", Majority, up, Open),
            (9, "b g ?", Majority, up, Stay),
            (10, "? ? ?", Majority, up, Stay),
            (10, "? ? ?", All, up, Stay),
            (10, "? ? ?", Any, up, Stay),
            (11, "? ? ?", Majority, down, Stay),
            (12, "b g ?", Majority, down, Stay),
            (13, "g g b", Majority, down, Close),
            (14, "g ? ?", Majority, down, Stay),
            (15, "w ? ?", Majority, down, Close),
            (16, "w w v", Any, down, Stay),
            (17, "w v v", All, down, Close),
            (18, "v v v", Majority, up, Stay),
            (19, "b", Majority, up, Open),
            (19, "b", All, up, Open),
            (19, "b", Any, up, Open),
            (20, "w", Majority, down, Close),
            (20, "w", All, down, Close),
            (20, "w", Any, down, Close),
            // Those who had no time to be heard again: rows 8, 6, 15 and 17 wait for them.
            (21, "b a a", Majority, up, Stay),
            (21, "b a ?", Majority, up, Stay),
            (21, "b b a", Majority, up, Open),
            (21, "b b a", All, up, Stay),
            (21, "b a a", Any, up, Open),
            (22, "w a a", Majority, down, Stay),
            (22, "w w a", Majority, down, Close),
            (22, "w a a", All, down, Close),
            (23, "a a a", Any, up, Stay),
            (23, "a a a", All, down, Stay),
        ] {
            assert_eq!(
                tally(votes).agree(down_when, was),
                want,
                "row {row}: {votes}"
            );
        }
    }

    #[test]
    fn a_number_is_never_more_than_there_are() {
        assert_eq!(DownWhen::Count(2).needed(3), 2);
        assert_eq!(DownWhen::Count(7).needed(3), 3);
        assert_eq!(DownWhen::Majority.needed(2), 2);
        assert_eq!(DownWhen::Majority.needed(4), 3);
    }

    /// Every combination of votes of up to five locations.
    fn all_votes() -> Vec<Vec<Vote>> {
        let each = [
            Vote::Down,
            Vote::Good { saw_it: false },
            Vote::Good { saw_it: true },
            Vote::Wavering,
            Vote::Awaited,
            Vote::Unknown(Seen::Silent),
        ];
        let mut all: Vec<Vec<Vote>> = vec![Vec::new()];
        let mut found = Vec::new();
        for _ in 0..5 {
            all = all
                .iter()
                .flat_map(|votes| {
                    each.map(|vote| {
                        let mut more = votes.clone();
                        more.push(vote);
                        more
                    })
                })
                .collect();
            found.extend(all.iter().cloned());
        }
        found
    }

    #[test]
    fn every_combination_keeps_the_promises() {
        let rules = [
            DownWhen::Majority,
            DownWhen::All,
            DownWhen::Any,
            DownWhen::Count(2),
            DownWhen::Count(4),
        ];
        let mut seen = BTreeSet::new();
        for votes in all_votes() {
            for down_when in rules {
                let of = |votes: &[Vote]| Tally::of(votes.iter().copied());
                let [open, close] = [false, true].map(|was| of(&votes).agree(down_when, was));
                let (opens, closes) = (open == Agreement::Open, close == Agreement::Close);
                assert!(!(opens && closes), "both: {votes:?} {down_when:?}");
                let mut turned = votes.clone();
                turned.reverse();
                assert_eq!(of(&turned), of(&votes), "order does not matter");
                for place in 0..votes.len() {
                    let with = |vote| {
                        let mut other = votes.clone();
                        other[place] = vote;
                        let other = of(&other);
                        [false, true].map(|was| other.agree(down_when, was))
                    };
                    if matches!(votes[place], Vote::Unknown(_)) {
                        let [open, close] = with(Vote::Awaited);
                        let opens = open == Agreement::Open && !opens;
                        let closes = close == Agreement::Close && !closes;
                        assert!(!opens && !closes, "waiting decides nothing: {votes:?}");
                    }
                    let is_good = matches!(votes[place], Vote::Good { .. });
                    if is_good && !closes {
                        let [_, close] = with(Vote::Down);
                        assert_ne!(close, Agreement::Close, "down never closes: {votes:?}");
                    }
                    if votes[place] == Vote::Down && !opens {
                        let [open, _] = with(Vote::Good { saw_it: true });
                        assert_ne!(open, Agreement::Open, "good never opens: {votes:?}");
                    }
                    let [_, close] = with(Vote::Unknown(Seen::Silent));
                    if close == Agreement::Close && !closes {
                        let witnesses = of(&votes).witnesses;
                        assert!(
                            witnesses > 0,
                            "silence closes under a witness only: {votes:?}"
                        );
                    }
                }
                seen.insert((format!("{open:?}"), format!("{close:?}")));
            }
        }
        assert_eq!(
            seen.len(),
            3,
            "nothing, open and close all happen: {seen:?}"
        );
    }
}
