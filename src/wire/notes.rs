//! The small messages between a hub and its probes: JSON, since people look at them with `nats sub`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fields::WireError;

/// No note is larger.
pub const NOTE_BYTES_MAX: usize = 4096;

/// A probe is there. Times are in milliseconds since 1970, by the probe's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hi {
    /// The program's version.
    pub version: String,
    /// Its spool.
    pub spool: u64,
    /// When it was sent.
    pub sent_at: i64,
    /// Frames that wait in its spool.
    pub waiting: u64,
    /// Since when it is offline, if it is.
    pub offline_since: Option<i64>,
    /// The list that it checks by.
    pub list_version: u64,
    /// Which part of the location's monitors it checks, like `2/4`; `None`: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
}

/// The hub wants a check now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckNow {
    /// Of which monitor.
    pub monitor: i64,
    /// Unless one began within so many milliseconds before.
    pub unless_within_ms: u64,
}

/// Up to which frame of a spool the hub has committed everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Which spool.
    pub spool: u64,
    /// The newest committed frame.
    pub seq: u64,
}

/// What the newest list of a location is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListHead {
    /// Its version; grows.
    pub version: u64,
    /// How many pieces it has.
    pub pieces: usize,
    /// The SHA-256 of all of them together, in hexadecimal.
    pub sha256: String,
}

/// What the hub tells a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// There is another list.
    List(ListHead),
    /// A frame is missing: send again what comes after this.
    Resend(Done),
    /// Committed.
    Done(Done),
}

/// A note as it travels.
pub fn write(note: &impl Serialize) -> Vec<u8> {
    // Notes have numbers, texts and no maps: they can always be written.
    serde_json::to_vec(note).unwrap_or_default()
}

/// A note as it was written.
///
/// # Errors
/// If it is too large, or not what is expected.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    if bytes.len() > NOTE_BYTES_MAX {
        return Err(WireError::Large(NOTE_BYTES_MAX));
    }
    serde_json::from_slice(bytes).map_err(|_| WireError::Damaged("it is no note of this program"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        let done = Done {
            spool: u64::MAX,
            seq: 3,
        };
        let head = ListHead {
            version: 1,
            pieces: 2,
            sha256: "00".to_owned(),
        };
        for told in [
            Told::List(head),
            Told::Resend(done.clone()),
            Told::Done(done),
        ] {
            assert_eq!(read(&write(&told)), Ok(told));
        }
        assert_eq!(
            String::from_utf8(write(&Told::Done(Done { spool: 1, seq: 2 }))).unwrap(),
            r#"{"done":{"spool":1,"seq":2}}"#
        );
        let mut hi = Hi {
            version: "1.0.0".to_owned(),
            spool: 7,
            sent_at: 8,
            waiting: 9,
            offline_since: None,
            list_version: 10,
            share: None,
        };
        // A probe that has its location alone says what it always said.
        let alone = r#"{"version":"1.0.0","spool":7,"sent_at":8,"waiting":9,"offline_since":null,"list_version":10}"#;
        assert_eq!(String::from_utf8(write(&hi)).unwrap(), alone);
        assert_eq!(read(alone.as_bytes()), Ok(hi.clone()));
        hi.share = Some("2/4".to_owned());
        assert_eq!(read(&write(&hi)), Ok(hi));
        for bad in [
            "",
            "{}",
            "null",
            "[[[[",
            "{\"done\":{\"spool\":-1,\"seq\":1}}",
        ] {
            assert!(read::<Told>(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(read::<Told>(&[b' '; NOTE_BYTES_MAX + 1]).is_err());
    }
}
