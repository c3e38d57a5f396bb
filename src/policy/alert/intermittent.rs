//! Many single failures that never become an incident.

use serde::{Deserialize, Serialize};

use crate::domain::timestamp::Timestamp;

/// How many of the newest checks are looked at; as many good ones in a row end it.
const CHECKS: u8 = 20;

/// So many failed ones among them are too many.
const FAILED: u32 = 5;

/// A monitor that fails now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intermittent {
    /// The check that made it so.
    pub since: Timestamp,
    /// Whether that was mailed.
    pub told: bool,
}

/// The last 20 verdicts, newest in the lowest bit; a set bit failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    bits: u32,
    len: u8,
}

impl Window {
    /// One more verdict.
    pub fn push(&mut self, failed: bool) {
        self.bits = ((self.bits << 1) | u32::from(failed)) & ((1 << CHECKS) - 1);
        self.len = (self.len + 1).min(CHECKS);
    }

    /// How many of them failed.
    pub const fn failed(self) -> u32 {
        self.bits.count_ones()
    }

    /// Whether so many failed that the monitor is intermittent.
    pub const fn is_bad(self) -> bool {
        self.failed() >= FAILED
    }

    /// Whether there are 20 and all of them good.
    pub const fn is_clean(self) -> bool {
        self.len == CHECKS && self.bits == 0
    }
}
