//! The rest of the transport after a trouble that passes by itself: no network, a busy server, a limit on us.

use super::plan::FRESH_TRY;
use super::queued::Holds;
use super::retry::{Outcome, backoff};
use crate::domain::timestamp::Timestamp;

/// For how long nothing is tried, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// When it began.
    pub since: Timestamp,
    /// When the server was last tried.
    pub tried_at: Timestamp,
    /// When it is tried next.
    pub until: Timestamp,
    /// How many tries failed in a row.
    pub tries: u32,
    /// What the last of them met.
    pub why: String,
}

impl Rest {
    /// What an attempt makes of a rest: begins or lengthens it, ends it, or says nothing about it.
    pub fn after(
        before: Option<&Self>,
        outcome: &Outcome,
        seed: u64,
        now: Timestamp,
    ) -> Option<Self> {
        match outcome {
            Outcome::Temporary {
                holds: Holds::Transport,
                error,
            } => {
                // Mails that shared a connection share its failure: it counts once.
                if let Some(rest) = before.filter(|rest| rest.rests(now)) {
                    return Some(rest.clone());
                }
                let tries = before.map_or(0, |rest| rest.tries).saturating_add(1);
                Some(Self {
                    since: before.map_or(now, |rest| rest.since),
                    tried_at: now,
                    until: now.plus(backoff(tries, seed)),
                    tries,
                    why: error.clone(),
                })
            }
            // The server spoke of a mail or of its recipient, or a pause takes over.
            Outcome::Accepted(_)
            | Outcome::Later { .. }
            | Outcome::Permanent(_)
            | Outcome::Rest(_)
            | Outcome::Pause(_)
            | Outcome::Unknown(_)
            | Outcome::Temporary {
                holds: Holds::Mail | Holds::Recipient | Holds::Refused | Holds::Asked,
                ..
            } => None,
        }
    }

    /// Whether nothing is to be tried now. A clock set back does not lengthen it.
    pub fn rests(&self, now: Timestamp) -> bool {
        self.until > now && self.tried_at <= now
    }

    /// When something may be tried: news that was never tried does not wait half an hour for a server that is back.
    pub fn ends_at(&self, has_fresh: bool) -> Timestamp {
        if has_fresh {
            self.until.min(self.tried_at.plus(FRESH_TRY))
        } else {
            self.until
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(1_795_377_600_000 + seconds * 1000)
    }

    fn busy() -> Outcome {
        Outcome::Temporary {
            holds: Holds::Transport,
            error: "421 too many connections".into(),
        }
    }

    #[test]
    fn it_grows_with_each_try_and_ends_when_the_server_speaks_of_mails() {
        let first = Rest::after(None, &busy(), 1, at(0)).unwrap();
        assert!(first.rests(at(3)) && !first.rests(at(7)), "{first:?}");
        let shared = Rest::after(Some(&first), &busy(), 1, at(1)).unwrap();
        assert_eq!(shared, first, "one connection failed, not two");
        let second = Rest::after(Some(&first), &busy(), 1, at(10)).unwrap();
        assert_eq!((second.tries, second.since), (2, at(0)));
        assert!(second.rests(at(17)));
        for outcome in [
            Outcome::Accepted("250".into()),
            Outcome::Permanent("550".into()),
            Outcome::Rest("554 5.7.1".into()),
            Outcome::Unknown("cut".into()),
            Outcome::Pause("535".into()),
        ] {
            assert_eq!(Rest::after(Some(&second), &outcome, 1, at(20)), None);
        }
        assert!(!second.rests(at(-86_400)), "a clock set back holds nothing");
    }

    #[test]
    fn news_does_not_wait_half_an_hour() {
        let mut rest = Rest::after(None, &busy(), 1, at(0)).unwrap();
        rest.until = at(1800);
        assert_eq!(
            (rest.ends_at(false), rest.ends_at(true)),
            (at(1800), at(60))
        );
    }
}
