//! Text to a [`Config`] that is only constructible when valid; every fault collected with its place.

pub mod default_paths;
mod default_subject;
mod diagnostic;
pub mod diff;
pub mod environment;
mod fingerprint;
pub mod import;
pub mod init;
pub mod keys;
mod load;
pub mod model;
mod read;
mod read_source;
pub mod schema;
pub mod show;
pub mod source_lists;
mod syntax;

pub use default_paths::{Located, NotFound, locate};
pub use default_subject::default_subject;
pub use diagnostic::problem::ConfigErrors;
pub use diff::compare::{Diff, diff};
pub use environment::Environment;
pub use fingerprint::Watch;
pub use init::EXAMPLE;
pub use load::{Brief, load, load_again, load_brief, load_brief_telling};
pub use model::Config;
pub use read::include::Included;
pub use read::portable::Monitors;
