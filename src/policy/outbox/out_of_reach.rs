//! Whether the others are to hear that a channel does not get its messages: once for a time in which none got through.

use std::time::Duration;

use super::retry::Outcome;
use super::transport_pause::Pause;
use crate::domain::timestamp::Timestamp;

/// A service that is away for a moment is nobody's news. As long as this, messages wait at most before the heartbeat
/// says so as well.
pub const TOLD_AFTER: Duration = Duration::from_secs(15 * 60);
/// A service that fails again and again is told of at most so often.
const TOLD_EVERY: Duration = Duration::from_secs(3600);

/// What is remembered of the attempts of a channel.
#[derive(Debug, Clone, Default)]
pub struct OutOfReach {
    failing: Option<Failing>,
    told_at: Option<Timestamp>,
}

/// No attempt since then has delivered anything.
#[derive(Debug, Clone)]
struct Failing {
    since: Timestamp,
    why: String,
    /// Only a person can mend it.
    is_refused: bool,
    is_told: bool,
}

/// What the others are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The service refuses us: the channel is paused.
    Paused(String),
    /// Nothing has got through since then.
    Silent {
        /// Since when.
        since: Timestamp,
        /// What the last attempt met.
        why: String,
    },
}

impl OutOfReach {
    /// What a new process knows: a pause that the last one left behind was told by it.
    pub fn at_start(pause: Option<&Pause>) -> Self {
        Self {
            failing: pause.map(|pause| Failing {
                since: pause.since,
                why: pause.why.clone(),
                is_refused: true,
                is_told: true,
            }),
            told_at: pause.map(|pause| pause.since),
        }
    }

    /// Takes note of an attempt. One message that is refused for good says nothing of the others.
    pub fn note(&mut self, outcome: &Outcome, now: Timestamp) {
        let (why, is_refusal) = match outcome {
            Outcome::Accepted(_) => {
                self.failing = None;
                return;
            }
            Outcome::Permanent(_) => return,
            Outcome::Pause(why) => (why, true),
            Outcome::Temporary { error: why, .. }
            | Outcome::Later { error: why, .. }
            | Outcome::Rest(why)
            | Outcome::Unknown(why) => (why, false),
        };
        let failing = self.failing.get_or_insert(Failing {
            since: now,
            why: String::new(),
            is_refused: false,
            is_told: false,
        });
        failing.since = failing.since.min(now);
        failing.why.clone_from(why);
        failing.is_refused |= is_refusal;
    }

    /// What is to be told now, if anything. It is answered once.
    pub fn news(&mut self, now: Timestamp) -> Option<Said> {
        if self.due_at()? > now {
            return None;
        }
        let failing = self.failing.as_mut()?;
        failing.is_told = true;
        self.told_at = Some(now);
        let why = failing.why.clone();
        Some(match failing.is_refused {
            true => Said::Paused(why),
            false => Said::Silent {
                since: failing.since,
                why,
            },
        })
    }

    /// When there is something to tell if nothing gets through before.
    pub fn due_at(&self) -> Option<Timestamp> {
        let failing = self.failing.as_ref().filter(|failing| !failing.is_told)?;
        let own = match failing.is_refused {
            true => failing.since,
            false => failing.since.plus(TOLD_AFTER),
        };
        // A time that lies ahead was written before the clock was set back.
        let before = self.told_at.filter(|at| *at <= failing.since);
        Some(before.map_or(own, |at| own.max(at.plus(TOLD_EVERY))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::queued::Holds;
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_ms(1_795_377_600_000 + minutes * 60_000)
    }

    /// `410@0 500@1 ok@2`: attempts by the minute; what was told, and when.
    #[track_caller]
    fn check(attempts: &str, want: &[&str]) {
        let mut reach = OutOfReach::default();
        let mut told = Vec::new();
        for attempt in attempts.split_whitespace() {
            let (what, minute) = attempt.split_once('@').unwrap();
            let minute: i64 = minute.parse().unwrap();
            let outcome = match what {
                "ok" => Outcome::Accepted("204".into()),
                "400" => Outcome::Permanent("400".into()),
                "410" => Outcome::Pause("410".into()),
                "cut" => Outcome::Unknown("cut".into()),
                why => Outcome::Temporary {
                    holds: Holds::Recipient,
                    error: why.into(),
                },
            };
            reach.note(&outcome, at(minute));
            told.extend(reach.news(at(minute)).map(|said| match said {
                Said::Paused(why) => format!("{minute} paused {why}"),
                Said::Silent { since, why } => {
                    let since = at(minute).since(since).as_secs() / 60;
                    format!("{minute} silent for {since} {why}")
                }
            }));
        }
        assert_eq!(told, want, "{attempts}");
    }

    #[test]
    fn a_time_without_deliveries_is_told_once() {
        check("410@0 410@15 410@30", &["0 paused 410"]);
        check("410@0 500@15 410@16 500@31 410@32", &["0 paused 410"]);
        check("500@0 410@1 500@2 410@3", &["1 paused 410"]);
        check("500@0 500@5 ok@10 500@14 500@20 ok@25", &[]);
        check(
            "refused@0 refused@5 refused@14 refused@15 refused@45 refused@9000",
            &["15 silent for 15 refused"],
        );
        check("cut@0 cut@1 cut@2 cut@20", &["20 silent for 20 cut"]);
        check("400@0 400@20 400@40", &[]);
    }

    #[test]
    fn a_service_that_comes_and_goes_is_told_of_once_an_hour() {
        check(
            "410@0 ok@5 410@10 ok@15 410@59 410@60 410@75 ok@80 410@81 410@120",
            &["0 paused 410", "60 paused 410", "120 paused 410"],
        );
    }

    #[test]
    fn a_pause_of_the_last_process_was_told_by_it() {
        let pause = Pause::after(None, &Outcome::Pause("410".into()), at(0)).unwrap();
        let mut reach = OutOfReach::at_start(Some(&pause));
        reach.note(&Outcome::Pause("410".into()), at(15));
        assert_eq!(reach.news(at(15)), None);
        assert_eq!(reach.due_at(), None);
    }

    #[test]
    fn a_clock_set_back_hides_nothing() {
        let mut reach = OutOfReach::default();
        reach.note(&Outcome::Pause("410".into()), at(0));
        assert!(reach.news(at(0)).is_some());
        reach.note(&Outcome::Accepted("204".into()), at(1));
        reach.note(&Outcome::Pause("410".into()), at(-1000));
        assert!(reach.news(at(-1000)).is_some());
    }
}
