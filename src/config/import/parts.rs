//! What an import is given and gives, and what it loses on the way.

/// What an import gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// A valid `monitors.toml`.
    pub toml: String,
    /// What could not be carried over: a sentence each, what matters most first.
    pub left_out: Vec<String>,
    /// Environment variables that the file needs, sorted.
    pub variables: Vec<String>,
    /// How many monitors it holds.
    pub monitors: usize,
}

/// A text to import from.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is called in messages: the file's path as given.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// Reads the files that a source names by a path or a pattern, relative to where the source lies.
pub type Beside<'a> = &'a dyn Fn(&str) -> Vec<Source>;

/// How much a loss matters; the first come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Weight {
    /// Something is not checked at all.
    Unchecked,
    /// An answer is judged otherwise, or a request made otherwise.
    Verdict,
    /// Other people are told, or at other times.
    Told,
    /// Everything else.
    Detail,
}

/// Something that is not carried over, and for which monitors.
#[derive(Debug)]
pub(super) struct Loss {
    pub(super) weight: Weight,
    pub(super) what: String,
    pub(super) about: Vec<String>,
}

/// So many monitors are named with a loss that they share.
const NAMED_MAX: usize = 4;

/// So many monitors that are not checked are named.
const NOT_CHECKED_MAX: usize = 2000;

/// So many different losses are told one by one; a file that is something else has one in each line.
pub(super) const LOSSES_MAX: usize = 1000;

/// So many lines of a list that are not understood are told one by one.
pub(super) const LINES_MAX: usize = 10;

impl Loss {
    /// The sentence that a person reads.
    pub(super) fn line(&self) -> String {
        // A monitor that is not checked is named in any case.
        let named = match self.weight {
            Weight::Unchecked => NOT_CHECKED_MAX,
            Weight::Verdict | Weight::Told | Weight::Detail => NAMED_MAX,
        };
        let shown: Vec<&str> = self.about.iter().take(named).map(String::as_str).collect();
        match (self.about.len(), self.about.len().saturating_sub(named)) {
            (0, _) => self.what.clone(),
            (_, 0) => format!("{}: {}", self.what, shown.join(", ")),
            (all, more) => format!(
                "{} ({all} monitors): {} and {more} more",
                self.what,
                shown.join(", ")
            ),
        }
    }
}

/// Who is told of a monitor's news.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Told {
    /// Those of `[email].to`.
    #[default]
    Default,
    /// Nobody, as in the source.
    Nobody,
    /// Those of `[email].to` where there are any, in place of services that are not carried over.
    Mail,
    /// These addresses and channels.
    Only(Vec<String>),
}

/// Why nothing could be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The text is not in the format at all.
    #[error("{0}")]
    Format(String),
    /// The text can be read and names nothing to check, perhaps because another tool wrote it.
    #[error("{0}")]
    Nothing(String),
}
