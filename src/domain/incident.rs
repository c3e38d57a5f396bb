//! An outage, from its first failed check to its first good one.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::check::Failure;
use super::monitor::MonitorId;
use super::timestamp::Timestamp;

/// The natural key of an incident: replaying a step cannot open a second one.
///
/// Its text form, `MONITOR-MILLISECONDS`, is the `id` of JSON and of `X-Sitewatch-Incident`, kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentKey {
    /// Whose outage.
    pub monitor: MonitorId,
    /// The start of its first failed check.
    pub opened_at: Timestamp,
}

impl fmt::Display for IncidentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.monitor.0, self.opened_at.as_ms())
    }
}

/// The text is not an incident's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid incident id")]
pub struct IncidentKeyError(String);

impl FromStr for IncidentKey {
    type Err = IncidentKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || IncidentKeyError(text.to_owned());
        let (monitor, opened) = text.split_once('-').ok_or_else(wrong)?;
        Ok(Self {
            monitor: MonitorId(monitor.parse().map_err(|_| wrong())?),
            opened_at: Timestamp::from_ms(opened.parse().map_err(|_| wrong())?),
        })
    }
}

impl Serialize for IncidentKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IncidentKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One outage as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Monitor and first failed check.
    pub key: IncidentKey,
    /// Its beginning, where the clock was set since it opened; none: as the key says.
    #[serde(default)]
    pub began_at: Option<Timestamp>,
    /// Whether all of it was recorded while the clock was ahead: it counts nowhere.
    #[serde(default)]
    pub clock_is_wrong: bool,
    /// The start of the first good check after it, or the moment the monitor was removed or paused.
    pub closed_at: Option<Timestamp>,
    /// What its first failed check said.
    pub cause: Cause,
    /// How many checks failed so far.
    pub checks_failed: u32,
    /// Whether any of it fell into a maintenance window.
    pub maintenance: bool,
    /// When somebody took note of it.
    pub acked_at: Option<Timestamp>,
    /// What was said with the newest acknowledgement, one line.
    pub ack_note: Option<Arc<str>>,
}

impl Incident {
    /// The start of its first failed check, by the clock that counts.
    pub fn opened_at(&self) -> Timestamp {
        self.began_at.unwrap_or(self.key.opened_at)
    }
}

/// The beginnings of incidents during which the clock was set. All others began when their keys say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beginnings(Vec<(IncidentKey, Timestamp)>);

impl Beginnings {
    /// One more.
    pub fn add(&mut self, incident: IncidentKey, began_at: Timestamp) {
        self.0.push((incident, began_at));
    }

    /// When an incident began.
    pub fn of(&self, incident: IncidentKey) -> Timestamp {
        let known = self.0.iter().find(|(key, _)| *key == incident);
        known.map_or(incident.opened_at, |(_, began_at)| *began_at)
    }
}

/// Status and failure of one failed check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What was wrong.
    pub failure: Failure,
    /// The status, where one came.
    pub status: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_survives_its_text() {
        let key = IncidentKey {
            monitor: MonitorId(12),
            opened_at: Timestamp::from_ms(1_795_377_600_123),
        };
        assert_eq!(key.to_string(), "12-1795377600123");
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!("12".parse::<IncidentKey>().is_err());
        assert!("a-b".parse::<IncidentKey>().is_err());
    }
}
