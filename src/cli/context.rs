//! What every command is given besides its own arguments.

use super::args::Global;
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
}
