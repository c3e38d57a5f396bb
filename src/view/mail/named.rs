//! The subject of a digest: how many of what, and the first names of each, as far as a line of a mail program carries.

use std::fmt::Write as _;

/// A subject line that is not folded (RFC 5322 section 2.1.1), and about what a phone shows.
const CHARS_MAX: usize = 78;

/// What a digest tells of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// `DOWN`.
    pub(super) word: &'static str,
    /// How many.
    pub(super) count: usize,
    /// Their names, in the order of the table. News about us has none.
    pub(super) names: Vec<String>,
}

impl Group {
    pub(super) const fn new(word: &'static str) -> Self {
        Self {
            word,
            count: 0,
            names: Vec::new(),
        }
    }
}

/// `12 DOWN, 3 UP`
pub(super) fn counts(groups: &[Group]) -> String {
    let counts: Vec<String> = groups
        .iter()
        .map(|group| format!("{} {}", group.count, group.word))
        .collect();
    if counts.is_empty() {
        "NOTHING".to_owned()
    } else {
        counts.join(", ")
    }
}

/// `[12 DOWN: www, shop +10; 3 UP: api, cdn +1] sitewatch on HOST`
///
/// Names are whole. They are added in turns, so that each kind has some where there is room, and the last kind is the
/// first that has none.
pub(super) fn of(groups: &[Group], host: &str) -> String {
    let mut shown = vec![0; groups.len()];
    let mut may_grow = vec![true; groups.len()];
    while may_grow.contains(&true) {
        for (place, group) in groups.iter().enumerate() {
            if !may_grow[place] {
                continue;
            }
            shown[place] += 1;
            let fits = shown[place] <= group.names.len()
                && line(groups, &shown, host).chars().count() <= CHARS_MAX;
            if !fits {
                shown[place] -= 1;
                may_grow[place] = false;
            }
        }
    }
    line(groups, &shown, host)
}

fn line(groups: &[Group], shown: &[usize], host: &str) -> String {
    let mut line = "[".to_owned();
    for (place, (group, shown)) in groups.iter().zip(shown).enumerate() {
        if place > 0 {
            line.push_str("; ");
        }
        let _ = write!(line, "{} {}", group.count, group.word);
        if *shown > 0 {
            let _ = write!(line, ": {}", group.names[..*shown].join(", "));
            if let more @ 1.. = group.count.saturating_sub(*shown) {
                let _ = write!(line, " +{more}");
            }
        }
    }
    let _ = write!(line, "] sitewatch on {host}");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `DOWN www shop *10` is a group of twelve, of which two have short names.
    #[track_caller]
    fn check(groups: &[(&'static str, &str)], host: &str, want: &str) {
        let groups: Vec<Group> = groups
            .iter()
            .map(|(word, names)| {
                let names: Vec<String> = names
                    .split_whitespace()
                    .flat_map(|name| match name.strip_prefix('*') {
                        Some(more) => (0..more.parse().unwrap())
                            .map(|n| format!("customer-{n}.example.com"))
                            .collect(),
                        None => vec![name.to_owned()],
                    })
                    .collect();
                Group {
                    word,
                    count: names.len(),
                    names,
                }
            })
            .collect();
        let line = of(&groups, host);
        assert_eq!(line, want);
    }

    #[test]
    fn names_are_whole_and_as_many_as_fit() {
        check(
            &[("DOWN", "www shop *10"), ("UP", "api cdn *1")],
            "vm",
            "[12 DOWN: www, shop +10; 3 UP: api, cdn +1] sitewatch on vm",
        );
        check(
            &[("DOWN", "a b c d")],
            "vm",
            "[4 DOWN: a, b, c, d] sitewatch on vm",
        );
        check(
            &[("DOWN", "*500")],
            "vm",
            "[500 DOWN: customer-0.example.com +499] sitewatch on vm",
        );
        // The last kind is the first that has no names.
        check(
            &[("DOWN", "*1 www"), ("UP", "*1 api")],
            "monitoring.example.org",
            "[2 DOWN: customer-0.example.com +1; 2 UP] sitewatch on monitoring.example.org",
        );
        check(
            &[("DOWN", "www"), ("WAS DOWN", "*2")],
            "monitoring.internal.example.org",
            "[1 DOWN: www; 2 WAS DOWN] sitewatch on monitoring.internal.example.org",
        );
        // Counts stay, however long the host's name is.
        let host = "x".repeat(90);
        check(
            &[("DOWN", "www"), ("UP", "api")],
            &host,
            &format!("[1 DOWN; 1 UP] sitewatch on {host}"),
        );
    }
}
