//! What the checks of a monitor said over time, and for how long each of them spoke.
//!
//! A check speaks from its start until the next check, at most for two intervals. Where nobody speaks there is
//! silence. A timeline has one entry per change, so a day without events takes a few bytes, and the exact times
//! of years are known long after the checks themselves were forgotten.

use crate::domain::check::CheckState;
use crate::domain::staleness;
use crate::domain::timestamp::Timestamp;
use crate::domain::varint;

/// What is said at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Voice {
    /// Nobody speaks: no check yet, or none for more than two intervals.
    #[default]
    Silent,
    /// As expected.
    Up,
    /// Good, with something to say.
    Degraded,
    /// Failed.
    Failed,
    /// The check itself could not tell: we were offline.
    Blind,
}

impl Voice {
    /// What a check says.
    pub const fn of(state: CheckState) -> Self {
        match state {
            CheckState::Up => Self::Up,
            CheckState::Degraded => Self::Degraded,
            CheckState::Down => Self::Failed,
            CheckState::Unknown => Self::Blind,
        }
    }

    const fn number(self) -> u64 {
        match self {
            Self::Silent => 0,
            Self::Up => 1,
            Self::Degraded => 2,
            Self::Failed => 3,
            Self::Blind => 4,
        }
    }

    const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Silent),
            1 => Some(Self::Up),
            2 => Some(Self::Degraded),
            3 => Some(Self::Failed),
            4 => Some(Self::Blind),
            _ => None,
        }
    }
}

/// One check as far as time is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// When it began.
    pub at: Timestamp,
    /// What it said.
    pub voice: Voice,
    /// It speaks for at most [`staleness::INTERVALS`] times this, in milliseconds.
    pub interval_ms: i64,
}

impl Word {
    /// Until when it speaks if no other check comes.
    pub fn until(&self) -> i64 {
        self.at.as_ms().saturating_add(
            self.interval_ms
                .max(0)
                .saturating_mul(i64::from(staleness::INTERVALS)),
        )
    }
}

/// Who spoke when, between two moments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    /// Milliseconds and what is said from then on; in order, neighbours differ, silence before the first.
    changes: Vec<(i64, Voice)>,
}

impl Timeline {
    /// What checks, in order of time, said from `from` up to `to`.
    pub fn of(words: impl IntoIterator<Item = Word>, from: i64, to: i64) -> Self {
        let mut timeline = Self::default();
        let mut last: Option<Word> = None;
        for word in words {
            if let Some(before) = last {
                timeline.say(before, word.at.as_ms(), from, to);
            }
            last = Some(word);
        }
        if let Some(word) = last {
            timeline.say(word, i64::MAX, from, to);
        }
        timeline
    }

    fn say(&mut self, word: Word, next: i64, from: i64, to: i64) {
        let begin = word.at.as_ms().max(from);
        let end = word.until().min(next).min(to);
        if begin < end {
            self.append(begin, end, word.voice);
        }
    }

    /// Adds what is said from `begin` to `end`, which is not before anything added so far.
    fn append(&mut self, begin: i64, end: i64, voice: Voice) {
        match self.changes.last() {
            // The silence after the last one is taken back.
            Some((at, Voice::Silent)) if *at == begin => {
                self.changes.pop();
            }
            _ => {}
        }
        if self.changes.last().map(|(_, voice)| *voice) != Some(voice) {
            self.changes.push((begin, voice));
        }
        if voice != Voice::Silent {
            self.changes.push((end, Voice::Silent));
        }
    }

    /// Adds a timeline of later times.
    pub fn extend(&mut self, later: &Self) {
        for (begin, end, voice) in later.spoken() {
            self.append(begin, end, voice);
        }
    }

    /// The times in which somebody speaks: begin, end and what; in order.
    pub fn spoken(&self) -> impl Iterator<Item = (i64, i64, Voice)> + '_ {
        self.changes
            .iter()
            .zip(self.changes.iter().skip(1))
            .map(|((begin, voice), (end, _))| (*begin, *end, *voice))
            .filter(|(.., voice)| *voice != Voice::Silent)
    }

    /// Whether nobody speaks at all.
    pub fn is_silent(&self) -> bool {
        self.changes.is_empty()
    }

    /// As bytes; `start` is a moment not after the first change.
    pub fn to_bytes(&self, start: i64) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 * self.changes.len());
        let mut before = start;
        for (at, voice) in &self.changes {
            varint::put(
                &mut out,
                ((at - before).unsigned_abs() << 3) | voice.number(),
            );
            before = *at;
        }
        out
    }

    /// From bytes; none where they are not those of a timeline.
    pub fn from_bytes(start: i64, mut bytes: &[u8]) -> Option<Self> {
        let mut changes = Vec::with_capacity(bytes.len() / 4);
        let mut at = start;
        while !bytes.is_empty() {
            let number = varint::take(&mut bytes)?;
            at = at.checked_add(i64::try_from(number >> 3).ok()?)?;
            changes.push((at, Voice::from_number(number & 7)?));
        }
        let ends_silent = changes
            .last()
            .is_none_or(|(_, voice)| *voice == Voice::Silent);
        ends_silent.then_some(Self { changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        text.split_whitespace()
            .map(|word| {
                let (letter, at) = word.split_at(1);
                Word {
                    at: Timestamp::from_ms(at.parse().unwrap()),
                    voice: match letter {
                        "U" => Voice::Up,
                        "D" => Voice::Failed,
                        "S" => Voice::Degraded,
                        _ => Voice::Blind,
                    },
                    interval_ms: 10,
                }
            })
            .collect()
    }

    fn check(text: &str, from: i64, to: i64, expected: &str) {
        let timeline = Timeline::of(words(text), from, to);
        let told: Vec<String> = timeline
            .spoken()
            .map(|(begin, end, voice)| format!("{begin}-{end} {voice:?}"))
            .collect();
        assert_eq!(told.join(", "), expected, "{text}");
        let bytes = timeline.to_bytes(from);
        assert_eq!(
            Timeline::from_bytes(from, &bytes),
            Some(timeline.clone()),
            "{text}"
        );
        for cut in from..to {
            let mut parts = Timeline::of(words(text), from, cut);
            parts.extend(&Timeline::of(words(text), cut, to));
            assert_eq!(parts, timeline, "{text} cut at {cut}");
        }
    }

    #[test]
    fn a_check_speaks_until_the_next_but_not_for_ever() {
        check("", 0, 100, "");
        check("U0 U10 U20", 0, 100, "0-40 Up");
        check("U0 D10 U20", 0, 100, "0-10 Up, 10-20 Failed, 20-40 Up");
        check("U0 U50", 0, 100, "0-20 Up, 50-70 Up");
        check("U0 U20", 0, 100, "0-40 Up");
        check("U0 ?10 S12", 5, 20, "5-10 Up, 10-12 Blind, 12-20 Degraded");
        check("U90", 0, 100, "90-100 Up");
        check("U0", 50, 100, "");
    }
}
