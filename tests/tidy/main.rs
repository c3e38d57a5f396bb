//! The rules of the house, executed. What `syn` has to see is in `rooms.rs` and `shape.rs`.

mod over;
mod rooms;
mod shape;
mod sources;

use std::fs;
use std::path::PathBuf;

use sources::{root, rust_files, sources};

/// What a side-by-side diff still shows.
const LINE_CHARS_MAX: usize = 120;

/// No fault, or all of them.
fn assert_none(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn files_say_what_they_are() {
    let mut faults = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//!") {
            faults.push(format!(
                "{}: opens without a `//!` line that says what it is",
                source.name
            ));
        }
        for (index, line) in source.text.lines().enumerate() {
            if line.chars().count() > LINE_CHARS_MAX
                && !line.contains('"')
                && !line.contains("http")
            {
                faults.push(format!(
                    "{}:{}: longer than {LINE_CHARS_MAX} characters",
                    source.name,
                    index + 1
                ));
            }
        }
        if source.name.ends_with("/mod.rs") {
            for (line, code) in &source.code {
                faults.push(format!(
                    "{}:{line}: `{code}`: a mod.rs lists modules; code has a file of its own",
                    source.name
                ));
            }
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
        "deny.toml",
        "docs",
        "fuzz",
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
