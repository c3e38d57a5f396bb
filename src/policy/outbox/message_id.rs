//! Message-IDs that a repeated decision makes again.

use sha2::{Digest, Sha256};

use crate::domain::recipient::Recipient;

/// The Message-ID (without angle brackets) of one decision: the same parts give the same id.
///
/// `origin` is the database's random id, so that two sitewatches never make the same one; `parts` name
/// the decision (monitor, kind, moment); `domain` is that of the sender's address (RFC 5322 section 3.6.4).
pub fn make(origin: &str, parts: &[&str], domain: &str) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once(&origin).chain(parts) {
        // Lengths keep ("ab", "c") and ("a", "bc") apart.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut id = String::with_capacity(32 + 1 + domain.len());
    for byte in hash.finalize().iter().take(16) {
        id.push_str(&format!("{byte:02x}"));
    }
    id.push('@');
    id.extend(domain.chars().map(|c| {
        if c.is_ascii_graphic() && c != '>' {
            c
        } else {
            '-'
        }
    }));
    id
}

/// The id of a message to a channel, which is its webhook-id: each channel has its own, and no full stop stands in it
/// (Standard Webhooks 1.0.0, "Webhook metadata": it separates the parts of what is signed).
pub fn of_channel(message_id: &str, channel: &str) -> String {
    let id = make("", &[message_id, channel], "");
    format!("msg_{}", id.trim_end_matches('@'))
}

/// The id of the row of one recipient of a letter.
pub fn of_recipient(message_id: &str, to: &Recipient) -> String {
    match to {
        Recipient::Mail(_) => message_id.to_owned(),
        Recipient::Channel(name) => of_channel(message_id, name.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_parts_same_id() {
        let id = make("db", &["1", "down", "5"], "example.com");
        assert_eq!(id, make("db", &["1", "down", "5"], "example.com"));
        assert!(id.ends_with("@example.com"), "{id}");
        assert_ne!(id, make("db", &["1", "up", "5"], "example.com"));
        assert_ne!(id, make("other", &["1", "down", "5"], "example.com"));
        let of_channel = of_channel(&id, "oncall");
        assert!(of_channel.starts_with("msg_") && !of_channel.contains(['.', '@']));
        assert_ne!(of_channel, super::of_channel(&id, "other"));
        assert_ne!(make("d", &["ab", "c"], "e"), make("d", &["a", "bc"], "e"));
    }
}
