//! `include`: which files a pattern means, as a shell would say it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use toml::de::DeTable;

use super::reader::Reading;
use super::referenced_files;
use super::table::{Table, place};
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::source_map::Place;
use crate::config::keys;
use crate::config::syntax::odd_characters;

/// More included files than this are a wrong pattern.
const FILES_MAX: usize = 10_000;
/// All patterns together look at so many names. `/**/*.toml` would look through every disk.
const NAMES_MAX: usize = 200_000;
/// Folders below each other that `**` goes into.
const DEPTH_MAX: usize = 32;

/// As a shell: `*`, `?` and `[..]` take no leading dot and no slash.
const AS_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// One file to be read.
pub(in crate::config) struct Found {
    pub path: PathBuf,
    /// The pattern that found it.
    pub named_at: Place,
}

/// One pattern and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// As written.
    pub pattern: String,
    /// The files in name order, relative to the main file where they lie below it.
    pub files: Vec<PathBuf>,
}

/// The files that `include` names, in name order, each once; and what each pattern found.
pub(in crate::config) fn included(
    reading: &mut Reading<'_>,
    root: &DeTable<'_>,
) -> (Vec<Found>, Vec<Included>) {
    let table = Table {
        own: root,
        keys: keys::TOP,
        called: "the file",
        header: place(0, 0..0),
        fallback: None,
    };
    let Some(found) = table.get("include") else {
        return Default::default();
    };
    let Some(items) = reading.items(found, "a list") else {
        return Default::default();
    };
    let directory = reading.directory_of(0).to_owned();
    let (mut all, mut patterns) = (Vec::new(), Vec::new());
    let mut looking = Looking { left: NAMES_MAX };
    for item in items {
        let Some(text) = reading.text(item, "a path") else {
            continue;
        };
        if let Some(fault) = referenced_files::escaped(&text) {
            reading.fault(fault);
            continue;
        }
        let files = match looking.find(&directory, &text.value) {
            Ok(files) => files,
            Err(NotFound { message, label }) => {
                let message = message.replace("{}", &format!("`{}`", text.raw));
                reading.fault(Fault::new(item.place, message, label));
                continue;
            }
        };
        if files.is_empty() && is_wild(&text.value) {
            reading.warn(item.place, format!("`{}` matches no file", text.raw));
        } else if files.is_empty() {
            reading.fault(Fault::new(
                item.place,
                format!("cannot read `{}`: there is no such file", text.raw),
                match odd_characters::first_invisible(text.raw) {
                    Some((_, odd)) => format!("it has {} in it: {}", odd.name(), odd.advice()),
                    None => "relative paths are relative to this file".to_owned(),
                },
            ));
        }
        patterns.push(Included {
            pattern: text.raw.to_owned(),
            files: files
                .iter()
                .map(|path| path.strip_prefix(&directory).unwrap_or(path).to_owned())
                .collect(),
        });
        all.extend(files.into_iter().map(|path| Found {
            path,
            named_at: item.place,
        }));
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    once_each(reading, &mut all);
    if all.len() > FILES_MAX {
        reading.fault(Fault::new(
            found.place,
            format!("`include` names {} files", all.len()),
            format!("at most {FILES_MAX} are read"),
        ));
        all.truncate(FILES_MAX);
    }
    (all, patterns)
}

/// A file that has several names is read once, and the main file not again.
fn once_each(reading: &Reading<'_>, all: &mut Vec<Found>) {
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let main = reading.sources.first();
    let mut seen: HashSet<(u64, u64)> = main
        .and_then(|main| identity(&main.path))
        .into_iter()
        .collect();
    // What cannot be looked at is said when it is read.
    all.retain(|found| identity(&found.path).is_none_or(|identity| seen.insert(identity)));
    all.dedup_by(|a, b| a.path == b.path);
}

fn is_wild(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Why a pattern names nothing; `{}` in the message is the pattern.
struct NotFound {
    message: String,
    label: String,
}

struct Looking {
    /// Names that may still be looked at.
    left: usize,
}

impl Looking {
    /// The files that a pattern means. Of what matches a wildcard folders are passed over, and links that lead
    /// nowhere are not: somebody wanted a file there.
    fn find(&mut self, directory: &Path, pattern: &str) -> Result<Vec<PathBuf>, NotFound> {
        if let Err(error) = Pattern::new(pattern) {
            return Err(NotFound {
                message: "{} is not a valid path with wildcards".to_owned(),
                label: match error.msg.contains("recursive") || error.msg.contains("**") {
                    true => "`**` stands for any folders and has its own place between slashes"
                        .to_owned(),
                    false => "a `[` is closed by `]`; write `[[]` for a bracket itself".to_owned(),
                },
            });
        }
        let (start, relative) = match pattern.strip_prefix('/') {
            Some(relative) => (PathBuf::from("/"), relative),
            None => (directory.to_owned(), pattern),
        };
        let mut paths = vec![start];
        let mut parts = relative
            .split('/')
            .filter(|part| !matches!(*part, "" | "."));
        for part in parts.clone() {
            let mut next = Vec::new();
            for path in paths {
                self.step(&path, part, &mut next)?;
            }
            paths = next;
        }
        if is_wild(parts.next_back().unwrap_or("")) {
            paths.retain(|path| !path.is_dir());
        }
        paths.sort();
        Ok(paths)
    }

    /// One part of the pattern below one folder.
    fn step(&mut self, below: &Path, part: &str, found: &mut Vec<PathBuf>) -> Result<(), NotFound> {
        if part == "**" {
            return self.descend(below, found);
        }
        if !is_wild(part) {
            let path = below.join(part);
            // A link that leads nowhere is there as well.
            if fs::symlink_metadata(&path).is_ok() {
                found.push(path);
            }
            return Ok(());
        }
        // The whole was looked at before.
        let Ok(pattern) = Pattern::new(part) else {
            return Ok(());
        };
        for name in self.names(below)? {
            // A byte of another charset is one character of a name.
            if pattern.matches_with(&name.to_string_lossy(), AS_A_SHELL) {
                found.push(below.join(name));
            }
        }
        Ok(())
    }

    /// The folder and all folders below it, but those with a leading dot and those behind links.
    fn descend(&mut self, top: &Path, found: &mut Vec<PathBuf>) -> Result<(), NotFound> {
        let mut waiting = vec![(top.to_owned(), 0)];
        while let Some((folder, depth)) = waiting.pop() {
            if depth < DEPTH_MAX {
                for name in self.names(&folder)? {
                    let path = folder.join(&name);
                    let is_folder = fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir());
                    let is_hidden = name.as_encoded_bytes().starts_with(b".");
                    if is_folder && !is_hidden {
                        waiting.push((path, depth + 1));
                    }
                }
            }
            if folder.is_dir() {
                found.push(folder);
            }
        }
        Ok(())
    }

    fn names(&mut self, folder: &Path) -> Result<Vec<std::ffi::OsString>, NotFound> {
        let cannot = |error: &io::Error| NotFound {
            message: format!(
                "cannot read `{}`: {}",
                folder.display(),
                referenced_files::reason(error)
            ),
            label: String::new(),
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            // What is no folder has nothing in it, for a shell as well.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(cannot(&error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            self.left = self.left.checked_sub(1).ok_or_else(|| NotFound {
                message: "{} looks through too much".to_owned(),
                label: format!("name the folder: at most {NAMES_MAX} names are looked at"),
            })?;
            names.push(entry.map_err(|error| cannot(&error))?.file_name());
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn found(directory: &Path, pattern: &str) -> String {
        let mut looking = Looking { left: 1000 };
        match looking.find(directory, pattern) {
            Ok(files) => files
                .iter()
                .map(|path| path.strip_prefix(directory).unwrap().display().to_string())
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("{}: {}", error.message, error.label),
        }
    }

    #[test]
    fn a_pattern_means_what_it_means_in_a_shell() {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path();
        for folder in ["d", "d/sub/deep", "d/.git", "d/old.toml", "d/..2026"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        for file in [
            "d/web.toml",
            "d/web.toml~",
            "d/#web.toml#",
            "d/web.toml.dpkg-dist",
            "d/.web.toml",
            "d/._web.toml",
            "d/.web.toml.swp",
            "d/web (copy).toml",
            "d/1.toml",
            "d/sub/s.toml",
            "d/sub/.s.toml",
            "d/sub/deep/t.toml",
            "d/.git/g.toml",
            "d/..2026/k.toml",
        ] {
            fs::write(top.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink("root@host.1:1", top.join("d/.#web.toml")).unwrap();
        std::os::unix::fs::symlink("..2026", top.join("d/..data")).unwrap();
        std::os::unix::fs::symlink("nowhere", top.join("d/z.toml")).unwrap();
        for (pattern, want) in [
            ("d/*.toml", "d/1.toml d/web (copy).toml d/web.toml d/z.toml"),
            (
                "./d/*.toml",
                "d/1.toml d/web (copy).toml d/web.toml d/z.toml",
            ),
            ("d/?.toml", "d/1.toml d/z.toml"),
            ("d/[0-9].toml", "d/1.toml"),
            ("d/[!0-9].toml", "d/z.toml"),
            ("d/[.]web.toml", ""),
            ("d/?web.toml", ""),
            ("d/.*.toml", "d/.#web.toml d/._web.toml d/.web.toml"),
            ("d/.web.toml", "d/.web.toml"),
            ("d/web.toml", "d/web.toml"),
            ("d/none.toml", ""),
            ("*/*/s.toml", "d/sub/s.toml"),
            (
                "d/**/*.toml",
                "d/1.toml d/sub/deep/t.toml d/sub/s.toml d/web (copy).toml d/web.toml d/z.toml",
            ),
            ("**/t.toml", "d/sub/deep/t.toml"),
            ("d/*/k.toml", ""),
            ("d/web.toml/*", ""),
            ("none/*.toml", ""),
            (
                "d/*",
                "d/#web.toml# d/1.toml d/web (copy).toml d/web.toml d/web.toml.dpkg-dist d/web.toml~ d/z.toml",
            ),
            ("d/**", ""),
        ] {
            assert_eq!(found(top, pattern), want, "{pattern}");
        }
        // A name in Latin-1, which is no UTF-8, is a name as well.
        fs::create_dir(top.join("latin")).unwrap();
        let name = std::ffi::OsStr::from_bytes(b"latin/caf\xe9.toml");
        fs::write(top.join(name), "").unwrap();
        for pattern in ["latin/*.toml", "latin/caf?.toml", "**/caf*", "latin/[!.]*"] {
            assert_eq!(found(top, pattern), "latin/caf\u{fffd}.toml", "{pattern}");
        }
        assert!(found(top, "d/[").starts_with("{} is not a valid path with wildcards: "));
        assert!(found(top, "a**").starts_with("{} is not a valid path with wildcards: "));
    }

    #[test]
    fn a_pattern_does_not_look_through_the_machine() {
        let directory = tempfile::tempdir().unwrap();
        for index in 0..30 {
            fs::create_dir(directory.path().join(index.to_string())).unwrap();
        }
        let mut looking = Looking { left: 20 };
        let error = looking.find(directory.path(), "**/*.toml").err().unwrap();
        assert_eq!(error.message, "{} looks through too much");
    }
}
