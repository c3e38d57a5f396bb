//! The one sentence that `sitewatch why` begins with.

use super::command::Asked;
use super::past::Found;
use crate::domain::duration_text::Human;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Status;
use crate::store::facts::monitors::StoredMonitor;
use crate::view::rows::MailRow;
use crate::view::why::HoldRow;

/// What there is to say of messages.
pub(super) struct Telling<'a> {
    pub(super) holds: &'a [HoldRow],
    pub(super) told: &'a [MailRow],
    /// Since when the oldest message about it waits that nothing keeps.
    pub(super) due_since: Option<Timestamp>,
    /// When the first message left after the time that is asked about.
    pub(super) first_after: Option<Timestamp>,
}

impl Telling<'_> {
    /// What holds a DOWN; an acknowledgement does not.
    fn hold(&self) -> Option<&HoldRow> {
        self.holds.iter().find(|hold| hold.by != "ack")
    }
}

impl Asked<'_> {
    /// One sentence.
    pub(super) fn reason(
        &self,
        monitor: &StoredMonitor,
        found: &Found,
        telling: &Telling<'_>,
    ) -> String {
        let (name, kept) = (&monitor.name, &found.kept);
        if kept.paused {
            return format!("{name} is paused: it is not checked, so there is nothing to tell.");
        }
        let sentence = self.standing(monitor, found, telling);
        match &found.locations {
            Some(locations) => format!("{sentence} Of its locations {locations}."),
            None => sentence,
        }
    }

    fn standing(&self, monitor: &StoredMonitor, found: &Found, telling: &Telling<'_>) -> String {
        let (name, kept) = (&monitor.name, &found.kept);
        let since = |at: Timestamp| self.clock.civil(at);
        match &kept.status {
            Status::Pending => format!("{name} is pending: no check has said anything of it yet."),
            Status::Up { since: at } => {
                let reason = match (kept.shown.reason, &found.reservation) {
                    (None, _) => String::new(),
                    (Some(reason), None) => format!(" ({reason})"),
                    (Some(reason), Some(said)) => format!(" ({reason}: {said})"),
                };
                let state = kept.shown.state;
                let since = since(*at);
                match (telling.hold(), telling.due_since) {
                    (None, None) => format!(
                        "{name} is {state}{reason} since {since}: there is no outage to tell of."
                    ),
                    (None, Some(due_since)) => format!(
                        "{name} is {state}{reason} since {since}; {}.",
                        self.due(due_since)
                    ),
                    (Some(hold), _) => format!(
                        "{name} is {state}{reason} since {since}; a message about it waits: {}.",
                        self.held(hold)
                    ),
                }
            }
            Status::Suspect {
                first_bad,
                count,
                cause,
                ..
            } => format!(
                "{name} is still {}: since {} {count} of its checks failed in a row ({}), which are not \
                 enough to call it down.",
                kept.shown.state,
                since(*first_bad),
                cause.failure.detail
            ),
            Status::Down(outage) | Status::Recovering { outage, .. } => {
                let recovering = match &kept.status {
                    Status::Recovering { .. } => ", and a recovery is being confirmed",
                    Status::Pending
                    | Status::Up { .. }
                    | Status::Suspect { .. }
                    | Status::Down(_) => "",
                };
                format!(
                    "{name} is down since {} ({}){recovering}; {}.",
                    since(outage.opened_at()),
                    outage.cause.failure.detail,
                    self.telling(telling)
                )
            }
        }
    }

    /// `held by parent (router)`, `held by mute (anna) until 14:02:11 (for 30s)`
    fn held(&self, hold: &HoldRow) -> String {
        let who = hold.who.as_ref();
        let who = who.map_or_else(String::new, |who| format!(" ({who})"));
        let until = hold.until.map_or_else(String::new, |until| {
            let left = Human(until.since(self.at));
            format!(" until {} (for {left})", self.clock.civil(until))
        });
        format!("held by {}{who}{until}", hold.by)
    }

    /// What was told of an outage.
    fn telling(&self, telling: &Telling<'_>) -> String {
        let Telling { told, .. } = telling;
        let sent = told.iter().filter(|mail| mail.sent_at.is_some()).count();
        if let Some(first) = told.iter().filter_map(|mail| mail.sent_at).min() {
            let count = if sent == 1 {
                "1 message was sent,".to_owned()
            } else {
                format!("{sent} messages were sent, the first")
            };
            return format!("{count} at {}", self.clock.civil(first));
        }
        match telling.hold() {
            Some(hold) if hold.by == "nobody" => {
                return match hold.to.as_slice() {
                    [] => "nobody is told: it has no recipients".to_owned(),
                    to => format!("nobody is told: {} takes no DOWN", to.join(", ")),
                };
            }
            Some(hold) => return format!("no message has left yet: {}", self.held(hold)),
            None => {}
        }
        match (telling.due_since, telling.first_after) {
            (Some(since), _) => self.due(since),
            (None, Some(first)) => format!(
                "no message had left by then, the first left at {}",
                self.clock.civil(first)
            ),
            (None, None) if told.is_empty() => "no message has left yet".to_owned(),
            (None, None) => {
                "no message has left, and none waits: `sitewatch email queue` says which were refused".to_owned()
            }
        }
    }

    /// What is said of a message that nothing holds and that has not left.
    fn due(&self, since: Timestamp) -> String {
        format!(
            "nothing holds its message of {}: it leaves as soon as a daemon sends it",
            self.clock.civil(since)
        )
    }
}
