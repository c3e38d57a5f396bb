//! How a status code is found.

use super::code::{Class, StatusCode};
use super::{registered, vendor};

impl StatusCode {
    /// Whether the registry of IANA has it, and not only a vendor.
    pub fn is_registered(&self) -> bool {
        registered::CODES
            .iter()
            .any(|known| known.code == self.code)
    }
}

/// The table, by code: what IANA registers and what vendors send.
pub fn all() -> impl Iterator<Item = &'static StatusCode> {
    let mut both: Vec<_> = registered::CODES.iter().chain(vendor::CODES).collect();
    both.sort_by_key(|known| known.code);
    both.into_iter()
}

/// What is known of one code.
pub fn lookup(code: u16) -> Option<&'static StatusCode> {
    let find = |table: &'static [StatusCode]| {
        table
            .binary_search_by_key(&code, |known| known.code)
            .ok()
            .map(|index| &table[index])
    };
    find(registered::CODES).or_else(|| find(vendor::CODES))
}

/// The name and the class's meaning of any code, known or not.
pub fn nearest_class(code: u16) -> (&'static str, Class) {
    let class = Class::of(code);
    (lookup(code).map_or(class.name(), |known| known.name), class)
}

/// Codes whose name holds all of these words, in any case: for those who remember only the name.
pub fn search(words: &str) -> Vec<&'static StatusCode> {
    let words: Vec<String> = words
        .split_whitespace()
        .map(str::to_ascii_lowercase)
        .collect();
    if words.is_empty() {
        return Vec::new();
    }
    all()
        .filter(|known| {
            let name = known.name.to_ascii_lowercase();
            words.iter().all(|word| name.contains(word.as_str()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::code::Standing;
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_whole() {
        for table in [registered::CODES, vendor::CODES] {
            assert!(table.is_sorted_by(|a, b| a.code < b.code));
        }
        for known in all() {
            let StatusCode {
                code,
                name,
                source,
                meaning,
                ..
            } = known;
            assert!((100..=999).contains(code), "{code}");
            assert!(!name.is_empty() && !source.is_empty(), "{code}");
            assert!(meaning.ends_with('.'), "{code}: a meaning is sentences");
            assert!(!known.advice.ends_with('.'), "{code}: advice is a phrase");
            let fine = matches!(known.standing(), Standing::Up | Standing::Interim);
            assert!(fine || !known.advice.is_empty(), "{code}: what to do?");
            assert_eq!(lookup(*code), Some(known));
        }
    }

    #[test]
    fn every_registered_code_is_there() {
        // The registry of 2026-11, unassigned codes left out.
        let registry = [
            100, 101, 102, 103, 104, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301,
            302, 303, 304, 305, 306, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409,
            410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429,
            431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
        ];
        let ours: Vec<u16> = registered::CODES.iter().map(|known| known.code).collect();
        assert_eq!(ours, registry);
        for vendor in (494..=499).chain(520..=527).chain([444, 530, 599]) {
            assert!(
                lookup(vendor).is_some_and(|known| !known.is_registered()),
                "{vendor}"
            );
        }
    }

    #[test]
    fn classes_and_names_are_found() {
        assert_eq!(Class::parse("4XX"), Some(Class::ClientError));
        assert_eq!(Class::parse("6xx"), None);
        assert_eq!(nearest_class(477), ("client error", Class::ClientError));
        assert_eq!(nearest_class(503).0, "Service Unavailable");
        let found: Vec<u16> = search("gateway").iter().map(|known| known.code).collect();
        assert_eq!(found, [502, 504]);
    }
}
