//! What every command is given besides its own arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::options::Global;
use super::output::Output;
use crate::config::Environment;

/// The surroundings of one command.
pub struct Context {
    /// `--config`, `--database`, `--json`, `--color`.
    pub options: Global,
    /// The process environment, read once.
    pub environment: Environment,
    /// Where results and messages go.
    pub out: Output,
    /// What the command works on, as soon as it is known.
    pub used: Option<Used>,
}

/// The files that a command works on.
#[derive(Debug, Clone)]
pub struct Used {
    /// The configuration, where there is one.
    pub file: Option<PathBuf>,
    /// The database.
    pub database: PathBuf,
    /// The daemon's control socket, where it is known.
    pub control_socket: Option<PathBuf>,
}

/// The process environment as a value; nothing below asks the process again.
pub fn environment() -> Environment {
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Environment {
        variables,
        directory: std::env::current_dir().unwrap_or_default(),
        is_root: rustix::process::geteuid().is_root(),
    }
}
