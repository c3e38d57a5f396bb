//! Mail addresses.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A mailbox as the configuration writes it: `ops@example.com` or `Ops <ops@example.com>`.
///
/// Two addresses are the same when their mailbox is; the display name is decoration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Address {
    name: Option<Arc<str>>,
    mailbox: Arc<str>,
}

/// Why a text is no mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no mail address; write \"ops@example.com\" or \"Ops <ops@example.com>\"")]
pub struct AddressError(pub String);

impl Address {
    /// Parses an address (RFC 5322 mailbox, the part of it that people write).
    ///
    /// # Errors
    /// When there is no local part, no domain, a second `@`, or a control character.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.to_owned());
        if text.chars().any(super::text::is_unsafe) {
            return Err(wrong());
        }
        let text_trimmed = text.trim();
        let (name, mailbox) = match text_trimmed
            .strip_suffix('>')
            .and_then(|t| t.rsplit_once('<'))
        {
            Some((name, mailbox)) => (name.trim().trim_matches('"').trim(), mailbox.trim()),
            None => ("", text_trimmed),
        };
        let (local, domain) = mailbox.rsplit_once('@').ok_or_else(wrong)?;
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && !local.contains(|c: char| c.is_whitespace() || "@<>()[],;:\\\"".contains(c));
        let domain_ok = !domain.is_empty()
            && domain.len() <= 255
            && !domain.starts_with(['.', '-'])
            && !domain.ends_with('.')
            && !domain.contains("..")
            && (domain.starts_with('[') && domain.ends_with(']')
                || domain
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '.' || c == '-'));
        if !local_ok || !domain_ok {
            return Err(wrong());
        }
        Ok(Self {
            name: (!name.is_empty()).then(|| name.into()),
            mailbox: mailbox.into(),
        })
    }

    /// The display name, where one was written.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The bare address, `local@domain`.
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.mailbox
            .rsplit_once('@')
            .map(|(_, domain)| domain)
            .expect("parse refuses an address without `@`")
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.mailbox == other.mailbox
    }
}
impl Eq for Address {}
impl std::hash::Hash for Address {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.mailbox.hash(state);
    }
}
impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Address {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.mailbox.cmp(&other.mailbox)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.mailbox),
            None => f.write_str(&self.mailbox),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_mailboxes_and_refuses_the_rest() {
        let named = Address::parse("Sitewatch Alerts <alerts@example.com>").unwrap();
        assert_eq!(named.name(), Some("Sitewatch Alerts"));
        assert_eq!(named.mailbox(), "alerts@example.com");
        assert_eq!(named, Address::parse("alerts@example.com").unwrap());
        assert!(Address::parse("root@localhost").is_ok());
        for wrong in [
            "",
            "ops",
            "@example.com",
            "ops@",
            "a b@example.com",
            "a@b@c",
            "a@b\r\nBcc: c@d",
            "a@.b",
            "a@b..c",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
