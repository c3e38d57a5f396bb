//! What the locations of a monitor said around one step of its machine, and that in words.

use std::time::Duration;

use super::confirm::Voter;
use super::location_news::sentence;
use super::monitor::Event;
use super::quorum::Tally;
use super::seats::{Seat, Seats};
use super::state::Kept;
use crate::domain::check::Check;
use crate::domain::duration_text::Human;
use crate::domain::location::{LocationName, Quorum, Seen};
use crate::domain::monitor::Rules;
use crate::domain::timestamp::Timestamp;

/// What several locations said before and after one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Votes {
    /// From where the check came that led to the step.
    pub heard: Option<LocationName>,
    before: Vec<Ballot>,
    after: Vec<Ballot>,
    /// The votes after the step.
    tally: Tally,
    /// So many that say down make it down, if the word of all counts.
    needed: usize,
    /// Locations that say down make it down if there are so many: fewer where not all are heard.
    to_open: usize,
    /// Locations that say good end it.
    to_close: usize,
    regional: (bool, bool),
    failures_before_down: u16,
    successes_before_up: u16,
    fresh_for: Duration,
}

/// What one location said.
#[derive(Debug, Clone, PartialEq)]
struct Ballot {
    location: LocationName,
    voter: Voter,
    /// `None`: it was never heard.
    seen: Option<Seen>,
}

impl Ballot {
    fn all(seats: Option<&Seats>, rules: &Rules, now: Timestamp) -> Vec<Self> {
        let seats = seats.map(|seats| seats.list.iter());
        let said = |seat: &Seat| Self {
            location: seat.location.clone(),
            voter: seat.voter.clone(),
            seen: seat.heard.at.map(|_| seat.seen(rules, now)),
        };
        seats.into_iter().flatten().map(said).collect()
    }

    /// A location of which nothing is known yet.
    fn unheard(seat: &Seat) -> Self {
        Self {
            location: seat.location.clone(),
            voter: Voter::Pending,
            seen: None,
        }
    }

    fn is_down(&self) -> bool {
        matches!(self.voter, Voter::Down { .. })
    }

    fn is_good(&self) -> bool {
        matches!(self.voter, Voter::Good { .. })
    }
}

impl Votes {
    /// Of a monitor with several locations.
    pub(in crate::policy) fn around(
        rules: &Rules,
        before: &Kept,
        after: &Kept,
        event: Event<'_>,
        now: Timestamp,
    ) -> Option<Self> {
        let quorum: &Quorum = rules.quorum.as_deref()?;
        if quorum.locations.len() < 2 {
            return None;
        }
        let seats = after.seats.as_deref()?;
        let tally = seats.tally(rules, now);
        let is_regional =
            |kept: &Kept| (kept.seats.as_ref()).is_some_and(|seats| seats.regional.is_some());
        Some(Self {
            heard: match event {
                Event::Heard { location, .. } => Some(location.clone()),
                Event::Checked(_)
                | Event::Tick
                | Event::Order(_)
                | Event::ParentRecovered
                | Event::Reconfigured { .. }
                | Event::Removed => None,
            },
            // A moment before: what falls silent with this step was not silent yet.
            before: match before.seats.as_deref() {
                None => seats.list.iter().map(Ballot::unheard).collect(),
                known => Ballot::all(known, rules, now.minus(Duration::from_millis(1))),
            },
            after: Ballot::all(Some(seats), rules, now),
            tally,
            needed: quorum.needed(),
            to_open: tally.to_open(quorum.down_when),
            to_close: tally.to_close(quorum.down_when),
            regional: (is_regional(before), is_regional(after)),
            failures_before_down: rules.failures_before_down,
            successes_before_up: rules.successes_before_up,
            fresh_for: rules.fresh_for(),
        })
    }

    /// Whether any location says another thing than before.
    pub(in crate::policy) fn has_changed(&self) -> bool {
        self.regional.0 != self.regional.1
            || self.pairs().any(|(before, after)| {
                before.seen != after.seen || said(&before.voter) != said(&after.voter)
            })
    }

    fn pairs(&self) -> impl Iterator<Item = (&Ballot, &Ballot)> {
        self.after.iter().filter_map(|after| {
            let mut before = self.before.iter();
            Some((before.find(|one| one.location == after.location)?, after))
        })
    }

    /// What each location says that it did not say before: a word for the event, and the text.
    pub(in crate::policy) fn of_locations(
        &self,
        check: Option<&Check>,
    ) -> Vec<(&'static str, String)> {
        let why = check
            .and_then(|check| check.verdict.failure())
            .map_or_else(String::new, |failure| format!(": {}", failure.detail));
        let mut steps = Vec::new();
        for (before, after) in self.pairs() {
            let name = &after.location;
            let is_its = self.heard.as_ref() == Some(name);
            steps.extend(self.seen(before.seen, after.seen).map(|text| {
                let event = match after.seen {
                    Some(Seen::Silent) => "silent",
                    Some(Seen::Offline) => "offline",
                    Some(Seen::Fresh) | None => "heard",
                };
                (event, format!("{name}: {text}"))
            }));
            if is_its && let Some(text) = self.vote(&before.voter, &after.voter, &why) {
                steps.push(("vote", format!("{name}: {text}")));
            }
        }
        steps
    }

    fn seen(&self, before: Option<Seen>, after: Option<Seen>) -> Option<String> {
        let before = before?;
        match after? {
            after if after == before => None,
            Seen::Silent => Some(format!(
                "nothing was heard for {}, so it has no vote",
                Human(self.fresh_for)
            )),
            Seen::Offline => Some("it is offline itself, so it has no vote".to_owned()),
            Seen::Fresh => Some("its word counts again".to_owned()),
        }
    }

    fn vote(&self, before: &Voter, after: &Voter, why: &str) -> Option<String> {
        let (failures, successes) = (self.failures_before_down, self.successes_before_up);
        Some(match (before, after) {
            (before, after) if said(before) == said(after) => return None,
            (_, Voter::Pending) => "nothing is known of it there any more".to_owned(),
            (_, Voter::Failing { count, .. }) => {
                format!("failed, {count} of {failures} in a row that make it say down{why}")
            }
            (Voter::Rising { .. }, Voter::Down { .. }) => {
                format!("failed again, so its recovery does not count{why}")
            }
            (_, Voter::Down { failed, .. }) => {
                format!("failed, {failed} in a row: it says down{why}")
            }
            (_, Voter::Rising { count, .. }) => {
                format!("good, {count} of {successes} in a row that make it say good")
            }
            (Voter::Failing { .. }, Voter::Good { .. }) => {
                "good: its failure is not confirmed".to_owned()
            }
            (Voter::Rising { .. } | Voter::Down { .. }, Voter::Good { .. }) => {
                format!("good, {successes} in a row: it says good")
            }
            (Voter::Pending | Voter::Good { .. }, Voter::Good { .. }) => "it says good".to_owned(),
        })
    }

    /// `fra and nyc say down, 2 of 3 locations`
    pub(in crate::policy) fn who_says_down(&self) -> String {
        self.who(Ballot::is_down, "down")
    }

    /// `fra and nyc say good, 2 of 3 locations`
    pub(in crate::policy) fn who_says_good(&self) -> String {
        self.who(Ballot::is_good, "good")
    }

    fn who(&self, wanted: fn(&Ballot) -> bool, word: &str) -> String {
        let known = self
            .after
            .iter()
            .filter(|one| one.seen == Some(Seen::Fresh));
        let names: Vec<&LocationName> = known
            .filter(|one| wanted(one))
            .map(|one| &one.location)
            .collect();
        let say = if names.len() == 1 { "says" } else { "say" };
        let all = self.tally.all;
        let text = match names.len() {
            0 => format!("none of {all} locations says {word}"),
            count => format!(
                "{} {say} {word}, {count} of {all} locations",
                sentence(names.into_iter())
            ),
        };
        match all - self.tally.known {
            0 => text,
            _ => format!("{text}, seen from {}", self.tally.known),
        }
    }

    /// `2 make it down`
    pub(in crate::policy) fn bar(&self) -> String {
        match self.to_open {
            1 => "1 makes it down".to_owned(),
            count => format!("{count} make it down"),
        }
    }

    /// `2 make it up`
    pub(in crate::policy) fn bar_to_close(&self) -> String {
        match self.to_close {
            1 => "1 makes it up".to_owned(),
            count => format!("{count} make it up"),
        }
    }

    /// That it began or ceased to fail from some locations only.
    pub(in crate::policy) fn of_region(&self) -> Option<String> {
        match self.regional {
            (false, true) => Some(format!(
                "{}, {} needed: degraded, regional",
                self.who_says_down(),
                match self.needed {
                    1 => "1 is".to_owned(),
                    needed => format!("{needed} are"),
                }
            )),
            (true, false) if self.tally.down == 0 => {
                Some("no location says down any more".to_owned())
            }
            _ => None,
        }
    }
}

/// What is said about a voter: neither its times nor how many failed since it said down.
fn said(voter: &Voter) -> (u8, u16) {
    match voter {
        Voter::Pending => (0, 0),
        Voter::Good { .. } => (1, 0),
        Voter::Failing { count, .. } => (2, *count),
        Voter::Down { .. } => (3, 0),
        Voter::Rising { count, .. } => (4, *count),
    }
}

/// What locations say now that do not simply say good: `fra says down, sgp is silent`; `None` if all do, or if there is
/// one only.
pub fn now(rules: &Rules, kept: &Kept, at: Timestamp) -> Option<String> {
    let quorum = rules.quorum.as_ref()?;
    let seats = kept.seats.as_ref()?;
    if quorum.locations.len() < 2 {
        return None;
    }
    let words: Vec<String> = (seats.list.iter())
        .filter_map(|seat| {
            let name = &seat.location;
            Some(match (seat.seen(rules, at), &seat.voter) {
                (Seen::Silent, _) if seat.heard.at.is_none() => format!("{name} was not heard yet"),
                (Seen::Silent, _) if seats.is_awaited(seat, rules, at) => {
                    format!("{name} was not heard again yet")
                }
                (Seen::Silent, _) => format!("{name} is silent"),
                (Seen::Offline, _) => format!("{name} is offline"),
                (Seen::Fresh, Voter::Pending | Voter::Good { .. }) => return None,
                (Seen::Fresh, Voter::Failing { count, .. }) => format!(
                    "{name} failed {count} of {} times",
                    rules.failures_before_down
                ),
                (Seen::Fresh, Voter::Down { .. }) => format!("{name} says down"),
                (Seen::Fresh, Voter::Rising { .. }) => format!("{name} is recovering"),
            })
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}
