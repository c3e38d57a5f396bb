//! What is over a limit and known. The list may only shrink.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use crate::assert_none;
use crate::sources::root;

fn list() -> PathBuf {
    root().join("tests/tidy/over.txt")
}

/// The known excess of one kind: what, and how much of it.
fn known(kind: &str, text: &str) -> BTreeMap<String, usize> {
    text.lines()
        .filter_map(|line| {
            let (first, rest) = line.split_once(' ')?;
            let (what, much) = rest.rsplit_once(' ')?;
            (first == kind).then(|| (what.to_owned(), much.parse().expect("a number stands last")))
        })
        .collect()
}

/// Holds what is over a limit against the list of what is known to be.
///
/// What is not in the list must not be over; what is must not be more; what is not over any more leaves the list.
/// `SITEWATCH_BLESS=1` takes out of the list what it need not hold, and adds nothing.
pub fn assert_known(kind: &str, over: &BTreeMap<String, usize>, mend: &str) {
    assert_known_as(kind, over, |_| mend.to_owned());
}

/// Likewise, with how each is mended.
pub fn assert_known_as(kind: &str, over: &BTreeMap<String, usize>, mend: impl Fn(&str) -> String) {
    // Several tests write the one list.
    static LIST: Mutex<()> = Mutex::new(());
    let one = LIST.lock().expect("no test panics while it has the list");
    let text = fs::read_to_string(list()).expect("the list is there");
    let known = known(kind, &text);
    let mut faults = Vec::new();
    for (what, much) in over {
        match known.get(what) {
            Some(before) if much <= before => {}
            Some(before) => {
                faults.push(format!("{what}: {much}, and was {before}: {}", mend(what)))
            }
            None => faults.push(format!("{what}: {much}: {}", mend(what))),
        }
    }
    #[expect(clippy::disallowed_methods, reason = "shortens the list")]
    let bless = std::env::var_os("SITEWATCH_BLESS").is_some();
    if bless {
        fs::write(list(), shrunk(kind, &known, over, &text)).expect("it is written");
    } else {
        for what in known.keys().filter(|what| !over.contains_key(*what)) {
            faults.push(format!(
                "{what}: is not over any more: take it out of tests/tidy/over.txt (SITEWATCH_BLESS=1)"
            ));
        }
    }
    drop(one);
    assert_none(&faults);
}

/// The list with less of one kind.
fn shrunk(
    kind: &str,
    known: &BTreeMap<String, usize>,
    over: &BTreeMap<String, usize>,
    text: &str,
) -> String {
    let other = |line: &&str| line.split(' ').next() != Some(kind);
    let mut lines: Vec<String> = text.lines().filter(other).map(str::to_owned).collect();
    for (what, much) in known {
        if let Some(now) = over.get(what) {
            lines.push(format!("{kind} {what} {}", much.min(now)));
        }
    }
    lines.sort();
    lines.join("\n") + "\n"
}
