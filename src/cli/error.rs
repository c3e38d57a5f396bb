//! What a command ends with, and the one map from there to exit codes.

use std::fmt;
use std::io;

use crate::config::NotFound;
use crate::store::error::StoreError;

/// How a command ended that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// All is well.
    Fine,
    /// The command worked and what it found is bad: something is down or unknown.
    Bad,
    /// A plugin's verdict, in the codes that Nagios knows.
    Plugin(PluginState),
    /// The status of a command that was run.
    Exit(u8),
}

/// The four states of a Nagios plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PluginState {
    /// 0
    Ok,
    /// 1
    Warning,
    /// 2
    Critical,
    /// 3
    Unknown,
}

/// Why a command could not do its work. The text is a sentence that fits after `error: `.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line asks for something that does not exist or cannot be.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong; the text is complete, with places and carets, and stands for itself.
    #[error("{0}")]
    Configuration(String),
    /// There is no configuration where one is looked for.
    #[error("{missing}{}", hint.as_ref().map_or_else(String::new, |hint| format!("\n{hint}")))]
    NoConfiguration {
        /// Where one was looked for.
        missing: NotFound,
        /// What else may be meant.
        hint: Option<String>,
    },
    /// The machine refuses: a directory, a permission, a busy port, no daemon to talk to.
    #[error("{0}")]
    Machine(String),
    /// The database does not do what it is asked; which one it is, is said where the text is printed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Standard output takes no more; a closed pipe is no error at all.
    #[error("write to standard output: {0}")]
    Output(#[from] io::Error),
    /// As [`Self::Output`]; the cause is kept by the output.
    #[error("write to standard output")]
    Format(#[from] fmt::Error),
}

impl From<NotFound> for CliError {
    fn from(missing: NotFound) -> Self {
        Self::NoConfiguration {
            missing,
            hint: None,
        }
    }
}

impl CliError {
    /// All of it in one line, for a reader that takes no more.
    pub fn line(&self) -> String {
        match self {
            Self::NoConfiguration { missing, .. } => missing.line(),
            Self::Usage(_)
            | Self::Configuration(_)
            | Self::Machine(_)
            | Self::Store(_)
            | Self::Output(_)
            | Self::Format(_) => {
                let text = self.to_string();
                let line = text.lines().next().unwrap_or_default();
                line.strip_prefix("error: ").unwrap_or(line).to_owned()
            }
        }
    }

    /// A configuration that is wrong; where nothing is wrong but that this user may not read a file, it is a fault
    /// of the machine.
    pub fn configuration(errors: &crate::config::ConfigErrors) -> Self {
        Self::of_faults(errors.to_string(), errors.count())
    }

    fn of_faults(text: String, count: usize) -> Self {
        match text.strip_prefix("error: cannot read ") {
            Some(rest) if count == 1 && rest.contains(": permission denied") => {
                let what = rest.split("\n\n").next().unwrap_or(rest);
                Self::Machine(format!("cannot read {what}"))
            }
            Some(_) | None => Self::Configuration(text),
        }
    }

    /// A fault of the machine, from any error.
    pub fn machine(error: impl fmt::Display) -> Self {
        Self::Machine(error.to_string())
    }
}

/// The exit code: 0 fine; 1 a failure; 2 wrong usage or configuration; 3 only from a plugin.
pub fn exit_code(result: &Result<Outcome, CliError>) -> u8 {
    match result {
        Ok(Outcome::Fine) => 0,
        Ok(Outcome::Bad) => 1,
        Ok(Outcome::Plugin(PluginState::Ok)) => 0,
        Ok(Outcome::Plugin(PluginState::Warning)) => 1,
        Ok(Outcome::Plugin(PluginState::Critical)) => 2,
        Ok(Outcome::Plugin(PluginState::Unknown)) => 3,
        Ok(Outcome::Exit(code)) => *code,
        Err(CliError::Usage(_) | CliError::Configuration(_) | CliError::NoConfiguration { .. }) => {
            2
        }
        Err(
            CliError::Machine(_) | CliError::Store(_) | CliError::Output(_) | CliError::Format(_),
        ) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_read_hides_no_other_fault() {
        let denied = "error: cannot read `pw`: permission denied\n --> m.toml:4:17\n\n";
        let one = CliError::of_faults(format!("{denied}1 error in m.toml"), 1);
        assert_eq!(
            one.to_string(),
            "cannot read `pw`: permission denied\n --> m.toml:4:17"
        );
        assert_eq!(exit_code(&Err(one)), 1);
        let both = format!("{denied}error: unknown key `intervall`\n\n2 errors in m.toml");
        let two = CliError::of_faults(both.clone(), 2);
        assert_eq!(two.to_string(), both);
        assert_eq!(exit_code(&Err(two)), 2);
    }
}
