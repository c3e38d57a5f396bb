//! The services that a channel can speak to, and which keys each needs.

use std::fmt;
use std::str::FromStr;

/// What the `format` of a channel says: how a message becomes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Our own JSON object, as a webhook (Standard Webhooks).
    Json,
    /// Slack, incoming webhook.
    Slack,
    /// Discord, webhook.
    Discord,
    /// Microsoft Teams, webhook of a workflow.
    Teams,
    /// Telegram, a bot.
    Telegram,
    /// ntfy, ntfy.sh or an own server.
    Ntfy,
    /// Gotify.
    Gotify,
    /// Pushover.
    Pushover,
    /// PagerDuty, Events API v2.
    Pagerduty,
    /// Opsgenie and Jira Service Management, Alert API.
    Opsgenie,
    /// Matrix, a room.
    Matrix,
    /// Apprise API, which speaks to many more.
    Apprise,
    /// A template of the user's.
    Template,
    /// Prometheus Alertmanager, API v2. A level, not a message: see [`Format::is_level`].
    Alertmanager,
}

/// The text is not a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format of channels")]
pub struct FormatError(String);

/// Whether a format has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It cannot do without.
    Required,
    /// It uses it if it is there.
    Optional,
    /// It has no use for it: an error, so that nobody relies on it.
    Unknown,
}

/// Which keys of `[[channel]]` a format has. `headers`, `fields`, `timeout`, `proxy`, `ca_file` and `verify_tls` are
/// for all; `fields` not for [`Format::Alertmanager`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// `url` or `url_file`.
    pub url: Need,
    /// `urls`.
    pub urls: Need,
    /// `token` or `token_file`.
    pub token: Need,
    /// `chat`.
    pub chat: Need,
    /// `secret_file`.
    pub secret: Need,
    /// `body_file`.
    pub body: Need,
    /// `labels`.
    pub labels: Need,
}

impl Format {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::Json,
        Self::Slack,
        Self::Discord,
        Self::Teams,
        Self::Telegram,
        Self::Ntfy,
        Self::Gotify,
        Self::Pushover,
        Self::Pagerduty,
        Self::Opsgenie,
        Self::Matrix,
        Self::Apprise,
        Self::Template,
        Self::Alertmanager,
    ];

    /// The word of the configuration and of JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Teams => "teams",
            Self::Telegram => "telegram",
            Self::Ntfy => "ntfy",
            Self::Gotify => "gotify",
            Self::Pushover => "pushover",
            Self::Pagerduty => "pagerduty",
            Self::Opsgenie => "opsgenie",
            Self::Matrix => "matrix",
            Self::Apprise => "apprise",
            Self::Template => "template",
            Self::Alertmanager => "alertmanager",
        }
    }

    /// Whether the service shows which incidents are open and takes no messages: it is told again and again while an
    /// incident lasts, and has no rows in the outbox.
    pub const fn is_level(self) -> bool {
        matches!(self, Self::Alertmanager)
    }

    /// Whether the service opens and closes incidents of its own: it gets no digests and no news about anything else.
    pub const fn takes_incidents_only(self) -> bool {
        matches!(self, Self::Pagerduty | Self::Opsgenie | Self::Alertmanager)
    }

    /// The service's public address, for the formats that have one: `url` may be left out.
    pub const fn default_url(self) -> Option<&'static str> {
        match self {
            Self::Telegram => Some("https://api.telegram.org"),
            Self::Pushover => Some("https://api.pushover.net"),
            Self::Pagerduty => Some("https://events.pagerduty.com"),
            Self::Opsgenie => Some("https://api.opsgenie.com"),
            Self::Json
            | Self::Slack
            | Self::Discord
            | Self::Teams
            | Self::Ntfy
            | Self::Gotify
            | Self::Matrix
            | Self::Apprise
            | Self::Template
            | Self::Alertmanager => None,
        }
    }

    /// What `chat` is called by the service, for errors.
    pub const fn chat_means(self) -> &'static str {
        match self {
            Self::Telegram => "the chat's number or @channelname",
            Self::Pushover => "the user key or group key",
            Self::Matrix => "the room's ID, such as !abc:example.org",
            _ => "the chat",
        }
    }

    /// Which keys it has.
    pub const fn needs(self) -> Needs {
        use Need::{Optional, Required, Unknown};
        let plain = Needs {
            url: Required,
            urls: Unknown,
            token: Unknown,
            chat: Unknown,
            secret: Unknown,
            body: Unknown,
            labels: Unknown,
        };
        match self {
            Self::Json => Needs {
                token: Optional,
                secret: Optional,
                ..plain
            },
            Self::Slack | Self::Discord | Self::Teams => plain,
            Self::Telegram | Self::Pushover => Needs {
                url: Optional,
                token: Required,
                chat: Required,
                ..plain
            },
            Self::Ntfy | Self::Apprise => Needs {
                token: Optional,
                ..plain
            },
            Self::Gotify => Needs {
                token: Required,
                ..plain
            },
            Self::Pagerduty | Self::Opsgenie => Needs {
                url: Optional,
                token: Required,
                ..plain
            },
            Self::Matrix => Needs {
                token: Required,
                chat: Required,
                ..plain
            },
            Self::Template => Needs {
                token: Optional,
                body: Required,
                ..plain
            },
            Self::Alertmanager => Needs {
                url: Unknown,
                urls: Required,
                token: Optional,
                labels: Optional,
                ..plain
            },
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == word);
        found.ok_or_else(|| FormatError(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for format in Format::ALL {
            assert_eq!(format.as_str().parse(), Ok(format));
        }
        assert!("smtp".parse::<Format>().is_err());
    }

    #[test]
    fn an_address_is_optional_where_the_service_has_one() {
        for format in Format::ALL {
            let is_optional = format.needs().url == Need::Optional;
            assert_eq!(is_optional, format.default_url().is_some(), "{format}");
        }
    }
}
