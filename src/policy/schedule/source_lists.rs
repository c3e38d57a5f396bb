//! When a list is suddenly too short to be believed, and when what is wrong with it is told.

use crate::domain::timestamp::Timestamp;

/// Whether a list of `now` entries has fewer than `per_cent` of the `before` entries in force.
pub const fn is_too_short(before: usize, now: usize, per_cent: u8) -> bool {
    now.saturating_mul(100) < before.saturating_mul(per_cent as usize)
}

/// What is wrong with a list. Each is told once while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// There is none: no file, no answer, an answer that says so.
    Missing,
    /// What came is no list, or not all of it.
    NotAList,
    /// It is too short, or empty.
    Short,
    /// It is longer than a list may be.
    TooLarge,
}

/// What is known of a list that is wrong, until it is good again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// When it was first wrong.
    pub since: Timestamp,
    wrong: Wrong,
    told: Vec<Wrong>,
}

impl Trouble {
    /// Notes that a list is wrong. True if that is to be told: it is told at the second reading that says the same, as
    /// a list that is just being written is wrong for a moment.
    pub fn note(known: &mut Option<Self>, wrong: Wrong, now: Timestamp) -> bool {
        let Some(trouble) = known else {
            *known = Some(Self {
                since: now,
                wrong,
                told: Vec::new(),
            });
            return false;
        };
        let is_confirmed = trouble.wrong == wrong;
        trouble.wrong = wrong;
        if !is_confirmed || trouble.told.contains(&wrong) {
            return false;
        }
        trouble.told.push(wrong);
        true
    }

    /// Whether it was told.
    pub const fn is_told(&self) -> bool {
        !self.told.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_lose_what_the_percentage_leaves() {
        for (before, now, per_cent, want) in [
            (0, 0, 100, false),
            (0, 5, 80, false),
            (100, 80, 80, false),
            (100, 79, 80, true),
            (3, 2, 80, true),
            (1, 0, 1, true),
            (5, 0, 0, false),
            (usize::MAX, usize::MAX, 100, false),
        ] {
            assert_eq!(
                is_too_short(before, now, per_cent),
                want,
                "{before} {now} {per_cent}"
            );
        }
    }

    #[test]
    fn the_same_is_told_once_and_at_its_second_time() {
        let mut known = None;
        let mut told = Vec::new();
        for (at, wrong) in [
            Wrong::Short,
            Wrong::Missing,
            Wrong::Missing,
            Wrong::Missing,
            Wrong::NotAList,
            Wrong::NotAList,
            Wrong::Missing,
            Wrong::Missing,
        ]
        .into_iter()
        .zip(0..)
        .map(|(wrong, at)| (at, wrong))
        {
            if Trouble::note(&mut known, wrong, Timestamp::from_ms(at)) {
                told.push((at, wrong));
            }
        }
        assert_eq!(told, [(2, Wrong::Missing), (5, Wrong::NotAList)]);
        assert_eq!(known.unwrap().since, Timestamp::from_ms(0));
    }
}
