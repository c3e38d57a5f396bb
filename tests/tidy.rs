//! The rules of the house, executed: layers, sizes, leftovers, numbering.

use std::fs;
use std::path::{Path, PathBuf};

/// A file is one idea; longer ones hold two. Counted without the tests at its end.
const FILE_LINES_MAX: usize = 600;
/// Tables are as long as what they list.
const TABLES: [&str; 1] = ["src/config/keys.rs"];
/// What a side-by-side diff still shows.
const LINE_CHARS_MAX: usize = 120;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(below: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(directory) else {
            return;
        };
        for entry in entries {
            let path = entry.expect("a directory that opened lists").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&root().join(below), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(root())
                .expect("walked from the root")
                .display()
                .to_string();
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            (name, text)
        })
        .collect()
}

/// The source without its unit tests, which stand last.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or(text)
}

/// The layer of a room of `src/`; lib.rs and main.rs stand above all.
fn layer(room: &str) -> Option<u8> {
    Some(match room {
        "domain" => 0,
        "policy" => 1,
        "config" | "view" | "wire" => 2,
        // The lowest of the edges: the others measure, encrypt and make their files by them.
        "clock" | "blocking" | "tls" | "own_files" => 3,
        "probe" | "store" | "mail" | "channel" | "link" | "service" | "control" => 4,
        "daemon" => 5,
        "cli" => 6,
        _ => return None,
    })
}

/// The rooms that a source names: `crate::room` and the members of `use crate::{...}`.
fn rooms_named(text: &str) -> Vec<(usize, String)> {
    let first_word = |text: &str| -> String {
        text.trim()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect()
    };
    let mut named = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        for piece in code.split("crate::").skip(1) {
            match piece.strip_prefix('{') {
                Some(inside) => named.extend(
                    inside
                        .split([',', '}'])
                        .map(|room| (index + 1, first_word(room))),
                ),
                None => named.push((index + 1, first_word(piece))),
            }
        }
    }
    named
}

fn assert_none(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn layers_are_kept() {
    let mut faults = Vec::new();
    for (name, text) in rust_files("src") {
        let room = name
            .trim_start_matches("src/")
            .split(['/', '.'])
            .next()
            .unwrap_or_default();
        let Some(own) = layer(room) else { continue };
        for (line, other) in rooms_named(without_tests(&text)) {
            if other != room && layer(&other).is_some_and(|theirs| theirs >= own) {
                faults.push(format!("{name}:{line}: `{room}` must not know `{other}`"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn sql_stays_in_the_store_and_tasks_in_the_daemon() {
    let mut faults = Vec::new();
    for (name, text) in rust_files("src") {
        for (index, line) in without_tests(&text).lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            if code.contains("rusqlite") && !name.starts_with("src/store/") {
                faults.push(format!("{name}:{}: SQLite outside src/store", index + 1));
            }
            let spawns = code.contains("tokio::spawn(") || code.contains("thread::spawn(");
            // What runs a command in a window passes signals on and holds the window meanwhile.
            let may = name.starts_with("src/daemon/") || name == "src/cli/maintenance.rs";
            if spawns && !may {
                faults.push(format!(
                    "{name}:{}: a task spawned outside src/daemon",
                    index + 1
                ));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn files_are_one_idea_and_say_which() {
    let mut faults = Vec::new();
    for (name, text) in rust_files("src") {
        if !text.starts_with("//!") {
            faults.push(format!(
                "{name}: opens without a `//!` line that says what it is"
            ));
        }
        let lines = without_tests(&text).lines().count();
        if lines > FILE_LINES_MAX && !TABLES.contains(&name.as_str()) {
            faults.push(format!(
                "{name}: {lines} lines without tests; {FILE_LINES_MAX} hold one idea"
            ));
        }
        for (index, line) in text.lines().enumerate() {
            if line.chars().count() > LINE_CHARS_MAX
                && !line.contains('"')
                && !line.contains("http")
            {
                faults.push(format!(
                    "{name}:{}: longer than {LINE_CHARS_MAX} characters",
                    index + 1
                ));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn a_mod_file_only_lists() {
    let mut faults = Vec::new();
    for (name, text) in rust_files("src") {
        let body = without_tests(&text);
        if name.ends_with("/mod.rs")
            && ["\nfn ", "\npub fn ", "\nimpl "]
                .iter()
                .any(|code| body.contains(code))
        {
            faults.push(format!(
                "{name}: a mod.rs lists modules; code has a file of its own"
            ));
        }
    }
    assert_none(&faults);
}

#[test]
fn nothing_is_left_over() {
    // Put together here so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("#[all", "ow("),
        concat!("#![all", "ow("),
        concat!("#[ign", "ore"),
        concat!("#[should_", "panic"),
    ];
    let mut faults = Vec::new();
    for below in ["src", "tests", "benches"] {
        for (name, text) in rust_files(below) {
            for (index, line) in text.lines().enumerate() {
                for word in words {
                    if line.contains(word) {
                        faults.push(format!("{name}:{}: `{word}`", index + 1));
                    }
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn migrations_are_numbered_without_a_gap_and_strict() {
    let directory = root().join("migrations");
    let mut names: Vec<String> = fs::read_dir(&directory)
        .expect("migrations/ is there")
        .map(|entry| {
            entry
                .expect("listed")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.ends_with(".sql"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no migration");
    for (index, name) in names.iter().enumerate() {
        let number = format!("{:04}_", index + 1);
        assert!(
            name.starts_with(&number),
            "migrations/{name} should begin with {number}"
        );
        let text = fs::read_to_string(directory.join(name)).expect("readable");
        let tables = text.matches("CREATE TABLE").count();
        let strict = text.matches("STRICT").count();
        assert!(
            strict >= tables,
            "migrations/{name}: {tables} tables, {strict} of them STRICT"
        );
    }
}

/// The name by which a link reaches a heading.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn links_of_the_documentation_lead_somewhere() {
    let mut pages: Vec<PathBuf> = Vec::new();
    for folder in [root(), root().join("docs")] {
        for entry in fs::read_dir(folder).expect("it lists") {
            let path = entry.expect("listed").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() >= 8, "only {} pages", pages.len());
    let mut faults = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).expect("pages are UTF-8");
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                _ => page.with_file_name(file),
            };
            let has_heading = |text: String| {
                text.lines()
                    .any(|line| line.starts_with('#') && anchor(line) == heading)
            };
            let found = match heading {
                "" => target.exists(),
                _ => fs::read_to_string(&target).is_ok_and(has_heading),
            };
            if !found {
                faults.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn the_top_level_stays_small() {
    let known = [
        ".ci",
        ".clippy.toml",
        ".git",
        ".gitignore",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "SECURITY.md",
        "benches",
        "debian",
        "docs",
        "migrations",
        "monitors.example.toml",
        "packaging",
        "rustfmt.toml",
        "src",
        "systemd",
        "target",
        "tests",
    ];
    let extra: Vec<String> = fs::read_dir(root())
        .expect("the root lists")
        .map(|entry| {
            entry
                .expect("listed")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    assert_none(&extra);
}
