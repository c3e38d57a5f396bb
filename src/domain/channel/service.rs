//! Where a channel's messages go: each format with exactly what it needs.

use std::collections::BTreeMap;

use super::format::{Format, Need};
use super::signing_key::SigningKey;
use crate::domain::secret::Secret;

/// A service and how to reach it. Every URL may hold a token, so all are secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// Our own JSON object.
    Json {
        /// Where it is posted.
        url: Secret,
        /// Sent as `Authorization: Bearer`, if there is one.
        token: Option<Secret>,
        /// By which it is signed, if there is one.
        key: Option<SigningKey>,
    },
    /// Slack.
    Slack {
        /// The incoming webhook.
        url: Secret,
    },
    /// Discord.
    Discord {
        /// The webhook.
        url: Secret,
    },
    /// Microsoft Teams.
    Teams {
        /// The workflow's webhook.
        url: Secret,
    },
    /// Telegram.
    Telegram {
        /// The Bot API, without path.
        url: Secret,
        /// The bot's.
        token: Secret,
        /// The chat's number, or `@channelname`.
        chat: String,
    },
    /// ntfy.
    Ntfy {
        /// Server and topic.
        url: Secret,
        /// The access token, if the topic needs one.
        token: Option<Secret>,
    },
    /// Gotify.
    Gotify {
        /// The server.
        url: Secret,
        /// The application's.
        token: Secret,
    },
    /// Pushover.
    Pushover {
        /// The API, without path.
        url: Secret,
        /// The application's.
        token: Secret,
        /// The user key or group key.
        chat: Secret,
    },
    /// PagerDuty.
    Pagerduty {
        /// The Events API, without path.
        url: Secret,
        /// The integration's routing key.
        token: Secret,
    },
    /// Opsgenie.
    Opsgenie {
        /// The API, without path.
        url: Secret,
        /// The API key.
        token: Secret,
    },
    /// Matrix.
    Matrix {
        /// The homeserver.
        url: Secret,
        /// The account's access token.
        token: Secret,
        /// The room's ID.
        chat: String,
    },
    /// Apprise API.
    Apprise {
        /// The notify URL, with the key of a stored configuration.
        url: Secret,
        /// Sent as `Authorization: Bearer`, if there is one.
        token: Option<Secret>,
    },
    /// The user's template.
    Template {
        /// Where it is sent.
        url: Secret,
        /// Sent as `Authorization: Bearer`, if there is one.
        token: Option<Secret>,
        /// Its text, checked by [`crate::policy::template::check`].
        text: String,
    },
    /// Alertmanager.
    Alertmanager {
        /// Every instance, without path; at least one.
        urls: Vec<Secret>,
        /// Sent as `Authorization: Bearer`, if there is one.
        token: Option<Secret>,
        /// Labels beside ours.
        labels: BTreeMap<String, String>,
    },
}

/// The keys of `[[channel]]` that say where messages go, as far as they are given.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `url` or the content of `url_file`.
    pub url: Option<Secret>,
    /// `urls`.
    pub urls: Vec<Secret>,
    /// `token` or the content of `token_file`.
    pub token: Option<Secret>,
    /// `chat`.
    pub chat: Option<String>,
    /// The key in `secret_file`.
    pub key: Option<SigningKey>,
    /// The content of `body_file`.
    pub body: Option<String>,
    /// `labels`.
    pub labels: BTreeMap<String, String>,
}

impl Given {
    /// The keys that the format needs and that are missing, by name; then those that it does not have.
    pub fn faults(&self, format: Format) -> (Vec<&'static str>, Vec<&'static str>) {
        let needs = format.needs();
        let keys = [
            ("url", needs.url, self.url.is_some()),
            ("urls", needs.urls, !self.urls.is_empty()),
            ("token", needs.token, self.token.is_some()),
            ("chat", needs.chat, self.chat.is_some()),
            ("secret_file", needs.secret, self.key.is_some()),
            ("body_file", needs.body, self.body.is_some()),
            ("labels", needs.labels, !self.labels.is_empty()),
        ];
        let names = |wanted: Need, given: bool| {
            let found = keys
                .iter()
                .filter(|(_, need, is_given)| *need == wanted && *is_given == given);
            found.map(|(key, _, _)| *key).collect()
        };
        (names(Need::Required, false), names(Need::Unknown, true))
    }
}

impl Service {
    /// The service of a format. `None` if a key is missing: [`Given::faults`] says which.
    pub fn new(format: Format, given: Given) -> Option<Self> {
        let base = format.default_url().map(Secret::new);
        let url = given.url.or(base);
        Some(match format {
            Format::Json => Self::Json {
                url: url?,
                token: given.token,
                key: given.key,
            },
            Format::Slack => Self::Slack { url: url? },
            Format::Discord => Self::Discord { url: url? },
            Format::Teams => Self::Teams { url: url? },
            Format::Telegram => Self::Telegram {
                url: url?,
                token: given.token?,
                chat: given.chat?,
            },
            Format::Ntfy => Self::Ntfy {
                url: url?,
                token: given.token,
            },
            Format::Gotify => Self::Gotify {
                url: url?,
                token: given.token?,
            },
            Format::Pushover => Self::Pushover {
                url: url?,
                token: given.token?,
                chat: Secret::new(given.chat?),
            },
            Format::Pagerduty => Self::Pagerduty {
                url: url?,
                token: given.token?,
            },
            Format::Opsgenie => Self::Opsgenie {
                url: url?,
                token: given.token?,
            },
            Format::Matrix => Self::Matrix {
                url: url?,
                token: given.token?,
                chat: given.chat?,
            },
            Format::Apprise => Self::Apprise {
                url: url?,
                token: given.token,
            },
            Format::Template => Self::Template {
                url: url?,
                token: given.token,
                text: given.body?,
            },
            Format::Alertmanager => Self::Alertmanager {
                urls: (!given.urls.is_empty()).then_some(given.urls)?,
                token: given.token,
                labels: given.labels,
            },
        })
    }

    /// Its format.
    pub const fn format(&self) -> Format {
        match self {
            Self::Json { .. } => Format::Json,
            Self::Slack { .. } => Format::Slack,
            Self::Discord { .. } => Format::Discord,
            Self::Teams { .. } => Format::Teams,
            Self::Telegram { .. } => Format::Telegram,
            Self::Ntfy { .. } => Format::Ntfy,
            Self::Gotify { .. } => Format::Gotify,
            Self::Pushover { .. } => Format::Pushover,
            Self::Pagerduty { .. } => Format::Pagerduty,
            Self::Opsgenie { .. } => Format::Opsgenie,
            Self::Matrix { .. } => Format::Matrix,
            Self::Apprise { .. } => Format::Apprise,
            Self::Template { .. } => Format::Template,
            Self::Alertmanager { .. } => Format::Alertmanager,
        }
    }

    /// Every address that is requested, for checks of the configuration.
    pub fn urls(&self) -> &[Secret] {
        match self {
            Self::Json { url, .. }
            | Self::Slack { url }
            | Self::Discord { url }
            | Self::Teams { url }
            | Self::Telegram { url, .. }
            | Self::Ntfy { url, .. }
            | Self::Gotify { url, .. }
            | Self::Pushover { url, .. }
            | Self::Pagerduty { url, .. }
            | Self::Opsgenie { url, .. }
            | Self::Matrix { url, .. }
            | Self::Apprise { url, .. }
            | Self::Template { url, .. } => std::slice::from_ref(url),
            Self::Alertmanager { urls, .. } => urls,
        }
    }

    /// Everything secret of it, revealed, to compare two of them: `Debug` shows none of it.
    pub fn revealed(&self) -> Vec<&[u8]> {
        let urls = self.urls().iter().chain(self.token());
        let mut parts: Vec<&[u8]> = urls.map(|secret| secret.reveal().as_bytes()).collect();
        match self {
            Self::Json { key, .. } => parts.extend(key.as_ref().map(SigningKey::reveal)),
            Self::Pushover { chat, .. } => parts.push(chat.reveal().as_bytes()),
            Self::Slack { .. }
            | Self::Discord { .. }
            | Self::Teams { .. }
            | Self::Telegram { .. }
            | Self::Ntfy { .. }
            | Self::Gotify { .. }
            | Self::Pagerduty { .. }
            | Self::Opsgenie { .. }
            | Self::Matrix { .. }
            | Self::Apprise { .. }
            | Self::Template { .. }
            | Self::Alertmanager { .. } => {}
        }
        parts
    }

    /// The token, if there is one.
    pub const fn token(&self) -> Option<&Secret> {
        match self {
            Self::Slack { .. } | Self::Discord { .. } | Self::Teams { .. } => None,
            Self::Telegram { token, .. }
            | Self::Gotify { token, .. }
            | Self::Pushover { token, .. }
            | Self::Pagerduty { token, .. }
            | Self::Opsgenie { token, .. }
            | Self::Matrix { token, .. } => Some(token),
            Self::Json { token, .. }
            | Self::Ntfy { token, .. }
            | Self::Apprise { token, .. }
            | Self::Template { token, .. }
            | Self::Alertmanager { token, .. } => token.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Given {
        Given {
            url: Some(Secret::new("https://a.example/")),
            urls: vec![Secret::new("https://a.example/")],
            token: Some(Secret::new("t")),
            chat: Some("c".to_owned()),
            key: Some(SigningKey::parse(b"k").unwrap()),
            body: Some("{}".to_owned()),
            labels: [("team".to_owned(), "web".to_owned())].into(),
        }
    }

    #[test]
    fn what_the_table_asks_for_is_enough() {
        for format in Format::ALL {
            let (missing, _) = Given::default().faults(format);
            let service = Service::new(format, Given::default());
            assert_eq!(service.is_none(), !missing.is_empty(), "{format}");
            assert_eq!(everything().faults(format).0, [""; 0], "{format}");
            let service = Service::new(format, everything()).unwrap();
            assert_eq!(service.format(), format);
            assert!(!service.urls().is_empty());
        }
    }

    #[test]
    fn what_a_format_has_no_use_for_is_named() {
        assert_eq!(
            everything().faults(Format::Slack).1,
            [
                "urls",
                "token",
                "chat",
                "secret_file",
                "body_file",
                "labels"
            ]
        );
        assert_eq!(
            Given::default().faults(Format::Matrix).0,
            ["url", "token", "chat"]
        );
    }

    /// Each part of [`everything`] that a format takes makes another service of it, so that a reload says so.
    #[test]
    fn two_that_differ_in_a_secret_are_revealed_as_two() {
        let others = [
            Given {
                url: Some(Secret::new("https://b.example/")),
                urls: vec![Secret::new("https://b.example/")],
                ..everything()
            },
            Given {
                token: Some(Secret::new("other")),
                ..everything()
            },
            Given {
                chat: Some("other".to_owned()),
                ..everything()
            },
            Given {
                key: Some(SigningKey::parse(b"other").unwrap()),
                ..everything()
            },
        ];
        let shown = |service: &Service| format!("{service:?} {:?}", service.revealed());
        for format in Format::ALL {
            let one = Service::new(format, everything()).unwrap();
            for other in &others {
                let other = Service::new(format, other.clone()).unwrap();
                assert_eq!(one == other, shown(&one) == shown(&other), "{format}");
            }
        }
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let given = Given {
            url: Some(Secret::new("https://hook.example/s3cret")),
            token: Some(Secret::new("t0ken")),
            chat: Some("us3r".to_owned()),
            ..Given::default()
        };
        let shown = format!("{:?}", Service::new(Format::Pushover, given).unwrap());
        for secret in ["s3cret", "t0ken", "us3r"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
