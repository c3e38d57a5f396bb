//! What differs between two texts, line by line, as a unified diff. Bounded: what a text costs is not its author's
//! choice.

use crate::domain::safe_text;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// Texts are compared as far as this many lines.
const LINES_MAX: usize = 8_000;

/// With more changes than this the whole counts as replaced. Time and memory grow with its square.
const CHANGES_MAX: usize = 400;

/// A diff has at most so many lines.
const SHOWN_LINES_MAX: usize = 2_000;

/// A line is shown to this length, in characters.
const LINE_CHARS_MAX: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Same,
    Removed,
    Added,
}

/// One line of the old text, of the new one, or of both: how many lines of each come before it.
#[derive(Debug, Clone, Copy)]
struct Edit {
    kind: Kind,
    old: usize,
    new: usize,
}

/// The lines of a unified diff: hunk heads, then lines with a blank, `-` or `+` before them, each safe to print. None
/// if nothing differs.
pub fn diff(old: &[&str], new: &[&str]) -> Vec<String> {
    let old = &old[..old.len().min(LINES_MAX)];
    let new = &new[..new.len().min(LINES_MAX)];
    shown(&edits(old, new), old, new)
}

/// Every line of both texts in order.
fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let shorter = old.len().min(new.len());
    let start = (0..shorter).take_while(|at| old[*at] == new[*at]).count();
    let end = (1..=shorter - start)
        .take_while(|back| old[old.len() - back] == new[new.len() - back])
        .count();
    let same = |from: usize, count: usize, new_from: usize| {
        (0..count).map(move |at| Edit {
            kind: Kind::Same,
            old: from + at,
            new: new_from + at,
        })
    };
    let middle = (&old[start..old.len() - end], &new[start..new.len() - end]);
    let mut edits: Vec<Edit> = same(0, start, 0).collect();
    let between = shortest(middle.0, middle.1).unwrap_or_else(|| replaced(middle.0, middle.1));
    edits.extend(between.into_iter().map(|edit| Edit {
        old: edit.old + start,
        new: edit.new + start,
        ..edit
    }));
    edits.extend(same(old.len() - end, end, new.len() - end));
    edits
}

fn replaced(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let removed = (0..old.len()).map(|at| Edit {
        kind: Kind::Removed,
        old: at,
        new: 0,
    });
    let added = (0..new.len()).map(|at| Edit {
        kind: Kind::Added,
        old: old.len(),
        new: at,
    });
    removed.chain(added).collect()
}

/// The shortest list of changes, by the greedy algorithm of Myers (1986); `None` if it is too long.
///
/// A diagonal is the number of old lines less that of new ones, moved up by `CHANGES_MAX + 1` to be an index.
fn shortest(old: &[&str], new: &[&str]) -> Option<Vec<Edit>> {
    const ZERO: usize = CHANGES_MAX + 1;
    // Of each diagonal how many old lines the farthest path on it has passed.
    let mut farthest = vec![0usize; 2 * ZERO + 1];
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for changes in 0..=CHANGES_MAX {
        rounds.push(farthest[ZERO - changes..=ZERO + changes].to_vec());
        for diagonal in (ZERO - changes..=ZERO + changes).step_by(2) {
            let is_down = is_down(&farthest, diagonal, ZERO, changes);
            let mut x = match is_down {
                true => farthest[diagonal + 1],
                false => farthest[diagonal - 1] + 1,
            };
            // A path below the texts is one that adds lines which are not there.
            let Some(mut y) = (x + ZERO).checked_sub(diagonal) else {
                continue;
            };
            while x < old.len() && y < new.len() && old[x] == new[y] {
                x += 1;
                y += 1;
            }
            farthest[diagonal] = x;
            if x >= old.len() && y >= new.len() {
                return Some(back(&rounds, old.len(), new.len()));
            }
        }
    }
    None
}

/// Whether the path to a diagonal comes from above: it adds a new line.
fn is_down(farthest: &[usize], diagonal: usize, zero: usize, changes: usize) -> bool {
    diagonal == zero - changes
        || (diagonal != zero + changes && farthest[diagonal - 1] < farthest[diagonal + 1])
}

/// Walks back from the ends of both texts through the rounds.
fn back(rounds: &[Vec<usize>], old: usize, new: usize) -> Vec<Edit> {
    let (mut x, mut y) = (old, new);
    let mut edits = Vec::new();
    for (changes, farthest) in rounds.iter().enumerate().rev() {
        // In a round's copy its own zero stands at `changes`.
        let diagonal = x + changes - y;
        let (before_x, before_y) = if changes == 0 {
            (0, 0)
        } else {
            let down = diagonal == 0
                || (diagonal != 2 * changes && farthest[diagonal - 1] < farthest[diagonal + 1]);
            match down {
                true => (
                    farthest[diagonal + 1],
                    farthest[diagonal + 1] + changes - diagonal - 1,
                ),
                false => {
                    let x = farthest[diagonal - 1];
                    (x, x + changes + 1 - diagonal)
                }
            }
        };
        while x > before_x && y > before_y {
            x -= 1;
            y -= 1;
            edits.push(Edit {
                kind: Kind::Same,
                old: x,
                new: y,
            });
        }
        if changes > 0 {
            let kind = if x == before_x {
                Kind::Added
            } else {
                Kind::Removed
            };
            (x, y) = (before_x, before_y);
            edits.push(Edit {
                kind,
                old: x,
                new: y,
            });
        }
    }
    edits.reverse();
    edits
}

/// Groups changes that are near each other and writes them down.
fn shown(edits: &[Edit], old: &[&str], new: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut at = 0;
    while let Some(first) = edits[at..].iter().position(|edit| edit.kind != Kind::Same) {
        let first = at + first;
        let from = first.saturating_sub(CONTEXT).max(at);
        let mut last = first;
        let mut next = first + 1;
        while next < edits.len() && next <= last + 2 * CONTEXT + 1 {
            if edits[next].kind != Kind::Same {
                last = next;
            }
            next += 1;
        }
        let to = (last + CONTEXT + 1).min(edits.len());
        hunk(&edits[from..to], old, new, &mut lines);
        at = to;
        if lines.len() >= SHOWN_LINES_MAX {
            let left = edits[at..].iter().filter(|edit| edit.kind != Kind::Same);
            let left = left.count() + lines.len() - SHOWN_LINES_MAX;
            lines.truncate(SHOWN_LINES_MAX);
            lines.push(format!("({left} more lines are not shown)"));
            break;
        }
    }
    lines
}

fn hunk(edits: &[Edit], old: &[&str], new: &[&str], lines: &mut Vec<String>) {
    let Some(first) = edits.first() else {
        return;
    };
    let count = |without: Kind| edits.iter().filter(|edit| edit.kind != without).count();
    let (removed, added) = (count(Kind::Added), count(Kind::Removed));
    let range = |from: usize, count: usize| match count {
        0 => format!("{from},0"),
        1 => (from + 1).to_string(),
        _ => format!("{},{count}", from + 1),
    };
    lines.push(format!(
        "@@ -{} +{} @@",
        range(first.old, removed),
        range(first.new, added)
    ));
    for edit in edits {
        let (sign, line) = match edit.kind {
            Kind::Same => (' ', old[edit.old]),
            Kind::Removed => ('-', old[edit.old]),
            Kind::Added => ('+', new[edit.new]),
        };
        lines.push(format!("{sign}{}", cut(line)));
    }
}

/// A line without what terminals obey, with its blanks, to its first characters.
fn cut(line: &str) -> String {
    let safe = line.chars().map(|c| match c {
        '\t' => ' ',
        c if safe_text::is_unsafe(c) => '\u{fffd}',
        c => c,
    });
    let mut text: String = safe.clone().take(LINE_CHARS_MAX).collect();
    if safe.count() > LINE_CHARS_MAX {
        text.push('\u{2026}');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(old: &str, new: &str, wanted: &[&str]) {
        let (old, new): (Vec<&str>, Vec<&str>) =
            (old.split(' ').collect(), new.split(' ').collect());
        assert_eq!(diff(&old, &new), wanted, "{old:?} {new:?}");
    }

    #[test]
    fn hunks_as_diff_u_writes_them() {
        check("a b c", "a b c", &[]);
        check(
            "a b c",
            "a x c",
            &["@@ -1,3 +1,3 @@", " a", "-b", "+x", " c"],
        );
        check(
            "1 2 3 4 5 6 7 8 9 10 11 12",
            "1 2 3 4 5 6 7 8 9 10 11 y 12",
            &["@@ -9,4 +9,5 @@", " 9", " 10", " 11", "+y", " 12"],
        );
        check(
            "x 2 3 4 5 6 7 8 9 10 11 z",
            "2 3 4 5 6 7 8 9 10 11",
            &[
                "@@ -1,4 +1,3 @@",
                "-x",
                " 2",
                " 3",
                " 4",
                "@@ -9,4 +8,3 @@",
                " 9",
                " 10",
                " 11",
                "-z",
            ],
        );
    }

    #[test]
    fn what_differs_everywhere_costs_little() {
        let old: Vec<String> = (0..8_000).map(|line| format!("old {line}")).collect();
        let new: Vec<String> = (0..8_000).map(|line| format!("new {line}")).collect();
        let old: Vec<&str> = old.iter().map(String::as_str).collect();
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        let lines = diff(&old, &new);
        assert_eq!(lines.len(), SHOWN_LINES_MAX + 1);
        assert_eq!(lines.last().unwrap(), "(14001 more lines are not shown)");
    }

    proptest! {
        #[test]
        fn the_new_text_is_the_old_one_with_the_changes(
            old in proptest::collection::vec(0u8..5, 0..30),
            new in proptest::collection::vec(0u8..5, 0..30),
        ) {
            let words = ["a", "b", "c", "d", "e"];
            let old: Vec<&str> = old.iter().map(|word| words[usize::from(*word)]).collect();
            let new: Vec<&str> = new.iter().map(|word| words[usize::from(*word)]).collect();
            let edits = edits(&old, &new);
            let of = |without: Kind| edits.iter().filter(move |edit| edit.kind != without);
            let before: Vec<&str> = of(Kind::Added).map(|edit| old[edit.old]).collect();
            let after: Vec<&str> = of(Kind::Removed).map(|edit| new[edit.new]).collect();
            prop_assert_eq!(before, old);
            prop_assert_eq!(after, new);
        }
    }
}
