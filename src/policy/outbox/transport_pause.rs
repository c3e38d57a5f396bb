//! The pause of the way out: the server refused something that only a person can mend.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::queued::Holds;
use super::retry::{Outcome, PAUSE};
use crate::domain::timestamp::Timestamp;

/// A daemon that is started again and again asks a server that refuses it at most this often: servers lock
/// accounts out.
const STARTS_APART: Duration = Duration::from_secs(60);

/// Why no mail leaves, and when the next try is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
    /// When it is tried next.
    pub until: Timestamp,
    /// What the server said last.
    pub why: String,
}

impl Pause {
    /// What an attempt makes of a pause: begins it, lengthens it, ends it, or says nothing about it.
    pub fn after(before: Option<&Self>, outcome: &Outcome, now: Timestamp) -> Option<Self> {
        match outcome {
            Outcome::Pause(why) => Some(Self {
                since: before.map_or(now, |pause| pause.since),
                tried_at: now,
                until: now.plus(PAUSE),
                why: why.clone(),
            }),
            // The server spoke of the mail or of its recipient: the way there is open.
            Outcome::Accepted(_)
            | Outcome::Later { .. }
            | Outcome::Permanent(_)
            | Outcome::Rest(_)
            | Outcome::Unknown(_)
            | Outcome::Temporary {
                holds: Holds::Mail | Holds::Recipient | Holds::Refused | Holds::Asked,
                ..
            } => None,
            Outcome::Temporary {
                holds: Holds::Transport,
                ..
            } => before.cloned(),
        }
    }

    /// Whether nothing is to be tried now. A clock set back does not lengthen it by more than it lasts.
    pub fn rests(&self, now: Timestamp) -> bool {
        self.until > now && self.until.since(now) <= PAUSE * 2
    }

    /// What is left of it after a start: whoever mended the configuration and starts the daemon is not kept waiting.
    #[must_use]
    pub fn at_start(mut self) -> Self {
        self.until = self.until.min(self.tried_at.plus(STARTS_APART));
        self
    }

    /// A person or a new configuration wants it tried at once.
    #[must_use]
    pub const fn ended(mut self, now: Timestamp) -> Self {
        self.until = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(1_795_377_600_000 + seconds * 1000)
    }

    #[test]
    fn it_lasts_until_the_server_speaks_of_mails_again() {
        let refused = Outcome::Pause("535 no".into());
        let first = Pause::after(None, &refused, at(0)).unwrap();
        assert!(first.rests(at(899)) && !first.rests(at(900)));
        let second = Pause::after(Some(&first), &refused, at(900)).unwrap();
        assert_eq!((second.since, second.until), (at(0), at(1800)));
        let network = Outcome::Temporary {
            holds: Holds::Transport,
            error: "connection refused".into(),
        };
        let still = Pause::after(Some(&second), &network, at(1800)).unwrap();
        assert!(!still.rests(at(1800)));
        for outcome in [
            Outcome::Accepted("250".into()),
            Outcome::Permanent("550".into()),
            Outcome::Unknown("cut".into()),
        ] {
            assert_eq!(Pause::after(Some(&second), &outcome, at(1800)), None);
        }
    }

    #[test]
    fn a_start_tries_soon_a_person_at_once_and_a_clock_set_back_holds_nothing() {
        let pause = Pause::after(None, &Outcome::Pause("535".into()), at(0)).unwrap();
        let restarted = pause.clone().at_start();
        assert!(restarted.rests(at(59)) && !restarted.rests(at(60)));
        assert!(!pause.clone().ended(at(5)).rests(at(5)));
        assert!(!pause.rests(at(-86_400)));
    }
}
