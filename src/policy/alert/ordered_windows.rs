//! Maintenance that somebody ordered: windows over one monitor, beside those of the configuration.
//!
//! A window ends at its last moment, by an order, or with the command that it was opened for: then with the first good
//! check begun after that command ended. If the process that ran the command is gone, so is the window.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::timestamp::Timestamp;
use crate::policy::clock_step::ClockStep;

/// Deploys of a monitor that overlap; more is a mistake.
pub const WINDOWS_MAX: usize = 16;

/// One window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedWindow {
    /// Its number: the monitors of one order share it.
    pub id: u64,
    /// Its begin.
    pub from: Timestamp,
    /// Its last moment, whatever ends it before.
    pub until: Timestamp,
    /// What ends it.
    pub ends: Ends,
    /// A word for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Arc<str>>,
}

/// What ends a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// Time.
    InTime,
    /// The end of a command that runs.
    WithCommand,
    /// The command exited: the first good check that begins after this moment ends the window.
    AtGoodCheck {
        /// When the command ended.
        after: Timestamp,
    },
}

/// The windows over one monitor, in the order in which they began. Most monitors have none, which takes one word.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderedWindows(
    #[expect(clippy::box_collection, reason = "two words less")] Option<Box<Vec<OrderedWindow>>>,
);

impl OrderedWindows {
    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &OrderedWindow> {
        self.0.iter().flat_map(|windows| windows.iter())
    }

    /// Whether one is open.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.iter().any(|window| now < window.until)
    }

    /// The next last moment of any.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.iter().map(|window| window.until).min()
    }

    /// Opens one, and answers it as it was opened: no two begin at the same moment. `None` if there are too many.
    pub(super) fn open(&mut self, mut window: OrderedWindow) -> Option<OrderedWindow> {
        if self.is_full() {
            return None;
        }
        let windows = self.0.get_or_insert_default();
        while windows.iter().any(|other| other.from == window.from) {
            window.from = Timestamp::from_ms(window.from.as_ms() + 1);
        }
        windows.push(window.clone());
        Some(window)
    }

    /// Whether one more would be too many.
    pub(super) fn is_full(&self) -> bool {
        self.iter().count() >= WINDOWS_MAX
    }

    /// The begin of the one that a new window until `until` can replace: its command exited, or it ends in time before
    /// the new one does.
    pub(super) fn replaceable(&self, until: Timestamp) -> Option<Timestamp> {
        let candidates = self.iter().filter(|window| match window.ends {
            Ends::WithCommand => false,
            Ends::AtGoodCheck { .. } => true,
            Ends::InTime => window.until <= until,
        });
        candidates
            .min_by_key(|window| window.until)
            .map(|window| window.from)
    }

    /// Takes those out that `is_over` says, and answers them.
    pub(super) fn close(&mut self, is_over: impl Fn(&OrderedWindow) -> bool) -> Vec<OrderedWindow> {
        let Some(windows) = &mut self.0 else {
            return Vec::new();
        };
        let over = windows.extract_if(.., |window| is_over(window)).collect();
        if windows.is_empty() {
            self.0 = None;
        }
        over
    }

    /// Takes note that the command of a window exited; false if there is no such window.
    pub(super) fn command_ended(&mut self, id: u64, after: Timestamp) -> bool {
        let mut found = false;
        for window in self.0.iter_mut().flat_map(|windows| windows.iter_mut()) {
            if window.id == id && window.ends == Ends::WithCommand {
                window.ends = Ends::AtGoodCheck { after };
                found = true;
            }
        }
        found
    }

    /// Moves them into the time of a clock that was set.
    pub(in crate::policy) fn clock_was_set(&mut self, step: &ClockStep) {
        for window in self.0.iter_mut().flat_map(|windows| windows.iter_mut()) {
            window.from = step.past(window.from);
            window.until = step.due(window.until);
            if let Ends::AtGoodCheck { after } = &mut window.ends {
                *after = step.past(*after);
            }
        }
    }
}

impl OrderedWindow {
    /// Whether a good check that began at `at` ends it.
    pub(super) fn ends_with_good_check(&self, at: Timestamp) -> bool {
        match self.ends {
            Ends::InTime | Ends::WithCommand => false,
            Ends::AtGoodCheck { after } => after <= at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(id: u64, until: i64, ends: Ends) -> OrderedWindow {
        OrderedWindow {
            id,
            from: Timestamp::from_ms(0),
            until: Timestamp::from_ms(until),
            ends,
            note: None,
        }
    }

    #[test]
    fn no_window_takes_one_word_and_windows_survive_their_json() {
        assert_eq!(size_of::<OrderedWindows>(), size_of::<usize>());
        let mut windows = OrderedWindows::default();
        assert_eq!(serde_json::to_string(&windows).unwrap(), "null");
        let _ = windows.open(window(1, 10, Ends::InTime)).unwrap();
        let second = windows.open(window(2, 20, Ends::WithCommand)).unwrap();
        assert_eq!(second.from, Timestamp::from_ms(1), "spans have a key each");
        assert!(windows.command_ended(2, Timestamp::from_ms(5)));
        assert!(
            !windows.command_ended(2, Timestamp::from_ms(6)),
            "it ends once"
        );
        let json = serde_json::to_string(&windows).unwrap();
        assert_eq!(
            serde_json::from_str::<OrderedWindows>(&json).unwrap(),
            windows
        );
        assert_eq!(windows.next_end(), Some(Timestamp::from_ms(10)));
        let over = windows.close(|window| window.ends_with_good_check(Timestamp::from_ms(5)));
        assert_eq!(over.len(), 1);
        assert!(windows.is_open(Timestamp::from_ms(9)) && !windows.is_open(Timestamp::from_ms(10)));
        assert_eq!(windows.close(|_| true).len(), 1);
        assert!(windows.is_empty());
    }

    #[test]
    fn there_is_a_limit() {
        let mut windows = OrderedWindows::default();
        for id in 0..WINDOWS_MAX as u64 {
            let _ = windows.open(window(id, 10, Ends::InTime)).unwrap();
        }
        assert_eq!(windows.open(window(99, 10, Ends::InTime)), None);
    }
}
