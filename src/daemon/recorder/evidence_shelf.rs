//! Answers on their way from the check that got them to the recorder, which knows whether they are kept.
//!
//! A check leaves what it got here before it goes to the recorder's door, so that checks of which nothing is kept carry
//! nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::evidence::{Keep, RawEvidence};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;

/// What lies here takes at most this much, in bytes: a thousand failing pages. Beyond, the oldest goes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What an answer takes beside its bytes, about.
const BYTES_BESIDE: usize = 512;

/// So many monitors are asked for a good answer at a time: 100 000 that are checked once a minute have theirs after
/// about two hours.
const WANTED_MAX: usize = 1024;

/// Where answers lie. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shelf(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_on: AtomicBool,
    /// As in `lying`, to be looked at without a lock.
    lying_count: AtomicUsize,
    wanted_count: AtomicUsize,
    lying: Mutex<Lying>,
    wanted: Mutex<HashSet<MonitorId>>,
}

#[derive(Debug, Default)]
struct Lying {
    answers: BTreeMap<(Timestamp, MonitorId), Box<RawEvidence>>,
    bytes: usize,
}

impl Shelf {
    /// Whether anything is kept at all.
    pub fn set_on(&self, is_on: bool) {
        self.0.is_on.store(is_on, Relaxed);
    }

    /// What the next check of a monitor keeps.
    pub fn keep_for(&self, monitor: MonitorId, is_wanted: bool) -> Keep {
        if !is_wanted || !self.0.is_on.load(Relaxed) {
            return Keep::Nothing;
        }
        if self.0.wanted_count.load(Relaxed) == 0 {
            return Keep::Failing;
        }
        let mut wanted = self.wanted();
        let is_wanted = wanted.remove(&monitor);
        self.0.wanted_count.store(wanted.len(), Relaxed);
        match is_wanted {
            true => Keep::Good,
            false => Keep::Failing,
        }
    }

    /// Asks for a good answer of a monitor. False if too many are asked already.
    pub fn want_good(&self, monitor: MonitorId) -> bool {
        let mut wanted = self.wanted();
        if wanted.len() >= WANTED_MAX && !wanted.contains(&monitor) {
            return false;
        }
        wanted.insert(monitor);
        self.0.wanted_count.store(wanted.len(), Relaxed);
        true
    }

    /// Asks no monitor any longer: some are gone.
    pub fn forget_wishes(&self) {
        self.wanted().clear();
        self.0.wanted_count.store(0, Relaxed);
    }

    /// Lays down what the check of a monitor got that began at this time.
    pub fn put(&self, monitor: MonitorId, began: Timestamp, answer: Box<RawEvidence>) {
        let mut lying = self.lying();
        lying.bytes += bytes_of(&answer);
        if let Some(before) = lying.answers.insert((began, monitor), answer) {
            lying.bytes -= bytes_of(&before);
        }
        while lying.bytes > BYTES_MAX
            && let Some((_, oldest)) = lying.answers.pop_first()
        {
            lying.bytes -= bytes_of(&oldest);
        }
        self.0.lying_count.store(lying.answers.len(), Relaxed);
    }

    /// Takes it up again.
    pub fn take(&self, monitor: MonitorId, began: Timestamp) -> Option<Box<RawEvidence>> {
        if self.0.lying_count.load(Relaxed) == 0 {
            return None;
        }
        let mut lying = self.lying();
        let answer = lying.answers.remove(&(began, monitor))?;
        lying.bytes -= bytes_of(&answer);
        self.0.lying_count.store(lying.answers.len(), Relaxed);
        Some(answer)
    }

    fn lying(&self) -> MutexGuard<'_, Lying> {
        self.0.lying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self) -> MutexGuard<'_, HashSet<MonitorId>> {
        self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an answer takes in memory, about.
pub(super) fn bytes_of(answer: &RawEvidence) -> usize {
    let field = |field: &(String, Vec<u8>)| field.0.len() + field.1.len() + 48;
    let heads = answer.heads.iter();
    let heads: usize = heads
        .map(|head| head.url.len() + head.fields.iter().map(field).sum::<usize>())
        .sum();
    BYTES_BESIDE + heads + answer.body.capacity()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::redaction::Masks;

    fn answer(bytes: usize) -> Box<RawEvidence> {
        Box::new(RawEvidence {
            heads: Vec::new(),
            body: vec![0; bytes],
            is_decoded: true,
            is_cut: false,
            body_bytes: 0,
            masks: Masks::default(),
        })
    }

    #[test]
    fn the_oldest_answers_make_room_and_each_is_taken_once() {
        let shelf = Shelf::default();
        let at = Timestamp::from_ms;
        for number in 0..40 {
            shelf.put(MonitorId(1), at(number), answer(4 << 20));
        }
        assert!(shelf.take(MonitorId(1), at(20)).is_none());
        assert!(shelf.take(MonitorId(1), at(39)).is_some());
        assert!(shelf.take(MonitorId(1), at(39)).is_none());
        assert!(shelf.lying().bytes <= BYTES_MAX);
        assert_eq!(shelf.lying().answers.len(), 14);
    }

    #[test]
    fn a_wish_is_for_one_check() {
        let shelf = Shelf::default();
        let (one, other) = (MonitorId(1), MonitorId(2));
        assert_eq!(shelf.keep_for(one, true), Keep::Nothing);
        shelf.set_on(true);
        assert!(shelf.want_good(one));
        assert_eq!(shelf.keep_for(other, true), Keep::Failing);
        assert_eq!(shelf.keep_for(one, false), Keep::Nothing);
        assert_eq!(shelf.keep_for(one, true), Keep::Good);
        assert_eq!(shelf.keep_for(one, true), Keep::Failing);
        for number in 0..2000 {
            let is_asked = shelf.want_good(MonitorId(number));
            assert_eq!(is_asked, number < 1024);
        }
    }
}
