//! What a channel takes.

use std::fmt;
use std::str::FromStr;

use super::format::Format;
use crate::domain::notification::MailKind;

/// One word of a channel's `events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// A monitor is down. Brings was_down and flapping.
    Down,
    /// A reminder.
    StillDown,
    /// A monitor is up again.
    Up,
    /// An incident is older than a step of `[[escalation]]`.
    Escalated,
    /// Slow, intermittent, or a certificate expires soon.
    Degraded,
    /// Another redirect chain.
    RedirectChanged,
    /// An objective's error budget burns too fast.
    Burn,
    /// We were offline.
    Blind,
    /// A fault of ours.
    Trouble,
    /// The periodic report.
    Report,
}

/// The text is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an event")]
pub struct EventError(String);

impl Event {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Down,
        Self::StillDown,
        Self::Up,
        Self::Escalated,
        Self::Degraded,
        Self::RedirectChanged,
        Self::Burn,
        Self::Blind,
        Self::Trouble,
        Self::Report,
    ];

    /// What formats take that are told of single incidents.
    pub const OF_INCIDENTS: [Self; 4] = [Self::Down, Self::StillDown, Self::Up, Self::Escalated];

    /// The word of the configuration and of JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::StillDown => "still_down",
            Self::Up => "up",
            Self::Escalated => "escalated",
            Self::Degraded => "degraded",
            Self::RedirectChanged => "redirect_changed",
            Self::Burn => "burn",
            Self::Blind => "blind",
            Self::Trouble => "trouble",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Event {
    type Err = EventError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|event| event.as_str() == word);
        found.ok_or_else(|| EventError(word.to_owned()))
    }
}

/// The events that one channel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Events(u16);

/// Why a list of events does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventsError {
    /// Nothing would ever be sent.
    #[error("`events` is empty: this channel would never be told of anything")]
    Empty,
    /// Recoveries go to everybody who was told of the outage.
    #[error("\"up\" needs \"down\": a recovery is told to those who were told of the outage")]
    UpWithoutDown,
    /// The service knows incidents only.
    #[error("{format} is told of incidents only: \"{event}\" is not for it")]
    NotAnIncident {
        /// The service.
        format: Format,
        /// The word that does not fit.
        event: Event,
    },
    /// The service shows a state and takes no messages.
    #[error("{0} shows which incidents are open, so it has no `events`")]
    NoMessages(Format),
}

impl Events {
    /// What a channel of this format takes if it does not say.
    pub fn default_of(format: Format) -> Self {
        if format.takes_incidents_only() {
            Self::from_slice(&Event::OF_INCIDENTS)
        } else {
            Self::from_slice(&Event::ALL)
        }
    }

    /// Takes a list as it is written.
    ///
    /// # Errors
    /// If it is empty, has `up` without `down`, or has an event that the service cannot be told of.
    pub fn new(format: Format, events: &[Event]) -> Result<Self, EventsError> {
        if format == Format::Alertmanager {
            return Err(EventsError::NoMessages(format));
        }
        if events.is_empty() {
            return Err(EventsError::Empty);
        }
        if events.contains(&Event::Up) && !events.contains(&Event::Down) {
            return Err(EventsError::UpWithoutDown);
        }
        let other = events
            .iter()
            .find(|event| format.takes_incidents_only() && !Event::OF_INCIDENTS.contains(event));
        match other {
            Some(event) => Err(EventsError::NotAnIncident {
                format,
                event: *event,
            }),
            None => Ok(Self::from_slice(events)),
        }
    }

    fn from_slice(events: &[Event]) -> Self {
        Self(events.iter().fold(0, |set, event| set | 1 << *event as u16))
    }

    /// Whether an event is one of them.
    pub const fn has(self, event: Event) -> bool {
        self.0 & 1 << event as u16 != 0
    }

    /// Whether the channel takes news of this kind. A digest holds only what it takes, and a test always comes.
    pub const fn takes(self, kind: MailKind) -> bool {
        match kind {
            MailKind::Down | MailKind::WasDown | MailKind::Flapping => self.has(Event::Down),
            MailKind::StillDown => self.has(Event::StillDown),
            MailKind::Escalated => self.has(Event::Escalated),
            MailKind::Up => self.has(Event::Up),
            MailKind::Degraded => self.has(Event::Degraded),
            MailKind::RedirectChanged => self.has(Event::RedirectChanged),
            MailKind::Blind => self.has(Event::Blind),
            MailKind::Trouble => self.has(Event::Trouble),
            MailKind::Burn => self.has(Event::Burn),
            MailKind::Report => self.has(Event::Report),
            MailKind::Digest | MailKind::Test => true,
        }
    }

    /// The events in the order of [`Event::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Event> {
        Event::ALL.into_iter().filter(move |event| self.has(*event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for event in Event::ALL {
            assert_eq!(event.as_str().parse(), Ok(event));
        }
        assert!("test".parse::<Event>().is_err());
    }

    #[test]
    fn down_brings_was_down_and_flapping() {
        let events = Events::new(Format::Slack, &[Event::Down, Event::Up]).unwrap();
        let taken: Vec<&str> = MailKind::ALL
            .into_iter()
            .filter(|kind| events.takes(*kind))
            .map(MailKind::as_str)
            .collect();
        assert_eq!(
            taken,
            ["down", "up", "was_down", "flapping", "digest", "test"]
        );
        assert_eq!(events.iter().collect::<Vec<_>>(), [Event::Down, Event::Up]);
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        for (format, events, want) in [
            (Format::Json, &[][..], EventsError::Empty),
            (Format::Json, &[Event::Up], EventsError::UpWithoutDown),
            (
                Format::Alertmanager,
                &[Event::Down],
                EventsError::NoMessages(Format::Alertmanager),
            ),
            (
                Format::Pagerduty,
                &[Event::Down, Event::Report],
                EventsError::NotAnIncident {
                    format: Format::Pagerduty,
                    event: Event::Report,
                },
            ),
        ] {
            assert_eq!(Events::new(format, events), Err(want));
        }
        assert_eq!(Events::default_of(Format::Opsgenie).iter().count(), 4);
        assert_eq!(Events::default_of(Format::Json).iter().count(), 10);
    }
}
