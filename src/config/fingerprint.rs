//! Whether the files of a configuration are still those that were read.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::diagnostic::source_map::Source;
use super::environment::Environment;
use super::load;
use super::read::referenced_files;

/// A number for the texts of a configuration; the same texts in the same files have the same within one process.
pub(super) fn of_sources(sources: &[Source]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for source in sources {
        source.path.hash(&mut hasher);
        source.text.hash(&mut hasher);
    }
    hasher.finish()
}

/// Looks at the files of a configuration without reading them, until they look otherwise.
#[derive(Debug, Default)]
pub struct Watch {
    /// What is looked at: the files, and the folders where others may appear.
    paths: Vec<PathBuf>,
    seen: u64,
    fingerprint: u64,
}

impl Watch {
    /// The fingerprint ([`super::Config::fingerprint`]) of what is on the disk now. Cheap while nothing changes: then
    /// no file is opened.
    pub fn fingerprint(&mut self, file: &Path, environment: &Environment) -> u64 {
        let seen = self.look();
        if !self.paths.is_empty() && seen == self.seen {
            return self.fingerprint;
        }
        let sources = load::sources(file, environment);
        self.fingerprint = of_sources(&sources);
        self.paths = watched(file, environment, &sources);
        self.seen = self.look();
        self.fingerprint
    }

    fn look(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for path in &self.paths {
            let found = path.metadata().ok();
            found
                .map(|found| {
                    (
                        found.dev(),
                        found.ino(),
                        found.size(),
                        found.mtime(),
                        found.mtime_nsec(),
                    )
                })
                .hash(&mut hasher);
        }
        hasher.finish()
    }
}

#[derive(Deserialize)]
struct Including {
    #[serde(default)]
    include: Vec<String>,
}

fn watched(file: &Path, environment: &Environment, sources: &[Source]) -> Vec<PathBuf> {
    let full = referenced_files::resolve(&environment.directory, &file.to_string_lossy());
    let mut paths: Vec<PathBuf> = sources.iter().map(|source| source.path.clone()).collect();
    let text = sources.first().map_or("", |main| &main.text);
    let including =
        toml::from_str::<Including>(text).map_or_else(|_| Vec::new(), |found| found.include);
    let folder = full.parent().unwrap_or(Path::new("/"));
    for pattern in including {
        // The folder before the first wildcard: a pattern that finds nothing yet has no file to be looked at.
        let plain: PathBuf = Path::new(&pattern)
            .components()
            .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']))
            .collect();
        paths.push(folder.join(plain));
    }
    let folders: Vec<PathBuf> = paths
        .iter()
        .skip(1)
        .filter_map(|path| path.parent().map(Path::to_owned))
        .filter(|parent| parent != folder)
        .collect();
    paths.push(full);
    paths.extend(folders);
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn other_texts_are_seen_and_a_touch_is_not() {
        let place = tempfile::tempdir().unwrap();
        let environment = Environment {
            directory: place.path().to_owned(),
            ..Environment::default()
        };
        let file = place.path().join("m.toml");
        let folder = place.path().join("d");
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "include = [\"d/*.toml\"]\n").unwrap();
        let mut watch = Watch::default();
        let mut look = || watch.fingerprint(&file, &environment);
        let first = look();
        assert_eq!(look(), first);
        let site = "[[monitor]]\nurl = \"https://a.example/\"\n";
        fs::write(folder.join("a.toml"), site).unwrap();
        let second = look();
        assert_ne!(second, first, "a first file in an included folder");
        let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let opened = fs::File::options().append(true).open(&file).unwrap();
        opened.set_modified(later).unwrap();
        assert_eq!(look(), second, "a touch");
        fs::write(
            folder.join("a.toml"),
            site.replace("a.example", "bb.example"),
        )
        .unwrap();
        assert_ne!(look(), second);
        fs::write(folder.join("a.toml"), site).unwrap();
        assert_eq!(look(), second, "and back");
        fs::write(&file, "include = [").unwrap();
        assert_ne!(look(), second, "half a file");
        fs::remove_file(&file).unwrap();
        assert_ne!(look(), second, "none");
    }
}
