//! Texts that are kept in files and compared as a whole.

use std::fs;
use std::path::{Path, PathBuf};

/// What a failing test tells.
pub const HOW: &str = "if it is right, accept all kept texts with `SITEWATCH_BLESS=1 cargo test` and read the difference";

/// Whether a person asked for the kept texts to be rewritten.
#[expect(
    clippy::disallowed_methods,
    reason = "a person asks by the environment, not a test"
)]
pub fn blesses() -> bool {
    std::env::var_os("SITEWATCH_BLESS").is_some()
}

/// A folder of kept texts.
pub struct Golden {
    kept: PathBuf,
    came: PathBuf,
    files: Vec<String>,
    different: Vec<String>,
}

impl Golden {
    /// The folder of this name in `tests/it/`.
    pub fn folder(name: &str) -> Self {
        let came = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&came).expect("the target directory can be written");
        Self {
            kept: Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/it")
                .join(name),
            came,
            files: Vec::new(),
            different: Vec::new(),
        }
    }

    /// Compares one text with its file, or rewrites the file. The kept text has `VERSION` for this program's version.
    pub fn file(&mut self, name: &str, now: &str) {
        self.files.push(name.to_owned());
        let version = env!("CARGO_PKG_VERSION");
        let now = now
            .replace(&format!("sitewatch {version} on"), "sitewatch VERSION on")
            .replace(&format!("sitewatch/{version} "), "sitewatch/VERSION ")
            .replace(&format!("sitewatch/{version}<"), "sitewatch/VERSION<");
        let before = fs::read_to_string(self.kept.join(name)).unwrap_or_default();
        if before == now {
            return;
        }
        let folder = if blesses() { &self.kept } else { &self.came };
        fs::write(folder.join(name), now).expect("the folder can be written");
        if !blesses() {
            self.different.push(name.to_owned());
        }
    }

    /// Fails if a text differs, or if the folder has a file with one of these endings that no text belongs to.
    #[track_caller]
    pub fn end(mut self, endings: &[&str]) {
        for entry in fs::read_dir(&self.kept).expect("the folder lists") {
            let name = entry.expect("listed").file_name();
            let name = name.to_string_lossy().into_owned();
            if self.files.contains(&name) || !endings.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            if blesses() {
                fs::remove_file(self.kept.join(&name)).expect("the folder can be written");
            } else {
                self.different.push(format!("{name} (of nothing)"));
            }
        }
        assert!(
            self.different.is_empty(),
            "{:?} differ from {}; what came is in {}; {HOW}",
            self.different,
            self.kept.display(),
            self.came.display()
        );
    }
}
