//! Orders of people, as they are kept: who ordered what, about which monitors.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// Who gave an order, as the kernel and this machine's users say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The number of the user.
    pub uid: u32,
    /// Their name at that time; `None` if this machine's list of users has none.
    pub name: Option<String>,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "user {}", self.uid),
        }
    }
}

/// What was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderWord {
    /// Check no more.
    Pause,
    /// Check again.
    Resume,
    /// Hold mails.
    Mute,
    /// Hold them no more.
    Unmute,
    /// Acknowledge an outage.
    Ack,
    /// Check now.
    Recheck,
    /// Read the configuration again.
    Reload,
    /// Open maintenance windows, or end them.
    Maintenance,
    /// Make an incident count otherwise.
    Amend,
    /// Add a note to an incident.
    Note,
}

impl OrderWord {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Pause,
        Self::Resume,
        Self::Mute,
        Self::Unmute,
        Self::Ack,
        Self::Recheck,
        Self::Reload,
        Self::Maintenance,
        Self::Amend,
        Self::Note,
    ];

    /// The command's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Ack => "ack",
            Self::Recheck => "recheck",
            Self::Reload => "reload",
            Self::Maintenance => "maintenance",
            Self::Amend => "amend",
            Self::Note => "note",
        }
    }

    /// The order of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.as_str() == word)
    }
}

/// What was said with an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderArgs {
    /// About all monitors.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// About the monitors with any of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// About these monitors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<String>,
    /// Until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// A word for the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The incident that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// How it counts from now on.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub counts_as: Option<String>,
    /// The amendment in force was taken back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// Of a note: everybody may read it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
    /// Of maintenance: what was opened by order was ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub end: bool,
    /// Of maintenance: as long as a command runs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub with_command: bool,
    /// Of a reload: lists that are shorter than allowed were to be taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accept_lists: bool,
}

/// An order as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenOrder {
    /// Who gave it.
    pub by: By,
    /// What was ordered.
    pub word: OrderWord,
    /// With what.
    pub args: OrderArgs,
}

/// An order that was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOrder {
    /// When it was followed.
    pub at: Timestamp,
    /// The order.
    pub order: GivenOrder,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_said_takes_no_room() {
        let text = |args: &OrderArgs| serde_json::to_string(args).unwrap();
        assert_eq!(text(&OrderArgs::default()), "{}");
        let args = OrderArgs {
            monitors: vec!["shop".into()],
            until: Some(Timestamp::from_ms(5)),
            ..OrderArgs::default()
        };
        let kept = text(&args);
        assert_eq!(kept, "{\"monitors\":[\"shop\"],\"until\":5}");
        assert_eq!(serde_json::from_str::<OrderArgs>(&kept).unwrap(), args);
    }

    #[test]
    fn whoever_has_no_name_is_a_number() {
        let by = |name: Option<&str>| By {
            uid: 1000,
            name: name.map(str::to_owned),
        };
        assert_eq!(by(Some("anna")).to_string(), "anna");
        assert_eq!(by(None).to_string(), "user 1000");
    }
}
