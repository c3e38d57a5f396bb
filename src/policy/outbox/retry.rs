//! What one attempt to deliver means for its row: back-off, giving up, pausing the transport.

use std::time::Duration;

use super::queued::{Holds, Tries, Waiting};
use crate::domain::timestamp::Timestamp;

/// A mail that could not leave for this long is given up (RFC 5321 section 4.5.4.1: at least 4 to 5 days).
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(5 * 86_400);
/// The first delay after a temporary refusal; each next is twice as long.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(5);
/// No delay is longer than this (RFC 5321 section 4.5.4.1: half an hour), jitter apart.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30 * 60);
/// A refusal that only a person can mend rests the whole transport for this long.
pub const PAUSE: Duration = Duration::from_secs(15 * 60);
/// A service that asks for no wait at all is not asked in a tight loop.
const LATER_MIN: Duration = Duration::from_secs(1);
/// A service that asks for a longer wait is asked again after this.
pub const LATER_MAX: Duration = Duration::from_secs(86_400);
/// How often a mail whose outcome is unknown is repeated.
pub const REPEATS_MAX: u32 = 2;

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server took it; what it answered.
    Accepted(String),
    /// Later, perhaps: the network, the server, or a 4xx answer.
    Temporary {
        /// How far it reaches.
        holds: Holds,
        /// One line for a person.
        error: String,
    },
    /// Not before this time, which the service itself said: everything to this recipient waits for it.
    Later {
        /// How long, from now; at most a day counts.
        after: Duration,
        /// One line for a person.
        error: String,
    },
    /// A 5xx answer to RCPT, to DATA or its end about the recipient or the message: this recipient will not get it.
    Permanent(String),
    /// A 5xx answer there about us: nothing reaches this recipient until somebody mends it.
    Rest(String),
    /// A 5xx answer anywhere else, or TLS that cannot be had: nothing will leave until somebody mends it.
    Pause(String),
    /// The connection ended after the end of DATA without an answer.
    Unknown(String),
}

/// What becomes of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Settled {
    /// It has left.
    Sent,
    /// It is kept as failed and not tried again by itself.
    Failed {
        /// Why, one line.
        error: String,
    },
    /// It is tried again.
    Later {
        /// When it is tried next.
        at: Timestamp,
        /// What waits with it.
        holds: Holds,
        /// Whether this attempt's outcome is unknown.
        unknown: bool,
        /// Why, one line.
        error: String,
    },
}

/// Decides what an attempt's outcome makes of its row. `seed` spreads the retries of many rows.
pub fn settle(row: &Waiting, outcome: &Outcome, seed: u64, now: Timestamp) -> Settled {
    let attempts = row.attempts().saturating_add(1);
    let next_at = now.plus(backoff(attempts, seed));
    let first_at = match row.tries {
        Tries::None => now,
        Tries::Failed { first_at, .. } => first_at,
    };
    let too_old = now.since(first_at) >= GIVE_UP_AFTER;
    match outcome {
        Outcome::Accepted(_) => Settled::Sent,
        Outcome::Permanent(error) => Settled::Failed {
            error: error.clone(),
        },
        Outcome::Temporary { error, .. } if too_old => Settled::Failed {
            error: format!("given up after 5 days: {error}"),
        },
        Outcome::Later { error, .. } if too_old => Settled::Failed {
            error: format!("given up after 5 days: {error}"),
        },
        Outcome::Later { after, error } => Settled::Later {
            at: now.plus((*after).clamp(LATER_MIN, LATER_MAX)),
            holds: Holds::Asked,
            unknown: false,
            error: error.clone(),
        },
        Outcome::Temporary { holds, error } => Settled::Later {
            at: next_at,
            holds: *holds,
            unknown: false,
            error: error.clone(),
        },
        Outcome::Unknown(error) if row.unknown() >= REPEATS_MAX => Settled::Failed {
            error: format!("may have arrived; not repeated a third time: {error}"),
        },
        Outcome::Unknown(error) => Settled::Later {
            at: next_at,
            holds: Holds::Recipient,
            unknown: true,
            error: error.clone(),
        },
        // The mail is not at fault, however old it is: it waits until that is mended.
        Outcome::Rest(error) => Settled::Later {
            at: now.plus(PAUSE),
            holds: Holds::Refused,
            unknown: false,
            error: error.clone(),
        },
        Outcome::Pause(error) => Settled::Later {
            at: now.plus(PAUSE),
            holds: Holds::Transport,
            unknown: false,
            error: error.clone(),
        },
    }
}

/// The delay after attempt number `attempts` (1 is the first): doubling, bounded, ± 20 % by `seed`.
pub fn backoff(attempts: u32, seed: u64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let whole = BACKOFF_FIRST
        .saturating_mul(1 << doublings)
        .min(BACKOFF_MAX);
    // SplitMix64: neighbouring seeds and attempts land far apart.
    let mut spread =
        (seed ^ u64::from(attempts).rotate_left(32)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    spread = (spread ^ (spread >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    spread = (spread ^ (spread >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    spread ^= spread >> 31;
    let percent = 80 + u32::try_from(spread % 41).expect("a remainder of 41 is small");
    whole * percent / 100
}

#[cfg(test)]
mod tests {
    use super::super::queued::RowId;
    use super::*;
    use crate::domain::notification::MailKind;

    fn row(tries: Tries) -> Waiting {
        Waiting {
            id: RowId(1),
            kind: MailKind::Down,
            monitor: None,
            incident: None,
            cause: None,
            queued_at: Timestamp::from_ms(0),
            tries,
            held: None,
            tells: Vec::new(),
            members: Vec::new(),
            follows: false,
        }
    }

    fn tried(count: u32, unknown: u32) -> Tries {
        Tries::Failed {
            count,
            unknown,
            first_at: Timestamp::from_ms(0),
            last_at: Timestamp::from_ms(0),
            next_at: Timestamp::from_ms(0),
            holds: Holds::Recipient,
        }
    }

    #[test]
    fn delays_grow_to_half_an_hour_with_jitter() {
        let mut before = Duration::ZERO;
        for attempts in 1..=9 {
            let delay = backoff(attempts, 42);
            assert!(delay > before, "{attempts}: {delay:?} after {before:?}");
            before = delay;
        }
        for attempts in 1..400 {
            for seed in 0..50 {
                let delay = backoff(attempts, seed);
                assert!(delay >= BACKOFF_FIRST * 80 / 100);
                assert!(delay <= BACKOFF_MAX * 120 / 100);
            }
        }
        let spread: std::collections::BTreeSet<_> = (0..50).map(|seed| backoff(3, seed)).collect();
        assert!(spread.len() > 20, "retries of many rows are spread");
    }

    #[test]
    fn each_outcome_has_its_consequence() {
        let now = Timestamp::from_ms(3_600_000);
        let late = Timestamp::from_ms(0).plus(GIVE_UP_AFTER);
        let temporary = Outcome::Temporary {
            holds: Holds::Mail,
            error: "451 later".into(),
        };
        assert_eq!(
            settle(&row(Tries::None), &Outcome::Accepted("250".into()), 1, now),
            Settled::Sent
        );
        assert!(matches!(
            settle(&row(tried(3, 0)), &temporary, 1, now),
            Settled::Later {
                holds: Holds::Mail,
                unknown: false,
                ..
            }
        ));
        assert_eq!(
            settle(&row(tried(300, 0)), &temporary, 1, late),
            Settled::Failed {
                error: "given up after 5 days: 451 later".into()
            }
        );
        // Held back for days before its first try, it has its five days from there.
        assert!(matches!(
            settle(&row(Tries::None), &temporary, 1, late),
            Settled::Later { .. }
        ));
        let rest = Outcome::Rest("554 5.7.1 no".into());
        assert_eq!(
            settle(&row(tried(300, 0)), &rest, 1, late),
            Settled::Later {
                at: late.plus(PAUSE),
                holds: Holds::Refused,
                unknown: false,
                error: "554 5.7.1 no".into()
            }
        );
        let pause = Outcome::Pause("535 no".into());
        assert_eq!(
            settle(&row(tried(300, 0)), &pause, 1, late),
            Settled::Later {
                at: late.plus(PAUSE),
                holds: Holds::Transport,
                unknown: false,
                error: "535 no".into()
            }
        );
    }

    #[test]
    fn an_unknown_outcome_is_repeated_at_most_twice() {
        let now = Timestamp::from_ms(0);
        let unknown = Outcome::Unknown("cut".into());
        assert!(matches!(
            settle(&row(Tries::None), &unknown, 1, now),
            Settled::Later { unknown: true, .. }
        ));
        assert!(matches!(
            settle(&row(tried(1, 1)), &unknown, 1, now),
            Settled::Later { unknown: true, .. }
        ));
        assert!(matches!(
            settle(&row(tried(2, 2)), &unknown, 1, now),
            Settled::Failed { .. }
        ));
    }
}
