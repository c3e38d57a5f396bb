//! Message-IDs that a repeated decision makes again.

use sha2::{Digest, Sha256};

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
        assert_ne!(make("d", &["ab", "c"], "e"), make("d", &["a", "bc"], "e"));
    }
}
