//! Whose turn it is among monitors that are due while slots are scarce.
//!
//! Two rules. Monitors whose last check ran into its deadline (the dead) use at most half of the slots, so that they
//! never keep the others (the living) waiting. And what is being confirmed goes before what only has its turn: checks
//! that come too rarely to be counted together would never make an alert, however much is down.

use std::collections::VecDeque;

/// A monitor in a queue, and the generation of its place there.
pub(in crate::daemon) type Ready = (u32, u32);

/// The queues.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Turns {
    /// The living, beside their grid: confirmations, first checks, what somebody asked for.
    beside: VecDeque<Ready>,
    /// The living, on their grid.
    grid: VecDeque<Ready>,
    /// The dead that are being confirmed.
    dead_beside: VecDeque<Ready>,
    /// The dead on their grid.
    dead_grid: VecDeque<Ready>,
    /// How many of the dead had their turn.
    dead_turns: u64,
}

impl Turns {
    /// Puts in one that has become due.
    pub(in crate::daemon) fn push(&mut self, dead: bool, beside: bool, ready: Ready) {
        match (dead, beside) {
            (false, true) => &mut self.beside,
            (false, false) => &mut self.grid,
            (true, true) => &mut self.dead_beside,
            (true, false) => &mut self.dead_grid,
        }
        .push_back(ready);
    }

    /// How many wait, stale ones included.
    pub(in crate::daemon) fn len(&self) -> usize {
        self.beside.len() + self.grid.len() + self.dead_beside.len() + self.dead_grid.len()
    }

    /// Forgets all.
    pub(in crate::daemon) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Who may begin, of those that still are where they were put. `dead` of `slots` slots are used by the dead.
    pub(in crate::daemon) fn next(
        &mut self,
        slots: u32,
        dead: u32,
        is_there: impl Fn(Ready) -> bool,
    ) -> Option<u32> {
        let living = |queue: &mut VecDeque<Ready>| first(queue, &is_there);
        if let Some(index) = living(&mut self.beside) {
            return Some(index);
        }
        // A quarter is theirs whatever the others want: else nobody would hear of an outage while the rest is late.
        if dead < slots / 4
            && let Some(index) = self.next_dead(&is_there)
        {
            return Some(index);
        }
        if let Some(index) = living(&mut self.grid) {
            return Some(index);
        }
        // One slot has no halves: there the dead wait for nobody but the living.
        (dead < slots.div_ceil(2))
            .then(|| self.next_dead(&is_there))
            .flatten()
    }

    /// Where more died at once than can be confirmed in one round, whoever failed last goes first: its checks then come
    /// close enough to be counted, and it leaves the queue. Every other turn goes to who waited longest, so that nobody
    /// waits for ever.
    fn next_dead(&mut self, is_there: &impl Fn(Ready) -> bool) -> Option<u32> {
        self.dead_turns = self.dead_turns.wrapping_add(1);
        match self.dead_turns % 4 {
            0 => first(&mut self.dead_grid, is_there)
                .or_else(|| last(&mut self.dead_beside, is_there)),
            2 => first(&mut self.dead_beside, is_there)
                .or_else(|| first(&mut self.dead_grid, is_there)),
            _ => last(&mut self.dead_beside, is_there)
                .or_else(|| first(&mut self.dead_grid, is_there)),
        }
    }
}

fn first(queue: &mut VecDeque<Ready>, is_there: &impl Fn(Ready) -> bool) -> Option<u32> {
    while let Some(ready) = queue.pop_front() {
        if is_there(ready) {
            return Some(ready.0);
        }
    }
    None
}

fn last(queue: &mut VecDeque<Ready>, is_there: &impl Fn(Ready) -> bool) -> Option<u32> {
    while let Some(ready) = queue.pop_back() {
        if is_there(ready) {
            return Some(ready.0);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` a living one on its grid, `A` beside it, `d` a dead one on its grid, `D` beside it.
    fn turns(words: &str) -> Turns {
        let mut turns = Turns::default();
        for (index, letter) in words.chars().enumerate() {
            let index = u32::try_from(index).unwrap();
            let dead = letter.eq_ignore_ascii_case(&'d');
            turns.push(dead, letter.is_uppercase(), (index, 0));
        }
        turns
    }

    fn order(words: &str, slots: u32, dead: u32) -> Vec<u32> {
        let mut turns = turns(words);
        std::iter::from_fn(|| turns.next(slots, dead, |_| true)).collect()
    }

    #[test]
    fn what_is_confirmed_goes_first_and_the_dead_have_their_share() {
        assert_eq!(order("aAaA", 8, 0), [1, 3, 0, 2]);
        // While the dead use less than a quarter they go before the grid of the living, above half not at all.
        assert_eq!(order("aDa", 8, 0), [1, 0, 2]);
        assert_eq!(order("aDa", 8, 2), [0, 2, 1]);
        assert_eq!(order("aDa", 8, 4), [0, 2]);
        assert_eq!(order("aD", 1, 0), [0, 1]);
        // Of the dead the newest first, every other time the oldest, every fourth time one on its grid.
        assert_eq!(order("DDDDdd", 8, 0), [3, 0, 2, 4, 1, 5]);
    }

    #[test]
    fn who_is_not_there_any_more_is_passed_over() {
        let mut turns = turns("AaDd");
        assert_eq!(turns.next(8, 0, |(index, _)| index == 3), Some(3));
        assert_eq!(turns.next(8, 0, |_| true), Some(1));
        assert_eq!(turns.len(), 0);
    }
}
