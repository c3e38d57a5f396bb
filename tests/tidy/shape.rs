//! Sizes and shapes: how long, how many, in which folders, and that nothing goes round in circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::over::{assert_known, assert_known_as};
use crate::rooms::Modules;
use crate::sources::{Source, sources};

/// A file is one idea; longer ones hold two. Counted without tests.
const FILE_LINES_MAX: usize = 500;
/// Tables are as long as what they list.
const TABLES: [&str; 1] = ["src/config/keys.rs"];
/// What is seen at once.
const FUNCTION_LINES_MAX: usize = 70;
/// A type whose methods are spread wider has more than one task.
const IMPL_FILES_MAX: usize = 2;
/// From this many files on, what they have in common is a folder's name.
const PREFIX_FILES_MAX: usize = 2;
/// Files and folders directly in a room.
const ROOMS_MAX: [(&str, usize); 4] = [
    ("src/config", 12),
    ("src/daemon", 20),
    ("src/policy", 8),
    ("src/store", 12),
];
/// Every module has its own, and says which.
const COMMON_NAMES: [&str; 3] = ["Args", "Error", "Result"];

#[test]
fn a_file_is_one_idea() {
    let over = sources()
        .iter()
        .filter(|source| source.lines > FILE_LINES_MAX)
        .filter(|source| !TABLES.contains(&source.name.as_str()))
        .map(|source| (source.name.clone(), source.lines))
        .collect();
    assert_known(
        "file",
        &over,
        "at most 500 lines without tests hold one idea",
    );
}

#[test]
fn a_function_is_seen_at_once() {
    let mut over = BTreeMap::new();
    for source in sources() {
        for function in &source.functions {
            if function.lines > FUNCTION_LINES_MAX {
                over.insert(format!("{} {}", source.name, function.name), function.lines);
            }
        }
    }
    assert_known("function", &over, "a function has at most 70 lines");
}

#[test]
fn a_type_has_its_methods_in_at_most_two_files() {
    // Two types of one name are told apart by their room.
    let mut files: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for source in sources() {
        for name in &source.impls {
            let files = files.entry((source.room(), name)).or_default();
            files.insert(&source.name);
        }
    }
    let over = files
        .into_iter()
        .filter(|(_, files)| files.len() > IMPL_FILES_MAX)
        .map(|((room, name), files)| (format!("{room} {name}"), files.len()))
        .collect();
    assert_known(
        "impls",
        &over,
        "a type has its methods in at most two files",
    );
}

#[test]
fn public_types_have_names_of_their_own() {
    let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources() {
        for name in &source.types {
            files.entry(name).or_default().insert(&source.name);
        }
    }
    let over = files
        .into_iter()
        .filter(|(name, files)| files.len() > 1 && !COMMON_NAMES.contains(name))
        .map(|(name, files)| (name.to_owned(), files.len()))
        .collect();
    assert_known(
        "types",
        &over,
        "two types of one name: one word for one thing",
    );
}

#[test]
fn a_folder_stands_for_a_prefix() {
    let mut families: BTreeMap<String, usize> = BTreeMap::new();
    for source in sources() {
        let Some((folder, file)) = source.name.rsplit_once('/') else {
            continue;
        };
        let stem = file.trim_end_matches(".rs");
        let first = stem.split('_').next().unwrap_or(stem);
        *families.entry(format!("{folder}/{first}_*")).or_default() += 1;
    }
    families.retain(|_, files| *files > PREFIX_FILES_MAX);
    assert_known(
        "prefix",
        &families,
        "three files with one prefix are a folder",
    );
}

#[test]
fn a_room_is_read_in_one_glance() {
    let mut over = BTreeMap::new();
    for (room, limit) in ROOMS_MAX {
        let inside: BTreeSet<&str> = sources()
            .iter()
            .filter_map(|source| source.name.strip_prefix(room)?.strip_prefix('/'))
            .filter_map(|below| below.split('/').next())
            .filter(|below| *below != "mod.rs")
            .collect();
        if inside.len() > limit {
            over.insert(room.to_owned(), inside.len());
        }
    }
    assert_known("room", &over, "fewer files and folders directly in it");
}

/// Which files each file of a room names, in the same room. Files that list modules are looked through.
fn arrows() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let modules = Modules::new();
    let lists = |source: &Source| source.name.ends_with("/mod.rs") || source.room().is_empty();
    sources()
        .iter()
        .filter(|source| !lists(source))
        .map(|source| {
            let named = modules
                .neighbours(source)
                .into_iter()
                .filter(|(_, other)| other.room() == source.room() && !lists(other))
                .map(|(_, other)| other.name.as_str())
                .collect();
            (source.name.as_str(), named)
        })
        .collect()
}

/// What can be reached from a file, by at least one arrow.
fn reached<'a>(from: &str, arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = arrows[from].iter().copied().collect();
    while let Some(file) = next.pop() {
        if seen.insert(file) {
            next.extend(&arrows[file]);
        }
    }
    seen
}

#[test]
fn no_circle_of_modules_in_a_room() {
    let arrows = arrows();
    let all: BTreeMap<&str, BTreeSet<&str>> = arrows
        .keys()
        .map(|file| (*file, reached(file, &arrows)))
        .collect();
    let mut over = BTreeMap::new();
    for (file, seen) in &all {
        if seen.contains(file) {
            let circle = seen.iter().filter(|other| all[*other].contains(file));
            over.insert((*file).to_owned(), circle.count());
        }
    }
    assert_known_as("circle", &over, |file| {
        let ties: Vec<&str> = arrows[file]
            .iter()
            .copied()
            .filter(|other| all[other].contains(file))
            .collect();
        format!("reaches itself by {}", ties.join(", "))
    });
}
