//! The process environment as a value: read once at the edge, passed down from there.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The part of the environment that decides where files are and what `${NAME}` stands for.
#[derive(Clone, Default)]
pub struct Environment {
    /// The variables whose name and value are UTF-8.
    pub variables: BTreeMap<String, String>,
    /// The working directory.
    pub directory: PathBuf,
    /// Whether we run as root: then `./monitors.toml` counts only if root owns it.
    pub is_root: bool,
}

impl Environment {
    /// A variable's value; one that is set and empty counts as unset, as XDG and systemd have it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// Says how many, never which: values are often secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.len())
            .field("directory", &self.directory)
            .field("is_root", &self.is_root)
            .finish()
    }
}
