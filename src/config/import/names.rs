//! Names of monitors: short enough, and each once.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::domain::safe_text;

/// A number behind it still fits into the 200 characters that a name may have.
const CHARS_MAX: usize = 190;

/// The names that were given.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// The last number behind each name.
    numbers: HashMap<String, usize>,
}

impl Names {
    /// The name itself, or with the first number that is free.
    pub(super) fn unique(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while !self.taken.insert(name.clone()) {
            let number = self.numbers.entry(wanted.to_owned()).or_insert(1);
            *number += 1;
            name = format!("{} ({number})", short(wanted));
        }
        name
    }
}

/// A name with its middle cut out where it is too long. What is cut has no dollar signs: half a variable, or the rest
/// of an escaped one, would not load.
pub(super) fn short(name: &str) -> String {
    match safe_text::middle(name, CHARS_MAX) {
        Cow::Borrowed(name) => name.to_owned(),
        Cow::Owned(cut) => cut.replace('$', ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_told_apart_and_stay_short() {
        let long = |end: &str| format!("{}{end}", "ä/".repeat(120));
        let mut names = Names::default();
        let given = [
            long("a"),
            long("a"),
            long("b"),
            short(&long("a")),
            "a".into(),
            "a".into(),
            "a (2)".into(),
        ];
        let got = given.each_ref().map(|name| names.unique(name));
        assert_eq!(got.iter().collect::<HashSet<_>>().len(), got.len());
        assert!(got[1].ends_with("/a (2)") && got[1].chars().count() <= 200);
        assert_eq!(got[4..], ["a", "a (2)", "a (2) (2)"]);
        for at in 80..110 {
            let name = format!("{}$${{b}} ${{c}}{}", "x".repeat(at), "y".repeat(120));
            assert!(!short(&name).contains('$'));
        }
        assert_eq!(short("$${b} ${c}"), "$${b} ${c}");
    }
}
